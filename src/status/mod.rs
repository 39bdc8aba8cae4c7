//! What `kstrim status` shows: the cluster as one document.
//!
//! [`look`] asks minikube and the API server, all at once and reads only; [`model`] makes a
//! [`data::Status`] of the answers, purely; [`draw`] draws that for people. `docs/status.md`
//! describes the document, `docs/schema/status.schema.json` is generated from [`data`].

mod components;
pub(crate) mod data;
pub(crate) mod draw;
pub(crate) mod look;
pub(crate) mod model;
mod topics;

pub(crate) use data::Status;

#[cfg(test)]
mod schema_tests;
#[cfg(test)]
mod tests;
