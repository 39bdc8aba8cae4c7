//! Unpacks entries to files: into the cache by content, or to a specific path.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Entry;
use super::read::{Bundle, Step};
use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::paths::private_dir;
use crate::sha256;

/// The cache's directory for files from bundles.
const CLASS: &str = "bundles";

impl Bundle {
    /// The path of an entry in the cache.
    pub fn cached(&self, entry: &Entry, cache: &Path) -> PathBuf {
        cache.join(CLASS).join("sha256").join(&entry.sha256)
    }

    /// An entry as a file in the cache: the existing file if it is intact, otherwise the entry is unpacked again.
    /// `Ok(None)`: `step` stopped it. `step` is not called for existing files.
    pub fn unpack(&self, entry: &Entry, cache: &Path, step: Step<'_>) -> Result<Option<PathBuf>> {
        let path = self.cached(entry, cache);
        let there = fs::metadata(&path).is_ok_and(|m| m.is_file() && m.len() == entry.size);
        if there && File::open(&path).and_then(sha256::of_reader).is_ok_and(|found| found == entry.sha256) {
            return Ok(Some(path));
        }
        // If the mode cannot be set, the file cannot be written either, and that error is reported below.
        let _ = path.parent().map(private_dir);
        Ok(self.unpack_to(entry, &path, step)?.then_some(path))
    }

    /// Unpack an entry to the file `path`, which is replaced. `Ok(false)`: `step` stopped it.
    pub fn unpack_to(&self, entry: &Entry, path: &Path, step: Step<'_>) -> Result<bool> {
        let unwritable = |e: std::io::Error| {
            let message = format!("{} of the bundle cannot be unpacked to {}", entry.path, path.display());
            let failure = Failure::new(errors::BUNDLE_UNWRITABLE, Class::Task, message).because(e);
            Box::new(failure.hint("free disk space, or correct the permissions of the directory"))
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(unwritable)?;
        let mut file = tempfile::NamedTempFile::new_in(folder).map_err(unwritable)?;
        if !self.read(entry, step, |piece| file.write_all(piece))? {
            return Ok(false);
        }
        let mode = if entry.executable { 0o700 } else { 0o600 };
        file.as_file().set_permissions(fs::Permissions::from_mode(mode)).map_err(unwritable)?;
        file.as_file().sync_data().map_err(unwritable)?;
        file.persist(path).map_err(|e| unwritable(e.error))?;
        Ok(true)
    }
}
