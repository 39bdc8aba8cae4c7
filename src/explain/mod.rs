//! From symptoms to causes: a table of rules, each from structured fields first.
//!
//! A [`Rule`] examines a [`Scene`] (what was observed, what is expected, results of probes) and returns [`Finding`]s.
//! The [`Judge`] remembers since when each persists and determines which one, if any, is certain: the deepest cause of
//! the current findings. Rules are pure; only the judge has state. `docs/errors.md` has a section for every id.
//!
//! ```text
//! Scene (snapshot, expectation, results) ─> Rules ─> Findings ─> Judge ─> Verdict: certain cause, probes to run
//! ```
//! Pitfalls: much looks like a failure on the way to success (warning events, a first failed probe, a pull that
//! succeeds the second time), so each rule defines how long its finding must persist; names are reused, so events
//! are matched by uid and time; a condition counts only for the current generation, and only if it is younger than
//! our own change.
//!
//! minikube's and kubectl's own errors are not observations of the cluster: [`minikube`] and [`kubectl`] convert them
//! to a [`Failure`](crate::failure::Failure) directly. [`pulls`] interprets a container runtime's messages.

mod admission;
mod component;
mod entity;
mod finding;
mod image;
mod judge;
mod kafka;
pub(crate) mod kubectl;
mod lock;
mod logs;
pub(crate) mod minikube;
mod operator;
mod pods;
pub(crate) mod pulls;
pub(crate) mod ready;
mod scene;
mod storage;
mod teardown;
mod topic;
mod unknown;
mod working;

use crate::failure::Id;

pub use finding::{Finding, Recovery, Severity};
pub use judge::{Judge, Verdict};
pub(crate) use lock::is_reconciling_pool;
pub use lock::subjects;
pub(crate) use operator::rivals;
pub(crate) use scene::LOG_LINES;
pub(crate) use scene::Workload;
pub use scene::{Answers, Expect, Probe, Scene, Scope};

pub(crate) use storage::{storage_answer, storage_classes};
pub use teardown::held;
pub use unknown::timed_out;
pub(crate) use working::LINES as OPERATOR_LINES;
pub use working::reconciliations;

/// A family of rules; one file each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// The cluster operator.
    Operator,
    /// The Kafka resource and its node pools.
    Kafka,
    /// Pods of the operator, the brokers and the entity operator.
    Pods,
    /// Claims and volumes.
    Storage,
    /// Topics and users.
    Topic,
    /// Components that run in addition to Kafka: Connect, MirrorMaker 2, the bridge, connectors.
    Component,
    /// Namespaces, CRDs and finalizers that are being deleted.
    Teardown,
}

/// A rule: examines a scene and returns findings.
pub struct Rule {
    /// Ids of its possible findings.
    pub ids: &'static [Id],
    /// Its family.
    pub family: Family,
    /// Finds them.
    pub find: fn(&Scene<'_>, &mut Vec<Finding>),
}

/// All rules, in no particular order: findings carry their own depth.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    [
        operator::RULES,
        kafka::RULES,
        lock::RULES,
        entity::RULES,
        image::RULES,
        pods::RULES,
        admission::RULES,
        storage::RULES,
        topic::RULES,
        component::RULES,
        teardown::RULES,
    ]
    .into_iter()
    .flatten()
}

/// All findings in `scene`, the deepest cause first.
pub fn findings(scene: &Scene<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in rules().filter(|r| scene.expect.scope.covers(r.family)) {
        (rule.find)(scene, &mut found);
    }
    found.sort_by(|a, b| b.depth.cmp(&a.depth).then_with(|| a.subject.cmp(&b.subject)));
    found.dedup_by(|a, b| a.id == b.id && a.subject == b.subject);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Kind;

    #[test]
    fn every_cause_can_end_a_task() {
        for id in rules().flat_map(|rule| rule.ids) {
            assert!(id.entry().kinds.contains(&Kind::Task), "src/errors/{id}.md does not name the kind task");
        }
    }
}
