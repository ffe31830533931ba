#!/usr/bin/env python3
"""Kills the platform with signal 9 at random moments under a mixed load, again and again, and checks what it promises:

  - no acknowledged write is lost, and the store is sound
  - no event is missed or seen twice by a watch that resumes where it was cut
  - a pod that should run runs exactly once: a crash restarts no container, a reboot starts each one again
  - no process and no folder outlives its pod; rollouts come to their end

A round: the load runs for a moment, the platform is killed, its store is read and compared with what clients saw, it starts again. In some
rounds a container or its shim is killed too, or a start is cut short, or the whole machine loses its power. Every few rounds the load rests
until everything is as it should be.

Exit status 1 when a promise is broken; the data then stay for a look. --totals FILE adds the run to those before and prints them all.
"""
import argparse
import json
import os
import pathlib
import random
import shutil
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(__file__))

import checks
from load import CORE, Gate, Ledger, Pods, Rollout, Worker, Writer
from machine import Machine, kill, stat_of
from watches import NS, watchers

BEGIN, END = "<!-- result -->", "<!-- /result -->"
REST_EVERY = 10    # rounds
REBOOT_EVERY = 25
COUNTS = ("rounds", "cut", "containers", "shims", "reboots", "acknowledged", "events", "relists", "kept", "pods", "rollouts",
          "lost", "missed", "twice", "duplicated", "orphans", "other")


class Run:
    def __init__(self, options, folder):
        self.options, self.random = options, random.Random(options.seed)
        self.machine, self.ledger, self.gate = Machine(options.binary, folder), Ledger(), Gate()
        self.totals = dict.fromkeys(COUNTS, 0)
        self.wrong, self.touched, self.settling = [], set(), []
        self.surplus = checks.Surplus()
        self.checked_rows = 0

    def fault(self, count, problems):
        """Counts broken promises and says them."""
        self.totals[count] += len(problems)
        for p in problems:
            self.wrong.append(p)
            if len(self.wrong) <= 20:
                print(f"round {self.totals['rounds']}: {p}", file=sys.stderr, flush=True)

    def begin(self):
        m = self.machine
        m.start()
        make = Worker(m, self.ledger, self.gate, 0)
        make.expect(m.call("POST", "/api/v1/namespaces", {"metadata": {"name": NS}}), 201)
        make.expect(m.call("POST", f"{CORE}/configmaps", {"metadata": {"name": "counter"}, "data": {"v": "0"}}), 201)
        workers = [Writer(m, self.ledger, self.gate, self.random.random(), i) for i in range(4)]
        workers += [Pods(m, self.ledger, self.gate, self.random.random(), i) for i in range(2)]
        workers += [Rollout(m, self.ledger, self.gate, self.random.random(), i) for i in range(3)]
        self.workers, self.watchers = workers, watchers(m)
        self.resting = checks.Resting(m, workers, self.touched)
        for thread in self.workers + self.watchers:
            thread.start()

    def round(self):
        m = self.machine
        time.sleep(self.random.uniform(0.02, 0.7))
        chance = self.random.random()
        if chance < 0.12:
            self.kill_container()
        before = {(l.uid, l.container): l for l in m.leaders()}
        reboot = m.can_reboot and self.totals["rounds"] % REBOOT_EVERY == 8
        m.kill()
        self.totals["rounds"] += 1
        if 0.12 <= chance < 0.2:
            self.kill_container()
        if reboot:
            self.reboot(before)
        self.compare()
        if self.random.random() < 0.12:
            m.start_and_kill(self.random.uniform(0, 0.25))
            self.totals["cut"] += 1
            self.compare()
        m.start()
        if not reboot:
            self.check_kept(before)
        self.fault("duplicated", checks.twice(m.leaders()))
        self.fault("other", [t.error for t in self.workers + self.watchers if t.error])

    def kill_container(self):
        leaders = self.machine.leaders()
        if not leaders:
            return
        victim = self.random.choice(leaders)
        self.touched.add(victim.uid)
        shim = self.random.random() < 0.5
        self.totals["shims" if shim else "containers"] += 1
        kill(victim.shim if shim and victim.shim > 1 else victim.pid)

    def reboot(self, before):
        self.touched.update(uid for uid, _ in before)
        self.machine.power_off()
        self.touched.update(p.name for p in (self.machine.data / "pods").iterdir())
        self.fault("orphans", [f"process {pid} survived the power cut" for pid in self.machine.marked()])
        self.machine.boot()
        self.totals["reboots"] += 1

    def compare(self):
        """What clients saw against the log on disk."""
        m = self.machine
        self.fault("lost", m.read_log())
        maps = m.rows["configmaps"]
        start = next((i for i in range(len(maps) - 1, -1, -1) if maps[i].rv < self.checked_rows), 0)
        self.fault("lost", self.ledger.check(maps[start:]))
        self.checked_rows = max(0, m.last - 5000)  # an answer may be noted a round later
        for watcher in self.watchers:
            for count, problem in watcher.replay.check(m):
                self.fault(count, [problem])
        self.fault("duplicated", self.surplus.check(m))

    def check_kept(self, before):
        """A crash of the platform restarts no container that served."""
        m = self.machine
        lost = [l for l in before.values() if (stat_of(l.pid) or (0, 0, 0, 0))[3] != l.started and l.uid not in self.touched]
        self.totals["kept"] += len(before) - len(lost)
        pods = {p["metadata"]["uid"]: p for p in checks.pods_of(m)} if lost else {}
        for l in lost:
            pod = pods.get(l.uid)
            serves = pod and pod["metadata"].get("labels", {}).get("kind") in (None, "keep", "pair") and l.container != "before"
            if serves and "deletionTimestamp" not in pod["metadata"]:
                self.fault("duplicated", [f"the crash ended {l} of pod {pod['metadata']['name']}"])

    def rest(self, last=False):
        self.gate.close()
        try:
            checks.finish_load(self.workers)
            problems, seconds = checks.settle(self.resting)
        finally:
            if not last:
                self.gate.reopen()
        self.settling.append(seconds)
        self.totals["pods"] += self.resting.checked
        for p in problems:
            count = ("orphans" if p.startswith(("orphan", "folder")) else
                     "duplicated" if "twice" in p or "two pods" in p or "instead of once" in p else
                     "lost" if "acknowledged" in p or "was deleted and" in p else "other")
            self.fault(count, [p])

    def run(self):
        begun = time.monotonic()
        self.begin()
        for number in range(1, self.options.rounds + 1):
            self.round()
            if self.wrong:
                break
            last = number == self.options.rounds or time.monotonic() - begun > self.options.seconds
            if number % REST_EVERY == 0 or last:
                self.rest(last)
            if number % 50 == 0:
                print(f"{number} of {self.options.rounds} rounds, {time.monotonic() - begun:.0f} s, "
                      f"{self.ledger.acknowledged} acknowledged writes, revision {self.machine.last}", flush=True)
            if last:
                break
        self.end()

    def end(self):
        """The watchers see the rest of the log, then all of it is compared."""
        if not self.wrong:
            newest = int(self.machine.call("GET", "/api/v1/namespaces/none/configmaps")[1]["metadata"]["resourceVersion"])
            deadline = time.monotonic() + checks.SETTLE_SECONDS
            for w in self.watchers:
                w.rest = 0
            while any((w.last or 0) < newest for w in self.watchers) and time.monotonic() < deadline:
                time.sleep(0.05)
            self.fault("missed", [f"{w.name} is at {w.last} of {newest}" for w in self.watchers if (w.last or 0) < newest])
        for t in self.workers + self.watchers:
            t.running = False
        self.machine.kill()
        self.compare()
        self.totals["events"] = sum(w.replay.events for w in self.watchers)
        self.totals["relists"] = sum(w.replay.relists for w in self.watchers)
        self.totals["acknowledged"] = self.ledger.acknowledged
        self.totals["rollouts"] = sum(w.rollouts for w in self.workers if isinstance(w, Rollout))


def table(known):
    t, starts, settling = known["totals"], known["starts"] or [0], known["settling"] or [0]
    runs = ", ".join(f"{rounds} (seed {seed})" for rounds, seed in known["runs"])
    rows = [("rounds of each run", runs), ("kills of the platform", t["rounds"]), ("… of these a power cut of the machine", t["reboots"]),
            ("starts cut short by another kill", t["cut"]), ("containers / shims killed besides", f"{t['containers']} / {t['shims']}"),
            ("acknowledged writes", t["acknowledged"]), ("rollouts", t["rollouts"]), ("watch events compared", t["events"]),
            ("watches told that they are too old", t["relists"]), ("containers found running on after a kill", t["kept"]),
            ("pods checked at rest", t["pods"]), ("writes lost", t["lost"]), ("events missed", t["missed"]),
            ("events seen twice", t["twice"]), ("pods duplicated or restarted", t["duplicated"]), ("orphans", t["orphans"]),
            ("anything else", t["other"]),
            ("restart, median / worst", f"{1000 * statistics.median(starts):.0f} / {1000 * max(starts):.0f} ms"),
            ("all at rest after, median / worst", f"{statistics.median(settling):.1f} / {max(settling):.1f} s")]
    return "\n".join(f"| {name} | {value} |" for name, value in [("", ""), ("---", "---:"), *rows])


def merge(path, run):
    """This run's totals with those of the file."""
    known = {"totals": dict.fromkeys(COUNTS, 0), "starts": [], "settling": [], "runs": []}
    if path and path.exists():
        known = json.loads(path.read_text())
    for count in COUNTS:
        known["totals"][count] += run.totals[count]
    known["runs"].append([run.totals["rounds"], run.options.seed])
    known["starts"] += [round(s, 4) for s in run.machine.starts[1:]]
    known["settling"] += [round(s, 3) for s in run.settling]
    if path:
        path.write_text(json.dumps(known))
    return known


def report(page, text):
    """Puts the table between the marks of a page."""
    cpus, memory = os.cpu_count(), os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    head, rest = page.read_text().split(BEGIN)
    tail = rest.split(END)[1]
    machine = f"{time.strftime('%Y-%m-%d')}, {cpus} cores, {memory:.0f} GiB, Linux {os.uname().release}"
    page.write_text(f"{head}{BEGIN}\n`tests/crash/run.py {' '.join(sys.argv[1:])}`, {machine}:\n\n{text}\n{END}{tail}")


def crash(options):
    """Returns the problems found."""
    folder = tempfile.mkdtemp(prefix="slipway-crash-")
    run = Run(options, folder)
    try:
        run.run()
    finally:
        run.machine.close()
    known = merge(options.totals, run)
    print(table(known))
    if options.report:
        report(options.report, table(known))
    if not run.machine.can_reboot:
        print("no power cuts: they need root and unshare")
    if run.wrong:
        print(f"{len(run.wrong)} broken promises; seed {options.seed}, data in {folder}", file=sys.stderr)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return run.wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default="build/release/slipway")
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--seconds", type=float, default=float("inf"), help="no further round after this time")
    parser.add_argument("--totals", type=pathlib.Path, help="file that the run is added to")
    parser.add_argument("--report", type=pathlib.Path, help="page that the table is written into")
    sys.exit(1 if crash(parser.parse_args()) else 0)


if __name__ == "__main__":
    main()
