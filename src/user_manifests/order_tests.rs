use proptest::prelude::*;
use serde_json::json;

use super::super::test_support::documents;
use super::*;

fn names(text: &str) -> Vec<(Phase, Vec<String>)> {
    let documents = documents(text);
    let kinds = |all: Vec<&Document>| all.iter().map(|d| d.object.kind().to_owned()).collect();
    phases(&documents).into_iter().map(|(phase, all)| (phase, kinds(all))).collect()
}

#[test]
fn dependencies_come_first() {
    let mut text = String::new();
    for (api, kind) in [
        ("apps/v1", "Deployment"),
        ("example.com/v1", "Kafka"),
        ("batch/v1", "Job"),
        ("kafka.strimzi.io/v1", "KafkaConnector"),
        ("kafka.strimzi.io/v1", "KafkaRebalance"),
        ("kafka.strimzi.io/v1", "KafkaConnect"),
        ("kafka.strimzi.io/v1", "KafkaTopic"),
        ("kafka.strimzi.io/v1", "KafkaUser"),
        ("kafka.strimzi.io/v1beta2", "Kafka"),
        ("kafka.strimzi.io/v1", "KafkaNodePool"),
        ("rbac.authorization.k8s.io/v1", "RoleBinding"),
        ("v1", "ConfigMap"),
    ] {
        text += &format!("---\napiVersion: {api}\nkind: {kind}\nmetadata: {{name: a}}\n");
    }
    let all = names(&text);
    let expected: Vec<(Phase, &[&str])> = vec![
        (Phase::Foundations, &["ConfigMap", "RoleBinding"]),
        (Phase::Clusters, &["KafkaNodePool", "Kafka"]),
        (Phase::UsersAndTopics, &["KafkaUser", "KafkaTopic"]),
        (Phase::Clients, &["KafkaConnect"]),
        (Phase::Connectors, &["KafkaConnector"]),
        (Phase::Rebalances, &["KafkaRebalance"]),
        (Phase::Workloads, &["Deployment", "Job", "Kafka"]),
    ];
    let all: Vec<(Phase, Vec<&str>)> =
        all.iter().map(|(phase, kinds)| (*phase, kinds.iter().map(String::as_str).collect())).collect();
    assert_eq!(all, expected.iter().map(|(phase, kinds)| (*phase, kinds.to_vec())).collect::<Vec<_>>());
}

fn of(api: &str, kind: &str, live: &Value) -> State {
    let object =
        Object::new(json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}})).expect("an object");
    state(&object, Some(&Live::new(live.clone())))
}

fn condition(kind: &str, status: &str, reason: &str) -> Value {
    json!({"type": kind, "status": status, "reason": reason, "message": "because"})
}

fn strimzi(kind: &str, generation: u32, observed: u32, conditions: &[Value]) -> State {
    let live = json!({"metadata": {"generation": generation}, "status": {"observedGeneration": observed, "conditions": conditions}});
    of("kafka.strimzi.io/v1", kind, &live)
}

#[test]
fn strimzis_resources_have_conditions() {
    let waiting = |state: &State| matches!(state, State::Waiting(_));
    for kind in ["Kafka", "KafkaUser", "KafkaTopic", "KafkaConnect", "KafkaConnector", "KafkaBridge"] {
        assert_eq!(strimzi(kind, 2, 2, &[condition("Ready", "True", "")]), State::Ready, "{kind}");
        // A status of the generation before the change.
        assert!(waiting(&strimzi(kind, 2, 1, &[condition("Ready", "True", "")])), "{kind}");
        assert!(
            waiting(&strimzi(kind, 2, 1, &[condition("NotReady", "True", "InvalidResourceException")])),
            "{kind}"
        );
        assert!(waiting(&strimzi(kind, 1, 1, &[condition("NotReady", "True", "Creating")])), "{kind}");
        let failed = State::Failed("InvalidResourceException: because".into());
        assert_eq!(
            strimzi(kind, 1, 1, &[condition("NotReady", "True", "InvalidResourceException")]),
            failed,
            "{kind}"
        );
        assert!(waiting(&of("kafka.strimzi.io/v1", kind, &json!({"metadata": {"generation": 1}}))), "{kind}");
    }
    let refused = strimzi("KafkaTopic", 1, 1, &[condition("Ready", "False", "KafkaError")]);
    assert_eq!(refused, State::Failed("KafkaError: because".into()));
    let paused = strimzi("Kafka", 1, 1, &[condition("ReconciliationPaused", "True", "")]);
    assert!(matches!(paused, State::Failed(_)));
    assert_eq!(strimzi("KafkaNodePool", 1, 0, &[]), State::Ready);
}

#[test]
fn a_rebalance_is_ready_with_its_proposal_or_when_it_is_done() {
    let with = |approval: &str, kind: &str| {
        let live = json!({
            "metadata": {"generation": 1, "annotations": {"strimzi.io/rebalance-auto-approval": approval}},
            "status": {"observedGeneration": 1, "conditions": [condition(kind, "True", "")]},
        });
        of("kafka.strimzi.io/v1", "KafkaRebalance", &live)
    };
    assert_eq!(with("", "ProposalReady"), State::Ready);
    assert!(matches!(with("true", "ProposalReady"), State::Waiting(_)));
    assert_eq!(with("true", "Ready"), State::Ready);
    assert!(matches!(with("", "PendingProposal"), State::Waiting(_)));
    assert!(matches!(with("", "NotReady"), State::Failed(_)));
}

/// The operator does not reconcile it, so it never has a status.
#[test]
fn a_template_of_rebalances_is_ready_when_it_exists() {
    let annotations = json!({"strimzi.io/rebalance-template": "true"});
    let live = json!({"metadata": {"name": "x", "generation": 1, "annotations": annotations}});
    let template = Object::new(json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaRebalance",
        "metadata": {"name": "x", "annotations": annotations}, "spec": {}}))
    .expect("an object");
    assert_eq!(state(&template, Some(&Live::new(live))), State::Ready);
}

#[test]
fn workloads_are_available_and_jobs_complete() {
    let deployment = |observed: u32, updated: u32, available: u32| {
        let status = json!({"observedGeneration": observed, "updatedReplicas": updated, "availableReplicas": available, "conditions": []});
        of(
            "apps/v1",
            "Deployment",
            &json!({"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}),
        )
    };
    assert_eq!(deployment(2, 2, 2), State::Ready);
    assert_eq!(deployment(2, 1, 2), State::Waiting("1 of 2 pods are available".into()));
    assert!(matches!(deployment(1, 2, 2), State::Waiting(_)));
    let stuck = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "conditions": [condition("Progressing", "False", "ProgressDeadlineExceeded")]}});
    assert!(matches!(of("apps/v1", "Deployment", &stuck), State::Failed(_)));
    let set = json!({"metadata": {"generation": 1}, "status": {"observedGeneration": 1, "desiredNumberScheduled": 1, "updatedNumberScheduled": 1, "numberAvailable": 1}});
    assert_eq!(of("apps/v1", "DaemonSet", &set), State::Ready);
    let job = |kind: &str| {
        of(
            "batch/v1",
            "Job",
            &json!({"status": {"conditions": [condition(kind, "True", "BackoffLimitExceeded")]}}),
        )
    };
    assert_eq!(job("Complete"), State::Ready);
    assert_eq!(job("Failed"), State::Failed("BackoffLimitExceeded: because".into()));
    assert!(matches!(job("Suspended"), State::Waiting(_)));
    let pod = |phase: &str| of("v1", "Pod", &json!({"status": {"phase": phase}}));
    assert_eq!(pod("Succeeded"), State::Ready);
    assert!(matches!((pod("Failed"), pod("Pending")), (State::Failed(_), State::Waiting(_))));
}

#[test]
fn other_kinds_are_ready_when_they_exist() {
    assert_eq!(of("v1", "ConfigMap", &json!({"metadata": {}})), State::Ready);
    assert_eq!(of("example.com/v1", "Other", &json!({"metadata": {}})), State::Ready);
    let deleted = json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}});
    assert!(matches!(of("v1", "ConfigMap", &deleted), State::Waiting(_)));
    let claim = |phase: &str| of("v1", "PersistentVolumeClaim", &json!({"status": {"phase": phase}}));
    assert_eq!((claim("Bound"), claim("Pending")), (State::Ready, State::Ready));
    let object = Object::new(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "a"}}))
        .expect("an object");
    assert!(matches!(state(&object, None), State::Waiting(_)));
}

#[test]
fn each_kind_has_one_row() {
    let mut rows: Vec<_> = TABLE.iter().map(|(kind, group, ..)| (group, kind)).collect();
    rows.sort();
    rows.dedup();
    assert_eq!(rows.len(), TABLE.len());
    for kind in crate::catalogue::served::KINDS {
        assert!(rows.contains(&(&STRIMZI, &kind)), "{kind}");
    }
}

proptest! {
    /// A live object may have any content.
    #[test]
    fn no_status_panics(kind in prop::sample::select(TABLE.iter().map(|row| (row.1, row.0)).collect::<Vec<_>>()), status in "[a-zA-Z0-9\\[\\]{}:, \"]{0,60}") {
        let status = super::super::parse::parse(&status, 1).ok().and_then(|mut all| all.pop()).map(|p| p.value);
        let (group, kind) = kind;
        of(&format!("{group}/v1").replace("/v1", if group.is_empty() { "v1" } else { "/v1" }), kind, &json!({"status": status}));
    }
}
