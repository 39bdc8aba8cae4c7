//! The API server of a node that runs. It is a static pod: the kubelet starts it from a file of the node.
//! If that file is gone, nothing brings it back: `minikube start` finds its own configuration unchanged, takes
//! the cluster for well configured and waits for six minutes (minikube 1.38.1, `restartPrimaryControlPlane`
//! in `pkg/minikube/bootstrapper/kubeadm`). kubeadm writes the file anew from the configuration that minikube
//! left in the node.

use std::time::Duration;

use crate::explain;
use crate::failure::Result;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{Listed, State};

/// Where the kubelet finds its static pods (kubeadm's default, which minikube keeps).
const FOLDER: &str = "/etc/kubernetes/manifests";
const OF_SERVER: &str = "kube-apiserver.yaml";
/// What else is there in a node that was set up once: without it all of the node is in question.
const OF_ETCD: &str = "etcd.yaml";

/// A node that is well is told of by minikube before this.
const NODE_ASKED_AFTER: Duration = Duration::from_secs(2);

/// Whether nothing in the node could start an API server. Only a node that was set up whole is judged: one
/// that is being made has no such files yet, and a machine that boots has both.
///
/// # Errors
/// When minikube cannot be run.
pub async fn is_lost(minikube: &Minikube) -> Result<bool> {
    let files = minikube.node_files(FOLDER).await?;
    let has = |name: &str| files.as_ref().is_some_and(|f| f.iter().any(|f| f == name));
    Ok(has(OF_ETCD) && !has(OF_SERVER))
}

/// minikube's word on the profile. Of a node that runs it looks for the API server for up to 15 s: after two
/// the node is asked beside it whether there could be one at all. A node without is half started.
///
/// # Errors
/// When minikube cannot be run or says something else.
pub async fn state(minikube: &Minikube) -> Result<State> {
    let lost = async {
        tokio::time::sleep(NODE_ASKED_AFTER).await;
        if !matches!(is_lost(minikube).await, Ok(true)) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        state = minikube.status() => state,
        () = lost => Ok(State::Partial),
    }
}

/// Have kubeadm write it anew; `ours`: whether the profile is kstrim's to change.
///
/// # Errors
/// `KS-APISERVER-MISSING`, where it is not kstrim's, or kubeadm fails.
pub async fn write_anew(minikube: &Minikube, profile: &str, ours: bool) -> Result<()> {
    let version = match minikube.listed().await? {
        Listed::Valid(found) => found.kubernetes,
        _ => String::new(),
    };
    let cmd = minikube.kubeadm_cmd(&version, &["init", "phase", "control-plane", "apiserver"]);
    let lost = || explain::minikube::server_lost(&format!("{FOLDER}/{OF_SERVER}"), &cmd, profile);
    if !ours {
        return Err(Box::new(lost().because("kstrim did not make the profile and will not change its node")));
    }
    let output = minikube.run_cmd(&cmd).await?;
    if output.exit.success() {
        return Ok(());
    }
    Err(Box::new(lost().because(format!("kubeadm: {}", last_words(&output.stderr)))))
}

/// ssh adds a line on how its command ended.
fn last_words(stderr: &str) -> &str {
    let lines = stderr.lines().rev().map(str::trim);
    lines.filter(|l| !l.is_empty()).find(|l| !l.starts_with("ssh: ")).unwrap_or("")
}
