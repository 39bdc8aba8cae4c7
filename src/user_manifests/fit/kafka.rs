//! Kafka's own fields: numbers of nodes, replication, volumes, listeners.

use serde_json::Value;

use super::{
    BROKERS, CONTROLLERS, CRUISE_CONTROL, Edit, Fit, LISTENER, RACK, REBALANCE, REPLICAS, REPLICATION,
    STORAGE_CLASS, STORAGE_SIZE, cluster_of, fields, has_role, like, number, size,
};
use crate::catalogue::broker;
use crate::names::Version;
use crate::user_manifests::document::{Document, below};

/// The annotation of a node pool that chooses the ids of its next nodes.
const NODE_IDS: &str = "/metadata/annotations/strimzi.io~1next-node-ids";

/// Replication settings of the newest Kafka, which are set if the manifest does not.
const UNKNOWN: Version = Version::new(u32::MAX, 0, 0);

/// Reduce brokers and controllers of all clusters, and record how many brokers are left.
pub(super) fn replicas(documents: &mut [Document], fit: &mut Fit<'_>) {
    let names: Vec<String> = documents
        .iter()
        .filter(|document| document.object.kind() == "Kafka")
        .map(|document| document.object.name().to_owned())
        .collect();
    for name in names {
        let is_pool = |document: &&mut Document| {
            document.object.kind() == "KafkaNodePool" && cluster_of(&document.object) == Some(&name)
        };
        let pools = documents.iter_mut().filter(is_pool);
        let mut left = fit.limits.brokers.max(1);
        let (mut brokers, mut any) = (0, false);
        let mut controllers = Vec::new();
        for document in pools {
            any = true;
            if !has_role(&document.object, "broker") {
                controllers.push(document);
                continue;
            }
            let mut edit = Edit { document, fit };
            let replicas = edit.number("/spec/replicas").unwrap_or(0);
            let fitting = replicas.min(left.max(1));
            edit_number(&mut edit, "/spec/replicas", fitting, &BROKERS);
            left = left.saturating_sub(fitting);
            brokers += fitting;
        }
        for document in controllers {
            let most = if brokers >= 3 { 3 } else { 1 };
            edit_number(&mut Edit { document, fit }, "/spec/replicas", most, &CONTROLLERS);
        }
        if let Some(document) = documents
            .iter_mut()
            .find(|document| document.object.kind() == "Kafka" && document.object.name() == name)
        {
            let mut edit = Edit { document, fit };
            let most = edit.fit.limits.brokers.max(1);
            edit_number(&mut edit, "/spec/kafka/replicas", most, &BROKERS);
            if !any {
                brokers = edit.number("/spec/kafka/replicas").unwrap_or(most);
            }
            let most = if brokers >= 3 { 3 } else { 1 };
            edit_number(&mut edit, "/spec/zookeeper/replicas", most, &CONTROLLERS);
        }
        // The operator numbers nodes from 0 on, unless an annotation says otherwise.
        let of_cluster: Vec<&Document> = documents
            .iter()
            .filter(|document| match document.object.kind() {
                "KafkaNodePool" => cluster_of(&document.object) == Some(&name),
                "Kafka" => document.object.name() == name,
                _ => false,
            })
            .collect();
        if !of_cluster.iter().any(|document| document.object.get(NODE_IDS).is_some()) {
            fit.nodes.insert(name.clone(), nodes(of_cluster));
        }
        fit.clusters.insert(name, brokers.max(1));
    }
}

/// Lower a number, if it is set.
fn edit_number(edit: &mut Edit<'_, '_>, pointer: &str, most: u64, rule: &super::Rule) {
    if edit.number(pointer).is_some_and(|number| number > most) {
        let value = like(edit.get(pointer), most);
        edit.set(pointer, value, rule);
    }
}

/// Brokers, controllers and ZooKeeper nodes of all documents.
pub(super) fn nodes<'d>(documents: impl IntoIterator<Item = &'d Document>) -> u64 {
    let count = |document: &Document| {
        let at = |pointer: &str| document.object.get(pointer).and_then(number).unwrap_or(0);
        match document.object.kind() {
            "KafkaNodePool" => at("/spec/replicas"),
            "Kafka" => at("/spec/kafka/replicas") + at("/spec/zookeeper/replicas"),
            _ => 0,
        }
    };
    documents.into_iter().map(count).fold(0, u64::saturating_add)
}

/// Whether a document is kept.
pub(super) fn is_kept(document: &Document, fit: &mut Fit<'_>) -> bool {
    let object = &document.object;
    if object.kind() != "KafkaRebalance" {
        return true;
    }
    let cluster = cluster_of(object);
    let alone = fit.brokers(cluster) == 1;
    let nodes = cluster.and_then(|cluster| fit.nodes.get(cluster)).copied().unwrap_or(u64::MAX);
    let named = object.get("/spec/brokers").and_then(Value::as_array).into_iter().flatten();
    let absent = named.filter_map(number).any(|id| id >= nodes);
    let (left_out, rule) = (alone || absent, if alone { CRUISE_CONTROL } else { REBALANCE });
    if left_out {
        fit.changes.push(super::Change {
            object: object.to_string(),
            origin: document.origin.clone(),
            path: String::new(),
            from: object.value().clone(),
            to: Value::Null,
            rule: rule.name,
            reason: rule.reason,
        });
    }
    !left_out
}

/// One document.
pub(super) fn fit_document(edit: &mut Edit<'_, '_>) {
    match edit.object().kind() {
        "Kafka" => {
            let name = edit.object().name().to_owned();
            let brokers = edit.fit.brokers(Some(&name));
            broker_config(edit, brokers);
            listeners(edit);
            edit.remove("/spec/kafka/rack", &RACK);
            if brokers == 1 {
                edit.remove("/spec/cruiseControl", &CRUISE_CONTROL);
            }
            volumes(edit, "/spec/kafka/storage");
            volumes(edit, "/spec/zookeeper/storage");
        }
        "KafkaNodePool" => volumes(edit, "/spec/storage"),
        "KafkaTopic" => topic(edit),
        "KafkaConnect" | "KafkaMirrorMaker2" | "KafkaBridge" => {
            edit_number(edit, "/spec/replicas", 1, &REPLICAS);
            edit.remove("/spec/rack", &RACK);
            internal_topics(edit);
        }
        "Deployment" | "StatefulSet" => edit_number(edit, "/spec/replicas", 1, &REPLICAS),
        // It would scale its workload back.
        "HorizontalPodAutoscaler" => {
            edit_number(edit, "/spec/minReplicas", 1, &REPLICAS);
            edit_number(edit, "/spec/maxReplicas", 1, &REPLICAS);
        }
        _ => {}
    }
}

fn broker_config(edit: &mut Edit<'_, '_>, brokers: u64) {
    let version = edit.text("/spec/kafka/version").and_then(|text| text.parse().ok()).unwrap_or(UNKNOWN);
    for need in broker::needs(&version) {
        let pointer = below("/spec/kafka/config", need.name);
        let most = u64::from(need.counts.with(u32::try_from(brokers).unwrap_or(u32::MAX)));
        let current = edit.number(&pointer);
        // A factor that the number of brokers allows is kept, even above the three that kstrim itself would use.
        let limit = match need.counts {
            broker::Counts::Replicas => brokers,
            broker::Counts::InSync => most,
        };
        // Tiered storage has these settings only if it is used.
        let used = !need.name.starts_with("rlmm.") || edit.get("/spec/kafka/tieredStorage").is_some();
        match current {
            Some(current) if current > limit => {
                let value = like(edit.get(&pointer), most);
                edit.set(&pointer, value, &REPLICATION);
            }
            // An older version ignores a default that it does not have.
            None if edit.get(&pointer).is_none() && used && u64::from(need.default) > limit => {
                edit.set(&pointer, most, &REPLICATION);
            }
            _ => {}
        }
    }
}

fn topic(edit: &mut Edit<'_, '_>) {
    let cluster = cluster_of(edit.object()).map(str::to_owned);
    let brokers = edit.fit.brokers(cluster.as_deref());
    edit_number(edit, "/spec/replicas", brokers, &REPLICATION);
    let replicas = edit.number("/spec/replicas").unwrap_or(brokers);
    let in_sync = "/spec/config/min.insync.replicas";
    if edit
        .number(in_sync)
        .is_some_and(|number| number > replicas || replicas < 3 && number >= replicas && number > 1)
    {
        let value = like(edit.get(in_sync), replicas.saturating_sub(1).max(1));
        edit.set(in_sync, value, &REPLICATION);
    }
}

/// The internal topics of Connect and MirrorMaker 2.
fn internal_topics(edit: &mut Edit<'_, '_>) {
    let brokers = edit.fit.brokers(None);
    for pointer in fields(edit.object(), "config") {
        let Some(Value::Object(config)) = edit.get(&pointer) else { continue };
        let factors: Vec<String> =
            config.keys().filter(|key| key.ends_with("replication.factor")).cloned().collect();
        for key in factors {
            edit_number(edit, &below(&pointer, &key), brokers, &REPLICATION);
        }
    }
}

fn volumes(edit: &mut Edit<'_, '_>, pointer: &str) {
    let count = edit.get(&format!("{pointer}/volumes")).and_then(Value::as_array).map_or(0, Vec::len);
    let volumes = (0..count).map(|at| format!("{pointer}/volumes/{at}"));
    for volume in std::iter::once(pointer.to_owned()).chain(volumes) {
        if edit.get(&format!("{volume}/type")).and_then(Value::as_str) != Some("persistent-claim") {
            continue;
        }
        storage_size(edit, &format!("{volume}/size"));
        storage_class(edit, &format!("{volume}/class"));
        for field in ["selector", "overrides", "volumeAttributesClass"] {
            edit.remove(&format!("{volume}/{field}"), &STORAGE_CLASS);
        }
    }
}

/// Lower a size, if it is set.
pub(super) fn storage_size(edit: &mut Edit<'_, '_>, pointer: &str) {
    let most = edit.fit.limits.storage;
    let given = edit.get(pointer).and_then(size::quantity);
    if given.is_some_and(|given| given > most as f64) {
        edit.set(pointer, size::bytes(most), &STORAGE_SIZE);
    }
}

/// Replace a class, if it is set.
pub(super) fn storage_class(edit: &mut Edit<'_, '_>, pointer: &str) {
    if edit.get(pointer).is_none() {
        return;
    }
    match edit.fit.limits.storage_class.clone() {
        Some(class) => edit.set(pointer, class, &STORAGE_CLASS),
        None => edit.remove(pointer, &STORAGE_CLASS),
    }
}

/// The fields of a listener's configuration that internal listeners also have.
const KEPT: [&str; 3] = ["brokerCertChainAndKey", "maxConnections", "maxConnectionCreationRate"];

fn listeners(edit: &mut Edit<'_, '_>) {
    let count = edit.get("/spec/kafka/listeners").and_then(Value::as_array).map_or(0, Vec::len);
    for at in 0..count {
        let pointer = format!("/spec/kafka/listeners/{at}");
        let kind = edit.text(&format!("{pointer}/type")).unwrap_or_default();
        if !matches!(kind.as_str(), "loadbalancer" | "ingress" | "route" | "tlsroute") {
            continue;
        }
        edit.set(&format!("{pointer}/type"), "internal", &LISTENER);
        let configuration = format!("{pointer}/configuration");
        let Some(Value::Object(all)) = edit.get(&configuration).cloned() else { continue };
        match all.keys().any(|key| KEPT.contains(&key.as_str())) {
            false => edit.remove(&configuration, &LISTENER),
            true => {
                for key in all.keys().filter(|key| !KEPT.contains(&key.as_str())) {
                    edit.remove(&below(&configuration, key), &LISTENER);
                }
            }
        }
    }
}
