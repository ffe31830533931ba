"""What kubectl users type works, with the oldest and the newest kubectl of Debian, and nothing comes on stderr."""
import json
import subprocess
import threading

import pytest

from conftest import wait_for

DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: local
        command: [/bin/sh, -c, 'echo started; trap "exit 0" TERM; while :; do sleep 0.1; done']
"""
PODS = """
apiVersion: v1
kind: Pod
metadata: {name: talker}
spec:
  restartPolicy: Never
  containers:
  - name: main
    image: local
    command: [/bin/sh, -c, 'for i in 1 2 3 4 5; do echo line $i; done; exit 3']
"""


@pytest.fixture
def k(platform, any_kubectl, request):
    """kubectl in a namespace of this test's own; asserts that stderr is empty."""
    namespace = "k-" + "".join(c if c.isalnum() else "-" for c in request.node.name.lower())[:50].strip("-")
    platform.kubectl("create", "namespace", namespace)

    def call(*args, stdin=None, code=0, stderr=""):
        result = platform.kubectl("-n", namespace, *args, stdin=stdin, binary=any_kubectl, check=False)
        assert result.returncode == code, f"{args}: {result.stdout}{result.stderr}"
        if stderr is not None:
            assert result.stderr == stderr, f"{args}"
        return result.stdout
    call.namespace, call.binary, call.platform = namespace, any_kubectl, platform
    yield call
    platform.kubectl("delete", "namespace", namespace, "--wait=false")


def test_apply_create_change_and_unchanged(k):
    assert k("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web created\n"
    assert k("apply", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web unchanged\n"
    assert k("apply", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 1", "replicas: 2")) == "deployment.apps/web configured\n"
    assert k("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "2"


def test_server_side_apply_and_its_conflict(k):
    assert k("apply", "--server-side", "-f", "-", stdin=DEPLOYMENT) == "deployment.apps/web serverside-applied\n"
    k("scale", "deploy", "web", "--replicas=3")
    result = k.platform.kubectl("-n", k.namespace, "apply", "--server-side", "--field-manager=other", "-f", "-",
                                stdin=DEPLOYMENT.replace("image: local", "image: other"), binary=k.binary, check=False)
    assert result.returncode == 1
    assert "conflict" in result.stderr and '.spec.template.spec.containers[name="main"].image' in result.stderr


def test_create_commands_of_every_body_encoding(k):
    assert k("create", "configmap", "c", "--from-literal=a=b") == "configmap/c created\n"
    assert k("create", "secret", "generic", "s", "--from-literal=p=q") == "secret/s created\n"
    assert k("get", "secret", "s", "-o", "jsonpath={.data.p}") == "cQ=="
    assert k("create", "serviceaccount", "sa") == "serviceaccount/sa created\n"
    assert "role.rbac.authorization.k8s.io/r created" in k("create", "role", "r", "--verb=get", "--resource=pods")


def test_get_in_every_output_form(k):
    k("create", "configmap", "c", "--from-literal=a=b")
    assert k("get", "cm", "c").splitlines()[0].split() == ["NAME", "DATA", "AGE"]
    assert json.loads(k("get", "cm", "c", "-o", "json"))["data"] == {"a": "b"}
    assert "a: b" in k("get", "cm", "c", "-o", "yaml")
    assert k("get", "cm", "c", "-o", "name") == "configmap/c\n"
    assert k("get", "cm", "-o", "custom-columns=N:.metadata.name,A:.data.a", "--field-selector", "metadata.name=c").split() == ["N", "A", "c", "b"]
    k("get", "all", stderr=None)  # says on stderr that there is nothing
    k("get", "pods,svc,isvc", "-A")
    k("get", "cm", "--sort-by=.metadata.name")


def test_explain_describes_fields(k):
    assert "replicas" in k("explain", "deployment.spec")
    assert "storageUri" in k("explain", "isvc.spec.predictor.model")
    assert "Number of desired pods" in k("explain", "deployment.spec.replicas")


def test_diff_says_what_would_change(k):
    k("apply", "-f", "-", stdin=DEPLOYMENT)
    assert k("diff", "-f", "-", stdin=DEPLOYMENT) == ""
    changed = k("diff", "-f", "-", stdin=DEPLOYMENT.replace("replicas: 1", "replicas: 5"), code=1, stderr=None)
    assert "+  replicas: 5" in changed


def test_edit_label_annotate_and_patch(k):
    k("create", "configmap", "c", "--from-literal=a=b")
    assert k("label", "cm", "c", "x=y") == "configmap/c labeled\n"
    assert k("annotate", "cm", "c", "n=1") == "configmap/c annotated\n"
    assert k("patch", "cm", "c", "--type=json", "-p", '[{"op":"replace","path":"/data/a","value":"z"}]') == "configmap/c patched\n"
    assert k("patch", "cm", "c", "--type=merge", "-p", '{"data":{"k":"v"}}') == "configmap/c patched\n"
    assert k("patch", "cm", "c", "-p", '{"data":{"k":null}}') == "configmap/c patched\n"
    assert json.loads(k("get", "cm", "c", "-o", "json"))["data"] == {"a": "z"}
    env_edit = {"KUBE_EDITOR": "sed -i s/z/edited/"}
    import os
    result = subprocess.run([k.binary, "-n", k.namespace, "edit", "cm", "c"], capture_output=True, text=True,
                            env=dict(os.environ, KUBECONFIG=k.platform.kubeconfig, **env_edit))
    assert (result.returncode, result.stderr) == (0, ""), result.stdout
    assert k("get", "cm", "c", "-o", "jsonpath={.data.a}") == "edited"


def test_rollout_status_history_restart_and_undo(k):
    k("apply", "-f", "-", stdin=DEPLOYMENT)
    assert 'successfully rolled out' in k("rollout", "status", "deploy/web", "--timeout=30s")
    k("rollout", "restart", "deploy/web")
    assert 'successfully rolled out' in k("rollout", "status", "deploy/web", "--timeout=30s")
    assert k("rollout", "history", "deploy/web").count("<none>") == 2
    assert "rolled back" in k("rollout", "undo", "deploy/web", stderr=None)  # 1.37 warns about last-applied here
    assert 'successfully rolled out' in k("rollout", "status", "deploy/web", "--timeout=30s")


def test_wait_describe_and_delete(k):
    k("apply", "-f", "-", stdin=DEPLOYMENT)
    assert "condition met" in k("wait", "--for=condition=Available", "deploy/web", "--timeout=30s")
    described = k("describe", "deploy", "web")
    assert "ScalingReplicaSet" in described and "Available" in described
    pod = k("get", "pods", "-o", "name").strip()
    assert "Started container main" in k("describe", pod)
    assert k("delete", "deploy", "web", "--timeout=30s").startswith('deployment.apps "web" deleted')
    wait_for(lambda: k("get", "pods", "-o", "name", stderr=None) == "", "pods of a deleted deployment are collected")


def test_logs_with_their_flags_and_previous(k):
    k("apply", "-f", "-", stdin=PODS)
    wait_for(lambda: k("get", "pod", "talker", "-o", "jsonpath={.status.phase}") == "Failed", "the pod ends")
    assert k("logs", "talker") == "".join(f"line {i}\n" for i in range(1, 6))
    assert k("logs", "talker", "--tail=2") == "line 4\nline 5\n"
    assert k("logs", "talker", "--timestamps", "--tail=1").split()[1:] == ["line", "5"]
    assert k("get", "pod", "talker", "-o", "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}") == "3"
    k("logs", "talker", "--previous", code=1, stderr=None)


def test_logs_follow_until_the_container_ends(k):
    k("apply", "-f", "-", stdin=PODS.replace("for i in 1 2 3 4 5; do echo line $i; done; exit 3",
                                             "echo first; while [ ! -e /tmp/slipway-go-$HOSTNAME ]; do sleep 0.05; done; echo last").replace("$HOSTNAME", k.namespace))
    wait_for(lambda: k("get", "pod", "talker", "-o", "jsonpath={.status.phase}") == "Running", "the pod runs")
    out = []
    reader = threading.Thread(target=lambda: out.append(k("logs", "-f", "talker")))
    reader.start()
    go = f"/tmp/slipway-go-{k.namespace}"
    open(go, "w").close()
    reader.join(30)
    import os
    os.unlink(go)
    assert out == ["first\nlast\n"]


def test_watch_shows_changes_as_they_come(k):
    process = subprocess.Popen([k.binary, "--kubeconfig", k.platform.kubeconfig, "-n", k.namespace, "get", "cm", "-w", "-o", "name"],
                               stdout=subprocess.PIPE, text=True)
    try:
        k("create", "configmap", "seen", "--from-literal=a=b")
        names = iter(process.stdout.readline, "")
        assert any(line == "configmap/seen\n" for line in names)
    finally:
        process.kill()
        process.wait()


def test_api_resources_versions_and_cluster_info(k):
    out = k("api-resources")
    for word in ("inferenceservices", "isvc", "servingruntimes", "deployments", "horizontalpodautoscalers"):
        assert word in out
    assert "serving.kserve.io/v1beta1" in k("api-versions")
    k("version", stderr=None)  # 1.37 remarks that the server calls itself 1.34
    k("cluster-info")


def test_auth_can_i_and_who_is_refused(k):
    assert k("auth", "can-i", "create", "pods") == "yes\n"
    token = k("get", "sa", "default", "-o", "name")
    assert token == "serviceaccount/default\n"
    result = k.platform.kubectl("--server", k.platform.api_url, "--token", "wrong", "get", "pods", binary=k.binary, check=False)
    assert result.returncode == 1 and "logged in" in result.stderr + result.stdout


def test_a_conflicting_update_is_refused(k):
    k("create", "configmap", "c", "--from-literal=a=b")
    stale = json.loads(k("get", "cm", "c", "-o", "json"))
    k("label", "cm", "c", "x=y")
    stale["data"]["a"] = "stale"
    result = k.platform.kubectl("-n", k.namespace, "replace", "-f", "-", stdin=json.dumps(stale), binary=k.binary, check=False)
    assert result.returncode == 1 and "the object has been modified" in result.stderr


def is_old(k):
    return "kubectl-old" in k.binary


def test_tokens_are_made_and_say_who_they_are(k):
    if is_old(k):
        pytest.skip("kubectl 1.20 has neither create token nor auth whoami")
    token = k("create", "token", "default", "--duration=10m").strip()
    assert token.count(".") == 2
    result = k.platform.kubectl("--server", k.platform.api_url, "--token", token, "auth", "whoami", "-o", "json", binary=k.binary)
    who = json.loads(result.stdout)["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{k.namespace}:default"
    assert f"system:serviceaccounts:{k.namespace}" in who["groups"]


def test_events_of_one_object(k):
    k("apply", "-f", "-", stdin=DEPLOYMENT)
    wait_for(lambda: "ScalingReplicaSet" in k("get", "events", "--field-selector=involvedObject.name=web"), "the event is there")
    if not is_old(k):
        lines = k("events", "--for=deploy/web").splitlines()
        assert lines[0].split() == ["LAST", "SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"]
        assert "Deployment/web" in lines[1] and "Scaled up replica set web-" in lines[1]


def test_watching_one_object_shows_its_next_change(k):
    k("create", "configmap", "c", "--from-literal=a=b")
    process = subprocess.Popen([k.binary, "--kubeconfig", k.platform.kubeconfig, "-n", k.namespace, "get", "cm", "c", "-w", "-o",
                                "jsonpath={.data.a}{'\\n'}"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline() == "b\n"
        k("patch", "cm", "c", "--type=merge", "-p", '{"data":{"a":"changed"}}')
        assert "changed\n" in iter(process.stdout.readline, "")
    finally:
        process.kill()
        process.wait()


def test_describe_a_namespace_with_its_quota_and_limits(k):
    assert k("create", "quota", "q", "--hard=pods=7") == "resourcequota/q created\n"
    limits = "apiVersion: v1\nkind: LimitRange\nmetadata: {name: r}\nspec: {limits: [{type: Container, max: {cpu: '2'}}]}\n"
    assert k("create", "-f", "-", stdin=limits) == "limitrange/r created\n"
    wait_for(lambda: "0/7" in k("get", "quota"), "the quota is counted")
    described = k("describe", "namespace", k.namespace)
    assert "Resource Quotas" in described and "Resource Limits" in described and " 7" in described
