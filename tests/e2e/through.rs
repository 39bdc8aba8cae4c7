//! Kafka's own producer and consumer, each in its own pod, that continue while a test changes the cluster.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::{Ground, within};

/// The topic, the consumer's group, and the prefix of the pods' names.
const NAME: &str = "through";

/// Written and read messages.
pub struct Through<'a> {
    ground: &'a Ground,
}

impl<'a> Through<'a> {
    /// Start both; they use the broker's image.
    pub fn start(ground: &'a Ground) -> Self {
        ground.kstrim(&["topic", "create", NAME]).expect(0);
        let image = "jsonpath={.items[0].spec.containers[0].image}";
        let brokers = "strimzi.io/cluster=my-cluster,strimzi.io/broker-role=true";
        let image = ground.kubectl(&["get", "pod", "-l", brokers, "-n", "kafka", "-o", image]);
        let server = "my-cluster-kafka-bootstrap:9092";
        let both = [
            ("producer", vec!["--throughput", "10", "--acks", "-1"]),
            ("consumer", vec!["--group-id", NAME, "--reset-policy", "earliest", "--verbose"]),
        ];
        let pods = both.map(|(what, more)| {
            let program = format!("bin/kafka-verifiable-{what}.sh");
            let mut command = vec![program.as_str(), "--bootstrap-server", server, "--topic", NAME];
            command.extend(more);
            let container = json!({"name": what, "image": image, "imagePullPolicy": "IfNotPresent",
                "workingDir": "/opt/kafka", "command": command,
                // A client interprets the first four bytes of any server at a broker's address as a length, and its
                // network thread dies if the heap is smaller (Kafka's KAFKA-4493; seen once while a broker
                // restarted). Memory is used only if that happens.
                "env": [{"name": "KAFKA_HEAP_OPTS", "value": "-Xms64m -Xmx2g"}]});
            json!({"apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{NAME}-{what}"), "namespace": "kafka"},
                "spec": {"restartPolicy": "Never", "terminationGracePeriodSeconds": 5, "containers": [container]}})
        });
        ground.apply("through", &json!({"apiVersion": "v1", "kind": "List", "items": pods}).to_string());
        let through = Self { ground };
        within(Duration::from_secs(120), "messages from a producer to a consumer", || {
            if through.read().is_empty() { Err("nothing was read yet".into()) } else { Ok(()) }
        });
        through
    }

    /// The messages in a pod's log, by the name of their events.
    fn logged(&self, what: &str, event: &str) -> BTreeSet<u64> {
        let pod = format!("{NAME}-{what}");
        let phase = ["get", "pod", &pod, "-n", "kafka", "-o", "jsonpath={.status.phase}"];
        let phase = self.ground.kubectl(&phase);
        assert!(["Running", "Pending"].contains(&phase.as_str()), "{pod} is {phase}");
        if phase == "Pending" {
            return BTreeSet::new();
        }
        let log = self.ground.kubectl(&["logs", &pod, "-n", "kafka"]);
        let events = log.lines().filter_map(|line| line.parse::<Value>().ok()).filter(|e| e["name"] == event);
        events.filter_map(|e| e["value"].as_str()?.parse().ok()).collect()
    }

    fn read(&self) -> BTreeSet<u64> {
        self.logged("consumer", "record_data")
    }

    /// Every message that a broker has acknowledged is read, and committed by the group. Returns their number.
    pub fn nothing_is_lost(self) -> usize {
        // More than at its start: the producer has survived.
        let before = self.logged("producer", "producer_send_success").len();
        let acknowledged = within(Duration::from_secs(60), "a producer that goes on", || {
            let now = self.logged("producer", "producer_send_success");
            if now.len() > before { Ok(now) } else { Err(format!("{before} messages as before")) }
        });
        within(Duration::from_secs(60), "every acknowledged message read", || {
            let read = self.read();
            let lost: Vec<&u64> = acknowledged.iter().filter(|n| !read.contains(n)).collect();
            if lost.is_empty() { Ok(()) } else { Err(format!("{} are missing: {lost:?}", lost.len())) }
        });
        for what in ["producer", "consumer"] {
            self.ground.kubectl(&["delete", "pod", &format!("{NAME}-{what}"), "-n", "kafka"]);
        }
        self.ground.kstrim(&["topic", "delete", NAME, "--yes"]).expect(0);
        acknowledged.len()
    }
}
