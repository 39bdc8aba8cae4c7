//! What kstrim may change in a cluster, and how it changes it.
//!
//! ```text
//! installation   whose is this object? -> Owned (path, uid, resourceVersion)
//!      |
//!   change       delete, patch, create: only with an Owned, only the object that was looked at
//!   inventory    what is in a namespace, of every kind that the API server lists
//!   lease        one changing command at a time, across machines
//! ```
//! Pitfalls: a list's items do not carry their kind, so an [`Owned`](installation::Owned) keeps its path; a status
//! update changes the resource version, so a refused precondition is looked at again before it is an error.

pub mod adopt;
pub mod change;
pub mod installation;
pub mod inventory;
pub mod lease;
