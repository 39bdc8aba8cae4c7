//! The observed state of the cluster: typed views of its objects, and a watch that keeps them up to date.
//!
//! [`watch::Watcher`] lists and watches through an [`api::Api`], fills a [`store::Store`], and every waiting task
//! takes a [`snapshot::Snapshot`] each time the store changed. Views ([`pod::Pod`], [`kafka::Kafka`] ...) borrow an
//! [`object::Object`]; a missing or null field is returned as empty, never as an error: a new custom resource has no
//! status, a new CRD has `conditions: null`.

pub(crate) mod admission;
pub(crate) mod api;
pub(crate) mod cluster;
pub(crate) mod kafka;
pub(crate) mod kind;
pub(crate) mod kubectl;
pub(crate) mod logs;
pub(crate) mod object;
pub(crate) mod pod;
pub(crate) mod proxy;
pub(crate) mod snapshot;
pub(crate) mod store;
pub(crate) mod strimzi;
pub(crate) mod watch;

pub use api::ApiError;
pub(crate) use api::{Api, ApiErrorKind};
pub use kind::Kind;
pub(crate) use kind::Version;
pub(crate) use object::Condition;
pub use object::Object;
pub use snapshot::Snapshot;
pub use store::Store;
pub(crate) use watch::Watcher;

/// The limit of a child process that lives as long as its run.
const FOREVER: std::time::Duration = std::time::Duration::from_secs(365 * 24 * 3600);
