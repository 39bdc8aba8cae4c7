//! Kafka clusters that can never become ready: `up` reports why, long before the operator's own limit of 300 s.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::Ground;
use crate::operator::Operator;

/// Within this time `up` must have ended with the cause. Alone on 2 idle cores it takes 5 to 25 s; Strimzi's operator
/// gives up after 300 s.
const LIMIT: Duration = Duration::from_secs(90);

/// Create the Kafka resource `cluster` as a foreign one, with `change` applied to its node pool and itself, and let
/// `up --adopt` wait for it. Returns the failure's id and the failure.
#[track_caller]
fn doomed(ground: &Ground, cluster: &str, change: impl Fn(&mut Value, &mut Value)) -> (String, Value) {
    let kinds = ["kafka", "kafkanodepool", "pvc"];
    let remove = || {
        for kind in kinds {
            let label = format!("strimzi.io/cluster={cluster}");
            let selector = if kind == "kafka" { vec![cluster] } else { vec!["-l", &label] };
            let words = [&["delete", kind, "-n", "kafka", "--ignore-not-found"], &selector[..]].concat();
            ground.kubectl(&words);
        }
    };
    remove();
    let rendered = ground.kstrim(&["render", "--only", "kafka", "--cluster", cluster]).expect(0).stdout;
    let mut objects: Vec<Value> = serde_yaml::Deserializer::from_str(&rendered)
        .map(|document| serde::Deserialize::deserialize(document).expect("YAML"))
        .filter(|object: &Value| !object.is_null())
        .collect();
    objects.sort_by_key(|o| o["kind"] != "KafkaNodePool");
    for object in &mut objects {
        let metadata = object["metadata"].as_object_mut().expect("metadata");
        metadata.remove("annotations");
        metadata.insert("labels".into(), json!({"strimzi.io/cluster": cluster}));
    }
    let [pool, kafka] = &mut objects[..] else { panic!("a pool and a Kafka cluster: {rendered}") };
    // The name of a pool is unique in its namespace.
    pool["metadata"]["name"] = json!(format!("{cluster}-pool"));
    change(pool, kafka);
    ground.apply(cluster, &json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string());

    let run = ground.up(&["--cluster", cluster, "--adopt"]).finish(Duration::from_secs(600)).expect(1);
    assert!(run.took < Operator::of_ground().limit(LIMIT), "it took {:?}: {run}", run.took);
    let events = run.events();
    let (id, failure) = events.failure();
    let result = (id.to_owned(), failure.clone());
    assert_eq!(failure["task"], "kafka", "{failure}");
    remove();
    result
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn an_image_that_cannot_be_pulled() {
    let ground = Ground::with_kafka("hopeless::an_image_that_cannot_be_pulled");
    let (id, failure) = doomed(&ground, "bad-image", |_, kafka| {
        kafka["spec"]["kafka"]["image"] = json!("quay.io/strimzi/kafka:no-such-tag");
    });
    // Without a network it is unknown whether the registry has it.
    assert!(
        matches!(id.as_str(), "KS-IMAGE-PULL" | "KS-NETWORK-DNS" | "KS-NETWORK-REGISTRY"),
        "{id}: {failure}"
    );
    assert!(failure["causes"].to_string().contains("quay.io/strimzi/kafka:no-such-tag"), "{failure}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn memory_that_no_node_has() {
    let ground = Ground::with_kafka("hopeless::memory_that_no_node_has");
    let (id, failure) = doomed(&ground, "no-memory", |pool, _| {
        pool["spec"]["resources"] = json!({"requests": {"memory": "64Gi"}});
    });
    assert_eq!(id, "KS-POD-UNSCHEDULABLE-MEMORY", "{failure}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_version_that_the_release_does_not_have() {
    let ground = Ground::with_kafka("hopeless::a_version_that_the_release_does_not_have");
    let (id, failure) = doomed(&ground, "old-version", |_, kafka| {
        kafka["spec"]["kafka"]["version"] = json!("3.0.0");
        kafka["spec"]["kafka"]["metadataVersion"] = json!("3.0-IV1");
    });
    assert_eq!(id, "KS-KAFKA-VERSION", "{failure}");
    assert!(failure["causes"].to_string().contains("3.0.0"), "{failure}");
}
