//! Child processes: what to run ([`Cmd`]), how ([`Runner`]), and the result ([`Output`]).
//!
//! An argv is data, never a shell string. Only [`system`] spawns.

pub(crate) mod cancel;
pub(crate) mod foreground;
pub(crate) mod supervise;
pub(crate) mod system;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::time::Duration;

pub(crate) use crate::command_line::quote;
use crate::redact;

/// A program to run. Build it with [`Cmd::new`] and the chained setters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cmd {
    /// Absolute path, or a name found by the caller on PATH.
    pub program: PathBuf,
    /// Arguments, each one word.
    pub args: Vec<String>,
    /// Written to the child's stdin, which is then closed; `None` is /dev/null.
    pub stdin: Option<Vec<u8>>,
    /// Added to the inherited environment.
    pub env: BTreeMap<String, String>,
    /// Variables that are not inherited.
    pub without: BTreeSet<String>,
    /// The child is stopped (signal, grace period, kill) when this time has passed.
    pub timeout: Duration,
}

impl Cmd {
    /// A command with nothing on stdin and a limit of 30 s.
    pub(crate) fn new(program: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            args: Vec::new(),
            stdin: None,
            env: BTreeMap::new(),
            without: BTreeSet::new(),
            timeout: Duration::from_secs(30),
        }
    }

    /// Add one argument.
    #[must_use]
    pub(crate) fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Add arguments.
    #[must_use]
    pub(crate) fn args<S: Into<String>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Set stdin.
    #[must_use]
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }

    /// Set one environment variable.
    #[must_use]
    pub(crate) fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Do not inherit an environment variable.
    #[must_use]
    pub(crate) fn without(mut self, name: impl Into<String>) -> Self {
        self.without.insert(name.into());
        self
    }

    /// Set the time limit.
    #[must_use]
    pub(crate) fn timeout(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self
    }
}

impl Cmd {
    /// The program and its verb: `kubectl apply`, `minikube image load`. kubectl's global flags come first, each with
    /// a value, and the word after its verb is an object.
    pub(crate) fn title(&self) -> String {
        let program = self.program.file_name().unwrap_or_default().to_string_lossy();
        let global = self.args.chunks(2).take_while(|pair| pair[0].starts_with("--")).count() * 2;
        let words = self.args.iter().skip(global).take_while(|word| !word.starts_with('-'));
        let words = words.take(if global == 0 { 2 } else { 1 }).map(String::as_str);
        [&*program].into_iter().chain(words).collect::<Vec<_>>().join(" ")
    }
}

/// The command as a line for a POSIX shell: environment first, words quoted where needed,
/// stdin left out. Secrets are redacted: it is written to events, logs, plans and messages.
impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.without.is_empty() {
            let names: Vec<String> = self.without.iter().map(|name| format!(" -u {name}")).collect();
            write!(f, "env{} ", names.concat())?;
        }
        for (name, value) in &self.env {
            let shown = redact::text(&format!("{name}={value}"));
            write!(f, "{name}={} ", quote(shown.split_once('=').map_or("", |(_, value)| value)))?;
        }
        write!(f, "{}", quote(&self.program.to_string_lossy()))?;
        for arg in redact::arguments(&self.args) {
            write!(f, " {}", quote(&arg))?;
        }
        Ok(())
    }
}

/// Find a program: a path unchanged, a bare name in the directories of PATH. Relative directories in PATH (`.`, an
/// empty entry) are skipped: the user did not choose to run files in the working directory.
pub(crate) fn find(program: &OsStr) -> Option<PathBuf> {
    if Path::new(program).components().count() > 1 {
        return which::which(program).ok();
    }
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).filter(|folder| folder.is_absolute());
    which::which_in(program, std::env::join_paths(folders).ok(), "/").ok()
}

/// How a child process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl Exit {
    /// Exit code 0.
    pub(crate) fn success(self) -> bool {
        self == Exit::Code(0)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exit code {code}"),
            Exit::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// The output of a finished child process.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    /// How it ended.
    pub exit: Exit,
    /// Its complete stdout (more than [`STDOUT_LIMIT`] is an error).
    pub stdout: Vec<u8>,
    /// The last [`STDERR_LIMIT`] bytes of its stderr.
    pub stderr: String,
    /// How long it ran.
    pub took: Duration,
}

impl Output {
    /// Stdout as text, invalid UTF-8 replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last non-blank line of stderr: in kubectl's and minikube's output the one that is meant for the user.
    pub(crate) fn last_stderr_line(&self) -> &str {
        self.stderr.lines().rev().map(str::trim).find(|l| !l.is_empty()).unwrap_or("")
    }
}

/// Maximum size of a child's stdout, 64 MiB.
pub(crate) const STDOUT_LIMIT: usize = 64 << 20;
/// Bytes of a child's stderr that are kept, from its end, 64 KiB.
pub(crate) const STDERR_LIMIT: usize = 64 << 10;

/// Why a child process could not complete. An exit code other than 0 is not an error here.
#[derive(Debug)]
pub enum ExecError {
    /// It could not be started.
    Start(std::io::Error),
    /// Its time limit expired; it was stopped.
    TimedOut(Duration),
    /// Its stdout was larger than [`STDOUT_LIMIT`]; it was stopped.
    Flooded,
    /// Reading or writing its streams failed.
    Io(std::io::Error),
    /// The run was cancelled; it was stopped.
    Cancelled,
}

impl fmt::Display for ExecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ExecError::Start(e) => write!(f, "cannot be started: {e}"),
            ExecError::TimedOut(limit) => {
                write!(f, "did not finish within {} s and was stopped", limit.as_secs())
            }
            ExecError::Flooded => write!(f, "printed more than {} MiB and was stopped", STDOUT_LIMIT >> 20),
            ExecError::Io(e) => write!(f, "reading its output failed: {e}"),
            ExecError::Cancelled => write!(f, "was cancelled"),
        }
    }
}

impl std::error::Error for ExecError {}

/// A boxed future, so that [`Runner`] can be a trait object.
pub(crate) type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// Runs child processes. Dropping a returned future or [`Lines`] stops the child and its process group.
pub(crate) trait Runner {
    /// Run until it ends, and keep its output.
    fn run<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Output, ExecError>>;
    /// Start it and read stdout line by line.
    fn stream<'a>(&'a self, cmd: &'a Cmd) -> BoxFuture<'a, Result<Box<dyn Lines>, ExecError>>;
}

/// A running child's stdout, line by line.
pub(crate) trait Lines {
    /// The next line without its line end, or `None` when stdout is closed. A last line without a line end is
    /// returned, too (the caller must handle a truncated JSON line).
    fn next(&mut self) -> BoxFuture<'_, Result<Option<String>, ExecError>>;
    /// Wait for the end: [`Output::stdout`] is empty.
    fn finish(self: Box<Self>) -> BoxFuture<'static, Result<Output, ExecError>>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_command_can_be_pasted() {
        let cmd = Cmd::new("kubectl").args(["get", "--raw", "/api?x=1&y"]).arg("it's").env("A", "b c");
        assert_eq!(cmd.to_string(), r"A='b c' kubectl get --raw '/api?x=1&y' 'it'\''s'");
        let cmd = Cmd::new("docker").arg("ps").env("A", "b").without("B").without("C");
        assert_eq!(cmd.to_string(), "env -u B -u C A=b docker ps");
    }

    #[test]
    fn a_printed_command_has_no_secrets() {
        let cmd = Cmd::new("minikube")
            .args(["start", "-p", "kstrim", "--docker-env=HTTPS_PROXY=http://ada:hunter2@proxy:3128"])
            .args(["--docker-env", "DB_PASSWORD=hunter2", "--token", "hunter2", "--docker-opt=a=b"])
            .env("REGISTRY_TOKEN", "hunter2")
            .env("KUBECONFIG", "/k");
        let shown = cmd.to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert_eq!(
            shown,
            "KUBECONFIG=/k REGISTRY_TOKEN=REDACTED minikube start -p kstrim \
             --docker-env=HTTPS_PROXY=http://REDACTED@proxy:3128 --docker-env DB_PASSWORD=REDACTED \
             --token REDACTED --docker-opt=a=b"
        );
    }
}
