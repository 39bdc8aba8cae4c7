//! Reads the catalogue of errors in `src/errors` and writes it as Rust, and sets the linker's options.

use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/errors");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let written = out.join("errors.rs");
    fs::write(&written, errors(Path::new("src/errors"))).expect("OUT_DIR is writable");

    // Tests that need root are reported as ignored for other users, which libtest decides at compile time.
    println!("cargo::rustc-check-cfg=cfg(built_by_root)");
    println!("cargo::rerun-if-env-changed=USER");
    if fs::metadata(&written).expect("it was written").uid() == 0 {
        println!("cargo::rustc-cfg=built_by_root");
    }

    // Debug builds are linked to a fixed address. Before anything else the loader would rewrite a hundred thousand
    // addresses in each, and the tests start them forty thousand times.
    let is = |name: &str, value: &str| env::var(name).is_ok_and(|v| v == value);
    if is("PROFILE", "debug") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        println!("cargo::rustc-link-arg-bins=-no-pie");
        println!("cargo::rustc-link-arg-examples=-no-pie");
    }
}

/// A constant for each error id, and the table of all of them.
fn errors(folder: &Path) -> String {
    let entries = fs::read_dir(folder).expect("src/errors is a folder").map(|e| e.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    files.sort_by(|a, b| a.file_stem().cmp(&b.file_stem()));
    let (mut constants, mut table) = (String::new(), String::new());
    for path in &files {
        let error = Error::read(path);
        let Error { id, title, severity, kinds, meaning, evidence, remedy } = &error;
        let name = id["KS-".len()..].replace('-', "_");
        writeln!(constants, "/// {title}.\npub(crate) const {name}: Id = Id({id:?});").expect("a string");
        writeln!(
            table,
            "Entry {{ id: Id({id:?}), title: {title:?}, severity: Severity::{severity}, kinds: &[{kinds}], \
             meaning: {meaning:?}, evidence: {evidence:?}, remedy: {remedy:?} }},"
        )
        .expect("a string");
    }
    format!("{constants}\nstatic CATALOGUE: &[Entry] = &[\n{table}];\n")
}

/// What a file says.
struct Error {
    id: String,
    title: String,
    severity: String,
    kinds: String,
    meaning: String,
    evidence: String,
    remedy: String,
}

impl Error {
    fn read(path: &Path) -> Self {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let wrong = |what: &str| -> ! {
            panic!("{}: {what}: see CONTRIBUTING.md, \"Add an error id\"", path.display())
        };
        let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let word = |w: &str| !w.is_empty() && w.chars().all(|c| c.is_ascii_uppercase());
        if id.len() > 40 || !id.strip_prefix("KS-").is_some_and(|rest| rest.split('-').all(word)) {
            wrong("its name is not KS- and words in upper case, at most 40 characters");
        }
        let front = text.strip_prefix("---\n").and_then(|rest| rest.split_once("\n---\n"));
        let Some((front, body)) = front else { wrong("there is no front matter between lines `---`") };
        let field = |key: &str| -> &str {
            let mut lines = front.lines().filter_map(|line| line.split_once(": "));
            match lines.find(|(k, _)| *k == key) {
                Some((_, value)) if !value.trim().is_empty() => value.trim(),
                _ => wrong(&format!("the front matter has no {key}")),
            }
        };
        let part = |begin: &str, end: &str| -> String {
            let after =
                if begin.is_empty() { Some(body) } else { body.split_once(begin).map(|(_, rest)| rest) };
            let Some(after) = after else { wrong(&format!("there is no heading {begin:?}")) };
            let part = if end.is_empty() { Some(after) } else { after.split_once(end).map(|(part, _)| part) };
            part.unwrap_or_else(|| wrong(&format!("there is no heading {end:?}"))).trim().to_owned()
        };
        let capital = |word: &str| {
            let (first, rest) = word.split_at(word.len().min(1));
            first.to_uppercase() + rest
        };
        let variant = |words: &str| words.split('_').map(capital).collect::<String>();
        let (evidence, remedy) = ("## How kstrim knows\n", "## What to do\n");
        let error = Self {
            title: field("title").to_owned(),
            severity: variant(field("severity")),
            kinds: field("kinds").split(", ").map(|kind| format!("Kind::{},", variant(kind))).collect(),
            meaning: part("", evidence),
            evidence: part(evidence, remedy),
            remedy: part(remedy, ""),
            id,
        };
        if error.evidence.is_empty() || error.remedy.is_empty() || error.title.ends_with('.') {
            wrong("a section is empty, or the title ends with a full stop");
        }
        error
    }
}
