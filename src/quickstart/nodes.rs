//! minikube profiles with several nodes. minikube adds the other nodes one after another, long after the first one is
//! ready; pods that have started by then stay on the first node. minikube's default storage provisioner creates a
//! volume's directory on the first node only: on another node the container runtime creates it again, writable only
//! by root, and nothing keeps a pod on the node with its data
//! (<https://github.com/kubernetes/minikube/issues/12165>). An add-on of minikube creates volumes on the node of
//! their pod.

use super::context::Context;
use crate::config::Settings;
use crate::failure::Result;
use crate::kube::Kind as ObservedKind;
use crate::tool::minikube_output::Listed;

/// minikube's add-on that creates volumes on the node of their pod.
pub(crate) const STORAGE_ADD_ON: &str = "storage-provisioner-rancher";
/// The storage class that it creates.
const STORAGE_CLASS: &str = "local-path";

/// The flag of `minikube start` that enables volumes on several nodes, if several are requested.
pub(crate) fn flag(settings: &Settings) -> Option<String> {
    settings.nodes.is_some_and(|nodes| nodes > 1).then(|| format!("--addons={STORAGE_ADD_ON}"))
}

/// The number of nodes that the profile has or will have. A foreign profile is used with the nodes that it has.
fn count(cx: &Context) -> usize {
    match cx.machine.listed.get() {
        _ if cx.target.context.is_some() => 1,
        Some(Listed::Valid(profile)) if cx.ownership.profile_is_ours.get() => profile.nodes,
        Some(Listed::Valid(_)) => 1,
        _ => cx.settings.nodes.unwrap_or(1) as usize,
    }
}

/// The storage class of Kafka's volumes, if it is not the cluster's default.
pub(crate) fn storage_class(cx: &Context) -> Option<&'static str> {
    (count(cx) > 1).then_some(STORAGE_CLASS)
}

/// Why nodes other than the control plane have to be restarted, if they have to. The API server responds without
/// them, and reports them as ready for another 50 s (`node-monitor-grace-period`).
pub(crate) async fn stopped(cx: &Context) -> Result<Option<String>> {
    if count(cx) < 2 || cx.starting() || !cx.ownership.profile_is_ours.get() {
        return Ok(None);
    }
    Ok(match cx.minikube.stopped_workers().await? {
        None => Some("minikube does not see all of its nodes".to_owned()),
        Some(nodes) if nodes.is_empty() => None,
        Some(nodes) => Some(format!("stopped: {}", nodes.join(", "))),
    })
}

/// Wait until minikube has added all nodes: images must be loaded into each, and Kafka's pods are scheduled where
/// there is room.
pub(crate) async fn joined(cx: &Context) -> Result<()> {
    let wanted = count(cx);
    while wanted > 1 && cx.starting() {
        let snapshot = cx.synced(&[ObservedKind::Node]).await;
        let ready = snapshot.nodes().filter(|node| node.ready()).count();
        cx.emit
            .progress(format!("waiting for minikube to add the nodes: {ready} of {wanted} are ready"), None);
        cx.changed_or_second().await;
    }
    if wanted > 1 { cx.start_result() } else { Ok(()) }
}
