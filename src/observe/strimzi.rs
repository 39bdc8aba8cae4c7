//! Strimzi's custom resources; the Kafka and its node pools have [a file of their own](super::kafka).

use jiff::Timestamp;

use super::object::{Condition, Object};

/// The annotation by which somebody pauses a resource.
pub const PAUSE: &str = "strimzi.io/pause-reconciliation";
/// The annotation by which somebody, with `"false"`, takes a topic from the topic operator.
pub const MANAGED: &str = "strimzi.io/managed";

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

    /// Whether the topic operator leaves the topic in Kafka as it is, also when the resource is deleted. A paused
    /// one it deletes there.
    pub fn unmanaged(&self) -> bool {
        self.0.annotation(MANAGED) == Some("false")
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
