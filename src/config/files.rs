//! Settings from files: the user's own, and the project's over it. Their values become the defaults of
//! the command line, so that flags and environment variables win over them by clap's own order.

use std::path::{Path, PathBuf};

use clap::{Arg, Command, CommandFactory};
use serde_yaml::Value;

use super::keys::{self, Key, Shape};
use crate::cli::Cli;
use crate::failure::{Failure, Id, Kind, Result};

/// A settings file cannot be read, or is no YAML.
pub const UNREADABLE: Id = Id("KS-CONFIG-UNREADABLE");
/// A settings file has a key that does not exist.
pub const UNKNOWN_KEY: Id = Id("KS-CONFIG-KEY");
/// A settings file has a value that cannot be.
pub const VALUE: Id = Id("KS-CONFIG-VALUE");

/// The project's file, in the working directory or a folder above it.
pub const PROJECT_FILE: &str = "kstrim.yaml";
/// A file of settings is short; more is a mistake, or an attack on the parser. Bytes.
const LIMIT: u64 = 64 * 1024;

/// Where a value stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The setting's name.
    pub key: String,
    /// Its values, as they would be written after the flag.
    pub values: Vec<String>,
    /// The file.
    pub file: PathBuf,
    /// Line in it, from 1.
    pub line: usize,
}

/// What the files say, the weaker first.
#[derive(Debug, Default)]
pub struct Layers {
    entries: Vec<Entry>,
    /// The files that were read.
    pub files: Vec<PathBuf>,
}

/// The user's own file, `kstrim/config.yaml` in the platform's configuration folder.
pub fn user_file() -> Option<PathBuf> {
    dirs::config_dir().map(|folder| folder.join("kstrim/config.yaml"))
}

/// The project's file: the nearest at or above `folder`. What is above the repository or the home is no
/// part of the project: it may be anybody's.
pub fn project_file(folder: &Path) -> Option<PathBuf> {
    let home = dirs::home_dir();
    for at in folder.ancestors() {
        let file = at.join(PROJECT_FILE);
        if file.is_file() {
            return Some(file);
        }
        if at.join(".git").exists() || home.as_deref() == Some(at) {
            break;
        }
    }
    None
}

impl Layers {
    /// Read what there is: the user's file, then the project's.
    ///
    /// # Errors
    /// [`UNREADABLE`], [`UNKNOWN_KEY`], [`VALUE`], each naming file and line.
    pub fn read() -> Result<Self> {
        let project = std::env::current_dir().ok().and_then(|folder| project_file(&folder));
        let files = [user_file().filter(|file| file.is_file()), project];
        let mut layers = Self::default();
        for file in files.into_iter().flatten() {
            let text = text(&file)?;
            layers.entries.extend(parse(&file, &text)?);
            layers.files.push(file);
        }
        Ok(layers)
    }

    /// The value of a setting that wins among the files.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.key == key)
    }

    /// The command line with the files' values as its defaults.
    pub fn over(&self, command: Command) -> Command {
        if self.entries.is_empty() {
            return command;
        }
        let set = |arg: Arg| {
            let entry = arg.get_long().and_then(|name| self.get(name));
            match entry.filter(|_| keys::is_setting(&arg)) {
                Some(entry) => arg.default_values(entry.values.clone()),
                None => arg,
            }
        };
        let verb = |verb: Command| verb.mut_args(set).mut_subcommands(|verb| verb.mut_args(set));
        command.mut_args(set).mut_subcommands(verb)
    }
}

fn text(file: &Path) -> Result<String> {
    let failed = |why: String| {
        let message = format!("the settings file {} cannot be read", file.display());
        Box::new(Failure::new(UNREADABLE, Kind::Usage, message).because(why))
    };
    let size = std::fs::metadata(file).map_err(|e| failed(e.to_string()))?.len();
    if size > LIMIT {
        return Err(failed(format!("it has {size} bytes; settings take less than {LIMIT}")));
    }
    std::fs::read_to_string(file).map_err(|e| failed(e.to_string()))
}

/// The settings of one file's text.
///
/// # Errors
/// [`UNREADABLE`], [`UNKNOWN_KEY`], [`VALUE`].
pub fn parse(file: &Path, text: &str) -> Result<Vec<Entry>> {
    let value: Value = serde_yaml::from_str(text).map_err(|e| {
        let line = e.location().map_or_else(String::new, |at| format!(":{}", at.line()));
        let message = format!("{}{line} is not YAML", file.display());
        Box::new(Failure::new(UNREADABLE, Kind::Usage, message).because(e))
    })?;
    let mapping = match value {
        Value::Null => return Ok(Vec::new()),
        Value::Mapping(mapping) => mapping,
        _ => {
            let message = format!("{} holds no settings", file.display());
            let failure = Failure::new(UNREADABLE, Kind::Usage, message)
                .because("it takes lines such as `memory: 6g`")
                .hint("begin with a file that has all of them: kstrim config init");
            return Err(Box::new(failure));
        }
    };
    let known = keys::all();
    let mut entries = Vec::new();
    for (name, value) in mapping {
        let name = scalar(&name).unwrap_or_default();
        let line = line_of(text, &name);
        let Some(key) = known.iter().find(|key| key.name == name) else {
            return Err(unknown(file, line, &name, &known));
        };
        let wrong = |why: String| {
            let message = format!("{}:{line}: {name} has a value that it cannot take", file.display());
            Box::new(Failure::new(VALUE, Kind::Usage, message).because(why))
        };
        let mut values = values(key, &value).map_err(wrong)?;
        check(key, &values).map_err(wrong)?;
        if key.path {
            values = values.into_iter().map(|value| beside(file, value)).collect();
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
        // YAML reads 4.10 as the number 4.1: what was written is lost.
        Value::Number(number) if number.is_f64() => {
            Err(format!("a number with a point loses its zeros: write it in quotes, \"{number}\""))
        }
        Value::Number(number) => Ok(number.to_string()),
        Value::Null => Err("it has no value".into()),
        _ => Err("it takes one value".into()),
    }
}

fn values(key: &Key, value: &Value) -> std::result::Result<Vec<String>, String> {
    match (key.shape, value) {
        (Shape::List, Value::Sequence(all)) => all.iter().map(scalar).collect(),
        (Shape::Switch, value) if !value.is_bool() => Err("it takes true or false".into()),
        (_, value) => Ok(vec![scalar(value)?]),
    }
}

/// Let the command line judge the values, as if they were flags.
fn check(key: &Key, values: &[String]) -> std::result::Result<(), String> {
    if key.shape == Shape::Switch {
        return Ok(());
    }
    let flags = values.iter().map(|value| format!("--{}={value}", key.name));
    let words = ["kstrim".to_owned(), "up".to_owned()].into_iter().chain(flags);
    match Cli::command().try_get_matches_from(words) {
        Ok(_) => Ok(()),
        Err(error) => {
            let text = error.render().to_string();
            let all: Vec<&str> = text.lines().take_while(|line| !line.contains("--help")).collect();
            Err(all.join(" ").trim().trim_start_matches("error: ").to_owned())
        }
    }
}

/// A relative path means one beside the file, wherever kstrim is run.
fn beside(file: &Path, value: String) -> String {
    match file.parent() {
        Some(folder) if !value.contains("://") => folder.join(&value).to_string_lossy().into_owned(),
        _ => value,
    }
}

/// The line of a key at the top level; YAML's parser keeps none.
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
    let message = format!("{}:{line}: there is no setting {name:?}", file.display());
    let failure = Failure::new(UNKNOWN_KEY, Kind::Usage, message);
    Box::new(match near {
        Some((_, near)) => failure.hint(format!("did you mean `{near}`?")),
        None => failure.hint("all of them: kstrim config show"),
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
    fn values_are_as_after_a_flag() {
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
    fn a_relative_path_is_beside_the_file() {
        assert_eq!(values("manifests: deploy/strimzi.yaml", "manifests"), ["/p/deploy/strimzi.yaml"]);
        assert_eq!(values("manifests: /deploy/strimzi.yaml", "manifests"), ["/deploy/strimzi.yaml"]);
        assert_eq!(values("mirror: https://mirror.example/x", "mirror"), ["https://mirror.example/x"]);
    }

    #[test]
    fn what_cannot_be_is_named_with_its_line() {
        for (text, id, words) in [
            ("cpus: 2\nmemori: 4g\n", UNKNOWN_KEY, "/p/kstrim.yaml:2"),
            ("adopt: true\n", UNKNOWN_KEY, "there is no setting"),
            ("\nnamespace: My_Kafka\n", VALUE, ":2: namespace"),
            ("nodes: 0\n", VALUE, ":1: nodes"),
            ("stock: maybe\n", VALUE, ":1: stock"),
            ("kafka: 4.10\n", VALUE, ":1: kafka"),
            ("topic: [a, b]\n", VALUE, ":1: topic"),
            ("memory:\n", VALUE, ":1: memory"),
            ("memory: [4g\n", UNREADABLE, "is not YAML"),
            ("just words\n", UNREADABLE, "holds no settings"),
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
    fn the_stronger_file_wins_and_flags_win_over_it() {
        let mut layers = Layers::default();
        for (file, text) in [("/u.yaml", "memory: 5g\ncpus: 3\n"), ("/p.yaml", "memory: 6g\n")] {
            layers.entries.extend(parse(Path::new(file), text).expect(text));
        }
        assert_eq!(layers.get("memory").expect("memory").file, Path::new("/p.yaml"));
        let matches = layers
            .over(Cli::command())
            .try_get_matches_from(["kstrim", "up", "--cpus", "8"])
            .expect("parses");
        let up = matches.subcommand_matches("up").expect("up");
        let text = |id: &str| up.get_one::<String>(id).cloned();
        assert_eq!((text("memory"), text("cpus")), (Some("6g".into()), Some("8".into())));
    }

    #[test]
    fn every_verb_takes_what_the_files_say() {
        let text = "profile: p2\nnamespace: ns\ntopic: t\nstock: true\noutput: plain\ntimeout: 10m\n";
        let layers = Layers { entries: parse(Path::new("/p.yaml"), text).expect(text), files: Vec::new() };
        for verb in ["up", "plan", "render", "status", "smoke-test", "down", "env"] {
            let matches = layers
                .over(Cli::command())
                .try_get_matches_from(["kstrim", verb])
                .unwrap_or_else(|e| panic!("{e}"));
            let of = matches.subcommand_matches(verb).expect(verb);
            let profile = of.get_one::<crate::names::ProfileName>("profile").expect("a profile");
            assert_eq!(profile.as_str(), "p2", "{verb}");
        }
    }
}
