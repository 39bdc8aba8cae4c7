//! Objects to YAML.

use super::Object;

/// A multi-document YAML text: each object after a `---` line, keys in the order they have.
pub fn to_yaml(objects: &[Object]) -> String {
    let document = |object: &Object| {
        let body = serde_yaml::to_string(object)
            .unwrap_or_else(|e| unreachable!("an object of JSON values is always YAML: {e}"));
        format!("---\n{body}")
    };
    objects.iter().map(document).collect()
}
