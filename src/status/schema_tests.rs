//! The published schema matches the types, and the documentation names every field.

use serde_json::Value;

use super::Status;
use crate::schema_tests as schema;

fn generated() -> Value {
    schema::of::<Status>("What kstrim status -o json prints, version 1")
}

/// The published schema, as readers use it.
pub(super) fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&schema::read("docs/schema/status.schema.json")).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

#[test]
fn the_published_schema_matches_the_types() {
    schema::published(&generated(), "docs/schema/status.schema.json");
}

#[test]
fn the_documentation_names_every_field() {
    schema::documented(&generated(), "Status", "docs/status.md");
}

#[test]
fn the_documented_example_matches_a_recorded_cluster() {
    let mut status = super::tests::ready_cluster();
    status.versions.kstrim = "0.1.0".to_owned();
    let example = serde_json::to_string_pretty(&status).expect("JSON");
    let docs = schema::read("docs/status.md");
    let (before, rest) = docs.split_once("```json\n").expect("an example");
    let (shown, after) = rest.split_once("\n```").expect("its end");
    if shown != example {
        schema::compare("docs/status.md", &format!("{before}```json\n{example}\n```{after}"));
    }
    let shown: Value = serde_json::from_str(&example).expect("JSON");
    if let Err(error) = validator().validate(&shown) {
        panic!("{error}");
    }
}
