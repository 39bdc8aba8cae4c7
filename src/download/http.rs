//! One file over HTTP: redirects, retries, ranges, limits.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ureq::http::{HeaderMap, Response, StatusCode, header};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, Proxy};

use super::pace::{self, Pace};
use super::{OnProgress, Progress, Settings, proxy, redirect};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Id, Kind, Result};
use crate::paths::{private_file, write_private};

/// Maximum number of redirects for one file. GitHub's release assets need one.
const REDIRECTS: usize = 10;
/// The longest wait that a server may request with `Retry-After`.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Consecutive attempts that may be too slow: the second may reach another server of the publisher.
const SLOW_ATTEMPTS: u32 = 2;
const CHUNK: usize = 64 << 10;

/// The file that a download is written to, and the server's validator of its content (`ETag`, or `Last-Modified`),
/// without which it cannot be continued.
pub(super) struct Part {
    file: File,
    path: PathBuf,
    /// Held until the file is in the cache. A separate file: the part is renamed, and with a lock on the part itself
    /// a second process could truncate the file in the cache.
    _lock: File,
    /// Another process downloads the same URL: this file belongs to this process only and is not continued later.
    alone: bool,
}

impl Part {
    /// The part file of this URL; a random one if another process holds it.
    pub(super) fn open(folder: &Path, url: &str) -> io::Result<Self> {
        let path = folder.join(crate::sha256::of(url.as_bytes()));
        let mut create = OpenOptions::new();
        create.write(true).create(true).truncate(true);
        let lock = private_file(&mut create, &path.with_extension("lock"))?;
        if lock.try_lock().is_ok() {
            let mut keep = OpenOptions::new();
            keep.create(true).truncate(false).read(true).write(true);
            let file = private_file(&mut keep, &path)?;
            return Ok(Self { file, path, _lock: lock, alone: false });
        }
        let (file, path) = tempfile::NamedTempFile::new_in(folder)?.keep()?;
        Ok(Self { file, path, _lock: lock, alone: true })
    }

    fn validator_path(&self) -> PathBuf {
        self.path.with_extension("validator")
    }

    /// Bytes that can be continued, and their validator.
    fn resumable(&mut self) -> io::Result<Option<(u64, String)>> {
        let length = self.file.seek(SeekFrom::End(0))?;
        let validator = fs::read_to_string(self.validator_path()).unwrap_or_default();
        Ok((length > 0 && !validator.is_empty()).then_some((length, validator)))
    }

    fn restart(&mut self, validator: Option<&str>) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        match validator {
            Some(validator) if !self.alone => write_private(&self.validator_path(), validator.as_bytes()),
            _ => remove(&self.validator_path()),
        }
    }

    /// Download complete: sync the file and return its path.
    pub(super) fn finish(&self) -> io::Result<&Path> {
        self.file.sync_all()?;
        remove(&self.validator_path())?;
        Ok(&self.path)
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// Why an attempt failed.
enum Broken {
    /// Another attempt may succeed, at the earliest after this time.
    Retry(Failure, Option<Duration>),
    /// Another attempt would fail, too.
    Final(Failure),
}

impl From<Box<Failure>> for Broken {
    fn from(failure: Box<Failure>) -> Self {
        Self::Final(*failure)
    }
}

/// Download `url` into `part`, continuing existing content.
pub(super) fn download(
    url: &str,
    settings: &Settings,
    part: &mut Part,
    progress: OnProgress<'_>,
) -> Result<()> {
    let mut agents = Agents { settings, known: Vec::new() };
    let (mut idle, mut slow) = (0, 0);
    loop {
        let before = part.file.seek(SeekFrom::End(0)).unwrap_or(0);
        let (failure, wait) = match attempt(&mut agents, url, settings, part, progress) {
            Ok(()) => return Ok(()),
            Err(Broken::Final(failure)) => return Err(Box::new(failure)),
            Err(Broken::Retry(failure, wait)) => (failure, wait),
        };
        let after = part.file.seek(SeekFrom::End(0)).unwrap_or(0);
        // A server that delivers some more with each attempt delivers everything in the end.
        idle = if after > before { 1 } else { idle + 1 };
        slow = if failure.id == errors::DOWNLOAD_SLOW { slow + 1 } else { 0 };
        if idle >= settings.attempts || slow >= SLOW_ATTEMPTS {
            return Err(Box::new(failure));
        }
        let backoff = settings.backoff * 2_u32.saturating_pow(idle - 1);
        pause(wait.unwrap_or(backoff).min(LONGEST_WAIT), after, progress)?;
    }
}

/// Sleep in slices, so that a cancelled run does not wait.
fn pause(wait: Duration, done: u64, progress: OnProgress<'_>) -> Result<()> {
    const SLICE: Duration = Duration::from_millis(100);
    let mut left = wait;
    while !left.is_zero() {
        thread::sleep(left.min(SLICE));
        left = left.saturating_sub(SLICE);
        if progress(Progress { done, total: None }).is_break() {
            return Err(Box::new(cancelled()));
        }
    }
    Ok(())
}

fn cancelled() -> Failure {
    Failure::new(errors::INTERRUPTED, Kind::Interrupted, "the download was stopped")
}

/// A client for each proxy that is needed: a redirect may lead to a host or a scheme with another one.
struct Agents<'a> {
    settings: &'a Settings,
    known: Vec<(Option<Proxy>, Agent)>,
}

impl Agents<'_> {
    fn of(&mut self, url: &str) -> Result<&Agent> {
        let env = |name: &str| std::env::var(name).ok().filter(|_| self.settings.proxy);
        let proxy = proxy::of(url, &env)?;
        let at = match self.known.iter().position(|(known, _)| *known == proxy) {
            Some(at) => at,
            None => {
                let agent = agent(self.settings, proxy.clone());
                self.known.push((proxy, agent));
                self.known.len() - 1
            }
        };
        Ok(&self.known[at].1)
    }
}

fn agent(settings: &Settings, proxy: Option<Proxy>) -> Agent {
    // The platform's own trust store, so that a company's certificate works here, too.
    let tls = TlsConfig::builder().root_certs(RootCerts::PlatformVerifier).build();
    let config = Agent::config_builder()
        .tls_config(tls)
        .user_agent(concat!("kstrim/", env!("CARGO_PKG_VERSION")))
        .accept_encoding("identity") // ranges and lengths are those of the file
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(settings.connect_timeout))
        .timeout_recv_response(Some(settings.read_timeout))
        .timeout_per_read(Some(settings.read_timeout))
        .proxy(proxy);
    config.build().new_agent()
}

/// One HEAD request for `url`; redirects are not followed.
pub(super) fn answers(url: &str, settings: &Settings) -> Result<()> {
    redirect::scheme(url)?;
    match (Agents { settings, known: Vec::new() }).of(url)?.head(url).call() {
        Ok(response) if response.status() == StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            match refusal(url, response.status(), response.headers()) {
                Broken::Retry(failure, _) | Broken::Final(failure) => Err(Box::new(failure)),
            }
        }
        Ok(_) => Ok(()),
        Err(error) => match broken(url, &error) {
            Broken::Retry(failure, _) | Broken::Final(failure) => Err(Box::new(failure)),
        },
    }
}

fn attempt(
    agents: &mut Agents<'_>,
    url: &str,
    settings: &Settings,
    part: &mut Part,
    progress: OnProgress<'_>,
) -> Result<(), Broken> {
    let disk = |e: io::Error| Broken::Final(unwritable(&e));
    let resume = part.resumable().map_err(disk)?;
    let (url, response) = follow(agents, url, resume.as_ref())?;
    let headers = response.headers();
    let validator = validator(headers);
    let (start, total) = match response.status() {
        StatusCode::OK => {
            part.restart(validator.as_deref()).map_err(disk)?;
            (0, length(headers))
        }
        StatusCode::PARTIAL_CONTENT => match (resume, content_range(headers)) {
            (Some((have, _)), Some((from, total))) if from == have => (have, total),
            _ => {
                part.restart(None).map_err(disk)?;
                return Err(Broken::Retry(
                    answer(&url, response.status(), "it sent a different range"),
                    None,
                ));
            }
        },
        StatusCode::RANGE_NOT_SATISFIABLE => {
            part.restart(None).map_err(disk)?;
            return Err(Broken::Retry(
                answer(&url, response.status(), "the partial file was outdated"),
                None,
            ));
        }
        status => return Err(refusal(&url, status, headers)),
    };
    let limit = settings.size_limit;
    if total.is_some_and(|total| total > limit) {
        part.restart(None).map_err(disk)?;
        return Err(Broken::Final(too_large(&url, limit)));
    }
    let pace = Pace::new(settings.read_timeout, Instant::now());
    copy(&url, response, part, (start, total, limit), (pace, progress))
}

fn copy(
    url: &str,
    mut response: Response<Body>,
    part: &mut Part,
    (start, total, limit): (u64, Option<u64>, u64),
    (mut pace, progress): (Pace, OnProgress<'_>),
) -> Result<(), Broken> {
    let disk = |e: io::Error| Broken::Final(unwritable(&e));
    let mut body = response.body_mut().with_config().limit(u64::MAX).reader();
    let mut chunk = vec![0; CHUNK];
    let mut done = start;
    loop {
        if let ControlFlow::Break(()) = progress(Progress { done, total }) {
            return Err(Broken::Final(cancelled()));
        }
        let read = body.read(&mut chunk).map_err(|e| broken(url, &ureq::Error::from(e)))?;
        if read == 0 {
            break;
        }
        done += read as u64;
        if done > limit {
            part.restart(None).map_err(disk)?;
            return Err(Broken::Final(too_large(url, limit)));
        }
        part.file.write_all(&chunk[..read]).map_err(disk)?;
        let all = total.is_some_and(|total| done >= total);
        if let Some(bytes) = pace.slow(read as u64, Instant::now()).filter(|_| !all) {
            let came = format!("{bytes} bytes in {:?}", pace.window);
            return Err(Broken::Retry(too_slow(url, &came, done, total), Some(Duration::ZERO)));
        }
    }
    match total {
        Some(total) if done != total => {
            let message = format!("the download of {url} ended after {done} of {total} bytes");
            Err(Broken::Retry(Failure::new(errors::DOWNLOAD_CONNECTION, Kind::Task, message), None))
        }
        _ => Ok(()),
    }
}

/// Request the file and follow redirects by our own policy: only to https, or from http to http.
fn follow(
    agents: &mut Agents<'_>,
    url: &str,
    resume: Option<&(u64, String)>,
) -> Result<(String, Response<Body>), Broken> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        let mut request = agents.of(&url)?.get(&url);
        if let Some((have, validator)) = resume {
            request =
                request.header(header::RANGE, format!("bytes={have}-")).header(header::IF_RANGE, validator);
        }
        let response = request.call().map_err(|e| broken(&url, &e))?;
        let status = response.status();
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            return Ok((url, response));
        }
        let to = response.headers().get(header::LOCATION).and_then(|to| to.to_str().ok());
        let to = to.ok_or_else(|| {
            let message = format!("{url} redirects to no address ({status})");
            Broken::Final(Failure::new(errors::DOWNLOAD_REDIRECT, Kind::Task, message))
        })?;
        url = redirect::target(&url, to)?;
    }
    let message = format!("more than {REDIRECTS} redirects, the last to {url}");
    Err(Broken::Final(Failure::new(errors::DOWNLOAD_REDIRECT, Kind::Task, message)))
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// A strong `ETag`, otherwise `Last-Modified`: what `If-Range` accepts.
fn validator(headers: &HeaderMap) -> Option<String> {
    let strong = text(headers, header::ETAG).filter(|tag| !tag.starts_with("W/"));
    strong.or_else(|| text(headers, header::LAST_MODIFIED)).map(str::to_owned)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

/// `bytes 100-199/1000`: the first byte and the total length.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let range = text(headers, header::CONTENT_RANGE)?.strip_prefix("bytes ")?;
    let (span, total) = range.split_once('/')?;
    Some((span.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

fn answer(url: &str, status: StatusCode, what: &str) -> Failure {
    Failure::new(errors::DOWNLOAD_SERVER, Kind::Task, format!("{url} responds with {status}")).because(what)
}

fn refusal(url: &str, status: StatusCode, headers: &HeaderMap) -> Broken {
    let failure = |id: Id| Failure::new(id, Kind::Task, format!("{url} responds with {status}"));
    match status.as_u16() {
        404 | 410 => Broken::Final(
            failure(errors::DOWNLOAD_NOT_FOUND)
                .hint(format!(
                    "check the version; to list the existing ones: {}",
                    CommandLine::new("kstrim versions")
                ))
                .hint("specify the file with --manifests FILE, or use another --mirror"),
        ),
        408 | 429 | 500..=599 => {
            let wait =
                text(headers, header::RETRY_AFTER).and_then(|s| s.parse().ok()).map(Duration::from_secs);
            Broken::Retry(failure(errors::DOWNLOAD_SERVER).hint("try again later, or use a --mirror"), wait)
        }
        _ => Broken::Final(
            failure(errors::DOWNLOAD_REFUSED)
                .hint("a proxy may require a login (HTTPS_PROXY), or use a --mirror"),
        ),
    }
}

fn broken(url: &str, error: &ureq::Error) -> Broken {
    let failure = |id: Id, what: &str| Failure::new(id, Kind::Task, format!("cannot download {url}: {what}"));
    let text = error.to_string();
    // The standard library has no error kind for a failed name resolution.
    let lookup = crate::words::LOOKUP.matches(&text);
    match error {
        _ if lookup || matches!(error, ureq::Error::HostNotFound) => Broken::Retry(
            failure(errors::DOWNLOAD_DNS, "the server's name cannot be resolved").because(text).hint(
                "check the network and HTTPS_PROXY; without a network, use --manifests FILE or --mirror DIR",
            ),
            None,
        ),
        ureq::Error::Timeout(_) => Broken::Retry(
            failure(errors::DOWNLOAD_TIMEOUT, "the server does not respond in time").because(text),
            None,
        ),
        ureq::Error::Tls(_) | ureq::Error::Rustls(_) | ureq::Error::Pem(_) => Broken::Final(tls(url, &text)),
        // The proxy's refusal in ureq's words: "proxy server responded 407/...".
        ureq::Error::ConnectProxyFailed(why) if crate::words::PROXY_REFUSED.matches(why) => Broken::Final(
            failure(errors::DOWNLOAD_REFUSED, "the proxy does not allow the connection")
                .because(text)
                .hint("it may require a login: http://USER:PASSWORD@HOST:PORT in HTTPS_PROXY"),
        ),
        // rustls reports what it finds during the handshake as an I/O error.
        ureq::Error::Io(e) if e.kind() == io::ErrorKind::InvalidData => Broken::Final(tls(url, &text)),
        ureq::Error::BadUri(_) | ureq::Error::Http(_) | ureq::Error::InvalidProxyUrl => Broken::Final(
            failure(errors::DOWNLOAD_REFUSED, "the URL, or that of the proxy, is invalid").because(text),
        ),
        _ => Broken::Retry(failure(errors::DOWNLOAD_CONNECTION, "the connection failed").because(text), None),
    }
}

fn too_slow(url: &str, came: &str, done: u64, total: Option<u64>) -> Failure {
    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
    Failure::new(errors::DOWNLOAD_SLOW, Kind::Task, format!("cannot download {url}: the server is too slow"))
        .because(format!("{came}, less than {} per second; {done}{of} in total", pace::LEAST))
        .hint("run the command again: kstrim keeps what it received, and resumes if the server supports it")
        .hint("use another source with --mirror, or allow more time with --download-timeout 5m")
}

fn tls(url: &str, text: &str) -> Failure {
    Failure::new(
        errors::DOWNLOAD_TLS,
        Kind::Task,
        format!("cannot download {url}: its certificate is not trusted"),
    )
    .because(text)
    .hint("if your network inspects TLS traffic, add its certificate to the system's trust store")
}

fn unwritable(error: &io::Error) -> Failure {
    Failure::new(errors::DOWNLOAD_CACHE, Kind::Task, "cannot write the download into the cache")
        .because(error)
}

pub(super) fn too_large(what: &str, limit: u64) -> Failure {
    let message = format!("{what} is larger than {} MiB, the most that kstrim accepts", limit >> 20);
    Failure::new(errors::DOWNLOAD_SIZE, Kind::Task, message)
        .hint("check the URL: this is not the expected file")
}
