//! The images of a profile's node, kept in a volume of the container engine for the node of the next profile.
//!
//! minikube's driver docker keeps `/var` of a node in a volume of the profile's name, and uses one that exists. So
//! `down` brings containerd's layers and databases into a volume of kstrim's, and `up` from there into the volume of a
//! new profile, in place of pulling, loading or unpacking images. A file of kstrim's cache says what the volume
//! contains. It fits nodes that are created by the same minikube from the same base image with the same options.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::journal::ProfileState;
use super::session::Session;
use super::{class_data, profile_owner};
use crate::engine::lock::Lock;
use crate::errors;
use crate::exec::Output;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::class_data::{ARCHIVES, Images, ROOT};
use crate::names::ImageName;
use crate::paths::{cache_dir, private_dir};
use crate::tool::engine::{Copy, Engine};
use crate::tool::minikube::{Minikube, NodeImage};

/// The driver whose nodes have such a volume.
pub(crate) const DRIVER: &str = "docker";
/// The label of volumes that kstrim creates; its value identifies one of them.
pub(crate) const LABEL: &str = "io.github.kstrim.volume";
/// The label of a profile's volume that kstrim fills; its value is in the journal until minikube uses the volume.
pub(crate) const FILLED: &str = "io.github.kstrim.filled";
/// Version of the file.
const SCHEMA: u32 = 1;
/// How long `down` may take longer for the images.
const KEEP: Duration = Duration::from_secs(75);
/// The free space that has to be left in the engine, in MiB: the images of one release need about 1700.
const FREE: u64 = 8 << 10;
/// Where the names of images begin that minikube itself needs (its `pkg/minikube/bootstrapper/images`).
const OF_MINIKUBE: [&str; 4] = ["registry.k8s.io/", "gcr.io/k8s-minikube/", "docker.io/kindest/", "kindest/"];
/// What is copied, relative to `/var`: containerd's databases of images and of their layers, and the programs of
/// Kubernetes. Class-data archives come with them.
const COPIED: [&str; 3] = [
    "lib/containerd/io.containerd.metadata.v1.bolt",
    "lib/containerd/io.containerd.snapshotter.v1.overlayfs/metadata.db",
    "lib/minikube/binaries",
];
/// What is linked: layers of images, compressed and unpacked. containerd never changes a file of a committed layer: it
/// creates and deletes them.
const LINKED: [&str; 2] = [
    "lib/containerd/io.containerd.content.v1.content/blobs",
    "lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots",
];

/// What a volume contains.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cached {
    /// The volume; empty if there is none.
    pub volume: String,
    /// The value of its [`LABEL`].
    pub label: String,
    /// The engine's id.
    pub engine: String,
    /// The id of the base image of the node.
    pub base_image: String,
    /// What else has to be the same: minikube's version and its options.
    pub key: String,
    /// The images: name to digest of the configuration.
    pub images: BTreeMap<String, String>,
    /// The namespace whose class-data archives it has.
    #[serde(default)]
    pub namespace: String,
    /// These archives: the JVMs and the images that they are for.
    #[serde(default)]
    pub class_data: BTreeMap<String, String>,
}

/// The file in the cache.
#[derive(Debug, Default, Serialize, Deserialize)]
struct File {
    schema: u32,
    #[serde(flatten)]
    cached: Cached,
    /// Volumes of kstrim's that are to be removed, and the values of their labels.
    #[serde(default)]
    obsolete: BTreeMap<String, String>,
}

/// Whether an image is one of Strimzi's releases: its tag never refers to another image.
pub(crate) fn is_released(image: &str) -> bool {
    let tag =
        image.strip_prefix("quay.io/strimzi/").and_then(|rest| rest.rsplit_once(':')).map(|(_, tag)| tag);
    tag.is_some_and(|tag| tag.starts_with(|c: char| c.is_ascii_digit()) && !tag.contains("SNAPSHOT"))
}

/// How the key of a profile names an image that was loaded from an archive, by the digest of its configuration.
pub(crate) fn loaded(image: &str, digest: &str) -> String {
    format!("{image}@{digest}")
}

/// From now on the profile has images that are not what its key says.
///
/// # Errors
/// The journal cannot be written.
pub(crate) fn changes(cx: &Session, images: &[(ImageName, String)]) -> Result<()> {
    let key = cx.journal.borrow().state.image_cache.clone();
    let named = |(image, digest): &(ImageName, String)| {
        key.as_ref().is_some_and(|key| key.contains(&loaded(image.as_str(), digest)))
    };
    if key.is_none() || !images.is_empty() && images.iter().all(named) {
        return Ok(());
    }
    let mut journal = cx.journal.borrow_mut();
    journal.state.image_cache = None;
    journal.save()
}

fn path(cache: &Path) -> PathBuf {
    cache.join("image-cache.json")
}

fn read(cache: &Path) -> File {
    let file = fs::read(path(cache)).ok();
    let file: Option<File> = file.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    file.filter(|file| file.schema == SCHEMA).unwrap_or_default()
}

fn write(cache: &Path, file: &mut File) -> Option<()> {
    file.schema = SCHEMA;
    private_dir(cache).ok()?;
    let mut new = tempfile::NamedTempFile::new_in(cache).ok()?;
    serde_json::to_writer_pretty(&mut new, file).ok()?;
    new.persist(path(cache)).ok().map(drop)
}

/// Exclude other commands that use the cache; `None`: one does.
pub(crate) fn lock(cache: &Path, command: &str) -> Option<Lock> {
    Lock::take(&cache.join("image-cache.lock"), command).ok()
}

/// What the cache has for a node that is created with this key.
pub(crate) fn cached(cache: &Path, key: &str) -> Option<Cached> {
    let cached = read(cache).cached;
    (!cached.volume.is_empty() && cached.key == key).then_some(cached)
}

/// Forget a volume with which a node could not be created; the next [`keep`] removes it.
pub(crate) fn discard(cache: &Path, volume: &str) {
    let Some(_alone) = lock(cache, "up") else { return };
    discard_locked(cache, volume);
}

/// The same under the [`lock`].
pub(crate) fn discard_locked(cache: &Path, volume: &str) {
    let mut file = read(cache);
    if file.cached.volume == volume {
        let old = std::mem::take(&mut file.cached);
        file.obsolete.insert(old.volume, old.label);
        let _ = write(cache, &mut file);
    }
}

/// The images that are kept: those that minikube needs, and those with these names. `None`: one of these is missing.
fn wanted<'a>(there: &'a [NodeImage], used: &BTreeSet<String>) -> Option<Vec<&'a NodeImage>> {
    let all_there = used.iter().all(|name| there.iter().any(|image| image.is(name)));
    let of_minikube = |image: &NodeImage| {
        image.names.iter().any(|name| OF_MINIKUBE.iter().any(|prefix| name.starts_with(prefix)))
    };
    let keep = |image: &&NodeImage| of_minikube(image) || used.iter().any(|name| image.is(name));
    all_there.then(|| there.iter().filter(keep).collect())
}

/// Keep the images of a running profile that is about to be deleted: this stops everything in its node. Without them
/// the next profile only takes longer, so that nothing of this is an error. Returns the volume that has them.
pub(crate) async fn keep(cx: &Session) -> Option<String> {
    cx.journal.borrow().state.image_cache.as_ref()?;
    tokio::time::timeout(KEEP, keep_new(cx)).await.ok().flatten()
}

/// Delete the profile with its volume; returns what minikube printed. Copies of this run or of an interrupted one are
/// stopped before: minikube cannot remove a volume that they use, and does not say so.
///
/// # Errors
/// minikube cannot be run.
pub(crate) async fn delete_profile(minikube: &Minikube, journal: &ProfileState) -> Result<Output> {
    let copies = journal.image_cache.is_some() || journal.filling_volume.is_some();
    if let Some(engine) = minikube.engine(DRIVER).filter(|_| copies) {
        engine.stop_copies(&journal.profile).await;
    }
    minikube.delete().await
}

/// Remove the volume of a profile that an interrupted run has filled in part, and that no profile uses.
///
/// # Errors
/// [`errors::ENGINE_BROKEN`] if it cannot be removed; the journal cannot be written.
pub(crate) async fn remove_unfinished(cx: &Session) -> Result<()> {
    let Some(label) = cx.journal.borrow().state.filling_volume.clone() else { return Ok(()) };
    let Some(engine) = cx.minikube.engine(DRIVER) else { return Ok(()) };
    engine.stop_copies(cx.profile()).await;
    let found = engine.volume_label(cx.profile(), FILLED).await;
    if found.as_deref() == Some(label.as_str()) {
        if !engine.remove_volume(cx.profile()).await {
            let name = cx.profile();
            let message =
                format!("the volume {name}, which an interrupted run has filled in part, cannot be removed");
            return Err(Box::new(
                Failure::new(errors::ENGINE_BROKEN, Kind::Task, message)
                    .hint(format!("remove it: docker volume rm {name}")),
            ));
        }
    } else if engine.has_volume(cx.profile()).await.is_none() {
        let message = "the container engine does not say whether a volume exists that an interrupted run has filled in part";
        return Err(Box::new(
            Failure::new(errors::ENGINE_BROKEN, Kind::Task, message)
                .hint("check the engine: docker volume ls"),
        ));
    }
    let mut journal = cx.journal.borrow_mut();
    journal.state.filling_volume = None;
    journal.save()
}

async fn keep_new(cx: &Session) -> Option<String> {
    let key = cx.journal.borrow().state.image_cache.clone()?;
    let ours = cx.ownership.profile_is_ours.get();
    if !ours || cx.minikube.on_disk().driver != DRIVER {
        return None;
    }
    let cache = cache_dir();
    let _alone = lock(&cache, "down")?;
    let engine = cx.minikube.engine(DRIVER)?;
    let mut file = read(&cache);
    remove_obsolete(&engine, &cache, &mut file).await;
    let made = cx.journal.borrow().state.made.as_ref()?.engine.clone()?;
    if profile_owner::engine(&cx.minikube, DRIVER).await?.id != made.id {
        return None;
    }
    let nodes = cx.minikube.nodes().await.ok()?;
    let [node] = nodes.as_slice() else { return None };
    let mut used = used(cx).await?;
    used.retain(|name| is_released(name) || key.contains(&loaded(name, "")));
    let there = cx.minikube.images().await.ok()?;
    let wanted = wanted(&there, &used)?;
    let base_image = engine.image_of(cx.profile()).await?;
    let class_data = class_data::in_node(cx).await;
    let mut new = Cached {
        volume: String::new(),
        label: uuid::Uuid::new_v4().to_string(),
        engine: made.id,
        base_image,
        key,
        images: BTreeMap::new(),
        namespace: cx.namespace().to_owned(),
        class_data: class_data.as_ref().map(Images::to_names).unwrap_or_default(),
    };
    for image in &wanted {
        new.images.extend(image.names.iter().map(|name| (name.clone(), image.digest().to_owned())));
    }
    if is_up_to_date(&engine, &file.cached, &new).await {
        return Some(file.cached.volume);
    }
    if cx.minikube.free_for_images(node).await? < FREE {
        return None;
    }
    cx.emit.progress("keeping the images of the node for the next profile", None);
    let lease = format!("kstrim-{}", new.label);
    let unwanted: Vec<&str> =
        there.iter().filter(|image| !wanted.contains(image)).map(NodeImage::digest).collect();
    if !cx.minikube.empty_runtime(node, &unwanted, &lease).await.ok()? {
        return None;
    }
    new.volume = format!("kstrim-images-{}", &new.label[..8]);
    let created = new.volume.clone();
    // Recorded before it exists, so that an interrupted copy is removed later.
    file.obsolete.insert(new.volume.clone(), new.label.clone());
    write(&cache, &mut file)?;
    if !engine.create_volume(&new.volume, &[(LABEL, &new.label)]).await {
        return None;
    }
    if copy(&engine, cx.profile(), &new, (cx.profile(), &new.volume), "/to").await {
        file.obsolete.remove(&new.volume);
        let old = std::mem::replace(&mut file.cached, new);
        if !old.volume.is_empty() {
            file.obsolete.insert(old.volume, old.label);
        }
        write(&cache, &mut file)?;
    }
    remove_obsolete(&engine, &cache, &mut file).await;
    Some(file.cached.volume).filter(|volume| *volume == created)
}

/// Remove volumes of kstrim's that are no longer used.
async fn remove_obsolete(engine: &Engine, cache: &Path, file: &mut File) {
    if file.obsolete.is_empty() {
        return;
    }
    for (volume, label) in file.obsolete.clone() {
        let gone = match engine.volume_label(&volume, LABEL).await {
            Some(found) if found == label => engine.remove_volume(&volume).await,
            // Of another engine, perhaps.
            _ => engine.has_volume(&volume).await == Some(false),
        };
        if gone {
            file.obsolete.remove(&volume);
        }
    }
    let _ = write(cache, file);
}

/// The images of the operator and of Kafka, as running pods name them. `None` without a running broker and operator.
async fn used(cx: &Session) -> Option<BTreeSet<String>> {
    let snapshot = cx.synced(&[ObservedKind::Pod]).await;
    let (mut images, mut operator, mut broker) = (BTreeSet::new(), false, false);
    for pod in snapshot.pods(cx.namespace()) {
        if !(pod.is_operator() || pod.cluster() == Some(cx.cluster())) {
            continue;
        }
        for container in pod.containers().filter(|container| container.digest().is_some()) {
            operator |= pod.is_operator();
            broker |= container.name() == "kafka";
            images.insert(container.image().to_owned());
        }
    }
    (operator && broker).then_some(images)
}

/// Whether the cache has all that would be kept.
async fn is_up_to_date(engine: &Engine, old: &Cached, new: &Cached) -> bool {
    let same = old.engine == new.engine && old.base_image == new.base_image && old.key == new.key;
    let contains = |old: &BTreeMap<String, String>, new: &BTreeMap<String, String>| {
        new.iter().all(|(name, value)| old.get(name) == Some(value))
    };
    // Without the archives of this namespace, the next profile gets those of the cache.
    let archives = old.namespace != new.namespace || contains(&old.class_data, &new.class_data);
    same && contains(&old.images, &new.images) && archives && exists(engine, old).await
}

/// Create the volume of a new profile with what the cache has. Whether that succeeded.
pub(crate) async fn fill(engine: &Engine, profile: &str, cached: &Cached, labels: &[(&str, &str)]) -> bool {
    engine.create_volume(profile, labels).await
        && copy(engine, profile, cached, (&cached.volume, profile), "/var").await
}

/// Copy what is kept between a profile's volume and that of the cache.
async fn copy(engine: &Engine, profile: &str, what: &Cached, (from, to): (&str, &str), mount: &str) -> bool {
    let archives = format!("{}/{}/{ARCHIVES}", ROOT.trim_start_matches("/var/"), what.namespace);
    let archives = (!what.class_data.is_empty()).then_some(archives.as_str());
    let copied: Vec<&str> = COPIED.into_iter().chain(archives).collect();
    engine.copy_volume(&Copy { profile, image: &what.base_image, from, to, mount }, &copied, &LINKED).await
}

/// Whether the volume exists.
pub(crate) async fn exists(engine: &Engine, cached: &Cached) -> bool {
    !cached.volume.is_empty()
        && engine.volume_label(&cached.volume, LABEL).await.as_deref() == Some(cached.label.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(id: &str, names: &[&str]) -> NodeImage {
        NodeImage { id: format!("sha256:{id}"), names: names.iter().map(|n| (*n).to_owned()).collect() }
    }

    #[test]
    fn only_images_of_minikube_and_of_the_installation_are_kept() {
        let there = [
            image("01", &["registry.k8s.io/etcd:3.6.5-0"]),
            image("02", &["quay.io/strimzi/operator:1.2.0"]),
            image("03", &["docker.io/library/alias:1", "registry.k8s.io/pause:3.10"]),
            image("04", &[]),
            image("06", &["docker.io/library/secret-app:1"]),
            image("05", &["quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"]),
        ];
        let used = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<BTreeSet<_>>();
        let both = used(&["quay.io/strimzi/operator:1.2.0", "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"]);
        let kept: Vec<&str> = wanted(&there, &both).unwrap().into_iter().map(NodeImage::digest).collect();
        assert_eq!(kept, ["01", "02", "03", "05"]);
        assert_eq!(wanted(&there, &used(&["quay.io/strimzi/operator:1.1.0"])), None);
    }

    #[test]
    fn only_tags_of_releases_count_as_unchanging() {
        for (image, want) in [
            ("quay.io/strimzi/kafka:1.2.0-kafka-4.3.1", true),
            ("quay.io/strimzi/operator:0.45.2", true),
            ("quay.io/strimzi/kafka:latest-kafka-4.3.1", false),
            ("quay.io/strimzi/operator:1.3.0-SNAPSHOT", false),
            ("quay.io/strimzi/operator", false),
            ("docker.io/me/operator:1.2.0", false),
        ] {
            assert_eq!(is_released(image), want, "{image}");
        }
    }

    #[test]
    fn the_file_is_read_back_and_another_version_is_ignored() {
        let cache = tempfile::tempdir().unwrap();
        let here = cache.path();
        assert_eq!(cached(here, "k"), None);
        let one = Cached { volume: "v".into(), key: "k".into(), label: "l".into(), ..Cached::default() };
        write(here, &mut File { cached: one.clone(), ..File::default() }).unwrap();
        assert_eq!(cached(here, "k"), Some(one));
        assert_eq!(cached(here, "other"), None);
        discard(here, "another");
        assert!(cached(here, "k").is_some());
        discard(here, "v");
        assert_eq!(cached(here, "k"), None);
        assert_eq!(read(here).obsolete["v"], "l");
        fs::write(path(here), r#"{"schema": 2, "volume": "v", "key": "k"}"#).unwrap();
        assert_eq!(cached(here, "k"), None);
    }
}
