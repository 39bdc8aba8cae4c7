//! The install manifest of the run: fetched once, retargeted, tuned, labelled.

use std::rc::Rc;

use super::context::{Context, Prepared};
use super::unbundle;
use crate::catalogue::Mode;
use crate::cluster::remediation::Remedies;
use crate::cluster::session::Session;
use crate::component;
use crate::download::Progress;
use crate::download::background::{self, Fetching};
use crate::event::{self, Emit, Unit};
use crate::failure::Result;
use crate::manifest::{self, class_data, images, pull, source, tune};
use crate::manifest::{Object, Phases};
use crate::names::{Minor, Version};
use crate::tool::minikube_output::Listed;
use async_trait::async_trait;

/// Start to fetch it, so that it is available when the first task needs it. A failure is kept until then.
pub(crate) fn prefetch(cx: &Context) {
    cx.install.fetching.borrow_mut().get_or_insert_with(|| {
        let emit = cx.emit.clone();
        let what = match cx.settings.bundle {
            Some(_) => "unpacking the install manifest",
            None => "downloading the install manifest",
        };
        let fetching = begin(cx);
        // Progress is attributed to the task of the definitions, whichever task waits for it first.
        Box::pin(event::in_task("crds", async move {
            // Progress is reported as soon as a task waits for it.
            let loaded = fetching.finish(|progress| emit_progress(&emit, what, progress)).await;
            if let Ok(source::Install { warning: Some(warning), .. }) = &loaded {
                emit.warn(warning.clone());
            }
            loaded
        }))
    });
}

fn begin(cx: &Context) -> Fetching<source::Install> {
    let (given, choice) = (cx.settings.manifests.clone(), cx.choice.clone());
    let (store, bundle) = (background::store(&cx.settings), cx.settings.bundle.clone());
    Fetching::begin(move |progress| {
        let given = match &bundle {
            Some(bundle) => {
                let path = unbundle::cached(bundle, bundle.manifest(), progress)?;
                Some(path.to_string_lossy().into_owned())
            }
            None => given,
        };
        source::install(given.as_deref(), &choice, &store?, progress)
    })
}

/// The install manifest as it was published.
pub(crate) async fn published(cx: &Context) -> Result<source::Install> {
    begin(cx).finish(|_| {}).await
}

fn emit_progress(emit: &Emit, what: &str, progress: Progress) {
    emit.progress(what, progress.total.map(|total| (progress.done, total, Unit::Bytes)));
}

/// The install manifest; waits for the fetch.
pub(crate) async fn install(cx: &Context) -> Result<Rc<Prepared>> {
    let prepared = prepared(cx).await?;
    if !cx.class_data.get() {
        return Ok(prepared);
    }
    let with = || async { with_class_data(cx, &prepared).map(Rc::new) };
    cx.install.with_class_data.get_or_try_init(with).await.cloned()
}

/// The same with class-data archives for the operator.
fn with_class_data(cx: &Context, prepared: &Prepared) -> Result<Prepared> {
    let Phases { crds, cluster, namespaced } = prepared.phases.clone();
    let mut objects = [crds, cluster, namespaced].concat();
    let mut tuned = prepared.tuned.clone();
    tuned.push(class_data::into_operator(tune::operator(&mut objects)?)?);
    let digest = manifest::digest(&objects);
    manifest::label(&mut objects, &digest, &cx.choice.release.version.to_string());
    Ok(Prepared { phases: manifest::split(objects), digest, tuned, ..prepared.clone() })
}

async fn prepared(cx: &Context) -> Result<Rc<Prepared>> {
    cx.install
        .prepared
        .get_or_try_init(|| async {
            prefetch(cx);
            let handle = cx.install.fetching.borrow_mut().take();
            let loaded = match handle {
                Some(fetching) => fetching.await?,
                None => unreachable!("prefetch has just started it"),
            };
            prepare(cx, loaded).map(Rc::new)
        })
        .await
        .cloned()
}

/// The Kubernetes version to set for an operator that may not be able to parse the version of the API server: the
/// newest that its release supports. Only if it runs on a Kubernetes version that its release does not support.
fn untold(cx: &Context) -> Option<Minor> {
    let supported = cx.choice.release.kubernetes;
    let fits = match (cx.machine.listed.get(), cx.machine.kubernetes.get()) {
        (Some(Listed::Valid(profile)), _) => {
            profile.kubernetes.parse::<Version>().is_ok_and(|live| supported.contains(live.minor()))
        }
        (_, Some(Some(chosen))) => supported.contains(chosen.minor()),
        // minikube's default version, which is supported.
        (_, Some(None)) => true,
        _ => false,
    };
    let wanted = cx.settings.allow_unsupported && !fits && tune::refuses_newer(supported.max);
    wanted.then_some(supported.max)
}

fn prepare(cx: &Context, loaded: source::Install) -> Result<Prepared> {
    let mut objects = loaded.objects;
    manifest::retarget(&mut objects, cx.namespace())?;
    let mut tuned = Vec::new();
    let operator = tune::operator(&mut objects)?;
    if !cx.settings.stock {
        tuned.extend(tune::tune_operator(operator)?);
        if let Some(domain) = cx.minikube.dns_domain(&cx.settings.minikube_args) {
            tuned.extend(tune::set_dns_domain(operator, &domain)?);
        }
    }
    let mut from = Vec::new();
    if let Some(registry) = &cx.settings.image_registry {
        let moved = images::from_registry(operator, registry)?;
        from.push(format!("{moved} images come from {registry}"));
    }
    let zookeeper = cx.preset().mode() == Mode::Zookeeper;
    let release = cx.choice.release;
    let mut run = images::of(operator, &cx.choice.kafka, &release.default_kafka, zookeeper)?;
    let beside: Vec<images::Image> = cx.settings.with.iter().map(|name| component::of(*name).image).collect();
    run.extend(images::beside(operator, &cx.choice.kafka, &beside, &run)?);
    let gates = cx.preset().feature_gates(cx.choice.release);
    tuned.extend(tune::set_feature_gates(operator, gates)?);
    if let Some(minor) = untold(cx) {
        let told = tune::set_kubernetes(operator, minor)?;
        cx.emit.warn(told.clone());
        tuned.push(told);
    }
    let names = cx.settings.pull_secret_names();
    images::pull_with(&mut objects, &names)?;
    if !names.is_empty() {
        from.push(format!("images are pulled with the Secret {}", names.join(", ")));
    }
    let file = cx.settings.pull_config.as_deref();
    let secret =
        file.map(|file| pull::secret(file, run.iter().map(AsRef::as_ref), &cx.target)).transpose()?;
    // The digest covers the objects as they are applied, so that changed settings are detected.
    let digest = manifest::digest(&objects);
    manifest::label(&mut objects, &digest, &cx.choice.release.version.to_string());
    let phases = manifest::split(objects);
    Ok(Prepared { phases, digest, origin: loaded.origin.to_string(), tuned, from, images: run, secret })
}

#[async_trait(?Send)]
impl Remedies for Context {
    fn session(&self) -> &Session {
        self
    }

    async fn operator(&self) -> Result<Option<Vec<Object>>> {
        if self.existing_operator().is_some() {
            return Ok(None);
        }
        let phases = &install(self).await?.phases;
        Ok(Some([phases.cluster.clone(), phases.namespaced.clone()].concat()))
    }
}
