//! The published schema is the one of the types, and the documentation names every field.

use std::path::PathBuf;

use serde_json::Value;

use super::Connected;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn generated() -> Value {
    // What is written, where an absent value is null: all fields are always there.
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Connected>();
    schema.insert("title".to_owned(), "What kstrim connect -o json prints".into());
    schema.to_value()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&generated()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file("docs/schema/connect.schema.json"), &text).expect("writable docs");
    }
    assert!(
        read("docs/schema/connect.schema.json") == text,
        "run the tests with UPDATE_SCHEMA=1 and look at the diff"
    );
}

#[test]
fn the_documentation_names_every_field() {
    let docs = read("docs/connect.md");
    let schema = generated();
    let defs = schema["$defs"].as_object().expect("types");
    for (of, ty) in defs.iter().map(|(n, t)| (n.as_str(), t)).chain([("Connected", &schema)]) {
        for field in ty["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(docs.contains(&format!("`{field}`")), "{of}.{field} is not in docs/connect.md");
        }
    }
}
