//! The source of Strimzi's install manifest: what the user specifies, or else the cache, or else the release's asset
//! (or its mirror).

use std::fs;
use std::path::{Path, PathBuf};

use super::{Object, digest, load, recognise};
use crate::catalogue::Choice;
use crate::download::{self, OnProgress, Request, Settings, Store};
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The cache's directory for manifests.
pub const CLASS: &str = "manifests";

/// Where a manifest was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// A file or directory that the user specified.
    Path(PathBuf),
    /// A URL that the user specified.
    GivenUrl(String),
    /// The cache.
    Cache(PathBuf),
    /// The release's asset, or a mirror's copy.
    Release(String),
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Path(path) => write!(f, "{}", path.display()),
            Self::GivenUrl(url) | Self::Release(url) => f.write_str(url),
            Self::Cache(_) => f.write_str("the cache"),
        }
    }
}

/// An install manifest as published: before it is retargeted, labelled and tuned.
#[derive(Debug, Clone, PartialEq)]
pub struct Install {
    /// Its objects, in the order in which they were read.
    pub objects: Vec<Object>,
    /// Where it was found.
    pub origin: Origin,
    /// Its content digest.
    pub digest: String,
    /// A warning, one sentence.
    pub warning: Option<String>,
}

/// Get the install manifest for a choice. `given` is the value of `--manifests`: a file, a directory or an http(s)
/// URL. Blocking.
///
/// # Errors
/// `KS-MANIFEST-*` for an unusable manifest, `KS-DOWNLOAD-*` if it cannot be downloaded. If the user specified a
/// manifest whose content the catalogue does not know, that is a warning; if it was downloaded, it is refused
/// (`KS-MANIFEST-DIGEST`).
pub fn install(
    given: Option<&str>,
    choice: &Choice,
    store: &Store,
    progress: OnProgress<'_>,
) -> Result<Install> {
    match given {
        Some(url) if url.contains("://") => given_url(url, choice, store, progress),
        Some(path) => {
            let path = recognise::of_release(Path::new(path), &choice.release.version)?;
            let objects = load::from_path(&path)?;
            judged(objects, Origin::Path(path), choice)
        }
        None => published(choice, store, progress),
    }
}

fn given_url(url: &str, choice: &Choice, store: &Store, progress: OnProgress<'_>) -> Result<Install> {
    let verify = |path: &Path| Ok(digest(&read(url, path)?));
    // What the user specifies by URL is downloaded from there, not from a mirror.
    let store = Store { source: download::Source::Origin, ..limited(store) };
    let fetched = store.fetch(&Request { url, class: CLASS, digest: None, verify: &verify }, progress)?;
    judged(read(url, &fetched.path)?, Origin::GivenUrl(url.to_owned()), choice)
}

fn published(choice: &Choice, store: &Store, progress: OnProgress<'_>) -> Result<Install> {
    let verify = |path: &Path| Ok(digest(&read(&choice.url, path)?));
    let request = Request { url: &choice.url, class: CLASS, digest: Some(&choice.digest), verify: &verify };
    let fetched =
        limited(store).fetch(&request, progress).map_err(|failure| Box::new(explain(*failure, choice)))?;
    let origin = match fetched.from {
        Some(from) => Origin::Release(from),
        None => Origin::Cache(fetched.path.clone()),
    };
    let objects = read(&choice.url, &fetched.path)?;
    Ok(Install { objects, origin, digest: fetched.digest, warning: None })
}

/// The limit for a manifest is smaller than for other downloads.
fn limited(store: &Store) -> Store {
    let settings = Settings { size_limit: load::SIZE_LIMIT, ..store.settings.clone() };
    Store { settings, ..store.clone() }
}

fn read(origin: &str, path: &Path) -> Result<Vec<Object>> {
    let bytes = fs::read(path).map_err(|e| {
        Failure::new(errors::MANIFEST_UNREADABLE, Kind::Task, format!("cannot read {}", path.display()))
            .because(e)
    })?;
    load::from_bytes(origin, &bytes)
}

/// The user's manifest may have any content, but not that of another release.
fn judged(objects: Vec<Object>, origin: Origin, choice: &Choice) -> Result<Install> {
    let digest = digest(&objects);
    let release = &choice.release.version;
    if let Some(other) = recognise::published(&digest).filter(|other| other.version != *release) {
        let message = format!("{origin} is the install manifest of Strimzi {}, not {release}", other.version);
        return Err(Box::new(
            Failure::new(errors::MANIFEST_RELEASE, Kind::Usage, message)
                .because(format!("its content is the one published for Strimzi {}", other.version))
                .hint(format!("install that release: --release {}", other.version))
                .hint(format!("or specify the manifest of Strimzi {release}: {}", choice.url)),
        ));
    }
    let warning = (digest != choice.digest).then(|| {
        format!(
            "{origin} is not the published install manifest of Strimzi {} (content sha256:{digest}, not \
             {}); it is used unchanged",
            choice.release.version, choice.digest
        )
    });
    Ok(Install { objects, origin, digest, warning })
}

fn explain(mut failure: Failure, choice: &Choice) -> Failure {
    if failure.id == errors::DOWNLOAD_DIGEST {
        failure.id = errors::MANIFEST_DIGEST;
        failure = failure.hint("to use it anyway, download it yourself and specify it with --manifests FILE");
    } else if failure.kind != Kind::Interrupted {
        failure = failure.hint(format!(
            "or download {} on another machine and specify it with --manifests FILE",
            choice.url
        ));
    }
    failure
}
