//! Every verb that may take long, stopped in its middle: once in order, twice at once, by a closed terminal
//! quietly, by SIGKILL without harm to the next run.

use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::json;

use crate::harness::{Action, Fault, Test};
use crate::support;
use crate::trouble::eventually;

/// A verb, what makes it last, and the call by which it is seen to be in its middle.
struct Verb {
    args: &'static [&'static str],
    hold: fn(&mut Test),
    there: &'static str,
    /// What is told of a run that can be gone on with.
    resumes: Option<&'static str>,
}

fn hangs(test: &mut Test, program: &str, args: &str) {
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let fault = Fault { program: program.into(), args: args.into(), nth: None, action: hang };
    test.rescenario(|s| s.faults.push(fault));
}

const VERBS: [Verb; 9] = [
    Verb {
        args: &["up"],
        hold: |t| {
            t.fake("minikube", ["stop", "-p", "kstrim"]).expect(0);
            hangs(t, "minikube", "start -o json");
        },
        there: "start -o json",
        resumes: Some("kstrim up"),
    },
    Verb {
        args: &["down", "--yes"],
        hold: |t| hangs(t, "minikube", "delete"),
        there: "minikube delete",
        resumes: Some("kstrim down"),
    },
    Verb {
        args: &["smoke-test"],
        hold: |t| t.rescenario(|s| s.broker = json!({"stall_ms": 600_000})),
        there: "port-forward",
        resumes: None,
    },
    Verb { args: &["status", "--watch"], hold: |_| {}, there: "watch=", resumes: None },
    Verb { args: &["logs", "--follow"], hold: |_| {}, there: "--follow", resumes: None },
    Verb { args: &["diagnose"], hold: |t| hangs(t, "kubectl", "logs"), there: "kubectl", resumes: None },
    Verb { args: &["consume", "my-topic"], hold: |_| {}, there: "port-forward", resumes: None },
    Verb {
        args: &["scale", "--brokers", "3"],
        hold: |t| t.rescenario(|s| s.timings.broker_ready = 600_000),
        there: "apply",
        resumes: None,
    },
    Verb {
        args: &["set", "num.network.threads=4"],
        hold: |t| hangs(t, "kubectl", ""),
        there: "kubectl",
        resumes: None,
    },
];

fn calls(test: &Test, part: &str) -> usize {
    test.calls().iter().filter(|c| c.line().contains(part)).count()
}

#[test]
fn every_verb_stops_as_it_is_told() {
    std::thread::scope(|scope| {
        for verb in &VERBS {
            scope.spawn(move || {
                for signals in
                    [&[Signal::INT][..], &[Signal::TERM], &[Signal::HUP], &[Signal::INT, Signal::INT]]
                {
                    stop(verb, signals);
                }
            });
        }
    });
}

fn stop(verb: &Verb, signals: &[Signal]) {
    let mut test = support::ready();
    (verb.hold)(&mut test);
    test.forget_calls();
    let running = test.args(verb.args.iter().copied()).spawn();
    eventually(&format!("{:?} is in its middle", verb.args), || calls(&test, verb.there) > 0);
    // What it does upon a signal is settled a moment after its first child.
    std::thread::sleep(Duration::from_millis(200));
    let asked = Instant::now();
    for signal in signals {
        running.signal(*signal);
        std::thread::sleep(Duration::from_millis(30));
    }
    let run = running.wait();
    let what = format!("{:?} {signals:?}\n{}{}", verb.args, run.stdout, run.stderr);
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?} {what}", asked.elapsed());
    assert!(!run.killed_by_harness && !run.stderr.contains("panicked"), "{what}");
    // A closed terminal may end what has nothing to put in order by its signal.
    assert!([129, 130, 143].contains(&run.code()), "exit {} {what}", run.code());
    if let (Some(hint), [_]) = (verb.resumes, signals) {
        assert!(format!("{}{}", run.stdout, run.stderr).contains(hint), "{what}");
    }
    eventually("no child is left", || test.leftovers().is_empty());
}

#[test]
fn a_verb_that_is_killed_is_in_nobodys_way() {
    for verb in &VERBS[..2] {
        let mut test = support::ready();
        (verb.hold)(&mut test);
        test.forget_calls();
        let running = test.args(verb.args.iter().copied()).spawn();
        eventually("it is in its middle", || calls(&test, verb.there) > 0);
        running.signal(Signal::KILL);
        running.wait();
        eventually("no child is left", || test.leftovers().is_empty());
        test.rescenario(|s| s.faults.clear());
        test.args(["up"]).run().expect(0);
    }
}
