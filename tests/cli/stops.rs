//! Every command that may take long, stopped midway: cleanly after one signal, immediately after two, silently if the
//! terminal is closed, and without consequences for the next run after SIGKILL.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Action, Fault, Test};
use crate::support;
use crate::trouble::eventually;

/// A command, what makes it last, and the call that shows that it is midway.
struct Verb {
    args: &'static [&'static str],
    hold: fn(&mut Test),
    there: &'static str,
    /// The message of a run that can be continued.
    resumes: Option<&'static str>,
    /// How it is stopped, each time in a separate world.
    stops: &'static [&'static [Signal]],
}

/// All of them: Ctrl-C, SIGTERM, a terminal that is closed, Ctrl-C twice.
const ALL: &[&[Signal]] = &[&[Signal::INT], &[Signal::TERM], &[Signal::HUP], &[Signal::INT, Signal::INT]];
/// For commands that stop with the same code as another one in the list.
const SOME: &[&[Signal]] = &[&[Signal::TERM], &[Signal::INT, Signal::INT]];

fn hangs(test: &mut Test, program: &str, args: &str) {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let fault = Fault { program: program.into(), args: args.into(), nth: None, action: hang };
    test.change_scenario(|s| s.faults.push(fault));
}

const CREATE_TOPIC: &str = "create --raw /apis/kafka.strimzi.io/v1/namespaces/kafka/kafkatopics";
const CREATE_POOL: &str = "create --raw /apis/kafka.strimzi.io/v1/namespaces/kafka/kafkanodepools";

const VERBS: [Verb; 14] = [
    Verb {
        args: &["up"],
        hold: |t| {
            t.fake("minikube", ["stop", "-p", "kstrim"]).expect(0);
            hangs(t, "minikube", "start -o json");
        },
        there: "start -o json",
        resumes: Some("kstrim up"),
        stops: ALL,
    },
    Verb {
        args: &["down", "--yes"],
        hold: |t| hangs(t, "minikube", "delete"),
        there: "minikube delete",
        resumes: Some("kstrim down"),
        stops: ALL,
    },
    Verb {
        args: &["smoke-test"],
        hold: |t| t.change_scenario(|s| s.broker = json!({"stall_ms": 600_000})),
        there: "port-forward",
        resumes: None,
        stops: ALL,
    },
    verb(&["status", "--watch"], |_| {}, "watch=", ALL),
    verb(&["logs", "--follow"], |_| {}, "--follow", ALL),
    verb(&["diagnose"], |t| hangs(t, "kubectl", "logs"), "kubectl", ALL),
    verb(&["consume", "my-topic"], |_| {}, "port-forward", ALL),
    verb(
        &["produce", "my-topic"],
        |t| t.change_scenario(|s| s.broker = json!({"stall_ms": 600_000})),
        "port-forward",
        ALL,
    ),
    verb(&["connect"], |t| hangs(t, "kubectl", ""), "kubectl", ALL),
    verb(&["doctor"], |t| hangs(t, "kubectl", "get"), "kubectl", SOME),
    verb(&["upgrade", "--release", "1.2.0", "--yes"], |t| hangs(t, "kubectl", ""), "kubectl", SOME),
    verb(&["topic", "create", "other"], |t| hangs(t, "kubectl", CREATE_TOPIC), CREATE_TOPIC, SOME),
    Verb {
        args: &["scale", "--brokers", "3"],
        hold: |t| t.change_scenario(|s| s.timings.broker_ready = 600_000),
        // The first pool's nodes are controllers too: the new brokers get a pool of their own.
        there: CREATE_POOL,
        resumes: None,
        stops: ALL,
    },
    Verb {
        args: &["set", "num.network.threads=4", "--yes"],
        hold: |t| hangs(t, "kubectl", ""),
        there: "kubectl",
        resumes: None,
        stops: ALL,
    },
];

const fn verb(
    args: &'static [&'static str],
    hold: fn(&mut Test),
    there: &'static str,
    stops: &'static [&'static [Signal]],
) -> Verb {
    Verb { args, hold, there, resumes: None, stops }
}

fn calls(test: &Test, part: &str) -> usize {
    test.calls().iter().filter(|c| c.line().contains(part)).count()
}

#[test]
fn every_command_stops_after_a_signal() {
    let base = &support::ready();
    std::thread::scope(|scope| {
        for verb in &VERBS {
            scope.spawn(move || {
                for signals in verb.stops {
                    stop(verb, signals, base.fork());
                }
            });
        }
    });
}

fn stop(verb: &Verb, signals: &[Signal], mut test: Test) {
    (verb.hold)(&mut test);
    test.forget_calls();
    let began = Instant::now();
    let running = test.args(verb.args.iter().copied()).spawn();
    eventually(&format!("{:?} is in its middle", verb.args), || calls(&test, verb.there) > 0);
    // Its signal handlers are installed a moment after its first child starts.
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    for signal in signals {
        running.signal(*signal);
        std::thread::sleep(Duration::from_millis(30));
    }
    let run = running.wait();
    let what = format!("{:?} {signals:?}\n{}{}", verb.args, run.stdout, run.stderr);
    println!(
        "{:?} {signals:?}: there after {:?}, ended {:?} later",
        verb.args,
        asked - began,
        asked.elapsed()
    );
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?} {what}", asked.elapsed());
    assert!(!run.killed_by_harness && !run.stderr.contains("panicked"), "{what}");
    // A closed terminal may end a command that needs no clean-up with its signal.
    assert!([129, 130, 143].contains(&run.code()), "exit {} {what}", run.code());
    if let (Some(hint), [_]) = (verb.resumes, signals) {
        assert!(format!("{}{}", run.stdout, run.stderr).contains(hint), "{what}");
    }
    eventually("no child is left", || test.leftovers().is_empty());
}

#[test]
fn a_killed_command_does_not_block_the_next_run() {
    let base = support::ready();
    for verb in &VERBS[..2] {
        let mut test = base.fork();
        (verb.hold)(&mut test);
        test.forget_calls();
        let running = test.args(verb.args.iter().copied()).spawn();
        eventually("it is in its middle", || calls(&test, verb.there) > 0);
        running.signal(Signal::KILL);
        running.wait();
        eventually("no child is left", || test.leftovers().is_empty());
        test.change_scenario(|s| s.faults.clear());
        test.args(["up"]).run().expect(0);
    }
}

/// Commands of which one line is read (or nothing yet) before the reader exits, as with `| head -1`.
#[test]
fn a_closed_pipe_ends_every_stream_silently() {
    let streams: [(&[&str], &str, bool); 7] = [
        (&["status", "--watch"], "watch=", true),
        (&["status", "--watch", "-o", "json"], "watch=", true),
        (&["logs", "--follow"], "--follow", false),
        (&["logs"], "logs", false),
        (&["consume", "my-topic"], "port-forward", false),
        (&["consume", "my-topic", "--from-beginning"], "port-forward", true),
        (&["doctor", "--offline"], "kubectl", false),
    ];
    let base = &support::ready();
    std::thread::scope(|scope| {
        for (args, there, line) in streams {
            scope.spawn(move || goes_away(args, there, line, base.fork()));
        }
    });
}

fn goes_away(args: &[&str], there: &str, line: bool, mut test: Test) {
    if args.contains(&"--from-beginning") {
        test.args(["produce", "my-topic"]).stdin("one\ntwo\n").run().expect(0);
        test.stdin("");
    }
    test.forget_calls();
    let mut command = test.args(args.iter().copied()).kstrim();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut reader = BufReader::new(child.stdout.take().expect("a pipe"));
    let (first, read) = std::sync::mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        if line {
            let _ = reader.read_line(&mut text);
        }
        let _ = first.send(text);
        reader
    });
    if line && read.recv_timeout(Duration::from_secs(15)).unwrap_or_default().is_empty() {
        let _ = child.kill();
        panic!("{args:?} says nothing");
    }
    eventually(&format!("{args:?} is in its middle"), || calls(&test, there) > 0);
    drop(reading.join().expect("it reads"));
    let since = Instant::now();
    while child.try_wait().expect("a child").is_none() {
        assert!(since.elapsed() < Duration::from_secs(15), "{args:?} goes on for nobody");
        std::thread::sleep(Duration::from_millis(20));
    }
    let output = child.wait_with_output().expect("it ended");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{args:?}: {stderr}");
    assert!(!stderr.contains("panicked") && !stderr.contains("ipe"), "{args:?}: {stderr}");
    eventually("no child is left", || test.leftovers().is_empty());
}

/// Records are produced whether or not the messages about them are read.
#[test]
fn a_producer_without_a_reader_writes_everything() {
    let mut test = support::ready();
    let mut child = test
        .args(["produce", "my-topic"])
        .kstrim()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop((child.stdout.take(), child.stderr.take()));
    std::io::Write::write_all(&mut child.stdin.take().expect("stdin"), b"one\ntwo\n").expect("read");
    assert_eq!(child.wait().expect("it ends").code(), Some(0));
    let run = test.args(["consume", "my-topic", "--from-beginning", "--idle", "1s"]).run().expect(0);
    assert!(run.stdout.contains("one\n") && run.stdout.contains("two\n"), "{}", run.stdout);
}
