//! `kstrim render`

use std::process::ExitCode;

use super::invocation::Invocation;
use super::up::Wanted;
use crate::cli::{Global, OutputMode, Part, Render};
use crate::component;
use crate::failure::Result;
use crate::manifest::to_yaml;
use crate::manifest::{Object, render};
use crate::quickstart::{components as beside, kafka, sources, topic};

/// Print the manifests exactly as `up` applies them.
///
/// # Errors
/// What is wrong with the settings; a manifest that cannot be had.
pub(crate) async fn run(global: &Global, args: &Render) -> Result<ExitCode> {
    let Wanted { global, settings, choice, files } = super::up::wanted(global, &args.what).await?;
    let invocation = Invocation::begin(&global, "render", OutputMode::Plain);
    let cx = super::up::context_without_programs(&invocation, settings, choice)?.with_files(files);
    let wants = |part| args.only.is_none_or(|only| only == part);
    let mut objects: Vec<Object> = Vec::new();
    if wants(Part::Namespace) {
        objects.extend(cx.labelled(vec![render::namespace(&cx.target.namespace)]));
    }
    if wants(Part::Crds) || wants(Part::Operator) {
        let install = sources::install(&cx).await?;
        if wants(Part::Crds) {
            objects.extend(install.phases.crds.clone());
        }
        if wants(Part::Operator) {
            objects.extend(install.phases.cluster.clone());
            objects.extend(install.phases.namespaced.clone());
        }
    }
    if wants(Part::Kafka) {
        let mut wanted = cx.labelled(kafka::wanted(&cx)?);
        component::into_kafka(&mut wanted, None, &cx.settings.with, &beside::input(&cx));
        objects.extend(wanted);
    }
    if wants(Part::Topic) {
        objects.extend(cx.labelled(topic::wanted(&cx)));
    }
    if wants(Part::Components) {
        objects.extend(beside::all(&cx));
    }
    super::print(&to_yaml(&objects));
    Ok(ExitCode::SUCCESS)
}
