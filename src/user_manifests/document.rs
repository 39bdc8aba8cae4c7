//! One object of the user's manifests, and where each of its fields is written.

use std::fmt;

use crate::manifest::Object;

/// The position of a value in the manifests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file as the user specified it, `-` for standard input, or the directory of a kustomization.
    pub(crate) file: String,
    /// The line, from 1. For a kustomization, the line in the output of `kubectl kustomize DIRECTORY`.
    pub(crate) line: usize,
    /// Whether `kubectl kustomize` built it, so that the line is in no file.
    pub(crate) built: bool,
}

/// `kafka.yaml:12`, in the form that compilers use.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.built, self.file.as_str()) {
            (true, directory) => write!(f, "`kubectl kustomize {directory}`:{}", self.line),
            (false, "-") => write!(f, "standard input:{}", self.line),
            (false, file) => write!(f, "{file}:{}", self.line),
        }
    }
}

/// The line of a value and of all values in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    line: usize,
    /// By key, or by index in a sequence.
    fields: Vec<(String, Lines)>,
}

impl Lines {
    /// A value on this line, without children.
    pub(super) fn new(line: usize) -> Self {
        Self { line, fields: Vec::new() }
    }

    /// Add the lines of a child. A mapping's entry has the line of its key.
    pub(super) fn push(&mut self, key: String, line: usize, mut value: Lines) {
        value.line = line;
        self.fields.push((key, value));
    }

    /// The lines of the value at a JSON pointer, or of the nearest enclosing value; the second item is whether the
    /// value itself was found.
    fn at(&self, pointer: &str) -> (&Lines, bool) {
        let mut at = self;
        for key in pointer.split('/').skip(1) {
            let key = key.replace("~1", "/").replace("~0", "~");
            match at.fields.iter().find(|(name, _)| *name == key) {
                Some((_, lines)) => at = lines,
                None => return (at, false),
            }
        }
        (at, true)
    }

    /// The line of the value itself.
    pub(super) fn line(&self) -> usize {
        self.line
    }

    /// The lines of the value at a JSON pointer, if it is written there.
    pub(super) fn of(&self, pointer: &str) -> Option<&Lines> {
        let (lines, exact) = self.at(pointer);
        exact.then_some(lines)
    }
}

/// An object with its origin.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// The object.
    pub(crate) object: Object,
    /// Its first line.
    pub(crate) origin: Origin,
    pub(super) lines: Lines,
}

impl Document {
    /// The line of the field at a JSON pointer; `None` if the field is not written there.
    #[cfg(test)]
    pub(crate) fn line_of(&self, pointer: &str) -> Option<usize> {
        self.lines.of(pointer).map(Lines::line)
    }

    /// The origin of the field at a JSON pointer, or of the nearest field around it.
    pub(crate) fn at(&self, pointer: &str) -> Origin {
        let line = match pointer {
            "" => self.origin.line,
            pointer => self.lines.at(pointer).0.line.max(self.origin.line),
        };
        Origin { line, ..self.origin.clone() }
    }
}

/// A JSON pointer in the usual form of a field's path: `spec.kafka.listeners[0].port`.
pub(crate) fn dotted(pointer: &str) -> String {
    let mut text = String::new();
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        if !key.is_empty() && key.bytes().all(|b| b.is_ascii_digit()) {
            text += &format!("[{key}]");
        } else if key.contains(['.', '/', ' ', '[']) || key.is_empty() {
            text += &format!("[{key:?}]");
        } else {
            text += if text.is_empty() { "" } else { "." };
            text += &key;
        }
    }
    text
}

/// A JSON pointer with one more key.
pub(crate) fn below(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_have_dots_and_indices() {
        assert_eq!(dotted("/spec/kafka/listeners/0/port"), "spec.kafka.listeners[0].port");
        let label = below("/metadata/labels", "strimzi.io/cluster");
        assert_eq!(label, "/metadata/labels/strimzi.io~1cluster");
        assert_eq!(dotted(&label), "metadata.labels[\"strimzi.io/cluster\"]");
        assert_eq!(dotted(""), "");
    }

    #[test]
    fn origins_have_the_form_of_compilers() {
        let origin = |file: &str, built| Origin { file: file.into(), line: 7, built }.to_string();
        assert_eq!(origin("deploy/kafka.yaml", false), "deploy/kafka.yaml:7");
        assert_eq!(origin("-", false), "standard input:7");
        assert_eq!(origin("overlays/dev", true), "`kubectl kustomize overlays/dev`:7");
    }
}
