//! Objects that cannot be deleted.

use serde_json::{Value, json};

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault,
};
use crate::harness::{Engine, Test};
use crate::support::{PROFILE, apply_foreign, kubectl};

/// A foreign object in the namespace has a finalizer that nothing removes.
fn hold(test: &mut Test) {
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "held",
        "namespace": "kafka", "finalizers": ["example.com/keep"]}});
    apply_foreign(test, &[map]);
}

fn finalizers(test: &mut Test, map: &str, finalizers: &Value) {
    let patch = json!({"metadata": {"finalizers": finalizers}});
    kubectl(test, &format!("patch configmap {map} -n kafka --type=merge -p {patch}")).expect(0);
}

fn let_go(test: &mut Test) {
    finalizers(test, "held", &Value::Null);
}

/// Check that it is unchanged; then its owner deletes it.
fn gone(test: &mut Test) {
    let held = test.object(PROFILE, "configmaps/kafka/held");
    assert!(held.is_object() && held["metadata"]["deletionTimestamp"].is_null(), "{held}");
    let_go(test);
    kubectl(test, "delete configmap held -n kafka").expect(0);
}

pub fn faults() -> Vec<Fault> {
    vec![
        fault(
            "down-without-engine",
            "the engine is stopped before `down`",
            World::Ready,
            |t| t.change_scenario(|s| s.engine = Engine::Down),
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
            "the topic operator is deleted before the topics",
            World::Ready,
            |t| drop(kubectl(t, "delete kafka my-cluster -n kafka --wait=false").expect(0)),
            Healed("no controller handled the finalizer of my-topic"),
            // The volume of a Kafka cluster that was already gone is kept, and so is the namespace.
            Left::Namespace,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .cured_by(|t| {
            drop(kubectl(t, "delete pvc data-0-my-cluster-dual-role-0 -n kafka --wait=false").expect(0))
        }),
        fault(
            "down-with-a-foreign-finalizer",
            "kstrim's ConfigMap in the namespace has a finalizer that no controller removes",
            World::Ready,
            |t| finalizers(t, "kstrim-installation", &json!(["example.com/keep"])),
            Named("KS-NAMESPACE-FINALIZER", 1),
            Left::Namespace,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .cured_by(|t| finalizers(t, "kstrim-installation", &json!(null))),
        fault(
            "down-with-a-foreign-object",
            "somebody else's object is in the namespace, with a finalizer that no controller removes",
            World::Ready,
            hold,
            Healed("namespace kafka is kept: kstrim did not create what is in it: ConfigMap held"),
            Left::Namespace,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .cured_by(gone),
        fault(
            "namespace-going",
            "the namespace is deleted, and an object in it has a finalizer that no controller removes",
            World::Ready,
            |t| {
                hold(t);
                kubectl(t, "delete namespace kafka --wait=false").expect(0);
            },
            Named("KS-NAMESPACE-FINALIZER", 1),
            Left::Namespace,
        )
        .cured_by(let_go),
        fault(
            "down-with-a-stuck-definition",
            "a CRD is not deleted",
            World::Ready,
            |t| t.change_scenario(|s| s.stuck_crds.push("kafkabridges".into())),
            Named("KS-CRD-STUCK", 4),
            Left::Namespace,
        )
        .by(&["down", "--keep-cluster", "--yes"]),
        fault(
            "down-with-a-definition-put-off",
            "the API server postpones the deletion of a CRD",
            World::Ready,
            |t| t.change_scenario(|s| s.put_off_crds.push("kafkabridges".into())),
            Healed("requesting it again"),
            Left::Profile,
        )
        .by(&["down", "--keep-cluster", "--yes"]),
    ]
}
