"""The Kubernetes API's part of `make bench`: durable creates, lists, gets, watches, and a store of 100,000 objects.

The peer is kube-apiserver 1.34 with etcd 3.6 on two cores of the same kind of machine; its figures are recorded (it is not built here).
"""
import base64
import json
import pathlib
import re
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
        self.start()

    def start(self):
        began = time.monotonic()
        self.log = open(self.folder.parent / f"{self.folder.name}.log", "ab")
        self.process = subprocess.Popen([BIN, "apiserver", "--data-dir", str(self.folder), "--api-port", "0"],
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        line = self.process.stdout.readline()
        self.url = re.search(r"https://[^ ,]+", line).group(0)
        self.start_seconds = time.monotonic() - began
        config = (self.folder / "kubeconfig").read_text()
        self.token = re.search(r"token: (\S+)", config).group(1)
        self.ca = self.folder.parent / f"{self.folder.name}.ca.pem"
        self.ca.write_bytes(base64.b64decode(re.search(r"certificate-authority-data: (\S+)", config).group(1)))

    def load(self, mode, *args):
        out = subprocess.run([str(LOAD), mode, self.url, str(self.ca), self.token, *map(str, args)], capture_output=True, text=True, check=False)
        if out.returncode != 0:
            raise SystemExit(f"api_load {mode}: {out.stderr}")
        return json.loads(out.stdout)

    def namespace(self, name):
        import ssl
        context = ssl.create_default_context(cafile=str(self.ca))
        request = urllib.request.Request(f"{self.url}/api/v1/namespaces", json.dumps({"metadata": {"name": name}}).encode(),
                                         {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"})
        urllib.request.urlopen(request, context=context).read()

    def rss_mb(self):
        return next(int(line.split()[1]) / 1024 for line in open(f"/proc/{self.process.pid}/status") if line.startswith("VmRSS"))

    def stop(self):
        self.process.terminate()
        self.process.wait(30)


def bench_api(table, work, rounds, spread):
    server = ApiServer(work / "api")
    try:
        creates, single, gets, lists, tables = [], [], [], [], []
        for i in range(rounds):
            server.namespace(f"many-{i}")
            creates.append(server.load("create", f"many-{i}", 8000, 8)["rate"])
        server.namespace("one")
        single = server.load("create", "one", 1000, 1)
        server.namespace("list")
        server.load("create", "list", 5000, 16)
        for _ in range(rounds):
            lists.append(server.load("get", "/api/v1/namespaces/list/configmaps", 15)["p50"] / 1000)
            tables.append(server.load("get", "/api/v1/namespaces/list/configmaps", 15, TABLE)["p50"] / 1000)
            gets.append(server.load("get", "/api/v1/namespaces/list/configmaps/bench-7", 2000)["p50"] / 1000)
        server.namespace("watched")
        watch = server.load("watch", "watched", 1000, 1000, 5)
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
    row("API: 1,000 watchers see all of 1,000 creates a second: last event after the last write, ms", [watch["drained_us"] / 1000], "-", "all seen",
        lambda v: True, "{:.0f}", " ms")
    bench_many(table, work, spread)


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
