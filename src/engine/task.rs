//! A task: one step of the quickstart that can look whether it is needed, and do it.

use std::time::Duration;

use async_trait::async_trait;

use crate::event::TaskInfo;
use crate::failure::{Failure, Result};

/// What is known of a task before anything is run.
#[derive(Debug, Clone)]
pub struct Spec {
    /// Stable id: lower-case, in events, the journal and `plan`.
    pub id: &'static str,
    /// For people: `Kafka brokers`.
    pub title: &'static str,
    /// Ids of the tasks that must be done before it starts.
    pub needs: Vec<&'static str>,
    /// Limit from its start; passing it is a failure that names the last reason.
    pub timeout: Duration,
}

impl From<&Spec> for TaskInfo {
    fn from(spec: &Spec) -> Self {
        Self {
            id: spec.id.into(),
            title: spec.title.into(),
            needs: spec.needs.iter().map(|n| (*n).into()).collect(),
        }
    }
}

/// What the world says of a task.
#[derive(Debug)]
pub enum Doneness {
    /// Nothing to do; what is there: `Strimzi 1.2.0 operator is available`.
    Done(String),
    /// Work or waiting is left, and why: `broker my-cluster-dual-role-0: pulling image`.
    Pending(String),
    /// Something kstrim did not create is in the way; refused with this failure.
    Foreign(Box<Failure>),
}

/// One step. `C` is what it works with; the engine only passes it on.
#[async_trait(?Send)]
pub trait Task<C> {
    /// What is known ahead.
    fn spec(&self) -> Spec;

    /// Look at the world: reads only. Called before [`Task::run`], after it, and then again
    /// each time [`Task::changed`] returns, until it says `Done`: waiting *is* the check.
    /// An `Err` is terminal: it stops the wait at once.
    async fn check(&self, cx: &C) -> Result<Doneness>;

    /// Do the work. Must be safe to repeat after any interruption.
    async fn run(&self, cx: &C) -> Result<()>;

    /// Ends when looking again may pay.
    async fn changed(&self, cx: &C) {
        let _ = cx;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }

    /// The deepest cause that can be told when the limit has passed; `last` is the last
    /// `Pending` reason.
    async fn explain_timeout(&self, cx: &C, last: &str) -> Option<Box<Failure>> {
        let _ = (cx, last);
        None
    }

    /// The deepest cause of the wait that shows now, certain or not: for a run whose own limit has
    /// passed while this task was under way.
    async fn cause(&self, cx: &C) -> Option<Box<Failure>> {
        let _ = cx;
        None
    }

    /// The commands that [`Task::run`] would run, for `plan`: reads only.
    async fn describe(&self, cx: &C) -> Result<Vec<String>> {
        let _ = cx;
        Ok(Vec::new())
    }
}
