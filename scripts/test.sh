#!/usr/bin/env bash
# test.sh all|unit|e2e|asan|tsan: builds what the tests need, runs them, ends with one line "N passed, N failed, N skipped".
. "$(dirname "$0")/lib.sh"
what=${1:-all}
passed=0 failed=0 skipped=0
results=$ROOT/build/test-results
rm -rf "$results"
mkdir -p "$results"

# Adds the counts of a JUnit XML file.
count() {
  local p f s
  read -r p f s < <(python3 - "$1" <<'PY'
import sys, xml.etree.ElementTree as ET
cases = ET.parse(sys.argv[1]).getroot().iter("testcase")
p = f = s = 0
for c in cases:
    if c.find("failure") is not None or c.find("error") is not None: f += 1
    elif c.find("skipped") is not None or c.get("status") == "notrun": s += 1
    else: p += 1
print(p, f, s)
PY
  )
  passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
}

unit_tests() {  # PRESET
  local preset=$1 dir=build/$1 program name rc
  scripts/build.sh "$preset" all
  export SLIPWAY_SOURCE_DIR=$ROOT
  for program in "$dir"/src/*_test; do
    name=$(basename "$program")
    rc=0
    "$program" --gtest_brief=1 --gtest_output="xml:$results/$name.xml" >"$results/$name.log" 2>&1 || rc=$?
    if [ -f "$results/$name.xml" ]; then count "$results/$name.xml"; else failed=$((failed + 1)); fi
    if [ $rc != 0 ]; then
      [ -f "$results/$name.xml" ] && [ "$failed" != 0 ] || failed=$((failed + 1))
      echo "--- $name"; tail -n 60 "$results/$name.log"
    fi
    say "$name ${DIM}$(tail -n 1 "$results/$name.log")${OFF}"
  done
  for program in "$dir"/src/*_fuzz; do
    [ -x "$program" ] || continue
    name=$(basename "$program")
    if "$program" "tests/fuzz/corpus/$name" >"$results/$name.log" 2>&1; then passed=$((passed + 1)); else
      failed=$((failed + 1)); echo "--- $name"; tail -n 40 "$results/$name.log"; fi
  done
  say "fuzz corpora replayed"
}

e2e_tests() {
  scripts/build.sh release slipway
  local rc=0 python
  python=$(scripts/e2e_python.sh)
  SLIPWAY_BIN=$ROOT/build/release/slipway "$python" -m pytest -q -rs --junitxml="$results/e2e.xml" tests/e2e || rc=$?
  [ -f "$results/e2e.xml" ] && count "$results/e2e.xml"
  [ $rc = 0 ] || [ "$failed" != 0 ] || failed=$((failed + 1))
}

case $what in
  all) unit_tests release; e2e_tests ;;
  unit) unit_tests release ;;
  e2e) e2e_tests ;;
  asan) ASAN_OPTIONS=${ASAN_OPTIONS:-detect_stack_use_after_return=0} UBSAN_OPTIONS=print_stacktrace=1 unit_tests asan ;;
  tsan) TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=1:second_deadlock_stack=1} unit_tests tsan ;;
  *) die "unknown test set '$what'; known: all, unit, e2e, asan, tsan" ;;
esac
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
