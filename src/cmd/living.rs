//! What commands that work on a running cluster share: connecting to it, reporting a task as events, and waiting.

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::invocation::{Ended, Invocation};
use crate::catalogue::{self, Choice, Mode, Partial};
use crate::cli::{Global, OutputMode};
use crate::cluster::installation::Installation;
use crate::cluster::journal::JournalFile;
use crate::cluster::session::Session;
use crate::cluster::{existing_operator, ownership, refusals};
use crate::config::Target;
use crate::engine::lock::Lock;
use crate::engine::run::Report;
use crate::engine::task::Doneness;
use crate::errors;
use crate::event::{self, Emit, Event, Outcome, TaskInfo};
use crate::exec::Runner;
use crate::exec::cancel::Cancel;
use crate::failure::{Failure, Id, Kind, Result};
use crate::kube::kafka::{Entity, Kafka, KafkaNodePool, Nodes};
use crate::kube::kind::Version as ApiVersion;
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, Kind as ObservedKind, Object, Snapshot};
use crate::names::Version;
use crate::paths::{ProfilePaths, state_dir};
use crate::tool::minikube::Minikube;
use crate::toolbox::Toolbox;

/// How long to wait for another command that is changing the namespace.
const OTHERS: Duration = Duration::from_secs(20);
/// How often to check whether it has finished.
const LOOK: Duration = Duration::from_millis(500);

/// A connection to the cluster, and the Kafka resource as it was found.
pub(crate) struct Living {
    /// A session for the release that is running.
    pub cx: Rc<Session>,
    /// Another session, for reading the state before a change: its watches do not affect those of `cx`.
    pub before: Rc<Session>,
    /// The `Kafka` resource as it was found.
    pub resource: Object,
}

impl Living {
    /// The Kafka resource as it was found.
    pub(crate) fn kafka(&self) -> Kafka<'_> {
        Kafka(&self.resource)
    }

    /// The Kafka cluster's node pools.
    pub(crate) async fn pools(&self) -> Result<Vec<Object>> {
        let pools = self.list("kafkanodepools").await?.into_iter().map(Object::new);
        Ok(pools.filter(|pool| KafkaNodePool(pool).belongs_to(&self.kafka())).collect())
    }

    /// The Kafka cluster's nodes.
    pub(crate) async fn nodes(&self) -> Result<Nodes> {
        Ok(self.kafka().nodes(self.pools().await?.iter().map(KafkaNodePool)))
    }

    /// Refuse a resource that no operator would reconcile: `what` (`the topic orders`) in a namespace that no topic
    /// or user operator of the Kafka cluster watches.
    pub(crate) fn served(&self, entity: Entity, what: &str) -> Result<()> {
        if self.kafka().manages_own_namespace(entity) {
            return Ok(());
        }
        let target = &self.cx.target;
        let (id, kind, operator, field) = match entity {
            Entity::Topic => (errors::TOPIC_UNSERVED, "KafkaTopic", "topic operator", "topicOperator"),
            Entity::User => (errors::USER_UNSERVED, "KafkaUser", "user operator", "userOperator"),
        };
        let (namespace, cluster) = (self.cx.namespace(), self.cx.cluster());
        let edit = target.kubectl("edit kafkas.kafka.strimzi.io").arg(cluster).arg("-n").arg(namespace);
        let failure = match self.kafka().managed_namespace(entity) {
            None => {
                let message = format!(
                    "the Kafka cluster {cluster} has no {operator}, so {what} would not be reconciled"
                );
                let failure = Failure::new(id, Kind::Prerequisite, message);
                let release = self.cx.choice.release;
                if entity == Entity::Topic && !release.kraft.topic_operator && !self.kafka().zookeeper() {
                    failure.hint(format!(
                        "Strimzi {} has none without ZooKeeper; smoke-test and produce create topics by \
                         themselves",
                        release.version
                    ))
                } else {
                    failure
                        .hint(format!("add spec.entityOperator.{field}: {{}} to the Kafka resource: {edit}"))
                }
            }
            Some(watched) => {
                let message = format!("{what} would not be reconciled in the namespace {namespace}");
                let failure = Failure::new(id, Kind::Prerequisite, message);
                failure
                    .because(format!(
                        "spec.entityOperator.{field}.watchedNamespace of the Kafka cluster {cluster} is {watched}"
                    ))
                    .hint(format!(
                        "create the {kind} in the namespace {watched}, with the label strimzi.io/cluster: \
                         {cluster}"
                    ))
                    .hint(format!("or remove watchedNamespace from the Kafka resource: {edit}"))
            }
        };
        Err(Box::new(failure))
    }

    /// The namespace's resources of one of Strimzi's kinds, by its plural.
    pub(crate) async fn list(&self, plural: &str) -> Result<Vec<Value>> {
        let cx = &self.cx;
        cx.list(&path(cx, plural, None), &format!("list the {plural}")).await
    }
}

/// The API path of one of Strimzi's kinds in the namespace, or of one resource of it.
pub(crate) fn path(cx: &Session, plural: &str, name: Option<&str>) -> String {
    let base =
        format!("{}/{}/namespaces/{}/{plural}", ApiVersion::GROUP, cx.api_version().as_str(), cx.namespace());
    match name {
        Some(name) => format!("{base}/{name}"),
        None => base,
    }
}

/// Connect to the cluster for a command that changes something.
pub(crate) async fn open(invocation: &Invocation, global: &Global) -> Result<Living> {
    let runner: Rc<dyn Runner> = Rc::new(invocation.runner.clone());
    let found = find(global, &invocation.paths, runner, &invocation.emit, &invocation.cancel);
    tokio::select! {
        found = found => found,
        _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
    }
}

/// Connect to the cluster for a verb that changes something: no other such command works on the namespace at the
/// same time, neither on this machine nor on another. If one does, this waits briefly for it to end.
pub(crate) async fn open_to_change(invocation: &Invocation, global: &Global) -> Result<Changing> {
    let lock = lock(invocation).await?;
    let living = open(invocation, global).await?;
    living.cx.journal.borrow().refuse_newer()?;
    acquire_lease(invocation, &living.cx).await?;
    if living.cx.ownership.installation.borrow().as_ref().is_some_and(Installation::is_unmarked) {
        ownership::establish(&living.cx, false).await?;
    }
    // Applied resources get the labels by which the operator selects. If the user may not list operators,
    // there is none.
    let _ = existing_operator::of(&living.cx).await;
    Ok(Changing { living, _lock: lock })
}

/// Prevent other commands from changing the namespace while `work` changes it, for a command without an invocation.
pub(crate) async fn exclusively<T>(
    living: &Living,
    verb: &'static str,
    work: impl AsyncFnOnce() -> Result<T>,
) -> Result<T> {
    let cx = &living.cx;
    let paths = ProfilePaths::new(state_dir(), cx.profile());
    let _lock = Lock::take(&paths.lock(), verb)?;
    ownership::acquire_lease(cx, verb).await?;
    let done = work().await;
    ownership::release_lease(cx, &cx.kubectl).await;
    done
}

/// Take the file lock, which must be held to acquire the namespace's Lease; waits for another command.
pub(crate) async fn lock(invocation: &Invocation) -> Result<Lock> {
    lock_until(invocation, Instant::now() + OTHERS, |_| ()).await
}

/// The same until `end`; `waits` is called with the failure at each attempt.
pub(crate) async fn lock_until(
    invocation: &Invocation,
    end: Instant,
    waits: impl Fn(&Failure),
) -> Result<Lock> {
    loop {
        match invocation.lock() {
            Err(failure) if failure.kind == Kind::Locked && Instant::now() < end => {
                waits(&failure);
                pause(invocation).await?;
            }
            lock => return lock,
        }
    }
}

/// Acquire the namespace's Lease; waits for another command. The invocation releases it.
pub(crate) async fn acquire_lease(invocation: &Invocation, cx: &Rc<Session>) -> Result<()> {
    acquire_lease_until(invocation, cx, Instant::now() + OTHERS, |_| ()).await
}

/// The same until `end`; `waits` is called with the failure at each attempt.
pub(crate) async fn acquire_lease_until(
    invocation: &Invocation,
    cx: &Rc<Session>,
    end: Instant,
    waits: impl Fn(&Failure),
) -> Result<()> {
    invocation.hold(cx.clone());
    loop {
        match ownership::acquire_lease(cx, invocation.verb()).await {
            Err(failure) if failure.kind == Kind::Locked && Instant::now() < end => {
                waits(&failure);
                pause(invocation).await?;
            }
            excluded => return excluded,
        }
    }
}

async fn pause(invocation: &Invocation) -> Result<()> {
    tokio::select! {
        () = tokio::time::sleep(LOOK) => Ok(()),
        _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
    }
}

/// A connection to the cluster, with the lock of this machine. The invocation releases the namespace's Lease.
pub(crate) struct Changing {
    living: Living,
    _lock: Lock,
}

impl std::ops::Deref for Changing {
    type Target = Living;

    fn deref(&self) -> &Living {
        &self.living
    }
}

/// Connect to the cluster for a command that only reads: it writes no events and no state. It also ends on a signal,
/// and when the reader of stdout has closed it.
pub(crate) async fn reading(
    global: &Global,
    work: impl AsyncFnOnce(Living) -> Result<ExitCode>,
) -> Result<ExitCode> {
    let work = async { work(quiet(global).await?).await };
    tokio::select! {
        done = work => done,
        kind = super::status::stopped() => Ok(ExitCode::from(kind.exit_code())),
    }
}

/// Connect to the cluster for a command without events: warnings go to stderr.
pub(crate) async fn quiet(global: &Global) -> Result<Living> {
    heard(global, false).await
}

/// The same; what it is waiting for is also printed to stderr.
pub(crate) async fn talking(global: &Global) -> Result<Living> {
    heard(global, true).await
}

async fn heard(global: &Global, progress: bool) -> Result<Living> {
    let cancel = Cancel::default();
    let runner: Rc<dyn Runner> = Rc::new(super::status::runner(cancel.clone(), global.verbose));
    let paths = ProfilePaths::new(state_dir(), global.profile.as_str());
    let quiet = global.quiet;
    let emit = Emit::new(move |event| match event {
        Event::Warning { message, .. } if !quiet => print_to_stderr(&format!("warning: {message}")),
        Event::TaskProgress { message, .. } if progress && !quiet => print_to_stderr(&message),
        _ => {}
    });
    find(global, &paths, runner, &emit, &cancel).await
}

/// A line on stderr.
pub(crate) fn print_to_stderr(line: &str) {
    super::complain(&format!("{line}\n"));
}

/// A session in which nothing was read yet, except for the journal.
pub(crate) fn session(
    paths: &ProfilePaths,
    runner: Rc<dyn Runner>,
    emit: &Emit,
    cancel: &Cancel,
    target: Target,
    choice: Choice,
    (minikube, kubectl): (PathBuf, PathBuf),
) -> Result<Session> {
    let (profile, kubeconfig) = (target.profile.as_str(), paths.kubeconfig());
    let journal = Rc::new(RefCell::new(JournalFile::open(&paths.journal(), profile)?));
    let minikube = Minikube::new(minikube, profile, &kubeconfig, runner.clone());
    let kubectl = Kubectl::new(kubectl, &kubeconfig, profile, runner).through_proxy();
    Ok(Session::new(target, choice, minikube, kubectl, emit.clone(), cancel.clone(), journal))
}

async fn find(
    global: &Global,
    paths: &ProfilePaths,
    runner: Rc<dyn Runner>,
    emit: &Emit,
    cancel: &Cancel,
) -> Result<Living> {
    let programs = Toolbox::open().programs(paths)?;
    let any = catalogue::resolve(&Partial::default())?;
    let cx = session(paths, runner, emit, cancel, Target::from(global), any, programs)?;
    super::connected(&cx).await?;
    let version = served(&cx).await?;
    let kafka = match version {
        Some(version) => {
            let at = ObservedKind::Kafka.path(version, Some(cx.namespace()));
            let found = cx.kubectl.find(&format!("{at}/{}", cx.cluster())).await;
            found.map_err(|e| asked(&cx, &e))?
        }
        None => None,
    };
    let (Some(version), Some(kafka)) = (version, kafka) else {
        return Err(Box::new(
            Failure::new(
                errors::NO_CLUSTER,
                Kind::Prerequisite,
                format!("the Kafka cluster {} does not exist in namespace {}", cx.cluster(), cx.namespace()),
            )
            .hint(format!("create it: {}", refusals::up(&cx)))
            .hint("or specify another one: --cluster NAME, --namespace NAME"),
        ));
    };
    let resource = Object::new(kafka);
    let kafka = Kafka(&resource);
    let release = release(&kafka, version.as_str());
    let mut choice = catalogue::resolve(&Partial { release, ..Partial::default() })?;
    // The Kafka resource itself shows which version it runs, so the release's default is not used.
    if let Some(running) = kafka.target_version() {
        choice.kafka = running;
    }
    let cx = Rc::new(cx.for_release(choice));
    let before = Rc::new(cx.for_release(cx.choice.clone()));
    ownership::installation(&cx).await?;
    Ok(Living { cx, before, resource })
}

/// The version of Strimzi's resources that the API server serves, whatever the release; `None` if it serves none.
pub(crate) async fn served(cx: &Session) -> Result<Option<ApiVersion>> {
    let group = cx.kubectl.find(ApiVersion::GROUP).await.map_err(|e| asked(cx, &e))?;
    Ok(group.as_ref().and_then(ApiVersion::served))
}

fn asked(cx: &Session, error: &ApiError) -> Box<Failure> {
    cx.api_failure("query Strimzi's resources", error)
}

/// The release that reconciles a Kafka resource: according to the operator, according to kstrim's annotation, or the
/// newest release that serves this version of the resources.
fn release(kafka: &Kafka<'_>, version: &str) -> Option<Version> {
    let known = |text: &str| {
        let version: Version = text.parse().ok()?;
        catalogue::find(&version).map(|r| r.version.clone())
    };
    let serves =
        |r: &&catalogue::Release| r.api_versions.iter().any(|v| v == version) && r.supports_mode(Mode::Kraft);
    known(kafka.operator_version())
        .or_else(|| ownership::release(kafka.0.json()).and_then(known))
        .or_else(|| catalogue::releases().iter().rev().find(serves).map(|r| r.version.clone()))
}

/// Run a command that consists of one task: report it as events and return the exit code. `work` returns a sentence
/// about the result.
///
/// # Errors
/// None: failures are reported as events, and in the exit code.
pub(crate) async fn task(
    global: &Global,
    verb: &'static str,
    title: String,
    output: OutputMode,
    work: impl AsyncFnOnce(&Invocation) -> Result<String>,
) -> Result<ExitCode> {
    let invocation = Invocation::begin(global, verb, output);
    invocation.started(None, vec![TaskInfo { id: verb.into(), title, needs: vec![] }]);
    let began = Instant::now();
    invocation.emit.send(Event::TaskStarted { task: verb.into(), reason: "requested".into() });
    let done = tokio::select! {
        done = event::in_task(verb, work(&invocation)) => done,
        _ = invocation.cancel.cancelled() => Err(invocation.interrupted()),
    };
    invocation.release_held().await;
    let (outcome, detail) = match &done {
        Ok(detail) => (Outcome::Done, detail.clone()),
        Err(f) if matches!(f.kind, Kind::Interrupted | Kind::Terminated) => {
            (Outcome::Cancelled, f.message.clone())
        }
        Err(f) => (Outcome::Failed, f.message.clone()),
    };
    let seconds = began.elapsed().as_secs_f64();
    invocation.emit.send(Event::TaskFinished { task: verb.into(), outcome, seconds, detail });
    let mut report = Report { failure: done.err().map(|f| (Some(verb.to_owned()), f)), ..Report::default() };
    report.seconds.insert(verb.into(), seconds);
    Ok(invocation.finish(Ok(Ended { report, next: None })))
}

/// Refuse an object that exists with other settings than requested, which `lines` list; without any it is as requested.
/// `see` is the command that shows it, `resource` its plural and name.
pub(crate) fn as_asked(
    cx: &Session,
    id: Id,
    what: &str,
    lines: Vec<String>,
    see: &str,
    (plural, name): (&str, &str),
) -> Result<()> {
    if lines.is_empty() {
        return Ok(());
    }
    let target = &cx.target;
    let message = format!("{what} already exists with other settings");
    let failure = lines.into_iter().fold(Failure::new(id, Kind::Usage, message), Failure::because);
    let change =
        format!("change it: {}", target.kubectl("edit").arg(plural).arg(name).arg("-n").arg(cx.namespace()));
    Err(Box::new(failure.hint(format!("show it: {see}")).hint(change)))
}

/// Check after every change of the watched kinds, and once a second, until it is done.
pub(crate) async fn wait(
    cx: &Session,
    limit: Duration,
    mut look: impl AsyncFnMut(&Snapshot) -> Result<Doneness>,
    late: impl FnOnce() -> Box<Failure>,
) -> Result<String> {
    let end = Instant::now() + limit;
    let mut told = String::new();
    loop {
        let version = cx.store.version();
        match look(&cx.store.snapshot()).await? {
            Doneness::Done(what) => return Ok(what),
            Doneness::Foreign(failure) => return Err(failure),
            Doneness::Pending(why) if why != told => {
                cx.emit.progress(why.clone(), None);
                told = why;
            }
            Doneness::Pending(_) => {}
        }
        if Instant::now() >= end {
            return Err(late());
        }
        let next = end.min(Instant::now() + Duration::from_secs(1));
        tokio::select! {
            _ = cx.store.newer_than(version) => {}
            () = tokio::time::sleep_until(next) => {}
        }
    }
}
