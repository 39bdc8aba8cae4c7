//! What cannot be deleted, and what is being deleted although it is needed.

use super::finding::short;
use super::finding::{Finding, Recovery, Severity};
use super::scene::{Expect, Scene, Scope};
use super::{Family, Rule};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kube::Kind as Observed;
use crate::kube::cluster::Crd;
use crate::kube::pod::Pod;
use crate::words;

/// The topic operator's finalizer; only the topic operator removes it.
const FINALIZER: &str = "strimzi.io/topic-operator";

/// CRDs that every Kafka cluster needs. Any other one that is stuck is reported, but ends no wait.
const NEEDED: [&str; 4] = [
    "kafkas.kafka.strimzi.io",
    "kafkanodepools.kafka.strimzi.io",
    "kafkatopics.kafka.strimzi.io",
    "strimzipodsets.core.strimzi.io",
];

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[errors::NAMESPACE_TERMINATING], family: Family::Teardown, find: namespace_going },
    Rule { ids: &[errors::NAMESPACE_FINALIZER], family: Family::Teardown, find: namespace_held },
    Rule { ids: &[errors::TOPIC_FINALIZER], family: Family::Teardown, find: topic_held },
    Rule { ids: &[errors::CRD_STUCK], family: Family::Teardown, find: crd_held },
];

fn tearing_down(scene: &Scene<'_>) -> bool {
    scene.expect.scope == Scope::Teardown
}

fn namespace_going(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let name = &scene.expect.namespace;
    let Some(namespace) = scene.snapshot.namespace(name).filter(|n| n.terminating()) else { return };
    if tearing_down(scene) {
        return;
    }
    found.push(
        Finding::new(
            errors::NAMESPACE_TERMINATING,
            92,
            format!("namespace/{name}"),
            format!("namespace {name} is being deleted: nothing can be created in it"),
        )
        .evidence(format!("namespaces/{name} phase Terminating"))
        .hint(format!(
            "wait until it is deleted and try again; to show what blocks it: {}",
            scene.expect.kstrim("status")
        ))
        .since(namespace.0.deletion())
        .certain_after(3),
    );
}

fn namespace_held(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let name = &scene.expect.namespace;
    let Some(namespace) = scene.snapshot.namespace(name).filter(|n| n.terminating()) else { return };
    let Some(condition) = namespace.finalizers_remaining() else { return };
    // "...finalizers remaining: A in 1 resource instances, B in 2 resource instances"
    let list = words::FINALIZERS.after(condition.message).unwrap_or("");
    let held: Vec<&str> = list
        .split(',')
        .filter_map(|part| part.split_whitespace().next())
        // A claim in use is deleted as soon as its pod no longer exists.
        .filter(|f| *f != "kubernetes.io/pvc-protection")
        .collect();
    // The condition lags: it persists for some seconds after the last such topic was deleted.
    let topics = || scene.snapshot.all(Observed::KafkaTopic).filter(|t| t.namespace() == name);
    let gone = scene.synced(Observed::KafkaTopic) && !topics().any(|t| t.finalizers().contains(&FINALIZER));
    let held: Vec<&str> = held.into_iter().filter(|f| !(gone && *f == FINALIZER)).collect();
    if held.is_empty() {
        return;
    }
    let ours = held.iter().all(|f| f.starts_with("strimzi.io/"));
    let finding = Finding::new(
        errors::NAMESPACE_FINALIZER,
        58,
        format!("namespace/{name}"),
        format!(
            "namespace {name} cannot be deleted: no controller removes the finalizer {}",
            held.join(", ")
        ),
    )
    .evidence(format!("namespaces/{name} NamespaceFinalizersRemaining=True: {}", short(condition.message)))
    .since(condition.last_transition);
    found.push(if ours {
        finding
            .hint(format!("remove it from each object: {}", remove_finalizers(scene, "NAME")))
            .certain_after(3)
    } else {
        finding
            .severity(Severity::Explain)
            .hint("the program that added the finalizer has to remove it")
            .certain_after(30)
    });
}

fn topic_held(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let namespace = &scene.expect.namespace;
    for topic in scene.snapshot.all(Observed::KafkaTopic) {
        if topic.namespace() != namespace || !topic.deleting() || !topic.finalizers().contains(&FINALIZER) {
            continue;
        }
        let cluster = topic.label("strimzi.io/cluster");
        let serves = |p: &Pod<'_>| {
            p.cluster() == cluster
                && p.0.label("strimzi.io/component-type") == Some("entity-operator")
                && p.ready()
        };
        let name = topic.name();
        let nobody = scene.synced(Observed::Pod) && !scene.snapshot.pods(namespace).any(|p| serves(&p));
        let why = if nobody {
            "no topic operator exists to remove it"
        } else {
            "the topic operator does not remove it"
        };
        let finding = Finding::new(
            errors::TOPIC_FINALIZER,
            70,
            format!("topic/{name}"),
            format!("topic {name} cannot be deleted: it has the finalizer {FINALIZER}, and {why}"),
        )
        .evidence(format!(
            "kafkatopics/{name} deletionTimestamp set, finalizers {}",
            topic.finalizers().join(", ")
        ))
        .hint(format!("remove it: {}", remove_finalizers(scene, name)))
        .since(topic.deletion())
        .certain_after(if nobody { 3 } else { 30 });
        // If the namespace is being deleted, the topic is lost anyway; a topic that is deleted by itself might be
        // needed again.
        let going = scene.snapshot.namespace(namespace).is_some_and(|n| n.terminating());
        found.push(if nobody && going {
            finding.recovery(Recovery::ReleaseTopic(name.to_owned()))
        } else {
            finding
        });
    }
}

/// The command that removes the finalizers of a topic.
fn remove_finalizers(scene: &Scene<'_>, name: &str) -> CommandLine {
    let patch = r#"{"metadata":{"finalizers":null}}"#;
    let command = scene.expect.kubectl("patch kafkatopic").args([name, "--type=merge", "-p", patch]);
    scene.expect.inside(command)
}

/// Something that was deleted and still exists, if no cause with its own id is known.
pub fn held(object: &serde_json::Value, expect: &Expect) -> Failure {
    let text = |pointer: &str| object.pointer(pointer).and_then(|t| t.as_str()).unwrap_or_default();
    let (kind, name, namespace) =
        (text("/kind").to_lowercase(), text("/metadata/name"), text("/metadata/namespace"));
    let finalizers: Vec<&str> = object
        .pointer("/metadata/finalizers")
        .and_then(|f| f.as_array())
        .into_iter()
        .flatten()
        .filter_map(|f| f.as_str())
        .collect();
    let see = expect.kubectl("get").args([kind.as_str(), name]);
    let see = if namespace.is_empty() { see } else { see.args(["-n", namespace]) }.args(["-o", "yaml"]);
    let why = match (text("/metadata/deletionTimestamp"), finalizers.as_slice()) {
        ("", _) => "nobody deleted it, or somebody created it again".to_owned(),
        (_, []) => "it is still terminating".to_owned(),
        (_, ["kubernetes.io/pvc-protection"]) => "a pod still uses it".to_owned(),
        (_, held) => format!("it has the finalizer {}, which is not removed", held.join(", ")),
    };
    Failure::new(errors::OBJECT_HELD, Kind::Task, format!("{kind} {name} is not deleted: {why}"))
        .because(format!("{kind}/{name} finalizers [{}]", finalizers.join(", ")))
        .hint(format!("show it: {see}"))
        .hint(
            "the program that added a finalizer has to remove it; if that program no longer exists, remove \
             the finalizer yourself",
        )
}

fn crd_held(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let strimzi = scene.snapshot.all(Observed::Crd).filter(|c| c.name().ends_with(".strimzi.io"));
    for crd in strimzi.filter(|c| c.deleting()) {
        let name = crd.name();
        let condition = Crd(crd).terminating();
        let kind = name.split('.').next().unwrap_or(name);
        let (reason, message) = condition.map_or(("", ""), |c| (c.reason, c.message));
        let why = match reason {
            "InstanceDeletionFailed" => "the API server could not list its resources",
            _ => "resources of its kind still exist",
        };
        let finding = Finding::new(
            errors::CRD_STUCK,
            60,
            format!("crd/{name}"),
            format!("CRD {name} cannot be deleted: {why}"),
        )
        .evidence(format!("customresourcedefinitions/{name} is being deleted {reason}: {}", short(message)))
        .hint(format!("list what still exists: {}", scene.expect.kubectl("get -A").arg(kind)))
        .since(crd.deletion());
        let stops = tearing_down(scene) || NEEDED.contains(&name);
        found.push(if stops { finding.certain_after(15) } else { finding });
    }
}
