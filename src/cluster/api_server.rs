//! The API server of a node that runs. It is a static pod: the kubelet starts it from a file of the node.
//! If that file is gone, nothing brings it back: `minikube start` finds its own configuration unchanged, takes
//! the cluster for well configured and waits for six minutes (minikube 1.38.1, `restartPrimaryControlPlane`
//! in `pkg/minikube/bootstrapper/kubeadm`). kubeadm writes the file again from the configuration that minikube
//! left in the node.

use std::time::Duration;

use crate::explain;
use crate::failure::Result;
use crate::kube::ApiError;
use crate::kube::kubectl::Kubectl;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{Listed, State};

/// Where the kubelet finds its static pods (kubeadm's default, which minikube keeps).
const FOLDER: &str = "/etc/kubernetes/manifests";
const OF_SERVER: &str = "kube-apiserver.yaml";
/// What else is there in a node that was set up once: without it all of the node is in question.
const OF_ETCD: &str = "etcd.yaml";

/// A node that is well is told of by minikube before this.
const NODE_ASKED_AFTER: Duration = Duration::from_secs(2);

/// How long an API server that answers, but is not ready, gets: it is ready some seconds after its start.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Pause between looks at it.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Wait for an API server that says of itself that it is not ready yet.
///
/// # Errors
/// Its last word, if that is something else, or the time is over.
pub(crate) async fn until_ready(kubectl: &Kubectl, mut said: ApiError) -> Result<(), ApiError> {
    let end = tokio::time::Instant::now() + READY_WITHIN;
    while unready(&said).is_some() && tokio::time::Instant::now() < end {
        tokio::time::sleep(LOOK_EVERY).await;
        match kubectl.ready().await {
            Ok(()) => return Ok(()),
            Err(error) => said = error,
        }
    }
    Err(said)
}

/// That an API server answers `/readyz` with its list of checks, which it does while one of them fails; with the
/// failed ones as far as kubectl's words are kept: `[-]poststarthook/rbac/bootstrap-roles failed: reason withheld`.
pub(crate) fn unready(error: &ApiError) -> Option<String> {
    let words = &error.message;
    if !words.contains("[+]") && !words.contains("[-]") {
        return None;
    }
    let failed: Vec<&str> =
        words.split("[-]").skip(1).filter_map(|rest| rest.split_whitespace().next()).collect();
    Some(match failed.is_empty() {
        true => "not ready yet".to_owned(),
        false => format!("not ready yet: {}", failed.join(", ")),
    })
}

/// Whether nothing in the node could start an API server. Only a node that was set up whole is judged: one
/// that is being made has no such files yet, and a machine that boots has both.
pub(crate) async fn is_lost(minikube: &Minikube) -> Result<bool> {
    let files = minikube.node_files(FOLDER).await?;
    let has = |name: &str| files.as_ref().is_some_and(|f| f.iter().any(|f| f == name));
    Ok(has(OF_ETCD) && !has(OF_SERVER))
}

/// minikube's word on the profile. Of a node that runs it looks for the API server for up to 15 s: after two
/// the node is asked beside it whether there could be one at all. A node without is half started.
pub(crate) async fn state(minikube: &Minikube) -> Result<State> {
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

/// Have kubeadm write it again; `ours`: whether the profile is kstrim's to change.
pub(crate) async fn write_anew(minikube: &Minikube, profile: &str, ours: bool) -> Result<()> {
    let version = match minikube.listed().await? {
        Listed::Valid(found) => found.kubernetes,
        _ => String::new(),
    };
    let cmd = minikube.kubeadm_cmd(&version, &["init", "phase", "control-plane", "apiserver"]);
    let lost = || explain::minikube::server_lost(&format!("{FOLDER}/{OF_SERVER}"), &cmd, profile);
    if !ours {
        return Err(Box::new(
            lost().because("kstrim did not create the profile, so it does not change its node"),
        ));
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
    lines.filter(|l| !l.is_empty()).find(|l| !crate::words::SSH.said(l)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_server_still_waits_for_is_told_in_short() {
        let said = |words: &str| unready(&ApiError::from_stderr(words));
        let head = r#"Error from server (InternalError): an error on the server ("[+]ping ok\n"#;
        let tail = r#"readyz check failed") has prevented the request from succeeding"#;
        let failed =
            r"[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n[-]etcd failed: reason\n";
        assert_eq!(
            said(&format!("{head}{failed}{tail}")).as_deref(),
            Some("not ready yet: poststarthook/rbac/bootstrap-roles, etcd")
        );
        // The failed ones come after what is kept of kubectl's words.
        let many = format!("{head}{}{failed}{tail}", r"[+]poststarthook/one ok\n".repeat(30));
        assert_eq!(said(&many).as_deref(), Some("not ready yet"));
        assert_eq!(said("The connection to the server 127.0.0.1:1 was refused"), None);
    }
}
