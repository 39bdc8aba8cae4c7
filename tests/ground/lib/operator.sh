# Which operator runs: the stand-in that the ground builds, or the real one, whose images are built elsewhere. Sourced,
# not run.
# shellcheck shell=bash
# shellcheck source=base.sh
operator=stand-in

# Image archives of the real operator: one file per image, named as the image is: `operator-1.2.0.tar`.
real=${KSTRIM_REAL:-${XDG_CACHE_HOME:-$HOME/.cache}/kstrim-real}

# choose_operator WORD...: take `--operator NAME` out of the words; the others are left in `words`.
choose_operator() {
  words=()
  while [ $# -gt 0 ]; do
    case $1 in
      --operator) [ $# -gt 1 ] || { say "--operator needs a value: real or stand-in"; return 2; }; operator=$2; shift ;;
      --operator=*) operator=${1#*=} ;;
      *) words+=("$1") ;;
    esac
    shift
  done
  case $operator in
    stand-in) ;;
    real) real_images ;;
    *) say "no operator is called $operator: real or stand-in"; return 2 ;;
  esac
}

# The archive of an image of the real operator.
real_archive() { # IMAGE
  local name=${1##*/}
  echo "$real/images/${name/:/-}.tar"
}

# From here on the archives of the real operator. All three have to be there.
real_images() {
  local image missing=()
  for image in "$operator_image" "$kafka_image" "$bridge_image"; do
    [ -s "$(real_archive "$image")" ] || missing+=("$(real_archive "$image")")
  done
  if [ ${#missing[@]} -gt 0 ]; then
    say "the real operator's images are missing: ${missing[*]}"
    say "save them there (docker pull IMAGE; docker save -o FILE IMAGE), or build them from Strimzi's sources; KSTRIM_REAL"
    say "names another folder than $real. Without them: --operator stand-in"
    return 1
  fi
  operator_tar=$(real_archive "$operator_image")
  kafka_tar=$(real_archive "$kafka_image")
  bridge_tar=$(real_archive "$bridge_image")
}
