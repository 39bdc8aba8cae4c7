//! Directories with a kustomization, built by `kubectl kustomize`.
//!
//! kustomize can clone repositories, download files, render charts and start programs. So every kustomization that is
//! reached from the directory is read before kubectl is started, and only fields that are known to contain local
//! files are passed on: a field that is not in [`FIELDS`] is refused, and so is a path that kustomize could interpret
//! as a URL. kustomize recognizes URLs by a scheme, a user (`git@`), `github.com`, a port or a query; such a path is
//! refused even if there is a file with that name, because to kustomize it is a URL.
//!
//! The check must read the same as kustomize. kustomize reads YAML 1.1, in which more characters end a line (and so a
//! comment) than here, and it ignores the case of field names. So those characters are refused, and so are fields
//! that are not written exactly as documented.
//!
//! Files may be where kustomize allows them: in the directory of their kustomization; other kustomizations may be
//! anywhere (`../base`).

use std::fs;
use std::io::{self, Read as _};
use std::path::{Component, Path, PathBuf};

use serde_json::Value;

use super::document::{Lines, below, dotted};
use super::parse;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kubectl::Kubectl;

/// The names of the file, in the order in which kustomize tries them.
const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];
/// Maximum number of kustomizations in one build.
const MOST: usize = 100;
/// Maximum size of a kustomization: 1 MiB.
const SIZE_LIMIT: u64 = 1 << 20;

/// What a field contains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// Nothing that refers to a file.
    Settings,
    /// Paths of files or of directories with a kustomization.
    Resources,
    /// Paths of directories with a kustomization.
    Directories,
    /// Paths of files.
    Files,
    /// Paths of files, or patches as text.
    FilesOrText,
    /// Mappings in which this field is the path of a file.
    PathIn,
    /// A mapping in which `path` is the path of a file.
    Path,
    /// Generators of ConfigMaps and Secrets, with `files`, `envs` and `env`.
    Generators,
}

/// All fields that are passed on to kubectl.
const FIELDS: [(&str, Holds); 27] = [
    ("apiVersion", Holds::Settings),
    ("kind", Holds::Settings),
    ("metadata", Holds::Settings),
    ("namespace", Holds::Settings),
    ("namePrefix", Holds::Settings),
    ("nameSuffix", Holds::Settings),
    ("labels", Holds::Settings),
    ("commonLabels", Holds::Settings),
    ("commonAnnotations", Holds::Settings),
    ("images", Holds::Settings),
    ("replicas", Holds::Settings),
    ("vars", Holds::Settings),
    ("generatorOptions", Holds::Settings),
    ("buildMetadata", Holds::Settings),
    ("sortOptions", Holds::Settings),
    ("resources", Holds::Resources),
    ("bases", Holds::Directories),
    ("components", Holds::Directories),
    ("crds", Holds::Files),
    ("configurations", Holds::Files),
    ("patchesStrategicMerge", Holds::FilesOrText),
    ("patches", Holds::PathIn),
    ("patchesJson6902", Holds::PathIn),
    ("replacements", Holds::PathIn),
    ("openapi", Holds::Path),
    ("configMapGenerator", Holds::Generators),
    ("secretGenerator", Holds::Generators),
];

/// The fields of the items of a sequence that may contain paths.
fn known_in(holds: Holds) -> &'static [&'static str] {
    match holds {
        Holds::PathIn => &["path", "patch", "target", "options", "source", "targets"],
        Holds::Generators => {
            &["name", "namespace", "behavior", "literals", "files", "envs", "env", "options", "type"]
        }
        _ => &[],
    }
}

/// The path of the kustomization's file in a directory.
///
/// # Errors
/// A file of such a name that cannot be read, for example a symbolic link to a file that does not exist. Without it,
/// the directory would look as if it had no kustomization, and the parts of that would be applied as they are.
pub(super) fn file_in(directory: &Path) -> Result<Option<PathBuf>, (PathBuf, io::Error)> {
    for file in NAMES.iter().map(|name| directory.join(name)) {
        match fs::metadata(&file) {
            Ok(meta) if meta.is_file() => return Ok(Some(file)),
            Ok(meta) if meta.is_dir() => {}
            Ok(_) => return Err((file, io::Error::other("it is not a regular file"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !file.is_symlink() => {}
            Err(error) if file.is_symlink() => return Err((file, error)),
            // The directory cannot be searched: whether it has the file is not known.
            Err(error) => return Err((directory.to_owned(), error)),
        }
    }
    Ok(None)
}

/// Whether a file is a kustomization, by its name.
pub(super) fn is_kustomization(file: &Path) -> bool {
    file.file_name().is_some_and(|name| NAMES.iter().any(|known| name == *known))
}

/// What `kubectl kustomize` prints.
///
/// # Errors
/// `KS-FILE-KUSTOMIZE`, before kubectl is started or because it fails.
pub(super) async fn build(directory: &Path, kubectl: &Kubectl) -> Result<Vec<u8>> {
    check(directory)?;
    let output = kubectl.kustomize(directory).await?;
    if output.exit.success() {
        return Ok(output.stdout);
    }
    let message = format!("kubectl cannot build the kustomization {}", directory.display());
    Err(Box::new(
        Failure::new(errors::FILE_KUSTOMIZE, Kind::Usage, message).because(complaint(&output.stderr)).hint(
            format!("run the command yourself to see its output: {}", kubectl.kustomize_cmd(directory)),
        ),
    ))
}

/// Maximum number of lines of kubectl's message.
const LINES: usize = 20;

/// kubectl's error message. It has several lines if it quotes others: after `error:`, or in the form in which kubectl
/// logs an error, `E1130 04:59:13.902701 1 run.go:72] "command failed" err=<`, where a line `>` ends it.
fn complaint(stderr: &str) -> String {
    let lines: Vec<&str> = stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let logged = |line: &&str| line.ends_with(" err=<");
    let first = lines.iter().rposition(|line| line.starts_with("error: ") || logged(line));
    match (first.map(|first| &lines[first..]), &lines[..]) {
        (Some([first, message @ ..]), _) if logged(first) => {
            let end = message.iter().position(|line| *line == ">").unwrap_or(message.len());
            message[..end.min(LINES)].join(" ")
        }
        (Some(message), _) => message[..message.len().min(LINES)].join(" "),
        (None, [.., last]) => {
            let quoted = last.split_once(" err=").and_then(|(_, quoted)| serde_json::from_str(quoted).ok());
            quoted.unwrap_or_else(|| (*last).to_owned())
        }
        (None, []) => String::new(),
    }
}

/// Check that the kustomization and everything that it uses are local files.
pub(super) fn check(directory: &Path) -> Result<()> {
    let mut checked = Checked { roots: Vec::new(), count: 0 };
    checked.directory(directory)
}

struct Checked {
    /// The directories from the first kustomization to this one.
    roots: Vec<PathBuf>,
    count: usize,
}

/// A field of a kustomization, for error messages.
struct Place<'a> {
    file: &'a Path,
    lines: &'a Lines,
    root: &'a Path,
}

impl Place<'_> {
    fn refuse(&self, pointer: &str, what: &str) -> Box<Failure> {
        let line = self.lines.of(pointer).map_or(1, Lines::line);
        let message = format!("{}:{line}: {} {what}", self.file.display(), dotted(pointer));
        Box::new(Failure::new(errors::FILE_KUSTOMIZE, Kind::Usage, message).hint(
            "use only files in this directory and other local kustomizations, or build it yourself: \
                 kubectl kustomize DIRECTORY | kstrim up -f -",
        ))
    }

    /// The text of a value that must be a path.
    fn local<'v>(&self, pointer: &str, value: &'v Value) -> Result<&'v str> {
        let Some(text) = value.as_str().filter(|text| !text.is_empty()) else {
            return Err(self.refuse(pointer, "is not a path"));
        };
        if is_address(text) {
            return Err(
                self.refuse(pointer, &format!("is an address, {text:?}: kstrim builds only local files"))
            );
        }
        if Path::new(text).components().any(|part| matches!(part, Component::RootDir | Component::Prefix(_)))
        {
            return Err(
                self.refuse(pointer, &format!("is an absolute path, {text:?}: kubectl does not allow it"))
            );
        }
        Ok(text)
    }

    /// A file in the directory of the kustomization.
    fn file(&self, pointer: &str, value: &Value) -> Result<()> {
        let text = self.local(pointer, value)?;
        let path = self.root.join(text);
        let Ok(path) = path.canonicalize() else {
            return Err(self.refuse(pointer, &format!("is a file that does not exist: {text}")));
        };
        if !path.starts_with(self.root) {
            let what = format!("is outside of the directory of the kustomization, {text:?}");
            return Err(self.refuse(pointer, &what));
        }
        match path.is_file() {
            true => Ok(()),
            false => Err(self.refuse(pointer, &format!("is not a file: {text}"))),
        }
    }
}

/// Whether kustomize could interpret a path as the URL of a file or repository.
fn is_address(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    path.contains([':', '@', '?'])
        || path.contains("//")
        || lower.starts_with("github.com")
        || lower.starts_with("gh:")
}

impl Checked {
    fn directory(&mut self, directory: &Path) -> Result<()> {
        let shown = directory.display();
        let wrong = |what: String| Box::new(Failure::new(errors::FILE_KUSTOMIZE, Kind::Usage, what));
        let unreadable =
            |e: std::io::Error| wrong(format!("cannot read the kustomization {shown}")).because(e);
        let root = directory.canonicalize().map_err(unreadable)?;
        let Some(file) = file_in(directory).map_err(|(_, e)| unreadable(e))? else {
            return Err(wrong(format!("{shown} has no kustomization.yaml")));
        };
        if NAMES.iter().filter(|name| directory.join(name).is_file()).count() > 1 {
            return Err(wrong(format!("{shown} has several files that are its kustomization")));
        }
        if self.roots.contains(&root) {
            return Err(wrong(format!("the kustomization {shown} uses itself")));
        }
        self.count += 1;
        if self.count > MOST {
            return Err(wrong(format!("{shown} is the {}th kustomization: {MOST} are allowed", self.count)));
        }
        let mut bytes = Vec::new();
        let open = fs::File::open(&file).map_err(unreadable)?;
        open.take(SIZE_LIMIT + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        let text = String::from_utf8(bytes).ok().filter(|text| text.len() as u64 <= SIZE_LIMIT);
        let Some(text) = text else {
            return Err(wrong(format!("{} is not UTF-8, or larger than 1 MiB", file.display())));
        };
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let strange = |c: char| {
            c.is_control() && !matches!(c, '\n' | '\r' | '\t')
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
        };
        if let Some(at) = text.lines().position(|line| line.contains(strange)) {
            let what =
                "contains a control character, or a line separator that only some readers of YAML know";
            return Err(wrong(format!("{}:{}: the line {what}", file.display(), at + 1)));
        }
        let parsed = parse::parse(text, 2).map_err(|fault| {
            wrong(format!("{}:{}: the kustomization is not valid YAML", file.display(), fault.line))
                .because(fault.why)
        })?;
        let [parsed] = &parsed[..] else {
            return Err(wrong(format!("{} must have one document", file.display())));
        };
        let Value::Object(fields) = &parsed.value else {
            return Err(wrong(format!("{} is not a mapping", file.display())));
        };
        let place = Place { file: &file, lines: &parsed.lines, root: &root };
        self.roots.push(root.clone());
        for (name, value) in fields {
            self.field(&place, directory, name, value)?;
        }
        self.roots.pop();
        Ok(())
    }

    fn field(&mut self, place: &Place<'_>, directory: &Path, name: &str, value: &Value) -> Result<()> {
        let pointer = below("", name);
        let Some((_, holds)) = FIELDS.iter().find(|(known, _)| *known == name) else {
            let what = match name {
                "helmCharts" | "helmGlobals" | "helmChartInflationGenerator" => {
                    "renders Helm charts: render them yourself, with helm template"
                }
                "generators" | "transformers" | "validators" => {
                    "can start programs: kstrim does not build it"
                }
                _ => "is a field that kstrim does not pass to kubectl",
            };
            return Err(place.refuse(&pointer, what));
        };
        if *holds == Holds::Settings || value.is_null() {
            return Ok(());
        }
        if *holds == Holds::Path {
            return value.get("path").map_or(Ok(()), |path| place.file(&below(&pointer, "path"), path));
        }
        let Value::Array(items) = value else {
            return Err(place.refuse(&pointer, "is not a sequence"));
        };
        for (at, item) in items.iter().enumerate() {
            let pointer = format!("{pointer}/{at}");
            let known = known_in(*holds);
            let keys = item.as_object().into_iter().flat_map(|fields| fields.keys());
            if let Some(key) = keys.filter(|key| !known.contains(&key.as_str())).find(|_| !known.is_empty()) {
                return Err(
                    place.refuse(&below(&pointer, key), "is a field that kstrim does not pass to kubectl")
                );
            }
            match holds {
                Holds::Settings | Holds::Path => {}
                Holds::Files => place.file(&pointer, item)?,
                Holds::FilesOrText => {
                    let text = item.as_str().unwrap_or_default();
                    if !text.contains('\n') && !text.starts_with('{') {
                        place.file(&pointer, item)?;
                    }
                }
                Holds::Resources | Holds::Directories => {
                    let path = place.local(&pointer, item)?;
                    // The path as the user wrote it, for messages.
                    let below = directory.join(path);
                    match below.is_dir() {
                        true => self.directory(&below)?,
                        false => place.file(&pointer, item)?,
                    }
                }
                Holds::PathIn | Holds::Generators if !item.is_object() => {
                    return Err(place.refuse(&pointer, "is not a mapping"));
                }
                Holds::PathIn => {
                    if let Some(path) = item.get("path") {
                        place.file(&below(&pointer, "path"), path)?;
                    }
                }
                Holds::Generators => generator(place, &pointer, item)?,
            }
        }
        Ok(())
    }
}

/// `files` have the form `PATH` or `KEY=PATH`.
fn generator(place: &Place<'_>, pointer: &str, item: &Value) -> Result<()> {
    for field in ["files", "envs"] {
        let pointer = below(pointer, field);
        let values = match item.get(field) {
            None | Some(Value::Null) => continue,
            Some(Value::Array(values)) => values,
            Some(_) => return Err(place.refuse(&pointer, "is not a sequence")),
        };
        for (at, value) in values.iter().enumerate() {
            let path = value.as_str().unwrap_or_default();
            let path =
                if field == "files" { path.split_once('=').map_or(path, |(_, path)| path) } else { path };
            place.file(&format!("{pointer}/{at}"), &path.into())?;
        }
    }
    match item.get("env") {
        None | Some(Value::Null) => Ok(()),
        Some(path) => place.file(&below(pointer, "env"), path),
    }
}

#[cfg(test)]
#[path = "kustomize_tests.rs"]
mod tests;
