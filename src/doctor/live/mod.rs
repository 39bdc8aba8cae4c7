//! Checks of the running cluster: what `status` and `explain` find, and a few checks that only doctor has.

mod cluster;
mod kafka;
mod strimzi;

use std::rc::Rc;
use std::time::Instant;

use futures_util::future::join_all;

use super::data::{Check, Outcome, Word};
use super::entry;
use crate::checks::{Ground, Group};
use crate::cluster::operators::OWN_OPERATORS;
use crate::cluster::ownership;
use crate::cluster::profile_owner::Owner;
use crate::command_line::CommandLine;
use crate::errors;
use crate::event::FailureInfo;
use crate::exec::BoxFuture;
use crate::explain::kubectl;
use crate::failure::{Failure, Kind, Result};
use crate::kube::cluster::OPERATOR;
use crate::kube::kubectl::Kubectl;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::names::Version;
use crate::status::Status;
use crate::status::data::{Finding, Level};
use crate::status::look::{self, Looker, Seen};
use crate::status::model::Memory;
use crate::tool::minikube_output::State;

/// Kinds that doctor reads besides those of `status`.
pub(crate) const MORE: [ObservedKind; 2] = [ObservedKind::Node, ObservedKind::Crd];

/// A cluster that was read, or why there is none.
pub(crate) struct Live<'a> {
    ground: &'a Ground,
    found: Result<Cluster, String>,
    /// Whether the cluster could be queried at all.
    asked: bool,
    /// Duration of reading, in milliseconds.
    ms: u64,
}

/// A cluster whose API server responds.
struct Cluster {
    kubectl: Rc<Kubectl>,
    seen: Seen,
    status: Status,
}

impl Cluster {
    fn snapshot(&self) -> &Snapshot {
        &self.seen.snapshot
    }
}

/// A check of the cluster.
struct LiveCheck {
    id: &'static str,
    group: Group,
    title: &'static str,
    run: for<'a> fn(&'a Ground, &'a Cluster) -> BoxFuture<'a, Outcome>,
}

macro_rules! check {
    ($group:ident, $id:literal, $title:literal, $run:path) => {
        LiveCheck {
            id: $id,
            group: Group::$group,
            title: $title,
            run: |ground, cluster| Box::pin($run(ground, cluster)),
        }
    };
}

/// All of them but the first, `cluster.api`, in the order of display.
const TABLE: &[LiveCheck] = &[
    check!(Cluster, "cluster.context", "kstrim's kubeconfig", cluster::context),
    check!(Cluster, "cluster.node", "the nodes", cluster::node),
    check!(Cluster, "cluster.storage", "the storage class", cluster::storage),
    check!(Cluster, "cluster.namespace", "the namespace", cluster::namespace),
    check!(Strimzi, "strimzi.crds", "Strimzi's resource definitions", strimzi::crds),
    check!(Strimzi, "strimzi.operator", "Strimzi's operator", strimzi::operator),
    check!(Strimzi, "strimzi.rbac", "the operator's permissions", strimzi::rbac),
    check!(Kafka, "kafka.ready", "the Kafka cluster", kafka::ready),
    check!(Kafka, "kafka.topics", "topics and users", kafka::topics),
    check!(Kafka, "kafka.certificates", "the cluster's certificates", kafka::certificates),
    check!(Kafka, "kafka.volumes", "free space on the volumes", kafka::volumes),
    check!(Kafka, "kafka.smoke", "the connection to the brokers", kafka::smoke),
];

/// Every check of the cluster, by name.
#[cfg(test)]
pub(crate) fn ids() -> impl Iterator<Item = &'static str> {
    std::iter::once("cluster.api").chain(TABLE.iter().map(|check| check.id))
}

/// The release of the operator in the namespace, as kstrim labelled it.
fn installed(ground: &Ground) -> Option<Version> {
    let here = |operator: &&serde_json::Value| {
        let text = |pointer: &str| operator.pointer(pointer).and_then(serde_json::Value::as_str);
        text("/metadata/name") == Some(OPERATOR)
            && text("/metadata/namespace") == Some(ground.settings.target.namespace.as_str())
    };
    ownership::release(ground.operators.get()?.iter().find(here)?)?.parse().ok()
}

impl<'a> Live<'a> {
    /// Read the cluster, and pass to the ground what only the cluster shows: state and owner of the profile.
    pub(crate) async fn look(ground: &'a Ground, looker: &Result<Looker>, began: Instant) -> Self {
        let found = Self::cluster(ground, looker).await;
        let existing = found.as_ref().ok().and_then(|cluster| strimzi::existing(ground, cluster)?.release());
        let existing = existing.map(|release| release.version.clone());
        ground.installed_is(installed(ground).or(existing));
        Self { ground, found, asked: looker.is_ok(), ms: super::ms(began) }
    }

    async fn cluster(ground: &Ground, looker: &Result<Looker>) -> Result<Cluster, String> {
        let claimed = ground.owner().await.is_some_and(Owner::is_ours);
        let looker = match looker {
            Ok(looker) => looker,
            Err(failure) => {
                // Without a journal only the cluster knows the owner, and it is not queried.
                ground.ours.set(ground.journal.is_ok().then_some(claimed));
                return Err(format!("the cluster cannot be checked: {failure}"));
            }
        };
        let (minikube, kubectl, listed, reach) = tokio::join!(
            ground.minikube_version(),
            ground.kubectl_version(),
            ground.listed(),
            looker.reach()
        );
        // minikube did not respond in time, but the API server did: it is running.
        ground.state_is(reach.state.clone().map(|s| s.unwrap_or(State::Running)));
        let seen = looker.seen((minikube, kubectl), listed, reach).map_err(|f| f.message)?;
        let known = seen.reached.is_some() || ground.journal.is_ok();
        ground.ours.set(known.then_some(seen.facts.ours));
        let Some(reached) = &seen.reached else {
            return Err(match &seen.facts.api {
                Some(Err(error)) => error.clone(),
                _ => "there is no running cluster".to_owned(),
            });
        };
        let kubectl = reached.kubectl.clone();
        let (operators, status) = tokio::join!(kubectl.list(OWN_OPERATORS), async {
            look::status(&seen, &seen.snapshot, &mut Memory::default()).await
        });
        if let Ok(operators) = operators {
            let _ = ground.operators.set(operators);
        }
        Ok(Cluster { kubectl, seen, status })
    }

    /// The cluster as it was read, if it responds.
    pub(super) fn cluster_now(&self) -> Option<(&Rc<Kubectl>, &Status, &Snapshot)> {
        let cluster = self.found.as_ref().ok()?;
        Some((&cluster.kubectl, &cluster.status, cluster.snapshot()))
    }

    /// All checks of the cluster.
    pub(crate) async fn checks(&self, began: Instant) -> Vec<Check> {
        let mut api = entry("cluster.api", Group::Cluster, "the API server", self.api().await, began);
        api.ms = self.ms;
        let rest = join_all(TABLE.iter().map(|check| async move {
            let outcome = match &self.found {
                Ok(cluster) => (check.run)(self.ground, cluster).await,
                Err(why) => Outcome::skipped(why.clone()),
            };
            entry(check.id, check.group, check.title, outcome, began)
        }));
        std::iter::once(api).chain(rest.await).collect()
    }

    async fn api(&self) -> Outcome {
        match &self.found {
            Ok(cluster) => {
                let refused = cluster.seen.facts.troubles.iter().find(|t| kubectl::ids().contains(&t.id));
                match refused {
                    Some(failure) => Outcome::failed(failure),
                    None => {
                        let version = cluster.status.versions.kubernetes.as_deref().unwrap_or("");
                        Outcome::ok(format!("responds, Kubernetes {version}"))
                    }
                }
            }
            // A missing API server is a failure only if the cluster should be running; `profile.state` reports the
            // rest.
            Err(why) if self.asked && matches!(self.ground.state().await, Ok(State::Running)) => {
                let (profile, context) = (self.ground.profile_name(), &self.ground.settings.target.context);
                let of = context.as_ref().map_or(format!("profile {profile}"), |c| format!("context {c}"));
                let message = format!("the API server of the {of} does not respond");
                let failure = Failure::new(errors::API_UNREACHABLE, Kind::Task, message).because(why);
                Outcome::failed(&if context.is_some() {
                    failure.hint("check that your own kubectl can connect to the cluster with this context")
                } else {
                    failure
                        .hint(format!("start it again: {}", CommandLine::minikube("start", profile)))
                        .hint(format!("show its log: {}", CommandLine::minikube("logs", profile)))
                })
            }
            Err(why) => Outcome::skipped(why.clone()),
        }
    }
}

/// The check that a finding belongs to, by its subject.
fn home(status: &Status, finding: &Finding) -> &'static str {
    let operator = status.operator.as_ref().map_or(OPERATOR, |o| o.name.as_str());
    let of_operator = |name: &str| name.starts_with(operator) || name.ends_with(&format!("/{OPERATOR}"));
    let (kind, name) = finding.subject.split_once('/').unwrap_or((finding.subject.as_str(), ""));
    match kind {
        "node" => "cluster.node",
        "namespace" => "cluster.namespace",
        "crd" => "strimzi.crds",
        "deployment" if of_operator(name) => "strimzi.operator",
        "pod" if of_operator(name) => "strimzi.operator",
        "pvc" => "kafka.volumes",
        "topic" | "user" => "kafka.topics",
        // Errors while reading have their own checks.
        "minikube" => "",
        _ => "kafka.ready",
    }
}

/// The result for the findings of a check: the root cause in full, the others named after it. `None` without
/// findings.
fn findings(status: &Status, check: &str) -> Option<Outcome> {
    let mut all = status.findings.iter().filter(|f| home(status, f) == check);
    let first = all.next()?;
    let mut problem = FailureInfo {
        id: first.id.clone(),
        kind: Kind::Task,
        task: None,
        message: first.sentence.clone(),
        causes: Some(first.evidence.clone()).filter(|e| !e.is_empty()).into_iter().collect(),
        hints: first.hints.clone(),
    };
    let mut worst = first.level;
    for more in all {
        problem.causes.push(format!("also {}: {}", more.id, more.sentence));
        worst = if more.level == Level::Cause { Level::Cause } else { worst };
    }
    let word = if worst == Level::Cause { Word::Failed } else { Word::Warning };
    Some(Outcome::wrong(word, problem))
}

/// A failure if foreign objects conflict with the next `up`, unless they are accepted.
fn foreign(ground: &Ground, id: crate::failure::Id, what: &str, instead: &'static str) -> Outcome {
    if ground.settings.adopt {
        return Outcome::ok(format!("{what} was not created by kstrim, but is used (--adopt)"));
    }
    Outcome::failed(&crate::cluster::refusals::foreign_to(&ground.settings.target, id, what, instead))
}
