//! The output of `kstrim status`: the cluster as one document.
//!
//! [`look`] queries minikube and the API server, all at once and read-only; [`model`] builds a [`data::Status`] from
//! the responses, purely; [`draw`] prints that as text. `docs/status.md` describes the document,
//! `docs/schema/status.schema.json` is generated from [`data`].

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
