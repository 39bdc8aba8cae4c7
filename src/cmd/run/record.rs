//! The runs on this machine: a directory for each, with a lock that the kernel frees when its process ends. What a
//! killed run left behind is removed by a later one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::Result;
use crate::paths::{private_dir, private_file, unwritable, write_private};

const RECORD: &str = "run.json";
const LOCK: &str = "lock";

/// What a later run needs to know to clean up after this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Its id.
    pub id: String,
    /// The namespace of the Kafka cluster.
    pub namespace: String,
    /// The Kafka cluster.
    pub cluster: String,
    /// The prefix of everything that belongs to it, with `--isolate`.
    pub prefix: Option<String>,
}

/// A run whose lock is held: this one, or one that has ended.
pub(crate) struct Held {
    /// Its record.
    pub record: Record,
    folder: PathBuf,
    _lock: File,
}

impl Held {
    /// Record a new run in a new directory below `runs`.
    pub(crate) fn begin(runs: &Path, record: Record) -> Result<Self> {
        let folder = runs.join(&record.id);
        let begin = || {
            private_dir(&folder)?;
            let lock = open(&folder.join(LOCK))?;
            lock.lock()?;
            // Other runs ignore directories without a record.
            write_private(&folder.join(RECORD), serde_json::to_string(&record)?.as_bytes())?;
            Ok(lock)
        };
        let lock = begin().map_err(|e| Box::new(unwritable(&folder, &e)))?;
        Ok(Self { record, folder, _lock: lock })
    }

    /// Its directory, which only this user can read.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Delete its record: it left nothing behind in the cluster.
    pub(crate) fn forget(self) {
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Delete its files, but not its record: it left something behind in the cluster.
    pub(crate) fn remove_files(&self) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for path in entries.map(|entry| entry.path()).filter(|path| path.is_dir()) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

/// The runs on this Kafka cluster whose processes have ended without cleaning up.
pub(crate) fn ended_runs(runs: &Path, namespace: &str, cluster: &str) -> Vec<Held> {
    let folders = fs::read_dir(runs).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut over = Vec::new();
    for folder in folders.filter(|path| path.is_dir()) {
        let record = fs::read(folder.join(RECORD)).ok();
        let Some(record) = record.and_then(|json| serde_json::from_slice::<Record>(&json).ok()) else {
            continue;
        };
        if (record.namespace.as_str(), record.cluster.as_str()) != (namespace, cluster) {
            continue;
        }
        let Ok(lock) = open(&folder.join(LOCK)) else { continue };
        if lock.try_lock().is_ok() {
            over.push(Held { record, folder, _lock: lock });
        }
    }
    over
}

/// Open a lock file, and create it if it does not exist.
pub(crate) fn open(path: &Path) -> std::io::Result<File> {
    if let Some(folder) = path.parent() {
        private_dir(folder)?;
    }
    private_file(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

/// Take a shared lock; waits while another process has an exclusive one.
pub(crate) async fn share(path: &Path) -> Result<File> {
    let failed = |e: &std::io::Error| Box::new(unwritable(path, e));
    let file = open(path).map_err(|e| failed(&e))?;
    match file.try_lock_shared() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(e)) => return Err(failed(&e)),
    }
    let waited = tokio::task::spawn_blocking(move || file.lock_shared().map(|()| file)).await;
    waited.map_err(std::io::Error::other).and_then(|locked| locked).map_err(|e| failed(&e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_run_whose_process_has_ended_is_over() {
        let runs = tempfile::tempdir().expect("a directory");
        let record = |id: &str, cluster: &str| Record {
            id: id.to_owned(),
            namespace: "kafka".to_owned(),
            cluster: cluster.to_owned(),
            prefix: Some(format!("run-{id}-")),
        };
        let live = Held::begin(runs.path(), record("a", "c")).expect("writable");
        drop(Held::begin(runs.path(), record("b", "c")).expect("writable"));
        drop(Held::begin(runs.path(), record("d", "other")).expect("writable"));
        fs::create_dir(runs.path().join("e")).expect("a directory");
        let ids = || {
            ended_runs(runs.path(), "kafka", "c").into_iter().map(|held| held.record.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(), ["b"]);
        ended_runs(runs.path(), "kafka", "c").remove(0).forget();
        assert!(ids().is_empty() && !runs.path().join("b").exists());
        live.forget();
        assert!(!runs.path().join("a").exists());
    }
}
