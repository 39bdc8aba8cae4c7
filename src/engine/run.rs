//! The scheduler: starts each task when its dependencies are done, waits by checking again, keeps the journal, and on
//! the first failure stops and joins the others.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::graph::Graph;
use super::journal::Journal;
use super::task::{Doneness, Job, Spec};
use crate::errors;
use crate::event::{Emit, Event, Outcome};
use crate::exec::cancel::{Cancel, Reason};
use crate::exec::system::GRACE;
use crate::failure::{Failure, Kind, Result};

/// What a run needs besides its tasks.
pub(crate) struct Run {
    /// Where events go.
    pub emit: Emit,
    /// Stops the run.
    pub cancel: Cancel,
    /// Where the start and end of tasks are recorded.
    pub journal: Rc<dyn Journal>,
    /// Time limit of the whole run.
    pub limit: Option<Duration>,
    /// Whether child processes are being stopped: a cancelled task may take that long.
    pub stopping: Rc<dyn Fn() -> bool>,
}

/// How often a cancelled task is polled. A task that is not stopping a child process by then waits for something that
/// is no longer needed, and is dropped.
const CANCEL_POLL: Duration = Duration::from_millis(50);

/// The result of a run.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Duration in seconds of each task that started.
    pub seconds: BTreeMap<String, f64>,
    /// The outcome of each task.
    pub outcomes: BTreeMap<String, Outcome>,
    /// The first failure, with its task.
    pub failure: Option<(Option<String>, Box<Failure>)>,
}

struct Ended {
    id: String,
    outcome: Outcome,
    seconds: f64,
    failure: Option<Box<Failure>>,
}

/// Run `jobs`. Must be called inside a `tokio::task::LocalSet`.
pub(crate) async fn run(jobs: Vec<Job>, run: &Run) -> Report {
    let mut report = Report::default();
    let mut graph = match Graph::new(jobs.iter().map(|job| (job.spec.id.clone(), job.spec.needs.clone()))) {
        Ok(graph) => graph,
        Err(why) => {
            report.failure = Some((None, Box::new(Failure::new(errors::INTERNAL, Kind::Task, why))));
            return report;
        }
    };
    let last_reasons: Rc<RefCell<BTreeMap<String, String>>> = Rc::default();
    let mut running: JoinSet<Ended> = JoinSet::new();
    let deadline = run.limit.map(|limit| tokio::time::Instant::now() + limit);
    loop {
        if run.cancel.reason().is_none() {
            let ready = graph.start_ready();
            for job in jobs.iter().filter(|job| ready.contains(&job.spec.id)) {
                let scope = Scope {
                    emit: run.emit.clone(),
                    cancel: run.cancel.clone(),
                    journal: run.journal.clone(),
                    last_reasons: last_reasons.clone(),
                    stopping: run.stopping.clone(),
                };
                running.spawn_local(run_job(job.clone(), scope));
            }
        }
        let expired = async {
            match deadline {
                Some(at) if run.cancel.reason().is_none() => tokio::time::sleep_until(at).await,
                _ => std::future::pending().await,
            }
        };
        let ended = tokio::select! {
            ended = running.join_next() => ended,
            () = expired => {
                let reasons = last_reasons.borrow().clone();
                let mut failure = (None, Box::new(run_timeout(run, &reasons)));
                // The cause, if it is known; of several waiting tasks the first in the list has the root cause.
                for job in jobs.iter().filter(|job| reasons.contains_key(&job.spec.id)) {
                    if let Some(cause) = job.cause().await {
                        failure = (Some(job.spec.id.clone()), under_limit(*cause, &failure.1));
                        break;
                    }
                }
                report.failure.get_or_insert(failure);
                run.cancel.cancel(Reason::Deadline);
                continue;
            }
        };
        let Some(ended) = ended else { break };
        let ended = match ended {
            Ok(ended) => ended,
            Err(panic) => {
                let failure =
                    Failure::new(errors::INTERNAL, Kind::Task, "a task of kstrim stopped unexpectedly")
                        .because(panic);
                report.failure.get_or_insert((None, Box::new(failure)));
                run.cancel.cancel(Reason::Sibling);
                continue;
            }
        };
        graph.end(&ended.id, matches!(ended.outcome, Outcome::Done | Outcome::AlreadyDone));
        report.seconds.insert(ended.id.clone(), ended.seconds);
        report.outcomes.insert(ended.id.clone(), ended.outcome);
        if let Some(failure) = ended.failure {
            report.failure.get_or_insert((Some(ended.id), failure));
            run.cancel.cancel(Reason::Sibling);
        }
    }
    for id in graph.never_started() {
        report.outcomes.insert(id, Outcome::Skipped);
    }
    match run.cancel.reason() {
        Some(Reason::Interrupted) => report.failure = Some((None, interrupted(Kind::Interrupted))),
        Some(Reason::Terminated) => report.failure = Some((None, interrupted(Kind::Terminated))),
        Some(Reason::LeaseLost) => report.failure = Some((None, lease_lost())),
        _ => {}
    }
    report
}

/// The failure of a run whose Lease another command has taken over.
pub(crate) fn lease_lost() -> Box<Failure> {
    Box::new(
        Failure::new(crate::errors::LEASE_LOST, Kind::Locked, "another command has taken over the namespace")
            .because("this command did not renew the namespace's Lease in time, so it was considered dead")
            .hint("check what the other command has done, then run yours again"),
    )
}

/// The failure of a run that was stopped by a signal.
pub(crate) fn interrupted(kind: Kind) -> Box<Failure> {
    let how = if kind == Kind::Interrupted { "interrupted" } else { "terminated" };
    Box::new(Failure::new(errors::INTERRUPTED, kind, format!("the run was {how}")))
}

fn run_timeout(run: &Run, reasons: &BTreeMap<String, String>) -> Failure {
    let limit = run.limit.unwrap_or_default().as_secs();
    let mut failure = Failure::new(
        errors::TIMEOUT,
        Kind::Timeout,
        format!("the time limit of {limit} s for the run expired"),
    );
    for (task, reason) in reasons {
        failure = failure.because(format!("{task}: {reason}"));
    }
    failure.hint("allow more time with --timeout")
}

/// A cause that was found when the run's limit expired.
fn under_limit(cause: Failure, limit: &Failure) -> Box<Failure> {
    let failure = Failure { kind: Kind::Timeout, ..cause };
    Box::new(limit.hints.iter().fold(failure.because(&limit.message), |f, hint| f.hint(hint)))
}

#[derive(Clone)]
struct Scope {
    emit: Emit,
    cancel: Cancel,
    journal: Rc<dyn Journal>,
    last_reasons: Rc<RefCell<BTreeMap<String, String>>>,
    stopping: Rc<dyn Fn() -> bool>,
}

impl Scope {
    /// Report a reason if it is new.
    fn reason(&self, id: &str, reason: &str) {
        if self.last_reasons.borrow().get(id).is_some_and(|r| r == reason) {
            return;
        }
        self.last_reasons.borrow_mut().insert(id.to_owned(), reason.to_owned());
        self.emit.send(Event::TaskProgress {
            task: id.into(),
            message: reason.into(),
            done: None,
            total: None,
            unit: None,
        });
    }
}

async fn run_job(job: Job, scope: Scope) -> Ended {
    let id = job.spec.id.clone();
    let began = Instant::now();
    let limit = tokio::time::sleep(job.spec.timeout);
    let cancelled = async {
        scope.cancel.cancelled().await;
        let latest = tokio::time::Instant::now() + GRACE + Duration::from_secs(2);
        loop {
            tokio::time::sleep(CANCEL_POLL).await;
            if !(scope.stopping)() || tokio::time::Instant::now() >= latest {
                break;
            }
        }
    };
    let result = tokio::select! {
        result = drive(&job, &scope) => result,
        () = limit => {
            let last = scope.last_reasons.borrow().get(&id).cloned().unwrap_or_default();
            let deeper = job.explain_timeout(&last).await;
            Err(deeper.unwrap_or_else(|| Box::new(task_timeout(&job.spec, &last))))
        }
        () = cancelled => Err(interrupted(Kind::Interrupted)),
    };
    scope.last_reasons.borrow_mut().remove(&id);
    let seconds = began.elapsed().as_secs_f64();
    let (outcome, detail, failure) = match result {
        Ok((outcome, detail)) => (outcome, detail, None),
        Err(_) if scope.cancel.reason().is_some() => (Outcome::Cancelled, String::new(), None),
        Err(failure) => (Outcome::Failed, failure.message.clone(), Some(failure)),
    };
    let written = scope.journal.finished(&id, outcome);
    scope.emit.send(Event::TaskFinished { task: id.clone(), outcome, seconds, detail });
    Ended { id, outcome, seconds, failure: failure.or(written.err()) }
}

fn task_timeout(spec: &Spec, last: &str) -> Failure {
    Failure::new(
        errors::TIMEOUT,
        Kind::Timeout,
        format!("{}: not done after {} s", spec.title.to_lowercase(), spec.timeout.as_secs()),
    )
    .because(if last.is_empty() {
        "it reported no reason".to_owned()
    } else {
        format!("last state: {last}")
    })
}

/// Check, run, then wait by checking.
async fn drive(job: &Job, scope: &Scope) -> Result<(Outcome, String)> {
    let id = &job.spec.id;
    let reason = match job.check().await? {
        Doneness::Done(detail) => return Ok((Outcome::AlreadyDone, detail)),
        Doneness::Foreign(failure) => return Err(failure),
        Doneness::Pending(reason) => reason,
    };
    scope.journal.started(id)?;
    scope.emit.send(Event::TaskStarted { task: id.clone(), reason: reason.clone() });
    scope.last_reasons.borrow_mut().insert(id.clone(), reason);
    job.run().await?;
    loop {
        match job.check().await? {
            Doneness::Done(detail) => return Ok((Outcome::Done, detail)),
            Doneness::Foreign(failure) => return Err(failure),
            Doneness::Pending(reason) => scope.reason(id, &reason),
        }
        tokio::select! {
            () = job.changed() => {}
            _ = scope.cancel.cancelled() => return Err(interrupted(Kind::Interrupted)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use async_trait::async_trait;

    use super::super::task::Task;
    use super::*;

    struct NoJournal;

    impl Journal for NoJournal {
        fn started(&self, _: &str) -> Result<()> {
            Ok(())
        }
        fn finished(&self, _: &str, _: Outcome) -> Result<()> {
            Ok(())
        }
    }

    /// A task that is done `after` its run was called and the clock has advanced.
    struct Step {
        id: &'static str,
        needs: Vec<&'static str>,
        takes: Duration,
        ran: Cell<Option<tokio::time::Instant>>,
        already: bool,
        fails: bool,
        knows: bool,
        timeout: Duration,
    }

    fn step(id: &'static str, needs: &[&'static str], ms: u64) -> Step {
        Step {
            id,
            needs: needs.to_vec(),
            takes: Duration::from_millis(ms),
            ran: Cell::default(),
            already: false,
            fails: false,
            knows: false,
            timeout: Duration::from_secs(60),
        }
    }

    #[async_trait(?Send)]
    impl Task<RefCell<Vec<&'static str>>> for Step {
        async fn check(&self, _: &RefCell<Vec<&'static str>>) -> Result<Doneness> {
            if self.already {
                return Ok(Doneness::Done("there".into()));
            }
            match self.ran.get() {
                Some(at) if at.elapsed() >= self.takes && self.fails => {
                    Err(Box::new(Failure::new(crate::errors::KUBECTL, Kind::Task, "broken")))
                }
                Some(at) if at.elapsed() >= self.takes => Ok(Doneness::Done("made".into())),
                Some(_) => Ok(Doneness::Pending("not yet".into())),
                None => Ok(Doneness::Pending("missing".into())),
            }
        }
        async fn run(&self, log: &RefCell<Vec<&'static str>>) -> Result<()> {
            log.borrow_mut().push(self.id);
            self.ran.set(Some(tokio::time::Instant::now()));
            Ok(())
        }
        async fn changed(&self, _: &RefCell<Vec<&'static str>>) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        async fn cause(&self, _: &RefCell<Vec<&'static str>>) -> Option<Box<Failure>> {
            self.knows.then(|| Box::new(Failure::new(crate::errors::KUBECTL, Kind::Task, "it is broken")))
        }
    }

    fn go(steps: Vec<Step>, limit: Option<Duration>) -> (Report, Vec<&'static str>, Vec<String>) {
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        let sink = seen.clone();
        let emit = Emit::new(move |event| {
            sink.borrow_mut().push(serde_json::to_value(&event).expect("json")["type"].to_string());
        });
        let run_ = Run {
            emit,
            cancel: Cancel::default(),
            journal: Rc::new(NoJournal),
            limit,
            stopping: Rc::new(|| false),
        };
        let log = Rc::new(RefCell::new(Vec::new()));
        let job = |step: Step| {
            let spec = Spec { timeout: step.timeout, ..Spec::new(step.id, step.id, &step.needs, 1) };
            Job::new(spec, step, &log)
        };
        let jobs = steps.into_iter().map(job).collect();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("runtime");
        let report = tokio::task::LocalSet::new().block_on(&runtime, run(jobs, &run_));
        let order = log.borrow().clone();
        let events = seen.borrow().clone();
        (report, order, events)
    }

    #[test]
    fn independent_tasks_overlap() {
        let (report, order, _) = go(
            vec![
                step("a", &[], 100),
                step("slow", &["a"], 900),
                step("b", &["a"], 10),
                step("c", &["b"], 10),
            ],
            None,
        );
        assert!(report.failure.is_none());
        assert_eq!(order, ["a", "slow", "b", "c"], "c did not wait for slow");
        assert_eq!(report.outcomes["slow"], Outcome::Done);
    }

    #[test]
    fn a_task_that_is_already_done_is_not_run() {
        let (report, order, events) = go(vec![Step { already: true, ..step("a", &[], 1) }], None);
        assert!(order.is_empty());
        assert_eq!(report.outcomes["a"], Outcome::AlreadyDone);
        assert_eq!(events, ["\"task_finished\""]);
    }

    #[test]
    fn the_first_failure_stops_the_others() {
        let (report, order, _) = go(
            vec![
                step("long", &[], 60_000),
                Step { fails: true, ..step("bad", &[], 50) },
                step("never", &["long"], 1),
            ],
            None,
        );
        assert_eq!(
            report.failure.as_ref().map(|(task, f)| (task.as_deref(), f.id)),
            Some((Some("bad"), crate::errors::KUBECTL))
        );
        assert_eq!(report.outcomes["long"], Outcome::Cancelled);
        assert_eq!(report.outcomes["never"], Outcome::Skipped);
        assert_eq!(order, ["long", "bad"]);
    }

    #[test]
    fn limits_name_the_last_reason() {
        let late = Step { timeout: Duration::from_secs(2), ..step("late", &[], 60_000) };
        let (report, ..) = go(vec![late], None);
        let (task, failure) = report.failure.expect("a failure");
        assert_eq!((task.as_deref(), failure.kind), (Some("late"), Kind::Timeout));
        assert_eq!(failure.causes, ["last state: not yet"]);

        let (report, ..) = go(vec![step("late", &[], 60_000)], Some(Duration::from_secs(3)));
        let (_, failure) = report.failure.expect("a failure");
        assert_eq!(
            (failure.kind, failure.causes.as_slice()),
            (Kind::Timeout, &["late: not yet".to_owned()][..])
        );

        // The cause, if a task knows it; the first in the list has the root cause.
        let knowing = |id| Step { knows: true, ..step(id, &[], 60_000) };
        let (report, ..) = go(
            vec![step("late", &[], 60_000), knowing("first"), knowing("second")],
            Some(Duration::from_secs(3)),
        );
        let (task, failure) = report.failure.expect("a failure");
        assert_eq!(
            (task.as_deref(), failure.id, failure.kind),
            (Some("first"), crate::errors::KUBECTL, Kind::Timeout)
        );
        assert_eq!(failure.causes, ["the time limit of 3 s for the run expired"]);
    }
}
