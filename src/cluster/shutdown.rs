//! A clean shutdown of Kafka in the nodes of a profile, without a change of any Kubernetes object: the kubelets are
//! stopped, then the container runtime stops Strimzi's containers. A broker that is killed instead checks its logs at
//! the next start, which takes long if they are large.

use futures_util::future::{join_all, try_join_all};

use crate::errors;
use crate::exec::Output;
use crate::failure::{Failure, Kind, Result};
use crate::tool::minikube::Minikube;
use crate::tool::node::{Container, GRACE, Node, Stage, last_line};

/// Exit code of a killed process: the container runtime kills it when the grace period is over.
const KILLED: i64 = 137;

/// Shut down Strimzi's containers in all `nodes`, and report progress. Returns how many there were.
///
/// # Errors
/// [`errors::PROFILE_UNCLEAN`]: some could not be shut down cleanly. The remaining steps were tried anyway.
pub(crate) async fn shut_down(
    minikube: &Minikube,
    nodes: &[Node],
    progress: impl Fn(String),
) -> Result<usize> {
    if nodes.is_empty() {
        return Err(unclean("minikube does not see all of its nodes".to_owned()));
    }
    progress("stopping the kubelet".to_owned());
    for (node, output) in
        nodes.iter().zip(try_join_all(nodes.iter().map(|n| minikube.stop_kubelet(n))).await?)
    {
        succeeded(&output, || format!("the kubelet of the node {node} could not be stopped"))?;
    }
    let lists = try_join_all(nodes.iter().map(|node| minikube.strimzi_containers(node))).await?;
    let all: Vec<(&Node, Container)> = nodes
        .iter()
        .zip(lists)
        .flat_map(|(node, containers)| containers.into_iter().map(move |container| (node, container)))
        .collect();
    let mut failed = Vec::new();
    for (stage, what) in [
        (Stage::Client, "the clients"),
        (Stage::Broker, "the brokers"),
        (Stage::Controller, "the controllers"),
    ] {
        let these = all.iter().filter(|(_, container)| container.stage == stage);
        let these: Vec<_> = these.map(|(node, container)| end(minikube, node, container)).collect();
        if !these.is_empty() {
            progress(format!("shutting down {what}"));
        }
        // All at once: the last of several controllers could no longer elect a leader.
        failed.extend(join_all(these).await.into_iter().filter_map(Result::err));
    }
    match failed.into_iter().next() {
        None => Ok(all.len()),
        Some(failure) => Err(failure),
    }
}

/// How many containers were shut down, as a sentence.
pub(crate) fn describe(count: usize) -> String {
    match count {
        0 => "Strimzi runs nothing in it".to_owned(),
        1 => "1 container was shut down cleanly".to_owned(),
        n => format!("{n} containers were shut down cleanly"),
    }
}

/// Stop one container.
async fn end(minikube: &Minikube, node: &Node, container: &Container) -> Result<()> {
    let output = minikube.stop_container(node, container).await?;
    succeeded(&output, || format!("the pod {} could not be shut down", container.pod))?;
    match minikube.exit_code(node, container).await? {
        Some(KILLED) => Err(unclean(format!(
            "the pod {} did not end within {} s and was killed",
            container.pod,
            GRACE.as_secs()
        ))),
        _ => Ok(()),
    }
}

fn succeeded(output: &Output, what: impl FnOnce() -> String) -> Result<()> {
    if output.exit.success() {
        return Ok(());
    }
    Err(unclean(format!("{}: {}", what(), last_line(output))))
}

/// The failure of a shutdown that is not clean.
pub(crate) fn unclean(cause: String) -> Box<Failure> {
    Box::new(
        Failure::new(errors::PROFILE_UNCLEAN, Kind::Task, "Kafka was not shut down cleanly").because(cause),
    )
}

/// Start the kubelets again after a shutdown that was not finished: they restart the containers.
///
/// # Errors
/// The error of the first node whose kubelet could not be started; the others were tried, too.
pub(crate) async fn resume(minikube: &Minikube, nodes: &[Node]) -> Result<()> {
    let started = join_all(nodes.iter().map(|node| minikube.start_kubelet(node))).await;
    for (node, output) in nodes.iter().zip(started) {
        succeeded(&output?, || format!("the kubelet of the node {node} could not be started again"))?;
    }
    Ok(())
}
