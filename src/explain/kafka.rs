//! What the operator reports about the Kafka resource and its node pools.

use super::finding::short;
use super::finding::{Finding, Recovery, Severity};
use super::scene::Scene;
use super::{Family, Rule};
use crate::errors;
use crate::kube::Kind;
use crate::kube::strimzi::{PAUSE as ANNOTATION, pauses};
use crate::words;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[
            errors::KAFKA_VERSION,
            errors::REPLICATION_FACTOR,
            errors::KAFKA_CONFIG,
            errors::KAFKA_NOT_READY,
            errors::KAFKA_TIMEOUT,
            errors::NO_NODE_POOL,
            errors::KAFKA_ZOOKEEPER,
        ],
        family: Family::Kafka,
        find: refused,
    },
    Rule { ids: &[errors::NO_NODE_POOL], family: Family::Kafka, find: no_pool },
    Rule { ids: &[errors::KAFKA_PAUSED], family: Family::Kafka, find: paused },
];

/// `NotReady` with an exception's name. Only at the current generation, and only if it was reported after the last
/// change: the error stays in the status until the cluster runs again.
fn refused(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = scene.expect.cluster.as_str();
    let Some(kafka) = scene.kafka().filter(|k| k.0.observed() && !k.0.deleting()) else { return };
    let Some(status) = kafka.not_ready().filter(|c| c.reason != "Creating") else { return };
    let current = kafka.0.observed_generation() >= scene.expect.generation;
    if !current || !Scene::answers_to(status.last_transition, scene.changed_at()) {
        return;
    }
    let message = short(status.message);
    let finding = |id, depth, sentence: String| {
        Finding::new(id, depth, format!("kafka/{cluster}"), sentence)
            .evidence(format!("kafkas/{cluster} NotReady=True {}: {message}", status.reason))
            .since(status.last_transition)
    };
    let pool_says = words::NO_POOLS.matches(status.message);
    let hint = "correct the Kafka resource and apply it again: the operator reconciles it immediately";
    found.push(match status.reason {
        "UnsupportedKafkaVersionException" => {
            let supported =
                words::SUPPORTED.after(status.message).and_then(|rest| Some(rest.split_once(']')?.0));
            let mut f = finding(
                errors::KAFKA_VERSION,
                76,
                format!("this Strimzi release does not support Kafka {}", kafka.requested_version()),
            );
            if let Some(versions) = supported {
                f = f.hint(format!("use one of Kafka {versions}, or another Strimzi release"));
            }
            f.certain_after(1)
        }
        // A release with ZooKeeper accepts such a resource; one that rejects it has none. During a migration, it
        // rejects other things.
        reason
            if kafka.0.annotation("strimzi.io/kraft") != Some("migration")
                && (reason.starts_with("Invalid") || reason.starts_with("Unsupported"))
                && kafka.zookeeper() =>
        {
            finding(
                errors::KAFKA_ZOOKEEPER,
                77,
                format!(
                    "Kafka {cluster} is written for ZooKeeper, which this Strimzi release no longer supports"
                ),
            )
            .hint(
                "migrate it with Strimzi 0.45 (see Migrating to KRaft in its documentation), or create \
                 it again with node pools",
            )
            .certain_after(1)
        }
        // A pool exists by now, but the operator has not reconciled since.
        _ if pool_says && scene.pools().next().is_some() => return,
        _ if pool_says => {
            pool_hints(finding(errors::NO_NODE_POOL, 77, no_pool_sentence(scene)), scene).certain_after(1)
        }
        "InvalidResourceException" | "InvalidConfigurationException" | "InvalidConfigParameterException"
            if words::any(&words::REPLICATION, &message) =>
        {
            finding(errors::REPLICATION_FACTOR, 76, message.trim_end_matches('.').to_owned())
                .hint("set the option to the number of brokers, or raise the node pool's replicas")
                .certain_after(1)
        }
        reason if reason.starts_with("Invalid") || reason.starts_with("Unsupported") => finding(
            errors::KAFKA_CONFIG,
            75,
            format!("the operator rejects Kafka {cluster}: {}", message.trim_end_matches('.')),
        )
        .hint(hint)
        .certain_after(1),
        // The end of the operator's own wait: true, but never the cause.
        "StrimziTimeoutException" | "TimeoutException" | "FatalProblem" if all_nodes_ready(scene) => finding(
            errors::KAFKA_TIMEOUT,
            5,
            format!(
                "the operator timed out waiting for Kafka {cluster} before its pods became ready, and \
                 has not reconciled it since"
            ),
        )
        .severity(Severity::Heal)
        .recovery(Recovery::Reconcile)
        .hint("it reconciles it again within two minutes")
        .certain_after(3),
        "StrimziTimeoutException" | "TimeoutException" | "FatalProblem" => finding(
            errors::KAFKA_TIMEOUT,
            5,
            format!("the operator timed out waiting for Kafka {cluster}: {message}"),
        )
        .hint(format!(
            "show its pods: {}",
            scene.command("get pods -l", format!("strimzi.io/cluster={cluster}"))
        ))
        .certain_after(20),
        // The operator retries by itself; some of these errors are transient.
        reason => finding(
            errors::KAFKA_NOT_READY,
            25,
            format!("the operator failed to set up Kafka {cluster}: {reason}: {message}"),
        )
        .hint(format!("show its log: {}", scene.operator_log()))
        .certain_after(45),
    });
}

/// Whether every node of the pools exists and is ready: then an error in the status is outdated.
fn all_nodes_ready(scene: &Scene<'_>) -> bool {
    let wanted = scene.kafka().map_or(0, |kafka| kafka.nodes(scene.pools()).all.len());
    let ready = scene.nodes().filter(|p| p.ready() && !p.0.deleting()).count();
    wanted > 0 && ready == wanted && scene.nodes().count() == wanted
}

/// Whether only a Kafka resource from before node pools and KRaft has this field.
pub(super) fn is_zookeeper_field(field: &str) -> bool {
    ["spec.zookeeper", "spec.kafka.replicas", "spec.kafka.storage"].contains(&field)
}

fn no_pool_sentence(scene: &Scene<'_>) -> String {
    format!("no KafkaNodePool has the label strimzi.io/cluster: {}", scene.expect.cluster)
}

/// A typo in the label is the usual reason; the existing pools show it.
fn pool_hints(mut finding: Finding, scene: &Scene<'_>) -> Finding {
    let cluster = &scene.expect.cluster;
    for pool in scene.snapshot.pools(&scene.expect.namespace).filter(|p| p.cluster() != Some(cluster)) {
        let label = pool.cluster().unwrap_or("no such label");
        // Its status has node ids, so it belongs to another cluster.
        if !pool.0.has_status() {
            let name = pool.0.name();
            finding = finding.hint(format!(
                "node pool {name} has {label}: {}",
                super::topic::label_as(scene, "kafkanodepool", name)
            ));
        }
    }
    finding.hint(format!("apply a KafkaNodePool with the label strimzi.io/cluster: {cluster}"))
}

/// The same, from the objects: no pool has the label, whatever the status says.
fn no_pool(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting()) else { return };
    if !kafka.uses_pools() || !scene.synced(Kind::KafkaNodePool) || scene.pools().next().is_some() {
        return;
    }
    let finding = Finding::new(
        errors::NO_NODE_POOL,
        77,
        format!("kafka/{}", scene.expect.cluster),
        no_pool_sentence(scene),
    )
    .evidence("no kafkanodepools with that label")
    .since(kafka.0.created());
    found.push(pool_hints(finding, scene).certain_after(5));
}

fn paused(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka() else { return };
    if !pauses(kafka.0) {
        return;
    }
    let cluster = &scene.expect.cluster;
    found.push(
        Finding::new(
            errors::KAFKA_PAUSED,
            78,
            format!("kafka/{cluster}"),
            format!(
                "Kafka {cluster} is paused: the operator does not reconcile it until the annotation is \
                 removed"
            ),
        )
        .evidence(format!("kafkas/{cluster} annotation {ANNOTATION}=true"))
        .hint(format!("resume it: {}", super::topic::annotate(scene, "kafka", cluster, ANNOTATION)))
        .since(kafka.paused().and_then(|c| c.last_transition))
        .set_by_hand(3),
    );
}
