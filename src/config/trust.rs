//! Which files may set sources and destinations: those whose exact content the user has trusted, as in direnv. A
//! record holds the file's path and the SHA-256 of its content; with other content it is another file.

use std::fs;
use std::io;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Id, Kind, Result};
use crate::paths::{private_dir, state_dir};

/// The records of trusted files cannot be written.
pub const UNWRITABLE: Id = Id("KS-TRUST-UNWRITABLE");

/// The version of a record's format.
const SCHEMA: u32 = 1;
/// The most bytes of a record.
const LIMIT: u64 = 64 << 10;

/// A file that is trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: u32,
    /// Its path.
    pub path: String,
    /// SHA-256 of its content, lower-case hexadecimal digits.
    pub sha256: String,
    /// When it was trusted.
    pub trusted: Timestamp,
}

/// The records.
#[derive(Debug, Clone)]
pub struct Trust {
    folder: PathBuf,
}

/// SHA-256 as lower-case hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path by which a file is known: its folder with links resolved, then its own name. A link that replaces it
/// later is the same name with other content.
///
/// # Errors
/// There is no such folder.
pub fn known_as(file: &Path) -> io::Result<PathBuf> {
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
    /// The records in another folder.
    pub fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn record(&self, known: &Path) -> PathBuf {
        self.folder.join(format!("{}.json", digest(known.as_os_str().as_bytes())))
    }

    fn read(&self, record: &Path) -> Option<Record> {
        // A record that somebody else could have written is not this user's.
        let me = rustix::process::geteuid().as_raw();
        let own = |meta: &fs::Metadata| meta.uid() == me && meta.mode() & 0o022 == 0;
        let (file, folder) = (fs::symlink_metadata(record).ok()?, fs::metadata(&self.folder).ok()?);
        if !file.is_file() || !own(&file) || !own(&folder) || file.len() > LIMIT {
            return None;
        }
        let record: Record = serde_json::from_slice(&fs::read(record).ok()?).ok()?;
        (record.schema <= SCHEMA).then_some(record)
    }

    /// What is recorded about a file.
    pub fn of(&self, file: &Path) -> Option<Record> {
        self.read(&self.record(&known_as(file).ok()?))
    }

    /// Whether exactly this content of the file is trusted.
    pub fn holds(&self, file: &Path, content: &[u8]) -> bool {
        self.of(file).is_some_and(|record| record.sha256 == digest(content))
    }

    /// Trust this content of the file; returns its record.
    ///
    /// # Errors
    /// [`UNWRITABLE`].
    pub fn give(&self, file: &Path, content: &[u8]) -> Result<Record> {
        let give = || -> io::Result<Record> {
            let known = known_as(file)?;
            private_dir(&self.folder)?;
            let record = Record {
                schema: SCHEMA,
                path: known.display().to_string(),
                sha256: digest(content),
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
    ///
    /// # Errors
    /// [`UNWRITABLE`].
    pub fn revoke(&self, file: &Path) -> Result<bool> {
        // The file's folder may be gone: then its path is used as it was given.
        let known = known_as(file).unwrap_or_else(|_| file.to_owned());
        match fs::remove_file(self.record(&known)) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(self.unwritable(&e)),
        }
    }

    /// All records, by path.
    pub fn list(&self) -> Vec<Record> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut all: Vec<Record> = entries.filter_map(|entry| self.read(&entry.path())).collect();
        all.sort_by(|a, b| a.path.cmp(&b.path));
        all
    }

    fn unwritable(&self, error: &io::Error) -> Box<Failure> {
        let message = format!("the record of trusted files in {} cannot be written", self.folder.display());
        Box::new(
            Failure::new(UNWRITABLE, Kind::Prerequisite, message).because(error).hint(
                "free up space, make your user own the folder, or choose another with KSTRIM_STATE_DIR",
            ),
        )
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn one_content_of_one_path_is_trusted() {
        let root = tempfile::tempdir().expect("a folder");
        let trust = Trust::at(root.path().join("state/trust"));
        let file = root.path().join("kstrim.yaml");
        fs::write(&file, "a").expect("a file");
        assert!(!trust.holds(&file, b"a"));
        trust.give(&file, b"a").expect("recorded");
        assert!(trust.holds(&file, b"a") && trust.holds(&root.path().join("./kstrim.yaml"), b"a"));
        assert!(!trust.holds(&file, b"b") && !trust.holds(&root.path().join("other.yaml"), b"a"));
        assert_eq!(trust.list().len(), 1);
        // New content replaces the old.
        trust.give(&file, b"b").expect("recorded");
        assert!(trust.holds(&file, b"b") && !trust.holds(&file, b"a"));
        // A record that others may write to is ignored.
        let record = trust.record(&known_as(&file).expect("a path"));
        fs::set_permissions(&record, fs::Permissions::from_mode(0o666)).expect("a mode");
        assert!(!trust.holds(&file, b"b"));
        fs::set_permissions(&record, fs::Permissions::from_mode(0o600)).expect("a mode");
        for text in ["", "{", "{\"schema\": 99}"] {
            fs::write(&record, text).expect("written");
            assert!(!trust.holds(&file, b"b") && trust.list().is_empty(), "{text}");
        }
        assert!(trust.revoke(&file).expect("removed") && !trust.revoke(&file).expect("gone"));
    }
}
