//! `kstrim config`: what the settings are and where each comes from.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::ArgMatches;
use clap::parser::ValueSource;
use serde::Serialize;

use crate::cli::{Config, ConfigVerb, Format};
use crate::config::files::{self, Layers};
use crate::config::keys::{self, Key, Shape};
use crate::failure::{Failure, Id, Kind, Result};
use crate::report::table::Table;
use crate::report::{self, OutputMode};

/// A settings file is there already.
pub const EXISTS: Id = Id("KS-CONFIG-EXISTS");
/// A settings file cannot be written.
pub const UNWRITABLE: Id = Id("KS-CONFIG-UNWRITABLE");

/// A setting as it holds now.
#[derive(Debug, Serialize)]
struct Shown {
    /// Its name.
    key: String,
    /// Its value; a list is joined by commas. None: nothing is asked for.
    value: Option<String>,
    /// `flag`, `env`, `project`, `user` or `default`.
    origin: &'static str,
    /// The variable, or the file and line.
    #[serde(rename = "where")]
    place: Option<String>,
}

/// `matches` are those of the whole command line.
///
/// # Errors
/// [`EXISTS`], [`UNWRITABLE`].
pub fn run(args: &Config, matches: &ArgMatches, layers: &Layers) -> Result<ExitCode> {
    match &args.verb {
        ConfigVerb::Show(show) => {
            let matches = matches.subcommand_matches("config").and_then(|m| m.subcommand_matches("show"));
            let Some(matches) = matches else { unreachable!("the verb that was parsed") };
            let settings: Vec<Shown> = keys::all().iter().map(|key| shown(key, matches, layers)).collect();
            let text = match show.format {
                Format::Json => super::json(&settings),
                Format::Yaml => super::yaml(&settings),
                Format::Text => table(&settings, show.origins),
            };
            super::print(&text);
        }
        ConfigVerb::Init(init) => {
            let file = match (init.user, files::user_file()) {
                (true, Some(file)) => file,
                _ => PathBuf::from(files::PROJECT_FILE),
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
    // `output` and `timeout` are no flags of this verb: their layers are looked at by hand. Which flags it has is
    // asked of `ids`: whether the look-ups by id reject one that the verb does not know depends on how clap was built.
    let has_a_value = matches.ids().any(|id| id.as_str() == key.id);
    let (value, source) = if !has_a_value {
        match key.env.as_ref().and_then(std::env::var_os) {
            Some(value) => (Some(value.to_string_lossy().into_owned()), Some(ValueSource::EnvVariable)),
            None => {
                let entry = entry.filter(|e| !e.values.is_empty());
                (entry.map(|e| e.values.join(",")).or_else(|| key.default.clone()), None)
            }
        }
    } else if key.shape == Shape::Switch {
        (Some(matches.get_flag(&key.id).to_string()), matches.value_source(&key.id))
    } else {
        let raw = matches.get_raw(&key.id).into_iter().flatten();
        let values: Vec<String> = raw.map(|v| v.to_string_lossy().into_owned()).collect();
        ((!values.is_empty()).then(|| values.join(",")), matches.value_source(&key.id))
    };
    let (origin, place) = match (source, entry) {
        (Some(ValueSource::CommandLine), _) => ("flag", None),
        (Some(ValueSource::EnvVariable), _) => ("env", key.env.clone()),
        (_, Some(entry)) => {
            let user = files::user_file().is_some_and(|file| file == entry.file);
            (if user { "user" } else { "project" }, Some(format!("{}:{}", entry.file.display(), entry.line)))
        }
        _ => ("default", None),
    };
    Shown { key: key.name.clone(), value, origin, place }
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
    let mode =
        report::resolve(OutputMode::Auto, super::stdout_is_terminal(), false, &|n| std::env::var(n).ok());
    table.render(mode.stdout, report::stdout_columns())
}

fn write(file: &Path, force: bool) -> Result<()> {
    let failed = |e: std::io::Error| {
        if e.kind() == std::io::ErrorKind::AlreadyExists {
            let message = format!("{} is there already", file.display());
            let failure = Failure::new(EXISTS, Kind::Foreign, message)
                .hint("see what holds: kstrim config show --origins")
                .hint("write it anew: kstrim config init --force");
            return Box::new(failure);
        }
        let message = format!("{} cannot be written", file.display());
        Box::new(Failure::new(UNWRITABLE, Kind::Task, message).because(e))
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
    opened.write_all(keys::commented().as_bytes()).map_err(failed)
}
