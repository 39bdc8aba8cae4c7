//! `kstrim up`: from nothing, and with an existing cluster.

use crate::ground::{Ground, profile};
use crate::operator::Operator;

const TASKS: [&str; 10] =
    ["preflight", "cluster", "images", "namespace", "crds", "operator", "kafka", "topic", "smoke", "ready"];

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn up_makes_a_verified_kafka_from_nothing() {
    let ground = Ground::with_nothing("creation::up_makes_a_verified_kafka_from_nothing");
    let events = ground.up_succeeds(&[]).events();
    assert_eq!(events.plan(), TASKS);
    let ended = |id: &str| events.of("task_finished").position(|e| e["task"] == id);
    // An operator that Kubernetes has restarted is available late, when the rest may be ready.
    let late = ended("operator") > ended("smoke");
    for task in TASKS {
        let (outcome, detail) = events.task(task);
        let done = outcome == "done" || late && task == "ready" && outcome == "already_done";
        assert!(done, "{task}: {outcome}, {detail}");
    }
    events.verified(10);
    let finished = events.finished();
    assert_eq!(finished["exit_code"], 0);
    assert_eq!(finished["next"]["bootstrap"], "my-cluster-kafka-bootstrap.kafka.svc:9092");

    // Compared with the cluster itself, read by kubectl.
    let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    let conditions = kafka["status"]["conditions"].as_array().expect("conditions");
    assert!(conditions.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"), "{conditions:?}");
    assert_eq!(kafka["status"]["observedGeneration"], kafka["metadata"]["generation"]);
    // The requested operator is running: the images of both have the same names.
    let log = ground.kubectl(&["logs", "deployment/strimzi-cluster-operator", "-n", "kafka"]);
    let played = log.lines().take(20).any(|line| line.contains("kstrim's stand-in"));
    assert_eq!(
        played,
        Operator::of_ground() == Operator::StandIn,
        "{}",
        log.lines().next().unwrap_or_default()
    );
    let listed = ground.run("minikube", &["profile", "list", "--light", "-o", "json"]).expect(0).json();
    let valid = listed["valid"].as_array().expect("profiles");
    assert!(valid.iter().any(|p| p["Name"] == profile()), "{valid:?}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn up_over_a_working_cluster_only_looks_and_tests() {
    let ground = Ground::with_kafka("creation::up_over_a_working_cluster_only_looks_and_tests");
    let before =
        ground.kubectl(&["get", "kafka,kafkanodepool,kafkatopic,deployment", "-n", "kafka", "-o", "name"]);
    let generations = |ground: &Ground| {
        let path = "jsonpath={range .items[*]}{.metadata.uid} {.metadata.generation}{\"\\n\"}{end}";
        ground.kubectl(&["get", "kafka,kafkanodepool,kafkatopic,deployment", "-n", "kafka", "-o", path])
    };
    let seen = generations(&ground);
    let run = ground.up_succeeds(&[]);
    let events = run.events();
    for task in TASKS.into_iter().filter(|t| !matches!(*t, "preflight" | "smoke")) {
        assert_eq!(events.task(task).0, "already_done", "{task}: {}", events.task(task).1);
    }
    events.verified(10);
    assert_eq!(generations(&ground), seen, "objects were changed, made or removed; there were:\n{before}");
}
