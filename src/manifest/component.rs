//! The components of a Kafka cluster: Connect, MirrorMaker 2 and the bridge are separate resources; the exporter,
//! Cruise Control and the brokers' metrics are fields of the Kafka resource.
//!
//! Facts about strimzi-kafka-operator, compared with all 36 releases in `tests/supply`: in its `v1` resources a
//! KafkaConnect has its group and storage topics as fields, and a KafkaMirrorMaker2 has `target` and
//! `mirrors[].source`; from 0.47.0 on, brokers can have Strimzi's own metrics reporter.

use serde_json::{Value, json};

use super::Object;
use super::render::{CLUSTER_LABEL, fragment, place, template};
use crate::catalogue::Release;
use crate::names::{ClusterName, DnsLabel, TopicName, Version};

/// The alias of the cluster that MirrorMaker 2 reads from; a mirrored topic's name begins with it.
pub(crate) const SOURCE: &str = "source";
/// The port of the bridge.
pub(crate) const BRIDGE_PORT: u16 = 8080;
/// The port on which brokers and the exporter serve metrics, in every release.
pub(crate) const METRICS_PORT: u16 = 9404;

/// The port of the presets' listener `plain`.
pub(crate) const PLAIN_PORT: u16 = 9092;

/// The input for rendering a component.
#[derive(Debug, Clone)]
pub struct ComponentInput<'a> {
    /// The Strimzi release.
    pub release: &'a Release,
    /// The Kafka version, one of the release's.
    pub kafka: &'a Version,
    /// The namespace.
    pub namespace: &'a DnsLabel,
    /// The Kafka cluster's name, which is also the name of each resource.
    pub cluster: &'a ClusterName,
    /// The port of the listener without TLS and authentication.
    pub port: u16,
    /// The topic to mirror.
    pub topic: &'a TopicName,
    /// Whether to tune for a laptop ([`tuned`] says how).
    pub tuning: bool,
}

impl ComponentInput<'_> {
    fn v1(&self) -> bool {
        self.release.api_version().ends_with("/v1")
    }

    fn bootstrap(&self) -> String {
        format!("{}-kafka-bootstrap:{}", self.cluster, self.port)
    }

    fn begin(&self, text: &str) -> Object {
        let mut object = template(text);
        place(&mut object, self.release, self.namespace, self.cluster.as_str());
        object
    }

    /// By default, Strimzi first probes Connect and MirrorMaker 2 after a minute, the others after 15 s.
    fn tune(&self, at: &mut Object, jvm: bool) {
        if !self.tuning {
            return;
        }
        at.set(&["spec", "readinessProbe"], fragment(include_str!("../../templates/quick-probe.yaml")));
        if jvm {
            at.set(&["spec", "jvmOptions"], fragment(include_str!("../../templates/quick-jvm.yaml")));
        }
    }

    fn probed(&self, mut field: Value) -> Value {
        if self.tuning {
            field["readinessProbe"] = fragment(include_str!("../../templates/quick-probe.yaml"));
        }
        field
    }
}

/// What the tuning for a laptop changes in a component, one sentence each, for `kstrim plan`. `workers`: of Connect
/// and MirrorMaker 2.
pub(crate) fn tuned(workers: bool) -> impl Iterator<Item = &'static str> {
    let probe = if workers {
        "readiness probe: after 1 s, then every 2 s (Strimzi's default: 60 s, 10 s)"
    } else {
        "readiness probe: after 1 s, then every 2 s (Strimzi's default: 15 s, 10 s)"
    };
    let jvm = workers.then_some("JVM options: -Xmx512m -XX:TieredStopAtLevel=1 -XX:+UseSerialGC");
    std::iter::once(probe).chain(jvm)
}

/// The three internal topics of Connect and MirrorMaker 2: field, option, end of the name.
const STORAGE: [(&str, &str, &str); 3] = [
    ("configStorageTopic", "config.storage.topic", "configs"),
    ("offsetStorageTopic", "offset.storage.topic", "offsets"),
    ("statusStorageTopic", "status.storage.topic", "status"),
];

/// Names of the internal topics of Connect.
pub(crate) fn connect_topics(cluster: &ClusterName) -> [String; 3] {
    STORAGE.map(|(.., end)| format!("{cluster}-connect-{end}"))
}

/// Names of the internal topics of MirrorMaker 2. They begin with two underscores, so that it does not mirror them.
pub(crate) fn mirror_topics(cluster: &ClusterName) -> [String; 3] {
    STORAGE.map(|(.., end)| format!("__{cluster}-mirror-maker-{end}"))
}

/// The name of a topic's mirror.
#[cfg(test)]
pub(crate) fn mirrored(topic: &TopicName) -> String {
    format!("{SOURCE}.{topic}")
}

/// The KafkaConnect. The image contains Kafka's file connectors, but since Kafka 3.1.1 not on the plugin path, which
/// Strimzi does not allow to change; Kafka's start script uses `CLASSPATH`, and connectors on the class path are
/// found as well.
pub(crate) fn connect(input: &ComponentInput<'_>) -> Object {
    let mut connect = input.begin(include_str!("../../templates/connect.yaml"));
    connect.set(&["spec", "version"], input.kafka.to_string());
    connect.set(&["spec", "bootstrapServers"], input.bootstrap());
    let group = format!("{}-connect", input.cluster);
    let topics = connect_topics(input.cluster);
    if input.v1() {
        connect.set(&["spec", "groupId"], group);
        for ((field, ..), topic) in STORAGE.iter().zip(topics) {
            connect.set(&["spec", field], topic);
        }
    } else {
        connect.remove(&["spec", "groupId"]);
        connect.set(&["spec", "config", "group.id"], group);
        for ((field, option, _), topic) in STORAGE.iter().zip(topics) {
            connect.remove(&["spec", field]);
            connect.set(&["spec", "config", option], topic);
        }
    }
    if let Some(path) = connect.get_mut("/spec/template/connectContainer/env/0/value") {
        *path = json!(format!("/opt/kafka/libs/connect-file-{}.jar", input.kafka));
    }
    input.tune(&mut connect, true);
    connect
}

/// The topics of Connect's smoke test: its input and its output.
pub(crate) const PROOF_TOPICS: [&str; 2] = ["kstrim-proof-in", "kstrim-proof-out"];

/// The connectors of Connect's smoke test: one writes its input to a file of the worker, the other one reads the
/// file. `run` makes the file's name unique.
pub fn proof_connectors(input: &ComponentInput<'_>, run: &str) -> Vec<Object> {
    let file = format!("/tmp/kstrim-proof-{run}.txt");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    let [into, out] = PROOF_TOPICS;
    let connector = |name: &str, class: &str, config: Value| {
        let mut connector = template(include_str!("../../templates/connector.yaml"));
        place(&mut connector, input.release, input.namespace, name);
        connector.set(&["metadata", "labels", CLUSTER_LABEL], input.cluster.as_str());
        connector.set(&["spec", "class"], format!("org.apache.kafka.connect.file.{class}"));
        connector.set(&["spec", "config"], config);
        connector
    };
    vec![
        connector(
            "kstrim-proof-sink",
            "FileStreamSinkConnector",
            // Its consumer would create the topic again after the test has deleted it.
            json!({"file": file, "topics": into, "key.converter": string, "value.converter": string,
                "consumer.override.allow.auto.create.topics": "false"}),
        ),
        connector(
            "kstrim-proof-source",
            "FileStreamSourceConnector",
            json!({"file": file, "topic": out, "key.converter": string, "value.converter": string}),
        ),
    ]
}

/// The topic of the bridge's smoke test.
pub(crate) const BRIDGE_TOPIC: &str = "kstrim-proof-bridge";

/// The KafkaMirrorMaker2.
pub(crate) fn mirror_maker(input: &ComponentInput<'_>) -> Object {
    let group = format!("{}-mirror-maker", input.cluster);
    let topics = mirror_topics(input.cluster);
    let mut mirror = if input.v1() {
        let mut mirror = input.begin(include_str!("../../templates/mirror-maker.yaml"));
        mirror.set(&["spec", "target", "bootstrapServers"], input.bootstrap());
        mirror.set(&["spec", "target", "groupId"], group);
        for ((field, ..), topic) in STORAGE.iter().zip(topics) {
            mirror.set(&["spec", "target", field], topic);
        }
        if let Some(servers) = mirror.get_mut("/spec/mirrors/0/source/bootstrapServers") {
            *servers = json!(input.bootstrap());
        }
        mirror
    } else {
        let mut mirror = input.begin(include_str!("../../templates/mirror-maker-v1beta2.yaml"));
        for at in [0, 1] {
            if let Some(cluster) = mirror.get_mut(&format!("/spec/clusters/{at}")) {
                cluster["bootstrapServers"] = json!(input.bootstrap());
            }
        }
        if let Some(config) = mirror.get_mut("/spec/clusters/1/config") {
            config["group.id"] = json!(group);
            for ((_, option, _), topic) in STORAGE.iter().zip(topics) {
                config[*option] = json!(topic);
            }
        }
        mirror
    };
    mirror.set(&["spec", "version"], input.kafka.to_string());
    // A regular expression: of the characters allowed in a topic's name, only the dot has a special meaning.
    if let Some(pattern) = mirror.get_mut("/spec/mirrors/0/topicsPattern") {
        *pattern = json!(input.topic.as_str().replace('.', "\\."));
    }
    input.tune(&mut mirror, true);
    mirror
}

/// The KafkaBridge.
pub(crate) fn bridge(input: &ComponentInput<'_>) -> Object {
    let mut bridge = input.begin(include_str!("../../templates/bridge.yaml"));
    bridge.set(&["spec", "bootstrapServers"], input.bootstrap());
    input.tune(&mut bridge, false);
    bridge
}

/// `spec.cruiseControl` of the Kafka resource.
pub(crate) fn cruise_control(input: &ComponentInput<'_>) -> Value {
    input.probed(json!({}))
}

/// `spec.kafkaExporter` of the Kafka resource.
pub(crate) fn exporter(input: &ComponentInput<'_>) -> Value {
    input.probed(fragment(include_str!("../../templates/exporter.yaml")))
}

/// Whether brokers of a release can have Strimzi's own metrics reporter.
fn reporter(release: &Release) -> bool {
    release.version >= Version::new(0, 47, 0)
}

/// The key of the rules in their ConfigMap.
const RULES: &str = "rules.yaml";

/// The name of the ConfigMap with the rules.
fn rules_name(cluster: &ClusterName) -> String {
    format!("{cluster}-kstrim-metrics")
}

/// `spec.kafka.metricsConfig` of the Kafka resource.
pub(crate) fn metrics(input: &ComponentInput<'_>) -> Value {
    if reporter(input.release) {
        return json!({"type": "strimziMetricsReporter"});
    }
    json!({"type": "jmxPrometheusExporter",
        "valueFrom": {"configMapKeyRef": {"name": rules_name(input.cluster), "key": RULES}}})
}

/// The rules that [`metrics`] refers to, if the release needs any.
pub(crate) fn metrics_rules(input: &ComponentInput<'_>) -> Option<Object> {
    if reporter(input.release) {
        return None;
    }
    let mut rules = template(include_str!("../../templates/metrics-config-map.yaml"));
    rules.set(&["metadata", "name"], rules_name(input.cluster));
    rules.set(&["metadata", "namespace"], input.namespace.as_str());
    rules.set(&["metadata", "labels", CLUSTER_LABEL], input.cluster.as_str());
    rules.set(&["data", RULES], include_str!("../../templates/metrics-rules.yaml"));
    Some(rules)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    fn with<T>(release: &str, tuning: bool, render: impl Fn(&ComponentInput<'_>) -> T) -> T {
        let release = catalogue::find(&release.parse().unwrap()).unwrap();
        render(&ComponentInput {
            release,
            kafka: &release.default_kafka,
            namespace: &"there".parse().unwrap(),
            cluster: &"mine".parse().unwrap(),
            port: PLAIN_PORT,
            topic: &"a.b".parse().unwrap(),
            tuning,
        })
    }

    #[test]
    fn resources_have_the_form_of_each_release() {
        let new = with("1.2.0", true, connect);
        assert_eq!(new.get("/spec/groupId"), Some(&json!("mine-connect")));
        assert_eq!(new.get("/spec/configStorageTopic"), Some(&json!("mine-connect-configs")));
        assert_eq!(new.get("/spec/config/group.id"), None);
        assert_eq!(
            new.get("/spec/template/connectContainer/env/0/value"),
            Some(&json!("/opt/kafka/libs/connect-file-4.3.1.jar"))
        );
        let old = with("0.45.2", false, connect);
        assert_eq!(old.get("/spec/config/group.id"), Some(&json!("mine-connect")));
        assert_eq!(old.get("/spec/config/offset.storage.topic"), Some(&json!("mine-connect-offsets")));
        assert!(old.get("/spec/groupId").is_none() && old.get("/spec/readinessProbe").is_none());

        for (release, source) in
            [("1.2.0", "/spec/mirrors/0/source/alias"), ("0.45.2", "/spec/mirrors/0/sourceCluster")]
        {
            let mirror = with(release, true, mirror_maker);
            assert_eq!(mirror.get(source), Some(&json!(SOURCE)));
            assert_eq!(mirror.get("/spec/mirrors/0/topicsPattern"), Some(&json!("a\\.b")));
            let text = mirror.value().to_string();
            assert_eq!(text.matches("mine-kafka-bootstrap:9092").count(), 2, "{text}");
            assert!(text.contains("__mine-mirror-maker-status") && !text.contains("my-cluster"), "{text}");
        }
        assert_eq!(mirrored(&"a.b".parse().unwrap()), "source.a.b");
    }

    #[test]
    fn metrics_need_rules_only_where_strimzi_has_no_reporter() {
        assert_eq!(with("0.47.0", true, metrics), json!({"type": "strimziMetricsReporter"}));
        assert!(with("0.47.0", true, metrics_rules).is_none());
        let asked = with("0.46.1", true, metrics);
        let rules = with("0.46.1", true, metrics_rules).unwrap();
        assert_eq!(asked.pointer("/valueFrom/configMapKeyRef/name"), Some(&json!(rules.name())));
        let text = rules.get("/data/rules.yaml").and_then(Value::as_str).unwrap();
        assert!(serde_yaml::from_str::<Value>(text).unwrap()["rules"].as_array().unwrap().len() > 3);
    }
}
