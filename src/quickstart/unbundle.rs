//! Provides the contents of a bundle where they are needed: files in the cache, tools in kstrim's own directory,
//! minikube's downloads in minikube's cache.

use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::context::Context;
use crate::bundle::{Bundle, Entry, Kind, platform};
use crate::command_line::CommandLine;
use crate::download::background::Fetching;
use crate::download::{OnProgress, Progress};
use crate::errors;
use crate::event::Unit;
use crate::failure::{Failure, Kind as Class, Result};
use crate::manifest::class_data::Jvm;
use crate::names::{ImageName, Tool, Version};
use crate::paths::cache_dir;
use crate::tool::minikube;
use crate::toolbox::{Toolbox, Voucher};

/// An entry as a file in the cache. Blocking.
pub(crate) fn cached(bundle: &Bundle, entry: &Entry, progress: OnProgress<'_>) -> Result<PathBuf> {
    let path = bundle.unpack(entry, &cache_dir(), &mut step(entry.size, progress))?;
    path.ok_or_else(|| Box::new(stopped()))
}

/// Converts a bundle's steps into progress of `size` bytes.
pub(crate) fn step<'a>(size: u64, progress: OnProgress<'a>) -> impl FnMut(u64) -> bool + 'a {
    let mut done = 0;
    move |bytes| {
        done += bytes;
        progress(Progress { done, total: Some(size) }) == ControlFlow::Continue(())
    }
}

fn stopped() -> Failure {
    Failure::new(crate::errors::INTERRUPTED, Class::Interrupted, "unpacking the bundle was stopped")
}

/// The image archives of a bundle: name and path.
pub(crate) async fn archives(cx: &Context, bundle: &Bundle) -> Result<Vec<(String, PathBuf)>> {
    let mut archives = Vec::new();
    for entry in bundle.index.of(Kind::Image) {
        let (from, wanted) = (bundle.clone(), entry.clone());
        let unpacking = Fetching::begin(move |progress| cached(&from, &wanted, progress));
        let name = entry.name().to_owned();
        let told = |progress: Progress| {
            let of = progress.total.map(|total| (progress.done, total, Unit::Bytes));
            cx.emit.progress(format!("unpacking {name}"), of);
        };
        let path = unpacking.finish(told).await?;
        archives.push((name, path));
    }
    Ok(archives)
}

/// The class-data archives of a bundle for the images of a run, as files. Without them the JVMs only start more slowly,
/// so that a failure is not reported.
pub(crate) async fn class_data(cx: &Context, bundle: &Bundle, images: &[ImageName]) -> Vec<(Jvm, PathBuf)> {
    let mut found = Vec::new();
    let here = bundle.index.set.platform == platform();
    for entry in bundle.index.of(Kind::ClassData).filter(|_| here) {
        let jvm = entry.name().strip_suffix(".jsa").and_then(Jvm::named);
        let Some(jvm) = jvm.filter(|_| entry.images.iter().all(|image| images.contains(image))) else {
            continue;
        };
        let (from, wanted) = (bundle.clone(), entry.clone());
        let unpacking = Fetching::begin(move |progress| {
            let path = cached(&from, &wanted, progress)?;
            // `minikube cp` keeps the mode, and the JVM is another user's. The directory is private.
            let _ = fs::set_permissions(&path, fs::Permissions::from_mode(0o644));
            Ok(path)
        });
        let told = |progress: Progress| {
            let of = progress.total.map(|total| (progress.done, total, Unit::Bytes));
            cx.emit.progress(format!("unpacking the class-data archive of the {jvm}"), of);
        };
        found.extend(unpacking.finish(told).await.ok().map(|path| (jvm, path)));
    }
    found
}

/// Unpack minikube's downloads into minikube's cache. Existing files are kept.
pub(crate) async fn minikube_cache(cx: &Context) -> Result<()> {
    let Some(bundle) = cx.settings.bundle.as_ref().filter(|b| b.index.set.platform == platform()) else {
        return Ok(());
    };
    let home = minikube::home();
    for entry in bundle.index.of(Kind::MinikubeCache) {
        let path = home.join("cache").join(entry.name());
        if path.exists() {
            continue;
        }
        let (from, wanted) = (bundle.clone(), entry.clone());
        let unpacking = Fetching::begin(move |progress| {
            let whole = from.unpack_to(&wanted, &path, &mut step(wanted.size, progress))?;
            if whole { Ok(()) } else { Err(Box::new(stopped())) }
        });
        let name = entry.name().to_owned();
        let told = |progress: Progress| {
            let of = progress.total.map(|total| (progress.done, total, Unit::Bytes));
            cx.emit.progress(format!("unpacking {name} for minikube"), of);
        };
        unpacking.finish(told).await?;
    }
    Ok(())
}

/// The version of a tool in a bundle that was created for this platform.
pub(crate) fn tool_version(bundle: &Bundle, tool: Tool) -> Option<Version> {
    let entry = bundle.tool(tool.name()).filter(|_| bundle.index.set.platform == platform());
    entry.and_then(|entry| entry.version.clone())
}

/// Install a tool from a bundle into kstrim's own directory; returns its path. Blocking.
pub(crate) fn tool(
    bundle: &Bundle,
    tool: Tool,
    version: &Version,
    toolbox: &Toolbox,
    progress: OnProgress<'_>,
) -> Result<PathBuf> {
    let lacks = || incomplete(bundle, &[format!("{tool} {version}")]);
    let entry = bundle.tool(tool.name()).ok_or_else(lacks)?;
    let file = cached(bundle, entry, progress)?;
    let from = format!("the bundle {}", bundle.path.display());
    let path = toolbox.install_from_file(tool, version, &file, (&entry.sha256, Voucher::Bundle), &from)?;
    // It is installed: a second copy is not needed.
    let _ = std::fs::remove_file(file);
    Ok(path)
}

/// The failure if a bundle lacks an image.
pub(crate) fn incomplete(bundle: &Bundle, lacking: &[String]) -> Box<Failure> {
    let message = format!("the bundle {} does not contain {}", bundle.path.display(), lacking.join(", "));
    Box::new(
        Failure::new(errors::BUNDLE_INCOMPLETE, Class::Usage, message)
            .because("the request needs images that were not included")
            .hint(format!(
                "show what it is for: {}",
                CommandLine::new("kstrim bundle inspect").arg(bundle.path.display())
            ))
            .hint(format!(
                "or create one for this set: {}",
                CommandLine::new("kstrim bundle create -o FILE")
            )),
    )
}
