//! The manifests of `up -f`: the user's own files.
//!
//! ```text
//! files, directories ──read──┐
//! stdin ─────────────────────┼─► documents ─► scope ─► choose ─► schema ─► references ─► fit ─► order ─► `up` applies
//! kustomizations ──kubectl───┘   with lines   what may  which     against   against        only    phases,
//!   checked first                of fields    be here   release   its CRDs  each other     with    readiness
//!                                                                                          --fit
//! ```
//!
//! Every step except reading is a pure function of documents and arguments. Each reports all problems, with file,
//! line and field ([`problem::Problem`]), before anything in a cluster is changed. The order of the steps matters:
//! the definitions to validate against depend on the chosen release, and references can be checked only if fields
//! have the right types. `fit` changes the documents, so references are checked before it *or* after it: a
//! replication factor above the number of brokers is an error without `--fit`, and `--fit` lowers it.
//!
//! - [`read`]: sources to [`Document`]s; [`parse`] is the YAML reader, [`json`] the JSON reader, [`kustomize`] keeps kustomize from the network.
//! - [`scope`]: what may be applied at all, and in which namespace.
//! - [`choose`]: the Strimzi release that fits, and why.
//! - [`schema`]: strict validation by the release's definitions; [`replaced`]: what replaces fields of earlier releases.
//! - [`references`]: references between documents; [`named`] finds references to ConfigMaps and Secrets.
//! - [`fit`]: production manifests on a laptop, by the rules in `docs/fit.md`.
//! - [`order`]: the phases in which documents are applied, and when each is ready.
//!
//! # Pitfalls
//!
//! - **Lines are those of the files.** `fit` changes values, not positions: the origin of a change is where the user wrote
//!   the field. What kustomize built has lines of its output only.
//! - **Scalars are read as kubectl reads them.** `name: y` is a boolean to kubectl, and so it is here, with an error that says
//!   so. The parser reports which scalars are quoted, so `"yes"` and `yes` can occur in one file.
//! - **kstrim does not know all kinds.** A kind that is in no table is applied last and ready when it exists. Whether it is
//!   namespaced only the API server knows.
//! - **A missing Secret is an error** although somebody may create it later: Strimzi would wait for it without an error.
//!   What exists in the namespace must be passed in as [`references::Existing`].
//! - **Rules in CEL are not evaluated.** The API server does that; a server-side dry run comes before the first apply.

pub(crate) mod built_in;
pub(crate) mod choose;
pub(crate) mod document;
pub(crate) mod fit;
mod json;
mod kustomize;
mod named;
mod object_names;
pub(crate) mod order;
mod parse;
pub(crate) mod problem;
pub(crate) mod read;
pub(crate) mod references;
mod replaced;
pub(crate) mod schema;
pub(crate) mod scope;
mod secret;
mod shown;
mod string_maps;
pub(crate) mod supply;
mod template;
#[cfg(test)]
mod test_support;

use document::Document;
use references::cluster_of;

/// The documents of all sources, with queries for commands.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct UserManifests {
    /// In the order in which they were read.
    pub(crate) documents: Vec<Document>,
}

impl UserManifests {
    /// The documents of a kind, of any API group.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Document> {
        self.documents.iter().filter(move |document| document.object.kind() == kind)
    }

    /// The Kafka clusters.
    pub(crate) fn kafkas(&self) -> impl Iterator<Item = &Document> {
        self.of_kind("Kafka").filter(|document| schema::is_strimzi(&document.object))
    }

    /// The node pools of a cluster.
    pub(crate) fn pools(&self, cluster: &str) -> Vec<&Document> {
        self.of_kind("KafkaNodePool").filter(|pool| cluster_of(&pool.object) == Some(cluster)).collect()
    }
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
