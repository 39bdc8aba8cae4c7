//! What `down` does when the profile stays, in the order that never hangs:
//!
//! ```text
//! topics ─────┬─ kafka ─ volumes ─ operator ─ crds ─ namespace
//! components ─┘
//! ```
//! Topics, users and connectors go while their operator still serves their finalizers; the Kafka
//! goes before the operator that tears it down; the definitions go when nothing of their kinds is
//! left anywhere; the namespace goes last, so that nothing terminates inside it. Each step is a
//! [`Task`](crate::engine::task::Task) like those of `up`: gone already is done, and a run that
//! was cut off is continued by the next.

pub mod component;
pub mod definitions;
pub mod held;
pub mod kafka;
pub mod namespace;
pub mod operator;
pub mod orphans;
pub mod profile;
pub mod resources;
pub mod volumes;

use std::rc::Rc;
use std::time::Duration;

use crate::context::Cx;
use crate::engine::task::{Spec, Task};
use crate::failure::Result;
use crate::observe::kind::Version;
use crate::quickstart::ownership::api_failure;

/// The tasks that remove Strimzi and Kafka from a cluster that stays. `keep_data`: the claims, and
/// so the namespace, stay; the topics' resources go after the Kafka, since a topic operator that
/// still serves would delete the topics, and so the data, with them.
pub fn tasks(keep_data: bool) -> Vec<Rc<dyn Task<Cx>>> {
    let mut tasks: Vec<Rc<dyn Task<Cx>>> =
        vec![Rc::new(resources::Resources::new(keep_data)), Rc::new(kafka::Kafka::new(keep_data))];
    if keep_data {
        tasks.reverse();
    }
    tasks.insert(0, Rc::new(component::Components::default()));
    if !keep_data {
        tasks.push(Rc::new(volumes::Volumes));
    }
    tasks.push(Rc::new(operator::Operator::new(keep_data)));
    tasks.push(Rc::new(definitions::Definitions::default()));
    if !keep_data {
        tasks.push(Rc::new(namespace::Namespace::default()));
    }
    tasks
}

/// The one task that deletes the profile and everything in it.
pub fn profile() -> Vec<Rc<dyn Task<Cx>>> {
    vec![Rc::new(profile::Profile)]
}

fn spec(id: &'static str, title: &'static str, needs: &[&'static str], minutes: u64) -> Spec {
    Spec { id, title, needs: needs.to_vec(), timeout: Duration::from_secs(60 * minutes) }
}

/// The items of a list; nothing for a kind that is not served.
///
/// # Errors
/// `KS-API-*` when the cluster cannot be asked.
pub async fn items(cx: &Cx, path: &str) -> Result<Vec<serde_json::Value>> {
    let list = cx.kubectl.find(path).await.map_err(|e| api_failure(cx, &format!("list {path}"), &e))?;
    let items = list.and_then(|mut l| l.get_mut("items").map(serde_json::Value::take));
    Ok(match items {
        Some(serde_json::Value::Array(items)) => items,
        _ => Vec::new(),
    })
}

/// The objects of a list's path that have the labels of a selector.
fn with_labels(path: &str, selector: &str) -> String {
    let selector = selector.replace('/', "%2F").replace('=', "%3D").replace(',', "%2C").replace(' ', "%20");
    format!("{path}?labelSelector={selector}")
}

/// Where Strimzi's resources of the namespace are.
fn strimzis(cx: &Cx) -> String {
    format!("{}/{}/namespaces/{}", Version::GROUP, cx.api_version().as_str(), cx.namespace())
}

/// The labels of what belongs to the cluster.
fn of_cluster(cx: &Cx) -> String {
    format!("strimzi.io/cluster={}", cx.cluster())
}

/// An object's name.
pub fn name(object: &serde_json::Value) -> String {
    text(object, "/metadata/name")
}

/// Whether an object was deleted and is there still.
fn ends(object: &serde_json::Value) -> bool {
    !text(object, "/metadata/deletionTimestamp").is_empty()
}

fn text(object: &serde_json::Value, pointer: &str) -> String {
    object.pointer(pointer).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// Names for a person: a few, then how many more.
fn few(names: &[String]) -> String {
    const MOST: usize = 4;
    match names.len() {
        0..=MOST => names.join(", "),
        n => format!("{} and {} more", names[..MOST].join(", "), n - MOST),
    }
}

/// How often a task looks whether what it deleted is gone.
async fn moment() {
    tokio::time::sleep(Duration::from_millis(300)).await;
}
