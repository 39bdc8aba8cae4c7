# The group `components` of check: Kafka Connect, MirrorMaker 2, HTTP bridge, Kafka Exporter, Cruise Control.
# Sourced, not executed.
# shellcheck shell=bash
# shellcheck disable=SC2016,SC2154  # as in check, whose functions and variables are used here

# resource KIND NAME SPEC [LABELS] [ANNOTATIONS]: print a manifest; SPEC is in YAML's flow style.
resource() {
  printf 'apiVersion: kafka.strimzi.io/v1\nkind: %s\nmetadata: {name: %s, labels: {%s}, annotations: {%s}}\nspec: %s\n' \
    "$1" "$2" "${4:-}" "${5:-}" "$3"
}
quick='jvmOptions: {-Xms: 128m, -Xmx: 384m}, readinessProbe: {initialDelaySeconds: 3, periodSeconds: 2}'
plain='bootstrapServers: "my-cluster-kafka-bootstrap:9092"'
one_replica='config.storage.replication.factor: 1, offset.storage.replication.factor: 1, status.storage.replication.factor: 1'
connect() { # [MORE]: the example connectors are not on the class path by default
  resource KafkaConnect my-connect "{replicas: 1, $plain, groupId: my-connect, configStorageTopic: my-connect-configs,
    statusStorageTopic: my-connect-status, offsetStorageTopic: my-connect-offsets, $quick,
    template: {connectContainer: {env: [{name: CLASSPATH, value: /opt/kafka/libs/connect-file-4.3.1.jar}]}},
    config: {$one_replica, key.converter: org.apache.kafka.connect.storage.StringConverter,
             value.converter: org.apache.kafka.connect.storage.StringConverter} ${1:-}}" \
    '' 'strimzi.io/use-connector-resources: "true"'
}
connector() { # NAME CLASS CONFIG
  resource KafkaConnector "$1" "{class: $2, tasksMax: 1, config: {$3}}" "${labels-strimzi.io/cluster: my-connect}"
}
not_ready_is() { # SECONDS KIND/NAME REASON MESSAGE-PART
  sees "$1" "$2" ".status.observedGeneration == .metadata.generation and (.status.conditions[0] | .type == \"NotReady\" and .status == \"True\" and .reason == \"$3\" and (.message | contains(\"$4\")))"
}
connect_has() { in_pod curl -sf "http://my-connect-connect-api:8083/connectors" | jq -e "$1"; }
# comes SECONDS COMMAND...: repeat the command until it succeeds.
comes() {
  local end=$((SECONDS + $1)); shift
  until "$@"; do [ $SECONDS -lt $end ] || return 1; sleep 1; done
}
# left LABELS: wait until no objects with these labels exist.
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

# Each part needs only a Kafka cluster: `check small_cluster http_bridge` runs one part.
components() {
  small_cluster
  kafka_connect
  mirror_maker
  http_bridge
  observed
  balanced
  point "deleted" delete_cluster
}
small_cluster() { # [KAFKA-LINES]
  ensure_operator
  apply cluster '  jvmOptions: {-Xms: 256m, -Xmx: 512m}' "    readinessProbe: {initialDelaySeconds: 3, periodSeconds: 2}
${1:-}" > /dev/null
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
  point "changed" eval 'apply connector my-sink FileStreamSink "file: /tmp/others, topics: lines" && sees 30 kafkaconnector/my-sink "$ready" && in_pod curl -sf http://my-connect-connect-api:8083/connectors/my-sink/config | jq -e ".file == \"/tmp/others\""'
  point "deleted connectors are gone from Connect" eval 'k delete kafkaconnector no-label no-class no-folder my-sink && comes 20 connect_has ". == [\"my-source\"]"'
  local was; was=$(uid pod/my-connect-connect-0)
  point "another configuration: rolled" eval "apply connect ', metricsConfig: {type: strimziMetricsReporter}' && sees 90 pod/my-connect-connect-0 '.metadata.uid != \"$was\"' && sees 120 kafkaconnect/my-connect '$ready'"
  point "its metrics" eval 'in_pod sh -c "curl -sf http://my-connect-connect-0.my-connect-connect:9404/metrics | grep ^kafka_connect_ > /dev/null"'
  point "deleted: nothing is left" eval 'k delete kafkaconnect my-connect --timeout=30s && left strimzi.io/cluster=my-connect'
  point "its connector says so" not_ready_is 10 kafkaconnector/my-source NoSuchResourceException "does not exist in namespace kafka"
  point "connector deleted" k delete kafkaconnector --all --timeout=30s
}

mirror() { # SOURCE-BOOTSTRAP
  resource KafkaMirrorMaker2 my-mirror "{replicas: 1, $quick,
    target: {alias: there, $plain, groupId: my-mirror, configStorageTopic: __my-mirror-configs, statusStorageTopic: __my-mirror-status,
             offsetStorageTopic: __my-mirror-offsets, config: {$one_replica, plugin.discovery: service_load}},
    mirrors: [{source: {alias: here, bootstrapServers: \"$1\"}, topicsPattern: original,
               sourceConnector: {tasksMax: 1, config: {replication.factor: 1, offset-syncs.topic.replication.factor: 1, refresh.topics.interval.seconds: 5}}}]}"
}
has_line() { # TOPIC LINE: succeed if the topic's first message contains the line
  in_pod timeout 60 bin/kafka-console-consumer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic "$1" \
    --from-beginning --timeout-ms 15000 --max-messages 1 | grep -F -- "$2"
}
mirror_maker() {
  point "a message to mirror" eval 'echo mirrored | in_pod timeout 60 bin/kafka-console-producer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic original'
  point "MirrorMaker 2 is Ready" eval 'apply mirror my-cluster-kafka-bootstrap:9092 && sees 180 kafkamirrormaker2/my-mirror "$ready"'
  point "its connector, address and pod" eval 'sees 1 kafkamirrormaker2/my-mirror ".status | [.connectors[].name] == [\"here->there.MirrorSourceConnector\"] and .connectors[0].connector.state == \"RUNNING\"
    and .url == \"http://my-mirror-mirrormaker2-api.kafka.svc:8083\"" && sees 1 pod/my-mirror-mirrormaker2-0 ".metadata.labels[\"strimzi.io/kind\"] == \"KafkaMirrorMaker2\""'
  point "the message is there" comes 60 has_line here.original mirrored
  point "deleted: nothing is left" eval 'k delete kafkamirrormaker2 my-mirror --timeout=30s && left strimzi.io/cluster=my-mirror'
}

bridge() { resource KafkaBridge my-bridge "{replicas: 1, $plain, ${1:-http: {port: 8080\}}, readinessProbe: {initialDelaySeconds: 1, periodSeconds: 2}}"; }
ask_bridge() { # METHOD PATH [KIND] [BODY]
  in_pod curl -s -X "$1" -w '\n%{http_code}\n' "http://my-bridge-bridge-service:8080$2" ${3:+-H "Content-Type: $3"} ${3:+-H "Accept: $3"} ${4:+-d "$4"}
}
http_bridge() {
  local json=application/vnd.kafka.json.v2+json
  point "bridge without http" eval 'apply bridge "image: x" 2>&1; k get kafkabridge my-bridge && not_ready_is 10 kafkabridge/my-bridge InvalidResourceException "The HTTP configuration for the bridge is not specified."'
  point "bridge is Ready" eval 'k delete kafkabridge my-bridge; apply bridge && sees 60 kafkabridge/my-bridge "$ready and .status.url == \"http://my-bridge-bridge-service.kafka.svc:8080\" and .status.replicas == 1"'
  point "says that it is played" logs_say deployment/my-bridge-bridge "stand-in for the Strimzi HTTP bridge"
  point "takes a message" eval 'ask_bridge POST /topics/bridged $json '"'"'{"records":[{"key":"k","value":{"n":1}}]}'"'"' | tee /dev/stderr | grep -x '"'"'{"offsets":\[{"partition":0,"offset":0}\]}'"'"
  point "which Kafka has" has_line bridged '{"n":1}'
  point "refuses in its words" eval 'ask_bridge GET /topics/nope | grep 404 && ask_bridge POST /topics/bridged text/plain x | tail -1 | grep 400'
  point "deleted: nothing is left" eval 'k delete kafkabridge my-bridge --timeout=30s && left strimzi.io/cluster=my-bridge'
}

kafka_spec() { k patch kafka my-cluster --type=merge -p "{\"spec\": $1}"; }
exported() { in_pod curl -sf "http://$(k get pod -l "strimzi.io/name=$1" -o 'jsonpath={.items[0].status.podIP}'):9404/metrics"; }
observed() {
  local was
  sees 180 kafka/my-cluster "$ready" > /dev/null
  point "cruise control is refused for one broker" eval 'kafka_spec "{\"cruiseControl\": {}}" && not_ready InvalidResourceException "Kafka kafka/my-cluster has invalid configuration. Cruise Control cannot be deployed with a Kafka cluster which has only one broker. It requires at least two Kafka brokers." && kafka_spec "{\"cruiseControl\": null}" && sees 90 kafka/my-cluster "$ready"'
  was=$(uid $pod)
  point "exporter is there, the broker was not rolled" eval "kafka_spec '{\"kafkaExporter\": {\"readinessProbe\": {\"initialDelaySeconds\": 1, \"periodSeconds\": 2}}}' && sees 120 kafka/my-cluster '$ready' && sees 1 deployment/my-cluster-kafka-exporter '.status.readyReplicas == 1' && sees 1 $pod '.metadata.uid == \"$was\"'"
  point "it knows the topics" eval 'in_pod timeout 60 bin/kafka-topics.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --create --topic seen --partitions 3 && exported my-cluster-kafka-exporter | tee /dev/stderr | grep -x "kafka_topic_partitions{topic=\"seen\"} 3"'
  point "and their offsets" eval 'echo one | in_pod timeout 60 bin/kafka-console-producer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic seen && exported my-cluster-kafka-exporter | grep "kafka_topic_partition_current_offset{.*topic=\"seen\"} 1"'
  point "taken away: nothing of it is left" eval 'kafka_spec "{\"kafkaExporter\": null}" && left strimzi.io/name=my-cluster-kafka-exporter'
  point "Strimzi's reporter: the broker is rolled" eval "kafka_spec '{\"kafka\": {\"metricsConfig\": {\"type\": \"strimziMetricsReporter\"}}}' && sees 90 $pod '.metadata.uid != \"$was\"' && sees 120 kafka/my-cluster '$ready'"
  point "its metrics" eval 'exported my-cluster-kafka | grep ^kafka_server_ > /dev/null'
  was=$(uid $pod)
  point "and it stays" eval "sleep 5; k annotate kafka my-cluster --overwrite look=again && sleep 5 && sees 60 kafka/my-cluster '$ready' && sees 1 $pod '.metadata.uid == \"$was\"'"
  point "Prometheus' agent: rolled" eval "k create configmap rules --from-literal=rules.yml='lowercaseOutputName: true' && kafka_spec '{\"kafka\": {\"metricsConfig\": {\"type\": \"jmxPrometheusExporter\", \"values\": null, \"valueFrom\": {\"configMapKeyRef\": {\"name\": \"rules\", \"key\": \"rules.yml\"}}}}}' && sees 90 $pod '.metadata.uid != \"$was\"' && sees 120 kafka/my-cluster '$ready'"
  point "its metrics" eval 'exported my-cluster-kafka | grep ^kafka_server_ > /dev/null'
  point "taken away: rolled once more" eval 'kafka_spec "{\"kafka\": {\"metricsConfig\": null}}" && k delete configmap rules && sees 120 kafka/my-cluster "$ready"'
}
balanced() {
  k scale kafkanodepool dual-role --replicas=3 > /dev/null
  point "three brokers" eval 'sees 200 kafkanodepool/dual-role ".status.nodeIds == [0, 1, 2]" && sees 240 kafka/my-cluster "$ready"'
  local was; was=$(uid $pod)
  point "cruise control: the brokers are rolled" eval "kafka_spec '{\"cruiseControl\": {\"readinessProbe\": {\"initialDelaySeconds\": 1, \"periodSeconds\": 2}}}' && sees 120 $pod '.metadata.uid != \"$was\"' && sees 240 kafka/my-cluster '$ready' && sees 1 deployment/my-cluster-cruise-control '.status.readyReplicas == 1'"
  point "its topics" eval 'in_pod timeout 60 bin/kafka-topics.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --list | grep -c ^strimzi.cruisecontrol | grep -x 3'
  point "taken away: nothing of it is left" eval 'kafka_spec "{\"cruiseControl\": null}" && sees 240 kafka/my-cluster "$ready" && left strimzi.io/name=my-cluster-cruise-control'
}
