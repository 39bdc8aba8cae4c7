//! Problems of the user's manifests: all of them are reported at once, each with its position.

use super::document::{Document, Origin, dotted};
use crate::failure::{Failure, Id, Kind};

/// The maximum number of problems that are listed, followed by the number of the others.
pub(crate) const LISTED: usize = 30;

/// The hint for a word that is not text without quotes.
pub(super) const IN_QUOTES: &str = "write values that look like numbers or true and false in quotes";

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The error id.
    pub(crate) id: Id,
    /// The position.
    pub(crate) origin: Origin,
    /// The JSON pointer of the field, empty for the object as a whole.
    pub(crate) pointer: String,
    /// What is wrong, one sentence without a full stop.
    pub(crate) message: String,
    /// What to do, if the message does not imply it.
    pub(crate) hint: Option<String>,
}

impl Problem {
    /// The problem of the field at a JSON pointer. `what` follows the field's path: `has no value`.
    pub(super) fn field(id: Id, document: &Document, pointer: &str, what: impl std::fmt::Display) -> Self {
        let object = &document.object;
        let message = match pointer {
            "" => format!("{object} {what}"),
            pointer => format!("{object}: {} {what}", dotted(pointer)),
        };
        Self { id, origin: document.at(pointer), pointer: pointer.to_owned(), message, hint: None }
    }

    /// The same with a hint.
    #[must_use]
    pub(super) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

/// `kafka.yaml:12: Kafka my-cluster: spec.kafka.replcas is not a field`.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.origin, self.message)
    }
}

/// The problems as one failure, with the id of the first; `None` if there are none.
pub(crate) fn failure(problems: &[Problem]) -> Option<Box<Failure>> {
    let first = problems.first()?;
    let mut failure = match problems {
        [only] => Failure::new(first.id, Kind::Usage, only.to_string()),
        all => {
            let message = format!("there are {} problems in the specified manifests", all.len());
            all.iter().take(LISTED).fold(Failure::new(first.id, Kind::Usage, message), Failure::because)
        }
    };
    if problems.len() > LISTED {
        failure = failure.because(format!("and {} more", problems.len() - LISTED));
    }
    for hint in problems.iter().take(LISTED).filter_map(|problem| problem.hint.as_ref()) {
        if !failure.hints.contains(hint) {
            failure = failure.hint(hint);
        }
    }
    Some(Box::new(failure))
}
