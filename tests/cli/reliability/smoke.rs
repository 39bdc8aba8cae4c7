//! The smoke test.

use serde_json::json;

use super::{End::Named, Fault, Left, World, fault};

macro_rules! broker {
    ($name:literal, $what:literal, $fault:tt, $id:literal, $code:literal) => {
        fault(
            $name,
            $what,
            World::Ready,
            |t| t.change_scenario(|s| s.broker = json!($fault)),
            Named($id, $code),
            Left::All,
        )
        .by(&["smoke-test", "--timeout", "20s"])
    };
}

pub fn faults() -> Vec<Fault> {
    vec![
        broker!("no-leader", "the partition has no leader", {"no_leader": true}, "KS-SMOKE-NO-LEADER", 6),
        broker!("no-message", "acknowledged messages are not in the log", {"drop_all": true}, "KS-SMOKE-EMPTY", 6),
        broker!("wrong-content", "messages are consumed with different content", {"corrupt_content": true}, "KS-SMOKE-CONTENT", 6),
        broker!("truncated", "acknowledged messages disappear", {"truncate": 4}, "KS-SMOKE-TRUNCATED", 6),
        broker!("duplicates", "messages are consumed twice", {"duplicate": true}, "KS-SMOKE-DUPLICATE", 6),
        broker!("order", "messages are consumed in another order", {"reorder": true}, "KS-SMOKE-ORDER", 6),
        broker!("produce-refused", "the broker rejects messages", {"produce_error": 19}, "KS-SMOKE-PRODUCE", 6),
        broker!("fetch-refused", "the broker returns no messages", {"fetch_error": 56}, "KS-SMOKE-CONSUME", 6),
        broker!("broker-stalls", "the broker does not respond", {"stall_ms": 30_000}, "KS-SMOKE-TIMEOUT", 4),
    ]
}
