//! One Kubernetes object.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

/// A Kubernetes object: a JSON object with `apiVersion`, `kind` and `metadata.name`. Keys keep the order in which
/// they were read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Object(Value);

/// Why a value is no object. Displayed as one clause: `has no metadata.name`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoObject {
    /// The JSON pointer of the field that is missing or wrong, empty for the whole value.
    pub pointer: &'static str,
    /// What the value of the field is instead of text; `None` if that is not what is wrong.
    pub read_as: Option<ReadAs>,
    why: String,
}

/// What a word without quotes is in YAML if it is not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadAs {
    /// `true`, and to kubectl also `y` and `no`.
    Boolean,
    /// `123`
    Number,
}

impl fmt::Display for NoObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl NoObject {
    fn new(pointer: &'static str, why: impl Into<String>) -> Self {
        Self { pointer, read_as: None, why: why.into() }
    }

    /// The field has a value of another type than `expected`.
    fn of_type(pointer: &'static str, found: &Value, expected: &str) -> Self {
        let field = named(pointer);
        let (read_as, found) = match found {
            Value::Bool(value) => (Some(ReadAs::Boolean), format!("the boolean {value}")),
            Value::Number(value) => (Some(ReadAs::Number), format!("the number {value}")),
            Value::Object(_) => (None, "a mapping".to_owned()),
            Value::Array(_) => (None, "a sequence".to_owned()),
            Value::String(_) | Value::Null => (None, "text".to_owned()),
        };
        let why = match read_as.filter(|_| expected == TEXT) {
            Some(_) => format!("has {field} that is read as {found}: write it in quotes"),
            None => format!("has {field} that is {found}, not {expected}"),
        };
        Self { read_as: read_as.filter(|_| expected == TEXT), ..Self::new(pointer, why) }
    }
}

const TEXT: &str = "text";

/// `a metadata.name`.
fn named(pointer: &str) -> String {
    let name = pointer.trim_start_matches('/').replace('/', ".");
    let article = if name.starts_with('a') { "an" } else { "a" };
    format!("{article} {name}")
}

impl Object {
    /// Check the shape.
    pub fn new(value: Value) -> Result<Self, NoObject> {
        if !value.is_object() {
            return Err(NoObject::new("", "is not a mapping"));
        }
        for pointer in ["/apiVersion", "/kind", "/metadata/name"] {
            match value.pointer(pointer) {
                Some(Value::String(text)) if text.is_empty() => {
                    return Err(NoObject::new(pointer, format!("has {} that is empty", named(pointer))));
                }
                Some(Value::String(_)) => {}
                Some(Value::Null) | None => {
                    let name = pointer.trim_start_matches('/').replace('/', ".");
                    return Err(NoObject::new(pointer, format!("has no {name}")));
                }
                Some(found) => return Err(NoObject::of_type(pointer, found, TEXT)),
            }
        }
        for (pointer, expected) in [
            ("/metadata/namespace", TEXT),
            ("/metadata/labels", "a mapping"),
            ("/metadata/annotations", "a mapping"),
        ] {
            match value.pointer(pointer) {
                None | Some(Value::Null) => {}
                Some(Value::String(_)) if expected == TEXT => {}
                Some(Value::Object(_)) if expected != TEXT => {}
                Some(found) => return Err(NoObject::of_type(pointer, found, expected)),
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_no_object_says_why() {
        let with = |metadata: Value| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata});
        for (value, pointer, read_as, why) in [
            (json!([1]), "", None, "is not a mapping"),
            (json!({"kind": "A"}), "/apiVersion", None, "has no apiVersion"),
            (
                json!({"apiVersion": 1}),
                "/apiVersion",
                Some(ReadAs::Number),
                "has an apiVersion that is read as the number 1: write it in quotes",
            ),
            (with(json!({})), "/metadata/name", None, "has no metadata.name"),
            (with(json!({"name": ""})), "/metadata/name", None, "has a metadata.name that is empty"),
            (
                with(json!({"name": false})),
                "/metadata/name",
                Some(ReadAs::Boolean),
                "has a metadata.name that is read as the boolean false: write it in quotes",
            ),
            (
                with(json!({"name": {}})),
                "/metadata/name",
                None,
                "has a metadata.name that is a mapping, not text",
            ),
            (
                with(json!({"name": "a", "namespace": 5})),
                "/metadata/namespace",
                Some(ReadAs::Number),
                "has a metadata.namespace that is read as the number 5: write it in quotes",
            ),
            (
                with(json!({"name": "a", "labels": true})),
                "/metadata/labels",
                None,
                "has a metadata.labels that is the boolean true, not a mapping",
            ),
            (
                with(json!({"name": "a", "annotations": ["b"]})),
                "/metadata/annotations",
                None,
                "has a metadata.annotations that is a sequence, not a mapping",
            ),
        ] {
            let error = Object::new(value).expect_err(why);
            assert_eq!((error.pointer, error.read_as, error.to_string().as_str()), (pointer, read_as, why));
        }
    }
}
