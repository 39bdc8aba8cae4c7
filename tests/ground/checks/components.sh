# The group `components` of check: what stands beside Kafka. Sourced, not run.
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154  # as in check, whose names are used here

# resource KIND NAME SPEC [LABELS] [ANNOTATIONS]: SPEC in YAML's flow form.
resource() {
  printf 'apiVersion: kafka.strimzi.io/v1\nkind: %s\nmetadata: {name: %s, labels: {%s}, annotations: {%s}}\nspec: %s\n' \
    "$1" "$2" "${4:-}" "${5:-}" "$3"
}
quick='jvmOptions: {-Xms: 128m, -Xmx: 384m}, readinessProbe: {initialDelaySeconds: 3, periodSeconds: 2}'
plain='bootstrapServers: "my-cluster-kafka-bootstrap:9092"'
one_replica='config.storage.replication.factor: 1, offset.storage.replication.factor: 1, status.storage.replication.factor: 1'
connect() { # [MORE]: the example connectors are on the class path only if someone puts them there
  resource KafkaConnect my-connect "{replicas: 1, $plain, groupId: my-connect, configStorageTopic: my-connect-configs,
    statusStorageTopic: my-connect-status, offsetStorageTopic: my-connect-offsets, $quick,
    template: {connectContainer: {env: [{name: CLASSPATH, value: /opt/kafka/libs/connect-file-4.3.1.jar}]}},
    config: {$one_replica, key.converter: org.apache.kafka.connect.storage.StringConverter,
             value.converter: org.apache.kafka.connect.storage.StringConverter} ${1:-}}" \
    '' 'strimzi.io/use-connector-resources: "true"'
}
connector() { # NAME CLASS CONFIG [MORE]
  resource KafkaConnector "$1" "{class: $2, tasksMax: 1, config: {$3} ${4:-}}" "${labels-strimzi.io/cluster: my-connect}"
}
not_ready_is() { # SECONDS KIND/NAME REASON MESSAGE-PART
  sees "$1" "$2" ".status.observedGeneration == .metadata.generation and (.status.conditions[0] | .type == \"NotReady\" and .status == \"True\" and .reason == \"$3\" and (.message | contains(\"$4\")))"
}
connect_has() { in_pod curl -sf "http://my-connect-connect-api:8083/connectors" | jq -e "$1"; }
# comes SECONDS COMMAND...: true once the command succeeds.
comes() {
  local end=$((SECONDS + $1)); shift
  until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 1; done
}
# left LABELS: nothing of that is left, within some seconds.
left() {
  local end=$((SECONDS + 60)) found=?
  while [ $SECONDS -lt $end ]; do
    found=$(k get pod,service,configmap,secret,serviceaccount,strimzipodset,deployment,poddisruptionbudget -l "$1" -o name)
    if [ -z "$found" ]; then return; fi
    sleep 1
  done
  echo "left: $found"
  return 1
}

components() {
  ensure_operator
  apply cluster '  jvmOptions: {-Xms: 256m, -Xmx: 512m}' '    readinessProbe: {initialDelaySeconds: 3, periodSeconds: 2}' > /dev/null
  kafka_connect
  point "deleted" delete_cluster
}

kafka_connect() {
  labels='' point "connector without a label" eval 'apply connector no-label FileStreamSource "" && not_ready_is 10 kafkaconnector/no-label InvalidResourceException "Resource lacks label '"'strimzi.io/cluster'"': No connect cluster in which to create this connector."'
  point "connector before its Connect" eval 'apply connector my-source FileStreamSource "file: /opt/kafka/config/tools-log4j2.properties, topic: lines" && not_ready_is 10 kafkaconnector/my-source NoSuchResourceException "KafkaConnect resource '"'my-connect' identified by label 'strimzi.io/cluster' does not exist in namespace kafka."'"'
  point "Connect of an unknown Kafka version" eval 'apply connect ", version: 3.9.0" && not_ready_is 10 kafkaconnect/my-connect InvalidResourceException "Kafka version 3.9.0 is not supported. Supported versions are: 4.2.0, 4.2.1, 4.3.0, 4.3.1."'
  point "Connect of a ConfigMap that is not there" eval 'apply connect ", metricsConfig: {type: jmxPrometheusExporter, valueFrom: {configMapKeyRef: {name: nope, key: x}}}" && not_ready_is 10 kafkaconnect/my-connect InvalidConfigurationException "ConfigMap nope does not exist"'
  point "corrected: Ready" eval 'apply connect && sees 180 kafkaconnect/my-connect "$ready"'
  point "status: address, plugins, selector" sees 1 kafkaconnect/my-connect '.status | .url == "http://my-connect-connect-api.kafka.svc:8083" and .replicas == 1
    and .labelSelector == "strimzi.io/cluster=my-connect,strimzi.io/name=my-connect-connect,strimzi.io/kind=KafkaConnect"
    and ([.connectorPlugins[].class] | contains(["org.apache.kafka.connect.file.FileStreamSourceConnector"]))'
  point "its pod is a StrimziPodSet's" sees 1 pod/my-connect-connect-0 '.metadata.labels["strimzi.io/kind"] == "KafkaConnect" and .metadata.labels["strimzi.io/component-type"] == "kafka-connect"
    and .metadata.ownerReferences[0].kind == "StrimziPodSet" and .spec.containers[0].name == "my-connect-connect"'
  point "connector runs" sees 30 kafkaconnector/my-source "$ready"' and .status.tasksMax == 1 and .status.connectorStatus.connector.state == "RUNNING" and .status.connectorStatus.tasks[0].state == "RUNNING"'
  point "sink runs, by its short name" eval 'apply connector my-sink FileStreamSink "file: /tmp/lines, topics: lines" && sees 30 kafkaconnector/my-sink "$ready"'
  point "lines went through" comes 30 k exec my-connect-connect-0 -- grep -s rootLogger.level /tmp/lines
  point "class that is not there" eval 'apply connector no-class org.example.Missing "" && not_ready_is 20 kafkaconnector/no-class ConnectRestException "POST /connectors returned 400 (400): org.apache.kafka.connect.errors.ConnectException: Failed to find any class that implements Connector and which name matches org.example.Missing"'
  point "task that failed" eval 'apply connector no-folder FileStreamSink "file: /nope/lines, topics: lines" && not_ready_is 150 kafkaconnector/no-folder Throwable "The following tasks have failed: 0, see connectorStatus for more details." && sees 1 kafkaconnector/no-folder ".status.connectorStatus.tasks[0].trace | contains(\"NoSuchFileException\")"'
  point "Connect is Ready all the same" sees 1 kafkaconnect/my-connect "$ready"
  point "paused and resumed" eval 'apply connector my-sink FileStreamSink "file: /tmp/lines, topics: lines" ", state: paused" && sees 30 kafkaconnector/my-sink "$ready and .status.connectorStatus.connector.state == \"PAUSED\"" &&
    apply connector my-sink FileStreamSink "file: /tmp/lines, topics: lines" && sees 30 kafkaconnector/my-sink "$ready and .status.connectorStatus.connector.state == \"RUNNING\""'
  point "changed" eval 'apply connector my-sink FileStreamSink "file: /tmp/others, topics: lines" && sees 30 kafkaconnector/my-sink "$ready" && in_pod curl -sf http://my-connect-connect-api:8083/connectors/my-sink/config | jq -e ".file == \"/tmp/others\""'
  point "deleted connectors are gone from Connect" eval 'k delete kafkaconnector no-label no-class no-folder my-sink && comes 20 connect_has ". == [\"my-source\"]"'
  local was; was=$(uid pod/my-connect-connect-0)
  point "another configuration: rolled" eval "apply connect ', metricsConfig: {type: strimziMetricsReporter}' && sees 90 pod/my-connect-connect-0 '.metadata.uid != \"$was\"' && sees 120 kafkaconnect/my-connect '$ready'"
  point "its metrics" eval 'in_pod sh -c "curl -sf http://my-connect-connect-0.my-connect-connect:9404/metrics | grep -m1 ^kafka_connect_"'
  point "deleted: nothing is left" eval 'k delete kafkaconnect my-connect --timeout=30s && left strimzi.io/cluster=my-connect'
  point "its connector says so" not_ready_is 10 kafkaconnector/my-source NoSuchResourceException "does not exist in namespace kafka"
  point "connector deleted" k delete kafkaconnector --all --timeout=30s
}
