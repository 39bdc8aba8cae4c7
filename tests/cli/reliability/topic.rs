//! Topics.

use serde_json::{Value, json};

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::Test;
use crate::support::{PROFILE, TOPIC, kubectl, until};
use stand_ins::scenario::NEVER;

fn patch(test: &mut Test, patch: Value) {
    kubectl(test, &format!("patch kafkatopic my-topic -n kafka --type=merge -p {patch}")).expect(0);
}

pub fn faults() -> Vec<Fault> {
    use Left::All;
    use World::Ready;
    vec![
        fault(
            "topic-deleted",
            "the topic's resource is deleted",
            Ready,
            |t| drop(kubectl(t, "delete kafkatopic my-topic -n kafka --wait=false").expect(0)),
            Healed("my-topic"),
            All,
        ),
        fault(
            "topic-replicas",
            "somebody requests more replicas of the topic than there are brokers",
            Ready,
            |t| patch(t, json!({"spec": {"replicas": 3}})),
            Named("KS-TOPIC-REPLICATION", 1),
            All,
        )
        .cured_by(|t| patch(t, json!({"spec": {"replicas": 1}}))),
        fault(
            "topic-partitions",
            "somebody requests fewer partitions",
            Ready,
            |t| {
                patch(t, json!({"spec": {"partitions": 3}}));
                until(t, "3 partitions", |t| t.object(PROFILE, TOPIC)["status"]["observedGeneration"] == 2);
                patch(t, json!({"spec": {"partitions": 1}}));
            },
            Named("KS-TOPIC-CHANGE", 1),
            All,
        )
        .cured_by(|t| patch(t, json!({"spec": {"partitions": 3}})))
        .then(&["up"]),
        fault(
            "topic-label",
            "the topic's resource does not have the label of its Kafka",
            Ready,
            |t| {
                kubectl(t, "delete kafkatopic my-topic -n kafka").expect(0);
                let topic = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
                    "metadata": {"name": "my-topic", "namespace": "kafka"}, "spec": {"partitions": 1, "replicas": 1}});
                crate::support::apply_foreign(t, &[topic]);
            },
            Named("KS-TOPIC-LABEL", 1),
            All,
        )
        .cured_by(|t| drop(kubectl(t, "label kafkatopic my-topic -n kafka strimzi.io/cluster=my-cluster").expect(0)))
        .then(&["up"]),
        fault(
            "topic-config",
            "a topic is created with a setting that Kafka does not recognize",
            Ready,
            |_| {},
            Named("KS-TOPIC-CONFIG", 1),
            All,
        )
        .by(&["topic", "create", "orders", "--config", "retention=5"])
        .cured_by(|t| drop(kubectl(t, "delete kafkatopic orders -n kafka").expect(0))),
        fault(
            "topic-unserved",
            "a topic is created, but the topic operator does not reconcile it",
            Ready,
            |t| t.change_scenario(|s| s.timings.topic = NEVER),
            Named("KS-TOPIC-UNSERVED", 1),
            All,
        )
        .by(&["topic", "create", "orders"])
        .cured_by(|t| drop(kubectl(t, "delete kafkatopic orders -n kafka --wait=false").expect(0))),
        fault(
            "user-authorization",
            "a user is created with access rules, but the Kafka cluster has no authorization",
            Ready,
            |_| {},
            Named("KS-USER-NO-AUTHORIZATION", 3),
            All,
        )
        .by(&["user", "create", "app", "--acl", "topic:orders:read"]),
        fault(
            "topic-finalizer",
            "the topic is deleted while no topic operator is running",
            Ready,
            |t| {
                t.change_scenario(|s| s.timings.entity_ready = NEVER);
                kubectl(t, "delete pod -n kafka -l strimzi.io/component-type=entity-operator").expect(0);
                kubectl(t, "delete kafkatopic my-topic -n kafka --wait=false").expect(0);
            },
            Named("KS-TOPIC-FINALIZER", 1),
            All,
        ),
    ]
}
