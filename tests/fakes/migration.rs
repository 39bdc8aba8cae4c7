//! The migration from ZooKeeper to KRaft by the operator up to 0.45: the states of its metadata, and what it rejects
//! (`KafkaMetadataStateManager`, `KRaftUtils`, `NodePoolUtils` and `KafkaAssemblyOperator` of 0.45.2 and 0.46.0).

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::desired::Pool;

/// How the nodes are configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Config {
    Zookeeper,
    /// And controllers that wait for the brokers.
    PreMigration,
    /// Brokers register with the controllers.
    Migration,
    /// Brokers without ZooKeeper, controllers still write to it.
    PostMigration,
    /// None.
    Kraft,
}

fn annotation<'a>(kafka: &'a Value, name: &str) -> &'a str {
    text(kafka, &format!("/metadata/annotations/strimzi.io~1{name}"))
}

pub fn pooled(kafka: &Value) -> bool {
    annotation(kafka, "node-pools") == "enabled"
        || !(kafka["spec"]["kafka"]["replicas"].is_u64() && kafka["spec"]["zookeeper"].is_object())
}

/// `status.kafkaMetadataState`, or the operator's default without it.
pub fn state(kafka: &Value) -> &str {
    match text(kafka, "/status/kafkaMetadataState") {
        "" if annotation(kafka, "kraft") == "enabled" || !kafka["spec"]["zookeeper"].is_object() => "KRaft",
        "" => "ZooKeeper",
        said => said,
    }
}

/// The required configuration of the nodes, by state and annotation.
pub fn config(kafka: &Value) -> Config {
    let asked = annotation(kafka, "kraft");
    match state(kafka) {
        "ZooKeeper" if asked == "migration" => Config::PreMigration,
        "KRaftMigration" if asked == "migration" => Config::Migration,
        "KRaftDualWriting" if asked == "migration" => Config::PostMigration,
        "KRaftDualWriting" if asked == "rollback" => Config::Migration,
        "KRaftPostMigration" if asked == "enabled" => Config::Kraft,
        "KRaftPostMigration" if asked == "rollback" => Config::Migration,
        "KRaftPostMigration" => Config::PostMigration,
        "PreKRaft" | "KRaft" => Config::Kraft,
        _ => Config::Zookeeper,
    }
}

pub fn has_zookeeper(kafka: &Value) -> bool {
    kafka["spec"]["zookeeper"].is_object() && !["PreKRaft", "KRaft"].contains(&state(kafka))
}

/// The part of a node's configuration whose changes cause a restart.
pub fn configuration(kafka: &Value, pool: &Pool) -> &'static str {
    match (config(kafka), pool.component, pool.has("controller")) {
        (_, "zookeeper", _) => "",
        (Config::Zookeeper | Config::PreMigration, _, false) => "zookeeper",
        (Config::Migration, _, false) => "zookeeper and controllers",
        (Config::PostMigration | Config::Kraft, _, false) => "controllers",
        (Config::Kraft, _, true) => "kraft",
        (_, _, true) => "migration",
    }
}

/// The state after a reconciliation, and the operator's warnings.
fn next(kafka: &Value) -> (&str, Option<&'static str>) {
    let (now, asked) = (state(kafka), annotation(kafka, "kraft"));
    match (now, asked) {
        ("ZooKeeper", "migration") => ("KRaftMigration", None),
        ("KRaftMigration", "migration") => ("KRaftDualWriting", None),
        ("KRaftDualWriting", "migration") => ("KRaftPostMigration", None),
        ("KRaftMigration" | "KRaftDualWriting", "disabled" | "") => ("ZooKeeper", None),
        ("KRaftPostMigration", "rollback") => ("KRaftDualWriting", None),
        ("KRaftPostMigration", "enabled") => ("PreKRaft", None),
        ("PreKRaft", "enabled") => ("KRaft", None),
        ("ZooKeeper" | "KRaft", "disabled" | "") | ("KRaft", "enabled") => (now, None),
        _ => (now, Some("The strimzi.io/kraft annotation can't be set to this value in this state.")),
    }
}

/// The minor version of an operator 0.x; `None` from 1.0 on.
fn minor(deployment: &Value) -> Option<u32> {
    let image = text(deployment, "/spec/template/spec/containers/0/image");
    image.rsplit_once(":0.")?.1.split('.').next()?.parse().ok()
}

/// Add to the status of a Kafka that was reconciled.
pub fn status(kafka: &Value, deployment: &Value, time: &str, status: &mut Value) {
    match minor(deployment) {
        Some(minor) if minor < 40 => {}
        Some(minor) if minor <= 45 => {
            let (state, warning) = next(kafka);
            status["kafkaMetadataState"] = json!(state);
            if let (Some(warning), Some(conditions)) = (warning, status["conditions"].as_array_mut()) {
                conditions.insert(
                    0,
                    json!({"lastTransitionTime": time, "message": warning, "status": "True",
                        "reason": "KafkaMetadataStateWarning", "type": "Warning"}),
                );
            }
        }
        Some(_) => status["kafkaMetadataState"] = json!("KRaft"),
        None => {}
    }
}

/// Why the operator rejects a Kafka resource: reason and message.
pub fn refusal(kafka: &Value, pools: &[Pool], deployment: &Value) -> Option<(String, String)> {
    let invalid = |message: String| Some(("InvalidResourceException".to_owned(), message));
    let configuration = |message: String| Some(("InvalidConfigurationException".to_owned(), message));
    let minor = minor(deployment)?;
    if minor > 45 {
        let migrated = text(kafka, "/status/kafkaMetadataState");
        let annotated = minor > 47
            || annotation(kafka, "kraft") == "enabled" && annotation(kafka, "node-pools") == "enabled";
        if !["", "KRaft"].contains(&migrated) || !annotated {
            return configuration(format!(
                "Strimzi 0.{minor}.0 supports only KRaft-based Apache Kafka clusters. Please make sure your cluster is \
                 migrated to KRaft before using Strimzi 0.{minor}.0."
            ));
        }
        return None;
    }
    // Before node pools were on by default there was no migration.
    if minor < 40 {
        return None;
    }
    let name = text(kafka, "/metadata/name");
    let config = config(kafka);
    let has = |role: &str| pools.iter().any(|p| p.component == "kafka" && p.has(role) && !p.ids.is_empty());
    if config == Config::Zookeeper {
        if !kafka["spec"]["zookeeper"].is_object() {
            return invalid(
                "Kafka configuration is not valid: [The .spec.zookeeper section of the Kafka custom resource is missing. \
                 This section is required for a ZooKeeper-based cluster.]"
                    .to_owned(),
            );
        }
        if let Some(pool) = pools.iter().find(|p| p.component == "kafka" && p.has("controller")) {
            return invalid(format!(
                "The Kafka cluster {name} is invalid: [KafkaNodePool {} contains invalid roles configuration. In a \
                 ZooKeeper-based Kafka cluster, the KafkaNodePool role has to be always set only to the 'broker' role.]",
                pool.name
            ));
        }
        return None;
    }
    if !pooled(kafka) {
        return configuration(
            "KRaft can only be used with a Kafka cluster that uses KafkaNodePool resources.".to_owned(),
        );
    }
    for role in ["broker", "controller"] {
        if !has(role) {
            return invalid(format!(
                "The Kafka cluster {name} is invalid: [At least one KafkaNodePool with the {role} role and at least one \
                 replica is required when KRaft mode is enabled]"
            ));
        }
    }
    if config < Config::Kraft && !kafka["spec"]["zookeeper"].is_object() {
        return Some(("NullPointerException".into(), "spec.zookeeper is null".into()));
    }
    let version = text(kafka, "/spec/kafka/version");
    let short = version.rsplit_once('.').map_or(version, |(short, _)| short);
    let options = &kafka["spec"]["kafka"]["config"];
    let said = |option: &str, other: &str| options[option].as_str().unwrap_or(other).to_owned();
    let protocol = said("inter.broker.protocol.version", short);
    let format = said("log.message.format.version", &protocol);
    let metadata = kafka["spec"]["kafka"]["metadataVersion"].as_str().unwrap_or(short);
    let number = short.strip_prefix("3.").and_then(|minor| minor.parse::<u32>().ok());
    if config == Config::PreMigration
        && (number.is_some_and(|minor| minor < 7) || protocol != metadata || format != metadata)
    {
        return invalid(format!(
            "Migration cannot be performed with Kafka version {version}, metadata version {metadata}, \
             inter.broker.protocol.version {protocol}, log.message.format.version {format}. Please make sure the Kafka \
             version, metadata version, inter.broker.protocol.version and log.message.format.version are all set to the \
             same value, which must be equal to, or higher than 3.7.0"
        ));
    }
    None
}

/// ZooKeeper's nodes are deleted; its volumes only if requested.
pub fn erase(c: &mut Cluster, kafka: &Value) {
    let (ns, cluster) = (text(kafka, "/metadata/namespace"), text(kafka, "/metadata/name"));
    if state(kafka) != "PreKRaft" || annotation(kafka, "kraft") != "enabled" {
        return;
    }
    c.delete(&format!("strimzipodsets.core.strimzi.io/{ns}/{cluster}-zookeeper"));
    let mine = |claim: &&Value| {
        text(claim, "/metadata/labels/strimzi.io~1name") == format!("{cluster}-zookeeper")
            && text(claim, "/metadata/annotations/strimzi.io~1delete-claim") == "true"
    };
    let claims: Vec<String> = c
        .each("persistentvolumeclaims", ns)
        .filter(mine)
        .map(|claim| format!("persistentvolumeclaims/{ns}/{}", text(claim, "/metadata/name")))
        .collect();
    for claim in claims {
        c.delete(&claim);
    }
}
