//! `kstrim bundle`: everything that is needed for a cluster, in one file.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;

use super::invocation::Invocation;
use crate::bundle::write::{self, Source};
use crate::bundle::{Bundle, Index, Kind, Set, archive, megabytes, platform};
use crate::cli::{BundleCreate, BundleFile, BundleVerb, Format, Global, OutputMode};
use crate::cluster::class_data;
use crate::config::Settings;
use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::manifest::to_yaml;
use crate::names::{Tool, Version};
use crate::paths::cache_dir;
use crate::quickstart::context::Context;
use crate::quickstart::sources;
use crate::terminal;
use crate::terminal::table::Table;
use crate::tool::minikube;
use crate::tool::minikube_output::Listed;

/// Run one of its subcommands.
///
/// # Errors
/// `KS-BUNDLE-*`, or why the manifest or the images are not available.
pub(crate) async fn run(global: &Global, verb: &BundleVerb) -> Result<ExitCode> {
    match verb {
        BundleVerb::Create(args) => create(global, args).await?,
        BundleVerb::Inspect(args) => {
            let bundle = Bundle::open(&args.file)?;
            super::print(&shown(&bundle, args, None));
        }
        BundleVerb::Verify(args) => {
            let bundle = Bundle::open(&args.file)?;
            bundle.verify(&mut |_| true)?;
            super::print(&shown(&bundle, args, Some(true)));
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// A bundle as data.
#[derive(Serialize)]
struct Shown<'a> {
    file: String,
    /// SHA-256 of its index, which lists the digests of all entries.
    id: &'a str,
    /// The size of all entries, in bytes.
    size: u64,
    /// Whether every entry was compared with its digest; null if none was.
    verified: Option<bool>,
    #[serde(flatten)]
    index: &'a Index,
}

fn shown(bundle: &Bundle, args: &BundleFile, verified: Option<bool>) -> String {
    let (file, index) = (bundle.path.display().to_string(), &bundle.index);
    let data = Shown { file, id: &bundle.id, size: bundle.size(), verified, index };
    match args.format {
        Format::Json => super::json(&data),
        Format::Yaml => super::yaml(&data),
        Format::Text => text(&data),
    }
}

fn text(data: &Shown<'_>) -> String {
    let set = &data.index.set;
    let kubernetes = set.kubernetes.as_ref().map_or("any supported version".to_owned(), ToString::to_string);
    let what = match &data.index.snapshot {
        Some(snapshot) => format!("the profile {} as saved {}", snapshot.profile, snapshot.saved_at()),
        None => format!("preset {}", set.preset),
    };
    let mut out = format!(
        "Strimzi {}, Kafka {}, {what}, Kubernetes {kubernetes}, for {}\n",
        set.release, set.kafka, set.platform
    );
    if let Some(registry) = &set.image_registry {
        out.push_str(&format!("images by their names in {registry}\n"));
    }
    out.push_str(&format!(
        "{}, created by {}, id sha256:{}\n\n",
        megabytes(data.size),
        data.index.made_by,
        data.id
    ));
    let mut table = Table::new(["KIND", "NAME", "SIZE", "SHA-256", "HOLDS"]);
    for entry in &data.index.entries {
        let images: Vec<&str> = entry.images.iter().map(AsRef::as_ref).collect();
        let holds = entry.version.as_ref().map_or_else(|| images.join(" "), ToString::to_string);
        let short = entry.sha256.get(..12).unwrap_or_default();
        table.row([entry.kind.title(), entry.name(), &megabytes(entry.size), short, &holds]);
    }
    let mode =
        terminal::resolve(OutputMode::Auto, super::stdout_is_terminal(), false, &|n| std::env::var(n).ok());
    out.push_str(&table.render(mode.stdout, terminal::stdout_columns()));
    if data.verified == Some(true) {
        let count = data.index.entries.len();
        out.push_str(&format!("\nAll {count} entries are unchanged.\n"));
    }
    out
}

async fn create(global: &Global, args: &BundleCreate) -> Result<()> {
    let settings = Settings::new(global, &args.what)?;
    if let Some(bundle) = &settings.bundle {
        return Err(source(&bundle.path, "a bundle cannot be created from a bundle: copy the file"));
    }
    let choice = super::up::choose(&settings)?;
    let invocation = Invocation::begin(global, "bundle", OutputMode::Plain);
    let save = settings.image_archives.is_empty();
    let cx = if save || args.tools || args.minikube_cache {
        super::up::context(&invocation, settings, choice)?
    } else {
        super::up::context_without_programs(&invocation, settings, choice)?
    };
    cx.ownership.read_only.set(true);
    let talk = |line: &str| {
        if !global.quiet {
            super::complain(&format!("{line}\n"));
        }
    };
    let work = tokio::select! {
        work = collect(&cx, args, &talk) => work?,
        _ = invocation.cancel.cancelled() => return Err(invocation.interrupted()),
    };
    let (to, force) = (args.file.clone(), args.force);
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = stop.clone();
    let bytes: u64 =
        work.sources.iter().filter_map(|s| std::fs::metadata(&s.file).ok()).map(|m| m.len()).sum();
    talk(&format!("writing {} files, {}", work.sources.len(), megabytes(bytes)));
    let mut writing = tokio::task::spawn_blocking(move || {
        // The directory of the saved images must exist while they are read.
        let Work { set, sources, _folder } = work;
        write::write(&to, set, None, &sources, force, &mut |_| !stopped.load(Ordering::Relaxed))
    });
    let written = tokio::select! {
        written = &mut writing => written,
        _ = invocation.cancel.cancelled() => {
            stop.store(true, Ordering::Relaxed);
            writing.await
        }
    };
    match written.unwrap_or_else(|e| std::panic::resume_unwind(e.into_panic()))? {
        Some(_) => super::print(&format!("{}\n", args.file.display())),
        None => return Err(invocation.interrupted()),
    }
    Ok(())
}

/// The contents of a new bundle.
struct Work {
    set: Set,
    sources: Vec<Source>,
    _folder: tempfile::TempDir,
}

fn source(path: &Path, why: impl std::fmt::Display) -> Box<Failure> {
    let message = format!("{} cannot be added to the bundle", path.display());
    Box::new(Failure::new(errors::BUNDLE_SOURCE, Class::Usage, message).because(why))
}

async fn collect(cx: &Context, args: &BundleCreate, talk: &dyn Fn(&str)) -> Result<Work> {
    let beside = args.file.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // Images need space on the disk of the bundle: the directory of temporary files may be small.
    let folder = tempfile::Builder::new().prefix(".kstrim-bundle").tempdir_in(beside).map_err(|e| {
        let message = format!("the bundle {} cannot be written", args.file.display());
        Box::new(
            Failure::new(errors::BUNDLE_UNWRITABLE, Class::Task, message)
                .because(e)
                .hint("specify another file with -o FILE"),
        )
    })?;
    let release = &cx.choice.release.version;
    let published = sources::published(cx).await?;
    let file = folder.path().join("manifest.yaml");
    std::fs::write(&file, to_yaml(&published.objects)).map_err(|e| source(&file, e))?;
    let mut sources = vec![Source::plain(Kind::Manifest, format!("strimzi-{release}.yaml"), file)];
    sources.extend(images(cx, folder.path(), talk).await?);
    sources.extend(class_data(cx).await?);
    if args.tools {
        sources.extend(tools(cx).await?);
    }
    let kubernetes = kubernetes(cx).await;
    if args.minikube_cache {
        let kubernetes = kubernetes.as_ref().ok_or_else(|| {
            let failure = source(Path::new("minikube's cache"), "the Kubernetes version is not known");
            Box::new(failure.hint("specify it: --kubernetes-version 1.34.4"))
        })?;
        sources.extend(minikube_cache(kubernetes)?);
    }
    let set = Set {
        release: release.clone(),
        kafka: cx.choice.kafka.clone(),
        kubernetes,
        preset: cx.preset().to_string(),
        image_registry: cx.settings.image_registry.clone(),
        platform: platform(),
    };
    Ok(Work { set, sources, _folder: folder })
}

/// The images that run: from the archives, or else from the cluster.
async fn images(cx: &Context, folder: &Path, talk: &dyn Fn(&str)) -> Result<Vec<Source>> {
    let wanted = sources::install(cx).await?.images.clone();
    let mut files: Vec<PathBuf> = cx.settings.image_archives.clone();
    if files.is_empty() {
        super::connected(cx).await?;
        for (number, image) in wanted.iter().enumerate() {
            talk(&format!("saving {image}"));
            let file = folder.join(format!("{number}-{}.tar", slug(image.as_str())));
            crate::quickstart::images::save(cx, image, &file).await?;
            files.push(file);
        }
    }
    let mut sources: Vec<Source> = Vec::new();
    for file in files {
        let images = archive::images(&file)?;
        let stem = file.file_name().map(|n| slug(&n.to_string_lossy())).unwrap_or_default();
        let taken = |name: &str| sources.iter().any(|s| s.name == name);
        let name = if taken(&stem) { format!("{}-{stem}", sources.len()) } else { stem };
        sources.push(Source { images, ..Source::plain(Kind::Image, name, file) });
    }
    let lacking: Vec<String> = wanted
        .iter()
        .filter(|image| !sources.iter().any(|s| s.images.contains(image)))
        .map(ToString::to_string)
        .collect();
    if lacking.is_empty() {
        return Ok(sources);
    }
    let message = format!("no image archive contains {}", lacking.join(", "));
    Err(Box::new(
        Failure::new(errors::BUNDLE_INCOMPLETE, Class::Usage, message)
            .because("`kstrim up` with the bundle would have to pull it")
            .hint(
                "also specify an archive with it: --image-archive FILE, created by docker save -o FILE IMAGE",
            )
            .hint("or export the images from a running cluster: omit --image-archive"),
    ))
}

/// The class-data archives that earlier clusters have left on this machine for these images.
async fn class_data(cx: &Context) -> Result<Vec<Source>> {
    let install = sources::install(cx).await?;
    let cache = cache_dir();
    let found = class_data::cached_for(&cache, &install.images).into_iter();
    Ok(found
        .map(|(jvm, image, archive)| Source {
            images: vec![image],
            ..Source::plain(Kind::ClassData, format!("{jvm}.jsa"), archive.file)
        })
        .collect())
}

/// A file name of plain characters.
fn slug(text: &str) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || "._-".contains(c) { c } else { '-' };
    let slug: String = text.chars().map(keep).collect();
    let slug: String = slug.trim_start_matches(['.', '-', '_']).chars().take(90).collect();
    if slug.is_empty() { "image.tar".into() } else { slug }
}

async fn tools(cx: &Context) -> Result<Vec<Source>> {
    let versions = (cx.minikube.version().await?, cx.kubectl.client_version().await?);
    let programs = [
        (Tool::Minikube, cx.minikube.program().to_path_buf(), versions.0),
        (Tool::Kubectl, cx.kubectl.program().to_path_buf(), versions.1),
    ];
    let one = |(tool, program, version): (Tool, PathBuf, String)| {
        let file = std::fs::canonicalize(&program).map_err(|e| source(&program, e))?;
        let version: Version = version.parse().map_err(|e| source(&program, format!("its version: {e}")))?;
        Ok(Source {
            version: Some(version),
            executable: true,
            ..Source::plain(Kind::Tool, tool.name().to_owned(), file)
        })
    };
    programs.into_iter().map(one).collect()
}

/// The requested Kubernetes version, or else the profile's.
async fn kubernetes(cx: &Context) -> Option<Version> {
    if let Some(chosen) = &cx.choice.kubernetes {
        return Some(chosen.clone());
    }
    match cx.minikube.listed().await {
        Ok(Listed::Valid(profile)) => profile.kubernetes.parse().ok(),
        _ => None,
    }
}

/// The files of minikube's cache that a start of this Kubernetes version uses: the programs of the node, the images
/// of its control plane, the preload, the base image. Those of other versions are left out.
fn minikube_cache(kubernetes: &Version) -> Result<Vec<Source>> {
    let cache = minikube::home().join("cache");
    let mut sources = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        let listed = std::fs::read_dir(cache.join(&folder)).map_err(|e| source(&cache.join(&folder), e))?;
        for entry in listed {
            let entry = entry.map_err(|e| source(&cache.join(&folder), e))?;
            let path = folder.join(entry.file_name());
            let kind = entry.file_type().map_err(|e| source(&entry.path(), e))?;
            let name = path.to_string_lossy().into_owned();
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() && for_version(&name, kubernetes) {
                let executable = name.starts_with("linux/") || name.starts_with("darwin/");
                sources.push(Source { executable, ..Source::plain(Kind::MinikubeCache, name, entry.path()) });
            }
        }
    }
    if sources.is_empty() {
        return Err(source(&cache, format!("it contains nothing for Kubernetes {kubernetes}")));
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

/// Whether a file of the cache is for this Kubernetes version, or for all.
fn for_version(path: &str, kubernetes: &Version) -> bool {
    let last = path.rsplit('/').next().unwrap_or_default();
    let hidden = path.split('/').any(|part| part.starts_with('.')) || last.ends_with(".lock");
    let of_kubernetes = ["linux/", "darwin/", "windows/"].iter().any(|os| path.starts_with(os))
        || path.starts_with("preloaded-tarball/")
        || last.starts_with("kube-");
    !hidden && (!of_kubernetes || path.contains(&format!("v{kubernetes}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minikubes_cache_is_filtered_by_kubernetes_version() {
        let version: Version = "1.34.4".parse().expect("a version");
        for (path, taken) in [
            ("linux/amd64/v1.34.4/kubelet", true),
            ("linux/amd64/v1.33.1/kubelet", false),
            ("images/amd64/registry.k8s.io/kube-apiserver_v1.34.4", true),
            ("images/amd64/registry.k8s.io/kube-apiserver_v1.33.1", false),
            ("images/amd64/registry.k8s.io/pause_3.10.1", true),
            ("preloaded-tarball/preloaded-images-k8s-v18-v1.34.4-containerd-overlay2-amd64.tar.lz4", true),
            ("preloaded-tarball/preloaded-images-k8s-v18-v1.33.1-containerd-overlay2-amd64.tar.lz4", false),
            ("kic/amd64/kicbase_v0.0.50.tar", true),
            ("kic/amd64/kicbase_v0.0.50.tar.lock", false),
        ] {
            assert_eq!(for_version(path, &version), taken, "{path}");
        }
    }

    #[test]
    fn file_names_are_plain() {
        assert_eq!(slug("quay.io/strimzi/kafka:1.2.0"), "quay.io-strimzi-kafka-1.2.0");
        assert_eq!(slug("../.. x"), "x");
        assert_eq!(slug("…"), "image.tar");
    }
}
