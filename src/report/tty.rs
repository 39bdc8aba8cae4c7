//! The reporter for a terminal: a live task list, then the final list and a summary.

use std::time::Duration;

use super::bars::Bars;
use super::rows;
use super::state::{Change, Run};
use super::{Reporter, Sinks, Size, summary};
use crate::event::{Event, Line};
use crate::terminal::sink::Sink;
use crate::terminal::style::{Look, Tone};
use crate::terminal::text;

/// Writes to a terminal.
pub(crate) struct Tty {
    bars: Bars,
    /// The same terminal, for what is printed after the list is removed.
    sink: Sink,
    look: Look,
    verbose: bool,
    size: Size,
    run: Run,
}

impl Tty {
    /// A reporter for the terminal of `sinks.list`, which is also that of `sinks.stderr`.
    pub(crate) fn new(sinks: Sinks, look: Look, verbose: bool) -> Self {
        let bars = Bars::new(sinks.list, look);
        Self { bars, sink: Sink::new(sinks.stderr), look, verbose, size: sinks.size, run: Run::default() }
    }

    /// Draw the current list.
    fn draw(&mut self) {
        if self.run.tasks.is_empty() {
            return;
        }
        let (columns, rows) = (self.size)();
        // One row stays free, so that the last warning is visible in a low terminal.
        let room = usize::from(rows).saturating_sub(1).max(1);
        self.bars.show(rows::live(&self.run, self.look, columns.into(), room));
    }

    fn columns(&self) -> usize {
        (self.size)().0.into()
    }

    /// Print the final list and the summary.
    fn close(&mut self, event: &Event) {
        let columns = self.columns();
        let mut last: String = rows::finished_lines(&self.run, self.look, columns)
            .iter()
            .map(|line| format!("{}\n", line.render(self.look)))
            .collect();
        // The list above already contains the duration of each task.
        last.push_str(&summary::render(&self.run, event, self.look, Some(columns), false));
        self.bars.clear();
        self.sink.write(&last);
        self.run.tasks.clear();
    }

    fn heading(&self) -> String {
        let name = format!("kstrim {}", self.run.command);
        let mut about = Vec::new();
        if !self.run.profile.is_empty() {
            about.push(format!("profile {}", self.run.profile));
        }
        if let Some(release) = &self.run.release {
            about.push(format!("Strimzi {release}"));
        }
        let about = self.look.paint(Tone::Dim, &format!("  {}", about.join(", ")));
        format!("{}{about}\n", self.look.paint(Tone::Strong, &name))
    }
}

impl Reporter for Tty {
    fn event(&mut self, line: &Line) {
        let change = self.run.apply(line);
        match &line.event {
            Event::RunStarted { .. } => {
                self.bars.print(&self.heading());
                self.draw();
            }
            Event::Warning { .. } => {
                self.bars.print(&warning(&line.event, self.look, Some(self.columns())));
            }
            Event::Command { line, .. } if self.verbose => {
                let command = format!("+ {}", text::one_line(line));
                self.bars.print(&self.look.paint(Tone::Dim, &command));
            }
            Event::ProfileDeletion(goes) => {
                for line in goes.lines() {
                    let line = format!("deletes {}", text::one_line(&line));
                    self.bars.print(&text::fill(&line, Some(self.columns()), 2).join("\n"));
                }
            }
            Event::Smoke(_) => {
                if let Some(after) = self.run.verified {
                    let words = text::fill(&summary::usable(after), Some(self.columns()), 2).join("\n");
                    self.bars.print(&format!("{}\n", self.look.paint(Tone::Good, &words)));
                }
            }
            Event::Command { .. }
            | Event::DeletionPlanned(_)
            | Event::ComponentSmoke(_)
            | Event::CommandStarted { .. }
            | Event::CommandExited { .. } => {}
            Event::RunFinished { .. } => self.close(&line.event),
            Event::TaskProgress { .. } if change == Change::Nothing => {}
            Event::TaskProgress { .. } | Event::TaskStarted { .. } | Event::TaskFinished { .. } => {
                self.draw()
            }
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        self.run.now = self.run.now.max(elapsed);
        self.draw();
    }

    fn finish(&mut self) {
        if self.bars.leave() {
            self.sink.write("\n");
        }
        self.run.tasks.clear();
    }
}

/// A warning as a separate paragraph; empty for any other event.
pub(crate) fn warning(event: &Event, look: Look, columns: Option<usize>) -> String {
    const LABEL: &str = "warning:";
    let Event::Warning { task, id, message } = event else { return String::new() };
    let task = task.as_deref().map(|task| format!(" {}:", text::one_line(task))).unwrap_or_default();
    let id = id.as_deref().map(|id| format!(" [{id}]")).unwrap_or_default();
    let whole = format!("{LABEL}{task} {}{id}", text::one_line(message));
    let lines = text::fill(&whole, columns, 2).join("\n");
    let rest = lines.strip_prefix(LABEL).unwrap_or(&lines);
    format!("{}{rest}\n", look.paint(Tone::Warn, LABEL))
}
