//! From ZooKeeper to KRaft, with Strimzi's own operator.

use std::time::Duration;

use crate::from_older::images;
use crate::ground::Ground;
use crate::through::Through;

/// Images of the last release with ZooKeeper.
const IMAGES: [&str; 2] = ["operator:0.45.2", "kafka:0.45.2-kafka-3.9.1"];

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn zookeeper_is_left_without_a_loss() {
    const TEST: &str = "from_zookeeper::zookeeper_is_left_without_a_loss";
    let ground = Ground::take(TEST);
    if !ground.runs("all of it") {
        return;
    }
    let ground = ground.emptied();
    images(&ground, &IMAGES);
    let folder = ground.install_manifests().display().to_string();
    let manifest = format!("{folder}/strimzi-cluster-operator-0.45.2.yaml");
    let version = ["--release", "0.45.2", "--kafka", "3.9.1", "--manifests"];
    let up = [&["up", "--preset", "zookeeper"][..], &version, &[&manifest, "-o", "json"]].concat();
    let events = ground.kstrim(&up).expect(0).events();
    assert_eq!((events.task("cluster").0, events.task("kafka").0), ("already_done", "done"));
    ground.kstrim(&["topic", "create", "kept"]).expect(0);
    let through = Through::start(&ground);
    let upgrade = [&["upgrade", "--kraft", "--yes"][..], &version, &[&folder, "-o", "json"]].concat();
    // Killed while the metadata is being copied, and when it has been.
    for state in ["KRaftMigration", "KRaftPostMigration"] {
        let running = ground.kstrim_beside(&upgrade);
        let reached = || {
            let state =
                ["get", "kafka", "my-cluster", "-n", "kafka", "-o", "jsonpath={.status.kafkaMetadataState}"];
            ground.kubectl(&state)
        };
        crate::ground::within(Duration::from_secs(600), state, || match reached() {
            now if now == state => Ok(()),
            now => Err(now),
        });
        running.kill();
    }
    let run = ground.kstrim_beside(&upgrade).finish(Duration::from_secs(20 * 60)).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    let messages = through.nothing_is_lost();
    assert!(messages > 100, "{messages} messages while every node was restarted several times");
    let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    assert_eq!(kafka["status"]["kafkaMetadataState"], "KRaft");
    assert_eq!(kafka["spec"]["zookeeper"], serde_json::Value::Null);
    assert_eq!(kafka["spec"]["kafka"]["metadataVersion"], "3.9");
    let pods = ground.kubectl(&["get", "pod", "-n", "kafka", "-o", "name"]);
    assert!(pods.contains("my-cluster-controller-1") && !pods.contains("zookeeper"), "{pods}");
    ground.has_topic("kept");
    // Nothing is left to do, not even for `up`.
    ground.is_upgraded(&upgrade);
    let up = [&["up"][..], &version, &[&manifest, "-o", "json"]].concat();
    assert_eq!(ground.kstrim(&up).expect(0).events().task("kafka").0, "already_done");
    ground.kstrim(&["down", "--keep-cluster", "--yes"]).expect(0);
}
