//! The commands in a failure's hints run as printed, and on the cluster that the failed run was about.

use clap::Parser;
use kstrim::cli::Cli;
use serde_json::Value;

use crate::harness::{Action, Fault, Test};
use crate::support::{failure, fresh, quick};

const FLAGS: [&str; 6] = ["-p", "other", "-n", "team", "-c", "events"];
/// Verbs that do not use a cluster.
const ANYWHERE: [&str; 6] = ["versions", "tools", "bundle", "config", "trust", "completions"];

fn there() -> Test {
    let mut test = fresh().scenario(quick);
    test.args(["up"].into_iter().chain(FLAGS)).run().expect(0);
    test
}

/// Run a verb on that cluster and return its output lines.
fn fails(test: &mut Test, verb: &[&str]) -> Vec<Value> {
    let run = test.args(verb.iter().copied().chain(FLAGS).chain(["-o", "json"])).run();
    assert_ne!(run.code(), 0, "{verb:?}: {}", run.stdout);
    run.json_lines()
}

/// The kstrim commands in a failure's hints.
fn commands(lines: &[Value]) -> Vec<String> {
    let hints = lines.last().and_then(|l| l["failure"]["hints"].as_array()).cloned().unwrap_or_default();
    let mut found = Vec::new();
    for hint in &hints {
        let hint = hint.as_str().unwrap_or_default();
        for (at, _) in hint.match_indices("kstrim ") {
            let tail = &hint[at..];
            let end = tail.find(['`', '\n']).or_else(|| tail.find("   (")).unwrap_or(tail.len());
            found.push(tail[..end].to_owned());
        }
    }
    found
}

/// Check that each command parses and is about that cluster.
fn aimed(verb: &[&str], lines: &[Value]) {
    let found = commands(lines);
    assert!(!found.is_empty(), "the hints of {verb:?} name no command: {:?}", lines.last());
    for command in found {
        let words: Vec<&str> = command.split_whitespace().collect();
        let cli = Cli::try_parse_from(&words).unwrap_or_else(|e| panic!("{verb:?}: {command}: {e}"));
        if ANYWHERE.contains(&words[1]) {
            continue;
        }
        let target =
            [cli.global.profile.as_str(), cli.global.namespace.as_str(), cli.global.cluster.as_str()];
        assert_eq!(target, ["other", "team", "events"], "{verb:?}: {command}");
    }
}

#[test]
fn commands_in_hints_parse_and_aim_at_the_cluster_of_the_run() {
    let mut test = there();
    for (verb, id) in [
        (&["down"][..], "KS-CONSENT"),
        (&["down", "--keep-data"], "KS-CONSENT"),
        (&["topic", "delete", "my-topic"], "KS-CONSENT"),
    ] {
        let lines = fails(&mut test, verb);
        assert_eq!(failure(&lines), id, "{verb:?}");
        aimed(verb, &lines);
    }
    // Another namespace of the same profile: the same flags, except the one that is changed.
    let run = test.args(["up", "-p", "other", "-n", "else", "-c", "events", "-o", "json"]).run().expect(5);
    let found = commands(&run.json_lines());
    for wanted in [
        "kstrim up --namespace team --profile other --cluster events",
        "kstrim up --profile ANOTHER-NAME --namespace else --cluster events",
    ] {
        assert!(found.iter().any(|command| command == wanted), "{wanted}: {found:?}");
    }
}

#[test]
fn the_old_volumes_are_deleted_where_they_are() {
    let mut test = there();
    for what in ["kafka/events", "kafkanodepool/dual-role"] {
        let args = ["delete", what, "-n", "team", "--wait=false"];
        test.args(["kubectl"].into_iter().chain(FLAGS).chain(["--"]).chain(args)).run().expect(0);
    }
    let lines = fails(&mut test, &["up"]);
    assert_eq!(failure(&lines), "KS-OLD-VOLUMES");
    aimed(&["up"], &lines);
}

#[test]
fn a_run_that_can_go_on_is_repeated_as_it_was_given() {
    let mut test = there();
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let fault = Fault { program: "minikube".into(), args: "delete".into(), nth: None, action: hang };
    test.rescenario(|s| s.faults.push(fault));
    let verb = ["down", "--yes", "--timeout", "2s"];
    let lines = fails(&mut test, &verb);
    aimed(&verb, &lines);
    let again = format!("kstrim {} {} -o json", verb.join(" "), FLAGS.join(" "));
    assert!(commands(&lines).contains(&again), "{:?}", lines.last());
}
