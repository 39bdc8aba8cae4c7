//! Whether a component is ready. Pure functions of a snapshot.

use super::{Component, Home};
use crate::errors;
use crate::explain::ready::{self, Readiness};
use crate::explain::{Finding, Scene, Verdict};
use crate::kube::Object;
use crate::kube::object::number;
use crate::kube::pod::Pod;
use crate::names::ComponentName;

/// Whether a component is as requested: its resource or the Kafka resource at its current generation, with its pods.
pub(crate) fn component(component: &Component, scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    let state = state(component, scene, verdict);
    // Its own status does not include its connectors and their tasks.
    let failed = |f: &&Finding| f.id == errors::CONNECTOR_FAILED && of(component, f);
    match verdict.findings.iter().find(failed).filter(|_| state.is_ready()) {
        Some(finding) => Readiness::progressing(format!("{}: {}", component.title, finding.sentence)),
        None => state,
    }
    .or_failed(verdict)
}

/// Whether a finding about a connector concerns this component.
fn of(component: &Component, finding: &Finding) -> bool {
    let kind = finding.subject.split('/').next().unwrap_or_default();
    match component.name {
        ComponentName::Connect => kind == "kafkaconnector",
        ComponentName::MirrorMaker => kind == "kafkamirrormaker2",
        _ => false,
    }
}

/// The pods of a component, without those that are being deleted.
pub(crate) fn pods<'a>(component: &Component, scene: &Scene<'a>) -> Vec<Pod<'a>> {
    let cluster = scene.expect.cluster.as_str();
    let of = |p: &Pod<'a>| {
        p.cluster() == Some(cluster)
            && p.0.label("strimzi.io/component-type") == Some(component.pods)
            && !p.0.deleting()
    };
    scene.snapshot.pods(&scene.expect.namespace).filter(of).collect()
}

/// The resource of a component.
pub(crate) fn resource<'a>(component: &Component, scene: &Scene<'a>) -> Option<&'a Object> {
    scene.snapshot.get(component.kind()?, &scene.expect.namespace, &scene.expect.cluster)
}

fn state(component: &Component, scene: &Scene<'_>, verdict: &Verdict) -> Readiness {
    let title = component.title;
    let waits = |why: String| Readiness::progressing(format!("{title}: {why}"));
    let verdict_is_due = match &component.home {
        Home::Resource(..) => {
            let Some(resource) = resource(component, scene) else {
                return waits("does not exist yet".into());
            };
            if resource.deleting() {
                return waits("being deleted".into());
            }
            // The operator sets no status before its pods exist.
            if !resource.has_status() && pods(component, scene).is_empty() {
                return waits("waiting for the operator to reconcile it".into());
            }
            let ready = resource.condition("Ready").is_some_and(|c| c.is_true());
            !(ready && resource.observed())
        }
        Home::Field(_) => {
            let Some(kafka) = scene.kafka() else {
                return waits("the Kafka cluster does not exist yet".into());
            };
            if !component.is_field_of(kafka.0.json()) {
                return waits("does not exist yet".into());
            }
            if let Readiness::Progressing { why } = ready::brokers(scene, verdict) {
                return Readiness::progressing(why);
            }
            !ready::kafka(scene, verdict).is_ready()
        }
    };
    let pods = pods(component, scene);
    if let Some(pod) = pods.iter().find(|p| !p.ready()) {
        return waits(ready::pod_state_in(scene.snapshot, *pod));
    }
    if let Some(why) = pods.iter().find_map(|p| ready::unsteady(scene, *p)) {
        return waits(why);
    }
    let wanted = resource(component, scene).and_then(|r| number(r.json(), "/spec/replicas"));
    let there = i64::try_from(pods.len()).unwrap_or(i64::MAX);
    match (pods.is_empty(), verdict_is_due) {
        (true, _) if wanted == Some(0) => waits("scaled to 0".into()),
        (true, _) => waits("waiting for its pod".into()),
        _ if wanted.is_some_and(|wanted| there < wanted) => {
            waits(format!("{there} of {} pods exist", wanted.unwrap_or_default()))
        }
        (_, true) => waits("waiting for the operator to report its status".into()),
        (false, false) => Readiness::Ready,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::component::of;
    use crate::explain::{Answers, Expect};
    use crate::kube::Snapshot;
    use crate::names::ComponentName;

    fn look(name: ComponentName, objects: &[Value]) -> Readiness {
        let snapshot = Snapshot::of(objects.iter().cloned().map(Object::new));
        let (expect, answers) = (Expect::kafka("kafka", "my-cluster"), Answers::new());
        let now = "2026-11-22T20:00:00Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now };
        component(of(name), &scene, &Verdict::default())
    }

    fn why(readiness: &Readiness) -> &str {
        match readiness {
            Readiness::Progressing { why } => why,
            other => panic!("{other:?}"),
        }
    }

    fn pod(kind: &str, ready: bool) -> Value {
        let word = if ready { "True" } else { "False" };
        json!({"kind": "Pod", "metadata": {"name": "p", "namespace": "kafka", "labels": {
                "strimzi.io/cluster": "my-cluster", "strimzi.io/component-type": kind}},
            "spec": {"nodeName": "n"},
            "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": word}],
                "containerStatuses": [{"name": "c", "state": {"running": {}}}]}})
    }

    fn connect(condition: &str, generation: i64) -> Value {
        json!({"kind": "KafkaConnect", "metadata": {"name": "my-cluster", "namespace": "kafka", "generation": 2},
            "status": {"observedGeneration": generation, "conditions": [{"type": condition, "status": "True"}]}})
    }

    #[test]
    fn a_component_is_ready_at_its_generation_with_its_pods() {
        let name = ComponentName::Connect;
        assert_eq!(why(&look(name, &[])), "Kafka Connect: does not exist yet");
        let waiting = [connect("Ready", 2), pod("kafka-connect", false)];
        assert_eq!(why(&look(name, &waiting)), "Kafka Connect: starting");
        let stale = [connect("Ready", 1), pod("kafka-connect", true)];
        assert!(why(&look(name, &stale)).contains("to report its status"));
        assert!(why(&look(name, &[connect("NotReady", 2)])).contains("waiting for its pod"));
        assert!(look(name, &[connect("Ready", 2), pod("kafka-connect", true)]).is_ready());
        let other = [connect("Ready", 2), pod("kafka-bridge", true)];
        assert!(!look(name, &other).is_ready(), "another's pod");
    }

    #[test]
    fn a_field_needs_the_kafka_to_be_ready() {
        assert!(why(&look(ComponentName::Exporter, &[])).contains("Kafka cluster does not exist"));
        let bare =
            json!({"kind": "Kafka", "metadata": {"name": "my-cluster", "namespace": "kafka"}, "spec": {}});
        assert_eq!(why(&look(ComponentName::Exporter, &[bare])), "Kafka Exporter: does not exist yet");
    }
}
