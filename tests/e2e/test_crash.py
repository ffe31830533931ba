"""A short run of `make crash`: kill -9 under a mixed load (docs/crash.md)."""
import subprocess
import sys

from conftest import BIN, ROOT


def test_kill_9_loses_no_write_or_event_doubles_no_pod_and_leaves_no_orphan():
    run = subprocess.run([sys.executable, str(ROOT / "tests/crash/run.py"), "--binary", BIN, "--rounds", "15"],
                         capture_output=True, text=True, timeout=900)
    assert run.returncode == 0, run.stderr + run.stdout
