//! `upgrade`: finds a path through releases by Strimzi's rules, and follows it step by step.
//!
//! ```text
//! state (what runs) ─ path (stops and steps, by rules) ─┬─ told (--dry-run)
//!                                                       └─ steps (tasks of the engine, one after the other)
//! ```

pub mod convert;
pub mod images;
pub mod kept;
pub mod managed;
pub mod migrate;
pub mod path;
pub mod resources;
pub mod rule;
mod search;
pub mod settled;
pub mod shape;
pub mod state;
pub mod steps;
pub mod told;
pub mod versions;
