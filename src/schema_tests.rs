//! What the tests of the published schemas share: a document's schema is that of its types, and its page
//! in `docs/` names every field and value.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde_json::Value;

fn file(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A file of the repository.
#[track_caller]
pub fn read(path: &str) -> String {
    std::fs::read_to_string(file(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// Compare a file with `text`; with `UPDATE_SCHEMA` set (`cargo xtask schemas`), it is written.
#[track_caller]
pub fn compare(path: &str, text: &str) {
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::write(file(path), text).expect("writable docs");
    }
    assert!(read(path) == text, "`cargo xtask schemas` writes {path}; review the diff");
}

/// The schema of a document that is written: all fields are always present, and an absent value is null.
pub fn of<T: JsonSchema>(title: &str) -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// Compare the published schema with that of the types.
#[track_caller]
pub fn published(schema: &Value, path: &str) {
    compare(path, &(serde_json::to_string_pretty(schema).expect("JSON") + "\n"));
}

/// Check that the page of a document describes each of its fields and values. `root`: the type's name.
#[track_caller]
pub fn documented(schema: &Value, root: &str, page: &str) {
    let docs = read(page);
    let defs = schema["$defs"].as_object().expect("types");
    for (of, ty) in defs.iter().map(|(n, t)| (n.as_str(), t)).chain([(root, schema)]) {
        for field in ty["properties"].as_object().into_iter().flatten().map(|(name, _)| name) {
            assert!(docs.contains(&format!("`{field}`")), "{of}.{field} is not in {page}");
        }
        for value in ty["oneOf"].as_array().into_iter().flatten().filter_map(|v| v["const"].as_str()) {
            assert!(docs.contains(&format!("`{value}`")), "{of} {value} is not in {page}");
        }
    }
}
