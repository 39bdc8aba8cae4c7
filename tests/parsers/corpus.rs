//! Every file of the corpus has the result that its name specifies.

use std::fs;
use std::path::PathBuf;

use crate::PARSERS;

/// The files of a parser's corpus: name and content.
pub fn files(parser: &str) -> Vec<(String, Vec<u8>)> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/parsers/corpus")).join(parser);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut all: Vec<(String, Vec<u8>)> = entries
        .flatten()
        .map(|entry| {
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file"))
        })
        .collect();
    all.sort();
    all
}

#[test]
fn every_input_has_the_result_in_its_name() {
    let mut wrong = Vec::new();
    for (parser, parse) in PARSERS {
        let files = files(parser);
        assert!(files.len() >= 4, "{parser} has {} inputs", files.len());
        for (name, bytes) in files {
            let (expected, _) = name.split_once("--").unwrap_or_else(|| panic!("{name}: END--NAME"));
            let end = parse(&bytes);
            if end != expected {
                wrong.push(format!("{parser}/{name}: {end}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
