#!/usr/bin/env bash
# Runs a main class of Kafka with the environment variables Kafka's own script knows.
#   kafka-run-class.sh CLASS [ARGUMENT...]
set -euo pipefail
home=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
: "${KAFKA_HEAP_OPTS:=-Xmx256M}"
: "${KAFKA_LOG4J_OPTS:=-Dlog4j2.configurationFile=$home/config/tools-log4j2.properties}"
: "${KAFKA_JVM_PERFORMANCE_OPTS:=-server -XX:+UseG1GC -XX:MaxGCPauseMillis=20 -XX:InitiatingHeapOccupancyPercent=35 -XX:+ExplicitGCInvokesConcurrent -Djava.awt.headless=true}"
# Processes here live for a minute or two, on processors that they share: what Java's second compiler costs, it never
# brings in again.
KAFKA_JVM_PERFORMANCE_OPTS="$KAFKA_JVM_PERFORMANCE_OPTS -XX:TieredStopAtLevel=1"
# As in Kafka's own script the example connectors are in libs/ but not on the class path; CLASSPATH comes first.
for jar in "$home"/libs/*.jar; do
  case $jar in */connect-file-*) ;; *) CLASSPATH=${CLASSPATH:+$CLASSPATH:}$jar ;; esac
done
export CLASSPATH
# Word splitting is what these variables are for.
# shellcheck disable=SC2086
exec java $KAFKA_HEAP_OPTS $KAFKA_JVM_PERFORMANCE_OPTS $KAFKA_LOG4J_OPTS ${KAFKA_OPTS:-} "$@"
