#!/bin/sh
# Create the cluster. Environment: INPUT_BUNDLE, a bundle that the cache restored or that is to be created from the
# image archives in INPUT_IMAGE_ARCHIVES (one per line); INPUT_UP_ARGS, one argument per line; KSTRIM_ACTION_DIR.
set -eu
. "$(dirname "$0")/lib.sh"
dir="${KSTRIM_ACTION_DIR:?}"

# Add the lines of a variable to the arguments.
set --
while IFS= read -r line; do
    [ -z "$line" ] || set -- "$@" "$line"
done <<EOF
${INPUT_UP_ARGS:-}
EOF

bundle="${INPUT_BUNDLE:-}"
if [ -n "$bundle" ] && [ ! -f "$bundle" ] && [ -n "${INPUT_IMAGE_ARCHIVES:-}" ]; then
    mkdir -p "$(dirname "$bundle")"
    (
        set -- bundle create -o "$bundle"
        while IFS= read -r line; do
            [ -z "$line" ] || set -- "$@" --image-archive "$line"
        done <<EOF
$INPUT_IMAGE_ARCHIVES
EOF
        kstrim "$@"
    ) || fail 'the bundle for the cache could not be created'
fi
if [ -n "$bundle" ] && [ -f "$bundle" ]; then
    set -- --bundle "$bundle" "$@"
fi

code=0
kstrim up -o json "$@" >"$dir/up.jsonl" || code=$?
sh "$(dirname "$0")/report.sh" "$dir/up.jsonl" "$code"
exit "$code"
