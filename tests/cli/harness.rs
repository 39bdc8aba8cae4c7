//! The environment of a test: its own home directory, stand-ins on PATH, a world, and the results.
//!
//! ```ignore
//! let test = Test::new().scenario(|s| s.engine = Engine::Down);
//! let run = test.args(["up", "--output", "json"]).run();
//! assert_eq!(run.code(), 3);
//! ```

#![allow(dead_code, reason = "later tests use the rest")]

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

#[allow(unused_imports, reason = "later tests use the rest")]
pub use stand_ins::scenario::{
    Action, Crash, CutOff, Engine, Fault, Host, Metrics, MinikubeRelease, NEVER, ProfileSeed, Registry,
    Scenario, Timings,
};

/// No run of a test may take longer; it is killed then.
const LIMIT: Duration = Duration::from_secs(60);

/// The program under test: the one that cargo built for these tests, or the one that `KSTRIM_TEST_BINARY` names (CI
/// names the release build: not everything behaves the same without debug assertions).
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| match std::env::var_os("KSTRIM_TEST_BINARY") {
        Some(named) => fs::canonicalize(&named)
            .unwrap_or_else(|e| panic!("KSTRIM_TEST_BINARY={}: {e}", named.to_string_lossy())),
        None => env!("CARGO_BIN_EXE_kstrim").into(),
    })
}

/// A test's environment; removed when dropped.
pub struct Test {
    home: TempDir,
    world: PathBuf,
    scenario: Scenario,
    programs: Vec<&'static str>,
    env: BTreeMap<OsString, OsString>,
    args: Vec<OsString>,
    stdin: Vec<u8>,
    limit: Duration,
    by_hand: Arc<Mutex<BTreeSet<u32>>>,
    ran: AtomicBool,
}

/// Every call that a test made kstrim make is checked against the rules for arguments.
impl Drop for Test {
    fn drop(&mut self) {
        // Tests of the stand-ins themselves call them freely.
        if self.ran.load(Ordering::Relaxed) && !std::thread::panicking() {
            self.calls_follow_the_rules();
        }
    }
}

/// The result of a run.
#[derive(Debug)]
pub struct Run {
    /// Its exit status.
    pub status: ExitStatus,
    /// Its stdout.
    pub stdout: String,
    /// Its stderr.
    pub stderr: String,
    /// Its duration.
    pub took: Duration,
    /// Whether the harness had to kill it.
    pub killed_by_harness: bool,
}

/// A call of a stand-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// Process id.
    pub pid: u32,
    /// When it started, ms since 1970.
    pub at: i64,
    /// `minikube`, `kubectl`, `docker`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// `None`: it did not complete, or is still running.
    pub exit: Option<i64>,
    /// Whether the test made it itself.
    pub by_hand: bool,
}

impl Call {
    /// Program and arguments, joined by blanks.
    pub fn line(&self) -> String {
        format!("{} {}", self.program, self.args.join(" "))
    }
}

impl Run {
    /// The exit code; 128 + n for signal n, as in a shell.
    pub fn code(&self) -> i32 {
        self.status.code().unwrap_or_else(|| 128 + self.status.signal().unwrap_or(0))
    }

    /// stdout as JSON lines; panics at any other line.
    pub fn json_lines(&self) -> Vec<Value> {
        let parse = |line: &str| line.parse().unwrap_or_else(|e| panic!("{e} in the line {line:?}"));
        self.stdout.lines().map(parse).collect()
    }

    /// stdout as one JSON value.
    pub fn json(&self) -> Value {
        self.stdout.parse().unwrap_or_else(|e| panic!("{e} in {:?}\nstderr: {}", self.stdout, self.stderr))
    }

    /// Panics with all output unless it exited with this code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(
            self.code(),
            code,
            "exit code\n--- stdout\n{}\n--- stderr\n{}\n--- after {:?}",
            self.stdout,
            self.stderr,
            self.took
        );
        self
    }
}

impl Default for Test {
    fn default() -> Self {
        Self::new()
    }
}

impl Test {
    /// An empty home directory, all stand-ins, nothing started.
    pub fn new() -> Self {
        let home = tempfile::Builder::new().prefix("kstrim-test").tempdir().expect("a temporary folder");
        for folder in ["home", "bin", "world", "tmp", "work"] {
            fs::create_dir(home.path().join(folder)).expect("a folder");
        }
        Self {
            world: home.path().join("world"),
            home,
            scenario: Scenario::default(),
            programs: vec!["minikube", "kubectl", "docker"],
            env: BTreeMap::new(),
            args: Vec::new(),
            stdin: Vec::new(),
            limit: LIMIT,
            by_hand: Arc::default(),
            ran: AtomicBool::default(),
        }
    }

    /// A copy of this world.
    pub fn fork(&self) -> Self {
        fn copy(from: &Path, to: &Path) {
            fs::create_dir_all(to).expect("a folder");
            for entry in fs::read_dir(from).expect("a folder").flatten() {
                let (from, to) = (entry.path(), to.join(entry.file_name()));
                if from.is_dir() {
                    copy(&from, &to);
                } else {
                    fs::copy(&from, &to).expect("a copy");
                }
            }
        }
        let mut new = Self::new();
        new.scenario = self.scenario.clone();
        new.programs = self.programs.clone();
        new.env = self.env.clone();
        new.args = self.args.clone();
        new.stdin = self.stdin.clone();
        new.limit = self.limit;
        for (from, to) in
            [(self.home(), new.home()), (self.work(), new.work()), (self.world_dir(), new.world_dir())]
        {
            copy(&from, &to);
        }
        // The calls so far belong to the other test.
        let _ = fs::remove_file(new.world_dir().join("calls.jsonl"));
        let _ = fs::remove_file(new.world_dir().join("faults.json"));
        new
    }

    /// Forget the calls so far, after checking their arguments.
    pub fn forget_calls(&self) {
        self.calls_follow_the_rules();
        let _ = fs::remove_file(self.world_dir().join("calls.jsonl"));
    }

    /// kubectl always gets a context, minikube a profile; no command affects all of them.
    #[track_caller]
    pub fn calls_follow_the_rules(&self) {
        for call in self.calls().iter().filter(|call| !call.by_hand) {
            let has = |flag: &str| call.args.iter().any(|a| a == flag || a.starts_with(&format!("{flag}=")));
            let ok = match call.program.as_str() {
                "kubectl" if call.args.first().is_some_and(|a| a == "version") => has("--client"),
                // Only the names of contexts are read from the user's own kubeconfig.
                "kubectl" if has("get-contexts") => has("--kubeconfig"),
                "kubectl" => has("--kubeconfig") && has("--context"),
                "minikube" => has("-p"),
                _ => true,
            };
            assert!(ok, "the call does not say what it is for: {}", call.line());
            assert!(!has("--all") && !has("--purge"), "a call for everything: {}", call.line());
        }
    }

    /// Configure the world.
    #[must_use]
    pub fn scenario(mut self, choose: impl FnOnce(&mut Scenario)) -> Self {
        choose(&mut self.scenario);
        self
    }

    /// Change the world's settings (timings, faults) later; the world itself is kept.
    pub fn change_scenario(&mut self, choose: impl FnOnce(&mut Scenario)) {
        choose(&mut self.scenario);
    }

    /// Add a fault: program, part of the arguments, the n-th such call (`None`: every), what.
    #[must_use]
    pub fn fault(mut self, program: &str, args: &str, nth: Option<u32>, action: Action) -> Self {
        self.scenario.faults.push(Fault { program: program.into(), args: args.into(), nth, action });
        self
    }

    /// Remove a program.
    #[must_use]
    pub fn without(mut self, program: &str) -> Self {
        self.programs.retain(|p| *p != program);
        self
    }

    /// All programs are available again, and only the manifest's variable is set.
    pub fn restore_environment(&mut self) {
        self.programs = vec!["minikube", "kubectl", "docker"];
        self.env.retain(|name, _| name == "KSTRIM_MANIFESTS");
    }

    /// Add a removed program again.
    pub fn with(mut self, program: &'static str) -> Self {
        self.programs.push(program);
        self
    }

    /// Set an environment variable for kstrim.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// kstrim's arguments of the next run, replacing the previous ones.
    pub fn args<S: Into<OsString>>(&mut self, args: impl IntoIterator<Item = S>) -> &mut Self {
        self.args = args.into_iter().map(Into::into).collect();
        self
    }

    /// stdin of the next runs.
    pub fn stdin(&mut self, bytes: impl Into<Vec<u8>>) -> &mut Self {
        self.stdin = bytes.into();
        self
    }

    /// Kill a run that takes longer (default 60 s).
    pub fn limit(&mut self, limit: Duration) -> &mut Self {
        self.limit = limit;
        self
    }

    /// A file in kstrim's working directory; its parents are created.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.work().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a file");
        path
    }

    /// `$HOME`.
    pub fn home(&self) -> PathBuf {
        self.home.path().join("home")
    }

    /// kstrim's working directory.
    pub fn work(&self) -> PathBuf {
        self.home.path().join("work")
    }

    /// `$FAKE_WORLD`.
    pub fn world_dir(&self) -> PathBuf {
        self.world.clone()
    }

    /// Another user with their own home directory and machine, and the same clusters. `self` has to outlive it.
    pub fn colleague(&self) -> Self {
        let mut other = Self::new();
        other.world = self.world.clone();
        other.scenario = self.scenario.clone();
        other.programs = self.programs.clone();
        other.env = self.env.clone();
        // Both record their calls in one list.
        other.by_hand = self.by_hand.clone();
        let [from, to] = [self, &other].map(|test| test.home().join(".kube/config"));
        if from.exists() {
            fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
            fs::copy(from, to).expect("a copy");
        }
        for entry in fs::read_dir(self.work()).expect("a folder").flatten().filter(|e| e.path().is_file()) {
            fs::copy(entry.path(), other.work().join(entry.file_name())).expect("a copy");
        }
        other
    }

    /// The directory on PATH.
    pub fn bin(&self) -> PathBuf {
        self.home.path().join("bin")
    }

    fn prepare(&self) {
        let bin = self.bin();
        for program in ["minikube", "kubectl", "docker"] {
            let link = bin.join(program);
            match (self.programs.contains(&program), link.is_symlink()) {
                (true, false) => symlink(crate::stand_ins::program(), link).expect("a link"),
                (false, true) => fs::remove_file(link).expect("a link"),
                _ => {}
            }
        }
        // Atomically: stand-ins of a running kstrim may read it at this moment.
        let new = tempfile::NamedTempFile::new_in(self.world_dir()).expect("a file");
        fs::write(&new, json!(self.scenario).to_string()).expect("a scenario");
        new.persist(self.world_dir().join("scenario.json")).expect("scenario.json");
    }

    fn command(&self, program: &Path) -> Command {
        self.prepare();
        let home = self.home();
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.work());
        command.env("HOME", &home).env("PATH", self.bin()).env("FAKE_WORLD", self.world_dir());
        // Evidence costs every failed run a second; the tests about it enable it.
        command.env("KSTRIM_NO_DIAGNOSE", "true");
        command.env("TMPDIR", self.home.path().join("tmp")).env("LANG", "C.UTF-8");
        for (name, folder) in [
            ("XDG_CONFIG_HOME", ".config"),
            ("XDG_DATA_HOME", ".local/share"),
            ("XDG_STATE_HOME", ".local/state"),
            ("XDG_CACHE_HOME", ".cache"),
        ] {
            command.env(name, home.join(folder));
        }
        if let Some(profile) = std::env::var_os("LLVM_PROFILE_FILE") {
            command.env("LLVM_PROFILE_FILE", profile);
        }
        command.envs(&self.env);
        command
    }

    /// Run kstrim.
    pub fn run(&self) -> Run {
        self.spawn().wait()
    }

    /// Start kstrim, to send it signals.
    pub fn spawn(&self) -> Running {
        self.ran.store(true, Ordering::Relaxed);
        let mut command = self.command(program());
        command.args(&self.args);
        let mut running = Running::start(command, &self.stdin, self.limit);
        running.target = crate::hint_check::target(&self.args, &self.env, &self.work());
        running
    }

    /// kstrim as a command, for a test with its own streams.
    pub fn kstrim(&self) -> Command {
        let mut command = self.command(program());
        command.args(&self.args);
        command
    }

    /// The same with a copy, for another user, who may have no access to the build directory.
    pub fn kstrim_copied(&self) -> Command {
        let copy = self.home.path().join("kstrim");
        fs::copy(program(), &copy).expect("a copy");
        let mut command = self.command(&copy);
        command.args(&self.args);
        command
    }

    /// Run a stand-in by hand: `fake("kubectl", ["--context", "kstrim", "get", "pods"])`.
    pub fn fake<S: Into<OsString>>(&self, program: &str, args: impl IntoIterator<Item = S>) -> Run {
        self.fake_with(program, args, "")
    }

    /// The same with input on stdin.
    pub fn fake_with<S: Into<OsString>>(
        &self,
        program: &str,
        args: impl IntoIterator<Item = S>,
        stdin: &str,
    ) -> Run {
        self.prepare();
        let mut command = self.command(&self.bin().join(program));
        command.args(args.into_iter().map(Into::into));
        let running = Running::start(command, stdin.as_bytes(), self.limit);
        self.by_hand.lock().expect("the list").insert(running.pid());
        running.wait()
    }

    /// The calls of all stand-ins so far, by start time.
    pub fn calls(&self) -> Vec<Call> {
        let text = fs::read_to_string(self.world_dir().join("calls.jsonl")).unwrap_or_default();
        let lines: Vec<Value> = text.lines().filter_map(|line| line.parse().ok()).collect();
        let ended = |pid: &Value, at: &Value| {
            let end = lines.iter().find(|l| l["pid"] == *pid && l["at"] == *at && l["exit"].is_i64());
            end.and_then(|l| l["exit"].as_i64())
        };
        let begun = lines.iter().filter(|l| l["program"].is_string());
        let by_hand = self.by_hand.lock().expect("the list");
        begun
            .map(|l| Call {
                pid: l["pid"].as_u64().unwrap_or(0) as u32,
                at: l["at"].as_i64().unwrap_or(0),
                program: l["program"].as_str().unwrap_or("").to_owned(),
                args: l["args"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|a| Some(a.as_str()?.to_owned()))
                    .collect(),
                exit: ended(&l["pid"], &l["at"]),
                by_hand: l["pid"].as_u64().is_some_and(|pid| by_hand.contains(&(pid as u32))),
            })
            .collect()
    }

    /// Calls whose process still exists: child processes that were not reaped.
    pub fn leftovers(&self) -> Vec<Call> {
        // A zombie that waits for init is not counted.
        let alive = |call: &Call| {
            let stat = fs::read_to_string(format!("/proc/{}/stat", call.pid)).unwrap_or_default();
            let name = format!("({}) ", call.program);
            let state = stat.split_once(&name).and_then(|(_, rest)| rest.chars().next());
            call.exit.is_none() && state.is_some_and(|state| state != 'Z')
        };
        // A process that was killed a moment ago may not have ended yet.
        let end = Instant::now() + Duration::from_secs(2);
        loop {
            let left: Vec<Call> = self.calls().into_iter().filter(alive).collect();
            if left.is_empty() || Instant::now() > end {
                return left;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A profile's state in the stand-in of minikube, or null.
    pub fn profile(&self, name: &str) -> Value {
        let text = fs::read_to_string(self.world_dir().join("minikube.json")).unwrap_or_default();
        let saved: Value = text.parse().unwrap_or_default();
        saved["profiles"][name].clone()
    }

    /// The objects of a profile's cluster as last written, by `plural.group/namespace/name`; null if it has none.
    /// Reading does not advance the time.
    pub fn objects(&self, profile: &str) -> Value {
        self.saved(profile)["objects"].clone()
    }

    /// How long, in ms, until the container of the pod with this uid is restarted; `None`: no restart is pending.
    pub fn back_off(&self, profile: &str, uid: &str) -> Option<i64> {
        let due = self.saved(profile)["timers"][format!("{uid}/back-off")].as_i64()?;
        Some(due - jiff::Timestamp::now().as_millisecond())
    }

    fn saved(&self, profile: &str) -> Value {
        let file = self.world_dir().join("clusters").join(format!("{profile}.json"));
        fs::read_to_string(file).unwrap_or_default().parse().unwrap_or_default()
    }

    /// One of them, or null: `object("kstrim", "kafkas.kafka.strimzi.io/kafka/my-cluster")`.
    pub fn object(&self, profile: &str, key: &str) -> Value {
        self.objects(profile)[key].clone()
    }
}

/// A running kstrim.
pub struct Running {
    child: Child,
    started: Instant,
    limit: Duration,
    readers: Vec<std::thread::JoinHandle<Vec<u8>>>,
    /// The cluster that it works with: every command in its hints does, too. None if that is not known.
    target: Option<[String; 3]>,
}

impl Running {
    fn start(mut command: Command, stdin: &[u8], limit: Duration) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = Instant::now();
        let mut child = command.spawn().expect("it starts");
        let mut input = child.stdin.take().expect("stdin");
        let bytes = stdin.to_vec();
        std::thread::spawn(move || {
            // It is not an error if a child does not read its stdin.
            let _ = input.write_all(&bytes);
        });
        fn read(mut from: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
            std::thread::spawn(move || {
                let mut bytes = Vec::new();
                let _ = from.read_to_end(&mut bytes);
                bytes
            })
        }
        let readers =
            vec![read(child.stdout.take().expect("stdout")), read(child.stderr.take().expect("stderr"))];
        Self { child, started, limit, readers, target: None }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Send it a signal.
    pub fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("it runs");
    }

    /// Wait for its end.
    pub fn wait(mut self) -> Run {
        let mut killed_by_harness = false;
        let status = loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                break status;
            }
            if self.started.elapsed() > self.limit && !killed_by_harness {
                killed_by_harness = true;
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(2));
        };
        let took = self.started.elapsed();
        let mut texts = self
            .readers
            .drain(..)
            .map(|reader| String::from_utf8_lossy(&reader.join().expect("a reader")).into_owned());
        let (stdout, stderr) = (texts.next().unwrap_or_default(), texts.next().unwrap_or_default());
        let run = Run { status, stdout, stderr, took, killed_by_harness };
        if let Some(target) = self.target.as_ref().filter(|_| !run.killed_by_harness) {
            crate::hint_check::check(&run, target);
        }
        run
    }
}
