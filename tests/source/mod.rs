//! The crate's own sources, for tests that hold documents and the import table to them.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file below `src`.
pub struct File {
    /// Path below `src`: `kafka/smoke.rs`.
    pub path: String,
    /// Its lines outside of tests and comments; the others are empty, so that numbers are right.
    pub code: Vec<String>,
    /// Lines in all.
    pub lines: usize,
    /// Whether it is compiled for tests only.
    pub test: bool,
}

impl File {
    /// The top-level module it belongs to; `main` for the program.
    pub fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.trim_end_matches(".rs")
    }
}

/// All files, in the order of their paths.
pub fn files() -> Vec<File> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
    let mut paths = Vec::new();
    collect(root, &mut paths);
    paths.sort();
    let mut for_tests = BTreeSet::new();
    let mut files = Vec::new();
    for path in &paths {
        let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let code = production(&text, path, &mut for_tests);
        let below = path.strip_prefix(root).expect("below src").to_string_lossy().into_owned();
        files.push((path, File { path: below, code, lines: text.lines().count(), test: false }));
    }
    let is_test = |path: &Path| for_tests.iter().any(|t| path == t || path.starts_with(t.with_extension("")));
    files.into_iter().map(|(path, file)| File { test: is_test(path), ..file }).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|e| e.expect("an entry").path()) {
        if entry.is_dir() {
            collect(&entry, paths);
        } else if entry.extension().is_some_and(|e| e == "rs") {
            paths.push(entry);
        }
    }
}

/// The lines of `text` outside of `#[cfg(test)]` items and comments. rustfmt's layout is taken for
/// granted: an item ends in a `;` on its first line, or at the `}` with its own indentation. Files
/// that hold a test module are put into `for_tests`.
fn production(text: &str, path: &Path, for_tests: &mut BTreeSet<PathBuf>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() != "#[cfg(test)]" {
            kept.push(if line.trim_start().starts_with("//") { String::new() } else { line.to_owned() });
            continue;
        }
        kept.push(String::new());
        let end = format!("{}}}", " ".repeat(line.len() - line.trim_start().len()));
        let (mut named, mut begun) = (None, false);
        for line in lines.by_ref() {
            kept.push(String::new());
            let bare = line.trim();
            if let Some(file) = bare.strip_prefix("#[path = \"") {
                named = Some(file.trim_end_matches("\"]").to_owned());
            } else if !bare.starts_with("#[") {
                let module = bare.strip_prefix("pub(super) ").unwrap_or(bare).strip_prefix("mod ");
                if let Some(module) = module.and_then(|m| m.strip_suffix(';')) {
                    for_tests.insert(module_file(path, module, named.as_deref()));
                }
                if bare.ends_with(';') && !begun || line == end || bare.ends_with("{}") && !begun {
                    break;
                }
                begun = true;
            }
        }
    }
    kept
}

/// Where `mod module;` in `path` lives.
fn module_file(path: &Path, module: &str, named: Option<&str>) -> PathBuf {
    let here = path.parent().expect("a folder");
    if let Some(named) = named {
        return here.join(named);
    }
    let own = path.file_stem().is_some_and(|stem| stem == "mod" || stem == "lib" || stem == "main");
    let folder = if own { here.to_owned() } else { path.with_extension("") };
    folder.join(format!("{module}.rs"))
}
