//! The published schema is the one of the types, and the documentation names every field and rule.

use std::path::PathBuf;

use serde_json::Value;

use super::Told;
use crate::upgrade::rule::Rule;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

fn generated() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<Told>();
    schema.insert("title".to_owned(), "What kstrim upgrade --dry-run -o json prints, version 1".into());
    schema.to_value()
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    let text = serde_json::to_string_pretty(&generated()).expect("JSON") + "\n";
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file("docs/schema/upgrade.schema.json"), &text).expect("writable docs");
    }
    let same = read("docs/schema/upgrade.schema.json") == text;
    assert!(same, "run the tests with UPDATE_SCHEMA=1 and look at the diff");
}

#[test]
fn the_documentation_names_every_field_and_rule() {
    let docs = read("docs/upgrade.md");
    let schema = generated();
    let defs = schema["$defs"].as_object().expect("types");
    for (of, ty) in defs.iter().map(|(n, t)| (n.as_str(), t)).chain([("Told", &schema)]) {
        for field in ty["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(docs.contains(&format!("`{field}`")), "{of}.{field} is not in docs/upgrade.md");
        }
    }
    for rule in Rule::ALL {
        assert!(docs.contains(&format!("| `{rule}` | ")), "{rule} is not in docs/upgrade.md");
    }
}
