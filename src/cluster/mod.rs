//! What all commands need to work on a live cluster; nothing that is specific to one command.
//!
//! ```text
//! session ──── the target, the release, minikube, kubectl, what the cluster shows (a store filled by watches)
//!    │
//!    ├─ connection, api_server   does the API server respond, and if not, what does minikube say?
//!    ├─ profile_owner, journal, first_start, lost_machine
//!    │                           is this minikube profile the one that kstrim created?
//!    ├─ rest ─ shutdown          a profile that is stopped or paused, and what ends in it before
//!    ├─ ownership ─ installation who owns this object? -> Owned (path, uid, resourceVersion)
//!    │      ├─ change, adopt     delete, patch, create: only with an Owned, only the object that was read
//!    │      └─ lease             one changing command at a time, across machines
//!    ├─ inventory, definitions, operators, remote_operator, existing_operator, operator_owner
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

pub(crate) mod access;
pub(crate) mod adopt;
pub(crate) mod api_server;
pub(crate) mod applied_files;
pub(crate) mod brokers;
pub(crate) mod change;
pub(crate) mod claims;
pub(crate) mod class_data;
pub(crate) mod component_test;
pub(crate) mod connection;
pub(crate) mod credentials;
pub(crate) mod definitions;
pub(crate) mod existing_operator;
pub(crate) mod finalizers;
pub(crate) mod first_start;
pub(crate) mod forwards;
pub(crate) mod image_cache;
pub(crate) mod installation;
pub(crate) mod inventory;
pub(crate) mod journal;
pub(crate) mod lease;
pub(crate) mod listener;
pub(crate) mod lost_machine;
pub(crate) mod operator_owner;
pub(crate) mod operator_refusals;
pub(crate) mod operators;
pub(crate) mod ownership;
pub(crate) mod profile_owner;
pub(crate) mod refusals;
pub(crate) mod remediation;
pub(crate) mod remote_operator;
pub(crate) mod rollout;
pub(crate) mod session;
pub(crate) mod shutdown;
pub(crate) mod suspension;
pub(crate) mod wait;
