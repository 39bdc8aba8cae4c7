# A container of templates/class-data-job.yaml, in the operator's image. The image's own start script sets the class
# path, which has to be the same in the archive and in the JVM that uses it.
cd "${STRIMZI_HOME:-/opt/strimzi}" || exit 0
run="bin/${JVM//-/_}_run.sh"
archive="$ARCHIVES/$JVM.jsa"
list="$ARCHIVES/$JVM.list"
# The JVM is still writing the last line.
if ! [ -x "$run" ] || ! sed '$d' "$LISTS/$JVM.classlist" > "$list"; then exit 0; fi
java() { JAVA_OPTS="$* -XX:SharedArchiveFile=$archive.part" nice -n 19 "$run"; }
# The second JVM exits at once, with an error if it cannot use the archive.
if java -Xshare:dump "-XX:SharedClassListFile=$list" && java -Xshare:on -version; then
  mv -f "$archive.part" "$archive" && echo "$IMAGE" > "$ARCHIVES/$JVM.image"
fi
rm -f "$list" "$archive.part"
