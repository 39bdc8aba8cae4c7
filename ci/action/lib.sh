# shellcheck shell=sh
# What the steps of the action share. POSIX sh.

# The program that the step `install` installed.
kstrim() {
    "${KSTRIM_ACTION_DIR:?}/bin/kstrim" "$@"
}

# Add an output of the step: NAME VALUE.
output() {
    [ -z "${GITHUB_OUTPUT:-}" ] || printf '%s=%s\n' "$1" "$2" >>"$GITHUB_OUTPUT"
}

# Escape a message of a workflow command: its line ends and percent signs.
escape() {
    printf '%s' "$1" | sed -e 's/%/%25/g' -e 's/\r/%0D/g' | awk '{ printf "%s%s", sep, $0; sep = "%0A" }'
}

# Report an error as an annotation: TITLE MESSAGE.
annotate() {
    printf '::error title=%s::%s\n' "$(escape "$1" | sed -e 's/:/%3A/g' -e 's/,/%2C/g')" "$(escape "$2")"
}

fail() {
    annotate 'kstrim' "$1"
    exit "${2:-1}"
}
