"""Server-side apply over the wire: who owns which field, conflicts, what goes and what stays, and how kubectl's client-side apply
turns into it."""
import json

import pytest
import yaml

from raw_api import RawApi

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - name: c
        image: nginx:1.25
        ports: [{containerPort: 80}]
"""
CONFIG = """
apiVersion: v1
kind: ConfigMap
metadata: {name: cm}
data: {k: v1}
"""


class Api(RawApi):
    def call(self, method, path, body=None, content_type="application/json"):
        answer = super().call(method, path, body, content_type)
        return answer.status, answer.json

    def path(self, plural, name, sub=""):
        base = "/api/v1" if plural in ("configmaps", "services", "pods") else "/apis/apps/v1"
        return f"{base}/namespaces/{self.namespace}/{plural}/{name}" + (f"/{sub}" if sub else "")

    def apply(self, plural, name, body, manager, force=False, sub=""):
        query = f"?fieldManager={manager}&force={'true' if force else 'false'}"
        return self.call("PATCH", self.path(plural, name, sub) + query, body, "application/apply-patch+yaml")

    def get(self, plural, name):
        return self.call("GET", self.path(plural, name))[1]


@pytest.fixture
def api(platform, request):
    namespace = "ssa-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:50].strip("-")
    platform.kubectl("create", "namespace", namespace)
    yield Api(platform, namespace)
    platform.kubectl("delete", "namespace", namespace, "--wait=false")


def owners(object):
    """What each manager owns: {"kubectl Apply": fieldsV1, "scaler Update scale": ...}."""
    return {" ".join(filter(None, (e["manager"], e["operation"], e.get("subresource")))): e["fieldsV1"]
            for e in object["metadata"].get("managedFields", [])}


def test_an_apply_owns_what_it_sent_and_nothing_else(api):
    status, made = api.apply("deployments", "web", DEPLOYMENT, "ci")
    assert status == 201
    assert owners(made) == {"ci Apply": {
        "f:metadata": {"f:labels": {"f:app": {}}},
        "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {
            "f:metadata": {"f:labels": {"f:app": {}}},
            "f:spec": {"f:containers": {'k:{"name":"c"}': {
                ".": {}, "f:name": {}, "f:image": {},
                "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}}}}}}}}}}
    entry = made["metadata"]["managedFields"][0]
    assert (entry["apiVersion"], entry["fieldsType"]) == ("apps/v1", "FieldsV1") and entry["time"].endswith("Z")
    assert made["spec"]["strategy"]["type"] == "RollingUpdate"  # a default that nobody owns


def test_the_same_apply_again_writes_nothing(api):
    made = api.apply("configmaps", "cm", CONFIG, "ci")[1]
    status, again = api.apply("configmaps", "cm", CONFIG, "ci")
    assert (status, again) == (200, made)


def test_a_create_owns_its_fields_as_kube_apiserver_records_them(api):
    body = yaml.safe_load(DEPLOYMENT)
    status, made = api.call("POST", f"/apis/apps/v1/namespaces/{api.namespace}/deployments?fieldManager=tool", body)
    assert status == 201
    fields = owners(made)["tool Update"]
    assert fields["f:metadata"] == {"f:labels": {".": {}, "f:app": {}}}
    assert fields["f:spec"]["f:strategy"] == {"f:rollingUpdate": {".": {}, "f:maxSurge": {}, "f:maxUnavailable": {}}, "f:type": {}}
    container = fields["f:spec"]["f:template"]["f:spec"]["f:containers"]['k:{"name":"c"}']
    assert container["f:ports"] == {".": {}, 'k:{"containerPort":80,"protocol":"TCP"}': {".": {}, "f:containerPort": {}, "f:protocol": {}}}
    assert container["f:resources"] == {} and container["f:imagePullPolicy"] == {}
    assert "f:status" not in fields


def test_a_conflict_names_every_field_and_its_owner(api):
    api.apply("configmaps", "cm", "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: '1', b: '1'}}", "first")
    status, error = api.apply("configmaps", "cm", "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: '2', b: '2'}}", "second")
    assert (status, error["reason"], error["code"]) == (409, "Conflict", 409)
    assert error["message"] == 'Apply failed with 2 conflicts: conflicts with "first":\n- .data.a\n- .data.b'
    assert error["details"]["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".data.a"},
        {"reason": "FieldManagerConflict", "message": 'conflict with "first"', "field": ".data.b"}]
    status, forced = api.apply("configmaps", "cm", "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {a: '2'}}", "second", force=True)
    assert status == 200 and forced["data"] == {"a": "2", "b": "1"}
    assert owners(forced) == {"first Apply": {"f:data": {"f:b": {}}}, "second Apply": {"f:data": {"f:a": {}}}}


def test_the_same_value_is_shared_and_stays_until_the_last_owner_drops_it(api):
    body = "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}, data: {shared: x, %s: z}}"
    api.apply("configmaps", "cm", body % "one", "one")
    status, both = api.apply("configmaps", "cm", body % "two", "two")
    assert status == 200 and owners(both)["one Apply"]["f:data"] == {"f:one": {}, "f:shared": {}}
    dropped = "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm}}"
    assert api.apply("configmaps", "cm", dropped, "one")[1]["data"] == {"shared": "x", "two": "z"}
    last = api.apply("configmaps", "cm", dropped, "two")[1]
    assert "data" not in last and owners(last) == {}


def test_list_items_go_by_key_and_atomic_lists_whole(api):
    api.apply("deployments", "web", DEPLOYMENT, "ci")
    sidecar = yaml.safe_load(DEPLOYMENT)
    sidecar["spec"] = {"template": {"spec": {"containers": [{"name": "side", "image": "s:1", "args": ["a", "b"]}],
                                             "tolerations": [{"key": "x", "operator": "Exists"}]}}}
    del sidecar["metadata"]["labels"]
    status, both = api.apply("deployments", "web", json.dumps(sidecar), "mesh")
    assert status == 200 and [c["name"] for c in both["spec"]["template"]["spec"]["containers"]] == ["c", "side"]
    sidecar["spec"]["template"]["spec"]["tolerations"] = [{"key": "y", "operator": "Exists"}]
    sidecar["spec"]["template"]["spec"]["containers"][0]["args"] = ["b"]
    pod = api.apply("deployments", "web", json.dumps(sidecar), "mesh")[1]["spec"]["template"]["spec"]
    assert pod["tolerations"] == [{"key": "y", "operator": "Exists"}] and pod["containers"][1]["args"] == ["b"]
    del sidecar["spec"]
    pod = api.apply("deployments", "web", json.dumps(sidecar), "mesh")[1]["spec"]["template"]["spec"]
    assert [c["name"] for c in pod["containers"]] == ["c"] and "tolerations" not in pod


def test_finalizers_are_a_set_of_values(api):
    one = "{apiVersion: v1, kind: ConfigMap, metadata: {name: cm, finalizers: [%s]}}"
    api.apply("configmaps", "cm", one % "example.com/a", "a")
    both = api.apply("configmaps", "cm", one % "example.com/b", "b")[1]
    assert sorted(both["metadata"]["finalizers"]) == ["example.com/a", "example.com/b"]
    assert owners(both)["b Apply"] == {"f:metadata": {"f:finalizers": {'v:"example.com/b"': {}}}}
    api.apply("configmaps", "cm", one % "", "a")
    assert api.get("configmaps", "cm")["metadata"]["finalizers"] == ["example.com/b"]
    api.apply("configmaps", "cm", one % "", "b")


def test_the_status_endpoint_applies_the_status_only(api):
    api.apply("deployments", "web", DEPLOYMENT.replace("replicas: 2", "replicas: 0"), "ci")
    body = yaml.safe_load(DEPLOYMENT)
    body["spec"]["replicas"] = 7
    body["status"] = {"conditions": [{"type": "Blessed", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z",
                                      "lastUpdateTime": "2026-01-01T00:00:00Z"}]}
    status, after = api.apply("deployments", "web", json.dumps(body), "priest", sub="status")
    assert status == 200 and after["spec"]["replicas"] == 0
    assert any(c["type"] == "Blessed" for c in after["status"]["conditions"])
    mine = owners(after)["priest Apply status"]
    assert list(mine) == ["f:status"] and 'k:{"type":"Blessed"}' in mine["f:status"]["f:conditions"]
    # The object's own endpoint ignores a status in the body.
    body["spec"]["replicas"] = 0
    body["status"] = {"replicas": 99}
    status, after = api.apply("deployments", "web", json.dumps(body), "ci")
    assert status == 200 and after["status"].get("replicas") != 99 and "f:status" not in owners(after)["ci Apply"]


def test_scale_shares_the_ownership_of_replicas(api):
    api.apply("deployments", "web", DEPLOYMENT.replace("replicas: 2", "replicas: 0"), "ci")
    scale = {"apiVersion": "autoscaling/v1", "kind": "Scale", "metadata": {"name": "web"}, "spec": {"replicas": 1}}
    status, error = api.apply("deployments", "web", json.dumps(scale), "scaler", sub="scale")
    assert status == 409 and error["message"] == 'Apply failed with 1 conflict: conflict with "ci": .spec.replicas'
    status, after = api.apply("deployments", "web", json.dumps(scale), "scaler", force=True, sub="scale")
    assert status == 200 and (after["kind"], after["spec"]) == ("Scale", {"replicas": 1})
    deployment = api.get("deployments", "web")
    assert owners(deployment)["scaler Apply scale"] == {"f:spec": {"f:replicas": {}}}
    assert "f:replicas" not in owners(deployment)["ci Apply"]["f:spec"]
    status, error = api.apply("deployments", "web", DEPLOYMENT, "ci")
    assert status == 409 and 'conflict with "scaler" with subresource "scale": .spec.replicas' in error["message"]


def test_what_was_there_before_the_first_apply_has_an_owner(api):
    api.call("POST", f"/api/v1/namespaces/{api.namespace}/configmaps", yaml.safe_load(CONFIG))
    bare = api.get("configmaps", "cm")
    bare["metadata"]["managedFields"] = []
    status, bare = api.call("PUT", api.path("configmaps", "cm"), bare)
    assert status == 200 and "managedFields" not in bare["metadata"]
    bare["data"]["l"] = "x"  # not tracked again before an apply
    assert "managedFields" not in api.call("PUT", api.path("configmaps", "cm"), bare)[1]["metadata"]
    status, error = api.apply("configmaps", "cm", CONFIG.replace("v1}", "v2}"), "ci")
    assert status == 409 and error["message"] == 'Apply failed with 1 conflict: conflict with "before-first-apply" using v1: .data.k'
    after = api.apply("configmaps", "cm", CONFIG.replace("v1}", "v2}"), "ci", force=True)[1]
    assert owners(after)["before-first-apply Update"] == {"f:data": {".": {}, "f:l": {}}}


def test_a_custom_resource_has_every_object_on_the_way_as_an_entry(api, platform):
    isvc = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
            "metadata": {"name": "iris", "annotations": {"serving.kserve.io/deploymentMode": "RawDeployment"}},
            "spec": {"predictor": {"minReplicas": 1, "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://a/b"}}}}
    path = f"/apis/serving.kserve.io/v1beta1/namespaces/{api.namespace}/inferenceservices"
    status, made = api.call("POST", path + "?fieldManager=tool&dryRun=All", isvc)
    assert status == 201, made
    assert owners(made)["tool Update"] == {
        "f:metadata": {"f:annotations": {".": {}, "f:serving.kserve.io/deploymentMode": {}}},
        "f:spec": {".": {}, "f:predictor": {".": {}, "f:minReplicas": {}, "f:model": {
            ".": {}, "f:modelFormat": {".": {}, "f:name": {}}, "f:storageUri": {}}}}}  # what admission filled in belongs to nobody


def test_an_update_takes_what_it_changes(api):
    api.apply("configmaps", "cm", CONFIG, "ci")
    patch = {"data": {"k": "edited"}}
    after = api.call("PATCH", api.path("configmaps", "cm") + "?fieldManager=editor", patch, "application/merge-patch+json")[1]
    assert owners(after) == {"editor Update": {"f:data": {"f:k": {}}}}
    status, error = api.apply("configmaps", "cm", CONFIG, "ci")
    assert status == 409 and error["message"] == 'Apply failed with 1 conflict: conflict with "editor" using v1: .data.k'


@pytest.mark.parametrize("body, query, status, message", [
    ("{apiVersion: v1, kind: ConfigMap, metadata: {name: cm, managedFields: [{manager: x}]}}", "?fieldManager=ci", 400,
     "metadata.managedFields must be nil"),
    (CONFIG, "", 422, "fieldManager: Required value: is required for apply patch"),
    (CONFIG.replace("v1\nkind", "v2\nkind"), "?fieldManager=ci", 400, "does not match the expected API version (v1)"),
    (CONFIG.replace("name: cm", "name: other"), "?fieldManager=ci", 400, "does not match the name on the URL (cm)"),
    (CONFIG.replace("name: cm", "name: cm, uid: 5a1f0c1e-0000-4000-8000-000000000000"), "?fieldManager=ci", 409,
     "uid mismatch: the provided object specified uid"),
    ("a: [", "?fieldManager=ci", 400, "error parsing YAML"),
])
def test_a_wrong_apply_is_refused_in_one_line(api, body, query, status, message):
    code, error = api.call("PATCH", api.path("configmaps", "cm") + query, body, "application/apply-patch+yaml")
    assert code == status and message in error["message"], error


def test_two_items_of_one_key_are_refused(api):
    body = yaml.safe_load(DEPLOYMENT)
    body["spec"]["template"]["spec"]["containers"] *= 2
    status, error = api.apply("deployments", "web", json.dumps(body), "ci")
    assert status == 400
    assert error["message"].endswith('.spec.template.spec.containers: duplicate entries for key [name="c"]')


def test_dry_run_answers_and_stores_nothing(api):
    api.apply("configmaps", "cm", CONFIG, "ci")
    path = api.path("configmaps", "cm") + "?fieldManager=ci&dryRun=All"
    status, answer = api.call("PATCH", path, CONFIG.replace("v1}", "v2}"), "application/apply-patch+yaml")
    assert status == 200 and answer["data"] == {"k": "v2"}
    assert api.get("configmaps", "cm")["data"] == {"k": "v1"}


def test_kubectl_moves_from_client_side_to_server_side_apply(api, platform, any_kubectl):
    def kubectl(*args, stdin=None, check=True):
        return platform.kubectl("-n", api.namespace, *args, stdin=stdin, binary=any_kubectl, check=check)
    kubectl("apply", "-f", "-", stdin=DEPLOYMENT)
    changed = DEPLOYMENT.replace("nginx:1.25", "nginx:1.26").replace(", labels: {app: web}}\nspec:\n  replicas", "}\nspec:\n  replicas")
    out = kubectl("apply", "--server-side", "-f", "-", stdin=changed)
    assert out.stdout == "deployment.apps/web serverside-applied\n"
    live = api.get("deployments", "web")
    assert live["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.26"
    # kubectl's own record of what was applied last stays true, for a kubectl that applies from the client again.
    last = json.loads(live["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"])
    assert last["spec"]["template"]["spec"]["containers"][0]["image"] == "nginx:1.26"
    assert "kubectl Apply" in owners(live)
    out = kubectl("apply", "--server-side", "-f", "-", stdin=changed.replace("replicas: 2", "replicas: 3"))
    assert api.get("deployments", "web")["spec"]["replicas"] == 3, out.stderr


def test_kubectl_shows_a_conflict_and_how_to_go_on(api, platform, any_kubectl):
    def kubectl(*args, stdin=None):
        return platform.kubectl("-n", api.namespace, *args, stdin=stdin, binary=any_kubectl, check=False)
    assert kubectl("apply", "--server-side", "-f", "-", stdin=CONFIG).returncode == 0
    other = ("apply", "--server-side", "--field-manager=other", "-f", "-")
    refused = kubectl(*other, stdin=CONFIG.replace("v1}", "v2}"))
    assert refused.returncode == 1 and 'conflict with "kubectl"' in refused.stderr and ".data.k" in refused.stderr
    assert "--force-conflicts" in refused.stderr
    assert kubectl(*other, "--force-conflicts", stdin=CONFIG.replace("v1}", "v2}")).stdout == "configmap/cm serverside-applied\n"
    assert api.get("configmaps", "cm")["data"] == {"k": "v2"}
