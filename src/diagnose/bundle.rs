//! What was collected so far: files, gaps, and secrets. A limit may end the collection at any time; what was
//! collected until then goes into the archive.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Display;
use std::rc::Rc;

use serde_json::Value;

use crate::redact::Redactor;
use crate::status::Status;

/// Maximum size of one file in the archive, in bytes.
pub const FILE_LIMIT: usize = 1 << 20;
/// Maximum size of all files, unpacked, in bytes. Compressed it is about a tenth.
pub const WHOLE_LIMIT: usize = 16 << 20;
/// If less space than this is left, no more files are added. Bytes.
const LEAST: usize = 1 << 10;
/// Maximum size of a file before secrets are redacted, in bytes.
const RAW_LIMIT: usize = 4 << 20;

/// The order in the archive. If it is full, files are dropped from the end.
const ORDER: [&str; 6] = ["summary.md", "status.json", "kstrim/", "namespace/", "logs/", "cluster/"];

/// A file's content before redaction.
enum Content {
    /// A log: its end is kept.
    Log(String),
    /// Any other text: its beginning is kept.
    Text(String),
    /// Objects.
    Objects(Value),
}

/// Something that could not be collected.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Gap {
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

#[derive(Default)]
struct Inner {
    files: BTreeMap<String, Content>,
    gaps: Vec<Gap>,
    open: BTreeSet<String>,
    secret: Vec<String>,
    names: BTreeSet<String>,
    status: Option<Status>,
    facts: BTreeMap<&'static str, String>,
}

/// The collection. Clones share its content.
#[derive(Clone, Default)]
pub(crate) struct Bundle(Rc<RefCell<Inner>>);

/// A file ready to be packed.
pub(crate) struct File {
    /// Its path in the archive.
    pub name: String,
    /// Its content, redacted.
    pub text: String,
}

impl Bundle {
    /// Add a text, unless it is empty.
    pub(crate) fn text(&self, name: impl Into<String>, text: impl Into<String>) {
        self.put(name.into(), Content::Text(text.into()));
    }

    /// Add a log, unless it is empty.
    pub(crate) fn log(&self, name: impl Into<String>, text: impl Into<String>) {
        self.put(name.into(), Content::Log(text.into()));
    }

    /// Add objects; they are written as YAML.
    pub(crate) fn objects(&self, name: impl Into<String>, objects: Value) {
        self.put(name.into(), Content::Objects(objects));
    }

    fn put(&self, name: String, content: Content) {
        let empty = match &content {
            Content::Log(text) | Content::Text(text) => text.trim().is_empty(),
            Content::Objects(value) => value.as_array().is_some_and(Vec::is_empty),
        };
        if !empty {
            self.0.borrow_mut().files.insert(name, content);
        }
    }

    /// Record that something could not be collected.
    pub(crate) fn gap(&self, what: impl Into<String>, why: impl Display) {
        let gap = Gap { what: what.into(), why: why.to_string() };
        let mut inner = self.0.borrow_mut();
        if !inner.gaps.contains(&gap) {
            inner.gaps.push(gap);
        }
    }

    /// Run a part of the collection; if it is not done when the collection ends, it is recorded as a gap.
    pub(crate) async fn part<T>(&self, what: impl Into<String>, work: impl Future<Output = T>) -> T {
        let what = what.into();
        self.0.borrow_mut().open.insert(what.clone());
        let done = work.await;
        self.0.borrow_mut().open.remove(&what);
        done
    }

    /// End the collection: parts that are not done become gaps.
    pub(crate) fn close(&self, why: &str) {
        let open = std::mem::take(&mut self.0.borrow_mut().open);
        for what in open {
            self.gap(what, why);
        }
    }

    /// Redact these values wherever they occur.
    pub(crate) fn secret(&self, values: impl IntoIterator<Item = String>) {
        self.0.borrow_mut().secret.extend(values);
    }

    /// Never redact this name, even if it is also the value of a Secret.
    pub(crate) fn name(&self, name: impl Into<String>) {
        self.0.borrow_mut().names.insert(name.into());
    }

    /// Set the overall status.
    pub(crate) fn set_status(&self, status: Status) {
        self.0.borrow_mut().status = Some(status);
    }

    /// The overall status, if it could be read.
    pub(crate) fn status(&self) -> Option<Status> {
        self.0.borrow().status.clone()
    }

    /// Add a version or similar to the table in the summary.
    pub(crate) fn fact(&self, name: &'static str, value: impl Into<String>) {
        self.0.borrow_mut().facts.insert(name, value.into());
    }

    /// The rows of that table.
    pub(crate) fn facts(&self) -> BTreeMap<&'static str, String> {
        self.0.borrow().facts.clone()
    }

    /// What could not be collected.
    pub(crate) fn gaps(&self) -> Vec<Gap> {
        self.0.borrow().gaps.clone()
    }

    /// The redactor for all secrets that are known so far.
    pub(crate) fn redactor(&self) -> Redactor {
        let inner = self.0.borrow();
        Redactor::new(inner.secret.iter().cloned(), &|word| inner.names.contains(word))
    }

    /// The redacted files within the limits, in the archive's order. Removes them from the collection.
    pub(crate) fn files(&self, redactor: &Redactor) -> Vec<File> {
        let contents = std::mem::take(&mut self.0.borrow_mut().files);
        let mut contents: Vec<(String, Content)> = contents.into_iter().collect();
        contents.sort_by_key(|(name, _)| rank(name));
        let mut left = WHOLE_LIMIT;
        let mut files = Vec::new();
        for (name, content) in contents {
            if left < LEAST {
                self.gap(name, "the archive is full");
                continue;
            }
            let text = content.clean(redactor);
            let log = matches!(content, Content::Log(_));
            let text = cut(&text, FILE_LIMIT.min(left), log);
            left = left.saturating_sub(text.len());
            files.push(File { name, text });
        }
        files
    }
}

fn rank(name: &str) -> (usize, String) {
    let place = ORDER.iter().position(|start| name.starts_with(start));
    (place.unwrap_or(ORDER.len()), name.to_owned())
}

impl Content {
    fn clean(&self, redactor: &Redactor) -> String {
        match self {
            // The limits of a raw text are wider than those of a file: a secret may be cut in two here.
            Content::Log(text) => redactor.text(tail(text, RAW_LIMIT)),
            Content::Text(text) => redactor.text(head(text, RAW_LIMIT)),
            Content::Objects(objects) => {
                let mut objects = objects.clone();
                redactor.value(&mut objects);
                crate::manifest::yaml_text(&objects)
            }
        }
    }
}

/// The beginning or the end of a text that is too long, with a note.
fn cut(text: &str, limit: usize, log: bool) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let room = limit.saturating_sub(80);
    let left_out = text.len() - room;
    if log {
        format!("... {left_out} bytes before this were omitted\n{}", tail(text, room))
    } else {
        format!("{}\n... {left_out} bytes after this were omitted\n", head(text, room))
    }
}

fn head(text: &str, bytes: usize) -> &str {
    let mut end = bytes.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn tail(text: &str, bytes: usize) -> &str {
    let mut start = text.len().saturating_sub(bytes);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    &text[start..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_comes_first_and_the_node_last() {
        let bundle = Bundle::default();
        for name in ["minikube/a", "logs/b", "summary.md", "cluster/c", "kstrim/d", "namespace/e"] {
            bundle.text(name, "x");
        }
        bundle.text("logs/empty", " \n");
        let names: Vec<String> = bundle.files(&Redactor::default()).into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["summary.md", "kstrim/d", "namespace/e", "logs/b", "cluster/c", "minikube/a"]);
    }

    #[test]
    fn limits_hold_for_each_file_and_for_all() {
        let bundle = Bundle::default();
        let line = format!("{}ü\n", "x".repeat(60));
        for n in 0..20 {
            bundle.log(format!("logs/{n:02}"), line.repeat(20_000));
        }
        let files = bundle.files(&Redactor::default());
        let all: usize = files.iter().map(|f| f.text.len()).sum();
        assert!(files.iter().all(|f| f.text.len() <= FILE_LIMIT) && all <= WHOLE_LIMIT, "{all}");
        assert!(files[0].text.starts_with("... ") && files[0].text.ends_with("xü\n"));
        assert!(bundle.gaps().iter().any(|g| g.why == "the archive is full"), "{:?}", bundle.gaps());
    }

    #[test]
    fn unfinished_parts_become_gaps() {
        let bundle = Bundle::default();
        let never = bundle.part("the logs", std::future::pending::<()>());
        let mut never = Box::pin(never);
        let waker = std::task::Waker::noop();
        let _ = never.as_mut().poll(&mut std::task::Context::from_waker(waker));
        bundle.close("no time was left");
        assert_eq!(bundle.gaps(), [Gap { what: "the logs".into(), why: "no time was left".into() }]);
    }
}
