"""The machine under test: one `slipway up` that can be killed and started again, its API, its processes and its store.

As root the platform lives in process and mount namespaces of its own with a boot id of their own: ending their first process is then
what a power cut is to a real machine. Everything is gone at once, and after it other processes get the same pids under another boot id.
Elsewhere reboots are left out.
"""
import base64
import collections
import http.client
import json
import os
import pathlib
import re
import select
import shutil
import signal
import sqlite3
import ssl
import subprocess
import threading
import time
import uuid

# The first process of the machine: waits for whatever is left to it.
INIT = "mount --bind {boot} /proc/sys/kernel/random/boot_id && echo up && while :; do sleep 1000 & wait $!; done"
START_SECONDS = 60


class Down(Exception):
    """The platform went away before it answered: nobody knows whether it did what it was asked."""


# extra: of a pod (owner's uid, whether it counts for it); of a ReplicaSet the replicas that it wants
Row = collections.namedtuple("Row", "rv ns name deleted labels value uid extra")
Leader = collections.namedtuple("Leader", "uid container pid shim started")


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except OSError:
        return b""


def stat_of(pid):
    """(state, parent, session, start time) of a process; None when there is none."""
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return (fields[0].decode(), int(fields[1]), int(fields[3]), int(fields[19])) if len(fields) > 19 else None


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Machine:
    def __init__(self, binary, folder):
        self.binary, self.folder = str(pathlib.Path(binary).resolve()), pathlib.Path(folder)
        self.data, self.runs = self.folder / "data", self.folder / "runs"
        self.runs.mkdir(parents=True)
        self.mark = uuid.uuid4().hex  # in the environment of every container
        self.up = threading.Event()
        self.local = threading.local()
        self.process = self.init = self.pid = self.token = None
        self.generation = 0
        self.starts = []  # seconds each
        self.rows = collections.defaultdict(list)  # by resource: the log, oldest first
        self.last = self.compacted = 0
        self.can_reboot = self.boot()

    # The machine and its platform

    def boot(self):
        if os.geteuid() != 0 or not shutil.which("unshare") or not shutil.which("nsenter"):
            return False
        boot = self.folder / "boot_id"
        boot.write_text(f"{uuid.uuid4()}\n")
        self.init = subprocess.Popen(["unshare", "--pid", "--mount", "--fork", "--kill-child", "--mount-proc", "sh", "-c",
                                      INIT.format(boot=boot)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        if self.init.stdout.readline() == "up\n":
            return True
        self.init.wait()
        self.init = None
        return False

    def power_off(self):
        """Ends everything at once. The platform's files are all that is left."""
        if self.init is None:
            return
        kill(self.child_of(self.init.pid))
        self.init.wait()
        self.init = None
        deadline = time.monotonic() + 30
        while self.marked() and time.monotonic() < deadline:
            time.sleep(0.01)

    @staticmethod
    def child_of(pid):
        children = read(f"/proc/{pid}/task/{pid}/children").split()
        return int(children[0]) if children else 0

    def launch(self):
        command = [self.binary, "up", "--data-dir", str(self.data), "--api-port", "0", "--gateway-port", "0",
                   "--gateway-threads", "1", "--log-level", "info"]
        if self.init:
            command = ["nsenter", "--target", str(self.child_of(self.init.pid)), "--pid", "--mount", "--", *command]
        self.log = open(self.folder / "platform.log", "ab")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.pid = self.process.pid
        while self.init and self.process.poll() is None and self.pid == self.process.pid:
            self.pid = self.child_of(self.process.pid) or self.pid  # what nsenter starts

    def start(self):
        begun = time.monotonic()
        self.launch()
        ready = select.select([self.process.stdout], [], [], START_SECONDS)[0]
        line = self.process.stdout.readline() if ready else ""
        match = re.search(r"API https://[^:]+:(\d+)", line)
        if not match:
            raise RuntimeError(f"the platform did not start: {line!r}\n{self.log_text()}")
        self.starts.append(time.monotonic() - begun)
        self.port = int(match.group(1))
        if self.token is None:
            text = (self.data / "kubeconfig").read_text()
            self.token = re.search(r"token: \"?([^\"\s]+)", text).group(1)
            data = re.search(r"certificate-authority-data: \"?([^\"\s]+)", text).group(1)
            self.context = ssl.create_default_context(cadata=base64.b64decode(data).decode())
        self.generation += 1
        self.up.set()

    def start_and_kill(self, seconds):
        """A start that is cut short."""
        self.launch()
        select.select([self.process.stdout], [], [], seconds)
        self.kill()

    def kill(self):
        self.up.clear()
        kill(self.pid)
        self.process.wait()
        self.process.stdout.close()
        self.log.close()

    def log_text(self):
        return read(self.folder / "platform.log")[-3000:].decode(errors="replace")

    def close(self):
        if self.process and self.process.poll() is None:
            self.kill()
        self.power_off()
        for pid in self.marked():
            shim = stat_of(pid)
            if shim and read(f"/proc/{shim[1]}/comm") == b"slipway-shim\n":
                kill(shim[1])
            kill(pid)

    # The API

    def connect(self, timeout=60):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)

    def call(self, method, path, body=None, content_type="application/json"):
        """(status, answer) over this thread's connection; Down when the platform was killed meanwhile."""
        if not self.up.is_set():
            raise Down()
        try:
            if getattr(self.local, "generation", None) != self.generation:
                self.local.generation, self.local.connection = self.generation, self.connect()
            headers = {"Authorization": "Bearer " + self.token, "Content-Type": content_type}
            self.local.connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = self.local.connection.getresponse()
            return response.status, json.loads(response.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as e:
            self.local.generation = None
            if self.up.is_set() and self.process.poll() is not None:
                raise RuntimeError(f"the platform ended by itself\n{self.log_text()}") from e
            raise Down() from e

    # What runs

    def marked(self):
        """{pid: environment} of the processes of our containers; dead ones that only wait to be collected do not count."""
        found, mark = {}, b"CRASH_RUN=" + self.mark.encode()
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            text = read(f"/proc/{name}/environ")
            if mark in text and (stat_of(name) or ("Z",))[0] not in "ZX":
                found[int(name)] = dict(v.split("=", 1) for v in text.decode(errors="replace").split("\0") if "=" in v)
        return found

    def leaders(self, marked=None):
        """The containers' own programs: each leads its session."""
        out = []
        for pid, env in (self.marked() if marked is None else marked).items():
            stat = stat_of(pid)
            if stat and stat[0] not in "ZX" and stat[2] == pid:
                out.append(Leader(env.get("CRASH_UID"), env.get("CRASH_CONTAINER"), pid, stat[1], stat[3]))
        return out

    # The store, read while the platform is dead

    def read_log(self):
        """Takes over what was committed since the last look. Returns what is wrong with the file."""
        wrong = []
        copy = self.folder / "copy.db"
        for end in ("", "-wal", "-journal"):
            copy.with_name("copy.db" + end).unlink(missing_ok=True)
            if (self.data / ("state.db" + end)).exists():
                shutil.copyfile(self.data / ("state.db" + end), copy.with_name("copy.db" + end))
        db = sqlite3.connect(copy)
        try:
            state = db.execute("PRAGMA integrity_check").fetchone()[0]
            if state != "ok":
                return [f"the store is damaged: {state}"]
            newest = db.execute("SELECT max(rv) FROM revisions").fetchone()[0] or 0
            if newest < self.last:
                wrong.append(f"the store went back from revision {self.last} to {newest}")
            self.compacted = (db.execute("SELECT value FROM meta WHERE key='compacted'").fetchone() or [0])[0]
            if self.compacted > self.last > 0:
                raise RuntimeError("a round is longer than the history that is kept")
            for rv, resource, ns, name, deleted, value in db.execute(
                    "SELECT rv, resource, ns, name, deleted, value FROM revisions WHERE rv > ? ORDER BY rv", (self.last,)):
                if rv != self.last + 1 and self.last:
                    wrong.append(f"revisions {self.last + 1} to {rv - 1} are missing")
                self.last = rv
                if resource in KEPT:
                    self.rows[resource].append(self.row(rv, resource, ns, name, deleted, value))
        finally:
            db.close()
        return wrong

    @staticmethod
    def row(rv, resource, ns, name, deleted, value):
        o = json.loads(value)
        meta = o["metadata"]
        extra = None
        if resource == "pods":
            owner = next((r["uid"] for r in meta.get("ownerReferences", []) if r["kind"] == "ReplicaSet"), None)
            over = o.get("status", {}).get("phase") in ("Succeeded", "Failed")
            extra = (owner, not deleted and not over and "deletionTimestamp" not in meta)
        elif resource == "replicasets.apps":
            extra = o["spec"].get("replicas", 1)
        return Row(rv, ns, name, bool(deleted), meta.get("labels", {}), (o.get("data") or {}).get("v"), meta["uid"], extra)


KEPT = ("configmaps", "pods", "deployments.apps", "replicasets.apps")
