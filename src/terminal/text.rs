//! Text for terminals: width, truncation, wrapping, and filtering of control characters.

use unicode_width::UnicodeWidthStr;

/// The displayed width of `text`.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` on one line and safe to print: without escape sequences and control characters, runs of white space as one
/// blank. Child programs colour their messages, wrap their lines and redraw them.
pub(crate) fn one_line(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let visible: String = stripped.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Like [`one_line`], but lines and their indentation are kept; trailing blanks, and blank lines at both ends, are
/// removed.
pub(crate) fn clean_lines(text: &str) -> Vec<String> {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let lines: Vec<String> = stripped
        .replace("\r\n", "\n")
        .split(['\n', '\r'])
        .map(|line| {
            let visible: String = line.chars().map(|c| if hidden(c) { ' ' } else { c }).collect();
            visible.trim_end().to_owned()
        })
        .collect();
    let first = lines.iter().position(|l| !l.is_empty()).unwrap_or(lines.len());
    let last = lines.iter().rposition(|l| !l.is_empty()).map_or(first, |i| i + 1);
    lines[first..last].to_vec()
}

/// Control characters, and those that change the direction of the following text.
fn hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` made safe for a terminal, whatever its source: lines and tabs are kept, any other control character is made
/// visible (`^[` for ESC) instead of interpreted. With `styles` the colours that [`Look`](crate::terminal::Look)
/// produces are also kept.
pub(crate) fn screen(text: &str, styles: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| hidden(c) && c != '\n' && c != '\t') {
        shown.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(length) = style_len(rest).filter(|_| styles) {
            shown.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let mut chars = rest.chars();
        match chars.next() {
            Some(c @ '\0'..='\x1f') => shown.extend(['^', char::from(c as u8 + b'@')]),
            Some('\x7f') => shown.push_str("^?"),
            _ => shown.push(char::REPLACEMENT_CHARACTER),
        }
        rest = chars.as_str();
    }
    shown + rest
}

/// The length of the colour or style sequence at the beginning of `text` (SGR: `ESC [ 1 ; 31 m`).
fn style_len(text: &str) -> Option<usize> {
    let numbers = text.strip_prefix("\x1b[")?;
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';')?;
    numbers[end..].starts_with('m').then_some(2 + end + 1)
}

/// `text` truncated to at most `columns`, with `ellipsis` at its end if something was removed.
pub(crate) fn truncate(text: &str, columns: usize, ellipsis: &str) -> String {
    if text.width() <= columns {
        return text.to_owned();
    }
    let room = columns.saturating_sub(ellipsis.width());
    let mut cut = text[..fitting(text, room)].trim_end().to_owned();
    if ellipsis.width() <= columns {
        cut.push_str(ellipsis);
    }
    cut
}

/// Length in bytes of the longest prefix that fits in `columns`. Measured as a whole: a character may change the
/// width of the one before it (a variation selector, a ligature).
fn fitting(text: &str, columns: usize) -> usize {
    let mut fits = 0;
    for (at, c) in text.char_indices() {
        let end = at + c.len_utf8();
        match text[..end].width() {
            width if width <= columns => fits = end,
            width if width > columns + 2 => break,
            _ => {}
        }
    }
    fits
}

/// `text` wrapped between words into at most `lines` lines of at most `columns`; the last one is truncated if there
/// is more.
pub(crate) fn wrap(text: &str, columns: usize, lines: usize, ellipsis: &str) -> Vec<String> {
    let mut done: Vec<String> = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        if done.len() + 1 >= lines || rest.width() <= columns {
            done.push(truncate(rest, columns, ellipsis));
            break;
        }
        // The last blank at which the line still fits; a longer word is split.
        let fits = fitting(rest, columns);
        let blanks = rest.match_indices(' ').map(|(at, _)| at).take_while(|at| *at <= fits);
        let blank = blanks.filter(|at| rest[..*at].width() <= columns).last();
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let (line, after) = rest.split_at(blank.unwrap_or(fits.max(first)));
        done.push(line.trim_end().to_owned());
        rest = after.trim_start();
    }
    done
}

/// Prose wrapped between words to fit `columns` (never less than 20), lines after the first indented by this many
/// blanks; on one line if `columns` is `None`.
pub(crate) fn fill(text: &str, columns: Option<usize>, indent: usize) -> Vec<String> {
    let Some(columns) = columns else { return vec![text.to_owned()] };
    let columns = columns.max(20);
    let mut first = wrap(text, columns, usize::MAX, "");
    if first.len() < 2 {
        return first;
    }
    let lead = first.swap_remove(0);
    let rest = text.trim()[lead.len()..].trim_start();
    let pad = " ".repeat(indent);
    let rest = wrap(rest, columns - indent.min(columns - 1), usize::MAX, "");
    std::iter::once(lead).chain(rest.into_iter().map(|line| format!("{pad}{line}"))).collect()
}

/// Bytes in decimal units, as used by registries and minikube: `850 kB`, `12.3 MB`, `1.2 GB`.
pub(crate) fn bytes(count: u64) -> String {
    let mut value = count as f64;
    for unit in ["B", "kB", "MB", "GB"] {
        if value < 999.5 || unit == "GB" {
            let exact = unit == "B" || unit == "kB" || value >= 99.95;
            return if exact { format!("{value:.0} {unit}") } else { format!("{value:.1} {unit}") };
        }
        value /= 1000.0;
    }
    unreachable!("the last unit takes every value")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn escape_sequences_and_line_ends_of_child_processes_are_removed() {
        assert_eq!(one_line("\u{1b}[31mfailed\u{1b}[0m\r\n\tto  pull\u{7}\u{202e}x"), "failed to pull x");
        assert_eq!(clean_lines("\n\n a\r\n  b \r50%\r100%\u{1b}[2K\n\n"), [" a", "  b", "50%", "100%"]);
        assert!(clean_lines(" \n").is_empty());
    }

    #[test]
    fn a_terminal_receives_no_control_sequences() {
        let evil = "a\tb\n\u{1b}]0;title\u{7}\u{9b}2J\u{1b}[31mred\r\u{7f}";
        assert_eq!(screen(evil, false), "a\tb\n^[]0;title^G\u{fffd}2J^[[31mred^M^?");
        assert_eq!(screen("\u{1b}[1;31mred\u{1b}[0m\u{1b}[2J", true), "\u{1b}[1;31mred\u{1b}[0m^[[2J");
        assert_eq!(screen("\u{1b}[", true), "^[[");
        assert_eq!(screen("plain é 日本", false), "plain é 日本");
    }

    #[test]
    fn bytes_are_short() {
        let cases =
            [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (12_345_678, "12.3 MB"), (265_000_000, "265 MB")];
        for (count, words) in cases {
            assert_eq!(bytes(count), words);
        }
        assert_eq!(bytes(999_600_000), "1.0 GB");
        assert_eq!(bytes(u64::MAX), "18446744074 GB");
    }

    #[test]
    fn prose_is_filled_with_a_hanging_indent() {
        let text = "warning: the engine cannot reach registry.k8s.io; images come from elsewhere";
        assert_eq!(
            fill(text, Some(40), 2),
            ["warning: the engine cannot reach", "  registry.k8s.io; images come from", "  elsewhere",]
        );
        assert_eq!(fill(text, None, 2), [text]);
        assert_eq!(fill("short", Some(3), 2), ["short"]);
        assert!(fill("", Some(40), 2).is_empty());
    }

    /// A star and a variation selector are an emoji of two columns.
    #[test]
    fn a_character_may_change_the_width_of_the_previous_one() {
        let text = "*\u{fe0f}abcdefgh";
        assert_eq!(width("*\u{fe0f}"), 2);
        assert_eq!(truncate(text, 5, "…"), "*\u{fe0f}ab…");
        assert_eq!(wrap(text, 5, 2, "…")[0], "*\u{fe0f}abc");
    }

    #[test]
    fn wrapping_keeps_words() {
        let text = "broker my-cluster-dual-role-0: pulling image";
        assert_eq!(wrap(text, 30, 3, "…"), ["broker my-cluster-dual-role-0:", "pulling image"]);
        assert_eq!(wrap(text, 20, 2, "…"), ["broker", "my-cluster-dual-rol…"]);
        assert_eq!(wrap("abcdefgh", 3, 9, "…"), ["abc", "def", "gh"]);
    }

    proptest! {
        #[test]
        fn a_screen_receives_no_control_characters(text in any::<String>()) {
            let shown = screen(&text, false);
            prop_assert!(shown.chars().all(|c| !c.is_control() || c == '\n' || c == '\t'), "{shown:?}");
        }

        #[test]
        fn text_is_never_wider_than_requested(text in "\\PC{0,60}", columns in 1usize..40, lines in 1usize..5) {
            prop_assert!(width(&truncate(&text, columns, "…")) <= columns);
            // A wide character does not fit in one column.
            for line in wrap(&text, columns.max(2), lines, "…") {
                prop_assert!(width(&line) <= columns.max(2), "{line:?}");
            }
        }
    }
}
