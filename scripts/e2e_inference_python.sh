#!/usr/bin/env bash
# Prints the Python with the pinned inference clients of deps/requirements/e2e-inference.txt (tritonclient, kserve, grpcio), in a
# virtual environment of its own: their numpy is not the one that the other tests share. Prints nothing when PyPI cannot be
# reached: the tests that need them then say so and are skipped.
. "$(dirname "$0")/lib.sh"
requirements=deps/requirements/e2e-inference.txt
venv=$CACHE/venv-inference-$(sha256sum "$requirements" | cut -c1-12)
if [ ! -f "$venv/.complete" ]; then
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$requirements" >"$CACHE/venv-inference.log" 2>&1 || exit 0
  touch "$venv/.complete"
fi
echo "$venv/bin/python"
