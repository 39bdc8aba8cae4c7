# The images that Strimzi's manifest names: the real Kafka, and the stand-in for its operators and bridge. Sourced, not run.
# shellcheck shell=bash
# shellcheck source=base.sh
strimzi=1.2.0
kafka_image=quay.io/strimzi/kafka:$strimzi-kafka-4.3.1
operator_image=quay.io/strimzi/operator:$strimzi
bridge_image=quay.io/strimzi/kafka-bridge:1.1.0
kafka_tar=$images/kafka-$strimzi.tar
operator_tar=$images/operator-$strimzi.tar
# What the ground builds, whichever operator runs: the archives of the real one are never written.
own_kafka_tar=$kafka_tar own_operator_tar=$operator_tar
# The stand-in's is in the operator's archive.
bridge_tar=

kafka_jars() {
  rm -rf "$ground/kafka-jars"
  retry "Kafka's jars" mvn -q -B -f "$here/kafka/pom.xml" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies \
    -DoutputDirectory="$ground/kafka-jars" -DincludeScope=runtime
}

# Compiles the played programs: a Java runtime needs no JDK beside it for that.
java_compiler() {
  rm -rf "$ground/java-compiler"
  retry "the Java compiler" mvn -q -B org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy \
    -Dartifact="$(cat "$here/kafka/compiler")" -DoutputDirectory="$ground/java-compiler"
}

pack_kafka() {
  local root=$ground/kafka-image-root
  rm -rf "$root"
  cp -a "$ground/kafka-root" "$root"
  "$here/kafka/install" "$root" "$ground/kafka-jars" "$ground/java-compiler"
  install -m755 "$here/kafka/archive" "$root/tmp/archive"
  # shellcheck disable=SC2016  # for the inner shell
  unshare --mount --pid --net --fork --kill-child sh -c '
    mount -t proc proc "$0/proc" && ip link set lo up && exec chroot --userspec=1001:0 "$0" /tmp/archive' "$root"
  rm "$root/tmp/archive"
  import "$root" "$kafka_image" 'USER 1001' 'WORKDIR /opt/kafka' 'ENV LANG=C.UTF-8' 'ENV KAFKA_HOME=/opt/kafka' \
    'CMD ["/bin/bash"]' 'LABEL io.kstrim.ground="Apache Kafka 4.3.1, packed by kstrim for its tests; its exporter and Cruise Control are test doubles"'
  rm -rf "$root"
  docker save -o "$own_kafka_tar" "$kafka_image"
}

operator_libraries() {
  rm -rf "$ground/operator-libs"
  retry "the operator's Python packages" python3 -m pip install -q --no-deps --no-compile --target "$ground/operator-libs" \
    --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 \
    --python-version 3.11 --only-binary=:all: -r "$here/operator/requirements.txt"
}

pack_operator() {
  local root=$ground/operator-image-root
  rm -rf "$root"
  cp -a "$ground/operator-root" "$root"
  mkdir -p "$root/opt/strimzi"
  cp -r "$ground/operator-libs" "$root/opt/strimzi/lib"
  cp -r "$here/operator/bin" "$here/operator/standin" "$root/opt/strimzi/"
  find "$root/opt/strimzi" -name __pycache__ -prune -exec rm -rf {} +
  # Compiled ahead: the operator has one CPU and a read-only root.
  chroot "$root" python3 -m compileall -q -x 'cffi|pycparser' /opt/strimzi/lib /opt/strimzi/standin
  echo 'strimzi:x:1001:0:strimzi:/home/strimzi:/bin/bash' >> "$root/etc/passwd"
  import "$root" "$operator_image" 'USER 1001' 'WORKDIR /opt/strimzi' 'ENV LANG=C.UTF-8' \
    'LABEL io.kstrim.ground="kstrim stand-in for the Strimzi operators, a test double"'
  rm -rf "$root"
  # The bridge is the same file system under another name, in the same archive: it costs nothing to load.
  printf 'FROM %s\nLABEL io.kstrim.ground="kstrim stand-in for the Strimzi HTTP bridge, a test double"\n' "$operator_image" |
    DOCKER_BUILDKIT=0 docker build -q -t "$bridge_image" -
  docker save -o "$own_operator_tar" "$operator_image" "$bridge_image"
}

build_strimzi() {
  step kafka-jars kafka/pom.xml -- kafka_jars
  step java-compiler kafka/compiler -- java_compiler
  step kafka-root roots/kafka roots/unused -- listed_root kafka
  step operator-root roots/operator roots/unused -- listed_root operator
  step operator-libs operator/requirements.txt -- operator_libraries
}

build_strimzi_images() {
  step kafka-image kafka roots/kafka roots/unused -- pack_kafka
  step operator-image operator roots/operator roots/unused -- pack_operator
}
