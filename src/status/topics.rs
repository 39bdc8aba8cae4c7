//! Topics, and why they are not ready.

use serde_json::Value;

use super::data;
use crate::explain::Scene;
use crate::kube::Kind;
use crate::kube::strimzi::KafkaTopic;

/// Topics of the cluster, and those that belong to no cluster.
pub(super) fn topics(scene: &Scene<'_>) -> Vec<data::Topic> {
    let cluster = scene.expect.cluster.as_str();
    scene
        .snapshot
        .all(Kind::KafkaTopic)
        .filter(|o| o.namespace() == scene.expect.namespace)
        .map(KafkaTopic)
        .filter(|t| t.cluster().is_none_or(|c| c == cluster))
        .map(|t| {
            let json = t.0.json();
            let named = ["/spec/topicName", "/status/topicName", "/metadata/name"];
            let topic = named.iter().find_map(|at| json.pointer(at)?.as_str()).unwrap_or("");
            data::Topic {
                name: t.0.name().to_owned(),
                topic: topic.to_owned(),
                partitions: json.pointer("/spec/partitions").and_then(Value::as_i64),
                replicas: json.pointer("/spec/replicas").and_then(Value::as_i64),
                ready: t.not_ready_reason().is_none(),
                reason: t.not_ready_reason(),
            }
        })
        .collect()
}
