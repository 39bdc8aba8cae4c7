//! Reads files, directories, kustomizations and standard input into documents.
//!
//! A directory is read as by `kubectl apply -f DIRECTORY`: its files `*.yaml`, `*.yml` and `*.json` in the order of
//! their names, without subdirectories. A directory with a kustomization is built instead ([`super::kustomize`]),
//! because its files are only parts. All limits apply to all sources together.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt};

use super::document::{Document, Lines, Origin};
use super::kustomize;
use super::parse::{self, Fault};
use super::problem::{self, IN_QUOTES, Problem};
use super::secret;
use super::shown::shown;
use super::string_maps;
use super::template;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kubectl::Kubectl;
use crate::manifest::Object;
use crate::manifest::object::ReadAs;

/// Maximum size of all sources: 16 MiB.
pub(crate) const SIZE_LIMIT: u64 = 16 << 20;
/// Maximum number of documents of all sources, including the items of Lists.
pub(crate) const DOCUMENT_LIMIT: usize = 5000;

/// A value of `-f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// `-`.
    Stdin,
    /// A file, a directory, or a directory with a kustomization, as the user wrote it.
    Path(PathBuf),
}

impl From<&str> for Source {
    fn from(text: &str) -> Self {
        if text == "-" { Self::Stdin } else { Self::Path(text.into()) }
    }
}

/// Read all sources. The order is that of the sources, then of the files, then of the documents.
///
/// # Errors
/// `KS-FILE-*`; problems of documents are all reported, a file that is not YAML immediately.
pub(crate) async fn read(
    sources: &[Source],
    kubectl: &Kubectl,
    stdin: &mut (dyn AsyncRead + Unpin),
) -> Result<Vec<Document>> {
    let mut reader = Reader { left: SIZE_LIMIT, count: 0, documents: Vec::new(), problems: Vec::new() };
    let mut read_stdin = false;
    for source in sources {
        match source {
            Source::Stdin if read_stdin => {
                let message = "standard input is specified twice, and can be read only once";
                return Err(Box::new(Failure::new(errors::FILE_UNREADABLE, Kind::Usage, message)));
            }
            Source::Stdin => {
                read_stdin = true;
                let mut bytes = Vec::new();
                let limit = reader.left + 1;
                stdin.take(limit).read_to_end(&mut bytes).await.map_err(|e| unreadable("-", &e))?;
                reader.bytes("-", &bytes, false)?;
            }
            Source::Path(path) => reader.path(path, kubectl).await?,
        }
    }
    reader.finish()
}

/// The documents of a text.
pub(crate) fn from_text(file: &str, text: &str) -> Result<Vec<Document>> {
    let mut reader = Reader { left: SIZE_LIMIT, count: 0, documents: Vec::new(), problems: Vec::new() };
    reader.bytes(file, text.as_bytes(), false)?;
    reader.finish()
}

impl Reader {
    fn finish(mut self) -> Result<Vec<Document>> {
        if self.documents.is_empty() && self.problems.is_empty() {
            return Err(Box::new(
                Failure::new(
                    errors::FILE_EMPTY,
                    Kind::Usage,
                    "the specified files contain no Kubernetes object",
                )
                .hint("specify files, directories with *.yaml files, or kustomizations: -f PATH"),
            ));
        }
        duplicates(&self.documents, &mut self.problems);
        match problem::failure(&self.problems) {
            None => Ok(self.documents),
            Some(failure) => Err(failure),
        }
    }
}

struct Reader {
    left: u64,
    /// Documents and items of Lists so far, including those with problems.
    count: usize,
    documents: Vec<Document>,
    problems: Vec<Problem>,
}

impl Reader {
    async fn path(&mut self, path: &Path, kubectl: &Kubectl) -> Result<()> {
        let name = path.display().to_string();
        if name.contains("://") {
            let message = format!("{name} is a URL: only files and directories can be specified");
            return Err(Box::new(
                Failure::new(errors::FILE_UNREADABLE, Kind::Usage, message)
                    .hint("download it, review it, and specify the file"),
            ));
        }
        let meta = fs::metadata(path).map_err(|e| unreadable(&name, &e))?;
        if meta.is_dir() {
            let kustomization =
                kustomize::file_in(path).map_err(|(file, e)| unreadable(&file.display().to_string(), &e))?;
            if kustomization.is_some() {
                let built = kustomize::build(path, kubectl).await?;
                return self.bytes(&name, &built, true);
            }
            if let Some(failure) = template::chart(path) {
                return Err(failure);
            }
            let files = manifests_in(path)?;
            if files.is_empty() {
                let message = format!("{name} contains no *.yaml, *.yml or *.json file");
                return Err(Box::new(
                    Failure::new(errors::FILE_EMPTY, Kind::Usage, message)
                        .because("subdirectories are not read, as with `kubectl apply -f`")
                        .hint("specify each directory that contains manifests: -f PATH -f PATH"),
                ));
            }
            return files.iter().try_for_each(|file| self.file(file));
        }
        match kustomize::is_kustomization(path) {
            true => {
                let directory = path.parent().filter(|p| !p.as_os_str().is_empty());
                let directory = directory.unwrap_or(Path::new("."));
                let built = kustomize::build(directory, kubectl).await?;
                self.bytes(&directory.display().to_string(), &built, true)
            }
            false => self.file(path),
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        let name = path.display().to_string();
        let mut bytes = Vec::new();
        let file = open(path).map_err(|e| unreadable(&name, &e))?;
        file.take(self.left + 1).read_to_end(&mut bytes).map_err(|e| unreadable(&name, &e))?;
        self.bytes(&name, &bytes, false)
    }

    fn bytes(&mut self, file: &str, bytes: &[u8], built: bool) -> Result<()> {
        let origin = |line| Origin { file: file.to_owned(), line, built };
        let Some(left) = self.left.checked_sub(bytes.len() as u64) else {
            let message = format!("the specified files have more than {} MiB in all", SIZE_LIMIT >> 20);
            return Err(Box::new(
                Failure::new(errors::FILE_TOO_LARGE, Kind::Usage, message)
                    .because(format!("the limit was exceeded in {file}")),
            ));
        };
        self.left = left;
        let text = text(bytes).map_err(|fault| failed(&origin(fault.line), &fault))?;
        let most = DOCUMENT_LIMIT.saturating_sub(self.count);
        let parsed = parse::parse(text, most).map_err(|fault| match template::cause(text, &fault, most) {
            Some(line) => template::failure(&origin(line)),
            None => failed(&origin(fault.line), &fault),
        })?;
        for document in parsed {
            self.document(document.value, document.lines, &origin)?;
        }
        Ok(())
    }

    /// Add a document, or the items of a List.
    fn document(&mut self, value: Value, lines: Lines, origin: &dyn Fn(usize) -> Origin) -> Result<()> {
        let at = origin(lines.line().max(1));
        if value.is_null() {
            return Ok(());
        }
        if self.count >= DOCUMENT_LIMIT {
            let why = format!("more than {DOCUMENT_LIMIT} documents");
            return Err(failed(&at, &Fault { line: at.line, why, too_large: true }));
        }
        if is_list(&value) {
            let Value::Object(mut list) = value else { return Ok(()) };
            let items = match list.remove("items") {
                Some(Value::Array(items)) => items,
                None | Some(Value::Null) => Vec::new(),
                Some(_) => {
                    self.count += 1;
                    self.wrong(at, "is a List whose items are not a sequence", None);
                    return Ok(());
                }
            };
            for (index, item) in items.into_iter().enumerate() {
                let lines = lines.of(&format!("/items/{index}")).cloned().unwrap_or_default();
                self.document(item, lines, origin)?;
            }
            return Ok(());
        }
        self.count += 1;
        if let Some(line) = template::in_value(&value, &lines) {
            return Err(template::failure(&origin(line)));
        }
        let generated = value.pointer("/metadata/generateName").is_some();
        match Object::new(value) {
            Err(_) if generated => self.wrong(
                at,
                "has metadata.generateName instead of metadata.name: each run would create another object",
                None,
            ),
            Err(wrong) => {
                let line = lines.of(wrong.pointer).map_or(at.line, Lines::line).max(at.line);
                let hint = (wrong.read_as == Some(ReadAs::Boolean)).then_some(BOOLEANS);
                self.wrong(Origin { line, ..at }, &wrong.to_string(), hint);
            }
            Ok(object) => {
                let document = Document { object, origin: at, lines };
                self.problems.extend(secret::check(&document));
                self.problems.extend(texts(&document));
                self.documents.push(document);
            }
        }
        Ok(())
    }

    fn wrong(&mut self, origin: Origin, why: &str, hint: Option<&str>) {
        let message = format!("the document is not a Kubernetes object: it {why}");
        self.problems.push(Problem {
            id: errors::FILE_OBJECT,
            origin,
            pointer: String::new(),
            message,
            hint: hint.map(str::to_owned),
        });
    }
}

/// As kubectl reads YAML.
const BOOLEANS: &str = "without quotes, y, n, yes, no, on, off, true and false are booleans";

/// Labels and annotations that are not text.
fn texts(document: &Document) -> Vec<Problem> {
    ["/metadata/labels", "/metadata/annotations"]
        .into_iter()
        .flat_map(|map| string_maps::others(document, map))
        .take(problem::LISTED)
        .map(|(pointer, value)| {
            let what = format!("must be a string, but is {}", shown(document, &pointer, value));
            let problem = Problem::field(errors::FILE_OBJECT, document, &pointer, what);
            match value {
                Value::Bool(_) | Value::Number(_) => problem.hint(IN_QUOTES),
                _ => problem,
            }
        })
        .collect()
}

/// `List` and the lists that `kubectl get -o yaml` or an API prints: `KafkaTopicList`.
fn is_list(value: &Value) -> bool {
    let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default();
    let named = value.pointer("/metadata/name").is_some();
    kind.ends_with("List") && !named && (kind == "List" || value.get("items").is_some())
}

/// The text of a file, without a byte order mark at its beginning.
fn text(bytes: &[u8]) -> std::result::Result<&str, Fault> {
    let fault = |line, why: &str| Fault { line, why: why.to_owned(), too_large: false };
    // Without the mark, every second byte of mostly ASCII text is zero, which UTF-8 allows and YAML does not.
    let zeros = bytes.iter().take(64).filter(|byte| **byte == 0).count();
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) || zeros > 2 {
        return Err(fault(1, UTF16));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let line = bytes[..error.valid_up_to()].iter().filter(|byte| **byte == b'\n').count() + 1;
            Err(fault(line, "it is not UTF-8"))
        }
    }
}

const UTF16: &str = "it is UTF-16, as some editors and shells on Windows write it; kubectl reads only UTF-8";

fn failed(origin: &Origin, fault: &Fault) -> Box<Failure> {
    let (id, what) = match fault.too_large {
        true => (errors::FILE_TOO_LARGE, "the file exceeds a limit"),
        false => (errors::FILE_YAML, "the file is not valid YAML"),
    };
    let mut failure = Failure::new(id, Kind::Usage, format!("{origin}: {what}")).because(&fault.why);
    if fault.why == UTF16 {
        failure = failure.hint("save the file as UTF-8, for example: iconv -f UTF-16 -t UTF-8 OLD > NEW");
    }
    Box::new(failure)
}

fn unreadable(name: &str, error: &io::Error) -> Box<Failure> {
    let shown = if name == "-" { "standard input" } else { name };
    let failure =
        Failure::new(errors::FILE_UNREADABLE, Kind::Usage, format!("cannot read {shown}")).because(error);
    Box::new(match fs::read_link(name) {
        Ok(target) if name != "-" => failure
            .because(format!("it is a symbolic link to {}", target.display()))
            .hint("correct the link, or remove it"),
        _ => failure
            .hint("specify a file, a directory, a directory with a kustomization, or - for standard input"),
    })
}

/// Open a file to read it. Opening a named pipe waits until another process opens it to write, so only those are
/// read that the shell has opened for this command: `-f <(helm template CHART)` is `-f /dev/fd/63`.
fn open(path: &Path) -> io::Result<fs::File> {
    let meta = fs::metadata(path)?;
    if meta.file_type().is_fifo() && !is_file_descriptor(path) {
        return Err(io::Error::other("it is a named pipe, not a file"));
    }
    match meta.is_dir() {
        true => Err(io::ErrorKind::IsADirectory.into()),
        false => fs::File::open(path),
    }
}

/// Whether a path is a file descriptor of this process: `/dev/stdin`, `/dev/fd/63` in bash, `/proc/self/fd/11` in zsh.
/// Other paths in `/dev` are not: `/dev/shm` is a directory like any other.
fn is_file_descriptor(path: &Path) -> bool {
    let number = path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.parse::<u32>().is_ok());
    let directory = path.parent().unwrap_or(path);
    path == Path::new("/dev/stdin")
        || number && (directory == Path::new("/dev/fd") || directory == Path::new("/proc/self/fd"))
}

/// The files of a directory that kubectl reads. Whatever kubectl fails to open must not be skipped, such as a
/// symbolic link to a file that does not exist: its objects would be deleted with `--prune`.
fn manifests_in(directory: &Path) -> Result<Vec<PathBuf>> {
    let failed = |path: &Path, error: &io::Error| unreadable(&path.display().to_string(), error);
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).map_err(|e| failed(directory, &e))? {
        let entry = entry.map_err(|e| failed(directory, &e))?;
        let path = entry.path();
        let known = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml" || ext == "json");
        // The type of the entry itself: a symbolic link is not followed here.
        if known && !entry.file_type().map_err(|e| failed(&path, &e))?.is_dir() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn duplicates(documents: &[Document], problems: &mut Vec<Problem>) {
    let mut seen: HashMap<_, &Document> = HashMap::new();
    for document in documents {
        match seen.entry(document.object.key()) {
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(document);
            }
            std::collections::hash_map::Entry::Occupied(first) => {
                let what = format!("is described twice, also at {}", first.get().origin);
                problems.push(
                    Problem::field(errors::FILE_DUPLICATE, document, "", what).hint("remove one of the two"),
                );
            }
        }
    }
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
