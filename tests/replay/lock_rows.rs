//! The operator's lock, and similar cases: constructed objects, one evaluation.

use kstrim::internals::explain::{Answers, Expect, Finding, Probe, Recovery};
use serde_json::{Value, json};

use crate::rows::{base, look, now};

const BEGAN: &str = "2026-11-22 20:00:20 INFO  AbstractOperator:242 - Reconciliation #7(watch) Kafka(kafka/my-cluster): Kafka my-cluster will be checked for creation or modification\n";
const ENDED: &str = "2026-11-22 20:00:25 INFO  AbstractOperator:521 - Reconciliation #7(watch) Kafka(kafka/my-cluster): reconciled\n";

/// A ready cluster whose broker was re-created at 20:00:22 for a change, and cannot start.
fn stuck() -> Vec<Value> {
    let mut objects = base();
    objects[1]["status"] = json!({"observedGeneration": 1, "conditions": [
        {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T19:00:00Z"}]});
    for object in &mut objects[1..] {
        object["metadata"]["creationTimestamp"] = json!("2026-11-22T18:00:00Z");
    }
    objects.push(json!({"kind": "Pod", "metadata": {"name": "my-cluster-dual-role-0", "namespace": "kafka",
            "creationTimestamp": "2026-11-22T20:00:22Z", "labels": {"strimzi.io/cluster": "my-cluster",
            "strimzi.io/name": "my-cluster-kafka", "strimzi.io/component-type": "kafka", "strimzi.io/pool-name": "dual-role"}},
        "status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
            "reason": "Unschedulable", "message": "0/1 nodes are available: 1 Insufficient memory."}]}}));
    objects.push(json!({"kind": "Pod", "metadata": {"name": "op-1", "namespace": "kafka", "creationTimestamp": "2026-11-22T18:00:00Z",
        "labels": {"name": "strimzi-cluster-operator"}}, "status": {"phase": "Running",
        "conditions": [{"type": "Ready", "status": "True"}]}}));
    objects
}

/// The node pool was changed: its status is of the previous generation.
fn pool_behind() -> Vec<Value> {
    let mut objects = stuck();
    objects[2]["metadata"]["generation"] = json!(3);
    objects[2]["status"]["observedGeneration"] = json!(2);
    objects
}

/// The Kafka resource was changed and changed back: two generations, and no trace of either.
fn taken_back() -> Vec<Value> {
    let mut objects = stuck();
    objects[1]["metadata"]["generation"] = json!(3);
    objects
}

fn written(objects: &mut [Value], at: usize, manager: &str, time: &str) {
    objects[at]["metadata"]["managedFields"] =
        json!([{"manager": manager, "time": time, "fieldsV1": {"f:spec": {}}}]);
}

fn found(objects: Vec<Value>, log: Option<&str>) -> Vec<Finding> {
    let expect = Expect::kafka("kafka", "my-cluster");
    let probe = Probe::Reconciliations {
        namespace: "kafka".into(),
        pod: "op-1".into(),
        look: now().as_second() / 10,
    };
    let answers = log.map(|log| Answers::from([(probe, log.to_owned())])).unwrap_or_default();
    look(objects, &expect, &answers)
}

/// Whether the lock is found as a cause that can become certain.
fn is_lock(objects: Vec<Value>, log: Option<&str>) -> bool {
    found(objects, log).first().is_some_and(|f| {
        f.id.as_str() == "KS-OPERATOR-LOCK"
            && f.certain_after.is_some()
            && f.recovery == Some(Recovery::RestartOperator)
    })
}

#[test]
fn a_correction_with_plain_kubectl_under_the_lock() {
    assert!(is_lock(pool_behind(), Some(BEGAN)));
    let finding = &found(pool_behind(), Some(BEGAN))[0];
    assert!(finding.evidence.contains("dual-role generation 3, observedGeneration 2"), "{finding:?}");
    assert!(finding.evidence.contains("reconciliation #7 began at 2026-11-22T20:00:20Z"), "{finding:?}");
    // Somebody changed the Kafka resource after the pod was created.
    let mut kafka = stuck();
    kafka[1]["metadata"]["generation"] = json!(2);
    written(&mut kafka, 1, "kubectl-patch", "2026-11-22T20:00:40Z");
    assert!(is_lock(kafka.clone(), Some(BEGAN)));
    assert!(is_lock(kafka, None), "its log cannot be read, and the write is seen");
    assert!(is_lock(taken_back(), Some(BEGAN)));
    // The last trace is of a change that the previous reconciliation included.
    let mut lately = taken_back();
    written(&mut lately, 1, "kubectl", "2026-11-22T20:00:10Z");
    assert!(!is_lock(lately.clone(), Some(BEGAN)), "it may be the one that is worked on");
    let earlier =
        |text: &str| text.replace("#7", "#6").replace("20:00:20", "20:00:12").replace("20:00:25", "20:00:15");
    let log = format!("{}{}{BEGAN}", earlier(BEGAN), earlier(ENDED));
    assert!(is_lock(lately, Some(&log)));
}

#[test]
fn a_slow_operator_is_not_restarted() {
    // It is not reconciling: it has not started yet.
    for objects in [pool_behind(), taken_back()] {
        assert!(!is_lock(objects.clone(), Some(ENDED)));
        assert!(!is_lock(objects.clone(), Some(&format!("{BEGAN}{ENDED}"))));
        assert!(!is_lock(objects.clone(), Some("")));
        let unread = found(objects, None);
        assert!(unread.iter().any(|f| f.probes.iter().any(|p| matches!(p, Probe::Reconciliations { .. }))));
        assert!(unread.iter().all(|f| f.id.as_str() != "KS-OPERATOR-LOCK" || f.certain_after.is_none()));
    }
    // It reconciles another Kafka resource.
    assert!(!is_lock(pool_behind(), Some(&BEGAN.replace("my-cluster", "other"))));
    // It started after the correction, and has not handled the pod yet.
    let mut late = stuck();
    late[1]["metadata"]["generation"] = json!(2);
    written(&mut late, 1, "kubectl-patch", "2026-11-22T20:00:40Z");
    assert!(!is_lock(late, Some(&BEGAN.replace("20:00:20", "20:00:45"))));
}

#[test]
fn a_change_without_a_correction_has_its_own_finding() {
    // The change for which the pod was created, and none since.
    let mut one = stuck();
    one[1]["metadata"]["generation"] = json!(2);
    written(&mut one, 1, "kubectl-patch", "2026-11-22T20:00:19Z");
    assert_eq!(found(one, Some(BEGAN))[0].id.as_str(), "KS-POD-UNSCHEDULABLE-MEMORY");
    let mut pool = stuck();
    pool[2]["metadata"]["generation"] = json!(2);
    pool[2]["status"]["observedGeneration"] = json!(2);
    assert_eq!(found(pool, Some(BEGAN))[0].id.as_str(), "KS-POD-UNSCHEDULABLE-MEMORY");
    // Two changes in a row, both from before: the last one is still there.
    let mut two = taken_back();
    written(&mut two, 1, "kubectl-patch", "2026-11-22T20:00:18Z");
    assert_eq!(found(two, Some(BEGAN))[0].id.as_str(), "KS-POD-UNSCHEDULABLE-MEMORY");
    // The pod is older than the current reconciliation: the operator was restarted, and will handle it.
    let restarted = BEGAN.replace("20:00:20", "20:00:50");
    assert_eq!(found(taken_back(), Some(&restarted))[0].id.as_str(), "KS-POD-UNSCHEDULABLE-MEMORY");
    // The pod is not stuck.
    let mut fine = pool_behind();
    fine[3]["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]});
    assert!(found(fine, Some(BEGAN)).is_empty());
}

#[test]
fn one_end_is_enough_if_the_log_tells_why() {
    let mut objects = taken_back();
    objects[3]["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}],
        "containerStatuses": [{"name": "kafka", "image": "x", "ready": false, "restartCount": 0,
            "state": {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": "2026-11-22T20:00:55Z"}}}]});
    let expect = Expect::kafka("kafka", "my-cluster");
    let at_it = found(objects.clone(), Some(BEGAN));
    assert_eq!(at_it[0].id.as_str(), "KS-CRASH-LOOP", "once may be chance");
    let log = at_it[0].probes[0].clone();
    let probe = Probe::Reconciliations {
        namespace: "kafka".into(),
        pod: "op-1".into(),
        look: now().as_second() / 10,
    };
    let words = "org.apache.kafka.common.config.ConfigException: Invalid value 1".to_owned();
    let answers = Answers::from([(log, words), (probe, BEGAN.to_owned())]);
    assert_eq!(look(objects, &expect, &answers)[0].id.as_str(), "KS-OPERATOR-LOCK");
}

#[test]
fn an_outdated_verdict_is_checked_again() {
    let mut objects = stuck();
    objects[1]["status"]["conditions"] = json!([{"type": "NotReady", "status": "True", "reason": "FatalProblem",
        "message": "Pod is unschedulable or is not starting", "lastTransitionTime": "2026-11-22T20:00:30Z"}]);
    // The pod is still stuck, which is no change, and the pod's own cause is reported.
    assert_eq!(found(objects.clone(), None)[0].id.as_str(), "KS-POD-UNSCHEDULABLE-MEMORY");
    assert!(found(objects.clone(), None).iter().all(|f| f.recovery.is_none()));
    objects[3]["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
    let again = found(objects.clone(), None);
    assert_eq!(
        (again[0].id.as_str(), again[0].recovery.clone()),
        ("KS-KAFKA-TIMEOUT", Some(Recovery::Reconcile))
    );
    // One of two nodes is missing.
    objects[2]["status"]["nodeIds"] = json!([0, 1]);
    assert!(found(objects, None).iter().all(|f| f.recovery.is_none()));
}
