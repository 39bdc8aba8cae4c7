//! What `down` does if the cluster is kept, in an order in which no step waits forever:
//!
//! ```text
//! files ┬─ topics ─────┬─ kafka ─ volumes ─ operator ─ crds ─ namespace
//!       └─ components ─┘
//! ```
//! What `up -f` applied in addition to the Kafka resource is deleted first, clients before what they use. Topics,
//! users and connectors are deleted while their operator still handles their finalizers; the Kafka resource before
//! the operator that deletes its pods; the definitions when no objects of their kinds exist anywhere; the namespace
//! last, so that it does not get stuck while it is being deleted. Only objects that belong to the installation are
//! deleted ([`crate::cluster::installation`]); if the namespace contains other people's objects, these are kept, and
//! so is the namespace. Each step is a [`Task`](crate::engine::task::Task) like those of `up`: the next run continues
//! where an interrupted one ended.

pub(crate) mod component;
pub(crate) mod definitions;
pub(crate) mod files;
pub(crate) mod held;
pub(crate) mod kafka;
pub(crate) mod namespace;
pub(crate) mod operator;
pub(crate) mod orphans;
pub(crate) mod plan;
pub(crate) mod profile;
pub(crate) mod resources;
pub(crate) mod volumes;

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;

use crate::cluster::installation::{self};
use crate::cluster::session::Session;
use crate::engine::task::{Job, Spec};
use crate::event;
use crate::kube::kind::Version;
use crate::kube::object::text;

/// What the tasks of one `down` share.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    /// The uids of the objects that belonged to the installation when `down` started, and of their dependents:
    /// objects that they own still belong to the installation after their owners were deleted.
    pub known: BTreeSet<String>,
    /// Whether the namespace is kept, as far as that was known when `down` started.
    pub namespace_stays: bool,
}

/// The tasks that remove Strimzi and Kafka from a cluster that is kept. `keep_data`: the claims are kept, and
/// therefore the namespace; the topics' resources are deleted after the Kafka resource, because a topic operator that
/// is still running would delete the topics, with their data.
pub(crate) fn tasks(cx: &Rc<Session>, scope: &Rc<Scope>, keep_data: bool) -> Vec<Job> {
    let scope = || scope.clone();
    let (topics_need, kafka_needs, operator_needs): (&[&str], &[&str], &[&str]) = if keep_data {
        (&["kafka"], &["components"], &["topics"])
    } else {
        (&[], &["topics", "components"], &["volumes"])
    };
    // Before everything else: clients of the Kafka cluster, and resources whose deletion needs the operator.
    let files = Spec::new("files", "Your manifests", &[], 6);
    let files = Job::new(files, files::Files::new(scope(), keep_data), cx);
    let after =
        |needs: &[&'static str]| -> Vec<&'static str> { needs.iter().copied().chain(["files"]).collect() };
    let topics = Spec::new("topics", "Topics and users", &after(topics_need), 2);
    let topics = Job::new(topics, resources::Resources::new(keep_data), cx);
    let kafka = Spec::new("kafka", "Kafka", &after(kafka_needs), 3);
    let kafka = Job::new(kafka, kafka::Kafka::new(scope(), keep_data), cx);
    let components = Spec::new("components", "Components", &["files"], 3);
    let mut jobs = vec![files, Job::new(components, component::Components::new(scope()), cx)];
    jobs.extend(if keep_data { [kafka, topics] } else { [topics, kafka] });
    if !keep_data {
        jobs.push(Job::new(Spec::new("volumes", "Volumes", &["kafka"], 2), volumes::Volumes, cx));
    }
    let operator = Spec::new("operator", "Strimzi operator", operator_needs, 2);
    jobs.push(Job::new(operator, operator::Operator::new(scope()), cx));
    let crds = Spec::new("crds", "Custom resource definitions", &["operator"], 5);
    jobs.push(Job::new(crds, definitions::Definitions::default(), cx));
    if !keep_data {
        let namespace = Spec::new("namespace", "Namespace", &["crds"], 3);
        jobs.push(Job::new(namespace, namespace::Namespace::new(scope()), cx));
    }
    jobs
}

/// The only job if the profile is deleted: it deletes the profile that was found, and everything in it.
pub(crate) fn profile(cx: &Rc<Session>, seen: Option<profile::Seen>) -> Vec<Job> {
    let spec = Spec::new("profile", "minikube profile", &[], 5);
    vec![Job::new(spec, profile::Profile::new(seen), cx)]
}

/// The objects of a list's path that have the labels of a selector.
fn with_labels(path: &str, selector: &str) -> String {
    let selector = selector.replace('/', "%2F").replace('=', "%3D").replace(',', "%2C").replace(' ', "%20");
    format!("{path}?labelSelector={selector}")
}

/// The API path of Strimzi's resources in the namespace.
fn strimzis(cx: &Session) -> String {
    format!("{}/{}/namespaces/{}", Version::GROUP, cx.api_version().as_str(), cx.namespace())
}

/// The labels of objects that belong to the cluster.
fn of_cluster(cx: &Session) -> String {
    format!("strimzi.io/cluster={}", cx.cluster())
}

/// An object's name.
pub(crate) fn name(object: &Value) -> String {
    installation::name(object).to_owned()
}

/// Whether an object was deleted and still exists.
fn ends(object: &Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

/// Names for messages: a few, then how many more.
fn few(names: &[String]) -> String {
    event::few(names, 4)
}

/// The time between two checks whether deleted objects still exist.
async fn moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
