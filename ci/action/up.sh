#!/bin/sh
# Create the cluster. Environment: INPUT_BUNDLE, a bundle that the cache restored or that is to be created from the
# image archives in INPUT_IMAGE_ARCHIVES (one per line); INPUT_SNAPSHOT, a snapshot that the cache restored or that is to be
# saved; INPUT_UP_ARGS, one argument per line; KSTRIM_ACTION_DIR.
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
snapshot="${INPUT_SNAPSHOT:-}"
if [ -n "$snapshot" ] && [ -f "$snapshot" ]; then
    # What the machine needs is the same for a restore; the rest of `up` is in the snapshot.
    set --
    while IFS= read -r line; do
        case $line in --driver=* | --memory=* | --cpus=* | --minikube-arg=*) set -- "$@" "$line" ;; esac
    done <<EOF
${INPUT_UP_ARGS:-}
EOF
    kstrim snapshot restore --file "$snapshot" --yes -o json "$@" >"$dir/up.jsonl" || code=$?
else
    kstrim up -o json "$@" >"$dir/up.jsonl" || code=$?
fi
sh "$(dirname "$0")/report.sh" "$dir/up.jsonl" "$code"
if [ "$code" -eq 0 ] && [ -n "$snapshot" ] && [ ! -f "$snapshot" ]; then
    mkdir -p "$(dirname "$snapshot")"
    kstrim snapshot save --file "$snapshot" --yes || fail 'the snapshot for the cache could not be saved'
fi
exit "$code"
