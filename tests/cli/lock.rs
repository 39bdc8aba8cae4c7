//! One run at a time per profile.

use std::fs;

use rustix::process::Signal;

use crate::harness::{Action, Running, Test};
use crate::trouble::{clean, eventually, finished, surroundings, up_succeeds};

fn hang() -> Action {
    Action::Hang { stdout: String::new(), stubborn: false }
}

/// An `up` that hangs in its first `minikube start`, and the path of the lock.
fn held(test: &mut Test) -> (Running, std::path::PathBuf) {
    let run = test.args(["up", "--output", "plain"]).spawn();
    eventually("minikube start is running", || {
        test.calls().iter().any(|c| c.line().contains(" start ") || c.args[0] == "start")
    });
    (run, test.home().join(".local/state/kstrim/profiles/kstrim"))
}

#[test]
fn the_second_run_reports_the_holder_of_the_lock_and_changes_nothing() {
    let mut test = surroundings().fault("minikube", "start -o json -p kstrim", Some(1), hang());
    let (first, folder) = held(&mut test);
    let (pid, log) = (first.pid(), fs::read_to_string(folder.join("up.events.jsonl")).expect("a log"));
    assert!(log.contains("run_started"), "{log}");
    for args in [&["up", "-o", "json"][..], &["down", "--yes", "-o", "json"]] {
        let second = test.args(args.iter().copied()).run().expect(7);
        let failure = finished(&second)["failure"].clone();
        assert_eq!(failure["id"], "KS-LOCKED");
        let text = failure.to_string();
        assert!(text.contains(&format!("pid {pid}")) && text.contains("kstrim up"), "{text}");
    }
    let second = test.args(["up"]).run().expect(7);
    assert!(second.stderr.contains(&format!("pid {pid}")), "{}", second.stderr);
    let now = fs::read_to_string(folder.join("up.events.jsonl")).expect("a log");
    assert!(now.starts_with(&log), "the log of the run at work was touched: {now}");
    // Read-only commands are not blocked.
    for verb in ["plan", "render", "status"] {
        assert_ne!(test.args([verb]).run().code(), 7, "{verb}");
    }
    first.signal(Signal::INT);
    let first = first.wait().expect(130);
    clean(&test, &first);
    test.change_scenario(|s| s.faults.clear());
    up_succeeds(&mut test, &[]);
}

#[test]
fn a_killed_run_releases_the_lock() {
    let mut test = surroundings().fault("minikube", "start -o json -p kstrim", Some(1), hang());
    let (first, _) = held(&mut test);
    first.signal(Signal::KILL);
    let first = first.wait().expect(137);
    clean(&test, &first);
    test.change_scenario(|s| s.faults.clear());
    up_succeeds(&mut test, &[]);
}

#[test]
fn profiles_do_not_wait_for_each_other() {
    let mut test = surroundings().fault("minikube", "start -o json -p kstrim", Some(1), hang());
    let (first, _) = held(&mut test);
    test.args(["up", "--profile", "other"]).run().expect(0);
    assert!(test.profile("other").is_object());
    first.signal(Signal::TERM);
    first.wait().expect(143);
}
