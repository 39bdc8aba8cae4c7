//! Manifests of tests as documents.

use super::document::Document;
use super::read;
use crate::catalogue::{self, Release};

/// The objects of a text, as of the file `test.yaml`.
pub(super) fn documents(text: &str) -> Vec<Document> {
    read::from_text("test.yaml", text).unwrap_or_else(|failure| panic!("{failure:?}: {text}"))
}

/// A release of the catalogue.
pub(super) fn release(version: &str) -> &'static Release {
    catalogue::find(&version.parse().expect("a version")).unwrap_or_else(|| panic!("no Strimzi {version}"))
}
