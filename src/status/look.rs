//! Queries minikube and the API server, everything concurrently, without changing anything.
//!
//! Lists, and no watches, for a single look: a watch needs one more child process for each kind. Nothing is written,
//! not even kstrim's own kubeconfig: if it does not lead to the cluster, a temporary one is used.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use super::data::Status;
use super::model::{self, Facts, Memory, Place};
use crate::catalogue;
use crate::cluster::journal::{JournalFile, ProfileState};
use crate::cluster::profile_owner::{self, Online, Owner};
use crate::cluster::{api_server, ownership, wait};
use crate::config::Target;
use crate::exec::{Exit, Runner};
use crate::explain;
use crate::failure::{Failure, Result};
use crate::kube::cluster::Deployment;
use crate::kube::kubectl::Kubectl;
use crate::kube::{Api, ApiError, ApiErrorKind, Kind, Object, Snapshot, Store, Version};
use crate::names::{self, Tool};
use crate::paths::ProfilePaths;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{Listed, State};
use crate::toolbox::Toolbox;

/// Kinds that every cluster serves.
pub(crate) const CORE: [Kind; 5] = [Kind::Namespace, Kind::Deployment, Kind::Pod, Kind::Claim, Kind::Event];
/// Strimzi's kinds.
pub(crate) const CUSTOM: [Kind; 8] = [
    Kind::Kafka,
    Kind::KafkaNodePool,
    Kind::KafkaTopic,
    Kind::KafkaUser,
    Kind::KafkaConnect,
    Kind::KafkaMirrorMaker2,
    Kind::KafkaBridge,
    Kind::StrimziPodSet,
];

/// How long to wait for minikube after the API server has responded to everything.
const MINIKUBE_LATER: Duration = Duration::from_secs(5);
/// How long to wait for the API server after minikube reported that it is not running: it may only be slow.
const SERVER_LATER: Duration = Duration::from_secs(2);

/// Reads the state of one cluster.
pub(crate) struct Looker {
    place: Place,
    journal: ProfileState,
    programs: (PathBuf, PathBuf),
    runner: Rc<dyn Runner>,
    minikube: Minikube,
    kubectl: Rc<Kubectl>,
    patient: bool,
    more: Vec<Kind>,
}

/// How the cluster was reached, and the responses.
pub(crate) struct Reach {
    asked: Option<Result<(Asked, Reached), ApiError>>,
    /// minikube's state of the profile; `None` if it took longer than all responses of the API server.
    pub state: Result<Option<State>>,
}

/// The result of a look.
pub(crate) struct Seen {
    /// Everything except the objects.
    pub facts: Facts,
    /// The objects.
    pub snapshot: Snapshot,
    /// kubectl with a working kubeconfig, if the cluster was reached.
    pub reached: Option<Reached>,
}

/// How the cluster was reached.
pub(crate) struct Reached {
    /// kubectl with a working kubeconfig.
    pub kubectl: Rc<Kubectl>,
    /// The version of Strimzi's resources, if they are served.
    pub version: Option<Version>,
    /// Keeps the temporary kubeconfig, if that is used.
    spare: Option<TempDir>,
}

/// The API server's responses.
struct Asked {
    kubernetes: String,
    uid: Option<String>,
    marked: bool,
    version: Option<Version>,
    store: Store,
    refused: Vec<(Kind, ApiError)>,
}

impl Looker {
    /// For `target`, whose files are at `paths`.
    pub(crate) fn new(target: &Target, paths: &ProfilePaths, runner: Rc<dyn Runner>) -> Result<Self> {
        let programs = Toolbox::open().programs(paths)?;
        let profile = target.profile.as_str();
        let journal = JournalFile::open(&paths.journal(), profile)?.state;
        let place = place(target);
        let (minikube, kubectl) = tools(&programs, profile, &paths.kubeconfig(), &runner, false);
        Ok(Self {
            place,
            journal,
            programs,
            runner,
            minikube,
            kubectl: Rc::new(kubectl),
            patient: true,
            more: Vec::new(),
        })
    }

    /// For `target` even if programs or files are missing, and without retries if the API server does not respond.
    /// What is missing is reported in `troubles`.
    pub(crate) fn lenient(
        target: &Target,
        paths: &ProfilePaths,
        runner: Rc<dyn Runner>,
        troubles: &mut Vec<Failure>,
    ) -> Self {
        let profile = target.profile.as_str();
        let mut or = |found: Result<PathBuf>, name: &str| {
            found.unwrap_or_else(|failure| {
                troubles.push(*failure);
                name.into()
            })
        };
        let toolbox = Toolbox::open();
        let mut program = |tool: Tool| or(toolbox.program(tool, paths), tool.name());
        let programs = (program(Tool::Minikube), program(Tool::Kubectl));
        let journal = JournalFile::open(&paths.journal(), profile).unwrap_or_else(|failure| {
            troubles.push(*failure);
            JournalFile::fresh(&paths.journal(), profile)
        });
        let (minikube, kubectl) = tools(&programs, profile, &paths.kubeconfig(), &runner, false);
        let (place, journal) = (place(target), journal.state);
        Self {
            place,
            journal,
            programs,
            runner,
            minikube,
            kubectl: Rc::new(kubectl),
            patient: false,
            more: Vec::new(),
        }
    }

    /// Also list these kinds, in all namespaces.
    #[must_use]
    pub(crate) fn and(mut self, kinds: &[Kind]) -> Self {
        self.more = kinds.to_vec();
        self
    }

    /// Look once.
    ///
    /// # Errors
    ///
    /// If minikube cannot be run or its output is not understood, and the API server does not respond either.
    pub(crate) async fn look(&self) -> Result<Seen> {
        let (minikube, kubectl, listed, reach) = tokio::join!(
            self.minikube.version(),
            self.kubectl.client_version(),
            self.minikube.listed(),
            self.reach()
        );
        self.seen((minikube, kubectl), listed, reach)
    }

    /// Combine the responses: the programs' versions, minikube's files, the rest.
    pub(crate) fn seen(
        &self,
        (minikube, kubectl): (Result<String>, Result<String>),
        listed: Result<Listed>,
        Reach { asked, state }: Reach,
    ) -> Result<Seen> {
        let answered = matches!(asked, Some(Ok(_)));
        let mut troubles: Vec<Failure> = Vec::new();
        // Missing information from minikube matters only if the API server does not respond either.
        let state = kept(state, answered, &mut troubles)?.flatten();
        let listed = kept(listed, answered, &mut troubles)?;
        let minikube = if self.minikube.is_none() { None } else { kept(minikube, true, &mut troubles)? };
        let kubectl = kept(kubectl, true, &mut troubles)?;
        if let Some(State::EngineDown(words)) = &state {
            let error = explain::minikube::Error { name: "PROVIDER_DOCKER_NOT_RUNNING", message: words };
            troubles.push(explain::minikube::explain(&[error], Exit::Code(7), "", &self.place.profile));
        }
        let disk = self.minikube.on_disk();
        let ours = match &listed {
            Some(listed) => profile_owner::listed(&self.journal, &disk, listed).is_ours(),
            None => profile_owner::offline(&self.journal, &disk) == Owner::Ours,
        };
        let mut facts = Facts {
            place: self.place.clone(),
            ours,
            // Every start writes the profile's configuration: what was recorded before is over.
            suspended: self
                .journal
                .suspended
                .filter(|s| self.minikube.configured_at().is_none_or(|at| at <= s.since)),
            listed,
            state,
            our_kubeconfig: true,
            minikube,
            kubectl,
            api: None,
            strimzi_api: None,
            troubles,
        };
        let (asked, reached) = match asked {
            Some(Ok((asked, reached))) => (asked, reached),
            Some(Err(error)) => {
                facts.api = Some(Err(error.message));
                return Ok(Seen { facts, snapshot: Snapshot::default(), reached: None });
            }
            None => return Ok(Seen { facts, snapshot: Snapshot::default(), reached: None }),
        };
        // It responds, so it is running, however long minikube takes to report it.
        facts.state.get_or_insert(State::Running);
        // `up` checks whether foreign software uses a cluster whose owner is not proven otherwise.
        let online = Online { uid: asked.uid.as_deref(), marked: asked.marked, inhabited: true };
        facts.ours = profile_owner::online(&self.journal, &self.minikube.on_disk(), online).is_ours();
        facts.our_kubeconfig = reached.spare.is_none();
        facts.api = Some(Ok(asked.kubernetes));
        facts.strimzi_api = asked.version.map(Version::as_str);
        let expect = facts.expect();
        facts.troubles.extend(asked.refused.iter().map(|(kind, error)| {
            explain::kubectl::explain(error, &format!("list {}", kind.plural()), &self.place.profile, &expect)
        }));
        Ok(Seen { facts, snapshot: asked.store.snapshot(), reached: Some(reached) })
    }

    /// The API server's responses, unless minikube reports that it cannot respond (a paused one would keep kubectl
    /// waiting), and minikube's state.
    pub(crate) async fn reach(&self) -> Reach {
        let status = api_server::state(&self.minikube);
        let asked = async {
            if !self.kubectl.has_context() {
                return None;
            }
            Some(self.ask(&self.kubectl).await)
        };
        tokio::pin!(status, asked);
        let (asked, state) = tokio::select! {
            state = &mut status => match state {
                Ok(State::Running) | Err(_) => (asked.await, state.map(Some)),
                Ok(State::Partial) => {
                    let asked = tokio::time::timeout(SERVER_LATER, asked).await;
                    (asked.unwrap_or_else(|_| Some(Err(unanswered()))), state.map(Some))
                }
                Ok(_) => (None, state.map(Some)),
            },
            asked = &mut asked => {
                let state = match &asked {
                    Some(Ok(_)) => tokio::time::timeout(MINIKUBE_LATER, status).await.ok().transpose(),
                    _ => status.await.map(Some),
                };
                (asked, state)
            }
        };
        let asked = asked.map(|a| {
            a.map(|asked| {
                let version = asked.version;
                (asked, Reached { kubectl: self.kubectl.clone(), version, spare: None })
            })
        });
        let lost = match &asked {
            None => true,
            // Another cluster's address or certificate; a missing response does not indicate that.
            Some(Err(error)) => error.kind != ApiErrorKind::Exec,
            Some(Ok(_)) => false,
        };
        if lost
            && matches!(state, Ok(Some(State::Running)))
            && let Some(found) = self.query_with_temporary_kubeconfig().await
        {
            return Reach { asked: Some(found), state };
        }
        Reach { asked, state }
    }

    /// Query with a temporary kubeconfig that minikube writes. minikube reports that the API server is running: one
    /// that has only just restarted is waited for, if retries are enabled.
    async fn query_with_temporary_kubeconfig(&self) -> Option<Result<(Asked, Reached), ApiError>> {
        let folder = tempfile::tempdir().ok()?;
        let (minikube, kubectl) = tools(
            &self.programs,
            &self.place.profile,
            &folder.path().join("kubeconfig"),
            &self.runner,
            self.patient,
        );
        minikube.run_cmd(&minikube.update_context_cmd()).await.ok()?;
        let kubectl = Rc::new(kubectl);
        Some(self.ask(&kubectl).await.map(|asked| {
            let version = asked.version;
            (asked, Reached { kubectl, version, spare: Some(folder) })
        }))
    }

    async fn ask(&self, kubectl: &Kubectl) -> Result<Asked, ApiError> {
        let guess = self.likely_version();
        let all = |kinds: &'static [Kind]| {
            futures_util::future::join_all(kinds.iter().map(|k| self.list(kubectl, *k, guess)))
        };
        let more = futures_util::future::join_all(self.more.iter().map(|k| self.list(kubectl, *k, guess)));
        let (more, nodes, version, marker, core, custom) = tokio::join!(
            more,
            self.list(kubectl, Kind::Node, guess),
            kubectl.get("/version"),
            kubectl.find(ownership::MARKER),
            all(&CORE),
            all(&CUSTOM)
        );
        let version = version?;
        let mut answers = core;
        let (served, custom) = self.served(kubectl, guess, custom).await;
        answers.extend(custom);
        answers.extend(more);
        let (store, mut refused) = (Store::new(), Vec::new());
        for (kind, answer) in CORE.into_iter().chain(CUSTOM).chain(self.more.iter().copied()).zip(answers) {
            match answer {
                Ok(items) => store.replace(kind, items),
                Err(error) if absent(&error) => store.replace(kind, Vec::new()),
                Err(error) => refused.push((kind, error)),
            }
        }
        // A user whose permissions are limited to a namespace gets a status without nodes.
        if let Ok(nodes) = nodes {
            store.replace(Kind::Node, nodes);
        }
        self.operator_objects(kubectl, &store).await;
        // Only Kafka Connect has connectors.
        if let Some(version) = served.filter(|_| store.snapshot().all(Kind::KafkaConnect).next().is_some()) {
            match self.list(kubectl, Kind::KafkaConnector, version).await {
                Ok(items) => store.replace(Kind::KafkaConnector, items),
                Err(error) => refused.push((Kind::KafkaConnector, error)),
            }
        }
        let disk = self.minikube.on_disk();
        let marked = marker
            .is_ok_and(|m| m.is_some_and(|m| ownership::marker_matches(&m, &self.place.profile, &disk)));
        let uid = store.snapshot().namespace("kube-system").map(|ns| ns.0.uid().to_owned());
        let kubernetes = version.get("gitVersion").and_then(Value::as_str).unwrap_or("");
        let kubernetes = kubernetes.trim_start_matches('v').to_owned();
        Ok(Asked { kubernetes, uid, marked, version: served, store, refused })
    }

    /// The version of Strimzi's resources that is probably served: that of the release kstrim installed.
    fn likely_version(&self) -> Version {
        let release = self.journal.release.as_deref().and_then(|r| r.parse::<names::Version>().ok());
        match release.as_ref().and_then(catalogue::find) {
            Some(release) if !release.api_versions.iter().any(|v| v == "v1") => Version::V1Beta2,
            _ => Version::V1,
        }
    }

    /// The served version, and the lists in it.
    async fn served(
        &self,
        kubectl: &Kubectl,
        guess: Version,
        lists: Vec<Result<Vec<Value>, ApiError>>,
    ) -> (Option<Version>, Vec<Result<Vec<Value>, ApiError>>) {
        if !matches!(&lists[0], Err(error) if absent(error)) {
            return (Some(guess), lists);
        }
        let Ok(Some(group)) = kubectl.find(Version::GROUP).await else { return (None, lists) };
        match Version::served(&group) {
            Some(version) if version != guess => {
                let lists = CUSTOM.iter().map(|k| self.list(kubectl, *k, version));
                (Some(version), futures_util::future::join_all(lists).await)
            }
            served => (served, lists),
        }
    }

    async fn list(&self, kubectl: &Kubectl, kind: Kind, version: Version) -> Result<Vec<Value>, ApiError> {
        let namespace = self.place.namespace.as_str();
        if kind == Kind::Deployment
            // If listing them in all namespaces is not allowed, list those in the namespace.
            && let Ok(mut all) = kubectl.list(&kind.path(version, None)).await
        {
            let counts = |o: &Object| o.namespace() == namespace || Deployment(o).is_cluster_operator();
            all.retain(|d| counts(&Object::new(d.clone())));
            return Ok(all);
        }
        kubectl.list(&kind.path(version, Some(namespace))).await
    }

    /// The pods and events of an operator in another namespace.
    async fn operator_objects(&self, kubectl: &Kubectl, store: &Store) {
        let snapshot = store.snapshot();
        let operator =
            snapshot.operator_of(&self.place.namespace, &self.place.cluster).map(|o| o.0.namespace());
        let Some(home) = operator.filter(|home| *home != self.place.namespace) else { return };
        for kind in [Kind::Pod, Kind::Event] {
            let more = kubectl.list(&kind.path(Version::default(), Some(home))).await.unwrap_or_default();
            let here = snapshot.all(kind).map(|o| o.json().clone());
            store.replace(kind, here.chain(more).collect());
        }
    }
}

/// The document for a look; if a cause is open, the rules' probes are run.
pub(crate) async fn status(seen: &Seen, snapshot: &Snapshot, memory: &mut Memory) -> Status {
    // A result may lead to one more probe: whether the operator has its permissions, and what it is doing.
    const ROUNDS: usize = 2;
    let mut status = model::status(&seen.facts, snapshot, memory, Timestamp::now());
    for _ in 0..ROUNDS {
        let Some(reached) = seen.reached.as_ref().filter(|_| !status.ready && !memory.open.is_empty()) else {
            break;
        };
        let ask = |probe| async move { (wait::ask(&reached.kubectl, &probe).await, probe) };
        let answers = futures_util::future::join_all(std::mem::take(&mut memory.open).into_iter().map(ask));
        memory.answers.extend(answers.await.into_iter().filter_map(|(answer, probe)| Some((probe, answer?))));
        status = model::status(&seen.facts, snapshot, memory, Timestamp::now());
    }
    status
}

/// No response yet.
fn unanswered() -> ApiError {
    ApiError::new(ApiErrorKind::Unreachable, format!("no response within {} s", SERVER_LATER.as_secs()))
}

fn place(target: &Target) -> Place {
    Place {
        profile: target.profile.to_string(),
        namespace: target.namespace.to_string(),
        cluster: target.cluster.to_string(),
        aims: target.target_flags(),
    }
}

fn tools(
    (minikube, kubectl): &(PathBuf, PathBuf),
    profile: &str,
    kubeconfig: &Path,
    runner: &Rc<dyn Runner>,
    patient: bool,
) -> (Minikube, Kubectl) {
    let kubectl = Kubectl::new(kubectl.clone(), kubeconfig, profile, runner.clone()).through_proxy();
    (
        Minikube::new(minikube.clone(), profile, kubeconfig, runner.clone()),
        if patient { kubectl } else { kubectl.without_retries() },
    )
}

/// A failure that leaves a gap, or ends the look.
fn kept<T>(result: Result<T>, gap: bool, troubles: &mut Vec<Failure>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(failure) if gap => {
            troubles.push(*failure);
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// Does not exist, or its kind is not served.
fn absent(error: &ApiError) -> bool {
    matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::NoSuchKind)
}
