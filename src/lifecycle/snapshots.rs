//! The snapshots of this machine: a file each, in a directory of their profile.

use std::path::PathBuf;
use std::time::SystemTime;

use crate::bundle::Bundle;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::SnapshotName;
use crate::paths::data_dir;

/// The ending of their files.
const ENDING: &str = "snapshot";

/// The directory of a profile's snapshots. `kstrim down` keeps them.
pub(crate) fn folder(profile: &str) -> PathBuf {
    data_dir().join("snapshots").join(profile)
}

/// The file of a snapshot.
pub(crate) fn file(profile: &str, name: &SnapshotName) -> PathBuf {
    folder(profile).join(format!("{name}.{ENDING}"))
}

/// A snapshot that is stored.
pub(crate) struct Stored {
    /// Its name.
    pub name: SnapshotName,
    /// Its file.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its contents, or why they cannot be read.
    pub bundle: std::result::Result<Bundle, Box<Failure>>,
}

/// All snapshots of a profile, the latest last. Other files in the directory are ignored.
///
/// # Errors
/// [`errors::STATE_UNWRITABLE`]: the directory cannot be read.
pub(crate) fn list(profile: &str) -> Result<Vec<Stored>> {
    let folder = folder(profile);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Box::new(crate::paths::unwritable(&folder, &e))),
    };
    let mut found: Vec<(SystemTime, Stored)> = Vec::new();
    for entry in entries.flatten() {
        let file = entry.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let name = name.strip_suffix(ENDING).and_then(|name| name.strip_suffix('.'));
        let (Some(Ok(name)), Ok(meta)) = (name.map(str::parse), file.metadata()) else { continue };
        let bundle = Bundle::open(&file);
        let written = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        found.push((written, Stored { name, file, size: meta.len(), bundle }));
    }
    found.sort_by(|(a, one), (b, other)| (a, &one.name).cmp(&(b, &other.name)));
    Ok(found.into_iter().map(|(_, stored)| stored).collect())
}

/// The failure if there is no snapshot of that name.
pub(crate) fn missing(profile: &str, name: &SnapshotName, list: String) -> Box<Failure> {
    let message = format!("there is no snapshot {name} of the profile {profile}");
    Box::new(
        Failure::new(errors::SNAPSHOT_MISSING, Kind::Usage, message)
            .hint(format!("list those that exist: {list}")),
    )
}
