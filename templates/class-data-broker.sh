# A container of templates/class-data-job.yaml, in Kafka's image.
archive="$ARCHIVES/$JVM.jsa"
list="$ARCHIVES/$JVM.list"
# The JVM is still writing the last line.
sed '$d' "$LISTS/$JVM.classlist" > "$list" || exit 0
# Kafka's tools in the broker's pod have the same options: they replace its list by theirs.
if ! grep -q '^kafka/Kafka ' "$list"; then rm -f "$list"; exit 0; fi
export LOG_DIR=/tmp KAFKA_HEAP_OPTS=-Xmx256M
java() {
  KAFKA_OPTS="$* -XX:SharedArchiveFile=$archive.part" nice -n 19 /opt/kafka/bin/kafka-run-class.sh kafka.Kafka
}
# The second JVM exits at once, with an error if it cannot use the archive.
if java -Xshare:dump "-XX:SharedClassListFile=$list" && java -Xshare:on -version; then
  mv -f "$archive.part" "$archive" && echo "$IMAGE" > "$ARCHIVES/$JVM.image"
fi
rm -f "$list" "$archive.part"
