//! Pods that run but do not become ready: the entity operator (brokers are ready, and the Kafka resource is not), or
//! a broker, for which the operator waits in vain.

use super::finding::Finding;
use super::finding::short;
use super::logs;
use super::pods::{asked, question};
use super::scene::Scene;
use super::{Family, Rule};
use crate::errors;
use crate::kube::pod::State;

/// Normally it takes 25 s (recording 01), on a busy machine several times that.
const ENTITY_LIMIT_S: u64 = 120;
/// The operator restores the number of its pods in its next periodic reconciliation, every 120 s.
const NEXT_RECONCILIATION_S: u64 = 150;
/// Normally it takes 15 s (recording 01), with old data or on a busy machine a minute or two; the operator itself
/// gives up after 300 s.
const BROKER_LIMIT_S: u64 = 290;
/// Normal start-up time.
const BROKER_USUAL_S: u64 = 45;

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[errors::ENTITY_OPERATOR], family: Family::Pods, find: not_ready },
    Rule { ids: &[errors::ENTITY_OPERATOR_STOPPED], family: Family::Pods, find: stopped },
    Rule { ids: &[errors::BROKER_NOT_READY], family: Family::Pods, find: broker_not_ready },
];

fn not_ready(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = scene.expect.cluster.as_str();
    let entity = |p: &crate::kube::pod::Pod<'_>| {
        p.0.label("strimzi.io/component-type") == Some("entity-operator") && !p.0.deleting() && !p.ready()
    };
    for pod in scene.cluster_pods().filter(entity) {
        // Other rules cover what prevents it from running.
        let running = |c: &crate::kube::pod::Container<'_>| matches!(c.state(), State::Running { .. });
        if pod.containers().next().is_none() || !pod.containers().all(|c| running(&c)) {
            continue;
        }
        let Some(container) = pod.containers().find(|c| !c.ready()) else { continue };
        let name = pod.0.name();
        let log = asked(pod, &container, scene).and_then(logs::last_relevant_line);
        let words = log.map_or(String::new(), |w| format!("; last log lines: {}", short(w)));
        let mut finding = Finding::new(
            errors::ENTITY_OPERATOR,
            42,
            format!("pod/{name}"),
            format!(
                "the entity operator of Kafka {cluster} is running but does not become ready ({}){words}",
                container.name()
            ),
        )
        .evidence(format!("pods/{name} container {} running, ready=false", container.name()))
        .hint(format!(
            "show its log: {}",
            scene.expect.inside(scene.expect.kubectl("logs").args([name, "-c", container.name()]))
        ))
        .hint("messages can be produced and consumed without it, but topics and users are not managed")
        .since(pod.0.created())
        .certain_after(ENTITY_LIMIT_S);
        // Queried only if it takes longer than usual.
        if scene.age(pod.0.created()) > 30 {
            finding = finding.probe(question(pod, &container));
        }
        found.push(finding);
    }
}

/// An entity operator whose Deployment was scaled to 0.
fn stopped(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = scene.expect.cluster.as_str();
    let name = format!("{cluster}-entity-operator");
    let wanted = scene.kafka().is_some_and(|kafka| kafka.wants_entity_operator());
    let deployment = scene.snapshot.deployment(&scene.expect.namespace, &name);
    if !wanted || deployment.is_none_or(|d| d.0.deleting() || d.requested_replicas() > 0) {
        return;
    }
    let start = scene.expect.kubectl("scale --replicas=1").arg(format!("deployment/{name}"));
    found.push(
        Finding::new(
            errors::ENTITY_OPERATOR_STOPPED,
            43,
            format!("deployment/{name}"),
            format!(
                "the entity operator of Kafka {cluster} is scaled to 0: its topics and users are not managed"
            ),
        )
        .evidence(format!("deployments/{name} spec.replicas=0"))
        .hint(format!("start it again: {}", scene.expect.inside(start)))
        .hint(
            "the operator does this by itself within two minutes, unless it is stopped or the Kafka cluster \
             is paused",
        )
        .certain_after(NEXT_RECONCILIATION_S),
    );
}

fn broker_not_ready(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for pod in scene.nodes().filter(|p| !p.0.deleting() && !p.ready()) {
        let name = pod.0.name();
        for container in pod.containers().filter(|c| !c.ready()) {
            // Other rules cover containers that ended, including those between two restarts.
            let State::Running { started } = container.state() else { continue };
            if container.down().is_some() || container.restarts() > 0 {
                continue;
            }
            let since = started.or(pod.0.created());
            let log = asked(pod, &container, scene).and_then(logs::last_relevant_line);
            let words = log.map_or(String::new(), |w| format!("; last log lines: {}", short(w)));
            let mut finding = Finding::new(
                errors::BROKER_NOT_READY,
                28,
                format!("pod/{name}"),
                format!("broker {name} is running but does not become ready{words}"),
            )
            .evidence(format!("pods/{name} container {} running, ready=false", container.name()))
            .hint(format!(
                "show its log: {}",
                scene.expect.inside(scene.expect.kubectl("logs").args([name, "-c", container.name()]))
            ))
            .hint(
                "a broker becomes ready when it has found the other nodes and loaded its data: check \
                 that all nodes exist",
            )
            .since(since)
            .usual_for(BROKER_USUAL_S)
            .certain_after(BROKER_LIMIT_S);
            if !finding.usual_at(scene.now) {
                finding = finding.probe(question(pod, &container));
            }
            found.push(finding);
        }
    }
}
