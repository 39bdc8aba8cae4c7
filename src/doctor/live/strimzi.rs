//! Strimzi in the cluster.

use futures_util::future::join_all;

use super::{Cluster, findings, foreign};
use crate::checks::Ground;
use crate::cluster::existing_operator::ExistingOperator;
use crate::cluster::{installation, operator_refusals, refusals};
use crate::doctor::data::Outcome;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::kube::cluster::Crd;
use crate::kube::{Kind as ObservedKind, Object};

/// Definitions that every release has and kstrim uses; node pools exist since 0.36, and only [`NEEDED`] of this
/// release decides about them.
const NEEDED: [&str; 3] =
    ["kafkas.kafka.strimzi.io", "kafkatopics.kafka.strimzi.io", "kafkausers.kafka.strimzi.io"];

/// Whether the CRDs exist and are served.
pub(crate) async fn crds(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "strimzi.crds") {
        return outcome;
    }
    let all: Vec<Crd<'_>> = cluster
        .snapshot()
        .all(ObservedKind::Crd)
        .filter(|c| c.name().ends_with(".strimzi.io"))
        .map(Crd)
        .collect();
    if all.is_empty() {
        return Outcome::skipped("Strimzi is not installed yet");
    }
    let wrong = |message: String| {
        Outcome::failed(
            &Failure::new(errors::CRDS_INCOMPLETE, Kind::Task, message)
                .hint(format!("apply them again: {}", refusals::up_of(&ground.settings.target))),
        )
    };
    if let Some(missing) = NEEDED.iter().find(|n| !all.iter().any(|c| c.0.name() == **n)) {
        return wrong(format!("the resource definition {missing} is missing"));
    }
    if let Some(crd) = all.iter().find(|c| !c.established()) {
        return wrong(format!("the resource definition {} is not Established", crd.0.name()));
    }
    if let Some(crd) = all.iter().find(|c| !installation::by_kstrim(c.0.json())) {
        if existing(ground, cluster).is_some() {
            return Outcome::ok(format!("{} are Established, not created by kstrim, and used", all.len()));
        }
        let what = format!("the resource definition {}", crd.0.name());
        return foreign(ground, errors::CRDS_FOREIGN, &what, "--profile");
    }
    Outcome::ok(format!("{} are Established", all.len()))
}

/// The operator that kstrim did not install and uses.
pub(super) fn existing(ground: &Ground, cluster: &Cluster) -> Option<ExistingOperator> {
    let (snapshot, target) = (cluster.snapshot(), &ground.settings.target);
    let (namespace, name) = (target.namespace.as_str(), target.cluster.as_str());
    let kafka = snapshot.kafka(namespace, name).map(|kafka| kafka.0);
    let operators: Vec<Object> = snapshot.operators().map(|operator| operator.0.clone()).collect();
    ExistingOperator::among(&operators, namespace, kafka, installation::by_kstrim)
}

/// Whether the operator is available.
pub(crate) async fn operator(ground: &Ground, cluster: &Cluster) -> Outcome {
    if let Some(outcome) = findings(&cluster.status, "strimzi.operator") {
        return match &cluster.status.operator {
            None if cluster.status.kafka.is_none() => Outcome::skipped("Strimzi is not installed yet"),
            _ => outcome,
        };
    }
    let Some(operator) = &cluster.status.operator else {
        if cluster.status.kafka.is_none() {
            return Outcome::skipped("Strimzi is not installed yet");
        }
        let namespace = &ground.settings.target.namespace;
        return Outcome::failed(
            &Failure::new(
                errors::OPERATOR_MISSING,
                Kind::Task,
                format!("there is no Strimzi operator in namespace {namespace}"),
            )
            .hint(format!("install it: {}", refusals::up_of(&ground.settings.target))),
        );
    };
    let existing = existing(ground, cluster);
    if !operator.ours {
        let target = &ground.settings.target;
        let Some(found) = &existing else {
            let what = format!("the operator {} in namespace {}", operator.name, operator.namespace);
            return foreign(ground, errors::OPERATOR_FOREIGN, &what, "--namespace");
        };
        if found.release().is_none() {
            let release = operator.release.as_deref();
            return Outcome::failed(&operator_refusals::unknown_release(target, found, release));
        }
    }
    let installed = existing.map_or_else(String::new, |found| {
        format!(", installed {}: kstrim uses it and does not change it", found.owner)
    });
    let release = operator.release.as_deref().unwrap_or("of an unknown release");
    match &operator.reason {
        None => Outcome::ok(format!("Strimzi {release} is available{installed}")),
        Some(reason) => Outcome::warning(
            &Failure::new(
                errors::OPERATOR_NOT_READY,
                Kind::Task,
                format!("the operator is not available: {reason}"),
            )
            .hint(format!("follow it: {}", ground.settings.target.kstrim("status --watch"))),
        ),
    }
}

/// Whether the operator has its permissions: an installation whose bindings name another namespace is `Available` and
/// does nothing.
pub(crate) async fn rbac(ground: &Ground, cluster: &Cluster) -> Outcome {
    let target = &ground.settings.target;
    let namespace = target.namespace.as_str();
    let Some(deployment) = cluster.snapshot().operator_of(namespace, target.cluster.as_str()) else {
        return Outcome::skipped("no operator is installed");
    };
    let account = Some(deployment.service_account()).filter(|a| !a.is_empty()).unwrap_or("default");
    let user = format!("system:serviceaccount:{}:{account}", deployment.0.namespace());
    let questions = [("list", "kafkas.kafka.strimzi.io"), ("create", "pods"), ("create", "services")];
    let answers =
        join_all(questions.iter().map(|(verb, what)| cluster.kubectl.can_i(verb, what, &user, namespace)))
            .await;
    let mut denied = Vec::new();
    for ((verb, what), answer) in questions.iter().zip(answers) {
        match answer {
            Ok(answer) if answer == "no" => denied.push(format!("{verb} {what}")),
            Ok(_) => {}
            Err(error) => return Outcome::skipped(error.message),
        }
    }
    if denied.is_empty() {
        return Outcome::ok("it has the required permissions");
    }
    if let Some(found) = existing(ground, cluster) {
        return Outcome::failed(&operator_refusals::forbidden(target, &found, &user, &denied));
    }
    let failure = Failure::new(
        errors::OPERATOR_FORBIDDEN,
        Kind::Task,
        format!("the operator does not have the required permissions in namespace {namespace}"),
    );
    let failure = denied
        .into_iter()
        .fold(failure, |failure, what| failure.because(format!("auth can-i {what} --as={user}: no")));
    Outcome::failed(&failure.hint(format!(
        "its RoleBindings are missing or name another namespace; apply them again: {}",
        refusals::up_of(target)
    )))
}
