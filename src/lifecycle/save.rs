//! What `kstrim snapshot save` does. The cluster is interrupted while its state is packed, and verified afterwards.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use async_trait::async_trait;
use jiff::Timestamp;

use super::state::{self, Api, Shared, succeeded};
use super::{snapshots, start};
use crate::bundle::write::{self, Source};
use crate::bundle::{Kind as EntryKind, Set, Snapshot, megabytes, platform};
use crate::cluster::journal::SuspensionState;
use crate::cluster::session::Session;
use crate::cluster::{installation, shutdown, suspension};
use crate::download::Progress;
use crate::download::background::Fetching;
use crate::engine::task::{Doneness, Plan, Spec, Task};
use crate::errors;
use crate::event::Unit;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Kafka;
use crate::kube::object::text;
use crate::kube::{Kind as ObservedKind, Object};
use crate::manifest::class_data;
use crate::names::ImageName;
use crate::quickstart::context::Context;
use crate::quickstart::{images, unbundle};
use crate::tool::minikube_output::Profile;
use crate::tool::node_state::{ETCD, VOLUMES};

/// What is saved, and where.
pub(crate) struct Wanted {
    /// The file.
    pub file: PathBuf,
    /// Whether an existing file is replaced.
    pub force: bool,
    /// Whether the images of the pods are saved, too.
    pub images: bool,
}

/// What the tasks of a save share.
pub(crate) struct Save {
    wanted: Wanted,
    /// How to start again what was stopped.
    pub(crate) shared: Rc<Shared>,
    set: Set,
    snapshot: Snapshot,
    /// The images of the pods.
    names: Vec<ImageName>,
    saved: RefCell<Vec<Source>>,
    /// The archive with the state, once it is on this machine.
    archive: RefCell<Option<PathBuf>>,
    folder: tempfile::TempDir,
}

impl Save {
    /// Read what there is to save.
    ///
    /// # Errors
    /// [`errors::SNAPSHOT_NODES`], [`errors::SNAPSHOT_VOLUME`], [`errors::BUNDLE_EXISTS`], [`errors::NO_CLUSTER`],
    /// and those of the API server.
    pub(crate) async fn prepare(cx: &Session, profile: &Profile, wanted: Wanted) -> Result<Self> {
        if !wanted.force && wanted.file.exists() {
            let message = format!("{} already exists", wanted.file.display());
            return Err(Box::new(
                Failure::new(errors::BUNDLE_EXISTS, Kind::Foreign, message)
                    .hint(format!("replace it: {}", cx.target.again().flag("--force"))),
            ));
        }
        state::only_node(cx).await?;
        volumes(cx).await?;
        let (set, snapshot) = describe(cx, profile).await?;
        let names = if wanted.images { pod_images(cx).await? } else { Vec::new() };
        let beside = wanted.file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let unwritable = |e: std::io::Error| {
            let message = format!("the snapshot {} cannot be written", wanted.file.display());
            Box::new(Failure::new(errors::BUNDLE_UNWRITABLE, Kind::Task, message).because(e))
        };
        if beside == snapshots::folder(cx.profile()) {
            // A directory of the user's is used as it is.
            crate::paths::private_dir(beside).map_err(unwritable)?;
        }
        let folder = tempfile::Builder::new().prefix(".kstrim-snapshot").tempdir_in(beside);
        Ok(Self {
            shared: Rc::default(),
            set,
            snapshot,
            names,
            saved: RefCell::default(),
            archive: RefCell::default(),
            folder: folder.map_err(unwritable)?,
            wanted,
        })
    }
}

/// Refuse volumes that are not directories of minikube's provisioners: they would be missing in the snapshot.
async fn volumes(cx: &Session) -> Result<()> {
    let volumes = cx.list("/api/v1/persistentvolumes", "list the volumes").await?;
    let outside = volumes.iter().find(|volume| {
        let paths = ["/spec/hostPath/path", "/spec/local/path"];
        let path = paths.into_iter().map(|pointer| text(volume, pointer)).find(|path| !path.is_empty());
        let inside = |path: &str| {
            VOLUMES.iter().any(|root| path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/')))
        };
        // The archives in it only make a start faster.
        let archives =
            text(volume, "/metadata/name").starts_with(class_data::NAME) && installation::by_kstrim(volume);
        !path.is_some_and(inside) && !archives
    });
    let Some(volume) = outside else { return Ok(()) };
    let claim =
        format!("{}/{}", text(volume, "/spec/claimRef/namespace"), text(volume, "/spec/claimRef/name"));
    let message =
        format!("the volume {} of the claim {claim} cannot be saved", text(volume, "/metadata/name"));
    Err(Box::new(
        Failure::new(errors::SNAPSHOT_VOLUME, Kind::Prerequisite, message)
            .because(format!("it is not a directory below {} in the node", VOLUMES.join(" or ")))
            .hint("delete it, or use a volume of minikube's storage provisioner"),
    ))
}

/// What is saved: the versions, and the profile.
async fn describe(cx: &Session, profile: &Profile) -> Result<(Set, Snapshot)> {
    let doing = "read the Kafka resource";
    let path =
        format!("{}/{}", ObservedKind::Kafka.path(cx.api_version(), Some(cx.namespace())), cx.cluster());
    let kafka = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure(doing, &e))?;
    let kafka = kafka.map(Object::new).ok_or_else(|| start::no_kafka(cx))?;
    let set = Set {
        release: cx.choice.release.version.clone(),
        kafka: Kafka(&kafka).target_version().unwrap_or_else(|| cx.choice.kafka.clone()),
        kubernetes: profile.kubernetes.parse().ok(),
        preset: "snapshot".to_owned(),
        image_registry: None,
        platform: platform(),
    };
    let snapshot = Snapshot {
        saved: Timestamp::now(),
        profile: cx.target.profile.clone(),
        namespace: cx.target.namespace.clone(),
        cluster: cx.target.cluster.clone(),
        // The run has just read it.
        cluster_uid: cx.journal.borrow().state.cluster_uid.clone().unwrap_or_default(),
        driver: profile.driver.clone(),
        runtime: profile.runtime.clone(),
        memory_mb: profile.memory_mb,
        cpus: profile.cpus,
    };
    Ok((set, snapshot))
}

/// The images of all pods but those of Kubernetes itself, which minikube has.
async fn pod_images(cx: &Session) -> Result<Vec<ImageName>> {
    let pods = cx.list("/api/v1/pods", "list the pods").await?;
    let mut names = BTreeSet::new();
    for pod in pods.iter().filter(|pod| text(pod, "/metadata/namespace") != "kube-system") {
        for pointer in ["/spec/containers", "/spec/initContainers"] {
            let containers = pod.pointer(pointer).and_then(serde_json::Value::as_array).into_iter().flatten();
            names.extend(containers.map(|container| text(container, "/image").to_owned()));
        }
    }
    // An image without a name cannot be saved under one; the kubelet needs it only on another machine.
    Ok(names.into_iter().filter_map(|name| name.parse().ok()).collect())
}

/// The tasks of a save, in display order.
pub(crate) fn plan(save: &Rc<Save>) -> Plan<Context> {
    let shared = &save.shared;
    let mut plan = Plan::default();
    plan.add(Spec::new("images", "Images", &[], 30), Images { save: save.clone(), done: Cell::new(false) });
    plan.add(
        Spec::new("brokers", "Clean shutdown", &["images"], 6),
        Shutdown { save: save.clone(), ended: RefCell::default() },
    );
    plan.add(Spec::new("state", "Cluster state", &["brokers"], 30), State(save.clone()));
    plan.add(Spec::new("api", "Kubernetes", &["state"], 10), Api(shared.clone()));
    start::add_after(&mut plan, "api");
    plan.add(
        Spec::new("file", "Snapshot file", &["state"], 60),
        SnapshotFile { save: save.clone(), written: RefCell::default() },
    );
    plan
}

/// Saves the images while the cluster is still running.
struct Images {
    save: Rc<Save>,
    done: Cell<bool>,
}

#[async_trait(?Send)]
impl Task<Context> for Images {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        let count = self.save.names.len();
        Ok(match self.done.get() || count == 0 {
            true if count == 0 => Doneness::Done("no images are saved".into()),
            true => Doneness::Done(format!("{count} images are saved")),
            false => Doneness::Pending(format!("{count} images to save")),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let total = self.save.names.len() as u64;
        let mut saved = Vec::new();
        for (number, image) in self.save.names.iter().enumerate() {
            cx.emit.progress(format!("saving {image}"), Some((number as u64, total, Unit::Items)));
            let name = format!("{number}.tar");
            let file = self.save.folder.path().join(&name);
            images::save(cx, image, &file).await?;
            saved.push(Source { images: vec![image.clone()], ..Source::plain(EntryKind::Image, name, file) });
        }
        *self.save.saved.borrow_mut() = saved;
        self.done.set(true);
        Ok(())
    }
}

/// The clean shutdown of Kafka, then of everything else in the node.
struct Shutdown {
    save: Rc<Save>,
    ended: RefCell<Option<String>>,
}

#[async_trait(?Send)]
impl Task<Context> for Shutdown {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match &*self.ended.borrow() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("shutting down cleanly".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let node = state::only_node(cx).await?;
        suspension::record(cx, Some(SuspensionState::Saving.now()))?;
        *self.save.shared.stopped.borrow_mut() = Some(node.clone());
        let nodes = std::slice::from_ref(&node);
        let count = shutdown::shut_down(&cx.minikube, nodes, |what| cx.emit.progress(what, None)).await?;
        cx.emit.progress("stopping everything else", None);
        state::stop_containers(cx, &node, true).await?;
        *self.ended.borrow_mut() = Some(shutdown::describe(count));
        Ok(())
    }
}

/// Packs the state in the node, and copies it out.
struct State(Rc<Save>);

#[async_trait(?Send)]
impl Task<Context> for State {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        let archive = self.0.archive.borrow();
        let size = archive.as_ref().and_then(|file| file.metadata().ok()).map(|m| m.len());
        Ok(match size {
            Some(size) => Doneness::Done(format!("{} are packed", megabytes(size))),
            None => Doneness::Pending("packing etcd's data and the volumes".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let Some(node) = self.0.shared.stopped.borrow().clone() else { return Ok(()) };
        let paths = cx.minikube.state_paths(&node).await?;
        if !paths.iter().any(|path| path == ETCD) {
            let message = format!("etcd has no data in the node of the profile {}", cx.profile());
            return Err(Box::new(Failure::new(errors::SNAPSHOT_NODE, Kind::Task, message)));
        }
        let packed = cx.minikube.pack_state(&node, &paths).await?;
        succeeded(cx, &packed, "pack the state of the cluster")?;
        let file = self.0.folder.path().join("state.tar.gz");
        let copied = cx.minikube.copy_state_out(&node, &file).await?;
        succeeded(cx, &copied, "copy the state of the cluster")?;
        *self.0.archive.borrow_mut() = Some(file);
        Ok(())
    }
}

/// Writes the file while the cluster starts again.
struct SnapshotFile {
    save: Rc<Save>,
    written: RefCell<Option<String>>,
}

#[async_trait(?Send)]
impl Task<Context> for SnapshotFile {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        Ok(match &*self.written.borrow() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("writing the file".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let Save { wanted, set, snapshot, saved, archive, .. } = &*self.save;
        let Some(state) = archive.borrow().clone() else { return Ok(()) };
        let mut sources = vec![Source::plain(EntryKind::State, "state.tar.gz".to_owned(), state)];
        sources.extend(saved.borrow().iter().cloned());
        let size =
            sources.iter().filter_map(|source| source.file.metadata().ok()).map(|meta| meta.len()).sum();
        let (to, force, set, snapshot) = (wanted.file.clone(), wanted.force, set.clone(), snapshot.clone());
        let writing = Fetching::begin(move |progress| {
            let step = &mut unbundle::step(size, progress);
            let written = write::write(&to, set, Some(snapshot), &sources, force, step)?;
            let stopped = "writing the snapshot was stopped";
            written.ok_or_else(|| Box::new(Failure::new(errors::INTERRUPTED, Kind::Interrupted, stopped)))
        });
        let show = |progress: Progress| {
            let of = progress.total.map(|total| (progress.done, total, Unit::Bytes));
            cx.emit.progress("writing the file", of);
        };
        writing.finish(show).await?;
        let size = wanted.file.metadata().map_or(0, |meta| meta.len());
        *self.written.borrow_mut() = Some(format!("{} ({})", wanted.file.display(), megabytes(size)));
        Ok(())
    }
}
