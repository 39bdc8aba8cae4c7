//! Manifests of tests as documents.

use super::document::{Document, Origin};
use super::parse;
use crate::catalogue::{self, Release};
use crate::manifest::Object;

/// The objects of a text, as of the file `test.yaml`.
pub(super) fn documents(text: &str) -> Vec<Document> {
    let parsed = parse::parse(text, 1000).unwrap_or_else(|fault| panic!("{fault:?}: {text}"));
    let document = |parsed: parse::Parsed| Document {
        object: Object::new(parsed.value).unwrap_or_else(|why| panic!("{why}: {text}")),
        origin: Origin { file: "test.yaml".into(), line: parsed.lines.line(), built: false },
        lines: parsed.lines,
    };
    parsed.into_iter().filter(|parsed| !parsed.value.is_null()).map(document).collect()
}

/// A release of the catalogue.
pub(super) fn release(version: &str) -> &'static Release {
    catalogue::find(&version.parse().expect("a version")).unwrap_or_else(|| panic!("no Strimzi {version}"))
}
