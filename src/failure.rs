//! What went wrong, in the one shape every room uses.
//!
//! A [`Failure`] says what failed, why, and what to do next. Its [`Id`] is stable and is the
//! anchor in `docs/errors.md`; its [`Kind`] fixes the exit code.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The class of a failure; it alone decides the exit code (`docs/exit-codes.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A task failed: exit 1.
    Task,
    /// The command line or a setting is wrong: exit 2.
    Usage,
    /// Something this machine lacks (a program, an engine, a supported version): exit 3.
    Prerequisite,
    /// A deadline passed: exit 4.
    Timeout,
    /// Something kstrim did not make is in the way: exit 5.
    Foreign,
    /// The smoke test failed: exit 6.
    Smoke,
    /// Another run holds the profile's lock: exit 7.
    Locked,
    /// SIGINT: exit 130.
    Interrupted,
    /// SIGTERM: exit 143.
    Terminated,
}

impl Kind {
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
            Kind::Interrupted => 130,
            Kind::Terminated => 143,
        }
    }
}

/// A stable error id such as `KS-PROFILE-FOREIGN`: upper-case words, at least two after no
/// more than 40 characters. Every id used in the code has a heading in `docs/errors.md`
/// (a test holds the two together).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Id(pub &'static str);

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// One failure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable id.
    pub id: Id,
    /// Class; fixes the exit code.
    pub kind: Kind,
    /// What failed, one sentence without a final stop.
    pub message: String,
    /// The causes, outermost first, without repeats of `message`.
    pub causes: Vec<String>,
    /// What to do next, each a sentence or a command with the user's own names filled in.
    pub hints: Vec<String>,
}

impl Failure {
    /// A failure without causes or hints.
    pub fn new(id: Id, kind: Kind, message: impl Into<String>) -> Self {
        Self { id, kind, message: message.into(), causes: Vec::new(), hints: Vec::new() }
    }

    /// Add a cause; blank ones and repeats are dropped.
    #[must_use]
    pub fn because(mut self, cause: impl fmt::Display) -> Self {
        let cause = cause.to_string();
        let cause = cause.trim();
        if !cause.is_empty() && cause != self.message && !self.causes.iter().any(|c| c == cause) {
            self.causes.push(cause.to_owned());
        }
        self
    }

    /// Add every link of an error's source chain as a cause.
    #[must_use]
    pub fn because_of(mut self, error: &anyhow::Error) -> Self {
        for link in error.chain() {
            self = self.because(link);
        }
        self
    }

    /// Add a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// The result of nearly everything above `exec`. Boxed: a failure is large and rare.
pub type Result<T, E = Box<Failure>> = std::result::Result<T, E>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_do_not_repeat() {
        let error = anyhow::anyhow!("disk full").context("cannot write journal");
        let failure = Failure::new(Id("KS-STATE-UNWRITABLE"), Kind::Task, "cannot write journal")
            .because_of(&error)
            .because("disk full");
        assert_eq!(failure.causes, ["disk full"]);
    }
}
