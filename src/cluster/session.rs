//! A session: a cluster that a command works on, with everything that commands need for that.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::existing_operator::{self, ExistingOperator};
use super::forwards::Forwards;
use super::installation::Installation;
use super::journal::JournalFile;
use super::lease::Lease;
use crate::catalogue::Choice;
use crate::config::Target;
use crate::event::Emit;
use crate::exec::cancel::Cancel;
use crate::explain::Expect;
use crate::failure::{Failure, Result};
use crate::kafka::Security;
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, Kind, Object as Observed, Snapshot, Store, Version, Watcher};
use crate::manifest::{self, Object};
use crate::tool::minikube::Minikube;
use serde_json::Value;

/// A cluster that a command works on.
pub(crate) struct Session {
    /// Profile or context, namespace and Kafka cluster.
    pub target: Target,
    /// The release, and the versions that belong to it.
    pub choice: Choice,
    /// minikube for the profile.
    pub minikube: Rc<Minikube>,
    /// kubectl for the profile's context.
    pub kubectl: Rc<Kubectl>,
    /// The state of the cluster, kept up to date by watches.
    pub store: View,
    /// Which objects belong to kstrim, and may be changed.
    pub ownership: Rc<Ownership>,
    /// What waits have done and reported so far.
    pub waiting: Waiting,
    /// How kstrim's own client reaches the brokers.
    pub access: Access,
    /// The profile's journal.
    pub journal: Rc<RefCell<JournalFile>>,
    /// Where events go.
    pub emit: Emit,
}

/// How kstrim's own client reaches the brokers.
pub(crate) struct Access {
    /// Port-forwards to the brokers, shared by everything that connects to them.
    pub forwards: Rc<Forwards>,
    /// The port and the credentials that kstrim's own client uses for the brokers if no listener accepts clients
    /// without credentials (`cluster/access.rs`).
    pub credentials: RefCell<Option<(u16, Security)>>,
    /// Whether this run has created the user of the smoke test, and has to delete it.
    pub test_user: Cell<bool>,
}

impl Access {
    fn new(kubectl: &Rc<Kubectl>, namespace: &str) -> Self {
        Self {
            forwards: Forwards::new(kubectl.clone(), namespace),
            credentials: RefCell::default(),
            test_user: Cell::default(),
        }
    }
}

/// What belongs to kstrim, once it has been looked up.
#[derive(Default)]
pub(crate) struct Ownership {
    /// Whether kstrim created the profile.
    pub profile_is_ours: Cell<bool>,
    /// Whether nothing may be written, neither in the cluster nor in the journal: `plan`.
    pub read_only: Cell<bool>,
    /// The installation in the namespace.
    pub installation: RefCell<Option<Installation>>,
    /// The operator that kstrim did not install and that watches the namespace, once it was looked up.
    pub existing: OnceCell<Option<Rc<ExistingOperator>>>,
    /// Held while the installation is looked up: concurrent tasks must not each propose an id.
    pub looking: tokio::sync::Mutex<()>,
    /// The namespace's Lease, while this run changes something.
    pub lease: RefCell<Option<Lease>>,
    /// Stops the run, also when its Lease is lost.
    pub cancel: Cancel,
}

/// What waits have done and reported.
pub(crate) struct Waiting {
    /// When the run began: older objects existed before it.
    pub began: Timestamp,
    /// Remediations of this run, and when.
    pub remedied: RefCell<BTreeMap<String, Instant>>,
    /// The operator of another namespace that reconciles this one, as it was read, and when.
    pub remote_operator: RefCell<Option<(Instant, Vec<Observed>)>>,
    /// Whether other operators of the cluster were reported.
    pub operators_reported: Cell<bool>,
}

impl Waiting {
    fn since(began: Timestamp) -> Self {
        Self {
            began,
            remedied: RefCell::default(),
            remote_operator: RefCell::default(),
            operators_reported: Cell::default(),
        }
    }
}

/// The state of the cluster: a store, and the watches that fill it.
pub(crate) struct View {
    store: Rc<Store>,
    /// The version of Strimzi's resources that the API server serves, once that was queried.
    served: Cell<Option<Version>>,
    watchers: RefCell<Vec<Watcher>>,
    watched: RefCell<Vec<Kind>>,
}

impl View {
    fn new(served: Option<Version>) -> Self {
        Self {
            store: Rc::new(Store::new()),
            served: Cell::new(served),
            watchers: RefCell::default(),
            watched: RefCell::default(),
        }
    }

    /// The API server serves this version of Strimzi's resources.
    pub(crate) fn serves(&self, version: Option<Version>) {
        self.served.set(version);
    }
}

impl std::ops::Deref for View {
    type Target = Store;

    fn deref(&self) -> &Store {
        &self.store
    }
}

impl Session {
    /// What readiness is checked against.
    pub(crate) fn expect(&self) -> Expect {
        let mut expect = Expect::kafka(self.namespace(), self.cluster());
        expect.aims = self.target.target_flags();
        expect.node_started = self.journal.borrow().state.node_started;
        expect
    }

    /// The items of a collection, none if the API server does not serve it; `doing` as for [`Session::api_failure`].
    pub(crate) async fn list(&self, path: &str, doing: &str) -> Result<Vec<Value>> {
        self.kubectl.list(path).await.map_err(|e| self.api_failure(doing, &e))
    }

    /// The failure of a request to the API server; `doing` completes "cannot ...".
    pub(crate) fn api_failure(&self, doing: &str, error: &ApiError) -> Box<Failure> {
        Box::new(crate::explain::kubectl::explain(error, doing, self.profile(), &self.expect()))
    }

    /// A session in which nothing was read yet.
    pub(crate) fn new(
        target: Target,
        choice: Choice,
        minikube: Minikube,
        kubectl: Kubectl,
        emit: Emit,
        cancel: Cancel,
        journal: Rc<RefCell<JournalFile>>,
    ) -> Self {
        let kubectl = Rc::new(kubectl);
        Self {
            access: Access::new(&kubectl, target.namespace.as_str()),
            target,
            choice,
            minikube: Rc::new(minikube),
            kubectl,
            store: View::new(None),
            ownership: Rc::new(Ownership { cancel, ..Ownership::default() }),
            waiting: Waiting::since(Timestamp::now()),
            journal,
            emit,
        }
    }

    /// A session of the same cluster for another release: nothing is watched yet.
    #[must_use]
    pub(crate) fn for_release(&self, choice: Choice) -> Self {
        Self {
            target: self.target.clone(),
            choice,
            minikube: self.minikube.clone(),
            kubectl: self.kubectl.clone(),
            store: View::new(self.store.served.get()),
            ownership: self.ownership.clone(),
            waiting: Waiting::since(self.waiting.began),
            access: Access::new(&self.kubectl, self.namespace()),
            journal: self.journal.clone(),
            emit: self.emit.clone(),
        }
    }

    /// Whether an object belongs to the installation in the namespace. Nothing does before the installation has been
    /// looked up (`ownership::installation`).
    pub(crate) fn owns(&self, object: &serde_json::Value) -> bool {
        self.ownership.installation.borrow().as_ref().is_some_and(|installation| installation.owns(object))
    }

    /// The operator that kstrim did not install and uses; also `None` before it was looked up.
    pub(crate) fn existing_operator(&self) -> Option<&Rc<ExistingOperator>> {
        self.ownership.existing.get()?.as_ref()
    }

    /// Apply objects with the installation's id; `force` takes over fields that another manager owns. Returns what
    /// kubectl printed on stderr.
    ///
    /// # Errors
    /// What the API server rejected; some of the objects may have been applied.
    pub(crate) async fn apply(&self, objects: &[Object], force: bool) -> Result<String, ApiError> {
        self.kubectl.apply(&manifest::to_yaml(&self.stamped(objects)), force).await
    }

    /// Objects with the installation's id, as they are applied.
    pub(crate) fn stamped(&self, objects: &[Object]) -> Vec<Object> {
        let mut objects = objects.to_vec();
        if let Some(installation) = &*self.ownership.installation.borrow() {
            manifest::label::stamp(&mut objects, installation.id());
        }
        if let Some(operator) = self.existing_operator() {
            existing_operator::select(&mut objects, &operator.selector());
        }
        objects
    }

    /// Objects with kstrim's label and annotations, and the installation's id.
    pub(crate) fn labelled(&self, mut objects: Vec<Object>) -> Vec<Object> {
        let digest = manifest::digest(&objects);
        manifest::label(&mut objects, &digest, &self.choice.release.version.to_string());
        self.stamped(&objects)
    }

    /// The namespace.
    pub(crate) fn namespace(&self) -> &str {
        self.target.namespace.as_str()
    }

    /// The Kafka cluster's name.
    pub(crate) fn cluster(&self) -> &str {
        self.target.cluster.as_str()
    }

    /// The profile's name.
    pub(crate) fn profile(&self) -> &str {
        self.target.profile.as_str()
    }

    /// The version of Strimzi's resources: the one that the API server serves, if that is known, otherwise that of
    /// the release.
    pub(crate) fn api_version(&self) -> Version {
        if let Some(served) = self.store.served.get() {
            served
        } else if self.choice.release.api_versions.iter().any(|v| v == "v1") {
            Version::V1
        } else {
            Version::V1Beta2
        }
    }

    /// Watch `kinds` from now on; existing watches are kept.
    pub(crate) fn observe(&self, kinds: &[Kind]) {
        let mut watched = self.store.watched.borrow_mut();
        let new: Vec<Kind> = kinds.iter().copied().filter(|kind| !watched.contains(kind)).collect();
        if new.is_empty() {
            return;
        }
        watched.extend(&new);
        let watcher = Watcher::start(
            self.kubectl.clone(),
            new,
            self.api_version(),
            self.namespace(),
            self.store.store.clone(),
        );
        self.store.watchers.borrow_mut().push(watcher);
    }

    /// Watch `kinds` and wait until each was listed once.
    pub(crate) async fn synced(&self, kinds: &[Kind]) -> Snapshot {
        self.observe(kinds);
        loop {
            let version = self.store.version();
            if kinds.iter().all(|k| self.store.synced(*k)) {
                return self.store.snapshot();
            }
            self.store.newer_by_lists(version).await;
        }
    }

    /// Returns when the cluster has changed, after a second at the latest: some causes depend on the time.
    pub(crate) async fn changed_or_second(&self) {
        let version = self.store.version();
        tokio::select! {
            _ = self.store.newer_than(version) => {}
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }

    /// Stop the watches and discard their objects: the cluster has been replaced by another one.
    pub(crate) fn forget_observed(&self) {
        self.stop_observing();
        self.store.watched.borrow_mut().clear();
        self.store.store.clear();
    }

    /// Stop watching.
    pub(crate) fn stop_observing(&self) {
        self.store.watchers.borrow_mut().clear();
    }
}
