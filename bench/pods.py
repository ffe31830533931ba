"""How many pods one machine holds: 500 of a tiny program, from `kubectl create` to the last one Ready, then at rest."""
import json
import pathlib
import subprocess
import time

from conftest import Platform, wait_for

PODS = 500


def manifest(replicas):
    container = {"name": "main", "image": "local", "command": ["/bin/sleep", "100000"]}
    return json.dumps({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "tiny"},
                       "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "tiny"}},
                                "template": {"metadata": {"labels": {"app": "tiny"}},
                                             "spec": {"terminationGracePeriodSeconds": 1, "containers": [container]}}}})


def rollup_kb(pid, field):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def shims():
    names = subprocess.run(["pgrep", "-x", "slipway-shim"], capture_output=True, text=True).stdout.split()
    return [int(n) for n in names]


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def measure(work, pods=PODS, rest=20):
    """Seconds until all are ready; MB of the platform and of one shim; percent of a core that the platform takes at rest."""
    platform = Platform(work / "pods")
    try:
        before = set(shims())
        start = time.monotonic()
        platform.kubectl("create", "-f", "-", stdin=manifest(pods))
        wait_for(lambda: platform.kubectl("get", "deploy", "tiny", "-o", "jsonpath={.status.readyReplicas}").stdout == str(pods),
                 f"{pods} pods ready", 180)
        ready = time.monotonic() - start
        own = [p for p in shims() if p not in before]
        shim = sum(rollup_kb(p, "Pss") for p in own) / max(1, len(own)) / 1024
        time.sleep(3)  # what the rollout has left to write
        used, since = cpu_seconds(platform.process.pid), time.monotonic()
        time.sleep(rest)
        percent = 100 * (cpu_seconds(platform.process.pid) - used) / (time.monotonic() - since)
        memory = rollup_kb(platform.process.pid, "Rss") / 1024
        return {"ready": ready, "memory": memory, "shim": shim, "percent": percent, "shims": len(own)}
    finally:
        platform.stop()


def bench(table, work):
    got = measure(work)
    table.add(f"{PODS} pods of a tiny program, create to all Ready, s", f"{got['ready']:.1f}", "-", f"{got['ready']:.1f} s",
              "< 30 s", got["ready"] < 30)
    table.add(f"platform with {PODS} pods, MB resident", f"{got['memory']:.0f}", "-", f"{got['memory']:.0f} MB", "< 100 MB",
              got["memory"] < 100)
    table.add(f"platform with {PODS} idle pods, % of a core over 20 s", f"{got['percent']:.2f}", "-", f"{got['percent']:.2f} %",
              "< 5 %", got["percent"] < 5)
    table.add("one container's shim, MB proportional", f"{got['shim']:.2f}", "-", f"{got['shim']:.2f} MB", "< 2 MB",
              got["shim"] < 2)
