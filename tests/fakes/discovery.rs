//! Discovery: which groups, versions and resources the API server serves, including subresources and resources that
//! cannot be listed, and an aggregated API whose server may be unavailable.

use serde_json::{Value, json};

use crate::cluster::Cluster;
use crate::io::End;
use crate::kinds::{self, Resource};
use crate::scenario::Metrics;

/// Resources of which the API server stores no objects: group and version, name, kind, namespaced, verbs.
type Row = (&'static str, &'static str, &'static str, bool, &'static [&'static str]);

const CREATE: &[&str] = &["create"];
const STATUS: &[&str] = &["get", "patch", "update"];
const CONNECT: &[&str] = &["create", "get"];
const PROXY: &[&str] = &["create", "delete", "get", "patch", "update"];
const ALL: &[&str] = &["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"];
// The order is that of the API server for custom resources, which differs.
const CUSTOM: &[&str] = &["delete", "deletecollection", "get", "list", "patch", "create", "update", "watch"];

/// Subresources, and reviews, which are answered and not stored.
const MORE: &[Row] = &[
    ("v1", "bindings", "Binding", true, CREATE),
    ("v1", "componentstatuses", "ComponentStatus", false, &["get", "list"]),
    ("v1", "namespaces/finalize", "Namespace", false, &["update"]),
    ("v1", "namespaces/status", "Namespace", false, STATUS),
    ("v1", "nodes/proxy", "NodeProxyOptions", false, PROXY),
    ("v1", "nodes/status", "Node", false, STATUS),
    ("v1", "persistentvolumeclaims/status", "PersistentVolumeClaim", true, STATUS),
    ("v1", "persistentvolumes/status", "PersistentVolume", false, STATUS),
    ("v1", "pods/attach", "PodAttachOptions", true, CONNECT),
    ("v1", "pods/binding", "Binding", true, CREATE),
    ("v1", "pods/ephemeralcontainers", "Pod", true, STATUS),
    ("v1", "pods/eviction", "Eviction", true, CREATE),
    ("v1", "pods/exec", "PodExecOptions", true, CONNECT),
    ("v1", "pods/log", "Pod", true, &["get"]),
    ("v1", "pods/portforward", "PodPortForwardOptions", true, CONNECT),
    ("v1", "pods/proxy", "PodProxyOptions", true, PROXY),
    ("v1", "pods/status", "Pod", true, STATUS),
    ("v1", "resourcequotas/status", "ResourceQuota", true, STATUS),
    ("v1", "serviceaccounts/token", "TokenRequest", true, CREATE),
    ("v1", "services/proxy", "ServiceProxyOptions", true, PROXY),
    ("v1", "services/status", "Service", true, STATUS),
    ("apps/v1", "daemonsets/status", "DaemonSet", true, STATUS),
    ("apps/v1", "deployments/scale", "Scale", true, STATUS),
    ("apps/v1", "deployments/status", "Deployment", true, STATUS),
    ("apps/v1", "replicasets/scale", "Scale", true, STATUS),
    ("apps/v1", "replicasets/status", "ReplicaSet", true, STATUS),
    ("apps/v1", "statefulsets/scale", "Scale", true, STATUS),
    ("apps/v1", "statefulsets/status", "StatefulSet", true, STATUS),
    ("authentication.k8s.io/v1", "selfsubjectreviews", "SelfSubjectReview", false, CREATE),
    ("authentication.k8s.io/v1", "tokenreviews", "TokenReview", false, CREATE),
    ("authorization.k8s.io/v1", "localsubjectaccessreviews", "LocalSubjectAccessReview", true, CREATE),
    ("authorization.k8s.io/v1", "selfsubjectaccessreviews", "SelfSubjectAccessReview", false, CREATE),
    ("authorization.k8s.io/v1", "selfsubjectrulesreviews", "SelfSubjectRulesReview", false, CREATE),
    ("authorization.k8s.io/v1", "subjectaccessreviews", "SubjectAccessReview", false, CREATE),
    ("batch/v1", "cronjobs/status", "CronJob", true, STATUS),
    ("batch/v1", "jobs/status", "Job", true, STATUS),
    ("networking.k8s.io/v1", "ingresses/status", "Ingress", true, STATUS),
    ("policy/v1", "poddisruptionbudgets/status", "PodDisruptionBudget", true, STATUS),
    (
        "apiextensions.k8s.io/v1",
        "customresourcedefinitions/status",
        "CustomResourceDefinition",
        false,
        STATUS,
    ),
    ("apiregistration.k8s.io/v1", "apiservices/status", "APIService", false, STATUS),
];

const METRICS: &str = "metrics.k8s.io/v1beta1";

fn api(resource: &Resource, version: &str) -> String {
    crate::get::api_version(resource, version)
}

/// Every `group/version`, in the order of the groups.
fn versions(cluster: &Cluster) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for resource in kinds::served(cluster) {
        all.extend(resource.versions.iter().map(|version| api(&resource, version)));
    }
    all.extend(MORE.iter().map(|row| row.0.to_owned()));
    if cluster.scenario.metrics.is_some() {
        all.push(METRICS.to_owned());
    }
    // A group's best version comes first: `v1` before `v1beta2`.
    all.sort();
    all.dedup();
    all
}

/// The response to a discovery path; `None` if it is not one.
pub fn at(cluster: &Cluster, path: &str) -> Option<String> {
    let body = match path.trim_matches('/').split('/').collect::<Vec<_>>().as_slice() {
        ["api"] => json!({"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs":
            [{"clientCIDR": "0.0.0.0/0", "serverAddress": format!("{}:8443", cluster.ip)}]}),
        ["apis"] => groups(cluster),
        ["apis", name] => {
            let mut group =
                groups(cluster)["groups"].as_array()?.iter().find(|g| g["name"] == *name)?.clone();
            (group["kind"], group["apiVersion"]) = (json!("APIGroup"), json!("v1"));
            group
        }
        ["api", version] => resources(cluster, version)?,
        ["apis", group, version] => resources(cluster, &format!("{group}/{version}"))?,
        _ => return None,
    };
    Some(format!("{body}\n"))
}

fn groups(cluster: &Cluster) -> Value {
    let mut groups: Vec<Value> = Vec::new();
    for at in versions(cluster) {
        let Some((name, version)) = at.split_once('/') else { continue };
        let version = json!({"groupVersion": at, "version": version});
        match groups.iter_mut().find(|g| g["name"] == name) {
            Some(group) => group["versions"].as_array_mut().expect("a list").push(version),
            None => groups.push(json!({"name": name, "versions": [version], "preferredVersion": version})),
        }
    }
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

fn resources(cluster: &Cluster, at: &str) -> Option<Value> {
    let row = |name: &str, kind: &str, namespaced: bool, verbs: &[&str]| {
        let singular = if name.contains('/') { String::new() } else { kind.to_lowercase() };
        json!({"name": name, "singularName": singular, "namespaced": namespaced, "kind": kind, "verbs": verbs})
    };
    let mut list: Vec<Value> = Vec::new();
    for resource in kinds::served(cluster) {
        if !resource.versions.iter().any(|version| api(&resource, version) == at) {
            continue;
        }
        let custom = !kinds::is_builtin(&resource.group);
        let verbs = if custom { CUSTOM } else { ALL };
        let mut entry = row(&resource.plural, &resource.kind, resource.namespaced, verbs);
        if !resource.short.is_empty() {
            entry["shortNames"] = json!(resource.short);
        }
        list.push(entry);
        if custom {
            list.push(row(
                &format!("{}/status", resource.plural),
                &resource.kind,
                resource.namespaced,
                STATUS,
            ));
        }
    }
    list.extend(MORE.iter().filter(|more| more.0 == at).map(|more| row(more.1, more.2, more.3, more.4)));
    if at == METRICS && cluster.scenario.metrics == Some(Metrics::Up) {
        list.push(row("nodes", "NodeMetrics", false, &["get", "list"]));
        list.push(row("pods", "PodMetrics", true, &["get", "list"]));
    }
    list.sort_by_key(|entry| entry["name"].as_str().map(str::to_owned));
    (!list.is_empty()).then(
        || json!({"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": at, "resources": list}),
    )
}

/// The error for an aggregated API whose server does not answer.
pub fn away(cluster: &Cluster, path: &str) -> Option<End> {
    let below = path.trim_matches('/').strip_prefix("apis/")?.strip_prefix(METRICS)?;
    let down =
        cluster.scenario.metrics == Some(Metrics::Down) && (below.is_empty() || below.starts_with('/'));
    down.then(|| {
        End::Error(
            "Error from server (ServiceUnavailable): the server is currently unable to handle the request"
                .into(),
        )
    })
}

/// What the metrics server lists: one entry for each running pod.
pub fn metrics(cluster: &Cluster, path: &str) -> Option<String> {
    if cluster.scenario.metrics != Some(Metrics::Up) {
        return None;
    }
    let rest = path.trim_matches('/').strip_prefix("apis/")?.strip_prefix(METRICS)?.trim_matches('/');
    let namespace = match rest.split('/').collect::<Vec<_>>().as_slice() {
        ["pods"] => "",
        ["namespaces", namespace, "pods"] => *namespace,
        _ => return None,
    };
    let items = cluster.each("pods", namespace).filter(|pod| crate::pods::runs(pod)).map(|pod| {
        json!({"metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"],
            "labels": pod["metadata"]["labels"], "creationTimestamp": cluster.time()},
            "timestamp": cluster.time(), "window": "10s", "containers": []})
    });
    let body = json!({"kind": "PodMetricsList", "apiVersion": METRICS, "metadata": {},
        "items": items.collect::<Vec<_>>()});
    Some(format!("{body}\n"))
}
