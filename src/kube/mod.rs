//! The observed state of the cluster: typed views of its objects, and a watch that keeps them up to date.
//!
//! [`watch::Watcher`] lists and watches through an [`api::Api`], fills a [`store::Store`], and
//! whoever waits takes a [`snapshot::Snapshot`] each time the store changed. Views
//! ([`pod::Pod`], [`kafka::Kafka`] ...) borrow an [`object::Object`]; a missing or null field
//! is an empty answer, never an error: a new custom resource has no status, a new CRD has
//! `conditions: null`.

pub mod admission;
pub mod api;
pub mod cluster;
pub mod kafka;
pub mod kind;
pub mod kubectl;
pub mod logs;
pub mod object;
pub mod pod;
pub mod proxy;
pub mod snapshot;
pub mod store;
pub mod strimzi;
pub mod watch;

pub use api::{Api, ApiError, ApiErrorKind};
pub use kind::{Kind, Version};
pub use object::{Condition, Object};
pub use snapshot::Snapshot;
pub use store::{Applied, Store};
pub use watch::Watcher;
