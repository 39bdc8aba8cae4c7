//! From symptoms to causes: a table of rules, each from structured fields first.
//!
//! A [`Rule`] looks at a [`Scene`] (what was observed, what is expected, answers to extra
//! questions) and gives [`Finding`]s. The [`Judge`] remembers since when each holds and says
//! which one, if any, is certain: the deepest cause of those that show. Rules are pure; the
//! judge is the only memory. `docs/errors.md` has a section for every id.
//!
//! ```text
//! Scene (snapshot, expectation, answers) ─> Rules ─> Findings ─> Judge ─> Verdict: certain cause, questions to ask
//! ```
//! Pitfalls: much looks like a failure on the way to success (warning events, a first failed probe, a pull that succeeds
//! the second time), so each rule says how long its finding must stand; names come back, so events are matched by uid
//! and time; a condition counts only for the current generation, and only if it is younger than our own change.
//!
//! minikube's and kubectl's own errors are no observation of the cluster: [`minikube`] and
//! [`kubectl`] turn them into a [`Failure`](crate::failure::Failure) directly. [`pulls`] reads a container runtime's
//! words.

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

pub use finding::{Cure, Finding, Severity};
pub use judge::{Judge, Verdict};
pub use lock::subjects;
pub(crate) use lock::works_on_a_pool;
pub(crate) use operator::rivals;
pub(crate) use scene::LOG_LINES;
pub(crate) use scene::Workload;
pub use scene::{Answers, Expect, Probe, Scene, Scope};

pub(crate) use storage::{storage_answer, storage_classes};
pub use teardown::held;
pub use unknown::timed_out;
pub(crate) use working::LINES as OPERATOR_LINES;
pub use working::reconciliations;

/// A family of rules; a file each.
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
    /// What stands beside Kafka: Connect, MirrorMaker 2, the bridge, connectors.
    Component,
    /// Namespaces, CRDs and finalizers on their way out.
    Teardown,
}

/// A rule: looks at a scene, adds what it finds.
pub struct Rule {
    /// Ids it may give.
    pub ids: &'static [Id],
    /// Its family.
    pub family: Family,
    /// How to find them.
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

/// Everything the rules find in `scene`, the deepest cause first.
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
