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
const OPERATOR_BINDING: Id = Id("KS-OPERATOR-BINDING");
const UNOBSERVED: Id = Id("KS-KAFKA-UNOBSERVED");

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[OPERATOR_LOCK, OPERATOR_SILENT, OPERATOR_FORBIDDEN, OPERATOR_BINDING],
        family: Family::Kafka,
        find: silent,
    },
    Rule {
        ids: &[UNOBSERVED, OPERATOR_FORBIDDEN, OPERATOR_BINDING],
        family: Family::Kafka,
        find: unobserved,
    },
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
        Some("no") => forbidden(scene, subject, &probe),
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

/// The operator may not do its work: its bindings say why.
fn forbidden(scene: &Scene<'_>, subject: String, probe: &Probe) -> Finding {
    let (namespace, home) = (&scene.expect.namespace, &scene.expect.operator_namespace);
    let bindings = Probe::Bindings { namespace: namespace.clone() };
    // `BINDING NAMESPACE`, of the operator's own bindings.
    let of_it = |line: &&str| line.starts_with(OPERATOR);
    let elsewhere = scene.answers.get(&bindings).and_then(|answer| {
        let mut others = answer.lines().filter(of_it).filter_map(|l| l.split_once(' '));
        others.find(|(_, of)| of != home).map(|(name, of)| (name.to_owned(), of.to_owned()))
    });
    let finding = match elsewhere {
        Some((name, of)) => Finding::new(
            OPERATOR_BINDING,
            87,
            subject,
            format!("the operator is bound to the wrong namespace: its permissions are given to one in {of}, and it is in {home}"),
        )
        .evidence(format!("rolebindings/{name} subjects[].namespace={of}; {probe}: no"))
        .hint("the install files say myproject until it is replaced; kstrim up applies them rightly"),
        None => Finding::new(
            OPERATOR_FORBIDDEN,
            86,
            subject,
            format!("the operator is up but may not read Kafka resources in namespace {namespace}"),
        )
        .evidence(format!("{probe}: no"))
        .probe(bindings)
        .hint("its role or its RoleBindings were changed or removed; kstrim up applies them rightly"),
    };
    finding.cure(Cure::ApplyOperator).certain_after(1)
}

/// The answer to [`Probe::Bindings`] from the API server's list.
pub fn subjects(list: &serde_json::Value) -> String {
    let mut lines = String::new();
    for binding in list["items"].as_array().into_iter().flatten() {
        let name = binding.pointer("/metadata/name").and_then(|n| n.as_str()).unwrap_or_default();
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            if let Some(namespace) = subject["namespace"].as_str() {
                lines.push_str(&format!("{name} {namespace}\n"));
            }
        }
    }
    lines
}

/// A change that an operator does not take up, while no broker is being rolled for it: it may have
/// lost its permissions, or hang.
fn unobserved(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting() && k.0.has_status() && !k.0.observed()) else {
        return;
    };
    // The first reconciliation says 0 until it is through; its troubles are those of its pods.
    if kafka.0.observed_generation().unwrap_or(0) == 0 || kafka.paused().is_some() {
        return;
    }
    let operator = scene.snapshot.deployment(&scene.expect.operator_namespace, OPERATOR);
    let Some(operator) = operator.filter(|o| o.available().is_some()) else { return };
    if scene.nodes().any(|p| p.0.deleting() || !p.ready()) {
        return;
    }
    let probe = may_it(scene, operator);
    let cluster = &scene.expect.cluster;
    let subject = format!("kafka/{cluster}");
    if scene.answers.get(&probe).is_some_and(|a| a.trim() == "no") {
        found.push(forbidden(scene, subject, &probe).since(scene.changed_at()));
        return;
    }
    let finding = Finding::new(
        UNOBSERVED,
        22,
        subject,
        format!("the operator has not taken up the last change of Kafka {cluster}"),
    )
    .evidence(format!(
        "kafkas/{cluster} generation {}, observedGeneration {}",
        kafka.0.generation().unwrap_or(0),
        kafka.0.observed_generation().unwrap_or(0)
    ))
    .cure(Cure::RestartOperator)
    .hint(scene.restart_operator())
    .since(scene.changed_at())
    .certain_after(60);
    // It takes seconds when all is well.
    let late = scene.age(scene.changed_at()) > 10;
    found.push(if late { finding.probe(probe) } else { finding });
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
