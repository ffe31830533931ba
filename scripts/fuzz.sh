#!/usr/bin/env bash
# Runs each fuzz target for FUZZ_SECONDS seconds (default 60), starting from its corpus; a finding is kept under build/fuzz/found.
. "$(dirname "$0")/lib.sh"
scripts/build.sh fuzz all
seconds=${FUZZ_SECONDS:-60}
rc=0
for program in build/fuzz/src/*_fuzz; do
  name=$(basename "$program")
  mkdir -p "build/fuzz/corpus/$name" build/fuzz/found
  say "$name for $seconds s"
  "$program" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" "tests/fuzz/corpus/$name" || { rc=1; echo "FOUND by $name: see build/fuzz/found"; }
done
exit $rc
