//! `--fit`: changes manifests that were written for production so that they work on a laptop.
//!
//! Every change is made by a rule of [`RULES`], which `docs/fit.md` lists; nothing else is changed. Fitting a fitted
//! manifest changes nothing. What no rule can change is refused with a reason ([`REFUSED`]).
//!
//! Listeners of the types `loadbalancer`, `ingress`, `route` and `tlsroute` become `internal`, not `nodeport`:
//! kstrim's port-forwards (`kstrim connect`) reach internal listeners with every minikube driver, but the addresses
//! of nodes can be reached only with some. `nodeport` and `cluster-ip` listeners work and are kept.

mod kafka;
mod pods;
mod size;

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

use super::document::{Document, Origin, below, dotted};
use super::problem::{self, Problem};
use super::references::{cluster_of, has_role};
use crate::errors;
use crate::failure::Result;
use crate::manifest::Object;

/// The available resources.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    /// CPU for all pods, in millicores.
    pub(crate) cpu: u64,
    /// Memory for all pods, in bytes.
    pub(crate) memory: u64,
    /// Most brokers of a cluster, at least 1.
    pub(crate) brokers: u64,
    /// Size of a volume, in bytes.
    pub(crate) storage: u64,
    /// The storage class of volumes; `None` for the default.
    pub(crate) storage_class: Option<String>,
    /// The registry that replaces another one for images: `registry.corp.example/kafka`, and what it replaces.
    pub(crate) registries: Vec<(String, String)>,
}

/// A rule, as a row of the table in `docs/fit.md`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Its name.
    pub(crate) name: &'static str,
    /// What it changes.
    pub(crate) fields: &'static str,
    /// Its new value.
    pub(crate) becomes: &'static str,
    /// Why, a sentence without a full stop.
    pub(crate) reason: &'static str,
}

macro_rules! rules {
    ($($id:ident: $name:literal, $fields:literal, $becomes:literal, $reason:literal;)*) => {
        $(pub(crate) const $id: Rule = Rule { name: $name, fields: $fields, becomes: $becomes, reason: $reason };)*
        #[allow(dead_code, reason = "a test compares docs/fit.md with it")]
        /// All rules, in the order of the table in `docs/fit.md`.
        pub(crate) const RULES: &[Rule] = &[$($id),*];
    };
}

rules! {
    BROKERS: "brokers", "`spec.replicas` of a `KafkaNodePool` with the role `broker`; `spec.kafka.replicas`",
        "in all at most the number of brokers that this machine has room for, at least one in each pool",
        "each broker is a JVM with a heap of its own";
    CONTROLLERS: "controllers", "`spec.replicas` of a `KafkaNodePool` with the role `controller` only; `spec.zookeeper.replicas`",
        "3 if there are three brokers, else 1", "one machine is lost as a whole: a quorum adds nothing";
    REPLICAS: "replicas", "`spec.replicas` of `KafkaConnect`, `KafkaMirrorMaker2`, `KafkaBridge`, `Deployment` and `StatefulSet`; \
         `minReplicas` and `maxReplicas` of a `HorizontalPodAutoscaler`",
        "1", "one machine is lost as a whole: further replicas add nothing";
    REPLICATION: "replication", "`spec.kafka.config`, `KafkaTopic`, and the internal topics of Connect and MirrorMaker 2: replication \
         factors and `min.insync.replicas`", "at most the number of brokers; set if Kafka's default is more than that",
        "a topic cannot have more replicas than there are brokers";
    CRUISE_CONTROL: "cruise-control", "`spec.cruiseControl`, `KafkaRebalance`", "removed if there is one broker",
        "Cruise Control needs at least two brokers";
    REBALANCE: "rebalance", "a `KafkaRebalance` with `spec.brokers`", "left out if it names a broker that is left out",
        "Cruise Control rejects a proposal for a broker that does not exist";
    MEMORY: "memory", "`resources.requests.memory`, `resources.limits.memory`",
        "at most an equal part of half the memory for brokers and controllers, 1Gi for Connect, MirrorMaker and Cruise Control, \
         512Mi for all others",
        "the pods of a cluster share one machine";
    HEAP: "heap", "`jvmOptions` `-Xmx` and `-Xms`", "at most half of the memory of the pod",
        "a heap that is larger than its pod's memory is killed by the kernel";
    CPU: "cpu", "`resources.requests.cpu`, `resources.limits.cpu`",
        "requests of at most 250m for brokers and controllers, 100m for all others; no limits",
        "requests reserve CPU that others need, and limits make a JVM start slowly";
    STORAGE_SIZE: "storage-size", "`size` of volumes, `spec.resources.requests.storage` of claims", "at most the size that was set for volumes",
        "the volumes of a cluster share one disk";
    STORAGE_CLASS: "storage-class", "`class`, `selector`, `overrides` and `volumeAttributesClass` of volumes; `storageClassName`, `volumeName` \
         and `selector` of claims", "removed, or the storage class of this cluster",
        "the storage classes and volumes of another cluster do not exist here";
    LISTENER: "listener", "listeners of the types `loadbalancer`, `ingress`, `route` and `tlsroute`, with their `configuration`",
        "type `internal`; of the configuration, certificates and limits of connections stay",
        "there is no load balancer, router or gateway; `kstrim connect` reaches internal listeners";
    SERVICE: "service", "a `Service` of the type `LoadBalancer`", "type `ClusterIP`", "there is no load balancer";
    PLACEMENT: "placement", "`affinity`, `tolerations`, `topologySpreadConstraints`, `nodeSelector`, `nodeName`, `priorityClassName`, \
         `schedulerName` and `runtimeClassName` of pods", "removed", "the nodes, zones and classes that they name do not exist here";
    RACK: "rack", "`spec.kafka.rack`, `spec.rack` of Connect and MirrorMaker 2", "removed", "there is one machine, and no zones";
    IMAGE: "image", "images of a registry with a replacement", "the same image of the other registry",
        "the registry cannot be reached, or needs a login that does not exist here";
    PULL_SECRET: "pull-secret", "`imagePullSecrets` that are not among the manifests", "removed",
        "the Secrets of another cluster do not exist here";
    MONITORING: "monitoring", "`PodMonitor`, `ServiceMonitor`, `PrometheusRule` and everything else of `monitoring.coreos.com`",
        "left out if the cluster does not serve it", "only a Prometheus operator reads them";
}

#[allow(dead_code, reason = "a test compares docs/fit.md with it")]
/// What cannot be changed to fit, and why: the second table in `docs/fit.md`.
pub(crate) const REFUSED: &[(&str, &str)] = &[
    ("an image of a registry that is not public and has no replacement", "it cannot be pulled here"),
    (
        "`build.output` of `KafkaConnect` without a replacement for its registry",
        "the build would push to the registry of production",
    ),
    ("`build.output` of the type `imagestream`, and a `Route`", "only OpenShift has them"),
    (
        "`resources` other than CPU, memory and storage, such as `nvidia.com/gpu` or `hugepages-2Mi`",
        "this machine does not offer them",
    ),
    (
        "more pods than fit into the memory or CPU even with the smallest sizes",
        "they could not be scheduled together",
    ),
];

/// A change of a field.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Change {
    /// `Kafka my-cluster`.
    pub(crate) object: String,
    /// Where the field is, or the nearest field around it.
    pub(crate) origin: Origin,
    /// The field: `spec.kafka.rack`; empty if the whole object is left out.
    pub(crate) path: String,
    /// Its value before; null if it was not set.
    pub(crate) from: Value,
    /// Its value now; null if it was removed.
    pub(crate) to: Value,
    /// The name of the rule.
    pub(crate) rule: &'static str,
    /// Why.
    pub(crate) reason: &'static str,
}

/// The changed documents, and the changes, in the order of the documents.
pub(crate) fn fit(documents: &[Document], limits: &Limits) -> Result<(Vec<Document>, Vec<Change>)> {
    let mut fitted = documents.to_vec();
    let mut fit = Fit {
        limits,
        changes: Vec::new(),
        problems: Vec::new(),
        clusters: BTreeMap::new(),
        nodes: BTreeMap::new(),
    };
    let secrets: Vec<String> = documents
        .iter()
        .filter(|document| matches!(document.object.kind(), "Secret" | "SealedSecret" | "ExternalSecret"))
        .map(|document| document.object.name().to_owned())
        .collect();
    kafka::replicas(&mut fitted, &mut fit);
    let nodes = kafka::nodes(&fitted);
    for document in &mut fitted {
        let mut edit = Edit { document, fit: &mut fit };
        kafka::fit_document(&mut edit);
        pods::fit_document(&mut edit, nodes, &secrets);
    }
    fitted.retain(|document| kafka::is_kept(document, &mut fit));
    pods::total(&fitted, &mut fit);
    let mut positions = HashMap::new();
    for (position, document) in documents.iter().enumerate() {
        positions.entry((document.object.to_string(), &document.origin.file)).or_insert(position);
    }
    fit.changes
        .sort_by_cached_key(|change| positions.get(&(change.object.clone(), &change.origin.file)).copied());
    match problem::failure(&fit.problems) {
        None => Ok((fitted, fit.changes)),
        Some(failure) => Err(failure),
    }
}

/// The state of a run.
struct Fit<'a> {
    limits: &'a Limits,
    changes: Vec<Change>,
    problems: Vec<Problem>,
    /// The number of brokers of each cluster, after the change.
    clusters: BTreeMap<String, u64>,
    /// The number of nodes of each cluster whose nodes are numbered from 0 on, after the change.
    nodes: BTreeMap<String, u64>,
}

impl Fit<'_> {
    /// The number of brokers of a cluster; for a cluster that is not in the documents, the maximum.
    fn brokers(&self, cluster: Option<&str>) -> u64 {
        let known = cluster.and_then(|cluster| self.clusters.get(cluster)).copied();
        known.unwrap_or_else(|| self.clusters.values().copied().min().unwrap_or(self.limits.brokers)).max(1)
    }
}

/// Changes one document, and records the changes.
struct Edit<'e, 'f> {
    document: &'e mut Document,
    fit: &'e mut Fit<'f>,
}

impl Edit<'_, '_> {
    fn object(&self) -> &Object {
        &self.document.object
    }

    fn get(&self, pointer: &str) -> Option<&Value> {
        self.document.object.get(pointer).filter(|value| !value.is_null())
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        number(self.get(pointer)?)
    }

    fn text(&self, pointer: &str) -> Option<String> {
        self.get(pointer).and_then(Value::as_str).map(str::to_owned)
    }

    fn set(&mut self, pointer: &str, to: impl Into<Value>, rule: &Rule) {
        let to = to.into();
        let from = self.document.object.get(pointer).cloned().unwrap_or_default();
        if from == to {
            return;
        }
        match self.document.object.get_mut(pointer) {
            Some(value) => *value = to.clone(),
            None => {
                let keys: Vec<String> =
                    pointer.split('/').skip(1).map(|key| key.replace("~1", "/").replace("~0", "~")).collect();
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                self.document.object.set(&keys, to.clone());
            }
        }
        self.note(pointer, from, to, rule);
    }

    fn remove(&mut self, pointer: &str, rule: &Rule) {
        let Some((parent, key)) = pointer.rsplit_once('/') else { return };
        let key = key.replace("~1", "/").replace("~0", "~");
        let Some(Value::Object(map)) = self.document.object.get_mut(parent) else { return };
        let Some(from) = map.shift_remove(&key) else { return };
        // Removing a null changes nothing.
        if !from.is_null() {
            self.note(pointer, from, Value::Null, rule);
        }
    }

    fn note(&mut self, pointer: &str, from: Value, to: Value, rule: &Rule) {
        self.fit.changes.push(Change {
            object: self.document.object.to_string(),
            origin: self.document.at(pointer),
            path: dotted(pointer),
            from,
            to,
            rule: rule.name,
            reason: rule.reason,
        });
    }

    fn refuse(&mut self, pointer: &str, what: impl std::fmt::Display) {
        let what = format!("cannot be made to fit: it {what}");
        self.fit.problems.push(Problem::field(errors::FILE_FIT, self.document, pointer, what));
    }
}

/// An integer, also if it is written as a string, as in configurations.
fn number(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// The number in the form (string or number) of another value.
fn like(model: Option<&Value>, number: u64) -> Value {
    if model.is_some_and(Value::is_string) { number.to_string().into() } else { number.into() }
}

/// The JSON pointers of all fields with this name, except in settings that are passed on unchanged.
fn fields(object: &Object, name: &str) -> Vec<String> {
    fn walk(value: &Value, pointer: &str, name: &str, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    walk(item, &format!("{pointer}/{at}"), name, found);
                }
            }
            Value::Object(map) => {
                for (key, value) in map {
                    let pointer = below(pointer, key);
                    if key == name {
                        found.push(pointer.clone());
                    }
                    let passed_on = [
                        "config",
                        "labels",
                        "annotations",
                        "matchLabels",
                        "data",
                        "stringData",
                        "binaryData",
                    ];
                    if !passed_on.contains(&key.as_str()) {
                        walk(value, &pointer, name, found);
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    if let Some(spec) = object.get("/spec") {
        walk(spec, "/spec", name, &mut found);
    }
    found
}

#[cfg(test)]
pub(super) mod tests;
