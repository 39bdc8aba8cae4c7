//! Whether the commands in hints run as printed, and on the run's cluster. The harness checks every hint of every
//! run.

#![allow(dead_code, reason = "the cli tests use the rest")]

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::{CommandFactory, Parser};
use kstrim::internals::cli::Cli;
use serde_json::Value;

use crate::harness::Run;

/// Commands that do not use a cluster.
const ANYWHERE: [&str; 7] = ["versions", "tools", "bundle", "config", "trust", "completions", "render"];
/// Words that are commands only after a program: the ones used in hints.
const MINIKUBE: [&str; 11] = [
    "start",
    "stop",
    "delete",
    "logs",
    "ssh",
    "status",
    "update-context",
    "addons",
    "image",
    "kubectl",
    "cp",
];
const KUBECTL: [&str; 12] = [
    "get", "describe", "delete", "annotate", "logs", "edit", "patch", "apply", "rollout", "auth", "exec",
    "label",
];

/// The profile or context, namespace and cluster of a command line; `None` if settings files may determine them, too,
/// or it is invalid.
pub fn target(args: &[OsString], env: &BTreeMap<OsString, OsString>, work: &Path) -> Option<[String; 3]> {
    let files = [work.join("kstrim.yaml"), work.join("../home/.config/kstrim/config.yaml")];
    if files.iter().any(|file| file.exists()) {
        return None;
    }
    let words = ["kstrim".into()].into_iter().chain(args.iter().cloned());
    let mut target = named(Cli::try_parse_from(words).ok()?);
    for (at, name) in ["KSTRIM_PROFILE", "KSTRIM_NAMESPACE", "KSTRIM_CLUSTER"].into_iter().enumerate() {
        let default = ["kstrim", "kafka", "my-cluster"][at];
        if let Some(value) = env.get(&OsString::from(name)).filter(|_| target[at] == default) {
            target[at] = value.to_string_lossy().into_owned();
        }
    }
    env.get(&OsString::from("KSTRIM_CONTEXT")).is_none().then_some(target)
}

fn named(cli: Cli) -> [String; 3] {
    let global = cli.global;
    let place = global.context.map_or_else(|| global.profile.to_string(), |context| context.to_string());
    [place, global.namespace.to_string(), global.cluster.to_string()]
}

/// Check every hint that a run printed, as text or in JSON.
#[track_caller]
pub fn check(run: &Run, target: &[String; 3]) {
    for hint in printed(run) {
        for command in commands_of(&hint) {
            one(&command, target).unwrap_or_else(|why| panic!("{why}: {command}\n  in the hint: {hint}"));
        }
    }
}

/// The hints of a run.
pub fn printed(run: &Run) -> Vec<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(all) => all.iter().for_each(|value| walk(value, found)),
            Value::Object(fields) => fields.iter().for_each(|(name, value)| match value {
                Value::Array(all) if name == "hints" || name == "next" => {
                    found.extend(all.iter().filter_map(|hint| Some(hint.as_str()?.to_owned())));
                }
                other => walk(other, found),
            }),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for line in run.stdout.lines().chain(run.stderr.lines()) {
        let line = line.trim();
        if let Some(hint) = line.strip_prefix("hint: ") {
            found.push(hint.to_owned());
        } else if line.starts_with('{')
            && let Ok(value) = line.parse::<Value>()
        {
            walk(&value, &mut found);
        }
    }
    if let Ok(document) = run.stdout.parse::<Value>() {
        walk(&document, &mut found);
    }
    found
}

/// The commands in a hint: from the program's name to the end, or to what follows a command.
pub fn commands_of(hint: &str) -> Vec<String> {
    let verbs: Vec<String> = Cli::command().get_subcommands().map(|c| c.get_name().to_owned()).collect();
    let mut found = Vec::new();
    for program in ["kstrim", "minikube", "kubectl"] {
        for (at, _) in hint.match_indices(&format!("{program} ")) {
            let (before, tail) = hint.split_at(at);
            let alone = before.chars().next_back().is_none_or(|c| " `(".contains(c));
            let verb =
                tail.split_whitespace().nth(1).unwrap_or_default().trim_end_matches(['`', ',', ';', ')']);
            let known = match program {
                "kstrim" => verbs.iter().any(|v| v == verb),
                "minikube" => MINIKUBE.contains(&verb),
                // After kstrim or minikube it is their command.
                _ => {
                    KUBECTL.contains(&verb) && !before.ends_with("kstrim ") && !before.ends_with("minikube ")
                }
            };
            if alone && known {
                let end = tail.find('`').or_else(|| tail.find(" && ")).unwrap_or(tail.len());
                found.push(tail[..end].to_owned());
            }
        }
    }
    found
}

/// Split a line like a shell.
pub fn split(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), None::<String>, false);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match c {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            '\\' if !quoted => word.get_or_insert_default().extend(chars.next()),
            c if c.is_whitespace() && !quoted => words.extend(word.take()),
            c => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// Whether a command can be run as it is, and uses that cluster.
pub fn one(command: &str, target: &[String; 3]) -> Result<(), String> {
    let words = split(command);
    let has = |flag: &str| words.iter().any(|w| w == flag || w.starts_with(&format!("{flag}=")));
    match words[0].as_str() {
        "minikube" if has("-p") => Ok(()),
        "minikube" => Err("no profile".to_owned()),
        "kubectl" if has("--context") && has("--kubeconfig") => Ok(()),
        "kubectl" => Err("no cluster".to_owned()),
        _ => {
            let cli = Cli::try_parse_from(&words).map_err(|e| e.to_string())?;
            if ANYWHERE.contains(&words[1].as_str()) {
                return Ok(());
            }
            let found = named(cli);
            // A hint may name another cluster on purpose; then it says so.
            let flags =
                [["-p", "--profile", "--context"], ["-n", "--namespace", ""], ["-c", "--cluster", ""]];
            let end = words.iter().position(|word| word == "--").unwrap_or(words.len());
            for (at, flags) in flags.iter().enumerate() {
                let said =
                    words[..end].iter().any(|w| flags.contains(&w.split('=').next().unwrap_or_default()));
                if found[at] != target[at] && !said {
                    return Err(format!("it is about {}, not {}", found[at], target[at]));
                }
            }
            Ok(())
        }
    }
}
