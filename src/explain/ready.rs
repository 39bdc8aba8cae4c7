//! Pure predicates on the observed state: ready, not yet ready and why, or failed.
//!
//! Two guards apply everywhere. A condition counts only if its controller has seen the current generation; and a
//! cluster counts only together with its pods: while a broker is rolled, scaled or killed the Kafka resource has
//! `Ready=True` all along.

use crate::explain::{self, Finding, Scene, Verdict};
use crate::kube::Snapshot;
use crate::kube::kafka::{Kafka, KafkaNodePool, part_title};
use crate::kube::pod::{Pod, State};
use crate::kube::strimzi::pauses;
use crate::words;

/// The state of a resource.
#[derive(Debug, Clone)]
pub enum Readiness {
    /// As requested.
    Ready,
    /// In progress, as far as is known.
    Progressing {
        /// Short, for the live list: `broker my-cluster-dual-role-0: pulling image`.
        why: String,
    },
    /// It will not become ready without help.
    Failed(Box<Finding>),
}

impl Readiness {
    /// Whether it is [`Readiness::Ready`].
    pub fn is_ready(&self) -> bool {
        matches!(self, Readiness::Ready)
    }

    /// In progress because of `why`.
    pub fn progressing(why: impl Into<String>) -> Self {
        Readiness::Progressing { why: why.into() }
    }

    /// The observed state takes precedence over the suspected one: something that is ready has not failed.
    #[must_use]
    pub fn or_failed(self, verdict: &Verdict) -> Self {
        match (&self, &verdict.terminal) {
            (Readiness::Progressing { .. }, Some(cause)) => Readiness::Failed(Box::new(cause.clone())),
            _ => self,
        }
    }
}

/// Whether the operator's Deployment is available in its current revision.
///
/// Not required before Kafka resources are applied: the operator works about 18 s before its readiness probe passes.
pub fn operator(scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    operator_state(scene).or_failed(verdict)
}

fn operator_state(scene: &Scene<'_>) -> Readiness {
    let Some(operator) = scene.operator() else {
        return Readiness::progressing("operator: does not exist yet");
    };
    if operator.requested_replicas() == 0 {
        return Readiness::progressing("operator: scaled to 0");
    }
    if operator.complete() && !operator.0.deleting() {
        return match scene.operator_pods().iter().find_map(|p| unsteady(scene, *p)) {
            Some(why) => Readiness::progressing(format!("operator: {why}")),
            None => Readiness::Ready,
        };
    }
    if let Some(failure) = operator.replica_failure() {
        return Readiness::progressing(format!("operator: no pod can be created ({})", failure.message));
    }
    let pods = scene.operator_pods();
    Readiness::progressing(match pods.iter().find(|p| !p.ready()) {
        Some(pod) => format!("operator: {}", pod_state_in(scene.snapshot, *pod)),
        None if pods.is_empty() => "operator: waiting for its pod".to_owned(),
        None if pods.len() < scene.all_operator_pods().count() => {
            "operator: replacing the old pod".to_owned()
        }
        None => "operator: its pod is ready, but its Deployment is not yet".to_owned(),
    })
}

/// Whether the Kafka resource is ready at the current generation, with all its pods.
pub fn kafka(scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    kafka_state(scene).or_failed(verdict)
}

fn kafka_state(scene: &Scene<'_>) -> Readiness {
    let Some(kafka) = scene.kafka() else { return Readiness::progressing("Kafka: does not exist yet") };
    if kafka.0.deleting() {
        return Readiness::progressing("Kafka: being deleted");
    }
    if !kafka.0.has_status() {
        return Readiness::progressing(match operator_state(scene) {
            Readiness::Ready => "Kafka: waiting for the operator to reconcile it".to_owned(),
            Readiness::Progressing { why } => why,
            Readiness::Failed(finding) => finding.sentence,
        });
    }
    let pods = brokers_state(scene);
    if let Readiness::Progressing { why } = pods {
        return Readiness::progressing(why);
    }
    let current = kafka.0.observed() && kafka.0.observed_generation() >= scene.expect.generation;
    // The annotation counts before the operator has seen it: until then the status says Ready.
    let paused = kafka.paused().is_some() || pauses(kafka.0);
    if current && kafka.ready().is_some() && !paused {
        return missing_below(scene, &kafka);
    }
    if paused {
        return Readiness::progressing("Kafka: reconciliation is paused");
    }
    let beside = scene.cluster_pods().find(|p| !p.ready() && !p.is_kafka_node_of(&scene.expect.cluster));
    Readiness::progressing(match beside.filter(|p| !p.0.deleting()) {
        Some(pod) => {
            let what = part_title(&pod, &scene.expect.cluster).unwrap_or("the entity operator");
            format!("Kafka: waiting for {what} ({})", pod_state_in(scene.snapshot, pod))
        }
        None if !current && kafka.ready().is_some() => {
            "Kafka: the operator is reconciling the change".to_owned()
        }
        None if kafka.wants_entity_operator() && scene.cluster_pods().count() == scene.nodes().count() => {
            "Kafka: waiting for the entity operator".to_owned()
        }
        None => "Kafka: waiting for the operator to report its status".to_owned(),
    })
}

/// What is missing below a ready Kafka resource: it stays Ready until the operator reconciles again, whatever was
/// deleted.
fn missing_below(scene: &Scene<'_>, kafka: &Kafka<'_>) -> Readiness {
    let cluster = scene.expect.cluster.as_str();
    for (part, title) in kafka.parts() {
        let pods: Vec<Pod<'_>> =
            scene.snapshot.pods(&scene.expect.namespace).filter(|p| p.is_part_of(cluster, part)).collect();
        if pods.iter().any(|p| p.ready() && unsteady(scene, *p).is_none()) {
            continue;
        }
        let looping = pods.iter().find_map(|p| unsteady(scene, *p));
        let why = looping.or_else(|| pods.first().map(|pod| pod_state_in(scene.snapshot, *pod)));
        return Readiness::progressing(match why {
            Some(why) => format!("Kafka: waiting for {title} ({why})"),
            None => format!("Kafka: waiting for {title}, which has no pod"),
        });
    }
    Readiness::Ready
}

/// Whether all nodes of all pools are ready and as requested, so that clients can connect. The entity operator, and
/// therefore the Kafka resource's own `Ready`, may take 25 s longer.
pub fn brokers(scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    brokers_state(scene).or_failed(verdict)
}

fn brokers_state(scene: &Scene<'_>) -> Readiness {
    let Some(kafka) = scene.kafka() else { return Readiness::progressing("Kafka: does not exist yet") };
    // A cluster that was reconciled before may be rolled for a change that was not reconciled yet; a new one
    // (observedGeneration 0) has no older state.
    if kafka.0.observed_generation().is_some_and(|seen| seen > 0) && !kafka.0.observed() {
        let rolling = scene.nodes().find(|p| !p.ready());
        return Readiness::progressing(match rolling {
            Some(pod) => broker(scene, pod),
            None => "Kafka: the operator is reconciling the change".to_owned(),
        });
    }
    if kafka.uses_pools() && scene.pools().next().is_none() {
        return Readiness::progressing("Kafka: waiting for its node pool");
    }
    for pool in scene.pools().filter(|_| kafka.uses_pools()) {
        if let Some(why) = node_ids_unknown(&pool) {
            return Readiness::progressing(why);
        }
    }
    let wanted = kafka.nodes(scene.pools()).all.len();
    let mut nodes: Vec<Pod<'_>> = scene.nodes().collect();
    nodes.sort_by_key(|p| (p.ready(), p.0.name().to_owned()));
    if let Some(pod) = nodes.iter().find(|p| !p.ready()) {
        return Readiness::progressing(broker(scene, *pod));
    }
    if let Some((pod, why)) = nodes.iter().find_map(|p| Some((p, unsteady(scene, *p)?))) {
        return Readiness::progressing(format!("broker {}: {why}", pod.0.name()));
    }
    if explain::is_reconciling_pool(scene) {
        return Readiness::progressing("Kafka: the operator is reconciling the change");
    }
    match nodes.len() {
        0 => Readiness::progressing(waiting_for_zookeeper(scene)),
        there if there < wanted => Readiness::progressing(format!("brokers: {there} of {wanted} exist")),
        there if there > wanted => {
            Readiness::progressing(format!("brokers: {there} exist, {wanted} are requested"))
        }
        _ => Readiness::Ready,
    }
}

/// What brokers that do not exist yet wait for: with ZooKeeper, the operator creates them once that is ready.
fn waiting_for_zookeeper(scene: &Scene<'_>) -> String {
    let starting = scene.zookeeper().filter(|p| !p.ready()).min_by_key(|p| p.0.name().to_owned());
    match starting {
        Some(pod) => format!("ZooKeeper {}: {}", pod.0.name(), pod_state_in(scene.snapshot, pod)),
        None => "brokers: waiting for the operator to create them".to_owned(),
    }
}

/// Why it is not known which nodes a pool has.
fn node_ids_unknown(pool: &KafkaNodePool<'_>) -> Option<String> {
    let ids = pool.node_ids().len();
    if !pool.0.observed() {
        return Some(format!("node pool {}: waiting for the operator to reconcile it", pool.0.name()));
    }
    let all = i64::try_from(ids).unwrap_or(0) == pool.requested_replicas();
    (!all).then(|| format!("node pool {}: {ids} of {} nodes", pool.0.name(), pool.requested_replicas()))
}

/// Why a pod that is ready may soon not be: one of its containers has crashed repeatedly, and has not run longer than
/// the last time.
pub(crate) fn unsteady(scene: &Scene<'_>, pod: Pod<'_>) -> Option<String> {
    let container = pod.unsteady(scene.now)?;
    let ended = container.last()?.finished?;
    if scene.expect.crashes_since().is_some_and(|since| ended <= since) {
        return None;
    }
    Some(format!(
        "container {} has crashed and is running again (restarts: {})",
        container.name(),
        container.restarts()
    ))
}

fn broker(scene: &Scene<'_>, pod: Pod<'_>) -> String {
    format!("broker {}: {}", pod.0.name(), pod_state_in(scene.snapshot, pod))
}

/// The state of a pod that is not ready, in a few words.
pub(crate) fn pod_state(pod: Pod<'_>) -> String {
    if pod.0.deleting() {
        return "stopping".to_owned();
    }
    if let Some(condition) = pod.unschedulable() {
        let message = condition.message;
        return match words::AVAILABLE.after(message) {
            Some(why) => format!("cannot be scheduled ({})", why.split(". ").next().unwrap_or(why)),
            None => "cannot be scheduled".to_owned(),
        };
    }
    for container in pod.containers() {
        match container.state() {
            State::Waiting { reason: "ContainerCreating" | "PodInitializing", .. } => {
                return "container being created".to_owned();
            }
            State::Waiting { reason: "ErrImagePull" | "ImagePullBackOff", .. } => {
                return format!("image {} cannot be pulled", container.image());
            }
            State::Waiting { reason: "CrashLoopBackOff", .. } => {
                return format!("container keeps crashing (restarts: {})", container.restarts());
            }
            State::Waiting { reason, .. } => return format!("container waiting ({reason})"),
            State::Terminated(end) if end.failed() => {
                return format!("container exited with code {}", end.exit_code);
            }
            State::Running { .. } | State::Terminated(_) | State::Unknown => {}
        }
    }
    if pod.containers().next().is_none() {
        return if pod.node().is_empty() { "waiting to be scheduled" } else { "being initialized" }
            .to_owned();
    }
    "starting".to_owned()
}

/// The same with more information: its node, and events, which alone show that an image is being pulled.
pub(crate) fn pod_state_in(snapshot: &Snapshot, pod: Pod<'_>) -> String {
    if let Some(node) = snapshot.nodes().find(|node| node.0.name() == pod.node() && !node.ready()) {
        return format!("the node {} is not ready", node.0.name());
    }
    let state = pod_state(pod);
    if state != "container being created" {
        return state;
    }
    let last = snapshot.events_of(pod.0).max_by_key(|e| (e.last(), e.reason() != "Scheduled"));
    match last {
        Some(event) if event.reason() == "Pulling" => "pulling image".to_owned(),
        _ => state,
    }
}

/// A workload of the user's that is not ready yet, because of `why` unless one of its pods shows more.
pub(crate) fn workload(why: &str) -> impl Fn(&Scene<'_>, &Verdict) -> Readiness {
    move |scene, verdict| {
        let open = scene.cluster_pods().find(|pod| !pod.ready() && pod.phase() != "Succeeded");
        let state = open.map(|pod| format!("{}: {}", pod.0.name(), pod_state_in(scene.snapshot, pod)));
        Readiness::progressing(state.unwrap_or_else(|| why.to_owned())).or_failed(verdict)
    }
}

/// Whether the topic exists as requested.
pub fn topic(scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    let Some(name) = scene.expect.topic.as_deref() else { return Readiness::Ready };
    let state = match scene.snapshot.topic(&scene.expect.namespace, name) {
        None => Readiness::progressing(format!("topic {name}: does not exist yet")),
        Some(topic) if topic.0.deleting() => Readiness::progressing(format!("topic {name}: being deleted")),
        Some(topic) if topic.ready() => Readiness::Ready,
        Some(topic) if !topic.0.has_status() => {
            Readiness::progressing(format!("topic {name}: waiting for the topic operator"))
        }
        Some(topic) if !topic.0.observed() => {
            Readiness::progressing(format!("topic {name}: the topic operator is reconciling the change"))
        }
        Some(_) => Readiness::progressing(format!("topic {name}: not ready")),
    };
    state.or_failed(verdict)
}

/// Whether these CRDs (`kafkas.kafka.strimzi.io`) accept resources of `version` (`v1`). A new one has `conditions:
/// null` for some tenths of a second; one that is being deleted accepts none.
pub fn crds_established(snapshot: &Snapshot, names: &[&str], version: Option<&str>) -> Readiness {
    for name in names {
        let Some(crd) = snapshot.crd(name) else {
            return Readiness::progressing(format!("CRD {name}: does not exist yet"));
        };
        if crd.0.deleting() {
            return Readiness::progressing(format!("CRD {name}: being deleted"));
        }
        if !crd.established() {
            return Readiness::progressing(format!("CRD {name}: not established yet"));
        }
        let served = crd.served();
        if let Some(version) = version.filter(|v| !served.is_empty() && !served.contains(v)) {
            return Readiness::progressing(format!(
                "CRD {name}: serves {}, not {version}",
                served.join(", ")
            ));
        }
    }
    Readiness::Ready
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use jiff::{SignedDuration, Timestamp};
    use serde_json::{Value, json};

    use super::*;
    use crate::explain::{Answers, Expect};
    use crate::kube::cluster::OPERATOR;
    use crate::kube::{Kind, Store};

    fn pod(name: &str, labels: &Value, ready: bool) -> Value {
        json!({"metadata": {"namespace": "kafka", "name": name, "labels": labels},
            "spec": {"nodeName": "n", "containers": [{"name": "c", "image": "i"}]},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
                "containerStatuses": [{"name": "c", "ready": ready, "image": "i", "state": {"running": {}}}]}})
    }

    /// What is waited for, with these objects.
    fn why(objects: BTreeMap<Kind, Vec<Value>>, look: fn(&Scene<'_>, &Verdict) -> Readiness) -> String {
        let store = Store::new();
        for (kind, objects) in objects {
            store.replace(kind, objects);
        }
        let (snapshot, expect) = (store.snapshot(), Expect::kafka("kafka", "my-cluster"));
        let answers = Answers::new();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
        match look(&scene, &Verdict::default()) {
            Readiness::Progressing { why } => why,
            other => panic!("{other:?}"),
        }
    }

    /// The Deployment's status follows its pod's: nothing is being replaced then.
    #[test]
    fn a_replacement_is_reported_only_if_an_old_pod_exists() {
        let operator = |hash: &str, name: &str| {
            let labels =
                json!({"name": OPERATOR, "strimzi.io/kind": "cluster-operator", "pod-template-hash": hash});
            pod(name, &labels, true)
        };
        let deployment = json!({"metadata": {"namespace": "kafka", "name": OPERATOR, "generation": 1},
            "spec": {"replicas": 1}, "status": {"observedGeneration": 1, "replicas": 1}});
        let world = |pods| BTreeMap::from([(Kind::Deployment, vec![deployment.clone()]), (Kind::Pod, pods)]);
        let mut new = operator("b", "operator-b");
        new["metadata"]["creationTimestamp"] = json!("2026-11-01T10:00:00Z");
        assert_eq!(
            why(world(vec![new.clone()]), super::operator),
            "operator: its pod is ready, but its Deployment is not yet"
        );
        let mut old = operator("a", "operator-a");
        old["metadata"]["creationTimestamp"] = json!("2026-11-01T09:00:00Z");
        assert_eq!(why(world(vec![old, new]), super::operator), "operator: replacing the old pod");
    }

    #[test]
    fn while_zookeeper_starts_it_is_named() {
        let kafka = json!({"metadata": {"namespace": "kafka", "name": "my-cluster", "generation": 1},
            "spec": {"kafka": {"replicas": 1}, "zookeeper": {"replicas": 1}}, "status": {"conditions": []}});
        let labels = json!({"strimzi.io/cluster": "my-cluster", "strimzi.io/name": "my-cluster-zookeeper"});
        let world = |ready| {
            let zookeeper = pod("my-cluster-zookeeper-0", &labels, ready);
            BTreeMap::from([(Kind::Kafka, vec![kafka.clone()]), (Kind::Pod, vec![zookeeper])])
        };
        assert_eq!(why(world(false), brokers), "ZooKeeper my-cluster-zookeeper-0: starting");
        assert_eq!(why(world(true), brokers), "brokers: waiting for the operator to create them");
    }

    /// As with Strimzi's own operator, which takes some seconds to see it.
    #[test]
    fn the_pause_annotation_counts_before_the_operator_reports_it() {
        let kafka = json!({"metadata": {"namespace": "kafka", "name": "my-cluster", "generation": 1,
                "annotations": {(crate::kube::strimzi::PAUSE): "True"}}, "spec": {"kafka": {}},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}});
        let pool = json!({"metadata": {"namespace": "kafka", "name": "b", "generation": 1,
                "labels": {"strimzi.io/cluster": "my-cluster"}},
            "spec": {"replicas": 1, "roles": ["broker"]}, "status": {"observedGeneration": 1, "nodeIds": [0]}});
        let labels = json!({"strimzi.io/cluster": "my-cluster", "strimzi.io/name": "my-cluster-kafka"});
        let pods = vec![pod("my-cluster-b-0", &labels, true)];
        let world = [(Kind::Kafka, vec![kafka]), (Kind::KafkaNodePool, vec![pool]), (Kind::Pod, pods)];
        assert_eq!(why(BTreeMap::from(world), super::kafka), "Kafka: reconciliation is paused");
    }

    /// A pod in a crash loop is ready for some seconds, each time, and the Kafka resource has `Ready=True` all along.
    #[test]
    fn a_pod_in_a_crash_loop_is_not_ready_immediately() {
        let restarted = std::cell::Cell::new(None);
        let world = |part: &str, restarts: i64, runs_for: i64, ran_for: i64| {
            let ago = |seconds: i64| (Timestamp::now() - SignedDuration::from_secs(seconds)).to_string();
            let node = |name: &str, part: &str| {
                let labels = json!({"strimzi.io/cluster": "my-cluster", "strimzi.io/name": format!("my-cluster-{part}")});
                pod(name, &labels, true)
            };
            let mut pods = vec![
                node("my-cluster-b-0", "kafka"),
                node("my-cluster-entity-operator-x", "entity-operator"),
            ];
            let at = usize::from(part == "entity-operator");
            pods[at]["status"]["containerStatuses"][0] = json!({"name": "c", "ready": true, "restartCount": restarts,
                "state": {"running": {"startedAt": ago(runs_for)}}, "lastState": {"terminated": {"exitCode": 1,
                    "startedAt": ago(runs_for + 2 + ran_for), "finishedAt": ago(runs_for + 2)}}});
            let kafka = json!({"metadata": {"namespace": "kafka", "name": "my-cluster", "generation": 1},
                "spec": {"kafka": {}, "entityOperator": {"topicOperator": {}}},
                "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}});
            let pool = json!({"metadata": {"namespace": "kafka", "name": "b", "generation": 1,
                    "labels": {"strimzi.io/cluster": "my-cluster"}},
                "spec": {"replicas": 1, "roles": ["broker"]}, "status": {"observedGeneration": 1, "nodeIds": [0]}});
            let worlds = [(Kind::Kafka, vec![kafka]), (Kind::KafkaNodePool, vec![pool]), (Kind::Pod, pods)];
            let store = Store::new();
            for (kind, objects) in worlds {
                store.replace(kind, objects);
            }
            let mut expect = Expect::kafka("kafka", "my-cluster");
            expect.node_started = restarted.get();
            let snapshot = store.snapshot();
            let scene = Scene {
                snapshot: &snapshot,
                expect: &expect,
                answers: &Answers::new(),
                now: Timestamp::now(),
            };
            match super::kafka(&scene, &Verdict::default()) {
                Readiness::Ready => "ready".to_owned(),
                Readiness::Progressing { why } => why,
                Readiness::Failed(finding) => panic!("{finding:?}"),
            }
        };
        let broker = "broker my-cluster-b-0: container c has crashed and is running again (restarts: 3)";
        assert_eq!(world("kafka", 3, 5, 8), broker);
        assert_eq!(world("kafka", 3, 40, 60), broker, "it has not outlived its last run");
        let part = "Kafka: waiting for the entity operator (container c has crashed and is running again (restarts: 2))";
        assert_eq!(world("entity-operator", 2, 5, 8), part);
        for (restarts, runs_for, ran_for) in [(1, 5, 8), (3, 90, 60), (3, 25, 8), (9, 30, 3600)] {
            assert_eq!(
                world("kafka", restarts, runs_for, ran_for),
                "ready",
                "{restarts} {runs_for} {ran_for}"
            );
        }
        // kstrim itself has restarted everything in the node: once is no crash loop, what ends later is.
        let ago = |seconds: i64| Some(Timestamp::now() - SignedDuration::from_secs(seconds));
        restarted.set(ago(6));
        assert_eq!(world("kafka", 3, 5, 8), "ready");
        restarted.set(ago(60));
        assert_eq!(world("kafka", 3, 5, 8), broker);
    }
}
