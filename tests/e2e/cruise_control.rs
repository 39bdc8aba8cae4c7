//! Three brokers with Cruise Control, from nothing. Strimzi's operator brings Cruise Control about before the entity
//! operator, and the real one needs minutes to be ready: topics are looked at late.

use crate::ground::Ground;

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
    // With which the topic operator comes to Cruise Control.
    ground.kubectl(&["get", "secret", "my-cluster-entity-topic-operator-cc-api", "-n", "kafka"]);
    ground.kstrim(&["down", "--yes"]).expect(0);
}
