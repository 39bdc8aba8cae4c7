//! How a failure is printed by every command, also when no run was started: what failed with its id, `Caused by:`, a
//! blank line, `hint:` lines, and where to read more.

use crate::errors;
use crate::event::FailureInfo;
use crate::failure::Kind;
use crate::terminal::style::{Look, Tone};
use crate::terminal::text;

/// Maximum number of lines of one cause. `kubectl apply` of a whole manifest can fail with hundreds.
const CAUSE_LINES: usize = 12;
/// How many of them are from the beginning; the rest are from the end, where kubectl says what stopped it.
const FIRST_LINES: usize = 4;
/// Maximum width of one line; a validation error can quote a whole object.
const LINE_COLUMNS: usize = 600;

/// The block as text, each line with its end. With `columns`, the terminal's width, what failed and why is wrapped
/// between words; hints are left to the terminal to wrap, so that a command can be copied in one piece.
pub(crate) fn render(failure: &FailureInfo, look: Look, columns: Option<usize>) -> String {
    let mut out = String::new();
    let (label, tone) = match failure.kind {
        Kind::Interrupted | Kind::Terminated => ("stopped:", Tone::Warn),
        _ => ("error:", Tone::Bad),
    };
    let id = format!("[{}]", failure.id);
    let message = text::clean_lines(&failure.message);
    let message = shortened(&message, look).join("\n");
    let whole = format!("{label} {message} {id}");
    let lines: Vec<String> = whole.lines().flat_map(|line| text::fill(line, columns, 2)).collect();
    let text = lines.join("\n");
    let middle = text.strip_prefix(label).and_then(|text| text.strip_suffix(&id)).unwrap_or_default();
    out.push_str(&format!("{}{middle}{}\n", look.paint(tone, label), look.paint(Tone::Dim, &id)));

    let causes: Vec<Vec<String>> = failure.causes.iter().map(|c| text::clean_lines(c)).collect();
    let causes: Vec<&Vec<String>> = causes.iter().filter(|c| !c.is_empty()).collect();
    if !causes.is_empty() {
        out.push_str(&format!("\n{}\n", look.paint(Tone::Strong, "Caused by:")));
    }
    let numbered = causes.len() > 1;
    let indent = if numbered { 5 } else { 2 };
    let room = columns.map(|columns| columns.saturating_sub(indent));
    for (i, cause) in causes.iter().enumerate() {
        let mut lead = if numbered { format!("{:>3}: ", i + 1) } else { " ".repeat(indent) };
        for line in shortened(cause, look).iter().flat_map(|line| text::fill(line, room, 2)) {
            out.push_str(&format!("{lead}{line}\n"));
            lead = " ".repeat(indent);
        }
    }

    out.push('\n');
    for hint in &failure.hints {
        let mut lead = format!("{} ", look.paint(Tone::Good, "hint:"));
        for line in text::clean_lines(hint) {
            out.push_str(format!("{lead}{line}").trim_end());
            out.push('\n');
            lead = " ".repeat(6);
        }
    }
    let see = look.paint(Tone::Dim, " see:");
    out.push_str(&format!(
        "{see} {}\n      {}\n",
        errors::command(&failure.id),
        errors::address(&failure.id)
    ));
    out
}

fn cut(line: &str, look: Look) -> String {
    text::truncate(line, LINE_COLUMNS, look.ellipsis())
}

/// The first and the last lines of a long text, with a note of how many are missing.
fn shortened(lines: &[String], look: Look) -> Vec<String> {
    let cut = |line: &String| cut(line, look);
    if lines.len() <= CAUSE_LINES {
        return lines.iter().map(cut).collect();
    }
    let last = lines.len() - (CAUSE_LINES - FIRST_LINES - 1);
    let note = format!("{} {} more lines {0}", look.ellipsis(), last - FIRST_LINES);
    let ends = (lines[..FIRST_LINES].iter(), lines[last..].iter());
    ends.0.map(cut).chain([note]).chain(ends.1.map(cut)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Failure;

    const UTF8: Look = Look { color: false, unicode: true };

    fn info(failure: Failure) -> FailureInfo {
        FailureInfo::new(&failure, None)
    }

    #[test]
    fn causes_are_numbered_and_indented_and_hints_follow() {
        let failure = Failure::new(
            crate::errors::IMAGE_PULL,
            Kind::Task,
            "the image quay.io/strimzi/kafka:1.2.0-kafka-4.3.1 cannot be pulled",
        )
        .because("pod my-cluster-dual-role-0 waits: \u{1b}[31mErrImagePull\u{1b}[0m")
        .because("failed to resolve reference:\ndial tcp: lookup quay.io: no such host\n")
        .hint("check that the cluster reaches the registry:\nminikube -p kstrim ssh -- curl -sI https://quay.io")
        .hint("run `kstrim up` again: it continues");
        insta::assert_snapshot!(render(&info(failure), UTF8, Some(80)), @r#"
        error: the image quay.io/strimzi/kafka:1.2.0-kafka-4.3.1 cannot be pulled
          [KS-IMAGE-PULL]

        Caused by:
          1: pod my-cluster-dual-role-0 waits: ErrImagePull
          2: failed to resolve reference:
             dial tcp: lookup quay.io: no such host

        hint: check that the cluster reaches the registry:
              minikube -p kstrim ssh -- curl -sI https://quay.io
        hint: run `kstrim up` again: it continues
         see: kstrim explain KS-IMAGE-PULL
              https://github.com/kstrim/kstrim/blob/main/docs/errors.md#ks-image-pull
        "#);
    }

    #[test]
    fn long_output_is_shortened_in_its_middle() {
        let flood: String = (1..=200).map(|i| format!("line {i}\n")).collect();
        let failure = Failure::new(crate::errors::KUBECTL, Kind::Task, "kubectl apply failed").because(flood);
        insta::assert_snapshot!(render(&info(failure), UTF8, Some(80)), @r#"
        error: kubectl apply failed [KS-KUBECTL]

        Caused by:
          line 1
          line 2
          line 3
          line 4
          … 189 more lines …
          line 194
          line 195
          line 196
          line 197
          line 198
          line 199
          line 200

         see: kstrim explain KS-KUBECTL
              https://github.com/kstrim/kstrim/blob/main/docs/errors.md#ks-kubectl
        "#);
    }

    #[test]
    fn a_long_line_is_truncated() {
        let failure =
            Failure::new(crate::errors::KUBECTL, Kind::Task, "x".repeat(5000)).because("y".repeat(5000));
        assert!(render(&info(failure), UTF8, None).lines().all(|l| text::width(l) < 640));
    }

    #[test]
    fn an_interruption_is_not_an_error_and_colours_do_not_change_the_text() {
        let failure =
            info(Failure::new(crate::errors::INTERRUPTED, Kind::Interrupted, "interrupted by Ctrl-C"));
        let plain = render(&failure, Look::ASCII, None);
        assert_eq!(
            plain,
            "stopped: interrupted by Ctrl-C [KS-INTERRUPTED]\n\n see: kstrim explain KS-INTERRUPTED\n      \
             https://github.com/kstrim/kstrim/blob/main/docs/errors.md#ks-interrupted\n"
        );
        let coloured = render(&failure, Look { color: true, unicode: true }, None);
        assert_ne!(coloured, plain);
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
}
