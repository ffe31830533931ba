#!/usr/bin/env bash
# Prints the Python that runs the end-to-end tests: a virtual environment with the pinned clients of deps/requirements/e2e.txt, or
# Debian's own Python when PyPI cannot be reached (the tests that need those clients then say so and are skipped).
. "$(dirname "$0")/lib.sh"
requirements=deps/requirements/e2e.txt
venv=$CACHE/venv-e2e-$(sha256sum "$requirements" | cut -c1-12)
if [ ! -f "$venv/.complete" ]; then
  rm -rf "$venv"
  if ! { /usr/bin/python3 -m venv --system-site-packages "$venv" && "$venv/bin/pip" install -q --disable-pip-version-check --require-hashes -r "$requirements"; } >"$CACHE/venv-e2e.log" 2>&1; then
    echo "PyPI packages of $requirements are not available (see $CACHE/venv-e2e.log): tests that need them are skipped" >&2
    echo /usr/bin/python3
    exit 0
  fi
  touch "$venv/.complete"
fi
echo "$venv/bin/python"
