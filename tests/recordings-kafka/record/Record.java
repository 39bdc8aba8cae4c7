// Writes topics with Kafka's own producer, and prints what Kafka's own consumer reads of any topic.
//   Record write BOOTSTRAP          makes the topics java-*
//   Record read BOOTSTRAP TOPIC LEVEL   a line of JSON for each message of partition 0; LEVEL as isolation.level
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.time.Duration;
import java.util.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.serialization.*;

public class Record {
  static String bootstrap;

  public static void main(String[] args) throws Exception {
    bootstrap = args[1];
    if (args[0].equals("read")) read(args[2], args[3]); else write();
  }

  static Admin admin() { return Admin.create(Map.of("bootstrap.servers", bootstrap)); }

  static void topic(String name, Map<String, String> config) throws Exception {
    try (Admin admin = admin()) {
      admin.createTopics(List.of(new NewTopic(name, 1, (short) 1).configs(config))).all().get();
    }
  }

  static KafkaProducer<byte[], byte[]> producer(String codec, String transaction) {
    Map<String, Object> config = new HashMap<>(Map.of("bootstrap.servers", bootstrap, "compression.type", codec,
        "linger.ms", 200, "max.request.size", 20_000_000));
    if (transaction != null) config.put("transactional.id", transaction);
    return new KafkaProducer<>(config, new ByteArraySerializer(), new ByteArraySerializer());
  }

  static ProducerRecord<byte[], byte[]> record(String topic, String key, String value, String... headers) {
    byte[] k = key == null ? null : key.getBytes(StandardCharsets.UTF_8);
    byte[] v = value == null ? null : value.getBytes(StandardCharsets.UTF_8);
    var record = new ProducerRecord<>(topic, 0, k, v);
    for (int i = 0; i < headers.length; i += 2)
      record.headers().add(headers[i], headers[i + 1] == null ? null : headers[i + 1].getBytes(StandardCharsets.UTF_8));
    return record;
  }

  static void write() throws Exception {
    for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
      String topic = "java-" + codec;
      topic(topic, Map.of());
      try (var producer = producer(codec, null)) {
        producer.send(record(topic, "k", "plain"));
        producer.send(record(topic, null, "no key"));
        producer.send(record(topic, "tombstone", null));
        producer.send(record(topic, null, null));
        producer.send(record(topic, "", ""));
        producer.send(record(topic, "headers", "twice", "trace", "1", "other", null, "trace", "2", "", "no name"));
        producer.send(new ProducerRecord<>(topic, 0, null, new byte[] {(byte) 0xff, 0, (byte) 0x9b, 27}));
        for (int i = 0; i < 200; i++) producer.send(record(topic, "k" + i, ("value " + i + " ").repeat(1 + i % 50)));
        producer.flush();
        producer.send(record(topic, "second", "batch")).get();
      }
    }
    topic("java-log-append-time", Map.of("message.timestamp.type", "LogAppendTime"));
    for (String codec : List.of("none", "zstd"))
      try (var producer = producer(codec, null)) {
        for (int i = 0; i < 3; i++) { producer.send(record("java-log-append-time", null, codec + i)); Thread.sleep(40); }
      }
    topic("java-transactions", Map.of());
    try (var first = producer("none", "first"); var second = producer("lz4", "second"); var plain = producer("none", null)) {
      first.initTransactions();
      second.initTransactions();
      for (int round = 0; round < 4; round++) {
        first.beginTransaction();
        second.beginTransaction();
        for (int i = 0; i < 3; i++) {
          first.send(record("java-transactions", "first", "round " + round + " " + i));
          second.send(record("java-transactions", "second", "round " + round + " " + i));
          plain.send(record("java-transactions", "plain", "round " + round + " " + i));
          first.flush();
          second.flush();
          plain.flush();
        }
        if (round % 2 == 0) first.abortTransaction(); else first.commitTransaction();
        if (round < 2) second.abortTransaction(); else second.commitTransaction();
      }
    }
    topic("java-compacted", Map.of("cleanup.policy", "compact", "min.cleanable.dirty.ratio", "0.01", "segment.ms", "1000",
        "delete.retention.ms", "100", "min.compaction.lag.ms", "0"));
    try (var producer = producer("gzip", null)) {
      for (int i = 0; i < 300; i++) producer.send(record("java-compacted", "k" + i % 7, i % 50 == 49 ? null : "value " + i));
      producer.flush();
      Thread.sleep(1500);
      for (int i = 0; i < 10; i++) { producer.send(record("java-compacted", "late" + i % 3, "late " + i)).get(); Thread.sleep(300); }
      Thread.sleep(6000);
      producer.send(record("java-compacted", "end", "end")).get();
    }
    topic("java-large", Map.of("max.message.bytes", "10000000"));
    for (String codec : List.of("gzip", "snappy", "lz4", "zstd"))
      try (var producer = producer(codec, null)) {
        producer.send(record("java-large", codec, "0123456789abcdef".repeat(5 * 65536))).get();
      }
  }

  static void read(String topic, String level) throws Exception {
    Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "isolation.level", level,
        "max.partition.fetch.bytes", 20_000_000, "enable.auto.commit", false, "auto.offset.reset", "earliest");
    try (var consumer = new KafkaConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
      var partition = new TopicPartition(topic, 0);
      consumer.assign(List.of(partition));
      long end = consumer.endOffsets(List.of(partition)).get(partition);
      consumer.seekToBeginning(List.of(partition));
      while (consumer.position(partition) < end)
        for (var r : consumer.poll(Duration.ofMillis(500))) {
          var line = new StringBuilder("{\"offset\":" + r.offset() + ",\"timestamp\":" + r.timestamp());
          line.append(",\"key\":").append(bytes(r.key())).append(",\"value\":").append(bytes(r.value())).append(",\"headers\":[");
          String comma = "";
          for (Header h : r.headers()) {
            line.append(comma).append("[").append(bytes(h.key().getBytes(StandardCharsets.UTF_8))).append(",").append(bytes(h.value())).append("]");
            comma = ",";
          }
          System.out.println(line.append("]}"));
        }
    }
  }

  // What is long is told by its digest.
  static String bytes(byte[] bytes) throws Exception {
    if (bytes == null) return "null";
    if (bytes.length > 100) return "\"sha256:" + HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes)) + "\"";
    return "\"" + Base64.getEncoder().encodeToString(bytes) + "\"";
  }
}
