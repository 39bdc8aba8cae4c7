//! The cluster operator.

use serde_json::json;

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::{Crash, Test};
use crate::support::{apply_foreign, disown, kubectl};

fn crash(test: &mut Test, reason: &str, exit: i32, log: &str) {
    let crash = Crash::always("strimzi-cluster-operator", reason, exit, log);
    test.change_scenario(|s| s.crashes.push(crash));
}

/// The Kafka cluster with its pool and volume is deleted by hand.
fn no_kafka(test: &mut Test) {
    for what in ["kafka my-cluster", "kafkanodepool dual-role", "pvc data-0-my-cluster-dual-role-0"] {
        kubectl(test, &format!("delete {what} -n kafka --wait=false")).expect(0);
    }
}

pub fn faults() -> Vec<Fault> {
    use Left::{All, Kafka};
    use World::{Empty, Fresh, Ready};
    vec![
        fault(
            "operator-image",
            "the operator's image cannot be pulled",
            Fresh,
            |t| t.change_scenario(|s| s.missing_images.push("strimzi/operator".into())),
            Named("KS-IMAGE-PULL", 1),
            Kafka,
        ),
        fault(
            "operator-crashes",
            "the operator keeps crashing",
            Empty,
            |t| crash(t, "Error", 1, "2026-11-22 20:00:00 ERROR Main:123 - something nobody knows"),
            Named("KS-CRASH-LOOP", 1),
            Kafka,
        ),
        fault(
            "operator-too-old",
            "the operator does not support such a new Kubernetes",
            Empty,
            |t| {
                let log = "Caused by: com.fasterxml.jackson.databind.exc.UnrecognizedPropertyException: Unrecognized field \"emulationMajor\" (class io.fabric8.kubernetes.client.VersionInfo)";
                crash(t, "Error", 1, log);
            },
            Named("KS-OPERATOR-KUBERNETES", 1),
            Kafka,
        ),
        fault(
            "operator-memory",
            "the operator is killed for using too much memory",
            Ready,
            |t| {
                crash(t, "OOMKilled", 137, "");
                kubectl(t, "delete pod -n kafka -l name=strimzi-cluster-operator --wait=false").expect(0);
            },
            Named("KS-OOM-KILLED", 1),
            All,
        ),
        fault(
            "operator-deleted",
            "the operator's Deployment is deleted",
            Ready,
            |t| {
                drop(kubectl(t, "delete deployment strimzi-cluster-operator -n kafka --wait=false").expect(0))
            },
            Healed("the operator is not installed"),
            All,
        ),
        fault(
            "operator-foreign",
            "somebody else's operator is in the namespace, and scaled to 0",
            Ready,
            |t| {
                disown(t, "deployment", "strimzi-cluster-operator");
                scale(t, 0);
            },
            Named("KS-OPERATOR-STOPPED", 3),
            All,
        )
        .cured_by(|t| {
            scale(t, 1);
            let labels = json!({"metadata": {"labels": {"app.kubernetes.io/managed-by": "kstrim"}}});
            let patch = format!("patch deployment strimzi-cluster-operator -n kafka --type=merge -p {labels}");
            kubectl(t, &patch).expect(0);
        }),
        fault(
            "operator-elsewhere",
            "another namespace is requested than the one that Strimzi is in",
            Ready,
            |_| {},
            Named("KS-OPERATOR-ELSEWHERE", 5),
            All,
        )
        .by(&["up", "--namespace", "other"]),
        fault(
            "operator-second",
            "somebody else's operator, in another namespace, also watches the namespace of the Kafka cluster",
            Ready,
            |t| {
                let env = json!([{"name": "STRIMZI_NAMESPACE", "value": "*"}]);
                let objects = [
                    json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}),
                    json!({"apiVersion": "apps/v1", "kind": "Deployment",
                        "metadata": {"name": "strimzi-cluster-operator", "namespace": "other"},
                        "spec": {"replicas": 0, "selector": {"matchLabels": {"name": "other"}}, "template": {
                            "metadata": {"labels": {"name": "other"}},
                            "spec": {"containers": [{"name": "operator", "image": "x", "env": env}]}}}}),
                ];
                apply_foreign(t, &objects);
            },
            Healed("KS-OPERATOR-SECOND"),
            All,
        )
        .cured_by(|t| {
            kubectl(t, "delete deployment strimzi-cluster-operator -n other").expect(0);
            kubectl(t, "delete namespace other").expect(0);
        }),
        fault(
            "release-older",
            "an older Strimzi release is requested than the installed one",
            Ready,
            |_| {},
            Named("KS-RELEASE-DOWNGRADE", 2),
            All,
        )
        .by(&["up", "--release", "1.1.0"]),
        fault(
            "operator-forbidden",
            "a RoleBinding of the operator and then the Kafka cluster are deleted",
            Ready,
            |t| {
                kubectl(t, "delete rolebinding strimzi-cluster-operator-watched -n kafka").expect(0);
                no_kafka(t);
            },
            Healed("KS-OPERATOR-FORBIDDEN"),
            All,
        ),
        fault(
            "operator-bound-elsewhere",
            "a RoleBinding of the operator names another namespace, and the Kafka cluster is deleted",
            Ready,
            |t| {
                let subjects = json!({"subjects": [{"kind": "ServiceAccount", "name": "strimzi-cluster-operator", "namespace": "myproject"}]});
                kubectl(t, &format!("patch rolebinding strimzi-cluster-operator-watched -n kafka --type=merge -p {subjects}")).expect(0);
                no_kafka(t);
            },
            Healed("KS-OPERATOR-BINDING"),
            All,
        ),
        fault(
            "operator-hangs",
            "the operator hangs, and the Kafka cluster is deleted",
            Ready,
            |t| {
                t.change_scenario(|s| s.operator_hangs = true);
                no_kafka(t);
            },
            Healed("KS-OPERATOR-LOCK"),
            All,
        ),
        fault(
            "operator-does-not-take-up-a-change",
            "the operator hangs, and somebody changes the Kafka cluster",
            Ready,
            |t| {
                t.change_scenario(|s| s.operator_hangs = true);
                let patch = json!({"spec": {"kafka": {"config": {"num.io.threads": 2}}}});
                kubectl(t, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
            },
            Named("KS-KAFKA-UNOBSERVED", 4),
            All,
        )
        .by(&["up", "--timeout", "30s"])
        .then(&["up"]),
        fault(
            "lock-recreated",
            "a broker never starts; Kafka and node pool are deleted and created again while the operator holds its lock for 300 s",
            Empty,
            |t| {
                t.change_scenario(|s| {
                    s.timings.operation_timeout = 300_000;
                    s.obstacle = Some("0/1 nodes are available: 1 Insufficient memory.".into());
                });
                t.args(["up"]).run().expect(1);
                no_kafka(t);
                t.change_scenario(|s| s.obstacle = None);
            },
            Healed("KS-OPERATOR-LOCK"),
            All,
        ),
        fault(
            "lock-corrected",
            "a broker's image cannot be pulled; another version is requested while the operator holds its lock for 300 s",
            Fresh,
            |t| {
                t.change_scenario(|s| {
                    s.timings.operation_timeout = 300_000;
                    s.missing_images = vec!["kafka:1.2.0-kafka-4.3.1".into()];
                });
                t.args(["up"]).run().expect(1);
            },
            Healed("KS-OPERATOR-LOCK"),
            All,
        )
        .by(&["up", "--kafka", "4.2.0"])
        .then(&["up", "--kafka", "4.2.0"]),
    ]
}

/// Scale the operator.
fn scale(t: &Test, replicas: u8) {
    let patch = json!({"spec": {"replicas": replicas}});
    kubectl(t, &format!("patch deployment strimzi-cluster-operator -n kafka --type=merge -p {patch}"))
        .expect(0);
}
