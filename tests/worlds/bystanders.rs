//! The property: whatever is run, objects that are not kstrim's stay the same byte for byte, and topics that kstrim
//! did not create keep their messages. A verb that refuses fulfils it too.
//!
//! `PROPTEST_CASES=500 cargo test --test worlds` runs for longer. `KSTRIM_WORLDS_REPORT=FILE` appends every run, and
//! every violation, to a file and continues, instead of shrinking the first one.

use std::io::Write;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};

use crate::foreign::{self, Foreign, Situation};
use crate::harness::Test;
use crate::places::{self, Base};
use crate::verbs::{self, Verb};

/// Cases of each test by default. They run in parallel, and take a second each.
const CASES: u32 = 6;

/// Exit codes of docs/exit-codes.md that a run without a signal may end with.
const CODES: [i32; 8] = [0, 1, 2, 3, 4, 5, 6, 7];

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    // Each step of shrinking is a whole run.
    Config { cases, max_shrink_iters: 12, failure_persistence: None, ..Config::default() }
}

/// What these commands did to foreign objects, one line each.
fn violations(
    base: Base,
    objects: &[Foreign],
    situations: &[Situation],
    verbs: &[Verb],
    note: &dyn Fn(&str),
) -> Vec<String> {
    let mut test = base.fork();
    let mut foreign = places::populate(base, &test, objects, situations);
    let mut all = Vec::new();
    for verb in verbs {
        exempt(verb, &mut foreign);
        let before = (places::foreign_objects(base, &test, &foreign), places::topics(&test, &ours(verb)));
        let run = run(base, &mut test, verb);
        places::settle(base, &test);
        let mut found = places::object_changes(&before.0, &places::foreign_objects(base, &test, &foreign));
        // The topics of a Kafka that kstrim created are deleted with it: the prompt says how many.
        let whole = verb.args[0] == "down" && !verb.args.iter().any(|word| word == "--keep-data");
        if !whole || !base.has_ours() || situations.contains(&Situation::KafkaTheirs) {
            let after = places::topics(&test, &ours(verb));
            found.extend(places::topic_changes(&before.1, &after));
        }
        if test.profile(base.profile())["host"] != "running" {
            found.push("the profile is not running any more".to_owned());
        }
        if !CODES.contains(&run.0) {
            found.push(format!("exit code {}", run.0));
        }
        let words: Vec<&str> = verb.args.iter().map(String::as_str).collect();
        let situation = format!("{base:?} {situations:?}");
        let command = format!("kstrim {} -> exit {}", words.join(" "), run.0);
        note(&format!("# {} foreign: {command} [{situation}]", foreign.len()));
        if found.is_empty() {
            continue;
        }
        let said: Vec<&str> = run.1.lines().rev().take(6).collect();
        let said = said.into_iter().rev().collect::<Vec<_>>().join("\n      ");
        all.extend(found.into_iter().map(|what| format!("{command} [{situation}]: {what}\n      {said}")));
        break;
    }
    all
}

/// Topics that a verb may delete: those that kstrim creates itself, and the one it is asked to delete.
fn ours(verb: &Verb) -> Vec<&str> {
    let mut ours = vec!["my-topic", "new-topic"];
    if verb.args.first().is_some_and(|word| word == "topic") {
        ours.extend(verb.named.as_deref());
    }
    ours
}

/// An object that is named on the command line, or adopted with `--adopt`, is not a bystander.
fn exempt(verb: &Verb, foreign: &mut Vec<String>) {
    if let Some(name) = &verb.named {
        let resource = if verb.args[0] == "topic" { "kafkatopics" } else { "kafkausers" };
        foreign.retain(|key| {
            let its = key.ends_with(&format!("/{name}")) && key.starts_with("secrets/");
            *key != format!("{resource}.kafka.strimzi.io/kafka/{name}") && !(its && resource == "kafkausers")
        });
        // The topic has another name than its resource.
        if name == "claimed" {
            foreign.retain(|key| !key.ends_with("/their-claim"));
        }
    }
    if verb.adopts {
        let names = ["kafka", "my-cluster", "dual-role", "my-topic", "strimzi-cluster-operator"];
        foreign.retain(|key| {
            let mut parts = key.rsplit('/');
            let (name, namespace) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
            let definition = key.starts_with("customresourcedefinitions.");
            !(definition || names.contains(&name) && (namespace.is_empty() || namespace == "kafka"))
        });
    }
}

/// Exit code and stderr.
fn run(base: Base, test: &mut Test, verb: &Verb) -> (i32, String) {
    let mut args: Vec<String> = verb.args.clone();
    // Before what belongs to another program.
    let end = args.iter().position(|word| word == "--").unwrap_or(args.len());
    args.splice(end..end, base.flags().iter().map(|flag| (*flag).to_owned()));
    test.stdin(verb.stdin);
    test.limit(std::time::Duration::from_secs(90));
    let run = test.args(args).run();
    (run.code(), run.stderr)
}

fn check(base: Base, verbs: &BoxedStrategy<Vec<Verb>>) {
    let world = (foreign::some(), foreign::situations(), verbs.clone());
    let report = std::env::var_os("KSTRIM_WORLDS_REPORT");
    let note = |line: &str| {
        if let Some(file) = &report {
            let mut file = std::fs::File::options().create(true).append(true).open(file).expect("a file");
            file.write_all(format!("{line}\n").as_bytes()).expect("a file");
        }
    };
    let property = |(objects, situations, verbs): (Vec<Foreign>, Vec<Situation>, Vec<Verb>)| {
        let found = violations(base, &objects, &situations, &verbs, &note);
        if report.is_some() {
            found.iter().for_each(|line| note(line));
            return Ok(());
        }
        if found.is_empty() { Ok(()) } else { Err(TestCaseError::fail(found.join("\n"))) }
    };
    if let Err(error) = TestRunner::new(config()).run(&world, property) {
        panic!("{error}");
    }
}

fn single(verb: BoxedStrategy<Verb>) -> BoxedStrategy<Vec<Verb>> {
    verb.prop_map(|verb| vec![verb]).boxed()
}

/// One verb, followed by another.
fn two(first: BoxedStrategy<Verb>, second: BoxedStrategy<Verb>) -> BoxedStrategy<Vec<Verb>> {
    (first, second).prop_map(|(a, b)| vec![a, b]).boxed()
}

#[test]
fn commands_on_a_cluster_change_no_foreign_objects() {
    check(Base::Profile, &single(verbs::on_running_cluster()));
}

#[test]
fn commands_on_an_existing_cluster_change_no_foreign_objects() {
    check(Base::Context, &single(verbs::with_wrong_target(verbs::on_running_cluster())));
}

#[test]
fn up_changes_no_foreign_objects() {
    check(Base::Profile, &single(verbs::with_wrong_target(verbs::up())));
    check(Base::Context, &single(verbs::with_wrong_target(verbs::up())));
}

#[test]
fn down_changes_no_foreign_objects() {
    check(Base::Profile, &single(verbs::with_wrong_target(verbs::down(Base::Profile))));
}

#[test]
fn down_on_an_existing_cluster_changes_no_foreign_objects() {
    check(Base::Context, &single(verbs::with_wrong_target(verbs::down(Base::Context))));
}

#[test]
fn down_after_other_commands_changes_no_foreign_objects() {
    check(Base::Context, &two(verbs::on_running_cluster(), verbs::down(Base::Context)));
}

#[test]
fn a_strimzi_in_another_namespace_is_not_changed() {
    let any = prop_oneof![verbs::down(Base::Elsewhere), verbs::up(), verbs::on_running_cluster()].boxed();
    let astray = verbs::with_wrong_target(any)
        .prop_filter("its own namespace is meant", |verb| !verb.args.iter().any(|word| word == "theirs"));
    check(Base::Elsewhere, &single(astray.boxed()));
}

#[test]
fn a_foreign_profile_is_not_changed() {
    let any = || prop_oneof![verbs::down(Base::Theirs), verbs::up()].boxed();
    // With `--adopt` first, and then everything is deleted again.
    check(Base::Theirs, &two(verbs::with_wrong_target(any()), any()));
}

/// Cases that random runs have found once, and that are checked every time.
#[test]
fn regressions_stay_fixed() {
    use Situation::*;
    let verb = |words: &str| Verb {
        args: words.split(' ').map(str::to_owned).collect(),
        stdin: "",
        named: None,
        adopts: false,
    };
    let cases: [(Base, &[Situation], &str); 3] = [
        (Base::Profile, &[AutoTopic], "up --yes --preset single --topic orders --timeout 20s"),
        (Base::Profile, &[AutoTopic], "smoke-test --topic orders --timeout 20s"),
        (Base::Profile, &[ClaimedTopic], "smoke-test --topic claimed --timeout 20s"),
    ];
    // Objects that are not touched are no reason to fail either.
    let note = |line: &str| assert!(line.contains("-> exit 0") || line.contains("-> exit 5"), "{line}");
    let all = cases
        .iter()
        .flat_map(|(base, situations, words)| violations(*base, &[], situations, &[verb(words)], &note));
    let all: Vec<String> = all.collect();
    assert!(all.is_empty(), "{}", all.join("\n"));
}
