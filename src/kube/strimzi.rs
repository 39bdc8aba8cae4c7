//! Strimzi's custom resources; the Kafka and its node pools have [a file of their own](super::kafka).

use jiff::Timestamp;

use super::object::{Condition, Object};

/// The annotation by which somebody pauses a resource.
pub(crate) const PAUSE: &str = "strimzi.io/pause-reconciliation";
/// The annotation by which somebody, with `"false"`, takes a topic from the topic operator.
pub(crate) const MANAGED: &str = "strimzi.io/managed";

/// Whether a resource has the annotation that keeps its operator from it, which reads it as Java's `parseBoolean`.
pub(crate) fn pauses(object: &Object) -> bool {
    object.annotation(PAUSE).is_some_and(|value| value.eq_ignore_ascii_case("true"))
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

    /// Whether it exists as requested.
    pub fn ready(&self) -> bool {
        self.0.observed() && self.0.condition("Ready").is_some_and(|c| c.is_true())
    }

    /// Whether the topic operator leaves the topic in Kafka as it is, also when the resource is deleted. A paused
    /// one it deletes there.
    pub fn unmanaged(&self) -> bool {
        self.0.annotation(MANAGED) == Some("false")
    }

    /// The annotation that keeps the topic operator from it, with its value.
    pub fn left_alone(&self) -> Option<(&'static str, &'static str)> {
        let paused = pauses(self.0).then_some((PAUSE, "true"));
        paused.or_else(|| self.unmanaged().then_some((MANAGED, "false")))
    }

    /// Why it is not there as requested, in a few words; `None` if it is.
    pub fn unready(&self) -> Option<String> {
        unready(self.0, self.ready(), self.left_alone(), self.refused(), "topic operator")
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

/// A user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KafkaUser<'a>(pub &'a Object);

impl<'a> KafkaUser<'a> {
    /// The annotation that keeps the user operator from it, with its value.
    pub(crate) fn left_alone(&self) -> Option<(&'static str, &'static str)> {
        pauses(self.0).then_some((PAUSE, "true"))
    }

    /// The Kafka it belongs to: label `strimzi.io/cluster`.
    pub(crate) fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Why it is not there as requested, in a few words; `None` if it is.
    pub(crate) fn unready(&self) -> Option<String> {
        let object = self.0;
        let ready = object.observed() && object.condition("Ready").is_some_and(|c| c.is_true());
        let refused = object.condition("NotReady").filter(|c| c.is_true() && c.reason != "Creating");
        unready(object, ready, self.left_alone(), refused.filter(|_| object.observed()), "user operator")
    }
}

/// Why a topic or a user is not ready: `operator` looks after it, unless an annotation keeps it from that.
fn unready(
    object: &Object,
    ready: bool,
    left_alone: Option<(&str, &str)>,
    refused: Option<Condition<'_>>,
    operator: &str,
) -> Option<String> {
    Some(match (left_alone, refused) {
        _ if object.deleting() => "being deleted".into(),
        _ if object.label("strimzi.io/cluster").is_none() => {
            "ignored: it has no label strimzi.io/cluster".into()
        }
        _ if ready => return None,
        (Some((MANAGED, value)), _) => format!("not managed: annotation {MANAGED}={value}"),
        (Some((annotation, value)), _) => format!("paused: annotation {annotation}={value}"),
        (None, Some(refused)) if refused.message.is_empty() => refused.reason.to_owned(),
        (None, Some(refused)) => format!("{}: {}", refused.reason, refused.message),
        (None, None) if !object.has_status() => format!("waiting for the {operator}"),
        (None, None) => format!("the {operator} is reconciling it"),
    })
}

/// When a resource, its node pools or anything else given was last changed by somebody, as far
/// as the objects tell: creation, and writes by `manager`. The API server's clock.
pub(crate) fn last_change<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
    manager: &str,
) -> Option<Timestamp> {
    objects.into_iter().flat_map(|o| [o.created(), o.written_by(manager)]).flatten().max()
}
