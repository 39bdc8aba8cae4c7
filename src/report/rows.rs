//! The task list on a terminal, as rows for indicatif: a pure function of the run and the terminal's size.

use std::time::Duration;

use super::state::{Progress, Run, Status, Task, word};
use crate::event::Outcome;
use crate::terminal::duration::{human_seconds, ticking};
use crate::terminal::style::{Look, Spans, Tone};
use crate::terminal::text;

/// Below this width a task's reason is on separate lines, and ids are used instead of titles.
const NARROW: usize = 60;
/// Maximum width of the list: a time far from its task is hard to read.
const WIDEST: usize = 100;
/// Maximum width of a title that is not truncated.
const TITLE: usize = 24;
/// Width of `12m 34s`.
const TIME: usize = 7;
/// Width of a progress bar if there is room.
const BAR: usize = 12;
/// Minimum width of a progress bar.
const SHORTEST_BAR: usize = 5;
/// The age of a reason is printed from here on, and only if it differs from the task's.
const OLD: Duration = Duration::from_secs(3);
/// The pictures of a spinner.
pub(crate) const SPINNER: [&str; 10] = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];
/// The same in ASCII.
pub(crate) const SPINNER_ASCII: [&str; 4] = ["|", "/", "-", "\\"];

/// The content of one progress bar of the live list; empty while it is folded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// Its lines, none wider than the terminal.
    pub lines: Vec<Spans>,
    /// The content of its `{bar}`.
    pub progress: Option<Progress>,
}

impl From<Spans> for Row {
    fn from(line: Spans) -> Self {
        Self { lines: vec![line], progress: None }
    }
}

/// The rows above the tasks' in [`live`]: a line for the done tasks that are folded.
pub(crate) const ABOVE: usize = 1;
/// Those below: a line for pending tasks that are folded, and the total.
pub(crate) const BELOW: usize = 2;

/// The rows of an active run, in a terminal of this width, at most `rows` lines high in total: [`ABOVE`] rows, one
/// for each task in plan order, [`BELOW`] rows.
pub(crate) fn live(run: &Run, look: Look, columns: usize, rows: usize) -> Vec<Row> {
    let columns = usable(columns);
    let task = |task: &Task| Row {
        lines: block(run, task, look, columns, false),
        progress: task.progress.filter(|_| task.status == Status::Running),
    };
    let mut list: Vec<Row> = Vec::with_capacity(run.tasks.len() + ABOVE + BELOW);
    list.push(Row::default());
    list.extend(run.tasks.iter().map(task));
    list.push(Row::default());
    fold(&mut list, run, look, rows.saturating_sub(1));

    let mut total = Spans::default();
    total.push(Tone::Dim, format!("   {} of {} done", run.succeeded(), run.tasks.len()));
    let took = format!("{:>TIME$}", ticking(run.now));
    total.pad(columns.saturating_sub(text::width(&took)));
    total.push(Tone::Dim, took);
    list.push(total.into());
    for line in list.iter_mut().flat_map(|row| &mut row.lines) {
        cut(line, look, columns);
    }
    list
}

/// The lines of a finished run, all of them.
pub(crate) fn finished_lines(run: &Run, look: Look, columns: usize) -> Vec<Spans> {
    let columns = usable(columns);
    let mut lines: Vec<Spans> =
        run.tasks.iter().flat_map(|task| block(run, task, look, columns, true)).collect();
    for line in &mut lines {
        cut(line, look, columns);
    }
    lines
}

/// The last column stays free: some terminals wrap when it is written.
fn usable(columns: usize) -> usize {
    columns.saturating_sub(1).clamp(1, WIDEST)
}

fn cut(line: &mut Spans, look: Look, columns: usize) {
    line.truncate(columns, look.ellipsis());
    line.trim_end();
}

/// Fold tasks until at most `room` lines are left: first those that are done, then those that start last.
fn fold(list: &mut [Row], run: &Run, look: Look, room: usize) {
    let height = |list: &[Row]| list.iter().map(|row| row.lines.len()).sum::<usize>();
    if height(list) <= room {
        return;
    }
    let folded = |words: String, glyph: &str| {
        let mut line = Spans::default();
        line.push(Tone::Dim, format!(" {glyph} {words}"));
        Row::from(line)
    };
    for (at, _) in run.tasks.iter().enumerate().filter(|(_, task)| task.succeeded()) {
        list[ABOVE + at] = Row::default();
    }
    if run.succeeded() > 0 {
        list[0] = folded(format!("{} done", run.succeeded()), look.pick("✓", "+"));
    }
    // Rows are in plan order, so pending tasks are mostly at the end.
    let more = list.len() - 1;
    let mut gone = 0;
    for at in (ABOVE..more).rev() {
        if height(list) <= room {
            break;
        }
        if !list[at].lines.is_empty() {
            list[at] = Row::default();
            gone += 1;
            list[more] = folded(format!("{gone} more"), look.pick("·", "."));
        }
    }
    // No room for the line about folded tasks: the total includes them.
    for at in [more, 0] {
        if height(list) > room {
            list[at] = Row::default();
        }
    }
}

/// One task: a line, and on a narrow terminal its reason below.
fn block(run: &Run, task: &Task, look: Look, columns: usize, over: bool) -> Vec<Spans> {
    let narrow = columns + 1 < NARROW;
    let (glyph, tone) = glyph(task, look, over);
    let name = |task: &Task| if narrow { task.id.clone() } else { task.title.clone() };
    let widest = run.tasks.iter().map(|t| text::width(&name(t))).max().unwrap_or(0).min(TITLE);
    let mut line = Spans::default();
    line.push(Tone::Plain, " ");
    if task.status == Status::Running && !over {
        line.push_key(tone, "{spinner}", glyph);
    } else {
        line.push(tone, glyph);
    }
    line.push(Tone::Plain, " ");
    let quiet = task.status == Status::Pending;
    let title = text::truncate(&name(task), widest, look.ellipsis());
    line.push(if quiet { Tone::Dim } else { Tone::Plain }, title);
    line.pad(3 + widest + 2);

    let took = match task.status {
        Status::Running => ticking(run.now.saturating_sub(task.started)),
        Status::Ended(Outcome::Skipped) | Status::Pending => String::new(),
        Status::Ended(_) => human_seconds(task.seconds),
    };
    let took = if took.is_empty() { took } else { format!("{took:>TIME$}") };
    let time_at = columns.saturating_sub(TIME);
    let room = time_at.saturating_sub(line.width() + 1);
    let mut below = Vec::new();
    let mut status = if narrow && task.status == Status::Running {
        below = reason_below(run, task, look, columns);
        let mut word = Spans::default();
        word.push(Tone::Busy, "running");
        word
    } else {
        status(run, task, look, room, narrow, over)
    };
    status.truncate(room, look.ellipsis());
    line.extend(status);
    if !took.is_empty() {
        line.pad(time_at);
        line.push(Tone::Dim, took);
    }
    let mut lines = vec![line];
    lines.extend(below);
    lines
}

/// The symbol before a task.
fn glyph(task: &Task, look: Look, over: bool) -> (&'static str, Tone) {
    match task.status {
        Status::Pending if over => (look.pick("-", "-"), Tone::Dim),
        Status::Pending => (look.pick("·", "."), Tone::Dim),
        Status::Running if over => (look.pick("-", "-"), Tone::Warn),
        Status::Running => (look.pick(SPINNER[0], SPINNER_ASCII[0]), Tone::Busy),
        Status::Ended(Outcome::Done | Outcome::AlreadyDone) => (look.pick("✓", "+"), Tone::Good),
        Status::Ended(Outcome::Failed) => (look.pick("×", "x"), Tone::Bad),
        Status::Ended(Outcome::Cancelled) => ("-", Tone::Warn),
        Status::Ended(Outcome::Skipped) => ("-", Tone::Dim),
    }
}

/// The text of a task's line, in `room` columns.
fn status(run: &Run, task: &Task, look: Look, room: usize, narrow: bool, over: bool) -> Spans {
    let mut spans = Spans::default();
    match task.status {
        Status::Pending if over => spans.push(Tone::Dim, word(Outcome::Skipped)),
        Status::Pending => {
            let missing = run.missing(task);
            let words = if missing.is_empty() || narrow {
                "pending".to_owned()
            } else {
                format!("pending: after {}", missing.join(", "))
            };
            spans.push(Tone::Dim, words);
        }
        Status::Running => return reason(run, task, look, room),
        Status::Ended(outcome) => {
            let tone = match outcome {
                Outcome::Done | Outcome::AlreadyDone => Tone::Good,
                Outcome::Failed => Tone::Bad,
                Outcome::Cancelled => Tone::Warn,
                Outcome::Skipped => Tone::Dim,
            };
            spans.push(tone, word(outcome));
            if !task.detail.is_empty() && !narrow {
                spans.push(Tone::Dim, format!(": {}", task.detail));
            }
        }
    }
    spans
}

/// Why a task is running, then its progress or how long this has been the reason. If there is not enough room, the
/// bar is omitted first, then the end of the reason; numbers are kept.
fn reason(run: &Run, task: &Task, look: Look, room: usize) -> Spans {
    let words = if task.reason.is_empty() { "running" } else { &task.reason };
    let measure = measure(run, task);
    let width = text::width(words) + text::width(&measure);
    let bar = bar(task, look, room.saturating_sub(width + 2));
    let mut spans = Spans::default();
    if bar.width() > 0 {
        spans.push(Tone::Plain, words);
        spans.push(Tone::Plain, " ");
        spans.extend(bar);
        spans.push(Tone::Dim, format!(" {measure}"));
    } else {
        let tail = if measure.is_empty() { measure } else { format!(", {measure}") };
        let room = room.saturating_sub(text::width(&tail));
        spans.push(Tone::Plain, text::truncate(words, room, look.ellipsis()));
        spans.push(Tone::Dim, tail);
    }
    spans
}

/// The same below a task's line, in at most two lines and one for the bar.
fn reason_below(run: &Run, task: &Task, look: Look, columns: usize) -> Vec<Spans> {
    const INDENT: &str = "     ";
    let room = columns.saturating_sub(INDENT.len());
    let measure = measure(run, task);
    let mut lines: Vec<Spans> = Vec::new();
    for words in text::wrap(&task.reason, room, 2, look.ellipsis()) {
        let mut line = Spans::default();
        line.push(Tone::Plain, format!("{INDENT}{words}"));
        lines.push(line);
    }
    if measure.is_empty() {
        return lines;
    }
    let bar = bar(task, look, room.saturating_sub(text::width(&measure) + 1));
    match lines.last_mut() {
        Some(line) if bar.width() == 0 && line.width() + 2 + text::width(&measure) <= columns => {
            line.push(Tone::Dim, format!(", {measure}"));
        }
        _ => {
            let mut line = Spans::default();
            line.push(Tone::Plain, INDENT);
            line.extend(bar.clone());
            let gap = if bar.width() > 0 { " " } else { "" };
            line.push(Tone::Dim, format!("{gap}{measure}"));
            lines.push(line);
        }
    }
    lines
}

/// A bar in at most `room` columns; none if the total is unknown or the bar would be too short.
fn bar(task: &Task, look: Look, room: usize) -> Spans {
    let mut bar = Spans::default();
    let length = room.min(BAR);
    if task.progress.is_some_and(|progress| progress.total.is_some()) && length >= SHORTEST_BAR {
        bar.push_key(Tone::Busy, format!("{{bar:{length}}}"), look.pick("─", "-").repeat(length));
    }
    bar
}

/// The progress of a task; without numbers, how old its reason is, if that differs from the task's own time.
fn measure(run: &Run, task: &Task) -> String {
    if let Some(progress) = task.progress {
        return progress.words();
    }
    let age = run.now.saturating_sub(task.reason_since);
    let differs = task.reason_since.saturating_sub(task.started) >= Duration::from_secs(2);
    if age >= OLD && differs && !task.reason.is_empty() { ticking(age) } else { String::new() }
}
