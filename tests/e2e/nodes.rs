//! A profile of three nodes with the preset `ha`: a node that stops and is restarted, more brokers and fewer, and
//! `down`.
//!
//! Six Kafka nodes and three kubelets need the whole machine: run by name, `ground test nodes::`.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::ground::{Ground, profile, within};

const SETTINGS: [&str; 4] = ["--nodes", "3", "--preset", "ha"];

/// The nodes of the brokers.
fn nodes_of_brokers(ground: &Ground) -> BTreeSet<String> {
    let pods = ground.kubectl_json(&["get", "pods", "-n", "kafka", "-l", "strimzi.io/broker-role=true"]);
    let pods = pods["items"].as_array().expect("pods");
    assert_eq!(pods.len(), 3);
    pods.iter().map(|pod| pod["spec"]["nodeName"].as_str().expect("a node").to_owned()).collect()
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test nodes::"]
fn three_nodes_lose_one_and_get_it_back() {
    let ground = Ground::of_several_nodes("nodes::three_nodes_lose_one_and_get_it_back");
    ground.up_succeeds(&SETTINGS).events().verified(10);
    assert_eq!(nodes_of_brokers(&ground).len(), 3, "one broker a node");
    ground.up_succeeds(&SETTINGS).events().verified(10);

    // The broker of a stopped machine is lost; two of three in-sync replicas are sufficient.
    let lost = format!("{}-m03", profile());
    ground.run("docker", &["stop", "-t", "1", &lost]).expect(0);
    within(Duration::from_secs(120), "Kubernetes notices", || {
        let status = ground.kstrim(&["status", "-o", "json"]).json();
        let node =
            status["nodes"].as_array().and_then(|n| n.iter().find(|n| n["name"] == lost.as_str()).cloned());
        match node.map(|n| n["ready"].clone()) {
            Some(ready) if ready == false => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
    let status = ground.kstrim(&["status"]).stdout;
    assert!(status.contains(&format!("the node {lost} is not ready")), "{status}");
    ground.kstrim(&["smoke-test", "-o", "json"]).expect(0).events().verified(10);
    let run = ground.up_succeeds(&SETTINGS);
    assert_eq!(run.events().task("cluster").0, "done", "{run}");
    run.events().verified(10);
    assert_eq!(nodes_of_brokers(&ground).len(), 3);

    ground.kstrim(&["scale", "--brokers", "4"]).expect(0);
    ground.kstrim(&["smoke-test", "-o", "json"]).expect(0).events().verified(10);
    ground.kstrim(&["scale", "--brokers", "3", "--yes"]).expect(0);
    ground.kstrim(&["down", "--yes"]).expect(0);
    let left = ground.run("docker", &["ps", "-a", "--format", "{{.Names}}"]).expect(0).stdout;
    assert!(!left.lines().any(|name| name.starts_with(profile())), "{left}");
}
