//! Aligned columns for `status`, `plan`, `versions` and the times of a run.

use super::style::{Look, Spans, Tone};
use super::text;

/// Blanks between columns.
const GAP: usize = 2;

/// A table without lines: columns as wide as their widest cell, two blanks between them, none after the last. Cells
/// are single lines; control characters are removed from them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    head: Vec<String>,
    rows: Vec<Vec<(Tone, String)>>,
    right: Vec<usize>,
    indent: usize,
}

impl Table {
    /// A table with these headings; without headings it has no heading line.
    pub(crate) fn new<S: Into<String>>(head: impl IntoIterator<Item = S>) -> Self {
        Self { head: head.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Align this column (from 0) to the right.
    #[must_use]
    pub(crate) fn right(mut self, column: usize) -> Self {
        self.right.push(column);
        self
    }

    /// Begin every line with this many blanks.
    #[must_use]
    pub(crate) fn indent(mut self, blanks: usize) -> Self {
        self.indent = blanks;
        self
    }

    /// Add a row of normal text; short rows are padded.
    pub(crate) fn row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = S>) {
        self.toned_row(cells.into_iter().map(|cell| (Tone::Plain, cell)));
    }

    /// Add a row whose cells have tones.
    pub(crate) fn toned_row<S: AsRef<str>>(&mut self, cells: impl IntoIterator<Item = (Tone, S)>) {
        self.rows.push(cells.into_iter().map(|(tone, cell)| (tone, text::one_line(cell.as_ref()))).collect());
    }

    /// Whether it has no rows.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as text, each line with its end. With `columns`, the terminal's width, the last column is truncated
    /// to fit.
    pub(crate) fn render(&self, look: Look, columns: Option<usize>) -> String {
        self.lines(look, columns).iter().map(|line| line.render(look) + "\n").collect()
    }

    /// The table's lines, without colours; otherwise like [`Table::render`].
    pub(crate) fn lines(&self, look: Look, columns: Option<usize>) -> Vec<Spans> {
        let head: Vec<(Tone, String)> = self.head.iter().map(|h| (Tone::Strong, h.clone())).collect();
        let lines = || (!head.is_empty()).then_some(&head).into_iter().chain(&self.rows);
        let count = lines().map(Vec::len).max().unwrap_or(0);
        let widths: Vec<usize> = (0..count)
            .map(|i| lines().filter_map(|l| l.get(i)).map(|(_, c)| text::width(c)).max().unwrap_or(0))
            .collect();
        let line = |line: &Vec<(Tone, String)>| {
            let mut spans = Spans::default();
            spans.push(Tone::Plain, " ".repeat(self.indent));
            let mut start = self.indent;
            for (i, (tone, cell)) in line.iter().enumerate() {
                let missing = " ".repeat(widths[i] - text::width(cell));
                if self.right.contains(&i) {
                    spans.push(Tone::Plain, missing);
                    spans.push(*tone, cell.as_str());
                } else {
                    spans.push(*tone, cell.as_str());
                    spans.push(Tone::Plain, missing);
                }
                start += widths[i] + GAP;
                if i + 1 < line.len() {
                    spans.pad(start);
                }
            }
            spans.trim_end();
            if let Some(columns) = columns {
                spans.truncate(columns, look.ellipsis());
            }
            spans
        };
        lines().map(line).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pods() -> Table {
        let mut table = Table::new(["POD", "RESTARTS", "STATE"]).right(1);
        table.row(["my-cluster-dual-role-0", "0", "Running"]);
        table.row(["日本", "12", "waiting: ErrImagePull,\nregistry unreachable"]);
        table.row(["short"]);
        table
    }

    #[test]
    fn columns_are_aligned_by_displayed_width() {
        insta::assert_snapshot!(pods().render(Look::ASCII, None), @r"
        POD                     RESTARTS  STATE
        my-cluster-dual-role-0         0  Running
        日本                          12  waiting: ErrImagePull, registry unreachable
        short
        ");
    }

    #[test]
    fn the_last_column_is_truncated_and_no_line_ends_with_blanks() {
        let look = Look { color: false, unicode: true };
        let text = pods().indent(2).render(look, Some(44));
        insta::assert_snapshot!(text, @r"
          POD                     RESTARTS  STATE
          my-cluster-dual-role-0         0  Running
          日本                          12  waiting…
          short
        ");
        assert!(text.lines().all(|l| text::width(l) <= 44 && !l.ends_with(' ')));
        assert_eq!(Table::default().render(look, None), "");
    }
}
