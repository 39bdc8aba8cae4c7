//! Evidence from the API server: objects of every relevant kind, events, logs.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::Request;
use super::bundle::Bundle;
use crate::kube::kubectl::Kubectl;
use crate::kube::logs::LogRequest;
use crate::kube::pod::{Event, Pod};
use crate::kube::{Api, ApiError, ApiErrorKind, Kind, Object, Snapshot};

/// Kinds in a namespace besides those of `status`: group and version, plural.
const NAMESPACED: [(&str, &str); 13] = [
    ("/api/v1", "services"),
    ("/api/v1", "configmaps"),
    ("/api/v1", "serviceaccounts"),
    ("/api/v1", "resourcequotas"),
    ("/api/v1", "limitranges"),
    ("/apis/apps/v1", "replicasets"),
    ("/apis/apps/v1", "statefulsets"),
    ("/apis/batch/v1", "jobs"),
    ("/apis/policy/v1", "poddisruptionbudgets"),
    ("/apis/networking.k8s.io/v1", "networkpolicies"),
    ("/apis/rbac.authorization.k8s.io/v1", "roles"),
    ("/apis/rbac.authorization.k8s.io/v1", "rolebindings"),
    ("/apis/coordination.k8s.io/v1", "leases"),
];
/// Cluster-scoped kinds.
const WIDE: [(&str, &str); 4] = [
    ("/api/v1", "nodes"),
    ("/api/v1", "persistentvolumes"),
    ("/api/v1", "namespaces"),
    ("/apis/storage.k8s.io/v1", "storageclasses"),
];
/// Kinds that the snapshot contains.
const SEEN: [Kind; 8] = [
    Kind::Pod,
    Kind::Claim,
    Kind::Deployment,
    Kind::Kafka,
    Kind::KafkaNodePool,
    Kind::KafkaTopic,
    Kind::KafkaUser,
    Kind::Namespace,
];

/// Query everything. `snapshot` is what `status` has read already.
pub(crate) async fn ask(request: &Request<'_>, bundle: &Bundle, kubectl: &Kubectl, snapshot: &Snapshot) {
    let namespace = request.target.namespace.as_str();
    of_snapshot(bundle, snapshot, namespace);
    of_operator(bundle, snapshot, request);
    let one = Look { bundle, kubectl };
    let wide =
        WIDE.map(|(group, plural)| one.list(format!("{group}/{plural}"), format!("cluster/{plural}.yaml")));
    let inside = NAMESPACED.map(|(group, plural)| {
        one.list(format!("{group}/namespaces/{namespace}/{plural}"), format!("namespace/{plural}.yaml"))
    });
    tokio::join!(
        logs(request, bundle, kubectl, snapshot),
        one.strimzi(namespace, snapshot),
        one.secrets(namespace),
        one.elsewhere(namespace),
        one.readyz(),
        join_all(wide),
        join_all(inside)
    );
}

fn of_snapshot(bundle: &Bundle, snapshot: &Snapshot, namespace: &str) {
    for kind in SEEN {
        let here = |o: &&Object| {
            if kind.namespaced() { o.namespace() == namespace } else { o.name() == namespace }
        };
        let objects: Vec<Value> = snapshot.all(kind).filter(here).map(|o| o.json().clone()).collect();
        let file = if kind == Kind::Namespace { "namespace" } else { kind.plural() };
        add(bundle, format!("namespace/{file}.yaml"), objects);
    }
    let events: Vec<&Object> = snapshot.all(Kind::Event).filter(|o| o.namespace() == namespace).collect();
    bundle.log("namespace/events.txt", events_table(&events));
}

/// The operator's namespace, if it differs from the Kafka cluster's.
fn home<'a>(snapshot: &'a Snapshot, request: &Request<'_>) -> Option<&'a str> {
    let (namespace, cluster) = (request.target.namespace.as_str(), request.target.cluster.as_str());
    let operator = snapshot.operator_of(namespace, cluster)?;
    Some(operator.0.namespace()).filter(|home| *home != namespace)
}

/// The operator in another namespace: only its Deployment and its pods, because the rest of the namespace is foreign.
fn of_operator(bundle: &Bundle, snapshot: &Snapshot, request: &Request<'_>) {
    let Some(home) = home(snapshot, request) else { return };
    let operators = snapshot.operators().filter(|o| o.0.namespace() == home).map(|o| o.0);
    let pods = snapshot.pods(home).filter(Pod::is_operator).map(|p| p.0);
    for (file, objects) in [
        ("operator/deployments.yaml", operators.map(|o| o.json().clone()).collect()),
        ("operator/pods.yaml", pods.map(|o| o.json().clone()).collect::<Vec<_>>()),
    ] {
        add(bundle, file.into(), objects);
    }
}

/// Add objects without irrelevant fields, and remember their names.
fn add(bundle: &Bundle, file: String, mut objects: Vec<Value>) {
    for object in &mut objects {
        if let Some(name) = object.pointer("/metadata/name").and_then(Value::as_str) {
            bundle.name(name);
        }
        if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
    }
    bundle.objects(file, Value::Array(objects));
}

struct Look<'a> {
    bundle: &'a Bundle,
    kubectl: &'a Kubectl,
}

impl Look<'_> {
    /// A list's items; empty if the kind is not served.
    async fn items(&self, path: &str, what: &str) -> Option<Vec<Value>> {
        match self.bundle.part(what, self.kubectl.get(path)).await {
            Ok(mut list) => match list.get_mut("items").map(Value::take) {
                Some(Value::Array(items)) => Some(items),
                _ => Some(Vec::new()),
            },
            Err(error) => {
                if !absent(&error) {
                    self.bundle.gap(what, &error);
                }
                None
            }
        }
    }

    async fn list(&self, path: String, file: String) {
        if let Some(items) = self.items(&path, &file).await {
            add(self.bundle, file, items);
        }
    }

    /// A summary of Strimzi's definitions, and the objects of those kinds that the snapshot does not contain.
    async fn strimzi(&self, namespace: &str, snapshot: &Snapshot) {
        let path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
        let Some(all) = self.items(path, "cluster/crds.yaml").await else { return };
        let brief: Vec<Value> = all.iter().map(definition).collect();
        let lists = brief.iter().filter_map(|crd| {
            let (group, plural) = (crd["group"].as_str()?, crd["plural"].as_str()?);
            let known = SEEN.iter().any(|kind| kind.plural() == plural && snapshot.synced(*kind));
            let served = crd["served"].as_array()?.first()?.as_str()?.to_owned();
            (group.ends_with("strimzi.io") && !known).then(|| {
                self.list(
                    format!("/apis/{group}/{served}/namespaces/{namespace}/{plural}"),
                    format!("namespace/{plural}.yaml"),
                )
            })
        });
        join_all(lists).await;
        add(self.bundle, "cluster/crds.yaml".into(), brief);
    }

    /// Names, types, names of keys and sizes. The values are needed to redact them elsewhere.
    async fn secrets(&self, namespace: &str) {
        let path = format!("/api/v1/namespaces/{namespace}/secrets");
        let Some(secrets) = self.items(&path, "namespace/secrets.txt").await else { return };
        let mut text = String::new();
        for secret in &secrets {
            let word = |pointer: &str| secret.pointer(pointer).and_then(Value::as_str).unwrap_or("");
            text.push_str(&format!("{} ({})\n", word("/metadata/name"), word("/type")));
            self.bundle.name(word("/metadata/name"));
            for (key, value) in secret.get("data").and_then(Value::as_object).into_iter().flatten() {
                let encoded = value.as_str().unwrap_or("");
                let bytes = STANDARD.decode(encoded).unwrap_or_default();
                text.push_str(&format!("  {key}: {} bytes\n", bytes.len()));
                self.bundle.secret([encoded.to_owned(), String::from_utf8_lossy(&bytes).into_owned()]);
            }
        }
        self.bundle.text("namespace/secrets.txt", text);
    }

    /// Pods and events of other namespaces, summarized.
    async fn elsewhere(&self, namespace: &str) {
        let (pods, events) = tokio::join!(
            self.items("/api/v1/pods", "cluster/pods.txt"),
            self.items("/api/v1/events", "cluster/events.txt")
        );
        let objects = |items: Option<Vec<Value>>| -> Vec<Object> {
            items.into_iter().flatten().map(Object::new).filter(|o| o.namespace() != namespace).collect()
        };
        let lines = objects(pods).iter().map(pod_line).collect::<String>();
        self.bundle.text("cluster/pods.txt", lines);
        let events = objects(events);
        self.bundle.log("cluster/events.txt", events_table(&events.iter().collect::<Vec<_>>()));
    }

    async fn readyz(&self) {
        match self.bundle.part("cluster/readyz.txt", self.kubectl.raw("/readyz?verbose")).await {
            Ok(text) => self.bundle.text("cluster/readyz.txt", text),
            Err(error) => self.bundle.text("cluster/readyz.txt", error.to_string()),
        }
    }
}

/// Does not exist, or its kind is not served.
fn absent(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::NoSuchKind)
}

/// A definition without its schemas.
fn definition(crd: &Value) -> Value {
    let versions = crd.pointer("/spec/versions").and_then(Value::as_array).cloned().unwrap_or_default();
    let of = |flag: &str| -> Vec<Value> {
        versions.iter().filter(|v| v[flag] == true).map(|v| v["name"].clone()).collect()
    };
    let metadata = &crd["metadata"];
    json!({
        "metadata": {"name": metadata["name"], "labels": metadata["labels"],
            "creationTimestamp": metadata["creationTimestamp"],
            "deletionTimestamp": metadata["deletionTimestamp"], "finalizers": metadata["finalizers"]},
        "group": crd.pointer("/spec/group"), "plural": crd.pointer("/spec/names/plural"),
        "served": of("served"), "stored": of("storage"), "storedVersions": crd.pointer("/status/storedVersions"),
        "conditions": crd.pointer("/status/conditions"),
    })
}

fn pod_line(object: &Object) -> String {
    let pod = Pod(object);
    let ready = if pod.ready() { "ready" } else { "not ready" };
    let restarts: i64 = pod.containers().map(|c| c.restarts()).sum();
    format!("{}/{}  {}, {ready}, {restarts} restarts\n", object.namespace(), object.name(), object.phase())
}

/// Events in chronological order, one line each.
fn events_table(events: &[&Object]) -> String {
    let mut events: Vec<Event<'_>> = events.iter().map(|o| Event(o)).collect();
    events.sort_by_key(Event::last);
    events.iter().map(event_line).collect()
}

/// One event as a line.
pub(crate) fn event_line(event: &Event<'_>) -> String {
    let time = event.last().map_or("-".to_owned(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let times = if event.count() > 1 { format!(" ({} times)", event.count()) } else { String::new() };
    format!(
        "{time}  {}  {}  {}/{}: {}{times}\n",
        event.kind(),
        event.reason(),
        event.about_kind(),
        event.about_name(),
        event.message().trim().replace('\n', " ")
    )
}

/// Logs of all containers of the namespace's pods and of the operator's: unready pods first; for a restarted
/// container also the log of its previous run.
async fn logs(request: &Request<'_>, bundle: &Bundle, kubectl: &Kubectl, snapshot: &Snapshot) {
    let namespace = request.target.namespace.as_str();
    let abroad = home(snapshot, request).into_iter();
    let abroad = abroad.flat_map(|home| snapshot.pods(home).filter(Pod::is_operator));
    let mut pods: Vec<Pod<'_>> = snapshot.pods(namespace).chain(abroad).collect();
    pods.sort_by_key(|pod| (pod.ready(), pod.0.name().to_owned()));
    let mut wanted = Vec::new();
    for pod in &pods {
        for container in pod.containers() {
            let restarted = container.restarts() > 0 || container.last().is_some();
            for previous in [false, true] {
                if !previous || restarted {
                    wanted.push((pod.0, container.name(), previous));
                }
            }
        }
    }
    let file = |(pod, container, previous): &(&Object, &str, bool)| {
        format!("logs/{}/{container}{}.log", pod.name(), if *previous { ".previous" } else { "" })
    };
    for one in wanted.iter().skip(request.limits.logs) {
        bundle.gap(file(one), "there are too many logs");
    }
    let asked = wanted.iter().take(request.limits.logs).map(|one| async move {
        let log = LogRequest {
            namespace: one.0.namespace().to_owned(),
            pod: one.0.name().to_owned(),
            container: one.1.to_owned(),
            previous: one.2,
            tail: Some(request.limits.log_lines),
            ..LogRequest::default()
        };
        let file = file(one);
        match bundle.part(file.as_str(), kubectl.log(&log)).await {
            Ok(text) => bundle.log(file, text),
            Err(error) => bundle.gap(file, error),
        }
    });
    join_all(asked).await;
}
