"""A namespace that is deleted goes with all that runs in it, and without complaints of controllers in the log."""
from conftest import wait_for

PODS = {"spec": {"terminationGracePeriodSeconds": 1, "containers": [{"name": "c", "image": "local", "command": ["/bin/sleep", "1000"]}]}}


def workload(kind, name, **spec):
    template = dict(PODS, metadata={"labels": {"app": name}})
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": "doomed"},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": name}}, "template": template, **spec}}


def test_a_namespace_ends_without_a_word_in_the_log(start_platform):
    platform = start_platform()
    platform.kubectl("create", "namespace", "doomed")
    platform.apply(workload("Deployment", "web"))
    platform.apply(workload("StatefulSet", "db", serviceName="db"))
    platform.apply({"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "i", "namespace": "doomed"},
                    "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://x/y"}}}})
    wait_for(lambda: sum(p["status"]["phase"] == "Running" for p in platform.get("pods", "-n", "doomed")["items"]) == 6, "six pods run", 60)
    platform.kubectl("delete", "namespace", "doomed", "--timeout=60s")
    assert platform.kubectl("get", "namespace", "doomed", check=False).returncode == 1
    assert "being terminated" not in platform.log_text()
