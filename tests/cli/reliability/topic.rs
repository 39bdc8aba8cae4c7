//! Topics.

use super::{End::Healed, Fault, Left, World, fault};
use crate::support::kubectl;

pub fn faults() -> Vec<Fault> {
    vec![fault(
        "topic-deleted",
        "the topic's resource is deleted by hand",
        World::Ready,
        |t| drop(kubectl(t, "delete kafkatopic my-topic -n kafka --wait=false").expect(0)),
        Healed("my-topic"),
        Left::All,
    )]
}
