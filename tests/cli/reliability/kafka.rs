//! The Kafka resource, its brokers and their volumes.

use serde_json::{Value, json};

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::{Crash, Test};
use crate::support::{apply_foreign, disown, kubectl};
use stand_ins::scenario::{NEVER, Waiting};

/// Somebody edits `spec.kafka` by hand.
fn edit(test: &mut Test, kafka: Value) {
    let patch = json!({"spec": {"kafka": kafka}});
    kubectl(test, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
}

fn crash(test: &mut Test, reason: &str, exit: i32, log: &str) {
    let crash = Crash::always("my-cluster-dual-role-0", reason, exit, log);
    test.change_scenario(|s| s.crashes.push(crash));
}

fn waits(test: &mut Test, reason: &str, message: &str) {
    let pod = "my-cluster-dual-role-0".into();
    test.change_scenario(|s| s.waiting.push(Waiting { pod, reason: reason.into(), message: message.into() }));
}

/// A foreign pod that uses nearly all of the node's memory.
fn hog(test: &mut Test, what: &str, how_much: &str) {
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hog", "namespace": "default"},
        "spec": {"nodeName": "kstrim", "containers": [{"name": "hog", "image": "hog",
            "resources": {"requests": {what: how_much}}}]}});
    apply_foreign(test, &[pod]);
}

fn no_hog(test: &mut Test) {
    kubectl(test, "delete pod hog -n default").expect(0);
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Kafka, Strimzi};
    use World::{Empty, Fresh, Ready};
    vec![
        fault(
            "kafka-version",
            "somebody sets a Kafka version that the operator does not support",
            Ready,
            |t| edit(t, json!({"version": "3.9.0"})),
            Named("KS-KAFKA-VERSION", 1),
            All,
        )
        .cured_by(|t| edit(t, json!({"version": "4.3.1"}))),
        fault(
            "replication-factor",
            "somebody sets a replication factor above the number of brokers",
            Ready,
            |t| edit(t, json!({"config": {"default.replication.factor": 3}})),
            Named("KS-REPLICATION-FACTOR", 1),
            All,
        )
        .cured_by(|t| edit(t, json!({"config": {"default.replication.factor": 1}}))),
        fault(
            "kafka-config",
            "somebody sets an invalid configuration",
            Ready,
            |t| {
                let message = "Kafka configuration contains an option that is not allowed: listeners";
                t.change_scenario(|s| s.refuse = Some(("InvalidConfigurationException".into(), message.into())));
                edit(t, json!({"config": {"listeners": "x"}}));
            },
            Named("KS-KAFKA-CONFIG", 1),
            All,
        )
        .cured_by(|t| edit(t, json!({"config": {"listeners": null}}))),
        fault(
            "pool-deleted",
            "the node pool is deleted",
            Ready,
            |t| drop(kubectl(t, "delete kafkanodepool dual-role -n kafka --wait=false").expect(0)),
            Healed("its settings must be applied"),
            All,
        ),
        fault(
            "pool-taken",
            "a second Kafka cluster needs the node pool of the first",
            Ready,
            |_| {},
            Named("KS-POOL-TAKEN", 5),
            All,
        )
        .by(&["up", "--cluster", "second"]),
        fault(
            "memory",
            "no node has enough memory for the broker",
            Empty,
            |t| hog(t, "memory", "24500000Ki"),
            Named("KS-POD-UNSCHEDULABLE-MEMORY", 1),
            Kafka,
        )
        .cured_by(no_hog),
        fault(
            "cpu",
            "no node has enough CPU for the pods",
            Empty,
            |t| hog(t, "cpu", "31900m"),
            Named("KS-POD-UNSCHEDULABLE-CPU", 1),
            Kafka,
        )
        .cured_by(no_hog),
        fault(
            "broker-image",
            "the broker's image cannot be pulled",
            Fresh,
            |t| t.change_scenario(|s| s.missing_images.push("strimzi/kafka:".into())),
            Named("KS-IMAGE-PULL", 1),
            Kafka,
        ),
        fault(
            "broker-memory",
            "the broker is killed for using too much memory",
            Empty,
            |t| crash(t, "OOMKilled", 137, "Starting Kafka"),
            Named("KS-OOM-KILLED", 1),
            Kafka,
        ),
        fault(
            "broker-config",
            "Kafka rejects its configuration",
            Empty,
            |t| {
                let log = "org.apache.kafka.common.config.ConfigException: Invalid value x for configuration log.retention.ms";
                crash(t, "Error", 1, log);
            },
            Named("KS-BROKER-CONFIG", 1),
            Kafka,
        ),
        fault(
            "volume-full",
            "the broker's volume is full",
            Empty,
            |t| crash(t, "Error", 1, "java.io.IOException: No space left on device"),
            Named("KS-VOLUME-FULL", 1),
            Kafka,
        ),
        fault(
            "broker-crashes",
            "the broker keeps crashing for an unknown reason",
            Empty,
            |t| crash(t, "Error", 1, "first line\n[2026-11-22] ERROR something nobody knows"),
            Named("KS-CRASH-LOOP", 1),
            Kafka,
        ),
        fault(
            "cluster-id",
            "the volume contains the data of another cluster",
            Empty,
            |t| {
                let log = "Exception in thread \"main\" java.lang.RuntimeException: Invalid cluster.id in: /var/lib/kafka/data/kafka-log0/meta.properties. Expected abc, but read def";
                crash(t, "Error", 1, log);
            },
            Named("KS-CLUSTER-ID", 1),
            Kafka,
        ),
        fault(
            "old-volumes",
            "the Kafka cluster was deleted, but not its volumes",
            Ready,
            |t| {
                kubectl(t, "delete kafka my-cluster -n kafka --wait=false").expect(0);
                kubectl(t, "delete kafkanodepool dual-role -n kafka --wait=false").expect(0);
            },
            Named("KS-OLD-VOLUMES", 5),
            Strimzi,
        )
        .cured_by(|t| drop(kubectl(t, "delete pvc data-0-my-cluster-dual-role-0 -n kafka --wait=false").expect(0))),
        fault(
            "storage-class",
            "there is no storage class",
            Empty,
            |t| drop(kubectl(t, "delete storageclass standard").expect(0)),
            Named("KS-STORAGE-CLASS", 1),
            Kafka,
        )
        .cured_by(|t| {
            let class = json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
                "metadata": {"name": "standard", "annotations": {"storageclass.kubernetes.io/is-default-class": "true"}},
                "provisioner": "k8s.io/minikube-hostpath"});
            apply_foreign(t, &[class]);
        }),
        fault(
            "kafka-foreign",
            "somebody else's Kafka has the name",
            Ready,
            |t| disown(t, "kafka", "my-cluster"),
            Named("KS-KAFKA-FOREIGN", 5),
            All,
        )
        .then(&["up", "--adopt"]),
        fault(
            "paused",
            "somebody paused the Kafka cluster's reconciliation",
            Ready,
            |t| {
                kubectl(t, "annotate kafka my-cluster -n kafka strimzi.io/pause-reconciliation=true").expect(0);
            },
            Named("KS-KAFKA-PAUSED", 1),
            All,
        )
        .cured_by(|t| {
            kubectl(t, "annotate kafka my-cluster -n kafka strimzi.io/pause-reconciliation-").expect(0);
        }),
        fault(
            "kafka-not-ready",
            "the operator fails for another reason",
            Empty,
            |t| {
                let words = "Failure executing: POST at: https://10.96.0.1/api/v1/namespaces/kafka/services. Message: Internal error";
                t.change_scenario(|s| s.refuse = Some(("KubernetesClientException".into(), words.into())));
            },
            Named("KS-KAFKA-NOT-READY", 4),
            Kafka,
        )
        .by(&["up", "--timeout", "30s"])
        .cured_by(|t| edit(t, json!({"config": {"num.io.threads": 2}})))
        .then(&["up"]),
        fault(
            "volume-unbound",
            "no volume is provisioned",
            Empty,
            |t| t.change_scenario(|s| s.timings.bind = NEVER),
            Named("KS-VOLUME-UNBOUND", 4),
            Kafka,
        )
        .by(&["up", "--timeout", "30s"]),
        fault(
            "node-not-ready",
            "the node does not become ready",
            Empty,
            |t| t.change_scenario(|s| s.taint = Some("node.kubernetes.io/not-ready".into())),
            Named("KS-NODE-NOT-READY", 4),
            Kafka,
        )
        .by(&["up", "--timeout", "30s"]),
        fault(
            "node-pressure",
            "the node is low on disk space",
            Empty,
            |t| t.change_scenario(|s| s.taint = Some("node.kubernetes.io/disk-pressure".into())),
            Named("KS-NODE-PRESSURE", 1),
            Kafka,
        ),
        fault(
            "no-node-fits",
            "the broker cannot be scheduled",
            Empty,
            |t| {
                let words = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. no new claims to deallocate";
                t.change_scenario(|s| s.obstacle = Some(words.into()));
            },
            Named("KS-POD-UNSCHEDULABLE", 1),
            Kafka,
        ),
        fault(
            "image-name",
            "the name of the broker's image is invalid",
            Empty,
            |t| waits(t, "InvalidImageName", "couldn't parse image name"),
            Named("KS-IMAGE-NAME", 1),
            Kafka,
        ),
        fault(
            "broker-never-ready",
            "the broker is running but does not become ready",
            Empty,
            |t| t.change_scenario(|s| s.timings.broker_ready = NEVER),
            Named("KS-BROKER-NOT-READY", 4),
            Kafka,
        )
        .by(&["up", "--timeout", "30s"]),
        fault(
            "operator-gives-up",
            "the same, and the operator gives up waiting",
            Empty,
            |t| {
                t.change_scenario(|s| {
                    s.timings.broker_ready = NEVER;
                    s.timings.operation_timeout = 2_000;
                });
            },
            Named("KS-BROKER-NOT-READY", 1),
            Kafka,
        ),
        fault(
            "container-config",
            "a Secret that the broker needs is missing",
            Empty,
            |t| waits(t, "CreateContainerConfigError", "secret \"my-cluster-dual-role-0\" not found"),
            Named("KS-CONTAINER-CONFIG", 1),
            Kafka,
        ),
        fault(
            "entity-operator",
            "the entity operator does not become ready",
            Empty,
            |t| t.change_scenario(|s| s.timings.entity_ready = NEVER),
            Named("KS-ENTITY-OPERATOR", 1),
            All,
        )
        .by(&["up", "--timeout", "30s"]),
    ]
}
