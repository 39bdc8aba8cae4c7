//! Why something was not deleted within the time limit.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::session::Session;
use crate::explain::{self, Answers, Scene, Scope};
use crate::failure::{Failure, Kind};
use crate::kube::{Object, Snapshot};

/// The cause that the remaining objects show, as `(kind, object)`: items of a list do not contain their kind.
pub(crate) fn explain<'a>(
    cx: &Session,
    left: impl IntoIterator<Item = (&'a str, Value)>,
) -> Option<Box<Failure>> {
    let left: Vec<Value> = left
        .into_iter()
        .map(|(kind, mut object)| {
            object["kind"] = json!(kind);
            object
        })
        .collect();
    let snapshot = Snapshot::of(left.iter().cloned().map(Object::new));
    let (expect, answers) = (cx.expect().scope(Scope::Teardown), Answers::new());
    let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now: Timestamp::now() };
    let found = explain::findings(&scene);
    let failure = match found.iter().find(|f| f.certain_after.is_some()) {
        Some(cause) => cause.failure(),
        None => explain::held(left.first()?, &expect),
    };
    Some(Box::new(Failure { kind: Kind::Timeout, ..failure }))
}
