#!/bin/sh
# Report the events of a run: annotations for a failure, a summary, outputs. Arguments: the file of the events, and the
# exit code. `jq` is on GitHub's runners.
set -eu
. "$(dirname "$0")/lib.sh"
events=$1
code=$2

# A file without an event is that of a command line that could not be understood.
last=$(jq -c 'select(.type == "run_finished")' "$events" 2>/dev/null | tail -n 1)
get() {
    [ -z "$last" ] || printf '%s' "$last" | jq -r "$1 // empty"
}
failure=$(get .failure.id)
evidence=$(get .evidence)
output exit-code "$code"
output failure "$failure"
output evidence "$evidence"

if [ -n "$failure" ]; then
    text=$(get '[.failure.message, (.failure.causes[]? | "because: " + .), (.failure.hints[]? | "hint: " + .)] | join("\n")')
    annotate "kstrim $failure" "$text"
elif [ "$code" -ne 0 ] && grep -q '"type":"command_exited"' "$events" 2>/dev/null; then
    annotate 'kstrim run' "the command failed with exit code $code"
elif [ "$code" -ne 0 ]; then
    annotate 'kstrim' "kstrim failed with exit code $code"
fi

jq -r 'select(.type == "warning")
    | "::warning title=kstrim \(.id // "")::" + (.message | gsub("%"; "%25") | gsub("\r"; "%0D") | gsub("\n"; "%0A"))
' "$events" 2>/dev/null || true

if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -n "$last" ]; then
    {
        printf '### kstrim %s: %s\n\n' "$(jq -r 'select(.type == "run_started") | .command' "$events" | head -n 1)" \
            "$(get .outcome)"
        printf '| task | outcome | seconds |\n|---|---|---|\n'
        jq -r 'select(.type == "task_finished") | "| \(.task) | \(.outcome) | \(.seconds * 10 | round / 10) |"' "$events"
        [ -z "$failure" ] || printf '\n[%s](https://github.com/kstrim/kstrim/blob/main/docs/errors.md#%s): %s\n' \
            "$failure" "$(printf '%s' "$failure" | tr '[:upper:]' '[:lower:]')" "$(get .failure.message)"
    } >>"$GITHUB_STEP_SUMMARY"
fi
