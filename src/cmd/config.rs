//! `kstrim config`: the settings and their origins.

use std::cmp::Ordering;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command, CommandFactory};
use serde::Serialize;

use crate::cli::{Cli, Config, ConfigVerb, Format};
use crate::command_line::CommandLine;
use crate::config::files::{self, Belief, Entry, Found, Layers, Whose};
use crate::config::keys::{self, Key, Shape};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::redact;
use crate::terminal::table::Table;

/// A setting and its effective value.
#[derive(Debug, Serialize)]
struct Shown {
    /// Its name.
    key: String,
    /// Its value; a list is joined by commas. `None`: it is not set.
    value: Option<String>,
    /// `flag`, `env`, `project`, `user` or `default`.
    origin: &'static str,
    /// The variable, or the file and line.
    #[serde(rename = "where")]
    place: Option<String>,
    /// The value from a file that is not trusted, which has no effect.
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<LeftOut>,
}

/// A value that has no effect.
#[derive(Debug, Serialize)]
struct LeftOut {
    /// The value.
    value: String,
    /// File and line.
    #[serde(rename = "where")]
    place: String,
    /// Why it has no effect.
    why: &'static str,
}

/// A settings file that was found.
#[derive(Debug, Serialize)]
struct File {
    /// Where.
    path: String,
    /// `user` or `project`.
    whose: &'static str,
    /// Whether anything in it takes effect.
    believed: bool,
    /// Whether its exact content is trusted, so that all of it takes effect.
    trusted: bool,
    /// Why it takes no effect, or only in part.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// Everything that `config show` prints.
#[derive(Debug, Serialize)]
struct Document {
    settings: Vec<Shown>,
    files: Vec<File>,
}

/// Why a key in a project's file has no effect.
const NOT_TRUSTED: &str = "the file is not trusted (kstrim trust)";

/// `matches` are those of the whole command line.
pub(crate) fn run(args: &Config, matches: &ArgMatches, layers: &Layers) -> Result<ExitCode> {
    match &args.verb {
        ConfigVerb::Show(show) => {
            let matches = matches.subcommand_matches("config").and_then(|m| m.subcommand_matches("show"));
            let Some(matches) = matches else { unreachable!("the verb that was parsed") };
            let settings: Vec<Shown> = keys::all().iter().map(|key| shown(key, matches, layers)).collect();
            let document = Document { settings, files: layers.files.iter().map(file).collect() };
            let text = match show.format {
                Format::Json => super::json(&document),
                Format::Yaml => super::yaml(&document),
                Format::Text => table(&document.settings, show.origins) + &ignored_settings(&document),
            };
            super::print(&text);
        }
        ConfigVerb::Init(init) => {
            let file = if init.user {
                files::user_file().ok_or_else(super::home::missing)?
            } else {
                PathBuf::from(files::PROJECT_FILE)
            };
            write(&file, init.force)?;
            super::print(&format!("{}\n", file.display()));
        }
        ConfigVerb::Schema => super::print(&super::json(&keys::schema())),
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(key: &Key, matches: &ArgMatches, layers: &Layers) -> Shown {
    let entry = layers.get(&key.name);
    // `output`, `timeout` and `no-diagnose` are not flags of this command: their layers are checked here.
    let (value, source) = match id_of(key) {
        Some(id) if key.shape == Shape::Switch => {
            (Some(matches.get_flag(&id).to_string()), matches.value_source(&id))
        }
        Some(id) => {
            let raw = matches.get_raw(&id).into_iter().flatten();
            let values: Vec<String> = raw.map(|v| v.to_string_lossy().into_owned()).collect();
            ((!values.is_empty()).then(|| values.join(",")), matches.value_source(&id))
        }
        None => match key.env.as_ref().and_then(std::env::var_os) {
            Some(value) => (Some(value.to_string_lossy().into_owned()), Some(ValueSource::EnvVariable)),
            None => {
                let switch = (key.shape == Shape::Switch).then(|| "false".to_owned());
                (entry.map(|e| e.values.join(",")).or_else(|| key.default.clone()).or(switch), None)
            }
        },
    };
    // A profile from a layer with a higher priority replaces it.
    let overruled = key.name == "context" && super::profile_over_context(matches) == Some(Ordering::Greater);
    let value = value.filter(|_| !overruled);
    let (origin, place) = match (source, entry) {
        (Some(ValueSource::CommandLine), _) => ("flag", None),
        (Some(ValueSource::EnvVariable), _) => ("env", key.env.clone()),
        (_, Some(entry)) => {
            let whose = layers.files.iter().find(|found| found.path == entry.file).map(|found| found.whose);
            (name(whose.unwrap_or(Whose::Project)), Some(place(entry)))
        }
        _ => ("default", None),
    };
    let left_out = layers.left_out.iter().find(|entry| entry.key == key.name).map(|entry| LeftOut {
        value: redact::text(&entry.values.join(",")),
        place: self::place(entry),
        why: NOT_TRUSTED,
    });
    let value = value.map(|value| redact::shapes(&value));
    Shown { key: key.name.clone(), value, origin, place, left_out }
}

/// The id of a setting among this command's own arguments. clap itself checks only in debug builds whether it exists.
fn id_of(key: &Key) -> Option<String> {
    let command = Cli::command();
    let show = command.find_subcommand("config").and_then(|config| config.find_subcommand("show"));
    let mut args = command.get_arguments().chain(show.into_iter().flat_map(Command::get_arguments));
    args.find(|arg| arg.get_id() == key.id.as_str()).map(|arg| arg.get_id().to_string())
}

fn name(whose: Whose) -> &'static str {
    match whose {
        Whose::User => "user",
        Whose::Project => "project",
    }
}

fn place(entry: &Entry) -> String {
    format!("{}:{}", entry.file.display(), entry.line)
}

fn file(found: &Found) -> File {
    let why = match &found.belief {
        Belief::Whole => None,
        Belief::What => {
            Some("it is not trusted: settings that name sources or destinations are ignored".to_owned())
        }
        Belief::None(why) => Some(why.clone()),
    };
    File {
        path: found.path.display().to_string(),
        whose: name(found.whose),
        believed: !matches!(found.belief, Belief::None(_)),
        trusted: found.trusted,
        why,
    }
}

/// Below the table: the settings that have no effect, and why.
fn ignored_settings(document: &Document) -> String {
    let mut lines = String::new();
    for file in &document.files {
        if let Some(why) = file.why.as_ref().filter(|_| !file.believed) {
            lines.push_str(&format!("ignored: {}: {why}\n", file.path));
        }
    }
    for setting in &document.settings {
        if let Some(LeftOut { value, place, why }) = &setting.left_out {
            lines.push_str(&format!("ignored: {place}: {}: {value}: {why}\n", setting.key));
        }
    }
    if lines.is_empty() { lines } else { format!("\n{lines}") }
}

fn table(settings: &[Shown], origins: bool) -> String {
    let mut table =
        if origins { Table::new(["SETTING", "VALUE", "FROM"]) } else { Table::new(["SETTING", "VALUE"]) };
    for setting in settings {
        let value = setting.value.as_deref().unwrap_or("-");
        if origins {
            let place = setting.place.as_deref().map_or_else(String::new, |place| format!(" {place}"));
            table.row([setting.key.as_str(), value, &format!("{}{place}", setting.origin)]);
        } else {
            table.row([setting.key.as_str(), value]);
        }
    }
    super::drawn(&table)
}

fn write(file: &Path, force: bool) -> Result<()> {
    let failed = |e: std::io::Error| {
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            let message = format!("{} already exists", file.display());
            let failure = Failure::new(errors::CONFIG_EXISTS, Kind::Foreign, message)
                .hint(format!(
                    "show the current settings: {}",
                    CommandLine::new("kstrim config show --origins")
                ))
                .hint(format!("replace it: {}", CommandLine::typed(Vec::new()).arg("--force")));
            return Box::new(failure);
        }
        let message = format!("{} cannot be written", file.display());
        Box::new(Failure::new(errors::CONFIG_UNWRITABLE, Kind::Task, message).because(e).hint(
            "free disk space, change to a directory that you own, or set another one for --user: \
             XDG_CONFIG_HOME",
        ))
    };
    if let Some(folder) = file.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    let mut opened = options.open(file).map_err(failed)?;
    opened.write_all(keys::commented().as_bytes()).map_err(|e| {
        // An incomplete file would count as an existing one.
        if !force {
            let _ = std::fs::remove_file(file);
        }
        failed(e)
    })
}
