#!/usr/bin/env bash
# make crash: kills the platform with signal 9 at random moments under a mixed load and checks what it promises (docs/crash.md).
# ARGS go to tests/crash/run.py (default: 1000 rounds, and the result into docs/crash.md).
. "$(dirname "$0")/lib.sh"
exec python3 tests/crash/run.py --binary build/release/slipway ${*:---rounds 1000 --report docs/crash.md}
