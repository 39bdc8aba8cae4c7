//! The published schema matches the types, and the documentation names every field and rule.

use super::PathDocument;
use crate::schema_tests as schema;
use crate::upgrade::rule::Rule;

fn generated() -> serde_json::Value {
    schema::of::<PathDocument>("What kstrim upgrade --dry-run -o json prints, version 1")
}

#[test]
fn the_published_schema_matches_the_types() {
    schema::published(&generated(), "docs/schema/upgrade.schema.json");
}

#[test]
fn the_documentation_names_every_field_and_rule() {
    schema::documented(&generated(), "PathDocument", "docs/upgrade.md");
    let docs = schema::read("docs/upgrade.md");
    for rule in Rule::ALL {
        assert!(docs.contains(&format!("| `{rule}` | ")), "{rule} is not in docs/upgrade.md");
    }
}
