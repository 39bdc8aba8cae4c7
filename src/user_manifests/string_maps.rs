//! Mappings whose values Kubernetes requires to be strings: YAML reads `port: 9092` as a number.

use serde_json::Value;

use super::document::{Document, below};
use super::problem::Problem;
use crate::errors;

/// The values of a mapping that are not strings, each with its pointer. A null is no value.
pub(super) fn others<'d>(document: &'d Document, map: &str) -> impl Iterator<Item = (String, &'d Value)> {
    let entries = document.object.get(map).and_then(Value::as_object).into_iter().flatten();
    let others = entries.filter(|(_, value)| !value.is_string() && !value.is_null());
    others.map(move |(key, value)| (below(map, key), value))
}

/// The values of a ConfigMap that are not strings.
pub(super) fn check(document: &Document) -> Vec<Problem> {
    let object = &document.object;
    let mut problems = Vec::new();
    if !object.group().is_empty() || object.kind() != "ConfigMap" {
        return problems;
    }
    for map in ["/data", "/binaryData"] {
        for (pointer, _) in others(document, map) {
            let what = "must be a string: put it in quotes";
            problems.push(Problem::field(errors::FILE_OBJECT, document, &pointer, what));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::super::test_support::documents;
    use super::*;

    #[test]
    fn numbers_and_booleans_are_no_strings() {
        let config = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n\
                      data:\n  port: 9092\n  host: h\n";
        let found = check(&documents(config)[0]);
        let told: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["test.yaml:6: ConfigMap x: data.port must be a string: put it in quotes"]);
        // Another kind's `data` may have any type.
        let other = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: x}\ndata: {port: 1}\n";
        assert_eq!(check(&documents(other)[0]), []);
    }
}
