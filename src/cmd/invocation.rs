//! One run of a long command: reporter, event log, signals, clock, exit code.

use crate::terminal;
use std::cell::{Cell, RefCell};
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::signal::unix::{SignalKind, signal};

use super::event_log::EventLog;
use crate::cli::{Global, OutputMode};
use crate::cluster::journal::JournalFile;
use crate::config::Target;
use crate::engine::lock::Lock;
use crate::engine::run::{Report, Run};
use crate::engine::task::Job;
use crate::event::{self, Emit, Event, FailureInfo, Line, Next, Outcome, TaskInfo, VERSION};
use crate::exec::cancel::{Cancel, Reason};
use crate::exec::system::System;
use crate::failure::{Failure, Kind, Result};
use crate::paths::{ProfilePaths, state_dir};
use crate::redact;
use crate::report::trace::{self, Trace};
use crate::report::{self, Reporter, Sinks, Verbosity};
use crate::terminal::{Drawing, Mode};

/// What every long command has.
pub(crate) struct Invocation {
    /// Where events go.
    pub emit: Emit,
    /// Stops the run.
    pub cancel: Cancel,
    /// Runs children.
    pub runner: System,
    /// The profile's files.
    pub paths: ProfilePaths,
    /// Unique id of the run.
    pub run_id: String,
    target: Target,
    verb: &'static str,
    clock: Instant,
    reporter: Rc<RefCell<Box<dyn Reporter>>>,
    log: Rc<RefCell<EventLog>>,
    verbosity: Verbosity,
    mode: Mode,
    first: Rc<RefCell<Option<Line>>>,
    command: Rc<Cell<Option<Pid>>>,
    held: RefCell<Option<Rc<crate::cluster::session::Session>>>,
    trace: Rc<RefCell<Option<Trace>>>,
}

/// A command of a trace while it runs; dropped when it has ended.
struct Traced {
    trace: Rc<RefCell<Option<Trace>>>,
    clock: Instant,
    row: usize,
    from: u64,
    command: trace::Command,
}

impl Drop for Traced {
    fn drop(&mut self) {
        let to = micros(self.clock.elapsed());
        if let Some(trace) = &mut *self.trace.borrow_mut() {
            trace.command_ends(self.row, &self.command, self.from, to);
        }
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// How the work of a command ended, unless it failed before any task started.
pub(crate) struct Ended {
    /// What the engine reports.
    pub report: Report,
    /// Useful next commands.
    pub next: Option<Next>,
}

impl Invocation {
    /// Set everything up and listen for signals. Must be called inside a `LocalSet`.
    pub(crate) fn begin(global: &Global, verb: &'static str, mode: OutputMode) -> Self {
        let paths = ProfilePaths::new(state_dir(), Target::from(global).profile.as_str());
        let log = event_log(&paths, verb);
        Self::begin_with(global, verb, mode, log, EventLog::none())
    }

    /// The same with the specified event log, and optionally a second one.
    pub(crate) fn begin_with(
        global: &Global,
        verb: &'static str,
        mode: OutputMode,
        log: EventLog,
        mut copy: EventLog,
    ) -> Self {
        let environment = |name: &str| std::env::var(name).ok();
        let (stdout, stderr) = (std::io::stdout().is_terminal(), std::io::stderr().is_terminal());
        let mode = terminal::resolve(mode, stdout, stderr, &environment);
        let verbosity = Verbosity { quiet: global.quiet, verbose: global.verbose };
        let reporter = Rc::new(RefCell::new(report::reporter(mode, verbosity, Sinks::process())));
        let target = Target::from(global);
        let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
        let clock = Instant::now();

        let log = Rc::new(RefCell::new(log));
        copy.open();
        let (copy, first) = (RefCell::new(copy), Rc::new(RefCell::new(None)));
        let trace: Rc<RefCell<Option<Trace>>> = Rc::default();
        let emit = {
            let (reporter, log, first) = (reporter.clone(), log.clone(), first.clone());
            let trace = trace.clone();
            Emit::new(move |event| {
                let elapsed_ms = u64::try_from(clock.elapsed().as_millis()).unwrap_or(u64::MAX);
                let line = Line { v: VERSION, time: Timestamp::now(), elapsed_ms, event };
                if let Ok(json) = serde_json::to_string(&line) {
                    // The file may be shared, and text from other programs may contain credentials, too.
                    let json = redact::shapes(&json);
                    copy.borrow_mut().line(json.clone());
                    log.borrow_mut().line(json);
                }
                if matches!(line.event, Event::RunStarted { .. }) {
                    *first.borrow_mut() = Some(line.clone());
                }
                if let Some(trace) = &mut *trace.borrow_mut() {
                    trace.event(&line);
                }
                reporter.borrow_mut().event(&line);
            })
        };
        let cancel = Cancel::default();
        let (shown, traced) = (emit.clone(), trace.clone());
        let runner = System::new(cancel.clone(), true).observed(Rc::new(move |cmd| {
            let (task, line) = (event::current_task(), cmd.to_string());
            shown.send(Event::Command { task: task.clone(), line: line.clone() });
            let from = micros(clock.elapsed());
            let row = traced.borrow_mut().as_mut().map(|trace| trace.command_starts(from));
            Box::new(row.map(|row| {
                let command = trace::Command { title: cmd.title(), line, task };
                Traced { trace: traced.clone(), clock, row, from, command }
            }))
        }));
        let began = Timestamp::now();
        let run_id = format!("{}-{}", began.strftime("%Y%m%dT%H%M%SZ"), std::process::id());
        let (held, command) = (RefCell::default(), Rc::default());
        let invocation = Self {
            emit,
            cancel,
            runner,
            paths,
            run_id,
            target,
            verb,
            clock,
            reporter,
            log,
            verbosity,
            mode,
            first,
            command,
            held,
            trace,
        };
        invocation.listen();
        invocation
    }

    /// Record the run as a trace from now on.
    pub(crate) fn trace(&self) {
        *self.trace.borrow_mut() = Some(Trace::new(Timestamp::now()));
    }

    /// Add the state of the cluster at the end of a run to the trace.
    pub(crate) fn trace_cluster(&self, cx: &crate::cluster::session::Session) {
        if let Some(trace) = &mut *self.trace.borrow_mut() {
            trace.cluster(&cx.store.snapshot(), cx.namespace(), Timestamp::now());
        }
    }

    /// The trace so far as JSON.
    pub(crate) fn traced(&self) -> Option<String> {
        self.trace.borrow().as_ref().map(|trace| redact::shapes(&trace.json()))
    }

    /// Acquire the profile's lock, and start the event log.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let lock = Lock::take(&self.paths.lock(), self.verb)?;
        self.log.borrow_mut().open();
        Ok(lock)
    }

    fn listen(&self) {
        let (cancel, runner, reporter) = (self.cancel.clone(), self.runner.clone(), self.reporter.clone());
        let (emit, command) = (self.emit.clone(), self.command.clone());
        // Before any work: see `status::stopped`.
        let signals =
            (signal(SignalKind::interrupt()), signal(SignalKind::terminate()), signal(SignalKind::hangup()));
        crate::terminal::output::heed_signals();
        tokio::task::spawn_local(async move {
            let (Ok(mut interrupt), Ok(mut terminate), Ok(mut hangup)) = signals else { return };
            let mut asked = false;
            loop {
                let (reason, signal) = tokio::select! {
                    _ = interrupt.recv() => (Reason::Interrupted, Signal::INT),
                    _ = terminate.recv() => (Reason::Terminated, Signal::TERM),
                    _ = hangup.recv() => (Reason::Terminated, Signal::HUP),
                };
                // While a command of the user is running, signals are passed to it: it decides when it exits.
                if let Some(group) = command.get() {
                    let _ = kill_process_group(group, signal);
                    continue;
                }
                if asked {
                    runner.kill_all();
                    reporter.borrow_mut().finish();
                    crate::terminal::output::finish();
                    let kind =
                        if reason == Reason::Interrupted { Kind::Interrupted } else { Kind::Terminated };
                    std::process::exit(kind.exit_code().into());
                }
                asked = true;
                cancel.cancel(reason);
                if reason == Reason::Interrupted {
                    emit.warn("stopping; press Ctrl-C again to stop immediately");
                }
            }
        });
        let (reporter, clock) = (self.reporter.clone(), self.clock);
        tokio::task::spawn_local(async move {
            loop {
                tokio::time::sleep(report::TICK).await;
                reporter.borrow_mut().tick(clock.elapsed());
            }
        });
    }

    /// From now on, signals are for this process group; with `None`, for kstrim again.
    pub(crate) fn pass_signals_to(&self, group: Option<Pid>) {
        self.command.set(group);
        // A signal that arrived before this was for the command, too.
        if let (Some(group), Some(reason)) = (group, self.cancel.reason()) {
            let signal = if reason == Reason::Interrupted { Signal::INT } else { Signal::TERM };
            let _ = kill_process_group(group, signal);
        }
    }

    /// From now on, another program uses the terminal, too: the live list is no longer drawn.
    pub(crate) fn pass_terminal(&self) {
        if self.mode.drawing == Drawing::Tty {
            self.reporter.borrow_mut().finish();
            let first = self.first.borrow();
            let lines = report::lines_only(self.mode, self.verbosity, Sinks::process(), first.as_ref());
            *self.reporter.borrow_mut() = lines;
        }
    }

    /// The run's Lease is released by [`Invocation::release_held`].
    pub(crate) fn hold(&self, cx: Rc<crate::cluster::session::Session>) {
        *self.held.borrow_mut() = Some(cx);
    }

    /// Release the Lease of what was passed to [`Invocation::hold`].
    pub(crate) async fn release_held(&self) {
        let held = self.held.borrow_mut().take();
        if let Some(cx) = held {
            self.release(&cx).await;
        }
    }

    /// Release the namespace's Lease that a run holds, even after an interrupt.
    pub(crate) async fn release(&self, cx: &crate::cluster::session::Session) {
        let runner: Rc<dyn crate::exec::Runner> = Rc::new(self.runner.detached());
        crate::cluster::ownership::release_lease(cx, &cx.kubectl.with_runner(runner)).await;
    }

    /// Send the first event.
    pub(crate) fn started(&self, release: Option<&str>, tasks: Vec<TaskInfo>) {
        self.emit.send(Event::RunStarted {
            run_id: self.run_id.clone(),
            command: self.verb.into(),
            profile: self.target.profile.to_string(),
            release: release.map(str::to_owned),
            tasks,
        });
    }

    /// Run jobs with the engine.
    pub(crate) async fn run(
        &self,
        jobs: Vec<Job>,
        journal: Rc<RefCell<JournalFile>>,
        limit: Option<Duration>,
    ) -> Report {
        let runner = self.runner.clone();
        let stopping = Rc::new(move || runner.is_stopping());
        let run = Run { emit: self.emit.clone(), cancel: self.cancel.clone(), journal, limit, stopping };
        crate::engine::run::run(jobs, &run).await
    }

    /// The failure of an interrupted run, by its signal.
    pub(crate) fn interrupted(&self) -> Box<Failure> {
        match self.cancel.reason() {
            Some(Reason::Terminated) => crate::engine::run::interrupted(Kind::Terminated),
            Some(Reason::LeaseLost) => crate::engine::run::lease_lost(),
            _ => crate::engine::run::interrupted(Kind::Interrupted),
        }
    }

    /// The target of the command.
    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// The command.
    pub(crate) fn verb(&self) -> &'static str {
        self.verb
    }

    /// As [`Invocation::finish`], with an archive of evidence.
    pub(crate) fn finish_with(self, ended: Result<Ended>, evidence: Option<PathBuf>) -> ExitCode {
        self.finish_with_archive(ended, evidence)
    }

    /// Send the last event and return the exit code.
    pub(crate) fn finish(self, ended: Result<Ended>) -> ExitCode {
        self.finish_with_archive(ended, None)
    }

    /// The events of a run that is refused before its tasks are known, and its exit code.
    pub(crate) fn refused(self, failure: Box<Failure>) -> ExitCode {
        self.started(None, Vec::new());
        self.finish(Err(failure))
    }

    /// Send the last event, with the archive of evidence if there is one, and return the exit code.
    pub(super) fn finish_with_archive(self, ended: Result<Ended>, evidence: Option<PathBuf>) -> ExitCode {
        let (report, next) = match ended {
            Ok(ended) => (ended.report, ended.next),
            Err(failure) => (Report { failure: Some((None, failure)), ..Report::default() }, None),
        };
        let outcome = match &report.failure {
            None => Outcome::Done,
            Some((_, f)) if matches!(f.kind, Kind::Interrupted | Kind::Terminated) => Outcome::Cancelled,
            Some(_) => Outcome::Failed,
        };
        let exit_code = report.failure.as_ref().map_or(0, |(_, f)| f.kind.exit_code());
        let failure = report
            .failure
            .map(|(task, failure)| FailureInfo::new(&self.resumable(*failure), task.as_deref()));
        self.emit.send(Event::RunFinished {
            outcome,
            exit_code,
            seconds: self.clock.elapsed().as_secs_f64(),
            tasks: report.seconds,
            failure,
            evidence: evidence.map(|path| path.display().to_string()),
            next,
        });
        self.reporter.borrow_mut().finish();
        ExitCode::from(exit_code)
    }

    /// Send the last event of a run whose command was run; it has the command's exit code.
    pub(crate) fn finish_with_code(
        self,
        exit_code: u8,
        report: Report,
        evidence: Option<PathBuf>,
    ) -> ExitCode {
        self.emit.send(Event::RunFinished {
            outcome: if exit_code == 0 { Outcome::Done } else { Outcome::Failed },
            exit_code,
            seconds: self.clock.elapsed().as_secs_f64(),
            tasks: report.seconds,
            failure: None,
            evidence: evidence.map(|path| path.display().to_string()),
            next: None,
        });
        self.reporter.borrow_mut().finish();
        ExitCode::from(exit_code)
    }

    /// Add how to continue the run to a failure, if that makes sense.
    fn resumable(&self, mut failure: Failure) -> Failure {
        let goes_on = matches!(
            self.verb,
            "up" | "down" | "upgrade" | "add" | "remove" | "run" | "stop" | "start" | "pause" | "unpause"
        );
        if failure.kind == Kind::Timeout && goes_on {
            let target = &self.target;
            failure = failure.hint(format!("for details: {}", target.kstrim("status")));
        }
        match failure.kind {
            Kind::Task | Kind::Timeout | Kind::Interrupted | Kind::Terminated if goes_on => {
                let again = self.target.again();
                failure.hint(format!("to continue, run the same command again: {again}"))
            }
            _ => failure,
        }
    }
}

/// The profile's log of this command's last run. If the command changes something, its log starts when the lock is
/// acquired. kstrim creates no directory for a profile that it has never used.
fn event_log(paths: &ProfilePaths, verb: &str) -> EventLog {
    let changes =
        matches!(verb, "up" | "down" | "upgrade" | "add" | "remove" | "stop" | "start" | "pause" | "unpause");
    if verb != "up" && !paths.folder().is_dir() {
        return EventLog::none();
    }
    let mut log = EventLog::new(paths.events(verb));
    if !changes {
        log.open();
    }
    log
}
