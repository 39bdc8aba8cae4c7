# What the operator's variables mean for the Java process; sourced by the run scripts.
#   STRIMZI_DYNAMIC_HEAP_PERCENTAGE  without a heap of its own choice: this part of the memory limit
#   STRIMZI_JAVA_SYSTEM_PROPERTIES   -D options of jvmOptions.javaSystemProperties
#   jmx_exporter (the script's own)  "true": Prometheus' agent with the operator's rules, on port 9404
# shellcheck shell=bash
export KAFKA_LOG4J_OPTS="-Dlog4j2.configurationFile=/opt/kafka/custom-config/log4j2.properties"
if [ -n "${STRIMZI_DYNAMIC_HEAP_PERCENTAGE:-}" ]; then
  export KAFKA_HEAP_OPTS="-XX:InitialRAMPercentage=$STRIMZI_DYNAMIC_HEAP_PERCENTAGE -XX:MaxRAMPercentage=$STRIMZI_DYNAMIC_HEAP_PERCENTAGE"
fi
KAFKA_OPTS="${KAFKA_OPTS:-} ${STRIMZI_JAVA_SYSTEM_PROPERTIES:-}"
if [ "${jmx_exporter:-}" = true ]; then
  agent=$(echo /opt/prometheus-jmx-exporter/jmx_prometheus_javaagent*.jar)
  KAFKA_OPTS="$KAFKA_OPTS -javaagent:$agent=9404:/opt/kafka/custom-config/metrics-config.json"
fi
export KAFKA_OPTS
# For the run scripts that have use for it. Made with the image (kafka/archive); where it does not fit Java's other
# options, Java does without.
# shellcheck disable=SC2034  # those who source this
class_archive="-XX:SharedArchiveFile=/opt/kafka/broker.jsa -Xshare:auto"
