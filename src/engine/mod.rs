//! How tasks run. It knows nothing of Kafka, minikube or kubectl.
//!
//! ```text
//! Plan (specs and tasks, data) ── + context ──> Jobs ──> run ──> Report
//!                                                  │
//!                 graph: which may start?   check ─┴─> run ─> check ... until Done, a failure or the limit
//! ```
//! A [`task::Task`] checks whether it is done, and does its work; its [`task::Spec`] defines when it may start.
//! [`run::run`] starts each [`task::Job`] as soon as its dependencies are done, records this in the [`journal`]
//! before anything is changed, and then checks again whenever the task reports a change: waiting *is* the check.
//!
//! Pitfalls: the first failure cancels the other jobs, which are joined, never dropped while they stop a child. A
//! future that a task spawns is outside of its scope: wrap it in [`crate::event::in_task`], or its events name no
//! task. A task must be safe to repeat after any interruption; the journal is never a reason to skip one.

pub(crate) mod graph;
pub(crate) mod journal;
pub(crate) mod lock;
pub(crate) mod run;
pub(crate) mod task;
