"""What kubectl and client libraries rely on, box by box: transport, discovery, media types, objects, lists, watches, tables, writes,
deletion, errors and the built-in services, spoken without a client."""
import pytest

from raw_api import RawApi

TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json"
AGGREGATED = "application/json;g=apidiscovery.k8s.io;v={};as=APIGroupDiscoveryList,application/json"
OPENAPI = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


@pytest.fixture
def api(platform, request):
    namespace = "wire-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:50].strip("-")
    platform.kubectl("create", "namespace", namespace)
    yield RawApi(platform, namespace)
    platform.kubectl("delete", "namespace", namespace, "--wait=false")


def make(api, name, **data):
    answer = api.call("POST", api.ns + "/configmaps", {"metadata": {"name": name}, "data": data})
    assert answer.status == 201, answer.body
    return answer.json


# Discovery and documents

def test_discovery_comes_in_the_form_that_was_asked_for(api):
    for version in ("v2", "v2beta1"):
        answer = api.call("GET", "/apis", Accept=AGGREGATED.format(version))
        assert answer.headers["Content-Type"] == f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
        assert answer.json["apiVersion"] == f"apidiscovery.k8s.io/{version}"
        assert all(v["freshness"] == "Current" for g in answer.json["items"] for v in g["versions"])
    assert api.call("GET", "/api").json["versions"] == ["v1"]
    groups = {g["name"]: g["preferredVersion"]["version"] for g in api.call("GET", "/apis").json["groups"]}
    assert groups["autoscaling"] == "v2" and groups["serving.kserve.io"] == "v1beta1"
    scale = [r for r in api.call("GET", "/apis/apps/v1").json["resources"] if r["name"] == "deployments/scale"][0]
    assert (scale["group"], scale["version"], scale["kind"]) == ("autoscaling", "v1", "Scale")
    version = api.call("GET", "/version").json
    assert (version["major"], version["minor"], version["gitVersion"].split("+")[0]) == ("1", "34", "v1.34.0")


def test_openapi_documents_are_cached_by_clients(api):
    document = api.call("GET", "/openapi/v2", Accept=OPENAPI)
    assert document.status == 200 and "@" not in document.headers["Content-Type"]  # Go cannot parse the at sign
    assert api.call("GET", "/openapi/v2", Accept=OPENAPI, If_None_Match=document.headers["Etag"]).status == 304
    index = api.call("GET", "/openapi/v3").json["paths"]
    group = api.call("GET", index["apis/apps/v1"]["serverRelativeURL"])
    assert "immutable" in group.headers["Cache-Control"] and group.headers["Etag"]
    patch = group.json["paths"]["/apis/apps/v1/namespaces/{namespace}/deployments/{name}"]["patch"]
    assert {"fieldValidation", "dryRun"} <= {p["name"] for p in patch["parameters"]}
    assert patch["x-kubernetes-group-version-kind"] == {"group": "apps", "version": "v1", "kind": "Deployment"}


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/readyz"])
def test_health_is_one_word(api, path):
    answer = api.call("GET", path)
    assert (answer.status, answer.body) == (200, b"ok") and answer.headers["Content-Type"].startswith("text/plain")


# Media types

@pytest.mark.parametrize("content_type, body, status", [
    ("application/yaml", "metadata: {name: a}\ndata: {k: v}\n", 201),
    (None, '{"metadata":{"name":"a","creationTimestamp":null},"status":{}}\n', 201),
    ("application/json", '{"metadata":{"name":"a"}}', 201),
    ("application/cbor", b"\xd9\xd9\xf7\xa0", 415),
    ("text/plain", '{"metadata":{"name":"a"}}', 415),
])
def test_bodies_come_in_the_encodings_that_clients_send(api, content_type, body, status):
    answer = api.call("POST", api.ns + "/configmaps", body, content_type=content_type)
    assert answer.status == status, answer.body
    if status == 415:
        assert answer.json["reason"] == "UnsupportedMediaType" and "accepted media types include: application/json" in answer.json["message"]


@pytest.mark.parametrize("accept, status", [
    ("application/vnd.kubernetes.protobuf,application/json", 200), ("application/vnd.kubernetes.protobuf, */*", 200),
    ("*/*", 200), ("text/html", 406),
])
def test_answers_are_json_where_json_will_do(api, accept, status):
    make(api, "a")
    answer = api.call("GET", api.ns + "/configmaps/a", Accept=accept)
    assert answer.status == status and answer.headers["Content-Type"].startswith("application/")


# Objects

def test_the_server_owns_identity(api):
    body = {"metadata": {"name": "a", "uid": "mine", "generation": 9, "creationTimestamp": "2001-01-01T00:00:00Z"}}
    made = api.call("POST", api.ns + "/configmaps", body).json["metadata"]
    assert len(made["uid"]) == 36 and not made["creationTimestamp"].startswith("2001") and made["namespace"] == api.namespace
    generated = api.call("POST", api.ns + "/configmaps", {"metadata": {"generateName": "g-"}}).json["metadata"]["name"]
    assert len(generated) == len("g-") + 5
    assert int(make(api, "b")["metadata"]["resourceVersion"]) > int(made["resourceVersion"])


def test_a_write_that_changes_nothing_writes_nothing(api):
    before = make(api, "a", k="v")
    same = api.call("PATCH", api.ns + "/configmaps/a", {"data": {"k": "v"}}, "application/merge-patch+json").json
    assert same == before
    del before["metadata"]["resourceVersion"]
    assert api.call("PUT", api.ns + "/configmaps/a", before).json == same


def test_empty_lists_and_maps_are_as_good_as_none(api):
    body = {"metadata": {"name": "web", "annotations": {}}, "spec": {
        "selector": {"matchLabels": {"a": "b"}}, "template": {
            "metadata": {"labels": {"a": "b"}},
            "spec": {"initContainers": [], "nodeSelector": {}, "volumes": [{"name": "v", "emptyDir": {}}],
                     "containers": [{"name": "c", "image": "i", "args": [], "env": []}]}}}}
    made = api.call("POST", f"/apis/apps/v1/namespaces/{api.namespace}/deployments?dryRun=All", body).json
    pod = made["spec"]["template"]["spec"]
    assert "annotations" not in made["metadata"] and not {"initContainers", "nodeSelector"} & set(pod)
    assert not {"args", "env"} & set(pod["containers"][0]) and pod["volumes"] == [{"name": "v", "emptyDir": {}}]


@pytest.mark.parametrize("method, path, body, status, reason, message", [
    ("POST", "/configmaps", {"metadata": {"name": "z", "namespace": "other"}}, 400, "BadRequest", "does not match the namespace sent"),
    ("POST", "/configmaps", {"metadata": {"name": "a"}}, 409, "AlreadyExists", 'configmaps "a" already exists'),
    ("POST", "/configmaps", {}, 422, "Invalid", "name or generateName is required"),
    ("PUT", "/configmaps/nope", {"metadata": {"name": "nope"}}, 404, "NotFound", 'configmaps "nope" not found'),
    ("PUT", "/configmaps/a", {"metadata": {"name": "a", "resourceVersion": "1"}}, 409, "Conflict", "the object has been modified"),
    ("POST", "/configmaps", "{", 400, "BadRequest", ""),
    ("POST", "/configmaps", b'{"metadata":{"name":"\xff"}}', 400, "BadRequest", ""),
    ("POST", "/configmaps", "[" * 5000, 400, "BadRequest", ""),
    ("PUT", "/configmaps", {}, 405, "MethodNotAllowed", ""),
    ("POST", "/configmaps/a", {}, 405, "MethodNotAllowed", ""),
    ("DELETE", "/configmaps/a?propagationPolicy=Foo", None, 422, "Invalid", 'Unsupported value: "Foo"'),
    ("DELETE", "/configmaps/a", {"preconditions": {"uid": "x"}}, 409, "Conflict", "Precondition failed"),
    ("POST", "/configmaps?dryRun=Some", {"metadata": {"name": "d"}}, 422, "Invalid", "dryRun"),
    ("POST", "/configmaps?fieldValidation=Odd", {"metadata": {"name": "d"}}, 422, "Invalid", "fieldValidation"),
    ("GET", "/configmaps?fieldSelector=data.x%3D1", None, 400, "BadRequest", "field label not supported: data.x"),
    ("GET", "/configmaps?labelSelector=a%3D%3D%3Db", None, 400, "BadRequest", ""),
    ("GET", "/configmaps?limit=1&continue=garbage", None, 400, "BadRequest", "continue"),
    ("GET", "/configmaps?watch=true&resourceVersion=abc", None, 400, "BadRequest", "abc"),
    ("GET", "/widgets", None, 404, "NotFound", "the server could not find the requested resource"),
])
def test_a_refusal_is_a_status_with_the_right_code(api, method, path, body, status, reason, message):
    make(api, "a")
    answer = api.call(method, api.ns + path, body)
    assert (answer.status, answer.json["kind"], answer.json["code"], answer.json["reason"]) == (status, "Status", status, reason)
    assert message in answer.json["message"]


def test_an_unknown_field_is_refused_warned_of_or_ignored(api):
    body = '{"metadata":{"name":"q"},"foo":1,"data":{"a":"1","a":"2"}}'
    strict = api.call("POST", api.ns + "/configmaps?fieldValidation=Strict", body)
    assert strict.status == 400 and 'unknown field "foo"' in strict.json["message"] and "duplicate field" in strict.json["message"]
    warned = api.call("POST", api.ns + "/configmaps?fieldValidation=Warn&dryRun=All", body)
    assert warned.status == 201 and any(w.startswith('299 - "unknown field') for w in warned.headers.get_all("Warning"))
    silent = api.call("POST", api.ns + "/configmaps?fieldValidation=Ignore&dryRun=All", body)
    assert silent.status == 201 and silent.headers.get_all("Warning") is None and "foo" not in silent.json


def test_custom_resources_take_no_strategic_patch_and_have_no_scale(api):
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{api.namespace}/inferenceservices/x"
    answer = api.call("PATCH", path, {}, "application/strategic-merge-patch+json")
    assert answer.status == 415 and "application/merge-patch+json" in answer.json["message"]
    answer = api.call("PATCH", path + "/scale", {"spec": {"replicas": 1}}, "application/merge-patch+json")
    assert answer.status == 404 and answer.json["message"] == 'inferenceservices.serving.kserve.io "x" not found'


# Lists, tables, watches

def test_lists_come_in_pages(api):
    for name in "abc":
        make(api, name)
    path = api.ns + "/configmaps?fieldSelector=metadata.name!%3Dkube-root-ca.crt&limit=2"
    first = api.call("GET", path).json
    assert [o["metadata"]["name"] for o in first["items"]] == ["a", "b"]
    assert "remainingItemCount" not in first["metadata"]  # unknown where a selector picks
    second = api.call("GET", path + "&continue=" + first["metadata"]["continue"]).json
    assert [o["metadata"]["name"] for o in second["items"]] == ["c"] and "continue" not in second["metadata"]
    assert (first["kind"], first["apiVersion"]) == ("ConfigMapList", "v1")


@pytest.mark.parametrize("selector, names", [
    ("a%3Db", "x"), ("a!%3Db", "yz"), ("a", "xy"), ("!a", "z"), ("a+in+(b,c)", "xy"), ("a+notin+(b)", "yz"), ("a,a%3D%3Dc", "y")])
def test_label_selectors(api, selector, names):
    for name, labels in (("x", {"a": "b"}), ("y", {"a": "c"}), ("z", {})):
        api.call("POST", api.ns + "/secrets", {"metadata": {"name": name, "labels": labels}})
    items = api.call("GET", api.ns + "/secrets?labelSelector=" + selector).json["items"]
    assert "".join(o["metadata"]["name"] for o in items) == names


def test_an_empty_field_value_is_a_real_test(api):
    event = {"metadata": {"name": "e"}, "involvedObject": {"kind": "Pod", "name": "p", "namespace": api.namespace}, "reason": "R"}
    assert api.call("POST", api.ns + "/events", event).status == 201
    def count(selector):
        return len(api.call("GET", f"{api.ns}/events?fieldSelector={selector}").json["items"])
    assert count("involvedObject.name%3Dp,reason%3DR") == 1
    assert count("involvedObject.namespace%3D") == 0


def test_tables_carry_columns_and_objects(api):
    make(api, "a", k="v")
    table = api.call("GET", api.ns + "/configmaps/a", Accept=TABLE).json
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Data", "Age"]
    assert table["rows"][0]["cells"][:2] == ["a", 1] and table["rows"][0]["object"]["kind"] == "PartialObjectMetadata"
    whole = api.call("GET", api.ns + "/configmaps?includeObject=Object", Accept=TABLE).json
    assert whole["rows"][0]["object"]["kind"] == "ConfigMap"
    missing = api.call("GET", api.ns + "/configmaps/none", Accept=TABLE)
    assert missing.status == 404 and missing.json["kind"] == "Status"


def test_a_watch_starts_where_it_is_told_and_ends_in_time(api):
    for name in "ab":
        make(api, name)
    only = "fieldSelector=metadata.name!%3Dkube-root-ca.crt&timeoutSeconds=1&"
    names = lambda events: [(e["type"], e["object"]["metadata"].get("name", "")) for e in events]
    assert names(api.watch(only + "resourceVersion=0")) == [("ADDED", "a"), ("ADDED", "b")]
    start = api.call("GET", api.ns + "/configmaps").json["metadata"]["resourceVersion"]
    make(api, "c")
    api.call("DELETE", api.ns + "/configmaps/a")
    events = api.watch(only + "resourceVersion=" + start)
    assert names(events) == [("ADDED", "c"), ("DELETED", "a")]
    assert int(events[1]["object"]["metadata"]["resourceVersion"]) > int(events[0]["object"]["metadata"]["resourceVersion"])


def test_a_watch_with_initial_events_says_when_they_end(api):
    make(api, "a")
    events = api.watch("sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=1")
    ends = [i for i, e in enumerate(events) if e["object"]["metadata"].get("annotations", {}).get("k8s.io/initial-events-end") == "true"]
    assert len(ends) == 1 and events[ends[0]]["type"] == "BOOKMARK" and {e["type"] for e in events[:ends[0]]} == {"ADDED"}
    assert api.watch("sendInitialEvents=true&timeoutSeconds=1").status == 422


def test_a_table_watch_sends_its_columns_once(api):
    for name in "ab":
        make(api, name)
    events = api.watch("resourceVersion=0&timeoutSeconds=1", accept=TABLE)
    assert all(e["object"]["kind"] == "Table" and len(e["object"]["rows"]) == 1 for e in events)
    assert events[0]["object"]["columnDefinitions"] and not any(e["object"].get("columnDefinitions") for e in events[1:])


def test_selectors_turn_changes_into_comings_and_goings(api):
    start = make(api, "a")["metadata"]["resourceVersion"]
    for labels in ({"on": "yes"}, {"on": None}):
        api.call("PATCH", api.ns + "/configmaps/a", {"metadata": {"labels": labels}}, "application/merge-patch+json")
    events = api.watch(f"labelSelector=on%3Dyes&resourceVersion={start}&timeoutSeconds=1")
    assert [e["type"] for e in events] == ["ADDED", "DELETED"]


def test_a_scale_is_a_table_too(api):
    pod = {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    deployment = {"metadata": {"name": "web"}, "spec": {"replicas": 0, "selector": {"matchLabels": {"a": "b"}}, "template": pod}}
    path = f"/apis/apps/v1/namespaces/{api.namespace}/deployments"
    assert api.call("POST", path, deployment).status == 201
    table = api.call("GET", path + "/web/scale", Accept=TABLE).json
    assert [c["name"] for c in table["columnDefinitions"]] == ["Name", "Desired", "Available", "Age"]
    assert table["rows"][0]["cells"][:3] == ["web", 0, 0]
    assert api.call("GET", path + "/web/scale").json["kind"] == "Scale"


# Deletion and built-in services

def test_a_delete_tells_the_uid_and_waits_for_finalizers(api):
    uid = make(api, "a")["metadata"]["uid"]
    gone = api.call("DELETE", api.ns + "/configmaps/a").json
    assert (gone["status"], gone["details"]["uid"]) == ("Success", uid)
    api.call("POST", api.ns + "/configmaps", {"metadata": {"name": "b", "finalizers": ["example.com/hold"]}})
    going = api.call("DELETE", api.ns + "/configmaps/b")
    assert going.status == 200 and going.json["metadata"]["deletionTimestamp"]
    more = api.call("PATCH", api.ns + "/configmaps/b", {"metadata": {"finalizers": ["example.com/hold", "example.com/new"]}},
                    "application/merge-patch+json")
    assert more.status == 422 and "no new finalizers can be added" in more.json["message"]
    api.call("PATCH", api.ns + "/configmaps/b", {"metadata": {"finalizers": None}}, "application/merge-patch+json")
    assert api.call("GET", api.ns + "/configmaps/b").status == 404


def test_reviews_and_tokens_are_created(api):
    review = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews",
                      {"spec": {"resourceAttributes": {"verb": "get", "resource": "pods"}}})
    assert review.status == 201 and review.json["status"]["allowed"] is True
    rules = api.call("POST", "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews", {"spec": {"namespace": api.namespace}})
    assert rules.status == 201 and rules.json["status"]["resourceRules"]
    assert api.call("POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", {}).json["status"]["userInfo"]["groups"]
    token = api.call("POST", api.ns + "/serviceaccounts/default/token", {"spec": {"expirationSeconds": 600}})
    assert token.status == 201 and token.json["status"]["token"].count(".") == 2 and token.json["status"]["expirationTimestamp"]


def test_ephemeral_containers_are_refused(api, platform, any_kubectl):
    pod = {"metadata": {"name": "p"}, "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "c", "image": "i"}]}}
    assert api.call("POST", api.ns + "/pods", pod).status == 201
    refused = platform.kubectl("-n", api.namespace, *(["alpha"] if "old" in any_kubectl else []), "debug", "p", "--image=busybox",
                               binary=any_kubectl, check=False)
    assert refused.returncode == 1 and "ephemeral containers are disabled for this cluster" in refused.stderr
    api.call("DELETE", api.ns + "/pods/p?gracePeriodSeconds=0")
