//! What kstrim may change in a cluster, and how it changes it.
//!
//! ```text
//! installation   who owns this object? -> Owned (path, uid, resourceVersion)
//!      |
//!   change       delete, patch, create: only with an Owned, only the object that was read
//!   inventory    the contents of a namespace, of every kind that the API server lists
//!   listener     the listeners of a live Kafka that kstrim adds and takes away
//!   lease        one changing command at a time, across machines
//! ```
//! Pitfalls: a list's items do not carry their kind, so an [`Owned`](installation::Owned) keeps its path; a status
//! update changes the resource version, so after a failed precondition the object is re-read before that counts as
//! an error.

pub mod adopt;
pub mod api_server;
pub mod brokers;
pub mod change;
pub mod connection;
pub mod definitions;
pub mod finalizers;
pub mod first_start;
pub mod installation;
pub mod inventory;
pub mod journal;
pub mod lease;
pub mod listener;
pub mod lost_machine;
pub mod operators;
pub mod ownership;
pub mod profile_owner;
pub mod refusals;
pub mod remediation;
pub mod remote_operator;
pub mod rollout;
pub mod session;
pub mod wait;
