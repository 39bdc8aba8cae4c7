//! What will not go.

use super::{End::Named, Fault, Left, World, fault};
use crate::harness::Engine;

pub fn faults() -> Vec<Fault> {
    vec![
        fault(
            "down-without-engine",
            "the engine is stopped before `down`",
            World::Ready,
            |t| t.rescenario(|s| s.engine = Engine::Down),
            Named("KS-ENGINE-DOWN", 3),
            Left::All,
        )
        .by(&["down", "--yes"]),
        fault(
            "down-with-a-foreign-kafka",
            "somebody else's Kafka is in the namespace",
            World::Ready,
            |t| crate::support::disown(t, "kafka", "my-cluster"),
            Named("KS-KAFKA-FOREIGN", 5),
            Left::All,
        )
        .by(&["down", "--keep-cluster", "--yes"])
        .then(&["up", "--adopt"]),
    ]
}
