//! What an interrupted first `minikube start` leaves behind. minikube sets a cluster up only once: if the API server
//! responds, it finds its configuration unchanged and skips all later steps (`restartPrimaryControlPlane` in
//! `pkg/minikube/bootstrapper/kubeadm`). Observed with minikube 1.38.1 after a SIGKILL:
//!
//! * during `kubeadm init`: exit 0 and "Done!" without kube-proxy and CoreDNS, permanently; or every later start
//!   fails in `kubeadm init`, which minikube runs completely only on a node without a cluster, or after a reset;
//! * between `kubeadm init` and the pods' network: exit 0 and "Done!" on a node that never becomes ready, even
//!   after `minikube stop` and another start.

use super::session::Session;
use crate::failure::Result;
use crate::kube::Object;
use crate::kube::cluster::Node;

/// The namespace of minikube's add-on `storage-provisioner-rancher`.
pub(crate) const STORAGE_NAMESPACE: &str = "local-path-storage";
const PROXY: &str = "/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy";
const DNS: &str = "/apis/apps/v1/namespaces/kube-system/deployments/coredns";
const DAEMON_SETS: &str = "/apis/apps/v1/daemonsets";
const NODES: &str = "/api/v1/nodes";
const NAMESPACES: &str = "/api/v1/namespaces";
const READING: &str = "read what the first start created";
/// The directory of the container runtime's network configuration (CNI's default, which minikube keeps).
const NETWORK_DIRECTORY: &str = "/etc/cni/net.d";

/// Whether the cluster of an interrupted first start is as complete as any other. A cluster in which somebody has
/// created something counts as complete, whatever it lacks: it is not ours to delete.
pub(crate) async fn is_complete(cx: &Session) -> Result<bool> {
    let add_ons = exists(cx, PROXY).await? && exists(cx, DNS).await?;
    if add_ons && has_pod_network(cx).await? {
        return Ok(true);
    }
    is_inhabited(cx).await
}

/// Whether anybody has created anything in the cluster: a namespace, or pods or volumes in `default`, which always
/// exists.
pub(crate) async fn is_inhabited(cx: &Session) -> Result<bool> {
    let namespaces = find(cx, NAMESPACES).await?;
    if namespaces.is_empty() || namespaces.iter().any(|ns| !is_kubernetes(ns.name())) {
        return Ok(true);
    }
    for kind in ["pods", "persistentvolumeclaims"] {
        if !find(cx, &format!("{NAMESPACES}/default/{kind}")).await?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether Kubernetes or minikube creates a namespace of this name in every cluster.
pub(crate) fn is_kubernetes(namespace: &str) -> bool {
    namespace == "default" || is_system(namespace)
}

/// Whether a namespace of this name contains only objects of Kubernetes and minikube.
pub(crate) fn is_system(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == STORAGE_NAMESPACE
}

/// Whether the pods have a network, or will get one: from a DaemonSet, as usual, or from a file that minikube wrote
/// to the node.
async fn has_pod_network(cx: &Session) -> Result<bool> {
    if !find(cx, NODES).await?.iter().any(|node| Node(node).lacks_network()) {
        return Ok(true);
    }
    if find(cx, DAEMON_SETS).await?.iter().any(|set| set.name() != "kube-proxy") {
        return Ok(true);
    }
    let files = cx.minikube.node_files(NETWORK_DIRECTORY).await?;
    // minikube renames files that it does not want (`*.mk_disabled`), and keeps the one for the loopback interface
    // (`200-loopback.conf`).
    let counts = |file: &String| {
        (file.ends_with(".conf") || file.ends_with(".conflist")) && !file.contains("loopback")
    };
    Ok(files.is_none_or(|files| files.iter().any(counts)))
}

async fn exists(cx: &Session, path: &str) -> Result<bool> {
    let found = cx.kubectl.find(path).await;
    found.map(|object| object.is_some()).map_err(|e| cx.api_failure(READING, &e))
}

async fn find(cx: &Session, path: &str) -> Result<Vec<Object>> {
    let found = cx.list(path, READING).await?;
    Ok(found.into_iter().map(Object::new).collect())
}
