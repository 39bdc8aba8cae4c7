//! The drawing for a terminal: a live task list, then the same list standing still and a summary.

use std::time::Duration;

use super::live::Live;
use super::rows;
use super::sink::Sink;
use super::state::{Change, Run};
use super::style::{Look, Tone};
use super::{Reporter, Size, summary, text};
use crate::event::{Event, Line};

/// Progress that comes faster than this is drawn with the next tick.
const FRAME: Duration = Duration::from_millis(50);

/// Draws on a terminal.
pub struct Tty {
    sink: Sink,
    look: Look,
    verbose: bool,
    size: Size,
    run: Run,
    live: Live,
    drawn: Option<Duration>,
}

impl Tty {
    /// A drawing on `sink`, a terminal of `size`.
    pub fn new(sink: Sink, look: Look, verbose: bool, size: Size) -> Self {
        Self { sink, look, verbose, size, run: Run::default(), live: Live::default(), drawn: None }
    }

    /// The list as it stands now, below what is printed for good.
    fn draw(&mut self, above: &str) {
        if self.sink.broken() {
            return;
        }
        let (columns, rows) = (self.size)();
        // One row for the cursor below the list.
        let room = usize::from(rows).saturating_sub(1).max(1);
        let lines = rows::list(&self.run, self.look, columns.into(), Some(room));
        let frame = self.live.frame(above, &lines, self.look, columns.into());
        if !frame.is_empty() {
            self.sink.write(&frame);
        }
        self.drawn = Some(self.run.now);
    }

    /// The list for good, and the summary.
    fn close(&mut self, event: &Event) {
        let columns = usize::from((self.size)().0);
        let mut last: String = rows::list(&self.run, self.look, columns, None)
            .iter()
            .map(|line| format!("{}\n", line.render(self.look)))
            .collect();
        // The list above already says how long each task took.
        last.push_str(&summary::render(&self.run, event, self.look, Some(columns), false));
        let frame = self.live.frame(&last, &[], self.look, columns);
        self.sink.write(&frame);
        self.live.leave();
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
            Event::RunStarted { .. } => self.draw(&self.heading()),
            Event::Warning { .. } => {
                let columns = usize::from((self.size)().0);
                self.draw(&warning(&line.event, self.look, Some(columns)));
            }
            Event::Command { line, .. } if self.verbose => {
                let command = format!("+ {}", text::one_line(line));
                self.draw(&format!("{}\n", self.look.paint(Tone::Dim, &command)));
            }
            Event::Command { .. } | Event::Smoke(_) => {}
            Event::RunFinished { .. } => self.close(&line.event),
            Event::TaskProgress { .. } => {
                let due = self.drawn.is_none_or(|drawn| self.run.now >= drawn + FRAME);
                if due && change != Change::Nothing {
                    self.draw("");
                }
            }
            Event::TaskStarted { .. } | Event::TaskFinished { .. } => self.draw(""),
        }
    }

    fn tick(&mut self, elapsed: Duration) {
        self.run.now = self.run.now.max(elapsed);
        if !self.run.tasks.is_empty() {
            self.draw("");
        }
    }

    fn finish(&mut self) {
        self.live.leave();
        self.run.tasks.clear();
    }
}

/// A warning as a paragraph of its own; empty for any other event.
pub fn warning(event: &Event, look: Look, columns: Option<usize>) -> String {
    const LABEL: &str = "warning:";
    let Event::Warning { task, id, message } = event else { return String::new() };
    let task = task.as_deref().map(|task| format!(" {}:", text::one_line(task))).unwrap_or_default();
    let id = id.as_deref().map(|id| format!(" [{id}]")).unwrap_or_default();
    let whole = format!("{LABEL}{task} {}{id}", text::one_line(message));
    let lines = text::fill(&whole, columns, 2).join("\n");
    let rest = lines.strip_prefix(LABEL).unwrap_or(&lines);
    format!("{}{rest}\n", look.paint(Tone::Warn, LABEL))
}
