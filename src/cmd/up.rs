//! `kstrim up`

use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use super::existing;
use super::invocation::{Ended, Invocation};
use crate::catalogue::Choice;
pub(crate) use crate::checks::versions::choose;
use crate::cli::{Global, OutputMode, Up, What};
use crate::cluster::session::Session;
use crate::cluster::{access, lost_machine, profile_owner, refusals};
use crate::config::{Settings, Target};
use crate::engine::task::Job;
use crate::errors;
use crate::exec::cancel::Cancel;
use crate::exec::system::System;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kubectl::Kubectl;
use crate::names::Tool;
use crate::paths::{ProfilePaths, state_dir};
use crate::quickstart::context::Context;
use crate::quickstart::files::UserFiles;
use crate::quickstart::{self, programs};
use crate::tool::minikube_output::State;
use crate::toolbox::{self, Toolbox};

/// A running API server responds within this time.
const PROMPT: Duration = Duration::from_secs(2);

/// Create the cluster, or update it.
///
/// # Errors
/// What is wrong with the command line; other failures are reported as events.
pub(crate) async fn run(global: &Global, args: &Up) -> Result<ExitCode> {
    let wanted = match wanted(global, &args.what).await {
        // Who reads the events learns from them what is wrong with the manifests.
        Err(failure) if args.output == OutputMode::Json => {
            return Ok(Invocation::begin(global, "up", args.output).refused(failure));
        }
        wanted => wanted?,
    };
    let Wanted { global, settings, choice, files } = wanted;
    let global = &global;
    if let Some(context) = settings.target.context.as_ref().filter(|_| args.recreate) {
        let message = "--recreate is for minikube profiles; it cannot be used with --context";
        let failure = Failure::new(errors::SETTING_INVALID, Kind::Usage, message);
        return Err(Box::new(failure.because(format!("the cluster is the one of the context {context}"))));
    }
    if args.prune && files.is_none() {
        let failure =
            Failure::new(errors::SETTING_INVALID, Kind::Usage, "--prune needs the manifests of --filename");
        return Err(Box::new(failure.because("what they no longer contain is deleted")));
    }
    let trace = args.trace.as_deref().map(super::trace::create).transpose()?;
    let invocation = Invocation::begin(global, "up", args.output);
    if trace.is_some() {
        invocation.trace();
    }
    let ended = up(&invocation, settings, choice, files, args).await;
    if let Some(file) = trace {
        super::trace::write(file, &invocation);
    }
    Ok(invocation.finish_with_evidence(ended, !args.no_diagnose).await)
}

/// What `up` is to create, after all inputs that determine it have been read.
pub(crate) struct Wanted {
    /// The global flags, with the cluster that the manifests name.
    pub global: Global,
    /// The settings.
    pub settings: Settings,
    /// The versions.
    pub choice: Choice,
    /// The user's own manifests.
    pub files: Option<Rc<UserFiles>>,
}

/// Settings, versions and the user's own manifests, which may determine the release, the Kafka version and the
/// cluster. An operator that already exists in the cluster takes precedence for the release.
pub(crate) async fn wanted(global: &Global, what: &What) -> Result<Wanted> {
    let mut settings = Settings::new(global, what)?;
    let existing = existing::look(&settings).await;
    if let Some(existing) = &existing {
        existing.choose_release(&mut settings);
    }
    let explain = |settings: &Settings, failure| match &existing {
        Some(existing) => existing.explain(settings, failure),
        None => failure,
    };
    let mut asked = settings.clone();
    let (global, files) =
        read(global, what, &mut settings).await.map_err(|failure| explain(&asked, failure))?;
    if let Some(existing) = &existing {
        existing.choose_kafka(&mut settings);
        asked.clone_from(&settings);
    }
    let choice = choose(&settings).map_err(|failure| explain(&asked, failure))?;
    Ok(Wanted { global, settings, choice, files })
}

/// The same for a command that does not connect to a cluster.
pub(crate) async fn wanted_offline(global: &Global, what: &What) -> Result<Wanted> {
    let mut settings = Settings::new(global, what)?;
    let (global, files) = read(global, what, &mut settings).await?;
    let choice = choose(&settings)?;
    Ok(Wanted { global, settings, choice, files })
}

/// The user's own manifests, and the cluster that they name.
async fn read(
    global: &Global,
    what: &What,
    settings: &mut Settings,
) -> Result<(Global, Option<Rc<UserFiles>>)> {
    let mut global = global.clone();
    let files = match what.filename.as_slice() {
        [] => None,
        sources => {
            // Kustomizations are built with kubectl, which does not connect to a cluster for that.
            let paths = ProfilePaths::new(state_dir(), settings.target.profile.as_str());
            let (kubectl, missing) = match Toolbox::open().program(Tool::Kubectl, &paths) {
                Ok(program) => (program, None),
                Err(missing) => ("kubectl".into(), Some(missing)),
            };
            let runner = Rc::new(System::new(Cancel::default(), false));
            let kubectl =
                Kubectl::new(kubectl, &paths.kubeconfig(), settings.target.profile.as_str(), runner);
            let files = UserFiles::read(sources, what.fit, &kubectl, &mut global, settings).await;
            Some(Rc::new(files.map_err(|failure| match missing {
                Some(missing) if failure.id == errors::TOOL_BROKEN => missing,
                _ => failure,
            })?))
        }
    };
    if files.is_none() && what.fit {
        let failure =
            Failure::new(errors::SETTING_INVALID, Kind::Usage, "--fit changes the manifests of --filename");
        return Err(Box::new(failure.hint("specify them: --filename PATH, or leave --fit out")));
    }
    Ok((global, files))
}

async fn up(
    invocation: &Invocation,
    settings: Settings,
    choice: Choice,
    files: Option<Rc<UserFiles>>,
    args: &Up,
) -> Result<Ended> {
    let plan = quickstart::plan(&settings, files.as_deref(), args.prune);
    invocation.started(Some(&choice.release.version.to_string()), plan.infos());
    let _lock = invocation.lock()?;
    let cx = Rc::new(context_to_create(invocation, settings, choice)?.with_files(files));
    let ended = run_jobs(invocation, &cx, plan.jobs(&cx), args).await;
    // A run that ended before the smoke test, or in it.
    if let Err(failure) =
        access::delete_test_user(&cx, &cx.kubectl.with_runner(Rc::new(invocation.runner.detached()))).await
    {
        cx.emit.warn(failure.to_string());
    }
    invocation.release(&cx).await;
    ended
}

/// Run the tasks of a plan, after the prompts that precede them.
///
/// # Errors
/// The user answered no to a prompt, or the run was interrupted; a task's failure is in the report.
pub(crate) async fn run_jobs(
    invocation: &Invocation,
    cx: &Rc<Context>,
    jobs: Vec<Job>,
    args: &Up,
) -> Result<Ended> {
    if let Some(context) = &cx.target.context {
        tokio::select! {
            agreed = super::context::agreed(cx, context, args) => agreed?,
            _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
        }
    }
    cx.machine.recreate.set(args.recreate);
    if !args.recreate && super::consent::can_ask() {
        tokio::select! {
            agreed = ask_to_recreate(cx) => agreed?,
            _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
        }
    }
    {
        let mut journal = cx.journal.borrow_mut();
        journal.state.run_id = invocation.run_id.clone();
        journal.state.release = Some(cx.choice.release.version.to_string());
        journal.save()?;
    }
    let report = invocation.run(jobs, cx.journal.clone(), args.timeout).await;
    let noted = profile_owner::after(cx, cx.machine.started.get());
    let next = report.failure.is_none().then(|| quickstart::next::next(cx, &cx.settings.topic));
    invocation.trace_cluster(cx);
    cx.stop_observing();
    // If the run failed, a journal that cannot be written is not the cause.
    if report.failure.is_none() {
        noted?;
        cx.journal.borrow_mut().remember_cluster(cx.namespace(), cx.cluster())?;
    }
    Ok(Ended { report, next })
}

/// Ask whether a profile whose machine no longer exists may be deleted and re-created, if there is a terminal: before
/// the progress of the tasks is drawn.
async fn ask_to_recreate(cx: &Context) -> Result<()> {
    if cx.target.context.is_some() || !profile_owner::is_made(cx) {
        return Ok(());
    }
    let answers = async { tokio::time::timeout(PROMPT, cx.kubectl.ready()).await.is_ok_and(|r| r.is_ok()) };
    if answers.await || !matches!(cx.minikube.status().await, Ok(State::Gone)) {
        return Ok(());
    }
    let facts = lost_machine::look(cx, cx.machine.recreate.get()).await;
    if lost_machine::decide(&facts) != lost_machine::Plan::Ask {
        return Ok(());
    }
    let question = format!(
        "The machine of profile {0} does not exist. minikube can only delete the profile and create a new \
         one: {1}.",
        cx.profile(),
        lost_machine::describe_loss(cx, &facts)
    );
    let hint = format!("to agree: {}", refusals::up(cx).arg("--recreate"));
    super::consent::ask(&question, "nothing was deleted", &hint).await?;
    cx.machine.recreate.set(true);
    Ok(())
}

/// A session for another command than `up`: the programs are located and the journal is read.
pub(crate) fn session(invocation: &Invocation, choice: Choice) -> Result<Session> {
    let programs = Toolbox::open().programs(&invocation.paths)?;
    session_with(invocation, invocation.target().clone(), choice, programs)
}

/// A context for `up`, and for `plan`, which shows what `up` would do: missing programs may be installed.
pub(crate) fn context_to_create(
    invocation: &Invocation,
    settings: Settings,
    choice: Choice,
) -> Result<Context> {
    let program = |tool| programs::locate(tool, &invocation.paths, settings.system_tools);
    let programs = (program(Tool::Minikube)?, program(Tool::Kubectl)?);
    let session = session_with(invocation, settings.target.clone(), choice, programs)?;
    Ok(Context::new(session, settings))
}

/// A context for `up` on an existing cluster, with programs that are installed.
pub(crate) fn context(invocation: &Invocation, settings: Settings, choice: Choice) -> Result<Context> {
    Ok(Context::new(session(invocation, choice)?, settings))
}

/// A context for commands that do not connect to a cluster: programs may be missing.
pub(crate) fn context_without_programs(
    invocation: &Invocation,
    settings: Settings,
    choice: Choice,
) -> Result<Context> {
    let programs = (
        toolbox::on_path(Tool::Minikube).unwrap_or_else(|_| "minikube".into()),
        toolbox::on_path(Tool::Kubectl).unwrap_or_else(|_| "kubectl".into()),
    );
    let session = session_with(invocation, settings.target.clone(), choice, programs)?;
    Ok(Context::new(session, settings))
}

fn session_with(
    invocation: &Invocation,
    target: Target,
    choice: Choice,
    programs: (PathBuf, PathBuf),
) -> Result<Session> {
    let Invocation { paths, emit, cancel, .. } = invocation;
    super::living::session(paths, Rc::new(invocation.runner.clone()), emit, cancel, target, choice, programs)
}
