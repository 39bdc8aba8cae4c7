#!/bin/sh
# Print the tasks of a run and its command as JUnit XML. Arguments: the file of the events, and the exit code.
set -eu
events=$1
code=$2
jq -rs --argjson code "$code" '
    def x: gsub("&"; "&amp;") | gsub("<"; "&lt;") | gsub(">"; "&gt;") | gsub("\""; "&quot;");
    (map(select(.type == "run_finished")) | last) as $finished
    | [ .[] | select(.type == "task_finished")
        | {name: .task, seconds, failed: (.outcome == "failed"), said: .detail} ]
    + [ .[] | select(.type == "command_exited")
        | {name: "command", seconds, failed: ($code != 0), said: "exit code \($code)"} ]
    | (map(select(.failed)) | length) as $failures
    | "<?xml version=\"1.0\" encoding=\"UTF-8\"?>",
      "<testsuites><testsuite name=\"kstrim\" tests=\"\(length)\" failures=\"\($failures)\">",
      (.[] | "<testcase classname=\"kstrim\" name=\"\(.name | x)\" time=\"\(.seconds)\">"
        + (if .failed
           then "<failure type=\"\($finished.failure.id // "command")\" message=\"\(.said | x)\"/>"
           else "" end)
        + "</testcase>"),
      "</testsuite></testsuites>"
' "$events"
