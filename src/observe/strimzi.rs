//! Strimzi's custom resources.

use jiff::Timestamp;
use serde_json::Value;

use super::object::{Condition, Object, list, number, text, texts};
use super::pod::Pod;

/// The annotation by which somebody pauses a resource.
pub const PAUSE: &str = "strimzi.io/pause-reconciliation";

/// A Kafka. A failed one says `NotReady=True` with the exception as the reason, a paused one
/// neither `Ready` nor `NotReady`; `Ready=False` does not occur.
#[derive(Debug, Clone, Copy)]
pub struct Kafka<'a>(pub &'a Object);

/// A listener in a Kafka's status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listener<'a> {
    /// Its name in the spec: `plain`.
    pub name: &'a str,
    /// Its type in the spec: `internal`, `nodeport`, `loadbalancer`, `cluster-ip` ... Empty if
    /// the spec no longer has it.
    pub kind: &'a str,
    /// Whether clients speak TLS to it.
    pub tls: bool,
    /// `host:port` to give to clients.
    pub bootstrap: &'a str,
}

impl<'a> Kafka<'a> {
    /// Condition `Ready=True`. Trust it only together with [`Object::observed`].
    pub fn ready(&self) -> Option<Condition<'a>> {
        self.0.condition("Ready").filter(Condition::is_true)
    }

    /// Condition `NotReady=True`, of a failure or reason `Creating`.
    pub fn not_ready(&self) -> Option<Condition<'a>> {
        self.0.condition("NotReady").filter(Condition::is_true)
    }

    /// Whether the operator says that it leaves this resource alone.
    pub fn paused(&self) -> Option<Condition<'a>> {
        self.0.condition("ReconciliationPaused").filter(Condition::is_true)
    }

    /// Messages of `Warning` conditions; they come with success too.
    pub fn warnings(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.0.conditions().filter(|c| c.kind == "Warning").map(|c| c.message)
    }

    /// Listeners the status names, in its order.
    pub fn listeners(&self) -> Vec<Listener<'a>> {
        let json = self.0.json();
        let specs = list(json, "/spec/kafka/listeners");
        list(json, "/status/listeners")
            .iter()
            .map(|l| {
                // `type` was the listener's name before releases that have `name` in the status.
                let name = Some(text(l, "/name")).filter(|n| !n.is_empty()).unwrap_or(text(l, "/type"));
                let spec = specs.iter().find(|s| text(s, "/name") == name);
                Listener {
                    name,
                    kind: spec.map_or("", |s| text(s, "/type")),
                    tls: spec.and_then(|s| s.get("tls")).and_then(Value::as_bool).unwrap_or(false),
                    bootstrap: text(l, "/bootstrapServers"),
                }
            })
            .collect()
    }

    /// `status.clusterId`, empty before there is one.
    pub fn cluster_id(&self) -> &'a str {
        text(self.0.json(), "/status/clusterId")
    }

    /// The Kafka version asked for, empty for the operator's default.
    pub fn wanted_version(&self) -> &'a str {
        text(self.0.json(), "/spec/kafka/version")
    }

    /// The Kafka version in `status`, empty before there is one.
    pub fn version(&self) -> &'a str {
        text(self.0.json(), "/status/kafkaVersion")
    }

    /// The operator release of the last successful reconciliation.
    pub fn operator_version(&self) -> &'a str {
        text(self.0.json(), "/status/operatorLastSuccessfulVersion")
    }

    /// Brokers asked for here, which only a Kafka without node pools has.
    pub fn replicas(&self) -> Option<i64> {
        number(self.0.json(), "/spec/kafka/replicas")
    }

    /// Whether its brokers are in no node pool, even if there are pools for it: an operator up to 0.47 looks at them
    /// once the annotation says so.
    pub fn has_no_pools(&self) -> bool {
        let json = self.0.json();
        self.replicas().is_some()
            && json.pointer("/spec/zookeeper").is_some()
            && self.0.annotation("strimzi.io/node-pools") != Some("enabled")
    }

    /// Whether it runs a ZooKeeper. One that was migrated has none, also while its spec still says so.
    pub fn has_zookeeper(&self) -> bool {
        let json = self.0.json();
        json.pointer("/spec/zookeeper").is_some_and(Value::is_object)
            && match text(json, "/status/kafkaMetadataState") {
                "" => self.0.annotation("strimzi.io/kraft") != Some("enabled"),
                state => !["PreKRaft", "KRaft"].contains(&state),
            }
    }

    /// Whether the spec asks for an entity operator (topic or user operator).
    pub fn wants_entity_operator(&self) -> bool {
        self.operates("topicOperator").is_some() || self.operates("userOperator").is_some()
    }

    /// The namespace whose topics (`topicOperator`) or users (`userOperator`) are looked after; `None` if the spec
    /// asks for no such operator.
    pub fn operates(&self, operator: &str) -> Option<&'a str> {
        let spec = self.0.json().pointer("/spec/entityOperator")?.get(operator).filter(|o| o.is_object())?;
        let named = spec.get("watchedNamespace").and_then(Value::as_str).filter(|n| !n.is_empty());
        Some(named.unwrap_or(self.0.namespace()))
    }

    /// The parts besides its nodes that the spec asks for, by the name in their pods' labels, with their titles.
    pub fn parts(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<'a> {
        let (spec, entity_operator) = (self.0.json().get("spec"), self.wants_entity_operator());
        let zookeeper = self.has_zookeeper();
        PARTS.into_iter().filter_map(move |(field, part, title)| {
            let asked = match field {
                "entityOperator" => entity_operator,
                "zookeeper" => zookeeper,
                _ => spec.and_then(|s| s.get(field)).is_some_and(Value::is_object),
            };
            asked.then_some((part, title))
        })
    }
}

/// The parts of a Kafka besides its nodes, in the order in which the operator (1.2.0) reconciles them: the field of
/// the spec that asks for one, the name in its pods' labels, its title.
const PARTS: [(&str, &str, &str); 4] = [
    ("zookeeper", "zookeeper", "ZooKeeper"),
    ("cruiseControl", "cruise-control", "Cruise Control"),
    ("entityOperator", "entity-operator", "the entity operator"),
    ("kafkaExporter", "kafka-exporter", "the Kafka Exporter"),
];

/// What a part of the Kafka `cluster` is called, if the pod is one of it: also of a part that the spec no longer asks
/// for.
pub fn part_title(pod: &Pod<'_>, cluster: &str) -> Option<&'static str> {
    PARTS.into_iter().find_map(|(_, part, title)| pod.is_part_of(cluster, part).then_some(title))
}

/// A node pool. It has no `Ready`; without a status no Kafka has claimed it.
#[derive(Debug, Clone, Copy)]
pub struct KafkaNodePool<'a>(pub &'a Object);

impl<'a> KafkaNodePool<'a> {
    /// The Kafka it belongs to: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Nodes asked for.
    pub fn wanted(&self) -> i64 {
        number(self.0.json(), "/spec/replicas").unwrap_or(0)
    }

    /// Ids of the nodes the operator gave it.
    pub fn node_ids(&self) -> Vec<i64> {
        list(self.0.json(), "/status/nodeIds").iter().filter_map(Value::as_i64).collect()
    }

    /// Nodes in its status.
    pub fn replicas(&self) -> Option<i64> {
        number(self.0.json(), "/status/replicas")
    }

    /// `broker`, `controller`.
    pub fn roles(&self) -> Vec<&'a str> {
        texts(self.0.json(), "/spec/roles")
    }
}

/// A topic. A failed one says `Ready=False`, unlike a Kafka.
#[derive(Debug, Clone, Copy)]
pub struct KafkaTopic<'a>(pub &'a Object);

impl<'a> KafkaTopic<'a> {
    /// The topic's name in Kafka: `spec.topicName`, or the resource's name.
    pub fn topic(&self) -> &'a str {
        let named = self.0.json().pointer("/spec/topicName").and_then(serde_json::Value::as_str);
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| self.0.name())
    }

    /// The Kafka it belongs to: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Whether it is there as asked for.
    pub fn ready(&self) -> bool {
        self.0.observed() && self.0.condition("Ready").is_some_and(|c| c.is_true())
    }

    /// Why it is not, in the topic operator's words about the current spec. The unidirectional
    /// topic operator says `Ready=False`, the older one `NotReady=True`.
    pub fn refused(&self) -> Option<Condition<'a>> {
        let object = self.0;
        let failed = |c: &Condition<'_>| {
            c.kind == "Ready" && c.is_false() || c.kind == "NotReady" && c.is_true() && c.reason != "Creating"
        };
        object.conditions().find(failed).filter(|_| object.observed())
    }
}

/// When a resource, its node pools or anything else given was last changed by somebody, as far
/// as the objects tell: creation, and writes by `manager`. The API server's clock.
pub fn last_change<'a>(objects: impl IntoIterator<Item = &'a Object>, manager: &str) -> Option<Timestamp> {
    objects.into_iter().flat_map(|o| [o.created(), o.written_by(manager)]).flatten().max()
}
