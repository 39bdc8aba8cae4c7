//! One Kubernetes object.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A Kubernetes object: a JSON object with `apiVersion`, `kind` and `metadata.name`. Keys keep the order in which
/// they were read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Object(Value);

impl Object {
    /// Check the shape. The error is one clause: `has no metadata.name`.
    pub fn new(value: Value) -> Result<Self, String> {
        if !value.is_object() {
            return Err("is not a mapping".to_owned());
        }
        for (pointer, name) in
            [("/apiVersion", "apiVersion"), ("/kind", "kind"), ("/metadata/name", "metadata.name")]
        {
            match value.pointer(pointer) {
                Some(Value::String(text)) if !text.is_empty() => {}
                Some(Value::Null) | None => return Err(format!("has no {name}")),
                Some(_) => return Err(format!("has a {name} that is not a non-empty string")),
            }
        }
        for (pointer, name) in [
            ("/metadata/namespace", "metadata.namespace"),
            ("/metadata/labels", "metadata.labels"),
            ("/metadata/annotations", "metadata.annotations"),
        ] {
            let fits = match value.pointer(pointer) {
                None | Some(Value::Null) => true,
                Some(found) if pointer.ends_with("namespace") => found.is_string(),
                Some(found) => found.is_object(),
            };
            if !fits {
                return Err(format!("has a {name} of the wrong type"));
            }
        }
        Ok(Self(value))
    }

    fn text(&self, pointer: &str) -> &str {
        self.0.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// `apps/v1`, `v1`.
    pub fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    /// The API group, empty for the core one.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// `Deployment`.
    pub fn kind(&self) -> &str {
        self.text("/kind")
    }

    /// `metadata.name`.
    pub fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// `metadata.namespace`, if set.
    pub fn namespace(&self) -> Option<&str> {
        self.0.pointer("/metadata/namespace").and_then(Value::as_str)
    }

    /// The value at a JSON pointer.
    pub fn get(&self, pointer: &str) -> Option<&Value> {
        self.0.pointer(pointer)
    }

    /// The value at a JSON pointer, mutable.
    pub fn get_mut(&mut self, pointer: &str) -> Option<&mut Value> {
        self.0.pointer_mut(pointer)
    }

    /// The object as JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Set the value at a path of keys; missing (or null) mappings on the path are created, other values on the path
    /// are replaced.
    pub fn set(&mut self, path: &[&str], value: impl Into<Value>) {
        let mut at = &mut self.0;
        for key in path {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(map) = at else { return };
            at = map.entry((*key).to_owned()).or_insert(Value::Null);
        }
        *at = value.into();
    }

    /// Remove the value at a path of keys, if it exists.
    pub fn remove(&mut self, path: &[&str]) {
        let Some((last, parents)) = path.split_last() else { return };
        let parent = parents.iter().try_fold(&mut self.0, |at, key| at.get_mut(*key));
        if let Some(Value::Object(map)) = parent {
            map.shift_remove(*last);
        }
    }

    /// What identifies it in a cluster: group, kind, namespace and name.
    pub fn key(&self) -> (String, String, String, String) {
        let owned = str::to_owned;
        (owned(self.group()), owned(self.kind()), owned(self.namespace().unwrap_or("")), owned(self.name()))
    }
}

/// `Deployment strimzi-cluster-operator`.
impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.name())
    }
}
