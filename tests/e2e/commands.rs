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

/// A copy of an example, in which its test leaves what it builds; returns the path.
fn copy(language: &str, ground: &Ground) -> String {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(language);
    let to = ground.file(&format!("suite-{language}"));
    let _ = fs::remove_dir_all(&to);
    let copied = Command::new("cp").arg("-r").arg(from).arg(&to).status().expect("cp");
    assert!(copied.success(), "{language}");
    to.display().to_string()
}
