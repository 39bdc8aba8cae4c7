//! `kstrim explain`

use crate::terminal;
use std::process::ExitCode;

use crate::cli::{Explain, Format};
use crate::command_line::CommandLine;
use crate::errors::{self, Entry, Severity};
use crate::failure::{Failure, Kind, Result};
use crate::terminal::table::Table;
use crate::terminal::text;

/// Maximum width of text, in columns; also used if stdout is not a terminal.
const COLUMNS: usize = 100;

/// Print what an error id means, how kstrim knows, and what to do; or list all ids.
pub(crate) fn run(args: &Explain) -> Result<ExitCode> {
    let entry = args.id.as_deref().map(find).transpose()?;
    super::print(&match (entry, args.output) {
        (Some(entry), Format::Text) => page(entry),
        (Some(entry), Format::Json) => super::json(entry),
        (Some(entry), Format::Yaml) => super::yaml(entry),
        (None, Format::Text) => list(),
        (None, Format::Json) => super::json(&errors::catalogue()),
        (None, Format::Yaml) => super::yaml(&errors::catalogue()),
    });
    Ok(ExitCode::SUCCESS)
}

/// The entry of an id as users type it: in upper or lower case, with or without `KS-` and brackets.
fn find(given: &str) -> Result<&'static Entry> {
    let bare = given.trim().trim_start_matches('[').trim_end_matches(']').to_ascii_uppercase();
    let id = if bare.starts_with("KS-") { bare } else { format!("KS-{bare}") };
    errors::find(&id).ok_or_else(|| {
        let distance = |entry: &&Entry| strsim::damerau_levenshtein(entry.id.as_str(), &id);
        let near = errors::catalogue().iter().min_by_key(distance);
        let failure = Failure::new(errors::ERROR_UNKNOWN, Kind::Usage, format!("unknown error id {given:?}"));
        let failure = match near {
            Some(near) => failure.hint(format!("the nearest is: {}", errors::command(near.id.as_str()))),
            None => failure,
        };
        Box::new(failure.hint(format!("list all errors: {}", CommandLine::new("kstrim explain"))))
    })
}

fn list() -> String {
    let mut table = Table::new(["ID", "MEANING"]);
    for entry in errors::catalogue() {
        table.row([entry.id.as_str(), &plain(entry.title)]);
    }
    super::drawn(&table)
}

fn page(entry: &Entry) -> String {
    let mut out = paragraphs(&format!("{}: {}.", entry.id, entry.title), 0);
    out += &paragraphs(entry.meaning, 0);
    out += "\nHow kstrim knows\n";
    out += &paragraphs(entry.evidence, 2);
    out += "\nWhat to do\n";
    out += &paragraphs(entry.remedy, 2);
    let kstrim = match entry.severity {
        Severity::Prevent => "kstrim fails before anything is changed.",
        Severity::Heal => "kstrim up and kstrim down recover by themselves if kstrim created what is broken.",
        Severity::Consent => "kstrim can continue if you agree.",
        Severity::Explain => "",
    };
    let codes: Vec<String> = entry.kinds.iter().map(|kind| kind.exit_code().to_string()).collect();
    out += &paragraphs(&format!("\nExit code {}. {kstrim}", codes.join(" or ")), 0);
    out + "\n" + &errors::address(entry.id.as_str()) + "\n"
}

/// Paragraphs and list items, wrapped to the terminal's width and indented by this many columns.
fn paragraphs(markdown: &str, indent: usize) -> String {
    let columns = terminal::stdout_columns().unwrap_or(COLUMNS).min(COLUMNS).saturating_sub(indent);
    let mut out = String::new();
    for line in markdown.lines() {
        let hang = if line.starts_with("- ") { 2 } else { 0 };
        let lines = text::fill(&plain(line), Some(columns), hang);
        for line in if lines.is_empty() { vec![String::new()] } else { lines } {
            let line = format!("{}{line}", " ".repeat(indent));
            out.push_str(line.trim_end());
            out.push('\n');
        }
    }
    out
}

/// Markdown as plain text: links become their text, and the page's name if they refer to another document of
/// kstrim's.
fn plain(markdown: &str) -> String {
    let mut out = String::new();
    let mut rest = markdown;
    while let Some((before, after)) = rest.split_once('[') {
        out.push_str(before);
        let link = after.split_once("](").and_then(|(label, end)| Some((label, end.split_once(')')?)));
        rest = match link {
            Some((label, (target, after))) if !label.contains('[') => {
                let file = target.split('#').next().unwrap_or_default();
                match file.strip_suffix(".md") {
                    Some(name) => out.push_str(&format!("docs/{name}.md")),
                    None => out.push_str(label),
                }
                after
            }
            _ => {
                out.push('[');
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_found_in_any_spelling() {
        for given in ["KS-IMAGE-PULL", "ks-image-pull", "image-pull", "[KS-IMAGE-PULL]"] {
            assert_eq!(find(given).expect(given).id, errors::IMAGE_PULL);
        }
        let failure = find("KS-IMAGE-PUL").expect_err("no such id");
        assert_eq!(failure.hints[0], "the nearest is: kstrim explain KS-IMAGE-PULL");
    }

    #[test]
    fn markdown_becomes_plain_text() {
        assert_eq!(plain("see ([settings.md](settings.md#x)), or `[a]`"), "see (docs/settings.md), or `[a]`");
        assert_eq!(plain("[Kafka](https://kafka.apache.org) [no link"), "Kafka [no link");
    }

    #[test]
    fn every_page_is_plain_and_narrow() {
        for entry in errors::catalogue() {
            let page = page(entry);
            assert!(!page.contains("](") && !page.contains("\n\n\n"), "{page}");
            let wide = page.lines().find(|line| line.contains(' ') && text::width(line) > COLUMNS);
            assert!(wide.is_none(), "{wide:?}");
        }
    }
}
