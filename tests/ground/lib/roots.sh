# Root file systems from Debian's packages: one base, copied and added to. Sourced, not run.
# shellcheck shell=bash
# shellcheck source=base.sh

packages() {
  local wanted more=()
  mapfile -t wanted < "$here/roots/packages"
  command -v mvn >/dev/null || more+=(maven)
  python3 -m pip --version >/dev/null 2>&1 || more+=(python3 python3-pip)
  retry "Debian's package lists" apt-get update -qq
  retry "Debian's packages" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -qq --no-install-recommends "${wanted[@]}" "${more[@]}"
  command -v go >/dev/null || { echo "go is missing, and Debian 12 has none new enough"; return 1; }
}

bare_root() { # ROOT: Debian and nothing else
  rm -rf "$1"
  debootstrap --variant=minbase bookworm "$1"
}

use_host_apt() { # ROOT: the package sources and proxies of this machine
  local root=$1
  cp /etc/resolv.conf /etc/hosts "$root/etc/"
  cp -r /etc/apt/apt.conf.d/. "$root/etc/apt/apt.conf.d/"
  if [ -f /etc/apt/sources.list.d/debian.sources ]; then
    cp /etc/apt/sources.list.d/debian.sources "$root/etc/apt/sources.list.d/"; : > "$root/etc/apt/sources.list"
  fi
}

install_in() { # ROOT PACKAGE...
  local root=$1; shift
  use_host_apt "$root"
  retry "Debian's package lists" chroot "$root" apt-get update -qq
  # Java's package wants /proc; in a mount namespace of its own nothing is left mounted.
  # shellcheck disable=SC2016  # for the inner shell
  retry "Debian's packages" env DEBIAN_FRONTEND=noninteractive unshare --mount sh -c '
    mount -t proc proc "$0/proc" && exec chroot "$0" apt-get install -y -qq --no-install-recommends "$@"' "$root" "$@"
}

base_root() { retry "Debian's base system" bare_root "$ground/base-root"; }

# A root from the base and the packages listed in roots/NAME, without what no container reads (roots/unused): each
# profile copies, hashes and unpacks what is left.
listed_root() { # NAME
  local root=$ground/$1-root listed unused
  rm -rf "$root"
  cp -a "$ground/base-root" "$root"
  mapfile -t listed < "$here/roots/$1"
  install_in "$root" "${listed[@]}"
  mapfile -t unused < "$here/roots/unused"
  # shellcheck disable=SC2068  # patterns
  (cd "$root" && rm -rf ${unused[@]})
}

import() { # ROOT NAME CHANGE...: a root as an image of one layer
  local root=$1 name=$2 changes=(); shift 2
  while [ $# -gt 0 ]; do changes+=(--change "$1"); shift; done
  tar -C "$root" -c --exclude='./proc/*' --exclude='./sys/*' . | docker import "${changes[@]}" - "$name"
}
