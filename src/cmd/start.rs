//! `kstrim start` and `kstrim unpause`: a stopped or paused profile is started with its settings, and Kafka
//! is verified.

use std::process::ExitCode;
use std::rc::Rc;

use super::existing_profile;
use super::invocation::{Ended, Invocation};
use crate::catalogue::{self, Partial};
use crate::cli::{Global, Restart};
use crate::cluster::journal::JournalFile;
use crate::cluster::{access, profile_owner, suspension};
use crate::config::{Settings, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::lifecycle;
use crate::quickstart;
use crate::quickstart::context::Context;
use crate::tool::minikube_output::State;

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
    let mut settings = Settings::for_existing(&target, &args.topic);
    settings.minikube_args.clone_from(&args.minikube_arg);
    settings.adopt = args.adopt;
    let invocation = Invocation::begin(global, verb, args.output);
    let ended = restarted(&invocation, settings, args).await;
    Ok(invocation.finish_with_evidence(ended, !args.no_diagnose).await)
}

async fn restarted(invocation: &Invocation, settings: Settings, args: &Restart) -> Result<Ended> {
    let plan = lifecycle::start::plan();
    invocation.started(None, plan.infos());
    let _lock = invocation.lock()?;
    let journal = JournalFile::open(&invocation.paths.journal(), settings.target.profile.as_str())?;
    // The release of the last `up`, which the explanations of failures depend on. Kafka itself is not changed.
    let release = journal.state.release.and_then(|release| release.parse().ok());
    let choice = catalogue::resolve(&Partial { release, ..Partial::default() })
        .or_else(|_| catalogue::resolve(&Partial::default()))?;
    let cx = Rc::new(super::up::context(invocation, settings, choice)?);
    let looked = async {
        let found = existing_profile::find(&cx, args.adopt).await?;
        match (invocation.verb(), &found.state) {
            ("unpause", State::Stopped) => return Err(stopped(&cx)),
            ("start", State::Running) if found.answers => {
                cx.emit.warn(format!("the profile {} is already running", cx.profile()));
            }
            _ => {}
        }
        let _ = cx.machine.listed.set(found.listed);
        Ok::<_, Box<Failure>>(())
    };
    tokio::select! {
        looked = looked => looked?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    }
    {
        let mut journal = cx.journal.borrow_mut();
        journal.state.run_id.clone_from(&invocation.run_id);
        journal.save()?;
    }
    let report = invocation.run(plan.jobs(&cx), cx.journal.clone(), args.timeout).await;
    let noted = profile_owner::after(&cx, cx.machine.started.get());
    let next = report.failure.is_none().then(|| quickstart::next::next(&cx, &cx.settings.topic));
    cx.stop_observing();
    let detached = Rc::new(invocation.runner.detached());
    // A run that ended before the smoke test, or in it.
    if let Err(failure) = access::delete_test_user(&cx, &cx.kubectl.with_runner(detached)).await {
        cx.emit.warn(failure.to_string());
    }
    invocation.release(&cx).await;
    if report.failure.is_none() {
        noted?;
        suspension::record(&cx, None)?;
    }
    Ok(Ended { report, next })
}

fn stopped(cx: &Context) -> Box<Failure> {
    let message = format!("the profile {} is stopped, not paused", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_STOPPED, Kind::Prerequisite, message)
            .hint(format!("start it: {}", cx.target.kstrim("start"))),
    )
}
