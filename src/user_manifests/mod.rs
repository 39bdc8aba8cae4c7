//! The manifests of `up -f`: what users keep in files of their own.
//!
//! ```text
//! files, directories ──read──┐
//! stdin ─────────────────────┼─► documents ─► scope ─► choose ─► schema ─► references ─► fit ─► order ─► `up` applies
//! kustomizations ──kubectl───┘   with lines   what may  which     against   against        only    phases,
//!   checked first                of fields    be here   release   its CRDs  each other     with    readiness
//!                                                                                          --fit
//! ```
//!
//! Every step is a pure function of documents and what is passed in, except reading. Each reports all that it finds, with
//! file, line and field ([`Problem`]), before anything in a cluster is changed. The order of the steps matters: the
//! definitions to check against are known only when the release is chosen, and references are worth checking only where the
//! fields have the right types. `fit` changes the documents, so the checks of references come before it *or* after it:
//! replication above the number of brokers is an error without `--fit`, and `--fit` lowers it.
//!
//! - [`read`]: sources to [`Document`]s; [`parse`] is the YAML reader, [`kustomize`] keeps kustomize from the network.
//! - [`scope`]: what may be applied at all, and in which namespace.
//! - [`choose`]: the Strimzi release that fits, and why.
//! - [`schema`]: strict validation by the release's definitions; [`replaced`]: what replaces fields of earlier releases.
//! - [`references`]: what the documents say of each other; [`named`] finds ConfigMaps and Secrets that are named.
//! - [`fit`]: production manifests on a laptop, by the rules in `docs/fit.md`.
//! - [`order`]: the phases in which documents are applied, and when each is ready.
//!
//! # Pitfalls
//!
//! - **Lines are those of the files.** `fit` changes values, not positions: the origin of a change is where the user wrote
//!   the field. What kustomize built has lines of its output only.
//! - **Words are kubectl's.** `name: y` is a boolean to kubectl, and so it is here, with an error that says so. The parser
//!   tells which words have quotes, so that `"yes"` and `yes` may stand in one file.
//! - **kstrim does not know all kinds.** A kind that is in no table is applied last and ready when it exists. Whether it is
//!   namespaced only the API server knows.
//! - **A missing Secret is an error** although somebody may create it later: Strimzi would wait for it without an error.
//!   What exists in the namespace must be passed in as [`Existing`].
//! - **Rules in CEL are not evaluated.** The API server does that; a server-side dry run comes before the first apply.

#![allow(dead_code, reason = "`up -f`, `plan`, `diff` and `render` will call it")]

pub(crate) mod choose;
pub(crate) mod document;
pub(crate) mod fit;
mod kustomize;
mod named;
pub(crate) mod order;
mod parse;
pub(crate) mod problem;
pub(crate) mod read;
pub(crate) mod references;
mod replaced;
pub(crate) mod schema;
pub(crate) mod scope;
pub(crate) mod supply;
#[cfg(test)]
mod test_support;

use std::collections::BTreeSet;

use serde_json::Value;

use crate::catalogue::Release;
use crate::failure::Result;
use crate::manifest::Object;
use document::Document;
use problem::Problem;
use references::{Existing, cluster_of};

/// The documents of all sources, with what commands ask of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct UserManifests {
    /// In the order in which they were read.
    pub(crate) documents: Vec<Document>,
}

impl UserManifests {
    /// The documents of a kind, of any API group that Strimzi or Kubernetes has.
    pub(crate) fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Document> {
        self.documents.iter().filter(move |document| document.object.kind() == kind)
    }

    /// The Kafka clusters.
    pub(crate) fn kafkas(&self) -> impl Iterator<Item = &Document> {
        self.of_kind("Kafka").filter(|document| schema::is_strimzi(&document.object))
    }

    /// The name of the cluster that commands mean without `--cluster`: that of the first Kafka.
    pub(crate) fn primary(&self) -> Option<&str> {
        self.kafkas().next().map(|document| document.object.name())
    }

    /// The names in Kafka of a cluster's topics.
    pub(crate) fn topics(&self, cluster: &str) -> Vec<&str> {
        let of = self.of_kind("KafkaTopic").map(|document| &document.object);
        of.filter(|topic| cluster_of(topic) == Some(cluster)).map(topic_name).collect()
    }

    /// The names of a cluster's users.
    pub(crate) fn users(&self, cluster: &str) -> Vec<&str> {
        let of = self.of_kind("KafkaUser").map(|document| &document.object);
        of.filter(|user| cluster_of(user) == Some(cluster)).map(Object::name).collect()
    }

    /// The node pools of a cluster.
    pub(crate) fn pools(&self, cluster: &str) -> Vec<&Document> {
        self.of_kind("KafkaNodePool").filter(|pool| cluster_of(&pool.object) == Some(cluster)).collect()
    }

    /// The Kafka clusters that documents belong to and that are not among them: of a preset, or existing ones.
    pub(crate) fn other_clusters(&self) -> BTreeSet<&str> {
        let own: BTreeSet<&str> = self.kafkas().map(|document| document.object.name()).collect();
        let kinds = ["KafkaTopic", "KafkaUser", "KafkaNodePool", "KafkaRebalance"];
        let all = self.documents.iter().filter(|document| kinds.contains(&document.object.kind()));
        all.filter_map(|document| cluster_of(&document.object)).filter(|name| !own.contains(name)).collect()
    }

    /// All problems of the documents for a release: scope, definitions, and, if those fit, references.
    pub(crate) fn problems(
        &self,
        release: &Release,
        install: &[Object],
        existing: &Existing,
        namespace: &str,
    ) -> Vec<Problem> {
        let mut problems = scope::check(&self.documents, namespace);
        problems.extend(schema::Definitions::new(release, install).check(&self.documents));
        if problems.is_empty() {
            problems = references::check(&self.documents, existing, namespace, release);
        }
        problems
    }

    /// The same as one failure.
    pub(crate) fn check(
        &self,
        release: &Release,
        install: &[Object],
        existing: &Existing,
        namespace: &str,
    ) -> Result<()> {
        problem::failure(&self.problems(release, install, existing, namespace)).map_or(Ok(()), Err)
    }
}

/// A topic's name in Kafka.
fn topic_name(topic: &Object) -> &str {
    let named = topic.get("/spec/topicName").and_then(Value::as_str);
    named.filter(|name| !name.is_empty()).unwrap_or(topic.name())
}

#[cfg(test)]
#[path = "mod_tests.rs"]
mod tests;
