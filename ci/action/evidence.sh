#!/bin/sh
# Collect the files of a failed run for an artifact. Environment: EVIDENCE, the archive that the failed step named;
# KSTRIM_ACTION_DIR.
set -eu
dir="${KSTRIM_ACTION_DIR:?}"
mkdir -p "$dir/artifact"
for file in "${EVIDENCE:-}" "$dir"/*.jsonl; do
    [ ! -f "$file" ] || cp "$file" "$dir/artifact/"
done
