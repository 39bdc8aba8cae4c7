//! What `kstrim down --keep-cluster` keeps. `from_older` shows that `up` works with such a cluster.

use std::time::Duration;

use serde_json::Value;

use crate::ground::{Ground, within};

/// Everything in the cluster but events and Leases: `KIND NAMESPACE/NAME`, with whether it has kstrim's label.
fn inventory(ground: &Ground) -> Vec<(String, bool)> {
    let kinds = ground.kubectl(&["api-resources", "--verbs=list", "-o", "name"]);
    let skipped = ["events", "events.events.k8s.io", "leases.coordination.k8s.io"];
    let kinds: Vec<&str> = kinds.lines().filter(|k| !skipped.contains(k)).collect();
    let all = ground.kubectl_json(&["get", &kinds.join(","), "-A", "--ignore-not-found"]);
    let mut found = Vec::new();
    for object in all["items"].as_array().expect("items") {
        let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        let ours = text("/metadata/labels/app.kubernetes.io~1managed-by") == "kstrim";
        found.push((format!("{kind} {}/{name}", text("/metadata/namespace")), ours));
    }
    assert!(found.iter().any(|(o, _)| o == "Namespace /kube-system"), "no inventory: {found:?}");
    found
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn nothing_of_ours_is_left() {
    let ground = Ground::with_kafka("keep_cluster::nothing_of_ours_is_left");
    let there = inventory(&ground);
    for kind in ["Kafka ", "PersistentVolumeClaim ", "PersistentVolume ", "CustomResourceDefinition "] {
        assert!(there.iter().any(|(o, _)| o.starts_with(kind)), "the test would prove nothing: no {kind}");
    }
    let run = ground.kstrim(&["down", "--keep-cluster", "--yes", "-o", "json"]).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    // A volume is deleted a moment after its claim.
    within(Duration::from_secs(60), "nothing of ours is left", || {
        let left: Vec<String> = inventory(&ground)
            .into_iter()
            .filter(|(object, ours)| {
                let named = object.to_lowercase();
                let suspect = *ours
                    || named.contains("strimzi")
                    || named.contains("kafka")
                    || named.contains("my-cluster")
                    || named.starts_with("persistentvolume");
                // The marker of a cluster that kstrim created is kept with the cluster.
                suspect && object != "ConfigMap kube-system/kstrim"
            })
            .map(|(object, _)| object)
            .collect();
        if left.is_empty() { Ok(()) } else { Err(format!("{left:?}")) }
    });
    // Again: nothing to do is a success.
    ground.kstrim(&["down", "--keep-cluster", "--yes", "-o", "json"]).expect(0);
}
