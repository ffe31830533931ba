"""V2 over gRPC and REST with the clients that users have: tritonclient, kserve's SDK, grpcio's reflection and health, curl. Each talks
to the model server itself and through the gateway."""
import json
import re
import shutil
import signal
import subprocess

import pytest

from conftest import BIN, ROOT
from test_serving import claim, isvc

CLIENTS = ["triton_grpc", "triton_http", "kserve", "grpc_tools"]
HOST = "iris.models.localhost"


@pytest.fixture(scope="module")
def python():
    done = subprocess.run([ROOT / "scripts/e2e_inference_python.sh"], capture_output=True, text=True)
    if not done.stdout.strip():
        pytest.skip("PyPI packages of deps/requirements/e2e-inference.txt are not available")
    return done.stdout.strip()


def started(*arguments):
    """The process, and the line with which it says that it is ready."""
    process = subprocess.Popen([BIN, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    return process, process.stdout.readline()


@pytest.fixture
def model(iris_model):
    process, line = started("model-server", "--model_name", "iris", "--model_dir", iris_model.parent, "--http_port", 0,
                            "--grpc_port", 0, "--host", "127.0.0.1")
    ports = [int(p) for p in re.search(r":(\d+), gRPC also on port (\d+)", line).groups()]
    yield process, *ports
    process.kill()
    process.wait()


@pytest.fixture
def gateway(model, tmp_path):
    routes = tmp_path / "routes.json"
    routes.write_text(json.dumps({"routes": [{"name": "iris", "hosts": [HOST], "endpoints": [f"127.0.0.1:{model[1]}"]}]}))
    process, line = started("gateway", "--routes", routes, "--port", 0)
    yield int(line.rsplit(":", 1)[1])
    process.kill()
    process.wait()


def ask(python, which, target, *more):
    done = subprocess.run([python, ROOT / "tests/e2e/inference_clients.py", which, target, *more], capture_output=True, text=True,
                          timeout=180)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_talk_to_the_model_server(python, model, client):
    _, http, grpc = model
    ask(python, client, f"127.0.0.1:{http if client == 'triton_http' else grpc}")


def test_grpc_is_on_the_http_port_too(python, model):
    ask(python, "triton_grpc", f"127.0.0.1:{model[1]}")


@pytest.mark.parametrize("client", CLIENTS)
def test_clients_talk_through_the_gateway(python, gateway, client):
    ask(python, client, f"127.0.0.1:{gateway}", "--authority", HOST)


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for localhost and HOST: (certificate, key)."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                    "-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,DNS:{HOST},IP:127.0.0.1",
                    "-keyout", key, "-out", cert], check=True, capture_output=True)
    return cert, key


def test_grpc_over_tls_to_the_server_and_to_the_gateway(python, model, iris_model, certificate, tmp_path):
    cert, key = certificate
    server, line = started("model-server", "--model_name", "iris", "--model_dir", iris_model.parent, "--http_port", 0,
                           "--host", "127.0.0.1", "--ssl_certfile", cert, "--ssl_keyfile", key)
    routes = tmp_path / "routes.json"
    routes.write_text(json.dumps({"routes": [{"name": "iris", "hosts": [HOST], "endpoints": [f"127.0.0.1:{model[1]}"]}]}))
    front, ready = started("gateway", "--routes", routes, "--port", 0, "--tls-cert", cert, "--tls-key", key)
    try:
        port = re.search(r"https://127.0.0.1:(\d+)", line).group(1)
        ask(python, "triton_grpc", f"localhost:{port}", "--tls", str(cert))
        ask(python, "triton_grpc", f"127.0.0.1:{ready.strip().rsplit(':', 1)[1]}", "--tls", str(cert), "--authority", HOST)
    finally:
        for process in (server, front):
            process.kill()
            process.wait()


@pytest.mark.parametrize("through", ["server", "gateway"])
def test_curl_speaks_http2_to_the_same_port(model, gateway, through):
    port = model[1] if through == "server" else gateway
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]]})
    for flag, version in (("--http2-prior-knowledge", "2"), ("--http1.1", "1.1")):
        done = subprocess.run(["curl", "-sS", flag, "-w", " %{http_version}", "-H", f"Host: {HOST}", "-d", body,
                               f"http://127.0.0.1:{port}/v1/models/iris:predict"], capture_output=True, text=True, timeout=60)
        assert done.stdout.replace(" ", "") in ('{"predictions":[0]}' + version, '{"predictions":[0.0]}' + version), done


def test_a_gzip_bomb_is_refused_within_bounded_memory(model, tmp_path):
    process, http, _ = model
    bomb = tmp_path / "bomb.gz"
    with open(bomb, "wb") as out:  # 1 GiB of spaces
        subprocess.run("head -c 1073741824 /dev/zero | tr '\\0' ' ' | gzip -1", shell=True, check=True, stdout=out)
    done = subprocess.run(["curl", "-sS", "-w", "%{http_code}", "-H", "Content-Encoding: gzip", "--data-binary", f"@{bomb}",
                           f"http://127.0.0.1:{http}/v1/models/iris:predict"], capture_output=True, text=True, timeout=60)
    assert done.stdout.endswith("413"), done
    peak = int(re.search(r"VmHWM:\s+(\d+)", open(f"/proc/{process.pid}/status").read()).group(1))
    assert peak < 300_000, peak  # kB; the limit is 64 MiB


def test_sigterm_ends_watches_and_the_server(python, model):
    process, http, _ = model
    client = subprocess.Popen([python, ROOT / "tests/e2e/inference_clients.py", "hold_a_watch", f"127.0.0.1:{http}"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert client.stdout.readline() == "watching\n", client.stderr.read()
        process.send_signal(signal.SIGTERM)
        _, errors = client.communicate(timeout=60)
        assert client.returncode == 0, errors[-2000:]
        assert process.wait(40) == 0
    finally:
        client.kill()
        client.wait()


@pytest.mark.parametrize("ports", [None, [{"name": "h2c", "containerPort": 8081, "protocol": "TCP"}]], ids=["http port", "h2c port"])
def test_an_inference_service_answers_grpc_through_the_platforms_gateway(python, platform, iris_model, ports):
    namespace = "grpc-h2c" if ports else "grpc-http"
    platform.kubectl("create", "namespace", namespace)
    shutil.copy(iris_model, platform.model_folder(namespace, "my-models", "iris"))
    platform.apply(claim(namespace))
    service = isvc(namespace)
    if ports:
        service["spec"]["predictor"]["model"]["ports"] = ports
    platform.apply(service)
    platform.wait_isvc_ready(namespace, "iris")
    host = f"iris.{namespace}.localhost"
    ask(python, "triton_grpc", f"127.0.0.1:{platform.gateway_port}", "--authority", host)
    ask(python, "triton_http", f"127.0.0.1:{platform.gateway_port}", "--authority", host)
