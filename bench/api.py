"""The Kubernetes API's part of `make bench`: durable creates, lists, gets, watches, and a store of 100,000 objects.

The peer is kube-apiserver 1.34 with etcd 3.6 on two cores of the same kind of machine; its figures are recorded (it is not built here).
"""
import base64
import json
import pathlib
import re
import ssl
import statistics
import subprocess
import time
import urllib.request

from conftest import BIN, ROOT

LOAD = ROOT / "build/release/bench/slipway_api_load"
TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"


class ApiServer:
    """`slipway apiserver` on a folder: the API alone, writes durable."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.tokens = self.folder.parent / f"{self.folder.name}.tokens.csv"
        self.tokens.write_text("rob-token,rob,rob,\n")
        self.start()

    def start(self):
        began = time.monotonic()
        self.log = open(self.folder.parent / f"{self.folder.name}.log", "ab")
        self.process = subprocess.Popen([BIN, "apiserver", "--data-dir", str(self.folder), "--api-port", "0",
                                         "--token-file", str(self.tokens)],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"https://[^ ,]+", line).group(0)
        self.start_seconds = time.monotonic() - began
        config = (self.folder / "kubeconfig").read_text()
        self.token = re.search(r"token: (\S+)", config).group(1)
        self.ca = self.folder.parent / f"{self.folder.name}.ca.pem"
        self.ca.write_bytes(base64.b64decode(re.search(r"certificate-authority-data: (\S+)", config).group(1)))

    def load(self, mode, *args, token=None):
        command = [str(LOAD), mode, self.url, str(self.ca), token or self.token, *map(str, args)]
        out = subprocess.run(command, capture_output=True, text=True, check=False)
        if out.returncode != 0:
            raise SystemExit(f"api_load {mode}: {out.stderr}")
        return json.loads(out.stdout)

    def post(self, path, body):
        context = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(),
                                         {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        urllib.request.urlopen(request, context=context).read()

    def namespace(self, name):
        self.post("/api/v1/namespaces", {"metadata": {"name": name}})

    def let_rob_read(self, namespace):
        rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
        self.post(f"{rbac}/roles", {"metadata": {"name": "read"}, "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}]})
        self.post(f"{rbac}/rolebindings", {"metadata": {"name": "read"},
                                           "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "read"},
                                           "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "rob"}]})

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def open_connections(self):
        return sum(1 for fd in pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir() if "socket:" in str(fd.resolve()))

    def rss_mb(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def bench_api(table, work, rounds, spread):
    server = ApiServer(work / "api")
    try:
        creates, single, gets, allowed, lists, tables = [], [], [], [], [], []
        for i in range(rounds):
            server.namespace(f"many-{i}")
            creates.append(server.load("create", f"many-{i}", 8000, 8)["rate"])
        server.namespace("one")
        single = server.load("create", "one", 1000, 1)
        server.namespace("list")
        server.load("create", "list", 5000, 16)
        server.let_rob_read("list")
        for _ in range(rounds):
            lists.append(server.load("get", "/api/v1/namespaces/list/configmaps", 15)["p50"] / 1000)
            tables.append(server.load("get", "/api/v1/namespaces/list/configmaps", 15, TABLE)["p50"] / 1000)
            gets.append(server.load("get", "/api/v1/namespaces/list/configmaps/bench-7", 2000)["p50"] / 1000)
            allowed.append(server.load("get", "/api/v1/namespaces/list/configmaps/bench-7", 2000, token="rob-token")["p50"] / 1000)
        drained = []
        for i in range(min(rounds, 3)):
            server.namespace(f"watched-{i}")
            drained.append(server.load("watch", f"watched-{i}", 1000, 1000, 10)["drained_us"] / 1000)
    finally:
        server.stop()

    def row(what, values, peer, bar, ok, form="{:.1f}", unit=""):
        table.add(what, spread(values, form), peer, form.format(statistics.median(values)) + unit, bar, ok(statistics.median(values)))
    row("API: durable creates from 8 clients, per second (peer: kube-apiserver with etcd, recorded)", creates, "640 to 920", ">= 2000/s",
        lambda v: v >= 2000, "{:.0f}", "/s")
    row("API: durable create, one client, ms", [single["p50"] / 1000], "1.9", "-", lambda v: True, "{:.2f}", " ms")
    row("API: list of 5,000 ConfigMaps, JSON, ms", lists, "46 to 59", "< 25 ms", lambda v: v < 25, "{:.1f}", " ms")
    row("API: list of 5,000 ConfigMaps, Table, ms", tables, "53 to 73", "< 30 ms", lambda v: v < 30, "{:.1f}", " ms")
    row("API: get, ms", gets, "-", "< 0.3 ms", lambda v: v < 0.3, "{:.3f}", " ms")
    row("API: get by a user of RBAC, ms", allowed, "-", "< 0.3 ms", lambda v: v < 0.3, "{:.3f}", " ms")
    row("API: 1,000 watchers see all of 1,000 creates a second for 10 s: last event after the last write, ms", drained, "-", "< 1000 ms",
        lambda v: v < 1000, "{:.0f}", " ms")
    bench_watches(table, work)
    bench_many(table, work, spread)


def bench_watches(table, work, count=10000):
    """10,000 open watches over TLS: what each takes, how soon all see an event, and what a get costs meanwhile."""
    server = ApiServer(work / "watches")
    try:
        server.namespace("held")
        server.load("create", "held", 1, 1)
        before = server.rss_mb()
        command = [str(LOAD), "hold", server.url, str(server.ca), server.token, "default", str(count)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
            opened = json.loads(holder.stdout.readline())
            open_mb = server.rss_mb()
            cpu, began = server.cpu_seconds(), time.monotonic()
            get = server.load("get", "/api/v1/namespaces/held/configmaps/bench-0", 2000)
            time.sleep(max(0, 5 - (time.monotonic() - began)))
            cpu = 100 * (server.cpu_seconds() - cpu) / (time.monotonic() - began)
            holder.stdin.write("\n")
            holder.stdin.flush()
            seen = json.loads(holder.stdout.readline())
            holder.stdin.write("\n")
        deadline = time.monotonic() + 20
        while (server.open_connections() > 5 or server.rss_mb() > before + 60) and time.monotonic() < deadline:
            time.sleep(0.1)
        after = server.rss_mb()
    finally:
        server.stop()
    each = 1024 * (open_mb - before) / count
    table.add(f"API: {count:,} watches over TLS, KB resident each", f"{each:.1f}", "-", f"{each:.1f} KB", "< 40 KB", each < 40)
    table.add(f"API: {count:,} watches: opened, s", f"{opened['seconds']:.1f}", "-", f"{opened['seconds']:.1f} s", "-", True)
    table.add(f"API: {count:,} watches: one event seen by all after, ms", f"{seen['us'] / 1000:.0f}", "-", f"{seen['us'] / 1000:.0f} ms", "< 2000 ms",
              seen["us"] < 2e6)
    table.add(f"API: {count:,} watches: get meanwhile, p50 ms (p99 {get['p99'] / 1000:.2f}; {cpu:.0f} % of a core with these gets)",
              f"{get['p50'] / 1000:.3f}", "-", f"{get['p50'] / 1000:.3f} ms", "< 2 ms", get["p50"] < 2000)
    table.add(f"API: {count:,} watches: MB resident before, open, after", f"{before:.0f}, {open_mb:.0f}, {after:.0f}", "-",
              f"{after - before:.0f} MB stay", "< 60 MB", after - before < 60)


def bench_many(table, work, spread):
    """100,000 objects: start, memory, and the time of one change."""
    server = ApiServer(work / "big")
    try:
        for i in range(20):
            server.namespace(f"n{i}")
            server.load("create", f"n{i}", 5000, 16)
        server.stop()
        starts = []
        for _ in range(3):
            server.start()
            starts.append(server.start_seconds)
            server.load("get", "/api/v1/namespaces/n3/configmaps/bench-7", 10)
            memory = server.rss_mb()
            if len(starts) < 3:
                server.stop()
        server.namespace("change")
        change = server.load("create", "change", 500, 1)
    finally:
        server.stop()
    table.add("API with 100,000 objects: start, s", spread(starts, "{:.2f}"), "-", f"{statistics.median(starts):.2f} s", "< 2 s", statistics.median(starts) < 2)
    table.add("API with 100,000 objects: MB resident", f"{memory:.0f}", "-", f"{memory:.0f} MB", "< 400 MB", memory < 400)
    table.add("API with 100,000 objects: one more write, p50 ms", f"{change['p50'] / 1000:.2f}", "-", f"{change['p50'] / 1000:.2f} ms", "< 5 ms",
              change["p50"] < 5000)
