//! Objects that were deleted and still exist, and similar cases.

use kstrim::internals::explain::{self, Answers, Expect, Scope};
use serde_json::{Value, json};

use crate::rows::{T0, look};

#[test]
fn a_stuck_deletion_names_the_finalizer() {
    let claim = |finalizers: Value, deleted: bool| {
        let mut object = json!({"kind": "PersistentVolumeClaim", "metadata": {"name": "data-0", "namespace": "kafka",
            "finalizers": finalizers}});
        if deleted {
            object["metadata"]["deletionTimestamp"] = json!(T0);
        }
        explain::held(&object, &Expect::kafka("kafka", "my-cluster"))
    };
    let held = claim(json!(["example.com/keep"]), true);
    assert_eq!(held.id.as_str(), "KS-OBJECT-HELD");
    assert!(held.message.contains("finalizer example.com/keep, which is not removed"), "{held:?}");
    assert!(held.hints[0].contains("get persistentvolumeclaim data-0 -n kafka"), "{held:?}");
    // Similar cases: in use, still ending, not deleted. None of them is a finding about a finalizer.
    for (object, words) in [
        (claim(json!(["kubernetes.io/pvc-protection"]), true), "a pod still uses it"),
        (claim(json!([]), true), "it is still terminating"),
        (claim(json!(["example.com/keep"]), false), "nobody deleted it"),
    ] {
        assert!(object.message.contains(words) && !object.message.contains("finalizer"), "{object:?}");
    }
    // The finding of a topic's own finalizer has another id, and so has that of a stuck namespace.
    let topic = json!({"kind": "KafkaTopic", "metadata": {"name": "t", "namespace": "kafka", "deletionTimestamp": T0,
        "finalizers": ["strimzi.io/topic-operator"]}});
    let expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Teardown);
    assert_eq!(look(vec![topic], &expect, &Answers::new())[0].id.as_str(), "KS-TOPIC-FINALIZER");
}
