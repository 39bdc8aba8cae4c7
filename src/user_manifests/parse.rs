//! Reads YAML or JSON text into documents, with the line of every field.
//!
//! The values are those that kubectl reads: words without quotes follow YAML 1.1 as in Go
//! ([`crate::manifest::plain`]), merge keys (`<<`) are merged, and what kubectl rejects is rejected: duplicate keys,
//! unknown tags, numbers that are not finite. The parser only delivers events, so an alias costs nothing until it is
//! copied here, within a limit.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};
use serde_json::{Map, Value};

use super::document::Lines;
use super::json;
use crate::manifest::load::{OPEN_BRACKETS, too_deep};
use crate::manifest::plain::by_kubectl;

/// Maximum nesting, as in Go's decoder and in [`crate::manifest::load`].
const DEPTH: usize = 128;
/// Maximum size of a text after aliases are expanded, in bytes of scalars plus [`NODE_COST`] per value.
const GROWTH: usize = 64 << 20;
const NODE_COST: usize = 32;

/// A document as it is written.
#[derive(Debug, PartialEq)]
pub(super) struct Parsed {
    /// Its content; null if it has none.
    pub(super) value: Value,
    /// The lines of its fields.
    pub(super) lines: Lines,
}

/// Why a text cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// The line, from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) why: String,
    /// Whether a limit is exceeded.
    pub(super) too_large: bool,
}

impl Fault {
    pub(super) fn new(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into(), too_large: false }
    }

    fn too_large(line: usize, why: impl Into<String>) -> Self {
        Self { line, why: why.into(), too_large: true }
    }
}

/// A collection that is not complete yet.
struct Frame {
    anchor: usize,
    lines: Lines,
    size: usize,
    content: Content,
}

enum Content {
    Sequence(Vec<Value>),
    Mapping { map: Map<String, Value>, key: Option<(String, usize)>, merged: Vec<Map<String, Value>> },
}

struct Builder {
    stack: Vec<Frame>,
    anchors: HashMap<usize, (Value, usize)>,
    budget: usize,
    done: Vec<Parsed>,
    most: usize,
    line: usize,
}

/// The documents of a text; more than `most` are an error.
///
/// # Errors
/// Where and why it is not valid, or too large.
pub(super) fn parse(text: &str, most: usize) -> Result<Vec<Parsed>, Fault> {
    if let Some(line) = too_deep(text.as_bytes()) {
        return Err(Fault::too_large(line, format!("more than {OPEN_BRACKETS} brackets are open")));
    }
    let builder = Builder {
        stack: Vec::new(),
        anchors: HashMap::new(),
        budget: GROWTH,
        done: Vec::new(),
        most,
        line: 1,
    };
    if !json::is_meant(text) {
        return builder.yaml(text);
    }
    match json::Events::new(text) {
        Ok(events) => builder.json(events),
        // What looks like JSON may be YAML that JSON does not allow. If it is neither, JSON's error is reported.
        Err(fault) => builder.yaml(text).map_err(|other| if other.too_large { other } else { fault }),
    }
}

fn invalid(text: &str, error: &ScanError) -> Fault {
    let line = error.marker().line().max(1);
    // For a tab, the scanner reports only what it expected instead.
    let around = text.lines().enumerate().skip(line.saturating_sub(2)).take(2);
    let tab = around.filter(|(_, line)| line.trim_start_matches(' ').starts_with('\t')).last();
    match tab {
        Some((at, _)) => Fault::new(at + 1, "it is indented with a tab: YAML allows only spaces there"),
        None => Fault::new(line, error.info().to_owned()),
    }
}

impl Builder {
    fn yaml(mut self, text: &str) -> Result<Vec<Parsed>, Fault> {
        for event in Parser::new_from_str(text) {
            let (event, span) = event.map_err(|error| invalid(text, &error))?;
            self.line = span.start.line().max(1);
            self.event(event)?;
        }
        Ok(self.done)
    }

    fn json(mut self, events: json::Events<'_>) -> Result<Vec<Parsed>, Fault> {
        for event in events {
            let (event, line) = event?;
            self.line = line;
            if self.stack.is_empty() {
                self.event(Event::DocumentStart(false))?;
            }
            self.event(event)?;
        }
        Ok(self.done)
    }

    fn event(&mut self, event: Event<'_>) -> Result<(), Fault> {
        match event {
            Event::DocumentStart(_) => {
                self.anchors.clear();
                if self.done.len() >= self.most {
                    return Err(Fault::too_large(self.line, format!("more than {} documents", self.most)));
                }
            }
            Event::Alias(id) => {
                let Some((value, size)) = self.anchors.get(&id) else {
                    return Err(self.wrong("an alias refers to an anchor that is not complete"));
                };
                let (value, size) = (value.clone(), *size);
                self.spend(size)?;
                self.add(value, Lines::new(self.line), size, 0, false)?;
            }
            Event::Scalar(text, style, anchor, tag) => {
                let size = text.len() + NODE_COST;
                self.spend(size)?;
                let plain = style == ScalarStyle::Plain;
                let is_key = self.expects_key();
                let value = self.scalar(&text, plain, tag.as_deref())?;
                self.add(value, Lines::new(self.line), size, anchor, is_key && plain && text == "<<")?;
            }
            Event::SequenceStart(anchor, tag) => {
                self.collection(tag.as_deref(), "seq")?;
                self.open(anchor, Content::Sequence(Vec::new()))?;
            }
            Event::MappingStart(anchor, tag) => {
                self.collection(tag.as_deref(), "map")?;
                let content = Content::Mapping { map: Map::new(), key: None, merged: Vec::new() };
                self.open(anchor, content)?;
            }
            Event::SequenceEnd | Event::MappingEnd => self.close()?,
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        Ok(())
    }

    fn wrong(&self, why: impl Into<String>) -> Fault {
        Fault::new(self.line, why)
    }

    fn spend(&mut self, size: usize) -> Result<(), Fault> {
        match self.budget.checked_sub(size) {
            Some(left) => {
                self.budget = left;
                Ok(())
            }
            None => {
                Err(Fault::too_large(self.line, "its aliases expand to an excessive size (an alias bomb?)"))
            }
        }
    }

    fn expects_key(&self) -> bool {
        matches!(self.stack.last(), Some(Frame { content: Content::Mapping { key: None, .. }, .. }))
    }

    fn scalar(&self, text: &str, plain: bool, tag: Option<&Tag>) -> Result<Value, Fault> {
        let Some(tag) = tag else {
            return match plain {
                true => by_kubectl(text).map_err(|why| self.wrong(why)),
                false => Ok(text.into()),
            };
        };
        match (tag.is_yaml_core_schema(), tag.suffix.as_str()) {
            (true, "str") => Ok(text.into()),
            // The non-specific tag: a string, whatever its content.
            (false, "") if tag.handle == "!" => Ok(text.into()),
            _ => Err(self.wrong(format!("the tag {tag} is not supported"))),
        }
    }

    fn collection(&self, tag: Option<&Tag>, name: &str) -> Result<(), Fault> {
        match tag {
            Some(tag) if !(tag.is_yaml_core_schema() && tag.suffix == name) => {
                Err(self.wrong(format!("the tag {tag} is not supported")))
            }
            _ => Ok(()),
        }
    }

    fn open(&mut self, anchor: usize, content: Content) -> Result<(), Fault> {
        self.spend(NODE_COST)?;
        if self.expects_key() {
            return Err(self.wrong("a key must be text, not a mapping or sequence"));
        }
        if self.stack.len() >= DEPTH {
            return Err(Fault::too_large(self.line, format!("it has more than {DEPTH} levels")));
        }
        self.stack.push(Frame { anchor, lines: Lines::new(self.line), size: NODE_COST, content });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Fault> {
        let Some(Frame { anchor, lines, size, content }) = self.stack.pop() else { return Ok(()) };
        let value = match content {
            Content::Sequence(items) => Value::Array(items),
            Content::Mapping { mut map, merged, .. } => {
                // Keys of the mapping itself take precedence over merged ones; of two merged mappings the first.
                for (key, value) in merged.into_iter().flatten() {
                    map.entry(key).or_insert(value);
                }
                Value::Object(map)
            }
        };
        self.add(value, lines, size, anchor, false)
    }

    /// Add a complete value to its parent.
    fn add(
        &mut self,
        value: Value,
        lines: Lines,
        size: usize,
        anchor: usize,
        merge: bool,
    ) -> Result<(), Fault> {
        if anchor > 0 {
            self.anchors.insert(anchor, (value.clone(), size));
            self.spend(size)?;
        }
        let line = self.line;
        let Some(frame) = self.stack.last_mut() else {
            self.done.push(Parsed { value, lines });
            return Ok(());
        };
        frame.size += size;
        match &mut frame.content {
            Content::Sequence(items) => {
                let at = lines.line();
                frame.lines.push(items.len().to_string(), at, lines);
                items.push(value);
            }
            Content::Mapping { map, key: key @ None, .. } => {
                let name = match value {
                    _ if merge => MERGE.to_owned(),
                    Value::String(text) => text,
                    Value::Number(_) | Value::Bool(_) => value.to_string(),
                    Value::Null => return Err(Fault::new(line, "a key must be text, not null")),
                    _ => return Err(Fault::new(line, "a key must be text, not a mapping or sequence")),
                };
                if map.contains_key(&name) {
                    return Err(Fault::new(line, format!("the key {name:?} occurs twice")));
                }
                *key = Some((name, line));
            }
            Content::Mapping { map, key, merged } => {
                let Some((name, at)) = key.take() else { return Ok(()) };
                if name != MERGE {
                    frame.lines.push(name.clone(), at, lines);
                    map.insert(name, value);
                    return Ok(());
                }
                let sources = match value {
                    Value::Array(all) => all,
                    one => vec![one],
                };
                for source in sources {
                    let Value::Object(source) = source else {
                        return Err(Fault::new(at, "only mappings can be merged (<<)"));
                    };
                    merged.push(source);
                }
            }
        }
        Ok(())
    }
}

/// The name of a merge key without quotes, which cannot occur in a document: NUL is not allowed in YAML.
const MERGE: &str = "\0<<";

#[cfg(test)]
#[path = "parse_tests.rs"]
mod tests;
