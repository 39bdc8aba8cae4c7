//! What `kstrim snapshot restore` does: in a profile that exists, only its state is replaced; otherwise the profile
//! is created first, with the settings of the one that was saved.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;

use async_trait::async_trait;

use super::start;
use super::state::{self, Api, Shared, succeeded};
use crate::bundle::{Bundle, Kind as EntryKind, Snapshot};
use crate::command_line::CommandLine;
use crate::download::background::Fetching;
use crate::engine::task::{Doneness, Plan, Spec, Task};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::ImageName;
use crate::quickstart::context::{Context, Reached};
use crate::quickstart::{cluster, images, preflight, unbundle};
use crate::tool::minikube_output::Profile;

/// The snapshot that is restored.
pub(crate) struct Restore {
    bundle: Bundle,
    snapshot: Snapshot,
    shared: Rc<Shared>,
}

/// What exists before the restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    /// Nothing: the profile is created.
    Nothing,
    /// A profile whose machine does not run, or is paused: it is started.
    Suspended,
    /// A profile whose machine runs, whatever runs in it.
    Machine,
}

impl Restore {
    /// The snapshot of a bundle.
    ///
    /// # Errors
    /// [`errors::SNAPSHOT_OTHER`]: it is not a snapshot, or it is one of another platform.
    pub(crate) fn new(bundle: Bundle) -> Result<Self> {
        let origin = bundle.path.display().to_string();
        let Some(snapshot) = bundle.index.snapshot.clone() else {
            let failure = other(Kind::Usage, format!("{origin} is a bundle without the state of a cluster"));
            let up = CommandLine::new("kstrim up --bundle").arg(&origin);
            return Err(Box::new(failure.hint(format!("create a cluster from it: {up}"))));
        };
        let (saved, here) = (&bundle.index.set.platform, crate::bundle::platform());
        let architecture = |platform: &str| platform.rsplit('-').next().unwrap_or_default().to_owned();
        if architecture(saved) != architecture(&here) {
            let failure =
                other(Kind::Usage, format!("the snapshot {origin} is from another kind of machine"));
            let why = format!("its images are for {saved}, and this machine is {here}");
            return Err(Box::new(failure.because(why)));
        }
        Ok(Self { bundle, snapshot, shared: Rc::default() })
    }

    /// The profile that was saved.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// The bundle.
    pub(crate) fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Refuse a profile of another name.
    ///
    /// # Errors
    /// [`errors::SNAPSHOT_OTHER`].
    pub(crate) fn is_of_profile(&self, cx: &Context) -> Result<()> {
        let (profile, saved) = (cx.profile(), self.snapshot.profile.as_str());
        if profile != saved {
            let again = cx.target.again().with("--profile", saved);
            return Err(Box::new(
                other(Kind::Prerequisite, format!("the snapshot is of the profile {saved}, not {profile}"))
                    .because("the node has the name of the profile, and the snapshot contains it")
                    .hint(format!("restore it as that profile: {again}")),
            ));
        }
        Ok(())
    }

    /// Refuse a profile with another Kubernetes.
    ///
    /// # Errors
    /// [`errors::SNAPSHOT_OTHER`].
    pub(crate) fn fits(&self, cx: &Context, found: &Profile) -> Result<()> {
        let wanted = self.bundle.index.set.kubernetes.as_ref().map(ToString::to_string);
        if let Some(wanted) = wanted.filter(|wanted| found.kubernetes != *wanted) {
            let (profile, has) = (cx.profile(), &found.kubernetes);
            let what = format!("the profile {profile} has Kubernetes {has}, the snapshot {wanted}");
            return Err(Box::new(
                other(Kind::Prerequisite, what)
                    .hint(format!("delete the profile first: {}", cx.target.kstrim("down")))
                    .hint(format!("then restore it: {}", cx.target.again())),
            ));
        }
        Ok(())
    }
}

fn other(kind: Kind, what: String) -> Failure {
    Failure::new(errors::SNAPSHOT_OTHER, kind, what)
}

/// The tasks of a restore, in display order.
pub(crate) fn plan(restore: &Rc<Restore>, before: Before) -> Plan<Context> {
    let mut plan = Plan::default();
    // A new machine takes images before its API server responds.
    let (cluster_needs, images_need, needs): (&[_], &[_], &[_]) = match before {
        Before::Nothing => (&["preflight"], &["preflight"], &["cluster", "images"]),
        Before::Suspended => (&[], &["cluster"], &["images"]),
        Before::Machine => (&[], &[], &["images"]),
    };
    if before == Before::Nothing {
        plan.add(Spec::new("preflight", "Preflight", &[], 30), preflight::Preflight::without_install());
    }
    if before != Before::Machine {
        plan.add(Spec::new("cluster", "minikube cluster", cluster_needs, 40), cluster::Cluster::default());
    }
    let images = Images { restore: restore.clone(), before, done: Cell::new(false) };
    plan.add(Spec::new("images", "Images", images_need, 30), images);
    plan.add(
        Spec::new("state", "Cluster state", needs, 30),
        State { restore: restore.clone(), replaced: Cell::new(false) },
    );
    plan.add(Spec::new("api", "Kubernetes", &["state"], 10), Api(restore.shared.clone()));
    start::add_after(&mut plan, "api");
    plan
}

/// Loads the images that the node does not have.
struct Images {
    restore: Rc<Restore>,
    before: Before,
    done: Cell<bool>,
}

impl Images {
    fn names(&self) -> Vec<ImageName> {
        let entries = self.restore.bundle.index.of(EntryKind::Image);
        entries.flat_map(|entry| entry.images.iter().cloned()).collect()
    }
}

#[async_trait(?Send)]
impl Task<Context> for Images {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        let count = self.names().len();
        Ok(match self.done.get() || count == 0 {
            true if count == 0 => Doneness::Done("the snapshot has no images".into()),
            true => Doneness::Done(format!("{count} images are in the node")),
            false => Doneness::Pending("looking for images".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        if self.before == Before::Nothing {
            cx.machine_reaches(Reached::Up).await;
        }
        let missing = images::missing_of(cx, &self.names()).await;
        if missing.is_none_or(|missing| !missing.is_empty()) {
            let archives = unbundle::archives(cx, &self.restore.bundle).await?;
            images::load(cx, &archives).await?;
        }
        self.done.set(true);
        Ok(())
    }
}

/// Replaces the state of the node's cluster.
struct State {
    restore: Rc<Restore>,
    replaced: Cell<bool>,
}

#[async_trait(?Send)]
impl Task<Context> for State {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match self.replaced.get() {
            true => Doneness::Done(format!("as saved {}", self.restore.snapshot.saved_at())),
            false => Doneness::Pending("replacing etcd's data and the volumes".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        // minikube writes into the cluster until its start has ended.
        while cx.starting() {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
        cx.start_result()?;
        let Restore { bundle, snapshot, shared } = &*self.restore;
        let node = state::only_node(cx).await?;
        let Some(entry) = bundle.index.of(EntryKind::State).next().cloned() else { return Ok(()) };
        // Unpacked and verified before anything is stopped.
        let from = bundle.clone();
        let unpacking = Fetching::begin(move |progress| unbundle::cached(&from, &entry, progress));
        let file = unpacking.finish(|_| ()).await?;
        cx.emit.progress("copying the state into the node", None);
        let copied = cx.minikube.copy_state_in(&node, &file).await?;
        // A second copy is not needed.
        let _ = std::fs::remove_file(&file);
        succeeded(cx, &copied, "copy the state of the snapshot")?;
        succeeded(cx, &cx.minikube.test_state(&node).await?, "read the state of the snapshot")?;
        {
            let mut journal = cx.journal.borrow_mut();
            journal.state.restoring = Some(std::path::absolute(&bundle.path).unwrap_or(bundle.path.clone()));
            journal.save()?;
        }
        *shared.stopped.borrow_mut() = Some(node.clone());
        cx.emit.progress("stopping everything", None);
        succeeded(cx, &cx.minikube.stop_kubelet(&node).await?, "stop the kubelet")?;
        state::stop_containers(cx, &node, false).await?;
        cx.emit.progress("replacing etcd's data and the volumes", None);
        succeeded(cx, &cx.minikube.clear_state(&node).await?, "delete the state of the cluster")?;
        succeeded(cx, &cx.minikube.unpack_state(&node).await?, "unpack the state of the snapshot")?;
        *shared.cluster_uid.borrow_mut() = Some(snapshot.cluster_uid.clone());
        {
            let mut journal = cx.journal.borrow_mut();
            journal.state.release = Some(bundle.index.set.release.to_string());
            // The ids of the installations are those in the snapshot.
            journal.state.installations.clear();
            journal.state.clusters =
                BTreeMap::from([(snapshot.namespace.to_string(), snapshot.cluster.to_string())]);
            journal.state.creating_topic = None;
            journal.state.removing.clear();
            journal.save()?;
        }
        self.replaced.set(true);
        Ok(())
    }
}
