#!/bin/sh
# Run the command with Kafka. Environment: INPUT_RUN, lines of a shell script; INPUT_TOPICS, one per line;
# INPUT_ISOLATE, true or false; INPUT_USER; INPUT_JUNIT, a file for a report of the run as JUnit; KSTRIM_ACTION_DIR.
set -eu
. "$(dirname "$0")/lib.sh"
dir="${KSTRIM_ACTION_DIR:?}"

set -- run --yes --events "$dir/run.jsonl" --evidence "$dir/evidence"
while IFS= read -r line; do
    [ -z "$line" ] || set -- "$@" --topic "$line"
done <<EOF
${INPUT_TOPICS:-}
EOF
[ "${INPUT_ISOLATE:-true}" != true ] || set -- "$@" --isolate
[ -z "${INPUT_USER:-}" ] || set -- "$@" --user "$INPUT_USER"

code=0
kstrim "$@" -- sh -eu -c "${INPUT_RUN:?}" || code=$?
sh "$(dirname "$0")/report.sh" "$dir/run.jsonl" "$code"
if [ -n "${INPUT_JUNIT:-}" ]; then
    sh "$(dirname "$0")/junit.sh" "$dir/run.jsonl" "$code" >"$INPUT_JUNIT"
fi
exit "$code"
