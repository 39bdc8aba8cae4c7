//! Class-data archives in `up` ([`crate::manifest::class_data`]): whether the JVMs use them, the archives that earlier
//! clusters have left on this machine, and the Job that writes those that are missing.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use tokio::time::Instant;

use super::context::Context;
use super::unbundle;
use crate::catalogue::Mode;
use crate::cluster::class_data::{cached_for, directory, in_node, running};
use crate::cluster::{change, claims, existing_operator, ownership};
use crate::errors;
use crate::failure::{Failure, Kind as Failed, Result};
use crate::kube::cluster::OPERATOR;
use crate::kube::object::text;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::Object;
use crate::manifest::class_data::{self, Image, Images, Jvm, NAME, is_in, volume_name};
use crate::names::ImageName;
use crate::names::machine::is_contained_driver;
use crate::paths::cache_dir;
use crate::tool::arguments::flag_value;
use crate::tool::minikube_output::Listed;

/// The path of the volumes.
const VOLUMES: &str = "/api/v1/persistentvolumes";
/// How long an `up` waits for the copies.
const COPIED: Duration = Duration::from_secs(15);
/// How long a volume whose claim no longer exists may take to be deleted.
const RELEASED: Duration = Duration::from_secs(20);

/// Whether the JVMs of a new installation use archives, as far as that is known before the cluster runs: in a profile
/// that kstrim created. [`settle`] decides. `operators`: the operators that kstrim installed, if the cluster runs.
pub(crate) fn is_expected(cx: &Context, operators: &[Value]) -> bool {
    let here = |operator: &&Value| {
        let of = |pointer: &str| text(operator, pointer);
        of("/metadata/namespace") == cx.namespace() && of("/metadata/name") == OPERATOR
    };
    let profile = match cx.machine.listed.get() {
        Some(Listed::Valid(profile)) => cx.ownership.profile_is_ours.get() && profile.nodes <= 1,
        Some(_) => {
            let given = flag_value(&cx.settings.minikube_args, "nodes");
            let given = given.or_else(|| cx.settings.nodes.map(|nodes| nodes.to_string()));
            given.is_none_or(|nodes| nodes == "1")
        }
        None => false,
    };
    let installed = operators.iter().find(here).map(is_in);
    installed.unwrap_or(profile)
        && cx.settings.tuning().is_some()
        && cx.settings.target.context.is_none()
        && cx.existing_operator().is_none()
        && cx.preset().mode() == Mode::Kraft
        && cx.choice.release.schema.additional_volumes
}

/// Decide whether the JVMs use archives, once the cluster runs, and create the volume if they do. Without it they only
/// start more slowly: what prevents it is a warning.
///
/// # Errors
/// Those of a look for other operators.
pub(crate) async fn settle(cx: &Context) -> Result<()> {
    if cx.ownership.read_only.get() || cx.class_data_settled.replace(true) {
        return Ok(());
    }
    let expected = cx.class_data.replace(false);
    if cx.settings.target.context.is_some()
        || cx.settings.tuning().is_none()
        || existing_operator::of(cx).await?.is_some()
    {
        return Ok(());
    }
    let kinds = [ObservedKind::Deployment, ObservedKind::Claim, ObservedKind::Node];
    let snapshot = cx.synced(&kinds).await;
    let wanted = match snapshot.deployment(cx.namespace(), OPERATOR) {
        // An installation keeps what it has: another setting would restart it.
        Some(installed) => is_in(installed.0.json()),
        // With other drivers, the node is the user's own machine, or another one.
        None => {
            expected && is_contained_driver(&cx.minikube.on_disk().driver) && snapshot.nodes().count() == 1
        }
    };
    if !wanted {
        return Ok(());
    }
    let mut claims = snapshot.claims(cx.namespace());
    let bound = claims
        .find(|claim| claim.0.name() == NAME)
        .is_some_and(|claim| cx.owns(claim.0.json()) && claim.bound() && !claim.0.deleting());
    if bound {
        cx.class_data.set(true);
        return Ok(());
    }
    match create_volume(cx).await {
        Ok(()) => cx.class_data.set(true),
        Err(failure) => {
            let why = failure.causes.first().map(|cause| format!(": {cause}")).unwrap_or_default();
            let message = format!("the JVMs start without class-data archives: {}{why}", failure.message);
            cx.emit.warn(message);
        }
    }
    Ok(())
}

async fn create_volume(cx: &Context) -> Result<()> {
    let name = volume_name(cx.namespace());
    let path = format!("{VOLUMES}/{name}");
    let (volume, owned) = match read(cx, &path).await? {
        Some(volume) => {
            let owned = ownership::owned(cx, VOLUMES, std::slice::from_ref(&volume)).await?;
            (volume, owned)
        }
        None => (Value::Null, Vec::new()),
    };
    if !volume.is_null() && owned.is_empty() {
        return Err(taken(cx, "PersistentVolume", &name));
    }
    let collection = claims::collection(cx);
    let claim = match read(cx, &format!("{collection}/{NAME}")).await? {
        Some(claim) if !cx.owns(&claim) => return Err(taken(cx, "PersistentVolumeClaim", NAME)),
        Some(claim) => claim,
        None => create(cx, &collection, class_data::claim(cx.namespace())).await?,
    };
    if !text(&claim, "/metadata/deletionTimestamp").is_empty() {
        let message = format!("the PersistentVolumeClaim {NAME} is being deleted");
        return Err(Box::new(Failure::new(errors::OBJECT_TERMINATING, Failed::Task, message)));
    }
    let uid = text(&claim, "/metadata/uid");
    if text(&volume, "/spec/claimRef/uid") == uid {
        return Ok(());
    }
    if !owned.is_empty() {
        // One of an earlier claim: no other claim can be bound to it.
        ownership::delete(cx, "the volume of the class-data archives", owned).await?;
        let end = Instant::now() + RELEASED;
        while read(cx, &path).await?.is_some() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    create(cx, VOLUMES, class_data::volume(cx.namespace(), uid)).await.map(drop)
}

async fn read(cx: &Context, path: &str) -> Result<Option<Value>> {
    let found = cx.kubectl.find(path).await;
    found.map_err(|e| cx.api_failure("look up the volume of the class-data archives", &e))
}

/// Create an object of kstrim's; returns it.
async fn create(cx: &Context, collection: &str, object: Object) -> Result<Value> {
    let doing = "create the volume of the class-data archives";
    let name = object.to_string();
    let labelled = cx.labelled(vec![object]);
    let object = labelled.first().map(Object::value).unwrap_or(&Value::Null);
    let created = change::create(&cx.kubectl, collection, object).await;
    created.map_err(|e| cx.api_failure(doing, &e))?.ok_or_else(|| {
        Box::new(Failure::new(errors::OBJECT_TERMINATING, Failed::Task, format!("{name} already exists")))
    })
}

fn taken(cx: &Context, kind: &str, name: &str) -> Box<Failure> {
    let message = format!("the {kind} {name} was not created by kstrim in namespace {}", cx.namespace());
    Box::new(Failure::new(errors::OBJECT_REPLACED, Failed::Task, message))
}

/// Copy the archives for the run's images into the node, once per run: those of the cache, or else the bundle's.
/// `images`: the operator's, Kafka's. What cannot be copied within [`COPIED`] is done without.
pub(crate) async fn provide(cx: &Context, images: &[ImageName]) {
    if cx.class_data.get() {
        let copied = || async { tokio::time::timeout(COPIED, copy_in(cx, images)).await.unwrap_or_default() };
        cx.class_data_in_node.get_or_init(copied).await;
    }
}

/// Returns the archives in the node, by the images that they are for.
async fn copy_in(cx: &Context, images: &[ImageName]) -> Option<Images> {
    let mut there = in_node(cx).await?;
    let mut wanted: Vec<(Jvm, PathBuf, Option<Image>)> = Vec::new();
    for (jvm, _, found) in cached_for(&cache_dir(), images) {
        if there.0.get(&jvm) != Some(&found.image) {
            wanted.push((jvm, found.file, Some(found.image)));
        }
    }
    // One of a bundle is used in this cluster only: without an image, it is replaced by one that the Job writes.
    if let Some(bundle) = &cx.settings.bundle {
        for (jvm, file) in unbundle::class_data(cx, bundle, images).await {
            if !there.0.contains_key(&jvm) && !wanted.iter().any(|(other, ..)| *other == jvm) {
                wanted.push((jvm, file, None));
            }
        }
    }
    let directory = directory(cx);
    let copies = wanted.iter().map(|(jvm, file, _)| directory.copy_in(file, jvm.name()));
    let new: Vec<_> =
        wanted.iter().zip(join_all(copies).await).filter(|(_, copied)| *copied).map(|(new, _)| new).collect();
    let named: Vec<_> =
        new.iter().map(|(jvm, _, image)| (jvm.name(), image.as_ref().map(Image::to_string))).collect();
    if !new.is_empty() && directory.publish(&named).await {
        there.0.extend(new.into_iter().filter_map(|(jvm, _, image)| Some((*jvm, image.clone()?))));
    }
    Some(there)
}

/// What [`settle`] creates, for `kstrim plan`.
pub(crate) fn described(cx: &Context) -> Option<String> {
    let names = format!("PersistentVolumeClaim/{NAME}, PersistentVolume/{}", volume_name(cx.namespace()));
    cx.class_data.get().then(|| format!("# class-data archives: {names}"))
}

/// Once everything is ready: start the Job that writes the archives that are missing. Without archives the next cluster
/// only starts more slowly, so that a failure is not reported.
pub(crate) async fn write_missing(cx: &Context, snapshot: &Snapshot) {
    if !cx.class_data.get() || cx.ownership.read_only.get() {
        return;
    }
    let running = running(cx, snapshot);
    let lacks = |has: &Images| running.0.iter().any(|(jvm, image)| has.0.get(jvm) != Some(image));
    let namespace = cx.namespace();
    let known = cx.journal.borrow().state.class_data.get(namespace).cloned().unwrap_or_default();
    if !lacks(&Images::named(known)) {
        return;
    }
    // What the node has, as a rule since the Job of the previous run.
    let there = match cx.class_data_in_node.get() {
        Some(there) => there.clone(),
        None => in_node(cx).await,
    }
    .unwrap_or_default();
    {
        let mut journal = cx.journal.borrow_mut();
        journal.state.class_data.insert(namespace.to_owned(), there.to_names());
        // Without it, the next run looks again.
        let _ = journal.save();
    }
    let missing = running.0.into_iter().filter(|(jvm, image)| there.0.get(jvm) != Some(image)).collect();
    let secrets = cx.settings.pull_secret_names();
    if let Some(job) = class_data::job(namespace, &Images(missing), &secrets) {
        let _ = cx.apply(&cx.labelled(vec![job]), true).await;
    }
}
