//! ConfigMaps, Secrets and claims that objects refer to by name.
//!
//! Strimzi's resources and Kubernetes' pods use the same few forms of references in many places, in which a field's
//! name implies the kind. So references are searched for in the whole object, not in a list of places, except in
//! settings that are passed on unchanged (`config`).

use std::collections::BTreeMap;

use serde_json::Value;

use super::document::{Document, below};
use super::schema::is_strimzi;
use crate::manifest::Object;

/// A reference to an object of the same namespace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Reference<'a> {
    /// `ConfigMap`, `Secret`, `PersistentVolumeClaim`.
    pub(super) kind: &'static str,
    /// Its name.
    pub(super) name: &'a str,
    /// The key in it, if one is named.
    pub(super) key: Option<&'a str>,
    /// The JSON pointer of the reference.
    pub(super) pointer: String,
}

/// Kinds with pods.
const WORKLOADS: [&str; 7] =
    ["Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob", "Pod"];

/// All references of an object to objects that must exist before it works.
pub(super) fn references(object: &Object) -> Vec<Reference<'_>> {
    let mut found = Vec::new();
    let workload = WORKLOADS.contains(&object.kind()) && matches!(object.group(), "" | "apps" | "batch");
    if (is_strimzi(object) || workload)
        && let Some(spec) = object.get("/spec")
    {
        walk(spec, "/spec", "", &mut found);
    }
    found
}

/// `key` is the key of the value.
fn walk<'a>(value: &'a Value, pointer: &str, key: &str, found: &mut Vec<Reference<'a>>) {
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &format!("{pointer}/{at}"), key, found);
            }
        }
        Value::Object(fields) => {
            if let Some(reference) = reference(value, pointer, key) {
                found.push(reference);
            }
            for (name, value) in fields {
                // The settings of Kafka, Connect and connectors are not Kubernetes' fields.
                let passed_on = matches!(name.as_str(), "config" | "labels" | "annotations" | "matchLabels");
                if !passed_on {
                    walk(value, &below(pointer, name), name, found);
                }
            }
        }
        _ => {}
    }
}

fn reference<'a>(value: &'a Value, pointer: &str, key: &str) -> Option<Reference<'a>> {
    if value.get("optional") == Some(&Value::Bool(true)) {
        return None;
    }
    let (kind, field) = match key {
        "configMapKeyRef" | "configMapRef" | "configMap" => ("ConfigMap", "name"),
        "secretKeyRef" | "secretRef" | "imagePullSecrets" => ("Secret", "name"),
        "persistentVolumeClaim" if value.get("claimName").is_some() => ("PersistentVolumeClaim", "claimName"),
        _ if value.get("secretName").is_some() => ("Secret", "secretName"),
        // A source of a projected volume.
        "secret" => ("Secret", "name"),
        _ => return None,
    };
    let name = value.get(field).and_then(Value::as_str).filter(|name| !name.is_empty())?;
    let of_key = matches!(key, "configMapKeyRef" | "secretKeyRef");
    let key = of_key.then(|| value.get("key").and_then(Value::as_str)).flatten();
    Some(Reference { kind, name, key, pointer: below(pointer, field) })
}

/// The objects of a set of documents that can be referred to.
pub(super) struct Named<'a> {
    by_name: BTreeMap<(&'a str, &'a str), &'a Document>,
    produced: Vec<(&'a str, &'a str)>,
}

impl<'a> Named<'a> {
    pub(super) fn of(documents: &'a [Document]) -> Self {
        let plain = documents.iter().filter(|document| document.object.group().is_empty());
        let by_name =
            plain.map(|document| ((document.object.kind(), document.object.name()), document)).collect();
        // Kubernetes creates this ConfigMap with the API server's certificate in every namespace.
        let mut produced = vec![("ConfigMap", "kube-root-ca.crt")];
        for object in documents.iter().map(|document| &document.object) {
            let text = |pointer: &str| object.get(pointer).and_then(Value::as_str);
            match (object.group(), object.kind()) {
                ("bitnami.com", "SealedSecret") => produced.push(("Secret", object.name())),
                ("external-secrets.io", "ExternalSecret") => {
                    produced.push(("Secret", text("/spec/target/name").unwrap_or(object.name())));
                }
                ("cert-manager.io", "Certificate") => {
                    produced.extend(text("/spec/secretName").map(|name| ("Secret", name)));
                }
                _ => {}
            }
        }
        Self { by_name, produced }
    }

    /// The document with an object.
    pub(super) fn find(&self, kind: &str, name: &str) -> Option<&'a Document> {
        self.by_name.get(&(kind, name)).copied()
    }

    /// Whether a controller creates an object because of a document.
    pub(super) fn is_produced(&self, kind: &str, name: &str) -> bool {
        self.produced.contains(&(kind, name))
    }

    /// The names of the objects of a kind.
    pub(super) fn names(&self, kind: &str) -> impl Iterator<Item = &'a str> {
        let kind = kind.to_owned();
        self.by_name.keys().filter(move |(of, _)| *of == kind).map(|(_, name)| *name)
    }
}

/// Whether a ConfigMap or Secret has a key.
pub(super) fn has_key(document: &Document, key: &str) -> bool {
    ["/data", "/stringData", "/binaryData"]
        .iter()
        .any(|field| document.object.get(&below(field, key)).is_some())
}
