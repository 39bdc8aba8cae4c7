//! Topics, and why they are not ready.

use serde_json::Value;

use super::data;
use crate::explain::Scene;
use crate::observe::Kind;
use crate::observe::strimzi::KafkaTopic;

/// Topics of the cluster, and those that no cluster will take.
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
                ready: t.ready() && !t.0.deleting() && t.cluster().is_some(),
                reason: topic_reason(&t),
            }
        })
        .collect()
}

fn topic_reason(topic: &KafkaTopic<'_>) -> Option<String> {
    if topic.0.deleting() {
        return Some("being deleted".into());
    }
    if topic.cluster().is_none() {
        return Some("ignored: it has no label strimzi.io/cluster".into());
    }
    if topic.ready() {
        return None;
    }
    Some(match topic.refused() {
        Some(refused) if refused.message.is_empty() => refused.reason.to_owned(),
        Some(refused) => format!("{}: {}", refused.reason, refused.message),
        None if !topic.0.has_status() => "waiting for the topic operator".into(),
        None => "the topic operator works on it".into(),
    })
}
