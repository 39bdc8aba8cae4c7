//! Runs every command once and expects success. CI also runs this against the release build (`KSTRIM_TEST_BINARY`),
//! which can behave differently from the debug build.

use std::collections::BTreeSet;

use clap::{Command, CommandFactory};

use crate::bundle;
use crate::harness::Test;
use crate::mirror::Mirror;
use crate::support::{fresh, quick};

/// A verb such as `topic create`, its arguments, its stdin, and a part of what it must print on stdout, or on stderr if
/// stdout is empty.
struct Row {
    verb: &'static str,
    args: &'static [&'static str],
    stdin: &'static str,
    prints: &'static str,
}

const fn row(verb: &'static str, args: &'static [&'static str], prints: &'static str) -> Row {
    Row { verb, args, stdin: "", prints }
}

/// In the order in which they run, all in one world.
const ROWS: &[Row] = &[
    row("config show", &["--origins"], "no-diagnose"),
    row("config show", &["-o", "json"], "\"key\": \"no-diagnose\""),
    row("config init", &[], "kstrim.yaml"),
    row("trust", &["kstrim.yaml"], "kstrim.yaml"),
    row("config schema", &[], "\"title\": \"kstrim.yaml\""),
    row("explain", &["KS-IMAGE-PULL"], "KS-IMAGE-PULL: "),
    row("versions", &[], "4.3.1"),
    row("versions resolve", &["--kafka", "4.3.1"], "1.2.0"),
    row("completions", &["bash"], "complete -F"),
    row("render", &["--only", "kafka"], "kind: KafkaNodePool"),
    row("tools install", &["--mirror", "mirror"], "kubectl"),
    row("tools list", &[], "minikube"),
    row("tools remove", &["--all"], "minikube"),
    row("plan", &[], "needed"),
    row("up", &["-o", "json"], "run_finished"),
    row("smoke-test", &["--messages", "3"], "3 of 3 messages"),
    row("status", &[], "my-cluster"),
    row("doctor", &["--offline", "--minikube-arg=--force"], "ok"),
    row("logs", &["--tail", "5"], "operator"),
    row("kubectl", &["--", "get", "pods", "-n", "kafka"], "my-cluster-dual-role-0"),
    row("env", &[], "export KUBECONFIG="),
    row("topic create", &["orders", "--partitions", "2"], "orders"),
    row("topic list", &[], "orders"),
    row("topic describe", &["orders"], "orders"),
    Row { verb: "produce", args: &["orders", "-o", "json"], stdin: "hello\n", prints: "\"messages\":1" },
    row("consume", &["orders", "--from-beginning", "-m", "1", "--timeout", "20s"], "hello"),
    row("topic delete", &["orders", "--yes"], "orders"),
    row("user create", &["app", "--prepare-kafka", "--yes"], "app"),
    row("user list", &[], "app"),
    row("user show", &["app"], "CN=app"),
    row("user delete", &["app", "--yes"], "app"),
    row("set", &["log.retention.hours=24", "--yes"], "log.retention.hours"),
    row("scale", &["--brokers", "2"], "2"),
    row("add", &["exporter"], "exporter"),
    row("remove", &["exporter", "--yes"], "exporter"),
    row("connect", &["--check", "--yes"], "127.0.0.1:"),
    row(
        "run",
        &["--topic", "orders:2", "--isolate", "--", "/bin/sh", "-c", "echo $KSTRIM_TOPIC_ORDERS"],
        "-orders",
    ),
    Row { verb: "diff", args: &["-f", "-"], stdin: MY_TOPIC, prints: "no differences" },
    row("upgrade", &["--release", "1.2.0", "--dry-run"], "Nothing to do"),
    row("bundle create", BUNDLE, "kafka.bundle"),
    row("bundle inspect", &["kafka.bundle"], "quay.io/strimzi/kafka"),
    row("bundle verify", &["kafka.bundle"], "All 3 entries"),
    row("diagnose", &["--file", "evidence.tar.gz"], "evidence.tar.gz"),
    row("pause", &[], "is paused"),
    row("unpause", &[], "messages verified"),
    row("snapshot save", &["seeded"], "messages verified"),
    row("snapshot list", &[], "seeded"),
    row("snapshot restore", &["seeded", "--yes"], "messages verified"),
    row("snapshot delete", &["seeded"], "seeded.snapshot"),
    row("stop", &[], "is stopped"),
    row("start", &[], "messages verified"),
    row("down", &["--yes"], "kstrim"),
];

/// The topic of `up`, as a user would write it.
const MY_TOPIC: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: my-topic, labels: {strimzi.io/cluster: my-cluster}}
spec: {partitions: 1, replicas: 1}
";

const BUNDLE: &[&str] =
    &["-o", "kafka.bundle", "--image-archive", "operator.tar", "--image-archive", "kafka.tar"];

#[test]
fn each_command_succeeds() {
    let test = fresh().scenario(quick);
    let mirror = Mirror::new(&test);
    mirror.tool(&test, "minikube", "1.38.1");
    mirror.tool(&test, "kubectl", "1.35.1");
    let mut test = test.env("KSTRIM_TOOL_DIGESTS", mirror.digests());
    bundle::archives(&test);
    for row in ROWS {
        run(&mut test, row);
    }
    assert_eq!(test.leftovers(), []);
}

fn run(test: &mut Test, row: &Row) {
    test.stdin(row.stdin);
    let run = test.args(row.verb.split(' ').chain(row.args.iter().copied())).run();
    let all =
        format!("kstrim {} {:?}\n--- stdout\n{}\n--- stderr\n{}", row.verb, row.args, run.stdout, run.stderr);
    assert_eq!(run.code(), 0, "{all}");
    let printed = if run.stdout.is_empty() { &run.stderr } else { &run.stdout };
    assert!(printed.contains(row.prints), "no {:?} in {all}", row.prints);
}

/// The verbs that can run: `topic create`, and `versions`, whose own verbs are optional.
fn leaves(command: &Command, before: &str, into: &mut BTreeSet<String>) {
    for verb in command.get_subcommands() {
        let name = format!("{before}{}", verb.get_name());
        if !verb.is_subcommand_required_set() {
            into.insert(name.clone());
        }
        leaves(verb, &format!("{name} "), into);
    }
}

#[test]
fn no_command_is_missing() {
    let mut all = BTreeSet::new();
    leaves(&kstrim::internals::cli::Cli::command(), "", &mut all);
    assert!(all.len() > 35 && all.contains("topic create"), "{all:?}");
    let rows: BTreeSet<String> = ROWS.iter().map(|row| row.verb.to_owned()).collect();
    assert_eq!(rows, all, "the verbs of ROWS and those of the command line");
}

/// CI's run against the release build includes this module, and every module that it names exists.
#[test]
fn ci_runs_every_command_against_the_release_build() {
    let script = include_str!("../../.ci/run");
    let list = script.split("release_modules=(").nth(1).and_then(|rest| rest.split(')').next());
    let list: Vec<&str> = list.expect("a list of modules in .ci/run").split_whitespace().collect();
    assert!(list.contains(&"verbs"), "{list:?}");
    let modules = include_str!("main.rs");
    for module in list {
        assert!(modules.contains(&format!("mod {module};")), "there is no module {module}");
    }
}
