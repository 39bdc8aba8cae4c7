//! Reads JSON as the events of the YAML parser.
//!
//! JSON is YAML, except for what only kubectl's JSON reader allows: tabs between values, surrogate pairs in escapes,
//! keys of any length, and one object after another. kubectl reads a file as JSON if it begins with `{`.

use saphyr_parser::{Event, ScalarStyle};
use serde::de::IgnoredAny;

use super::parse::Fault;

/// The events of a text that consists of JSON values, each with its line.
pub(super) struct Events<'t> {
    text: &'t str,
    at: usize,
    line: usize,
}

/// Whether a text is meant as JSON. `{a: 1}` is YAML.
pub(super) fn is_meant(text: &str) -> bool {
    text.trim_start().strip_prefix('{').is_some_and(|rest| rest.trim_start().starts_with(['"', '}']))
}

impl<'t> Events<'t> {
    /// The events of a text that is meant as JSON.
    ///
    /// # Errors
    /// It is not JSON: where, and why.
    pub(super) fn new(text: &'t str) -> Result<Self, Fault> {
        for value in serde_json::Deserializer::from_str(text).into_iter::<IgnoredAny>() {
            value.map_err(|error| Fault::new(error.line().max(1), format!("it is not JSON: {error}")))?;
        }
        Ok(Self { text, at: 0, line: 1 })
    }

    /// The next `length` bytes.
    fn take(&mut self, length: usize) -> &'t str {
        let token = &self.text[self.at..self.at + length];
        self.at += length;
        token
    }
}

/// The text is known to be valid: only the ends of its tokens have to be found.
impl<'t> Iterator for Events<'t> {
    type Item = Result<(Event<'t>, usize), Fault>;

    fn next(&mut self) -> Option<Self::Item> {
        let between = |b: &u8| matches!(b, b' ' | b'\t' | b'\r' | b'\n' | b',' | b':');
        let bytes = &self.text.as_bytes()[self.at..];
        let skipped = bytes.iter().take_while(|b| between(b)).count();
        let (before, bytes) = bytes.split_at(skipped);
        self.line += before.iter().filter(|b| **b == b'\n').count();
        self.at += skipped;
        let event = match bytes.first()? {
            b'{' | b'[' | b'}' | b']' => match self.take(1) {
                "{" => Event::MappingStart(0, None),
                "[" => Event::SequenceStart(0, None),
                "}" => Event::MappingEnd,
                _ => Event::SequenceEnd,
            },
            b'"' => {
                let mut escaped = true;
                let end = bytes.iter().position(|b| {
                    let ends = *b == b'"' && !escaped;
                    escaped = *b == b'\\' && !escaped;
                    ends
                });
                // The first quote counts as escaped, so that it does not end the text.
                let quoted = self.take(end? + 1);
                match serde_json::from_str::<String>(quoted) {
                    Ok(text) => Event::Scalar(text.into(), ScalarStyle::DoubleQuoted, 0, None),
                    Err(error) => {
                        return Some(Err(Fault::new(self.line, format!("it is not JSON: {error}"))));
                    }
                }
            }
            _ => {
                let ends = |b: &u8| between(b) || matches!(b, b'{' | b'}' | b'[' | b']' | b'"');
                let length = bytes.iter().position(ends).unwrap_or(bytes.len());
                Event::Scalar(self.take(length).into(), ScalarStyle::Plain, 0, None)
            }
        };
        Some(Ok((event, self.line)))
    }
}
