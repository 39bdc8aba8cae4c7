//! What can be done with an existing profile: stop and start it, save and restore its state.
//!
//! ```text
//! stop:     brokers ─ machine                      start:  cluster ─ kafka ─ smoke ─ ready
//! save:     images ─ brokers ─ state ┬ api ─ kafka ─ smoke ─ ready
//!                                    └ file
//! restore:  [preflight ─ cluster ─ images ─] state ─ api ─ kafka ─ smoke ─ ready
//! ```
//! A snapshot is a bundle ([`crate::bundle`]) with the images of the pods and one archive with the state of the
//! cluster: etcd's data, which has every object of Kubernetes with its uid, and the volumes. Nothing in the cluster
//! runs while it is packed or replaced. It contains no certificate of minikube's: `minikube start` creates those, so
//! that a snapshot can be restored on another machine, whose minikube has another CA.

pub(crate) mod restore;
pub(crate) mod save;
pub(crate) mod snapshots;
pub(crate) mod start;
mod state;
pub(crate) mod stop;
