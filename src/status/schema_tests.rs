//! The published schema is the one of the types, and the documentation names every field.

use std::path::PathBuf;

use serde_json::Value;

use super::Status;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn generated() -> Value {
    // What is written, where an absent value is null: all fields are always there.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Status>();
    schema.insert("title".to_owned(), "What kstrim status -o json prints, version 1".into());
    schema.to_value()
}

/// The published schema, as readers have it.
pub(super) fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&read("docs/schema/status.schema.json")).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&generated()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file("docs/schema/status.schema.json"), &text).expect("writable docs");
    }
    assert!(
        read("docs/schema/status.schema.json") == text,
        "run the tests with UPDATE_SCHEMA=1 and look at the diff"
    );
}

#[test]
fn the_documentation_names_every_field() {
    let docs = read("docs/status.md");
    let schema = generated();
    let defs = schema["$defs"].as_object().expect("types");
    for (of, ty) in defs.iter().map(|(n, t)| (n.as_str(), t)).chain([("Status", &schema)]) {
        for field in ty["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(docs.contains(&format!("`{field}`")), "{of}.{field} is not in docs/status.md");
        }
        for value in ty["oneOf"].as_array().into_iter().flatten().filter_map(|v| v["const"].as_str()) {
            assert!(docs.contains(&format!("`{value}`")), "{of} {value} is not in docs/status.md");
        }
    }
}

#[test]
fn the_documented_example_is_a_recorded_cluster() {
    let mut status = super::tests::ready_cluster();
    status.versions.kstrim = "0.1.0".to_owned();
    let example = serde_json::to_string_pretty(&status).expect("JSON");
    let docs = read("docs/status.md");
    let (before, rest) = docs.split_once("```json\n").expect("an example");
    let (shown, after) = rest.split_once("\n```").expect("its end");
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file("docs/status.md"), format!("{before}```json\n{example}\n```{after}"))
            .expect("writable docs");
    } else {
        assert!(shown == example, "run the tests with UPDATE_SCHEMA=1 and look at the diff");
    }
    let shown: Value = serde_json::from_str(&example).expect("JSON");
    if let Err(error) = validator().validate(&shown) {
        panic!("{error}");
    }
}
