"""The Python kubernetes client lists, watches, patches and deletes as it does on a cluster."""
import threading

import pytest

kubernetes = pytest.importorskip("kubernetes", reason="the Python package kubernetes is not installed (PyPI)")


@pytest.fixture
def core(platform):
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(platform.kubeconfig))


def test_core_objects_create_patch_list_delete(core):
    body = kubernetes.client.V1ConfigMap(metadata=kubernetes.client.V1ObjectMeta(name="py", labels={"by": "py"}), data={"a": "1"})
    core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("py", "default", {"data": {"b": "2"}})
    listed = core.list_namespaced_config_map("default", label_selector="by=py").items
    assert [c.data for c in listed] == [{"a": "1", "b": "2"}]
    core.delete_namespaced_config_map("py", "default")
    with pytest.raises(kubernetes.client.ApiException) as gone:
        core.read_namespaced_config_map("py", "default")
    assert gone.value.status == 404


def test_watch_streams_events_from_a_list(core):
    version = core.list_namespaced_config_map("default").metadata.resource_version
    seen = []

    def follow():
        for event in kubernetes.watch.Watch().stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=20):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                return
    thread = threading.Thread(target=follow)
    thread.start()
    core.create_namespaced_config_map("default", {"metadata": {"name": "watched"}})
    core.delete_namespaced_config_map("watched", "default")
    thread.join(25)
    assert seen == [("ADDED", "watched"), ("DELETED", "watched")]


def test_custom_objects_work(platform):
    api = kubernetes.client.CustomObjectsApi(kubernetes.config.new_client_from_config(platform.kubeconfig))
    group = ("serving.kserve.io", "v1beta1", "default", "inferenceservices")
    body = {"apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService", "metadata": {"name": "py", "annotations": {"serving.kserve.io/stop": "true"}},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://x/y"}}}}
    api.create_namespaced_custom_object(*group, body)
    assert api.get_namespaced_custom_object(*group, "py")["spec"]["predictor"]["model"]["storageUri"] == "pvc://x/y"
    api.delete_namespaced_custom_object(*group, "py")


def test_a_watch_goes_on_after_kill_and_restart(tmp_path):
    import base64
    import socket
    import subprocess

    from conftest import BIN
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    def start():
        process = subprocess.Popen([BIN, "apiserver", "--data-dir", str(tmp_path / "d"), "--api-port", str(port)], stdout=subprocess.PIPE, text=True)
        assert process.stdout.readline().startswith("slipway apiserver is ready")
        return process

    def client():
        return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(str(tmp_path / "d/kubeconfig")))
    server = start()
    try:
        core = client()
        version = core.list_namespaced_secret("default").metadata.resource_version
        core.create_namespaced_secret("default", {"metadata": {"name": "one"}, "data": {"k": base64.b64encode(b"v").decode()}})
        seen = []

        def follow(core, version, until):
            for event in kubernetes.watch.Watch().stream(core.list_namespaced_secret, "default", resource_version=version, timeout_seconds=20):
                seen.append((event["type"], event["object"].metadata.name))
                version = event["object"].metadata.resource_version
                if seen[-1] == until:
                    return version
            return version
        version = follow(core, version, ("ADDED", "one"))
        server.kill()
        server.wait()
        server = start()
        core = client()
        core.patch_namespaced_secret("one", "default", {"metadata": {"labels": {"a": "b"}}})
        core.delete_namespaced_secret("one", "default")
        follow(core, version, ("DELETED", "one"))
        assert seen == [("ADDED", "one"), ("MODIFIED", "one"), ("DELETED", "one")]
    finally:
        server.kill()
        server.wait()
