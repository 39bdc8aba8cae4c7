//! A minikube of several nodes. minikube adds the others one after another, long after the first one serves; what runs
//! by then stays on the first. Its own storage provisioner makes a volume's directory on the first node only: on another
//! one the container runtime makes it again, for root alone, and nothing keeps a pod where its data is
//! (<https://github.com/kubernetes/minikube/issues/12165>). An add-on of minikube's makes volumes where their pod is.

use super::context::Context;
use crate::config::Settings;
use crate::failure::Result;
use crate::kube::Kind as ObservedKind;
use crate::tool::minikube_output::Listed;

/// minikube's add-on that makes volumes on the node of their pod.
pub(crate) const STORAGE_ADD_ON: &str = "storage-provisioner-rancher";
/// The storage class that it makes.
const STORAGE_CLASS: &str = "local-path";

/// The flag for `minikube start` that brings the volumes of several nodes, where they are asked for.
pub(crate) fn flag(settings: &Settings) -> Option<String> {
    settings.nodes.is_some_and(|nodes| nodes > 1).then(|| format!("--addons={STORAGE_ADD_ON}"))
}

/// How many nodes the profile has, or gets. Somebody else's has as many as it likes: it is taken as it is.
fn count(cx: &Context) -> usize {
    match cx.machine.listed.get() {
        _ if cx.target.context.is_some() => 1,
        Some(Listed::Valid(profile)) if cx.ownership.profile_is_ours.get() => profile.nodes,
        Some(Listed::Valid(_)) => 1,
        _ => cx.settings.nodes.unwrap_or(1) as usize,
    }
}

/// The storage class of Kafka's volumes, unless it is the cluster's default.
pub(crate) fn storage_class(cx: &Context) -> Option<&'static str> {
    (count(cx) > 1).then_some(STORAGE_CLASS)
}

/// Why the nodes other than the control plane have to be started again, if so. The API server answers without them, and
/// reports them as ready for another 50 s (`node-monitor-grace-period`).
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

/// Wait until minikube has added all nodes: images have to be on each, and Kafka's pods go where there is room.
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
