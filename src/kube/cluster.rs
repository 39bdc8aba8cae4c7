//! Deployments, CRDs, namespaces and nodes.

use serde_json::Value;

use super::object::{Condition, Object, list, number, text, texts};
use crate::words;

/// Name of the operator's Deployment in the install files of every Strimzi release.
pub(crate) const OPERATOR: &str = "strimzi-cluster-operator";

/// The operator's variable with the namespaces that it watches.
const WATCHED: &str = "STRIMZI_NAMESPACE";

/// The operator's variable with the label selector of its resources: `co-name=first,team=a`.
const SELECTOR: &str = "STRIMZI_CUSTOM_RESOURCE_SELECTOR";

/// A deployment.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a>(pub &'a Object);

impl<'a> Deployment<'a> {
    /// The cluster operator's variable with the image of each Kafka version; it does not start without it.
    pub const KAFKA_IMAGES: &'static str = "STRIMZI_KAFKA_IMAGES";

    /// Condition `Available=True`, of any revision.
    pub fn available(&self) -> Option<Condition<'a>> {
        self.0.condition("Available").filter(Condition::is_true)
    }

    /// Why its pods cannot be created: condition `ReplicaFailure=True`, copied from its ReplicaSet.
    pub fn replica_failure(&self) -> Option<Condition<'a>> {
        self.0.condition("ReplicaFailure").filter(Condition::is_true)
    }

    /// Whether it runs Strimzi's cluster operator. Helm, OLM and users give the Deployment other names; it is
    /// recognized by its labels, or those of its pods. Of the Deployments that Strimzi installs with `app: strimzi`
    /// (a standalone topic or user operator, Drain Cleaner) only the cluster operator has the images of Kafka in its
    /// environment.
    pub fn is_cluster_operator(&self) -> bool {
        let pods = self.0.json().pointer("/spec/template/metadata/labels");
        let label = |name: &str| self.0.label(name).or_else(|| pods?.get(name)?.as_str());
        self.0.name() == OPERATOR
            || label("strimzi.io/kind") == Some("cluster-operator")
            || label("app") == Some("strimzi") && self.variable(Self::KAFKA_IMAGES).is_some()
    }

    /// Whether some installation of kstrim created it.
    pub(crate) fn is_kstrims(&self) -> bool {
        self.0.label("app.kubernetes.io/managed-by") == Some(super::kubectl::FIELD_MANAGER)
    }

    /// The namespaces that this operator watches; empty: all of them.
    pub fn watched_namespaces(&self) -> Vec<&'a str> {
        let home = self.0.namespace();
        let annotation = |path: &str| {
            let name = path.strip_prefix("metadata.annotations['")?.strip_suffix("']")?;
            self.0.json().pointer("/spec/template/metadata/annotations")?.get(name)?.as_str()
        };
        let variable = self.variable(WATCHED);
        let set = match variable
            .map(|v| (v.get("value").and_then(Value::as_str), text(v, "/valueFrom/fieldRef/fieldPath")))
        {
            // Without a value it watches all namespaces (Strimzi's ClusterOperatorConfig).
            None => "",
            Some((Some(value), _)) => value,
            // OLM's: empty for all namespaces.
            Some((None, path)) if path.starts_with("metadata.annotations[") => annotation(path).unwrap_or(""),
            // The install files': its own, by fieldRef.
            Some((None, "metadata.namespace")) => home,
            // From a ConfigMap or Secret: it may be any.
            Some((None, _)) => "",
        };
        let all: Vec<&str> = set.split(',').map(str::trim).filter(|n| !n.is_empty()).collect();
        if all.contains(&"*") { Vec::new() } else { all }
    }

    /// Whether this operator watches a namespace.
    pub fn watches(&self, namespace: &str) -> bool {
        let watched = self.watched_namespaces();
        watched.is_empty() || watched.contains(&namespace)
    }

    /// The labels without which this operator ignores a resource.
    pub fn selector(&self) -> Vec<(&'a str, &'a str)> {
        let set = self.variable(SELECTOR).map_or("", |v| text(v, "/value"));
        set.split(',').filter_map(|label| label.split_once('=')).map(|(k, v)| (k.trim(), v.trim())).collect()
    }

    /// Whether this operator manages a Kafka resource: whether it watches its namespace, and its selector matches. A
    /// resource that kstrim has not created yet has no custom labels.
    pub fn serves(&self, namespace: &str, kafka: Option<&Object>) -> bool {
        let label = |name| kafka.and_then(|kafka| kafka.label(name));
        self.watches(namespace) && self.selector().iter().all(|(name, value)| label(name) == Some(*value))
    }

    /// The plain value of a variable of any of its containers.
    pub(crate) fn value(&self, name: &str) -> Option<&'a str> {
        self.variable(name)?.get("value")?.as_str()
    }

    fn variable(&self, name: &str) -> Option<&'a Value> {
        let containers = list(self.0.json(), "/spec/template/spec/containers").iter();
        containers.flat_map(|c| list(c, "/env")).find(|e| text(e, "/name") == name)
    }

    /// Requested replicas; the API's default is 1.
    pub fn requested_replicas(&self) -> i64 {
        number(self.0.json(), "/spec/replicas").unwrap_or(1)
    }

    /// Replicas of the current revision.
    pub fn updated(&self) -> i64 {
        number(self.0.json(), "/status/updatedReplicas").unwrap_or(0)
    }

    /// Replicas that are available, of any revision.
    pub fn available_replicas(&self) -> i64 {
        number(self.0.json(), "/status/availableReplicas").unwrap_or(0)
    }

    /// Whether the current revision is available and no pods of an old one remain.
    pub fn complete(&self) -> bool {
        let all = number(self.0.json(), "/status/replicas").unwrap_or(0);
        self.0.observed()
            && self.available().is_some()
            && self.updated() >= self.requested_replicas()
            && self.available_replicas() >= self.requested_replicas()
            && all <= self.updated()
    }

    /// The plain value of an environment variable of its first container; `None` if it is not set or comes from a
    /// field or a Secret.
    pub fn env(&self, name: &str) -> Option<&'a str> {
        list(self.0.json(), "/spec/template/spec/containers/0/env")
            .iter()
            .find(|e| text(e, "/name") == name)?
            .get("value")?
            .as_str()
    }

    /// The image of its first container.
    pub fn image(&self) -> &'a str {
        text(self.0.json(), "/spec/template/spec/containers/0/image")
    }

    /// The pods' service account.
    pub fn service_account(&self) -> &'a str {
        text(self.0.json(), "/spec/template/spec/serviceAccountName")
    }
}

/// A custom resource definition.
#[derive(Debug, Clone, Copy)]
pub struct Crd<'a>(pub &'a Object);

impl<'a> Crd<'a> {
    /// Whether its resources can be created: `Established=True` and not being deleted.
    pub fn established(&self) -> bool {
        !self.0.deleting() && self.0.condition("Established").is_some_and(|c| c.is_true())
    }

    /// `status.storedVersions`: versions that objects may still be stored in.
    pub fn stored_versions(&self) -> Vec<&'a str> {
        texts(self.0.json(), "/status/storedVersions")
    }

    /// Versions it serves.
    pub fn served(&self) -> Vec<&'a str> {
        list(self.0.json(), "/spec/versions")
            .iter()
            .filter(|v| v.get("served").and_then(Value::as_bool).unwrap_or(false))
            .map(|v| text(v, "/name"))
            .collect()
    }

    /// Condition `Terminating=True`.
    pub fn terminating(&self) -> Option<Condition<'a>> {
        self.0.condition("Terminating").filter(Condition::is_true)
    }
}

/// A namespace.
#[derive(Debug, Clone, Copy)]
pub struct Namespace<'a>(pub &'a Object);

impl<'a> Namespace<'a> {
    /// Whether it is being deleted.
    pub fn terminating(&self) -> bool {
        self.0.phase() == "Terminating" || self.0.deleting()
    }

    /// Condition `NamespaceFinalizersRemaining=True`, whose message names the finalizers.
    pub fn finalizers_remaining(&self) -> Option<Condition<'a>> {
        self.0.condition("NamespaceFinalizersRemaining").filter(Condition::is_true)
    }
}

/// A node.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a>(pub &'a Object);

/// A taint that repels pods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taint<'a> {
    /// `node.kubernetes.io/not-ready` ...
    pub key: &'a str,
    /// `NoSchedule`, `NoExecute`, `PreferNoSchedule`.
    pub effect: &'a str,
}

impl Taint<'_> {
    /// Whether pods that do not tolerate it are not scheduled here.
    pub fn repels_pods(&self) -> bool {
        self.effect != "PreferNoSchedule"
    }
}

impl<'a> Node<'a> {
    /// Whether the node is ready and accepts pods. `minikube start` ends before.
    pub fn ready(&self) -> bool {
        self.0.condition("Ready").is_some_and(|c| c.is_true())
            && !self.taints().iter().any(|t| t.key == "node.kubernetes.io/not-ready")
    }

    /// Whether the kubelet waits until its runtime has a network. The prefix is the kubelet's, the rest is the
    /// runtime's: `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:...`.
    pub fn lacks_network(&self) -> bool {
        let ready = self.0.condition("Ready");
        ready.is_some_and(|c| !c.is_true() && words::NO_NETWORK.matches(c.message))
    }

    /// Its taints.
    pub fn taints(&self) -> Vec<Taint<'a>> {
        list(self.0.json(), "/spec/taints")
            .iter()
            .map(|t| Taint { key: text(t, "/key"), effect: text(t, "/effect") })
            .collect()
    }

    /// Names of the images on it; the kubelet reports only the 50 largest.
    pub fn images(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        list(self.0.json(), "/status/images")
            .iter()
            .flat_map(|i| list(i, "/names").iter().filter_map(Value::as_str))
    }

    /// Memory that pods may request, as a Kubernetes quantity (`24683632Ki`). With minikube's docker driver it is the
    /// machine's, not the value of `--memory`.
    pub fn allocatable_memory(&self) -> &'a str {
        text(self.0.json(), "/status/allocatable/memory")
    }

    /// CPUs that pods may request, as a Kubernetes quantity (`2`).
    pub fn allocatable_cpu(&self) -> &'a str {
        text(self.0.json(), "/status/allocatable/cpu")
    }

    /// The kubelet's version, `v1.34.4`.
    pub fn kubelet_version(&self) -> &'a str {
        text(self.0.json(), "/status/nodeInfo/kubeletVersion")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn operator(metadata: Value, template: Value, env: Value) -> Object {
        Object::new(json!({"kind": "Deployment", "metadata": metadata,
            "spec": {"template": {"metadata": template, "spec": {"containers": [{"env": env}]}}}}))
    }

    #[test]
    fn an_operator_is_recognized_by_its_labels_and_its_watched_namespaces() {
        let set = |v: &str| json!([{"name": "STRIMZI_NAMESPACE", "value": v}]);
        let field = |path: &str| json!([{"name": "STRIMZI_NAMESPACE", "valueFrom": {"fieldRef": {"fieldPath": path}}}]);
        let images = |mut env: Value| {
            env.as_array_mut()
                .expect("a list")
                .push(json!({"name": "STRIMZI_KAFKA_IMAGES", "value": "4.3.1=x"}));
            env
        };
        let olm = "metadata.annotations['olm.targetNamespaces']";
        let named = |name: &str, labels: Value| json!({"name": name, "namespace": "home", "labels": labels});
        let pods = json!({"labels": {"strimzi.io/kind": "cluster-operator"}});
        let files = named("strimzi-cluster-operator", json!({"app": "strimzi"}));
        let helm = named("kafka-operator", json!({"app": "strimzi", "component": "deployment"}));
        let of_olm = named("strimzi-cluster-operator-v1.2.0", json!({"olm.owner": "strimzi"}));
        let target = |of: &str| json!({"labels": {"strimzi.io/kind": "cluster-operator"}, "annotations": {"olm.targetNamespaces": of}});
        for (metadata, template, env, watched) in [
            (files.clone(), pods.clone(), field("metadata.namespace"), Some(vec!["home"])),
            (files.clone(), json!({}), json!([]), Some(vec![])),
            (helm.clone(), pods.clone(), set("a, b"), Some(vec!["a", "b"])),
            (helm.clone(), json!({}), images(set("*")), Some(vec![])),
            (helm.clone(), pods.clone(), field(""), Some(vec![])),
            (named("strimzi-topic-operator", json!({"app": "strimzi"})), json!({}), set("home"), None),
            (of_olm.clone(), pods.clone(), set(""), Some(vec![])),
            (of_olm.clone(), target(""), field(olm), Some(vec![])),
            (of_olm, target("a,b"), field(olm), Some(vec!["a", "b"])),
            (named("entity-operator", json!({"app": "strimzi"})), json!({}), json!([]), None),
            (named("my-app", json!({})), json!({}), set("*"), None),
        ] {
            let object = operator(metadata, template, env);
            let found = Deployment(&object);
            let told = found.is_cluster_operator().then(|| found.watched_namespaces());
            assert_eq!(told, watched, "{}", object.json());
            if let Some(watched) = watched {
                assert_eq!(found.watches("b"), watched.is_empty() || watched.contains(&"b"));
            }
        }
    }

    #[test]
    fn an_operator_with_a_selector_manages_only_matching_resources() {
        let env = json!([{"name": "STRIMZI_NAMESPACE", "value": "*"},
            {"name": "STRIMZI_CUSTOM_RESOURCE_SELECTOR", "value": "co-name=first, team=a"}]);
        let object = operator(json!({"name": "o", "namespace": "home"}), json!({}), env);
        let kafka = |labels: Value| Object::new(json!({"metadata": {"name": "k", "labels": labels}}));
        let serves = |labels: Value| Deployment(&object).serves("b", Some(&kafka(labels)));
        assert!(serves(json!({"co-name": "first", "team": "a", "more": "x"})));
        assert!(!serves(json!({"co-name": "first"})) && !serves(json!({"co-name": "second", "team": "a"})));
        assert!(!Deployment(&object).serves("b", None), "one that does not exist has no labels");
    }
}
