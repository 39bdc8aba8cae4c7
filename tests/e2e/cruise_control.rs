//! Three brokers with Cruise Control, from nothing. Strimzi's operator creates Cruise Control before the entity
//! operator, and the real one needs minutes to become ready: topics are reconciled late.

use std::time::Duration;

use serde_json::json;

use crate::ground::{Ground, within};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn up_waits_for_what_comes_after_it() {
    let ground = Ground::with_nothing("cruise_control::up_waits_for_what_comes_after_it");
    let run = ground.up_succeeds(&["--preset", "ha", "--with", "cruise-control", "--memory", "8g"]);
    let events = run.events();
    for task in ["cruise-control", "topic"] {
        assert_eq!(events.task(task).0, "done", "{task}: {run}");
    }
    events.verified(10);
    let topic = ground.kubectl_json(&["get", "kafkatopic", "my-topic", "-n", "kafka"]);
    assert_eq!(topic["status"]["conditions"][0]["type"], "Ready", "{topic}");
    let status = ground.kstrim(&["status", "-o", "json"]).expect(0).json();
    let shown = status["components"].as_array().into_iter().flatten();
    let cruise = shown.filter(|c| c["name"] == "cruise-control" && c["ready"] == true).count();
    assert_eq!(cruise, 1, "{status}");
    // The topic operator's credentials for Cruise Control.
    ground.kubectl(&["get", "secret", "my-cluster-entity-topic-operator-cc-api", "-n", "kafka"]);
    // A foreign rebalance: its ConfigMap is owned by it, and its cluster label is the rebalance's own name, here the
    // same as our Kafka resource's. The first proposal waits for metrics, minutes on the real operator.
    let rebalance = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaRebalance", "spec": {},
        "metadata": {"name": "my-cluster", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}}});
    ground.apply("rebalance", &rebalance.to_string());
    within(Duration::from_secs(400), "a proposal", || {
        let rebalance = ground.kubectl_json(&["get", "kafkarebalance", "my-cluster", "-n", "kafka"]);
        let conditions = rebalance["status"]["conditions"].as_array().into_iter().flatten();
        let ready = conditions.filter(|c| c["type"] == "ProposalReady").count() == 1;
        if ready { Ok(()) } else { Err(rebalance["status"].to_string()) }
    });
    let map = ground.kubectl_json(&["get", "configmap", "my-cluster", "-n", "kafka"]);
    assert_eq!(map["metadata"]["labels"]["strimzi.io/cluster"], "my-cluster", "{map}");
    assert_eq!(map["metadata"]["ownerReferences"][0]["kind"], "KafkaRebalance", "{map}");
    assert!(map["data"]["brokerLoad.json"].is_string(), "{map}");
    ground.kstrim(&["status"]).expect(0);
    // The rebalance is foreign, and named before it is deleted with the profile.
    let refused = ground.kstrim(&["down", "--yes"]).expect(5);
    assert!(refused.stderr.contains("KafkaRebalance my-cluster"), "{refused}");
    ground.kstrim(&["down", "--yes", "--delete-others"]).expect(0);
}
