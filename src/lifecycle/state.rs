//! Stopping everything in a node and starting it again, for a snapshot.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::cluster::session::Session;
use crate::cluster::{ownership, shutdown, suspension};
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::exec::{Output, Runner};
use crate::failure::{Failure, Kind, Result};
use crate::kube::object::text;
use crate::quickstart::context::{Context, Reached};
use crate::tool::minikube;
use crate::tool::node::{Node, PodName, last_line};

/// How long a container may take to stop. Kafka has already been shut down ([`shutdown`]); nothing else keeps
/// data in memory.
const GRACE: Duration = Duration::from_secs(1);
/// The same for etcd.
const ETCD_GRACE: Duration = Duration::from_secs(10);

/// How often the API server is queried.
const LOOK: Duration = Duration::from_millis(300);

/// How long Kubernetes may take to publish another certificate authority.
const RENEWAL: Duration = Duration::from_secs(90);

/// What the tasks of a save or a restore share.
#[derive(Default)]
pub(crate) struct Shared {
    /// The node whose kubelet is stopped.
    pub(super) stopped: RefCell<Option<Node>>,
    /// The uid of the restored cluster.
    pub(super) cluster_uid: RefCell<Option<String>>,
    /// Whether the kubelet was started again.
    pub(super) resumed: Cell<bool>,
}

impl Shared {
    /// Start the node again after a run that failed, with commands that run even after an interrupt.
    pub(crate) async fn undo(&self, cx: &Session, runner: Rc<dyn Runner>) {
        let Some(node) = self.stopped.take() else { return };
        cx.emit.warn("it is not finished; what was stopped is started again");
        let minikube = cx.minikube.with_runner(runner);
        // Only a copy: the state itself is where it was.
        let _ = minikube.delete_state_archive(&node).await;
        match shutdown::resume(&minikube, std::slice::from_ref(&node)).await {
            Ok(()) => {
                // If the journal cannot be written, the next writer reports the error.
                let _ = suspension::record(cx, None);
            }
            Err(failure) => suspension::not_undone(cx, &failure),
        }
    }
}

/// The only node of the profile.
///
/// # Errors
/// [`errors::SNAPSHOT_NODES`].
pub(crate) async fn only_node(cx: &Session) -> Result<Node> {
    let nodes = cx.minikube.nodes().await?;
    let [node] = nodes.as_slice() else {
        let message = format!("the profile {} has {} nodes", cx.profile(), nodes.len());
        return Err(Box::new(
            Failure::new(errors::SNAPSHOT_NODES, Kind::Prerequisite, message)
                .because("only profiles of one node can be saved and restored"),
        ));
    };
    Ok(node.clone())
}

/// Judge a command in the node by its exit code; `doing` completes "cannot ...".
pub(super) fn succeeded(cx: &Session, output: &Output, doing: &str) -> Result<()> {
    if output.exit.success() {
        return Ok(());
    }
    let message = format!("cannot {doing} in the node of the profile {}", cx.profile());
    Err(Box::new(
        Failure::new(errors::SNAPSHOT_NODE, Kind::Task, message)
            .because(last_line(output))
            .hint(format!("look into it: {}", cx.target.minikube("ssh"))),
    ))
}

/// Stop all containers of a node whose kubelet is stopped. With `grace`, each may exit by itself.
pub(super) async fn stop_containers(cx: &Session, node: &Node, grace: bool) -> Result<()> {
    let containers = cx.minikube.all_containers(node).await?;
    let ids: Vec<&str> = containers.iter().map(|(id, _)| id.as_str()).collect();
    let Some((last, others)) = ids.split_last() else { return Ok(()) };
    let wait = |limit: Duration| if grace { limit } else { Duration::ZERO };
    for (ids, limit) in [(others, wait(GRACE)), (std::slice::from_ref(last), wait(ETCD_GRACE))] {
        if !ids.is_empty() {
            let output = cx.minikube.stop_containers(node, ids, limit).await?;
            succeeded(cx, &output, "stop the containers")?;
        }
    }
    Ok(())
}

/// Restart the pods that trust another certificate authority than that of this machine's minikube: programs read
/// it when they start, and after a snapshot of another machine was restored, they have started with that
/// machine's authority.
async fn renew_trust(cx: &Session, node: &Node) -> Result<()> {
    const MAPS: &str = "/api/v1/configmaps?fieldSelector=metadata.name%3Dkube-root-ca.crt";
    let Ok(authority) = std::fs::read_to_string(minikube::home().join("ca.crt")) else { return Ok(()) };
    let mut renewed = false;
    let end = Instant::now() + RENEWAL;
    while Instant::now() < end {
        let maps = cx.list(MAPS, "read the cluster's certificate authority").await?;
        if maps.iter().all(|map| text(map, "/data/ca.crt").trim() == authority.trim()) {
            break;
        }
        // Kubernetes itself renews them.
        if !renewed {
            cx.emit.progress("waiting for the certificate authority of this machine's minikube", None);
        }
        renewed = true;
        tokio::time::sleep(LOOK).await;
    }
    if !renewed {
        return Ok(());
    }
    let pods = cx.list("/api/v1/pods", "list the pods").await?;
    // The kubelet starts the control plane by itself, from files.
    let of_kubelet = |pod: &PodName| {
        pods.iter().any(|found| {
            text(found, "/metadata/namespace") == pod.namespace
                && text(found, "/metadata/name") == pod.name
                && found.pointer("/metadata/annotations/kubernetes.io~1config.mirror").is_some()
        })
    };
    let containers = cx.minikube.all_containers(node).await?;
    let ids: Vec<&str> =
        containers.iter().filter(|(_, pod)| !of_kubelet(pod)).map(|(id, _)| id.as_str()).collect();
    if !ids.is_empty() {
        let output = cx.minikube.stop_containers(node, &ids, Duration::ZERO).await?;
        succeeded(cx, &output, "restart the containers")?;
    }
    Ok(())
}

/// Starts the kubelet of the node again, which starts everything else, and waits for the API server.
pub(super) struct Api(pub(super) Rc<Shared>);

#[async_trait(?Send)]
impl Task<Context> for Api {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        if !self.0.resumed.get() {
            return Ok(Doneness::Pending("the kubelet is stopped".into()));
        }
        if cx.kubectl.ready().await.is_err() {
            return Ok(Doneness::Pending("waiting for the API server".into()));
        }
        if let Some(uid) = self.0.cluster_uid.take() {
            let mut journal = cx.journal.borrow_mut();
            journal.state.cluster_uid = Some(uid);
            journal.state.restoring = None;
            journal.save()?;
        }
        cx.forget_observed();
        cx.machine_is(Reached::Api);
        ownership::determine(cx, false).await?;
        Ok(Doneness::Done("Kubernetes is running".into()))
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let Some(node) = self.0.stopped.borrow().clone() else { return Ok(()) };
        let deleted = cx.minikube.delete_state_archive(&node).await?;
        succeeded(cx, &deleted, "delete the archive of the snapshot")?;
        shutdown::resume(&cx.minikube, std::slice::from_ref(&node)).await?;
        self.0.stopped.take();
        suspension::record(cx, None)?;
        cx.emit.progress("waiting for the API server", None);
        while cx.kubectl.ready().await.is_err() {
            tokio::time::sleep(LOOK).await;
        }
        if self.0.cluster_uid.borrow().is_some() {
            renew_trust(cx, &node).await?;
        }
        self.0.resumed.set(true);
        let mut journal = cx.journal.borrow_mut();
        journal.state.node_started = Some(Timestamp::now());
        journal.save()
    }

    async fn changed(&self, _: &Context) {
        tokio::time::sleep(LOOK).await;
    }
}
