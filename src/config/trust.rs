//! Which files may set sources and destinations: those whose exact content the user has trusted, as in direnv. A
//! record contains the file's path and the SHA-256 of its content; a file with other content is not trusted.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::paths::{private_dir, state_dir};
use crate::sha256;

/// The version of a record's format.
const SCHEMA: u32 = 1;
/// Maximum size of a record, in bytes.
const LIMIT: u64 = 64 << 10;

/// A file that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    schema: u32,
    /// Its path.
    pub path: String,
    /// SHA-256 of its content, lower-case hexadecimal digits.
    pub sha256: String,
    /// When it was trusted.
    pub trusted: Timestamp,
}

impl Record {
    /// Whether exactly this content is trusted.
    pub(crate) fn holds(&self, content: &[u8]) -> bool {
        self.sha256 == sha256::of(content)
    }
}

/// The records.
#[derive(Debug, Clone)]
pub(crate) struct Trust {
    folder: PathBuf,
}

/// The path that identifies a file: its directory with links resolved, then its own name. A link that replaces it
/// later has the same name, but other content.
pub(crate) fn known_as(file: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(file)?;
    let name = absolute.file_name().ok_or_else(|| io::Error::other("it is not a file"))?;
    Ok(absolute.parent().unwrap_or(Path::new("/")).canonicalize()?.join(name))
}

impl Default for Trust {
    fn default() -> Self {
        Self { folder: state_dir().join("trust") }
    }
}

impl Trust {
    /// The records in another directory.
    #[cfg(test)]
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn record(&self, known: &Path) -> PathBuf {
        self.folder.join(format!("{}.json", sha256::of(known.as_os_str().as_bytes())))
    }

    fn read(&self, record: &Path) -> Option<Record> {
        // A record that another user could have written is ignored.
        let me = rustix::process::geteuid().as_raw();
        let own = |meta: &fs::Metadata| meta.uid() == me && meta.mode() & 0o022 == 0;
        let (file, folder) = (fs::symlink_metadata(record).ok()?, fs::metadata(&self.folder).ok()?);
        if !file.is_file() || !own(&file) || !own(&folder) || file.len() > LIMIT {
            return None;
        }
        let record: Record = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
        (record.schema <= SCHEMA).then_some(record)
    }

    /// The record of a file.
    pub(crate) fn of(&self, file: &Path) -> Option<Record> {
        self.read(&self.record(&known_as(file).ok()?))
    }

    /// Trust this content of the file; returns its record.
    pub(crate) fn record_trust(&self, file: &Path, content: &[u8]) -> Result<Record> {
        let give = || -> io::Result<Record> {
            let known = known_as(file)?;
            private_dir(&self.folder)?;
            let record = Record {
                schema: SCHEMA,
                path: known.display().to_string(),
                sha256: sha256::of(content),
                trusted: Timestamp::now(),
            };
            let mut new = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer_pretty(&mut new, &record)?;
            new.write_all(b"\n")?;
            new.as_file().sync_data()?;
            new.persist(self.record(&known)).map_err(|e| e.error)?;
            Ok(record)
        };
        give().map_err(|e| self.unwritable(&e))
    }

    /// Revoke the trust in a file; returns whether it was trusted.
    pub(crate) fn revoke(&self, file: &Path) -> Result<bool> {
        // The file's directory may no longer exist: then the path is used as it was specified.
        let known = known_as(file).unwrap_or_else(|_| file.to_owned());
        match fs::remove_file(self.record(&known)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(self.unwritable(&e)),
        }
    }

    /// All records, by path.
    pub(crate) fn list(&self) -> Vec<Record> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut all: Vec<Record> = entries.filter_map(|entry| self.read(&entry.path())).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    fn unwritable(&self, error: &io::Error) -> Box<Failure> {
        let message = format!("the record of trusted files in {} cannot be written", self.folder.display());
        Box::new(Failure::new(errors::TRUST_UNWRITABLE, Kind::Prerequisite, message).because(error).hint(
            "free disk space, make your user the owner of the directory, or choose another one with \
             KSTRIM_STATE_DIR",
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn only_the_trusted_content_of_a_path_is_accepted() {
        let root = tempfile::tempdir().expect("a folder");
        let trust = Trust::at(root.path().join("state/trust"));
        let file = root.path().join("kstrim.yaml");
        let holds = |file: &Path, content: &[u8]| trust.of(file).is_some_and(|record| record.holds(content));
        fs::write(&file, "a").expect("a file");
        assert!(!holds(&file, b"a"));
        trust.record_trust(&file, b"a").expect("recorded");
        assert!(holds(&file, b"a") && holds(&root.path().join("./kstrim.yaml"), b"a"));
        assert!(!holds(&file, b"b") && !holds(&root.path().join("other.yaml"), b"a"));
        assert_eq!(trust.list().len(), 1);
        // New content replaces the old.
        trust.record_trust(&file, b"b").expect("recorded");
        assert!(holds(&file, b"b") && !holds(&file, b"a"));
        // A record that others may write to is ignored.
        let record = trust.record(&known_as(&file).expect("a path"));
        fs::set_permissions(&record, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert!(!holds(&file, b"b"));
        fs::set_permissions(&record, fs::Permissions::from_mode(0o600)).expect("a mode");
        for text in ["", "{", "{\"schema\": 99}"] {
            fs::write(&record, text).expect("written");
            assert!(!holds(&file, b"b") && trust.list().is_empty(), "{text}");
        }
        assert!(trust.revoke(&file).expect("removed") && !trust.revoke(&file).expect("gone"));
    }
}
