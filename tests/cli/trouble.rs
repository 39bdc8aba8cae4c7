//! Shared by the tests of rejections, faults, signals and output.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Action, Fault, Run, Test};

/// A small manifest of our own: the stand-in cluster needs no schemas, and parses it quickly.
const MANIFEST: &str = include_str!("../fixtures/install.yaml");

/// An environment in which `kstrim up` finds an install manifest.
pub fn surroundings() -> Test {
    let test = Test::new();
    let path = test.write("install.yaml", MANIFEST);
    test.env("KSTRIM_MANIFESTS", path)
}

/// An environment in which `up` succeeded.
pub fn ready() -> Test {
    let mut test = surroundings();
    test.args(["up"]).run().expect(0);
    test
}

/// Panics if it panicked, or had to be killed, or left children behind.
#[track_caller]
pub fn clean(test: &Test, run: &Run) {
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(!run.killed_by_harness, "it hung\n{}\n{}", run.stdout, run.stderr);
    // The kernel ends the children of a killed run a moment later.
    eventually("no child is left", || test.leftovers().is_empty());
}

/// Wait until something holds; panics after 15 s.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(15), "not in 15 s: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The last event of a run with `--output json`.
#[track_caller]
pub fn finished(run: &Run) -> Value {
    let last = run.json_lines().pop().unwrap_or_default();
    assert_eq!(last["type"], "run_finished", "{}\n{}", run.stdout, run.stderr);
    last
}

/// The id of a run's failure; `null` if it had none.
#[track_caller]
pub fn failure_id(run: &Run) -> String {
    finished(run)["failure"]["id"].as_str().unwrap_or("none").to_owned()
}

/// Run `kstrim up -o json` and check that it fails with this id and exit code, cleanly.
#[track_caller]
pub fn up_fails(test: &mut Test, args: &[&str], id: &str, code: i32) -> Run {
    let run = test.args(["up", "-o", "json"].iter().chain(args)).run();
    clean(test, &run);
    let found = failure_id(&run);
    assert_eq!((found.as_str(), run.code()), (id, code), "{}\n{}", run.stdout, run.stderr);
    run
}

/// Run `kstrim up -o json` and check that it succeeds, cleanly.
#[track_caller]
pub fn up_succeeds(test: &mut Test, args: &[&str]) -> Run {
    let run = test.args(["up", "-o", "json"].iter().chain(args)).run().expect(0);
    clean(test, &run);
    run
}

/// Run kstrim, and send it a signal while it is in the first call of minikube that contains `part`, which would never
/// end. Nothing hangs afterwards.
pub fn signal_in(test: &mut Test, words: &[&str], part: &str, signal: Signal) -> Run {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let fault = Fault { program: "minikube".into(), args: part.into(), nth: Some(1), action: hang };
    test.change_scenario(|s| s.faults.push(fault));
    test.forget_calls();
    let running = test.args(words.iter().copied()).spawn();
    eventually("it is in its middle", || test.calls().iter().any(|call| call.line().contains(part)));
    running.signal(signal);
    let run = running.wait();
    if signal == Signal::KILL {
        eventually("no child is left", || test.leftovers().is_empty());
    }
    test.change_scenario(|s| s.faults.clear());
    run
}
