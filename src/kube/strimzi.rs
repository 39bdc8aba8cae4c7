//! Strimzi's custom resources; the Kafka resource and its node pools are in [`super::kafka`].

use jiff::Timestamp;

use super::object::{Condition, Object};

/// The annotation that pauses the reconciliation of a resource.
pub(crate) const PAUSE: &str = "strimzi.io/pause-reconciliation";
/// The annotation that, with `"false"`, makes a topic unmanaged.
pub(crate) const MANAGED: &str = "strimzi.io/managed";

/// Whether the annotation pauses a resource; the operator parses it like Java's `parseBoolean`.
pub(crate) fn pauses(object: &Object) -> bool {
    object.annotation(PAUSE).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// A topic. A failed one has `Ready=False`, unlike a Kafka resource.
#[derive(Debug, Clone, Copy)]
pub struct KafkaTopic<'a>(pub &'a Object);

impl<'a> KafkaTopic<'a> {
    /// The topic's name in Kafka: `spec.topicName`, or the resource's name.
    pub fn topic(&self) -> &'a str {
        let named = self.0.json().pointer("/spec/topicName").and_then(serde_json::Value::as_str);
        named.filter(|name| !name.is_empty()).unwrap_or_else(|| self.0.name())
    }

    /// The Kafka cluster it belongs to: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Whether it exists as requested.
    pub fn ready(&self) -> bool {
        self.0.observed() && self.0.condition("Ready").is_some_and(|c| c.is_true())
    }

    /// Whether the topic operator leaves the topic in Kafka unchanged, even if the resource is deleted. The topic of
    /// a paused resource is deleted.
    pub fn unmanaged(&self) -> bool {
        self.0.annotation(MANAGED) == Some("false")
    }

    /// The annotation that makes the topic operator ignore it, with its value.
    pub fn pausing_annotation(&self) -> Option<(&'static str, &'static str)> {
        let paused = pauses(self.0).then_some((PAUSE, "true"));
        paused.or_else(|| self.unmanaged().then_some((MANAGED, "false")))
    }

    /// Why it is not ready, in a few words; `None` if it is.
    pub fn not_ready_reason(&self) -> Option<String> {
        not_ready_reason(self.0, self.ready(), self.pausing_annotation(), self.rejection(), "topic operator")
    }

    /// Why it is not, from the topic operator's status for the current spec. The unidirectional topic operator
    /// reports `Ready=False`, the older one `NotReady=True`.
    pub fn rejection(&self) -> Option<Condition<'a>> {
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
    /// The annotation that makes the user operator ignore it, with its value.
    pub(crate) fn pausing_annotation(&self) -> Option<(&'static str, &'static str)> {
        pauses(self.0).then_some((PAUSE, "true"))
    }

    /// The Kafka cluster it belongs to: label `strimzi.io/cluster`.
    pub(crate) fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Why it is not ready, in a few words; `None` if it is.
    pub(crate) fn not_ready_reason(&self) -> Option<String> {
        let object = self.0;
        let ready = object.observed() && object.condition("Ready").is_some_and(|c| c.is_true());
        let refused = object.condition("NotReady").filter(|c| c.is_true() && c.reason != "Creating");
        not_ready_reason(
            object,
            ready,
            self.pausing_annotation(),
            refused.filter(|_| object.observed()),
            "user operator",
        )
    }
}

/// Why a topic or a user is not ready: `operator` manages it, unless an annotation prevents that.
fn not_ready_reason(
    object: &Object,
    ready: bool,
    pausing_annotation: Option<(&str, &str)>,
    refused: Option<Condition<'_>>,
    operator: &str,
) -> Option<String> {
    Some(match (pausing_annotation, refused) {
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

/// When a resource, its node pools or any other specified object was last changed, according to the objects: their
/// creation, and writes by `manager`. The API server's clock.
pub(crate) fn last_change<'a>(
    objects: impl IntoIterator<Item = &'a Object>,
    manager: &str,
) -> Option<Timestamp> {
    objects.into_iter().flat_map(|o| [o.created(), o.written_by(manager)]).flatten().max()
}
