#!/usr/bin/env bash
# What a broker pod runs: format the storage if it is new, then Kafka itself.
# The operator mounts /opt/kafka/custom-config: server.config, cluster.id, metadata.version, log4j2.properties.
set -e
cd /opt/kafka
config=/opt/kafka/custom-config
STRIMZI_CLUSTER_ID=$(cat "$config/cluster.id")
METADATA_VERSION=$(cat "$config/metadata.version")

cp "$config/server.config" /tmp/strimzi.properties
echo "Starting Kafka with configuration:"
cat /tmp/strimzi.properties
echo ""

# Every folder of the logs is this cluster's. The tool would say just that, after a second of starting Java.
formatted() {
  local folders folder
  folders=$(sed -n 's/^log\.dirs=//p' /tmp/strimzi.properties | tr ',' ' ')
  [ -n "$folders" ] || return 1
  for folder in $folders; do
    grep -qxF "cluster.id=$STRIMZI_CLUSTER_ID" "$folder/meta.properties" 2> /dev/null || return 1
  done
}

. ./java_options.sh
KAFKA_OPTS="$class_archive $KAFKA_OPTS"
echo "Making sure the Kraft storage is formatted with cluster ID $STRIMZI_CLUSTER_ID and metadata version $METADATA_VERSION"
if formatted; then
  echo "All of the log directories are already formatted."
else
  ./bin/kafka-storage.sh format -t="$STRIMZI_CLUSTER_ID" -r="$METADATA_VERSION" -c=/tmp/strimzi.properties -g
fi

# The agent is the broker's alone: two processes cannot have its port.
jmx_exporter=$KAFKA_JMX_EXPORTER_ENABLED
. ./java_options.sh
exec /usr/bin/tini -w -e 143 -- ./bin/kafka-server-start.sh /tmp/strimzi.properties
