//! The class-data archives that are kept on this machine, for the next cluster ([`crate::manifest::class_data`]).
//!
//! They are in kstrim's cache by platform and image name; next to each is the digest of the image that it was written
//! in. An archive that does not fit is ignored by the JVM, so a tag that now refers to another image does no harm.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::session::Session;
use super::{claims, ownership};
use crate::bundle::platform;
use crate::kube::cluster::OPERATOR;
use crate::kube::object::list;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::class_data::{ARCHIVES, Image, Images, Jvm, LISTS, NAME, RETRIES, ROOT, SECURITY};
use crate::names::ImageName;
use crate::paths::{cache_dir, private_dir, write_private};
use crate::tool::class_data::Directory;

/// How long `stop` and `down` may take longer for new archives.
const KEEP: Duration = Duration::from_secs(60);
/// The cache's directory for archives.
const CLASS: &str = "class-data";

/// An archive in the cache.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cached {
    /// The file.
    pub file: PathBuf,
    /// The image that it was written in.
    pub image: Image,
}

fn folder(cache: &Path, image_name: &str) -> PathBuf {
    let plain = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '_' };
    let name: String = image_name.chars().map(plain).collect();
    cache.join(CLASS).join(platform()).join(name.trim_start_matches('.'))
}

/// The archive for a JVM in the image with this name, if the cache has one.
pub(crate) fn cached(cache: &Path, jvm: Jvm, image_name: &str) -> Option<Cached> {
    let folder = folder(cache, image_name);
    let image: Image = fs::read_to_string(folder.join(format!("{jvm}.image"))).ok()?.parse().ok()?;
    let file = folder.join(format!("{jvm}.jsa"));
    let there = file.metadata().is_ok_and(|m| m.is_file() && m.len() > 0);
    (there && image.name == image_name).then_some(Cached { file, image })
}

/// The archives of the cache for the images of a run: the operator's, Kafka's, and others.
pub(crate) fn cached_for(cache: &Path, images: &[ImageName]) -> Vec<(Jvm, ImageName, Cached)> {
    let [operator, kafka, ..] = images else { return Vec::new() };
    let find = |jvm| {
        let image = if jvm == Jvm::Broker { kafka } else { operator };
        Some((jvm, image.clone(), cached(cache, jvm, image.as_str())?))
    };
    Jvm::ALL.into_iter().filter_map(find).collect()
}

/// Put an archive into the cache. `write` writes it to the path that it is given, and says whether it did.
pub(crate) async fn keep_one(
    cache: &Path,
    jvm: Jvm,
    image: &Image,
    write: impl AsyncFnOnce(&Path) -> bool,
) -> io::Result<()> {
    let folder = folder(cache, &image.name);
    private_dir(&folder)?;
    let new = tempfile::Builder::new().prefix(".new").tempdir_in(&folder)?;
    let file = new.path().join("archive");
    if !write(&file).await || file.metadata()?.len() == 0 {
        return Ok(());
    }
    // `minikube cp` keeps the mode, and the JVM is another user's. The directory is private.
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644))?;
    let named = folder.join(format!("{jvm}.image"));
    let _ = fs::remove_file(&named);
    fs::rename(&file, folder.join(format!("{jvm}.jsa")))?;
    write_private(&named, image.to_string().as_bytes())
}

/// The directory of the namespace in the node.
pub(crate) fn directory(cx: &Session) -> Directory<'_> {
    cx.minikube.class_data(ROOT, &cx.target.namespace, [ARCHIVES, LISTS], (SECURITY, RETRIES))
}

/// The archives in the node, by the images that they are for; creates the directory. `None`: the node does not respond,
/// or refuses.
pub(crate) async fn in_node(cx: &Session) -> Option<Images> {
    directory(cx).open().await.map(Images::named)
}

/// The images in which JVMs run that use archives.
pub(crate) fn running(cx: &Session, snapshot: &Snapshot) -> Images {
    let mut images = BTreeMap::new();
    for pod in snapshot.pods(cx.namespace()) {
        let of_ours = pod.is_operator() || pod.cluster() == Some(cx.cluster());
        let mut volumes = list(pod.0.json(), "/spec/volumes").iter();
        if !of_ours || !volumes.any(|volume| volume["name"] == NAME) {
            continue;
        }
        for container in pod.containers() {
            let jvm = match container.name() {
                OPERATOR => Jvm::ClusterOperator,
                "kafka" => Jvm::Broker,
                "topic-operator" => Jvm::TopicOperator,
                "user-operator" => Jvm::UserOperator,
                _ => continue,
            };
            let image = container.digest().map(|digest| format!("{} {digest}", container.image()));
            images.extend(image.and_then(|image| Some((jvm, image.parse::<Image>().ok()?))));
        }
    }
    Images(images)
}

/// Copy the archives that the running profile's node has, and the cache does not, to the cache. Without them the next
/// cluster only starts more slowly, so that nothing of this is an error.
pub(crate) async fn keep(cx: &Session) {
    if cx.ownership.profile_is_ours.get() {
        let _ = tokio::time::timeout(KEEP, keep_new(cx)).await;
    }
}

async fn keep_new(cx: &Session) {
    // An API server that does not respond is not waited for.
    let once = cx.kubectl.as_ref().clone().without_retries();
    let claim = once.find(&format!("{}/{NAME}", claims::collection(cx))).await.ok().flatten();
    let Some(claim) = claim else { return };
    if ownership::installation(cx).await.is_err() || !cx.owns(&claim) {
        return;
    }
    // What the files in the node say does not decide which image's archive is replaced.
    let running = running(cx, &cx.synced(&[ObservedKind::Pod]).await);
    let Some(found) = in_node(cx).await else { return };
    let cache = cache_dir();
    let is_new = |(jvm, image): &(Jvm, Image)| {
        running.0.get(jvm) == Some(image)
            && cached(&cache, *jvm, &image.name).is_none_or(|cached| cached.image != *image)
    };
    let new: Vec<(Jvm, Image)> = found.0.into_iter().filter(is_new).collect();
    if new.is_empty() {
        return;
    }
    let Ok(nodes) = cx.minikube.nodes().await else { return };
    let [node] = nodes.as_slice() else { return };
    let node = node.to_string();
    for (jvm, image) in new {
        cx.emit.progress(format!("keeping the class-data archive of the {jvm}"), None);
        let copy = async |file: &Path| directory(cx).copy_out(&node, jvm.name(), file).await;
        let _ = keep_one(&cache, jvm, &image, copy).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(digest: &str) -> Image {
        Image { name: "quay.io/strimzi/operator:1.2.0".into(), digest: digest.into() }
    }

    #[tokio::test]
    async fn an_archive_is_kept_with_its_image_and_replaced_by_a_newer_one() {
        let cache = tempfile::tempdir().unwrap();
        let jvm = Jvm::TopicOperator;
        assert_eq!(cached(cache.path(), jvm, &image("sha256:a").name), None);
        for digest in ["sha256:a", "sha256:b"] {
            let write = async |file: &Path| fs::write(file, digest).is_ok();
            keep_one(cache.path(), jvm, &image(digest), write).await.unwrap();
            let found = cached(cache.path(), jvm, &image(digest).name).unwrap();
            assert_eq!(found.image, image(digest));
            assert_eq!(fs::read_to_string(&found.file).unwrap(), digest);
        }
        assert_eq!(cached(cache.path(), Jvm::Broker, &image("sha256:a").name), None);
        assert_eq!(cached(cache.path(), jvm, "quay.io/strimzi/operator:1.1.0"), None);
    }

    #[tokio::test]
    async fn what_was_not_copied_replaces_nothing() {
        let cache = tempfile::tempdir().unwrap();
        let keep = async |digest: &str, bytes: &str, copied: bool| {
            let write = async |file: &Path| fs::write(file, bytes).is_ok() && copied;
            keep_one(cache.path(), Jvm::Broker, &image(digest), write).await.unwrap();
        };
        keep("sha256:a", "archive", true).await;
        keep("sha256:b", "half", false).await;
        keep("sha256:c", "", true).await;
        let found = cached(cache.path(), Jvm::Broker, &image("").name).unwrap();
        assert_eq!(
            (found.image, fs::read_to_string(found.file).unwrap()),
            (image("sha256:a"), "archive".into())
        );
    }
}
