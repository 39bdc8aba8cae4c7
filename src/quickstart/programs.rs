//! Finds minikube and kubectl in suitable versions: those on PATH if they are suitable, otherwise kstrim's own, which
//! are installed if necessary. Part of preflight.

use std::path::PathBuf;
use std::time::Duration;

use super::context::Context;
use super::unbundle;
use crate::bundle::Bundle;
use crate::catalogue::{self, Choice, Minikube, Partial};
use crate::checks::tools::old_enough;
use crate::download::Progress;
use crate::download::background::{self, Fetching};
use crate::errors;
use crate::event::Unit;
use crate::failure::{Failure, Kind, Result};
use crate::kube::ApiError;
use crate::kube::kubectl;
use crate::names::{KubernetesVersion, Tool, Version};
use crate::paths::{ProfilePaths, state_dir};
use crate::tool::minikube;
use crate::tool::minikube_output::Listed;
use crate::toolbox::{self, Digests, Toolbox, Used, pins};

/// What is known once suitable programs were found.
pub(crate) struct Found {
    /// minikube's version.
    pub minikube: String,
    /// kubectl's version.
    pub kubectl: String,
    /// What minikube has stored about the profile.
    pub listed: Listed,
    /// Whether the API server responds; `None` if no request was sent.
    pub api: Option<Result<(), ApiError>>,
    /// What `plan` does not install, a clause each.
    pub wanting: Vec<String>,
    used: Used,
}

impl Found {
    /// The programs, for messages.
    pub(crate) fn text(&self) -> String {
        let of = |tool: Tool, version: &str| {
            let own = if self.used.version(tool).is_some() { " (kstrim's own)" } else { "" };
            format!("{tool} {version}{own}")
        };
        format!("{}, {}", of(Tool::Minikube, &self.minikube), of(Tool::Kubectl, &self.kubectl))
    }

    /// Record which of kstrim's own programs are used, for other commands.
    pub(crate) fn remember(&self, cx: &Context) {
        let file = ProfilePaths::new(state_dir(), cx.profile()).tools();
        if let Err(e) = self.used.write(&file) {
            let message =
                format!("{} cannot be written: other verbs may use other programs: {e}", file.display());
            cx.emit.warn(message);
        }
    }
}

/// The path of a tool before anything was checked: the one on PATH, or one of kstrim's own, or else its bare name if
/// it may be installed.
pub(crate) fn locate(tool: Tool, paths: &ProfilePaths, system_only: bool) -> Result<PathBuf> {
    if tool == Tool::Minikube && paths.of_context() {
        return Ok(tool.name().into());
    }
    let missing = match toolbox::on_path(tool) {
        Ok(path) => return Ok(path),
        Err(missing) if system_only || toolbox::is_named(tool) => return Err(missing),
        Err(missing) => missing,
    };
    match Toolbox::open().program(tool, paths) {
        Err(failure) if failure.id == missing.id => Ok(tool.name().into()),
        other => other,
    }
}

/// Check the programs that exist, replace those that are missing or unsuitable, and check the replacements. `ask`:
/// whether requests may be sent to the API server.
pub(crate) async fn check(cx: &Context, ask: bool) -> Result<Found> {
    let there = |tool| toolbox::on_path(tool).is_ok();
    let (has_minikube, has_kubectl) = (there(Tool::Minikube), there(Tool::Kubectl));
    let (minikube, kubectl, listed, api) = tokio::join!(
        run_if(has_minikube, cx.minikube.version()),
        run_if(has_kubectl, cx.kubectl.client_version()),
        run_if(has_minikube, cx.minikube.listed()),
        run_if(ask && has_kubectl, cx.kubectl.ready_in(response_limit(cx))),
    );
    let mut found = Found {
        minikube: minikube.transpose()?.unwrap_or_default(),
        kubectl: kubectl.transpose()?.unwrap_or_default(),
        listed: listed.transpose()?.unwrap_or(Listed::Absent),
        api,
        wanting: Vec::new(),
        used: Used::default(),
    };
    check_minikube(cx, has_minikube, &mut found).await?;
    check_kubectl(cx, has_kubectl, &mut found).await?;
    if ask && found.api.is_none() && found.wanting.is_empty() {
        found.api = Some(cx.kubectl.ready_in(response_limit(cx)).await);
    }
    Ok(found)
}

/// How long to wait for a response of the API server. minikube's responds soon if it runs, and the task `cluster`
/// tries again for longer; a remote one may need more time.
fn response_limit(cx: &Context) -> Duration {
    Duration::from_secs(if cx.target.context.is_some() { 15 } else { 3 })
}

async fn run_if<T>(wanted: bool, what: impl Future<Output = T>) -> Option<T> {
    if wanted { Some(what.await) } else { None }
}

/// The versions that were requested. An existing profile keeps its Kubernetes version, or gets a later one.
fn wish(cx: &Context, listed: &Listed) -> Partial {
    let live = match listed {
        Listed::Valid(profile) => profile.kubernetes.parse::<Version>().ok(),
        _ => None,
    };
    let asked = cx.settings.kubernetes.clone();
    let kubernetes = match (asked, live) {
        (Some(asked), Some(live)) if asked.is_lower_than(&live) => Some(KubernetesVersion::Exact(live)),
        (Some(asked), _) => Some(asked),
        (None, live) => live.map(KubernetesVersion::Exact),
    };
    Partial {
        release: Some(cx.choice.release.version.clone()),
        kafka: Some(cx.choice.kafka.clone()),
        kubernetes,
        mode: None,
        minikube: None,
        unsupported: cx.settings.allow_unsupported,
    }
}

async fn check_minikube(cx: &Context, there: bool, found: &mut Found) -> Result<()> {
    let fits = |version: &str, listed: &Listed| -> Result<()> {
        if let Some(oldest) = catalogue::catalogue().minikube.first() {
            old_enough("minikube", version, &oldest.version, minikube::PAGE)?;
        }
        let asked = Partial { minikube: version.parse().ok(), ..wish(cx, listed) };
        match catalogue::resolve(&asked) {
            Err(failure) if failure.id == errors::VERSION_MINIKUBE_UNSUPPORTED => Err(failure),
            // Any other problem is reported when all versions are chosen.
            _ => Ok(()),
        }
    };
    let why = match there {
        true => match fits(&found.minikube, &found.listed) {
            Ok(()) => return Ok(()),
            Err(failure) if !may_obtain(cx, Tool::Minikube) => return Err(failure),
            Err(failure) => failure,
        },
        false => {
            toolbox::on_path(Tool::Minikube).err().unwrap_or_else(|| unreachable!("it is not installed"))
        }
    };
    let pinned = pins::minikube(&wish(cx, &found.listed));
    let fit = |version: &Version| fits(&version.to_string(), &found.listed).is_ok();
    let own = own(cx, Tool::Minikube, why, fit, pinned).await?;
    cx.minikube.set_program(own.path);
    if own.there {
        let (minikube, listed) = tokio::join!(cx.minikube.version(), cx.minikube.listed());
        (found.minikube, found.listed) = (minikube?, listed?);
    } else {
        found.minikube = own.version.to_string();
        found.wanting.push(format!("minikube {}", own.version));
    }
    found.used.set(Tool::Minikube, Some(own.version));
    Ok(())
}

async fn check_kubectl(cx: &Context, there: bool, found: &mut Found) -> Result<()> {
    let kubernetes = kubernetes(cx, found);
    let lags = |version: &Version| pins::lags(version, kubernetes.minor());
    let fit = |version: &Version| *version >= pins::OLDEST_KUBECTL && !lags(version);
    let why = if there {
        let old = old_enough("kubectl", &found.kubectl, &pins::OLDEST_KUBECTL, kubectl::PAGE);
        match old {
            Ok(()) if !found.kubectl.parse().is_ok_and(|version| lags(&version)) => return Ok(()),
            Ok(())
                if !may_obtain(cx, Tool::Kubectl)
                    || cx.settings.offline && !is_available_offline(cx, &fit)? =>
            {
                let message = format!(
                    "kubectl {} is more than one minor version older than Kubernetes {kubernetes}: not supported by Kubernetes, though it may work [KS-KUBECTL-SKEW]",
                    found.kubectl
                );
                cx.emit.warn(message);
                return Ok(());
            }
            Ok(()) => too_old(Tool::Kubectl, &found.kubectl, &kubernetes),
            Err(failure) if !may_obtain(cx, Tool::Kubectl) => return Err(failure),
            Err(failure) => failure,
        }
    } else {
        toolbox::on_path(Tool::Kubectl).err().unwrap_or_else(|| unreachable!("it is not installed"))
    };
    let pinned = Some(pins::kubectl(&kubernetes));
    let own = own(cx, Tool::Kubectl, why, fit, pinned).await?;
    cx.kubectl.set_program(own.path);
    if own.there {
        found.kubectl = cx.kubectl.client_version().await?;
    } else {
        found.kubectl = own.version.to_string();
        found.wanting.push(format!("kubectl {}", own.version));
    }
    found.used.set(Tool::Kubectl, Some(own.version));
    Ok(())
}

/// The Kubernetes version of the existing or new cluster.
fn kubernetes(cx: &Context, found: &Found) -> Version {
    let wish = wish(cx, &found.listed);
    if let Some(KubernetesVersion::Exact(version)) = &wish.kubernetes {
        return version.clone();
    }
    let minikube = found.minikube.parse().ok().or_else(|| pins::minikube(&wish));
    let chosen = catalogue::resolve(&Partial { minikube: minikube.clone(), ..wish });
    let default = minikube.and_then(|version| Minikube::installed(&version).map(|m| m.default.clone()));
    let newest = cx.choice.release.kubernetes.max;
    chosen
        .ok()
        .and_then(|choice: Choice| choice.kubernetes)
        .or(default)
        .unwrap_or_else(|| Version::new(newest.major, newest.minor, 0))
}

fn may_obtain(cx: &Context, tool: Tool) -> bool {
    !cx.settings.system_tools && !toolbox::is_named(tool)
}

/// Whether a suitable kubectl is available without network access: kstrim's own, or the bundle's.
fn is_available_offline(cx: &Context, fits: &impl Fn(&Version) -> bool) -> Result<bool> {
    let bundled =
        cx.settings.bundle.as_ref().and_then(|bundle| unbundle::tool_version(bundle, Tool::Kubectl));
    Ok(Toolbox::open().versions(Tool::Kubectl)?.iter().chain(&bundled).any(fits))
}

/// One of kstrim's own programs.
struct Own {
    path: PathBuf,
    version: Version,
    /// It would have to be installed, but this run only reads.
    there: bool,
}

/// A suitable program of kstrim's own: the one with which the profile was created, another installed one, the
/// bundle's, or the pinned one, which is downloaded.
async fn own(
    cx: &Context,
    tool: Tool,
    why: Box<Failure>,
    fits: impl Fn(&Version) -> bool,
    pinned: Option<Version>,
) -> Result<Own> {
    let toolbox = Toolbox::open();
    let before = Used::read(&ProfilePaths::new(state_dir(), cx.profile()).tools()).version(tool).cloned();
    for version in before.into_iter().chain(toolbox.versions(tool)?).filter(|version| fits(version)) {
        if let Some(path) = toolbox.verified(tool, &version)? {
            return Ok(Own { path, version, there: true });
        }
    }
    let bundled = cx.settings.bundle.as_ref().and_then(|bundle| unbundle::tool_version(bundle, tool));
    let bundled = bundled.filter(&fits);
    let bundle = cx.settings.bundle.clone().filter(|_| bundled.is_some());
    let Some(version) = bundled.or(pinned) else { return Err(why) };
    if cx.ownership.read_only.get() {
        return Ok(Own { path: toolbox.path_of(tool, &version), version, there: false });
    }
    let obtained = obtain(cx, &toolbox, bundle, tool, version, &why).await;
    obtained.map_err(|failure| explain(*failure, tool, &why))
}

async fn obtain(
    cx: &Context,
    toolbox: &Toolbox,
    bundle: Option<Bundle>,
    tool: Tool,
    version: Version,
    why: &Failure,
) -> Result<Own> {
    let store = background::store(&cx.settings)?;
    let from = match &bundle {
        Some(bundle) => format!("the bundle {}", bundle.path.display()),
        None => store.source.shown(&toolbox.url(tool, &version)),
    };
    let what = format!("installing {tool} {version}");
    cx.emit.progress(format!("{what} from {from}"), None);
    let (room, wanted) = (toolbox.clone(), version.clone());
    let digests = cx.settings.tool_digests.as_deref().map_or(Ok(Digests::default()), Digests::read)?;
    let fetching = Fetching::begin(move |progress| match &bundle {
        Some(bundle) => unbundle::tool(bundle, tool, &wanted, &room, progress),
        None => room.obtain(tool, &wanted, &store, &digests, progress),
    });
    let told = |progress: Progress| {
        let of = progress.total.map(|total| (progress.done, total, Unit::Bytes));
        cx.emit.progress(what.clone(), of);
    };
    let path = fetching.finish(told).await?;
    let message = format!("{why}; kstrim installed its own {tool} {version} from {from}: {}", path.display());
    cx.emit.warn(message);
    Ok(Own { path, version, there: true })
}

/// A failed installation also reports why it was necessary.
fn explain(failure: Failure, tool: Tool, why: &Failure) -> Box<Failure> {
    if failure.kind == Kind::Interrupted {
        return Box::new(failure);
    }
    let page = match tool {
        Tool::Minikube => minikube::PAGE,
        Tool::Kubectl => kubectl::PAGE,
    };
    Box::new(
        failure
            .because(format!("kstrim needs its own {tool}: {why}"))
            .hint(format!("or install {tool} yourself: {page}")),
    )
}

fn too_old(tool: Tool, found: &str, kubernetes: &Version) -> Box<Failure> {
    let message = format!("{tool} {found} is too old for Kubernetes {kubernetes}");
    Box::new(Failure::new(errors::TOOL_TOO_OLD, Kind::Prerequisite, message))
}
