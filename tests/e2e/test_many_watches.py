"""A thousand watches over TLS sockets: all see every event, requests are answered meanwhile, and what they took comes back."""
import asyncio
import json
import pathlib
import re
import ssl
import time

import pytest

from conftest import wait_for
from raw_api import RawApi

WATCHES = 1000
EVENTS = 20


class Watches:
    """WATCHES open watches of one namespace's ConfigMaps; each reads the names it sees."""

    def __init__(self, api):
        self.api = api
        self.names = []
        self.streams = []

    async def open_one(self, context, gate, resource_version):
        async with gate:  # handshakes in flight
            reader, writer = await asyncio.open_connection(self.api.url.hostname, self.api.url.port, ssl=context)
            path = f"{self.api.ns}/configmaps?watch=true&resourceVersion={resource_version}"
            writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {self.api.token}\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
        self.streams.append((reader, writer))

    async def open(self, resource_version):
        context = ssl._create_unverified_context()
        gate = asyncio.Semaphore(50)
        await asyncio.gather(*(self.open_one(context, gate, resource_version) for _ in range(WATCHES)))

    @staticmethod
    async def names_of(reader):
        """The names of the first EVENTS events, in order; chunks are as the server cut them."""
        text, names = b"", []
        while len(names) < EVENTS:
            size = int(await reader.readline(), 16)
            text += await reader.readexactly(size)
            await reader.readline()
            *lines, text = text.split(b"\n")
            for line in lines:
                event = json.loads(line)
                assert event["type"] == "ADDED", event
                names.append(event["object"]["metadata"]["name"])
        return names


def memory_mb(pid):
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1)) / 1024


def open_files(pid):
    return len(list(pathlib.Path(f"/proc/{pid}/fd").iterdir()))


def test_a_thousand_watches(start_platform):
    platform = start_platform("--no-node")
    api = RawApi(platform, "default")
    pid = platform.process.pid
    files, memory = open_files(pid), memory_mb(pid)
    watches = Watches(api)

    async def run():
        await watches.open(api.call("GET", api.ns + "/configmaps").json["metadata"]["resourceVersion"])
        assert open_files(pid) >= files + WATCHES
        assert memory_mb(pid) - memory < WATCHES * 0.06, "no more than 60 KB each"
        readers = asyncio.gather(*(watches.names_of(reader) for reader, _ in watches.streams))
        slowest = 0.0
        for i in range(EVENTS):
            made = await asyncio.to_thread(api.call, "POST", api.ns + "/configmaps", {"metadata": {"name": f"e{i}"}})
            assert made.status == 201
            began = time.monotonic()
            assert (await asyncio.to_thread(api.call, "GET", api.ns + f"/configmaps/e{i}")).status == 200
            slowest = max(slowest, time.monotonic() - began)
        seen = await asyncio.wait_for(readers, 120)
        for _, writer in watches.streams:
            writer.transport.abort()
        return seen, slowest

    seen, slowest = asyncio.run(run())
    assert seen == [[f"e{i}" for i in range(EVENTS)]] * WATCHES
    assert slowest < 5  # with this test's own thousand readers on the same cores
    wait_for(lambda: open_files(pid) <= files + 10, "their connections are closed")
    wait_for(lambda: memory_mb(pid) < memory + 25, f"memory comes back: {memory_mb(pid):.0f} MB, before {memory:.0f} MB")


def test_watches_beyond_the_bounds_are_refused(start_platform, tmp_path):
    users = tmp_path / "users.csv"
    users.write_text("ann-token,ann,ann,\n")
    platform = start_platform("--no-node", "--max-watches", "5", "--max-watches-per-user", "2", "--token-file", str(users))
    admin, ann = RawApi(platform, "default"), RawApi(platform, "default")
    ann.token = "ann-token"
    platform.apply({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": "ann", "namespace": "default"},
                    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
                    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "ann"}]})
    opened = []

    def watch(api):
        connection = api.connection()
        connection.request("GET", api.ns + "/configmaps?watch=true", headers={"Authorization": "Bearer " + api.token})
        answer = connection.getresponse()
        opened.append((connection, answer))
        return answer

    try:
        assert [watch(ann).status for _ in range(2)] == [200, 200]
        refused = watch(ann)
        assert (refused.status, refused.headers["Retry-After"]) == (429, "1")
        assert json.loads(refused.read())["message"] == (
            '2 watches of user "ann" are open, the limit (--max-watches-per-user); close one and try again')
        assert [watch(admin).status for _ in range(3)] == [200, 200, 200]
        refused = watch(admin)
        assert refused.status == 429
        assert json.loads(refused.read())["message"] == "5 watches are open, the limit (--max-watches); close one and try again"
    finally:
        for connection, _ in opened:
            connection.close()


def test_a_small_bound_of_open_files_is_told(tmp_path):
    import resource
    import subprocess

    from conftest import BIN

    def little():
        resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
        # Root may raise its own bound; another user may not.
        import ctypes
        assert ctypes.CDLL(None).prctl(24, 24, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_SYS_RESOURCE

    import os
    if os.getuid() != 0:
        pytest.skip("not root")
    process = subprocess.Popen([BIN, "apiserver", "--data-dir", str(tmp_path / "api"), "--api-port", "0"], preexec_fn=little,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("slipway apiserver is ready")
    finally:
        process.terminate()
        errors = process.communicate(timeout=30)[1]
    assert "--max-watches 10000 needs 11000 open files, but this process may have 4096 (ulimit -n): 3096 watches are allowed" in errors
