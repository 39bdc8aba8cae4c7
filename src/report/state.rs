//! The state of a run, computed from its events. The terminal and plain reporters use this and nothing else.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::event::{Event, Line, Outcome, SmokeReport, TaskInfo, Unit};
use crate::terminal::text;

/// The state of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// Not started.
    Pending,
    /// Running, or waiting for the cluster.
    Running,
    /// Ended.
    Ended(Outcome),
}

/// The progress of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Progress {
    /// How much is done.
    pub done: u64,
    /// The total, if that is known and not zero.
    pub total: Option<u64>,
    /// The unit.
    pub unit: Unit,
}

impl Progress {
    /// As text: `120 of 265 MB`, `900 kB of 1.2 GB`, `3 of 10`, `12 MB`.
    pub(crate) fn words(self) -> String {
        let number = |n: u64| match self.unit {
            Unit::Bytes => text::bytes(n),
            Unit::Items => n.to_string(),
        };
        let done = number(self.done);
        let Some(total) = self.total.map(number) else { return done };
        // One unit is sufficient if both have the same.
        let bare = match (done.split_once(' '), total.split_once(' ')) {
            (Some((bare, one)), Some((_, other))) if one == other => bare,
            _ => &done,
        };
        format!("{bare} of {total}")
    }
}

/// One task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    /// Stable id.
    pub id: String,
    /// Its title in messages.
    pub title: String,
    /// Ids of the tasks it needs.
    pub needs: Vec<String>,
    /// Its state.
    pub status: Status,
    /// While it is running: why, or what it waits for; one line.
    pub reason: String,
    /// Since when, relative to the start of the run.
    pub reason_since: Duration,
    /// Its progress.
    pub progress: Option<Progress>,
    /// When it started, relative to the start of the run.
    pub started: Duration,
    /// Its duration in seconds, after it has ended.
    pub seconds: f64,
    /// After it has ended: what exists now; one line.
    pub detail: String,
}

/// The task after which the brokers are ready.
const BROKERS: &str = "kafka";

/// One run.
#[derive(Debug, Default)]
pub(crate) struct Run {
    /// The command; empty before the run started.
    pub command: String,
    /// The minikube profile.
    pub profile: String,
    /// The Strimzi release.
    pub release: Option<String>,
    /// The tasks in plan order.
    pub tasks: Vec<Task>,
    /// The smoke test's measurements, if any.
    pub smoke: Option<SmokeReport>,
    /// When the first messages were consumed, relative to the start of the run, if this run made the brokers ready
    /// and other tasks continued after it.
    pub verified: Option<Duration>,
    /// When it started, by the calendar.
    began: Option<Timestamp>,
    /// Time since it started, as far as known: of the last event or tick.
    pub now: Duration,
}

/// What an event changed, for a reporter that prints lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// Something to print.
    Told,
    /// Only numbers: a bar moves.
    Numbers,
    /// Nothing.
    Nothing,
}

impl Run {
    /// Apply an event.
    pub(crate) fn apply(&mut self, line: &Line) -> Change {
        self.now = self.now.max(Duration::from_millis(line.elapsed_ms));
        match &line.event {
            Event::RunStarted { command, profile, release, tasks, .. } => {
                self.began = Some(line.time);
                self.command = text::one_line(command);
                self.profile = text::one_line(profile);
                self.release = release.as_deref().map(text::one_line);
                self.tasks = tasks.iter().map(Task::new).collect();
                Change::Told
            }
            Event::DeletionPlanned(_) => Change::Nothing,
            Event::TaskStarted { task, reason } => {
                let now = self.now;
                let task = self.task(task);
                task.status = Status::Running;
                task.started = now;
                task.set_reason(reason, now);
                Change::Told
            }
            Event::TaskProgress { task, message, done, total, unit } => {
                let now = self.now;
                let task = self.task(task);
                match task.status {
                    Status::Pending => task.started = now,
                    // `minikube start` may still print after its task has ended.
                    Status::Ended(_) => {
                        let told = task.set_reason(message, now);
                        return if told { Change::Told } else { Change::Nothing };
                    }
                    Status::Running => {}
                }
                task.status = Status::Running;
                let unit = unit.unwrap_or(Unit::Items);
                let total = total.filter(|total| *total > 0);
                let progress = done.map(|done| Progress { done, total, unit });
                let moved = task.progress != progress;
                task.progress = progress;
                match (task.set_reason(message, now), moved) {
                    (true, _) => Change::Told,
                    (false, true) => Change::Numbers,
                    (false, false) => Change::Nothing,
                }
            }
            Event::TaskFinished { task, outcome, seconds, detail } => {
                let task = self.task(task);
                task.status = Status::Ended(*outcome);
                task.seconds = *seconds;
                task.detail = text::one_line(detail);
                task.progress = None;
                Change::Told
            }
            Event::Smoke(report) => {
                self.smoke = Some(report.clone());
                let open = self.tasks.iter().filter(|t| !matches!(t.status, Status::Ended(_))).count();
                // A Kafka cluster that was already running could be used before.
                let new =
                    self.tasks.iter().any(|t| t.id == BROKERS && t.status == Status::Ended(Outcome::Done));
                // The smoke test's own task is one of them.
                if report.verified > 0 && open > 1 && new {
                    self.verified.get_or_insert(self.now);
                }
                Change::Told
            }
            Event::Command { .. }
            | Event::Warning { .. }
            | Event::ComponentSmoke(_)
            | Event::ProfileDeletion(_)
            | Event::CommandStarted { .. }
            | Event::CommandExited { .. }
            | Event::RunFinished { .. } => Change::Told,
        }
    }

    /// The current calendar time, `None` before the run started.
    pub(crate) fn time(&self) -> Option<Timestamp> {
        let passed = SignedDuration::try_from(self.now).ok()?;
        self.began?.checked_add(passed).ok()
    }

    /// The running tasks, in plan order.
    pub(crate) fn running(&self) -> impl Iterator<Item = &Task> {
        self.tasks.iter().filter(|t| t.status == Status::Running)
    }

    /// The number of tasks that succeeded.
    pub(crate) fn succeeded(&self) -> usize {
        self.tasks.iter().filter(|t| t.succeeded()).count()
    }

    /// Titles of the dependencies that a task still waits for, in plan order.
    pub(crate) fn missing(&self, task: &Task) -> Vec<&str> {
        let needed = self.tasks.iter().filter(|t| task.needs.contains(&t.id) && !t.succeeded());
        needed.map(|t| t.title.as_str()).collect()
    }

    /// The task with this id; one that the plan does not name is appended.
    fn task(&mut self, id: &str) -> &mut Task {
        let at = self.tasks.iter().position(|t| t.id == id).unwrap_or_else(|| {
            let info = TaskInfo { id: id.to_owned(), title: id.to_owned(), needs: Vec::new() };
            self.tasks.push(Task::new(&info));
            self.tasks.len() - 1
        });
        &mut self.tasks[at]
    }
}

impl Task {
    fn new(info: &TaskInfo) -> Self {
        Self {
            id: text::one_line(&info.id),
            title: text::one_line(&info.title),
            needs: info.needs.clone(),
            status: Status::Pending,
            reason: String::new(),
            reason_since: Duration::ZERO,
            progress: None,
            started: Duration::ZERO,
            seconds: 0.0,
            detail: String::new(),
        }
    }

    /// Whether it succeeded.
    pub(crate) fn succeeded(&self) -> bool {
        matches!(self.status, Status::Ended(Outcome::Done | Outcome::AlreadyDone))
    }

    fn set_reason(&mut self, reason: &str, now: Duration) -> bool {
        let reason = text::one_line(reason);
        let changed = reason != self.reason;
        if changed {
            self.reason = reason;
            self.reason_since = now;
        }
        changed
    }
}

/// The word for an outcome; it is printed in addition to colour and symbol.
pub(crate) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Done => "done",
        Outcome::AlreadyDone => "already done",
        Outcome::Failed => "failed",
        Outcome::Cancelled => "cancelled",
        Outcome::Skipped => "not started",
    }
}
