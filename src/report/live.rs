//! A block of lines at the bottom of the terminal that is written over in place.
//!
//! Our own, and no progress bar library, for two reasons. A library's lines are filled up with
//! blanks to the terminal's edge and run into each other without line ends, so a terminal that is
//! made narrower wraps all of them and leaves garbage; and they are cleared before they are
//! written, which flickers over a slow link. Here each line ends in a line end, is overwritten
//! and not cleared first, and a frame is one write.

use super::style::{Look, Spans};

/// Terminals that know it show a frame only when it is whole; the others ignore it.
const BEGIN_FRAME: &str = "\u{1b}[?2026h";
const END_FRAME: &str = "\u{1b}[?2026l";
/// Clear to the end of the line, and of the screen.
const CLEAR_LINE: &str = "\u{1b}[K";
const CLEAR_BELOW: &str = "\u{1b}[J";

/// The block. The cursor stands at the beginning of the line below it, where a shell's prompt
/// would go on: there is nothing to restore when the program is killed.
#[derive(Debug, Default)]
pub struct Live {
    /// Columns of each line on the screen.
    widths: Vec<usize>,
    /// What is on the screen, as it was written.
    shown: String,
}

impl Live {
    /// What to write so that `above` (whole lines) stays for good and `lines` is the block, on a
    /// terminal of now so many columns. Empty if that is already on the screen.
    pub fn frame(&mut self, above: &str, lines: &[Spans], look: Look, columns: usize) -> String {
        let block: String = lines.iter().map(|l| format!("{}{CLEAR_LINE}\n", l.render(look))).collect();
        if above.is_empty() && block == self.shown {
            return String::new();
        }
        let mut frame = BEGIN_FRAME.to_owned();
        let up = self.height(columns);
        if up > 0 {
            frame.push_str(&format!("\r\u{1b}[{up}A"));
        }
        // Overwritten line by line: to clear a screen from its first cell is to some terminals
        // (tmux) a clear screen, of which they keep the old content in their scrollback.
        for line in above.lines() {
            frame.push_str(&format!("{line}{CLEAR_LINE}\n"));
        }
        frame.push_str(&block);
        frame.push_str(CLEAR_BELOW);
        frame.push_str(END_FRAME);
        self.widths = lines.iter().map(Spans::width).collect();
        self.shown = block;
        frame
    }

    /// Let the block be: what is on the screen stays, the next frame begins below it.
    pub fn leave(&mut self) {
        *self = Self::default();
    }

    /// Rows the block takes now: a terminal made narrower has wrapped its lines.
    fn height(&self, columns: usize) -> usize {
        self.widths.iter().map(|width| width.div_ceil(columns.max(1)).max(1)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::Tone;

    fn lines(texts: &[&str]) -> Vec<Spans> {
        let spans = |text: &&str| {
            let mut line = Spans::default();
            line.push(Tone::Plain, *text);
            line
        };
        texts.iter().map(spans).collect()
    }

    #[test]
    fn an_unchanged_block_is_not_written_again() {
        let mut live = Live::default();
        assert!(!live.frame("", &lines(&["one", "two"]), Look::ASCII, 80).is_empty());
        assert_eq!(live.frame("", &lines(&["one", "two"]), Look::ASCII, 80), "");
    }

    #[test]
    fn a_narrower_terminal_has_wrapped_the_block_and_it_goes_up_that_much_further() {
        let mut live = Live::default();
        live.frame("", &lines(&["0123456789", "", "01234"]), Look::ASCII, 80);
        let frame = live.frame("", &lines(&["x"]), Look::ASCII, 4);
        assert!(frame.contains("\r\u{1b}[6A"), "3 + 1 + 2 rows: {frame:?}");
    }

    #[test]
    fn a_shrinking_block_leaves_nothing_behind_and_what_is_above_stays() {
        let mut screen = vt100::Parser::new(6, 20, 0);
        let mut live = Live::default();
        let mut write = |above: &str, texts: &[&str]| {
            let frame = live.frame(above, &lines(texts), Look::ASCII, 20);
            // What a terminal driver does with line ends.
            screen.process(frame.replace('\n', "\r\n").as_bytes());
            screen.screen().contents()
        };
        assert_eq!(write("", &["first", "second, long", "third"]), "first\nsecond, long\nthird");
        assert_eq!(write("", &["first", "2nd"]), "first\n2nd");
        assert_eq!(write("warning\n", &["first", "2nd"]), "warning\nfirst\n2nd");
        assert_eq!(write("bye\n", &[]), "warning\nbye");

        // Only what is below the new content is cleared, see `frame`.
        live.frame("", &lines(&["x", "y"]), Look::ASCII, 20);
        let frame = live.frame("for good\n", &lines(&["x"]), Look::ASCII, 20);
        assert!(frame.ends_with(&format!("x{CLEAR_LINE}\n{CLEAR_BELOW}{END_FRAME}")), "{frame:?}");
        assert_eq!(frame.matches(CLEAR_BELOW).count(), 1, "{frame:?}");
    }
}
