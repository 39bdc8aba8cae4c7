//! The published schema matches the types, every line is valid, and the documentation names every event.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use super::runs;
use crate::event::Line;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn generated() -> Value {
    let mut schema = schemars::schema_for!(Line);
    schema.insert("title".to_owned(), "A line of kstrim --output json, version 1".into());
    schema.to_value()
}

fn validator() -> jsonschema::Validator {
    let schema: Value = serde_json::from_str(&read("docs/schema/events.schema.json")).expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
}

/// The types of events in the schema.
fn types() -> BTreeSet<String> {
    let schema = generated();
    let events = schema["oneOf"].as_array().expect("a choice of events").iter();
    events.map(|e| e["properties"]["type"]["const"].as_str().expect("a type").to_owned()).collect()
}

#[test]
fn the_published_schema_matches_the_types() {
    let text = serde_json::to_string_pretty(&generated()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file("docs/schema/events.schema.json"), &text).expect("writable docs");
    }
    assert!(
        read("docs/schema/events.schema.json") == text,
        "`cargo xtask schemas` writes it; review the diff"
    );
}

#[test]
fn every_line_of_every_event_is_valid() {
    let validator = validator();
    let mut seen = BTreeSet::new();
    for line in runs::every_event() {
        let value = serde_json::to_value(&line).expect("JSON");
        if let Err(error) = validator.validate(&value) {
            panic!("{error}\nin {value}");
        }
        seen.insert(value["type"].as_str().expect("a type").to_owned());
        // And back, so that a program in Rust can read what kstrim writes.
        let again: Line = serde_json::from_value(value.clone()).expect("readable");
        assert_eq!(serde_json::to_value(&again).expect("JSON"), value);
    }
    assert_eq!(seen, types(), "an event that no run of the tests shows");
}

#[test]
fn the_schema_rejects_other_documents() {
    let validator = validator();
    let line = serde_json::to_value(&runs::every_event()[0]).expect("JSON");
    for (field, wrong) in [("type", "run_exploded".into()), ("time", "yesterday".into()), ("v", Value::Null)]
    {
        let mut line = line.clone();
        line[field] = wrong;
        assert!(!validator.is_valid(&line), "{line}");
        line.as_object_mut().expect("an object").remove(field);
        assert!(!validator.is_valid(&line), "{line}");
    }
    // New fields do not raise the version: readers, including the schema, accept them.
    let mut newer = line;
    newer["mood"] = "good".into();
    assert!(validator.is_valid(&newer));
}

#[test]
fn the_documentation_has_a_valid_example_of_every_event() {
    let docs = read("docs/events.md");
    let validator = validator();
    let mut shown = BTreeSet::new();
    for line in docs.lines().filter(|line| line.starts_with('{')) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        if let Err(error) = validator.validate(&value) {
            panic!("{error}\nin {line}");
        }
        shown.insert(value["type"].as_str().expect("a type").to_owned());
    }
    assert_eq!(shown, types());
    for name in types() {
        assert!(docs.contains(&format!("### `{name}`")), "no heading for {name}");
    }
}
