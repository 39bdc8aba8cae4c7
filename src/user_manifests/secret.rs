//! Secrets must have the form that the API server expects: anything else is an error there, whose message may contain
//! the value.

use base64::Engine as _;
use serde_json::Value;

use super::document::{Document, below};
use super::problem::{IN_QUOTES, LISTED, Problem};
use super::schema::nearest;
use crate::errors;

/// All fields of a Secret.
const FIELDS: [&str; 7] = ["apiVersion", "kind", "metadata", "type", "immutable", "data", "stringData"];

/// What is wrong with a Secret; nothing for other objects. No message contains a value.
pub(super) fn check(document: &Document) -> Vec<Problem> {
    let object = &document.object;
    if object.kind() != "Secret" || object.api_version() != "v1" {
        return Vec::new();
    }
    let problem = |pointer: &str, what: &str| Problem::field(errors::FILE_OBJECT, document, pointer, what);
    let mut problems = Vec::new();
    let fields = object.value().as_object().into_iter().flatten();
    for (name, _) in fields.filter(|(name, _)| !FIELDS.contains(&name.as_str())) {
        let unknown = problem(&below("", name), "is not a field of a Secret");
        problems.push(match nearest(name, FIELDS.into_iter()) {
            Some(near) => unknown.hint(format!("did you mean {near} instead of {name}?")),
            None => unknown,
        });
    }
    for (field, fits, what, hint) in [
        (
            "/data",
            is_base64 as fn(&str) -> bool,
            "is not base64",
            "write text that is not encoded into stringData instead of data",
        ),
        ("/stringData", (|_| true) as fn(&str) -> bool, "is not a string", IN_QUOTES),
    ] {
        let entries = match object.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::Object(entries)) => entries,
            Some(_) => {
                problems.push(
                    problem(field, "must be a mapping").hint("write each value as KEY: VALUE below it"),
                );
                continue;
            }
        };
        let wrong = entries.iter().filter(|(_, value)| match value {
            Value::Null => false,
            Value::String(text) => !fits(text),
            _ => true,
        });
        problems.extend(wrong.map(|(key, _)| problem(&below(field, key), what).hint(hint)));
    }
    problems.truncate(LISTED);
    problems
}

/// Whether it is base64 to the API server, which allows line breaks.
fn is_base64(text: &str) -> bool {
    let text: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::super::test_support::documents;
    use super::*;

    fn problems(fields: &str) -> Vec<Problem> {
        let text = format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: s}}\n{fields}\n");
        let mut document = documents(&text).remove(0);
        document.object.set(&["kind"], "Secret");
        check(&document)
    }

    #[test]
    fn secrets_have_the_form_that_the_api_server_expects() {
        for fields in [
            "data: {a: aGVsbG8=, b: ''}\nstringData: {c: hello}\ntype: Opaque\nimmutable: true",
            "data:\nstringData: {a:}",
            "data:\n  a: |\n    aGVs\n    bG8=",
        ] {
            assert_eq!(problems(fields), [], "{fields}");
        }
        for (fields, line, message, hint) in [
            ("data: hunter2", 4, "data must be a mapping", "KEY: VALUE"),
            ("data:\n- hunter2", 4, "data must be a mapping", "KEY: VALUE"),
            ("stringData: hunter2", 4, "stringData must be a mapping", "KEY: VALUE"),
            ("data:\n  p: hunter2", 5, "data.p is not base64", "stringData"),
            ("data: {p: 5}", 4, "data.p is not base64", "stringData"),
            ("stringData:\n  p: 72072", 5, "stringData.p is not a string", "quotes"),
            ("stringData: {p: [hunter2]}", 4, "stringData.p is not a string", "quotes"),
            (
                "stringdata: {p: hunter2}",
                4,
                "stringdata is not a field of a Secret",
                "did you mean stringData",
            ),
            ("spec: {p: hunter2}", 4, "spec is not a field of a Secret", ""),
        ] {
            let found = problems(fields);
            let [problem] = &found[..] else { panic!("{fields}: {found:?}") };
            assert_eq!((problem.id, problem.origin.line), (errors::FILE_OBJECT, line), "{problem:?}");
            assert_eq!(problem.message, format!("Secret s: {message}"));
            assert!(problem.hint.clone().unwrap_or_default().contains(hint), "{problem:?}");
        }
    }
}
