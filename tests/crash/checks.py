"""What must be true of pods: while the load runs, and when it rests."""
import time

from load import CORE, APPS, Pods, Rollout
from machine import stat_of

SETTLE_SECONDS = 90  # on a machine that others use too
RECENT = 400         # revisions that a controller may lag behind


def pods_of(machine):
    return machine.call("GET", f"{CORE}/pods")[1]["items"]


def condition(o, kind):
    return next((c["status"] for c in o.get("status", {}).get("conditions", []) if c["type"] == kind), "")


def over(pod):
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def twice(leaders):
    """Containers that run more than once."""
    seen, double = set(), []
    for leader in leaders:
        key = (leader.uid, leader.container)
        if key in seen:
            double.append(f"container {leader.container} of pod {leader.uid} runs twice")
        seen.add(key)
    return double


class Surplus:
    """Reads in the log whether a ReplicaSet ever had more pods than it had wanted just before."""

    def __init__(self):
        self.wants, self.pods, self.at = {}, {}, {"pods": 0, "replicasets.apps": 0}

    def check(self, machine):
        rows = []
        for resource in self.at:
            rows += [(r.rv, resource, r) for r in machine.rows[resource][self.at[resource]:]]
            self.at[resource] = len(machine.rows[resource])
        wrong = []
        for rv, resource, row in sorted(rows, key=lambda r: r[0]):
            if resource != "pods":
                self.wants.setdefault(row.uid, []).append((rv, 0 if row.deleted else row.extra))
                continue
            owner, active = row.extra
            mine = self.pods.setdefault(owner, set()) if owner else set()
            fresh = active and row.uid not in mine
            (mine.add if active else mine.discard)(row.uid)
            if not owner or not fresh:
                continue
            wants = self.wants.get(owner, [(0, 0)])
            most = max(w for i, (v, w) in enumerate(wants) if v > rv - RECENT or i + 1 == len(wants) or wants[i + 1][0] > rv - RECENT)
            if len(mine) > most:
                wrong.append(f"pod {row.name} at {rv} is number {len(mine)} of a ReplicaSet that wanted {most} at most")
        return wrong


class Resting:
    """What is not yet, or not any more, as it should be once the load rests."""

    def __init__(self, machine, workers, touched):
        self.machine, self.touched = machine, touched  # touched: uids of pods whose processes were killed on purpose
        self.makers = [w for w in workers if isinstance(w, Pods)]
        self.rollouts = [w for w in workers if isinstance(w, Rollout)]
        self.checked = 0

    def problems(self):
        m = self.machine
        marked = m.marked()
        pods = pods_of(m)
        leaders = m.leaders(marked)
        runs = {(l.uid, l.container) for l in leaders}
        live = {p["metadata"]["uid"]: p for p in pods}
        found = list(twice(leaders))
        for pid, env in marked.items():
            pod = live.get(env.get("CRASH_UID"))
            if (pod is None or over(pod)) and stat_of(pid):
                found.append(f"orphan: process {pid} of pod {env.get('CRASH_UID')} ({'none' if pod is None else pod['metadata']['name']})")
        for pod in pods:
            found += self.pod_problems(pod, runs)
        ips = [p["status"]["podIP"] for p in pods if not over(p) and p.get("status", {}).get("podIP")]
        found += [f"address {ip} is given to two pods" for ip in set(ips) if ips.count(ip) > 1]
        for folder in (m.data / "pods").iterdir():
            if folder.name not in live:
                found.append(f"folder of a pod that is gone: {folder.name}")
        names = {p["metadata"]["name"]: p["metadata"]["uid"] for p in pods}
        for maker in self.makers:
            found += [f"pod {n} was acknowledged and is not there" for n, uid in maker.alive.items() if names.get(n) != uid]
            found += [f"pod {n} was deleted and is there" for n in maker.gone if n in names]
        for rollout in self.rollouts:
            found += self.rollout_problems(rollout, pods)
        self.checked = len(pods)
        return found

    def pod_problems(self, pod, runs):
        meta, status = pod["metadata"], pod.get("status", {})
        uid, name, kind = meta["uid"], meta["name"], meta.get("labels", {}).get("kind")
        if "deletionTimestamp" in meta:
            return [f"pod {name} is still being deleted"]
        if kind in ("once", "retry"):
            record = self.machine.runs / uid
            count = len(record.read_text().splitlines()) if record.exists() else 0
            wanted = 1 if kind == "once" else 2
            if kind == "once" and count > 1:
                return [f"pod {name} ran {count} times instead of once"]
            if uid in self.touched:
                return [] if over(pod) else [f"pod {name} that was killed is {status.get('phase')}"]
            good = status.get("phase") == "Succeeded" and count == wanted
            return [] if good else [f"pod {name} is {status.get('phase')} after {count} runs: {status.get('containerStatuses')}"]
        out = [f"container {c['name']} of pod {name} does not run: {status.get('containerStatuses')}"
               for c in pod["spec"]["containers"] if (uid, c["name"]) not in runs]
        if condition(pod, "Ready") != "True":
            out.append(f"pod {name} is not ready: {status.get('phase')} {status.get('containerStatuses')}")
        return out

    def rollout_problems(self, rollout, pods):
        status, o = self.machine.call("GET", rollout.path)
        if status == 404:  # its deletion has just come to its end
            rollout.make()
        if status != 200:
            return [f"deployment {rollout.name}: {status}"]
        s, wanted = o.get("status", {}), o["spec"]["replicas"]
        mine = [p for p in pods if p["metadata"].get("labels", {}).get("app") == rollout.name]
        versions = {p["metadata"]["labels"]["version"] for p in mine}
        counts = [s.get(k, 0) for k in ("replicas", "updatedReplicas", "availableReplicas")]
        out = []
        if "deletionTimestamp" in o["metadata"] or s.get("observedGeneration") != o["metadata"]["generation"] or counts != [wanted] * 3:
            out.append(f"deployment {rollout.name} wants {wanted}, has {s}")
        if len(mine) != wanted or versions - {f"v{rollout.version}"}:
            out.append(f"deployment {rollout.name} wants {wanted} of v{rollout.version}, pods {[p['metadata']['name'] for p in mine]} {versions}")
        return out


def finish_load(workers):
    """The last word of every worker whose last write was not answered."""
    for worker in workers:
        if isinstance(worker, Pods):
            for name in list(worker.doubt):
                worker.settle(name)
        if isinstance(worker, Rollout) and not worker.put():
            worker.make()


def settle(resting):
    """Waits until nothing is wrong; what still is after that. Returns (problems, seconds)."""
    begun = time.monotonic()
    while True:
        problems = resting.problems()
        if not problems or time.monotonic() - begun > SETTLE_SECONDS:
            return problems, time.monotonic() - begun
        if any("twice" in p or "instead of once" in p for p in problems):
            return problems, time.monotonic() - begun
        time.sleep(0.05)
