//! Components: each is added, works, is shown, and is removed completely.

use std::time::Duration;

use crate::ground::{Ground, within};

/// The components that can run with one broker.
const NAMES: [&str; 5] = ["connect", "mirror-maker", "bridge", "exporter", "metrics"];

/// Objects of components, and topics, except the one in which Kafka itself keeps groups' offsets, and the pods of the Job
/// that writes class-data archives, which Kubernetes deletes when they are done.
fn there(ground: &Ground) -> Vec<String> {
    let kinds = "kafkaconnect,kafkaconnector,kafkamirrormaker2,kafkabridge,strimzipodset,deployment,pod,service,\
        configmap,secret,serviceaccount,poddisruptionbudget,kafkatopic";
    let objects = ground.kubectl(&["get", kinds, "-n", "kafka", "-o", "name"]);
    let script = "bin/kafka-topics.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --list";
    let broker = ["exec", "-n", "kafka", "my-cluster-dual-role-0", "-c", "kafka", "--", "sh", "-c", script];
    let topics = ground.kubectl(&broker);
    let topics = topics.lines().filter(|t| *t != "__consumer_offsets").map(|t| format!("topic {t}"));
    let objects =
        objects.lines().filter(|name| !name.starts_with("pod/kstrim-class-data-")).map(str::to_owned);
    let mut all: Vec<String> = objects.chain(topics).collect();
    all.sort();
    all
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn components_come_and_go_without_a_trace() {
    let ground = Ground::with_kafka("components::components_come_and_go_without_a_trace");
    let before = there(&ground);
    let run = ground.kstrim(&["add", "cruise-control", "connect", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-COMPONENT-BROKERS", "{run}");
    assert_eq!(there(&ground), before, "refused before anything is changed");

    let names: Vec<&str> = NAMES.into_iter().filter(|name| ground.runs(name)).collect();
    let add = [&["add", "--yes"], &names[..], &["-o", "json"]].concat();
    let run = ground.kstrim(&add).expect(0);
    for name in &names {
        assert_eq!(run.events().task(name).0, "done", "{name}: {run}");
    }
    let status = ground.kstrim(&["status", "-o", "json"]).expect(0).json();
    let shown = status["components"].as_array().unwrap_or_else(|| panic!("no components in {status}"));
    for name in &names {
        let of = shown.iter().find(|c| c["name"] == *name).unwrap_or_else(|| panic!("no {name} in {status}"));
        assert!(of["ready"] == true && of["ours"] == true, "{of}");
    }
    assert!(there(&ground).len() > before.len() + names.len(), "the test would prove nothing");
    // Again: nothing to do.
    let run = ground.kstrim(&add).expect(0);
    for name in &names {
        assert_eq!(run.events().task(name).0, "already_done", "{name}: {run}");
    }
    // Each works: it transfers messages, or its metrics contain the topic.
    let run = ground.kstrim(&["smoke-test", "-o", "json"]).expect(0);
    run.events().verified(10);
    for name in &names {
        let events = run.events();
        let of = events.of("component_smoke").find(|e| e["component"] == *name);
        assert!(of.is_some_and(|e| e["passed"] == true), "{name}: {run}");
    }

    // Those with topics first, then those whose removal rolls the broker.
    let (first, then) = names.split_at(3);
    for some in [first, then] {
        let run = ground.kstrim(&[&["remove"], some, &["--yes", "-o", "json"]].concat()).expect(0);
        assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    }
    within(Duration::from_secs(30), "all is as it was", || {
        let now = there(&ground);
        let left: Vec<_> = now.iter().filter(|name| !before.contains(name)).collect();
        let lost: Vec<_> = before.iter().filter(|name| !now.contains(name)).collect();
        if left.is_empty() && lost.is_empty() {
            Ok(())
        } else {
            Err(format!("left: {left:?}, lost: {lost:?}"))
        }
    });
    ground.kstrim(&["smoke-test", "-o", "json"]).expect(0).events().verified(10);
}
