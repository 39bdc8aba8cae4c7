//! What is printed at the end of a run, by all reporters but JSON.

use std::time::Duration;

use super::failure_block;
use super::state::{Run, Status, word};
use crate::event::{Event, Next, Outcome, SmokeReport};
use crate::terminal::duration::{human, human_seconds};
use crate::terminal::style::{Look, Tone};
use crate::terminal::table::Table;
use crate::terminal::text;

/// The blocks after a run, each line with its end. `columns` is the terminal's width, `None` if lines have no limit.
/// `times` adds a table of the tasks' durations, if no list has printed them already. Empty for any event but
/// [`Event::RunFinished`].
pub(crate) fn render(run: &Run, event: &Event, look: Look, columns: Option<usize>, times: bool) -> String {
    let Event::RunFinished { outcome, exit_code, seconds, failure, evidence, next, .. } = event else {
        return String::new();
    };
    let mut out = String::new();
    if let Some(failure) = failure {
        out.push('\n');
        out.push_str(&failure_block::render(failure, look, columns));
        if let Some(path) = evidence {
            // Like a hint, left to the terminal to wrap, so that it can be copied.
            out.push_str(&format!("{} {}\n", look.paint(Tone::Dim, "evidence:"), text::one_line(path)));
        }
        return out;
    }
    if times && run.tasks.iter().any(|t| t.status != Status::Pending) {
        out.push('\n');
        out.push_str(&time_table(run, look, columns));
    }
    out.push('\n');
    out.push_str(&verdict(run, *outcome, *exit_code, *seconds, look));
    let verified = run.verified.map(|after| format!("first message verified after {}", human(after)));
    let indented = columns.map(|columns| columns.saturating_sub(2));
    for words in verified.into_iter().chain(run.smoke.as_ref().map(smoke)) {
        for line in text::fill(&words, indented, 0) {
            out.push_str(&format!("  {line}\n"));
        }
    }
    if let Some(next) = next {
        out.push('\n');
        out.push_str(&what_next(next, look, columns));
    }
    out
}

/// One line: the command, its outcome and duration.
fn verdict(run: &Run, outcome: Outcome, exit_code: u8, seconds: f64, look: Look) -> String {
    let name = if run.command.is_empty() { "kstrim".to_owned() } else { format!("kstrim {}", run.command) };
    let took = human_seconds(seconds);
    let (tone, words) = match outcome {
        Outcome::Done => (Tone::Good, format!("done in {took}")),
        Outcome::AlreadyDone => (Tone::Good, format!("nothing to do ({took})")),
        other => (Tone::Bad, format!("{} after {took}, exit code {exit_code}", word(other))),
    };
    format!("{} {}\n", look.paint(Tone::Strong, &format!("{name}:")), look.paint(tone, &words))
}

/// That Kafka is ready to use, although the run continues.
pub(crate) fn usable(after: Duration) -> String {
    format!("first message verified after {}: Kafka is ready to use", human(after))
}

/// The durations of the tasks.
fn time_table(run: &Run, look: Look, columns: Option<usize>) -> String {
    let mut table = Table::default().indent(2).right(1);
    for task in &run.tasks {
        let Status::Ended(outcome) = task.status else { continue };
        let took = if outcome == Outcome::Skipped { String::new() } else { human_seconds(task.seconds) };
        table.row([task.title.as_str(), &took, word(outcome)]);
    }
    table.render(look, columns)
}

/// The smoke test in one sentence.
pub(crate) fn smoke(report: &SmokeReport) -> String {
    let ms = |ms: u64| {
        if ms < 1000 { format!("{ms} ms") } else { human(Duration::from_millis(ms)) }
    };
    let plural = |n: u64| if n == 1 { "" } else { "s" };
    let mut words = format!(
        "{} of {} message{} of {} verified on topic {} ({} partition{}): produced in {}, consumed in {}",
        report.verified,
        report.sent,
        plural(report.sent),
        text::bytes(report.size),
        text::one_line(&report.topic),
        report.partitions,
        plural(report.partitions.into()),
        ms(report.produce_ms),
        ms(report.consume_ms),
    );
    if let Some(left) = &report.left_behind {
        words.push_str(&format!("; left on the cluster: {}", text::one_line(left)));
    }
    words
}

/// Addresses and commands. A command is never truncated, and is printed on a separate line if it does not fit beside
/// its title, so that it can be copied.
fn what_next(next: &Next, look: Look, columns: Option<usize>) -> String {
    let mut items: Vec<(String, String, Tone)> = Vec::new();
    if !next.bootstrap.is_empty() {
        items.push(("bootstrap server".to_owned(), text::one_line(&next.bootstrap), Tone::Strong));
    }
    for (what, command) in &next.commands {
        items.push((text::one_line(what), text::one_line(command), Tone::Plain));
    }
    let title = items.iter().map(|(what, ..)| text::width(what)).max().unwrap_or(0);
    let fits = |command: &str| columns.is_none_or(|columns| title + 4 + text::width(command) <= columns);
    let beside = items.iter().all(|(_, command, _)| fits(command));
    let mut out = String::new();
    for (what, line, tone) in items {
        let pad = " ".repeat(title - text::width(&what));
        let line = look.paint(tone, &line);
        if beside {
            out.push_str(&format!("  {}{pad}  {line}\n", look.paint(Tone::Dim, &what)));
        } else {
            out.push_str(&format!("  {}\n    {line}\n", look.paint(Tone::Dim, &format!("{what}:"))));
        }
    }
    out
}
