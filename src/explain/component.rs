//! What the operator reports about Connect, MirrorMaker 2, the bridge and connectors.

use serde_json::Value;

use super::finding::Finding;
use super::finding::short;
use super::scene::{Scene, Scope};
use super::{Family, Rule};
use crate::errors;
use crate::kube::object::{list, number, text};
use crate::kube::strimzi::last_change;
use crate::kube::strimzi::{PAUSE, pauses};
use crate::kube::{Condition, Kind, Object};

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[errors::COMPONENT_REFUSED, errors::COMPONENT_NOT_READY, errors::COMPONENT_TIMEOUT],
        family: Family::Component,
        find: refused,
    },
    Rule {
        ids: &[errors::COMPONENT_PAUSED, errors::COMPONENT_STOPPED],
        family: Family::Component,
        find: left_alone,
    },
    Rule { ids: &[errors::CONNECTOR_FAILED], family: Family::Component, find: connectors },
];

/// Kinds of resources, the component type of their pods, and their names in messages.
const KINDS: [(Kind, &str, &str); 3] = [
    (Kind::KafkaConnect, "kafka-connect", "Kafka Connect"),
    (Kind::KafkaMirrorMaker2, "kafka-mirror-maker-2", "MirrorMaker 2"),
    (Kind::KafkaBridge, "kafka-bridge", "the HTTP bridge"),
];

/// Whether this component is in scope.
fn matters(scene: &Scene<'_>, part: &str) -> bool {
    match scene.expect.scope {
        Scope::Component(wanted) => wanted == part,
        _ => true,
    }
}

/// `NotReady` with an exception's name, at the current generation and after the last change: the operator reports it
/// as for a Kafka resource (`StatusUtils.setStatusConditionAndObservedGeneration`).
fn not_ready<'a>(scene: &Scene<'_>, object: &'a Object) -> Option<Condition<'a>> {
    let status = object.condition("NotReady").filter(|c| c.is_true() && c.reason != "Creating")?;
    let changed = last_change([object], "kstrim").max(scene.expect.changed_at);
    (object.observed() && !object.deleting() && Scene::answers_to(status.last_transition, changed))
        .then_some(status)
}

fn refused(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for (kind, part, title) in KINDS.into_iter().filter(|(_, part, _)| matters(scene, part)) {
        let Some(object) = scene.snapshot.get(kind, &scene.expect.namespace, &scene.expect.cluster) else {
            continue;
        };
        failed_of(object, title, found);
        let Some(status) = not_ready(scene, object) else { continue };
        let (name, message) = (object.name(), short(status.message));
        let subject = format!("{}/{name}", kind.as_str().to_lowercase());
        let finding = |id, depth, sentence: String| {
            Finding::new(id, depth, subject.clone(), sentence)
                .evidence(format!("{}/{name} NotReady=True {}: {message}", kind.plural(), status.reason))
                .since(status.last_transition)
        };
        let pods = format!(
            "show its pods: {}",
            scene.command(
                "get pods -l",
                format!("strimzi.io/cluster={name},strimzi.io/component-type={part}")
            )
        );
        found.push(match status.reason {
            reason if reason.starts_with("Invalid") || reason.starts_with("Unsupported") => finding(
                errors::COMPONENT_REFUSED,
                74,
                format!("the operator rejects {title} {name}: {}", bare(&message)),
            )
            .hint(format!(
                "correct it: {}",
                scene.expect.inside(scene.expect.kubectl("edit").args([kind.plural(), name]))
            ))
            .certain_after(1),
            // The end of the operator's own wait: true, but never the cause.
            "StrimziTimeoutException" | "TimeoutException" => finding(
                errors::COMPONENT_TIMEOUT,
                6,
                format!("the operator timed out waiting for {title} {name}: {}", bare(&message)),
            )
            .hint(pods)
            .certain_after(20),
            // The operator retries by itself; some of these errors are transient.
            reason => finding(
                errors::COMPONENT_NOT_READY,
                24,
                format!("the operator failed to set up {title} {name}: {reason}: {}", bare(&message)),
            )
            .hint(pods)
            .hint(format!("show the operator's log: {}", scene.operator_log()))
            .certain_after(45),
        });
    }
}

/// A resource that is paused or requests no pods: waiting changes nothing.
fn left_alone(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for (kind, _, title) in KINDS.into_iter().filter(|(_, part, _)| matters(scene, part)) {
        let Some(object) = scene.snapshot.get(kind, &scene.expect.namespace, &scene.expect.cluster) else {
            continue;
        };
        let (name, plural) = (object.name(), kind.plural());
        let subject = format!("{}/{name}", kind.as_str().to_lowercase());
        if pauses(object) {
            let says = format!(
                "{title} {name} is paused: the operator does not reconcile it until the annotation is removed"
            );
            found.push(
                Finding::new(errors::COMPONENT_PAUSED, 76, subject.clone(), says)
                    .evidence(format!("{plural}/{name} annotation {PAUSE}=true"))
                    .hint(format!("resume it: {}", super::topic::annotate(scene, plural, name, PAUSE)))
                    .set_by_hand(3),
            );
        }
        if number(object.json(), "/spec/replicas") == Some(0) {
            found.push(
                Finding::new(
                    errors::COMPONENT_STOPPED,
                    75,
                    subject,
                    format!("{title} {name} is scaled to 0"),
                )
                .evidence(format!("{plural}/{name} spec.replicas=0"))
                .hint(format!(
                    "start it: {}",
                    scene.expect.inside(scene.expect.kubectl("scale --replicas=1").args([plural, name]))
                ))
                .set_by_hand(2),
            );
        }
    }
}

fn bare(message: &str) -> &str {
    message.trim_end_matches('.')
}

/// Connectors of a MirrorMaker 2 are in its own status.
fn failed_of(object: &Object, title: &str, found: &mut Vec<Finding>) {
    for connector in list(object.json(), "/status/connectors") {
        let name = text(connector, "/name");
        if let Some((what, trace)) = failed(connector) {
            let subject = format!("{}/{}", object.kind().to_lowercase(), object.name());
            let sentence = format!("the connector {name} of {title} has failed: {trace}");
            found.push(failure(subject, sentence, &format!("status.connectors {name}: {what} FAILED")));
        }
    }
}

fn connectors(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    // The connectors of files have a task of their own.
    if !matters(scene, "kafka-connect") || scene.workload().is_some() {
        return;
    }
    let mine = |o: &&Object| {
        o.namespace() == scene.expect.namespace
            && o.label("strimzi.io/cluster") == Some(&scene.expect.cluster)
            && !o.deleting()
    };
    for object in scene.snapshot.all(Kind::KafkaConnector).filter(mine) {
        let name = object.name();
        let says = object.json().pointer("/status/connectorStatus").and_then(failed);
        let told = match (says, not_ready(scene, object)) {
            (Some((what, trace)), _) => Some((trace, format!("status.connectorStatus: {what} FAILED"))),
            // The worker rejects a connector's configuration before the connector exists.
            (None, Some(c)) if !c.reason.contains("Timeout") => {
                Some((short(c.message), format!("NotReady=True {}", c.reason)))
            }
            _ => None,
        };
        let Some((words, proof)) = told else { continue };
        let sentence = format!("the connector {name} has failed: {}", bare(&words));
        found.push(
            failure(format!("kafkaconnector/{name}"), sentence, &format!("kafkaconnectors/{name} {proof}"))
                .hint(format!("show it: {}", scene.command("describe kafkaconnector", name))),
        );
    }
}

fn failure(subject: String, sentence: String, evidence: &str) -> Finding {
    Finding::new(errors::CONNECTOR_FAILED, 70, subject, sentence).evidence(evidence).certain_after(2)
}

/// What has failed in a connector, and the first line of its trace, from the status in Connect's REST API.
fn failed(status: &Value) -> Option<(String, String)> {
    let is_failed = |v: &Value| v["state"] == "FAILED";
    let trace = |v: &Value| {
        let line = text(v, "/trace").lines().next().unwrap_or("").trim().to_owned();
        if line.is_empty() { "no reason was reported".to_owned() } else { short(&line) }
    };
    if let Some(connector) = status.get("connector").filter(|c| is_failed(c)) {
        return Some(("connector".to_owned(), trace(connector)));
    }
    let task = list(status, "/tasks").iter().find(|t| is_failed(t))?;
    Some((format!("task {}", task["id"]), trace(task)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::{Answers, Expect, findings};
    use crate::kube::Snapshot;

    const T0: &str = "2026-11-22T20:00:00Z";

    fn look(scope: Scope, objects: &[Value]) -> Vec<(String, String, bool)> {
        let snapshot = Snapshot::of(objects.iter().cloned().map(Object::new));
        let expect = Expect::kafka("kafka", "my-cluster").scope(scope);
        let answers = Answers::new();
        let now = "2026-11-22T20:05:00Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now };
        let ours =
            |f: &Finding| f.id.as_str().starts_with("KS-COMPONENT") || f.id == errors::CONNECTOR_FAILED;
        let told = |f: Finding| (f.id.to_string(), f.sentence.clone(), f.certain_at(now));
        findings(&scene).into_iter().filter(ours).map(told).collect()
    }

    fn resource(kind: &str, status: Value) -> Value {
        json!({"kind": kind, "metadata": {"name": "my-cluster", "namespace": "kafka", "generation": 1,
            "creationTimestamp": T0, "labels": {"strimzi.io/cluster": "my-cluster"}}, "status": status})
    }

    fn says(kind: &str, reason: &str, message: &str) -> Value {
        resource(
            kind,
            json!({"observedGeneration": 1, "conditions": [{"type": "NotReady", "status": "True",
            "reason": reason, "message": message, "lastTransitionTime": "2026-11-22T20:00:05Z"}]}),
        )
    }

    #[test]
    fn the_operators_errors_are_distinguished_by_their_reason() {
        let rows = [
            (
                "KafkaConnect",
                "InvalidResourceException",
                "no group",
                errors::COMPONENT_REFUSED,
                "rejects Kafka Connect",
            ),
            (
                "KafkaBridge",
                "UnsupportedVersionException",
                "no",
                errors::COMPONENT_REFUSED,
                "rejects the HTTP bridge",
            ),
            (
                "KafkaMirrorMaker2",
                "StrimziTimeoutException",
                "Exceeded",
                errors::COMPONENT_TIMEOUT,
                "timed out waiting",
            ),
            (
                "KafkaConnect",
                "ConnectRestException",
                "GET / returned 500",
                errors::COMPONENT_NOT_READY,
                "ConnectRestException",
            ),
        ];
        for (kind, reason, message, id, words) in rows {
            let found = look(Scope::Everything, &[says(kind, reason, message)]);
            assert_eq!(found.len(), 1, "{reason}: {found:?}");
            assert!(found[0].0 == id.as_str() && found[0].1.contains(words) && found[0].2, "{found:?}");
        }
        // One in progress, one of an older generation, and another component's are ignored.
        let creating = says("KafkaConnect", "Creating", "");
        assert_eq!(look(Scope::Everything, &[creating]), []);
        let mut old = says("KafkaConnect", "InvalidResourceException", "x");
        old["metadata"]["generation"] = json!(2);
        assert_eq!(look(Scope::Everything, &[old]), []);
        let bridge = says("KafkaBridge", "InvalidResourceException", "x");
        assert_eq!(look(Scope::Component("kafka-connect"), std::slice::from_ref(&bridge)), []);
        assert_eq!(look(Scope::Kafka, &[bridge]), []);
    }

    #[test]
    fn a_paused_or_scaled_down_component_is_reported() {
        let ids =
            |json: Value| look(Scope::Everything, &[json]).into_iter().map(|(id, ..)| id).collect::<Vec<_>>();
        let mut paused = resource("KafkaConnect", json!({}));
        paused["metadata"]["annotations"] = json!({PAUSE: "true"});
        assert_eq!(ids(paused.clone()), [errors::COMPONENT_PAUSED.as_str()]);
        paused["metadata"]["annotations"] = json!({PAUSE: "false"});
        paused["spec"] = json!({"replicas": 0});
        assert_eq!(ids(paused.clone()), [errors::COMPONENT_STOPPED.as_str()]);
        paused["spec"] = json!({"replicas": 1});
        assert_eq!(ids(paused), [""; 0]);
    }

    #[test]
    fn a_connector_is_reported_with_the_first_line_of_its_trace() {
        let trace = "org.apache.kafka.connect.errors.ConnectException: no such file\n\tat a.b.C(D.java:1)";
        let task = json!({"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "FAILED", "trace": trace}]});
        let found = look(
            Scope::Component("kafka-connect"),
            &[resource("KafkaConnector", json!({"observedGeneration": 1, "connectorStatus": task}))],
        );
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].1.ends_with("ConnectException: no such file"), "{found:?}");
        // Those of a MirrorMaker 2 are in its own status.
        let mut own = task.clone();
        own["name"] = json!("source->target.MirrorSourceConnector");
        let status = json!({"observedGeneration": 1, "connectors": [own]});
        let found = look(Scope::Everything, &[resource("KafkaMirrorMaker2", status)]);
        assert!(found[0].1.contains("MirrorSourceConnector"), "{found:?}");
        // A running connector is no finding, and a rejected configuration is one.
        let runs = json!({"connector": {"state": "RUNNING"}, "tasks": [{"id": 0, "state": "RUNNING"}]});
        let runs = resource("KafkaConnector", json!({"observedGeneration": 1, "connectorStatus": runs}));
        assert_eq!(look(Scope::Everything, &[runs]), []);
        let refused = says("KafkaConnector", "ConnectRestException", "Failed to find any class");
        assert!(look(Scope::Everything, &[refused])[0].1.contains("Failed to find any class"));
    }
}
