//! What kstrim installed, with each file's digest: it is kept even if the file is removed, so that a later change of
//! a publisher's checksum is noticed.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::vouched::Voucher;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The version of the file's format.
const SCHEMA: u32 = 1;
/// Its maximum size, in bytes.
const SIZE_LIMIT: u64 = 1 << 20;

/// One installed file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// Its SHA-256, lower-case hexadecimal digits.
    pub sha256: String,
    /// Where it came from: a URL or a path.
    pub from: String,
    /// When it was installed.
    pub obtained: Timestamp,
    /// The source of the digest; `None` in the record of an earlier kstrim, which trusted a mirror's checksum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voucher: Option<Voucher>,
    /// The file's stamp when it was last hashed; none: it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stamp: Option<Stamp>,
}

/// What changes with a file's content: its size, and the change time of its inode, which no program can set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// The stamp of a file; none if it does not exist.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let meta = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Self {
            inode: meta.ino(),
            size: meta.size(),
            seconds: meta.ctime(),
            nanoseconds: meta.ctime_nsec(),
        })
    }
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ledger {
    schema: u32,
    /// By `tool/version/platform`.
    pub tools: BTreeMap<String, Entry>,
}

impl Default for Ledger {
    fn default() -> Self {
        Self { schema: SCHEMA, tools: BTreeMap::new() }
    }
}

/// Its path in the toolbox's directory.
pub(crate) fn path(folder: &Path) -> PathBuf {
    folder.join("ledger.json")
}

impl Ledger {
    /// Read it; a missing file is an empty record.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = path(folder);
        let failed = |why: String| {
            let message = format!("the record of installed tools, {}, cannot be used", path.display());
            Box::new(
                Failure::new(errors::TOOL_LEDGER, Kind::Prerequisite, message)
                    .because(why)
                    .hint(format!("start over: rm -r {}", folder.display()))
                    .hint("or use the tools of this machine: --system-tools"),
            )
        };
        let size = match fs::metadata(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            meta => meta.map_err(|e| failed(e.to_string()))?.len(),
        };
        if size > SIZE_LIMIT {
            return Err(failed(format!("it has {size} bytes")));
        }
        let bytes = fs::read(&path).map_err(|e| failed(e.to_string()))?;
        let ledger: Self = serde_json::from_slice(&bytes).map_err(|e| failed(e.to_string()))?;
        if ledger.schema > SCHEMA {
            return Err(failed("a newer kstrim wrote it".into()));
        }
        Ok(ledger)
    }

    /// Write it atomically.
    pub(crate) fn write(&self, folder: &Path) -> std::io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        file.write_all(b"\n")?;
        file.as_file().sync_data()?;
        file.persist(path(folder)).map_err(|e| e.error)?;
        Ok(())
    }
}
