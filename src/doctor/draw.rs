//! The document as text. Symbols and colors are always accompanied by a word.

use super::data::{Check, Doctor, Word};
use crate::command_line::CommandLine;
use crate::errors;
use crate::terminal::style::{Look, Spans, Tone};
use crate::terminal::text;

/// Width of symbol and word: `× failed   `.
const WORD: usize = 11;

/// The lines as text. With `columns`, the terminal's width, prose is wrapped. `all` includes skipped checks. `again`
/// is the command that repeats the check.
pub(crate) fn text(
    doctor: &Doctor,
    look: Look,
    columns: Option<usize>,
    all: bool,
    again: &CommandLine,
) -> String {
    let fix = again.clone().arg("--fix");
    let mut page = Page { out: String::new(), look, columns, fix };
    let shown = |c: &&Check| all || c.verdict != Word::Skipped;
    let ids = doctor.checks.iter().filter(shown).map(|c| c.id.len()).max().unwrap_or(0);
    let mut group = None;
    for check in doctor.checks.iter().filter(shown) {
        if group != Some(check.group) {
            if group.is_some() {
                page.line(&[]);
            }
            page.line(&[(Tone::Strong, check.group.name())]);
            group = Some(check.group);
        }
        page.check(check, ids);
    }
    page.line(&[]);
    page.summary(doctor, all);
    page.out
}

fn mark(word: Word) -> (Tone, &'static str, &'static str, &'static str) {
    match word {
        Word::Ok => (Tone::Good, "√", "+", "ok"),
        Word::Warning => (Tone::Warn, "‼", "!", "warning"),
        Word::Failed => (Tone::Bad, "×", "x", "failed"),
        Word::Skipped => (Tone::Dim, "-", "-", "skipped"),
    }
}

struct Page {
    out: String,
    look: Look,
    columns: Option<usize>,
    fix: CommandLine,
}

impl Page {
    fn line(&mut self, pieces: &[(Tone, &str)]) {
        let mut spans = Spans::default();
        for (tone, piece) in pieces {
            spans.push(*tone, *piece);
        }
        spans.trim_end();
        self.out.push_str(&spans.render(self.look));
        self.out.push('\n');
    }

    fn check(&mut self, check: &Check, ids: usize) {
        let (tone, glyph, ascii, word) = mark(check.verdict);
        let head = format!("  {:WORD$}", format!("{} {word}", self.look.pick(glyph, ascii)));
        let id = format!("{:ids$}  ", check.id);
        let indent = head.chars().count() + id.len();
        let id_of = check.problem.as_ref().map(|p| format!(" [{}]", p.id)).unwrap_or_default();
        let took = format!(" ({} ms)", check.ms);
        let found = format!("{}{id_of}{took}", text::one_line(&check.found));
        let room = self.columns.map(|c| c.saturating_sub(indent));
        let mut lines = text::fill(&found, room, 0).into_iter();
        let first = lines.next().unwrap_or_default();
        let plain = if check.verdict == Word::Ok { Tone::Plain } else { tone };
        self.line(&[(tone, &head), (Tone::Dim, &id), (plain, &first)]);
        let pad = " ".repeat(indent);
        for line in lines {
            self.line(&[(Tone::Plain, &pad), (plain, &line)]);
        }
        let Some(problem) = &check.problem else { return };
        let fix = check.fix.as_ref().map(|fix| format!("{fix}: {}", self.fix));
        let hints = problem.hints.iter().map(|hint| ("hint: ", hint.clone()));
        let causes = problem.causes.iter().map(|cause| ("", cause.clone()));
        for (name, words) in causes.chain(hints).chain(fix.map(|fix| ("fix:  ", fix))) {
            let room = room.map(|r| r.saturating_sub(name.len()));
            for (at, line) in text::fill(&text::one_line(&words), room, 0).iter().enumerate() {
                let name = if at == 0 { name.to_owned() } else { " ".repeat(name.len()) };
                self.line(&[(Tone::Plain, &pad), (Tone::Dim, &name), (Tone::Plain, line)]);
            }
        }
    }

    fn summary(&mut self, doctor: &Doctor, all: bool) {
        let counts = &doctor.counts;
        let (tone, word) = match (counts.failed, counts.warning) {
            (0, 0) => (Tone::Good, "no problems found".to_owned()),
            (0, 1) => (Tone::Warn, "1 warning".to_owned()),
            (0, n) => (Tone::Warn, format!("{n} warnings")),
            (n, 0) => (Tone::Bad, format!("{n} failed")),
            (n, 1) => (Tone::Bad, format!("{n} failed, 1 warning")),
            (n, w) => (Tone::Bad, format!("{n} failed, {w} warnings")),
        };
        let skipped = match (counts.skipped, all) {
            (0, _) => String::new(),
            (n, true) => format!(", {n} skipped"),
            (n, false) => format!(", {n} skipped (-v shows them)"),
        };
        let rest = format!(": {} ok{skipped}, in {} ms", counts.ok, doctor.ms);
        self.line(&[(tone, &word), (Tone::Plain, &rest)]);
        if doctor.checks.iter().any(|c| c.problem.is_some()) {
            let explain = format!("for an explanation of an id in brackets: {}", errors::command("ID"));
            self.line(&[(Tone::Dim, &explain)]);
        }
    }
}
