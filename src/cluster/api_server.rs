//! The API server of a running node. It is a static pod: the kubelet starts it from a manifest in the node. If that
//! file is missing, nothing restores it: `minikube start` finds its own configuration unchanged, assumes that the
//! cluster is configured, and waits for six minutes (minikube 1.38.1, `restartPrimaryControlPlane` in
//! `pkg/minikube/bootstrapper/kubeadm`). kubeadm can write the file again from the configuration that minikube left
//! in the node.

use std::time::Duration;

use crate::explain;
use crate::failure::Result;
use crate::kube::ApiError;
use crate::kube::kubectl::Kubectl;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{Listed, State};

/// The directory of the kubelet's static pods (kubeadm's default, which minikube keeps).
const MANIFEST_DIRECTORY: &str = "/etc/kubernetes/manifests";
const SERVER_MANIFEST: &str = "kube-apiserver.yaml";
/// Another manifest that exists in every node that was set up completely. If it is missing too, the whole node is
/// suspect.
const ETCD_MANIFEST: &str = "etcd.yaml";

/// minikube reports a healthy node sooner than this.
const CHECK_NODE_AFTER: Duration = Duration::from_secs(2);

/// How long to wait for an API server that responds but is not ready: it becomes ready some seconds after its start.
const READY_WITHIN: Duration = Duration::from_secs(30);
/// Time between two requests.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

/// Wait for an API server that reports that it is not ready yet.
///
/// # Errors
/// Its last response, if that is another error or the time has passed.
pub(crate) async fn until_ready(kubectl: &Kubectl, mut said: ApiError) -> Result<(), ApiError> {
    let end = tokio::time::Instant::now() + READY_WITHIN;
    while unready(&said).is_some() && tokio::time::Instant::now() < end {
        tokio::time::sleep(POLL_INTERVAL).await;
        match kubectl.ready().await {
            Ok(()) => return Ok(()),
            Err(error) => said = error,
        }
    }
    Err(said)
}

/// Why an API server is not ready, if it responds to `/readyz` with its list of checks because one of them fails.
/// Names the failed checks that the error message contains: `[-]poststarthook/rbac/bootstrap-roles failed: reason
/// withheld`.
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

/// Whether the node has no manifest for an API server. Only a completely set up node is judged: one that is still
/// being created has no manifests yet, and one that is booting has both.
pub(crate) async fn is_manifest_missing(minikube: &Minikube) -> Result<bool> {
    let files = minikube.node_files(MANIFEST_DIRECTORY).await?;
    let has = |name: &str| files.as_ref().is_some_and(|f| f.iter().any(|f| f == name));
    Ok(has(ETCD_MANIFEST) && !has(SERVER_MANIFEST))
}

/// The state of the profile according to minikube. For a running node, minikube looks for the API server for up to 15
/// s. After two seconds, kstrim checks in parallel whether the node has an API server's manifest at all; without one,
/// the profile is only partly running.
pub(crate) async fn state(minikube: &Minikube) -> Result<State> {
    let lost = async {
        tokio::time::sleep(CHECK_NODE_AFTER).await;
        if !matches!(is_manifest_missing(minikube).await, Ok(true)) {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        state = minikube.status() => state,
        () = lost => Ok(State::Partial),
    }
}

/// Let kubeadm write the manifest again. `ours`: whether kstrim may change the profile.
pub(crate) async fn recreate_manifest(minikube: &Minikube, profile: &str, ours: bool) -> Result<()> {
    let version = match minikube.listed().await? {
        Listed::Valid(found) => found.kubernetes,
        _ => String::new(),
    };
    let cmd = minikube.kubeadm_cmd(&version, &["init", "phase", "control-plane", "apiserver"]);
    let lost =
        || explain::minikube::server_lost(&format!("{MANIFEST_DIRECTORY}/{SERVER_MANIFEST}"), &cmd, profile);
    if !ours {
        return Err(Box::new(
            lost().because("kstrim did not create the profile, so it does not change its node"),
        ));
    }
    let output = minikube.run_cmd(&cmd).await?;
    if output.exit.success() {
        return Ok(());
    }
    Err(Box::new(lost().because(format!("kubeadm: {}", last_line(&output.stderr)))))
}

/// The last line of the output, without the line that ssh adds about the exit status.
fn last_line(stderr: &str) -> &str {
    let lines = stderr.lines().rev().map(str::trim);
    lines.filter(|l| !l.is_empty()).find(|l| !crate::words::SSH.matches(l)).unwrap_or("")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failed_checks_of_an_api_server_are_listed() {
        let said = |words: &str| unready(&ApiError::from_stderr(words));
        let head = r#"Error from server (InternalError): an error on the server ("[+]ping ok\n"#;
        let tail = r#"readyz check failed") has prevented the request from succeeding"#;
        let failed =
            r"[-]poststarthook/rbac/bootstrap-roles failed: reason withheld\n[-]etcd failed: reason\n";
        assert_eq!(
            said(&format!("{head}{failed}{tail}")).as_deref(),
            Some("not ready yet: poststarthook/rbac/bootstrap-roles, etcd")
        );
        // The failed checks come after the part of kubectl's message that is kept.
        let many = format!("{head}{}{failed}{tail}", r"[+]poststarthook/one ok\n".repeat(30));
        assert_eq!(said(&many).as_deref(), Some("not ready yet"));
        assert_eq!(said("The connection to the server 127.0.0.1:1 was refused"), None);
    }
}
