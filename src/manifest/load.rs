//! Reads YAML into objects. The input may be from anywhere, so everything is limited: its size, its nesting (128
//! levels, by the parser), and its size after aliases are expanded.

use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::Object;
use super::plain::Words;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// Maximum size of a file or download: 16 MiB. Strimzi's largest install manifest has 1 MiB.
pub(crate) const SIZE_LIMIT: u64 = 16 << 20;

/// Maximum size of a file after aliases are expanded, in bytes of scalars plus [`NODE_COST`] per value. The parser
/// limits nested aliases, but not many aliases of one large anchor; this limits both.
const GROWTH_LIMIT: usize = 64 << 20;
const NODE_COST: usize = 64;

/// Maximum number of brackets open at the same time. The scanner's work grows with its square, so a file of brackets
/// would take hours; counted in the raw bytes, including strings and comments, where real manifests stay far below
/// the limit.
pub(crate) const OPEN_BRACKETS: usize = 1000;

/// Load every document of `bytes`. `origin` names them in errors: a path or a URL. The items of a `List` become
/// separate objects; empty documents are skipped.
pub fn from_bytes(origin: &str, bytes: &[u8]) -> Result<Vec<Object>> {
    let mut objects = Vec::new();
    append(origin, bytes, &mut objects)?;
    finish(origin, objects)
}

/// Load a file, or every `*.yaml` and `*.yml` directly in a directory in the order of their names.
pub fn from_path(path: &Path) -> Result<Vec<Object>> {
    let origin = path.display().to_string();
    let meta = fs::metadata(path).map_err(|e| unreadable(path, &e))?;
    let files = if meta.is_dir() { yaml_files(path)? } else { vec![path.to_owned()] };
    let mut objects = Vec::new();
    for file in &files {
        append(&file.display().to_string(), &read(file)?, &mut objects)?;
    }
    finish(&origin, objects)
}

/// Read a file of at most [`SIZE_LIMIT`] bytes.
fn read(path: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(|e| unreadable(path, &e))?;
    file.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(|e| unreadable(path, &e))?;
    Ok(bytes)
}

fn yaml_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| unreadable(folder, &e))? {
        let path = entry.map_err(|e| unreadable(folder, &e))?.path();
        let yaml = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
        if yaml && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn unreadable(path: &Path, error: &std::io::Error) -> Box<Failure> {
    Box::new(
        Failure::new(
            errors::MANIFEST_UNREADABLE,
            Kind::Usage,
            format!("cannot read the manifest {}", path.display()),
        )
        .because(error)
        .hint("specify a YAML file, a directory of *.yaml files, or an http(s) URL"),
    )
}

fn append(origin: &str, bytes: &[u8], objects: &mut Vec<Object>) -> Result<()> {
    // The byte order mark that some editors write.
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
    if bytes.len() as u64 > SIZE_LIMIT {
        let message = format!("{origin} is larger than {} MiB", SIZE_LIMIT >> 20);
        return Err(Box::new(Failure::new(errors::MANIFEST_TOO_LARGE, Kind::Usage, message).hint(
            "Strimzi's install manifests are about 1 MiB in size: check that this is the right file",
        )));
    }
    // To the parser, a stream without documents is an unexpected end.
    let nothing = |line: &[u8]| line.trim_ascii_start().first().is_none_or(|first| *first == b'#');
    if bytes.split(|byte| *byte == b'\n').all(nothing) {
        return Ok(());
    }
    if let Some(line) = too_deep(bytes) {
        let message = format!("{origin}: line {line}: more than {OPEN_BRACKETS} open brackets");
        return Err(Box::new(Failure::new(errors::MANIFEST_YAML, Kind::Usage, message)));
    }
    let budget = Cell::new(GROWTH_LIMIT);
    let words = Words::of(&String::from_utf8_lossy(bytes));
    for (index, document) in serde_yaml::Deserializer::from_slice(bytes).enumerate() {
        let number = index + 1;
        let value = Node { budget: &budget, words: &words, top: true }
            .deserialize(document)
            .map_err(|e| invalid(origin, number, &e))?;
        push(origin, number, value, objects)?;
    }
    Ok(())
}

/// The line on which more than [`OPEN_BRACKETS`] are open.
pub(crate) fn too_deep(bytes: &[u8]) -> Option<usize> {
    let (mut open, mut line) = (0_usize, 1);
    for byte in bytes {
        match byte {
            b'\n' => line += 1,
            b'[' | b'{' => open += 1,
            b']' | b'}' => open = open.saturating_sub(1),
            _ => {}
        }
        if open > OPEN_BRACKETS {
            return Some(line);
        }
    }
    None
}

fn invalid(origin: &str, document: usize, error: &serde_yaml::Error) -> Box<Failure> {
    let place = match error.location() {
        Some(at) => format!("document {document}, line {}, column {}", at.line(), at.column()),
        None => format!("document {document}"),
    };
    Box::new(
        Failure::new(
            errors::MANIFEST_YAML,
            Kind::Usage,
            format!("{origin}: {place}: the manifest is invalid"),
        )
        .because(error),
    )
}

fn push(origin: &str, document: usize, value: Value, objects: &mut Vec<Object>) -> Result<()> {
    if value.is_null() {
        return Ok(());
    }
    let is_list = value.get("kind").and_then(Value::as_str).is_some_and(|kind| kind == "List")
        && value.get("apiVersion").and_then(Value::as_str) == Some("v1");
    if is_list {
        let Value::Object(mut list) = value else { return Ok(()) };
        return match list.remove("items") {
            Some(Value::Array(items)) => {
                items.into_iter().try_for_each(|item| push(origin, document, item, objects))
            }
            _ => Err(no_object(origin, document, "is a List without items")),
        };
    }
    let object = Object::new(value).map_err(|why| no_object(origin, document, &why.to_string()))?;
    objects.push(object);
    Ok(())
}

fn no_object(origin: &str, document: usize, why: &str) -> Box<Failure> {
    let message = format!("{origin}: document {document} is not a Kubernetes object: it {why}");
    Box::new(Failure::new(errors::MANIFEST_OBJECT, Kind::Usage, message))
}

fn finish(origin: &str, objects: Vec<Object>) -> Result<Vec<Object>> {
    if objects.is_empty() {
        let message = format!("{origin} contains no Kubernetes object");
        return Err(Box::new(Failure::new(errors::MANIFEST_EMPTY, Kind::Usage, message)));
    }
    let mut seen = HashSet::new();
    match objects.iter().find(|object| !seen.insert(object.key())) {
        None => Ok(objects),
        Some(object) => {
            let message = format!("{origin} contains {object} twice");
            Err(Box::new(
                Failure::new(errors::MANIFEST_DUPLICATE, Kind::Usage, message)
                    .hint("only one of them can be applied: remove the other"),
            ))
        }
    }
}

/// Reads one YAML value as JSON, with the rules of the API server: string keys, no duplicates, no tags, finite
/// numbers. (`serde_json::Value`'s own implementation keeps the last of duplicate keys.)
struct Node<'a> {
    budget: &'a Cell<usize>,
    words: &'a Words,
    top: bool,
}

impl Node<'_> {
    fn inner(&self) -> Self {
        Self { budget: self.budget, words: self.words, top: false }
    }

    fn spend<E: serde::de::Error>(&self, bytes: usize) -> Result<(), E> {
        match self.budget.get().checked_sub(bytes + NODE_COST) {
            Some(left) => {
                self.budget.set(left);
                Ok(())
            }
            None => Err(E::custom("its aliases expand to an excessive size (an alias bomb?)")),
        }
    }

    fn scalar<E: serde::de::Error>(self, bytes: usize, value: Value) -> Result<Value, E> {
        self.spend(bytes)?;
        if self.top && !value.is_null() {
            return Err(E::custom("a document must be a Kubernetes object, but this is a plain value"));
        }
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<Value, D::Error> {
        from.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a plain YAML value without tags")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Value, E> {
        self.scalar(0, Value::Null)
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<Value, E> {
        self.scalar(0, value.into())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<Value, E> {
        self.scalar(0, value.into())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<Value, E> {
        self.scalar(0, value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        let number = Number::from_f64(value).ok_or_else(|| E::custom("a number must be finite"))?;
        self.scalar(0, number.into())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<Value, E> {
        let read = self.words.read(value).map_err(E::custom)?;
        self.scalar(value.len(), read.unwrap_or_else(|| value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        if self.top {
            return Err(A::Error::custom("a document must be a Kubernetes object, but this is a sequence"));
        }
        let mut items = Vec::new();
        while let Some(item) = from.next_element_seed(self.inner())? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut map = Map::new();
        while let Some(key) = from.next_key_seed(Key { words: self.words })? {
            self.spend(key.len())?;
            if key == "<<" {
                return Err(A::Error::custom("merge keys (<<) are not supported"));
            }
            let value = from.next_value_seed(self.inner())?;
            if let Some(twice) = map.get(&key).map(|_| &key) {
                return Err(A::Error::custom(format_args!("the key {twice:?} occurs twice")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// A mapping's key: a string, or a number or boolean without quotes, which `kubectl` also reads as a string.
struct Key<'a> {
    words: &'a Words,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = String;

    fn deserialize<D: serde::Deserializer<'de>>(self, from: D) -> Result<String, D::Error> {
        from.deserialize_any(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string as a key")
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<String, E> {
        let read = self.words.read_key(value).map_err(E::custom)?;
        Ok(read.map_or_else(|| value.to_owned(), |read| read.to_string()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<String, E> {
        Ok(value.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<String, E> {
        Ok(value.to_string())
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
