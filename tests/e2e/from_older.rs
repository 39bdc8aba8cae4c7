//! From one Strimzi to a later one on a real cluster. With the stand-in, the images of the older releases are those of
//! the newest under other names: what is proven is the order, the real API server's part, and real Kafka over each
//! rolling update. With the real operator all is as it would be.

use std::time::Duration;

use crate::ground::{Ground, profile};
use crate::operator::Operator;
use crate::through::Through;

/// Images that an upgrade from 0.51.0 to 1.2.0 needs in addition to those of the ground's cluster.
const FROM_0_51: [&str; 3] = ["operator:0.51.0", "kafka:0.51.0-kafka-4.2.0", "kafka:1.2.0-kafka-4.2.0"];

/// Images that one from 0.45.2 to 0.51.0 needs.
const FROM_0_45: [&str; 11] = [
    "operator:0.45.2",
    "kafka:0.45.2-kafka-3.9.1",
    "operator:0.47.0",
    "kafka:0.47.0-kafka-3.9.1",
    "kafka:0.47.0-kafka-4.0.0",
    "operator:0.50.1",
    "kafka:0.50.1-kafka-4.0.0",
    "kafka:0.50.1-kafka-4.1.1",
    "operator:0.51.0",
    "kafka:0.51.0-kafka-4.1.1",
    "kafka:0.51.0-kafka-4.2.0",
];

/// Load images into the cluster: the real ones, or the newest of the stand-in with these names.
pub fn images(ground: &Ground, names: &[&str]) {
    for name in names {
        match Operator::of_ground() {
            Operator::StandIn => {
                let newest =
                    if name.starts_with("kafka:") { "kafka:1.2.0-kafka-4.3.1" } else { "operator:1.2.0" };
                let names = format!("quay.io/strimzi/{newest} quay.io/strimzi/{name}");
                ground.in_node(&format!("ctr -n k8s.io images tag --force {names}"));
            }
            Operator::Real => {
                let file = ground.real_archive(&name.replace(':', "-"));
                ground.run("minikube", &["image", "load", "-p", profile(), &file]).expect(0);
            }
        }
    }
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn what_0_51_stored_is_read_by_1_2() {
    let ground = Ground::with_a_cluster("from_older::what_0_51_stored_is_read_by_1_2");
    images(&ground, &FROM_0_51);
    let folder = ground.install_manifests().display().to_string();
    let manifest = format!("{folder}/strimzi-cluster-operator-0.51.0.yaml");
    // To the cluster that a `down --keep-cluster` left.
    let up = ["up", "--release", "0.51.0", "--kafka", "4.2.0", "--manifests", &manifest, "-o", "json"];
    let events = ground.kstrim(&up).expect(0).events();
    assert_eq!((events.task("cluster").0, events.task("kafka").0), ("already_done", "done"));
    events.verified(10);
    // A setting that Kafka accepts while it is running.
    ground.kstrim(&["set", "log.retention.ms=86400000", "--yes"]).expect(0);
    ground.kstrim(&["topic", "create", "kept"]).expect(0);
    let through = Through::start(&ground);
    let stored = |of: &str| {
        let path =
            ["get", "crd", &format!("{of}.kafka.strimzi.io"), "-o", "jsonpath={.status.storedVersions}"];
        ground.kubectl(&path)
    };
    assert_eq!(stored("kafkatopics"), r#"["v1beta2"]"#);
    let upgrade = ["upgrade", "--release", "1.2.0", "--manifests", &folder, "--yes", "-o", "json"];
    let run = ground.kstrim(&upgrade).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    for kind in ["kafkatopics", "kafkas", "kafkanodepools", "kafkausers"] {
        assert_eq!(stored(kind), r#"["v1"]"#, "{kind}");
    }
    let messages = through.nothing_is_lost();
    assert!(messages > 100, "{messages} messages in an upgrade with several restarts of the broker");
    // Nothing names the removed version, so every object can be applied.
    for kind in ["kafkas", "kafkanodepools", "kafkatopics"] {
        let all = ground.kubectl(&["get", kind, "-n", "kafka", "-o", "json", "--show-managed-fields"]);
        assert!(!all.contains("kafka.strimzi.io/v1beta2"), "{kind}: {all}");
    }
    let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    assert_eq!(kafka["status"]["kafkaVersion"], "4.3.1");
    assert_eq!(kafka["spec"]["kafka"]["metadataVersion"], "4.3-IV0");
    assert_eq!(kafka["spec"]["kafka"]["config"]["log.retention.ms"], 86_400_000, "what was set stays");
    ground.has_topic("kept");
    // Again: only checks and smoke tests.
    ground.is_upgraded(&upgrade);
    ground.kstrim(&["topic", "delete", "kept", "--yes"]).expect(0);
    ground.kstrim(&["set", "--unset", "log.retention.ms", "--yes"]).expect(0);
}

/// Through two intermediate releases, since 0.51 supports no Kafka version that 0.45 supports. One of them does not
/// support the ground's default Kubernetes.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn what_runs_on_0_45_goes_over_two_releases_to_0_51() {
    const TEST: &str = "from_older::what_runs_on_0_45_goes_over_two_releases_to_0_51";
    let ground = Ground::take(TEST);
    if !ground.runs("all of it") {
        return;
    }
    let ground = ground.emptied();
    images(&ground, &FROM_0_45);
    let folder = ground.install_manifests().display().to_string();
    let manifest = format!("{folder}/strimzi-cluster-operator-0.45.2.yaml");
    let up = ["up", "--release", "0.45.2", "--kafka", "3.9.1", "--manifests", &manifest, "-o", "json"];
    let events = ground.kstrim(&up).expect(0).events();
    assert_eq!((events.task("cluster").0, events.task("kafka").0), ("already_done", "done"));
    ground.kstrim(&["set", "log.retention.ms=86400000", "--yes"]).expect(0);
    ground.kstrim(&["topic", "create", "kept"]).expect(0);
    let through = Through::start(&ground);
    let upgrade = ["upgrade", "--release", "0.51.0", "--manifests", &folder, "--yes", "-o", "json"];
    let run = ground.kstrim_beside(&upgrade).finish(Duration::from_secs(20 * 60)).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    let messages = through.nothing_is_lost();
    assert!(messages > 100, "{messages} messages in an upgrade with many restarts of the broker");
    let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    assert_eq!(kafka["status"]["kafkaVersion"], "4.2.0");
    assert_eq!(kafka["spec"]["kafka"]["metadataVersion"], "4.2");
    assert_eq!(kafka["spec"]["kafka"]["config"]["log.retention.ms"], 86_400_000, "what was set stays");
    ground.has_topic("kept");
    ground.is_upgraded(&upgrade);
}
