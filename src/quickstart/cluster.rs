//! The minikube profile. The task is done when the API server responds; `minikube start` continues while the next
//! tasks run, and `ready` waits for its end.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::context::Context;
use super::{image_cache, nodes};
use crate::cluster::connection::{connect, read_events};
use crate::cluster::journal::{JournalFile, ProfileState};
use crate::cluster::{api_server, first_start, lost_machine, ownership, profile_owner, refusals, suspension};
use crate::config::{DEFAULT_CPUS, DEFAULT_MEMORY_MB};
use crate::engine::task::{Doneness, Task, Timeout};
use crate::errors;
use crate::event::{self, Unit};
use crate::exec::Cmd;
use crate::explain;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::paths::cache_dir;
use crate::quickstart::context::Reached;
use crate::quickstart::context::Start;
use crate::tool::arguments::{flag_value, has_flag, has_short_flag};
use crate::tool::minikube::StartOptions;
use crate::tool::minikube_output::{Listed, StartEvent, State};

/// The step of minikube from which on the node and its container runtime are running: "Preparing Kubernetes"
/// (recording 21; the steps are in minikube's `pkg/minikube/out/register`).
const STEP_NODE_UP: u64 = 11;

/// The container runtime of a new profile. minikube's default changed from docker to containerd with 1.39.0 (its
/// issue 21973), so the same command created a different cluster; every known minikube supports this one.
pub(super) const RUNTIME: &str = "containerd";

/// How long the API server may take to respond after a successful `minikube start`.
const AFTER_START: Duration = Duration::from_secs(30);

/// After this time, kubectl's error is reported if it says more than that the API server does not respond.
const SETTLED: Duration = Duration::from_secs(8);

/// The state of a healthy, stopped or missing profile is known within this time.
const SOON: Duration = Duration::from_secs(1);

/// How long minikube may wait for the API server of a running node that was once set up completely: its own limit is
/// six minutes, even if nothing can start the API server any more.
const AGAIN: &str = "2m0s";

/// The task.
#[derive(Default)]
pub(crate) struct Cluster {
    /// Whether the node has no manifest for its API server.
    lost: Cell<bool>,
}

#[async_trait(?Send)]
impl Task<Context> for Cluster {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        // The result of preflight is valid until this run starts minikube.
        let untouched = matches!(*cx.machine.start.borrow(), Start::Idle);
        if untouched && matches!(cx.machine.listed.get(), Some(Listed::Absent | Listed::Broken)) {
            return Ok(Doneness::Pending(format!("the profile {} does not exist", cx.profile())));
        }
        let cut_off =
            |j: &ProfileState| j.start_unfinished || j.never_whole && cx.ownership.profile_is_ours.get();
        if cut_off(&cx.journal.borrow().state) && !cx.starting() {
            return Ok(Doneness::Pending("an earlier `minikube start` was interrupted".into()));
        }
        if let Some(why) = suspension::unfinished(cx).filter(|_| untouched) {
            return Ok(Doneness::Pending(why));
        }
        // Preflight has just sent a request to it.
        let known =
            *cx.machine.reached.borrow() == Reached::Api && cx.journal.borrow().state.cluster_uid.is_some();
        match if known { Ok(()) } else { self.connect(cx, untouched).await? } {
            Ok(()) => {
                if !known {
                    cx.machine_is(Reached::Api);
                    ownership::determine(cx, cx.starting()).await?;
                }
                if let Some(why) = nodes::stopped(cx).await? {
                    return Ok(Doneness::Pending(format!(
                        "the profile {} has nodes that are not running: {why}",
                        cx.profile()
                    )));
                }
                cx.observe(&[
                    ObservedKind::Node,
                    ObservedKind::Namespace,
                    ObservedKind::Deployment,
                    ObservedKind::Pod,
                    ObservedKind::Claim,
                    ObservedKind::Event,
                ]);
                Ok(Doneness::Done(format!("profile {} is running", cx.profile())))
            }
            Err(why) => Ok(Doneness::Pending(why)),
        }
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        super::unbundle::minikube_cache(cx).await?;
        let mut exists = matches!(cx.machine.listed.get(), Some(Listed::Valid(_)));
        let half_made = matches!(cx.machine.listed.get(), Some(Listed::Valid(profile)) if !profile.addressed);
        if half_made && cx.ownership.profile_is_ours.get() {
            // A node without an address has never run anything, so nothing is lost with it.
            lost_machine::refuse_other_engine(cx, &refusals::up(cx)).await?;
            discard(cx).await?;
            exists = false;
        }
        let state = match exists {
            true if self.lost.get() => Some(State::Partial),
            true => Some(cx.minikube.status().await?),
            false => None,
        };
        match state {
            Some(State::Gone) => {
                lost_machine::resolve(cx, cx.machine.recreate.get()).await?;
                exists = false;
            }
            Some(State::Stopped | State::Partial) => {
                lost_machine::refuse_other_engine(cx, &refusals::up(cx)).await?;
            }
            // `minikube start` would resume only the containers of Kubernetes itself.
            Some(State::Paused) => {
                suspension::unpause(&cx.minikube, cx.profile()).await?;
                suspension::record(cx, None)?;
                return wait_for_response(cx).await;
            }
            _ => {}
        }
        if exists && cx.ownership.profile_is_ours.get() && cx.journal.borrow().state.never_whole {
            // Copied images with which no start has succeeded are not tried again.
            let copied = {
                let state = &cx.journal.borrow().state;
                state.filling_volume.is_some() && state.cluster_uid.is_none()
            };
            if !copied && complete_first_start(cx).await? {
                return Ok(());
            }
            discard(cx).await?;
            exists = false;
        }
        let (mut options, own) = options(cx, exists).await?;
        if !exists {
            let given = flag_value(&options.extra, "uuid");
            options.token = profile_owner::intend(cx, given)?;
            image_cache::provide(cx, &mut options, &own).await?;
        }
        let was_whole = exists && !cx.journal.borrow().state.start_unfinished;
        if was_whole && matches!(state, Some(State::Partial)) {
            if self.lost.get() || api_server::is_manifest_missing(&cx.minikube).await? {
                recreate_server_manifest(cx).await?;
            }
            if !has_flag(&options.extra, "wait-timeout") {
                options.extra.push(format!("--wait-timeout={AGAIN}"));
            }
        }
        // What ends in a machine that starts again has not crashed.
        cx.journal.borrow_mut().state.node_started = exists.then(Timestamp::now);
        start_minikube(cx, cx.minikube.start_cmd(&options), true).await?;
        wait_until_available(cx).await
    }

    async fn changed(&self, _: &Context) {
        tokio::time::sleep(Duration::from_millis(300)).await;
    }

    async fn explain_timeout(&self, cx: &Context, timeout: Timeout<'_>) -> Option<Box<Failure>> {
        Some(Box::new(explain::minikube::stalled(timeout.last, cx.profile())))
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        let exists = matches!(cx.machine.listed.get(), Some(Listed::Valid(_)));
        let (options, own) = options(cx, exists).await?;
        let images = if exists { None } else { image_cache::described(cx, &options, &own) };
        Ok(images.into_iter().chain([cx.minikube.start_cmd(&options).to_string()]).collect())
    }
}

impl Cluster {
    /// As [`connect`]. minikube looks for the API server of a running node for up to 15 s, so if this run has not
    /// started anything yet, kstrim checks in parallel whether the node has a manifest for one.
    async fn connect(&self, cx: &Context, untouched: bool) -> Result<Result<(), String>> {
        let lost = async {
            tokio::time::sleep(SOON).await;
            let of_minikube = cx.target.context.is_none() && untouched;
            if !(of_minikube && matches!(api_server::is_manifest_missing(&cx.minikube).await, Ok(true))) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            answer = connect(cx, cx.starting()) => answer,
            () = lost => {
                self.lost.set(true);
                Ok(Err(format!("nothing starts the API server of the profile {}", cx.profile())))
            }
        }
    }
}

async fn recreate_server_manifest(cx: &Context) -> Result<()> {
    let ours = cx.ownership.profile_is_ours.get();
    if ours {
        let message = format!(
            "the node of {} has lost the file that starts its API server; kubeadm restores it",
            cx.profile()
        );
        cx.emit.warn(message);
    }
    api_server::recreate_manifest(&cx.minikube, cx.profile(), ours).await
}

/// Delete what an interrupted earlier start of ours left behind.
async fn discard(cx: &Context) -> Result<()> {
    let message = format!("an earlier start of {} was interrupted; it is created again", cx.profile());
    cx.emit.warn(message);
    let journal = cx.journal.borrow().state.clone();
    crate::cluster::image_cache::delete_profile(&cx.minikube, &journal).await.map(drop)
}

/// Start a profile of ours whose first start was interrupted. `false`: it cannot be completed ([`first_start`]), and
/// contains nothing but what that start created.
async fn complete_first_start(cx: &Context) -> Result<bool> {
    let (options, _) = options(cx, true).await?;
    start_minikube(cx, cx.minikube.start_cmd(&options), false).await?;
    while cx.starting() {
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    if let Err(failure) = cx.start_result() {
        let hopeless = failure.causes.iter().any(|c| crate::words::KUBEADM_INIT.matches(c));
        // If its API server has responded once, or while kstrim was not running, somebody may have created objects in
        // it.
        let untouched = cx.journal.borrow().state.cluster_uid.is_none() && profile_owner::is_made(cx);
        return match hopeless {
            true if untouched || cx.machine.recreate.get() => Ok(false),
            true => {
                let hint = "delete the profile with its data and re-create it";
                Err(Box::new(failure.hint(format!("{hint}: {}", refusals::up(cx).arg("--recreate")))))
            }
            false => Err(failure),
        };
    }
    wait_for_response(cx).await?;
    let whole = first_start::is_complete(cx).await?;
    if whole {
        record_complete(&cx.journal)?;
        cx.machine_is(Reached::Up);
    } else {
        *cx.machine.start.borrow_mut() = Start::Idle;
    }
    Ok(whole)
}

/// The options of `minikube start`, and the user's `minikube config`, which applies only to new profiles: an existing
/// one (`exists`) keeps its settings.
async fn options(cx: &Context, exists: bool) -> Result<(StartOptions, Vec<(String, String)>)> {
    let own = if exists { None } else { Some(cx.minikube.config().await?) };
    Ok((options_with(cx, own.as_deref()), own.unwrap_or_default()))
}

/// The options, with the user's configuration for new profiles in `own`; `None` for an existing profile. A new
/// profile gets the quickstart's defaults for what neither the settings nor the configuration specify.
pub(crate) fn options_with(cx: &Context, own: Option<&[(String, String)]>) -> StartOptions {
    let settings = &cx.settings;
    let mut options = StartOptions {
        driver: settings.driver.clone(),
        memory: settings.memory.clone(),
        cpus: settings.cpus.clone(),
        nodes: settings.nodes,
        kubernetes: settings
            .kubernetes
            .as_ref()
            .and(cx.machine.kubernetes.get())
            .cloned()
            .flatten()
            .map(|v| v.to_string()),
        runtime: None,
        token: None,
        extra: settings.minikube_args.clone(),
    };
    options.extra.extend(nodes::flag(settings));
    let Some(own) = own else { return options };
    // A flag in --minikube-arg counts as the user's configuration, too.
    let set = |key: &str| own.iter().any(|(k, _)| k == key) || has_flag(&settings.minikube_args, key);
    if options.memory.is_none() && !set("memory") {
        options.memory = Some(DEFAULT_MEMORY_MB.into());
    }
    if options.cpus.is_none() && !set("cpus") {
        options.cpus = Some(DEFAULT_CPUS.into());
    }
    if options.kubernetes.is_none() && !set("kubernetes-version") {
        options.kubernetes = cx.machine.kubernetes.get().cloned().flatten().map(|v| v.to_string());
    }
    if !set("container-runtime")
        && !settings.minikube_args.iter().any(|argument| has_short_flag(argument, 'c'))
    {
        options.runtime = Some(RUNTIME.into());
    }
    options
}

/// Start `minikube start` and follow it concurrently. `useful`: tasks that need only the node may start as soon as it
/// runs.
async fn start_minikube(cx: &Context, cmd: Cmd, useful: bool) -> Result<()> {
    record_unfinished(&cx.journal, true)?;
    let lines = cx.minikube.start(&cmd).await?;
    *cx.machine.start.borrow_mut() = Start::Running;
    cx.machine.started.set(true);
    let start = cx.machine.start.clone();
    tokio::task::spawn_local(profile_owner::follow(cx.minikube.clone(), cx.journal.clone(), move || {
        matches!(*start.borrow(), Start::Running)
    }));
    let (start, journal, minikube) = (cx.machine.start.clone(), cx.journal.clone(), cx.minikube.clone());
    let (emit, machine) = (cx.emit.clone(), cx.machine.reached.clone());
    let (profile, cached_images) = (cx.profile().to_owned(), cx.machine.cached_images.clone());
    let cancel = cx.ownership.cancel.clone();
    let following = async move {
        let result = read_events(lines, &cmd, &profile, |event| match event {
            StartEvent::Step { message, step, total } => {
                if useful && step >= STEP_NODE_UP {
                    machine.send_if_modified(|m| (*m < Reached::Up).then(|| *m = Reached::Up).is_some());
                }
                emit.progress(message, Some((step, total, Unit::Items)));
            }
            StartEvent::Download { artifact, progress } => {
                let percent = (progress * 100.0) as u64;
                emit.progress(format!("downloading {artifact}"), Some((percent, 100, Unit::Items)));
            }
            StartEvent::Warning(message) => emit.warn(message),
            StartEvent::Error(_) => {}
        })
        .await;
        if let (Err(_), Some(volume), None) = (&result, cached_images.borrow().as_ref(), cancel.reason()) {
            crate::cluster::image_cache::discard(&cache_dir(), volume);
        }
        let result = result.and(profile_owner::note(&minikube, &journal));
        let result = result.and_then(|()| record_unfinished(&journal, false));
        let result = if useful { result.and_then(|()| record_complete(&journal)) } else { result };
        *start.borrow_mut() = result.map_or_else(Start::Failed, |()| Start::Done);
    };
    tokio::task::spawn_local(event::in_task("cluster", following));
    Ok(())
}

/// Returns as soon as the API server responds; the rest of `minikube start` continues.
async fn wait_until_available(cx: &Context) -> Result<()> {
    // It can respond once minikube has written the context; `minikube start` ends later.
    while cx.starting() {
        let node_is_up = *cx.machine.reached.borrow() >= Reached::Up;
        if node_is_up && cx.kubectl.has_context() && cx.kubectl.ready().await.is_ok() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    cx.start_result()?;
    wait_for_response(cx).await
}

/// After a successful start the API server responds; if it does not, kstrim does not wait until the time limit of the
/// task.
async fn wait_for_response(cx: &Context) -> Result<()> {
    let began = tokio::time::Instant::now();
    loop {
        let Err(why) = connect(cx, cx.starting()).await? else { return Ok(()) };
        if began.elapsed() >= SETTLED
            && let Err(error) = cx.kubectl.ready().await
        {
            let failure = explain::kubectl::explain(&error, "query the cluster", cx.profile(), &cx.expect());
            if explain::kubectl::MORE_SPECIFIC.contains(&failure.id) {
                return Err(Box::new(failure));
            }
        }
        if began.elapsed() >= AFTER_START {
            return Err(Box::new(
                Failure::new(
                    errors::API_UNREACHABLE,
                    Kind::Task,
                    "minikube start succeeded, but the cluster's API server does not respond",
                )
                .because(why)
                .hint(format!(
                    "check the state in minikube: {} && {}",
                    cx.target.minikube("status"),
                    cx.target.minikube("logs")
                )),
            ));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}

/// Record whether a start is running: a start that was killed together with kstrim has to be repeated, even if the
/// API server responds.
fn record_unfinished(journal: &RefCell<JournalFile>, yes: bool) -> Result<()> {
    let mut journal = journal.borrow_mut();
    journal.state.start_unfinished = yes;
    if !yes {
        journal.state.suspended = None;
        journal.state.filling_volume = None;
    }
    journal.save()
}

/// Record that a start of the profile has succeeded.
fn record_complete(journal: &RefCell<JournalFile>) -> Result<()> {
    let mut journal = journal.borrow_mut();
    if !journal.state.never_whole {
        return Ok(());
    }
    journal.state.never_whole = false;
    journal.save()
}
