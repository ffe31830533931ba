#!/usr/bin/env bash
# Layers, formatting, shell and Python syntax, and the rules of the repository that a machine can hold.
. "$(dirname "$0")/lib.sh"
bad=0
python3 tools/check_layers.py || bad=1
if command -v clang-format-19 >/dev/null; then
  git ls-files '*.h' '*.cc' | xargs -r clang-format-19 --dry-run -Werror 2>&1 | grep -E 'error' | head -n 20 | sed 's/$/   (make fmt)/' || true
  git ls-files '*.h' '*.cc' | xargs -r clang-format-19 --dry-run -Werror >/dev/null 2>&1 || bad=1
else
  echo "clang-format-19 is missing: formatting not checked (make setup)"
  bad=1
fi
for script in $(git ls-files '*.sh' '.ci/run' 'tools/cc-launcher'); do bash -n "$script" || bad=1; done
python3 - $(git ls-files '*.py') <<'PY' || bad=1
import ast, sys
for path in sys.argv[1:]:
    ast.parse(open(path).read(), path)
PY
# No host names of package registries, in no file.
if git grep -nIE '(pypi\.org|files\.pythonhosted|registry\.npmjs|deb\.debian\.org|repo1?\.maven|crates\.io/|proxy\.golang)' -- . ':!scripts/lint.sh'; then
  echo "lint: name packages, not the hosts that serve them"; bad=1
fi
[ $bad = 0 ] && echo "lint: ok"
exit $bad
