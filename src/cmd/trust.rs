//! `kstrim trust`, and the consequences of an untrusted file for the other commands.

use std::path::Path;
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};

use crate::cli::{Cli, Format, Trust as Args};
use crate::command_line::CommandLine;
use crate::config::belief::Opened;
use crate::config::files::{self, Belief, Entry, Layers, PROJECT_FILE, Whose};
use crate::config::keys::{self, Class};
use crate::config::trust::{Trust, known_as};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::redact;
use crate::terminal::table::Table;

/// Trust a file, list trusted files, or revoke trust.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let trust = Trust::default();
    if args.list {
        let all = trust.list();
        let text = match args.format {
            Format::Json => super::json(&all),
            Format::Yaml => super::yaml(&all),
            Format::Text => table(&all),
        };
        super::print(&text);
        return Ok(ExitCode::SUCCESS);
    }
    let file = match &args.file {
        Some(file) if file.is_dir() => file.join(PROJECT_FILE),
        Some(file) => file.clone(),
        None => std::env::current_dir().ok().and_then(|at| files::project_file(&at)).ok_or_else(no_file)?,
    };
    if args.revoke {
        if !trust.revoke(&file)? {
            super::warn(&format!("{} was not trusted", file.display()));
        }
        super::print(&format!("{}\n", shown(&file)));
        return Ok(ExitCode::SUCCESS);
    }
    let unreadable = |e: std::io::Error| files::unreadable(&file, &e.to_string());
    let bytes = Opened::at(&file).and_then(Opened::read).map_err(unreadable)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| files::unreadable(&file, "it is not UTF-8"))?;
    let entries = files::parse(&file, text)?;
    trust.record_trust(&file, &bytes)?;
    let targets = |entry: &Entry| keys::class(&entry.key) == Some(Class::Target);
    for entry in entries.iter().filter(|entry| keys::needs_trust(entry) || targets(entry)) {
        let values = redact::text(&entry.values.join(", "));
        super::complain(&format!("{}:{}: {}: {values}\n", file.display(), entry.line, entry.key));
    }
    super::print(&format!("{}\n", shown(&file)));
    Ok(ExitCode::SUCCESS)
}

/// The canonical path of a file, if it can be determined.
fn shown(file: &Path) -> String {
    known_as(file).unwrap_or_else(|_| file.to_owned()).display().to_string()
}

fn no_file() -> Box<Failure> {
    let message = format!("there is no {PROJECT_FILE} in this directory or above it");
    Box::new(
        Failure::new(errors::TRUST_NO_FILE, Kind::Usage, message)
            .hint(format!("create one: {}", CommandLine::new("kstrim config init"))),
    )
}

fn table(records: &[crate::config::trust::Record]) -> String {
    let mut table = Table::new(["FILE", "SINCE", "SHA256"]);
    for record in records {
        table.row([record.path.as_str(), &record.trusted.to_string(), &record.sha256]);
    }
    super::drawn(&table)
}

/// Report which files and settings are ignored, and fail if the command needs them. `matches` are those of the whole
/// command line.
pub(crate) fn check(matches: &ArgMatches, layers: &Layers) -> Result<()> {
    for found in &layers.files {
        if let Belief::None(why) = &found.belief {
            let whose = match found.whose {
                Whose::User => "your settings file",
                Whose::Project => "the settings file",
            };
            let trust = CommandLine::new("kstrim trust").arg(found.path.display());
            super::warn(&format!("{whose} {} is ignored: {why}", found.path.display()));
            super::hint(&format!("if you trust its current content: {trust}"));
        }
    }
    // Nothing else is ignored or refused; building the tree of commands would cost milliseconds.
    if !layers.files.iter().any(|f| f.whose == Whose::Project && !f.trusted) {
        return Ok(());
    }
    let root = Cli::command();
    let wanted = |key: &str| wanted(&root, matches, key);
    let mut asked: Vec<&Entry> = layers.left_out.iter().filter(|entry| wanted(&entry.key)).collect();
    let aimed = if deletes(matches) { aimed(&wanted, layers) } else { Vec::new() };
    let deletes = !aimed.is_empty();
    asked.extend(aimed);
    let Some(first) = asked.first() else { return Ok(()) };
    let trust = CommandLine::new("kstrim trust").arg(first.file.display());
    let needed: Vec<&&Entry> =
        asked.iter().filter(|entry| keys::class(&entry.key) != Some(Class::Source)).collect();
    if needed.is_empty() {
        for entry in &asked {
            let place = format!("{}:{}", entry.file.display(), entry.line);
            super::warn(&format!("{place}: {} is ignored: the file is not trusted", entry.key));
        }
        super::hint(&format!("to make it effective: {trust}"));
        return Ok(());
    }
    let file = first.file.display();
    let message = if deletes {
        format!("{file} is not trusted, and it determines what would be deleted")
    } else {
        format!("{file} is not trusted, and ignoring it would change what this command does")
    };
    let mut failure = Failure::new(errors::CONFIG_UNTRUSTED, Kind::Usage, message);
    for entry in &needed {
        let values = redact::text(&entry.values.join(", "));
        failure = failure.because(format!("line {}: {}: {values}", entry.line, entry.key));
    }
    failure = failure.hint(format!("if you trust the file: {trust}"));
    let flags: Vec<String> = needed.iter().map(|entry| format!("--{}", entry.key)).collect();
    Err(Box::new(failure.hint(format!("or set it yourself: {}", flags.join(", ")))))
}

/// The settings of an untrusted file that determine what a command deletes.
fn aimed<'a>(wanted: &dyn Fn(&str) -> bool, layers: &'a Layers) -> Vec<&'a Entry> {
    // A context alone determines the cluster.
    let context = !wanted("context") || layers.get("context").is_some();
    let keys = ["profile", "namespace", "cluster"].into_iter().filter(|key| !(context && *key == "profile"));
    keys.filter(|key| wanted(key))
        .filter_map(|key| layers.get(key))
        .filter(|entry| {
            let mut files = layers.files.iter();
            files.any(|f| f.path == entry.file && f.whose == Whose::Project && !f.trusted)
        })
        .collect()
}

/// Whether the command deletes something in a cluster.
fn deletes(matches: &ArgMatches) -> bool {
    match matches.subcommand() {
        Some(("down" | "remove", _)) => true,
        Some(("topic" | "user", inner)) => inner.subcommand_name() == Some("delete"),
        Some(("doctor", inner)) => inner.get_flag("fix"),
        Some(("run", inner)) => inner.get_flag("down"),
        _ => false,
    }
}

/// Whether the command has this setting, and neither a flag nor a variable sets it.
fn wanted(root: &Command, matches: &ArgMatches, key: &str) -> bool {
    let (mut verb, mut matches) = (root, matches);
    let of = |command: &Command| {
        let mut settings = command.get_arguments().filter(|arg| keys::is_setting(arg));
        settings.find(|arg| arg.get_long() == Some(key)).map(|arg| arg.get_id().to_string())
    };
    let mut known = of(verb);
    let mut given = known.as_ref().is_some_and(|id| is_given(matches, id));
    while let Some((name, inner)) = matches.subcommand() {
        let Some(next) = verb.find_subcommand(name) else { break };
        (verb, matches) = (next, inner);
        if let Some(id) = of(verb) {
            known = Some(id);
        }
        given |= known.as_ref().is_some_and(|id| is_given(matches, id));
    }
    known.is_some() && !given
}

/// Whether an argument was specified on the command line or by its variable. The id must be that of an argument of
/// the command, or of a global one.
fn is_given(matches: &ArgMatches, id: &str) -> bool {
    matches!(matches.value_source(id), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(words: &[&str]) -> ArgMatches {
        Cli::command().try_get_matches_from([&["kstrim"], words].concat()).expect("parses")
    }

    #[test]
    fn deleting_commands_are_known() {
        for (words, all) in [
            (&["down"][..], true),
            (&["remove", "bridge"], true),
            (&["topic", "delete", "t"], true),
            (&["user", "delete", "u"], true),
            (&["doctor", "--fix"], true),
            (&["doctor"], false),
            (&["run", "--down", "--", "true"], true),
            (&["run", "--", "true"], false),
            (&["topic", "list"], false),
            (&["up"], false),
        ] {
            assert_eq!(deletes(&matches(words)), all, "{words:?}");
        }
    }

    #[test]
    fn a_command_wants_settings_without_flags_or_variables() {
        for (words, key, wants) in [
            (&["up"][..], "mirror", true),
            (&["up", "--mirror", "https://m.example"], "mirror", false),
            (&["status"], "mirror", false),
            (&["status"], "context", true),
            (&["--context", "mine", "status"], "context", false),
            (&["status", "--context", "mine"], "context", false),
            (&["topic", "list"], "context", true),
            (&["topic", "list", "--context", "mine"], "context", false),
            (&["down"], "minikube-arg", false),
            (&["render"], "manifests", true),
            // A flag of this name that no file can set.
            (&["upgrade", "--release", "1.2.0"], "manifests", false),
        ] {
            assert_eq!(wanted(&Cli::command(), &matches(words), key), wants, "{words:?} {key}");
        }
    }
}
