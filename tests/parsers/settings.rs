//! Random kstrim.yaml files: lines with existing keys and with values that YAML can read in more than one way. Either
//! the value that is read is the one that was written, or the file is rejected with the number of one of its lines.
//! The test checks which results were reached.

use std::collections::BTreeSet;
use std::path::Path;

use kstrim::internals::config::{files, keys};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        prop::sample::select(vec![
            "yes",
            "no",
            "on",
            "~",
            "null",
            "true",
            "false",
            "0x1F",
            "0o17",
            "017",
            "1e3",
            "1.30",
            "+5",
            "-5",
            ".inf",
            "1_000",
            "12:30",
            "2024-01-15",
            "6Gi",
            "6g",
            "6144",
            "max",
            "docker",
            "none",
            "\"quoted\"",
            "'single'",
            "[a, b]",
            "[]",
            "{a: b}",
            "[1, 0x2]",
            "*a",
            "&a x",
            "!!str 5",
            "|",
            "> x",
            "a: b",
            "- a",
            "# nothing",
            "-pvictim",
            "[-p, x]",
            "1.2.0",
            "ephemeral",
            "http://h/x",
            "\u{feff}",
            "é",
        ])
        .prop_map(str::to_owned),
        "[a-z0-9.-]{0,12}",
        "\\PC{0,12}",
    ]
}

fn lines() -> impl Strategy<Value = Vec<(String, String)>> {
    let names: Vec<String> = keys::all().into_iter().map(|key| key.name).collect();
    let name = prop_oneof![8 => prop::sample::select(names), 1 => "[a-z-]{1,10}"];
    prop::collection::vec((name, value()), 0..4)
}

#[test]
fn the_values_that_are_read_are_those_that_were_written() {
    let mut reached = BTreeSet::new();
    let cell = std::cell::RefCell::new(&mut reached);
    let cases =
        Config { source_file: Some(file!()), cases: Config::default().cases * 4, ..Config::default() };
    let mut runner = TestRunner::new(cases);
    let ends = prop::sample::select(vec!["\n", "\r\n"]);
    let ran = runner.run(&(lines(), ends, any::<bool>()), |(lines, end, mark)| {
        let mut text = if mark { "\u{feff}".to_owned() } else { String::new() };
        lines.iter().for_each(|(key, value)| text.push_str(&format!("{key}: {value}{end}")));
        match files::parse(Path::new("/p/kstrim.yaml"), &text) {
            Ok(entries) => {
                cell.borrow_mut().insert("ok".to_owned());
                for entry in entries {
                    prop_assert!(keys::class(&entry.key).is_some(), "{} has no class", entry.key);
                    prop_assert!(entry.line >= 1 && entry.line <= text.lines().count().max(1), "{:?}", entry);
                    for value in &entry.values {
                        let last = value.rsplit('/').next().unwrap_or(value);
                        prop_assert!(
                            text.contains(last) || text.contains('\\') || text.contains('|'),
                            "{:?} is not in {:?}",
                            value,
                            text
                        );
                        prop_assert!(
                            !(entry.key == "minikube-arg" && value.starts_with("-p")),
                            "{:?}",
                            entry
                        );
                    }
                }
            }
            Err(failure) => {
                cell.borrow_mut().insert(failure.id.to_string());
                let line =
                    failure.message.split("kstrim.yaml:").nth(1).and_then(|rest| {
                        rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()
                    });
                prop_assert!(
                    line.is_none_or(|line| line >= 1 && line <= text.lines().count() + 1),
                    "{:?}: {:?}",
                    text,
                    failure
                );
            }
        }
        Ok(())
    });
    ran.unwrap_or_else(|e| panic!("{e}"));
    for id in ["ok", "KS-CONFIG-VALUE", "KS-CONFIG-KEY", "KS-CONFIG-UNREADABLE"] {
        assert!(reached.contains(id), "{id} was not reached: {reached:?}");
    }
}
