//! Many reads through one `kubectl proxy`: a separate kubectl for each needs some 40 ms of CPU time before it sends a
//! request, and `up` and `down` send a hundred.
//!
//! The proxy listens on a socket that only this user can access, allows only GET requests, and ends with the run. Its
//! response is used only if it is unambiguous: an object, a list, a watch, or that it does not exist. In all other
//! cases the caller repeats the read with `kubectl get --raw`, whose error messages can be explained.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Pid, geteuid, test_kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::{ApiError, ApiErrorKind, FOREVER};
use crate::exec::{BoxFuture, Cmd, ExecError, Exit, Lines, Output, Runner, STDOUT_LIMIT};
use crate::words;

/// How long the proxy may take to listen; an idle machine needs 50 ms.
const LISTENS_WITHIN: Duration = Duration::from_secs(3);
/// Prefix of the name of a socket's directory, followed by the id of the process that created it.
const PREFIX: &str = "kstrim-api-";
/// Maximum size of a response's head, in bytes.
const HEAD_LIMIT: usize = 64 << 10;

/// The reads of one run.
#[derive(Default)]
pub(crate) struct Proxy {
    state: Mutex<State>,
}

#[derive(Default)]
enum State {
    /// Not used yet, or the previous proxy failed.
    #[default]
    Idle,
    Serving(Serving),
    /// It cannot be used on this machine.
    Off,
}

struct Serving {
    socket: PathBuf,
    /// Whether it has ever responded: one that never did is not restarted.
    proven: bool,
    _child: Box<dyn Lines>,
    _folder: TempDir,
}

/// A response.
struct Answer {
    status: u16,
    body: BufReader<UnixStream>,
}

impl Proxy {
    /// The JSON at a path, or that it does not exist, or that the time of `kubectl` has passed; `None`: use kubectl
    /// instead.
    pub(crate) async fn get(
        &self,
        runner: &dyn Runner,
        kubectl: &Cmd,
        path: &str,
    ) -> Option<Result<Value, ApiError>> {
        let socket = self.socket(runner, kubectl).await?;
        let read = async {
            let mut answer = ask(&socket, path).await?;
            let mut body = Vec::new();
            (&mut answer.body).take(STDOUT_LIMIT as u64).read_to_end(&mut body).await.ok()?;
            judge(answer.status, &body)
        };
        match timeout(kubectl.timeout, read).await {
            Ok(Some(Judged::Answer(result))) => {
                self.proven(&socket).await;
                Some(result)
            }
            Ok(Some(Judged::Refusal)) => None,
            Ok(None) => {
                self.broken(&socket).await;
                None
            }
            Err(_) => {
                self.broken(&socket).await;
                Some(Err(ExecError::TimedOut(kubectl.timeout).into()))
            }
        }
    }

    /// The lines of a watch; `None`: use kubectl instead.
    pub(crate) async fn watch(
        &self,
        runner: &dyn Runner,
        kubectl: &Cmd,
        path: &str,
    ) -> Option<Box<dyn Lines>> {
        let socket = self.socket(runner, kubectl).await?;
        match timeout(kubectl.timeout, ask(&socket, path)).await.ok().flatten() {
            Some(Answer { status: 200, body }) => Some(Box::new(Events { body, line: Vec::new() })),
            _ => None,
        }
    }

    /// Its socket. The first caller starts the proxy; others wait in the meantime.
    async fn socket(&self, runner: &dyn Runner, kubectl: &Cmd) -> Option<PathBuf> {
        let mut state = self.state.lock().await;
        if matches!(*state, State::Idle) {
            *state = start(runner, kubectl).await.map_or(State::Off, State::Serving);
        }
        match &*state {
            State::Serving(serving) => Some(serving.socket.clone()),
            State::Idle | State::Off => None,
        }
    }

    async fn proven(&self, socket: &Path) {
        if let State::Serving(serving) = &mut *self.state.lock().await
            && serving.socket == socket
        {
            serving.proven = true;
        }
    }

    /// It, or the API server behind it, did not respond. The next read may start another, which reads the kubeconfig
    /// again.
    async fn broken(&self, socket: &Path) {
        let mut state = self.state.lock().await;
        if let State::Serving(serving) = &*state
            && serving.socket == socket
        {
            *state = if serving.proven { State::Idle } else { State::Off };
        }
    }
}

/// Start a proxy and wait until it listens.
async fn start(runner: &dyn Runner, kubectl: &Cmd) -> Option<Serving> {
    let place = place();
    sweep(&place);
    // Readable only by this user, as created by `tempfile`.
    let name = format!("{PREFIX}{}-", std::process::id());
    let folder = tempfile::Builder::new().prefix(&name).tempdir_in(place).ok()?;
    let socket = folder.path().join("api");
    let cmd = kubectl.clone().args(["proxy", "--reject-methods=^[^G]"]);
    let cmd = cmd.arg(format!("--unix-socket={}", socket.display())).timeout(FOREVER);
    let mut child = runner.stream(&cmd).await.ok()?;
    let first = timeout(LISTENS_WITHIN, child.next()).await.ok()?.ok()??;
    words::SERVING.matches(&first).then_some(Serving {
        socket,
        proven: false,
        _child: child,
        _folder: folder,
    })
}

/// A socket's path may have about a hundred characters, so it is not in the state directory.
fn place() -> PathBuf {
    dirs::runtime_dir().filter(|folder| folder.is_dir()).unwrap_or_else(std::env::temp_dir)
}

/// Remove the directories of runs that were killed and could not remove them.
fn sweep(place: &Path) {
    for entry in std::fs::read_dir(place).into_iter().flatten().flatten() {
        // Check the name first: everybody can write to the parent directory.
        let name = entry.file_name();
        let process = name.to_str().and_then(|n| n.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        let gone = process.and_then(Pid::from_raw).is_some_and(|p| test_kill_process(p).is_err());
        if gone && entry.metadata().is_ok_and(|m| m.is_dir() && m.uid() == geteuid().as_raw()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// Send a request, and read the head of the response. In HTTP/1.0 the body follows unchanged, until the end of the
/// connection.
async fn ask(socket: &Path, path: &str) -> Option<Answer> {
    let mut stream = UnixStream::connect(socket).await.ok()?;
    let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut body = BufReader::new(stream);
    let status = head(&mut body).await?;
    Some(Answer { status, body })
}

/// Read the head of a response, [`HEAD_LIMIT`] bytes at most; returns its status, if it is HTTP.
pub async fn head(body: &mut (impl AsyncBufRead + Unpin)) -> Option<u16> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let before = head.len();
        (&mut *body).take((HEAD_LIMIT - before) as u64).read_until(b'\n', &mut head).await.ok()?;
        if head.len() == before {
            return None;
        }
    }
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    response.parse(&head).ok()?;
    response.code
}

/// How to use a response.
enum Judged {
    /// It is unambiguous.
    Answer(Result<Value, ApiError>),
    /// A server responded, but kubectl must report what it was.
    Refusal,
}

/// `None`: the API server did not respond.
fn judge(status: u16, body: &[u8]) -> Option<Judged> {
    match status {
        // Incomplete, if it cannot be read.
        200 => serde_json::from_slice(body).ok().map(|value| Judged::Answer(Ok(value))),
        404 => {
            // The response for a path that is not served may be a plain sentence.
            let none = || {
                ApiError::new(
                    ApiErrorKind::NoSuchKind,
                    format!("Error from server (NotFound): {NO_RESOURCE}"),
                )
            };
            Some(Judged::Answer(Err(refused(body).unwrap_or_else(none))))
        }
        // Without the API server's Status it is another server's error, which kubectl must report.
        429 => Some(Judged::Refusal),
        400..500 => Some(refused(body).map_or(Judged::Refusal, |error| Judged::Answer(Err(error)))),
        _ => None,
    }
}

/// The message for a path that is not served.
const NO_RESOURCE: &str = "the server could not find the requested resource";

fn refused(body: &[u8]) -> Option<ApiError> {
    ApiError::from_status(&serde_json::from_slice(body).ok()?)
}

/// The events of a watch.
struct Events {
    body: BufReader<UnixStream>,
    /// The result of reading the next line: a future that is dropped loses nothing.
    line: Vec<u8>,
}

impl Lines for Events {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<String>, ExecError>> {
        Box::pin(async move {
            let room = (STDOUT_LIMIT + 1).saturating_sub(self.line.len()) as u64;
            (&mut self.body).take(room).read_until(b'\n', &mut self.line).await.map_err(ExecError::Io)?;
            if self.line.len() > STDOUT_LIMIT {
                return Err(ExecError::Flooded);
            }
            let line = std::mem::take(&mut self.line);
            let text = String::from_utf8_lossy(&line);
            Ok((!line.is_empty()).then(|| text.trim_end_matches(['\r', '\n']).to_owned()))
        })
    }

    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Output, ExecError>> {
        let output =
            Output { exit: Exit::Code(0), stdout: Vec::new(), stderr: String::new(), took: Duration::ZERO };
        Box::pin(async move { Ok(output) })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    /// The result if a server responds with this and closes the connection.
    fn asked(answer: &'static [u8]) -> Option<(u16, Vec<u8>)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        runtime.block_on(async {
            let folder = tempfile::tempdir().expect("a folder");
            let socket = folder.path().join("api");
            let listener = UnixListener::bind(&socket).expect("a socket");
            let serve = async {
                let (mut stream, _) = listener.accept().await.expect("a client");
                let mut request = vec![0; 1024];
                let read = stream.read(&mut request).await.expect("a request");
                let request = String::from_utf8_lossy(&request[..read]).into_owned();
                assert_eq!(
                    request,
                    "GET /api HTTP/1.0\r\nHost: localhost\r\nAccept: application/json\r\n\r\n"
                );
                stream.write_all(answer).await.expect("an answer");
            };
            let (answer, ()) = tokio::join!(ask(&socket, "/api"), serve);
            let mut answer = answer?;
            let mut body = Vec::new();
            answer.body.read_to_end(&mut body).await.expect("a body");
            Some((answer.status, body))
        })
    }

    #[test]
    fn a_response_has_a_head_and_a_body() {
        assert_eq!(asked(b"HTTP/1.0 200 OK\r\nA: b\r\n\r\n{}\n"), Some((200, b"{}\n".to_vec())));
        assert_eq!(asked(b"HTTP/1.0 404 Not Found\r\n\r\n404 page not found\n").map(|a| a.0), Some(404));
        for broken in
            [&b""[..], b"HTTP/1.0 200 OK\r\nA: b\r\n", b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.0 x OK\r\n\r\n"]
        {
            assert_eq!(asked(broken), None, "{}", String::from_utf8_lossy(broken));
        }
    }

    #[test]
    fn directories_of_killed_runs_are_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut gone = std::process::Command::new("true").spawn().expect("a process");
        gone.wait().expect("its end");
        let of = |process: u32| format!("{PREFIX}{process}-x");
        for name in [of(gone.id()), of(std::process::id()), "kstrim-other".into(), format!("{PREFIX}x")] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        sweep(folder.path());
        let left = std::fs::read_dir(folder.path()).expect("a folder").flatten();
        let mut left: Vec<_> = left.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        left.sort();
        let mut kept = ["kstrim-other".to_owned(), of(std::process::id()), format!("{PREFIX}x")];
        kept.sort();
        assert_eq!(left, kept);
    }

    #[test]
    fn only_unambiguous_responses_are_used() {
        let kind = |status, body: &str| match judge(status, body.as_bytes()) {
            Some(Judged::Answer(Ok(value))) => Ok(value),
            Some(Judged::Answer(Err(error))) => Err(Some(error)),
            Some(Judged::Refusal) => Err(None),
            None => panic!("{status} {body} is no answer"),
        };
        assert_eq!(kind(200, r#"{"a": 1}"#).expect("JSON")["a"], 1);
        let none = kind(
            404,
            r#"{"kind": "Status", "status": "Failure", "message": "kafkas.kafka.strimzi.io \"x\" not found",
            "reason": "NotFound", "details": {"name": "x", "kind": "kafkas"}}"#,
        );
        let none = none.expect_err("none").expect("an error");
        assert_eq!(none.kind, ApiErrorKind::NotFound);
        assert_eq!(none.message, r#"Error from server (NotFound): kafkas.kafka.strimzi.io "x" not found"#);
        let none = kind(404, "404 page not found\n").expect_err("none").expect("an error");
        assert_eq!(none.kind, ApiErrorKind::NoSuchKind);
        let no_path = r#"{"kind": "Status", "status": "Failure", "message": "the server could not find the requested resource",
            "reason": "NotFound", "details": {}}"#;
        assert_eq!(kind(404, no_path).expect_err("none").expect("an error").kind, ApiErrorKind::NoSuchKind);
        // A user or an object may have any name: the reason decides.
        let denied = r#"{"kind": "Status", "status": "Failure", "code": 403, "reason": "Forbidden",
            "message": "pods is forbidden: User \"x not found\" cannot list resource \"pods\""}"#;
        assert_eq!(kind(403, denied).expect_err("none").expect("an error").kind, ApiErrorKind::Forbidden);
        assert!(kind(403, "{}").expect_err("a refusal").is_none());
        for (status, body) in [(200, r#"{"a": "#), (502, "connection refused"), (500, "{}")] {
            assert!(judge(status, body.as_bytes()).is_none(), "{status} {body}");
        }
    }
}
