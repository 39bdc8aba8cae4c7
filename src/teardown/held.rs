//! Objects whose deletion is blocked by a foreign finalizer. Strimzi's finalizers are handled by its operators, or
//! removed; any other finalizer must be handled by whoever set it, and waiting for that has a limit.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::cluster::session::Session;
use crate::explain;
use crate::failure::Result;
use crate::kube::object::text;

/// How long to wait until a foreign finalizer is handled.
const SERVED_WITHIN: Duration = Duration::from_secs(15);
/// Finalizers that Kubernetes itself handles.
const SERVED: [&str; 3] = ["kubernetes.io/pvc-protection", "foregroundDeletion", "orphan"];

/// Fails if a foreign finalizer has blocked the deletion of an object for too long.
///
/// # Errors
/// What blocks it, the same failure as when the wait times out.
pub(crate) fn refuse<'a>(
    cx: &Session,
    objects: impl IntoIterator<Item = (&'a str, &'a Value)>,
) -> Result<()> {
    for (kind, object) in objects {
        if held(object, Timestamp::now()).is_some() {
            let mut object = object.clone();
            object["kind"] = kind.into();
            return Err(Box::new(explain::held(&object, &cx.expect())));
        }
    }
    Ok(())
}

/// The foreign finalizers that have blocked the deletion of an object for too long.
fn held(object: &Value, now: Timestamp) -> Option<Vec<&str>> {
    let deleted: Timestamp = text(object, "/metadata/deletionTimestamp").parse().ok()?;
    let patience = SignedDuration::try_from(SERVED_WITHIN).unwrap_or(SignedDuration::MAX);
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array)?;
    let others: Vec<&str> = finalizers
        .iter()
        .filter_map(Value::as_str)
        .filter(|f| !f.starts_with("strimzi.io/") && !SERVED.contains(f))
        .collect();
    (now.duration_since(deleted) > patience && !others.is_empty()).then_some(others)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_foreign_finalizers_block_and_only_after_a_while() {
        let at = |s: &str| s.parse::<Timestamp>().expect("a time");
        let object = |finalizers: Value, deleted: Value| json!({"metadata": {"finalizers": finalizers, "deletionTimestamp": deleted}});
        let deleted = json!("2026-11-22T20:00:00Z");
        let (soon, late) = (at("2026-11-22T20:00:10Z"), at("2026-11-22T20:00:16Z"));
        let others = object(json!(["strimzi.io/topic-operator", "example.com/guard"]), deleted.clone());
        assert_eq!(held(&others, late), Some(vec!["example.com/guard"]));
        assert_eq!(held(&others, soon), None);
        assert_eq!(held(&object(json!(["strimzi.io/topic-operator"]), deleted.clone()), late), None);
        assert_eq!(held(&object(json!(["kubernetes.io/pvc-protection"]), deleted), late), None);
        assert_eq!(held(&object(json!(["example.com/guard"]), Value::Null), late), None);
    }
}
