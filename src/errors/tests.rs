//! The pages that are generated from the catalogue. `cargo xtask docs` writes them, by `UPDATE_DOCS`.

use std::fmt::Write as _;

use super::*;

const INTRODUCTION: &str = "# Errors

<!-- Generated from src/errors by `cargo xtask docs`: edit those files. -->

Every failure that kstrim names has a stable id and a section here; `kstrim explain ID` prints it. Ids do not change their meaning.

A cause is taken from fields first (a condition's reason, a pod's state, an event's reason, an exit code); words only refine it. If there are several, the one nearest the root is named. A suspicion must hold for some seconds before it ends a wait.
";

/// The id as a link to its section.
fn link(id: Id) -> String {
    format!("[{id}](#{})", id.as_str().to_ascii_lowercase())
}

/// Turn the ids in a text into links; those in code are left unchanged.
fn linked(text: &str) -> String {
    let mut out = String::new();
    for (at, part) in text.split('`').enumerate() {
        let code = at % 2 == 1;
        if at > 0 {
            out.push('`');
        }
        let mut rest = part;
        while let Some(start) = rest.find("KS-").filter(|_| !code) {
            let id: String =
                rest[start..].chars().take_while(|c| c.is_ascii_uppercase() || *c == '-').collect();
            let id = id.trim_end_matches('-');
            out.push_str(&rest[..start]);
            let entry =
                find(id).unwrap_or_else(|| panic!("there is no error {id}, which a text names: {text}"));
            out.push_str(&link(entry.id));
            rest = &rest[start + id.len()..];
        }
        out.push_str(rest);
    }
    out
}

fn errors_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("\n| what kstrim does | ids |\n|---|---|\n");
    let rows = [
        (Severity::Prevent, "**prevented**: it fails before anything is changed"),
        (
            Severity::Heal,
            "**recovered**: `kstrim up` or `kstrim down` recovers by itself, with a warning, if kstrim created what is broken",
        ),
        (Severity::Consent, "**needs consent**: kstrim can continue if you agree; the section says how"),
    ];
    for (severity, words) in rows {
        let ids = catalogue().iter().filter(|entry| entry.severity == severity).map(|entry| link(entry.id));
        writeln!(page, "| {words} | {} |", ids.collect::<Vec<_>>().join(", ")).expect("a string");
    }
    page.push_str("| **explained**: what it is, how kstrim knows, what to do | all others |\n");
    for entry in catalogue() {
        let meaning = format!("{}. {}", entry.title, entry.meaning);
        let codes: Vec<String> = entry.kinds.iter().map(|kind| kind.exit_code().to_string()).collect();
        write!(
            page,
            "\n## {}\n\n{}\n\n**How kstrim knows.** {}\n\n**What to do.** {}\n\n**Exit code.** {}\n",
            entry.id,
            linked(meaning.trim()),
            linked(entry.evidence),
            linked(entry.remedy),
            codes.join(", "),
        )
        .expect("a string");
    }
    page
}

/// The part of `docs/exit-codes.md` between its markers.
fn codes_table() -> String {
    let mut table = String::from("| Code | Ids |\n|---|---|\n");
    for kind in Kind::ALL {
        let of_kind = catalogue().iter().filter(|entry| entry.kinds.contains(&kind));
        let ids = of_kind
            .map(|entry| format!("[{}](errors.md#{})", entry.id, entry.id.as_str().to_ascii_lowercase()));
        writeln!(table, "| {} | {} |", kind.exit_code(), ids.collect::<Vec<_>>().join(", "))
            .expect("a string");
    }
    table
}

/// Compare a file of the repository with its expected content, or write it.
fn same(path: &str, wanted: &str) {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, wanted).expect("the page is writable");
    }
    let found = std::fs::read_to_string(&path).expect("the page");
    assert!(found == wanted, "{path} is not what src/errors says: `cargo xtask docs` writes it");
}

#[test]
fn the_page_of_errors_is_generated_from_the_catalogue() {
    same("docs/errors.md", &errors_page());
}

#[test]
fn the_page_of_exit_codes_has_the_ids() {
    let path = "docs/exit-codes.md";
    let text = std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).expect("the page");
    let (begin, end) = ("<!-- ids -->\n", "<!-- /ids -->");
    let (before, rest) = text.split_once(begin).expect("a beginning");
    let (_, after) = rest.split_once(end).expect("an end");
    same(path, &format!("{before}{begin}{}{end}{after}", codes_table()));
}

#[test]
fn the_catalogue_is_in_order() {
    assert!(catalogue().len() > 250, "{}", catalogue().len());
    assert!(catalogue().is_sorted_by(|a, b| a.id.as_str() < b.id.as_str()));
    for entry in catalogue() {
        assert!(
            std::ptr::eq(entry, entry.id.entry()) && entry.title.len() <= 120,
            "{}: {}",
            entry.id,
            entry.title
        );
    }
    assert!(find("KS-NONSENSE").is_none());
}
