#!/usr/bin/env bash
# What a pod of Kafka Connect or MirrorMaker 2 runs: a distributed worker.
# The operator mounts /opt/kafka/custom-config: kafka-connect.properties, log4j2.properties.
set -e
cd /opt/kafka
# The name that the headless service gives the pod: where the other workers find this one.
ADVERTISED_HOSTNAME=$(hostname -f | cut -d . -f 1-4)
export ADVERTISED_HOSTNAME

cp custom-config/kafka-connect.properties /tmp/strimzi-connect.properties
echo "Starting Kafka Connect with configuration:"
cat /tmp/strimzi-connect.properties
echo ""

jmx_exporter=$KAFKA_CONNECT_JMX_EXPORTER_ENABLED
. ./java_options.sh
KAFKA_OPTS="$class_archive $KAFKA_OPTS"
exec /usr/bin/tini -w -e 143 -- ./bin/connect-distributed.sh /tmp/strimzi-connect.properties
