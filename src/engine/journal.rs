//! What a run records about its tasks: on disk before anything is done, so that a run that was killed leaves a trace.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::event::Outcome;
use crate::failure::Result;

/// Records the start and end of tasks.
pub(crate) trait Journal {
    /// A task starts.
    ///
    /// # Errors
    ///
    /// If it cannot be recorded: then the task does not start.
    fn started(&self, task: &str) -> Result<()>;

    /// A task ended.
    fn finished(&self, task: &str, outcome: Outcome) -> Result<()>;
}

/// The last run of each task, by its id.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Entries(pub BTreeMap<String, Entry>);

/// The last run of a task.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// When it started.
    pub started: Timestamp,
    /// When it ended; none if the run was killed before.
    #[serde(default)]
    pub finished: Option<Timestamp>,
    /// Its outcome.
    #[serde(default)]
    pub outcome: Option<Outcome>,
}

impl Entries {
    /// A task starts now.
    pub(crate) fn start(&mut self, task: &str) {
        let entry = Entry { started: Timestamp::now(), finished: None, outcome: None };
        self.0.insert(task.to_owned(), entry);
    }

    /// A task ended now. Returns whether it had been started.
    pub(crate) fn finish(&mut self, task: &str, outcome: Outcome) -> bool {
        let Some(entry) = self.0.get_mut(task) else { return false };
        entry.finished = Some(Timestamp::now());
        entry.outcome = Some(outcome);
        true
    }
}
