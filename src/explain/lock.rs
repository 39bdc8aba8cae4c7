//! An operator that is there and does nothing: not allowed to, or in its own wait.
//!
//! While it waits up to 300 s for a pod that will never be ready, it holds the lock of that
//! cluster's name: a corrected or re-created resource is not looked at. No field says so.

use super::finding::{Cure, Finding};
use super::operator::OPERATOR_FORBIDDEN;
use super::scene::{OPERATOR, Probe, Scene};
use super::{Family, Rule};
use crate::failure::Id;
use crate::observe::cluster::Deployment;
use crate::observe::pod::{Pod, State};

const OPERATOR_LOCK: Id = Id("KS-OPERATOR-LOCK");
const OPERATOR_SILENT: Id = Id("KS-OPERATOR-SILENT");

pub(super) const RULES: &[Rule] = &[
    Rule { ids: &[OPERATOR_LOCK, OPERATOR_SILENT, OPERATOR_FORBIDDEN], family: Family::Kafka, find: silent },
    Rule { ids: &[OPERATOR_LOCK], family: Family::Kafka, find: ignored_fix },
];

/// The question whether the operator may do its work at all.
fn may_it(scene: &Scene<'_>, operator: Deployment<'_>) -> Probe {
    let account = Some(operator.service_account()).filter(|a| !a.is_empty()).unwrap_or(OPERATOR);
    Probe::AuthCanI {
        verb: "list".to_owned(),
        resource: "kafkas.kafka.strimzi.io".to_owned(),
        user: format!("system:serviceaccount:{}:{account}", scene.expect.operator_namespace),
        namespace: scene.expect.namespace.clone(),
    }
}

/// A Kafka without any status beside an operator that is up. A working one says `Creating`
/// within a second, also 18 s before it is `Available`.
fn silent(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let expect = scene.expect;
    let Some(kafka) = scene.kafka().filter(|k| !k.0.has_status() && !k.0.deleting()) else { return };
    let operator = scene.snapshot.deployment(&expect.operator_namespace, OPERATOR);
    let Some(operator) = operator.filter(|o| o.available().is_some()) else { return };
    let probe = may_it(scene, operator);
    let subject = format!("kafka/{}", expect.cluster);
    let evidence = format!("kafkas/{} has no status, deployments/{OPERATOR} Available=True", expect.cluster);
    let answer = scene.answers.get(&probe).map(|a| a.trim());
    let finding = match answer {
        Some("no") => Finding::new(
            OPERATOR_FORBIDDEN,
            86,
            subject,
            format!("the operator is up but may not read Kafka resources in namespace {}", expect.namespace),
        )
        .cure(Cure::ApplyOperator)
        .evidence(format!("{probe}: no"))
        .hint("its RoleBindings name another namespace (the install files say myproject until it is replaced); kstrim up applies them rightly")
        .certain_after(1),
        Some("yes") => Finding::new(
            OPERATOR_LOCK,
            80,
            subject,
            format!("the operator still waits for an earlier Kafka {} and does not look at this one for up to 300 s", expect.cluster),
        )
        .cure(Cure::RestartOperator)
        .evidence(evidence)
        .hint(scene.restart_operator())
        .certain_after(10),
        _ => Finding::new(
            OPERATOR_SILENT,
            20,
            subject,
            format!("the operator is up but has not looked at Kafka {} yet", expect.cluster),
        )
        .evidence(evidence)
        .hint(format!("its log: {}logs deployment/{OPERATOR} -n {}", expect.kubectl, expect.operator_namespace))
        .probe(probe)
        .certain_after(60),
    };
    found.push(finding.since(kafka.0.created()));
}

/// A spec corrected in place beside a pod that was stuck before the correction and still is.
fn ignored_fix(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting()) else { return };
    let behind = !kafka.0.observed() || scene.pools().any(|p| !p.0.observed());
    let Some(status) = kafka.not_ready().filter(|_| behind && kafka.0.has_status()) else { return };
    // Only a write after the last verdict is a correction nobody answered to.
    let Some(changed) = scene.changed_at() else { return };
    if Scene::answers_to(status.last_transition, Some(changed)) || scene.operator_available().is_none() {
        return;
    }
    let stuck = scene.nodes().find(|p| !p.0.deleting() && p.0.created() < Some(changed) && is_stuck(*p));
    let Some(pod) = stuck else { return };
    found.push(
        Finding::new(
            OPERATOR_LOCK,
            80,
            format!("kafka/{}", scene.expect.cluster),
            format!(
                "the operator still waits for {} as it was before the correction, and does not look at the correction for up to 300 s",
                pod.0.name()
            ),
        )
        .cure(Cure::RestartOperator)
        .evidence(format!(
            "kafkas/{} generation {:?}, observedGeneration {:?}; pods/{} is older than the last change",
            scene.expect.cluster,
            kafka.0.generation().unwrap_or(0),
            kafka.0.observed_generation().unwrap_or(0),
            pod.0.name()
        ))
        .hint(scene.restart_operator())
        .since(Some(changed))
        .certain_after(10),
    );
}

/// Whether a pod will not start without help.
fn is_stuck(pod: Pod<'_>) -> bool {
    pod.unschedulable().is_some()
        || pod.containers().any(|c| {
            let pull = |r: &str| matches!(r, "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName");
            c.crashes() >= 2 || matches!(c.state(), State::Waiting { reason, .. } if pull(reason))
        })
}
