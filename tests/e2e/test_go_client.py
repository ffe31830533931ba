"""client-go (tests/go): typed clients in JSON and protobuf, informers through kill -9 of the server, leader election."""
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import pytest
from conftest import BIN, ROOT, wait_for

GO = shutil.which("go") or ("/usr/local/go/bin/go" if os.path.exists("/usr/local/go/bin/go") else None)
pytestmark = pytest.mark.skipif(GO is None, reason="Go is not installed: the client-go tests are left out")


class ApiServer:
    """`slipway apiserver` on a port of its own that it keeps through restarts."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.kubeconfig = str(self.folder / "kubeconfig")
        self.start()

    def start(self):
        self.process = subprocess.Popen([BIN, "apiserver", "--data-dir", str(self.folder), "--api-port", str(self.port)], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout.readline().startswith("slipway apiserver is ready")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def kubectl(self, *args):
        subprocess.run(["kubectl", *args], env=dict(os.environ, KUBECONFIG=self.kubeconfig), check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    program = tmp_path_factory.mktemp("go") / "client"
    built = subprocess.run([GO, "build", "-o", str(program), "."], cwd=ROOT / "tests/go", capture_output=True, text=True, timeout=900,
                           env=dict(os.environ, GOFLAGS="-mod=readonly", CGO_ENABLED="0"))
    if "dial tcp" in built.stderr or "no such host" in built.stderr:
        pytest.skip("the Go modules of client-go cannot be downloaded here")
    assert built.returncode == 0, built.stderr
    return str(program)


@pytest.fixture
def server(tmp_path):
    running = ApiServer(tmp_path / "data")
    yield running
    running.kill()


def test_typed_clients_see_the_same_in_json_and_protobuf(client, server):
    done = subprocess.run([client, "-kubeconfig", server.kubeconfig, "kinds"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ok\n", done.stderr


def test_leader_election_hands_over(client, server):
    done = subprocess.run([client, "-kubeconfig", server.kubeconfig, "election"], capture_output=True, text=True, timeout=60)
    assert done.stdout == "ok\n", done.stderr


@pytest.mark.parametrize("encoding", ["json", "protobuf"])
def test_an_informer_lives_through_kill_and_restart(client, server, encoding):
    informer = subprocess.Popen([client, "-kubeconfig", server.kubeconfig, "-encoding", encoding, "informer"],
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    lines = []

    def follow():
        for line in informer.stdout:
            lines.append(line.strip())
    reader = threading.Thread(target=follow)
    reader.start()

    def make(name, value):
        subprocess.run(["kubectl", "apply", "-f", "-"], env=dict(os.environ, KUBECONFIG=server.kubeconfig), check=True, capture_output=True, text=True, timeout=60,
                       input=f'{{"apiVersion":"v1","kind":"ConfigMap","metadata":{{"name":"{name}","labels":{{"go":"x"}}}},"data":{{"v":"{value}"}}}}')
    try:
        wait_for(lambda: "SYNCED" in lines, "the informer's first sync")
        make("a", "1")
        wait_for(lambda: "ADD a 1" in lines, "a is added")
        for round in (1, 2):
            server.kill()
            server.start()
            make("a", f"r{round}")
            make(f"b{round}", "1")
            wait_for(lambda: f"UPDATE a r{round}" in lines and f"ADD b{round} 1" in lines, f"changes after restart {round}: {lines}", 60)
        server.kubectl("delete", "configmap", "b1")
        wait_for(lambda: "DELETE b1 1" in lines, "b1 is deleted")
        informer.stdin.write("\n")
        informer.stdin.flush()
        wait_for(lambda: any(line.startswith("STORE") for line in lines), "the store")
        assert [line for line in lines if line.startswith("STORE")] == ["STORE a=r2,b2=1"]
        told = [line for line in lines if line.startswith(("ADD", "DELETE"))]
        assert len(told) == len(set(told)), "nothing is told twice"
    finally:
        informer.kill()
        informer.wait()
        reader.join()
