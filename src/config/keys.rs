//! The settings that a file may hold: those flags of `kstrim up` that have a name in the environment
//! too, and what is handed on to minikube. What a flag takes and means is said once, in [`crate::cli`].

use clap::{Arg, ArgAction, Command, CommandFactory};
use serde_json::{Map, Value, json};

use crate::cli::Cli;

/// What a setting's value is in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// true or false.
    Switch,
    /// A list, or one value.
    List,
    /// One value.
    One,
}

/// A setting.
#[derive(Debug)]
pub struct Key {
    /// The flag's long name, which is its name in a file.
    pub name: String,
    /// The argument's id in clap's matches.
    pub id: String,
    /// Shape of its value.
    pub shape: Shape,
    /// Environment variable, if it has one.
    pub env: Option<String>,
    /// What it is, one line.
    pub about: String,
    /// Heading it stands under in the help.
    pub heading: Option<String>,
    /// Built-in default.
    pub default: Option<String>,
    /// The only values it takes, where these are few.
    pub choices: Vec<String>,
    /// Whether a value that is a relative path means one beside the file.
    pub path: bool,
}

/// Every setting, in the order of the help.
pub fn all() -> Vec<Key> {
    let command = Cli::command();
    let up = command.find_subcommand("up").into_iter().flat_map(Command::get_arguments);
    command.get_arguments().chain(up).filter(|arg| is_setting(arg)).map(key).collect()
}

/// Whether an argument can be set by a file. Consent (`--adopt`) is given anew each time.
pub fn is_setting(arg: &Arg) -> bool {
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
        path: ["manifests", "mirror", "image-archive", "image-pull-config", "bundle"]
            .contains(&name.as_str()),
        name,
    }
}

/// The JSON Schema of a settings file, for editors.
pub fn schema() -> Value {
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
        property["description"] = json!(key.about);
        if let Some(default) = key.default {
            property["default"] = json!(default);
        }
        properties.insert(key.name, property);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "kstrim.yaml",
        "description": "Settings of kstrim, of a project (kstrim.yaml) or a user (kstrim/config.yaml in the configuration folder)",
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    })
}

/// A settings file with every key commented out, each with what it is and its default.
pub fn commented() -> String {
    let mut text = String::from(
        "# Settings of kstrim. A flag wins over an environment variable, that over this file in a project,\n\
         # that over the user's own. `kstrim config show --origins` tells what holds, and why.\n",
    );
    let mut heading = None;
    for key in all() {
        if heading != Some(key.heading.clone()) {
            let title = key.heading.as_deref().unwrap_or("Which cluster, and how to talk");
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
