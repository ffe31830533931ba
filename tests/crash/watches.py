"""Watches that go on through crashes, and the proof that each saw what the log says: every event once, in order."""
import http.client
import json
import random
import threading
import time

from machine import Down

NS = "crash"


class Watcher(threading.Thread):
    """Follows one resource, each time from the last version that it saw.

    rest: seconds of sleep before it resumes, so that it asks for older and older versions; relist: lists anew each time, as a client
    does that has lost its place."""

    def __init__(self, machine, resource, path, selector=None, rest=0, relist=False):
        super().__init__(daemon=True)
        self.machine, self.resource, self.path, self.selector, self.rest, self.relist = machine, resource, path, selector, rest, relist
        self.last = None
        self.lock = threading.Lock()
        self.seen = []  # (kind, rv, details), not checked yet
        self.running = True
        self.error = None
        self.replay = Replay(self)

    @property
    def name(self):
        extra = ", selector" if self.selector else ""
        return f"watch of {self.resource}{extra}{', lists anew' if self.relist else ''}{f', rests {self.rest} s' if self.rest else ''}"

    @name.setter
    def name(self, _):
        pass

    def note(self, *what):
        with self.lock:
            self.seen.append(what)

    def take(self):
        with self.lock:
            seen, self.seen = self.seen, []
        return seen

    def run(self):
        while self.running:
            if not self.machine.up.wait(0.2):
                continue
            try:
                if self.last is None or self.relist:
                    self.list()
                self.follow()
            except (Down, OSError, http.client.HTTPException, ValueError):
                time.sleep(0.01)
            except Exception as e:
                self.error = f"{self.name}: {e!r}"
                return
            begun = time.monotonic()
            while self.running and time.monotonic() - begun < self.rest:
                time.sleep(0.1)

    def query(self):
        return f"&labelSelector={self.selector[0]}%3D{self.selector[1]}" if self.selector else ""

    def list(self):
        status, answer = self.machine.call("GET", f"{self.path}?{self.query()[1:]}")
        if status != 200:
            raise RuntimeError(f"list: {status} {answer.get('message')}")
        versions = {(o["metadata"]["namespace"], o["metadata"]["name"]): int(o["metadata"]["resourceVersion"])
                    for o in answer["items"]}
        self.last = int(answer["metadata"]["resourceVersion"])
        self.note("LIST", self.last, versions)

    def follow(self):
        connection = self.machine.connect(timeout=120)
        try:
            # It ends with a bookmark, from which the next one goes on.
            query = f"watch=true&allowWatchBookmarks=true&timeoutSeconds={random.choice((1, 2))}&resourceVersion={self.last}"
            connection.request("GET", f"{self.path}?{query}{self.query()}",
                               None, {"Authorization": "Bearer " + self.machine.token})
            response = connection.getresponse()
            if response.status == 410:
                return self.expired()
            if response.status != 200:
                raise RuntimeError(f"{response.status} {response.read(300)!r}")
            while self.running:
                line = response.readline()
                if not line.endswith(b"\n"):
                    return None
                if self.take_event(json.loads(line)):
                    return None
        finally:
            connection.close()
        return None

    def take_event(self, event):
        """True when the watch is over."""
        o = event["object"]
        if event["type"] == "ERROR":
            if o.get("code") != 410:
                raise RuntimeError(f"from {self.last}: {o.get('message')}")
            self.expired()
            return True
        meta = o["metadata"]
        self.last = int(meta["resourceVersion"])
        if event["type"] == "BOOKMARK":
            self.note("BOOKMARK", self.last, None)
        else:
            self.note(event["type"], self.last, (meta["namespace"], meta["name"], meta["uid"], (o.get("data") or {}).get("v")))
        return False

    def expired(self):
        self.note("EXPIRED", self.last, None)
        self.last = None


class Replay:
    """Walks the log beside what a watcher saw."""

    def __init__(self, watcher):
        self.watcher = watcher
        self.at = 0        # index of the next row
        self.objects = {}  # (ns, name) -> (rv, matched, details)
        self.place = 0     # revision up to which the watcher has seen everything
        self.events = self.relists = 0

    def matches(self, row):
        s, namespaced = self.watcher.selector, "/namespaces/" in self.watcher.path
        return not row.deleted and (not namespaced or row.ns == NS) and (s is None or row.labels.get(s[0]) == s[1])

    def step(self, row):
        """The event that this row is, or None."""
        key, now = (row.ns, row.name), self.matches(row)
        details = (row.ns, row.name, row.uid, row.value)
        _, before, old = self.objects.get(key, (0, False, None))
        if row.deleted:
            self.objects.pop(key, None)
        else:
            self.objects[key] = (row.rv, now, details)
        if now:
            return ("MODIFIED" if before else "ADDED", row.rv, details)
        # What no longer matches is shown as it was.
        return ("DELETED", row.rv, old) if before else None

    def to(self, rows, rv):
        """Everything up to rv; the events passed over."""
        passed = []
        while self.at < len(rows) and rows[self.at].rv <= rv:
            event = self.step(rows[self.at])
            self.at += 1
            if event:
                passed.append(event)
        return passed

    def check(self, machine):
        """Compares what was seen up to the newest row. Returns what is wrong: (missed, twice or other, text)."""
        rows, wrong = machine.rows[self.watcher.resource], []
        seen = self.watcher.take()
        for number, (kind, rv, details) in enumerate(seen):
            if rv > machine.last:  # seen after the log was read
                with self.watcher.lock:
                    self.watcher.seen = seen[number:] + self.watcher.seen
                break
            wrong += self.check_one(rows, machine, kind, rv, details)
        return [(what, f"{self.watcher.name}: {text}") for what, text in wrong]

    def check_one(self, rows, machine, kind, rv, details):
        if kind == "EXPIRED":
            self.relists += 1
            return [] if rv < machine.compacted else [("other", f"{rv} was called too old, compacted is {machine.compacted}")]
        passed = self.to(rows, rv)
        before, self.place = self.place, max(self.place, rv)
        if kind == "LIST":
            expected = {key: version for key, (version, matched, _) in self.objects.items() if matched}
            return [] if details == expected else [("other", f"list at {rv}: {difference(details, expected)}")]
        if kind == "BOOKMARK":
            return [("missed", f"missed {p}, bookmark {rv}") for p in passed]
        self.events += 1
        wrong = []
        if rv <= before:
            wrong = [("twice", f"saw {(kind, rv, details)} after {before}")]
        elif not passed or passed.pop() != (kind, rv, details):
            wrong = [("other", f"saw {(kind, rv, details)}, which the log does not have")]
        return wrong + [("missed", f"missed {p}") for p in passed]


def difference(a, b):
    return {k: (a.get(k), b.get(k)) for k in set(a) | set(b) if a.get(k) != b.get(k)}


def watchers(machine):
    core, apps = f"/api/v1/namespaces/{NS}", f"/apis/apps/v1/namespaces/{NS}"
    return [Watcher(machine, "configmaps", f"{core}/configmaps"),
            Watcher(machine, "configmaps", f"{core}/configmaps", selector=("half", "a")),
            Watcher(machine, "configmaps", f"{core}/configmaps", relist=True),
            Watcher(machine, "configmaps", f"{core}/configmaps", rest=10),
            Watcher(machine, "configmaps", f"{core}/configmaps", rest=75),  # longer than history is kept: told so, lists anew
            Watcher(machine, "pods", "/api/v1/pods"),
            Watcher(machine, "pods", "/api/v1/pods", selector=("kind", "once"), rest=3),
            Watcher(machine, "deployments.apps", f"{apps}/deployments")]
