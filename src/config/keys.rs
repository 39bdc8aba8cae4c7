//! The settings that a file may contain: the flags of `kstrim up` that also have an environment variable, and those
//! passed to minikube. What a flag accepts and means is defined once, in [`crate::cli`].

use clap::{Arg, ArgAction, Command, CommandFactory};
use serde_json::{Map, Value, json};

use super::entry::Entry;
use crate::cli::Cli;
use crate::names::machine::is_contained_driver;

/// The type of a setting's value in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// true or false.
    Switch,
    /// A list, or one value.
    List,
    /// One value.
    One,
}

/// What a setting decides, and therefore who may set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// What is created: a project may set it.
    What,
    /// Which cluster a command works on: a project may set it, but that must not determine what is deleted.
    Target,
    /// Where things come from or go to, or what else is run: in a project's file it takes effect only if the file is
    /// trusted. If it is ignored, the result is identical: downloads are verified against pinned digests.
    Source,
    /// The same, but if it were ignored, something else would be installed, or on another cluster: the command must
    /// stop.
    Place,
    /// [`Class::What`] for some values, [`Class::Place`] for others.
    Driver,
}

/// The class of every setting. A missing one is treated as [`Class::Place`], and a test fails.
const CLASSES: [(&str, Class); 36] = [
    ("profile", Class::Target),
    ("context", Class::Place),
    ("namespace", Class::Target),
    ("cluster", Class::Target),
    ("release", Class::What),
    ("kafka", Class::What),
    ("preset", Class::What),
    ("topic", Class::What),
    ("with", Class::What),
    ("storage", Class::What),
    ("broker-jvm", Class::What),
    ("stock", Class::What),
    ("allow-unsupported", Class::What),
    ("filename", Class::Place),
    ("fit", Class::What),
    ("manifests", Class::Place),
    ("mirror", Class::Source),
    ("offline", Class::What),
    ("download-timeout", Class::What),
    ("system-tools", Class::Source),
    ("bundle", Class::Place),
    ("image-archive", Class::Place),
    ("image-cache", Class::What),
    ("image-registry", Class::Place),
    ("image-pull-secret", Class::Place),
    ("image-pull-config", Class::Place),
    ("tool-digests", Class::Source),
    ("driver", Class::Driver),
    ("memory", Class::What),
    ("cpus", Class::What),
    ("nodes", Class::What),
    ("kubernetes-version", Class::What),
    ("minikube-arg", Class::Place),
    ("output", Class::What),
    ("timeout", Class::What),
    ("no-diagnose", Class::What),
];

/// The class of a setting.
pub fn class(name: &str) -> Option<Class> {
    CLASSES.iter().find(|(known, _)| *known == name).map(|(_, class)| *class)
}

/// Whether an entry of a project's file takes effect only if the file is trusted.
pub(crate) fn needs_trust(entry: &Entry) -> bool {
    match class(&entry.key) {
        Some(Class::What | Class::Target) => false,
        // `none` runs Kubernetes on the machine itself, `ssh` on another one.
        Some(Class::Driver) => !entry.values.iter().all(|name| is_contained_driver(name)),
        Some(Class::Source | Class::Place) | None => true,
    }
}

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// The flag's long name, also its name in a file.
    pub name: String,
    /// The argument's id in clap's matches.
    pub id: String,
    /// The type of its value.
    pub shape: Shape,
    /// Environment variable, if it has one.
    pub env: Option<String>,
    /// Its description, one line.
    pub about: String,
    /// Its heading in the help.
    pub heading: Option<String>,
    /// Built-in default.
    pub default: Option<String>,
    /// All possible values, if they are few.
    pub choices: Vec<String>,
    /// Whether a relative path is relative to the file.
    pub path: bool,
}

/// Every setting, in the order of the help.
pub fn all() -> Vec<Key> {
    let command = Cli::command();
    let up = command.find_subcommand("up").into_iter().flat_map(Command::get_arguments);
    command.get_arguments().chain(up).filter(|arg| is_setting(arg)).map(key).collect()
}

/// Whether a file may set an argument. Consent (`--adopt`) must be given each time.
pub(crate) fn is_setting(arg: &Arg) -> bool {
    arg.get_long().is_some() && (arg.get_env().is_some() || arg.get_id() == "minikube_arg")
}

fn key(arg: &Arg) -> Key {
    let shape = match arg.get_action() {
        ArgAction::SetTrue => Shape::Switch,
        ArgAction::Append => Shape::List,
        _ => Shape::One,
    };
    let text = |value: &std::ffi::OsStr| value.to_string_lossy().into_owned();
    let name = arg.get_long().unwrap_or_default().to_owned();
    Key {
        id: arg.get_id().to_string(),
        shape,
        env: arg.get_env().map(text),
        about: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        heading: arg.get_help_heading().map(str::to_owned),
        default: arg.get_default_values().first().map(|v| text(v)).filter(|_| shape != Shape::Switch),
        choices: if shape == Shape::One {
            arg.get_possible_values().iter().map(|v| v.get_name().to_owned()).collect()
        } else {
            Vec::new()
        },
        path: [
            "filename",
            "manifests",
            "mirror",
            "image-archive",
            "image-pull-config",
            "bundle",
            "tool-digests",
        ]
        .contains(&name.as_str()),
        name,
    }
}

/// The JSON Schema of a settings file, for editors.
pub(crate) fn schema() -> Value {
    let mut properties = Map::new();
    for key in all() {
        let one = json!({"type": ["string", "integer"]});
        let mut property = match key.shape {
            Shape::Switch => json!({"type": "boolean"}),
            Shape::List => {
                json!({"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]})
            }
            Shape::One if key.choices.is_empty() => one,
            Shape::One => json!({"type": "string", "enum": key.choices}),
        };
        let note = match class(&key.name) {
            Some(Class::What) => "",
            Some(Class::Target) => {
                " (in a project's file, commands that delete use it only after `kstrim trust`)"
            }
            Some(Class::Driver) => {
                " (in a project's file, `none` and `ssh` take effect only after `kstrim trust`)"
            }
            _ => " (in a project's file, it takes effect only after `kstrim trust`)",
        };
        property["description"] = json!(format!("{}{note}", key.about));
        if let Some(default) = key.default {
            property["default"] = json!(default);
        }
        properties.insert(key.name, property);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kstrim.yaml",
        "description": "Settings of kstrim, for a project (kstrim.yaml) or a user (kstrim/config.yaml in \
                        the configuration directory)",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A settings file with every key commented out, each with its description and default.
pub(crate) fn commented() -> String {
    let mut text = String::from(
        "# Settings of kstrim. A flag wins over an environment variable, that over this file in a project,\n\
         # that over the user's own. `kstrim config show --origins` tells what holds, and why.\n",
    );
    let mut heading = None;
    for key in all() {
        if heading != Some(key.heading.clone()) {
            let title = key.heading.as_deref().unwrap_or("Which cluster, and how to print");
            text.push_str(&format!("\n# --- {title}\n"));
            heading = Some(key.heading.clone());
        }
        let example = match (key.shape, &key.default) {
            (Shape::Switch, _) => "false".to_owned(),
            (Shape::List, _) => "[]".to_owned(),
            (Shape::One, Some(default)) => default.clone(),
            (Shape::One, None) => String::new(),
        };
        let choices =
            if key.choices.is_empty() { String::new() } else { format!(" ({})", key.choices.join(", ")) };
        text.push_str(&format!("# {}{choices}\n", key.about));
        text.push_str(format!("#{}: {example}", key.name).trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_has_a_class() {
        let names: Vec<String> = all().into_iter().map(|key| key.name).collect();
        let without: Vec<_> = names.iter().filter(|name| class(name).is_none()).collect();
        assert!(without.is_empty(), "say in CLASSES who may set these: {without:?}");
        let dead: Vec<_> = CLASSES.iter().filter(|(name, _)| !names.iter().any(|n| n == name)).collect();
        assert!(dead.is_empty(), "no such settings: {dead:?}");
        // A value that is a path or a URL names a source.
        for key in all().into_iter().filter(|key| key.path) {
            assert_ne!(class(&key.name), Some(Class::What), "{}", key.name);
        }
    }

    #[test]
    fn the_page_lists_who_may_set_each_setting() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/settings.md");
        let page = std::fs::read_to_string(path).expect("docs/settings.md");
        let table = page.split("\n\n").find(|part| part.starts_with("| settings |")).expect("the table");
        let first = table.lines().filter_map(|row| row.split('|').nth(1)).collect::<String>();
        let missing: Vec<_> =
            all().into_iter().map(|k| k.name).filter(|n| !first.contains(&format!("`{n}`"))).collect();
        assert!(missing.is_empty(), "no row in docs/settings.md has {missing:?}");
    }

    #[test]
    fn the_class_of_a_driver_depends_on_its_value() {
        let entry = |value: &str| Entry {
            key: "driver".into(),
            values: vec![value.into()],
            file: "/p/kstrim.yaml".into(),
            line: 1,
        };
        assert!(!needs_trust(&entry("docker")) && !needs_trust(&entry("kvm2")));
        assert!(needs_trust(&entry("none")) && needs_trust(&entry("ssh")) && needs_trust(&entry("generic")));
    }
}
