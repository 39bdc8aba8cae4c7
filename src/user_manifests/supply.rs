//! For `tests/supply`, which has Strimzi's definitions and examples, and sees only what is public.

use std::path::Path;

use super::{choose, read, schema};
use crate::catalogue::Release;
use crate::manifest::Object;

/// The release that fits the manifests of a text, and what is wrong with them for `release`, a sentence each.
pub fn checked(
    path: &Path,
    text: &str,
    release: &'static Release,
    install: &[Object],
) -> Result<(&'static Release, Vec<String>), String> {
    let documents = read::from_text(&path.display().to_string(), text)
        .map_err(|failure| format!("{failure} {:?}", failure.causes))?;
    let chosen = choose::choose(&documents, None, release)
        .map_err(|failure| format!("{failure} {:?}", failure.causes))?;
    let problems = schema::Definitions::new(release, install).check(&documents);
    Ok((chosen.release, problems.iter().map(ToString::to_string).collect()))
}

/// Whether a field of earlier releases has a row that says what replaces it.
pub fn has_replacement(kind: &str, pointer: &str) -> bool {
    super::replaced::instead(kind, pointer).is_some()
}
