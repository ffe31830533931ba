"""The load that goes on through the kills: writers of ConfigMaps, rollouts of Deployments, pods that come and go."""
import collections
import random
import threading
import time

from machine import Down
from watches import NS

CORE, APPS = f"/api/v1/namespaces/{NS}", f"/apis/apps/v1/namespaces/{NS}"
MERGE, APPLY = "application/merge-patch+json", "application/apply-patch+yaml"
KEYS_PER_WRITER = 12
MOST_PODS = 6  # of one Pods thread at a time


class Gate:
    """Lets the load run, and waits until none of it is under way."""

    def __init__(self):
        self.changed = threading.Condition()
        self.open, self.inside = True, 0

    def __enter__(self):
        with self.changed:
            self.changed.wait_for(lambda: self.open)
            self.inside += 1

    def __exit__(self, *_):
        with self.changed:
            self.inside -= 1
            self.changed.notify_all()

    def close(self):
        with self.changed:
            self.open = False
            self.changed.wait_for(lambda: self.inside == 0)

    def reopen(self):
        with self.changed:
            self.open = True
            self.changed.notify_all()


class Worker(threading.Thread):
    """Does step() again and again while the platform is up."""
    pause = (0.0, 0.0)  # seconds between two steps

    def __init__(self, machine, ledger, gate, seed):
        super().__init__(daemon=True)
        self.machine, self.ledger, self.gate, self.random = machine, ledger, gate, random.Random(seed)
        self.running, self.error = True, None

    def run(self):
        while self.running:
            if not self.machine.up.wait(0.2):
                continue
            try:
                with self.gate:
                    self.step()
            except Down:
                time.sleep(0.005)
            except Exception as e:
                self.error = f"{type(self).__name__}: {e!r}"
                return
            if self.pause[1]:
                time.sleep(self.random.uniform(*self.pause))

    def expect(self, answer, *good):
        """The body of an answer with one of these statuses."""
        status, body = answer
        if status not in good:
            raise RuntimeError(f"{status} {body.get('message') if body else ''}")
        return body


class Ledger:
    """What was acknowledged: writes of ConfigMaps until they are found in the log, and how many there were."""

    def __init__(self):
        self.lock = threading.Lock()
        self.pending = []  # (key, value, rv), of a delete (key, None, version before it)
        self.acknowledged = 0

    def note(self, key, value, rv):
        with self.lock:
            self.acknowledged += 1
            self.pending.append((key, value, rv))

    def count(self):
        with self.lock:
            self.acknowledged += 1

    def check(self, rows):
        """Which acknowledged writes are not among these rows."""
        with self.lock:
            pending, self.pending = self.pending, []
        by_version = {r.rv: r for r in rows}
        gone = collections.defaultdict(list)
        for r in rows:
            if r.deleted:
                gone[r.name].append(r.rv)
        lost = []
        for key, value, rv in pending:
            row = by_version.get(rv)
            kept = any(v > rv for v in gone[key]) if value is None else row and (row.name, row.value) == (key, value)
            if not kept:
                lost.append(f"acknowledged write of {key} ({value!r}, {rv}) is not in the log: {row}")
        return lost


class Writer(Worker):
    """Owns its keys: knows what each must hold, or what else it may hold after a write whose answer never came."""

    def __init__(self, machine, ledger, gate, seed, number):
        super().__init__(machine, ledger, gate, seed)
        self.number, self.known, self.doubt = number, {}, {}

    def step(self):
        if self.random.random() < 0.1:
            return self.increment()
        key = f"w{self.number}-{self.random.randrange(KEYS_PER_WRITER)}"
        if key in self.doubt:
            self.settle(key)
        return self.write(key)

    def settle(self, key):
        status, body = self.machine.call("GET", f"{CORE}/configmaps/{key}")
        found = (body["data"]["v"], int(body["metadata"]["resourceVersion"])) if status == 200 else None
        wanted, before = self.doubt[key], self.known.get(key)
        if found != before and (found and found[0]) != wanted:
            raise RuntimeError(f"{key}: acknowledged {before}, in flight {wanted!r}, found {found}")
        del self.doubt[key]
        self.remember(key, found)

    def remember(self, key, what):
        if what:
            self.known[key] = what
        else:
            self.known.pop(key, None)

    def write(self, key):
        before = self.known.get(key)
        value = None if before and self.random.random() < 0.15 else f"{self.random.getrandbits(64):x}"
        labels = {"half": self.random.choice("ab")}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": key, "labels": labels}, "data": {"v": value}}
        path = f"{CORE}/configmaps/{key}"
        self.doubt[key] = value
        if value is None:
            answer = self.machine.call("DELETE", path)
        elif not before:
            answer = self.machine.call("POST", f"{CORE}/configmaps", body)
        else:
            how = self.random.choice(("PUT", MERGE, APPLY))
            answer = (self.machine.call("PUT", path, body) if how == "PUT" else
                      self.machine.call("PATCH", path + ("?fieldManager=crash&force=true" if how == APPLY else ""), body, how))
        body = self.expect(answer, 200, 201)
        rv = before[1] if value is None else int(body["metadata"]["resourceVersion"])
        self.ledger.note(key, value, rv)
        self.remember(key, None if value is None else (value, rv))
        del self.doubt[key]

    def increment(self):
        """One counter that all writers add to: none may overwrite another's."""
        path = f"{CORE}/configmaps/counter"
        o = self.expect(self.machine.call("GET", path), 200)
        o["data"]["v"] = str(int(o["data"]["v"]) + 1)
        status, body = answer = self.machine.call("PUT", path, o)
        if status != 409:
            self.expect(answer, 200)
            self.ledger.note("counter", body["data"]["v"], int(body["metadata"]["resourceVersion"]))


def pod_spec(machine, containers, policy="Always", init=()):
    env = [{"name": "CRASH_RUN", "value": machine.mark},
           {"name": "CRASH_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}}]

    def container(name, script):
        return {"name": name, "image": "local", "command": ["/bin/sh", "-c", script],
                "env": [*env, {"name": "CRASH_CONTAINER", "value": name}],
                "volumeMounts": [{"name": "runs", "mountPath": "/runs"}, {"name": "memory", "mountPath": "/memory"}]}
    return {"restartPolicy": policy, "terminationGracePeriodSeconds": 2,
            "volumes": [{"name": "runs", "hostPath": {"path": str(machine.runs)}}, {"name": "memory", "emptyDir": {"medium": "Memory"}}],
            "containers": [container(n, s) for n, s in containers],
            **({"initContainers": [container(n, s) for n, s in init]} if init else {})}


# A program with a child, as servers have.
SERVE = "echo up > /memory/up; sleep 100000 & wait"
RECORD = "echo run >> /runs/$CRASH_UID; "


class Pods(Worker):
    """Makes pods of each sort and deletes them again."""
    pause = (0.02, 0.2)

    def __init__(self, machine, ledger, gate, seed, number):
        super().__init__(machine, ledger, gate, seed)
        self.number, self.made = number, 0
        self.alive, self.gone, self.doubt = {}, set(), {}  # name -> uid; names; name -> True: to be made, False: to be deleted

    def step(self):
        for name in list(self.doubt):
            self.settle(name)
        if len(self.alive) < MOST_PODS and (not self.alive or self.random.random() < 0.55):
            self.create()
        else:
            self.delete(self.random.choice(list(self.alive)))

    def settle(self, name):
        status, body = self.machine.call("GET", f"{CORE}/pods/{name}")
        creating = self.doubt.pop(name)
        if status == 200 and "deletionTimestamp" not in body["metadata"]:
            self.alive[name] = body["metadata"]["uid"]
        elif status == 404 and creating:
            self.gone.add(name)
        else:
            self.alive.pop(name, None)
            self.gone.add(name)

    def create(self):
        self.made += 1
        kind = self.random.choice(("once", "once", "retry", "keep", "pair"))
        short = f"sleep {self.random.uniform(0, 0.4):.2f}"
        spec = {"once": lambda: pod_spec(self.machine, [("main", RECORD + short)], "Never"),
                "retry": lambda: pod_spec(self.machine, [("main", RECORD + short + "; test $(wc -l < /runs/$CRASH_UID) -ge 2")], "OnFailure"),
                "keep": lambda: pod_spec(self.machine, [("main", SERVE)], init=[("before", short)]),
                "pair": lambda: pod_spec(self.machine, [("main", SERVE), ("beside", SERVE)])}[kind]()
        name = f"{kind}-{self.number}-{self.made}"
        self.doubt[name] = True
        body = self.expect(self.machine.call("POST", f"{CORE}/pods", {"metadata": {"name": name, "labels": {"kind": kind}}, "spec": spec}), 201)
        self.alive[name] = body["metadata"]["uid"]
        del self.doubt[name]
        self.ledger.count()

    def delete(self, name):
        self.doubt[name] = False
        grace = self.random.choice(("", "?gracePeriodSeconds=0", "?gracePeriodSeconds=1"))
        self.expect(self.machine.call("DELETE", f"{CORE}/pods/{name}{grace}"), 200, 202)
        self.alive.pop(name)
        self.gone.add(name)
        del self.doubt[name]
        self.ledger.count()


class Rollout(Worker):
    """Scales one Deployment, changes its template, and at times deletes it and makes it anew."""
    pause = (0.05, 0.5)

    def __init__(self, machine, ledger, gate, seed, number):
        super().__init__(machine, ledger, gate, seed)
        self.name, self.version, self.replicas, self.rollouts = f"roll-{number}", 0, 2, 0
        self.path = f"{APPS}/deployments/{self.name}"

    def template(self):
        spec = pod_spec(self.machine, [("main", SERVE)])
        return {"metadata": {"labels": {"app": self.name, "version": f"v{self.version}"}}, "spec": spec}

    def make(self):
        body = {"metadata": {"name": self.name}, "spec": {"replicas": self.replicas, "selector": {"matchLabels": {"app": self.name}},
                "template": self.template(), "strategy": self.random.choice(({}, {}, {"type": "Recreate"}))}}
        status, _ = answer = self.machine.call("POST", f"{APPS}/deployments", body)
        self.expect(answer, 201, 409)
        if status == 201:
            self.ledger.count()

    def step(self):
        status, _ = self.machine.call("GET", self.path)
        if status == 404:
            return self.make()
        what = self.random.random()
        if what < 0.04:
            how = self.random.choice(("Background", "Foreground"))
            self.expect(self.machine.call("DELETE", f"{self.path}?propagationPolicy={how}"), 200, 404)
        else:
            self.replicas = self.random.randrange(4) if what < 0.5 else self.replicas
            self.version += what >= 0.4
            self.rollouts += what >= 0.4
            self.put()
        return self.ledger.count()

    def put(self):
        """Writes what is wanted now; again after a crash, when nobody knows whether it was taken."""
        patch = {"spec": {"replicas": self.replicas, "template": self.template()}}
        status, body = self.machine.call("PATCH", self.path, patch, "application/strategic-merge-patch+json")
        if status not in (200, 404):
            raise RuntimeError(f"{status} {body.get('message')}")
        return status == 200
