//! The values of ConfigMaps, which Kubernetes requires to be strings: YAML reads `port: 9092` as a number.

use super::document::{Document, below};
use super::problem::Problem;
use crate::errors;

/// The values that are no strings.
pub(super) fn check(document: &Document) -> Vec<Problem> {
    let object = &document.object;
    let mut problems = Vec::new();
    if !object.group().is_empty() || object.kind() != "ConfigMap" {
        return problems;
    }
    for map in ["/data", "/binaryData"] {
        let entries = object.get(map).and_then(|value| value.as_object()).into_iter().flatten();
        for (key, _) in entries.filter(|(_, value)| !value.is_string() && !value.is_null()) {
            let what = "must be a string: put it in quotes";
            problems.push(Problem::field(errors::FILE_OBJECT, document, &below(map, key), what));
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
