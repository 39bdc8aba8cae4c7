//! The only place that starts processes.
//!
//! Each child process leads its own process group, so that a Ctrl-C in the terminal reaches only kstrim, which stops
//! its children in order: SIGTERM, [`GRACE`], SIGKILL, reap. SIGTERM because a child may have inherited an ignored
//! SIGINT (nohup, `&`, some CI runners).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::io;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinHandle;

use super::cancel::Cancel;
use super::{BoxFuture, Cmd, ExecError, Exit, Lines, Output, Runner, STDERR_LIMIT, STDOUT_LIMIT, supervise};
use crate::paths;

/// How long a child may take to end after SIGTERM.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Maximum length of a stream's line, 16 MiB: a watch event of a large object.
const LINE_LIMIT: usize = 16 << 20;

/// How much garbage a Go program may have before it collects it, in percent of its live memory; Go's own default is
/// 100. minikube and kubectl run only for a moment, and garbage collection is a fifth of the cost of a kubectl (31 ms
/// of CPU time instead of 40, with 1 MB more memory).
const GOGC: (&str, &str) = ("GOGC", "400");

/// Whether child processes can be started through [`supervise::exec`] on this system.
pub(super) const fn through_supervisor() -> bool {
    cfg!(target_os = "linux")
}

type Live = Rc<RefCell<BTreeSet<i32>>>;
/// Called with each command before it starts; its return value is dropped when the command has ended.
type Observer = Rc<dyn Fn(&Cmd) -> Box<dyn Any>>;

/// Runs programs of this machine.
#[derive(Clone)]
pub(crate) struct System {
    cancel: Cancel,
    live: Live,
    stopping: Rc<Cell<usize>>,
    supervised: bool,
    observer: Option<Observer>,
}

impl System {
    /// A runner whose child processes stop when `cancel` is triggered. `supervised`: the running executable is kstrim
    /// itself and supports [`supervise::VERB`], so children also end if kstrim is killed.
    pub(crate) fn new(cancel: Cancel, supervised: bool) -> Self {
        Self {
            cancel,
            live: Live::default(),
            stopping: Rc::default(),
            supervised: supervised && through_supervisor(),
            observer: None,
        }
    }

    /// Call `observer` with every command just before it is started, and drop what it returns when the
    /// command has ended.
    #[must_use]
    pub(crate) fn observed(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }

    /// A runner for work that must continue after the run was cancelled (evidence, clean-up).
    #[must_use]
    pub(crate) fn detached(&self) -> Self {
        Self { cancel: Cancel::default(), ..self.clone() }
    }

    /// Kill every child's process group at once: the second Ctrl-C.
    pub(crate) fn kill_all(&self) {
        for pid in self.live.borrow().iter() {
            signal(*pid, Signal::KILL);
        }
    }

    /// Whether child processes are being stopped at this moment.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.get() > 0
    }

    fn spawn(&self, cmd: &Cmd) -> Result<Started, ExecError> {
        if self.cancel.reason().is_some() {
            return Err(ExecError::Cancelled);
        }
        let observed = self.observer.as_ref().map(|observer| observer(cmd));
        // Resolved here: inside the supervisor a missing program is only an exit code, and the child's own search
        // would use relative directories of PATH.
        let missing = || io::Error::new(io::ErrorKind::NotFound, "it is not on PATH");
        let program = super::find(cmd.program.as_os_str()).ok_or_else(|| ExecError::Start(missing()))?;
        let mut command = if self.supervised {
            let mut command = Command::new("/proc/self/exe");
            command.arg(supervise::VERB).arg(std::process::id().to_string()).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let stdin = if cmd.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        if let Some(home) = missing_home() {
            command.env("HOME", home);
        }
        if std::env::var_os(GOGC.0).is_none() {
            command.env(GOGC.0, GOGC.1);
        }
        for name in &cmd.without {
            command.env_remove(name);
        }
        command.args(&cmd.args).envs(&cmd.env).stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(ExecError::Start)?;
        let pid = child.id().map_or(0, |id| id.cast_signed());
        let guard = Group { pid, live: self.live.clone(), stopping: self.stopping.clone() };
        guard.live.borrow_mut().insert(pid);
        if let (Some(bytes), Some(mut stdin)) = (cmd.stdin.clone(), child.stdin.take()) {
            // A child that does not read its stdin must not block us; its exit status shows any error.
            tokio::task::spawn_local(async move {
                let _ = stdin.write_all(&bytes).await;
            });
        }
        let stderr = child.stderr.take().map(|stream| tokio::task::spawn_local(tail(stream)));
        Ok(Started { child, guard, stderr, began: Instant::now(), _observed: observed })
    }
}

/// Replace this process with another program, with the same streams: for `kstrim kubectl`. Returns only on failure.
pub(crate) fn replace_process(program: &std::path::Path, argv: &[std::ffi::OsString]) -> io::Error {
    use std::os::unix::process::CommandExt;
    std::process::Command::new(program).args(argv).envs(missing_home().map(|home| ("HOME", home))).exec()
}

/// The home directory for a child if the environment has none: without it minikube and kubectl write into the working
/// directory.
fn missing_home() -> Option<PathBuf> {
    let named = std::env::var_os("HOME").is_some_and(|home| std::path::Path::new(&home).is_absolute());
    (!named).then(paths::home)
}

/// Signal a process group; it is not an error if it no longer exists.
fn signal(pid: i32, signal: Signal) {
    if let Some(pid) = Pid::from_raw(pid) {
        let _ = kill_process_group(pid, signal);
    }
}

/// Kills what is left of the group when dropped, including grandchildren of a finished child that are still in its
/// group.
struct Group {
    pid: i32,
    live: Live,
    stopping: Rc<Cell<usize>>,
}

/// Counts a child that is being stopped, even if nobody waits for it.
struct Stopping(Rc<Cell<usize>>);

impl Stopping {
    fn begin(count: &Rc<Cell<usize>>) -> Self {
        count.set(count.get() + 1);
        Self(count.clone())
    }
}

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if self.live.borrow_mut().remove(&self.pid) {
            signal(self.pid, Signal::KILL);
        }
    }
}

struct Started {
    child: Child,
    guard: Group,
    stderr: Option<JoinHandle<String>>,
    began: Instant,
    _observed: Option<Box<dyn Any>>,
}

impl Started {
    /// SIGTERM, grace period, SIGKILL, reap.
    async fn stop(&mut self) {
        let _counted = Stopping::begin(&self.guard.stopping);
        signal(self.guard.pid, Signal::TERM);
        if tokio::time::timeout(GRACE, self.child.wait()).await.is_err() {
            signal(self.guard.pid, Signal::KILL);
            let _ = self.child.wait().await;
        }
    }

    async fn reaped(mut self, status: ExitStatus, stdout: Vec<u8>) -> Output {
        let took = self.began.elapsed();
        let stderr = match self.stderr.take() {
            // A grandchild may keep stderr open: wait only briefly for the reader.
            Some(mut reader) => match tokio::time::timeout(Duration::from_millis(500), &mut reader).await {
                Ok(text) => text.unwrap_or_default(),
                Err(_) => {
                    reader.abort();
                    String::new()
                }
            },
            None => String::new(),
        };
        Output { exit: exit_of(status), stdout, stderr, took }
    }
}

pub(super) fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal(signal),
        (None, None) => Exit::Code(-1),
    }
}

/// The last [`STDERR_LIMIT`] bytes of a stream.
async fn tail(mut stream: impl tokio::io::AsyncRead + Unpin) -> String {
    let mut kept: Vec<u8> = Vec::new();
    let mut chunk = vec![0; 16 << 10];
    while let Ok(n) = stream.read(&mut chunk).await {
        if n == 0 {
            break;
        }
        kept.extend_from_slice(&chunk[..n]);
        if kept.len() > 2 * STDERR_LIMIT {
            kept.drain(..kept.len() - STDERR_LIMIT);
        }
    }
    let start = kept.len().saturating_sub(STDERR_LIMIT);
    String::from_utf8_lossy(&kept[start..]).into_owned()
}

async fn read_to_end(mut stream: ChildStdout) -> Result<Vec<u8>, ExecError> {
    let mut kept = Vec::new();
    let read = (&mut stream).take(STDOUT_LIMIT as u64 + 1).read_to_end(&mut kept).await;
    match read {
        Err(e) => Err(ExecError::Io(e)),
        Ok(_) if kept.len() > STDOUT_LIMIT => Err(ExecError::Flooded),
        Ok(_) => Ok(kept),
    }
}

impl Runner for System {
    fn run<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Output, ExecError>> {
        Box::pin(async move {
            let mut started = self.spawn(cmd)?;
            let Some(stdout) = started.child.stdout.take() else {
                return Err(ExecError::Io(io::ErrorKind::BrokenPipe.into()));
            };
            let work = async {
                let stdout = read_to_end(stdout).await?;
                let status = started.child.wait().await.map_err(ExecError::Io)?;
                Ok((status, stdout))
            };
            let ended = tokio::select! {
                ended = work => ended,
                () = tokio::time::sleep(cmd.timeout) => Err(ExecError::TimedOut(cmd.timeout)),
                _ = self.cancel.cancelled() => Err(ExecError::Cancelled),
            };
            match ended {
                Ok((status, stdout)) => Ok(started.reaped(status, stdout).await),
                Err(error) => {
                    started.stop().await;
                    Err(error)
                }
            }
        })
    }

    fn stream<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>> {
        Box::pin(async move {
            let mut started = self.spawn(cmd)?;
            let Some(stdout) = started.child.stdout.take() else {
                return Err(ExecError::Io(io::ErrorKind::BrokenPipe.into()));
            };
            let deadline = tokio::time::Instant::now() + cmd.timeout;
            Ok(Box::new(Stream {
                started,
                stdout: BufReader::new(stdout),
                partial: Vec::new(),
                limit: cmd.timeout,
                deadline,
                cancel: self.cancel.clone(),
            }) as Box<dyn Lines>)
        })
    }
}

struct Stream {
    started: Started,
    stdout: BufReader<ChildStdout>,
    partial: Vec<u8>,
    limit: Duration,
    deadline: tokio::time::Instant,
    cancel: Cancel,
}

impl Stream {
    /// Cancel-safe: the part of a line that was read stays in `partial` when the future is dropped.
    async fn read_line(&mut self) -> Result<Option<String>, ExecError> {
        loop {
            let chunk = self.stdout.fill_buf().await.map_err(ExecError::Io)?;
            if chunk.is_empty() {
                let rest = std::mem::take(&mut self.partial);
                return Ok((!rest.is_empty()).then(|| String::from_utf8_lossy(&rest).into_owned()));
            }
            let (taken, complete) = match chunk.iter().position(|b| *b == b'\n') {
                Some(at) => (at, true),
                None => (chunk.len(), false),
            };
            if self.partial.len() + taken > LINE_LIMIT {
                return Err(ExecError::Flooded);
            }
            self.partial.extend_from_slice(&chunk[..taken]);
            self.stdout.consume(taken + usize::from(complete));
            if complete {
                let line = std::mem::take(&mut self.partial);
                return Ok(Some(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()));
            }
        }
    }
}

impl Lines for Stream {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<String>, ExecError>> {
        Box::pin(async move {
            let (cancel, deadline, limit) = (self.cancel.clone(), self.deadline, self.limit);
            let line = tokio::select! {
                line = self.read_line() => line,
                () = tokio::time::sleep_until(deadline) => Err(ExecError::TimedOut(limit)),
                _ = cancel.cancelled() => Err(ExecError::Cancelled),
            };
            if line.is_err() {
                self.started.stop().await;
            }
            line
        })
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Output, ExecError>> {
        Box::pin(async move {
            let status = tokio::select! {
                status = self.started.child.wait() => status.map_err(ExecError::Io),
                () = tokio::time::sleep_until(self.deadline) => Err(ExecError::TimedOut(self.limit)),
                _ = self.cancel.cancelled() => Err(ExecError::Cancelled),
            };
            match status {
                Ok(status) => Ok(self.started.reaped(status, Vec::new()).await),
                Err(error) => {
                    self.started.stop().await;
                    Err(error)
                }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::cancel::Reason;
    use super::*;

    fn on<T>(work: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
        tokio::task::LocalSet::new().block_on(&runtime, work)
    }

    fn sh(script: &str) -> Cmd {
        Cmd::new("sh").args(["-c", script])
    }

    fn system() -> System {
        System::new(Cancel::default(), false)
    }

    #[test]
    fn stdin_reaches_the_child_and_its_exit_code_comes_back() {
        let output = on(async { system().run(&sh("cat; echo problem >&2; exit 3").stdin("hello")).await });
        let output = output.expect("runs");
        assert_eq!((output.exit, output.text().as_str()), (Exit::Code(3), "hello"));
        assert_eq!(output.last_stderr_line(), "problem");
    }

    #[test]
    fn a_flood_of_stderr_keeps_its_end_and_does_not_block() {
        let script = "i=0; while [ $i -lt 20000 ]; do echo 0123456789012345678901234567890123456789 >&2; i=$((i+1)); done; echo last >&2";
        let output = on(async { system().run(&sh(script)).await }).expect("runs");
        assert!(output.stderr.len() <= STDERR_LIMIT);
        assert_eq!(output.last_stderr_line(), "last");
    }

    #[test]
    fn a_hanging_child_and_its_own_children_are_stopped_at_the_limit() {
        let marker = tempfile::NamedTempFile::new().expect("temp file");
        let path = marker.path().display().to_string();
        let cmd =
            sh(&format!("(sleep 1; echo alive > {path}) & sleep 60")).timeout(Duration::from_millis(200));
        let ended = on(async { system().run(&cmd).await });
        assert!(matches!(ended, Err(ExecError::TimedOut(_))), "{ended:?}");
        std::thread::sleep(Duration::from_millis(1200));
        assert_eq!(std::fs::read_to_string(marker.path()).expect("readable"), "", "a grandchild lived on");
    }

    #[test]
    fn cancelling_stops_a_stream() {
        let cancel = Cancel::default();
        let system = System::new(cancel.clone(), false);
        let ended = on(async {
            let mut lines = system.stream(&sh("echo one; printf two; sleep 60")).await.expect("starts");
            assert_eq!(lines.next().await.expect("a line").as_deref(), Some("one"));
            cancel.cancel(Reason::Interrupted);
            lines.next().await
        });
        assert!(matches!(ended, Err(ExecError::Cancelled)), "{ended:?}");
        assert!(system.live.borrow().is_empty(), "the group is still registered");
    }

    #[test]
    fn an_incomplete_last_line_is_returned() {
        let lines = on(async {
            let mut lines = system().stream(&sh("echo one; printf '{\"two'")).await.expect("starts");
            let mut seen = Vec::new();
            while let Some(line) = lines.next().await.expect("no error") {
                seen.push(line);
            }
            assert!(lines.finish().await.expect("ends").exit.success());
            seen
        });
        assert_eq!(lines, ["one", "{\"two"]);
    }

    #[test]
    fn a_missing_program_has_its_own_error() {
        let ended = on(async { system().run(&Cmd::new("/no/such/program")).await });
        assert!(matches!(ended, Err(ExecError::Start(_))), "{ended:?}");
    }
}
