"""What an administrator does to the node with kubectl, and Services of datagrams."""
import json
import socket

import pytest
from conftest import wait_for


@pytest.fixture
def platform(start_platform):
    """One of this test's own: a node that is drained is no use to other tests."""
    return start_platform()


def deployment(name, replicas=2, **spec):
    container = {"name": "main", "image": "local", "command": ["/bin/sh", "-c", "exec sleep 600"]}
    return json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": name}},
                 "template": {"metadata": {"labels": {"app": name}},
                              "spec": {"terminationGracePeriodSeconds": 1, **spec, "containers": [container]}}}})


def pods(platform, app):
    return platform.get("pods", "-l", f"app={app}")["items"]


def running(platform, app):
    return [p["metadata"]["name"] for p in pods(platform, app)
            if p["status"].get("phase") == "Running" and "deletionTimestamp" not in p["metadata"]]


def node_name(platform):
    return platform.get("nodes")["items"][0]["metadata"]["name"]


def test_a_drained_node_is_empty_until_it_is_uncordoned(platform, any_kubectl):
    def k(*args, **kw):
        return platform.kubectl(*args, binary=any_kubectl, **kw)
    node = node_name(platform)
    k("create", "-f", "-", stdin=deployment("web"))
    wait_for(lambda: len(running(platform, "web")) == 2, "two pods run")
    before = set(running(platform, "web"))
    assert k("cordon", node).stdout == f"node/{node} cordoned\n"
    assert k("cordon", node).stdout == f"node/{node} already cordoned\n"
    assert f"{node}" in (shown := k("get", "node", node, "--no-headers").stdout) and "Ready,SchedulingDisabled" in shown
    assert set(running(platform, "web")) == before, "cordon alone moves nothing"
    drained = k("drain", node, "--timeout=60s", "--ignore-daemonsets")
    # Before 1.21 drain deletes where policy/v1 is not served, and says so.
    assert any(f"node/{node} {word}" in drained.stdout for word in ("drained", "evicted", "deleted")), drained.stdout
    assert drained.stdout.count("pod/web-") == 2, drained.stdout

    def waits():
        now = pods(platform, "web")
        return len(now) == 2 and not before & {p["metadata"]["name"] for p in now} and all(
            any("node(s) were unschedulable" in c.get("message", "") for c in p["status"].get("conditions", [])) for p in now)
    wait_for(waits, "new pods wait and say why")
    assert k("uncordon", node).stdout == f"node/{node} uncordoned\n"
    wait_for(lambda: len(running(platform, "web")) == 2, "they run again")


def test_a_taint_evicts_what_does_not_tolerate_it(platform):
    node = node_name(platform)
    tolerated = {"tolerations": [{"key": "maintenance", "operator": "Exists", "effect": "NoExecute"}]}
    platform.kubectl("create", "-f", "-", stdin=deployment("plain", 1))
    platform.kubectl("create", "-f", "-", stdin=deployment("stays", 1, **tolerated))
    wait_for(lambda: running(platform, "plain") and running(platform, "stays"), "both run")
    stays = running(platform, "stays")
    platform.kubectl("taint", "node", node, "maintenance=now:NoExecute")
    wait_for(lambda: not running(platform, "plain"), "the pod that does not tolerate it goes")
    wait_for(lambda: "node(s) had untolerated taint(s)" in json.dumps(pods(platform, "plain")), "its successor waits")
    assert running(platform, "stays") == stays
    assert "Marking for deletion Pod default/plain-" in platform.kubectl("get", "events").stdout
    platform.kubectl("taint", "node", node, "maintenance-")
    wait_for(lambda: running(platform, "plain"), "the successor runs")


UDP = ("import os,socket\n"
       "s=socket.socket(socket.AF_INET,socket.SOCK_DGRAM)\n"
       "s.bind((os.environ['SLIPWAY_POD_IP'],5353))\n"
       "while True:\n"
       "  text,who=s.recvfrom(65536); s.sendto(socket.gethostname().encode()+b' '+text,who)\n")


def test_services_forward_datagrams(platform):
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "echo", "labels": {"app": "echo"}},
           "spec": {"terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": "local", "command": ["/usr/bin/python3", "-c", UDP]}]}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "echo"},
               "spec": {"type": "NodePort", "selector": {"app": "echo"},
                        "ports": [{"port": 5300, "targetPort": 5353, "protocol": "UDP"}]}}
    platform.kubectl("create", "-f", "-", stdin=json.dumps(pod))
    platform.kubectl("create", "-f", "-", stdin=json.dumps(service))
    spec = platform.get("svc", "echo")["spec"]

    def ask(host, port):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(0.5)
            try:
                s.sendto(b"hello", (host, port))
                return s.recvfrom(65536)[0].decode()
            except OSError:
                return ""
    wait_for(lambda: ask(spec["clusterIP"], 5300) == "echo hello", "an answer on the cluster IP")
    wait_for(lambda: ask("127.0.0.1", spec["ports"][0]["nodePort"]) == "echo hello", "an answer on the node port")
