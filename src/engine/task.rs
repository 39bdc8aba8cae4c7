//! A task: a step that can check whether it is needed, and do it; and a job: a task in the plan of a run.

use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;

use crate::event::TaskInfo;
use crate::failure::{Failure, Result};

/// A task's place in the plan: known before anything runs.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    /// Stable id: lower-case, in events, the journal and `plan`.
    pub id: String,
    /// Title in messages: `Kafka brokers`.
    pub title: String,
    /// Ids of the tasks that must be done before it starts.
    pub needs: Vec<String>,
    /// Time limit from its start; exceeding it is a failure that names the last reason.
    pub timeout: Duration,
}

impl Spec {
    /// A spec with its limit in minutes.
    pub(crate) fn new(id: impl Into<String>, title: impl Into<String>, needs: &[&str], minutes: u64) -> Self {
        let needs = needs.iter().map(|need| (*need).to_owned()).collect();
        Self { id: id.into(), title: title.into(), needs, timeout: Duration::from_secs(60 * minutes) }
    }
}

impl From<&Spec> for TaskInfo {
    fn from(spec: &Spec) -> Self {
        Self { id: spec.id.clone(), title: spec.title.clone(), needs: spec.needs.clone() }
    }
}

/// The state of what a task creates.
#[derive(Debug)]
pub(crate) enum Doneness {
    /// Nothing to do; what exists: `Strimzi 1.2.0 operator is available`.
    Done(String),
    /// Something must be done or waited for, and why: `broker my-cluster-dual-role-0: pulling image`.
    Pending(String),
    /// A foreign object has its name; the failure of the task.
    Foreign(Box<Failure>),
}

/// The work of a task. `C` is its context; the engine only passes it on.
///
/// While the engine runs a method, [`crate::event::current_task`] is the id of the job: progress, warnings and
/// commands are attributed to it without the task naming itself.
#[async_trait(?Send)]
pub(crate) trait Task<C> {
    /// Check what exists: reads only. Called before [`Task::run`], after it, and then again each time
    /// [`Task::changed`] returns, until it is `Done`: waiting *is* the check.
    /// An `Err` is terminal: it ends the wait at once.
    async fn check(&self, cx: &C) -> Result<Doneness>;

    /// Do the work. Must be safe to repeat after any interruption.
    async fn run(&self, cx: &C) -> Result<()>;

    /// How it waits, if other tasks wait in the same way: the next three methods use it.
    fn wait(&self) -> Option<&dyn Wait<C>> {
        None
    }

    /// Returns when another check may have a different result.
    async fn changed(&self, cx: &C) {
        match self.wait() {
            Some(wait) => wait.changed(cx).await,
            None => tokio::time::sleep(Duration::from_millis(500)).await,
        }
    }

    /// The root cause, as far as it is known, after the task's own limit has expired.
    async fn explain_timeout(&self, cx: &C, timeout: Timeout<'_>) -> Option<Box<Failure>> {
        match self.wait() {
            Some(wait) => Some(wait.timed_out(cx, timeout.limit)),
            None => self.cause(cx).await,
        }
    }

    /// The current root cause of the wait, certain or not: for a run whose own limit expires during this task.
    async fn cause(&self, cx: &C) -> Option<Box<Failure>> {
        self.wait().and_then(|wait| wait.cause(cx))
    }

    /// The commands that [`Task::run`] would run, for `plan`: reads only.
    async fn describe(&self, cx: &C) -> Result<Vec<String>> {
        let _ = cx;
        Ok(Vec::new())
    }
}

/// A task's limit that has expired.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timeout<'a> {
    /// The limit.
    pub limit: Duration,
    /// The last reason why the task was pending.
    pub last: &'a str,
}

/// A way to wait that several tasks share.
#[async_trait(?Send)]
pub(crate) trait Wait<C> {
    /// As [`Task::changed`].
    async fn changed(&self, cx: &C);
    /// As [`Task::explain_timeout`].
    fn timed_out(&self, cx: &C, limit: Duration) -> Box<Failure>;
    /// As [`Task::cause`].
    fn cause(&self, cx: &C) -> Option<Box<Failure>>;
}

/// A task in a plan, with its context. Jobs of one plan may have different contexts.
#[derive(Clone)]
pub(crate) struct Job {
    /// Its place in the plan.
    pub spec: Spec,
    work: Rc<dyn Task<()>>,
}

impl Job {
    /// A job that runs `task` with `cx`.
    pub(crate) fn new<C: 'static>(spec: Spec, task: impl Task<C> + 'static, cx: &Rc<C>) -> Self {
        Self::bound(spec, Rc::new(task), cx)
    }

    fn bound<C: 'static>(spec: Spec, task: Rc<dyn Task<C>>, cx: &Rc<C>) -> Self {
        Self { spec, work: Rc::new(Bound { task, cx: cx.clone() }) }
    }

    /// As [`Task::check`].
    pub(crate) async fn check(&self) -> Result<Doneness> {
        self.attributed(self.work.check(&())).await
    }

    /// As [`Task::run`].
    pub(crate) async fn run(&self) -> Result<()> {
        self.attributed(self.work.run(&())).await
    }

    /// As [`Task::describe`].
    pub(crate) async fn describe(&self) -> Result<Vec<String>> {
        self.attributed(self.work.describe(&())).await
    }

    pub(super) async fn changed(&self) {
        self.attributed(self.work.changed(&())).await;
    }

    pub(super) async fn explain_timeout(&self, last: &str) -> Option<Box<Failure>> {
        let timeout = Timeout { limit: self.spec.timeout, last };
        self.attributed(self.work.explain_timeout(&(), timeout)).await
    }

    pub(super) async fn cause(&self) -> Option<Box<Failure>> {
        self.attributed(self.work.cause(&())).await
    }

    async fn attributed<T>(&self, work: impl Future<Output = T>) -> T {
        crate::event::in_task(&self.spec.id, work).await
    }
}

/// Tasks in the order of display, before their context exists.
pub(crate) struct Plan<C>(Vec<(Spec, Rc<dyn Task<C>>)>);

impl<C> Default for Plan<C> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<C: 'static> Plan<C> {
    /// Append a task.
    pub(crate) fn add(&mut self, spec: Spec, task: impl Task<C> + 'static) {
        self.0.push((spec, Rc::new(task)));
    }

    /// The tasks as listed in a run's first event.
    pub(crate) fn infos(&self) -> Vec<TaskInfo> {
        self.0.iter().map(|(spec, _)| TaskInfo::from(spec)).collect()
    }

    /// The jobs that run the tasks with `cx`.
    pub(crate) fn jobs(self, cx: &Rc<C>) -> Vec<Job> {
        self.0.into_iter().map(|(spec, task)| Job::bound(spec, task, cx)).collect()
    }
}

/// Jobs as listed in a run's first event.
pub(crate) fn infos(jobs: &[Job]) -> Vec<TaskInfo> {
    jobs.iter().map(|job| TaskInfo::from(&job.spec)).collect()
}

/// A task with its context.
struct Bound<C> {
    task: Rc<dyn Task<C>>,
    cx: Rc<C>,
}

#[async_trait(?Send)]
impl<C> Task<()> for Bound<C> {
    async fn check(&self, (): &()) -> Result<Doneness> {
        self.task.check(&self.cx).await
    }

    async fn run(&self, (): &()) -> Result<()> {
        self.task.run(&self.cx).await
    }

    async fn changed(&self, (): &()) {
        self.task.changed(&self.cx).await;
    }

    async fn explain_timeout(&self, (): &(), timeout: Timeout<'_>) -> Option<Box<Failure>> {
        self.task.explain_timeout(&self.cx, timeout).await
    }

    async fn cause(&self, (): &()) -> Option<Box<Failure>> {
        self.task.cause(&self.cx).await
    }

    async fn describe(&self, (): &()) -> Result<Vec<String>> {
        self.task.describe(&self.cx).await
    }
}
