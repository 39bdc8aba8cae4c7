//! The content digest of a set of objects.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::Object;
use crate::sha256;

/// SHA-256, as 64 lower-case hex digits, over the canonical JSON of every object (keys
/// sorted, no spaces), the objects sorted as text, each ended by a line feed. So neither the
/// order of documents and keys nor the formatting or comments of the YAML matter.
pub fn digest(objects: &[Object]) -> String {
    let mut lines: Vec<String> = objects.iter().map(|object| canonical(object.value())).collect();
    lines.sort_unstable();
    let mut hash = Sha256::new();
    for line in &lines {
        hash.update(line);
        hash.update("\n");
    }
    sha256::hex(&hash.finalize())
}

fn canonical(value: &Value) -> String {
    let mut text = String::new();
    write_canonical(value, &mut text);
    text
}

fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort_unstable();
            out.push('{');
            for (n, key) in keys.into_iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_known_digest() {
        let object = Object::new(
            json!({"kind": "A", "apiVersion": "v1", "metadata": {"name": "n"}, "b": [1, 1.5, null]}),
        );
        let object = object.unwrap();
        assert_eq!(
            canonical(object.value()),
            r#"{"apiVersion":"v1","b":[1,1.5,null],"kind":"A","metadata":{"name":"n"}}"#
        );
        // printf '%s\n' '<the line above>' | sha256sum
        assert_eq!(digest(&[object]), "944224b3f0dde208387ab981aae7e19a4c03a2a4f0853f8e505168afdbbb56a1");
    }
}
