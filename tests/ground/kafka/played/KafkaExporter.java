import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.TopicPartitionInfo;

/** Plays Kafka Exporter: the metrics that it is known for, asked of the real Kafka at each scrape. */
public final class KafkaExporter {
    private final Admin admin;
    private final Predicate<String> topics = filter("TOPIC");
    private final Predicate<String> groups = filter("GROUP");

    private KafkaExporter(Admin admin) {
        this.admin = admin;
    }

    private static Predicate<String> filter(String what) {
        Pattern in = Pattern.compile(System.getenv().getOrDefault("KAFKA_EXPORTER_" + what + "_REGEX", ".*"));
        Pattern out = Pattern.compile(System.getenv().getOrDefault("KAFKA_EXPORTER_" + what + "_EXCLUDE_REGEX", "^$"));
        return name -> in.matcher(name).find() && !out.matcher(name).find();
    }

    /** Samples by metric, so that each has its type line. */
    private static final class Page {
        private final Map<String, StringBuilder> metrics = new TreeMap<>();

        void add(String metric, String labels, long value) {
            metrics.computeIfAbsent(metric, name -> new StringBuilder("# TYPE " + name + " gauge\n"))
                .append(metric).append(labels.isEmpty() ? "" : "{" + labels + "}").append(' ').append(value).append('\n');
        }

        @Override
        public String toString() {
            return String.join("", metrics.values());
        }
    }

    private Map<TopicPartition, Long> offsets(Collection<TopicPartition> of, OffsetSpec which) throws Exception {
        Map<TopicPartition, OffsetSpec> asked = new HashMap<>();
        of.forEach(partition -> asked.put(partition, which));
        Map<TopicPartition, Long> found = new HashMap<>();
        admin.listOffsets(asked).all().get().forEach((partition, info) -> found.put(partition, info.offset()));
        return found;
    }

    private String scrape() throws Exception {
        Page page = new Page();
        page.add("kafka_brokers", "", admin.describeCluster().nodes().get().size());
        Map<TopicPartition, TopicPartitionInfo> all = new HashMap<>();
        var names = admin.listTopics(new org.apache.kafka.clients.admin.ListTopicsOptions().listInternal(true)).names().get();
        admin.describeTopics(names.stream().filter(topics).toList()).allTopicNames().get().forEach((name, topic) -> {
            page.add("kafka_topic_partitions", "topic=\"" + name + "\"", topic.partitions().size());
            topic.partitions().forEach(info -> all.put(new TopicPartition(name, info.partition()), info));
        });
        Map<TopicPartition, Long> newest = offsets(all.keySet(), OffsetSpec.latest());
        Map<TopicPartition, Long> oldest = offsets(all.keySet(), OffsetSpec.earliest());
        all.forEach((partition, info) -> {
            String labels = "partition=\"" + partition.partition() + "\",topic=\"" + partition.topic() + "\"";
            Node leader = info.leader();
            page.add("kafka_topic_partition_current_offset", labels, newest.get(partition));
            page.add("kafka_topic_partition_oldest_offset", labels, oldest.get(partition));
            page.add("kafka_topic_partition_leader", labels, leader == null ? -1 : leader.id());
            page.add("kafka_topic_partition_replicas", labels, info.replicas().size());
            page.add("kafka_topic_partition_in_sync_replica", labels, info.isr().size());
            page.add("kafka_topic_partition_leader_is_preferred", labels, info.replicas().get(0).equals(leader) ? 1 : 0);
            page.add("kafka_topic_partition_under_replicated_partition", labels,
                info.isr().size() < info.replicas().size() ? 1 : 0);
        });
        for (var group : admin.listGroups(org.apache.kafka.clients.admin.ListGroupsOptions.forConsumerGroups()).all().get()) {
            if (!groups.test(group.groupId())) {
                continue;
            }
            String own = "consumergroup=\"" + group.groupId() + "\"";
            page.add("kafka_consumergroup_members", own, admin.describeConsumerGroups(java.util.List.of(group.groupId()))
                .all().get().get(group.groupId()).members().size());
            admin.listConsumerGroupOffsets(group.groupId()).partitionsToOffsetAndMetadata().get().forEach((partition, at) -> {
                if (at != null && newest.containsKey(partition)) {
                    String labels = own + ",partition=\"" + partition.partition() + "\",topic=\"" + partition.topic() + "\"";
                    page.add("kafka_consumergroup_current_offset", labels, at.offset());
                    page.add("kafka_consumergroup_lag", labels, newest.get(partition) - at.offset());
                }
            });
        }
        return page.toString();
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("This plays Kafka Exporter for kstrim's tests, a test double");
        Properties config = new Properties();
        config.put("bootstrap.servers", System.getenv("KAFKA_EXPORTER_KAFKA_SERVER"));
        config.put("request.timeout.ms", "5000");
        config.put("default.api.timeout.ms", "10000");
        KafkaExporter exporter = new KafkaExporter(Admin.create(config));
        // As the real one: nothing is served, and the container ends, until Kafka answers.
        exporter.scrape();
        HttpServer server = HttpServer.create(new InetSocketAddress(9404), 0);
        server.createContext("/", exchange -> {
            byte[] body;
            int code = 200;
            try {
                String path = exchange.getRequestURI().getPath();
                body = (path.equals("/metrics") ? exporter.scrape() : path.equals("/healthz") ? "ok" : "Kafka Exporter")
                    .getBytes(StandardCharsets.UTF_8);
            } catch (Exception failure) {
                code = 500;
                body = String.valueOf(failure).getBytes(StandardCharsets.UTF_8);
            }
            exchange.getResponseHeaders().set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
            exchange.sendResponseHeaders(code, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println("Listening on HTTP :9404");
    }
}
