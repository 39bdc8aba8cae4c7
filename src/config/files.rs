//! Settings from files: the user's own, and the project's, which takes precedence. Their values become the defaults
//! of the command line, so that flags and environment variables override them by clap's own rules.
//!
//! Not every file is accepted ([`super::belief`]), and the settings of a project's file that name sources or
//! destinations take effect only if the user has trusted exactly that content ([`super::trust`]).

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use clap::builder::Resettable;
use clap::{Arg, Command};

use super::belief::{Me, Opened};
pub(crate) use super::entry::Entry;
use super::keys;
pub use super::parse::parse;
use super::trust::Trust;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The project's file, in the working directory or a directory above it.
pub(crate) const PROJECT_FILE: &str = "kstrim.yaml";

/// Whose file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The user's own, in the configuration directory.
    User,
    /// A project's, which may come from anybody.
    Project,
}

/// How much of a file takes effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Belief {
    /// All of it: it is the user's own, or trusted.
    Whole,
    /// A project's file that is not trusted: only the settings that say what to create.
    What,
    /// Nothing, and why: one clause.
    None(String),
}

/// A file that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Where.
    pub path: PathBuf,
    /// Whose.
    pub whose: Whose,
    /// How much of it takes effect.
    pub belief: Belief,
    /// Whether its exact content is trusted.
    pub trusted: bool,
}

/// The settings from files, lowest precedence first.
#[derive(Debug, Default)]
pub(crate) struct Layers {
    entries: Vec<Entry>,
    /// Settings of an untrusted file that take effect only in a trusted one.
    pub left_out: Vec<Entry>,
    /// The files that were found.
    pub files: Vec<Found>,
}

/// The user's own file, `kstrim/config.yaml` in the platform's configuration directory.
pub(crate) fn user_file() -> Option<PathBuf> {
    dirs::config_dir().filter(|folder| folder.is_absolute()).map(|folder| folder.join("kstrim/config.yaml"))
}

/// The project's file: the nearest in `directory` or its parents, whatever its type. Directories above the repository
/// or the home directory are not part of the project: they may belong to anybody.
pub(crate) fn project_file(folder: &Path) -> Option<PathBuf> {
    let home = dirs::home_dir();
    for at in folder.ancestors() {
        let file = at.join(PROJECT_FILE);
        if file.symlink_metadata().is_ok() {
            return Some(file);
        }
        if at.join(".git").exists() || home.as_deref() == Some(at) {
            break;
        }
    }
    None
}

impl Layers {
    /// Read the existing files: the user's, then the project's.
    pub(crate) fn read() -> Result<Self> {
        let project = std::env::current_dir().ok().and_then(|folder| project_file(&folder));
        let user = user_file().filter(|file| file.symlink_metadata().is_ok());
        let (me, trust) = (Me::now(), Trust::default());
        let mut layers = Self::default();
        for (file, whose) in [(user, Whose::User), (project, Whose::Project)] {
            if let Some(file) = file {
                layers.add(&file, whose, &me, &trust)?;
            }
        }
        Ok(layers)
    }

    fn add(&mut self, file: &Path, whose: Whose, me: &Me, trust: &Trust) -> Result<()> {
        let failed = |e: std::io::Error| unreadable(file, &e.to_string());
        let opened = Opened::at(file).map_err(failed)?;
        let doubt = me.reason_to_reject(file, &opened.meta).map_err(failed)?;
        let mut found = Found { path: file.to_owned(), whose, belief: Belief::Whole, trusted: false };
        let record = trust.of(file);
        // A file that is not accepted is not read, unless some content of it was trusted before.
        if let (Some(why), None) = (&doubt, &record) {
            found.belief = Belief::None(why.clone());
            self.files.push(found);
            return Ok(());
        }
        let bytes = opened.read().map_err(failed)?;
        found.trusted = record.is_some_and(|record| record.holds(&bytes));
        if let Some(why) = doubt.filter(|_| !found.trusted) {
            found.belief = Belief::None(format!("{why}, and its content is not trusted"));
            self.files.push(found);
            return Ok(());
        }
        let text = String::from_utf8(bytes).map_err(|_| unreadable(file, "it is not UTF-8"))?;
        let entries = parse(file, &text)?;
        let whole = found.trusted || whose == Whose::User;
        let (counts, left_out): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| whole || !keys::needs_trust(entry));
        if !left_out.is_empty() {
            found.belief = Belief::What;
        }
        self.entries.extend(counts);
        self.left_out.extend(left_out);
        self.files.push(found);
        Ok(())
    }

    /// The value of a setting that takes precedence among the files.
    pub(crate) fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The command line with the files' values as its defaults.
    pub(crate) fn as_defaults_of(&self, command: Command) -> Command {
        // A variable with an empty value is ignored; CI systems set variables without a value to the empty string.
        let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let set = |arg: Arg| {
            // A setting is an argument that has a variable: determine that before the variable is removed.
            let entry =
                arg.get_long().filter(|_| keys::is_setting(&arg)).and_then(|name| self.get(name)).cloned();
            let arg = match arg.get_env() {
                Some(name) if is_empty(name) => arg.env(Resettable::Reset),
                _ => arg,
            };
            match entry {
                Some(entry) => arg.default_values(entry.values),
                None => arg,
            }
        };
        let verb = |verb: Command| verb.mut_args(set).mut_subcommands(|verb| verb.mut_args(set));
        command.mut_args(set).mut_subcommands(verb)
    }
}

/// The failure of a settings file that cannot be read.
pub(crate) fn unreadable(file: &Path, why: &str) -> Box<Failure> {
    let message = format!("the settings file {} cannot be read", file.display());
    Box::new(Failure::new(errors::CONFIG_UNREADABLE, Kind::Usage, message).because(why))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn the_project_overrides_the_user_and_flags_override_both() {
        let mut layers = Layers::default();
        for (file, text) in [("/u.yaml", "memory: 5g\ncpus: 3\n"), ("/p.yaml", "memory: 6g\n")] {
            layers.entries.extend(parse(Path::new(file), text).expect(text));
        }
        assert_eq!(layers.get("memory").expect("memory").file, Path::new("/p.yaml"));
        let matches = layers
            .as_defaults_of(Cli::command())
            .try_get_matches_from(["kstrim", "up", "--cpus", "8"])
            .expect("parses");
        let up = matches.subcommand_matches("up").expect("up");
        let text = |id: &str| up.get_one::<String>(id).cloned();
        assert_eq!((text("memory"), text("cpus")), (Some("6g".into()), Some("8".into())));
    }

    #[test]
    fn every_command_uses_the_files() {
        let text = "profile: p2\nnamespace: ns\ntopic: t\nstock: true\noutput: plain\ntimeout: 10m\n";
        let layers = Layers { entries: parse(Path::new("/p.yaml"), text).expect(text), ..Layers::default() };
        for verb in ["up", "plan", "render", "status", "smoke-test", "down", "env"] {
            let matches = layers
                .as_defaults_of(Cli::command())
                .try_get_matches_from(["kstrim", verb])
                .unwrap_or_else(|e| panic!("{e}"));
            let of = matches.subcommand_matches(verb).expect(verb);
            let profile = of.get_one::<crate::names::ProfileName>("profile").expect("a profile");
            assert_eq!(profile.as_str(), "p2", "{verb}");
        }
    }

    #[test]
    fn an_untrusted_project_file_takes_effect_only_in_part() {
        let root = tempfile::tempdir().expect("a folder");
        let trust = Trust::at(root.path().join("trust"));
        let file = root.path().join(PROJECT_FILE);
        let text = "memory: 6g\nmirror: https://mirror.example\ndriver: docker\n";
        std::fs::write(&file, text).expect("a file");
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).expect("a mode");
        let read = |whose| {
            let mut layers = Layers::default();
            layers.add(&file, whose, &Me::now(), &trust).expect("read");
            layers
        };
        let layers = read(Whose::Project);
        assert!(layers.get("memory").is_some() && layers.get("driver").is_some());
        assert!(layers.get("mirror").is_none());
        assert_eq!((layers.left_out.len(), &layers.files[0].belief), (1, &Belief::What));
        assert!(read(Whose::User).get("mirror").is_some(), "the user's own file needs no trust");
        trust.record_trust(&file, text.as_bytes()).expect("trusted");
        let layers = read(Whose::Project);
        assert!(layers.get("mirror").is_some() && layers.files[0].trusted);
        std::fs::write(&file, format!("{text}# changed\n")).expect("a file");
        assert!(read(Whose::Project).get("mirror").is_none());
        // In a world-writable directory, only the exact content that was trusted takes effect.
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o666)).expect("a mode");
        let layers = read(Whose::Project);
        assert!(layers.get("memory").is_none(), "{:?}", layers.files);
        std::fs::write(&file, text).expect("a file");
        assert!(read(Whose::Project).get("mirror").is_some());
    }
}
