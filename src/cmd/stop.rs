//! `kstrim stop` and `kstrim pause`: nothing in the profile runs any more, and everything in it is kept.

use std::process::ExitCode;
use std::rc::Rc;

use super::invocation::{Ended, Invocation};
use super::{down_profile, existing_profile, living};
use crate::catalogue::{self, Partial};
use crate::cli::{Global, Halt};
use crate::cluster::journal::{Suspension, SuspensionState};
use crate::cluster::session::Session;
use crate::cluster::suspension;
use crate::config::Target;
use crate::engine::task::infos;
use crate::failure::{Failure, Result};
use crate::lifecycle;
use crate::tool::minikube_output::State;

/// Stop the profile.
///
/// # Errors
/// What is wrong with the command line; other failures are reported as events.
pub(crate) async fn stop(global: &Global, args: &Halt) -> Result<ExitCode> {
    run(global, args, "stop").await
}

/// Pause the profile.
///
/// # Errors
/// The same.
pub(crate) async fn pause(global: &Global, args: &Halt) -> Result<ExitCode> {
    run(global, args, "pause").await
}

async fn run(global: &Global, args: &Halt, verb: &'static str) -> Result<ExitCode> {
    existing_profile::of_minikube(&Target::from(global), verb)?;
    let choice = catalogue::resolve(&Partial::default())?;
    let invocation = Invocation::begin(global, verb, args.output);
    let ended = match super::up::session(&invocation, choice) {
        Ok(cx) => {
            let ended = halt(&invocation, &Rc::new(cx), args).await;
            invocation.release_held().await;
            ended
        }
        Err(failure) => Err(failure),
    };
    Ok(invocation.finish(ended))
}

async fn halt(invocation: &Invocation, cx: &Rc<Session>, args: &Halt) -> Result<Ended> {
    let _lock = invocation.lock()?;
    let looked = async {
        let found = existing_profile::find(cx, args.adopt).await?;
        if invocation.verb() == "pause" && !matches!(found.state, State::Running | State::Paused) {
            return Err(existing_profile::not_running(cx, "only what runs can be paused"));
        }
        let others = match found.answers {
            true => down_profile::look(cx, true).await?.others(),
            false => Vec::new(),
        };
        let doing = if invocation.verb() == "stop" { "stops" } else { "pauses" };
        existing_profile::agreed(cx, doing, args.yes, &others).await?;
        if found.answers {
            // Nothing else may change the namespace now. The Lease is released here, because that is impossible once
            // the cluster is stopped.
            living::acquire_lease(invocation, cx).await?;
            invocation.release_held().await;
        }
        Ok::<_, Box<Failure>>(found)
    };
    let found = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let begun = Rc::default();
    let jobs = match invocation.verb() {
        "stop" => lifecycle::stop::stop(cx, found.state, &found.profile.runtime, &begun),
        _ => lifecycle::stop::pause(cx, &begun),
    };
    invocation.started(None, infos(&jobs));
    let report = invocation.run(jobs, cx.journal.clone(), Some(args.timeout)).await;
    if begun.needs_undo(report.failure.is_some()) {
        cx.emit.warn("it is not finished; what was stopped is started again");
        begun.undo(cx, Rc::new(invocation.runner.detached())).await;
    }
    if report.failure.is_none() {
        finished(cx)?;
    }
    Ok(Ended { report, next: None })
}

/// Record that the machine is stopped or paused, if an earlier run was killed before it could.
fn finished(cx: &Session) -> Result<()> {
    let suspended = cx.journal.borrow().state.suspended;
    let state = match suspended.map(|suspended| suspended.state) {
        Some(SuspensionState::Stopping) => SuspensionState::Stopped,
        Some(SuspensionState::Pausing) => SuspensionState::Paused,
        _ => return Ok(()),
    };
    suspension::record(cx, suspended.map(|suspended| Suspension { state, ..suspended }))
}
