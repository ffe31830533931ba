"""Bad input gets one clear line and the right status, and everything else goes on."""
import json
import pickle
import os
import socket

import pytest

from conftest import wait_for
from test_serving import IRIS_ROW, claim, isvc, predict, serve_iris


@pytest.fixture(scope="module")
def ns(platform, iris_model):
    serve_iris(platform, "bad-input", iris_model)
    yield "bad-input"
    assert predict(platform, "bad-input").json() == {"predictions": [0]}


@pytest.mark.parametrize("body,says", [
    (b'{"instances": [[1, 2', "line 1"), (b'{"instances": 3}', "instances"), (b"[]", "instances"), (b"", "body"),
    (b'{"instances": [[1, 2, 3]]}', "4"), (b'{"instances": [[1, 2, 3, "x"]]}', "x"), (b'{"instances": [[1, 2, 3, NaN]]}', ""),
    (b'{"instances": [[1, 2, 3, 1e999]]}', ""), (b'{"instances": [[1, 2, 3, 4], [1]]}', "")])
def test_v1_bodies_of_the_wrong_shape_get_400(platform, ns, body, says):
    reply = platform.request("POST", "/v1/models/iris:predict", body, host=f"iris.{ns}.localhost")
    assert reply.status == 400, reply.body
    assert says in reply.json()["error"]


@pytest.mark.parametrize("tensor,says", [
    ({"shape": [1, 4], "datatype": "FP33", "data": IRIS_ROW}, "FP33"), ({"shape": [1, 5], "datatype": "FP32", "data": IRIS_ROW}, "shape"),
    ({"shape": [1, -4], "datatype": "FP32", "data": IRIS_ROW}, "shape"), ({"datatype": "FP32", "data": IRIS_ROW}, "shape"),
    ({"shape": [1, 4], "datatype": "INT32", "data": IRIS_ROW}, "INT32"), ({"shape": [1, 4], "datatype": "FP32"}, "data")])
def test_v2_tensors_that_contradict_themselves_get_400_naming_the_field(platform, ns, tensor, says):
    reply = platform.request("POST", "/v2/models/iris/infer", {"inputs": [{"name": "input-0", **tensor}]}, host=f"iris.{ns}.localhost")
    assert reply.status == 400, reply.body
    assert says in reply.json()["error"]


def test_unknown_models_get_404_by_name(platform, ns):
    reply = platform.request("POST", "/v1/models/tulip:predict", {"instances": [IRIS_ROW]}, host=f"iris.{ns}.localhost")
    assert (reply.status, reply.json()) == (404, {"error": "Model with name tulip does not exist."})


def test_a_body_over_the_limit_gets_413(platform, ns):
    head = (f"POST /v1/models/iris:predict HTTP/1.1\r\nHost: iris.{ns}.localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {100 << 20}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", platform.gateway_port), timeout=30) as s:
        s.sendall(head)
        try:
            for _ in range(100):
                s.sendall(b" " * (1 << 20))
        except OSError:
            pass  # the server may close after it has answered
        assert b" 413 " in s.recv(64)


def test_garbage_on_the_gateway_port_gets_400(platform, ns):
    with socket.create_connection(("127.0.0.1", platform.gateway_port), timeout=10) as s:
        s.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        assert b" 400 " in s.recv(64)


class Evil:
    def __reduce__(self):
        return (os.system, ("touch /tmp/slipway-was-here",))


def test_a_pickle_that_calls_os_system_is_refused_by_name_and_not_run(platform, ns):
    folder = platform.model_folder(ns, "my-models", "evil")
    (folder / "model.pkl").write_bytes(pickle.dumps(Evil()))
    platform.apply(isvc(ns, name="evil", uri="pvc://my-models/evil"))

    def said():
        pods = platform.get("pods", "-n", ns, "-l", "serving.kserve.io/inferenceservice=evil")["items"]
        return pods and "system" in platform.kubectl("logs", "-n", ns, pods[0]["metadata"]["name"], check=False).stdout
    wait_for(said, "the log names the class that was refused")
    assert not os.path.exists("/tmp/slipway-was-here")
    platform.kubectl("delete", "isvc", "evil", "-n", ns)


@pytest.mark.parametrize("manifest,says", [
    ("kind: [", "yaml"),
    ("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: x}\nspec: {predictor: {modell: {}}}", "modell"),
    ("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: Xx}\nspec: {predictor: {model: {modelFormat: {name: sklearn}, storageUri: 's3://a/b'}}}", "Xx"),
    ("apiVersion: serving.kserve.io/v1beta1\nkind: InferenceService\nmetadata: {name: x}\nspec: {predictor: {minReplicas: -1, model: {modelFormat: {name: sklearn}, storageUri: 's3://a/b'}}}", "inReplicas"),
    ("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: 1}", "data"),
    ("apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec: {containers: [{name: a, imagee: b}]}", "image")])
def test_bad_manifests_are_refused_naming_the_field(platform, ns, any_kubectl, manifest, says):
    result = platform.apply(manifest, check=False, binary=any_kubectl)
    assert result.returncode != 0
    assert says in result.stderr


def test_an_unreachable_bucket_is_named_in_the_status(platform, ns):
    platform.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "far", "namespace": ns, "annotations": {
        "serving.kserve.io/s3-endpoint": "127.0.0.1:9", "serving.kserve.io/s3-usehttps": "0"}},
        "stringData": {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}})
    platform.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "far", "namespace": ns}, "secrets": [{"name": "far"}]})
    platform.apply(isvc(ns, name="far", uri="s3://far-bucket/model", serviceAccountName="far"))

    def failure():
        status = platform.get("isvc", "far", "-n", ns).get("status", {}).get("modelStatus", {})
        return status.get("lastFailureInfo", {}).get("message", "")
    assert "far-bucket" in wait_for(failure, "lastFailureInfo of the unreachable bucket", 60)
    platform.kubectl("delete", "isvc", "far", "-n", ns)
