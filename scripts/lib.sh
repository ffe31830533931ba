# Shared by the scripts: where things are, and how a long step shows itself.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/slipway
cd "$ROOT"
if [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then BOLD=$'\e[1m' DIM=$'\e[2m' OFF=$'\e[0m'; else BOLD='' DIM='' OFF=''; fi

say() { printf '%s\n' "${BOLD}==>${OFF} $*"; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

# step TEXT COMMAND...: runs quietly with a line that counts seconds; on failure prints the end of the output and stops.
step() {
  local text=$1 log start=$SECONDS pid rc=0
  shift
  log=$(mktemp)
  "$@" >"$log" 2>&1 &
  pid=$!
  if [ -t 1 ]; then
    while kill -0 $pid 2>/dev/null; do printf '\r%s %ss ' "${BOLD}==>${OFF} $text" $((SECONDS - start)); sleep 0.2; done
    printf '\r\e[K'
  fi
  wait $pid || rc=$?
  if [ $rc != 0 ]; then tail -n 25 "$log" >&2; rm -f "$log"; die "$text failed (exit $rc)"; fi
  rm -f "$log"
  say "$text ${DIM}($((SECONDS - start)) s)${OFF}"
}
