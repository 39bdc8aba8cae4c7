//! Two users with two home directories on one cluster: one after the other, and at the same time.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::Value;

use crate::harness::{Metrics, Test};
use crate::places::{self, Base};
use crate::support;

const BASE: Base = Base::Context;

/// A command, and how to check its effect.
#[derive(Debug, Clone, Copy)]
struct Act {
    args: &'static str,
    shows: fn(&Test) -> bool,
}

fn object(test: &Test, key: &str) -> Value {
    test.object(BASE.profile(), key)
}

fn config(test: &Test, name: &str) -> Value {
    object(test, support::KAFKA)["spec"]["kafka"]["config"][name].clone()
}

/// The number of brokers in all node pools.
fn brokers(test: &Test) -> u64 {
    let objects = test.objects(BASE.profile());
    let pools = objects.as_object().into_iter().flatten();
    let pools = pools.filter(|(key, _)| key.starts_with("kafkanodepools.kafka.strimzi.io/kafka/"));
    pools.filter_map(|(_, pool)| pool["spec"]["replicas"].as_u64()).sum()
}

fn listeners(test: &Test) -> usize {
    object(test, support::KAFKA)["spec"]["kafka"]["listeners"].as_array().map_or(0, Vec::len)
}

const ACTS: [Act; 9] = [
    Act {
        args: "topic create one --timeout 20s",
        shows: |test| object(test, "kafkatopics.kafka.strimzi.io/kafka/one").is_object(),
    },
    Act {
        args: "topic create two --timeout 20s",
        shows: |test| object(test, "kafkatopics.kafka.strimzi.io/kafka/two").is_object(),
    },
    Act {
        args: "user create app --timeout 20s",
        shows: |test| object(test, "kafkausers.kafka.strimzi.io/kafka/app").is_object(),
    },
    Act {
        args: "set num.partitions=3 --yes --timeout 20s",
        shows: |test| config(test, "num.partitions") == 3,
    },
    Act {
        args: "set log.retention.hours=5 --yes --timeout 20s",
        shows: |test| config(test, "log.retention.hours") == 5,
    },
    Act { args: "connect --check --yes --timeout 20s", shows: |test| listeners(test) > 2 },
    Act {
        args: "user create other --authentication scram --prepare-kafka --yes --timeout 20s",
        shows: |test| listeners(test) > 2,
    },
    Act { args: "scale --brokers 2 --timeout 20s", shows: |test| brokers(test) == 2 },
    Act { args: "smoke-test --timeout 20s", shows: |_| true },
];

fn args(act: &str) -> Vec<String> {
    act.split(' ').chain(["--context", "prod"]).map(str::to_owned).collect()
}

/// Two concurrent commands: each ends as documented, and what is reported as done is done.
fn at_once(first: Act, second: Act) -> Result<(), TestCaseError> {
    let mut one = BASE.fork();
    let mut two = one.colleague();
    two.args("up --context prod --preset single --yes".split(' ')).run().expect(0);
    let number = listeners(&one);
    let running = (one.args(args(first.args)).spawn(), two.args(args(second.args)).spawn());
    let ended = [(first, running.0.wait()), (second, running.1.wait())];
    for (act, run) in &ended {
        let documented = [0, 1, 2, 3, 4, 5, 6, 7].contains(&run.code());
        prop_assert!(documented, "{}: exit {}\n{}", act.args, run.code(), run.stderr);
        prop_assert!(
            run.code() != 0 || (act.shows)(&one),
            "{} ended with 0 and is not done, beside {} and {}\n{}",
            act.args,
            first.args,
            second.args,
            run.stderr
        );
    }
    // Each of the two commands that add a listener has added one.
    let adds = |act: &Act| act.args.contains("connect") || act.args.contains("--prepare-kafka");
    let added = ended.iter().filter(|(act, run)| adds(act) && run.code() == 0).count();
    let one_each = first.args != second.args;
    prop_assert!(
        !one_each || listeners(&one) >= number + added,
        "{added} listeners were added to {number}, and {} are there",
        listeners(&one)
    );
    // The namespace is not locked forever.
    let run = one.args(args("set num.partitions=4 --yes --timeout 30s")).run();
    prop_assert!(run.code() == 0, "afterwards: exit {}\n{}", run.code(), run.stderr);
    Ok(())
}

#[test]
fn two_concurrent_commands_both_succeed_or_report_the_conflict() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(5);
    let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let act = prop::sample::select(&ACTS[..]);
    let result = TestRunner::new(config).run(&(act.clone(), act), |(first, second)| at_once(first, second));
    if let Err(error) = result {
        panic!("{error}");
    }
}

/// One user deletes the cluster while another one works with it.
fn down_during(act: Act, down: &str) -> Result<(), TestCaseError> {
    let mut one = BASE.fork();
    let mut two = one.colleague();
    two.args("up --context prod --preset single --yes".split(' ')).run().expect(0);
    let running = (one.args(args(act.args)).spawn(), two.args(args(down)).spawn());
    let (worked, downed) = (running.0.wait(), running.1.wait());
    for run in [&worked, &downed] {
        let documented = [0, 1, 2, 3, 4, 5, 6, 7].contains(&run.code());
        prop_assert!(documented, "{} beside {down}: exit {}\n{}", act.args, run.code(), run.stderr);
    }
    places::settle(BASE, &one);
    let gone = object(&one, support::KAFKA).is_null();
    prop_assert!(
        gone || downed.code() != 0,
        "{down} ended with 0 and the Kafka cluster is there\n{}",
        downed.stderr
    );
    prop_assert!(
        !gone || downed.code() == 0,
        "{down} ended with {} and the Kafka cluster is gone\n{}",
        downed.code(),
        downed.stderr
    );
    let again = one.args(args("up --preset single --yes --timeout 40s")).run();
    prop_assert!(
        again.code() == 0,
        "up after {} beside {down}: exit {}\n{}",
        act.args,
        again.code(),
        again.stderr
    );
    Ok(())
}

#[test]
fn down_and_a_concurrent_command_end_in_a_valid_state() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(3);
    let config = Config { cases, max_shrink_iters: 0, failure_persistence: None, ..Config::default() };
    let down =
        prop::sample::select(&["down --yes --timeout 40s", "down --keep-data --yes --timeout 40s"][..]);
    let act = prop::sample::select(&ACTS[..]);
    if let Err(error) = TestRunner::new(config).run(&(act, down), |(act, down)| down_during(act, down)) {
        panic!("{error}");
    }
}

/// Keys of all objects of the first installation.
fn everything(test: &Test) -> Vec<String> {
    let objects = test.objects(BASE.profile());
    let lasting = |key: &&String| {
        let changing = ["events/", "leases.", "pods/", "nodes/", "endpoints/", "endpointslices."];
        !changing.iter().any(|begin| key.starts_with(begin))
    };
    objects.as_object().into_iter().flatten().map(|(key, _)| key).filter(lasting).cloned().collect()
}

#[test]
fn a_second_installation_on_the_cluster_is_rejected_and_does_not_change_the_first() {
    let mut one = BASE.fork();
    places::settle(BASE, &one);
    let keys = everything(&one);
    let before = places::foreign_objects(BASE, &one, &keys);
    let mut two = one.colleague();
    for (verb, code) in [
        // Refused: Strimzi's cluster-wide roles are the first one's.
        ("up -n other -c other --topic other-topic --preset single --yes --timeout 30s", 5),
        ("smoke-test -n other -c other --topic other-topic --timeout 15s", 3),
        ("down -n other -c other --keep-data --yes --timeout 30s", 0),
        ("down -n other -c other --yes --timeout 30s", 0),
        // A typo: a namespace that contains nothing of kstrim's.
        ("down -n theirs --yes --timeout 30s", 0),
        ("down -n nowhere --yes --timeout 30s", 0),
    ] {
        let run = two.args(args(verb)).run();
        places::settle(BASE, &one);
        let found = places::object_changes(&before, &places::foreign_objects(BASE, &one, &keys));
        assert!(found.is_empty(), "{verb} -> exit {}: {found:#?}\n{}", run.code(), run.stderr);
        assert_eq!(run.code(), code, "{verb}\n{}", run.stderr);
    }
    one.args(args("smoke-test --timeout 30s")).run().expect(0);
}

#[test]
fn a_second_user_can_use_the_same_installation() {
    let mut one = BASE.fork();
    let mut two = one.colleague();
    two.args(args("up --preset single --yes --timeout 30s")).run().expect(0);
    two.args(args("topic create theirs --timeout 20s")).run().expect(0);
    one.args(args("topic delete theirs --yes --timeout 20s")).run().expect(0);
    two.args(args("down --yes --timeout 60s")).run().expect(0);
    assert!(object(&one, support::KAFKA).is_null());
}

#[test]
fn entries_of_a_metrics_server_are_not_foreign() {
    let mut test = BASE.fork();
    test.change_scenario(|s| s.metrics = Some(Metrics::Up));
    let run = test.args(args("down --yes --timeout 40s")).run().expect(0);
    assert!(object(&test, "namespaces//kafka").is_null(), "{}", run.stderr);
}

#[test]
fn the_namespace_is_kept_if_a_kind_cannot_be_listed() {
    let mut test = BASE.fork();
    test.change_scenario(|s| s.metrics = Some(Metrics::Down));
    let run = test.args(args("down --yes --timeout 40s")).run().expect(0);
    assert!(object(&test, support::KAFKA).is_null(), "{}", run.stderr);
    assert!(object(&test, "namespaces//kafka").is_object(), "{}", run.stderr);
    assert!(run.stderr.contains("metrics.k8s.io"), "{}", run.stderr);
}
