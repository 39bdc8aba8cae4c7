//! Whether Strimzi, Kafka, Kubernetes and minikube are compatible.

use super::{Ground, Verdict};
use crate::catalogue::{self, Choice, Partial};
use crate::component;
use crate::config::Settings;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::manifest::recognise;
use crate::manifest::render::Preset;
use crate::names::Version;

/// A consistent set for the request, before minikube is queried. A user's manifest determines its own release.
pub(crate) fn choose(settings: &Settings) -> Result<Choice> {
    let given = || recognise::given(settings.manifests.as_deref()).map(|release| release.version.clone());
    of_release(settings, settings.release.clone().or_else(given))
}

/// A consistent set for the request, with this release.
pub(crate) fn of_release(settings: &Settings, release: Option<Version>) -> Result<Choice> {
    let asked = settings.preset.map(Preset::from);
    let choice = catalogue::resolve(&Partial {
        release,
        kafka: settings.kafka.clone(),
        kubernetes: settings.kubernetes.clone(),
        mode: asked.map(Preset::mode),
        minikube: None,
        unsupported: settings.allow_unsupported,
    })?;
    let preset = asked.unwrap_or_else(|| Preset::default_for(choice.release));
    preset.check(choice.release)?;
    component::check(&settings.with, preset.brokers(), "use --preset ha, which has three")?;
    Ok(choice)
}

/// Whether the set resolves with what is installed.
pub(crate) async fn set(ground: &Ground) -> Verdict {
    let choice = match ground.resolved().await {
        Ok(choice) => choice,
        Err(failure) => return Verdict::Fail(failure),
    };
    let mut warnings = choice.warnings.into_iter();
    if let Some(first) = warnings.next() {
        let failure = Failure::new(errors::VERSION_NOTE, Kind::Prerequisite, first);
        return Verdict::Warn(Box::new(warnings.fold(failure, Failure::because)));
    }
    let kubernetes = match ground.profile().await {
        Some(profile) => Some(profile.kubernetes),
        None => choice.kubernetes.map(|v| v.to_string()),
    };
    let kubernetes = kubernetes.map_or("minikube's own Kubernetes".into(), |v| format!("Kubernetes {v}"));
    Verdict::Ok(format!("Strimzi {}, Kafka {}, {kubernetes}", choice.release.version, choice.kafka))
}
