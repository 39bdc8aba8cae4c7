package example;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;
import org.junit.jupiter.api.Test;

/** Produces orders and consumes them again. {@code kstrim run} sets the environment. */
class OrdersTest {
    /** How to connect: the file has addresses, certificates and passwords. */
    private static Properties client() throws IOException {
        Properties properties = new Properties();
        try (Reader file = Files.newBufferedReader(Path.of(System.getenv("KSTRIM_CLIENT_PROPERTIES")))) {
            properties.load(file);
        }
        return properties;
    }

    @Test
    void ordersComeBack() throws Exception {
        String topic = System.getenv("KSTRIM_TOPIC_ORDERS");
        List<String> orders = IntStream.range(0, 10).mapToObj(n -> "order " + n).toList();
        TopicPartition partition = new TopicPartition(topic, 0);
        long first;
        try (KafkaProducer<String, String> producer =
                new KafkaProducer<>(client(), new StringSerializer(), new StringSerializer())) {
            first = producer.send(new ProducerRecord<>(topic, 0, "key", orders.get(0))).get().offset();
            for (String order : orders.subList(1, orders.size())) {
                producer.send(new ProducerRecord<>(topic, 0, "key", order)).get();
            }
        }
        List<String> consumed = new ArrayList<>();
        Properties properties = client();
        properties.put("enable.auto.commit", "false");
        try (KafkaConsumer<String, String> consumer =
                new KafkaConsumer<>(properties, new StringDeserializer(), new StringDeserializer())) {
            consumer.assign(List.of(partition));
            consumer.seek(partition, first);
            long end = System.nanoTime() + Duration.ofSeconds(20).toNanos();
            while (consumed.size() < orders.size() && System.nanoTime() < end) {
                consumer.poll(Duration.ofMillis(500)).forEach(record -> consumed.add(record.value()));
            }
        }
        assertEquals(orders, consumed);
    }
}
