//! The order in which documents are applied, and when an object is ready.
//!
//! The phases follow from dependencies: a Kafka cluster's pods mount ConfigMaps and Secrets, the topic and user
//! operators work only when the brokers are running, Connect needs its user's Secret and its topics, connectors need
//! Connect. Within a phase the order is that of the files. [`state`] is a pure function of a live object, used by
//! `up`, `status` and tests.

use serde_json::Value;

use super::document::Document;
use super::references::is_template;
use crate::kube::object::{Object as Live, text};
use crate::manifest::Object;

/// A phase. The tasks determine which phases wait for which (`quickstart/user_objects.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Phase {
    /// What others refer to: ConfigMaps, Secrets, ServiceAccounts, RBAC, claims, policies, Services.
    Foundations,
    /// Kafka clusters with their node pools: a Kafka resource is not reconciled before its node pools exist, so they
    /// come first.
    Clusters,
    /// Users, then topics.
    UsersAndTopics,
    /// Clients that the operator runs.
    Clients,
    /// What needs a running client.
    Connectors,
    /// Rebalances: the operator rejects one whose Kafka cluster is not Ready, and retries only minutes later.
    Rebalances,
    /// Everything else: workloads and kinds that kstrim does not know.
    Workloads,
}

impl Phase {
    /// All phases in their order.
    pub(crate) const ALL: [Phase; 7] = [
        Phase::Foundations,
        Phase::Clusters,
        Phase::UsersAndTopics,
        Phase::Clients,
        Phase::Connectors,
        Phase::Rebalances,
        Phase::Workloads,
    ];
}

/// How the readiness of an object is determined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readiness {
    /// It is ready when it exists.
    Exists,
    /// The condition of this type is true for the current generation.
    Condition(&'static str),
    /// A rebalance: the proposal is computed; with automatic approval it is done.
    Rebalance,
    /// A Deployment, StatefulSet or DaemonSet: all pods of the current generation are available.
    Available,
    /// A Job: it has completed.
    Complete,
    /// A Pod: it is ready, or has succeeded.
    Pod,
    /// A claim: it is bound, or is waiting for its first pod.
    Bound,
}

/// A row of the table: kind, API group, order within the phase, readiness.
type Row = (&'static str, &'static str, Phase, u8, Readiness);

const STRIMZI: &str = "kafka.strimzi.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// The known kinds. Any other kind is applied last, and is ready when it exists.
const TABLE: [Row; 38] = [
    ("ResourceQuota", "", Phase::Foundations, 0, Readiness::Exists),
    ("LimitRange", "", Phase::Foundations, 0, Readiness::Exists),
    ("ServiceAccount", "", Phase::Foundations, 1, Readiness::Exists),
    ("Role", RBAC, Phase::Foundations, 1, Readiness::Exists),
    ("RoleBinding", RBAC, Phase::Foundations, 2, Readiness::Exists),
    ("Secret", "", Phase::Foundations, 1, Readiness::Exists),
    ("SealedSecret", "bitnami.com", Phase::Foundations, 1, Readiness::Exists),
    ("SecretStore", "external-secrets.io", Phase::Foundations, 1, Readiness::Condition("Ready")),
    ("ExternalSecret", "external-secrets.io", Phase::Foundations, 2, Readiness::Condition("Ready")),
    ("Issuer", "cert-manager.io", Phase::Foundations, 1, Readiness::Condition("Ready")),
    ("Certificate", "cert-manager.io", Phase::Foundations, 2, Readiness::Condition("Ready")),
    ("ConfigMap", "", Phase::Foundations, 1, Readiness::Exists),
    ("PersistentVolumeClaim", "", Phase::Foundations, 1, Readiness::Bound),
    ("NetworkPolicy", "networking.k8s.io", Phase::Foundations, 1, Readiness::Exists),
    ("PodDisruptionBudget", "policy", Phase::Foundations, 1, Readiness::Exists),
    ("Service", "", Phase::Foundations, 1, Readiness::Exists),
    // A node pool has no conditions: those of its Kafka include it.
    ("KafkaNodePool", STRIMZI, Phase::Clusters, 0, Readiness::Exists),
    ("Kafka", STRIMZI, Phase::Clusters, 1, Readiness::Condition("Ready")),
    ("KafkaUser", STRIMZI, Phase::UsersAndTopics, 0, Readiness::Condition("Ready")),
    ("KafkaTopic", STRIMZI, Phase::UsersAndTopics, 1, Readiness::Condition("Ready")),
    ("KafkaConnect", STRIMZI, Phase::Clients, 0, Readiness::Condition("Ready")),
    ("KafkaMirrorMaker", STRIMZI, Phase::Clients, 0, Readiness::Condition("Ready")),
    ("KafkaMirrorMaker2", STRIMZI, Phase::Clients, 0, Readiness::Condition("Ready")),
    ("KafkaBridge", STRIMZI, Phase::Clients, 0, Readiness::Condition("Ready")),
    ("KafkaConnector", STRIMZI, Phase::Connectors, 0, Readiness::Condition("Ready")),
    ("KafkaRebalance", STRIMZI, Phase::Rebalances, 0, Readiness::Rebalance),
    ("Deployment", "apps", Phase::Workloads, 0, Readiness::Available),
    ("StatefulSet", "apps", Phase::Workloads, 0, Readiness::Available),
    ("DaemonSet", "apps", Phase::Workloads, 0, Readiness::Available),
    ("ReplicaSet", "apps", Phase::Workloads, 0, Readiness::Available),
    ("Pod", "", Phase::Workloads, 0, Readiness::Pod),
    ("Job", "batch", Phase::Workloads, 1, Readiness::Complete),
    ("CronJob", "batch", Phase::Workloads, 1, Readiness::Exists),
    ("HorizontalPodAutoscaler", "autoscaling", Phase::Workloads, 1, Readiness::Exists),
    ("Ingress", "networking.k8s.io", Phase::Workloads, 1, Readiness::Exists),
    ("PodMonitor", "monitoring.coreos.com", Phase::Workloads, 2, Readiness::Exists),
    ("ServiceMonitor", "monitoring.coreos.com", Phase::Workloads, 2, Readiness::Exists),
    ("PrometheusRule", "monitoring.coreos.com", Phase::Workloads, 2, Readiness::Exists),
];

fn row(group: &str, kind: &str) -> (Phase, u8, Readiness) {
    let row = TABLE.iter().find(|(known, of, ..)| *known == kind && *of == group);
    row.map_or((Phase::Workloads, 3, Readiness::Exists), |(.., phase, place, readiness)| {
        (*phase, *place, *readiness)
    })
}

/// The phase of a kind.
pub(crate) fn phase(group: &str, kind: &str) -> Phase {
    row(group, kind).0
}

/// How the readiness of a kind's objects is determined.
pub(crate) fn readiness(group: &str, kind: &str) -> Readiness {
    row(group, kind).2
}

/// The documents by phase; phases without documents are left out. The order in a phase is that of the table, then that
/// of the files.
pub(crate) fn phases(documents: &[Document]) -> Vec<(Phase, Vec<&Document>)> {
    let mut phases = Vec::new();
    for phase in Phase::ALL {
        let place = |document: &&Document| row(document.object.group(), document.object.kind());
        let mut all: Vec<&Document> =
            documents.iter().filter(|document| place(document).0 == phase).collect();
        all.sort_by_key(|document| place(document).1);
        if !all.is_empty() {
            phases.push((phase, all));
        }
    }
    phases
}

/// The state of a live object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum State {
    /// Not ready; why, in a few words.
    Waiting(String),
    /// It is ready.
    Ready,
    /// It will not become ready unless something changes; why.
    Failed(String),
}

/// The state of an object: `live` is the object in the cluster. A failure may pass (a connector fails until Connect
/// is ready): the caller decides how long it must persist.
pub(crate) fn state(object: &Object, live: Option<&Live>) -> State {
    let Some(live) = live else { return State::Waiting("does not exist yet".to_owned()) };
    if live.deleting() {
        return State::Waiting("being deleted".to_owned());
    }
    let json = live.json();
    // It is not reconciled on purpose.
    let unmanaged = object.kind() == "KafkaTopic" && live.annotation("strimzi.io/managed") == Some("false");
    let template = object.kind() == "KafkaRebalance" && is_template(object);
    if unmanaged || template || object.get("/spec/paused") == Some(&Value::Bool(true)) {
        return State::Ready;
    }
    match readiness(object.group(), object.kind()) {
        Readiness::Exists => State::Ready,
        Readiness::Condition(kind) => by_condition(live, kind, object.group() == STRIMZI),
        Readiness::Rebalance => {
            rebalance(live, text(json, "/metadata/annotations/strimzi.io~1rebalance-auto-approval"))
        }
        Readiness::Available => available(json, live, object.kind()),
        Readiness::Complete => job(json, live),
        Readiness::Pod => pod(json, live),
        Readiness::Bound => match text(json, "/status/phase") {
            "Bound" => State::Ready,
            "Lost" => State::Failed("its volume no longer exists".to_owned()),
            // The default storage classes of local clusters may bind a claim only when a pod uses it.
            "Pending" => State::Ready,
            _ => State::Waiting("waiting for its volume".to_owned()),
        },
    }
}

fn explanation(reason: &str, message: &str) -> String {
    match (reason, message) {
        ("", message) => message.to_owned(),
        (reason, "") => reason.to_owned(),
        (reason, message) => format!("{reason}: {message}"),
    }
}

/// Strimzi's resources have `Ready=True`, or `NotReady=True` with the reason (topics of the unidirectional topic
/// operator have `Ready=False`); the status of another generation is ignored.
fn by_condition(object: &Live, kind: &str, strimzi: bool) -> State {
    if !object.has_status() {
        return State::Waiting("waiting for its operator".to_owned());
    }
    let paused = object.condition("ReconciliationPaused").is_some_and(|condition| condition.is_true());
    if paused && strimzi {
        return State::Failed("its reconciliation is paused".to_owned());
    }
    if strimzi && !object.observed() {
        return State::Waiting("its operator has not reconciled the change yet".to_owned());
    }
    if object.condition(kind).is_some_and(|condition| condition.is_true()) {
        return State::Ready;
    }
    let failed = object.condition("NotReady").filter(|c| c.is_true() && c.reason != "Creating");
    let not = object.condition(kind).filter(|condition| condition.is_false());
    match (failed, not) {
        (Some(failed), _) if strimzi => State::Failed(explanation(failed.reason, failed.message)),
        (_, Some(not)) if strimzi => State::Failed(explanation(not.reason, not.message)),
        (_, Some(not)) => State::Waiting(explanation(not.reason, not.message)),
        _ => State::Waiting("not ready yet".to_owned()),
    }
}

/// A rebalance has one condition for each of its states. Without automatic approval it is done when the proposal is
/// ready.
fn rebalance(object: &Live, approval: &str) -> State {
    if !object.observed() {
        return State::Waiting("its operator has not reconciled the change yet".to_owned());
    }
    let is = |kind: &str| object.condition(kind).filter(|condition| condition.is_true());
    if let Some(failed) = is("NotReady") {
        return State::Failed(explanation(failed.reason, failed.message));
    }
    match (is("Ready"), is("ProposalReady")) {
        (Some(_), _) => State::Ready,
        (None, Some(_)) if approval != "true" => State::Ready,
        (None, Some(_)) => State::Waiting("its proposal is approved".to_owned()),
        (None, None) => State::Waiting("Cruise Control computes or carries out its proposal".to_owned()),
    }
}

/// Decides as `kubectl rollout status`.
fn available(live: &Value, object: &Live, kind: &str) -> State {
    let number = |pointer: &str| live.pointer(pointer).and_then(Value::as_u64);
    let status = |field: &str| number(&format!("/status/{field}")).unwrap_or(0);
    if !object.has_status() || !object.observed() {
        return State::Waiting("its controller has not seen the change yet".to_owned());
    }
    let progressing = object.condition("Progressing").filter(|condition| condition.is_false());
    if let Some(stuck) = progressing.filter(|condition| condition.reason == "ProgressDeadlineExceeded") {
        return State::Failed(explanation(stuck.reason, stuck.message));
    }
    let wanted = match kind {
        "DaemonSet" => status("desiredNumberScheduled"),
        _ => number("/spec/replicas").unwrap_or(1),
    };
    let (updated, available) = match kind {
        "DaemonSet" => (status("updatedNumberScheduled"), status("numberAvailable")),
        "ReplicaSet" => (wanted, status("availableReplicas")),
        _ => (status("updatedReplicas"), status("availableReplicas")),
    };
    match updated >= wanted && available >= wanted {
        true => State::Ready,
        false => State::Waiting(format!("{} of {wanted} pods are available", available.min(updated))),
    }
}

fn job(live: &Value, object: &Live) -> State {
    if object.condition("Complete").is_some_and(|condition| condition.is_true()) {
        return State::Ready;
    }
    if let Some(failed) = object.condition("Failed").filter(|condition| condition.is_true()) {
        return State::Failed(explanation(failed.reason, failed.message));
    }
    if live.pointer("/spec/suspend") == Some(&Value::Bool(true)) {
        return State::Failed("it is suspended".to_owned());
    }
    State::Waiting("running".to_owned())
}

fn pod(live: &Value, object: &Live) -> State {
    match live.pointer("/status/phase").and_then(Value::as_str) {
        Some("Succeeded") => State::Ready,
        Some("Failed") => State::Failed("it has failed".to_owned()),
        _ if object.condition("Ready").is_some_and(|condition| condition.is_true()) => State::Ready,
        Some(phase) => State::Waiting(phase.to_lowercase()),
        None => State::Waiting("waiting for its node".to_owned()),
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
