//! Images of an earlier node for the node of a new profile ([`crate::cluster::image_cache`]).

use super::context::Context;
use crate::bundle::archive::digests;
use crate::cluster::image_cache::{self, DRIVER, FILLED, exists, loaded};
use crate::cluster::profile_owner;
use crate::failure::Result;
use crate::paths::cache_dir;
use crate::tool::arguments::{flag_value, has_flag, has_short_flag};
use crate::tool::minikube::StartOptions;

/// The labels by which `minikube delete` finds a profile's volume (minikube's `pkg/drivers/kic/oci`).
const OF_MINIKUBE: [(&str, &str); 2] =
    [("created_by.minikube.sigs.k8s.io", "true"), ("role.minikube.sigs.k8s.io", "")];
const NAME: &str = "name.minikube.sigs.k8s.io";
/// What minikube then must not do: unpack its own archive of images over them, or load images of its cache.
const FLAGS: [(&str, &str); 2] = [("preload", "--preload=false"), ("cache-images", "--cache-images=false")];

/// What decides whether cached images fit a new profile's node: minikube's version, and its options other than the
/// size of the machine, and the images of its archives. `None`: no images are used or kept. `own` is the user's configuration of minikube.
fn key(cx: &Context, options: &StartOptions, own: &[(String, String)]) -> Option<String> {
    let settings = &cx.settings;
    let given = |name: &str| flag_value(&options.extra, name);
    let runtime = options.runtime.clone().or_else(|| given("container-runtime"));
    let driver = options.driver.clone().or_else(|| given("driver"));
    let is_excluded = |name: &str| has_flag(&options.extra, name);
    // A bundle brings its own images, and another repository names minikube's images differently.
    let applies = settings.image_cache
        && settings.bundle.is_none()
        && settings.target.context.is_none()
        && runtime.as_deref() == Some(super::cluster::RUNTIME)
        && driver.is_none_or(|driver| driver == DRIVER)
        && options.nodes.is_none_or(|nodes| nodes == 1)
        && !["nodes", "image-repository", "image-mirror-country", "mount", "ha"].into_iter().any(is_excluded)
        && !options.extra.iter().any(|argument| has_short_flag(argument, 'n'))
        && given("preload").is_none_or(|preload| preload == "false");
    let version = cx.machine.minikube.get().filter(|_| applies)?;
    let options = StartOptions { memory: None, cpus: None, token: None, ..options.clone() };
    let size = |name: &str| ["memory", "cpus"].contains(&name);
    let own = own.iter().filter(|(name, _)| !size(name)).map(|(name, value)| format!("{name}: {value}"));
    let all: Vec<String> = options.arguments().into_iter().chain(own).collect();
    let archives = settings.image_archives.iter().flat_map(|archive| digests(archive).unwrap_or_default());
    let mut archives: Vec<String> = archives.map(|(image, digest)| loaded(image.as_str(), &digest)).collect();
    archives.sort();
    Some(format!("minikube {version} {} {}", all.join(" "), archives.join(" ")).trim_end().to_owned())
}

/// What [`provide`] does, for `kstrim plan`.
pub(crate) fn described(cx: &Context, options: &StartOptions, own: &[(String, String)]) -> Option<String> {
    let cached = image_cache::cached(&cache_dir(), &key(cx, options, own)?)?;
    Some(format!(
        "# images of an earlier node, from the Docker volume {} (adds --preload=false --cache-images=false)",
        cached.volume
    ))
}

/// Prepare the volume of a new profile: bring cached images into it, and add the flags that keep them. Without them the
/// start only takes longer.
///
/// # Errors
/// The journal cannot be written.
pub(crate) async fn provide(
    cx: &Context,
    options: &mut StartOptions,
    own: &[(String, String)],
) -> Result<()> {
    image_cache::remove_unfinished(cx).await?;
    let key = key(cx, options, own);
    cx.journal.borrow_mut().state.image_cache.clone_from(&key);
    let cache = cache_dir();
    let Some(cached) = key.and_then(|key| image_cache::cached(&cache, &key)) else { return Ok(()) };
    let Some(engine) = cx.minikube.engine(DRIVER) else { return Ok(()) };
    let Some(_alone) = image_cache::lock(&cache, "up") else { return Ok(()) };
    let (now, there, taken) = tokio::join!(
        profile_owner::engine(&cx.minikube, DRIVER),
        exists(&engine, &cached),
        engine.has_volume(cx.profile()),
    );
    if now.is_none_or(|now| now.id != cached.engine) || !there || taken != Some(false) {
        return Ok(());
    }
    cx.emit.progress("preparing the images of an earlier node", None);
    let label = uuid::Uuid::new_v4().to_string();
    cx.journal.borrow_mut().state.filling_volume = Some(label.clone());
    cx.journal.borrow_mut().save()?;
    let mut labels = vec![(NAME, cx.profile()), (FILLED, label.as_str())];
    labels.extend(OF_MINIKUBE);
    if !image_cache::fill(&engine, cx.profile(), &cached, &labels).await {
        // After an interruption, the next command removes what there is.
        if cx.ownership.cancel.reason().is_none() {
            image_cache::discard_locked(&cache, &cached.volume);
            image_cache::remove_unfinished(cx).await?;
        }
        return Ok(());
    }
    for (name, flag) in FLAGS {
        if !has_flag(&options.extra, name) {
            options.extra.push(flag.to_owned());
        }
    }
    *cx.machine.cached_images.borrow_mut() = Some(cached.volume);
    Ok(())
}
