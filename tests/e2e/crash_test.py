#!/usr/bin/env python3
"""Kills the embedded API server with SIGKILL at random points under a concurrent write load and checks what it promised:

  - no acknowledged write is lost: each object has the last acknowledged value, or that of the one write in flight at the kill
  - resource versions never go back
  - a watch that resumes where it was cut sees every acknowledged write exactly once, in order

Usage: crash_test.py --binary build/release/slipway [--rounds 200] [--writers 6] [--seed N]; under pytest 10 rounds, or as many as
SLIPWAY_CRASH_ROUNDS says.
Prints one line at the end; exit status 1 with the reason when a promise is broken. The seed is printed to repeat a run.
"""
import argparse
import base64
import http.client
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import threading
import time

PATH = "/api/v1/namespaces/default/configmaps"
KEYS_PER_WRITER = 20


class Broken(Exception):
    pass


class Server:
    def __init__(self, binary, folder):
        self.binary, self.folder, self.process, self.port, self.token, self.context = binary, folder, None, None, None, None
        self.starts = []

    def start(self):
        begun = time.monotonic()
        self.process = subprocess.Popen([self.binary, "apiserver", "--data-dir", self.folder, "--api-port", "0"],
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        match = re.search(r"API https://[^:]+:(\d+)", line)
        if not match:
            raise Broken("the server did not start: " + line + self.process.stderr.read())
        self.starts.append(time.monotonic() - begun)
        self.port = int(match.group(1))
        if self.token is None:
            text = open(os.path.join(self.folder, "kubeconfig"), encoding="utf-8").read()
            self.token = re.search(r"token: \"?([^\"\s]+)", text).group(1)
            data = re.search(r"certificate-authority-data: \"?([^\"\s]+)", text).group(1)
            self.context = ssl.create_default_context(cadata=base64.b64decode(data).decode())

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()

    def connect(self, timeout=10):
        return http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=timeout)

    def call(self, connection, method, path, body=None, content_type="application/json"):
        headers = {"Authorization": "Bearer " + self.token, "Content-Type": content_type}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read() or b"null")


class Ledger:
    """What the server acknowledged, and the write of each key whose answer is still out."""

    def __init__(self):
        self.lock = threading.Lock()
        self.values = {}        # key -> value, absent: deleted or never made
        self.in_flight = {}     # key -> value (None: a delete)
        self.versions = {}      # resourceVersion -> (key, value or None) of acknowledged writes
        self.acknowledged = 0
        self.highest = 0

    def begin(self, key, value):
        with self.lock:
            self.in_flight[key] = value

    def done(self, key, value, version):
        with self.lock:
            self.in_flight.pop(key, None)
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
                if version in self.versions:
                    raise Broken(f"resourceVersion {version} was given out twice")
                self.versions[version] = (key, value)
                self.highest = max(self.highest, version)
            self.acknowledged += 1


class Writer(threading.Thread):
    def __init__(self, server, ledger, number, seed, stop):
        super().__init__(daemon=True)
        self.server, self.ledger, self.number, self.stop = server, ledger, number, stop
        self.random = random.Random(seed)
        self.error = None

    def run(self):
        try:
            connection = self.server.connect()
            while not self.stop.is_set():
                self.write(connection, f"w{self.number}-{self.random.randrange(KEYS_PER_WRITER)}")
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the server was killed
        except Broken as e:
            self.error = e

    def write(self, connection, key):
        with self.ledger.lock:
            exists = key in self.ledger.values
        value = f"{self.random.getrandbits(64):x}"
        if not exists:
            method, path, body, kind = "POST", PATH, {"metadata": {"name": key}, "data": {"v": value}}, "application/json"
        elif self.random.random() < 0.15:
            method, path, body, kind, value = "DELETE", f"{PATH}/{key}", None, "application/json", None
        else:
            method, path, body, kind = "PATCH", f"{PATH}/{key}", {"data": {"v": value}}, "application/merge-patch+json"
        self.ledger.begin(key, value)
        status, answer = self.server.call(connection, method, path, body, kind)
        if status not in (200, 201):
            raise Broken(f"{method} {key}: {status} {answer.get('message')}")
        version = int(answer["metadata"].get("resourceVersion", 0)) if value is not None else 0
        self.ledger.done(key, value, version)


class Watcher(threading.Thread):
    """Follows the config maps across crashes, each time from the last version it saw."""

    def __init__(self, server, start):
        super().__init__(daemon=True)
        self.server, self.last, self.seen, self.error, self.ended = server, start, {}, None, threading.Event()
        self.running = True

    def run(self):
        while self.running:
            try:
                self.follow()
            except (OSError, http.client.HTTPException, ValueError):
                self.ended.set()
                time.sleep(0.005)
            except Broken as e:
                self.error = e
                return

    def follow(self):
        connection = self.server.connect(timeout=30)
        connection.request("GET", f"{PATH}?watch=true&resourceVersion={self.last}", None, {"Authorization": "Bearer " + self.server.token})
        response = connection.getresponse()
        while self.running:
            line = response.readline()
            if not line.endswith(b"\n"):
                raise ValueError("cut")
            event = json.loads(line)
            if event["type"] == "ERROR":
                raise Broken(f"watch from {self.last}: {event['object'].get('message')}")
            version = int(event["object"]["metadata"]["resourceVersion"])
            if version <= self.last:
                raise Broken(f"watch: event {version} after {self.last}")
            value = None if event["type"] == "DELETED" else event["object"]["data"].get("v")
            self.seen[version] = (event["object"]["metadata"]["name"], value)
            self.last = version


def check(server, ledger, watcher):
    """After a restart: the objects, the versions, and that the watch caught up."""
    status, answer = server.call(server.connect(), "GET", PATH)
    if status != 200:
        raise Broken(f"list: {status}")
    now = int(answer["metadata"]["resourceVersion"])
    if now < ledger.highest:
        raise Broken(f"resourceVersion went back: {now} after {ledger.highest}")
    found = {o["metadata"]["name"]: o for o in answer["items"] if o["metadata"]["name"].startswith("w")}
    for key in set(ledger.values) | set(found) | set(ledger.in_flight):
        actual = found[key]["data"]["v"] if key in found else None
        allowed = {ledger.values.get(key)}
        if key in ledger.in_flight:
            allowed.add(ledger.in_flight[key])
        if actual not in allowed:
            raise Broken(f"{key}: acknowledged {ledger.values.get(key)}, in flight {ledger.in_flight.get(key)}, found {actual}")
    newest = max([int(o["metadata"]["resourceVersion"]) for o in found.values()] or [0])
    deadline = time.monotonic() + 10
    while watcher.last < newest and watcher.error is None:
        if time.monotonic() > deadline:
            raise Broken(f"the watch did not catch up: at {watcher.last}, newest {newest}")
        time.sleep(0.002)
    if watcher.error:
        raise watcher.error
    for version, write in ledger.versions.items():
        if version <= watcher.last and watcher.seen.get(version) != write:
            raise Broken(f"watch: version {version} should be {write}, was {watcher.seen.get(version)}")
    # The next round starts from what is there.
    ledger.values = {k: o["data"]["v"] for k, o in found.items()}
    ledger.in_flight, ledger.versions = {}, {}
    ledger.highest = max(ledger.highest, now)
    watcher.seen = {}


def run(options):
    random.seed(options.seed)
    folder = tempfile.mkdtemp(prefix="slipway-crash-")
    server, ledger = Server(options.binary, folder), Ledger()
    try:
        server.start()
        watcher = Watcher(server, int(server.call(server.connect(), "GET", PATH)[1]["metadata"]["resourceVersion"]))
        watcher.start()
        for number in range(options.rounds):
            stop = threading.Event()
            writers = [Writer(server, ledger, i, random.getrandbits(32), stop) for i in range(options.writers)]
            for w in writers:
                w.start()
            time.sleep(random.uniform(0.005, 0.15))
            server.kill()
            stop.set()
            for w in writers:
                w.join()
            broken = next((w.error for w in writers if w.error), None)
            if broken:
                raise broken
            server.start()
            check(server, ledger, watcher)
        watcher.running = False
        starts = sorted(server.starts)
        print(f"crash test: {options.rounds} kills, {ledger.acknowledged} acknowledged writes, none lost; "
              f"start {1000 * starts[len(starts) // 2]:.0f} ms median, {1000 * starts[-1]:.0f} ms worst; seed {options.seed}")
        return 0
    except Broken as e:
        print(f"crash test: {e} (seed {options.seed}, data in {folder})", file=sys.stderr)
        folder = None
        return 1
    finally:
        if server.process and server.process.poll() is None:
            server.kill()
        if folder:
            shutil.rmtree(folder, ignore_errors=True)


def test_acknowledged_writes_survive_kill_9():
    rounds = int(os.environ.get("SLIPWAY_CRASH_ROUNDS", "10"))
    binary = os.environ.get("SLIPWAY_BIN", "build/release/slipway")
    assert run(argparse.Namespace(binary=binary, rounds=rounds, writers=6, seed=random.SystemRandom().randrange(1 << 32))) == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/slipway")
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("SLIPWAY_CRASH_ROUNDS", "10")))
    parser.add_argument("--writers", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    sys.exit(run(parser.parse_args()))


if __name__ == "__main__":
    main()
