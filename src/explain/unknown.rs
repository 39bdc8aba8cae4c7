//! The failure with an unknown cause, with the facts.

use std::time::Duration;

use super::finding::short;
use super::scene::Scene;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kube::Kind as ObjectKind;
use crate::kube::pod::Event;

/// Maximum number of facts of one kind.
const MOST: usize = 5;

/// `what` ("Kafka my-cluster") was not ready within `limit`. Names the deepest finding, if there is one, certain or
/// not; otherwise says that the cause is not known, and lists the facts.
pub fn timed_out(scene: &Scene<'_>, what: &str, limit: Duration) -> Failure {
    let findings = super::findings(scene);
    let waited = format!("{what} was not ready after {} s", limit.as_secs());
    // A predicted problem is a guess until it happens.
    if let Some(cause) = findings.iter().find(|f| f.certain_after.is_some()) {
        let failure = Failure { kind: Kind::Timeout, ..cause.failure() };
        return failure.because(waited);
    }
    let mut failure =
        Failure::new(errors::UNKNOWN, Kind::Timeout, format!("{waited}, and kstrim does not know why"));
    for fact in facts(scene) {
        failure = failure.because(fact);
    }
    failure
        .hint(format!(
            "show its pods: {}",
            scene.command("describe pods -l", format!("strimzi.io/cluster={}", scene.expect.cluster))
        ))
        .hint(format!("show the operator's log: {}", scene.operator_log()))
}

/// The observed facts, without an interpretation.
fn facts(scene: &Scene<'_>) -> Vec<String> {
    let mut facts = Vec::new();
    let cluster = &scene.expect.cluster;
    match scene.kafka() {
        None => facts.push(format!("kafkas/{cluster} does not exist")),
        Some(kafka) => {
            let generations = (kafka.0.generation(), kafka.0.observed_generation());
            if let (Some(wanted), seen) = generations {
                facts.push(format!("kafkas/{cluster}: generation {wanted}, observed {}", seen.unwrap_or(0)));
            }
            let conditions = kafka.0.conditions().filter(|c| c.kind != "Warning");
            facts.extend(conditions.map(|c| {
                format!("kafkas/{cluster}: {}={} {} {}", c.kind, c.status, c.reason, short(c.message))
            }));
        }
    }
    let pods = || scene.cluster_pods().chain(scene.operator_pods());
    for pod in pods().filter(|p| !p.ready()).take(MOST) {
        facts.push(format!("pods/{}: {}", pod.0.name(), super::ready::pod_state_in(scene.snapshot, pod)));
    }
    if pods().next().is_none() && scene.synced(ObjectKind::Pod) {
        facts.push("the operator and Kafka have no pods".to_owned());
    }
    let about = |object| scene.snapshot.events_of(object).filter(Event::is_warning);
    let mut warnings: Vec<Event<'_>> = pods().flat_map(|p| about(p.0)).collect();
    warnings.sort_by_key(|e| std::cmp::Reverse(e.last()));
    for event in warnings.iter().take(MOST) {
        facts.push(format!("event {} of {}: {}", event.reason(), event.about_name(), short(event.message())));
    }
    facts.iter().map(|f| f.trim_end().to_owned()).collect()
}
