//! One object of the cluster as its JSON, with the fields every kind has.

use std::rc::Rc;

use jiff::Timestamp;
use serde_json::Value;

/// An object. Cloning shares the JSON.
#[derive(Debug, Clone)]
pub struct Object(Rc<Value>);

/// An owner reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Kind of the owner.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Its uid.
    pub uid: &'a str,
}

/// A condition of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition<'a> {
    /// `Ready`, `NotReady`, `PodScheduled` ...
    pub kind: &'a str,
    /// `True`, `False` or `Unknown`.
    pub status: &'a str,
    /// One word, or empty.
    pub reason: &'a str,
    /// A message, or empty.
    pub message: &'a str,
    /// When `status` last changed.
    pub last_transition: Option<Timestamp>,
}

impl Condition<'_> {
    /// Whether status is `True`.
    pub fn is_true(&self) -> bool {
        self.status == "True"
    }

    /// Whether status is `False`; `Unknown` is neither.
    pub fn is_false(&self) -> bool {
        self.status == "False"
    }

    fn of(value: &Value) -> Condition<'_> {
        Condition {
            kind: text(value, "/type"),
            status: text(value, "/status"),
            reason: text(value, "/reason"),
            message: text(value, "/message"),
            last_transition: time(value, "/lastTransitionTime"),
        }
    }
}

/// The text at a JSON pointer, empty if there is none.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

/// The RFC 3339 time at a JSON pointer.
pub(crate) fn time(value: &Value, pointer: &str) -> Option<Timestamp> {
    text(value, pointer).parse().ok()
}

/// The whole number at a JSON pointer.
pub(crate) fn number(value: &Value, pointer: &str) -> Option<i64> {
    value.pointer(pointer).and_then(Value::as_i64)
}

/// The array at a JSON pointer, empty if it is missing or null.
pub(crate) fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The texts of the array at a JSON pointer.
pub(crate) fn texts<'a>(value: &'a Value, pointer: &str) -> Vec<&'a str> {
    list(value, pointer).iter().filter_map(Value::as_str).collect()
}

impl Object {
    /// Wrap an object's JSON.
    pub fn new(json: Value) -> Self {
        Object(Rc::new(json))
    }

    /// The JSON.
    pub fn json(&self) -> &Value {
        &self.0
    }

    /// `kind`. Items of a list often have none: the API server omits it.
    pub fn kind(&self) -> &str {
        text(&self.0, "/kind")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        text(&self.0, "/metadata/name")
    }

    /// `metadata.namespace`, empty for a kind without.
    pub fn namespace(&self) -> &str {
        text(&self.0, "/metadata/namespace")
    }

    /// `metadata.uid`: a name may be reused, a uid never is.
    pub fn uid(&self) -> &str {
        text(&self.0, "/metadata/uid")
    }

    /// `metadata.resourceVersion`.
    pub fn resource_version(&self) -> &str {
        text(&self.0, "/metadata/resourceVersion")
    }

    /// `metadata.generation`: grows with every change of the spec.
    pub fn generation(&self) -> Option<i64> {
        number(&self.0, "/metadata/generation")
    }

    /// `status.observedGeneration`: the generation that its controller last reconciled.
    pub fn observed_generation(&self) -> Option<i64> {
        number(&self.0, "/status/observedGeneration")
    }

    /// Whether the controller has seen the current spec. False without a status.
    pub fn observed(&self) -> bool {
        match (self.generation(), self.observed_generation()) {
            (Some(wanted), Some(seen)) => seen >= wanted,
            (None, _) => self.has_status(),
            (Some(_), None) => false,
        }
    }

    /// Whether there is a status that is not empty.
    pub fn has_status(&self) -> bool {
        self.0.get("status").and_then(Value::as_object).is_some_and(|s| !s.is_empty())
    }

    /// One of `metadata.labels`.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get("labels")?.get(name)?.as_str()
    }

    /// One of `metadata.annotations`.
    pub fn annotation(&self, name: &str) -> Option<&str> {
        self.0.get("metadata")?.get("annotations")?.get(name)?.as_str()
    }

    /// `metadata.creationTimestamp`, whole seconds of the API server's clock.
    pub fn created(&self) -> Option<Timestamp> {
        time(&self.0, "/metadata/creationTimestamp")
    }

    /// `metadata.deletionTimestamp`. For a pod it lies in the future: now plus its grace period.
    pub fn deletion(&self) -> Option<Timestamp> {
        time(&self.0, "/metadata/deletionTimestamp")
    }

    /// Whether it is being deleted.
    pub fn deleting(&self) -> bool {
        !text(&self.0, "/metadata/deletionTimestamp").is_empty()
    }

    /// `metadata.finalizers`.
    pub fn finalizers(&self) -> Vec<&str> {
        texts(&self.0, "/metadata/finalizers")
    }

    /// `metadata.ownerReferences`.
    pub fn owners(&self) -> Vec<Owner<'_>> {
        list(&self.0, "/metadata/ownerReferences")
            .iter()
            .map(|o| Owner { kind: text(o, "/kind"), name: text(o, "/name"), uid: text(o, "/uid") })
            .collect()
    }

    /// When `manager` last wrote the object itself (not its status), by the API server's clock.
    pub fn written_by(&self, manager: &str) -> Option<Timestamp> {
        list(&self.0, "/metadata/managedFields")
            .iter()
            .filter(|f| text(f, "/manager") == manager && text(f, "/subresource").is_empty())
            .filter_map(|f| time(f, "/time"))
            .max()
    }

    /// When anybody last wrote the specification, as far as that is recorded: a manager that removes the only field
    /// it owned leaves no record.
    pub fn spec_written(&self) -> Option<Timestamp> {
        list(&self.0, "/metadata/managedFields")
            .iter()
            .filter(|f| text(f, "/subresource").is_empty() && f.pointer("/fieldsV1/f:spec").is_some())
            .filter_map(|f| time(f, "/time"))
            .max()
    }

    /// `status.conditions`, in their order. A type may occur twice (two `Warning`s of a Kafka resource).
    pub fn conditions(&self) -> impl Iterator<Item = Condition<'_>> {
        list(&self.0, "/status/conditions").iter().map(Condition::of)
    }

    /// The first condition of this type.
    pub fn condition(&self, kind: &str) -> Option<Condition<'_>> {
        self.conditions().find(|c| c.kind == kind)
    }

    /// `status.phase`.
    pub fn phase(&self) -> &str {
        text(&self.0, "/status/phase")
    }
}

/// Remove the metadata that the API server sets, and the status.
pub(crate) fn remove_server_fields(object: &mut Value) {
    if let Some(fields) = object.as_object_mut() {
        fields.remove("status");
    }
    if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
        for field in
            ["managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"]
        {
            metadata.remove(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn null_and_missing_fields_are_empty() {
        for status in [json!(null), json!({}), json!({"conditions": null}), json!({"conditions": []})] {
            let object = Object::new(json!({"metadata": {"generation": 1}, "status": status}));
            assert_eq!(object.conditions().count(), 0);
            assert!(!object.observed() && !object.deleting() && object.owners().is_empty());
        }
        assert!(!Object::new(json!({"metadata": null})).deleting());
    }

    #[test]
    fn observed_compares_generations() {
        let at = |seen: i64| {
            Object::new(json!({"metadata": {"generation": 2}, "status": {"observedGeneration": seen}}))
        };
        assert!(!at(1).observed());
        assert!(at(2).observed());
    }

    #[test]
    fn writing_the_status_is_not_writing_the_spec() {
        let object = Object::new(json!({"metadata": {"managedFields": [
            {"manager": "kstrim", "time": "2026-11-22T20:00:00Z"},
            {"manager": "kstrim", "subresource": "status", "time": "2026-11-22T21:00:00Z"},
            {"manager": "kubectl", "time": "2026-11-22T22:00:00Z"}
        ]}}));
        assert_eq!(object.written_by("kstrim"), "2026-11-22T20:00:00Z".parse().ok());
        assert_eq!(object.written_by("nobody"), None);
    }

    #[test]
    fn any_write_of_the_spec_is_found() {
        let fields = |manager: &str, what: &str, time: &str| json!({"manager": manager, "fieldsV1": {what: {}}, "time": time});
        let object = Object::new(json!({"metadata": {"managedFields": [
            fields("kstrim", "f:spec", "2026-11-22T20:00:00Z"),
            fields("kubectl-patch", "f:spec", "2026-11-22T21:00:00Z"),
            fields("kubectl-annotate", "f:metadata", "2026-11-22T22:00:00Z"),
            {"manager": "strimzi", "subresource": "status", "fieldsV1": {"f:spec": {}}, "time": "2026-11-22T23:00:00Z"}
        ]}}));
        assert_eq!(object.spec_written(), "2026-11-22T21:00:00Z".parse().ok());
        assert_eq!(Object::new(json!({})).spec_written(), None);
    }
}
