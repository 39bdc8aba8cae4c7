//! Strict validation of custom resources by the CustomResourceDefinitions of a Strimzi release.
//!
//! The API server drops unknown fields of a custom resource (`kubectl apply` only prints a warning), so a misspelt
//! field is silently ignored. Here it is an error that suggests the most similar name. A validator for JSON Schema
//! cannot be used: a structural schema (Kubernetes' variant) implicitly forbids unknown fields, except below
//! `x-kubernetes-preserve-unknown-fields`, has `nullable` and int-or-string, and treats null as absent. Rules in CEL
//! (`x-kubernetes-validations`) are left to the API server.

use std::cell::RefCell;
use std::collections::HashMap;

use regex::Regex;
use serde_json::{Map, Value};

use super::document::{Document, below, dotted};
use super::problem::{IN_QUOTES, Problem};
use super::replaced;
use super::shown::{is_secret, shown};
use crate::catalogue::Release;
use crate::errors;
use crate::manifest::Object;

/// The maximum number of problems that are collected.
const MOST: usize = 200;

/// The definitions of a release.
pub(crate) struct Definitions<'a> {
    release: &'a Release,
    by_kind: HashMap<(String, String), &'a Value>,
    patterns: RefCell<HashMap<String, Option<Regex>>>,
}

impl<'a> Definitions<'a> {
    /// The definitions in the release's install manifest.
    pub(crate) fn new(release: &'a Release, install: &'a [Object]) -> Self {
        let key = |definition: &'a Value| {
            let text =
                |pointer: &str| definition.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
            ((text("/spec/group").to_owned(), text("/spec/names/kind").to_owned()), definition)
        };
        let definitions = install.iter().filter(|object| object.kind() == "CustomResourceDefinition");
        let by_kind = definitions.map(|object| key(object.value())).collect();
        Self { release, by_kind, patterns: RefCell::default() }
    }

    /// All problems of documents with Strimzi's kinds, in the order of the documents.
    pub(crate) fn check(&self, documents: &[Document]) -> Vec<Problem> {
        let mut problems = Vec::new();
        for document in documents.iter().filter(|document| is_strimzi(&document.object)) {
            self.document(document, &mut problems);
            if problems.len() >= MOST {
                problems.truncate(MOST);
                break;
            }
        }
        problems
    }

    fn document(&self, document: &Document, problems: &mut Vec<Problem>) {
        let object = &document.object;
        let release = &self.release.version;
        let key = (object.group().to_owned(), object.kind().to_owned());
        let Some(definition) = self.by_kind.get(&key) else {
            let what = format!("is {}, which is not a kind of Strimzi {release}", object.kind());
            let mut problem = Problem::field(errors::FILE_SCHEMA, document, "/kind", what);
            let kinds = self.by_kind.keys().map(|(_, kind)| kind.as_str());
            if let Some(instead) = replaced::kind_instead(object.kind()) {
                problem = problem.hint(instead);
            } else if let Some(near) = nearest(object.kind(), kinds) {
                problem = problem.hint(format!("did you mean {near}?"));
            }
            problems.push(problem);
            return;
        };
        let version = object.api_version().rsplit('/').next().unwrap_or_default();
        let all = definition.pointer("/spec/versions").and_then(Value::as_array);
        let served: Vec<&Value> =
            all.into_iter().flatten().filter(|version| version["served"] == true).collect();
        let Some(served_version) = served.iter().find(|served| served["name"] == version) else {
            let names: Vec<&str> = served.iter().filter_map(|served| served["name"].as_str()).collect();
            let what = format!(
                "is {}, which Strimzi {release} does not serve; it serves {}",
                object.api_version(),
                names.join(", ")
            );
            problems.push(Problem::field(errors::FILE_SCHEMA, document, "/apiVersion", what));
            return;
        };
        if let Some(schema) = served_version.pointer("/schema/openAPIV3Schema") {
            let mut walk = Walk { definitions: self, document, problems };
            walk.object_root(schema);
        }
        problems.extend(replaced::check(document, self.release));
    }

    fn matches_pattern(&self, pattern: &str, text: &str) -> bool {
        let mut known = self.patterns.borrow_mut();
        let compiled = known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
        compiled.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

/// Whether it is a resource of one of Strimzi's API groups.
pub(crate) fn is_strimzi(object: &Object) -> bool {
    is_strimzi_group(object.group())
}

/// Whether an API group belongs to Strimzi.
pub(super) fn is_strimzi_group(group: &str) -> bool {
    matches!(group, "kafka.strimzi.io" | "core.strimzi.io")
}

/// The most similar name.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let likeness = |known: &'n str| {
        let same = known.eq_ignore_ascii_case(name);
        (if same { 1.0 } else { strsim::jaro_winkler(known, name) }, known)
    };
    let near = known.map(likeness).filter(|(likeness, _)| *likeness > 0.85);
    near.max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1))).map(|(_, known)| known)
}

struct Walk<'w, 'a> {
    definitions: &'w Definitions<'a>,
    document: &'w Document,
    problems: &'w mut Vec<Problem>,
}

impl Walk<'_, '_> {
    /// An object's own fields: apiVersion, kind and metadata are defined by Kubernetes, not in the schema.
    fn object_root(&mut self, schema: &Value) {
        let Value::Object(fields) = self.document.object.value() else { return };
        let known = schema.get("properties").and_then(Value::as_object);
        for (name, value) in fields {
            let pointer = below("", name);
            match (name.as_str(), known.and_then(|known| known.get(name))) {
                ("apiVersion" | "kind" | "metadata", _) => {}
                // Operators write the status; the API server ignores it in manifests.
                ("status", _) => {}
                (_, Some(schema)) => self.value(value, schema, &pointer),
                (_, None) if schema["x-kubernetes-preserve-unknown-fields"] == true => {}
                (_, None) => self.unknown(name, known, &pointer, "the resource"),
            }
        }
        self.required(fields, schema, "");
    }

    fn wrong(&mut self, pointer: &str, what: impl std::fmt::Display) {
        self.add(Problem::field(errors::FILE_SCHEMA, self.document, pointer, what));
    }

    fn shown(&self, value: &Value, pointer: &str) -> String {
        shown(self.document, pointer, value)
    }

    /// `, but is "x"`; empty if the value could be a secret, because its type says nothing about a limit.
    fn but_is(&self, value: &Value, pointer: &str) -> String {
        match is_secret(self.document, pointer) {
            true => String::new(),
            false => format!(", but is {}", self.shown(value, pointer)),
        }
    }

    fn add(&mut self, problem: Problem) {
        if self.problems.len() < MOST {
            self.problems.push(problem);
        }
    }

    fn unknown(&mut self, name: &str, known: Option<&Map<String, Value>>, pointer: &str, of: &str) {
        if self.problems.len() >= MOST {
            return;
        }
        let mut problem =
            Problem::field(errors::FILE_SCHEMA, self.document, pointer, format!("is not a field of {of}"));
        let near = known.and_then(|known| nearest(name, known.keys().map(String::as_str)));
        if let Some(instead) = replaced::instead(self.document.object.kind(), pointer) {
            problem = problem.hint(format!("{}: {instead}", dotted(pointer)));
        } else if let Some(near) = near {
            problem = problem.hint(format!("did you mean {near} instead of {name}?"));
        }
        self.add(problem);
    }

    fn required(&mut self, fields: &Map<String, Value>, schema: &Value, pointer: &str) {
        for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
            let Some(name) = name.as_str() else { continue };
            if fields.get(name).is_none_or(Value::is_null) {
                let missing = dotted(&below(pointer, name));
                self.wrong(pointer, format!("has no {}", missing.rsplit('.').next().unwrap_or(&missing)));
            }
        }
    }

    fn value(&mut self, value: &Value, schema: &Value, pointer: &str) {
        // The API server removes nulls from fields that are not nullable, or replaces them by the default.
        if value.is_null() || self.problems.len() >= MOST {
            return;
        }
        if schema["x-kubernetes-int-or-string"] == true {
            if !(value.is_string() || value.is_i64() || value.is_u64()) {
                let found = self.shown(value, pointer);
                self.wrong(pointer, format!("must be an integer or a string, but is {found}"));
            }
            self.limits(value, schema, pointer);
            return;
        }
        if let Some(expected) = schema.get("type").and_then(Value::as_str)
            && !belongs_to(value, expected)
        {
            let article = if matches!(expected, "integer" | "array" | "object") { "an" } else { "a" };
            let expected = match expected {
                "object" => "a mapping".to_owned(),
                "array" => "a sequence".to_owned(),
                other => format!("{article} {other}"),
            };
            let mut problem = Problem::field(
                errors::FILE_SCHEMA,
                self.document,
                pointer,
                format!("must be {expected}, but is {}", self.shown(value, pointer)),
            );
            if expected == "a string" && !value.is_object() && !value.is_array() {
                problem = problem.hint(IN_QUOTES);
            }
            self.add(problem);
            return;
        }
        self.limits(value, schema, pointer);
        match value {
            Value::Object(fields) => self.fields(fields, schema, pointer),
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    for (at, item) in items.iter().enumerate() {
                        self.value(item, schema, &format!("{pointer}/{at}"));
                    }
                }
            }
            _ => {}
        }
        if let Some(choices) = schema.get("oneOf").and_then(Value::as_array) {
            let fitting = choices.iter().filter(|choice| matches(value, choice)).count();
            if fitting != 1 {
                let names = choices.iter().flat_map(|choice| required_names(choice)).collect::<Vec<_>>();
                let count = if fitting == 0 { "none" } else { "several" };
                let what = format!("must have exactly one of {}, but has {count} of them", names.join(", "));
                self.wrong(pointer, what);
            }
        }
        if let Some(choices) = schema.get("anyOf").and_then(Value::as_array)
            && !choices.iter().any(|choice| matches(value, choice))
        {
            let found = self.shown(value, pointer);
            self.wrong(pointer, format!("fits none of the forms that the definition allows: {found}"));
        }
    }

    fn fields(&mut self, fields: &Map<String, Value>, schema: &Value, pointer: &str) {
        let known = schema.get("properties").and_then(Value::as_object);
        let others = schema.get("additionalProperties");
        let open = schema["x-kubernetes-preserve-unknown-fields"] == true
            || others.is_some_and(|others| *others == true)
            || known.is_none() && others.is_none() && schema.get("type").is_none();
        for (name, value) in fields {
            let pointer_of = below(pointer, name);
            match (known.and_then(|known| known.get(name)), others) {
                (Some(schema), _) => self.value(value, schema, &pointer_of),
                (None, Some(others)) if others.is_object() => self.value(value, others, &pointer_of),
                (None, _) if open => {}
                (None, _) => self.unknown(name, known, &pointer_of, &dotted(pointer)),
            }
        }
        self.required(fields, schema, pointer);
    }

    fn limits(&mut self, value: &Value, schema: &Value, pointer: &str) {
        if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
            && !allowed.contains(value)
        {
            let names: Vec<String> =
                allowed.iter().map(|a| a.as_str().map_or_else(|| a.to_string(), str::to_owned)).collect();
            let mut problem = Problem::field(
                errors::FILE_SCHEMA,
                self.document,
                pointer,
                format!("must be one of {}{}", names.join(", "), self.but_is(value, pointer)),
            );
            let near = value.as_str().and_then(|text| nearest(text, names.iter().map(String::as_str)));
            if let Some(near) = near.filter(|_| !is_secret(self.document, pointer)) {
                let found = self.shown(value, pointer);
                problem = problem.hint(format!("did you mean {near} instead of {found}?"));
            }
            self.add(problem);
        }
        let limit = |name: &str| schema.get(name).and_then(Value::as_f64);
        match value {
            Value::Number(number) => {
                let number = number.as_f64().unwrap_or_default();
                if let Some(least) = limit("minimum").filter(|least| number < *least) {
                    self.wrong(pointer, format!("must be at least {least}{}", self.but_is(value, pointer)));
                }
                if let Some(most) = limit("maximum").filter(|most| number > *most) {
                    self.wrong(pointer, format!("must be at most {most}{}", self.but_is(value, pointer)));
                }
            }
            Value::String(text) => {
                if let Some(pattern) = schema.get("pattern").and_then(Value::as_str)
                    && !self.definitions.matches_pattern(pattern, text)
                {
                    self.wrong(pointer, format!("must match {pattern}{}", self.but_is(value, pointer)));
                }
                self.length(
                    text.chars().count(),
                    limit("minLength"),
                    limit("maxLength"),
                    "characters",
                    pointer,
                );
            }
            Value::Array(items) => {
                self.length(items.len(), limit("minItems"), limit("maxItems"), "items", pointer);
            }
            _ => {}
        }
    }

    fn length(&mut self, count: usize, least: Option<f64>, most: Option<f64>, of: &str, pointer: &str) {
        if let Some(least) = least.filter(|least| (count as f64) < *least) {
            self.wrong(pointer, format!("must have at least {least} {of}, but has {count}"));
        }
        if let Some(most) = most.filter(|most| count as f64 > *most) {
            self.wrong(pointer, format!("must have at most {most} {of}, but has {count}"));
        }
    }
}

fn required_names(choice: &Value) -> Vec<&str> {
    choice.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Whether a value matches one of the forms of `oneOf` or `anyOf`, which do not restrict unknown fields.
fn matches(value: &Value, form: &Value) -> bool {
    let of_type = form.get("type").and_then(Value::as_str).is_none_or(|expected| belongs_to(value, expected));
    let has = required_names(form).iter().all(|name| value.get(name).is_some_and(|value| !value.is_null()));
    let fields = form.get("properties").and_then(Value::as_object).into_iter().flatten();
    let fit = fields.filter_map(|(name, form)| Some((value.get(name)?, form)));
    let in_enum = form.get("enum").and_then(Value::as_array).is_none_or(|allowed| allowed.contains(value));
    of_type && has && in_enum && fit.into_iter().all(|(value, form)| matches(value, form))
}

fn belongs_to(value: &Value, expected: &str) -> bool {
    match expected {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        _ => true,
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
