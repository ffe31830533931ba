#!/usr/bin/env bash
# build.sh PRESET TARGET...: configures when needed and builds; quiet when nothing is to do.
. "$(dirname "$0")/lib.sh"
preset=$1
shift
dir=build/$preset
if [ ! -f "$dir/build.ninja" ]; then
  step "Configuring $dir" cmake --preset "$preset"
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if [ -t 1 ]; then
  ninja -C "$dir" "$@" | tee "$log"
else
  # Not a terminal: one line per tenth of the work.
  ninja -C "$dir" "$@" 2>&1 | tee "$log" | awk '
    match($0, /^\[[0-9]+\/[0-9]+\]/) { split(substr($0, 2, RLENGTH - 2), n, "/"); t = int(10 * n[1] / n[2]); if (t != last) { print "    built " n[1] " of " n[2]; fflush(); last = t }; next }
    /no work to do|^ninja: Entering/ { next } { print; fflush() }'
fi
[ "${PIPESTATUS[0]}" = 0 ] || { grep -E 'error:' "$log" | head -n 20 >&2; die "build of $* ($preset) failed"; }
