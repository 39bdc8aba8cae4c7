//! Whether a profile's API server responds, and if it does not, what minikube reports.

use std::time::Duration;

use super::session::Session;
use crate::cluster::api_server;
use crate::exec::{Cmd, Lines};
use crate::explain;
use crate::failure::Result;
use crate::kube::ApiErrorKind;
use crate::tool::minikube_output::{StartError, StartEvent, State, start_event};

/// A running API server responds within this time; after it, kstrim asks minikube what is wrong.
const PROMPT: Duration = Duration::from_secs(2);

/// Send a request to the API server; if our kubeconfig does not contain the profile, ask minikube. `starting`: a
/// `minikube start` of this run is running. `Ok(Err(why))`: it does not respond; `why` is what minikube reports about
/// the profile.
pub(crate) async fn connect(cx: &Session, starting: bool) -> Result<Result<(), String>> {
    let profile = cx.profile();
    let ready = cx.kubectl.ready();
    tokio::pin!(ready);
    let answer = match tokio::time::timeout(PROMPT, &mut ready).await {
        Ok(answer) => answer,
        // minikube may already know that waiting cannot succeed.
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
            // The profile is running, but is not in our kubeconfig.
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

/// What minikube reports about a profile that is not running.
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

/// Read minikube's output to its end. Only the exit code decides about success; error events explain a failure.
pub(crate) async fn read_events(
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
