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
pub mod change;
pub mod installation;
pub mod inventory;
pub mod lease;
pub mod listener;
