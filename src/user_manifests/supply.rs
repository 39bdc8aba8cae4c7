//! For `tests/supply`, which uses Strimzi's definitions and examples and can access only public items.

use std::path::Path;

use super::{choose, fit, read, schema};
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

/// What is wrong with the manifests of a text after `--fit` on a laptop with one broker, a sentence each.
///
/// # Errors
/// It is not YAML, or cannot be made to fit.
pub fn checked_after_fit(
    path: &Path,
    text: &str,
    release: &'static Release,
    install: &[Object],
) -> Result<Vec<String>, String> {
    let told = |failure: Box<crate::failure::Failure>| format!("{failure} {:?}", failure.causes);
    let documents = read::from_text(&path.display().to_string(), text).map_err(told)?;
    let limits = fit::Limits {
        cpu: 4000,
        memory: 6 << 30,
        brokers: 1,
        storage: 10 << 30,
        storage_class: Some("standard".to_owned()),
        registries: Vec::new(),
    };
    let (fitted, _) = fit::fit(&documents, &limits).map_err(told)?;
    let problems = schema::Definitions::new(release, install).check(&fitted);
    Ok(problems.iter().map(ToString::to_string).collect())
}

/// Whether a replacement of a field of earlier releases is known.
pub fn has_replacement(kind: &str, pointer: &str) -> bool {
    super::replaced::instead(kind, pointer).is_some()
}
