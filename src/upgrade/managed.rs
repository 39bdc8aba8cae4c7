//! Moves the `metadata.managedFields` of an object to an API version that still exists. Pure functions.
//!
//! A field manager's entry names the version that it wrote. The API server converts the object to each of those
//! versions before every server-side apply, and refuses the apply where its definition no longer lists one: "request
//! to convert CR to an invalid group/version". An entry moved to another version keeps its fields and its owner, so
//! that a later apply still removes what its manager no longer sends.

use serde_json::{Map, Value};

use crate::kube::object::text;

/// Whether an entry names a version of `group` that is not in `versions`.
pub(crate) fn is_stale(object: &Value, group: &str, versions: &[&str]) -> bool {
    entries(object).any(|entry| stale(entry, group, versions))
}

/// The entries, with those of versions other than `versions` moved to version `to`. `None` if nothing changes.
pub(crate) fn moved(object: &Value, group: &str, versions: &[&str], to: &str) -> Option<Value> {
    if !is_stale(object, group, versions) {
        return None;
    }
    let mut all: Vec<Value> = Vec::new();
    for entry in entries(object) {
        let mut entry = entry.clone();
        if stale(&entry, group, versions) {
            entry["apiVersion"] = format!("{group}/{to}").into();
        }
        // The API server keeps one entry for each manager, operation, version and subresource: the last one.
        match all.iter_mut().find(|other| same_manager(other, &entry)) {
            Some(other) => {
                if let Some(fields) = entry.get_mut("fieldsV1").map(Value::take) {
                    union(&mut other["fieldsV1"], fields);
                }
                if text(&entry, "/time") > text(other, "/time") {
                    other["time"] = entry["time"].take();
                }
            }
            None => all.push(entry),
        }
    }
    Some(all.into())
}

fn entries(object: &Value) -> impl Iterator<Item = &Value> {
    object.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten()
}

fn stale(entry: &Value, group: &str, versions: &[&str]) -> bool {
    let version = text(entry, "/apiVersion").strip_prefix(group).and_then(|rest| rest.strip_prefix('/'));
    version.is_some_and(|version| !versions.contains(&version))
}

fn same_manager(a: &Value, b: &Value) -> bool {
    let same = |field| text(a, field) == text(b, field);
    // An applier has one entry, whatever version it applied last.
    same("/manager")
        && same("/operation")
        && same("/subresource")
        && (same("/apiVersion") || text(a, "/operation") == "Apply")
}

/// Sets of fields are nested maps.
fn union(into: &mut Value, from: Value) {
    if !into.is_object() {
        *into = Map::new().into();
    }
    if let (Value::Object(into), Value::Object(from)) = (into, from) {
        for (name, fields) in from {
            union(into.entry(name).or_insert_with(|| Map::new().into()), fields);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GROUP: &str = "kafka.strimzi.io";

    fn entry(
        manager: &str,
        operation: &str,
        version: &str,
        subresource: &str,
        time: &str,
        fields: Value,
    ) -> Value {
        let mut entry = json!({"manager": manager, "operation": operation, "apiVersion": version, "time": time,
            "fieldsType": "FieldsV1", "fieldsV1": fields});
        if !subresource.is_empty() {
            entry["subresource"] = subresource.into();
        }
        entry
    }

    fn object(entries: &[Value]) -> Value {
        json!({"metadata": {"name": "a", "managedFields": entries}})
    }

    #[test]
    fn entries_of_a_removed_version_move_and_keep_their_fields() {
        let (old, new) = ("kafka.strimzi.io/v1beta2", "kafka.strimzi.io/v1");
        let (spec, status) = (json!({"f:spec": {"f:replicas": {}}}), json!({"f:status": {"f:nodeIds": {}}}));
        let pool = object(&[
            entry("kstrim", "Apply", new, "", "2026-11-28T01:00:00Z", spec.clone()),
            entry(
                "strimzi-cluster-operator",
                "Update",
                old,
                "status",
                "2026-11-28T02:00:00Z",
                status.clone(),
            ),
            entry("kubectl-edit", "Update", old, "", "2026-11-28T03:00:00Z", spec.clone()),
        ]);
        assert!(is_stale(&pool, GROUP, &["v1"]));
        let wanted = json!([
            entry("kstrim", "Apply", new, "", "2026-11-28T01:00:00Z", spec.clone()),
            entry("strimzi-cluster-operator", "Update", new, "status", "2026-11-28T02:00:00Z", status),
            entry("kubectl-edit", "Update", new, "", "2026-11-28T03:00:00Z", spec),
        ]);
        assert_eq!(moved(&pool, GROUP, &["v1"], "v1"), Some(wanted));
    }

    #[test]
    fn entries_of_one_manager_in_two_versions_are_merged() {
        let (old, new) = ("kafka.strimzi.io/v1beta2", "kafka.strimzi.io/v1");
        let topic = object(&[
            entry(
                "o",
                "Update",
                old,
                "status",
                "2026-11-28T02:00:00Z",
                json!({"f:status": {"f:a": {}, "f:b": {".": {}}}}),
            ),
            entry(
                "o",
                "Update",
                new,
                "status",
                "2026-11-28T01:00:00Z",
                json!({"f:status": {"f:b": {"f:c": {}}}}),
            ),
            entry("o", "Update", new, "", "2026-11-28T01:00:00Z", json!({"f:spec": {}})),
        ]);
        let both = json!({"f:status": {"f:a": {}, "f:b": {".": {}, "f:c": {}}}});
        let wanted = json!([
            entry("o", "Update", new, "status", "2026-11-28T02:00:00Z", both),
            entry("o", "Update", new, "", "2026-11-28T01:00:00Z", json!({"f:spec": {}})),
        ]);
        assert_eq!(moved(&topic, GROUP, &["v1"], "v1"), Some(wanted));
    }

    #[test]
    fn remaining_versions_and_other_groups_are_unchanged() {
        let served = object(&[
            entry("a", "Update", "kafka.strimzi.io/v1beta2", "", "", json!({})),
            entry("b", "Update", "v1", "", "", json!({})),
            entry("c", "Update", "core.strimzi.io/v1beta1", "", "", json!({})),
        ]);
        assert_eq!(moved(&served, GROUP, &["v1", "v1beta2"], "v1"), None);
        assert_eq!(moved(&json!({"metadata": {}}), GROUP, &["v1"], "v1"), None);
    }
}
