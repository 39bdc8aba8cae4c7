//! Parses a settings file: lines such as `memory: 6g`, validated like the flags.
//!
//! It is YAML 1.2, as everywhere in kstrim: `yes`, `on`, `1_000` and `12:30` are strings. A value that another YAML
//! version would read differently is rejected with a hint to quote it: `1.30`, `0x1F`, `1e3`.

use std::path::Path;

use clap::builder::Resettable;
use clap::{Arg, Command, CommandFactory};
use serde_yaml::Value;

use super::entry::Entry;
use super::keys::{self, Key, Shape};
use crate::cli::Cli;
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// YAML 1.1 ends a line at these characters, YAML 1.2 and editors do not: next line, line and paragraph separator.
const LINE_SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Parse the settings in a file's text.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Entry>> {
    // A byte order mark, which some editors on other systems write, is not part of the content.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if let Some(at) = text.lines().position(|line| line.contains(LINE_SEPARATORS)) {
        let message = format!("{}:{} contains a Unicode line separator", file.display(), at + 1);
        let failure = Failure::new(errors::CONFIG_UNREADABLE, Kind::Usage, message).because(
            "editors show it as part of a line, and some YAML parsers end the line there: remove it",
        );
        return Err(Box::new(failure));
    }
    let value: Value = serde_yaml::from_str(text).map_err(|e| {
        let line = e.location().map_or_else(String::new, |at| format!(":{}", at.line()));
        let message = format!("{}{line} is not valid YAML", file.display());
        Box::new(Failure::new(errors::CONFIG_UNREADABLE, Kind::Usage, message).because(e))
    })?;
    let mapping = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(mapping) => mapping,
        _ => {
            let message = format!("{} contains no settings", file.display());
            let failure = Failure::new(errors::CONFIG_UNREADABLE, Kind::Usage, message)
                .because("a settings file has lines such as `memory: 6g`")
                .hint(format!("create a file with all settings: {}", CommandLine::new("kstrim config init")));
            return Err(Box::new(failure));
        }
    };
    let known = keys::all();
    // An invalid variable is not an error of the file.
    let without = |arg: Arg| arg.env(Resettable::Reset);
    let mut command = Cli::command().mut_args(without).mut_subcommands(|verb| verb.mut_args(without));
    let mut entries = Vec::new();
    for (name, value) in mapping {
        let name = scalar(&name).unwrap_or_default();
        let line = line_of(text, &name);
        let Some(key) = known.iter().find(|key| key.name == name) else {
            return Err(unknown(file, line, &name, &known));
        };
        let wrong = |why: String| {
            let message = format!("{}:{line}: {name} has an invalid value", file.display());
            Box::new(Failure::new(errors::CONFIG_VALUE, Kind::Usage, message).because(why))
        };
        let mut values = values(key, &value).map_err(wrong)?;
        as_written(&value, text, line).map_err(wrong)?;
        check(&mut command, key, &values).map_err(wrong)?;
        if key.path {
            values = values.into_iter().map(|value| relative_to(file, value)).collect();
        }
        entries.push(Entry { key: name, values, file: file.to_owned(), line });
    }
    Ok(entries)
}

/// A value as it would be written after the flag.
fn scalar(value: &Value) -> std::result::Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(yes) => Ok(yes.to_string()),
        // YAML reads 4.10 as the number 4.1: the original spelling is lost.
        Value::Number(number) if number.is_f64() => {
            Err(format!("a number with a decimal point loses its zeros: quote it, \"{number}\""))
        }
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("it has no value".into()),
        _ => Err("it must have a single value".into()),
    }
}

/// Whether an integer is written in the text as it was parsed: `0x1F`, `0o17` and `+5` lose their spelling.
fn as_written(value: &Value, text: &str, line: usize) -> std::result::Result<(), String> {
    let numbers: Vec<String> = match value {
        Value::Number(number) => vec![number.to_string()],
        Value::Sequence(all) => all.iter().filter_map(Value::as_i64).map(|n| n.to_string()).collect(),
        _ => return Ok(()),
    };
    // A list continues on the lines below; anything else on them only makes this check less strict.
    let rest = text.lines().skip(line.saturating_sub(1)).collect::<Vec<_>>().join("\n");
    let words: Vec<&str> = rest.split(|c: char| c.is_whitespace() || ",:[]{}#".contains(c)).collect();
    match numbers.into_iter().find(|number| !words.contains(&number.as_str())) {
        None => Ok(()),
        Some(number) => Err(format!("it would be read as the number {number}: quote it")),
    }
}

fn values(key: &Key, value: &Value) -> std::result::Result<Vec<String>, String> {
    match (key.shape, value) {
        (Shape::List, Value::Sequence(all)) => all.iter().map(scalar).collect(),
        (Shape::Switch, value) if !value.is_bool() => Err("it must be true or false".into()),
        (_, value) => Ok(vec![scalar(value)?]),
    }
}

/// Validate the values with the command line parser, as if they were flags.
fn check(command: &mut Command, key: &Key, values: &[String]) -> std::result::Result<(), String> {
    if key.shape == Shape::Switch {
        return Ok(());
    }
    let flags = values.iter().map(|value| format!("--{}={value}", key.name));
    let words = ["kstrim".to_owned(), "up".to_owned()].into_iter().chain(flags);
    match command.try_get_matches_from_mut(words) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.render().to_string();
            let all: Vec<&str> = text.lines().take_while(|line| !line.contains("--help")).collect();
            Err(all.join(" ").trim().trim_start_matches("error: ").to_owned())
        }
    }
}

/// A relative path is relative to the file's directory, wherever kstrim is run.
fn relative_to(file: &Path, value: String) -> String {
    match file.parent() {
        Some(folder) if !value.contains("://") => folder.join(&value).to_string_lossy().into_owned(),
        _ => value,
    }
}

/// The line of a top-level key; the YAML parser does not keep it.
fn line_of(text: &str, key: &str) -> usize {
    let is_it = |line: &str| {
        let line = line.trim_start_matches(['"', '\'']);
        line.strip_prefix(key).is_some_and(|rest| rest.trim_start_matches(['"', '\'', ' ']).starts_with(':'))
    };
    text.lines().position(is_it).map_or(1, |at| at + 1)
}

fn unknown(file: &Path, line: usize, name: &str, known: &[Key]) -> Box<Failure> {
    let near = known
        .iter()
        .map(|key| (strsim::jaro_winkler(&key.name, &name.replace('_', "-")), &key.name))
        .filter(|(likeness, _)| *likeness > 0.7)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let message = format!("{}:{line}: unknown setting {name:?}", file.display());
    let failure = Failure::new(errors::CONFIG_KEY, Kind::Usage, message);
    Box::new(match near {
        Some((_, near)) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint(format!("list all settings: {}", CommandLine::new("kstrim config show"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Entry>> {
        parse(Path::new("/p/kstrim.yaml"), text)
    }

    fn values(text: &str, key: &str) -> Vec<String> {
        let entries = read(text).expect(text);
        entries.into_iter().find(|e| e.key == key).expect(key).values
    }

    #[test]
    fn values_are_written_as_after_a_flag() {
        assert_eq!(values("cpus: 4", "cpus"), ["4"]);
        assert_eq!(values("kafka: 4.3.1", "kafka"), ["4.3.1"]);
        assert_eq!(values("stock: true", "stock"), ["true"]);
        assert_eq!(
            values("minikube-arg: [--force, --cni=bridge]", "minikube-arg"),
            ["--force", "--cni=bridge"]
        );
        assert_eq!(values("minikube-arg: --force", "minikube-arg"), ["--force"]);
        assert!(read("# nothing yet\n").expect("an empty file").is_empty());
    }

    #[test]
    fn a_relative_path_is_relative_to_the_file() {
        assert_eq!(values("manifests: deploy/strimzi.yaml", "manifests"), ["/p/deploy/strimzi.yaml"]);
        assert_eq!(values("manifests: /deploy/strimzi.yaml", "manifests"), ["/deploy/strimzi.yaml"]);
        assert_eq!(values("mirror: https://mirror.example/x", "mirror"), ["https://mirror.example/x"]);
    }

    #[test]
    fn invalid_entries_are_reported_with_their_line() {
        for (text, id, words) in [
            ("cpus: 2\nmemori: 4g\n", errors::CONFIG_KEY, "/p/kstrim.yaml:2"),
            ("adopt: true\n", errors::CONFIG_KEY, "unknown setting"),
            ("\nnamespace: My_Kafka\n", errors::CONFIG_VALUE, ":2: namespace"),
            ("nodes: 0\n", errors::CONFIG_VALUE, ":1: nodes"),
            ("stock: maybe\n", errors::CONFIG_VALUE, ":1: stock"),
            ("kafka: 4.10\n", errors::CONFIG_VALUE, ":1: kafka"),
            ("topic: [a, b]\n", errors::CONFIG_VALUE, ":1: topic"),
            ("memory:\n", errors::CONFIG_VALUE, ":1: memory"),
            ("topic: 0x1F\n", errors::CONFIG_VALUE, ":1: topic"),
            ("memory: 0o17777\n", errors::CONFIG_VALUE, ":1: memory"),
            ("topic: 0b11\n", errors::CONFIG_VALUE, ":1: topic"),
            ("memory: +6144\n", errors::CONFIG_VALUE, ":1: memory"),
            ("topic: 1e3\n", errors::CONFIG_VALUE, ":1: topic"),
            ("stock: yes\n", errors::CONFIG_VALUE, ":1: stock"),
            ("memory: ~\n", errors::CONFIG_VALUE, ":1: memory"),
            ("memory: 6Gx\n", errors::CONFIG_VALUE, ":1: memory"),
            ("cpus: two\n", errors::CONFIG_VALUE, ":1: cpus"),
            ("driver: -x\n", errors::CONFIG_VALUE, ":1: driver"),
            ("minikube-arg: [--force, -pvictim]\n", errors::CONFIG_VALUE, ":1: minikube-arg"),
            ("memory: 4g\nmemory: 5g\n", errors::CONFIG_UNREADABLE, "is not valid YAML"),
            ("memory: [4g\n", errors::CONFIG_UNREADABLE, "is not valid YAML"),
            (
                "nodes: 2\nprofile: \u{2028}0A\n",
                errors::CONFIG_UNREADABLE,
                ":2 contains a Unicode line separator",
            ),
            ("profile: a\u{85}b\n", errors::CONFIG_UNREADABLE, ":1 contains a Unicode line separator"),
            ("just words\n", errors::CONFIG_UNREADABLE, "contains no settings"),
        ] {
            let failure = read(text).expect_err(text);
            assert_eq!((failure.id, failure.kind), (id, Kind::Usage), "{text}: {failure:?}");
            assert!(failure.message.contains(words), "{text}: {failure:?}");
        }
        let failure = read("memori: 4g\n").expect_err("no such key");
        assert_eq!(failure.hints, ["did you mean `memory`?"]);
        let failure = read("kubernetes_version: \"1.34\"\n").expect_err("no such key");
        assert_eq!(failure.hints, ["did you mean `kubernetes-version`?"]);
    }

    #[test]
    fn files_from_editors_of_other_systems_are_read() {
        let bom = "\u{feff}memory: 6g\r\npreset: ephemeral\r\n";
        assert_eq!(values(bom, "memory"), ["6g"]);
        assert_eq!(values(bom, "preset"), ["ephemeral"]);
        let failure = read("\u{feff}memory: 6g\r\nmemori: 1\r\n").expect_err("no such key");
        assert!(failure.message.contains("kstrim.yaml:2"), "{failure:?}");
        // A byte order mark elsewhere is an ordinary character.
        assert!(read("memory: 6g\n\u{feff}preset: single\n").is_err());
    }

    #[test]
    fn boolean_words_of_older_yaml_are_strings() {
        for word in ["yes", "on", "n", "1_000", "12_30", "2024_01_15", "1-2"] {
            assert_eq!(values(&format!("topic: {word}\n"), "topic"), [word], "{word}");
        }
        assert_eq!(values("topic: 2024\n", "topic"), ["2024"]);
        assert_eq!(values("{cpus: 4, topic: \"0x1F\"}\n", "cpus"), ["4"]);
        assert_eq!(values("topic: '1e3' # quoted\n", "topic"), ["1e3"]);
        assert_eq!(values("minikube-arg: [--v, 8]\n", "minikube-arg"), ["--v", "8"]);
    }

    #[test]
    fn memory_is_accepted_in_any_unit() {
        for text in ["6Gi", "6g", "6G", "6gb", "6GiB", "6144", "6144m", "6144MB", "6144Mi", "6291456k", "max"]
        {
            assert!(read(&format!("memory: {text}\n")).is_ok(), "{text}");
        }
    }
}
