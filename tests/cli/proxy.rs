//! Reads through one `kubectl proxy`, and without it if it cannot be used.

use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::harness::{Action, Call, Test};
use crate::support::{events, fresh, kstrim, outcomes, quick, ready, until};

fn kubectls(test: &Test) -> Vec<Call> {
    test.calls().into_iter().filter(|c| c.program == "kubectl").collect()
}

fn is_proxy(call: &Call) -> bool {
    call.args.iter().any(|a| a == "proxy")
}

fn is_read(call: &Call) -> bool {
    let has = |word: &str| call.args.iter().any(|a| a == word);
    has("get") && has("--raw") && !has("/readyz")
}

/// The remaining files in the temporary directory.
fn temporary(test: &Test) -> Vec<String> {
    let folder = fs::read_dir(test.home().with_file_name("tmp")).expect("a folder");
    folder.flatten().map(|f| f.file_name().to_string_lossy().into_owned()).collect()
}

#[test]
fn all_reads_use_one_kubectl() {
    let mut test = ready();
    test.forget_calls();
    for verb in [&["up"][..], &["status"], &["topic", "list"]] {
        test.args(verb.iter().copied()).run().expect(0);
        let calls = kubectls(&test);
        let proxies: BTreeSet<u32> = calls.iter().filter(|c| is_proxy(c)).map(|c| c.pid).collect();
        assert_eq!(proxies.len(), 1, "{verb:?}: {calls:#?}");
        let reads: Vec<_> = calls.iter().filter(|c| is_read(c)).collect();
        assert!(!reads.is_empty(), "{verb:?} reads nothing");
        let own: Vec<_> = reads.iter().filter(|c| !proxies.contains(&c.pid)).collect();
        assert!(own.is_empty(), "{verb:?}: {own:#?}");
        let arguments = calls.iter().find(|c| is_proxy(c)).expect("a proxy").line();
        assert!(arguments.contains("--reject-methods=^[^G]"), "{arguments}");
        test.forget_calls();
    }
    assert_eq!(temporary(&test), Vec::<String>::new());
    assert_eq!(test.leftovers(), []);
}

/// An `up` from nothing with this fault of the proxy succeeds, and reads directly.
fn succeeds_without_proxy(action: Action) {
    let mut test = fresh().scenario(quick).fault("kubectl", "proxy --", None, action);
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&lines)["kafka"], "done");
    let calls = kubectls(&test);
    assert_eq!(calls.iter().filter(|c| is_proxy(c)).count(), 1, "it is tried once");
    let pids: BTreeSet<u32> = calls.iter().filter(|c| is_read(c)).map(|c| c.pid).collect();
    assert!(pids.len() > 10, "{} programs read", pids.len());
    assert_eq!(temporary(&test), Vec::<String>::new());
    assert_eq!(test.leftovers(), []);
}

#[test]
fn a_proxy_that_does_not_start_is_not_used() {
    succeeds_without_proxy(Action::Exit {
        code: 1,
        stdout: String::new(),
        stderr: "error: unknown command".into(),
    });
}

#[test]
fn a_proxy_that_prints_nothing_is_not_used() {
    succeeds_without_proxy(Action::Hang { stdout: String::new(), stubborn: false });
}

#[test]
fn a_proxy_that_ends_is_restarted() {
    let mut test = fresh().scenario(quick);
    test = test.fault("kubectl", "proxy --", Some(1), Action::KillSelf { ms: 150 });
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&lines)["smoke"], "done");
    assert_eq!(kubectls(&test).iter().filter(|c| is_proxy(c)).count(), 2);
    assert_eq!(temporary(&test), Vec::<String>::new());
    assert_eq!(test.leftovers(), []);
}

#[test]
fn a_truncated_response_is_read_again() {
    let mut test = ready();
    for part in ["kafkas", "kafkatopics"] {
        let cut = Action::Cut { bytes: 100, exit: Some(1) };
        test = test.fault(
            "kubectl",
            &format!("proxy --raw /apis/kafka.strimzi.io/v1/namespaces/kafka/{part}"),
            Some(1),
            cut,
        );
    }
    let lines = events(&mut test, ["up"], 0);
    assert_eq!(outcomes(&lines)["kafka"], "already_done");
    let proxies = kubectls(&test).iter().filter(|c| is_proxy(c)).count();
    assert!(proxies > 1, "the cut one is given up");
}

#[test]
fn a_read_that_hangs_can_be_interrupted() {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = ready().fault("kubectl", "proxy --raw /apis/kafka.strimzi.io", None, hang);
    test.forget_calls();
    let running = test.args(["up", "-o", "json"]).spawn();
    until(&test, "a read hangs", |test| {
        kubectls(test).iter().any(|c| c.line().contains("get --raw /apis/kafka.strimzi.io"))
    });
    let asked = Instant::now();
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
    assert_eq!(run.json_lines().last().expect("a line")["outcome"], "cancelled");
    assert_eq!(test.leftovers(), []);
}

#[test]
fn a_path_that_is_too_long_for_a_socket_is_not_used() {
    let test = ready();
    let deep = test.home().join("d".repeat(120));
    fs::create_dir_all(&deep).expect("a folder");
    let mut test = test.env("TMPDIR", &deep);
    test.forget_calls();
    kstrim(&mut test, ["up"]).expect(0);
    let calls = kubectls(&test);
    assert!(calls.iter().any(|c| is_proxy(c) && c.exit == Some(1)), "it could listen: {calls:#?}");
    assert!(calls.iter().any(is_read));
}
