//! Deployments, CRDs, namespaces and nodes.

use serde_json::Value;

use super::object::{Condition, Object, list, number, text, texts};

/// A deployment.
#[derive(Debug, Clone, Copy)]
pub struct Deployment<'a>(pub &'a Object);

impl<'a> Deployment<'a> {
    /// Condition `Available=True`, of whatever revision.
    pub fn available(&self) -> Option<Condition<'a>> {
        self.0.condition("Available").filter(Condition::is_true)
    }

    /// Replicas asked for; the API's default is 1.
    pub fn wanted(&self) -> i64 {
        number(self.0.json(), "/spec/replicas").unwrap_or(1)
    }

    /// Replicas of the current revision.
    pub fn updated(&self) -> i64 {
        number(self.0.json(), "/status/updatedReplicas").unwrap_or(0)
    }

    /// Replicas that are available, of whatever revision.
    pub fn available_replicas(&self) -> i64 {
        number(self.0.json(), "/status/availableReplicas").unwrap_or(0)
    }

    /// Whether the current revision is up and the old one is gone.
    pub fn complete(&self) -> bool {
        let all = number(self.0.json(), "/status/replicas").unwrap_or(0);
        self.0.observed()
            && self.available().is_some()
            && self.updated() >= self.wanted()
            && self.available_replicas() >= self.wanted()
            && all <= self.updated()
    }

    /// The plain value of an environment variable of its first container; `None` if it is not
    /// set or comes from a field or a secret.
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
    /// Whether its resources can be created: `Established=True` and not on its way out.
    pub fn established(&self) -> bool {
        !self.0.deleting() && self.0.condition("Established").is_some_and(|c| c.is_true())
    }

    /// `status.storedVersions`: versions objects may still be stored in.
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

    /// Condition `NamespaceFinalizersRemaining=True`: whose message names the finalizers.
    pub fn finalizers_remaining(&self) -> Option<Condition<'a>> {
        self.0.condition("NamespaceFinalizersRemaining").filter(Condition::is_true)
    }
}

/// A node.
#[derive(Debug, Clone, Copy)]
pub struct Node<'a>(pub &'a Object);

/// A taint that keeps pods away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taint<'a> {
    /// `node.kubernetes.io/not-ready` ...
    pub key: &'a str,
    /// `NoSchedule`, `NoExecute`, `PreferNoSchedule`.
    pub effect: &'a str,
}

impl Taint<'_> {
    /// Whether no pod is put here that does not tolerate it.
    pub fn keeps_away(&self) -> bool {
        self.effect != "PreferNoSchedule"
    }
}

impl<'a> Node<'a> {
    /// Whether the kubelet is well and pods may be put here. `minikube start` ends before.
    pub fn ready(&self) -> bool {
        self.0.condition("Ready").is_some_and(|c| c.is_true())
            && !self.taints().iter().any(|t| t.key == "node.kubernetes.io/not-ready")
    }

    /// Whether the kubelet waits for its runtime to have a network. The word is its own, what follows the runtime's:
    /// `container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message:...`.
    pub fn lacks_network(&self) -> bool {
        let ready = self.0.condition("Ready");
        ready.is_some_and(|c| !c.is_true() && c.message.contains("NetworkPluginNotReady"))
    }

    /// Its taints.
    pub fn taints(&self) -> Vec<Taint<'a>> {
        list(self.0.json(), "/spec/taints")
            .iter()
            .map(|t| Taint { key: text(t, "/key"), effect: text(t, "/effect") })
            .collect()
    }

    /// Names of the images it holds; the kubelet reports the 50 largest only.
    pub fn images(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        list(self.0.json(), "/status/images")
            .iter()
            .flat_map(|i| list(i, "/names").iter().filter_map(Value::as_str))
    }

    /// Memory pods may ask for, as a Kubernetes quantity (`24683632Ki`). With minikube's docker
    /// driver it is the machine's, not what `--memory` says.
    pub fn allocatable_memory(&self) -> &'a str {
        text(self.0.json(), "/status/allocatable/memory")
    }

    /// CPUs pods may ask for, as a Kubernetes quantity (`2`).
    pub fn allocatable_cpu(&self) -> &'a str {
        text(self.0.json(), "/status/allocatable/cpu")
    }

    /// The kubelet's version, `v1.34.4`.
    pub fn kubelet_version(&self) -> &'a str {
        text(self.0.json(), "/status/nodeInfo/kubeletVersion")
    }
}
