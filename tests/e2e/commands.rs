//! `kstrim run`: a test suite in another language, with its own client, on a real cluster.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::ground::Ground;

/// The example of each language: its directory, how its dependencies are installed and its test is run in a copy of the
/// directory, and what the test runner prints after one test has passed.
const SUITES: [(&str, &str, &str, &str); 5] = [
    ("go", "true", "go test -v ./...", "--- PASS: TestOrders"),
    (
        "python",
        "python3 -m venv venv && venv/bin/pip install -q -r requirements.txt",
        "venv/bin/python -m pytest",
        "1 passed",
    ),
    ("node", "npm ci --no-audit --no-fund", "node --test", "pass 1"),
    ("rust", "cargo build --tests --locked", "cargo test --locked", "1 passed"),
    ("java", "mvn -B -q test-compile", "mvn -B test", "Tests run: 1, Failures: 0, Errors: 0, Skipped: 0"),
];

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_test_suite_in_each_language_has_a_kafka_of_its_own() {
    let ground = Ground::with_kafka("commands::a_test_suite_in_each_language_has_a_kafka_of_its_own");
    // The caches and settings of the package managers are in the real home.
    let home = format!("HOME={}", std::env::var("HOME").expect("HOME"));
    for (language, install, test, passed) in SUITES {
        let suite = copy(language, &ground);
        let target = format!("CARGO_TARGET_DIR={suite}/target");
        let install = ["env", &target, "sh", "-c", install];
        let installed = Command::new(install[0]).args(&install[1..]).current_dir(&suite).status();
        let installed = installed.expect("env");
        assert!(installed.success(), "{language}: {install:?}");
        let isolated = ["run", "--yes", "--topic", "orders:3", "--isolate", "--", "env", &home, &target];
        let command = ["sh", "-c", "cd \"$0\" && eval \"$1\"", &suite, test];
        let run = ground.kstrim(&[&isolated[..], &command].concat()).expect(0);
        assert!(run.stdout.contains(passed), "{language}: {run}");
    }
    // The command's own exit code and output, and nothing else on stdout.
    let run = ground.kstrim(&["run", "--", "sh", "-c", "echo $KAFKA_BOOTSTRAP_SERVERS; exit 42"]).expect(42);
    assert!(run.stdout.starts_with("127.0.0.1:") && run.stdout.lines().count() == 1, "{run}");
    // What it created was deleted.
    let topics = ground.kstrim(&["topic", "list", "-o", "json"]).expect(0).stdout;
    assert!(!topics.contains("orders"), "{topics}");
    ground.kstrim(&["connect", "--remove", "--yes"]).expect(0);
}

/// The steps of `action.yml` with the variables of a runner: the first job creates the cluster and saves it for the cache,
/// the second one restores it; a test suite passes, and one that fails is annotated and leaves evidence.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn the_steps_of_the_action_run_a_test_suite() {
    let ground = Ground::with_nothing("commands::the_steps_of_the_action_run_a_test_suite");
    let temp = ground.file("runner");
    let _ = fs::remove_dir_all(&temp);
    fs::create_dir_all(&temp).expect("a directory");
    let file = |name: &str| temp.join(name).display().to_string();
    let text = |name: &str| fs::read_to_string(temp.join(name)).unwrap_or_default();
    let step = |script: &str, inputs: &[(&str, &str)]| {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("ci/action").join(script);
        let files = ["GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY"];
        let files: Vec<(&str, String)> = files.into_iter().map(|name| (name, file(name))).collect();
        let (action, runner) = (file("kstrim"), file(""));
        let mut variables = vec![
            ("CI", "true"),
            ("GITHUB_ACTIONS", "true"),
            ("RUNNER_TEMP", &runner),
            ("KSTRIM_ACTION_DIR", &action),
        ];
        variables.extend(files.iter().map(|(name, path)| (*name, path.as_str())));
        variables.extend(inputs);
        ground.run_with("sh", &[&script.display().to_string()], &variables)
    };
    step("install.sh", &[("INPUT_PATH", env!("CARGO_BIN_EXE_kstrim"))]).expect(0);
    let (flags, snapshot) = (ground.up_flags().join("\n"), file("cache/kafka.snapshot"));
    let up = [("INPUT_UP_ARGS", flags.as_str()), ("INPUT_SNAPSHOT", &snapshot)];
    step("up.sh", &up).expect(0);
    ground.kstrim(&["down", "--yes"]).expect(0);
    step("up.sh", &up).expect(0);
    let summary = text("GITHUB_STEP_SUMMARY");
    assert!(
        summary.contains("### kstrim up: done") && summary.contains("### kstrim snapshot: done"),
        "{summary}"
    );

    let suite = copy("python", &ground);
    let home = std::env::var("HOME").expect("HOME");
    let script = format!(
        "cd '{suite}'\nHOME='{home}'\npython3 -m venv venv\nvenv/bin/pip install -q -r requirements.txt\nvenv/bin/python -m pytest\n"
    );
    let junit = file("report.xml");
    let inputs = [("INPUT_RUN", script.as_str()), ("INPUT_TOPICS", "orders:3\n"), ("INPUT_JUNIT", &junit)];
    let run = step("run.sh", &inputs).expect(0);
    assert!(run.stdout.contains("1 passed") && !run.stdout.contains("::error"), "{run}");
    assert!(text("report.xml").contains("failures=\"0\""), "{}", text("report.xml"));

    let run = step("run.sh", &[("INPUT_RUN", "exit 3")]).expect(3);
    assert!(run.stdout.contains("::error title=kstrim run::the command failed with exit code 3"), "{run}");
    let outputs = text("GITHUB_OUTPUT");
    let evidence =
        outputs.lines().filter_map(|line| line.strip_prefix("evidence=")).next_back().expect("evidence");
    step("evidence.sh", &[("EVIDENCE", evidence)]).expect(0);
    let kept = fs::read_dir(temp.join("kstrim/artifact")).expect("a directory").count();
    assert_eq!(kept, 3, "the archive, and the events of both steps");
    ground.kstrim(&["connect", "--remove", "--yes"]).expect(0);
}

/// A copy of an example, in which its test leaves what it builds; returns the path.
fn copy(language: &str, ground: &Ground) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(language);
    let to = ground.file(&format!("suite-{language}"));
    let _ = fs::remove_dir_all(&to);
    let copied = Command::new("cp").arg("-r").arg(from).arg(&to).status().expect("cp");
    assert!(copied.success(), "{language}");
    to.display().to_string()
}
