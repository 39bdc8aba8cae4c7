//! The YAML that kstrim writes is read identically by programs that read YAML 1.1: PyYAML and kubectl. Each is used
//! if it is installed.

use std::io::Write;
use std::process::{Command, Stdio};

use kstrim::internals::manifest::yaml_text;
use libtest_mimic::Completion;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

/// The number of words in one document; a program is started once for all of them.
const WORDS: usize = 4000;
/// Words that were once read differently, or are similar.
const KNOWN: [&str; 36] = [
    "yes",
    "No",
    "on",
    "OFF",
    "y",
    "N",
    "true",
    "~",
    "null",
    "",
    "=",
    "<<",
    "1_000",
    "0x1F",
    "0o17",
    "017",
    "0b11",
    "1e3",
    "12:30",
    "12_30",
    "190:20:30.15",
    "2024_01_15",
    "2024-01-15",
    "2024-1-5",
    "2001-12-14 21:59:43.10 -5",
    "2024-01-15T10:00:00Z",
    ".5",
    "5.",
    "+1",
    "-1_0",
    ".inf",
    "-.INF",
    ".nan",
    "1.2.3",
    "\u{feff}a",
    "- a\r\nb: c\n",
];

/// Random words of characters that have a meaning in either version.
fn words() -> Vec<String> {
    let telling = "[-+.~=<>:_0-9a-fxXoObBeEyYnNtTsSzZ ,#'\"\\\\&*!|%@{}\\[\\]\u{85}\u{2028}\u{feff}\u{e000}é\t\r\n]{0,7}";
    let any = prop_oneof![
        3 => proptest::string::string_regex(telling).expect("a pattern"),
        3 => "[-+]?[0-9][0-9_:.eE+-]{0,6}",
        1 => "[0-9]{4}[-_][0-9]{1,2}[-_][0-9]{1,2}([tT ][0-9:.]{1,9}[zZ]?)?",
        1 => proptest::sample::select(KNOWN.to_vec()).prop_map(str::to_owned),
    ];
    let mut words = KNOWN.map(str::to_owned).to_vec();
    let made = vec(any, WORDS).new_tree(&mut TestRunner::deterministic()).expect("words").current();
    words.extend(made);
    words
}

/// Run a program with this stdin; returns its stdout, or why it cannot be run.
fn run(program: &str, args: &[&str], stdin: &str) -> Result<String, String> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| format!("{program} cannot be run: {e}"))?;
    let (mut input, text) = (child.stdin.take().expect("stdin"), stdin.to_owned());
    let writer = std::thread::spawn(move || drop(input.write_all(text.as_bytes())));
    let output = child.wait_with_output().map_err(|e| e.to_string())?;
    writer.join().expect("written");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(String::from_utf8_lossy(&output.stdout).into_owned()) } else { Err(said) }
}

/// Every word as a value, and every other as a key.
fn document() -> Map<String, Value> {
    let words = words();
    let mut fields: Map<String, Value> = words.iter().map(|word| (word.clone(), json!(word))).collect();
    fields.insert("list of all".into(), json!(words));
    fields
}

/// PyYAML reads the same values.
pub fn pyyaml_reads_what_kstrim_writes() -> Completion {
    if let Err(why) = run("python3", &["-c", "import yaml"], "") {
        return Completion::ignored_with(format!("python3 with PyYAML is needed: {}", why.trim()));
    }
    let read = "import json, sys, yaml\n\
        print(json.dumps(yaml.safe_load(sys.stdin.buffer.read().decode())))";
    let written = document();
    let found = run("python3", &["-c", read], &yaml_text(&written)).expect("it reads it");
    let found: Map<String, Value> = serde_json::from_str(&found).expect("JSON");
    compare(&written, &found);
    Completion::Completed
}

/// kubectl reads the same values, without a cluster.
pub fn kubectl_reads_what_kstrim_writes() -> Completion {
    if let Err(why) = run("kubectl", &["version", "--client"], "") {
        return Completion::ignored_with(format!("kubectl is needed: {}", why.trim()));
    }
    // A value of a ConfigMap may be any string; its keys must be names.
    let data: Map<String, Value> =
        words().iter().enumerate().map(|(at, word)| (format!("w{at}"), json!(word))).collect();
    let labels = json!({"a": "yes", "1_0": "1_000", "y": "12_30"});
    let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": data,
        "metadata": {"name": "0x1f", "namespace": "1e3", "labels": labels}});
    let args = ["patch", "--local", "-f", "-", "--type=merge", "-p", "{}", "-o", "json"];
    let found = run("kubectl", &args, &yaml_text(&object)).expect("it reads it");
    let found: Value = found.parse().expect("JSON");
    compare(object["data"].as_object().expect("data"), found["data"].as_object().expect("data"));
    for field in ["name", "namespace", "labels"] {
        assert_eq!(found["metadata"][field], object["metadata"][field], "{field}");
    }
    Completion::Completed
}

/// Words without quotes in a user's manifest with CRLF: kstrim reads them as kubectl does.
pub fn kstrim_reads_what_kubectl_reads() -> Completion {
    if let Err(why) = run("kubectl", &["version", "--client"], "") {
        return Completion::ignored_with(format!("kubectl is needed: {}", why.trim()));
    }
    let plain = |word: &String| {
        let finite = word.parse::<f64>().is_ok_and(f64::is_finite) || word.parse::<f64>().is_err();
        let special = ["inf", "nan"].iter().any(|special| word.to_ascii_lowercase().contains(special));
        finite && !special && !word.ends_with(':') && !["-", "---", "..."].contains(&word.as_str())
    };
    let chance = prop_oneof![
        2 => "[-+]?[0-9][0-9_.]{0,7}",
        1 => "[-+]?0[xXoObB_]?[0-9a-fA-F_]{0,6}",
        1 => "[-+.0-9_eE:a-z]{1,6}",
        1 => proptest::sample::select(vec!["y", "Yes", "NO", "on", "Off", "oN", "true", "null", "~"]).prop_map(str::to_owned),
    ];
    let mut runner = TestRunner::deterministic();
    let words: Vec<String> = vec(chance, WORDS).new_tree(&mut runner).expect("words").current();
    let words: Vec<String> = words.into_iter().filter(plain).collect();
    let mut text = "apiVersion: example.com/v1\r\nkind: Words\r\nmetadata: {name: a}\r\nspec:\r\n".to_owned();
    for (at, word) in words.iter().enumerate() {
        text.push_str(&format!("  w{at}: {word}\r\n"));
    }
    let found =
        run("kubectl", &["annotate", "--local", "-f", "-", "a=b", "-o", "json"], &text).expect("it reads it");
    let theirs: Value = found.parse().expect("JSON");
    let ours = kstrim::internals::manifest::load::from_bytes("words.yaml", text.as_bytes())
        .expect("kstrim reads it");
    let ours = ours[0].get("/spec").expect("a spec");
    for (at, word) in words.iter().enumerate() {
        let (ours, theirs) = (&ours[format!("w{at}")], &theirs["spec"][format!("w{at}")]);
        let same = ours == theirs || ours.as_f64().is_some_and(|number| Some(number) == theirs.as_f64());
        assert!(same, "{word}: kstrim reads {ours}, kubectl {theirs}");
    }
    Completion::Completed
}

fn compare(written: &Map<String, Value>, found: &Map<String, Value>) {
    for (key, value) in written {
        assert_eq!(found.get(key), Some(value), "of {key:?}: {}", yaml_text(&json!({ key: value })));
    }
    assert_eq!(found.len(), written.len());
}
