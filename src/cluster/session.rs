//! What a task may use.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::catalogue::Choice;
use crate::cluster::installation::Installation;
use crate::cluster::journal::JournalFile;
use crate::cluster::lease::Lease;
use crate::config::PresetName;
use crate::config::Settings;
use crate::event::Emit;
use crate::exec::cancel::Cancel;
use crate::failure::Failure;
use crate::kafka::client::Dial;
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, Kind, Snapshot, Store, Version, Watcher};
use crate::manifest::render::Preset;
use crate::manifest::{Object, Phases};
use crate::names::ImageName;
use crate::tool::minikube::Minikube;
use crate::tool::minikube_output::Listed;

/// How far the cluster's machine has come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Machine {
    /// Nothing is known or it is not running.
    #[default]
    Down,
    /// The node and its container runtime run; images can be loaded.
    Up,
    /// The API server answers.
    Api,
}

/// The `minikube start` of a run.
#[derive(Debug, Default)]
pub enum Start {
    /// There was none.
    #[default]
    Idle,
    /// It is at work.
    Running,
    /// It ended well.
    Done,
    /// It failed.
    Failed(Box<Failure>),
}

/// The install manifest, tuned for this run.
#[derive(Debug, Clone)]
pub struct Install {
    /// The objects, retargeted and labelled, by phase.
    pub phases: Phases,
    /// Content digest of the objects as they are applied.
    pub digest: String,
    /// Where they came from, for people.
    pub origin: String,
    /// What the laptop tuning changed, a line each.
    pub tuned: Vec<String>,
    /// Where images come from and with what they are pulled, a line each.
    pub from: Vec<String>,
    /// The images that the preset runs, each once.
    pub images: Vec<ImageName>,
    /// The Secret that kstrim makes of a docker login. It is shown nowhere.
    pub secret: Option<Object>,
}

/// A fetch that goes on beside other work: ends when it is done, telling its progress until then.
pub type Fetching =
    std::pin::Pin<Box<dyn Future<Output = crate::failure::Result<crate::manifest::source::Install>>>>;

/// A run's context.
pub struct Cx {
    /// What was requested.
    pub settings: Settings,
    /// The release and what belongs to it.
    pub choice: Choice,
    /// minikube for the profile.
    pub minikube: Rc<Minikube>,
    /// kubectl for the profile's context.
    pub kubectl: Rc<Kubectl>,
    /// Where events go.
    pub emit: Emit,
    /// Stops the run.
    pub cancel: Cancel,
    /// The profile's journal.
    pub journal: Rc<RefCell<JournalFile>>,
    /// What the cluster shows; empty until [`Cx::observe`].
    pub store: Rc<Store>,
    /// What preflight found of the profile.
    pub listed: OnceCell<Listed>,
    /// The Kubernetes that minikube is asked for, once its version is known.
    pub kubernetes: OnceCell<Option<crate::names::Version>>,
    /// Whether the profile is kstrim's own, once known.
    pub profile_is_ours: Cell<bool>,
    /// The installation in the namespace, once it has been looked up.
    pub installation: RefCell<Option<Installation>>,
    /// Held while the installation is looked up: concurrent tasks must not each propose an id.
    pub installing: tokio::sync::Mutex<()>,
    /// The namespace's Lease, while this run changes something.
    pub lease: Rc<RefCell<Option<Lease>>>,
    /// Whether the user agreed that a profile whose machine is gone is deleted and re-created.
    pub recreate: Cell<bool>,
    /// Whether this run has started a `minikube start`.
    pub began_start: Cell<bool>,
    /// The version of Strimzi's resources that the API server serves, where it was asked for it.
    pub served: Cell<Option<Version>>,
    /// Whether nothing may be written, neither in the cluster nor in the journal: `plan`.
    pub read_only: Cell<bool>,
    /// How far the machine is.
    pub machine: watch::Sender<Machine>,
    /// The `minikube start` of this run, which goes on after the API server answers.
    pub start: Rc<RefCell<Start>>,
    /// The install manifest, once fetched.
    pub install: tokio::sync::OnceCell<Rc<Install>>,
    /// The fetch of the install manifest, while it goes on.
    pub fetching: RefCell<Option<Fetching>>,
    /// When the run began: conditions older than our own changes are stale.
    pub began: Timestamp,
    /// What this run has fixed by itself, and when.
    pub healed: RefCell<std::collections::BTreeMap<String, tokio::time::Instant>>,
    /// The name of the KafkaTopic of the run's topic; `None` where Kafka has the topic without one.
    pub topic_resource: RefCell<Option<String>>,
    /// Whether other operators of the cluster have been looked at.
    pub rivals_told: Cell<bool>,
    /// What was seen of an operator of another namespace that looks after this one, and when.
    pub abroad: RefCell<Option<(tokio::time::Instant, Vec<crate::kube::Object>)>>,
    /// Port-forwards to the brokers, shared by the tasks that talk to them.
    pub forwards: OnceCell<Rc<dyn Dial>>,
    watchers: RefCell<Vec<Watcher>>,
    watched: RefCell<Vec<Kind>>,
}

impl Cx {
    /// A context before anything was looked at.
    pub fn new(
        settings: Settings,
        choice: Choice,
        minikube: Minikube,
        kubectl: Kubectl,
        emit: Emit,
        cancel: Cancel,
        journal: Rc<RefCell<JournalFile>>,
    ) -> Self {
        let topic_resource = RefCell::new(Some(settings.topic.resource_name()));
        Self {
            topic_resource,
            settings,
            choice,
            minikube: Rc::new(minikube),
            kubectl: Rc::new(kubectl),
            emit,
            cancel,
            journal,
            store: Rc::new(Store::new()),
            listed: OnceCell::new(),
            kubernetes: OnceCell::new(),
            profile_is_ours: Cell::new(false),
            installation: RefCell::default(),
            installing: tokio::sync::Mutex::default(),
            lease: Rc::default(),
            recreate: Cell::new(false),
            began_start: Cell::new(false),
            served: Cell::new(None),
            read_only: Cell::new(false),
            machine: watch::channel(Machine::Down).0,
            start: Rc::default(),
            install: tokio::sync::OnceCell::new(),
            fetching: RefCell::default(),
            began: Timestamp::now(),
            healed: RefCell::default(),
            rivals_told: Cell::new(false),
            abroad: RefCell::default(),
            forwards: OnceCell::new(),
            watchers: RefCell::default(),
            watched: RefCell::default(),
        }
    }

    /// Another context of the same cluster, for another release: nothing is known or watched yet.
    #[must_use]
    pub fn beside(&self, settings: Settings, choice: Choice, emit: Emit) -> Self {
        let topic_resource = RefCell::new(Some(settings.topic.resource_name()));
        Self {
            topic_resource,
            settings,
            choice,
            minikube: self.minikube.clone(),
            kubectl: self.kubectl.clone(),
            emit,
            cancel: self.cancel.clone(),
            journal: self.journal.clone(),
            store: Rc::new(Store::new()),
            listed: OnceCell::new(),
            kubernetes: OnceCell::new(),
            profile_is_ours: self.profile_is_ours.clone(),
            installation: self.installation.clone(),
            installing: tokio::sync::Mutex::default(),
            lease: self.lease.clone(),
            recreate: self.recreate.clone(),
            began_start: self.began_start.clone(),
            served: self.served.clone(),
            read_only: self.read_only.clone(),
            machine: watch::channel(Machine::Down).0,
            start: Rc::default(),
            install: tokio::sync::OnceCell::new(),
            fetching: RefCell::default(),
            began: self.began,
            healed: RefCell::default(),
            rivals_told: self.rivals_told.clone(),
            abroad: RefCell::default(),
            forwards: OnceCell::new(),
            watchers: RefCell::default(),
            watched: RefCell::default(),
        }
    }

    /// Whether an object belongs to the installation in the namespace. Nothing does before the installation has been
    /// looked up (`ownership::installation`).
    pub fn owns(&self, object: &serde_json::Value) -> bool {
        self.installation.borrow().as_ref().is_some_and(|installation| installation.owns(object))
    }

    /// Apply objects with the installation's id; `force` takes over fields that another manager owns. Returns what
    /// kubectl printed on stderr.
    ///
    /// # Errors
    /// What the API server refused; a part may have been applied.
    pub async fn apply(&self, objects: &[Object], force: bool) -> Result<String, ApiError> {
        self.kubectl.apply(&yaml(&self.stamped(objects)), force).await
    }

    /// Objects with the installation's id, as they are applied.
    pub fn stamped(&self, objects: &[Object]) -> Vec<Object> {
        let mut objects = objects.to_vec();
        if let Some(installation) = &*self.installation.borrow() {
            crate::manifest::label::stamp(&mut objects, installation.id());
        }
        objects
    }

    /// The namespace.
    pub fn namespace(&self) -> &str {
        self.settings.target.namespace.as_str()
    }

    /// The Kafka cluster's name.
    pub fn cluster(&self) -> &str {
        self.settings.target.cluster.as_str()
    }

    /// The profile's name.
    pub fn profile(&self) -> &str {
        self.settings.target.profile.as_str()
    }

    /// Kind of Kafka cluster: as requested, or the release's default.
    pub fn preset(&self) -> Preset {
        self.settings.preset.map_or_else(|| Preset::default_for(self.choice.release), preset)
    }

    /// The version of Strimzi's resources: as served, where the API server was asked, else that of the release.
    pub fn api_version(&self) -> Version {
        if let Some(served) = self.served.get() {
            served
        } else if self.choice.release.api_versions.iter().any(|v| v == "v1") {
            Version::V1
        } else {
            Version::V1Beta2
        }
    }

    /// Watch `kinds` from now on; those that are watched already stay.
    pub fn observe(&self, kinds: &[Kind]) {
        let new: Vec<Kind> = kinds.iter().copied().filter(|k| !self.watched.borrow().contains(k)).collect();
        if new.is_empty() {
            return;
        }
        self.watched.borrow_mut().extend(&new);
        let watcher = Watcher::start(
            self.kubectl.clone(),
            new,
            self.api_version(),
            self.namespace(),
            self.store.clone(),
        );
        self.watchers.borrow_mut().push(watcher);
    }

    /// Watch `kinds` and wait until each was listed once.
    pub async fn synced(&self, kinds: &[Kind]) -> Snapshot {
        self.observe(kinds);
        loop {
            let version = self.store.version();
            if kinds.iter().all(|k| self.store.synced(*k)) {
                return self.store.snapshot();
            }
            self.store.newer_by_lists(version).await;
        }
    }

    /// Whether a `minikube start` of this run is at work.
    pub fn starting(&self) -> bool {
        matches!(*self.start.borrow(), Start::Running)
    }

    /// The failure of this run's `minikube start`, given once.
    ///
    /// # Errors
    /// That failure.
    pub fn start_result(&self) -> crate::failure::Result<()> {
        let mut start = self.start.borrow_mut();
        match std::mem::take(&mut *start) {
            Start::Failed(failure) => Err(failure),
            other => {
                *start = other;
                Ok(())
            }
        }
    }

    /// Returns when the cluster changed, after a second at the latest: some causes are a matter of time.
    pub async fn changed_or_second(&self) {
        let version = self.store.version();
        tokio::select! {
            _ = self.store.newer_than(version) => {}
            () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
        }
    }

    /// Stop watching.
    pub fn stop_observing(&self) {
        self.watchers.borrow_mut().clear();
    }

    /// The machine got this far.
    pub fn machine_is(&self, machine: Machine) {
        self.machine.send_if_modified(|current| {
            let further = machine > *current;
            if further {
                *current = machine;
            }
            further
        });
    }

    /// Ends when the machine is this far, or the run is being stopped.
    pub async fn machine_reaches(&self, machine: Machine) {
        let mut receiver = self.machine.subscribe();
        tokio::select! {
            // The sender lives in `self`, so waiting cannot fail.
            _ = receiver.wait_for(|m| *m >= machine) => {}
            // Whatever the task does next tells it that the run was stopped.
            _ = self.cancel.cancelled() => {}
        }
    }
}

/// The catalogue's word for a preset.
pub fn preset(name: PresetName) -> Preset {
    match name {
        PresetName::Single => Preset::Single,
        PresetName::Ephemeral => Preset::Ephemeral,
        PresetName::Ha => Preset::Ha,
        PresetName::Zookeeper => Preset::Zookeeper,
        PresetName::Migrated => Preset::Migrated,
    }
}

/// Objects as the YAML stream that `kubectl apply` reads.
pub fn yaml(objects: &[Object]) -> String {
    crate::manifest::to_yaml(objects)
}
