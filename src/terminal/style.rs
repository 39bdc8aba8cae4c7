//! Colors and symbols. They are always accompanied by a word.

use anstyle::{AnsiColor, Style};

use super::text;

/// What a stream can display.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    /// ANSI colours.
    pub color: bool,
    /// Non-ASCII characters: the locale is UTF-8 and the terminal has the symbols.
    pub unicode: bool,
}

/// The role of a piece of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Normal.
    Plain,
    /// A heading.
    Strong,
    /// Of less interest.
    Dim,
    /// Success.
    Good,
    /// In progress.
    Busy,
    /// A warning, a cancelled task.
    Warn,
    /// A failure.
    Bad,
}

impl Look {
    /// Neither colours nor non-ASCII symbols.
    pub(crate) const ASCII: Look = Look { color: false, unicode: false };

    /// `text` in the colours of `tone`, or unchanged.
    pub(crate) fn paint(self, tone: Tone, text: &str) -> String {
        let style = match tone {
            Tone::Plain => Style::new(),
            Tone::Strong => Style::new().bold(),
            Tone::Dim => Style::new().dimmed(),
            Tone::Good => AnsiColor::Green.on_default(),
            Tone::Busy => AnsiColor::Cyan.on_default(),
            Tone::Warn => AnsiColor::Yellow.on_default(),
            Tone::Bad => AnsiColor::Red.on_default().bold(),
        };
        if !self.color || text.is_empty() || style.is_plain() {
            return text.to_owned();
        }
        format!("{style}{text}{style:#}")
    }

    /// The first in UTF-8, otherwise the second.
    pub(crate) fn pick<'a>(self, unicode: &'a str, ascii: &'a str) -> &'a str {
        if self.unicode { unicode } else { ascii }
    }

    /// The replacement for truncated text.
    pub(crate) fn ellipsis(self) -> &'static str {
        self.pick("…", "..")
    }
}

/// A piece of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    tone: Tone,
    text: String,
    /// What indicatif draws instead of `text`, as it is written in a template.
    key: Option<String>,
}

/// A line of differently toned pieces that can be measured and truncated before it is painted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Spans(Vec<Piece>);

impl Spans {
    /// Append a piece.
    pub(crate) fn push(&mut self, tone: Tone, text: impl Into<String>) {
        self.0.push(Piece { tone, text: text.into(), key: None });
    }

    /// Append a key of indicatif's templates, `{spinner}` or `{bar:12}`, which is as wide as `stand_in`.
    /// [`Self::render`] writes the stand-in, and so does a truncated line.
    pub(crate) fn push_key(&mut self, tone: Tone, key: impl Into<String>, stand_in: impl Into<String>) {
        self.0.push(Piece { tone, text: stand_in.into(), key: Some(key.into()) });
    }

    /// Whether a part of it moves by itself.
    pub(crate) fn spins(&self) -> bool {
        self.0.iter().any(|piece| piece.key.as_deref() == Some("{spinner}"))
    }

    /// Append all pieces of another line.
    pub(crate) fn extend(&mut self, other: Spans) {
        self.0.extend(other.0);
    }

    /// Its width.
    pub(crate) fn width(&self) -> usize {
        self.0.iter().map(|piece| text::width(&piece.text)).sum()
    }

    /// Pad with blanks to `columns`.
    pub(crate) fn pad(&mut self, columns: usize) {
        let missing = columns.saturating_sub(self.width());
        self.push(Tone::Plain, " ".repeat(missing));
    }

    /// Truncate to at most `columns`.
    pub(crate) fn truncate(&mut self, columns: usize, ellipsis: &str) {
        if self.width() <= columns {
            return;
        }
        let mut left = columns;
        let pieces = std::mem::take(&mut self.0);
        let mut rest: usize = pieces.iter().map(|piece| text::width(&piece.text)).sum();
        for piece in pieces {
            let width = text::width(&piece.text);
            rest -= width;
            // A piece fits only if what follows fits too, or the ellipsis does.
            if width + rest.min(text::width(ellipsis)) <= left {
                left -= width;
                self.0.push(piece);
            } else {
                // Force truncation even if the piece itself would just fit.
                let room = left.saturating_sub(text::width(ellipsis));
                let mut cut = text::truncate(&piece.text, room, "");
                cut.truncate(cut.trim_end().len());
                cut.push_str(if text::width(ellipsis) <= left { ellipsis } else { "" });
                self.push(piece.tone, cut);
                break;
            }
        }
    }

    /// Remove blanks from the end.
    pub(crate) fn trim_end(&mut self) {
        while let Some(last) = self.0.last_mut() {
            last.text.truncate(last.text.trim_end().len());
            if !last.text.is_empty() {
                break;
            }
            self.0.pop();
        }
    }

    /// The line as text.
    pub(crate) fn render(&self, look: Look) -> String {
        self.0.iter().map(|piece| look.paint(piece.tone, &piece.text)).collect()
    }

    /// The line as a template of indicatif's. The colours are in it as escape sequences and not as template styles,
    /// because those follow a process-wide switch, not this stream's [`Look`].
    pub(crate) fn template(&self, look: Look) -> String {
        let piece = |piece: &Piece| match &piece.key {
            Some(key) => look.paint(piece.tone, key),
            None => look.paint(piece.tone, &piece.text.replace('{', "{{").replace('}', "}}")),
        };
        self.0.iter().map(piece).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_truncated_line_fits_at_every_width() {
        let mut whole = Spans::default();
        whole.push(Tone::Good, "done");
        whole.push(Tone::Dim, ": Strimzi 1.2.0 ");
        whole.push(Tone::Plain, "日本");
        for columns in 0..=whole.width() + 1 {
            let mut cut = whole.clone();
            cut.truncate(columns, "…");
            assert!(cut.width() <= columns, "{columns}: {cut:?}");
            let text = cut.render(Look { color: false, unicode: true });
            let complete = columns >= whole.width();
            assert_eq!(text.ends_with('…'), !complete && columns > 0, "{columns}: {text}");
        }
    }

    #[test]
    fn without_colours_there_are_no_escape_sequences() {
        assert_eq!(Look::ASCII.paint(Tone::Bad, "failed"), "failed");
        let colour = Look { color: true, unicode: true };
        assert_eq!(colour.paint(Tone::Good, "done"), "\u{1b}[32mdone\u{1b}[0m");
        assert_eq!(colour.paint(Tone::Plain, "as it is"), "as it is");
    }
}
