//! A profile that is stopped or paused: what the tasks of `stop`, `pause`, `start` and `up` share.

use super::session::Session;
use crate::cluster::journal::{Suspension, SuspensionState};
use crate::errors;
use crate::exec::{Cmd, Output};
use crate::explain;
use crate::failure::{Failure, Kind, Result};
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{StartError, StartEvent, start_event};

/// The directory of the kernel's control groups in a node.
const CGROUPS: &str = "/sys/fs/cgroup";
/// The file that exists with cgroup v2, whose groups can all be frozen.
const V2: &str = "cgroup.controllers";
/// The controller of cgroup v1.
const V1: &str = "freezer";

/// Record that the profile is being stopped or paused, or is stopped or paused; `None`: it is running.
pub(crate) fn record(cx: &Session, suspended: Option<Suspension>) -> Result<()> {
    let mut journal = cx.journal.borrow_mut();
    if journal.state.suspended == suspended {
        return Ok(());
    }
    journal.state.suspended = suspended;
    journal.save()
}

/// Run a command of minikube to its end.
///
/// # Errors
/// The cause according to minikube.
pub(crate) async fn run(minikube: &Minikube, profile: &str, cmd: &Cmd) -> Result<()> {
    judge(&minikube.run_cmd(cmd).await?, profile)
}

/// Judge a command of minikube by its exit code; its error events then explain it.
pub(crate) fn judge(output: &Output, profile: &str) -> Result<()> {
    if output.exit.success() {
        return Ok(());
    }
    let errors: Vec<StartError> = output
        .text()
        .lines()
        .filter_map(start_event)
        .filter_map(|event| match event {
            StartEvent::Error(error) => Some(error),
            _ => None,
        })
        .collect();
    let named: Vec<_> =
        errors.iter().map(|e| explain::minikube::Error { name: &e.name, message: &e.message }).collect();
    Err(Box::new(explain::minikube::explain(&named, output.exit, &output.stderr, profile)))
}

/// Resume all containers of a paused profile.
pub(crate) async fn unpause(minikube: &Minikube, profile: &str) -> Result<()> {
    run(minikube, profile, &minikube.unpause_cmd()).await
}

/// Whether a node can freeze containers, according to its control groups; `None` if they cannot be read.
pub(crate) async fn can_freeze(minikube: &Minikube) -> Result<Option<bool>> {
    let files = minikube.node_files(CGROUPS).await?;
    Ok(files.map(|files| files.iter().any(|file| file == V1 || file == V2)))
}

/// A sentence about an interrupted `stop`, `pause` or `snapshot save`; `None` if none was interrupted.
pub(crate) fn unfinished(cx: &Session) -> Option<String> {
    let suspended = cx.journal.borrow().state.suspended.filter(|s| s.state.is_unfinished())?;
    let verb = match suspended.state {
        SuspensionState::Pausing | SuspensionState::Paused => "pause",
        SuspensionState::Saving => "snapshot save",
        SuspensionState::Stopping | SuspensionState::Stopped => "stop",
    };
    Some(format!("an earlier {} was interrupted", cx.target.kstrim(verb)))
}

/// Refuse a profile that contains parts of two clusters, because a `snapshot restore` was interrupted.
///
/// # Errors
/// [`errors::SNAPSHOT_UNFINISHED`].
pub(crate) fn refuse_unfinished_restore(cx: &Session) -> Result<()> {
    let Some(file) = cx.journal.borrow().state.restoring.clone() else { return Ok(()) };
    let message = format!("a restore of the profile {} was interrupted", cx.profile());
    Err(Box::new(
        Failure::new(errors::SNAPSHOT_UNFINISHED, Kind::Task, message)
            .because("it contains parts of the snapshot and of the cluster before")
            .hint(format!(
                "restore it again: {}",
                cx.target.kstrim("snapshot restore --yes --file").arg(file.display())
            ))
            .hint(format!("or delete the profile: {}", cx.target.kstrim("down"))),
    ))
}

/// Warn of what could not be undone after a failure.
pub(crate) fn not_undone(cx: &Session, failure: &Failure) {
    cx.emit.warn(format!("{failure}; {} brings everything back", cx.target.kstrim("start")));
}
