//! `kstrim start` and `kstrim unpause`: a stopped or paused profile is started with its settings, and Kafka
//! is verified.

use std::process::ExitCode;
use std::rc::Rc;

use super::existing_profile;
use super::invocation::{Ended, Invocation};
use crate::cli::{Global, Restart};
use crate::cluster::journal::JournalFile;
use crate::cluster::suspension;
use crate::config::{Settings, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::lifecycle;
use crate::quickstart::context::Context;
use crate::tool::minikube_output::{Listed, State};

/// Start the profile.
///
/// # Errors
/// What is wrong with the command line; other failures are reported as events.
pub(crate) async fn start(global: &Global, args: &Restart) -> Result<ExitCode> {
    run(global, args, "start").await
}

/// Resume a paused profile.
///
/// # Errors
/// The same.
pub(crate) async fn unpause(global: &Global, args: &Restart) -> Result<ExitCode> {
    run(global, args, "unpause").await
}

async fn run(global: &Global, args: &Restart, verb: &'static str) -> Result<ExitCode> {
    let target = Target::from(global);
    existing_profile::of_minikube(&target, verb)?;
    let mut settings = Settings::for_existing(&target, &args.run.topic);
    settings.minikube_args.clone_from(&args.minikube_arg);
    settings.adopt = args.run.adopt;
    let invocation = Invocation::begin(global, verb, args.run.output);
    let ended = restarted(&invocation, settings, args).await;
    Ok(invocation.finish_with_evidence(ended, !args.run.no_diagnose).await)
}

async fn restarted(invocation: &Invocation, settings: Settings, args: &Restart) -> Result<Ended> {
    let plan = lifecycle::start::plan();
    invocation.started(None, plan.infos());
    let _lock = invocation.lock()?;
    let journal = JournalFile::open(&invocation.paths.journal(), settings.target.profile.as_str())?;
    let choice = existing_profile::choice(journal.state.release.and_then(|release| release.parse().ok()))?;
    let cx = Rc::new(super::up::context(invocation, settings, choice)?);
    let looked = async {
        let found = existing_profile::find(&cx, args.run.adopt).await?;
        match (invocation.verb(), &found.state) {
            ("unpause", State::Stopped) => return Err(stopped(&cx)),
            ("start", State::Running) if found.answers => {
                cx.emit.warn(format!("the profile {} is already running", cx.profile()));
            }
            _ => {}
        }
        let _ = cx.machine.listed.set(Listed::Valid(found.profile));
        Ok::<_, Box<Failure>>(())
    };
    tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    }
    let ended = existing_profile::run(invocation, &cx, plan.jobs(&cx), args.run.timeout).await?;
    if ended.report.failure.is_none() {
        suspension::record(&cx, None)?;
    }
    Ok(ended)
}

fn stopped(cx: &Context) -> Box<Failure> {
    let message = format!("the profile {} is stopped, not paused", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_STOPPED, Kind::Prerequisite, message)
            .hint(format!("start it: {}", cx.target.kstrim("start"))),
    )
}
