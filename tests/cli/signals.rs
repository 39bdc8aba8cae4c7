//! Signals and closed streams: a run ends cleanly, or continues, and always reports what happened.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::Value;

use crate::harness::{Action, Run, Test};
use crate::trouble::{clean, eventually, finished, ready, surroundings, up_succeeds};

fn hang(stubborn: bool) -> Action {
    Action::Hang { stdout: String::new(), stubborn }
}

/// Whether a stand-in was called with this part of a command line.
fn called(test: &Test, part: &str) -> bool {
    test.calls().iter().any(|c| c.line().contains(part))
}

/// The journal is valid JSON.
#[track_caller]
fn journal(test: &Test) -> Value {
    let path = test.home().join(".local/state/kstrim/profiles/kstrim/journal.json");
    let text = std::fs::read_to_string(path).expect("a journal");
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// Start these arguments, wait until `there`, send the signal and check that it ends cleanly.
#[track_caller]
fn stopped(test: &mut Test, args: &[&str], signal: Signal, there: impl Fn(&Test) -> bool) -> Run {
    let running = test.args(args.iter().copied()).spawn();
    eventually("the run is where it is to be stopped", || there(test));
    let asked = Instant::now();
    running.signal(signal);
    let run = running.wait().expect(if signal == Signal::INT { 130 } else { 143 });
    let took = asked.elapsed();
    assert!(took < Duration::from_secs(4), "it took {took:?} to stop\n{}{}", run.stdout, run.stderr);
    clean(test, &run);
    run
}

#[track_caller]
fn it_prints_how_to_continue(run: &Run, verb: &str) {
    let last = finished(run);
    assert_eq!((&last["outcome"], &last["failure"]["id"]), (&"cancelled".into(), &"KS-INTERRUPTED".into()));
    assert!(last["failure"]["hints"].to_string().contains(&format!("kstrim {verb}")), "{last}");
}

#[test]
fn during_minikube_start() {
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let mut test = surroundings().fault("minikube", "start -o json", Some(1), hang(false));
        let run = stopped(&mut test, &["up", "-o", "json"], signal, |t| called(t, "start -o json"));
        it_prints_how_to_continue(&run, "up");
        assert_eq!(journal(&test)["profile_is_ours"], false, "nothing was made yet");
        test.change_scenario(|s| s.faults.clear());
        up_succeeds(&mut test, &[]);
    }
}

#[test]
fn during_the_wait_for_a_broker() {
    let mut test = surroundings().scenario(|s| s.timings.broker_ready = 5_000);
    let run = stopped(&mut test, &["up", "-o", "json"], Signal::INT, |t| {
        t.object("kstrim", "pods/kafka/my-cluster-dual-role-0").is_object()
    });
    it_prints_how_to_continue(&run, "up");
    assert!(journal(&test)["tasks"]["kafka"]["started"].is_string(), "{}", journal(&test));
    up_succeeds(&mut test, &[]);
}

#[test]
fn during_the_smoke_test() {
    let mut test = surroundings().scenario(|s| s.broker = serde_json::json!({"stall_ms": 600_000}));
    let run = stopped(&mut test, &["up", "-o", "json"], Signal::INT, |t| called(t, "port-forward"));
    it_prints_how_to_continue(&run, "up");
    let run = stopped(&mut test, &["smoke-test", "-o", "json"], Signal::TERM, |t| {
        t.calls().iter().filter(|c| c.line().contains("port-forward")).count() > 1
    });
    assert_eq!(finished(&run)["exit_code"], 143);
    test.change_scenario(|s| s.broker = Value::Null);
    up_succeeds(&mut test, &[]);
}

#[test]
fn during_down() {
    let mut test = ready().fault("minikube", "delete", Some(1), hang(false));
    let run =
        stopped(&mut test, &["down", "--yes", "-o", "json"], Signal::INT, |t| called(t, "minikube delete"));
    it_prints_how_to_continue(&run, "down");
    test.change_scenario(|s| s.faults.clear());
    test.args(["down", "--yes"]).run().expect(0);
    assert!(test.profile("kstrim").is_null());
}

#[test]
fn a_child_that_does_not_stop_is_killed() {
    let mut test = surroundings().fault("minikube", "start -o json", Some(1), hang(true));
    let running = test.args(["up", "-o", "json"]).spawn();
    eventually("minikube start runs", || called(&test, "start -o json"));
    // Its own signal handlers are installed a moment later.
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::TERM);
    let run = running.wait().expect(143);
    assert!(run.took < Duration::from_secs(20), "{:?}", run.took);
    clean(&test, &run);
}

#[test]
fn the_second_ctrl_c_stops_immediately() {
    let mut test = surroundings().fault("minikube", "start -o json", Some(1), hang(true));
    let running = test.args(["up"]).spawn();
    eventually("minikube start runs", || called(&test, "start -o json"));
    std::thread::sleep(Duration::from_millis(300));
    running.signal(Signal::INT);
    std::thread::sleep(Duration::from_millis(300));
    let asked = Instant::now();
    running.signal(Signal::INT);
    let run = running.wait().expect(130);
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(run.stderr.contains("press Ctrl-C again"), "{}", run.stderr);
    clean(&test, &run);
    test.change_scenario(|s| s.faults.clear());
    up_succeeds(&mut test, &[]);
}

#[test]
fn a_closed_pipe_does_not_stop_the_run() {
    let mut test = surroundings();
    for args in [&["up", "-o", "json"][..], &["up", "-v"], &["render"], &["plan"], &["status"], &["versions"]]
    {
        test.args(args.iter().copied());
        for closed in ["stdout", "stderr"] {
            let mut child = test
                .kstrim()
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .expect("starts");
            if closed == "stdout" {
                drop(child.stdout.take());
            } else {
                drop(child.stderr.take());
            }
            let output = child.wait_with_output().expect("ends");
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{args:?} with closed {closed}: {stderr}");
            assert!(!stderr.contains("panicked") && !stderr.contains("ipe"), "{args:?}: {stderr}");
        }
    }
    assert!(test.object("kstrim", "kafkas.kafka.strimzi.io/kafka/my-cluster").is_object());
}

#[test]
fn closed_streams_do_not_stop_the_run() {
    let mut test = surroundings();
    let kstrim = test.args(["up", "-o", "json"]).kstrim();
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "exec \"$0\" \"$@\" <&- >&- 2>&-"]).arg(kstrim.get_program()).args(kstrim.get_args());
    shell.env_clear().current_dir(test.work());
    shell.envs(kstrim.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert_eq!(shell.status().expect("it runs").code(), Some(0));
    assert!(test.object("kstrim", "kafkas.kafka.strimzi.io/kafka/my-cluster").is_object());
}
