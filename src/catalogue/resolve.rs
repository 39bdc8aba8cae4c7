//! Resolves the requested versions to one consistent set.

use serde::Serialize;

use super::refusal::{explain, nearest, span};
use super::{Minikube, Mode, Release, releases};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{KubernetesVersion, Version};

/// The request; every part is optional.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partial {
    /// `--release`.
    pub release: Option<Version>,
    /// `--kafka`.
    pub kafka: Option<Version>,
    /// `--kubernetes-version`.
    pub kubernetes: Option<KubernetesVersion>,
    /// What the preset requires.
    pub mode: Option<Mode>,
    /// The installed minikube.
    pub minikube: Option<Version>,
    /// Whether a Kubernetes that the release does not support is accepted.
    pub unsupported: bool,
}

/// A consistent set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The Strimzi release.
    pub release: &'static Release,
    /// The Kafka version.
    pub kafka: Version,
    /// Its metadata version, if the release has one.
    pub metadata: Option<String>,
    /// The value of minikube's `--kubernetes-version`, without a `v`; `None` if minikube's default fits, or if the
    /// installed minikube is not known yet.
    pub kubernetes: Option<Version>,
    /// The operator's image.
    pub operator_image: String,
    /// The broker's image.
    pub kafka_image: String,
    /// Where the install manifest is published.
    pub url: String,
    /// The install manifest's content digest.
    pub digest: String,
    /// Warnings for the user, one sentence each.
    pub warnings: Vec<String>,
}

impl Partial {
    /// Whether a release satisfies the request, regardless of minikube.
    pub fn fits(&self, release: &Release) -> bool {
        self.release.as_ref().is_none_or(|version| release.version == *version)
            && self.kafka.as_ref().is_none_or(|version| release.runs(version))
            && self
                .kubernetes
                .as_ref()
                .is_none_or(|k| self.unsupported || release.kubernetes.contains(k.minor()))
            && self.mode.is_none_or(|mode| release.supports_mode(mode))
    }

    /// The newest release that fits and that the installed minikube can run; otherwise the newest that fits at all,
    /// so that the refusal can name it.
    fn newest(&self) -> Option<&'static Release> {
        let runs = |release: &&Release| kubernetes(release, self).is_some();
        let fitting = || releases().iter().rev().filter(|release| self.fits(release));
        fitting().find(runs).or_else(|| fitting().next())
    }
}

/// Choose the newest release that fits the request, its default Kafka unless another one was requested, and a
/// Kubernetes that both it and the installed minikube support.
///
/// # Errors
///
/// `KS-VERSION-*`, with the nearest sets that fit as hints: kind Usage if the requested versions do not exist or are
/// incompatible, Prerequisite if minikube is the problem.
pub fn resolve(asked: &Partial) -> Result<Choice> {
    let Some(release) = asked.newest() else { return Err(Box::new(explain(asked))) };
    let version = asked.kafka.as_ref().unwrap_or(&release.default_kafka);
    let Some(kafka) = release.kafka_version(version) else {
        return Err(Box::new(explain(asked)));
    };
    let Some((kubernetes, mut warnings)) = kubernetes(release, asked) else {
        return Err(Box::new(minikube_unfit(release, asked)));
    };
    let minor =
        kubernetes.as_ref().map(Version::minor).or_else(|| asked.kubernetes.as_ref().map(|k| k.minor()));
    if let Some(minor) = minor.filter(|minor| !release.kubernetes.contains(*minor)) {
        warnings.push(format!(
            "Strimzi {} supports Kubernetes {}, not {minor}: it may not work (--allow-unsupported)",
            release.version, release.kubernetes
        ));
    }
    warnings.extend(mode_warning(release, asked.mode));
    Ok(Choice {
        release,
        kafka: version.clone(),
        metadata: kafka.metadata.clone(),
        kubernetes,
        operator_image: release.operator_image.clone(),
        kafka_image: kafka.image.clone(),
        url: release.url.clone(),
        digest: release.digest.clone(),
        warnings,
    })
}

fn mode_warning(release: &Release, mode: Option<Mode>) -> Option<String> {
    let kraft = &release.kraft;
    let experimental = mode == Some(Mode::Kraft) && kraft.stage == super::Stage::Alpha;
    experimental.then(|| {
        let topics = if kraft.topic_operator { "" } else { ", and KafkaTopic resources are ignored" };
        format!(
            "KRaft is experimental in Strimzi {}{topics}; --preset zookeeper is its quickstart",
            release.version
        )
    })
}

/// The Kubernetes version to request from minikube, and warnings; `None` if the installed minikube does not support
/// any.
fn kubernetes(release: &Release, asked: &Partial) -> Option<(Option<Version>, Vec<String>)> {
    let range = release.kubernetes;
    let exact = |version: &KubernetesVersion, minikube: Option<&Minikube>| match (version, minikube) {
        (KubernetesVersion::Exact(version), _) => version.clone(),
        (KubernetesVersion::Minor(minor), Some(minikube)) => minikube.patch_of(*minor),
        (KubernetesVersion::Minor(minor), None) => Version::new(minor.major, minor.minor, 0),
    };
    let Some(version) = &asked.minikube else {
        return Some((asked.kubernetes.as_ref().map(|k| exact(k, None)), Vec::new()));
    };
    let minikube = Minikube::installed(version)?;
    if let Some(wanted) = &asked.kubernetes {
        let wanted = exact(wanted, Some(minikube));
        if wanted < minikube.oldest {
            return None;
        }
        let mut warnings = Vec::new();
        if wanted.minor() > minikube.newest.minor() {
            warnings.push(format!(
                "minikube {version} supports Kubernetes up to {}; {wanted} may not work with it",
                minikube.newest
            ));
        }
        return Some((Some(wanted), warnings));
    }
    // A minikube newer than the catalogue has another default, which may be outside the range.
    let known = minikube.version == *version;
    if known && range.contains(minikube.default.minor()) {
        return Some((None, Vec::new()));
    }
    if !minikube.can_run(range) && !asked.unsupported {
        return None;
    }
    let nearest = range.max.clamp(minikube.oldest.minor(), minikube.newest.minor());
    let patch = minikube.patch_of(nearest);
    patch.pre.is_none().then(|| (Some(patch), Vec::new()))
}

fn minikube_unfit(release: &Release, asked: &Partial) -> Failure {
    let unknown = Version::new(0, 0, 0);
    let version = asked.minikube.as_ref().unwrap_or(&unknown);
    let can = match Minikube::installed(version) {
        Some(minikube) => format!("Kubernetes {} to {}", minikube.oldest, minikube.newest),
        None => "no version in this catalogue: it is too old".to_owned(),
    };
    let wants = match &asked.kubernetes {
        Some(wanted) => format!("Kubernetes {wanted}"),
        None => format!("a Kubernetes for Strimzi {} ({})", release.version, release.kubernetes),
    };
    let range = asked.kubernetes.as_ref().map_or(release.kubernetes, |wanted| {
        let minor = wanted.minor();
        super::Range { min: minor, max: minor }
    });
    let fitting: Vec<_> = super::catalogue().minikube.iter().filter(|m| m.can_run(range)).collect();
    let mut failure = Failure::new(
        errors::VERSION_MINIKUBE_UNSUPPORTED,
        Kind::Prerequisite,
        format!("minikube {version} cannot create {wants}"),
    )
    .because(format!("minikube {version} can create {can}"));
    let by_flag = asked.kubernetes.is_none() && Minikube::installed(version).is_some();
    if let (Some(oldest), Some(newest)) = (fitting.first(), fitting.last()) {
        failure = failure.hint(format!("use minikube {}", span(&oldest.version, &newest.version)));
    }
    let free = Partial { release: None, kafka: None, kubernetes: None, ..asked.clone() };
    let runs = |r: &&Release| free.fits(r) && kubernetes(r, &free).is_some();
    if let Some(near) = nearest(&release.version, runs) {
        failure = failure.hint(format!(
            "or --release {}, the nearest Strimzi that minikube {version} can run (Kubernetes {})",
            near.version, near.kubernetes
        ));
    }
    match by_flag {
        true => failure.hint("or --allow-unsupported, with the nearest Kubernetes that it can create"),
        false => failure,
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
