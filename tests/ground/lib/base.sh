# What all parts of `ground` use: where things are, saying, steps, retries. Sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2034  # the other parts read these
here=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
project=$(cd "$here/../.." && pwd)
ground=${KSTRIM_GROUND:-${XDG_CACHE_HOME:-$HOME/.cache}/kstrim-ground}
bin=$ground/bin
home=$ground/home
images=$ground/images
socket=$ground/run/docker.sock

# The terminal, also where a step's output goes to its log.
exec 3>&2

say() { printf 'ground: %s\n' "$*" >&3; }
docker() { command docker --host "unix://$socket" "$@"; }
folders() { mkdir -p "$ground"/{stamps,logs,run,docker,exec,images} "$bin"; }

# A file in the folder with Strimzi's own files, which are not part of this repository.
strimzi_file() {
  local folder=${KSTRIM_STRIMZI:-}
  if [ -n "$folder" ] && [ -f "$folder/$1" ]; then (cd "$folder" && echo "$PWD/$1"); return; fi
  say "set KSTRIM_STRIMZI to the folder that has Strimzi's $1 (now: ${folder:-not set})"
  return 1
}

# retry WHAT COMMAND...: three tries, for what comes from a registry.
retry() {
  local what=$1 try; shift
  for try in 1 2 3; do
    "$@" && return
    say "$what failed (try $try of 3); its output is in the log"
    [ "$try" = 3 ] || sleep $((try * 5))
  done
  return 1
}

digest() { (cd "$here" && find "$@" -type f -not -path '*/__pycache__/*' -print0 | sort -z | xargs -0 sha256sum | sha256sum); }

# step NAME INPUT... -- COMMAND...: run a step unless its stamp says that these very inputs were done.
# Inputs are files and folders beside `ground`; their content and names count, their place does not.
step() {
  local name=$1 stamp=$ground/stamps/$1; shift
  local inputs=()
  while [ "$1" != -- ]; do inputs+=("$1"); shift; done
  shift
  local now; now=$(digest "${inputs[@]}")
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$now" ]; then return; fi
  rm -f "$stamp"
  local began=$SECONDS
  say "$name ..."
  # A subshell with its own -e: a function called in an `if` would lose it.
  set +e
  (set -e; "$@") > "$ground/logs/$name.log" 2>&1
  local result=$?
  set -e
  if [ $result -ne 0 ]; then
    tail -20 "$ground/logs/$name.log" >&3
    say "$name failed; its log is $ground/logs/$name.log"
    return 1
  fi
  printf '%s' "$now" > "$stamp"
  say "$name done in $((SECONDS - began)) s"
}
