//! A release's own definitions as a validator.

use std::collections::HashMap;

use jsonschema::Validator;
use kstrim::internals::manifest::Object;
use serde_json::{Value, json};

/// Kinds that kstrim renders.
const KINDS: [&str; 8] = [
    "Kafka",
    "KafkaNodePool",
    "KafkaTopic",
    "KafkaUser",
    "KafkaConnect",
    "KafkaMirrorMaker2",
    "KafkaBridge",
    "KafkaConnector",
];

/// By `apiVersion` and kind.
pub struct Schemas(HashMap<(String, String), Validator>);

impl Schemas {
    /// From the definitions among an install manifest's objects.
    pub fn new(objects: &[Object]) -> Self {
        let mut all = HashMap::new();
        for definition in objects.iter().filter(|o| o.kind() == "CustomResourceDefinition") {
            let text = |pointer: &str| definition.get(pointer).unwrap().as_str().unwrap().to_owned();
            let (group, kind) = (text("/spec/group"), text("/spec/names/kind"));
            if !KINDS.contains(&kind.as_str()) {
                continue;
            }
            for version in definition.get("/spec/versions").unwrap().as_array().unwrap() {
                if version["served"] != true {
                    continue;
                }
                let mut schema = version["schema"]["openAPIV3Schema"].clone();
                close(&mut schema);
                // What the API server adds to every definition; one without properties takes anything.
                if let Some(known) = schema.get_mut("properties").and_then(Value::as_object_mut) {
                    known.entry("apiVersion").or_insert(json!({"type": "string"}));
                    known.entry("kind").or_insert(json!({"type": "string"}));
                    known.insert("metadata".to_owned(), json!({"type": "object"}));
                }
                let name = version["name"].as_str().unwrap();
                let validator = jsonschema::draft7::new(&schema).unwrap();
                all.insert((format!("{group}/{name}"), kind.clone()), validator);
            }
        }
        Self(all)
    }

    /// Check one object.
    pub fn check(&self, object: &Object) -> Result<(), String> {
        let key = (object.api_version().to_owned(), object.kind().to_owned());
        let validator = self.0.get(&key).ok_or_else(|| format!("no definition serves {key:?}"))?;
        let errors: Vec<_> =
            validator.iter_errors(object.value()).map(|e| format!("{}: {e}", e.instance_path())).collect();
        if errors.is_empty() { Ok(()) } else { Err(errors.join("; ")) }
    }
}

/// Structural schemas prune what they don't know; strict validation refuses it. Say so to
/// JSON Schema: objects with properties are closed unless they preserve unknown fields.
fn close(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else { return };
    if let Some(properties) = map.get_mut("properties").and_then(Value::as_object_mut) {
        properties.values_mut().for_each(close);
        let open = map.get("x-kubernetes-preserve-unknown-fields") == Some(&json!(true));
        if !open && !map.contains_key("additionalProperties") {
            map.insert("additionalProperties".to_owned(), json!(false));
        }
    }
    for key in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(key) {
            close(inner);
        }
    }
    if map.remove("x-kubernetes-int-or-string") == Some(json!(true)) {
        map.insert("type".to_owned(), json!(["integer", "string"]));
    }
    if map.remove("nullable") == Some(json!(true))
        && let Some(kind) = map.get("type").cloned()
    {
        map.insert("type".to_owned(), json!([kind, "null"]));
    }
}
