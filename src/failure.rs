//! The failure type that all rooms use.
//!
//! A [`Failure`] says what failed, why, and what to do next. Its [`Id`] is stable (`kstrim explain ID`); its [`Kind`]
//! fixes the exit code.

use std::fmt;

pub(crate) use crate::errors::Id;
pub use crate::errors::Kind;

/// One failure, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable id.
    pub id: Id,
    /// Class; determines the exit code.
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
        debug_assert!(id.entry().kinds.contains(&kind), "src/errors/{id}.md does not name the kind {kind:?}");
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
        let failure = Failure::new(crate::errors::STATE_UNWRITABLE, Kind::Task, "cannot write journal")
            .because_of(&error)
            .because("disk full");
        assert_eq!(failure.causes, ["disk full"]);
    }
}
