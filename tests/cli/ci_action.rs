//! The steps of `action.yml`, run in order as GitHub runs them, with the runner's environment variables.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::harness::{Test, program};
use crate::support::{PROFILE, fresh, quick};

/// A runner: its directories and the files through which steps report.
struct Runner {
    test: Test,
    temp: PathBuf,
}

impl Runner {
    fn new(test: Test) -> Self {
        let temp = test.work().join("runner-temp");
        fs::create_dir(&temp).expect("a directory");
        Self { test, temp }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.temp.join(name)
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.file(name)).unwrap_or_default()
    }

    /// Run a step's script with inputs.
    fn step(&self, script: &str, inputs: &[(&str, &str)]) -> Output {
        let kstrim = self.test.kstrim();
        let mut command = Command::new("/bin/sh");
        command.arg(repository().join("ci/action").join(script)).current_dir(self.test.work()).env_clear();
        command.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
        // The stand-ins take precedence over the programs that every runner has.
        command.env("PATH", format!("{}:/usr/bin:/bin", self.test.bin().display()));
        command.env("CI", "true").env("GITHUB_ACTIONS", "true").env("RUNNER_TEMP", &self.temp);
        for name in ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"] {
            command.env(name, self.file(name));
        }
        command.env("KSTRIM_ACTION_DIR", self.file("kstrim"));
        command.env("KSTRIM_CACHE_DIR", self.file("kstrim/cache"));
        command.envs(inputs.iter().copied());
        command.output().expect("it runs")
    }

    /// The same, which must exit with this code; its stdout.
    #[track_caller]
    fn expect(&self, script: &str, inputs: &[(&str, &str)], code: i32) -> String {
        let output = self.step(script, inputs);
        let [stdout, stderr] =
            [&output.stdout, &output.stderr].map(|s| String::from_utf8_lossy(s).into_owned());
        assert_eq!(output.status.code(), Some(code), "{script}\n{stdout}\n{stderr}");
        stdout
    }

    /// The outputs of all steps so far: the last value counts.
    fn outputs(&self) -> BTreeMap<String, String> {
        let text = self.text("GITHUB_OUTPUT");
        text.lines()
            .filter_map(|l| Some((l.split_once('=')?.0.to_owned(), l.split_once('=')?.1.to_owned())))
            .collect()
    }

    fn install(&self) {
        let path = program().display().to_string();
        self.expect("install.sh", &[("INPUT_PATH", &path)], 0);
    }
}

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_successful_job() {
    let runner = Runner::new(fresh().scenario(quick));
    runner.install();
    assert!(runner.outputs()["version"].starts_with(|c: char| c.is_ascii_digit()));
    assert!(runner.text("GITHUB_PATH").trim().ends_with("/kstrim/bin"));
    runner.expect("up.sh", &[("INPUT_UP_ARGS", "--preset=ephemeral\n--memory=4g\n")], 0);
    let inputs = [
        ("INPUT_RUN", "echo \"bootstrap $KAFKA_BOOTSTRAP_SERVERS\"\necho \"topic $KSTRIM_TOPIC_ORDERS\"\n"),
        ("INPUT_TOPICS", "orders:2\naudit\n"),
        ("INPUT_JUNIT", "report.xml"),
    ];
    let said = runner.expect("run.sh", &inputs, 0);
    assert!(said.contains("bootstrap 127.0.0.1:") && said.contains("-orders\n"), "{said}");
    assert!(!said.contains("::error"), "{said}");
    let outputs = runner.outputs();
    assert_eq!((&*outputs["exit-code"], &*outputs["failure"]), ("0", ""));
    let summary = runner.text("GITHUB_STEP_SUMMARY");
    assert!(summary.contains("### kstrim up: done") && summary.contains("| kafka | done |"), "{summary}");
    assert!(summary.contains("### kstrim run: done") && summary.contains("| topics | done |"), "{summary}");
    let report = fs::read_to_string(runner.test.work().join("report.xml")).expect("a report");
    assert!(report.contains("failures=\"0\"") && report.contains("name=\"command\""), "{report}");
    assert_eq!(runner.test.leftovers(), []);
}

#[test]
fn a_test_suite_that_fails_is_annotated_and_leaves_evidence() {
    let runner = Runner::new(fresh().scenario(quick));
    runner.install();
    runner.expect("up.sh", &[], 0);
    let inputs = [("INPUT_RUN", "echo testing\nexit 3"), ("INPUT_JUNIT", "report.xml"), ("INPUT_USER", "")];
    let said = runner.expect("run.sh", &inputs, 3);
    assert!(said.contains("::error title=kstrim run::the command failed with exit code 3"), "{said}");
    assert!(!runner.test.profile(PROFILE).is_null(), "the cluster is kept");
    let outputs = runner.outputs();
    assert_eq!((&*outputs["exit-code"], &*outputs["failure"]), ("3", ""));
    let evidence = &outputs["evidence"];
    assert!(evidence.ends_with(".tar.gz") && Path::new(evidence).is_file(), "{outputs:?}");
    let report = fs::read_to_string(runner.test.work().join("report.xml")).expect("a report");
    assert!(report.contains("failures=\"1\"") && report.contains("message=\"exit code 3\""), "{report}");
    runner.expect("evidence.sh", &[("EVIDENCE", evidence)], 0);
    let kept = fs::read_dir(runner.file("kstrim/artifact")).expect("a directory").count();
    assert_eq!(kept, 3, "the archive, and the events of up and run");
}

#[test]
fn a_cluster_that_cannot_be_created_is_explained_in_an_annotation() {
    let test = fresh().scenario(quick).scenario(|s| s.missing_images.push("strimzi/kafka".into()));
    let runner = Runner::new(test);
    runner.install();
    let said = runner.expect("up.sh", &[], 1);
    let annotation = said.lines().find(|l| l.starts_with("::error ")).expect("an annotation");
    assert!(annotation.starts_with("::error title=kstrim KS-IMAGE-PULL::"), "{annotation}");
    assert!(annotation.contains("%0Abecause: ") && annotation.contains("%0Ahint: "), "{annotation}");
    assert_eq!(runner.outputs()["failure"], "KS-IMAGE-PULL");
    assert!(runner.text("GITHUB_STEP_SUMMARY").contains("errors.md#ks-image-pull"));
    // A mistake in the inputs produces no events.
    let said = runner.expect("up.sh", &[("INPUT_UP_ARGS", "--preset=none")], 2);
    assert!(said.contains("::error title=kstrim::kstrim failed with exit code 2"), "{said}");
}

/// The second run of a job has the snapshot of the first one in its cache.
#[test]
fn a_snapshot_is_saved_once_and_restored_afterwards() {
    let runner = Runner::new(fresh().scenario(quick));
    runner.install();
    let snapshot = runner.file("cache/kafka.snapshot").display().to_string();
    let inputs = [("INPUT_SNAPSHOT", &*snapshot), ("INPUT_UP_ARGS", "--preset=ephemeral\n--memory=4g\n")];
    runner.expect("up.sh", &inputs, 0);
    assert!(runner.text("GITHUB_STEP_SUMMARY").contains("### kstrim up: done"));
    runner.test.fake("minikube", ["delete", "-p", PROFILE]).expect(0);
    runner.expect("up.sh", &inputs, 0);
    let summary = runner.text("GITHUB_STEP_SUMMARY");
    assert!(
        summary.contains("### kstrim snapshot: done") && summary.contains("| state | done |"),
        "{summary}"
    );
    let said = runner.expect("run.sh", &[("INPUT_RUN", "echo \"at $KAFKA_BOOTSTRAP_SERVERS\"")], 0);
    assert!(said.contains("at 127.0.0.1:"), "{said}");
}

#[test]
fn only_a_program_with_the_right_digest_is_installed() {
    let runner = Runner::new(Test::new());
    let script = runner.test.write("kstrim-release", "#!/bin/sh\necho kstrim 9.9.9\n");
    let url = format!("file://{}", script.display());
    let digest = Command::new("sha256sum").arg(&script).output().expect("it runs").stdout;
    let digest = String::from_utf8_lossy(&digest).split_whitespace().next().expect("a digest").to_owned();
    runner.expect("install.sh", &[("INPUT_URL", &url)], 2);
    let said = runner.expect("install.sh", &[("INPUT_URL", &url), ("INPUT_SHA256", &"0".repeat(64))], 1);
    assert!(said.contains(&digest) && !runner.file("kstrim/bin/kstrim").exists(), "{said}");
    runner.expect("install.sh", &[("INPUT_URL", &url), ("INPUT_SHA256", &digest)], 0);
    assert_eq!(runner.outputs()["version"], "9.9.9");
    runner.expect("install.sh", &[("INPUT_URL", "http://example.invalid/x"), ("INPUT_SHA256", &digest)], 3);
    runner.expect("install.sh", &[], 2);
}

/// Every script that a step runs exists, and each step passes inputs that the action has.
#[test]
fn the_action_refers_to_existing_scripts_and_inputs() {
    let text = fs::read_to_string(repository().join("action.yml")).expect("action.yml");
    let action: Value = serde_yaml::from_str(&text).expect("YAML");
    let steps = action["runs"]["steps"].as_array().expect("steps");
    let mut scripts = 0;
    for step in steps {
        if let Some(run) = step["run"].as_str() {
            let script = run.split('"').nth(1).expect("a path").replace("$GITHUB_ACTION_PATH/", "");
            assert!(repository().join(&script).is_file(), "{script}");
            scripts += 1;
        }
        for value in step["env"].as_object().into_iter().flatten().filter_map(|(_, v)| v.as_str()) {
            for input in value.split("inputs.").skip(1) {
                let name: String =
                    input.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
                assert!(action["inputs"][&name].is_object(), "no input {name}");
            }
        }
    }
    assert_eq!(scripts, 4);
}
