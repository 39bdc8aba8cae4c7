#!/usr/bin/env bash
# What the Cruise Control's pod runs; STRIMZI_KAFKA_BOOTSTRAP_SERVERS and API_PORT come from the operator.
exec /usr/bin/tini -w -e 143 -- java -Xmx64M -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
  -Dlog4j2.configurationFile=/opt/kafka/config/tools-log4j2.properties -cp '/opt/cruise-control:/opt/kafka/libs/*' CruiseControl
