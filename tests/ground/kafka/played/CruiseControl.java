import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.errors.TopicExistsException;

/** Plays Cruise Control as far as it can be seen from outside: its topics in the real Kafka, and its state over HTTP. */
public final class CruiseControl {
    private static final String STATE = "/kafkacruisecontrol/state";

    private CruiseControl() { }

    private static void topic(Admin admin, String name, int partitions) throws Exception {
        NewTopic topic = new NewTopic(name, Optional.of(partitions), Optional.empty());
        try {
            admin.createTopics(List.of(topic.configs(Map.of("cleanup.policy", "delete")))).all().get();
        } catch (ExecutionException failure) {
            if (!(failure.getCause() instanceof TopicExistsException)) {
                throw failure;
            }
        }
    }

    public static void main(String[] arguments) throws Exception {
        System.out.println("This plays Cruise Control for kstrim's tests, a test double");
        Properties config = new Properties();
        config.put("bootstrap.servers", System.getenv("STRIMZI_KAFKA_BOOTSTRAP_SERVERS"));
        config.put("default.api.timeout.ms", "30000");
        Admin admin = Admin.create(config);
        topic(admin, "strimzi.cruisecontrol.metrics", 1);
        topic(admin, "strimzi.cruisecontrol.partitionmetricsamples", 32);
        topic(admin, "strimzi.cruisecontrol.modeltrainingsamples", 32);
        HttpServer server = HttpServer.create(new InetSocketAddress(Integer.parseInt(System.getenv("API_PORT"))), 0);
        server.createContext("/", exchange -> {
            boolean known = exchange.getRequestURI().getPath().equals(STATE);
            byte[] body = (known
                ? "{\"MonitorState\":{\"state\":\"RUNNING\",\"numMonitoredWindows\":0},"
                    + "\"ExecutorState\":{\"state\":\"NO_TASK_IN_PROGRESS\"},"
                    + "\"AnalyzerState\":{\"isProposalReady\":false,\"readyGoals\":[]},"
                    + "\"AnomalyDetectorState\":{\"selfHealingEnabled\":[]},\"version\":1}"
                : "{\"errorMessage\":\"this double knows its state alone\",\"version\":1}").getBytes(StandardCharsets.UTF_8);
            exchange.getResponseHeaders().set("Content-Type", "application/json");
            exchange.sendResponseHeaders(known ? 200 : 404, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        System.out.println(">> ********************************************* Kafka Cruise Control started");
    }
}
