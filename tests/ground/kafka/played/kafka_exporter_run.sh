#!/usr/bin/env bash
# What the Kafka Exporter's pod runs; KAFKA_EXPORTER_* come from the operator.
exec /usr/bin/tini -w -e 143 -- java -Xmx64M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.properties -cp '/opt/kafka-exporter:/opt/kafka/libs/*' KafkaExporter
