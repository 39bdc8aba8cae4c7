//! The ground for the tests: one profile, its own home directory, and the user's kubeconfig, which must not change.

use std::env;
use std::ffi::OsString;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::operator::Operator;
use crate::results;
use crate::run::{Run, Running};

/// The tests' profile. The ground is shared: nothing else may have this name. Two processes may run tests at the same
/// time, each with its own profile (and therefore home directory).
pub fn profile() -> &'static str {
    static PROFILE: LazyLock<String> = LazyLock::new(|| {
        let chosen = env::var("KSTRIM_E2E_PROFILE").unwrap_or_else(|_| "e2e-first".to_owned());
        assert!(of_tests(&chosen), "KSTRIM_E2E_PROFILE has to begin with e2e-: it is deleted");
        chosen
    });
    &PROFILE
}

/// Whether a profile or container belongs to these tests, possibly to those that run in parallel.
pub fn of_tests(name: &str) -> bool {
    name.starts_with("e2e-")
}

/// Limit of an `up` from nothing. An idle machine of 2 cores takes half a minute.
const UP: Duration = Duration::from_secs(15 * 60);
/// Limit of anything else.
const SHORT: Duration = Duration::from_secs(5 * 60);

/// A user's kubeconfig, with everything that YAML tools may change: comments, order, spaces, a CRLF.
const KUBECONFIG: &str = "# mine, do not touch\r\napiVersion: v1\nkind:   Config\ncurrent-context: work\n\
    contexts:\n- {name: work, context: {cluster: work, user: me}}\nclusters:\n\
    - {name: work, cluster: {server: \"https://work.example:6443\"}}\nusers: [{name: me, user: {token: secret}}]\n\n\n";

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The ground, held by one test.
pub struct Ground {
    test: &'static str,
    home: PathBuf,
    logs: PathBuf,
    minikube_home: PathBuf,
    up: Vec<OsString>,
    runs: std::cell::Cell<u32>,
    began: Instant,
    without: std::cell::RefCell<Vec<String>>,
    env: std::cell::RefCell<Vec<(&'static str, String)>>,
    _file: File,
    _held: MutexGuard<'static, ()>,
}

impl Ground {
    /// Use the ground for the test with this name.
    ///
    /// # Panics
    /// Without a ground: these tests never pass silently.
    pub fn take(test: &'static str) -> Self {
        let held = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let variable = |name: &str| {
            env::var_os(name).filter(|v| !v.is_empty()).unwrap_or_else(|| {
                panic!(
                    "{name} is not set: run tests/ground/ground test, or eval \"$(tests/ground/ground env)\""
                )
            })
        };
        let folder = PathBuf::from(variable("KSTRIM_GROUND")).join("e2e").join(profile());
        let logs =
            Path::new(&variable("KSTRIM_GROUND")).join("logs").join("e2e").join(test.replace("::", "."));
        let _ = fs::remove_dir_all(&logs);
        for folder in [&folder, &logs] {
            fs::create_dir_all(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
        }
        let file = File::create(folder.join("lock")).expect("a lock file");
        if file.try_lock().is_err() {
            println!("  waiting for another run of these tests on the same ground");
            file.lock().expect("the lock of the ground");
        }
        let arguments = variable("KSTRIM_GROUND_START_ARGS");
        let mut archives = vec![variable("KSTRIM_GROUND_OPERATOR_TAR"), variable("KSTRIM_GROUND_KAFKA_TAR")];
        archives.extend(env::var_os("KSTRIM_GROUND_BRIDGE_TAR").filter(|v| !v.is_empty()));
        let ground = Self {
            test,
            home: folder.join("home"),
            logs,
            minikube_home: variable("MINIKUBE_HOME").into(),
            up: up_arguments(
                arguments.to_str().expect("text"),
                &variable("KSTRIM_GROUND_MANIFEST"),
                archives,
            ),
            runs: 0.into(),
            began: Instant::now(),
            without: std::cell::RefCell::default(),
            env: std::cell::RefCell::default(),
            _file: file,
            _held: held,
        };
        fs::create_dir_all(ground.user_kubeconfig().parent().expect("a folder")).expect("a home");
        fs::write(ground.user_kubeconfig(), KUBECONFIG).expect("a kubeconfig");
        println!("{test}");
        ground
    }

    /// Use the ground with a running Kafka cluster, however that has to be created.
    pub fn with_kafka(test: &'static str) -> Self {
        let ground = Self::take(test);
        // Checking is cheaper than an `up` with nothing to do.
        if ground.to_do().is_some_and(|tasks| tasks.is_empty()) {
            return ground;
        }
        let first = ground.up(&[]).finish(UP);
        if first.code() == 0 {
            return ground;
        }
        // A state that an earlier test broke is that test's failure, not this one's.
        println!("  an `up` over what was there failed; from nothing then: {first}");
        ground.scorch();
        ground.up(&[]).finish(UP).expect(0);
        ground
    }

    /// Use the ground with a cluster without an installation.
    pub fn with_a_cluster(test: &'static str) -> Self {
        Self::take(test).emptied()
    }

    /// The same for a ground that is already in use.
    pub fn emptied(self) -> Self {
        let there = self.kstrim(&["kubectl", "--", "get", "--raw", "/readyz"]).code() == 0;
        if there && self.kstrim(&["down", "--keep-cluster", "--yes"]).code() == 0 {
            return self;
        }
        println!("  no cluster to begin with; from nothing then");
        self.scorch();
        self.up(&[]).finish(UP).expect(0);
        self.kstrim(&["down", "--keep-cluster", "--yes"]).expect(0);
        self
    }

    /// Use the ground without a profile, for a profile with several nodes.
    pub fn of_several_nodes(test: &'static str) -> Self {
        let mut ground = Self::with_nothing(test);
        let words = |name: &str| env::var(name).expect("eval \"$(tests/ground/ground env)\"");
        let (one, several) = (words("KSTRIM_GROUND_START_ARGS"), words("KSTRIM_GROUND_NODES_START_ARGS"));
        let sources = ground.up.split_off(start_arguments(&one).len());
        ground.up = start_arguments(&several);
        ground.up.extend(sources);
        ground
    }

    /// Use the ground without a profile and without state.
    pub fn with_nothing(test: &'static str) -> Self {
        let ground = Self::take(test);
        ground.scorch();
        ground
    }

    /// Remove the profile and all state, without kstrim.
    fn scorch(&self) {
        let _ = self.run("minikube", &["delete", "-p", profile()]);
        let _ = self.run("docker", &["rm", "-f", "-v", profile()]);
        let _ = self.run("docker", &["volume", "rm", "-f", profile()]);
        let _ = fs::remove_dir_all(self.state());
    }

    /// kstrim's state directory.
    pub fn state(&self) -> PathBuf {
        self.home.join(".local/state/kstrim")
    }

    /// The directory of the profile's state.
    pub fn profile_state(&self) -> PathBuf {
        self.state().join("profiles").join(profile())
    }

    fn user_kubeconfig(&self) -> PathBuf {
        self.home.join(".kube/config")
    }

    /// A program with the tests' home directory.
    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env("HOME", &self.home).env("KSTRIM_PROFILE", profile()).env("LC_ALL", "C");
        command.env("MINIKUBE_HOME", &self.minikube_home);
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            let foreign = text.starts_with("KSTRIM_") && text != "KSTRIM_PROFILE"
                || text.starts_with("XDG_")
                || text == "KUBECONFIG";
            if foreign {
                command.env_remove(&name);
            }
        }
        // `env_remove` above may have removed the variable that was just set.
        command.env("KSTRIM_PROFILE", profile());
        command.envs(self.env.borrow().iter().map(|(name, value)| (name, value)));
        command
    }

    fn start(&self, program: &Path, arguments: &[OsString]) -> Running {
        let number = self.runs.get() + 1;
        self.runs.set(number);
        let mut command = self.command(program);
        command.args(arguments);
        if !program.is_absolute() {
            // Commands of the tests themselves must not change the user's kubeconfig.
            command.env("KUBECONFIG", self.home.with_file_name("kubeconfig-of-the-tests"));
        }
        let name = program.file_name().unwrap_or_default().to_string_lossy();
        let words: Vec<_> = arguments.iter().map(|a| a.to_string_lossy().into_owned()).collect();
        let verb = words.first().map(String::as_str).unwrap_or_default();
        // The log's name: number, program unless kstrim, verb.
        let title = if name == "kstrim" { verb.to_owned() } else { format!("{name}-{verb}") };
        let log = self.logs.join(format!("{number:02}-{}", title.trim_end_matches('-')));
        Running::start(command, format!("{name} {}", words.join(" ")), log)
    }

    fn kstrim_words(&self, words: &[&str]) -> Running {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        self.start(Path::new(env!("CARGO_BIN_EXE_kstrim")), &words)
    }

    /// Start `kstrim up -o json` with what the ground needs, and `more`.
    pub fn up(&self, more: &[&str]) -> Running {
        let mut words: Vec<OsString> = ["up", "-o", "json"].iter().map(OsString::from).collect();
        words.extend(self.up.iter().cloned());
        words.extend(more.iter().map(OsString::from));
        self.start(Path::new(env!("CARGO_BIN_EXE_kstrim")), &words)
    }

    /// Whether a part of this test runs on this operator; if not, the result says so.
    pub fn runs(&self, part: &str) -> bool {
        let Some(because) = Operator::of_ground().exception(self.test, part) else { return true };
        println!("  without {part}: {because}");
        self.without.borrow_mut().push(format!("without {part}: {because}"));
        false
    }

    /// From now on `down` keeps the images of the node, and `up` uses them.
    pub fn with_image_cache(&self) {
        self.env.borrow_mut().push(("KSTRIM_IMAGE_CACHE", "true".to_owned()));
    }

    /// From now on all HTTP goes to a closed port, except for this machine: kubectl's connection to the cluster.
    pub fn without_network(&self) {
        let nobody = "http://127.0.0.1:9".to_owned();
        let here = "localhost,127.0.0.1,192.168.0.0/16,10.0.0.0/8".to_owned();
        let mut env = self.env.borrow_mut();
        for name in ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy"] {
            env.push((name, nobody.clone()));
        }
        env.extend([("NO_PROXY", here.clone()), ("no_proxy", here)]);
    }

    /// From now on PATH contains only kubectl, and this is the user's kubeconfig.
    pub fn only_kubectl(&self, kubeconfig: &Path) {
        let folder = self.logs.join("bin");
        fs::create_dir_all(&folder).expect("a folder");
        let path = env::var_os("PATH").unwrap_or_default();
        let kubectl = env::split_paths(&path).map(|f| f.join("kubectl")).find(|f| f.is_file());
        std::os::unix::fs::symlink(kubectl.expect("kubectl"), folder.join("kubectl")).expect("a link");
        let mut env = self.env.borrow_mut();
        env.push(("PATH", folder.display().to_string()));
        env.push(("KUBECONFIG", kubeconfig.display().to_string()));
    }

    /// `kstrim up -o json` with a bundle instead of the ground's manifest and archives.
    pub fn up_of_bundle(&self, bundle: &Path) -> Run {
        let sources = self.sources();
        let mut words: Vec<OsString> = ["up", "-o", "json", "--bundle"].iter().map(OsString::from).collect();
        words.push(bundle.into());
        // A source is a flag and its value.
        words.extend(self.up.iter().filter(|w| !sources.iter().any(|s| *w == s.as_str())).cloned());
        self.start(Path::new(env!("CARGO_BIN_EXE_kstrim")), &words).finish(UP)
    }

    /// The directory of kstrim's cache.
    pub fn cache(&self) -> PathBuf {
        self.home.join(".cache/kstrim")
    }

    /// The archive of an image of the real operators, by its name: `operator-0.51.0`.
    #[track_caller]
    pub fn real_archive(&self, image: &str) -> String {
        let real = env::var("KSTRIM_GROUND_REAL").expect("eval \"$(tests/ground/ground env)\"");
        let file = Path::new(&real).join("images").join(format!("{image}.tar"));
        assert!(file.is_file(), "{} is missing: build it, or save the image there", file.display());
        file.display().to_string()
    }

    /// A file of the test's own.
    pub fn file(&self, name: &str) -> PathBuf {
        self.logs.join(name)
    }

    /// Run `up`, which must succeed.
    #[track_caller]
    pub fn up_succeeds(&self, more: &[&str]) -> Run {
        let run = self.up(more).finish(UP).expect(0);
        assert_eq!(run.events().finished()["outcome"], "done", "{run}");
        self.kubeconfig_untouched();
        run
    }

    /// The settings of `up`, `plan` and `render` for this ground, without `minikube start`'s flags.
    pub fn sources(&self) -> Vec<String> {
        let words: Vec<String> = self.up.iter().map(|w| w.to_string_lossy().into_owned()).collect();
        let pairs = words.windows(2).filter(|w| w[0] == "--manifests" || w[0] == "--image-archive");
        pairs.flatten().cloned().collect()
    }

    /// The tasks of `kstrim plan` that are not done, each with its state: none if `up` would only check. The smoke
    /// test runs each time, and `ready` comes after it. `None` if there is no plan.
    pub fn to_do(&self) -> Option<Vec<String>> {
        let sources = self.sources();
        let words: Vec<&str> =
            ["plan", "-o", "json"].into_iter().chain(sources.iter().map(String::as_str)).collect();
        let run = self.kstrim(&words);
        if run.code() != 0 {
            return None;
        }
        let plan = run.json();
        let tasks = plan["tasks"]
            .as_array()
            .filter(|t| t.len() == 10)
            .unwrap_or_else(|| panic!("not ten tasks: {run}"));
        let open = tasks.iter().filter(|t| {
            t["state"] != "done" && !matches!(t["id"].as_str(), Some("preflight" | "smoke" | "ready"))
        });
        Some(open.map(|t| format!("{} is {}", t["id"], t["state"])).collect())
    }

    /// The directory of the install manifests of every release, unpacked; their archive lies above the ground's own.
    #[track_caller]
    pub fn install_manifests(&self) -> PathBuf {
        let newest = env::var_os("KSTRIM_GROUND_MANIFEST").map(PathBuf::from).expect("checked by `take`");
        let archive = newest
            .ancestors()
            .map(|folder| folder.join("install-manifests.tar.xz"))
            .find(|archive| archive.is_file())
            .expect("install-manifests.tar.xz above the ground's manifest");
        let folder = self.file("manifests");
        fs::create_dir_all(&folder).expect("a folder");
        let words = ["-xf".into(), archive.into_os_string(), "-C".into(), folder.clone().into_os_string()];
        self.start(Path::new("tar"), &words).finish(SHORT).expect(0);
        folder
    }

    /// Run a kstrim command. Afterwards the user's kubeconfig is checked, too.
    pub fn kstrim(&self, words: &[&str]) -> Run {
        let run = self.kstrim_words(words).finish(SHORT);
        self.kubeconfig_untouched();
        run
    }

    /// The topic is listed, and ready.
    #[track_caller]
    pub fn has_topic(&self, name: &str) {
        let topics = self.kstrim(&["topic", "list", "-o", "json"]).expect(0).json();
        let found = topics.as_array().into_iter().flatten().any(|t| t["topic"] == name && t["ready"] == true);
        assert!(found, "{topics}");
    }

    /// The same upgrade again only checks and sends messages.
    #[track_caller]
    pub fn is_upgraded(&self, upgrade: &[&str]) {
        let again = self.kstrim(upgrade).expect(0);
        let began = again.stdout.lines().filter(|l| l.contains(r#""type":"task_started""#)).count();
        assert_eq!(began, 1, "the smoke test alone: {again}");
    }

    /// A kstrim command that runs during the test.
    pub fn kstrim_beside(&self, words: &[&str]) -> Running {
        self.kstrim_words(words)
    }

    /// Run kubectl, through `kstrim kubectl`, which must succeed; returns its stdout.
    #[track_caller]
    pub fn kubectl(&self, words: &[&str]) -> String {
        self.kstrim(&[&["kubectl", "--"], words].concat()).expect(0).stdout
    }

    /// kubectl's JSON.
    #[track_caller]
    pub fn kubectl_json(&self, words: &[&str]) -> Value {
        let out = self.kubectl(&[words, &["-o", "json"]].concat());
        out.parse().unwrap_or_else(|e| panic!("{e} in kubectl's {out}"))
    }

    /// Apply a manifest by kubectl.
    #[track_caller]
    pub fn apply(&self, name: &str, manifest: &str) {
        let file = self.write(name, manifest);
        self.kubectl(&["apply", "--server-side", "-f", &file]);
    }

    /// Write a manifest beside the logs; its path.
    pub fn write(&self, name: &str, manifest: &str) -> String {
        let path = self.logs.join(format!("{name}.yaml"));
        fs::write(&path, manifest).expect("a manifest");
        path.display().to_string()
    }

    /// Run a program as `kstrim` runs: with the home directory of the tests, and these variables in addition.
    pub fn run_with(&self, program: &str, words: &[&str], variables: &[(&str, &str)]) -> Run {
        let mut command = self.command(Path::new(program));
        command.args(words).envs(variables.iter().copied());
        let number = self.runs.get() + 1;
        self.runs.set(number);
        let log = self.logs.join(format!("{number:02}-{program}"));
        Running::start(command, format!("{program} {}", words.join(" ")), log).finish(UP)
    }

    /// The arguments of `kstrim up` on this ground, as `--flag=value`.
    pub fn up_flags(&self) -> Vec<String> {
        let words: Vec<&str> = self.up.iter().filter_map(|word| word.to_str()).collect();
        let mut flags = Vec::new();
        let mut words = words.into_iter();
        while let Some(word) = words.next() {
            match word.contains('=') {
                true => flags.push(word.to_owned()),
                false => flags.push(format!("{word}={}", words.next().unwrap_or_default())),
            }
        }
        flags
    }

    /// A file in the home directory of the tests.
    pub fn home_file(&self, name: &str) -> String {
        self.home.join(name).display().to_string()
    }

    /// The flags of a command that creates the profile with the Kubernetes of something else.
    pub fn machine_flags(&self) -> Vec<String> {
        let words = self.up.iter().filter_map(|word| word.to_str()).map(str::to_owned).collect::<Vec<_>>();
        let driver = words.iter().position(|word| word == "--driver");
        let driver = driver.map(|at| words[at..at + 2].to_vec()).unwrap_or_default();
        driver
            .into_iter()
            .chain(words.into_iter().filter(|word| word.starts_with("--minikube-arg=")))
            .collect()
    }

    /// Run any program.
    pub fn run(&self, program: &str, words: &[&str]) -> Run {
        let words: Vec<OsString> = words.iter().map(OsString::from).collect();
        self.start(Path::new(program), &words).finish(SHORT)
    }

    /// A shell command in the profile's node.
    #[track_caller]
    pub fn in_node(&self, script: &str) -> String {
        self.run("docker", &["exec", profile(), "sh", "-c", script]).expect(0).stdout
    }

    /// Check that the user's kubeconfig is unchanged.
    #[track_caller]
    pub fn kubeconfig_untouched(&self) {
        let now = fs::read(self.user_kubeconfig()).unwrap_or_default();
        assert_eq!(String::from_utf8_lossy(&now), KUBECONFIG, "the user's kubeconfig was changed");
    }

    /// Processes, other than this one, whose command line names the profile.
    pub fn processes(&self) -> Vec<String> {
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("/proc").flatten() {
            let Ok(line) = fs::read(entry.path().join("cmdline")) else { continue };
            let words: Vec<_> = line.split(|b| *b == 0).map(String::from_utf8_lossy).collect();
            let program = words[0].rsplit('/').next().unwrap_or_default();
            let of_ours = matches!(program, "minikube" | "kubectl" | "kstrim");
            if of_ours && words.iter().any(|w| w == profile() || w.ends_with(&format!("={}", profile()))) {
                found.push(words.join(" "));
            }
        }
        found
    }
}

/// Each test records its result; a failed one also the state of the cluster in its logs.
impl Drop for Ground {
    fn drop(&mut self) {
        let mut result = if std::thread::panicking() { "**failed**" } else { "passed" }.to_owned();
        for part in self.without.borrow().iter() {
            result.push_str(&format!("; {part}"));
        }
        results::write(self.test, &result, self.began.elapsed());
        if !std::thread::panicking() {
            return;
        }
        let file = self.profile_state().join("kubeconfig");
        for words in [
            "get nodes,pods,pvc,pv,kafka,kafkanodepool,kafkatopic -A -o wide",
            "get events -A --sort-by=.metadata.creationTimestamp",
            "get kafka,kafkanodepool,kafkatopic -A -o yaml",
            "describe pods -n kafka",
            "logs -n kafka deployment/strimzi-cluster-operator --tail=200",
            "logs -n kafka deployment/my-cluster-entity-operator --all-containers --tail=50",
        ] {
            let mut command = self.command("kubectl");
            command.arg("--kubeconfig").arg(&file).arg("--request-timeout=10s").args(words.split(' '));
            if let Ok(output) = command.output() {
                let text = [&output.stdout[..], &output.stderr[..]].concat();
                let before = fs::read(self.logs.join("cluster.txt")).unwrap_or_default();
                let all = [&before[..], format!("\n$ kubectl {words}\n").as_bytes(), &text].concat();
                let _ = fs::write(self.logs.join("cluster.txt"), all);
            }
        }
        println!(
            "  {} failed; its runs and a picture of the cluster are in {}",
            self.test,
            self.logs.display()
        );
    }
}

/// `minikube start`'s arguments for kstrim: those with an equivalent flag of kstrim use that flag.
fn up_arguments(start: &str, manifest: &OsString, archives: Vec<OsString>) -> Vec<OsString> {
    let mut words = start_arguments(start);
    words.extend(["--manifests".into(), manifest.clone()]);
    for archive in archives {
        words.extend(["--image-archive".into(), archive]);
    }
    words
}

/// Flags of `minikube start` as flags of `up`.
fn start_arguments(start: &str) -> Vec<OsString> {
    let mut words = Vec::new();
    for argument in start.split_whitespace() {
        match argument.split_once('=') {
            Some((flag @ ("--driver" | "--kubernetes-version"), value)) => {
                words.extend([flag.into(), value.into()]);
            }
            _ => words.push(format!("--minikube-arg={argument}").into()),
        }
    }
    words
}

/// Poll until it exists, at increasing intervals, because each check costs the cluster something. The failure
/// contains the last state. The limit is the stand-in's.
#[track_caller]
pub fn within<T>(limit: Duration, what: &str, mut look: impl FnMut() -> Result<T, String>) -> T {
    let limit = Operator::of_ground().limit(limit);
    let began = Instant::now();
    loop {
        match look() {
            Ok(found) => return found,
            Err(seen) if began.elapsed() > limit => {
                panic!("not within {limit:?}: {what}; last state: {seen}")
            }
            Err(_) => {
                let pause = (began.elapsed() / 8).clamp(Duration::from_millis(300), Duration::from_secs(2));
                std::thread::sleep(pause);
            }
        }
    }
}
