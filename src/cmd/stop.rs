//! `kstrim stop` and `kstrim pause`: nothing in the profile runs any more, and everything in it is kept.

use std::process::ExitCode;
use std::rc::Rc;

use super::invocation::{Ended, Invocation};
use super::{consent, down_profile, living, rest};
use crate::catalogue::{self, Partial};
use crate::cli::{Global, Halt};
use crate::cluster::journal::{How, Rest};
use crate::cluster::session::Session;
use crate::config::Target;
use crate::engine::task::infos;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::teardown;
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
    rest::of_minikube(&Target::from(global), verb)?;
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
        let found = rest::find(cx, args.adopt).await?;
        if invocation.verb() == "pause" && !matches!(found.state, State::Running | State::Paused) {
            return Err(not_running(cx));
        }
        let others = match found.answers {
            true => down_profile::look(cx, true).await?.others(),
            false => Vec::new(),
        };
        agreed(cx, args, invocation.verb(), &others).await?;
        if found.answers {
            // Nothing else may change the namespace now. The Lease is released here: a stopped cluster cannot.
            living::exclude(invocation, cx).await?;
            invocation.release_held().await;
        }
        Ok::<_, Box<Failure>>(found.state)
    };
    let state = tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let begun = Rc::default();
    let jobs = match invocation.verb() {
        "stop" => teardown::rest::stop(cx, state, &begun),
        _ => teardown::rest::pause(cx, &begun),
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
    let rest = cx.journal.borrow().state.rest;
    let how = match rest.map(|rest| rest.how) {
        Some(How::Stopping) => How::Stopped,
        Some(How::Pausing) => How::Paused,
        _ => return Ok(()),
    };
    crate::cluster::rest::note(cx, rest.map(|rest| Rest { how, ..rest }))
}

fn not_running(cx: &Session) -> Box<Failure> {
    let message = format!("the profile {} is not running", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_STOPPED, Kind::Prerequisite, message)
            .because("only what runs can be paused")
            .hint(format!("start it: {}", cx.target.kstrim("start"))),
    )
}

/// Ask for confirmation if objects that kstrim did not create are affected; in a script, `--yes` confirms.
async fn agreed(cx: &Session, args: &Halt, verb: &'static str, others: &[String]) -> Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let (doing, done) = if verb == "stop" { ("stops", "stopped") } else { ("pauses", "paused") };
    let what =
        format!("This also {doing} what kstrim did not create in the minikube profile {}", cx.profile());
    if args.yes {
        cx.emit.warn(format!("{what}: {}", others.join("; ")));
        return Ok(());
    }
    let lines: Vec<String> = others.iter().map(|line| format!("\n  {line}")).collect();
    let question = format!("{what}; nothing is deleted:{}", lines.concat());
    let hint = format!("to agree: {}", cx.target.again().flag("--yes"));
    consent::ask(&question, &format!("nothing was {done}"), &hint).await
}
