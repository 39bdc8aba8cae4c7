//! Our own resources: `templates/*.yaml`, parsed, with their slots set for a release.
//!
//! What a release requires is in the catalogue: the API version, node pools, annotations, whether the definition
//! still requires ZooKeeper. The facts behind the choices are documented in [`crate::catalogue::release`].

use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::Object;
use crate::catalogue::{Mode, Release, broker};
use crate::config::{BrokerJvm, PresetName};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{ClusterName, DnsLabel, StorageSize, TopicName, Version};

/// A shape of a Kafka cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Preset {
    /// One node that is broker and controller, on a volume: Strimzi's quickstart.
    Single,
    /// The same without a volume: its data is lost with the pod.
    Ephemeral,
    /// Three brokers and three controllers, which tolerate the loss of one.
    Ha,
    /// One broker and one ZooKeeper node: the quickstart of releases up to 0.40.0.
    Zookeeper,
    /// [`Self::Zookeeper`] after `kstrim upgrade` has migrated it: one broker and one controller. Not selectable.
    Migrated,
}

impl From<PresetName> for Preset {
    fn from(name: PresetName) -> Self {
        match name {
            PresetName::Single => Self::Single,
            PresetName::Ephemeral => Self::Ephemeral,
            PresetName::Ha => Self::Ha,
            PresetName::Zookeeper => Self::Zookeeper,
            PresetName::Migrated => Self::Migrated,
        }
    }
}

impl Preset {
    /// All selectable presets, the default first.
    pub const ALL: [Self; 4] = [Self::Single, Self::Ephemeral, Self::Ha, Self::Zookeeper];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Ephemeral => "ephemeral",
            Self::Ha => "ha",
            Self::Zookeeper => "zookeeper",
            Self::Migrated => "migrated",
        }
    }

    /// What it is, for help texts.
    pub const fn about(self) -> &'static str {
        match self {
            Self::Single => "one node with a volume, as in the quickstart",
            Self::Ephemeral => "one node without a volume: its data is lost with the pod",
            Self::Ha => "three brokers and three controllers, replicated",
            Self::Zookeeper => "one broker and one ZooKeeper node (Strimzi 0.30.0 to 0.45.2)",
            Self::Migrated => "one broker and one controller, migrated from ZooKeeper",
        }
    }

    /// The preset of a Kafka cluster that kstrim created, by its mode and its node pools. `None` without node pools.
    pub fn of(mode: Mode, pools: &[Value]) -> Option<Self> {
        let named = |name: &str| {
            pools.iter().find(|p| p.pointer("/metadata/name").and_then(Value::as_str) == Some(name))
        };
        let dual = named(DUAL);
        let ephemeral = |pool: &Value| {
            let kind = pool.pointer("/spec/storage/volumes/0/type").or(pool.pointer("/spec/storage/type"));
            kind.and_then(Value::as_str) == Some("ephemeral")
        };
        match mode {
            Mode::Zookeeper => Some(Self::Zookeeper),
            Mode::Kraft if dual.is_some_and(ephemeral) => Some(Self::Ephemeral),
            Mode::Kraft if dual.is_some() => Some(Self::Single),
            Mode::Kraft if named(CONTROLLER).is_none() => None,
            Mode::Kraft if named(MIGRATED).is_some() => Some(Self::Migrated),
            Mode::Kraft => Some(Self::Ha),
        }
    }

    /// The preset of the release's own quickstart.
    pub const fn default_for(release: &Release) -> Self {
        match release.quickstart {
            Mode::Zookeeper => Self::Zookeeper,
            Mode::Kraft => Self::Single,
        }
    }

    /// How its Kafka cluster stores metadata.
    pub const fn mode(self) -> Mode {
        match self {
            Self::Zookeeper => Mode::Zookeeper,
            _ => Mode::Kraft,
        }
    }

    /// How many brokers it has.
    pub const fn brokers(self) -> u32 {
        match self {
            Self::Ha => 3,
            _ => 1,
        }
    }

    /// Whether the cluster has a topic operator, which `KafkaTopic` resources need.
    pub const fn topic_operator(self, release: &Release) -> bool {
        matches!(self, Self::Zookeeper) || release.kraft.topic_operator
    }

    /// Feature gates the operator needs for it.
    pub fn feature_gates(self, release: &Release) -> &[String] {
        match self.mode() {
            Mode::Zookeeper => &[],
            Mode::Kraft => &release.kraft.gates,
        }
    }

    /// Fails for a preset that the release cannot run, `KS-PRESET-UNSUPPORTED`.
    pub fn check(self, release: &Release) -> Result<()> {
        if release.supports_mode(self.mode()) {
            return Ok(());
        }
        let message = format!("Strimzi {} cannot run the preset {self}", release.version);
        Err(Box::new(
            Failure::new(errors::PRESET_UNSUPPORTED, Kind::Usage, message)
                .because("Strimzi 0.45.2 was the last release with ZooKeeper")
                .hint("use --preset single, or --release 0.45.2"),
        ))
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Preset {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|preset| preset.name() == given).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("unknown preset {given:?}; valid presets are {names}")
        })
    }
}

/// The node pool whose nodes are brokers and controllers.
const DUAL: &str = "dual-role";
/// The node pool of brokers.
const BROKER: &str = "broker";
/// The node pool of controllers.
pub(crate) const CONTROLLER: &str = "controller";
/// The node pool for brokers that were created without one: with this name, their pods and volumes keep their names.
pub(crate) const MIGRATED: &str = "kafka";

/// The input for rendering a Kafka cluster.
#[derive(Debug, Clone)]
pub struct RenderInput<'a> {
    /// The Strimzi release.
    pub release: &'a Release,
    /// The Kafka version, one of the release's.
    pub kafka: &'a Version,
    /// The preset.
    pub preset: Preset,
    /// The namespace.
    pub namespace: &'a DnsLabel,
    /// The cluster's name.
    pub cluster: &'a ClusterName,
    /// Tune for a laptop ([`tuned`] says how), with the options of the brokers' JVMs.
    pub tuning: Option<BrokerJvm>,
    /// The size of each volume. minikube's host path volumes reserve nothing.
    pub storage: &'a StorageSize,
    /// The storage class of the volumes; `None` for the cluster's default.
    pub storage_class: Option<&'a str>,
    /// Whether the JVMs use class-data archives ([`super::class_data`]), if the tuning and the release allow it.
    pub class_data: bool,
}

/// The cluster's resources in the order to apply them: node pools where the release has them,
/// then the `Kafka`.
pub fn kafka(input: &RenderInput<'_>) -> Result<Vec<Object>> {
    input.preset.check(input.release)?;
    let mut objects = pools(input);
    objects.push(cluster(input));
    Ok(objects)
}

fn pools(input: &RenderInput<'_>) -> Vec<Object> {
    if input.preset.mode() == Mode::Zookeeper || !input.release.kraft.node_pools {
        return Vec::new();
    }
    let wanted: &[(&str, u32, &[&str])] = match input.preset {
        Preset::Ha => &[(CONTROLLER, 3, &["controller"]), (BROKER, 3, &["broker"])],
        Preset::Migrated => &[(CONTROLLER, 1, &["controller"]), (MIGRATED, 1, &["broker"])],
        _ => &[(DUAL, 1, &["controller", "broker"])],
    };
    let pool = |&(name, replicas, roles): &(&str, u32, &[&str])| {
        let mut pool = template(include_str!("../../templates/node-pool.yaml"));
        place(&mut pool, input.release, input.namespace, name);
        pool.set(&["metadata", "labels", CLUSTER_LABEL], input.cluster.as_str());
        pool.set(&["spec", "replicas"], replicas);
        pool.set(&["spec", "roles"], json!(roles));
        pool.set(&["spec", "storage"], storage(input, input.release.schema.kraft_metadata));
        pool
    };
    wanted.iter().map(pool).collect()
}

fn cluster(input: &RenderInput<'_>) -> Object {
    let release = input.release;
    let zookeeper = input.preset.mode() == Mode::Zookeeper;
    let mut kafka = template(include_str!("../../templates/kafka.yaml"));
    place(&mut kafka, release, input.namespace, input.cluster.as_str());
    kafka.set(&["spec", "kafka", "version"], input.kafka.to_string());
    replication(&mut kafka, input.kafka, input.preset.brokers());
    let known = release.kafka_version(input.kafka).and_then(|k| k.metadata.as_deref());
    match known.filter(|_| release.schema.metadata_version && !zookeeper) {
        Some(metadata) => kafka.set(&["spec", "kafka", "metadataVersion"], metadata),
        None => kafka.remove(&["spec", "kafka", "metadataVersion"]),
    }
    if zookeeper {
        let protocol = input.kafka.minor().to_string();
        kafka.set(&["spec", "kafka", "config", "inter.broker.protocol.version"], protocol);
    } else {
        for (name, value) in &release.kraft.annotations {
            kafka.set(&["metadata", "annotations", name], value.as_str());
        }
    }
    // If the definition requires these in addition to node pools or KRaft, the operator ignores them.
    if zookeeper || release.schema.zookeeper_required {
        kafka.set(&["spec", "kafka", "replicas"], input.preset.brokers());
        kafka.set(&["spec", "kafka", "storage"], storage(input, false));
        kafka.set(&["spec", "zookeeper", "replicas"], 1);
        kafka.set(&["spec", "zookeeper", "storage"], plain_storage(input));
    }
    if input.preset == Preset::Ha {
        let mut spread = fragment(include_str!("../../templates/spread.yaml"));
        let labels = "/podAntiAffinity/preferredDuringSchedulingIgnoredDuringExecution/0/podAffinityTerm/labelSelector/matchLabels";
        if let Some(labels) = spread.pointer_mut(labels) {
            labels["strimzi.io/name"] = format!("{}-kafka", input.cluster).into();
        }
        kafka.set(&["spec", "kafka", "template", "pod", "affinity"], spread);
    }
    if !input.preset.topic_operator(release) {
        kafka.remove(&["spec", "entityOperator", "topicOperator"]);
    }
    if let Some(broker_jvm) = input.tuning {
        tune(&mut kafka, zookeeper, broker_jvm);
        if input.class_data && release.schema.additional_volumes {
            // Several brokers would write one list of classes at the same time.
            let brokers = broker_jvm == BrokerJvm::QuickStart && input.preset.brokers() == 1;
            super::class_data::into_kafka(&mut kafka, brokers);
        }
    }
    kafka
}

/// Set the settings that need several brokers for this number of brokers.
fn replication(kafka: &mut Object, version: &Version, brokers: u32) {
    for need in broker::needs(version) {
        kafka.set(&["spec", "kafka", "config", need.name], need.counts.with(brokers));
    }
}

/// A broker's storage. `kraft_metadata`: its volume also has the metadata log.
fn storage(input: &RenderInput<'_>, kraft_metadata: bool) -> Value {
    let mut volume = plain_storage(input);
    if input.preset == Preset::Ephemeral && !kraft_metadata {
        return volume;
    }
    if let Some(volume) = volume.as_object_mut() {
        volume.shift_insert(0, "id".to_owned(), 0.into());
        if kraft_metadata {
            volume.insert("kraftMetadata".to_owned(), "shared".into());
        }
    }
    json!({"type": "jbod", "volumes": [volume]})
}

fn plain_storage(input: &RenderInput<'_>) -> Value {
    if input.preset == Preset::Ephemeral {
        return json!({"type": "ephemeral"});
    }
    let mut storage = json!({"type": "persistent-claim", "size": input.storage.as_str()});
    if let Some(class) = input.storage_class {
        storage["class"] = class.into();
    }
    storage
}

fn tune(kafka: &mut Object, zookeeper: bool, broker_jvm: BrokerJvm) {
    let probe = fragment(include_str!("../../templates/quick-probe.yaml"));
    let operator = fragment(include_str!("../../templates/quick-operator.yaml"));
    if zookeeper {
        kafka.set(&["spec", "zookeeper", "readinessProbe"], probe.clone());
    }
    kafka.set(&["spec", "kafka", "readinessProbe"], probe);
    if broker_jvm == BrokerJvm::QuickStart {
        let options = fragment(include_str!("../../templates/quick-broker.yaml"));
        kafka.set(&["spec", "kafka", "jvmOptions"], options);
    }
    for name in ["topicOperator", "userOperator"] {
        if kafka.get(&format!("/spec/entityOperator/{name}")).is_some() {
            kafka.set(&["spec", "entityOperator", name], operator.clone());
        }
    }
    // No release allows setting the user operator's.
    if kafka.get("/spec/entityOperator/topicOperator").is_some() {
        let startup = fragment(include_str!("../../templates/quick-startup.yaml"));
        kafka.set(&["spec", "entityOperator", "topicOperator", "startupProbe"], startup);
    }
}

/// What the tuning for a laptop changes in the Kafka resource, one sentence each, for `kstrim plan`.
pub(crate) fn tuned(broker_jvm: BrokerJvm, class_data: bool) -> Vec<String> {
    let mut all = vec![
        "Kafka readiness probe: after 1 s, then every 2 s (Strimzi's default: 15 s, 10 s)".to_owned(),
        "entity operator readiness probes, and the topic operator's startup probe: after 1 s, then every second \
         (Strimzi's default: 10 s, 10 s)".to_owned(),
        format!("entity operator JVM options: {}", super::tune::QUICK_JVM),
    ];
    if broker_jvm == BrokerJvm::QuickStart {
        let options = super::tune::QUICK_JVM;
        all.push(format!("broker JVM options: {options} (Kafka's own: --broker-jvm throughput)"));
    }
    if class_data {
        let volume = super::class_data::NAME;
        all.push(format!("class data of the JVMs: archives in the volume {volume}, if there are any"));
        all.push("failed DNS look-ups of the JVMs: repeated after 1 s (Java's default: 10 s)".to_owned());
    }
    all
}

/// The KafkaTopic.
pub fn topic(
    release: &Release,
    namespace: &DnsLabel,
    cluster: &ClusterName,
    topic: &TopicName,
    partitions: u32,
    replicas: u32,
) -> Object {
    let name = topic.resource_name();
    let mut object = template(include_str!("../../templates/topic.yaml"));
    place(&mut object, release, namespace, &name);
    object.set(&["metadata", "labels", CLUSTER_LABEL], cluster.as_str());
    object.set(&["spec", "partitions"], partitions);
    object.set(&["spec", "replicas"], replicas);
    if name != topic.as_str() {
        object.set(&["spec", "topicName"], topic.as_str());
    }
    object
}

/// The Namespace.
pub(crate) fn namespace(name: &DnsLabel) -> Object {
    let mut object = template(include_str!("../../templates/namespace.yaml"));
    object.set(&["metadata", "name"], name.as_str());
    object
}

/// The label by which Strimzi's operators find the resources of a cluster.
pub(crate) const CLUSTER_LABEL: &str = "strimzi.io/cluster";

pub(super) fn place(object: &mut Object, release: &Release, namespace: &DnsLabel, name: &str) {
    object.set(&["apiVersion"], release.api_version());
    object.set(&["metadata", "name"], name);
    object.set(&["metadata", "namespace"], namespace.as_str());
}

pub(super) fn template(text: &str) -> Object {
    Object::new(fragment(text)).unwrap_or_else(|e| unreachable!("a template is an object, and tested: {e}"))
}

pub(super) fn fragment(text: &str) -> Value {
    serde_yaml::from_str(text).unwrap_or_else(|e| unreachable!("templates are valid YAML, and tested: {e}"))
}

#[cfg(test)]
#[path = "render_tests.rs"]
mod tests;
