//! Every command of kstrim that changes something, with every flag that makes it change more.

use proptest::prelude::*;

use crate::places::Base;

/// A command line, and the names in it.
#[derive(Debug, Clone)]
pub struct Verb {
    /// Without the flags that say which cluster and namespace.
    pub args: Vec<String>,
    /// stdin.
    pub stdin: &'static str,
    /// The name of a topic or user that the user wants to delete.
    pub named: Option<String>,
    /// `--adopt`: objects with the names of ours are ours from now on.
    pub adopts: bool,
}

const TOPICS: [&str; 5] = ["my-topic", "orders", "claimed", "theirs", "new-topic"];
const USERS: [&str; 3] = ["app", "theirs", "new-user"];
const COMPONENTS: [&str; 4] = ["bridge", "exporter", "connect", "mirror-maker"];

/// The manifests for `up -f`.
const FILES: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: theirs, labels: {strimzi.io/cluster: my-cluster}}
spec: {partitions: 1, replicas: 1}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: theirs}
data: {a: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: new-config}
data: {a: b}
";

fn verb(words: &str) -> Verb {
    Verb {
        args: words.split_whitespace().map(str::to_owned).collect(),
        stdin: "",
        named: None,
        adopts: words.contains("--adopt"),
    }
}

/// Words with one of several names in place of `{}`.
fn with(words: &'static str, names: &'static [&'static str]) -> BoxedStrategy<Verb> {
    prop::sample::select(names).prop_map(move |name| verb(&words.replace("{}", name))).boxed()
}

fn one_of(words: &'static [&'static str]) -> BoxedStrategy<Verb> {
    prop::sample::select(words).prop_map(verb).boxed()
}

/// Commands that delete an object by name.
fn deletes(words: &'static str, names: &'static [&'static str]) -> BoxedStrategy<Verb> {
    let named = move |name: &'static str| {
        let mut verb = verb(&words.replace("{}", name));
        verb.named = Some(name.to_owned());
        verb
    };
    prop::sample::select(names).prop_map(named).boxed()
}

/// Commands on a running cluster.
pub fn on_running_cluster() -> BoxedStrategy<Verb> {
    let lines = with("produce {}", &TOPICS).prop_map(|mut verb| {
        verb.stdin = "one\ntwo\n";
        verb
    });
    prop_oneof![
        3 => with("smoke-test --topic {} --timeout 15s", &TOPICS),
        1 => with("smoke-test --topic {} --keep --timeout 15s", &TOPICS),
        2 => with("topic create {} --timeout 5s", &TOPICS),
        2 => with("topic create {} --partitions 4 --config retention.ms=60000 --timeout 5s", &TOPICS),
        2 => deletes("topic delete {} --yes --timeout 5s", &TOPICS),
        2 => with("user create {} --timeout 5s", &USERS),
        1 => with("user create {} --authentication scram --prepare-kafka --yes --timeout 15s", &USERS),
        2 => deletes("user delete {} --yes --timeout 5s", &USERS),
        2 => one_of(&["scale --brokers 1 --yes --timeout 15s", "scale --brokers 2 --timeout 15s", "scale --brokers 2 --adopt --timeout 15s"]),
        2 => one_of(&["set num.partitions=3 --yes --timeout 15s", "set --unset num.partitions --yes --timeout 15s", "set log.retention.hours=5 --yes --adopt --timeout 15s"]),
        1 => with("add {} --yes --timeout 10s", &COMPONENTS),
        1 => with("add mirror-maker --topic {} --timeout 10s", &TOPICS),
        2 => with("remove {} --yes --timeout 10s", &COMPONENTS),
        2 => one_of(&["connect --check --yes --timeout 15s", "connect --remove --yes --timeout 15s", "connect --check --adopt --yes --timeout 15s"]),
        2 => one_of(&["run --yes --topic orders --isolate --timeout 20s -- /bin/true", "run --yes --topic claimed --timeout 20s -- /bin/true"]),
        2 => one_of(&["doctor --fix --yes", "doctor --fix --yes --smoke"]),
        1 => lines,
        1 => with("consume {} --from-beginning --idle 300ms", &TOPICS),
        1 => one_of(&["upgrade --release 1.2.0 --yes --timeout 20s"]),
        // Without consent, nothing of others stops.
        1 => one_of(&["stop", "pause", "start --timeout 30s", "unpause --timeout 30s"]),
    ]
    .boxed()
}

/// Commands that create the cluster.
pub fn up() -> BoxedStrategy<Verb> {
    prop_oneof![
        3 => one_of(&["up --yes --preset single --timeout 20s", "up --adopt --yes --preset single --timeout 20s", "up --yes --preset ephemeral --timeout 20s", "up --yes --preset single --with bridge --timeout 20s"]),
        2 => with("up --yes --preset single --topic {} --timeout 20s", &TOPICS),
        2 => one_of(&["up --yes --preset single --timeout 20s -f -", "up --yes --preset single --timeout 20s -f - --prune"]).prop_map(|mut verb| {
            // Also with the names of foreign objects: a topic and a ConfigMap that exist.
            verb.stdin = FILES;
            verb
        }),
    ]
    .boxed()
}

/// Commands that delete the cluster.
pub fn down(base: Base) -> BoxedStrategy<Verb> {
    // `down` of a profile that kstrim created deletes everything in it, as the prompt says: it is left out here.
    let all: &'static [&'static str] = match base {
        Base::Profile => &["down --keep-cluster --yes --timeout 20s", "down --keep-data --yes --timeout 20s"],
        _ => &[
            "down --yes --timeout 20s",
            "down --keep-cluster --yes --timeout 20s",
            "down --keep-data --yes --timeout 20s",
        ],
    };
    one_of(all)
}

/// The same, sometimes with a mistake in the target.
pub fn with_wrong_target(verb: BoxedStrategy<Verb>) -> BoxedStrategy<Verb> {
    let flags = prop::sample::select(&["", "", "", "-n theirs", "-n default", "-c other", "-n kafka2"][..]);
    (verb, flags)
        .prop_map(|(mut verb, flags)| {
            let end = verb.args.iter().position(|word| word == "--").unwrap_or(verb.args.len());
            verb.args.splice(end..end, flags.split_whitespace().map(str::to_owned));
            verb
        })
        .boxed()
}
