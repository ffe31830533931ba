#!/usr/bin/env bash
# make bench: all figures of docs/benchmarks.md. ARGS go to bench/run.py.
. "$(dirname "$0")/lib.sh"
scripts/build.sh release slipway_load slipway_api_load slipway_grpc_load
# KServe's Python server, the peer, in a virtual environment of its own (pinned; about 300 MB): left out when PyPI cannot be reached.
venv=$CACHE/venv-kserve
if [ ! -f "$venv/.complete" ]; then
  rm -rf "$venv"
  if /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r deps/requirements/bench-kserve.txt >"$CACHE/venv-kserve.log" 2>&1; then
    touch "$venv/.complete"
  else
    echo "kserve cannot be installed from PyPI (see $CACHE/venv-kserve.log): its comparison is left out" >&2
  fi
fi
[ ! -f "$venv/.complete" ] || export SLIPWAY_BENCH_KSERVE=$venv/bin/python
exec python3 bench/run.py ${*:---write}
