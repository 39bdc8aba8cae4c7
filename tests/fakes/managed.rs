//! Which field manager wrote a custom resource, in which version. The API server converts an object to the version of
//! each entry before a server-side apply, and fails if the definition no longer lists that version; any other write
//! drops all entries then. Fields and times are not stored.

use serde_json::{Value, json};

use crate::cluster::{Cluster, text};
use crate::kinds;

pub struct Entry<'a> {
    /// `kstrim`, `strimzi-cluster-operator`.
    pub manager: &'a str,
    /// `Apply` or `Update`.
    pub operation: &'a str,
    /// Of the request, with its group.
    pub api_version: &'a str,
    pub status: bool,
}

/// Add an entry to an object, replacing the same manager's.
pub fn note(object: &mut Value, entry: &Entry) {
    let group = entry.api_version.split('/').next().unwrap_or_default();
    if kinds::is_builtin(group) || !entry.api_version.contains('/') {
        return;
    }
    let mut new = json!({"manager": entry.manager, "operation": entry.operation, "apiVersion": entry.api_version,
        "fieldsType": "FieldsV1", "fieldsV1": {}});
    if entry.status {
        new["subresource"] = json!("status");
    }
    let same = |old: &Value| {
        ["manager", "operation", "subresource"].iter().all(|field| old[*field] == new[*field])
            && (entry.operation == "Apply" || old["apiVersion"] == new["apiVersion"])
    };
    let mut all = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    match all.iter().position(same) {
        Some(at) => all[at] = new,
        None => all.push(new),
    }
    object["metadata"]["managedFields"] = all.into();
}

/// The group and version of an entry that the object's definition does not list.
pub fn stale(c: &Cluster, key: &str, object: &Value) -> Option<String> {
    let versions = versions(c, key)?;
    let entries = object["metadata"]["managedFields"].as_array()?;
    let mut named = entries.iter().map(|entry| text(entry, "/apiVersion"));
    let unknown =
        |at: &&str| at.split_once('/').is_some_and(|(_, v)| !versions.iter().any(|known| known == v));
    named.find(unknown).map(str::to_owned)
}

/// The versions that the definition of an object's kind lists, served or not; `None` for a built-in kind.
pub fn versions(c: &Cluster, key: &str) -> Option<Vec<String>> {
    let (resource, _) = key.split_once('/')?;
    let definition = c.get(&format!("customresourcedefinitions.apiextensions.k8s.io//{resource}"))?;
    let versions = definition["spec"]["versions"].as_array()?;
    Some(versions.iter().map(|v| text(v, "/name").to_owned()).collect())
}

/// The version of Strimzi's resources that the operator in a pod reads and writes: the older one before 1.0.
pub fn spoken(pod: &Value) -> &'static str {
    let image = text(pod, "/spec/containers/0/image");
    let release = image.rsplit_once("operator:").map_or("", |(_, tag)| tag);
    if release.starts_with("0.") { "v1beta2" } else { "v1" }
}

/// Whether the API server serves that version of Strimzi's resources; true without CRDs.
pub fn serves(c: &Cluster, version: &str) -> bool {
    let definition = c.get("customresourcedefinitions.apiextensions.k8s.io//kafkas.kafka.strimzi.io");
    let versions = definition.and_then(|d| d["spec"]["versions"].as_array());
    versions.is_none_or(|all| all.iter().any(|v| v["name"] == version && v["served"] != false))
}
