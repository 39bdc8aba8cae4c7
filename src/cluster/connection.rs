//! Whether a profile's API server answers, and what minikube says where it does not.

use std::time::Duration;

use super::session::Session;
use crate::cluster::api_server;
use crate::exec::{Cmd, Lines};
use crate::explain;
use crate::failure::Result;
use crate::kube::ApiErrorKind;
use crate::tool::minikube_output::{StartError, StartEvent, State, start_event};

/// An API server that answers has done so by then; after it minikube is asked what is wrong.
const PROMPT: Duration = Duration::from_secs(2);

/// Ask the API server; where our kubeconfig does not know the profile, look at minikube.
/// `starting`: a `minikube start` of this run is running.
/// `Ok(Err(why))`: it does not answer, and what minikube says of the profile.
pub(crate) async fn connect(cx: &Session, starting: bool) -> Result<Result<(), String>> {
    let profile = cx.profile();
    let ready = cx.kubectl.ready();
    tokio::pin!(ready);
    let answer = match tokio::time::timeout(PROMPT, &mut ready).await {
        Ok(answer) => answer,
        // minikube may know by now that waiting cannot succeed.
        Err(_) if !starting && cx.target.context.is_none() => tokio::select! {
            answer = &mut ready => answer,
            state = api_server::state(&cx.minikube) => match state? {
                State::Running => ready.await,
                state => return not_running(state, profile).map(Err),
            },
        },
        Err(_) => ready.await,
    };
    let error = match answer {
        Ok(()) => return Ok(Ok(())),
        Err(error) => error,
    };
    if starting {
        return Ok(Err("waiting for the API server".into()));
    }
    let Err(error) = api_server::until_ready(&cx.kubectl, error).await else { return Ok(Ok(())) };
    if let Some(context) = &cx.target.context {
        return Ok(Err(format!("the cluster of context {context} does not respond: {error}")));
    }
    Ok(match api_server::state(&cx.minikube).await? {
        State::Running if error.kind == ApiErrorKind::NoContext => {
            // The profile runs, and our kubeconfig has not heard of it.
            cx.minikube.run_cmd(&cx.minikube.update_context_cmd()).await?;
            cx.kubectl.ready().await.map_err(|e| e.to_string())
        }
        State::Running => Err(match api_server::unready(&error) {
            Some(why) => format!("the profile {profile} is running, but its API server is {why}"),
            None => format!("the profile {profile} is running, but its API server does not respond: {error}"),
        }),
        state => Err(not_running(state, profile)?),
    })
}

/// What minikube says of a profile that does not run.
fn not_running(state: State, profile: &str) -> Result<String> {
    Ok(match state {
        State::Running => format!("the profile {profile} is running"),
        State::Absent => format!("the profile {profile} does not exist"),
        State::Paused => format!("the profile {profile} is paused"),
        State::Stopped => format!("the profile {profile} is stopped"),
        State::Partial => format!("the profile {profile} is only partly started"),
        State::Gone => format!("the machine of profile {profile} does not exist"),
        State::EngineDown(words) => return Err(Box::new(explain::minikube::engine_down(&words, profile))),
    })
}

/// Read the stream to its end and judge it by the exit code alone; the error events then explain it.
pub(crate) async fn follow(
    mut lines: Box<dyn Lines>,
    cmd: &Cmd,
    profile: &str,
    mut seen: impl FnMut(StartEvent),
) -> Result<()> {
    let mut errors: Vec<StartError> = Vec::new();
    let broke = |e| Box::new(crate::tool::exec_failure(cmd, &e));
    while let Some(line) = lines.next().await.map_err(broke)? {
        if let Some(event) = start_event(&line) {
            match &event {
                StartEvent::Error(error) => errors.push(error.clone()),
                StartEvent::Warning(remark) if explain::minikube::no_proxy_remark(remark) => {
                    errors.push(StartError { message: remark.clone(), ..StartError::default() });
                }
                _ => {}
            }
            seen(event);
        }
    }
    let output = lines.finish().await.map_err(broke)?;
    if output.exit.success() {
        return Ok(());
    }
    let named: Vec<_> =
        errors.iter().map(|e| explain::minikube::Error { name: &e.name, message: &e.message }).collect();
    Err(Box::new(explain::minikube::explain(&named, output.exit, &output.stderr, profile)))
}
