"""The commands of the README's "Use it" section do what it says, as they stand there (ports and folders apart)."""
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import urllib.request

from conftest import BIN, ROOT, SHARED, wait_for


def commands(section):
    text = (ROOT / "README.md").read_text().split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line[4:].split("  #")[0].strip() for line in text.splitlines() if line.startswith("    ")]
    return [line for line in lines if line]


def answers(url):
    try:
        return urllib.request.urlopen(url, timeout=2).status == 200
    except OSError:
        return False


def test_the_readmes_commands_work_as_written(start_platform, iris_model, tmp_path):
    platform, ran = None, []
    for line in commands("Use it"):
        words = shlex.split(line)
        if line.startswith("slipway up"):
            platform = start_platform(*words[2:])
        elif words[0] == "export":
            assert line == "export KUBECONFIG=$PWD/slipway-data/kubeconfig"
        elif words[0] == "python3":
            assert words[1:] == ["examples/quickstart/train.py", "slipway-data/volumes/models/my-models/iris"]
            shutil.copy(iris_model, platform.model_folder("models", "my-models", "iris"))
        elif words[0] == "kubectl":
            subprocess.run(words, cwd=ROOT, check=True, env={"KUBECONFIG": platform.kubeconfig, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
                           stdout=subprocess.DEVNULL)
        elif words[0] == "curl":
            platform.wait_isvc_ready("models", "iris")
            ported = [w.replace(":8080/", f":{platform.gateway_port}/") for w in words]
            out = subprocess.run([*ported, "-sS", "-m", "10"], capture_output=True, text=True, check=True).stdout
            assert json.loads(out) == {"predictions": [0]}
        elif line.startswith("slipway model-server"):
            serve_alone(words, iris_model)
        else:
            raise AssertionError(f"a README command that no test runs: {line}")
        ran.append(words[0])
    assert {"slipway", "kubectl", "curl"} <= set(ran)


def serve_alone(words, iris_model):
    import socket
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        port = s.getsockname()[1]
    args = [re.sub(r"^DIR$", str(iris_model.parent), w) for w in words[1:]]
    args[args.index("--http_port") + 1] = str(port)
    server = subprocess.Popen([BIN, *args], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/v2/health/ready"), "the model server is ready")
    finally:
        server.terminate()
        assert server.wait(20) == 0


def test_every_test_that_the_security_page_names_exists():
    text = (ROOT / "docs/security.md").read_text()
    unit = {f"{suite}.{name}" for file in ROOT.glob("src/**/*_test.cc")
            for suite, name in re.findall(r"^TEST(?:_F|_P)?\((\w+),\s*(\w+)\)", file.read_text(), re.M)}
    named = re.findall(r"`([A-Z]\w+)\.(\w+|\*)`", text)
    assert len(named) > 10
    for suite, name in named:
        assert any(t.startswith(suite + ".") for t in unit) if name == "*" else f"{suite}.{name}" in unit, f"{suite}.{name}"
    for file, name in re.findall(r"`e2e/(\w+\.py)::(\w+)`", text):
        assert f"def {name}(" in (ROOT / "tests/e2e" / file).read_text(), f"{file}::{name}"


def test_every_test_and_row_that_the_kubectl_page_names_exists():
    text = (ROOT / "docs/kubectl.md").read_text()
    known = {name for file in (ROOT / "tests/e2e").glob("test_*.py") for name in re.findall(r"^def (test_\w+)\(", file.read_text(), re.M)}
    table = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("| `")]
    assert len(table) > 35
    for command, _, rows, tests in table:
        assert rows or tests, f"nothing shows {command}"
        assert set(re.findall(r"`(\w+)`", tests)) <= known, command
        if SHARED:
            for row in re.findall(r"`([\w-]+)`", rows):
                assert (pathlib.Path(SHARED) / f"golden/kubectl/k34/{row}.rc").exists(), row
