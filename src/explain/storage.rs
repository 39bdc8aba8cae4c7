//! Claims without a volume, and volumes with wrong content.

use serde_json::Value;

use super::finding::short;
use super::finding::{Finding, Severity};
use super::scene::{Probe, Scene};
use super::{Family, Rule};
use crate::errors;
use crate::kube::object::{self, text};
use crate::kube::pod::{Claim, Event};
use crate::words;

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[errors::STORAGE_CLASS, errors::VOLUME_UNBOUND], family: Family::Storage, find: unbound },
    Rule { ids: &[errors::CLUSTER_ID], family: Family::Storage, find: older_volume },
];

fn claims<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Claim<'a>> {
    let cluster = scene.expect.cluster.as_str();
    scene
        .snapshot
        .claims(&scene.expect.namespace)
        .filter(move |c| c.cluster() == Some(cluster) && !c.0.deleting())
}

fn unbound(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for claim in claims(scene).filter(Claim::pending) {
        let name = claim.0.name();
        let subject = format!("pvc/{name}");
        // `FailedBinding`, if there is no class at all, is a `Normal` event (kube-controller-manager).
        let last = scene
            .snapshot
            .events_of(claim.0)
            .filter(|e| matches!(e.reason(), "ProvisioningFailed" | "FailedBinding"))
            .max_by_key(Event::last);
        let evidence = |says: &str| format!("persistentvolumeclaims/{name} phase Pending; {says}");
        let says = last.map(|e| format!("event {}: {}", e.reason(), short(e.message())));
        if let Some(what) = lacks_class(scene, claim, last.as_ref()) {
            let says = says.unwrap_or_else(|| format!("kubectl {}: {what}", classes(scene)));
            found.push(
                Finding::new(
                    errors::STORAGE_CLASS,
                    67,
                    subject,
                    format!("volume claim {name} gets no volume: {what}"),
                )
                .hint(format!(
                    "use an existing storage class for the node pool: {}",
                    scene.expect.kubectl("get storageclass")
                ))
                .hint(format!(
                    "the class of a claim cannot be changed: delete the Kafka cluster, its node pool and \
                     the claim, and {}",
                    scene.restart_operator()
                ))
                .evidence(evidence(&says))
                .since(last.and_then(|e| e.first()).or(claim.0.created()))
                // An event alone may be older than a class that was created since.
                .probe(classes(scene))
                .certain_after(if claim.storage_class().is_none() && just_created(scene) {
                    60
                } else {
                    3
                }),
            );
            continue;
        }
        let Some(event) = last else {
            // A claim waits a moment for its provisioner, and with WaitForFirstConsumer for its pod.
            let finding = Finding::new(
                errors::VOLUME_UNBOUND,
                56,
                subject,
                format!("volume claim {name} gets no volume"),
            )
            .evidence(evidence("no event gives the reason"))
            .since(claim.0.created())
            .hint(format!("show it: {}", scene.command("describe pvc", name)))
            .certain_after(90);
            let late = scene.age(claim.0.created()) >= 2;
            found.push(if late { finding.probe(classes(scene)) } else { finding });
            continue;
        };
        found.push(
            Finding::new(
                errors::VOLUME_UNBOUND,
                63,
                subject,
                format!("volume claim {name} gets no volume: {}", short(event.message())),
            )
            .hint(format!("show it: {}", scene.command("describe pvc", name)))
            .evidence(evidence(&says.unwrap_or_default()))
            // The controller repeats this event as long as there is no class: an old one no longer applies.
            .since(if words::NO_CLASS_SET.matches(event.message()) { event.last() } else { event.first() })
            .certain_after(30),
        );
    }
}

fn classes(scene: &Scene<'_>) -> Probe {
    Probe::StorageClasses { look: scene.look() }
}

/// Whether the cluster was only just created: minikube adds its storage class some seconds after the API server
/// responds, and claims that name none get it then.
fn just_created(scene: &Scene<'_>) -> bool {
    scene.snapshot.nodes().any(|n| n.0.created().is_some() && scene.age(n.0.created()) < 120)
}

/// The existing storage classes, if they were queried.
fn known_classes<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    scene.newest(|p| match p {
        Probe::StorageClasses { look } => Some(*look),
        _ => None,
    })
}

/// Which storage class a claim lacks, according to the existing classes, or to the message of its event.
fn lacks_class(scene: &Scene<'_>, claim: Claim<'_>, event: Option<&Event<'_>>) -> Option<String> {
    let wanted = claim.storage_class();
    let lacking = || match wanted {
        None | Some("") => "the cluster has no default storage class".to_owned(),
        Some(class) => format!("there is no storage class \"{class}\""),
    };
    if let Some(classes) = known_classes(scene) {
        let there = |class: &str| classes.lines().filter_map(|l| l.split_once(' ')).any(|(n, _)| n == class);
        let default = || classes.lines().any(|l| l.ends_with(" default"));
        // An event may be older than the class: a claim that names none gets the default one within half a minute of
        // its creation (the controller's resync).
        match wanted {
            None => return (!default()).then(lacking),
            Some("") => {}
            Some(class) => return (!there(class)).then(lacking),
        }
    }
    let says = event?.message();
    let not_found = words::NO_CLASS.matches(says) && words::NOT_FOUND.matches(says);
    let none_set = wanted.is_none_or(str::is_empty) && words::NO_CLASS_SET.matches(says);
    (not_found || none_set).then(lacking)
}

/// The storage classes in the API server's list by name, each with whether it is the default.
pub(crate) fn storage_classes(list: &Value) -> Vec<(&str, bool)> {
    const DEFAULT: [&str; 2] =
        ["storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class"];
    let is_default = |class: &Value| DEFAULT.iter().any(|a| class["metadata"]["annotations"][*a] == "true");
    object::list(list, "/items")
        .iter()
        .map(|class| (text(class, "/metadata/name"), is_default(class)))
        .collect()
}

/// The result of [`Probe::StorageClasses`] from the API server's list.
pub(crate) fn storage_answer(list: &Value) -> String {
    let line = |(name, default)| format!("{name} {}\n", if default { "default" } else { "-" });
    storage_classes(list).into_iter().map(line).collect()
}

/// A claim older than its Kafka resource contains an earlier cluster's data, and a broker refuses that. Predicted,
/// never certain: somebody may have restored the very status that the data belongs to.
fn older_volume(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| k.ready().is_none() && k.paused().is_none()) else { return };
    for claim in claims(scene).filter(|c| c.0.created() < kafka.0.created() && c.0.created().is_some()) {
        let name = claim.0.name();
        let finding = Finding::new(
            errors::CLUSTER_ID,
            35,
            format!("pvc/{name}"),
            format!(
                "volume claim {name} is older than Kafka {}: it contains the data of an earlier cluster",
                scene.expect.cluster
            ),
        );
        found.push(
            cluster_id_hints(finding, scene)
                .severity(Severity::Prevent)
                .evidence(format!(
                    "persistentvolumeclaims/{name} was created before kafkas/{}",
                    scene.expect.cluster
                ))
                .since(claim.0.created()),
        );
    }
}

/// How to recover from another cluster's data.
pub(super) fn cluster_id_hints(finding: Finding, scene: &Scene<'_>) -> Finding {
    let cluster = &scene.expect.cluster;
    finding
        .hint(format!(
            "if that data can be deleted: delete the Kafka cluster, then {}",
            scene.command("delete pvc -l", format!("strimzi.io/cluster={cluster}"))
        ))
        .hint(format!("then {}, and create the Kafka cluster again", scene.restart_operator()))
}
