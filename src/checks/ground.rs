//! The input of the checks. Everything is queried only once, when it is first needed.

use std::cell::{Cell, OnceCell as Once};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;

use serde_json::Value;
use tokio::sync::{OnceCell, SetOnce};

use super::engine::Found;
use super::versions;
use crate::catalogue::{Choice, Partial, resolve};
use crate::cluster::journal::ProfileState;
use crate::cluster::profile_owner::{self, Owner};
use crate::cluster::session::Session;
use crate::config::Settings;
use crate::exec::Runner;
use crate::failure::Result;
use crate::kube::kubectl::Kubectl;
use crate::names::{KubernetesVersion, Tool, Version};
use crate::paths::{self, ProfilePaths, cache_dir, state_dir};
use crate::tool::machine;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::{Listed, Profile, State};
use crate::toolbox::Toolbox;

/// This machine, as far as files and the environment show.
#[derive(Debug, Clone, Default)]
pub(crate) struct Host {
    /// Total memory, MiB.
    pub memory_mb: Option<u64>,
    /// Memory that is free or can be freed, MiB.
    pub free_mb: Option<u64>,
    /// CPUs.
    pub cpus: Option<u64>,
    /// Whether kstrim runs as root.
    pub root: bool,
    /// The environment.
    pub variables: BTreeMap<String, String>,
    /// Routed networks, as in `/proc/net/route`.
    pub routes: Option<String>,
}

impl Host {
    /// The machine that kstrim runs on.
    pub(crate) fn this() -> Self {
        let meminfo = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
        Self {
            memory_mb: super::machine::meminfo(&meminfo, "MemTotal"),
            free_mb: super::machine::meminfo(&meminfo, "MemAvailable"),
            cpus: std::thread::available_parallelism().ok().map(|n| n.get() as u64),
            root: rustix::process::geteuid().is_root(),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            routes: std::fs::read_to_string("/proc/net/route").ok(),
        }
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// minikube's directory: `$MINIKUBE_HOME`, which may or may not end in `.minikube`, else `~/.minikube`
    /// (`pkg/minikube/localpath` of minikube).
    pub(crate) fn minikube_home(&self) -> PathBuf {
        match self.variable("MINIKUBE_HOME").map(PathBuf::from) {
            Some(home) if home.ends_with(".minikube") => home,
            Some(home) => home.join(".minikube"),
            None => paths::home().join(".minikube"),
        }
    }
}

/// What the checks examine.
pub(crate) struct Ground {
    /// The requested settings.
    pub settings: Settings,
    /// The release and matching versions as `up` would choose them before it queries minikube.
    choice: Result<Choice>,
    /// The installed Strimzi release, for commands that compare with it instead of the one that `up` would choose.
    installed: Option<SetOnce<Option<Version>>>,
    /// minikube, or why it is not available.
    pub minikube: Result<Rc<Minikube>>,
    /// kubectl, or why it is not available.
    pub kubectl: Result<Rc<Kubectl>>,
    /// The profile's journal, or why it cannot be read.
    pub journal: Result<ProfileState>,
    /// kstrim's state directory.
    pub state_dir: PathBuf,
    /// kstrim's cache directory.
    pub cache_dir: PathBuf,
    /// This machine.
    pub host: Host,
    /// Runs the engine's client; `None` if no check of the engine will run.
    pub runner: Option<Rc<dyn Runner>>,
    /// Whether checks may use the network.
    pub online: bool,
    /// Whether checks may send messages through Kafka.
    pub messages: bool,
    /// Whether the profile belongs to kstrim, once that is known.
    pub ours: Cell<Option<bool>>,
    /// Operators with kstrim's label in the live cluster, if it was queried.
    pub operators: Once<Vec<Value>>,
    minikube_version: OnceCell<Result<String>>,
    kubectl_version: OnceCell<Result<String>>,
    listed: OnceCell<Result<Listed>>,
    state: OnceCell<Result<State>>,
    config: OnceCell<Vec<(String, String)>>,
    engine: OnceCell<Found>,
}

impl Ground {
    /// For a command that may have nothing but its settings.
    pub(crate) fn new(
        settings: Settings,
        journal: Result<ProfileState>,
        runner: Rc<dyn Runner>,
        host: Host,
    ) -> Self {
        let paths = ProfilePaths::new(state_dir(), settings.target.profile.as_str());
        let profile = settings.target.profile.as_str();
        let kubeconfig = paths.kubeconfig();
        let toolbox = Toolbox::open();
        let minikube = toolbox
            .program(Tool::Minikube, &paths)
            .map(|p| Rc::new(Minikube::new(p, profile, &kubeconfig, runner.clone())));
        let kubectl = toolbox
            .program(Tool::Kubectl, &paths)
            .map(|p| Rc::new(Kubectl::new(p, &kubeconfig, profile, runner.clone())));
        let choice = versions::choose(&settings);
        Self {
            runner: Some(runner),
            online: true,
            ..Self::with(settings, choice, minikube, kubectl, journal, host)
        }
    }

    /// For a run of `up`.
    pub(crate) fn of(cx: &Session, settings: &Settings) -> Self {
        Self::with(
            settings.clone(),
            Ok(cx.choice.clone()),
            Ok(cx.minikube.clone()),
            Ok(cx.kubectl.clone()),
            Ok(cx.journal.borrow().state.clone()),
            Host::this(),
        )
    }

    fn with(
        settings: Settings,
        choice: Result<Choice>,
        minikube: Result<Rc<Minikube>>,
        kubectl: Result<Rc<Kubectl>>,
        journal: Result<ProfileState>,
        host: Host,
    ) -> Self {
        Self {
            settings,
            choice,
            installed: None,
            minikube,
            kubectl,
            journal,
            state_dir: state_dir(),
            cache_dir: cache_dir(),
            host,
            runner: None,
            online: false,
            messages: false,
            ours: Cell::new(None),
            operators: Once::new(),
            minikube_version: OnceCell::new(),
            kubectl_version: OnceCell::new(),
            listed: OnceCell::new(),
            state: OnceCell::new(),
            config: OnceCell::new(),
            engine: OnceCell::new(),
        }
    }

    /// Use the installed release, unless another one is requested. The caller must also call [`Self::installed_is`].
    pub(crate) fn by_installed(mut self) -> Self {
        self.installed = self.settings.release.is_none().then(SetOnce::new);
        self
    }

    /// Set the installed release, or that it is not known.
    pub(crate) fn installed_is(&self, release: Option<Version>) {
        if let Some(installed) = &self.installed {
            let _ = installed.set(release);
        }
    }

    /// The release to compare with, and its versions: the installed one for a command that examines an existing
    /// cluster; the one that `up` would choose for `up`, and if nothing is installed.
    pub(crate) async fn choice(&self) -> Result<Choice> {
        let installed = match &self.installed {
            Some(installed) => installed.wait().await.clone(),
            None => None,
        };
        match installed {
            // A problem that only another release has is reported about the one that `up` would choose.
            Some(_) => versions::of_release(&self.settings, installed).or_else(|_| self.choice.clone()),
            None => self.choice.clone(),
        }
    }

    /// The newest release, if the one to compare with is older.
    pub(crate) async fn newer(&self) -> Option<Version> {
        let (chosen, newest) = (self.choice().await.ok()?, self.choice.as_ref().ok()?);
        let newest = &newest.release.version;
        (*newest > chosen.release.version).then(|| newest.clone())
    }

    /// Use output of the programs that was read elsewhere.
    pub(crate) fn programs_say(&self, minikube: &str, kubectl: &str, listed: &Listed) {
        let _ = self.minikube_version.set(Ok(minikube.to_owned()));
        let _ = self.kubectl_version.set(Ok(kubectl.to_owned()));
        let _ = self.listed.set(Ok(listed.clone()));
    }

    /// The profile's name.
    pub(crate) fn profile_name(&self) -> &str {
        self.settings.target.profile.as_str()
    }

    /// The profile's files.
    pub(crate) fn paths(&self) -> ProfilePaths {
        ProfilePaths::new(self.state_dir.clone(), self.profile_name())
    }

    /// Who owns the profile, as far as that can be determined while nothing runs; `None` without a readable journal.
    pub(crate) async fn owner(&self) -> Option<Owner> {
        let disk = machine::read(&self.host.minikube_home(), self.profile_name());
        let journal = self.journal.as_ref().ok()?;
        Some(match self.listed().await {
            Ok(listed) => profile_owner::listed(journal, &disk, &listed),
            Err(_) => profile_owner::offline(journal, &disk),
        })
    }

    /// minikube's version.
    pub(crate) async fn minikube_version(&self) -> Result<String> {
        let ask = || async { self.minikube.as_ref().map_err(Clone::clone)?.version().await };
        self.minikube_version.get_or_init(ask).await.clone()
    }

    /// kubectl's version.
    pub(crate) async fn kubectl_version(&self) -> Result<String> {
        let ask = || async { self.kubectl.as_ref().map_err(Clone::clone)?.client_version().await };
        self.kubectl_version.get_or_init(ask).await.clone()
    }

    /// The profiles that minikube lists.
    pub(crate) async fn listed(&self) -> Result<Listed> {
        let ask = || async { self.minikube.as_ref().map_err(Clone::clone)?.listed().await };
        self.listed.get_or_init(ask).await.clone()
    }

    /// The profile's entry in minikube's list, if it is usable.
    pub(crate) async fn profile(&self) -> Option<Profile> {
        match self.listed().await {
            Ok(Listed::Valid(profile)) => Some(profile),
            _ => None,
        }
    }

    /// The state of the profile's machine, from minikube.
    pub(crate) async fn state(&self) -> Result<State> {
        let ask = || async { self.minikube.as_ref().map_err(Clone::clone)?.status().await };
        self.state.get_or_init(ask).await.clone()
    }

    /// Use a state that was read elsewhere.
    pub(crate) fn state_is(&self, state: Result<State>) {
        let _ = self.state.set(state);
    }

    /// The user's own minikube defaults; none if they cannot be read.
    pub(crate) async fn config(&self) -> &[(String, String)] {
        let ask = || async {
            match &self.minikube {
                Ok(minikube) => minikube.config().await.unwrap_or_default(),
                Err(_) => Vec::new(),
            }
        };
        self.config.get_or_init(ask).await
    }

    /// One of them.
    pub(crate) async fn configured(&self, key: &str) -> Option<&str> {
        self.config().await.iter().find(|(k, _)| k == key).map(|(_, value)| value.as_str())
    }

    /// The engine that minikube uses.
    pub(crate) async fn engine(&self) -> &Found {
        self.engine.get_or_init(|| super::engine::find(self)).await
    }

    /// The set of versions, with the installed minikube and the live Kubernetes.
    pub(crate) async fn resolved(&self) -> Result<Choice> {
        let choice = self.choice().await?;
        let kubernetes: Option<KubernetesVersion> = match self.profile().await {
            Some(profile) if self.settings.kubernetes.is_none() => profile.kubernetes.parse().ok(),
            None if self.settings.kubernetes.is_none() => {
                self.configured("kubernetes-version").await.and_then(|version| version.parse().ok())
            }
            _ => self.settings.kubernetes.clone(),
        };
        resolve(&Partial {
            release: Some(choice.release.version.clone()),
            kafka: Some(choice.kafka.clone()),
            kubernetes,
            mode: None,
            minikube: self.minikube_version().await.ok().and_then(|v| v.parse().ok()),
            unsupported: self.settings.allow_unsupported,
        })
    }
}
