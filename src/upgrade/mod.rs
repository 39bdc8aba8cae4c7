//! `upgrade`: finds a path through releases by Strimzi's rules, and follows it step by step.
//!
//! ```text
//! state (what runs) ─ path (stops and steps, by rules) ─┬─ document (--dry-run)
//!                                                       └─ steps (tasks of the engine, one after the other)
//! ```

pub(crate) mod convert;
pub(crate) mod document;
pub(crate) mod images;
pub(crate) mod kept;
pub(crate) mod managed;
pub(crate) mod migrate;
pub(crate) mod model;
pub(crate) mod path;
pub(crate) mod resources;
pub(crate) mod rule;
mod search;
pub(crate) mod settled;
pub(crate) mod shape;
pub(crate) mod state;
pub(crate) mod steps;
pub(crate) mod versions;
