//! What `kstrim stop`, `pause`, `start`, `unpause` and `snapshot` share: they work on a minikube profile that exists and that
//! kstrim created.

use std::rc::Rc;
use std::time::Duration;

use super::consent;
use super::invocation::{Ended, Invocation};
use crate::catalogue::{self, Choice, Partial};
use crate::cluster::connection;
use crate::cluster::profile_owner::{self, Owner};
use crate::cluster::session::Session;
use crate::cluster::{access, api_server, lost_machine, ownership, refusals, suspension};
use crate::config::Target;
use crate::engine::task::Job;
use crate::errors;
use crate::explain;
use crate::failure::{Failure, Kind, Result};
use crate::names::Version;
use crate::quickstart;
use crate::quickstart::context::Context;
use crate::tool::minikube_output::{Listed, Profile, State};

/// A profile that may be used.
pub(super) struct Found {
    /// What minikube has stored about it.
    pub profile: Profile,
    /// The state of its machine.
    pub state: State,
    /// Whether its API server responds, so that its contents can be listed.
    pub answers: bool,
}

/// The release of the last `up`, which the explanations of failures depend on, or the default one. Kafka itself is not
/// changed.
pub(super) fn choice(release: Option<Version>) -> Result<Choice> {
    catalogue::resolve(&Partial { release, ..Partial::default() })
        .or_else(|_| catalogue::resolve(&Partial::default()))
}

/// Run jobs that end with a verified Kafka, and release what they have acquired.
///
/// # Errors
/// The journal cannot be written; a task's failure is in the report.
pub(super) async fn run(
    invocation: &Invocation,
    cx: &Rc<Context>,
    jobs: Vec<Job>,
    timeout: Option<Duration>,
) -> Result<Ended> {
    {
        let mut journal = cx.journal.borrow_mut();
        journal.state.run_id.clone_from(&invocation.run_id);
        journal.save()?;
    }
    let report = invocation.run(jobs, cx.journal.clone(), timeout).await;
    let noted = profile_owner::after(cx, cx.machine.started.get());
    let next = report.failure.is_none().then(|| quickstart::next::next(cx, &cx.settings.topic));
    cx.stop_observing();
    let detached = Rc::new(invocation.runner.detached());
    // A run that ended before the smoke test, or in it.
    if let Err(failure) = access::delete_test_user(cx, &cx.kubectl.with_runner(detached)).await {
        cx.emit.warn(failure.to_string());
    }
    invocation.release(cx).await;
    if report.failure.is_none() {
        noted?;
    }
    Ok(Ended { report, next })
}

/// Refuse `--context`: kstrim does not stop or start the machines of such a cluster.
pub(super) fn of_minikube(target: &Target, verb: &str) -> Result<()> {
    let Some(context) = &target.context else { return Ok(()) };
    let message = format!("`kstrim {verb}` is for minikube profiles; it cannot be used with --context");
    Err(Box::new(
        Failure::new(errors::SETTING_INVALID, Kind::Usage, message)
            .because(format!("the cluster is the one of the context {context}")),
    ))
}

/// Find the profile, and prove that kstrim created it, unless the user agreed to use it anyway (`adopt`).
///
/// # Errors
/// Those of [`find_to_restore`], and [`errors::SNAPSHOT_UNFINISHED`].
pub(super) async fn find(cx: &Session, adopt: bool) -> Result<Found> {
    let found = find_to_restore(cx, adopt).await?;
    suspension::refuse_unfinished_restore(cx)?;
    Ok(found)
}

/// The same for a run that replaces what is in it, even if it contains parts of two clusters.
///
/// # Errors
/// [`errors::NO_CLUSTER`], [`errors::PROFILE_FOREIGN`], [`errors::PROFILE_UNPROVEN`], [`errors::PROFILE_GONE`],
/// [`errors::PROFILE_HALF_MADE`], [`errors::ENGINE_CHANGED`], and minikube's.
pub(super) async fn find_to_restore(cx: &Session, adopt: bool) -> Result<Found> {
    cx.journal.borrow().refuse_newer()?;
    let listed = cx.minikube.listed().await?;
    let Listed::Valid(profile) = &listed else { return Err(absent(cx)) };
    let addressed = profile.addressed;
    lost_machine::refuse_other_engine(cx, &cx.target.again()).await?;
    let state = api_server::state(&cx.minikube).await?;
    let answers = state == State::Running && connection::connect(cx, false).await?.is_ok();
    if answers {
        ownership::determine(cx, false).await?;
    } else {
        cx.ownership.profile_is_ours.set(profile_owner::of(cx, &listed).is_ours());
    }
    if !cx.ownership.profile_is_ours.get() && !adopt {
        return Err(not_ours(cx, &listed, answers));
    }
    match &state {
        State::EngineDown(words) => Err(Box::new(explain::minikube::engine_down(words, cx.profile()))),
        State::Absent => Err(absent(cx)),
        State::Gone => {
            let message = format!("the machine of profile {} does not exist", cx.profile());
            Err(Box::new(Failure::new(errors::PROFILE_GONE, Kind::Task, message).hint(format!(
                "delete the profile with its data and re-create it: {}",
                cx.target.kstrim("up --recreate")
            ))))
        }
        State::Running | State::Paused | State::Stopped | State::Partial => {
            if !addressed || cx.journal.borrow().state.never_whole {
                return Err(half_made(cx));
            }
            Ok(Found { profile: profile.clone(), state, answers })
        }
    }
}

/// The failure if the machine does not run; `why` it must.
pub(super) fn not_running(cx: &Session, why: &str) -> Box<Failure> {
    let message = format!("the profile {} is not running", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_STOPPED, Kind::Prerequisite, message)
            .because(why)
            .hint(format!("start it: {}", cx.target.kstrim("start"))),
    )
}

/// Ask for confirmation if objects that kstrim did not create are affected; in a script, `--yes` confirms. `doing` is
/// what happens to them: `stops`.
pub(super) async fn agreed(cx: &Session, doing: &str, yes: bool, others: &[String]) -> Result<()> {
    if others.is_empty() {
        return Ok(());
    }
    let what =
        format!("This also {doing} what kstrim did not create in the minikube profile {}", cx.profile());
    if yes {
        cx.emit.warn(format!("{what}: {}", others.join("; ")));
        return Ok(());
    }
    let lines: Vec<String> = others.iter().map(|line| format!("\n  {line}")).collect();
    let question = format!("{what}; nothing is deleted:{}", lines.concat());
    let hint = format!("to agree: {}", cx.target.again().flag("--yes"));
    consent::ask(&question, "nothing was changed", &hint).await
}

fn absent(cx: &Session) -> Box<Failure> {
    let message = format!("there is no minikube profile {}", cx.profile());
    Box::new(
        Failure::new(errors::NO_CLUSTER, Kind::Prerequisite, message)
            .hint(format!("create it: {}", refusals::up(cx)))
            .hint("or specify another one: --profile NAME"),
    )
}

fn half_made(cx: &Session) -> Box<Failure> {
    let message =
        format!("the profile {} is only partly created: its first start was interrupted", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_HALF_MADE, Kind::Task, message)
            .hint(format!("finish it: {}", refusals::up(cx)))
            .hint(format!("or delete it: {}", cx.target.kstrim("down"))),
    )
}

fn not_ours(cx: &Session, listed: &Listed, answers: bool) -> Box<Failure> {
    let adopt = cx.target.again().flag("--adopt");
    if !answers && matches!(profile_owner::of(cx, listed), Owner::Unproven(_)) {
        return Box::new(refusals::unproven(&cx.target, &adopt));
    }
    let message = format!("kstrim did not create the minikube profile {}", cx.profile());
    Box::new(
        Failure::new(errors::PROFILE_FOREIGN, Kind::Foreign, message)
            .because("what others created keeps running, unless you say so")
            .hint(format!("use it anyway: {adopt}")),
    )
}
