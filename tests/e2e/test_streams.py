"""Streams between kubectl and pods, with the oldest kubectl (SPDY) and the newest (WebSockets): exec, attach, cp, port-forward,
logs, top. And the Python client's own WebSocket forms."""
import fcntl
import hashlib
import json
import os
import pty
import re
import select
import socket
import ssl
import struct
import subprocess
import termios
import threading
import time
from random import Random

import pytest

from conftest import Platform, wait_for

BOX = """
apiVersion: v1
kind: Pod
metadata: {name: box, labels: {app: box}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: main
    image: local
    env: [{name: COLOUR, value: green}]
    command: [/bin/sh, -c, 'echo up; sleep 1000 & wait']
"""
# Answers on the pod's address: port 7001 echoes until the client's half close and then says goodbye, port 7002 swallows and
# counts, port 7003 sends as many bytes as the first line asks for.
ECHO = r"""
import os, socket, threading
def echo(c):
    while True:
        d = c.recv(65536)
        if not d: break
        c.sendall(d)
    c.sendall(b'bye')
def count(c):
    n = 0
    while True:
        d = c.recv(1 << 20)
        if not d: break
        n += len(d)
    c.sendall(str(n).encode())
def send(c):
    left = int(c.makefile().readline())
    block = b'x' * (1 << 20)
    while left > 0:
        left -= c.send(block[:left])
def serve(port, work):
    s = socket.create_server((os.environ['SLIPWAY_POD_IP'], port))
    def one(c):
        with c:
            try: work(c)
            except OSError: pass
    while True:
        threading.Thread(target=one, args=(s.accept()[0],), daemon=True).start()
for port, work in ((7001, echo), (7002, count), (7003, send)):
    threading.Thread(target=serve, args=(port, work), daemon=True).start()
print('listening', flush=True)
threading.Event().wait()
"""


def pod(name, script, **spec):
    container = {"name": "main", "image": "local", "command": ["/bin/sh", "-c", script], **spec.pop("container", {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec}}


class Kubectl:
    """One kubectl in a namespace of this test's own."""

    def __init__(self, platform, binary, namespace):
        self.platform, self.binary, self.namespace = platform, binary, namespace
        self.env = dict(os.environ, KUBECONFIG=platform.kubeconfig, HOME=str(platform.data_dir.parent / "home"))

    def command(self, *args):
        return [self.binary, "-n", self.namespace, *args]

    def run(self, *args, stdin=b"", timeout=60):
        return subprocess.run(self.command(*args), input=stdin, env=self.env, capture_output=True, timeout=timeout)

    def __call__(self, *args, stdin=b"", code=0):
        result = self.run(*args, stdin=stdin)
        assert result.returncode == code, f"{args}: {result.returncode} {result.stdout[-2000:]} {result.stderr[-2000:]}"
        return result.stdout.decode(errors="replace")

    def start(self, *args, **kw):
        return subprocess.Popen(self.command(*args), env=self.env, **kw)

    def apply(self, manifest):
        text = manifest if isinstance(manifest, str) else json.dumps(manifest)
        self("apply", "-f", "-", stdin=text.encode())

    def wait_ready(self, name):
        self("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")


def kubectl_for(platform, binary, request):
    name = "s-" + re.sub("[^a-z0-9]+", "-", request.node.name.lower())[:55].strip("-")
    platform.kubectl("create", "namespace", name)
    return Kubectl(platform, binary, name)


@pytest.fixture
def k(platform, any_kubectl, request):
    made = kubectl_for(platform, any_kubectl, request)
    yield made
    platform.kubectl("delete", "namespace", made.namespace, "--wait=false")


@pytest.fixture
def box(k):
    k.apply(BOX)
    k.wait_ready("box")
    return k


class PortForward:
    def __init__(self, k, target, *ports):
        self.process = k.start("port-forward", target, *[f":{p}" for p in ports], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.ports = {}
        while len(self.ports) < len(ports):
            line = self.process.stdout.readline().decode()
            assert line, self.process.stderr.read().decode()
            found = re.match(r"Forwarding from 127\.0\.0\.1:(\d+) -> (\d+)", line)
            if found:
                self.ports[int(found.group(2))] = int(found.group(1))
        # What else it prints must not fill its pipe.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def connect(self, port):
        return socket.create_connection(("127.0.0.1", self.ports[port]), timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(20)


def exchange(connection, data):
    """Sends, half-closes, and reads to the end."""
    sender = threading.Thread(target=lambda: (connection.sendall(data), connection.shutdown(socket.SHUT_WR)))
    sender.start()
    got = b""
    while True:
        part = connection.recv(1 << 20)
        if not part:
            break
        got += part
    sender.join()
    connection.close()
    return got


def resident_kib(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", open(f"/proc/{pid}/status").read()).group(1))


@pytest.fixture
def echo(k, tmp_path):
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    k.apply(pod("echo", f"exec /usr/bin/python3 {script}"))
    k.wait_ready("echo")
    wait_for(lambda: "listening" in k("logs", "echo"), "the echo server to listen")
    return k


# exec


def test_exec_gives_output_errors_environment_and_exit_code(box):
    result = box.run("exec", "box", "--", "/bin/sh", "-c", "echo $COLOUR; echo oops >&2; exit 3")
    assert (result.returncode, result.stdout) == (3, b"green\n")
    assert result.stderr.startswith(b"oops\n") and b"exit code 3" in result.stderr
    assert box("exec", "box", "--", "echo", "two words", "*") == "two words *\n"


def test_exec_passes_input_to_its_end_and_every_byte_of_output(box):
    data = os.urandom(5 << 20)
    result = box.run("exec", "-i", "box", "--", "cat", stdin=data)
    assert result.returncode == 0, result.stderr
    assert hashlib.sha256(result.stdout).digest() == hashlib.sha256(data).digest()
    assert box("exec", "-i", "box", "--", "wc", "-c", stdin=b"").strip() == "0"


def test_exec_of_a_missing_program_says_so(box):
    result = box.run("exec", "box", "--", "no-such-program")
    assert result.returncode != 0
    assert b'exec: "no-such-program": executable file not found in $PATH' in result.stderr


class Terminal:
    """A kubectl on a terminal of its own."""

    def __init__(self, k, *args):
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        self.process = k.start(*args, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                               preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text)

    def until(self, pattern, seconds=30):
        """Reads until the pattern shows, forgets everything up to it, and returns the match."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.seen)):
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 0.1)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:  # the other side is closed
                    assert re.search(pattern, self.seen), self.seen
        self.seen = self.seen[found.end():]
        return found

    def ask(self, command):
        """What a shell says to a command; the quotes keep its echo of our typing from matching."""
        self.type(b"echo B''EGIN $(" + command + b") E''ND\n")
        return self.until(rb"BEGIN (.*?) END\r\n").group(1)

    def close(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def test_exec_with_a_terminal_that_is_resized(box):
    terminal = Terminal(box, "exec", "-it", "box", "--", "/bin/sh")
    try:
        assert terminal.ask(b"tty").startswith(b"/dev/pts/")
        wait_for(lambda: terminal.ask(b"stty size") == b"24 80", "the terminal's first size")
        terminal.resize(50, 132)
        wait_for(lambda: terminal.ask(b"stty size") == b"50 132", "the terminal's new size")
        terminal.type(b"echo sl''eeping; sleep 300\n")
        terminal.until(rb"sleeping\r\n")
        terminal.type(b"\x03")  # interrupts the sleep, not kubectl
        assert terminal.ask(b"echo still here") == b"still here"
        terminal.type(b"exit 5\n")
        assert terminal.process.wait(30) == 5
    finally:
        terminal.close()


def test_attach_to_a_terminal(k):
    k.apply(pod("shell", "exec /bin/sh", container={"stdin": True, "tty": True}))
    k.wait_ready("shell")
    terminal = Terminal(k, "attach", "-it", "shell")
    try:
        terminal.type(b"\n")
        assert terminal.ask(b"echo $COLOUR$(tty)").startswith(b"/dev/pts/")
        terminal.resize(40, 111)
        wait_for(lambda: terminal.ask(b"stty size") == b"40 111", "the terminal's new size")
    finally:
        terminal.close()
    # The program goes on, and takes the next client.
    terminal = Terminal(k, "attach", "-it", "shell")
    try:
        assert terminal.ask(b"echo again") == b"again"
        terminal.type(b"exit\n")
        terminal.process.wait(30)
    finally:
        terminal.close()


def test_clients_that_do_not_read_hold_bounded_memory(box):
    server = box.platform.process.pid
    box.apply(pod("loud", "while :; do yes aaaaaaaaaaaaaaaaaaaaaaa | head -c 3000000; sleep 0.2; done"))
    box.wait_ready("loud")
    before = resident_kib(server)
    clients = [box.start(*args, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
               for args in (("exec", "box", "--", "yes", "sssssssssssssssssssss"), ("logs", "-f", "loud"), ("attach", "loud"))
               for _ in range(4)]
    try:
        for client in clients:
            assert client.stdout.read(10)
        wait_for(lambda: len(processes("yes sssssssssssssssssssss")) == 4, "the commands to run")
        for _ in range(10):
            box("get", "pods")  # the API goes on
            assert resident_kib(server) - before < 24 << 10
    finally:
        for client in clients:
            client.kill()
            client.wait()
            client.stdout.close()
    wait_for(lambda: not processes("yes sssssssssssssssssssss"), "the commands to end with their clients")


def test_exec_refusals_have_kubernetes_words(k):
    k.apply(pod("p1", "sleep 100", nodeSelector={"no": "such-node"}))
    for args, words in ((("exec", "p1", "--", "true"), "pod p1 does not have a host assigned"),
                        (("exec", "nope", "--", "true"), 'pods "nope" not found'),
                        (("exec", "p1", "-c", "nope", "--", "true"), "nope")):
        result = k.run(*args)
        assert result.returncode == 1 and words in result.stderr.decode(), result.stderr
    k.apply(pod("crash", "exit 1"))
    wait_for(lambda: "Error" in k("get", "pod", "crash") or "CrashLoop" in k("get", "pod", "crash"), "the container to end")
    result = k.run("exec", "crash", "--", "true")
    assert result.returncode == 1 and b'container not found ("main")' in result.stderr, result.stderr


def processes(mark):
    """Processes with exactly this command line."""
    return subprocess.run(["pgrep", "-fx", mark], capture_output=True, text=True).stdout.split()


def test_a_client_that_vanishes_takes_its_process_along(box):
    mark = f"sleep 98765{os.getpid() % 100:02d}"
    process = box.start("exec", "box", "--", "/bin/sh", "-c", mark + " & wait", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: processes(mark), "the command to run")
    process.kill()
    process.wait()
    wait_for(lambda: not processes(mark), "the command to be killed")


def test_the_end_of_the_pod_ends_exec(box):
    process = box.start("exec", "box", "--", "sleep", "900", stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wait_for(lambda: processes("sleep 900"), "the command to run")
    box("delete", "pod", "box")
    assert process.wait(30) == 137
    assert not processes("sleep 900")


def test_sigterm_ends_every_stream_in_time(tmp_path, any_kubectl):
    running = Platform(tmp_path / "data")
    try:
        k = Kubectl(running, any_kubectl, "default")
        k.apply(BOX)
        k.wait_ready("box")
        clients = [k.start(*args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                   for args in (("exec", "box", "--", "sleep", "901"), ("logs", "-f", "box"), ("attach", "box"),
                                ("port-forward", "box", ":80"), ("get", "pods", "-w"))]
        wait_for(lambda: processes("sleep 901"), "exec to run")
        started = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - started < 15
        for client in clients:
            client.wait(20)
        assert not processes("sleep 901")
    finally:
        running.stop()


# attach and run


def test_attach_shows_what_comes_and_feeds_input(k):
    k.apply(pod("asker", "while read line; do echo got $line; done; echo over", restartPolicy="Never",
                container={"stdin": True, "stdinOnce": True}))
    k.wait_ready("asker")
    result = k.run("attach", "-i", "asker", stdin=b"one\ntwo\n")
    assert result.returncode == 0, result.stderr
    assert b"got one\ngot two\nover\n" in result.stdout
    assert k("logs", "asker") == "got one\ngot two\nover\n"


def test_run_attaches_and_removes_its_pod(k):
    overrides = json.dumps({"spec": {"containers": [{"name": "adder", "image": "local", "stdin": True, "stdinOnce": True,
                                                     "command": ["/bin/sh", "-c", "read a; echo sum $((a + 1))"]}]}})
    result = k.run("run", "adder", "--image=local", "-i", "--rm", "--restart=Never", "--overrides", overrides, stdin=b"41\n")
    assert result.returncode == 0, result.stderr
    assert b"sum 42" in result.stdout
    assert b'pod "adder" deleted' in result.stdout


# cp


def test_cp_both_ways_keeps_files_and_folders(box, tmp_path):
    folder = tmp_path / "folder"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep/big.bin").write_bytes(os.urandom(3 << 20))
    (folder / "name with space").write_text("text")
    there = box("exec", "box", "--", "mktemp", "-d").strip()
    box("cp", str(folder), f"box:{there}/copy")
    box("cp", f"box:{there}/copy", str(tmp_path / "back"))
    for name in ("deep/big.bin", "name with space"):
        assert (tmp_path / "back" / name).read_bytes() == (folder / name).read_bytes()
    result = box.run("cp", f"box:{there}/nothing", str(tmp_path / "x"))
    assert result.returncode != 0 or not (tmp_path / "x").exists()
    box("exec", "box", "--", "rm", "-r", there)


# port-forward


def test_port_forward_many_connections_on_several_ports_with_half_closes(echo):
    with PortForward(echo, "pod/echo", 7001, 7002) as forward:
        results = {}

        def one(i):
            data = os.urandom(200_000 + i)
            if i % 2:
                results[i] = exchange(forward.connect(7001), data) == data + b"bye"
            else:
                results[i] = exchange(forward.connect(7002), data) == str(len(data)).encode()
        threads = [threading.Thread(target=one, args=(i,)) for i in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join(60)
        assert results == {i: True for i in range(20)}


def test_port_forward_to_a_closed_port_says_why(echo):
    with PortForward(echo, "pod/echo", 7999) as forward:
        connection = forward.connect(7999)
        assert connection.recv(10) == b""
        connection.close()
        assert select.select([forward.process.stderr], [], [], 20)[0]
        line = forward.process.stderr.readline().decode()
        assert "error forwarding port 7999" in line and "refused" in line, line


def test_port_forward_reaches_a_program_on_its_own_loopback(k, tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (tmp_path / "index.html").write_text("from the pod")
    k.apply(pod("local-only", f"cd {tmp_path} && exec /usr/bin/python3 -m http.server --bind 127.0.0.1 {port}"))
    k.wait_ready("local-only")

    def answered():
        with PortForward(k, "pod/local-only", port) as forward:
            return b"from the pod" in exchange(forward.connect(port), b"GET / HTTP/1.0\r\n\r\n")
    wait_for(answered, "the program on 127.0.0.1 to answer")


def test_port_forward_resolves_a_service_and_a_deployment(echo):
    echo("label", "pod", "echo", "app=echo")
    echo.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "svc"},
                "spec": {"selector": {"app": "echo"}, "ports": [{"port": 80, "targetPort": 7001}]}})
    with PortForward(echo, "service/svc", 80) as forward:
        port = next(iter(forward.ports))
        assert exchange(forward.connect(port), b"hi") == b"hibye"


def test_port_forward_moves_a_gigabyte_each_way_in_bounded_memory(echo):
    size = 1 << 30
    block = b"y" * (1 << 20)
    server = echo.platform.process.pid
    with PortForward(echo, "pod/echo", 7002, 7003) as forward:
        exchange(forward.connect(7002), b"warm")
        before = resident_kib(server)
        peak = 0
        down = forward.connect(7003)
        down.sendall(f"{size}\n".encode())
        got = 0
        while got < size:
            part = down.recv(1 << 20)
            assert part, f"ended after {got} bytes"
            if (got + len(part)) >> 27 != got >> 27:
                peak = max(peak, resident_kib(server))
            got += len(part)
        down.close()
        up = forward.connect(7002)
        for i in range(size >> 20):
            up.sendall(block)
            if i % 128 == 0:
                peak = max(peak, resident_kib(server))
        up.shutdown(socket.SHUT_WR)
        assert up.recv(100) == str(size).encode()
        up.close()
        assert peak - before < 32 << 10, f"{before} KiB before, {peak} KiB at most"


def test_a_stalled_connection_holds_bounded_memory_and_ends_with_its_client(echo):
    server = echo.platform.process.pid
    with PortForward(echo, "pod/echo", 7003) as forward:
        before = resident_kib(server)
        stalled = forward.connect(7003)
        stalled.sendall(f"{1 << 30}\n".encode())  # and never read
        for _ in range(10):
            echo("get", "pod", "echo")  # the API goes on
            assert resident_kib(server) - before < 16 << 10
    # kubectl is gone: so is the connection to the pod.
    wait_for(lambda: not established(7003), "the pod's connection to end")
    stalled.close()


def established(port):
    lines = open("/proc/net/tcp").read().splitlines()[1:]
    return [line for line in lines if line.split()[2].endswith(f":{port:04X}") and line.split()[3] == "01"]


# logs


TALKER = """
apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: talker}}
spec:
  restartPolicy: Never
  containers:
  - {name: one, image: local, command: [/bin/sh, -c, 'for i in 1 2 3; do echo one $i; done']}
  - {name: two, image: local, command: [/bin/sh, -c, 'for i in 1 2 3; do echo two $i; done']}
"""


def test_logs_of_all_containers_and_by_label(k):
    for name in ("a", "b"):
        k.apply(TALKER.replace("NAME", name))
    for name in ("a", "b"):
        wait_for(lambda: k("get", "pod", name, "-o", "jsonpath={.status.phase}") == "Succeeded", f"pod {name} to end")
    lines = k("logs", "a", "--all-containers").splitlines()  # old kubectls take the containers in any order
    assert lines in ([f"{c} {i}" for c in order for i in (1, 2, 3)] for order in (("one", "two"), ("two", "one")))
    lines = k("logs", "-l", "app=talker", "--all-containers", "--tail=1", "--prefix").splitlines()
    assert sorted(lines) == [f"[pod/{p}/{c}] {c} 3" for p in "ab" for c in ("one", "two")]
    too_many = k.run("logs", "-l", "app=talker", "--all-containers", "-f", "--max-log-requests=2")
    assert too_many.returncode == 1 and b"max" in too_many.stderr
    assert len(k("logs", "-l", "app=talker", "--all-containers", "-f", "--max-log-requests=4", "--ignore-errors").splitlines()) == 12


def test_logs_since_limit_and_previous(k):
    k.apply(pod("p", "echo first run; exit 1"))
    wait_for(lambda: int(k("get", "pod", "p", "-o", "jsonpath={.status.containerStatuses[0].restartCount}") or 0) >= 1, "a restart")
    assert k("logs", "p", "--previous") == "first run\n"
    assert k("logs", "p", "--limit-bytes=5") == "first"
    assert k("logs", "p", "--since=1h") == "first run\n"
    assert k("logs", "p", "--since-time=2999-01-01T00:00:00Z") == ""
    stamp, text = k("logs", "p", "--timestamps").split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", stamp) and text == "first run\n"


def test_logs_follow_through_rotation_loses_and_doubles_nothing(tmp_path, any_kubectl):
    running = Platform(tmp_path / "data", "--container-log-max-size", "64Ki", "--container-log-max-files", "3")
    try:
        k = Kubectl(running, any_kubectl, "default")
        # About 40 files of 64 KiB, written in bursts that leave a reader time: what is followed is complete.
        k.apply(pod("writer", "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); echo line $i; [ $((i % 500)) = 0 ] && sleep 0.05; done; echo end",
                    restartPolicy="Never"))
        wait_for(lambda: "line" in k.run("logs", "writer", "--tail=1").stdout.decode(), "the first line")
        text = k("logs", "-f", "writer")
        assert text.splitlines() == [f"line {i}" for i in range(1, 30001)] + ["end"]
        folder = next((running.data_dir / "logs").glob("default_writer_*")) / "main"
        files = sorted(folder.iterdir())
        assert len(files) == 3 and all(f.stat().st_size <= 70 << 10 for f in files), files
    finally:
        running.stop()


# top


def test_top_shows_what_pods_and_the_node_use(k):
    k.apply(pod("busy", "while :; do :; done"))
    k.apply(pod("idle", "sleep 1000"))
    for name in ("busy", "idle"):
        k.wait_ready(name)

    def measured():
        rows = {r.split()[0]: r.split()[1:] for r in k("top", "pod", "--no-headers").splitlines()}
        return len(rows) == 2 and int(rows["busy"][0].rstrip("m")) > 200 and int(rows["idle"][0].rstrip("m")) < 100
    wait_for(measured, "top to show a busy and an idle pod")
    assert "CPU(cores)" in k("top", "pod", "busy", "--containers")
    row = k("top", "node", "--no-headers").split()
    assert len(row) == 5 and int(row[1].rstrip("m")) > 100 and row[4].endswith("%"), row
    k("create", "serviceaccount", "viewer")
    k("create", "rolebinding", "viewer", "--clusterrole=view", f"--serviceaccount={k.namespace}:viewer")
    assert "busy" in k("top", "pod", "busy", f"--as=system:serviceaccount:{k.namespace}:viewer")
    missing = k.run("top", "pod", "nope")
    assert missing.returncode == 1 and b"not found" in missing.stderr


def test_watches_that_are_not_read_hold_bounded_memory(k, python):
    core, _ = python
    k("create", "configmap", "big")
    watches = [k.start("get", "configmaps", "-w", "-o", "json", stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in range(8)]
    try:
        for watch in watches:
            assert watch.stdout.read(1)
        server = k.platform.process.pid
        core.patch_namespaced_config_map("big", k.namespace, {"data": {"text": "a" * 200_000}})
        before = resident_kib(server)
        for i in range(150):
            core.patch_namespaced_config_map("big", k.namespace, {"data": {"text": str(i) + "a" * 200_000}})
        assert resident_kib(server) - before < 40 << 10, f"{before} KiB before, {resident_kib(server)} KiB after"
    finally:
        for watch in watches:
            watch.kill()
            watch.wait()
            watch.stdout.close()


# rights


def test_reading_pods_alone_does_not_let_one_run_programs_in_them(box):
    box("create", "serviceaccount", "reader")
    box("create", "role", "reader", "--verb=get,list", "--resource=pods,pods/exec,pods/log,pods/attach,pods/portforward")
    box("create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={box.namespace}:reader")
    as_reader = f"--as=system:serviceaccount:{box.namespace}:reader"
    assert box("logs", "box", as_reader) == "up\n"
    for args in (("exec", "box", as_reader, "--", "true"), ("attach", "box", as_reader), ("port-forward", "box", ":80", as_reader)):
        result = box.run(*args)
        assert result.returncode == 1 and b"forbidden" in result.stderr.lower(), result.stderr
    box("create", "role", "runner", "--verb=create,get", "--resource=pods/exec")
    box("create", "rolebinding", "runner", "--role=runner", f"--serviceaccount={box.namespace}:reader")
    assert box("exec", "box", as_reader, "--", "echo", "allowed") == "allowed\n"


# hostile clients


def upgraded(platform, method, path, *headers):
    """A raw connection that has just become a stream."""
    config = open(platform.kubeconfig).read()
    token = re.search(r'token:\s*"?([^\s"]+)', config).group(1)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    host, port = re.search(r"https://([\d.]+):(\d+)", config).groups()
    connection = context.wrap_socket(socket.create_connection((host, int(port)), timeout=20))
    lines = [f"{method} {path} HTTP/1.1", "Host: api", f"Authorization: Bearer {token}", "Connection: Upgrade", *headers, "", ""]
    connection.sendall("\r\n".join(lines).encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    assert head.startswith(b"HTTP/1.1 101"), head
    return connection


def test_hostile_frames_end_their_own_connection_and_nothing_else(box):
    server = box.platform.process.pid
    path = f"/api/v1/namespaces/{box.namespace}/pods/box/"
    spdy = ["Upgrade: SPDY/3.1", "X-Stream-Protocol-Version: "]
    socket_ = ["Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: MDAwMDAwMDAwMDAwMDAwMA==", "Sec-WebSocket-Protocol: "]
    ways = [("POST", "exec?command=cat&stdin=true&stdout=true", [spdy[0], spdy[1] + "v4.channel.k8s.io"]),
            ("POST", "portforward", [spdy[0], spdy[1] + "portforward.k8s.io"]),
            ("GET", "exec?command=cat&stdin=true&stdout=true&tty=true", socket_[:3] + [socket_[3] + "v5.channel.k8s.io"]),
            ("GET", "portforward", socket_[:3] + [socket_[3] + "SPDY/3.1+portforward.k8s.io"]),
            ("GET", "attach?stdout=true", socket_[:3] + [socket_[3] + "v4.channel.k8s.io"])]
    random = Random(7)
    bodies = [lambda: random.randbytes(random.randrange(1, 5000)), lambda: bytes.fromhex("80030001") + random.randbytes(300),
              lambda: bytes.fromhex("82feffff") + random.randbytes(3000), lambda: bytes.fromhex("8003000600000004") + b"\0\0\0\1"]
    before, open_before = resident_kib(server), len(os.listdir(f"/proc/{server}/fd"))
    for i in range(60):
        method, what, headers = ways[i % len(ways)]
        connection = upgraded(box.platform, method, path + what, *headers)
        try:
            connection.sendall(random.choice(bodies)())
            if i % 2:
                connection.settimeout(0.05)
                connection.recv(1000)
        except OSError:
            pass
        connection.close()
    wait_for(lambda: len(os.listdir(f"/proc/{server}/fd")) <= open_before + 2, "every connection to be closed")
    assert resident_kib(server) - before < 24 << 10
    assert box("exec", "box", "--", "echo", "alive") == "alive\n"


# the Python client's WebSockets


@pytest.fixture
def python(platform):
    kubernetes = pytest.importorskip("kubernetes", reason="the Python package kubernetes is not installed (PyPI)")
    import kubernetes.stream
    return kubernetes.client.CoreV1Api(kubernetes.config.new_client_from_config(platform.kubeconfig)), kubernetes.stream


def ready_pod(platform, manifest):
    platform.apply(manifest, check=False)
    name = manifest["metadata"]["name"]
    platform.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=30s")
    return name


def test_python_client_runs_commands(platform, python):
    core, stream = python
    name = ready_pod(platform, pod("py-exec", "sleep 1000"))
    assert stream.stream(core.connect_get_namespaced_pod_exec, name, "default", command=["echo", "hello"], stdout=True,
                         stderr=True, stdin=False, tty=False) == "hello\n"
    session = stream.stream(core.connect_get_namespaced_pod_exec, name, "default", stdin=True, stdout=True, stderr=True, tty=False,
                            command=["/bin/sh", "-c", "read line; echo got $line; echo bad >&2; exit 4"], _preload_content=False)
    session.write_stdin("text\n")
    session.run_forever(timeout=20)
    assert session.read_stdout() == "got text\n" and session.read_stderr() == "bad\n"
    assert session.returncode == 4
    platform.kubectl("delete", "pod", name, "--wait=false")


def test_python_client_forwards_ports(platform, python, tmp_path):
    core, stream = python
    script = tmp_path / "echo.py"
    script.write_text(ECHO)
    name = ready_pod(platform, pod("py-forward", f"exec /usr/bin/python3 {script}"))
    wait_for(lambda: "listening" in platform.kubectl("logs", name).stdout, "the echo server to listen")
    forward = stream.portforward(core.connect_get_namespaced_pod_portforward, name, "default", ports="7001,7999")
    connection = forward.socket(7001)
    connection.setblocking(True)
    connection.settimeout(20)
    connection.sendall(b"hello")
    assert connection.recv(100) == b"hello"
    wait_for(lambda: forward.error(7999), "the closed port's error")
    assert "refused" in forward.error(7999)
    connection.close()
    platform.kubectl("delete", "pod", name, "--wait=false")
