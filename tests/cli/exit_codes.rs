//! One run for each exit code, and the document that lists them.

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Action, ProfileSeed, Test};
use crate::trouble::{eventually, ready, surroundings, up_fails, up_succeeds};

/// All of them, ascending.
const CODES: [i32; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 130, 143];

fn hang() -> Action {
    Action::Hang { stdout: String::new(), stubborn: false }
}

fn hanging() -> Test {
    surroundings().fault("minikube", "start -o json", Some(1), hang())
}

#[test]
fn success_is_0() {
    up_succeeds(&mut surroundings(), &[]);
    surroundings().args(["--help"]).run().expect(0);
    surroundings().args(["--version"]).run().expect(0);
    surroundings().args(["down"]).run().expect(0);
}

#[test]
fn a_failed_task_is_1() {
    let mut test = surroundings().scenario(|s| s.missing_images.push("strimzi/kafka".into()));
    up_fails(&mut test, &[], "KS-IMAGE-PULL", 1);
}

#[test]
fn usage_is_2() {
    surroundings().args(["up", "--memory", "lots"]).run().expect(2);
    ready().args(["down"]).run().expect(2);
}

#[test]
fn a_missing_prerequisite_is_3() {
    up_fails(
        &mut surroundings().without("minikube").env("KSTRIM_SYSTEM_TOOLS", "true"),
        &[],
        "KS-TOOL-MISSING",
        3,
    );
}

#[test]
fn an_expired_limit_is_4() {
    up_fails(&mut hanging(), &["--timeout", "1s"], "KS-TIMEOUT", 4);
}

#[test]
fn a_foreign_object_is_5() {
    let mut test = surroundings().scenario(|s| s.profiles.push(ProfileSeed::default()));
    up_fails(&mut test, &[], "KS-PROFILE-FOREIGN", 5);
}

#[test]
fn a_failed_smoke_test_is_6() {
    let mut test = ready();
    test.change_scenario(|s| s.broker = json!({"corrupt_content": true}));
    test.args(["smoke-test"]).run().expect(6);
}

#[test]
fn a_held_lock_is_7() {
    let mut test = hanging();
    let first = test.args(["up"]).spawn();
    eventually("minikube start runs", || test.calls().iter().any(|c| c.line().contains("start -o json")));
    test.args(["up"]).run().expect(7);
    first.signal(Signal::KILL);
    first.wait().expect(137);
}

#[test]
fn a_signal_is_128_plus_its_number() {
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut test = hanging();
        let run = test.args(["up"]).spawn();
        eventually("minikube start runs", || test.calls().iter().any(|c| c.line().contains("start -o json")));
        run.signal(signal);
        run.wait().expect(code);
    }
}

#[test]
fn the_help_and_the_document_list_them_all() {
    let help = surroundings().args(["up", "--help"]).run().expect(0).stdout;
    let document = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/exit-codes.md");
    let document = std::fs::read_to_string(document).expect("docs/exit-codes.md");
    for code in CODES {
        let word = |text: &str| text.split(|c: char| !c.is_ascii_digit()).any(|n| n == code.to_string());
        assert!(word(&document), "{code} is not in docs/exit-codes.md");
        let in_help = help.split("Exit codes:").nth(1).expect("exit codes in the help");
        assert!(word(in_help), "{code} is not in the help: {in_help}");
    }
}
