"""The gateway and the model server alone, from flags, as docs/gateway.md and docs/model-server.md say."""
import http.client
import json
import pathlib
import re
import shlex
import signal
import socket
import subprocess
import urllib.error
import urllib.request

import pytest

from conftest import BIN, ROOT, wait_for


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def status_of(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


@pytest.fixture
def start():
    """start(arguments...): a slipway process, ended after the test."""
    running = []

    def go(*arguments):
        running.append(subprocess.Popen([BIN, *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True))
        return running[-1]
    yield go
    for process in running:
        process.kill()
        process.wait()


@pytest.fixture
def model_server(start, iris_model):
    port = free_port()
    process = start("model-server", "--model_name", "iris", "--model_dir", iris_model.parent, "--http_port", port, "--host", "127.0.0.1")
    wait_for(lambda: status_of(f"http://127.0.0.1:{port}/v2/health/ready") == 200, "the model server is ready")
    return process, port


def documented(page, word):
    """The indented commands of a page of docs/ that start with that word."""
    lines = [line.strip() for line in (ROOT / "docs" / page).read_text().splitlines() if line.startswith("    ")]
    return [line for line in lines if line.split()[0] == word]


def test_the_gateway_serves_the_documented_routes_file_and_reads_it_again(start, model_server, tmp_path):
    _, server_port = model_server
    text = (ROOT / "docs/gateway.md").read_text()
    example = json.loads(re.search(r'    (\{"routes".*?\]\})\n', text, re.S).group(1))
    example["routes"][0]["backends"][0]["endpoints"] = [f"127.0.0.1:{server_port}"]
    file = tmp_path / "routes.json"
    file.write_text(json.dumps(example))
    port, admin = free_port(), free_port()
    words = shlex.split(documented("gateway.md", "slipway")[0])[1:]
    for flag, value in (("--routes", file), ("--port", port), ("--admin-port", admin)):
        words[words.index(flag) + 1] = str(value)
    process = start(*words)
    by_path = f"http://127.0.0.1:{port}/serving/models/iris/v2/health/ready"
    wait_for(lambda: status_of(by_path) == 200, "the gateway forwards")
    for path in ("/metrics", "/routes", "/healthz"):
        assert status_of(f"http://127.0.0.1:{admin}{path}") == 200, path

    example["routes"][0]["prefixes"] = ["/moved"]
    file.write_text(json.dumps(example))
    wait_for(lambda: status_of(f"http://127.0.0.1:{port}/moved/v2/health/ready") == 200, "the new route works")
    assert status_of(by_path) == 404

    file.write_text('{"routes": [{"name": 5}]}')  # reported; the routes before it stay
    line = wait_for(lambda: next((l for l in iter(process.stderr.readline, "") if "routes.json" in l and " info " not in l), None), "the bad file is named")
    assert "name" in line
    assert status_of(f"http://127.0.0.1:{port}/moved/v2/health/ready") == 200
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0


def test_the_model_servers_documented_requests_work(model_server):
    _, port = model_server
    requests = documented("model-server.md", "curl")
    assert len(requests) >= 4
    for line in requests:
        words = [w.replace("127.0.0.1:8081", f"127.0.0.1:{port}") for w in shlex.split(line)]
        reply = subprocess.run([*words, "-sS", "-f", "-m", "10"], capture_output=True, text=True)
        assert reply.returncode == 0, (line, reply.stderr)


def test_sigterm_lets_a_request_in_flight_end_and_refuses_new_ones(model_server):
    process, port = model_server
    body = json.dumps({"instances": [[5.1, 3.5, 1.4, 0.2]] * 1000}).encode()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.putrequest("POST", "/v1/models/iris:predict")
    connection.putheader("Content-Length", str(len(body)))
    connection.endheaders()
    connection.send(body[:1000])
    # The server has met this request when a second one on another connection has been answered after it.
    assert status_of(f"http://127.0.0.1:{port}/v2/health/ready") == 200
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: status_of(f"http://127.0.0.1:{port}/v2/health/ready") != 200, "the listener has closed")
    assert process.poll() is None
    connection.send(body[1000:])
    reply = connection.getresponse()
    assert reply.status == 200
    assert json.loads(reply.read())["predictions"] == [0] * 1000
    connection.close()
    assert process.wait(20) == 0


def test_wrong_flags_get_one_line_that_names_the_likely_one():
    reply = subprocess.run([BIN, "up", "--api-prt", "0"], capture_output=True, text=True)
    assert reply.returncode == 2
    assert reply.stderr == "slipway up: unknown option '--api-prt'; did you mean '--api-port'? slipway up --help lists the options\n"
    reply = subprocess.run([BIN, "modelserver"], capture_output=True, text=True)
    assert reply.returncode == 2
    assert reply.stderr == "slipway: unknown command 'modelserver'; did you mean 'model-server'? slipway --help lists the commands\n"
    assert subprocess.run([BIN, "help", "up"], capture_output=True, text=True).stdout.startswith("Run the whole platform")


def test_every_page_of_the_docs_is_linked_and_every_link_leads_somewhere():
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")]
    linked = set()
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
            if "://" in target:
                continue
            path = (page.parent / target).resolve()
            assert path.exists(), f"{page.name} links to {target}"
            linked.add(path)
    missing = {p.name for p in (ROOT / "docs").glob("*.md")} - {pathlib.Path(p).name for p in linked}
    assert not missing, f"pages that nothing links to: {missing}"
