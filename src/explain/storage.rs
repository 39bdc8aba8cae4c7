//! Claims without a volume, and volumes with the wrong content.

use super::finding::{Finding, Severity};
use super::pods::short;
use super::scene::Scene;
use super::{Family, Rule};
use crate::failure::Id;
use crate::observe::pod::{Claim, Event};

const STORAGE_CLASS: Id = Id("KS-STORAGE-CLASS");
const VOLUME_UNBOUND: Id = Id("KS-VOLUME-UNBOUND");
pub(super) const VOLUME_FULL: Id = Id("KS-VOLUME-FULL");
pub(super) const CLUSTER_ID: Id = Id("KS-CLUSTER-ID");

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[STORAGE_CLASS, VOLUME_UNBOUND], family: Family::Storage, find: unbound },
    Rule { ids: &[CLUSTER_ID], family: Family::Storage, find: older_volume },
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
        let warnings = scene.snapshot.events_of(claim.0).filter(Event::is_warning);
        let last = warnings
            .filter(|e| matches!(e.reason(), "ProvisioningFailed" | "FailedBinding"))
            .max_by_key(Event::last);
        let evidence = |says: &str| format!("persistentvolumeclaims/{name} phase Pending; {says}");
        let Some(event) = last else {
            // A claim waits a moment for its provisioner, and with WaitForFirstConsumer for its pod.
            let finding =
                Finding::new(VOLUME_UNBOUND, 56, subject, format!("volume claim {name} gets no volume"))
                    .evidence(evidence("no event tells why"))
                    .since(claim.0.created());
            found.push(finding.hint(scene.command(&format!("describe pvc {name}"))).certain_after(90));
            continue;
        };
        let says = evidence(&format!("event {}: {}", event.reason(), short(event.message())));
        let class = claim.storage_class().unwrap_or("");
        let no_class = class.is_empty() && event.message().contains("no storage class is set");
        let finding = if event.message().contains("storageclass") && event.message().contains("not found")
            || no_class
        {
            let what = if no_class {
                "the cluster has no default storage class".to_owned()
            } else {
                format!("there is no storage class \"{class}\"")
            };
            Finding::new(STORAGE_CLASS, 67, subject, format!("volume claim {name} gets no volume: {what}"))
                .hint("use an existing class (kubectl get storageclass; minikube's is \"standard\") in the node pool's storage")
                .hint(format!(
                    "a claim's class cannot be changed: delete the Kafka, its pool and the claim, and {}",
                    scene.restart_operator()
                ))
                .certain_after(3)
        } else {
            Finding::new(
                VOLUME_UNBOUND,
                63,
                subject,
                format!("volume claim {name} gets no volume: {}", short(event.message())),
            )
            .hint(scene.command(&format!("describe pvc {name}")))
            .certain_after(30)
        };
        found.push(finding.evidence(says).since(event.first()));
    }
}

/// A claim older than its Kafka holds an earlier cluster's data, and a broker refuses that.
/// Foretold, never certain: somebody may have restored the very status the data belongs to.
fn older_volume(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| k.ready().is_none() && k.paused().is_none()) else { return };
    for claim in claims(scene).filter(|c| c.0.created() < kafka.0.created() && c.0.created().is_some()) {
        let name = claim.0.name();
        let finding = Finding::new(
            CLUSTER_ID,
            35,
            format!("pvc/{name}"),
            format!(
                "volume claim {name} is older than Kafka {}: it holds an earlier cluster's data",
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

/// What helps against another cluster's data.
pub(super) fn cluster_id_hints(finding: Finding, scene: &Scene<'_>) -> Finding {
    let cluster = &scene.expect.cluster;
    finding
        .hint(format!(
            "if that data may go: delete the Kafka, then {}",
            scene.command(&format!("delete pvc -l strimzi.io/cluster={cluster}"))
        ))
        .hint(format!("then {}, and create the Kafka again", scene.restart_operator()))
}
