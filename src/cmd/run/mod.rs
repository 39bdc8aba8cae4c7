//! `kstrim run -- COMMAND`: a Kafka cluster for a command, such as a test suite.
//!
//! No lock is held while the command is running, so several runs can use a cluster at the same time: locks are held
//! only while the cluster is changed.

mod access;
mod cleanup;
mod environment;
pub(crate) mod keeper;
mod record;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use jiff::Timestamp;
use tokio::time::Instant;

use self::access::Access;
use self::environment::{Environment, Topic};
use self::record::{Held, Record};
use super::event_log::EventLog;
use super::invocation::{Ended, Invocation};
use super::living::{self, Living};
use super::topic::needed;
use super::user::{self, User};
use super::{change, down, login, trust, up};
use crate::cli::{Cli, Command, Down, Global, OutputMode, Run, Up};
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::config::files::Layers;
use crate::diagnose::{self, Limits, Request};
use crate::engine::lock::Lock;
use crate::engine::run::Report;
use crate::engine::task::Doneness;
use crate::errors;
use crate::event::{self, Event, Outcome, TaskInfo};
use crate::exec::foreground::Foreground;
use crate::exec::{self, Exit};
use crate::explain::{Scope, ready};
use crate::failure::{Failure, Kind, Result};
use crate::manifest::user::Authentication;
use crate::paths::private_dir;
use crate::quickstart;
use crate::tool::minikube_output::Listed;

/// How long an existing cluster may take to become ready, before `up` determines what is missing.
const READY: Duration = Duration::from_secs(5);
/// Time limit of `down` after a run.
const DOWN: Duration = Duration::from_secs(300);

/// Parse the same settings as `kstrim up`: a run creates exactly that cluster.
pub(crate) fn as_up(global: &Global, matches: &ArgMatches, layers: &Layers) -> Result<Up> {
    let mut words = vec!["kstrim".to_owned(), "up".to_owned()];
    let target = [
        ("--profile", global.profile.to_string()),
        ("--namespace", global.namespace.to_string()),
        ("--cluster", global.cluster.to_string()),
    ];
    let context = global.context.as_ref().map(|context| ("--context", context.to_string()));
    let profile = context.is_none();
    for (flag, value) in target.into_iter().filter(|(flag, _)| profile || *flag != "--profile").chain(context)
    {
        words.extend([flag.to_owned(), value]);
    }
    let invalid = |e: clap::Error| {
        let message = "the settings of kstrim up are not valid";
        Box::new(Failure::new(crate::errors::USAGE, Kind::Usage, message).because(e.to_string().trim()))
    };
    let parsed = layers.as_defaults_of(Cli::command()).try_get_matches_from(words).map_err(invalid)?;
    let cli = Cli::from_arg_matches(&parsed).map_err(invalid)?;
    let Command::Up(mut up) = cli.command else { unreachable!("the verb is up") };
    let yes = matches.subcommand_matches("run").is_some_and(|run| run.get_flag("yes"));
    trust::check(&parsed, layers)?;
    up.yes |= yes;
    Ok(up)
}

/// Run a command with a Kafka cluster.
///
/// # Errors
/// `KS-RUN-COMMAND`, `KS-RUN-EVENTS`, or an invalid command line; other failures are reported as events.
pub(crate) async fn run(global: &Global, args: &Run, up: &Up) -> Result<ExitCode> {
    let program = program(args)?;
    let id: String = uuid::Uuid::new_v4().simple().to_string().chars().take(10).collect();
    let prefix = args.isolate.then(|| format!("run-{id}-"));
    let topics = environment::topics(&args.topics, prefix.as_deref())?;
    let events = events(args)?;
    // The user's own manifests contain the cluster's name.
    let wanted = match up.what.filename.is_empty() {
        true => None,
        false => match up::wanted(global, &up.what).await {
            Err(failure) if args.events.is_some() => {
                let invocation =
                    Invocation::begin_with(global, "run", args.output.into(), EventLog::none(), events);
                return Ok(invocation.refused(failure));
            }
            wanted => Some(wanted?),
        },
    };
    let global = &wanted.as_ref().map_or_else(|| global.clone(), |wanted| wanted.global.clone());
    let paths = crate::paths::ProfilePaths::new(crate::paths::state_dir(), global.profile.as_str());
    let own =
        if paths.folder().is_dir() { EventLog::exclusive(&paths.events("run")) } else { EventLog::none() };
    let invocation = Invocation::begin_with(global, "run", args.output.into(), own, events);
    let mut this = This {
        global,
        args,
        up,
        program,
        runs: paths.folder().join("runs"),
        record: Record {
            id,
            namespace: global.namespace.to_string(),
            cluster: global.cluster.to_string(),
            prefix,
        },
        topics,
        end: Instant::now() + args.timeout,
        report: Report::default(),
        wanted,
        created: Created::Nothing,
        clean: true,
    };
    let ran = this.all(&invocation).await;
    invocation.release_held().await;
    // Before the cluster is deleted.
    let evidence = match &ran {
        Ok(exit) if code(*exit) == 0 => None,
        _ if args.evidence.is_some() => this.evidence(&invocation).await,
        Ok(_) => None,
        Err(_) if up.no_diagnose => None,
        Err(failed) => {
            let report = Report { failure: Some(failed.clone()), ..Report::default() };
            super::evidence::collect(&invocation, &Ok(Ended { report, next: None })).await
        }
    };
    if args.down {
        this.down(&invocation).await;
    }
    let report = std::mem::take(&mut this.report);
    Ok(match ran {
        Ok(exit) => invocation.finish_with_code(code(exit), report, evidence),
        Err(failed) => {
            let report = Report { failure: Some(failed), ..report };
            invocation.finish_with(Ok(Ended { report, next: None }), evidence)
        }
    })
}

/// The path of the command's program.
fn program(args: &Run) -> Result<PathBuf> {
    let name = args.command.first().map(|name| name.as_os_str()).unwrap_or_default();
    exec::find(name).ok_or_else(|| {
        let message = format!("the command {} cannot be found or executed", name.display());
        let failure = Failure::new(errors::RUN_COMMAND, Kind::NotFound, message);
        Box::new(match Path::new(name).components().count() {
            0 | 1 => failure.because("it is not in an absolute directory of PATH"),
            _ => failure.because("it does not exist, or is not an executable file"),
        })
    })
}

/// The file for the events.
fn events(args: &Run) -> Result<EventLog> {
    let Some(path) = &args.events else { return Ok(EventLog::none()) };
    let file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).open(path);
    let file = file.map_err(|e| {
        let message = format!("the file for the events, {}, cannot be written", path.display());
        Box::new(Failure::new(errors::RUN_EVENTS, Kind::Usage, message).because(e))
    })?;
    Ok(EventLog::of(file))
}

/// The exit code of the command, as in a shell.
fn code(exit: Exit) -> u8 {
    match exit {
        Exit::Code(code) => u8::try_from(code & 0xff).unwrap_or(u8::MAX),
        Exit::Signal(signal) => u8::try_from(128 + signal).unwrap_or(u8::MAX),
    }
}

/// Prevent other commands from changing the namespace while `work` changes it; waits for them until `end`.
async fn exclusively<T>(
    invocation: &Invocation,
    cx: &Rc<Session>,
    end: Instant,
    work: impl AsyncFnOnce() -> Result<T>,
) -> Result<T> {
    let _lock = lock(invocation, end).await?;
    let waits = |_: &Failure| cx.emit.progress("waiting for another kstrim command in this namespace", None);
    living::acquire_lease_until(invocation, cx, end, waits).await?;
    let done = work().await;
    invocation.release_held().await;
    done
}

/// Acquire the profile's lock; waits for another command until `end`.
async fn lock(invocation: &Invocation, end: Instant) -> Result<Lock> {
    let waits = |failure: &Failure| {
        let holder = failure.causes.first().cloned().unwrap_or_default();
        invocation.emit.progress(format!("waiting for another kstrim command: {holder}"), None);
    };
    living::lock_until(invocation, end, waits).await
}

/// What this run created, which `--down` deletes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Created {
    /// The cluster existed.
    Nothing,
    /// The minikube profile with everything in it.
    Profile,
    /// Strimzi and Kafka, in a cluster that existed.
    Installation,
}

/// A failure, and the task that failed.
type Failed = (Option<String>, Box<Failure>);

/// One run.
struct This<'a> {
    global: &'a Global,
    args: &'a Run,
    up: &'a Up,
    program: PathBuf,
    /// The directory of all runs.
    runs: PathBuf,
    record: Record,
    topics: Vec<Topic>,
    /// When the command must have been started.
    end: Instant,
    report: Report,
    /// The user's own manifests and what follows from them, if they have been read.
    wanted: Option<up::Wanted>,
    created: Created,
    /// Whether the run left nothing behind in the cluster.
    clean: bool,
}

impl This<'_> {
    /// All steps, from the cluster to the clean-up.
    async fn all(&mut self, invocation: &Invocation) -> Result<Exit, Failed> {
        let alone = |failure| (None, failure);
        // `--down` waits until there is no other run, and no run starts while it deletes the cluster.
        let used = self.interruptible(invocation, record::share(&self.runs.join("cluster.users"))).await;
        let used = used.map_err(alone)?;
        let held = Held::begin(&self.runs, self.record.clone()).map_err(alone)?;
        let ran = self.with_cluster(invocation, &held).await;
        if self.clean {
            held.forget();
        } else {
            // What is left behind is removed by the next run.
            held.remove_files();
            drop(held);
        }
        drop(used);
        ran
    }

    /// Run the command on a cluster that is ready.
    async fn with_cluster(&mut self, invocation: &Invocation, held: &Held) -> Result<Exit, Failed> {
        let alone = |failure| (None, failure);
        let found = self.interruptible(invocation, self.find(invocation)).await.map_err(alone)?;
        let living = match found {
            Some(living) => {
                invocation.started(Some(&living.cx.choice.release.version.to_string()), self.tasks());
                living
            }
            None => {
                self.create(invocation).await?;
                let opened = living::open(invocation, self.global).await;
                opened.map_err(alone)?
            }
        };
        let used = self.prepare(invocation, &living, held).await;
        let (access, environment) = match used {
            Ok(used) => used,
            Err(failed) => {
                self.clean_up(invocation, &living).await;
                living.cx.stop_observing();
                return Err(failed);
            }
        };
        let ran = self.command(invocation, &access, &environment).await;
        access.close().await;
        held.remove_files();
        self.clean_up(invocation, &living).await;
        living.cx.stop_observing();
        ran.map_err(alone)
    }

    /// The tasks of the run itself.
    fn tasks(&self) -> Vec<TaskInfo> {
        let task = |id: &str, title: &str| TaskInfo { id: id.into(), title: title.into(), needs: Vec::new() };
        let mut tasks = vec![task("connect", "Connection from this machine")];
        if !self.topics.is_empty() {
            tasks.push(task("topics", "Topics of this run"));
        }
        tasks
    }

    async fn interruptible<T>(
        &self,
        invocation: &Invocation,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        tokio::select! {
            done = work => done,
            _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
        }
    }

    /// The cluster, if it exists and is ready.
    async fn find(&self, invocation: &Invocation) -> Result<Option<Living>> {
        let living = match living::open(invocation, self.global).await {
            Ok(living) => living,
            // Whatever the reason: `up` either fixes it or reports what is wrong.
            Err(failure) if matches!(failure.kind, Kind::Prerequisite | Kind::Task | Kind::Timeout) => {
                return Ok(None);
            }
            Err(failure) => return Err(failure),
        };
        let cx = &living.cx;
        let snapshot = tokio::time::timeout(READY, cx.synced(&change::KINDS)).await;
        let Ok(snapshot) = snapshot else { return Ok(None) };
        let waiter = Waiter::new(Scope::Kafka, "the Kafka cluster is not ready");
        let ready = matches!(waiter.look(&**cx, &snapshot, ready::kafka).await, Ok(Doneness::Done(_)));
        if ready {
            return Ok(Some(living));
        }
        cx.stop_observing();
        Ok(None)
    }

    /// Create the cluster, as `kstrim up` does.
    async fn create(&mut self, invocation: &Invocation) -> Result<(), Failed> {
        let alone = |failure| (None, failure);
        let wanted = match self.wanted.take() {
            Some(wanted) => wanted,
            None => up::wanted(self.global, &self.up.what).await.map_err(alone)?,
        };
        let up::Wanted { settings, choice, files, .. } = wanted;
        let plan = quickstart::plan(&settings, files.as_deref(), false);
        let tasks = plan.infos().into_iter().chain(self.tasks()).collect();
        invocation.started(Some(&choice.release.version.to_string()), tasks);
        let _lock = event::in_task("connect", lock(invocation, self.end)).await.map_err(alone)?;
        let cx = up::context_to_create(invocation, settings, choice).map_err(alone)?;
        let cx = Rc::new(cx.with_files(files));
        let before = self.interruptible(invocation, async { self.exists(&cx).await }).await.map_err(alone)?;
        let jobs = plan.jobs(&cx);
        let mut args = self.up.clone();
        args.timeout = Some(args.timeout.unwrap_or(Duration::MAX).min(self.end - Instant::now()));
        let ended = up::run_jobs(invocation, &cx, jobs, &args).await;
        invocation.release(&cx).await;
        let report = ended.map_err(alone)?.report;
        self.created = before;
        self.report.seconds.extend(report.seconds);
        match report.failure {
            None => Ok(()),
            Some(failed) => Err(failed),
        }
    }

    /// What this run would create, according to what exists before.
    async fn exists(&self, cx: &Session) -> Result<Created> {
        if cx.target.context.is_none() && cx.minikube.listed().await? == Listed::Absent {
            return Ok(Created::Profile);
        }
        // A cluster that does not respond may contain an installation.
        let answers = crate::cluster::connection::connect(cx, false).await?.is_ok();
        if !answers {
            return Ok(Created::Nothing);
        }
        let namespace = format!("/api/v1/namespaces/{}", cx.namespace());
        let found = cx.kubectl.find(&namespace).await;
        let found = found.map_err(|e| cx.api_failure("read the namespace", &e))?;
        Ok(if found.is_none() { Created::Installation } else { Created::Nothing })
    }

    /// A task of the run itself.
    async fn task<T>(
        &mut self,
        invocation: &Invocation,
        id: &str,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Result<T, Failed> {
        let began = Instant::now();
        invocation.emit.send(Event::TaskStarted { task: id.into(), reason: "requested".into() });
        let done = tokio::select! {
            done = event::in_task(id, work) => done,
            _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
        };
        invocation.release_held().await;
        let (outcome, detail) = match &done {
            Ok((_, detail)) => (Outcome::Done, detail.clone()),
            Err(f) if matches!(f.kind, Kind::Interrupted | Kind::Terminated) => {
                (Outcome::Cancelled, f.message.clone())
            }
            Err(f) => (Outcome::Failed, f.message.clone()),
        };
        let seconds = began.elapsed().as_secs_f64();
        invocation.emit.send(Event::TaskFinished { task: id.into(), outcome, seconds, detail });
        self.report.seconds.insert(id.into(), seconds);
        done.map(|(value, _)| value).map_err(|failure| (Some(id.to_owned()), failure))
    }

    /// Open the port-forwards, and create the topics.
    async fn prepare(
        &mut self,
        invocation: &Invocation,
        living: &Living,
        held: &Held,
    ) -> Result<(Access, Environment), Failed> {
        let (global, args, end, runs) = (self.global, self.args, self.end, self.runs.clone());
        let fresh = self.created != Created::Nothing;
        let mut environment =
            Environment::of_run(global, &self.record.id, self.record.prefix.as_deref(), &self.topics);
        let connect = async {
            let user = match &args.user {
                Some(name) => Some(user::find_user(living, name).await?.0),
                None => None,
            };
            let user: Option<(&User, Authentication)> = match &user {
                Some(user) => Some((user, login::authentication(user)?)),
                None => None,
            };
            let how = user.map(|(_, how)| how);
            let access = Access::open(invocation, global, living, how, args, (&runs, fresh, end)).await?;
            environment.connect(living, &access, user, held.folder()).await?;
            let said = format!("the brokers are available on {}", access.servers());
            Ok((access, said))
        };
        let access = self.task(invocation, "connect", connect).await?;
        let (topics, id) = (self.topics.clone(), self.record.id.clone());
        let stale = !record::ended_runs(&runs, living.cx.namespace(), living.cx.cluster()).is_empty();
        if topics.is_empty() && !stale {
            return Ok((access, environment));
        }
        let create = async {
            exclusively(invocation, &living.cx, end, async || {
                cleanup::after_others(living, &runs).await;
                for topic in &topics {
                    let limit = end.saturating_duration_since(Instant::now());
                    needed::ensure(living, &topic.needed, &topic.name, &id, limit).await?;
                }
                Ok(())
            })
            .await?;
            let names: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).collect();
            Ok((
                (),
                if names.is_empty() {
                    "no topics needed".into()
                } else {
                    format!("ready: {}", names.join(", "))
                },
            ))
        };
        match self.task(invocation, "topics", create).await {
            Ok(()) => Ok((access, environment)),
            Err(failed) => {
                access.close().await;
                Err(failed)
            }
        }
    }

    /// Run the command until it exits.
    async fn command(
        &mut self,
        invocation: &Invocation,
        access: &Access,
        environment: &Environment,
    ) -> Result<Exit> {
        if invocation.cancel.reason().is_some() {
            return Err(invocation.interrupted());
        }
        let (emit, arguments) = (&invocation.emit, &self.args.command[1..]);
        let shown = self.args.command[0].to_string_lossy().into_owned();
        let began = Instant::now();
        let program = &self.program;
        // Before it starts, because it may print at once.
        invocation.pass_terminal();
        let started = Foreground::start(program, arguments, &environment.set, Environment::without());
        let mut child = started.map_err(|e| {
            let message = format!("the command {shown} cannot be found or executed");
            Box::new(Failure::new(errors::RUN_COMMAND, Kind::NotFound, message).because(e))
        })?;
        invocation.pass_signals_to(Some(child.pid()));
        let pid = u32::try_from(child.pid().as_raw_nonzero().get()).unwrap_or_default();
        emit.send(Event::CommandStarted { program: shown, pid });
        let watch = event::in_task("connect", access.watch(emit));
        let exit = tokio::select! {
            exit = child.wait() => exit,
            () = watch => unreachable!("it never ends"),
        };
        invocation.pass_signals_to(None);
        let exit = exit.map_err(|e| {
            Box::new(Failure::new(crate::errors::INTERNAL, Kind::Task, "the command was lost").because(e))
        })?;
        let (code, signal) = match exit {
            Exit::Code(code) => (Some(code), None),
            Exit::Signal(signal) => (None, Some(signal)),
        };
        emit.send(Event::CommandExited { code, signal, seconds: began.elapsed().as_secs_f64() });
        Ok(exit)
    }

    /// Delete everything with the run's prefix. A failure does not change the exit code.
    async fn clean_up(&mut self, invocation: &Invocation, living: &Living) {
        let Some(prefix) = self.record.prefix.clone() else { return };
        if self.args.down && self.created != Created::Nothing {
            // It is deleted with the cluster.
            return;
        }
        self.clean = false;
        if invocation.cancel.reason().is_some() {
            return;
        }
        let end = Instant::now() + cleanup::LIMIT;
        let work = async {
            // The brokers may have changed while the command was running.
            let living = living::open(invocation, self.global).await?;
            let remove = async || cleanup::remove(&living, &prefix).await;
            let removed = exclusively(invocation, &living.cx, end, remove).await;
            living.cx.stop_observing();
            Ok(((), removed?))
        };
        match self.task(invocation, "clean-up", work).await {
            Ok(()) => self.clean = true,
            Err((_, failure)) => cleanup::warn(living, &failure),
        }
    }

    /// Delete what this run created, unless another run uses it.
    async fn down(&mut self, invocation: &Invocation) {
        let emit = &invocation.emit;
        let keep_cluster = match self.created {
            Created::Nothing => {
                emit.warn("--down: this run did not create the cluster, so the cluster is kept");
                return;
            }
            Created::Profile => false,
            Created::Installation => self.global.context.is_none(),
        };
        let users = record::open(&self.runs.join("cluster.users"));
        let Some(_alone) = users.ok().filter(|users| users.try_lock().is_ok()) else {
            emit.warn("--down: another kstrim run is using the cluster, so the cluster is kept");
            return;
        };
        let args = Down {
            yes: true,
            keep_cluster,
            keep_data: false,
            delete_others: false,
            adopt: false,
            output: OutputMode::Plain,
            timeout: DOWN,
        };
        // `down` writes its events to its own log; here it is a single task. It also runs after an interrupt.
        let began = Instant::now();
        emit.send(Event::TaskStarted { task: "down".into(), reason: "requested".into() });
        let global = Global { quiet: true, ..self.global.clone() };
        let deleted = down::run(&global, &args).await.is_ok_and(|code| code == ExitCode::SUCCESS);
        let (outcome, detail) = if deleted {
            (Outcome::Done, "the cluster was deleted")
        } else {
            (Outcome::Failed, "the cluster was not deleted")
        };
        let seconds = began.elapsed().as_secs_f64();
        emit.send(Event::TaskFinished { task: "down".into(), outcome, seconds, detail: detail.into() });
        self.report.seconds.insert("down".into(), seconds);
    }

    /// Collect evidence in the specified directory.
    async fn evidence(&self, invocation: &Invocation) -> Option<PathBuf> {
        let folder = self.args.evidence.as_ref()?;
        let time = Timestamp::now();
        let target = invocation.target();
        let request = Request {
            target,
            paths: &invocation.paths,
            // The run's own runner may have been stopped.
            runner: Rc::new(invocation.runner.detached()),
            limits: Limits::on_failure(),
            failure: None,
            plan: None,
        };
        let path = folder.join(format!("{}.tar.gz", diagnose::name(target.profile.as_str(), time)));
        let written = async {
            if !folder.is_dir() {
                let message = format!("the directory {} cannot be created", folder.display());
                private_dir(folder).map_err(|e| {
                    Box::new(
                        Failure::new(crate::errors::DIAGNOSE_UNWRITABLE, Kind::Prerequisite, message)
                            .because(e),
                    )
                })?;
            }
            diagnose::write(request, &path, time).await
        };
        tokio::select! {
            written = written => match written {
                Ok(written) => Some(written.path),
                Err(failure) => {
                    invocation.emit.warn_of(failure.id, failure.message);
                    None
                }
            },
            () = invocation.cancel.signalled() => None,
        }
    }
}
