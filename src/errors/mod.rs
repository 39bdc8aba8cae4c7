//! All errors of kstrim as data: one file `KS-….md` in this directory for each.
//!
//! From these files come the constants that the code uses (`build.rs`; one that nothing uses is a compiler warning),
//! `kstrim explain`, and the pages `docs/errors.md` and `docs/exit-codes.md`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class of a failure; it determines the exit code (`docs/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A task failed: exit 1.
    Task,
    /// The command line or a setting is wrong: exit 2.
    Usage,
    /// Something this machine lacks (a program, an engine, a supported version): exit 3.
    Prerequisite,
    /// A time limit expired: exit 4.
    Timeout,
    /// Something that kstrim did not create blocks the command: exit 5.
    Foreign,
    /// The smoke test failed: exit 6.
    Smoke,
    /// Another run holds the profile's lock: exit 7.
    Locked,
    /// The command of `kstrim run` cannot be found or executed: exit 127.
    NotFound,
    /// SIGINT: exit 130.
    Interrupted,
    /// SIGTERM: exit 143.
    Terminated,
}

impl Kind {
    /// All of them, in the order of their exit codes.
    pub const ALL: [Self; 10] = [
        Self::Task,
        Self::Usage,
        Self::Prerequisite,
        Self::Timeout,
        Self::Foreign,
        Self::Smoke,
        Self::Locked,
        Self::NotFound,
        Self::Interrupted,
        Self::Terminated,
    ];

    /// The process's exit code, 1 to 143.
    pub const fn exit_code(self) -> u8 {
        match self {
            Kind::Task => 1,
            Kind::Usage => 2,
            Kind::Prerequisite => 3,
            Kind::Timeout => 4,
            Kind::Foreign => 5,
            Kind::Smoke => 6,
            Kind::Locked => 7,
            Kind::NotFound => 127,
            Kind::Interrupted => 130,
            Kind::Terminated => 143,
        }
    }
}

/// What kstrim does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// It fails before anything is changed.
    Prevent,
    /// It recovers by itself, with a warning, if kstrim created what is broken.
    Heal,
    /// It can continue if the user agrees: something of theirs is lost or changed.
    Consent,
    /// It names the cause; only the user can remove it.
    Explain,
}

/// A stable error id such as `KS-PROFILE-FOREIGN`. There are no others than those of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Id(&'static str);

impl Id {
    /// The id's text.
    pub const fn as_str(self) -> &'static str {
        self.0
    }

    /// What the catalogue says about it.
    ///
    /// # Panics
    /// Never: the constants and the catalogue come from the same files.
    pub fn entry(self) -> &'static Entry {
        find(self.0).expect("each id has an entry")
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// An error of the catalogue. The texts are Markdown paragraphs.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Entry {
    /// Stable id.
    #[schemars(with = "String")]
    pub id: Id,
    /// What is wrong, one sentence without a full stop.
    pub title: &'static str,
    /// What kstrim does about it.
    pub severity: Severity,
    /// The classes that a failure of this id can have. They decide the exit code.
    pub kinds: &'static [Kind],
    /// More about what is wrong; may be empty.
    pub meaning: &'static str,
    /// How kstrim knows.
    pub evidence: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// The address of the catalogue for a browser.
const PAGE: &str = "https://github.com/kstrim/kstrim/blob/main/docs/errors.md";

include!(concat!(env!("OUT_DIR"), "/errors.rs"));

/// The catalogue, in the order of the ids.
pub(crate) fn catalogue() -> &'static [Entry] {
    CATALOGUE
}

/// The entry of an id.
pub fn find(id: &str) -> Option<&'static Entry> {
    CATALOGUE.binary_search_by(|entry| entry.id.0.cmp(id)).ok().map(|at| &CATALOGUE[at])
}

/// The command that explains an id on the terminal.
pub(crate) fn command(id: &str) -> String {
    format!("kstrim explain {id}")
}

/// The address at which an id is explained.
pub(crate) fn address(id: &str) -> String {
    format!("{PAGE}#{}", id.to_ascii_lowercase())
}

#[cfg(test)]
mod tests;
