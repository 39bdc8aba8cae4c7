//! The only room that uses HTTP: files from the network, from a mirror, or from the cache, verified before use.
//!
//! Blocking: call it in `tokio::task::spawn_blocking`.
//!
//! A file is stored under the digest of its *content*, as the caller defines it, so a cached file needs neither the
//! network nor trust in a URL: `CLASS/sha256/DIGEST`. An interrupted download is continued if the server supports it.

pub(crate) mod background;
pub(crate) mod here;
mod http;
mod pace;
mod proxy;
mod redirect;

use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::DOWNLOAD_TIMEOUT;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::paths::private_dir;

/// Progress of a download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes received, including those of an earlier attempt.
    pub done: u64,
    /// Total bytes, if the server reports them.
    pub total: Option<u64>,
}

/// Called with progress; `Break` stops the download.
pub(crate) type OnProgress<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// How to download.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Time limit for name resolution, connection and TLS together.
    pub connect_timeout: Duration,
    /// Time limit for the response's head and for each read of its body, and how long a body may receive less than a
    /// KiB a second.
    pub read_timeout: Duration,
    /// Consecutive attempts without a new byte before giving up.
    pub attempts: u32,
    /// The wait before the second attempt; it doubles each time.
    pub backoff: Duration,
    /// Maximum size of a file, in bytes.
    pub size_limit: u64,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` apply.
    pub proxy: bool,
    /// Never use the network; a file that is not available locally is an error.
    pub offline: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            read_timeout: DOWNLOAD_TIMEOUT,
            attempts: 4,
            backoff: Duration::from_millis(500),
            size_limit: 1 << 30,
            proxy: true,
            offline: false,
        }
    }
}

/// Where published files are downloaded from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Source {
    /// From their publisher.
    #[default]
    Origin,
    /// From a mirror: `https://github.com/a/b` is `BASE/github.com/a/b` there.
    Url(String),
    /// From a directory of the same layout.
    Folder(PathBuf),
}

/// The location of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Net(String),
    File(PathBuf),
}

impl Source {
    /// The value of `--mirror`: an http(s) URL, an existing directory, or empty for the publisher.
    pub fn parse(value: &str) -> Result<Self> {
        if value.is_empty() {
            return Ok(Self::Origin);
        }
        if value.contains("://") {
            redirect::scheme(value)?;
            return Ok(Self::Url(value.trim_end_matches('/').to_owned()));
        }
        let folder = PathBuf::from(value);
        if folder.is_dir() {
            return Ok(Self::Folder(folder));
        }
        let message = format!("the mirror {value} is neither an http(s) URL nor a directory");
        Err(Box::new(Failure::new(errors::DOWNLOAD_MIRROR, Kind::Usage, message)))
    }

    /// Where the file of `url` comes from, in messages.
    pub fn shown(&self, url: &str) -> String {
        match self.place(url) {
            Ok(Place::Net(url)) => url,
            Ok(Place::File(path)) => path.display().to_string(),
            Err(_) => "nowhere".to_owned(),
        }
    }

    /// The mirror's URL, if it uses plain http and is not on this machine.
    pub fn plain_http(&self) -> Option<&str> {
        let Self::Url(base) = self else { return None };
        let lower = base.to_ascii_lowercase();
        let rest = lower.strip_prefix("http://")?;
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = match authority.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
        };
        let here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
        (!here).then_some(base)
    }

    fn place(&self, url: &str) -> Result<Place> {
        redirect::scheme(url)?;
        let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
        let plain = rest.split(['?', '#']).next().unwrap_or(rest);
        Ok(match self {
            Self::Origin => Place::Net(url.to_owned()),
            Self::Url(base) => Place::Net(format!("{base}/{rest}")),
            Self::Folder(folder) => {
                let mut path = folder.clone();
                // A URL comes from our own data or from the user; `..` in it must not leave the directory.
                path.extend(plain.split('/').filter(|part| !matches!(*part, "" | "." | "..")));
                Place::File(path)
            }
        })
    }
}

/// A file that was fetched and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its path in the cache.
    pub path: PathBuf,
    /// Its content digest.
    pub digest: String,
    /// The URL or file that it came from; `None` if it was in the cache.
    pub from: Option<String>,
}

/// What to fetch.
pub struct Request<'a> {
    /// Its published URL.
    pub url: &'a str,
    /// The cache's directory for its kind: `manifests`.
    pub class: &'a str,
    /// Its content digest, if known: then the cache is checked first, and any other content is rejected.
    pub digest: Option<&'a str>,
    /// Computes the content digest of a file (lower-case hex); an error describes why the file is invalid.
    pub verify: &'a dyn Fn(&Path) -> Result<String>,
}

/// The cache's directory and how to fill it.
#[derive(Debug, Clone)]
pub struct Store {
    /// The cache's directory; created when needed.
    pub folder: PathBuf,
    /// Where files come from.
    pub source: Source,
    /// How to download.
    pub settings: Settings,
}

impl Store {
    /// The path in the cache of a file with this content.
    pub fn path(&self, class: &str, digest: &str) -> PathBuf {
        self.folder.join(class).join("sha256").join(digest)
    }

    /// The cached file with this content, if it exists and is intact. A damaged one is removed.
    pub fn cached(&self, request: &Request<'_>) -> Option<Fetched> {
        let digest = request.digest?;
        let path = self.path(request.class, digest);
        if !path.is_file() {
            return None;
        }
        if (request.verify)(&path).is_ok_and(|found| found == digest) {
            return Some(Fetched { path, digest: digest.to_owned(), from: None });
        }
        // It cannot be trusted; if it cannot be removed either, the rename later replaces it.
        let _ = fs::remove_file(&path);
        None
    }

    /// From the cache, otherwise from the source: downloaded or copied to a temporary file, verified, then moved into
    /// the cache.
    pub fn fetch(&self, request: &Request<'_>, progress: OnProgress<'_>) -> Result<Fetched> {
        if let Some(found) = self.cached(request) {
            return Ok(found);
        }
        let place = self.source.place(request.url)?;
        let partial = self.folder.join("partial");
        private_dir(&partial).map_err(|e| self.unwritable(&e))?;
        match place {
            Place::File(file) => {
                let part = self.copy(&file, &partial)?;
                self.keep(request, &part, &file.display().to_string())
            }
            Place::Net(url) => {
                if self.settings.offline {
                    return Err(Box::new(offline(&url)));
                }
                let mut part = http::Part::open(&partial, &url).map_err(|e| self.unwritable(&e))?;
                http::download(&url, &self.settings, &mut part, progress)?;
                let path = part.finish().map_err(|e| self.unwritable(&e))?;
                self.keep(request, path, &url)
            }
        }
    }

    /// Verify and move into the cache. A file that is rejected is removed: continuing it next time would fail again.
    fn keep(&self, request: &Request<'_>, part: &Path, from: &str) -> Result<Fetched> {
        let kept = self.verified(request, part, from);
        if kept.is_err() {
            let _ = fs::remove_file(part);
        }
        kept
    }

    fn verified(&self, request: &Request<'_>, part: &Path, from: &str) -> Result<Fetched> {
        let digest = (request.verify)(part)?;
        if let Some(expected) = request.digest.filter(|expected| *expected != digest) {
            return Err(Box::new(other_content(from, expected, &digest)));
        }
        let path = self.path(request.class, &digest);
        let folder = path.parent().unwrap_or(&self.folder);
        private_dir(folder).map_err(|e| self.unwritable(&e))?;
        fs::rename(part, &path).map_err(|e| self.unwritable(&e))?;
        Ok(Fetched { path, digest, from: Some(from.to_owned()) })
    }

    fn copy(&self, file: &Path, partial: &Path) -> Result<PathBuf> {
        let open = fs::File::open(file).and_then(|f| Ok((f.metadata()?, f)));
        let (meta, mut from) = open.map_err(|e| {
            Failure::new(
                errors::DOWNLOAD_NOT_FOUND,
                Kind::Task,
                format!("the mirror does not contain {}", file.display()),
            )
            .because(e)
        })?;
        if meta.len() > self.settings.size_limit {
            return Err(Box::new(http::too_large(&file.display().to_string(), self.settings.size_limit)));
        }
        let copy = || -> io::Result<PathBuf> {
            let mut to = tempfile::NamedTempFile::new_in(partial)?;
            io::copy(&mut from, &mut to)?;
            to.as_file().sync_all()?;
            Ok(to.keep()?.1)
        };
        let mut copy = copy;
        copy().map_err(|e| self.unwritable(&e))
    }

    fn unwritable(&self, error: &io::Error) -> Box<Failure> {
        let message = format!("cannot write to the cache {}", self.folder.display());
        Box::new(Failure::new(errors::DOWNLOAD_CACHE, Kind::Task, message).because(error).hint(
            "free disk space, make your user the owner of the directory, or choose another one \
             with KSTRIM_CACHE_DIR",
        ))
    }
}

/// Whether the server of `url` responds at all, with any status but a proxy's refusal (407). Blocking; one attempt.
pub(crate) fn answers(url: &str, settings: &Settings) -> Result<()> {
    http::answers(url, settings)
}

/// The SHA-256 of a file's bytes, as 64 lower-case hexadecimal digits.
pub(crate) fn sha256(path: &Path) -> Result<String> {
    fs::File::open(path).and_then(crate::sha256::of_reader).map_err(|e| {
        let message = format!("cannot read {}", path.display());
        Box::new(Failure::new(errors::DOWNLOAD_CACHE, Kind::Task, message).because(e))
    })
}

/// The failure of a file with unexpected content, with both digests.
pub(crate) fn other_content(from: &str, expected: &str, found: &str) -> Failure {
    Failure::new(errors::DOWNLOAD_DIGEST, Kind::Task, format!("{from} is not the file that was published"))
        .because(format!("expected content sha256:{expected}"))
        .because(format!("found content    sha256:{found}"))
        .hint("a proxy or a mirror may be out of date: try without it")
        .hint("if the publisher replaced the file, review it and specify it yourself")
}

fn offline(url: &str) -> Failure {
    Failure::new(
        errors::DOWNLOAD_OFFLINE,
        Kind::Task,
        format!("{url} is not in the cache, and --offline forbids downloading it"),
    )
    .hint("run the command once without --offline, or specify a directory with --mirror")
}

#[cfg(test)]
mod tests;
