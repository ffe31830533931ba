"""What a pod's spec asks for, with kubectl on `slipway up`."""
import json

from conftest import wait_for


def pod(name, command, **spec):
    container = {"name": "main", "image": "local", "command": ["/bin/sh", "-c", command], **spec.pop("container", {})}
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
                       "spec": {"terminationGracePeriodSeconds": 1, **spec, "containers": [container]}})


def test_what_the_node_cannot_do_is_refused_by_name(platform):
    refused = platform.kubectl("create", "-f", "-", check=False,
                               stdin=pod("root", "true", container={"securityContext": {"privileged": True}}))
    assert refused.returncode == 1
    assert 'pods "root" is forbidden: spec.containers[0].securityContext.privileged: true is not possible on this node' in \
        refused.stderr
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "d"},
                  "spec": {"selector": {"matchLabels": {"a": "b"}},
                           "template": {"metadata": {"labels": {"a": "b"}},
                                        "spec": {"runtimeClassName": "gvisor",
                                                 "containers": [{"name": "c", "image": "local", "command": ["true"]}]}}}}
    warned = platform.kubectl("create", "-f", "-", stdin=json.dumps(deployment))
    assert "spec.template.spec.runtimeClassName: gvisor is not possible on this node" in warned.stderr
    wait_for(lambda: "is forbidden: spec.runtimeClassName: gvisor" in platform.kubectl("get", "events").stdout,
             "the event that says why no pod was made")
    daemons = {"apiVersion": "apps/v1", "kind": "DaemonSet", "metadata": {"name": "d"}, "spec": deployment["spec"]}
    refused = platform.kubectl("create", "-f", "-", check=False, stdin=json.dumps(daemons))
    assert 'daemonsets.apps "d" is forbidden: DaemonSets are not run' in refused.stderr
    platform.kubectl("delete", "deploy", "d")


def test_a_projected_token_is_good_at_the_api(platform):
    source = {"serviceAccountToken": {"path": "token", "expirationSeconds": 600}}
    platform.kubectl("create", "-f", "-", stdin=pod(
        "token", "cat /t/token; echo; exec sleep 300", volumes=[{"name": "t", "projected": {"sources": [source]}}],
        container={"volumeMounts": [{"name": "t", "mountPath": "/t"}]}))
    wait_for(lambda: platform.kubectl("logs", "token", check=False).stdout, "the token in the log")
    token = platform.kubectl("logs", "token").stdout.strip()
    who = platform.kubectl("--token", token, "auth", "can-i", "--list", check=False)
    assert who.returncode == 0 and "selfsubjectaccessreviews" in who.stdout, who.stderr
    platform.kubectl("delete", "pod", "token")


def service(name, **spec):
    return json.dumps({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})


SERVER = ("import http.server,os,socket\n"
          "class H(http.server.BaseHTTPRequestHandler):\n"
          "  def do_GET(s):\n"
          "    s.send_response(200); s.end_headers(); s.wfile.write(socket.gethostname().encode())\n"
          "  def log_message(s,*a): pass\n"
          "http.server.HTTPServer((os.environ['SLIPWAY_POD_IP'],8000),H).serve_forever()\n")


def web(name, **labels):
    return {"name": "main", "image": "local", "command": ["/usr/bin/python3", "-c", SERVER],
            "readinessProbe": {"httpGet": {"port": 8000}}}


def test_services_answer_on_their_address_by_name_and_on_node_ports(platform):
    deployment = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"},
                  "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "web"}},
                           "template": {"metadata": {"labels": {"app": "web"}},
                                        "spec": {"terminationGracePeriodSeconds": 1, "containers": [web("web")]}}}}
    platform.kubectl("create", "-f", "-", stdin=json.dumps(deployment))
    platform.kubectl("create", "-f", "-", stdin=service("web", type="NodePort", selector={"app": "web"},
                                                        ports=[{"port": 8080, "targetPort": 8000}]))
    got = json.loads(platform.kubectl("get", "svc", "web", "-o", "json").stdout)["spec"]
    node_port = got["ports"][0]["nodePort"]
    assert 30000 <= node_port < 32768

    def ask(host, port):
        import urllib.request
        try:
            return urllib.request.urlopen(f"http://{host}:{port}/", timeout=2).read().decode()
        except OSError:
            return ""

    seen = set()
    wait_for(lambda: seen.add(ask(got["clusterIP"], 8080)) or len(seen - {""}) == 2, "both pods behind the cluster IP")
    assert all(name.startswith("web-") for name in seen - {""})
    wait_for(lambda: ask("127.0.0.1", node_port).startswith("web-"), "the node port")
    look = ("import urllib.request\n"
            "for n in ('web','web.default','web.default.svc','web.default.svc.cluster.local'):\n"
            "  print(urllib.request.urlopen(f'http://{n}:8080/').read().decode()[:4])\n")
    platform.kubectl("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "client"},
        "spec": {"restartPolicy": "OnFailure",
                 "containers": [{"name": "main", "image": "local", "command": ["/usr/bin/python3", "-c", look]}]}}))
    wait_for(lambda: platform.kubectl("logs", "client", check=False).stdout == "web-\n" * 4, "four names inside a pod")
    platform.kubectl("scale", "deploy", "web", "--replicas=0")
    wait_for(lambda: ask(got["clusterIP"], 8080) == "", "nobody answers any more")
    platform.kubectl("delete", "deploy/web", "svc/web", "pod/client")


def test_a_stateful_set_has_names_claims_history_and_undo(platform):
    def stateful(word, partition=0):
        command = ["/bin/sh", "-c", f"echo {word} >> /data/log; exec sleep 1000"]
        return json.dumps({
            "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "db"},
            "spec": {"replicas": 2, "serviceName": "db", "selector": {"matchLabels": {"app": "db"}},
                     "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": partition}},
                     "persistentVolumeClaimRetentionPolicy": {"whenScaled": "Delete", "whenDeleted": "Retain"},
                     "template": {"metadata": {"labels": {"app": "db"}},
                                  "spec": {"terminationGracePeriodSeconds": 1,
                                           "containers": [{"name": "main", "image": "local", "command": command,
                                                           "volumeMounts": [{"name": "data", "mountPath": "/data"}]}]}},
                     "volumeClaimTemplates": [{"metadata": {"name": "data"},
                                               "spec": {"accessModes": ["ReadWriteOnce"],
                                                        "resources": {"requests": {"storage": "1Mi"}}}}]}})

    def words(n):
        path = platform.data_dir / "volumes" / "default" / f"data-db-{n}" / "log"
        return path.read_text().split() if path.exists() else []

    platform.kubectl("create", "-f", "-", stdin=service("db", clusterIP="None", selector={"app": "db"}, ports=[{"port": 1}]))
    platform.apply(stateful("one"))
    platform.kubectl("rollout", "status", "sts/db", "--timeout=30s")
    wait_for(lambda: (words(0), words(1)) == (["one"], ["one"]), "each pod wrote into its own claim")
    slices = platform.kubectl("get", "endpointslices", "-l", "kubernetes.io/service-name=db", "-o", "json").stdout
    assert sorted(e["hostname"] for s in json.loads(slices)["items"] for e in s["endpoints"]) == ["db-0", "db-1"]
    platform.apply(stateful("two", partition=1))
    wait_for(lambda: words(1) == ["one", "two"], "the pod at the partition has the new template")
    platform.kubectl("delete", "pod", "db-0")
    wait_for(lambda: words(0) == ["one", "one"], "the pod below the partition keeps the old one")
    platform.kubectl("rollout", "undo", "sts/db")
    wait_for(lambda: words(1) == ["one", "two", "one"], "the undone template")
    platform.kubectl("rollout", "status", "sts/db", "--timeout=30s")
    assert len(platform.kubectl("get", "controllerrevisions", "-o", "name").stdout.split()) == 2
    platform.kubectl("scale", "sts", "db", "--replicas=1")
    wait_for(lambda: platform.kubectl("get", "pvc", "-o", "name").stdout.split() == ["persistentvolumeclaim/data-db-0"],
             "the claim of the pod that was scaled away is deleted")
    platform.kubectl("delete", "sts/db", "svc/db")
    wait_for(lambda: platform.kubectl("get", "pods", "-l", "app=db", "-o", "name").stdout == "", "no pods left")
    assert platform.kubectl("get", "pvc", "-o", "name").stdout.split() == ["persistentvolumeclaim/data-db-0"]
    platform.kubectl("delete", "pvc", "data-db-0")
