"""Images that run with podman: what kubectl does to their containers. Skipped where podman is missing or cannot run a container."""
import json
import os
import re
import shutil
import subprocess
import tarfile

import pytest
from conftest import wait_for

IMAGE = "example.test/tools:1"  # names below localhost/ mean programs of this machine
TOOLS = ["sh", "cat", "sleep", "id", "ls", "env"]
SCRIPT = "trap 'exit 0' TERM; echo begun; while read line; do echo \"got $line\"; done; while :; do sleep 0.1; done"


def pack(file):
    """A root file system with a few programs of this machine and the libraries that they need."""
    with tarfile.open(file, "w") as tar:
        libraries = set()
        for tool in TOOLS:
            path = os.path.realpath(shutil.which(tool))
            tar.add(path, arcname=f"bin/{tool}")
            libraries |= set(re.findall(r"(/\S+) \(0x", subprocess.run(["ldd", path], capture_output=True, text=True).stdout))
        for path in sorted(libraries):
            tar.add(os.path.realpath(path), arcname=path)
        for folder in ("tmp", "dev", "proc", "sys", "etc", "run"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    if shutil.which("podman") is None:
        pytest.skip("podman is not installed")
    file = tmp_path_factory.mktemp("image") / "root.tar"
    pack(file)
    subprocess.run(["podman", "import", "-q", str(file), IMAGE], check=True, capture_output=True)
    tried = subprocess.run(["podman", "run", "--rm", "--network=host", IMAGE, "/bin/sh", "-c", "exit 0"], capture_output=True, text=True)
    if tried.returncode != 0:
        pytest.skip(f"podman cannot run a container here: {tried.stderr.strip()}")
    yield IMAGE
    subprocess.run(["podman", "rmi", "-f", IMAGE], capture_output=True)


@pytest.fixture
def k(start_platform, image, any_kubectl):
    platform = start_platform()

    def call(*args, check=True, **kw):
        return platform.kubectl(*args, binary=any_kubectl, check=check, **kw)
    call.platform, call.binary = platform, any_kubectl
    call("create", "-f", "-", stdin=json.dumps({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"},
        "spec": {"terminationGracePeriodSeconds": 2,
                 "containers": [{"name": "main", "image": image, "imagePullPolicy": "Never", "stdin": True,
                                 "env": [{"name": "COLOUR", "value": "blue"}], "command": ["/bin/sh", "-c", SCRIPT],
                                 "readinessProbe": {"exec": {"command": ["/bin/cat", "/bin/ls"]}}}]}}))
    wait_for(lambda: "begun" in call("logs", "p", check=False).stdout, "the container's first word\n" + platform.log_text(), 60)
    return call


def test_exec_runs_inside_the_image(k):
    k("wait", "--for=condition=Ready", "pod/p", "--timeout=60s")
    shown = k("exec", "p", "--", "/bin/sh", "-c", "echo $COLOUR; ls /; echo err >&2; exit 3", check=False)
    assert shown.returncode == 3
    assert shown.stdout.splitlines()[0] == "blue" and "home" not in shown.stdout.split()
    assert "err" in shown.stderr
    big = "x" * 200000
    assert k("exec", "-i", "p", "--", "/bin/cat", stdin=big).stdout == big
    missing = k("exec", "p", "--", "/bin/nothing", check=False)
    assert missing.returncode != 0 and "nothing" in missing.stderr
    token = "/var/run/secrets/kubernetes.io/serviceaccount/"
    assert k("exec", "p", "--", "/bin/cat", token + "namespace").stdout == "default"


def test_exec_with_a_terminal(k):
    script = shutil.which("script")
    if script is None:
        pytest.skip("script is not installed")
    shown = subprocess.run([script, "-qec", f"{k.binary} exec -it p -- /bin/sh -c 'test -t 0 && echo a terminal'", "/dev/null"],
                           env=dict(os.environ, KUBECONFIG=k.platform.kubeconfig), capture_output=True, text=True, timeout=60,
                           stdin=subprocess.DEVNULL)
    assert "a terminal" in shown.stdout, shown.stdout


def test_attach_feeds_input_and_shows_output(k):
    attached = subprocess.Popen([k.binary, "attach", "-i", "p"], env=dict(os.environ, KUBECONFIG=k.platform.kubeconfig),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        attached.stdin.write("hello\n")
        attached.stdin.flush()
        wait_for(lambda: "got hello" in k("logs", "p").stdout, "the container read what was typed")
        for line in attached.stdout:
            if "got hello" in line:
                break
        else:
            pytest.fail("attach ended without showing it")
    finally:
        attached.kill()
        attached.communicate()


def test_a_deleted_pod_leaves_no_container(k):
    k("delete", "pod", "p", "--timeout=30s")
    left = subprocess.run(["podman", "ps", "-q", "--filter", "label=slipway.pod"], capture_output=True, text=True)
    assert left.stdout == "", "a container still runs"
