//! Loads or pulls the images of the preset before they are needed.
//!
//! Archives are loaded as soon as the node is running, while the control plane is still starting. Without archives,
//! images are pulled in advance; if that fails, the kubelet pulls them again, so it is only a warning, whereas an
//! archive that cannot be loaded is an error. Only the kubelet can use the pull Secrets of the namespace: images that
//! need a login are left to it.

use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::context::Context;
use super::{nodes, sources, unbundle};
use crate::bundle;
use crate::cluster::image_cache::{self, is_released};
use crate::component;
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::event::Unit;
use crate::explain::pulls;
use crate::failure::{Failure, Kind, Result};
use crate::kube::cluster::Node;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::images::Image;
use crate::names::ImageName;
use crate::names::image::same;
use crate::paths::cache_dir;
use crate::quickstart::context::{Loaded, Reached};
use crate::tool::minikube_output::Listed;

/// The task.
#[derive(Default)]
pub(crate) struct Images {
    done: Cell<bool>,
    /// How many archives this run has loaded.
    loaded: Cell<Option<usize>>,
    /// Images that are left to the kubelet.
    left: RefCell<Vec<String>>,
}

impl Images {
    async fn look(&self, cx: &Context) -> Result<Doneness> {
        if self.done.get() {
            let left = self.left.borrow().join(", ");
            return Ok(Doneness::Done(match left.as_str() {
                "" => match self.loaded.get() {
                    Some(1) => "1 image archive loaded".to_owned(),
                    Some(archives) => format!("{archives} image archives loaded"),
                    None => in_cluster(wanted(cx).await?.len()),
                },
                left => format!("the kubelet will pull {left}"),
            }));
        }
        if let Some(how) = by_kubelet(cx) {
            return Ok(Doneness::Done(how));
        }
        if *cx.machine.reached.borrow() < Reached::Api {
            return Ok(Doneness::Pending("waiting for the node".into()));
        }
        let snapshot = cx.synced(&[ObservedKind::Node, ObservedKind::Pod]).await;
        let wanted = &wanted(cx).await?;
        let namespace = cx.target.namespace.as_str();
        let there = |image: &ImageName| {
            let mut nodes = snapshot.nodes().peekable();
            nodes.peek().is_some() && nodes.all(|node| node_has_image(&snapshot, namespace, node, image))
        };
        let missing: Vec<&str> = wanted.iter().filter(|i| !there(i)).map(AsRef::as_ref).collect();
        Ok(if missing.is_empty() {
            Doneness::Done(in_cluster(wanted.len()))
        } else {
            Doneness::Pending(format!("missing: {}", missing.join(", ")))
        })
    }
}

#[async_trait(?Send)]
impl Task<Context> for Images {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let found = self.look(cx).await?;
        if matches!(found, Doneness::Done(_)) {
            cx.machine.loaded.send_replace(Loaded::Wanted);
        }
        Ok(found)
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let archives = match &cx.settings.bundle {
            // Unpacked while minikube creates the node.
            Some(bundle) => unbundle::archives(cx, bundle).await?,
            None => cx.settings.image_archives.iter().map(|a| (name(a), a.clone())).collect(),
        };
        if archives.is_empty() {
            cx.machine_reaches(Reached::Up).await;
            if !all_cached(cx).await? {
                cx.machine_reaches(Reached::Api).await;
                nodes::joined(cx).await?;
                *self.left.borrow_mut() = pull(cx).await?;
            }
        } else {
            cx.machine_reaches(Reached::Up).await;
            nodes::joined(cx).await?;
            if !all_kept(cx).await? {
                let archives = without_cached(cx, archives).await?;
                let count = archives.len();
                *self.left.borrow_mut() = load_wanted_first(cx, archives).await?;
                self.loaded.set(Some(count).filter(|count| *count > 0));
            }
        }
        self.done.set(true);
        Ok(())
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        if let Some(how) = by_kubelet(cx) {
            return Ok(vec![format!("# {how}")]);
        }
        let archives = match &cx.settings.bundle {
            Some(bundle) => {
                bundle.index.of(bundle::Kind::Image).map(|e| bundle.cached(e, &cache_dir())).collect()
            }
            None => cx.settings.image_archives.clone(),
        };
        Ok(if archives.is_empty() {
            let images = &wanted(cx).await?;
            images.iter().map(|i| cx.minikube.image_pull_cmd(i).to_string()).collect()
        } else {
            archives.iter().map(|a| cx.minikube.image_load_cmd(a).to_string()).collect()
        })
    }
}

/// How the kubelet pulls the images if they need a login: minikube cannot pass one to the node's runtime.
fn by_kubelet(cx: &Context) -> Option<String> {
    let secrets = cx.settings.pull_secret_names();
    let pulled = cx.settings.image_archives.is_empty() && cx.settings.bundle.is_none();
    (pulled && !secrets.is_empty())
        .then(|| format!("the kubelet pulls them with the Secret {}", secrets.join(", ")))
}

/// Whether a node has an image. The kubelet reports its images again only after 30 s or more, and only the 50
/// largest; the image of a container on that node exists as well.
fn node_has_image(snapshot: &Snapshot, namespace: &str, node: Node<'_>, image: &ImageName) -> bool {
    let listed = node.images().any(|i| same(i, image.as_str()));
    let mut pods = snapshot.pods(namespace).filter(|p| p.node() == node.0.name());
    listed || pods.any(|p| p.containers().any(|c| c.digest().is_some() && same(c.image(), image.as_str())))
}

/// The images that the run needs. Those of an existing operator are read from its Deployment.
async fn wanted(cx: &Context) -> Result<Vec<ImageName>> {
    if let Some(operator) = cx.existing_operator() {
        let beside: Vec<Image> = cx.settings.with.iter().map(|name| component::of(*name).image).collect();
        return Ok(operator.images(&cx.choice.kafka, cx.preset().mode(), &beside));
    }
    Ok(sources::install(cx).await?.images.clone())
}

/// The result if the cluster has all images of the preset; it may have more.
fn in_cluster(images: usize) -> String {
    let plural = if images == 1 { " is" } else { "s are" };
    format!("{images} image{plural} in the cluster")
}

/// An archive's name for messages.
pub(crate) fn name(archive: &Path) -> String {
    archive.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Load archives: first the one with the operator, which starts while the others are loaded, then those that Kafka
/// and the components need, then the rest. Returns the images that no archive contains.
async fn load_wanted_first(cx: &Context, archives: Vec<(String, PathBuf)>) -> Result<Vec<String>> {
    let wanted = wanted(cx).await?;
    // The operator is the first image. Loading an archive that cannot be read reports that.
    let rank = |archive: &Path| {
        let Ok(images) = bundle::archive::images(archive) else { return 1 };
        let has = |image: &ImageName| images.iter().any(|i| same(i.as_str(), image.as_str()));
        wanted.iter().position(has).map_or(2, |position| position.min(1))
    };
    let mut ranked: Vec<_> = archives.into_iter().map(|archive| (rank(&archive.1), archive)).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let needed = ranked.iter().filter(|(rank, _)| *rank < 2).count();
    let archives: Vec<_> = ranked.into_iter().map(|(_, archive)| archive).collect();
    for at in 0..needed {
        load_one_of(cx, &archives, at).await?;
        // If no archive has the operator's image, the kubelet has to pull it anyway.
        cx.machine.loaded.send_replace(Loaded::Operator);
    }
    let lacking = lacking(cx).await?;
    cx.machine.loaded.send_replace(Loaded::Wanted);
    for at in needed..archives.len() {
        load_one_of(cx, &archives, at).await?;
    }
    Ok(lacking)
}

/// Load archives, each with its name for messages.
pub(crate) async fn load(cx: &Context, archives: &[(String, PathBuf)]) -> Result<()> {
    for at in 0..archives.len() {
        load_one_of(cx, archives, at).await?;
    }
    Ok(())
}

async fn load_one_of(cx: &Context, archives: &[(String, PathBuf)], at: usize) -> Result<()> {
    let (name, archive) = &archives[at];
    let of = (at as u64, archives.len() as u64, Unit::Items);
    cx.emit.progress(format!("loading {name}"), Some(of));
    load_one(cx, archive).await
}

/// Save an image of the cluster as an archive.
///
/// # Errors
/// [`errors::BUNDLE_SOURCE`]. minikube exits with 0 even if it saved nothing.
pub(crate) async fn save(cx: &Context, image: &ImageName, file: &Path) -> Result<()> {
    let cmd = cx.minikube.image_save_cmd(image, file);
    let output = cx.minikube.run_cmd(&cmd).await?;
    let complaint = pulls::complaint(&output.stderr);
    let there = std::fs::metadata(file).is_ok_and(|m| m.len() > 0);
    if output.exit.success() && complaint.is_none() && there {
        return Ok(());
    }
    let message = format!("the image {image} cannot be exported from the profile {}", cx.profile());
    Err(Box::new(
        Failure::new(errors::BUNDLE_SOURCE, Kind::Task, message)
            .because(complaint.unwrap_or_else(|| output.last_stderr_line().to_owned()))
            .hint(format!("check that it exists: {}", cx.target.minikube("image ls")))
            .hint("or specify archives: --image-archive FILE"),
    ))
}

/// For an archive that it cannot use, minikube exits with 0 and reports that only on stderr (recording 21).
async fn load_one(cx: &Context, archive: &Path) -> Result<()> {
    image_cache::changes(cx, &bundle::archive::digests(archive).unwrap_or_default())?;
    let cmd = cx.minikube.image_load_cmd(archive);
    let output = cx.minikube.run_cmd(&cmd).await?;
    let complaint = pulls::complaint(&output.stderr);
    if output.exit.success() && complaint.is_none() {
        return Ok(());
    }
    Err(Box::new(
        Failure::new(
            errors::IMAGE_ARCHIVE,
            Kind::Task,
            format!("the image archive {} could not be loaded", archive.display()),
        )
        .because(complaint.unwrap_or_else(|| output.last_stderr_line().to_owned()))
        .hint("check that it was created with `docker save -o FILE IMAGE`")
        .hint(format!("run the command yourself: {cmd}")),
    ))
}

/// Whether a restarted node still has all images, so that half a gigabyte does not have to be loaded again. The API
/// server, which also knows that, is still starting. For several nodes, minikube lists the images of all of them
/// together, which proves nothing.
async fn all_kept(cx: &Context) -> Result<bool> {
    let kept = cx.machine.cached_images.borrow().is_none();
    let kept = kept && matches!(cx.machine.listed.get(), Some(Listed::Valid(profile)) if profile.nodes <= 1);
    Ok(kept && missing(cx).await?.is_some_and(|missing| missing.is_empty()))
}

/// Whether the node was created with all images, and their tags never refer to other images: those of releases.
async fn all_cached(cx: &Context) -> Result<bool> {
    let released = |image: &ImageName| is_released(image.as_str());
    let cached = cx.machine.cached_images.borrow().is_some() && wanted(cx).await?.iter().all(released);
    Ok(cached && missing(cx).await?.is_some_and(|missing| missing.is_empty()))
}

/// The archives with images that the node was not created with. The same name may be another image.
async fn without_cached(cx: &Context, archives: Vec<(String, PathBuf)>) -> Result<Vec<(String, PathBuf)>> {
    if cx.machine.cached_images.borrow().is_none() {
        return Ok(archives);
    }
    let Ok(there) = cx.minikube.images().await else { return Ok(archives) };
    let has = |name: &ImageName, digest: &str| {
        there.iter().any(|image| image.is(name.as_str()) && image.digest() == digest)
    };
    let is_cached = |archive: &Path| {
        let images = bundle::archive::digests(archive).unwrap_or_default();
        !images.is_empty() && images.iter().all(|(name, digest)| has(name, digest))
    };
    Ok(archives.into_iter().filter(|(_, archive)| !is_cached(archive)).collect())
}

/// The preset's images that the runtime does not have; `None` if its images cannot be listed.
async fn missing(cx: &Context) -> Result<Option<Vec<String>>> {
    Ok(missing_of(cx, &wanted(cx).await?).await)
}

/// Those of `wanted` that the runtime does not have; `None` if its images cannot be listed.
pub(crate) async fn missing_of(cx: &Context, wanted: &[ImageName]) -> Option<Vec<String>> {
    let Ok(live) = cx.minikube.images().await else { return None };
    let has = |image: &ImageName| live.iter().any(|other| other.is(image.as_str()));
    let missing = wanted.iter().filter(|image| !has(image));
    Some(missing.map(ToString::to_string).collect())
}

/// The images that no archive contained; reported because the kubelet cannot pull them without a registry.
async fn lacking(cx: &Context) -> Result<Vec<String>> {
    // If the runtime's images cannot be listed, a missing image is reported when its pod starts.
    let lacking = missing(cx).await?.unwrap_or_default();
    // An operator that kstrim did not install may use images from any registry.
    let own = cx.existing_operator().is_none();
    if let Some(bundle) = cx.settings.bundle.as_ref().filter(|_| own && !lacking.is_empty()) {
        return Err(unbundle::incomplete(bundle, &lacking));
    }
    if !lacking.is_empty() {
        let message =
            format!("no image archive contains {}; the kubelet will try to pull it", lacking.join(", "));
        cx.emit.warn(message);
    }
    Ok(lacking)
}

/// Pull all images at once; reports and returns those that could not be pulled.
async fn pull(cx: &Context) -> Result<Vec<String>> {
    let images = &wanted(cx).await?;
    let names = images.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let total = images.len() as u64;
    cx.emit.progress(format!("pulling {names}"), Some((0, total, Unit::Items)));
    let mut pulling: FuturesUnordered<_> =
        images.iter().map(|image| async move { (image, pull_one(cx, image).await) }).collect();
    let (mut left, mut done) = (Vec::new(), 0);
    while let Some((image, pulled)) = pulling.next().await {
        done += 1;
        match pulled {
            Ok(took) => {
                let message = format!("pulled {image} in {:.0} s", took.as_secs_f64());
                cx.emit.progress(message, Some((done, total, Unit::Items)));
            }
            Err(why) => {
                let message =
                    format!("{image} could not be pulled in advance{why}; the kubelet will try again");
                cx.emit.warn_of(pulls::id(&why), message);
                left.push(image.to_string());
            }
        }
    }
    Ok(left)
}

/// How long the pull took, or why it failed: `: it does not exist in the registry (...)`.
async fn pull_one(cx: &Context, image: &ImageName) -> Result<Duration, String> {
    let output = match cx.minikube.run_cmd(&cx.minikube.image_pull_cmd(image)).await {
        Ok(output) => output,
        Err(failure) => return Err(format!(": {}", failure.message)),
    };
    match pulls::complaint(&output.stderr) {
        None if output.exit.success() => Ok(output.took),
        Some(words) => Err(pulls::cause_with_message(&words)),
        None => Err(pulls::cause_with_message(output.last_stderr_line())),
    }
}
