//! The reporter for logs: a line with a timestamp per change, and a heartbeat if nothing changes.

use std::time::Duration;

use super::state::{Change, Run, Task, word};
use super::tty::warning;
use super::{Reporter, summary};
use crate::event::{Event, Line, Outcome};
use crate::terminal::duration::{human_seconds, ticking};
use crate::terminal::sink::Sink;
use crate::terminal::style::{Look, Tone};
use crate::terminal::text;

/// Time without output after which a line reports what is being waited for.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Used instead of a task's id, for lines about the run.
const SELF: &str = "kstrim";

/// Prints lines.
pub(crate) struct Plain {
    sink: Sink,
    look: Look,
    quiet: bool,
    verbose: bool,
    run: Run,
    /// When the last line was written.
    said: Duration,
}

impl Plain {
    /// A reporter that writes to `sink`. With `quiet` only warnings and the failure are written, without times.
    pub(crate) fn new(sink: Sink, look: Look, quiet: bool, verbose: bool) -> Self {
        Self { sink, look, quiet, verbose, run: Run::default(), said: Duration::ZERO }
    }

    /// Continue a run that began with this line, which another reporter has printed.
    #[must_use]
    pub(crate) fn continuing(mut self, started: Option<&Line>) -> Self {
        if let Some(line) = started {
            self.run.apply(line);
            self.run.tasks.clear();
        }
        self
    }

    /// One line about `who`, a task or [`SELF`].
    fn print_line(&mut self, who: &str, words: &str) {
        if self.quiet {
            return;
        }
        let ids = self.run.tasks.iter().map(|t| text::width(&t.id));
        let widest = ids.chain([SELF.len()]).max().unwrap_or(0);
        let who = text::one_line(who);
        let pad = " ".repeat(widest.saturating_sub(text::width(&who)));
        let time = match self.run.time() {
            Some(time) => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            None => String::new(),
        };
        let stamp = self.look.paint(Tone::Dim, &time);
        self.sink.write(format!("{stamp}  {who}{pad}  {words}").trim_end());
        self.sink.write("\n");
        self.said = self.run.now;
    }

    fn started(&mut self) {
        let mut words = format!("{}: profile {}", self.run.command, self.run.profile);
        if let Some(release) = &self.run.release {
            words.push_str(&format!(", Strimzi {release}"));
        }
        self.print_line(SELF, &words);
    }

    fn ended(&mut self, id: &str, outcome: Outcome, seconds: f64, detail: &str) {
        let (tone, took) = match outcome {
            Outcome::Done => (Tone::Good, format!(" in {}", human_seconds(seconds))),
            Outcome::Failed => (Tone::Bad, format!(" after {}", human_seconds(seconds))),
            Outcome::Cancelled => (Tone::Warn, format!(" after {}", human_seconds(seconds))),
            Outcome::AlreadyDone => (Tone::Good, String::new()),
            Outcome::Skipped => (Tone::Dim, String::new()),
        };
        let mut words = self.look.paint(tone, word(outcome));
        words.push_str(&took);
        let detail = text::one_line(detail);
        if !detail.is_empty() {
            words.push_str(&format!(": {detail}"));
        }
        self.print_line(id, &words);
    }

    fn heartbeat(&mut self) {
        let running: Vec<&Task> = self.run.running().collect();
        let what = |task: &Task, named: bool| {
            let name = if named { format!("{}: ", task.id) } else { String::new() };
            let reason = if task.reason.is_empty() { "running" } else { &task.reason };
            let age = ticking(self.run.now.saturating_sub(task.reason_since));
            match task.progress {
                Some(progress) => format!("{name}{reason}, {}, {age}", progress.words()),
                None => format!("{name}{reason}, {age}"),
            }
        };
        let (who, words) = match running.as_slice() {
            [] => return,
            [task] => (task.id.clone(), what(task, false)),
            tasks => {
                let each: Vec<String> = tasks.iter().map(|t| what(t, true)).collect();
                (SELF.to_owned(), each.join("; "))
            }
        };
        self.print_line(&who, &format!("still waiting: {words}"));
    }
}

impl Reporter for Plain {
    fn event(&mut self, line: &Line) {
        let change = self.run.apply(line);
        match &line.event {
            Event::RunStarted { .. } => self.started(),
            Event::TaskStarted { task, reason } => {
                self.print_line(task, &format!("started: {}", text::one_line(reason)));
            }
            // Progress numbers alone wait for the heartbeat: a log needs no progress bar.
            Event::TaskProgress { task, message, .. } if change == Change::Told => {
                self.print_line(task, &text::one_line(message));
            }
            Event::TaskProgress { .. } => {}
            Event::TaskFinished { task, outcome, seconds, detail } => {
                self.ended(task, *outcome, *seconds, detail);
            }
            Event::DeletionPlanned(deletion) => {
                for object in &deletion.objects {
                    let size = object.size.as_deref().map(|size| format!(" ({size})")).unwrap_or_default();
                    self.print_line(
                        SELF,
                        &text::one_line(&format!("deletes {} {}{size}", object.kind, object.name)),
                    );
                }
                for kept in &deletion.kept {
                    self.print_line(SELF, &text::one_line(&format!("keeps {kept}")));
                }
            }
            Event::Command { task, line } if self.verbose => {
                let who = task.as_deref().unwrap_or(SELF);
                self.print_line(who, &format!("+ {}", text::one_line(line)));
            }
            Event::Command { .. } => {}
            Event::Warning { .. } if self.quiet => self.sink.write(&warning(&line.event, self.look, None)),
            Event::Warning { task, id, message } => {
                let id = id.as_deref().map(|id| format!(" [{id}]")).unwrap_or_default();
                let label = self.look.paint(Tone::Warn, "warning:");
                let words = format!("{label} {}{id}", text::one_line(message));
                self.print_line(task.as_deref().unwrap_or(SELF), &words);
            }
            Event::ProfileDeletion(goes) => {
                for line in goes.lines() {
                    self.print_line(SELF, &format!("deletes {}", text::one_line(&line)));
                }
            }
            Event::CommandStarted { program, .. } => {
                self.print_line(SELF, &format!("running {}", text::one_line(program)));
                // The heartbeat interval starts again.
                self.run.tasks.clear();
                self.run.smoke = None;
            }
            Event::CommandExited { code, signal, seconds } => {
                let how = match (code, signal) {
                    (_, Some(signal)) => format!("signal {signal}"),
                    (code, None) => format!("exit code {}", code.unwrap_or(-1)),
                };
                self.print_line(SELF, &format!("the command ended after {}: {how}", human_seconds(*seconds)));
            }
            Event::Smoke(report) => {
                let words = summary::smoke(report);
                self.print_line(SELF, &words);
                if let Some(after) = self.run.verified {
                    self.print_line(SELF, &summary::usable(after));
                }
                // Already printed; the summary does not repeat it.
                self.run.smoke = None;
            }
            Event::ComponentSmoke(report) => {
                self.print_line(SELF, &format!("{}: {}", report.component, text::one_line(&report.said)));
            }
            Event::RunFinished { outcome, failure, .. } => {
                let well = matches!(outcome, Outcome::Done | Outcome::AlreadyDone);
                let mut block = summary::render(&self.run, &line.event, self.look, None, true);
                if self.quiet {
                    block = if failure.is_some() { block.trim_start().to_owned() } else { String::new() };
                }
                if !(self.quiet && well) {
                    self.sink.write(&block);
                }
                self.run.tasks.clear();
            }
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        self.run.now = self.run.now.max(elapsed);
        if self.run.now.saturating_sub(self.said) >= HEARTBEAT && !self.quiet {
            self.heartbeat();
        }
    }

    fn finish(&mut self) {
        self.run.tasks.clear();
    }
}
