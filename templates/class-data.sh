# A container of templates/class-data-job.yaml, in the image of the JVM. The image's own start scripts set the class path,
# which has to be the same in the archive and in the JVM that uses it.
archive="$ARCHIVES/$JVM.jsa"
list="$ARCHIVES/$JVM.list"
# The JVM is still writing the last line.
sed '$d' "$LISTS/$JVM.classlist" > "$list" || exit 0
case $JVM in
broker)
  # Kafka's tools in the broker's pod have the same options: they replace its list by theirs.
  if ! grep -q '^kafka/Kafka ' "$list"; then rm -f "$list"; exit 0; fi
  export LOG_DIR=/tmp KAFKA_HEAP_OPTS=-Xmx256M
  start=(/opt/kafka/bin/kafka-run-class.sh kafka.Kafka)
  ;;
*)
  cd "${STRIMZI_HOME:-/opt/strimzi}" || exit 0
  start=("bin/${JVM//-/_}_run.sh")
  ;;
esac
java() {
  local options="$* -XX:SharedArchiveFile=$archive.part"
  # Kafka's script reads the one, the operators' the other.
  KAFKA_OPTS=$options JAVA_OPTS=$options nice -n 19 "${start[@]}"
}
# The second JVM exits at once, with an error if it cannot use the archive.
if java -Xshare:dump "-XX:SharedClassListFile=$list" && java -Xshare:on -version; then
  mv -f "$archive.part" "$archive" && echo "$IMAGE" > "$ARCHIVES/$JVM.image"
fi
rm -f "$list" "$archive.part"
