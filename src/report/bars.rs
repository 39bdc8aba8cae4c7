//! The live list on the screen: one indicatif progress bar for each row.
//!
//! indicatif pads a row with blanks to the terminal's width and writes no line ends, so a terminal that is made
//! narrower wraps every row again and a part of the old list remains above the new one. This is a limitation of
//! indicatif; nothing is lost, and the final list is written without it.

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressFinish, ProgressStyle};

use super::rows::{ABOVE, BELOW, Row, SPINNER, SPINNER_ASCII};
use crate::terminal::style::Look;

/// The bars. Errors of the terminal are ignored here, as indicatif ignores those of its own redraws: a run does not
/// fail because its output cannot be displayed. For the same reason warnings go through `println` and not through
/// `suspend`, which panics on a broken stream.
pub(crate) struct Bars {
    all: MultiProgress,
    /// The content of each bar, in the order of [`super::rows::live`].
    shown: Vec<(ProgressBar, Row)>,
    look: Look,
}

impl Bars {
    /// A list without rows.
    pub(crate) fn new(target: ProgressDrawTarget, look: Look) -> Self {
        Self { all: MultiProgress::with_draw_target(target), shown: Vec::new(), look }
    }

    /// Draw what changed since the last call, and advance the spinners. There may be more rows than the last time,
    /// not fewer.
    pub(crate) fn show(&mut self, rows: Vec<Row>) {
        while self.shown.len() < rows.len() {
            // A task that the plan does not name comes last of the tasks.
            let at =
                if self.shown.len() < ABOVE + BELOW { self.shown.len() } else { self.shown.len() - BELOW };
            let bar = self.all.insert(at, ProgressBar::no_length().with_finish(ProgressFinish::Abandon));
            bar.set_style(self.style(&Row::default()));
            self.shown.insert(at, (bar, Row::default()));
        }
        for (at, row) in rows.into_iter().enumerate() {
            let new = (self.shown[at].1 != row).then(|| self.style(&row));
            let (bar, shown) = &mut self.shown[at];
            if new.is_none() && !row.lines.iter().any(|line| line.spins()) {
                continue;
            }
            if let Some(style) = new {
                bar.set_style(style);
            }
            // The only call that draws; indicatif skips redraws that are more frequent than 20 times a second.
            bar.update(|state| {
                if let Some(progress) = row.progress {
                    state.set_pos(progress.done);
                    state.set_len(progress.total.unwrap_or(0));
                }
            });
            *shown = row;
        }
    }

    /// Write complete lines above the list permanently.
    pub(crate) fn print(&self, lines: &str) {
        let _ = self.all.println(lines.trim_end_matches('\n'));
    }

    /// Remove the list from the screen.
    pub(crate) fn clear(&mut self) {
        let _ = self.all.clear();
        for (bar, _) in self.shown.drain(..) {
            bar.finish_and_clear();
            self.all.remove(&bar);
        }
    }

    /// Keep the list as it is; returns whether there was one, in which case the cursor is at its end.
    pub(crate) fn leave(&mut self) -> bool {
        let any = !self.shown.is_empty();
        self.shown.clear();
        any
    }

    fn style(&self, row: &Row) -> ProgressStyle {
        let lines: Vec<String> = row.lines.iter().map(|line| line.template(self.look)).collect();
        let style = ProgressStyle::with_template(&lines.join("\n"));
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        // indicatif's last picture is that of a finished bar.
        let mut pictures = if self.look.unicode { SPINNER.to_vec() } else { SPINNER_ASCII.to_vec() };
        pictures.push("-");
        style.tick_strings(&pictures).progress_chars(self.look.pick("━─", "#-"))
    }
}
