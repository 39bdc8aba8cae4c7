#!/usr/bin/env bash
# What a broker pod runs: format the storage if it is new, then Kafka itself.
# The operator mounts /opt/kafka/custom-config: server.config, cluster.id, metadata.version, log4j2.properties.
set -e
cd /opt/kafka
config=/opt/kafka/custom-config
STRIMZI_CLUSTER_ID=$(cat "$config/cluster.id")
METADATA_VERSION=$(cat "$config/metadata.version")
export KAFKA_LOG4J_OPTS="-Dlog4j2.configurationFile=$config/log4j2.properties"

# Without a heap of its own choice the broker takes half of its memory limit, as the real script does.
if [ -n "$STRIMZI_DYNAMIC_HEAP_PERCENTAGE" ]; then
  KAFKA_HEAP_OPTS="-XX:InitialRAMPercentage=$STRIMZI_DYNAMIC_HEAP_PERCENTAGE -XX:MaxRAMPercentage=$STRIMZI_DYNAMIC_HEAP_PERCENTAGE"
  export KAFKA_HEAP_OPTS
fi

cp "$config/server.config" /tmp/strimzi.properties
echo "Starting Kafka with configuration:"
cat /tmp/strimzi.properties
echo ""

echo "Making sure the Kraft storage is formatted with cluster ID $STRIMZI_CLUSTER_ID and metadata version $METADATA_VERSION"
./bin/kafka-storage.sh format -t="$STRIMZI_CLUSTER_ID" -r="$METADATA_VERSION" -c=/tmp/strimzi.properties -g

exec /usr/bin/tini -w -e 143 -- ./bin/kafka-server-start.sh /tmp/strimzi.properties
