//! Fields of earlier Strimzi releases, and what replaces them.
//!
//! Derived from the definitions: every field that `v1beta2` has in Strimzi 0.51.0 and 0.45.2 and that `v1` of 1.2.0
//! does not have, without those that only changed their form (`tests/supply` compares them). [`check`] reports what
//! the definitions still have and the operator no longer supports: ZooKeeper in `v1beta2` of 0.46.0 and later.

use serde_json::Value;

use super::document::{Document, below};
use super::problem::Problem;
use crate::catalogue::Release;
use crate::errors;

/// A field that no longer exists.
pub(crate) struct Replaced {
    /// The kind; empty for all kinds.
    kind: &'static str,
    /// The end of the field's path, without indices.
    path: &'static str,
    /// What to do instead.
    instead: &'static str,
}

const fn of(kind: &'static str, path: &'static str, instead: &'static str) -> Replaced {
    Replaced { kind, path, instead }
}

const OAUTH: &str = "use the type custom: OAuth and Keycloak have no type of their own any more, their settings are those of \
                     the Strimzi OAuth library";
const POOL_METADATA: &str = "remove it: Kafka keeps its metadata itself since Strimzi 0.46, in a KafkaNodePool with the role \
                             controller (add one, or add the role to the pool of the brokers)";
const NOTHING: &str = "remove it: the field has had no effect since ZooKeeper was removed";

/// All replaced fields, specific ones before general ones.
pub(crate) const ALL: [Replaced; 28] = [
    of("Kafka", "/spec/zookeeper", POOL_METADATA),
    of("Kafka", "/spec/kafka/replicas", "write it into a KafkaNodePool: spec.replicas"),
    of("Kafka", "/spec/kafka/storage", "write it into a KafkaNodePool: spec.storage"),
    of("Kafka", "/spec/kafka/resources", "write it into a KafkaNodePool: spec.resources"),
    of(
        "Kafka",
        "/spec/kafka/template/statefulset",
        "use template.podSet: the pods have a StrimziPodSet, no StatefulSet",
    ),
    of("Kafka", "/spec/jmxTrans", "remove it: JmxTrans is no longer supported; use metricsConfig"),
    of("Kafka", "/reconciliationIntervalSeconds", "use reconciliationIntervalMs, in milliseconds"),
    of("Kafka", "/zookeeperSessionTimeoutSeconds", NOTHING),
    of("Kafka", "/topicMetadataMaxAttempts", NOTHING),
    of("Kafka", "/tlsSidecar", NOTHING),
    of("Kafka", "/template/tlsSidecarContainer", NOTHING),
    of("Kafka", "/brokerCapacity/disk", "remove it: Cruise Control uses the size of the volumes"),
    of("Kafka", "/brokerCapacity/cpuUtilization", "remove it: Cruise Control uses the CPU requests"),
    of("Kafka", "/kafkaExporter/template/service", "remove it: the exporter has no Service"),
    of("KafkaBridge", "/spec/enableMetrics", "use spec.metricsConfig"),
    of("", "/spec/template/deployment", "use template.podSet: the pods have a StrimziPodSet, no Deployment"),
    of(
        "",
        "/spec/externalConfiguration",
        "use template.pod.volumes, template.connectContainer.volumeMounts and template.connectContainer.env",
    ),
    of("KafkaConnect", "/output/additionalKanikoOptions", "use additionalBuildOptions"),
    of("", "/pause", "use state: paused"),
    of(
        "KafkaMirrorMaker2",
        "/spec/connectCluster",
        "use spec.target, which describes the target cluster itself",
    ),
    of(
        "KafkaMirrorMaker2",
        "/spec/clusters",
        "use spec.target and spec.mirrors[].source, which describe the clusters",
    ),
    of("KafkaMirrorMaker2", "/sourceCluster", "use source, which describes the source cluster itself"),
    of("KafkaMirrorMaker2", "/targetCluster", "use spec.target, which describes the target cluster itself"),
    of("KafkaMirrorMaker2", "/topicsBlacklistPattern", "use topicsExcludePattern"),
    of("KafkaMirrorMaker2", "/groupsBlacklistPattern", "use groupsExcludePattern"),
    of("KafkaMirrorMaker2", "/heartbeatConnector", "remove it: the operator no longer runs this connector"),
    of("KafkaUser", "/acls/operation", "use operations, a sequence"),
    of(
        "",
        "/overrides",
        "remove it: storage overrides for single brokers are no longer supported; use several node pools",
    ),
];

/// What replaces a field of earlier releases.
pub(super) fn instead(kind: &str, pointer: &str) -> Option<&'static str> {
    let keys =
        pointer.split('/').skip(1).filter(|key| key.is_empty() || !key.bytes().all(|b| b.is_ascii_digit()));
    let path: String = keys.map(|key| format!("/{key}")).collect();
    let listed = ALL.iter().find(|field| {
        let of_kind = field.kind.is_empty() || field.kind == kind;
        of_kind && (path == field.path || !field.path.starts_with("/spec/") && path.ends_with(field.path))
    });
    let security = ["/authentication/", "/authorization/"];
    listed.map(|field| field.instead).or_else(|| {
        let secured = kind != "KafkaUser" && security.iter().any(|part| path.contains(part));
        secured.then_some(OAUTH)
    })
}

/// What replaces a kind of earlier releases.
pub(super) fn kind_instead(kind: &str) -> Option<&'static str> {
    (kind == "KafkaMirrorMaker").then_some("MirrorMaker 1 is no longer supported: use KafkaMirrorMaker2")
}

/// The annotations that determine how a Kafka cluster stores its metadata.
const KRAFT: &str = "strimzi.io/kraft";
const NODE_POOLS: &str = "strimzi.io/node-pools";

/// Reports what the definition still has and the release's operator no longer supports.
pub(super) fn check(document: &Document, release: &Release) -> Vec<Problem> {
    let object = &document.object;
    if object.kind() != "Kafka" || release.zookeeper {
        return Vec::new();
    }
    let mut problems = Vec::new();
    let in_schema = object.api_version() != "kafka.strimzi.io/v1";
    if in_schema && object.get("/spec/zookeeper").is_some_and(|value| !value.is_null()) {
        let what = format!("describes ZooKeeper, which Strimzi {} does not run", release.version);
        problems
            .push(Problem::field(errors::FILE_SCHEMA, document, "/spec/zookeeper", what).hint(POOL_METADATA));
    }
    for name in [KRAFT, NODE_POOLS] {
        let pointer = below("/metadata/annotations", name);
        let value = object.get(&pointer).and_then(Value::as_str);
        if let Some(value) = value.filter(|value| *value != "enabled") {
            let what = format!("is {value:?}, but Strimzi {} has no clusters without it", release.version);
            let hint =
                format!("remove the annotation {name}, or migrate the cluster with Strimzi 0.45.2 first");
            problems.push(Problem::field(errors::FILE_SCHEMA, document, &pointer, what).hint(hint));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_field_has_its_replacement() {
        let told = |kind, pointer, words: &str| {
            let instead = instead(kind, pointer).unwrap_or_else(|| panic!("{kind} {pointer}"));
            assert!(instead.contains(words), "{kind} {pointer}: {instead}");
        };
        told("Kafka", "/spec/zookeeper", "KafkaNodePool");
        told("Kafka", "/spec/entityOperator/topicOperator/zookeeperSessionTimeoutSeconds", "remove it");
        told("Kafka", "/spec/kafka/listeners/0/authentication/jwksEndpointUri", "custom");
        told("KafkaMirrorMaker2", "/spec/mirrors/3/sourceCluster", "source");
        told("KafkaMirrorMaker2", "/spec/mirrors/0/checkpointConnector/pause", "state: paused");
        told("KafkaUser", "/spec/authorization/acls/1/operation", "operations");
        told("KafkaNodePool", "/spec/storage/volumes/0/overrides", "node pools");
        for (kind, pointer) in [
            ("Kafka", "/spec/kafka/replcas"),
            ("KafkaUser", "/spec/authorization/x"),
            ("KafkaTopic", "/spec/zookeeper"),
        ] {
            assert_eq!(instead(kind, pointer), None, "{kind} {pointer}");
        }
        assert!(kind_instead("KafkaMirrorMaker").is_some() && kind_instead("Kafka").is_none());
    }
}
