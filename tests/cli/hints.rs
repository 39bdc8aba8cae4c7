//! The commands in hints run as printed, and on the run's cluster. The harness checks every hint of every run of
//! these tests ([`crate::hint_check`]); here read-only commands are also run.

use serde_json::Value;

use crate::harness::{Action, Fault, Test};
use crate::hint_check::{commands_of, one, printed, split};
use crate::support::{failure, fresh, quick};

const FLAGS: [&str; 6] = ["-p", "other", "-n", "team", "-c", "events"];

fn there() -> Test {
    let mut test = fresh().scenario(quick);
    test.args(["up"].into_iter().chain(FLAGS)).run().expect(0);
    test
}

/// Run a command on that cluster and return its output lines.
fn fails(test: &mut Test, verb: &[&str]) -> Vec<Value> {
    let run = test.args(verb.iter().copied().chain(FLAGS).chain(["-o", "json"])).run();
    assert_ne!(run.code(), 0, "{verb:?}: {}", run.stdout);
    run.json_lines()
}

/// The kstrim commands in a failure's hints.
fn commands(lines: &[Value]) -> Vec<String> {
    let hints = lines.last().and_then(|l| l["failure"]["hints"].as_array()).cloned().unwrap_or_default();
    hints.iter().filter_map(Value::as_str).flat_map(commands_of).collect()
}

/// Check that each command uses that cluster explicitly.
fn aimed(verb: &[&str], lines: &[Value]) {
    let found = commands(lines);
    assert!(!found.is_empty(), "the hints of {verb:?} name no command: {:?}", lines.last());
    let target = ["other", "team", "events"].map(str::to_owned);
    for command in found {
        one(&command, &target).unwrap_or_else(|why| panic!("{verb:?}: {command}: {why}"));
    }
}

#[test]
fn the_check_of_hints_finds_mistakes() {
    let target = ["other", "team", "events"].map(str::to_owned);
    let found = commands_of(
        "create it again: kstrim tools remove a && kstrim up --profile other, or run minikube delete",
    );
    assert_eq!(found.len(), 3, "{found:?}");
    for (command, good) in [
        ("kstrim status --profile other --namespace team --cluster events", true),
        ("kstrim status -p other -n team -c=events", true),
        ("kstrim status", false),
        ("kstrim status shows the brokers", false),
        ("kstrim status --profile other --namespace team --cluster events --cluster events", false),
        ("kstrim up --profile another-name --namespace team --cluster events", true),
        ("kstrim consume t --profile other --namespace team", false),
        ("kstrim kubectl -- get pods -n team", false),
        ("minikube addons enable default-storageclass", false),
        ("minikube start -p other", true),
        ("kubectl get crd", false),
        ("kstrim set 'a=b c' --profile other --namespace team --cluster events", true),
        ("kstrim versions", true),
    ] {
        assert_eq!(one(command, &target).is_ok(), good, "{command}: {:?}", one(command, &target));
    }
}

/// Commands that change nothing, and end.
fn only_reads(words: &[String]) -> bool {
    let follows = words.iter().any(|w| ["--watch", "--follow", "-f", "--fix"].contains(&w.as_str()));
    let behind = |n: usize| words.get(n).map(String::as_str).unwrap_or_default();
    let read = match behind(1) {
        "status" | "doctor" | "plan" | "versions" | "render" | "logs" => true,
        "topic" | "user" => ["list", "show", "describe"].contains(&behind(2)),
        "tools" => behind(2) == "list",
        "config" => behind(2) == "show",
        "kubectl" => {
            let verb = words.iter().position(|w| w == "--").map(|at| behind(at + 1));
            verb.is_some_and(|verb| ["get", "describe", "logs"].contains(&verb))
        }
        _ => false,
    };
    read && !follows
}

#[test]
fn commands_that_only_read_run_as_printed() {
    let mut test = there();
    let kubectl = |test: &mut Test, args: &[&str]| {
        let args = ["kubectl"].into_iter().chain(FLAGS).chain(["--"]).chain(args.iter().copied());
        test.args(args).run().expect(0);
    };
    let user = |name: &str, spec: Value| {
        let metadata = serde_json::json!({"name": name, "labels": {"strimzi.io/cluster": "events"}});
        serde_json::json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": metadata, "spec": spec})
    };
    let file = test
        .write("user.json", user("app", serde_json::json!({"authentication": {"type": "tls"}})).to_string());
    let file = file.display().to_string();
    kubectl(&mut test, &["apply", "-n", "team", "-f", &file]);
    let mut ran = Vec::new();
    for verb in [
        &["topic", "describe", "nothing-like-it"][..],
        &["user", "show", "nobody-like-it"],
        &["produce", "nothing", "--quiet"],
        &["consume", "nothing"],
        &["consume", "my-topic", "--offset", "99"],
        &["user", "create", "app", "--authentication", "scram"],
        &["topic", "create", "my-topic", "--partitions", "7"],
        &["scale", "--brokers", "0"],
        &["set", "node.id=7"],
        &["set", "no.such.thing=7"],
        &["smoke-test", "--topic", "nothing"],
        &["tools", "remove", "kubectl@9.9.9"],
        &["doctor"],
    ] {
        let run = test.args(verb.iter().copied().chain(FLAGS)).run();
        for command in printed(&run).iter().flat_map(|hint| commands_of(hint)) {
            let words = split(&command);
            if words[0] == "kstrim" && only_reads(&words) && !ran.contains(&command) {
                let again = test.args(words[1..].iter().cloned()).run();
                // What is wrong may still be wrong; the command itself is valid.
                assert!(![2, 3].contains(&again.code()), "{verb:?}: {command}: {}", again.stderr);
                ran.push(command);
            }
        }
    }
    assert!(ran.len() >= 5, "{ran:?}");
}

#[test]
fn flags_that_name_a_default_are_repeated() {
    let mut test = fresh().scenario(quick);
    test.args(["up"]).run().expect(0);
    // A settings file may name another cluster; the run used this one.
    let run = test.args(["consume", "nothing", "-p", "kstrim", "-n", "kafka"]).run().expect(2);
    assert!(run.stderr.contains("kstrim topic list --profile kstrim --namespace kafka\n"), "{}", run.stderr);
}

#[test]
fn a_command_is_repeated_with_all_its_flags() {
    let mut test = fresh().scenario(quick);
    let file = test.work().join("kstrim.yaml");
    std::fs::write(&file, "stock: true\n").expect("a file");
    let run = test.args(["config", "init"]).run().expect(5);
    assert!(run.stderr.contains("kstrim config init --force"), "{}", run.stderr);
    let run = test.args(["config", "init", "--user"]).run().expect(0);
    let again = test.args(["config", "init", "--user"]).run().expect(5);
    assert!(again.stderr.contains("kstrim config init --user --force"), "{}{}", run.stdout, again.stderr);
}

#[test]
fn commands_in_hints_parse_and_select_the_cluster_of_the_run() {
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
    // Another namespace of the same profile: the same flags, except the changed one.
    let run = test.args(["up", "-p", "other", "-n", "else", "-c", "events", "-o", "json"]).run().expect(5);
    let found = commands(&run.json_lines());
    for wanted in [
        "kstrim up -p other -c events -o json --namespace team",
        "kstrim up -n else -c events -o json --profile another-name",
    ] {
        assert!(found.iter().any(|command| command == wanted), "{wanted}: {found:?}");
    }
}

#[test]
fn the_hint_to_delete_old_volumes_names_their_namespace() {
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
fn a_run_that_can_continue_is_repeated_with_its_flags() {
    let mut test = there();
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let fault = Fault { program: "minikube".into(), args: "delete".into(), nth: None, action: hang };
    test.change_scenario(|s| s.faults.push(fault));
    let verb = ["down", "--yes", "--timeout", "2s"];
    let lines = fails(&mut test, &verb);
    aimed(&verb, &lines);
    let again = format!("kstrim {} {} -o json", verb.join(" "), FLAGS.join(" "));
    assert!(commands(&lines).contains(&again), "{:?}", lines.last());
}
