//! A run of a program: output kept in files, a limit, and its output.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::operator::Operator;

/// The result of a finished run.
pub struct Run {
    /// The command, for messages.
    pub line: String,
    /// Its exit status.
    pub status: ExitStatus,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
    /// Its duration.
    pub took: Duration,
    /// Its output is in `LOG.out` and `LOG.err`.
    pub log: PathBuf,
}

/// A running program.
pub struct Running {
    child: Child,
    line: String,
    log: PathBuf,
    began: Instant,
}

impl Running {
    /// Start `command` without stdin; its output goes to `LOG.out` and `LOG.err`.
    pub fn start(mut command: Command, line: String, log: PathBuf) -> Self {
        let file = |end: &str| {
            let path = log.with_extension(end);
            File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
        };
        command.stdin(Stdio::null()).stdout(file("out")).stderr(file("err"));
        let child = command.spawn().unwrap_or_else(|e| panic!("{line}: {e}"));
        Self { child, line, log, began: Instant::now() }
    }

    /// Its stdout so far.
    pub fn stdout_so_far(&self) -> String {
        fs::read_to_string(self.log.with_extension("out")).unwrap_or_default()
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_some()
    }

    /// SIGKILL to it, and to nothing else.
    pub fn kill(mut self) -> Run {
        let _ = self.child.kill();
        self.collect()
    }

    /// Wait until it ends; a run that takes longer than `limit` is killed and fails the test. The limit is the
    /// stand-in's.
    pub fn finish(mut self, limit: Duration) -> Run {
        let limit = Operator::of_ground().limit(limit);
        while !self.ended() {
            if self.began.elapsed() > limit {
                let _ = self.child.kill();
                let run = self.collect();
                panic!("no end within {limit:?}: {run}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        self.collect()
    }

    fn collect(mut self) -> Run {
        let status = self.child.wait().expect("our child");
        let took = self.began.elapsed();
        let read = |end: &str| {
            String::from_utf8_lossy(&fs::read(self.log.with_extension(end)).unwrap_or_default()).into_owned()
        };
        let run = Run {
            status,
            stdout: read("out"),
            stderr: read("err"),
            took,
            log: self.log.clone(),
            line: self.line.clone(),
        };
        let (code, seconds) = (run.code(), took.as_secs_f64());
        let title = run.log.file_name().unwrap_or_default().to_string_lossy().into_owned();
        println!("  {title:<40} exit {code:>3}  {seconds:>6.1} s");
        run
    }
}

impl Run {
    /// The exit code; 128 + n for signal n, as in a shell.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// The run itself, if it exited with `code`; otherwise the test fails with its output.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert!(self.code() == code, "expected exit code {code}: {self}");
        self
    }

    /// stdout as one JSON value.
    #[track_caller]
    pub fn json(&self) -> Value {
        self.stdout.parse().unwrap_or_else(|e| panic!("{e}: {self}"))
    }

    /// The events of a run with `-o json`, each validated with the published schema.
    #[track_caller]
    pub fn events(&self) -> Events {
        let events: Vec<Value> = self
            .stdout
            .lines()
            .map(|line| line.parse().unwrap_or_else(|e| panic!("{e} in {line:?} of {self}")))
            .collect();
        for event in &events {
            if let Err(error) = SCHEMA.validate(event) {
                panic!("an event breaks docs/schema/events.schema.json: {error}\nin {event}");
            }
        }
        Events(events)
    }
}

/// The last lines show why.
impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, took, log) = (self.code(), self.took.as_secs_f64(), self.log.display());
        writeln!(f, "exit {code} after {took:.1} s\n$ {}", self.line)?;
        for (name, text) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            let lines: Vec<&str> = text.lines().collect();
            writeln!(f, "--- {name}, last lines of {log}.{}", if name == "stdout" { "out" } else { "err" })?;
            for line in &lines[lines.len().saturating_sub(25)..] {
                writeln!(f, "{line}")?;
            }
        }
        Ok(())
    }
}

static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema/events.schema.json");
    let schema: Value = fs::read_to_string(path).expect("the schema").parse().expect("JSON");
    jsonschema::options().should_validate_formats(true).build(&schema).expect("a schema")
});

/// The JSON lines of a run, in order.
pub struct Events(Vec<Value>);

impl Events {
    /// The events of a type.
    pub fn of<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |e| e["type"] == kind)
    }

    /// The last line, which contains the run's outcome.
    #[track_caller]
    pub fn finished(&self) -> &Value {
        let last = self.0.last().expect("at least one event");
        assert_eq!(last["type"], "run_finished", "the last event is {last}");
        last
    }

    /// A task's outcome and detail.
    #[track_caller]
    pub fn task(&self, id: &str) -> (&str, &str) {
        let mut ends = self.of("task_finished").filter(|e| e["task"] == id);
        let end = ends.next().unwrap_or_else(|| panic!("no task_finished of {id}"));
        assert!(ends.next().is_none(), "{id} finished twice");
        (end["outcome"].as_str().expect("text"), end["detail"].as_str().expect("text"))
    }

    /// Ids of all tasks of the plan.
    pub fn plan(&self) -> Vec<&str> {
        let tasks = self.0[0]["tasks"].as_array().expect("run_started has the tasks");
        tasks.iter().map(|t| t["id"].as_str().expect("an id")).collect()
    }

    /// The failure's id, and all of it.
    #[track_caller]
    pub fn failure(&self) -> (&str, &Value) {
        let failure = &self.finished()["failure"];
        (failure["id"].as_str().unwrap_or_else(|| panic!("no failure in {}", self.finished())), failure)
    }

    /// The one smoke event passed with this many messages.
    #[track_caller]
    pub fn verified(&self, messages: u64) {
        let smoke: Vec<_> = self.of("smoke").collect();
        assert_eq!(smoke.len(), 1, "one smoke event: {smoke:?}");
        assert_eq!(smoke[0]["sent"], messages, "{}", smoke[0]);
        assert_eq!(smoke[0]["verified"], messages, "{}", smoke[0]);
    }
}
