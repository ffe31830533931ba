#!/usr/bin/env bash
# Installs what is missing for the given uses (default: all) and fetches the pinned packages that Debian does not have.
# Does nothing, in well under a second, when all is there.
. "$(dirname "$0")/lib.sh"

# "kubectl:kubernetes-client" means: package kubernetes-client, unless a program kubectl is on the path.
wanted() {
  grep -v '^#' deps/debian-packages.txt | cut -d' ' -f2- | tr ' ' '\n' | while read -r item; do
    case $item in
      '') ;;
      *:*) command -v "${item%%:*}" >/dev/null 2>&1 || echo "${item#*:}" ;;
      *) echo "$item" ;;
    esac
  done
}

missing_packages() {
  local all
  all=$(wanted)
  # shellcheck disable=SC2086
  comm -13 <(dpkg-query -W -f '${db:Status-Abbrev}${Package}\n' $all 2>/dev/null | sed -n 's/^ii *//p' | sort -u) <(sort -u <<<"$all")
}

install_packages() {
  local run=''
  [ "$(id -u)" = 0 ] || run=sudo
  [ -z "$run" ] || command -v sudo >/dev/null || die "these Debian packages are missing and need root to install: $*"
  step "Updating the package index" $run apt-get update -qq
  step "Installing $# Debian packages (about 500 MB on a bare machine)" \
    $run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

[ -r /etc/debian_version ] || die "Slipway builds on Debian 12; this system has no /etc/debian_version"
mapfile -t missing < <(missing_packages)
[ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"

for item in boost kubernetes-validate; do
  deps/fetch.sh "$item" || die "fetching $item failed; see the lines above"
done
