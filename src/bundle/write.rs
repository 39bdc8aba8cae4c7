//! Writes a bundle in one pass: the index comes first with a placeholder for each digest, which is replaced after the
//! contents were written.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tar::{EntryType, Header};

use super::index::{Entry, FORMAT, Index, Set, Snapshot, path_ok, schema_for};
use super::read::Step;
use super::{CHUNK, INDEX, INDEX_DIGEST, Kind};
use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::names::{ImageName, Version};
use crate::sha256;

/// A file that goes into a bundle.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// What it is.
    pub kind: Kind,
    /// Its path.
    pub name: String,
    /// Where it is.
    pub file: PathBuf,
    /// For an image archive: the images in it. For a class-data archive: the image that it is for.
    pub images: Vec<ImageName>,
    /// For a tool: its version.
    pub version: Option<Version>,
    /// Whether it is executable.
    pub executable: bool,
}

impl Source {
    /// A file without anything special.
    pub(crate) fn plain(kind: Kind, name: String, file: PathBuf) -> Self {
        Self { kind, name, file, images: Vec::new(), version: None, executable: false }
    }
}

fn source(path: &Path, why: impl std::fmt::Display) -> Box<Failure> {
    let message = format!("{} cannot be added to the bundle", path.display());
    Box::new(Failure::new(errors::BUNDLE_SOURCE, Class::Usage, message).because(why))
}

/// Write a bundle of these files to `to`. `force` replaces an existing file. `Ok(None)`: `step` stopped it, and no
/// file is left.
pub(crate) fn write(
    to: &Path,
    set: Set,
    snapshot: Option<Snapshot>,
    sources: &[Source],
    force: bool,
    step: Step<'_>,
) -> Result<Option<Index>> {
    let exists = || {
        let message = format!("{} already exists", to.display());
        Box::new(Failure::new(errors::BUNDLE_EXISTS, Class::Foreign, message).hint("replace it: --force"))
    };
    let unwritable = |e: std::io::Error| {
        let message = format!("the bundle {} cannot be written", to.display());
        Box::new(
            Failure::new(errors::BUNDLE_UNWRITABLE, Class::Task, message)
                .because(e)
                .hint("free disk space, or specify another file with -o FILE"),
        )
    };
    if !force && to.exists() {
        return Err(exists());
    }
    let mut index = planned(set, snapshot, sources)?;
    let folder = to.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
    // Every digest has the same length as its placeholder.
    head(&mut file, &index).map_err(unwritable)?;
    for (place, from) in sources.iter().enumerate() {
        let Some(entry) = index.entries.get_mut(place) else { break };
        file.write_all(&header(&entry.path, entry.size).map_err(unwritable)?).map_err(unwritable)?;
        match copy(&from.file, entry.size, &mut file, step) {
            Ok(Some(digest)) => entry.sha256 = digest,
            Ok(None) => return Ok(None),
            Err(Broken::Read(why)) => return Err(source(&from.file, why)),
            Err(Broken::Write(e)) => return Err(unwritable(e)),
        }
        pad(&mut file, entry.size).map_err(unwritable)?;
    }
    // Two empty blocks end a tar file.
    file.write_all(&[0; 1024]).map_err(unwritable)?;
    file.seek(SeekFrom::Start(0)).map_err(unwritable)?;
    head(&mut file, &index).map_err(unwritable)?;
    file.as_file().sync_data().map_err(unwritable)?;
    let kept = if force { file.persist(to) } else { file.persist_noclobber(to) };
    kept.map_err(|e| match e.error.kind() {
        std::io::ErrorKind::AlreadyExists => exists(),
        _ => unwritable(e.error),
    })?;
    // A temporary file is readable only by its owner. A bundle is meant to be shared; a snapshot contains Secrets.
    if index.snapshot.is_none() {
        let _ = std::fs::set_permissions(to, std::os::unix::fs::PermissionsExt::from_mode(0o644));
    }
    Ok(Some(index))
}

/// The index with an empty digest for each file.
fn planned(set: Set, snapshot: Option<Snapshot>, sources: &[Source]) -> Result<Index> {
    let mut entries = Vec::new();
    for from in sources {
        let meta = std::fs::metadata(&from.file).map_err(|e| source(&from.file, e))?;
        let path = format!("{}/{}", from.kind.folder(), from.name);
        if !meta.is_file() {
            return Err(source(&from.file, "it is not a file"));
        }
        if !path_ok(&path) || header(&path, 0).is_err() {
            return Err(source(&from.file, format!("{path:?} is not a valid name in a bundle")));
        }
        if meta.len() > from.kind.limit() {
            let limit = from.kind.limit() >> 20;
            return Err(source(&from.file, format!("a {} has at most {limit} MiB", from.kind.title())));
        }
        entries.push(Entry {
            path,
            kind: from.kind,
            size: meta.len(),
            sha256: "0".repeat(64),
            images: from.images.clone(),
            version: from.version.clone(),
            executable: from.executable,
        });
    }
    let made_by = format!("kstrim {}", env!("CARGO_PKG_VERSION"));
    let schema = schema_for(&entries);
    Ok(Index { format: FORMAT.into(), schema, made_by, set, snapshot, entries })
}

fn head(file: &mut impl Write, index: &Index) -> std::io::Result<()> {
    let text = index.text();
    let digest = format!("{}\n", sha256::of(&text));
    for (path, content) in [(INDEX, text.as_slice()), (INDEX_DIGEST, digest.as_bytes())] {
        file.write_all(&header(path, content.len() as u64)?)?;
        file.write_all(content)?;
        pad(file, content.len() as u64)?;
    }
    Ok(())
}

/// A header without anything that differs between machines: the same content results in the same bundle.
fn header(path: &str, size: u64) -> std::io::Result<[u8; 512]> {
    let mut header = Header::new_ustar();
    header.set_path(path)?;
    header.set_entry_type(EntryType::Regular);
    header.set_size(size);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header.set_cksum();
    Ok(*header.as_bytes())
}

fn pad(file: &mut impl Write, size: u64) -> std::io::Result<()> {
    let rest = (512 - size % 512) % 512;
    file.write_all(&[0; 512][..usize::try_from(rest).unwrap_or(0)])
}

enum Broken {
    Read(String),
    Write(std::io::Error),
}

/// Copy exactly `size` bytes and return their digest; `None`: `step` stopped it.
fn copy(
    from: &Path,
    size: u64,
    to: &mut impl Write,
    step: Step<'_>,
) -> std::result::Result<Option<String>, Broken> {
    let read_error = |e: std::io::Error| Broken::Read(e.to_string());
    let mut file = File::open(from).map_err(read_error)?;
    let (mut left, mut hash, mut buffer) = (size, Sha256::new(), vec![0; CHUNK]);
    loop {
        let read = file.read(&mut buffer).map_err(read_error)?;
        if read as u64 > left || read == 0 && left > 0 {
            return Err(Broken::Read("it changed while it was read".into()));
        }
        if read == 0 {
            return Ok(Some(sha256::hex(&hash.finalize())));
        }
        hash.update(&buffer[..read]);
        to.write_all(&buffer[..read]).map_err(Broken::Write)?;
        left -= read as u64;
        if !step(read as u64) {
            return Ok(None);
        }
    }
}
