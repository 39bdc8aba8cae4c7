//! What will not go.

use serde_json::json;

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::{Engine, Test};
use crate::support::{apply_foreign, kubectl};

/// Something in the namespace gets a finalizer that nobody serves.
fn hold(test: &mut Test) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held",
        "namespace": "kafka", "finalizers": ["example.com/keep"]}});
    apply_foreign(test, &[map]);
}

fn let_go(test: &mut Test) {
    let patch = json!({"metadata": {"finalizers": null}});
    kubectl(test, &format!("patch configmap held -n kafka --type=merge -p {patch}")).expect(0);
}

pub fn faults() -> Vec<Fault> {
    vec![
        fault(
            "down-without-engine",
            "the engine is stopped before `down`",
            World::Ready,
            |t| t.rescenario(|s| s.engine = Engine::Down),
            Named("KS-ENGINE-DOWN", 3),
            Left::All,
        )
        .by(&["down", "--yes"]),
        fault(
            "down-with-a-foreign-kafka",
            "somebody else's Kafka is in the namespace",
            World::Ready,
            |t| crate::support::disown(t, "kafka", "my-cluster"),
            Named("KS-KAFKA-FOREIGN", 5),
            Left::All,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .then(&["up", "--adopt"]),
        fault(
            "down-with-a-finalizer-of-ours",
            "the topic operator is gone before the topics",
            World::Ready,
            |t| drop(kubectl(t, "delete kafka my-cluster -n kafka --wait=false").expect(0)),
            Healed("nobody served the finalizer of my-topic"),
            Left::Profile,
        )
        .by(&["down", "--keep-cluster", "--yes"]),
        fault(
            "down-with-a-foreign-finalizer",
            "something in the namespace has a finalizer nobody serves",
            World::Ready,
            hold,
            Named("KS-NAMESPACE-FINALIZER", 1),
            Left::Strimzi,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .cured_by(let_go),
        fault(
            "namespace-going",
            "the namespace is deleted, and the same finalizer holds it",
            World::Ready,
            |t| {
                hold(t);
                kubectl(t, "delete namespace kafka --wait=false").expect(0);
            },
            Named("KS-NAMESPACE-FINALIZER", 1),
            Left::Strimzi,
        )
        .cured_by(let_go),
        fault(
            "down-with-a-stuck-definition",
            "a definition does not go",
            World::Ready,
            |t| t.rescenario(|s| s.stuck_crds.push("kafkabridges".into())),
            Named("KS-CRD-STUCK", 4),
            Left::Strimzi,
        )
        .by(&["down", "--keep-cluster", "--yes"]),
        fault(
            "down-with-a-definition-put-off",
            "the API server puts off the end of a definition",
            World::Ready,
            |t| t.rescenario(|s| s.put_off_crds.push("kafkabridges".into())),
            Healed("it is asked again"),
            Left::Profile,
        )
        .by(&["down", "--keep-cluster", "--yes"]),
    ]
}
