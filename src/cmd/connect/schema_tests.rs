//! The published schema is the one of the types, and the documentation names every field.

use super::Connected;
use crate::schema_tests as schema;

fn generated() -> serde_json::Value {
    schema::of::<Connected>("What kstrim connect -o json prints")
}

#[test]
fn the_published_schema_is_that_of_the_types() {
    schema::published(&generated(), "docs/schema/connect.schema.json");
}

#[test]
fn the_documentation_names_every_field() {
    schema::documented(&generated(), "Connected", "docs/connect.md");
}
