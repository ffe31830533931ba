#!/usr/bin/env bash
# make crash: kills the API server with signal 9 at random points under a write load and checks what it had acknowledged.
# ARGS go to tests/e2e/crash_test.py (default: 200 rounds).
. "$(dirname "$0")/lib.sh"
exec python3 tests/e2e/crash_test.py --binary build/release/slipway ${*:---rounds 200}
