//! Reading a bundle: every header is compared with the index, then the file is read entry by entry.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tar::{Archive, EntryType};

use super::index::{Entry, Index, Kind, SIZE_LIMIT, refused};
use super::{CHUNK, INDEX, INDEX_DIGEST, megabytes};
use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::sha256;

/// A bundle whose index and headers are valid. Its contents are read and checked when they are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The file.
    pub path: PathBuf,
    /// Its index.
    pub index: Index,
    /// SHA-256 of the index: it identifies the bundle with all its contents.
    pub id: String,
    /// The offset of each entry's content, in bytes.
    offsets: Vec<u64>,
}

/// Called with the number of bytes of each step; returns false to stop.
pub(crate) type Step<'a> = &'a mut dyn FnMut(u64) -> bool;

impl Bundle {
    /// Open a bundle: index and headers are read and checked, contents are not.
    ///
    /// # Errors
    /// `KS-BUNDLE-*` naming the invalid entry.
    pub fn open(path: &Path) -> Result<Self> {
        let origin = path.display().to_string();
        let unreadable = |why: String| {
            let message = format!("{origin} is not a readable bundle");
            Box::new(
                Failure::new(errors::BUNDLE_UNREADABLE, Class::Usage, message)
                    .because(why)
                    .hint("specify a file that was created by `kstrim bundle create -o FILE`"),
            )
        };
        let file = File::open(path).map_err(|e| unreadable(e.to_string()))?;
        let meta = file.metadata().map_err(|e| unreadable(e.to_string()))?;
        if !meta.is_file() {
            return Err(unreadable("it is not a file".into()));
        }
        let length = meta.len();
        let mut archive = Archive::new(file);
        // Raw entries: extensions such as long names are entries of their own, which a bundle must not contain.
        let mut entries = archive.entries_with_seek().map_err(|e| unreadable(e.to_string()))?.raw(true);
        let mut read: Option<(Index, String)> = None;
        let mut digest = None;
        let mut offsets = Vec::new();
        loop {
            // The name of the next expected entry, for the error about a file that ends too early.
            let (next, size) = match (&read, &digest) {
                (None, _) => (INDEX, 0),
                (Some(_), None) => (INDEX_DIGEST, 0),
                (Some((index, _)), Some(())) => match index.entries.get(offsets.len()) {
                    Some(entry) => (entry.path.as_str(), entry.size),
                    None => ("", 0),
                },
            };
            let mut found = match entries.next() {
                Some(Ok(found)) => found,
                None if next.is_empty() => break,
                _ if next == INDEX => {
                    return Err(unreadable("it is not a tar file that begins with an index".into()));
                }
                None => return Err(truncated(&origin, next, size, length)),
                Some(Err(_)) if offsets.last().is_some_and(|_| length % 512 != 0) => {
                    return Err(truncated(&origin, next, size, length));
                }
                Some(Err(e)) => {
                    return Err(refused(&origin, next, &format!("its header cannot be read: {e}")));
                }
            };
            let named = String::from_utf8_lossy(&found.path_bytes()).into_owned();
            if next.is_empty() {
                return Err(refused(&origin, &named, "it is not in the index"));
            }
            if named != next && next == INDEX {
                return Err(unreadable(format!("its first entry is not {INDEX}")));
            }
            if named != next {
                let why =
                    format!("it is not in the index, or not at this position, where {next} is expected");
                return Err(refused(&origin, &named, &why));
            }
            plain(found.header().entry_type()).map_err(|why| refused(&origin, next, why))?;
            let (at, has) = (found.raw_file_position(), found.size());
            if at.checked_add(has).is_none_or(|end| end > length) {
                return Err(truncated(&origin, next, has, length));
            }
            match (&read, &digest) {
                (None, _) => {
                    let text = read_small_entry(&mut found, SIZE_LIMIT)
                        .map_err(|why| refused(&origin, INDEX, &why))?;
                    read = Some((Index::parse(&origin, &text)?, sha256::of(&text)));
                }
                (Some((_, id)), None) => {
                    let text = read_small_entry(&mut found, 128)
                        .map_err(|why| refused(&origin, INDEX_DIGEST, &why))?;
                    let told = String::from_utf8_lossy(&text);
                    if told.trim() != id {
                        return Err(other(&origin, INDEX, told.trim(), id));
                    }
                    digest = Some(());
                }
                (Some(_), Some(())) if has != size => {
                    let why = format!("it has {has} bytes, but {size} according to the index");
                    return Err(refused(&origin, next, &why));
                }
                _ => offsets.push(at),
            }
        }
        let Some((index, id)) = read else { return Err(unreadable("it has no index".into())) };
        Ok(Self { path: path.to_owned(), index, id, offsets })
    }

    /// The size of all entries, in bytes.
    pub fn size(&self) -> u64 {
        self.index.entries.iter().map(|e| e.size).sum()
    }

    /// The install manifest.
    pub fn manifest(&self) -> &Entry {
        self.index.of(Kind::Manifest).next().unwrap_or_else(|| unreachable!("an index has one"))
    }

    /// The tool of this name.
    pub fn tool(&self, name: &str) -> Option<&Entry> {
        self.index.of(Kind::Tool).find(|entry| entry.name() == name)
    }

    /// Read an entry's content in pieces, pass them to `take`, and verify its size and digest. `Ok(false)`: `take`
    /// stopped it.
    pub fn read(
        &self,
        entry: &Entry,
        step: Step<'_>,
        mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
    ) -> Result<bool> {
        let origin = self.path.display().to_string();
        let place = self.index.entries.iter().position(|e| e == entry);
        let offset = place.and_then(|place| self.offsets.get(place)).copied().unwrap_or_default();
        let lost = |_| truncated(&origin, &entry.path, entry.size, 0);
        let mut file = File::open(&self.path).map_err(lost)?;
        file.seek(SeekFrom::Start(offset)).map_err(lost)?;
        let (mut left, mut hash, mut buffer) = (entry.size, Sha256::new(), vec![0; CHUNK]);
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(CHUNK).min(CHUNK);
            let read = file.read(&mut buffer[..most]).map_err(lost)?;
            if read == 0 {
                return Err(truncated(&origin, &entry.path, entry.size, offset));
            }
            hash.update(&buffer[..read]);
            take(&buffer[..read]).map_err(|e| {
                let message = format!("{} of the bundle {origin} cannot be written", entry.path);
                Box::new(
                    Failure::new(errors::BUNDLE_UNWRITABLE, Class::Task, message)
                        .because(e)
                        .hint("free disk space"),
                )
            })?;
            left -= read as u64;
            if !step(read as u64) {
                return Ok(false);
            }
        }
        let found = sha256::hex(&hash.finalize());
        if found == entry.sha256 { Ok(true) } else { Err(other(&origin, &entry.path, &entry.sha256, &found)) }
    }

    /// Check every entry's content. `Ok(false)`: `step` stopped it.
    pub fn verify(&self, step: Step<'_>) -> Result<bool> {
        for entry in &self.index.entries {
            if !self.read(entry, step, |_| Ok(()))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Reject every entry that is not a regular file.
fn plain(kind: EntryType) -> std::result::Result<(), &'static str> {
    match kind {
        EntryType::Regular => Ok(()),
        EntryType::Symlink => Err("it is a symbolic link"),
        EntryType::Link => Err("it is a hard link"),
        EntryType::Directory => Err("it is a directory"),
        EntryType::Char | EntryType::Block | EntryType::Fifo => Err("it is a device or a pipe"),
        EntryType::GNUSparse => Err("it is a sparse file"),
        _ => Err("it is not a regular file"),
    }
}

/// Read a small entry into memory.
fn read_small_entry(from: &mut impl Read, limit: u64) -> std::result::Result<Vec<u8>, String> {
    let mut text = Vec::new();
    from.take(limit + 1).read_to_end(&mut text).map_err(|e| e.to_string())?;
    if text.len() as u64 > limit { Err(format!("it has more than {limit} bytes")) } else { Ok(text) }
}

fn truncated(origin: &str, path: &str, size: u64, length: u64) -> Box<Failure> {
    let message = format!("the bundle {origin} ends in the middle of its entry {path:?}");
    let mut failure = Failure::new(errors::BUNDLE_TRUNCATED, Class::Usage, message);
    if size > 0 && length > 0 {
        failure =
            failure.because(format!("the entry has {}, the bundle {}", megabytes(size), megabytes(length)));
    }
    Box::new(failure.hint("copy the bundle again: the copy is incomplete"))
}

fn other(origin: &str, path: &str, expected: &str, found: &str) -> Box<Failure> {
    let expected: String = expected.chars().take(64).filter(char::is_ascii_alphanumeric).collect();
    let message = format!("the entry {path:?} of the bundle {origin} is not what was stored in it");
    Box::new(
        Failure::new(errors::BUNDLE_DIGEST, Class::Usage, message)
            .because(format!("expected sha256:{expected}"))
            .because(format!("found    sha256:{found}"))
            .hint("copy the bundle again, or obtain it again from its source"),
    )
}
