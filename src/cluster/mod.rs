//! What every command needs of a live cluster, and nothing of a command.
//!
//! ```text
//! session ──── the target, the release, minikube, kubectl, what the cluster shows (a store filled by watches)
//!    │
//!    ├─ connection, api_server   does the API server respond, and if not, what does minikube say?
//!    ├─ profile_owner, journal, first_start, lost_machine
//!    │                           is this minikube profile the one that kstrim created?
//!    ├─ ownership ─ installation who owns this object? -> Owned (path, uid, resourceVersion)
//!    │      ├─ change, adopt     delete, patch, create: only with an Owned, only the object that was read
//!    │      └─ lease             one changing command at a time, across machines
//!    ├─ inventory, definitions, operators, remote_operator
//!    │                           what is in a namespace, and in the cluster
//!    ├─ wait ─ remediation       wait for a state: judge snapshots, explain, recover what is kstrim's
//!    │      ├─ rollout, finalizers
//!    ├─ brokers, component_test, listener
//!    │                           port-forwards, the smoke tests, listeners that kstrim adds
//!    └─ refusals                 failures that several rooms share
//! ```
//! Pitfalls: a list's items do not carry their kind, so an [`Owned`](installation::Owned) keeps its path; a status
//! update changes the resource version, so after a failed precondition the object is re-read before that counts as
//! an error. Nothing is [owned](session::Session::owns) before the installation has been looked up. A wait compares
//! generations and times: a status may be that of an older specification, a condition older than our own change.

pub mod adopt;
pub mod api_server;
pub mod brokers;
pub mod change;
pub mod component_test;
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
