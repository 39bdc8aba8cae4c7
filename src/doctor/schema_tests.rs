//! The published schema matches the types, and the documentation names every field and check.

use serde_json::Value;

use super::data::Doctor;
use crate::schema_tests as schema;

fn generated() -> Value {
    schema::of::<Doctor>("What kstrim doctor -o json prints, version 1")
}

#[test]
fn the_published_schema_matches_the_types() {
    schema::published(&generated(), "docs/schema/doctor.schema.json");
}

#[test]
fn the_documentation_names_every_field_and_every_check() {
    schema::documented(&generated(), "Doctor", "docs/doctor.md");
    let docs = schema::read("docs/doctor.md");
    let machine = crate::checks::TABLE.iter().map(|c| c.id);
    for id in machine.chain(super::live::ids()) {
        assert!(docs.contains(&format!("| `{id}` |")), "the check {id} is not in docs/doctor.md");
    }
}
