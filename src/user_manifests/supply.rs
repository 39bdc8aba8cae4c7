//! For `tests/supply`, which has Strimzi's definitions and examples, and sees only what is public.

use std::path::Path;

use super::document::{Document, Origin};
use super::{choose, parse, schema};
use crate::catalogue::Release;
use crate::manifest::Object;

/// The release that fits the manifests of a text, and what is wrong with them for `release`, a sentence each.
///
/// # Errors
/// It is not YAML, or no release fits.
pub fn checked(
    path: &Path,
    text: &str,
    release: &'static Release,
    install: &[Object],
) -> Result<(&'static Release, Vec<String>), String> {
    let documents = documents(path, text)?;
    let chosen = choose::choose(&documents, None, release)
        .map_err(|failure| format!("{failure} {:?}", failure.causes))?;
    let problems = schema::Definitions::new(release, install).check(&documents);
    Ok((chosen.release, problems.iter().map(ToString::to_string).collect()))
}

/// Whether a field of earlier releases has a row that says what replaces it.
pub fn has_replacement(kind: &str, pointer: &str) -> bool {
    super::replaced::instead(kind, pointer).is_some()
}

fn documents(path: &Path, text: &str) -> Result<Vec<Document>, String> {
    let parsed = parse::parse(text, 100)
        .map_err(|fault| format!("{}:{}: {}", path.display(), fault.line, fault.why))?;
    let document = |parsed: parse::Parsed| {
        let origin = Origin { file: path.display().to_string(), line: parsed.lines.line(), built: false };
        Ok(Document { object: Object::new(parsed.value)?, origin, lines: parsed.lines })
    };
    parsed.into_iter().filter(|parsed| !parsed.value.is_null()).map(document).collect()
}
