//! The events of a command's last run, stored next to the journal as evidence.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::paths::{private_dir, private_file};

/// A log that may have to wait for the profile's lock: a run that does not get the lock must not touch the log of the
/// run that holds it.
pub(crate) struct EventLog {
    path: PathBuf,
    waiting: Option<String>,
    file: Option<File>,
}

impl EventLog {
    /// A log at `path`, opened by [`EventLog::open`]; earlier lines are kept in memory.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, waiting: Some(String::new()), file: None }
    }

    /// A log in an open file.
    pub(crate) fn of(file: File) -> Self {
        Self { path: PathBuf::new(), waiting: None, file: Some(file) }
    }

    /// The log at `path`, truncated, if no other run writes to it.
    pub(crate) fn exclusive(path: &Path) -> Self {
        let mut new = OpenOptions::new();
        let file = private_file(new.write(true).create(true).truncate(false), path).ok();
        let file = file.filter(|file| file.try_lock().is_ok() && file.set_len(0).is_ok());
        file.map_or_else(Self::none, Self::of)
    }

    /// No log.
    pub(crate) fn none() -> Self {
        Self { path: PathBuf::new(), waiting: None, file: None }
    }

    /// Open and truncate it. If it cannot be written, there is no log: a full disk does not stop the run.
    pub(crate) fn open(&mut self) {
        let Some(waiting) = self.waiting.take() else { return };
        if let Some(folder) = self.path.parent() {
            let _ = private_dir(folder);
        }
        let mut new = OpenOptions::new();
        self.file = private_file(new.write(true).create(true).truncate(true), &self.path).ok();
        self.put(&waiting);
    }

    /// Add a line, without its line break.
    pub(crate) fn line(&mut self, mut line: String) {
        line.push('\n');
        match &mut self.waiting {
            Some(waiting) => waiting.push_str(&line),
            None => self.put(&line),
        }
    }

    fn put(&mut self, text: &str) {
        if let Some(file) = &mut self.file {
            let _ = file.write_all(text.as_bytes());
        }
    }
}
