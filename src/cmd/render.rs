//! `kstrim render`

use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;

use serde_json::json;

use super::invocation::Invocation;
use super::up::Wanted;
use crate::cli::{Global, OutputMode, Part, Render};
use crate::component;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::manifest::to_yaml;
use crate::manifest::{Object, render};
use crate::quickstart::context::Context;
use crate::quickstart::files::UserFiles;
use crate::quickstart::{components as beside, kafka, sources, topic};
use crate::user_manifests::order::Phase;

/// Print the manifests as `up` applies them, without the volume for class-data archives.
///
/// # Errors
/// Invalid settings, or a manifest that is not available.
pub(crate) async fn run(global: &Global, args: &Render) -> Result<ExitCode> {
    let Wanted { global, settings, choice, files } = super::up::wanted_offline(global, &args.what).await?;
    let invocation = Invocation::begin(&global, "render", OutputMode::Plain);
    let cx = super::up::context_without_programs(&invocation, settings, choice)?.with_files(files);
    let parts = parts(&cx, args.only).await?;
    if let Some(folder) = &args.kustomize {
        return kustomization(folder, &parts);
    }
    let objects: Vec<Object> = parts.into_iter().flat_map(|(_, objects)| objects).collect();
    super::print(&to_yaml(&objects));
    Ok(ExitCode::SUCCESS)
}

/// The objects by part, as `up` applies them; `only` one of the parts.
async fn parts(cx: &Context, only: Option<Part>) -> Result<Vec<(&'static str, Vec<Object>)>> {
    let wants = |part| only.is_none_or(|only| only == part);
    let mut parts = Vec::new();
    if wants(Part::Namespace) {
        parts.push(("namespace", cx.labelled(vec![render::namespace(&cx.target.namespace)])));
    }
    if wants(Part::Crds) || wants(Part::Operator) {
        let install = sources::install(cx).await?;
        if wants(Part::Crds) {
            parts.push(("crds", install.phases.crds.clone()));
        }
        if wants(Part::Operator) {
            parts.push((
                "operator",
                [install.phases.cluster.clone(), install.phases.namespaced.clone()].concat(),
            ));
        }
    }
    if let Some(files) = &cx.files {
        files.check_schema(cx).await?;
    }
    let (before, after) = files(cx);
    if wants(Part::Files) {
        parts.push(("files-before-kafka", before));
    }
    if wants(Part::Kafka) {
        let mut wanted = cx.labelled(kafka::wanted(cx)?);
        component::into_kafka(&mut wanted, None, &cx.settings.with, &beside::input(cx));
        parts.push(("kafka", wanted));
    }
    if wants(Part::Files) {
        parts.push(("files-after-kafka", after));
    }
    let described = |files: &Rc<UserFiles>| files.has_topic(cx.cluster(), cx.settings.topic.as_str());
    if wants(Part::Topic) && !cx.files.as_ref().is_some_and(described) {
        parts.push(("topic", cx.labelled(topic::wanted(cx))));
    }
    if wants(Part::Components) {
        parts.push(("components", beside::all(cx)));
    }
    parts.retain(|(_, objects)| !objects.is_empty());
    Ok(parts)
}

/// The user's own manifests that come before the Kafka of the run, and those that come after it.
fn files(cx: &Context) -> (Vec<Object>, Vec<Object>) {
    let groups = cx.files.iter().flat_map(|files| files.groups(cx.cluster()));
    let (before, after): (Vec<_>, Vec<_>) = groups.partition(|(phase, _)| *phase == Phase::Foundations);
    // Each object with a digest of its own, as the tasks apply them.
    let labelled = |groups: Vec<(Phase, Vec<Object>)>| {
        let objects = groups.into_iter().flat_map(|(_, objects)| objects);
        objects.flat_map(|object| cx.labelled(vec![object])).collect()
    };
    (labelled(before), labelled(after))
}

/// Write the parts as a kustomization. Its definitions come first: `kubectl apply -k` sends them before everything
/// else, but does not wait until they are established, so a first run may have to be repeated.
fn kustomization(folder: &Path, parts: &[(&'static str, Vec<Object>)]) -> Result<ExitCode> {
    let unwritable = |e: std::io::Error| {
        let message = format!("the directory {} cannot be written", folder.display());
        Box::new(Failure::new(errors::EXPORT_UNWRITABLE, Kind::Usage, message).because(e))
    };
    if folder.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
        let message = format!("the directory {} is not empty", folder.display());
        let failure = Failure::new(errors::EXPORT_NOT_EMPTY, Kind::Usage, message);
        return Err(Box::new(failure.hint("specify a new directory: --kustomize DIR")));
    }
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    let mut resources = Vec::new();
    for (name, objects) in parts {
        let file = format!("{name}.yaml");
        std::fs::write(folder.join(&file), to_yaml(objects)).map_err(unwritable)?;
        resources.push(file);
    }
    let kustomization = json!({"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": resources});
    let text = serde_yaml::to_string(&kustomization).unwrap_or_default();
    std::fs::write(folder.join("kustomization.yaml"), text).map_err(unwritable)?;
    Ok(ExitCode::SUCCESS)
}
