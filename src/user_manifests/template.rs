//! Recognizes charts and templates of Helm, which are not manifests until Helm has rendered them.

use std::path::Path;
use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

use super::document::{Lines, Origin, below};
use super::parse::{self, Fault};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind};

fn fixed(expression: &str) -> Regex {
    Regex::new(expression).unwrap_or_else(|e| unreachable!("the expression is fixed: {e}"))
}

/// A template action of a Helm chart. Prometheus' templates (`{{ $labels.pod }}`) have the same form.
static ACTION: LazyLock<Regex> = LazyLock::new(|| {
    fixed(
        r"\{\{-?\s*(/\*|\$|\.|\(|(if|else|end|range|with|define|template|include|block|toYaml|tpl|default|required|quote|printf)\b)",
    )
});

/// Objects that occur only in charts.
static CHART: LazyLock<Regex> = LazyLock::new(|| fixed(r"\{\{[^}]*\.(Values|Release|Chart|Capabilities)\b"));

/// Any template action, which may have several lines.
static BRACES: LazyLock<Regex> = LazyLock::new(|| fixed(r"(?s)\{\{.*?\}\}"));

/// The line of the template action because of which a text is not YAML; `None` if it would not be YAML without its
/// template actions either. Templates in quotes or in a block of text, as in rules of Prometheus, are valid YAML.
pub(super) fn cause(text: &str, fault: &Fault, most: usize) -> Option<usize> {
    if fault.too_large {
        return None;
    }
    let lines: Vec<&str> = text.lines().take(fault.line).collect();
    let is_action = |line: &&str| ACTION.is_match(line) || CHART.is_match(line);
    let line = lines.iter().rposition(is_action)? + 1;
    match parse::parse(&without_actions(text), most) {
        Err(still) if still.line == fault.line => None,
        _ => Some(line),
    }
}

/// The text with a word in place of each template action, or nothing where it is alone on its lines. All lines are
/// kept.
fn without_actions(text: &str) -> String {
    let word = |found: &Captures<'_>| {
        let action = found.get_match();
        let before = text[..action.start()].rsplit('\n').next().unwrap_or_default();
        let after = text[action.end()..].split('\n').next().unwrap_or_default();
        let alone = before.trim().is_empty() && after.trim().is_empty();
        let breaks = "\n".repeat(action.as_str().matches('\n').count());
        if alone { breaks } else { format!("x{breaks}") }
    };
    BRACES.replace_all(text, word).into_owned()
}

/// The line of a value that occurs only in charts, in a text that happens to be YAML. The values of a ConfigMap or
/// Secret may contain templates of any kind.
pub(super) fn in_value(value: &Value, lines: &Lines) -> Option<usize> {
    fn walk(value: &Value, lines: &Lines, pointer: &str) -> Option<usize> {
        match value {
            Value::String(text) => CHART.is_match(text).then(|| lines.of(pointer).map_or(1, Lines::line)),
            Value::Array(items) => {
                items.iter().enumerate().find_map(|(at, item)| walk(item, lines, &format!("{pointer}/{at}")))
            }
            Value::Object(map) => map.iter().find_map(|(key, value)| {
                let below = below(pointer, key);
                if CHART.is_match(key) {
                    return Some(lines.of(&below).map_or(1, Lines::line));
                }
                walk(value, lines, &below)
            }),
            _ => None,
        }
    }
    let map = value.as_object()?;
    let content = ["data", "stringData", "binaryData"];
    map.iter()
        .filter(|(key, _)| !content.contains(&key.as_str()))
        .find_map(|(key, value)| walk(value, lines, &below("", key)))
}

/// `KS-FILE-TEMPLATE` for a file.
pub(super) fn failure(origin: &Origin) -> Box<Failure> {
    Box::new(
        Failure::new(
            errors::FILE_TEMPLATE,
            Kind::Usage,
            format!("{origin}: this is a Helm template, not YAML"),
        )
        .because("it contains template actions ({{ ... }}), which only Helm can evaluate")
        .hint("render the chart first: helm template CHART | kstrim up -f -"),
    )
}

/// `KS-FILE-TEMPLATE` for a directory that is a chart.
pub(super) fn chart(directory: &Path) -> Option<Box<Failure>> {
    let has = |name: &str| directory.join(name).exists();
    let is_chart = has("Chart.yaml") && (has("values.yaml") || has("templates"));
    is_chart.then(|| {
        let message = format!("{} is a Helm chart, not a directory of manifests", directory.display());
        let render = CommandLine::new("helm template").arg(directory.display());
        Box::new(
            Failure::new(errors::FILE_TEMPLATE, Kind::Usage, message)
                .because(
                    "it contains a Chart.yaml, and its manifests are templates, which only Helm can evaluate",
                )
                .hint(format!("render it first: {render} | kstrim up -f -")),
        )
    })
}
