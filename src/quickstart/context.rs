//! What the tasks of `up` share: a session, the settings of the run, and results of earlier tasks.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use tokio::sync::watch;

use super::files::UserFiles;
use crate::catalogue::Choice;
use crate::cluster::session::Session;
use crate::config::Settings;
use crate::exec::cancel::Cancel;
use crate::failure::{Failure, Result};
use crate::manifest::class_data::Images;
use crate::manifest::render::Preset;
use crate::manifest::{Object, Phases};
use crate::names::{ImageName, Version};
use crate::tool::minikube_output::Listed;

/// What the tasks of `up` share.
pub(crate) struct Context {
    session: Session,
    /// The settings of the run.
    pub settings: Settings,
    /// The user's own manifests.
    pub files: Option<Rc<UserFiles>>,
    /// The profile's machine.
    pub machine: Machine,
    /// The install manifest.
    pub install: Install,
    /// Whether the JVMs use class-data archives (`class_data.rs`): expected at first, then decided.
    pub class_data: Cell<bool>,
    /// Whether it was decided.
    pub class_data_settled: Cell<bool>,
    /// The archives in the node, once those of this machine were copied; `None` in it if the node refused.
    pub class_data_in_node: tokio::sync::OnceCell<Option<Images>>,
    /// The name of the KafkaTopic for the run's topic; `None` if there is none.
    pub topic_resource: RefCell<Option<String>>,
}

/// The profile's machine, as far as this run knows.
pub(crate) struct Machine {
    /// What minikube listed before this run started anything.
    pub listed: OnceCell<Listed>,
    /// The Kubernetes version to request from minikube, once minikube's own version is known.
    pub kubernetes: OnceCell<Option<Version>>,
    /// minikube's version.
    pub minikube: OnceCell<String>,
    /// The volume whose images were copied into that of the new node; `None`: there was none that fits.
    pub cached_images: Rc<RefCell<Option<String>>>,
    /// Whether the user agreed to delete and re-create a profile whose machine no longer exists.
    pub recreate: Cell<bool>,
    /// Whether this run has started a `minikube start`.
    pub started: Cell<bool>,
    /// The `minikube start` of this run, which continues after the API server has responded.
    pub start: Rc<RefCell<Start>>,
    /// The state of the machine.
    pub reached: watch::Sender<Reached>,
    /// Which images are in the node, if archives are loaded.
    pub loaded: watch::Sender<Loaded>,
}

/// Which of the run's images are in the node, if archives are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loaded {
    /// None, or unknown.
    None,
    /// The operator's.
    Operator,
    /// Those of the operator, of Kafka and of the requested components. Other archives may still be loading.
    Wanted,
}

/// The state of the cluster's machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Reached {
    /// Unknown, or not running.
    #[default]
    Down,
    /// The node and its container runtime run; images can be loaded.
    Up,
    /// The API server responds.
    Api,
}

/// The `minikube start` of a run.
#[derive(Debug, Default)]
pub(crate) enum Start {
    /// This run has not started minikube.
    #[default]
    Idle,
    /// It is running.
    Running,
    /// It ended without an error.
    Done,
    /// It failed.
    Failed(Box<Failure>),
}

/// The install manifest of a run: fetched while minikube starts, prepared once.
#[derive(Default)]
pub(crate) struct Install {
    /// As it is applied.
    pub prepared: tokio::sync::OnceCell<Rc<Prepared>>,
    /// The same for JVMs with class-data archives.
    pub with_class_data: tokio::sync::OnceCell<Rc<Prepared>>,
    /// The paths of collections by API version and kind, as the API server lists them.
    pub collections: RefCell<BTreeMap<String, String>>,
    /// The download, while it runs.
    pub fetching: RefCell<Option<Fetching>>,
}

/// A download that runs while other work is done; awaiting it reports its progress.
pub(crate) type Fetching = std::pin::Pin<Box<dyn Future<Output = Result<crate::manifest::source::Install>>>>;

/// The install manifest, tuned for this run.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    /// The objects, retargeted and labelled, by phase.
    pub phases: Phases,
    /// Content digest of the objects as they are applied.
    pub digest: String,
    /// Its origin, for messages.
    pub origin: String,
    /// What the tuning for a small machine changed, one line each.
    pub tuned: Vec<String>,
    /// The registries and pull secrets of the images, one line each.
    pub from: Vec<String>,
    /// The images that the preset runs, each once.
    pub images: Vec<ImageName>,
    /// The Secret that kstrim creates from a docker login. It is never displayed.
    pub secret: Option<Object>,
}

impl std::ops::Deref for Context {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.session
    }
}

impl Context {
    /// The context of a run with these settings.
    pub(crate) fn new(session: Session, settings: Settings) -> Self {
        let topic_resource = RefCell::new(Some(settings.topic.resource_name()));
        Self {
            session,
            settings,
            files: None,
            machine: Machine::default(),
            install: Install::default(),
            class_data: Cell::new(false),
            class_data_settled: Cell::new(false),
            class_data_in_node: tokio::sync::OnceCell::new(),
            topic_resource,
        }
    }

    /// The same with the user's own manifests.
    #[must_use]
    pub(crate) fn with_files(mut self, files: Option<Rc<UserFiles>>) -> Self {
        self.files = files;
        self
    }

    /// Whether the Kafka of the run is one of the user's own manifests.
    pub(crate) fn kafka_is_from_files(&self) -> bool {
        self.files.as_ref().is_some_and(|files| files.has_kafka(self.cluster()))
    }

    /// Another context for the same cluster, with another release and its settings.
    #[must_use]
    pub(crate) fn for_release(session: &Session, settings: Settings, choice: Choice) -> Self {
        Self::new(session.for_release(choice), settings)
    }

    /// The requested preset, or the release's default.
    pub(crate) fn preset(&self) -> Preset {
        self.settings.preset.map_or_else(|| Preset::default_for(self.choice.release), Preset::from)
    }

    /// Whether a `minikube start` of this run is running.
    pub(crate) fn starting(&self) -> bool {
        matches!(*self.machine.start.borrow(), Start::Running)
    }

    /// The failure of this run's `minikube start`, returned once.
    pub(crate) fn start_result(&self) -> Result<()> {
        let mut start = self.machine.start.borrow_mut();
        match std::mem::take(&mut *start) {
            Start::Failed(failure) => Err(failure),
            other => {
                *start = other;
                Ok(())
            }
        }
    }

    /// Record the state of the machine.
    pub(crate) fn machine_is(&self, reached: Reached) {
        self.machine.reached.send_if_modified(|current| {
            let further = reached > *current;
            if further {
                *current = reached;
            }
            further
        });
    }

    /// Wait until the machine has reached this state, or the run is being stopped.
    pub(crate) async fn machine_reaches(&self, reached: Reached) {
        let mut receiver = self.machine.reached.subscribe();
        tokio::select! {
            // The sender lives in `self`, so waiting cannot fail.
            _ = receiver.wait_for(|r| *r >= reached) => {}
            // The next step of the task reports that the run was stopped.
            _ = self.cancel().cancelled() => {}
        }
    }

    /// Wait until these images are loaded from their archives, or the run is being stopped.
    pub(crate) async fn images_are_loaded(&self, images: Loaded) {
        self.emit.progress("waiting for its images", None);
        let mut receiver = self.machine.loaded.subscribe();
        tokio::select! {
            _ = receiver.wait_for(|loaded| *loaded >= images) => {}
            _ = self.cancel().cancelled() => {}
        }
    }

    fn cancel(&self) -> &Cancel {
        &self.ownership.cancel
    }
}

impl Default for Machine {
    fn default() -> Self {
        Self {
            listed: OnceCell::new(),
            kubernetes: OnceCell::new(),
            minikube: OnceCell::new(),
            cached_images: Rc::default(),
            recreate: Cell::new(false),
            started: Cell::new(false),
            start: Rc::default(),
            reached: watch::channel(Reached::Down).0,
            loaded: watch::channel(Loaded::None).0,
        }
    }
}
