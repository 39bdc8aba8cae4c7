//! From what a person asked for to one consistent set of versions.

use serde::Serialize;

use super::{Minikube, Mode, Release, find, ids, releases};
use crate::failure::{Failure, Kind, Result};
use crate::names::{KubernetesVersion, Version};

/// What was asked for; everything may be left open.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Partial {
    /// `--release`.
    pub release: Option<Version>,
    /// `--kafka`.
    pub kafka: Option<Version>,
    /// `--kubernetes-version`.
    pub kubernetes: Option<KubernetesVersion>,
    /// What the preset needs.
    pub mode: Option<Mode>,
    /// The installed minikube.
    pub minikube: Option<Version>,
}

/// A consistent set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The Strimzi release.
    pub release: &'static Release,
    /// The Kafka version.
    pub kafka: Version,
    /// Its metadata version, if the release knows one.
    pub metadata: Option<String>,
    /// What to give minikube as `--kubernetes-version`, without a `v`; `None` when its own
    /// default fits, or when the installed minikube is not known yet.
    pub kubernetes: Option<Version>,
    /// The operator's image.
    pub operator_image: String,
    /// The broker's image.
    pub kafka_image: String,
    /// Where the install manifest is published.
    pub url: String,
    /// The install manifest's content digest.
    pub digest: String,
    /// What a person should know, a sentence each.
    pub warnings: Vec<String>,
}

impl Partial {
    fn fits(&self, release: &Release) -> bool {
        self.release.as_ref().is_none_or(|version| release.version == *version)
            && self.kafka.as_ref().is_none_or(|version| release.kafka_version(version).is_some())
            && self.kubernetes.as_ref().is_none_or(|k| release.kubernetes.contains(k.minor()))
            && self.mode.is_none_or(|mode| release.can(mode))
    }

    /// The newest release that fits and that the installed minikube can run; else the newest
    /// that fits at all, so that the refusal can speak of it.
    fn newest(&self) -> Option<&'static Release> {
        let runs = |release: &&Release| kubernetes(release, self).is_some();
        let fitting = || releases().iter().rev().filter(|release| self.fits(release));
        fitting().find(runs).or_else(|| fitting().next())
    }

    /// As the flags a person would type.
    fn flags(&self) -> String {
        let flag = |name: &str, value: Option<String>| value.map(|v| format!("--{name} {v}"));
        let mode = self.mode.filter(|mode| *mode == Mode::Zookeeper).map(|_| "zookeeper".to_owned());
        [
            flag("release", self.release.as_ref().map(Version::to_string)),
            flag("kafka", self.kafka.as_ref().map(Version::to_string)),
            flag("kubernetes-version", self.kubernetes.as_ref().map(KubernetesVersion::to_string)),
            flag("preset", mode),
        ]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ")
    }
}

/// Pick the newest release that fits what was asked for, its default Kafka unless another was
/// asked for, and a Kubernetes that both it and the installed minikube can do.
///
/// # Errors
/// `KS-VERSION-*`, with the nearest sets that fit as hints: kind Usage where the command line
/// asks for what does not exist or go together, Prerequisite where minikube is in the way.
pub fn resolve(asked: &Partial) -> Result<Choice> {
    let Some(release) = asked.newest() else { return Err(Box::new(explain(asked))) };
    let version = asked.kafka.as_ref().unwrap_or(&release.default_kafka);
    let Some(kafka) = release.kafka_version(version) else {
        return Err(Box::new(explain(asked)));
    };
    let Some((kubernetes, mut warnings)) = kubernetes(release, asked) else {
        return Err(Box::new(minikube_unfit(release, asked)));
    };
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

/// The Kubernetes to ask minikube for, and warnings; `None` if the installed one cannot.
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
                "minikube {version} knows Kubernetes up to {}; {wanted} may not work with it",
                minikube.newest
            ));
        }
        return Some((Some(wanted), warnings));
    }
    // A minikube newer than the catalogue has another default, perhaps beyond the range.
    let known = minikube.version == *version;
    if known && range.contains(minikube.default.minor()) {
        return Some((None, Vec::new()));
    }
    if !minikube.can_run(range) {
        return None;
    }
    let patch = minikube.patch_of(range.max.min(minikube.newest.minor()));
    patch.pre.is_none().then(|| (Some(patch), Vec::new()))
}

fn minikube_unfit(release: &Release, asked: &Partial) -> Failure {
    let unknown = Version::new(0, 0, 0);
    let version = asked.minikube.as_ref().unwrap_or(&unknown);
    let can = match Minikube::installed(version) {
        Some(minikube) => format!("Kubernetes {} to {}", minikube.oldest, minikube.newest),
        None => "nothing this catalogue knows: it is too old".to_owned(),
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
    let mut failure =
        Failure::new(ids::MINIKUBE, Kind::Prerequisite, format!("minikube {version} cannot make {wants}"))
            .because(format!("minikube {version} can make {can}"));
    if let (Some(oldest), Some(newest)) = (fitting.first(), fitting.last()) {
        failure = failure.hint(format!("use minikube {} to {}", oldest.version, newest.version));
    }
    let free = Partial { release: None, kafka: None, kubernetes: None, ..asked.clone() };
    let runs = |r: &&Release| free.fits(r) && kubernetes(r, &free).is_some();
    match nearest(&release.version, runs) {
        Some(near) => failure.hint(format!(
            "or --release {}, the nearest Strimzi that minikube {version} can run (Kubernetes {})",
            near.version, near.kubernetes
        )),
        None => failure,
    }
}

/// The release nearest to a version among those that fit, the newer of two equally near.
fn nearest(version: &Version, fits: impl Fn(&&'static Release) -> bool) -> Option<&'static Release> {
    let all = releases();
    let at = all.partition_point(|release| release.version < *version);
    let distance = |(index, _): &(usize, &Release)| (index.abs_diff(at), std::cmp::Reverse(*index));
    all.iter()
        .enumerate()
        .filter(|(_, release)| fits(release))
        .min_by_key(distance)
        .map(|(_, release)| release)
}

/// Why nothing fits, and what nearly would.
fn explain(asked: &Partial) -> Failure {
    let usage = |id, message| Failure::new(id, Kind::Usage, message);
    let newest = releases().iter().rev();
    if let Some(version) = asked.release.as_ref().filter(|version| find(version).is_none()) {
        let near: Vec<_> = releases()
            .iter()
            .filter(|r| r.version.minor() == version.minor())
            .chain(nearest(version, |_| true))
            .map(|r| r.version.to_string())
            .collect();
        let mut near = near;
        near.dedup();
        return usage(ids::RELEASE, format!("kstrim knows no Strimzi release {version}"))
            .hint(format!("nearest: --release {}", near.join(" or --release ")))
            .hint("kstrim versions lists all; a newer kstrim may know more");
    }
    if let Some(version) = &asked.kafka {
        let mut known: Vec<_> = releases().iter().flat_map(|r| &r.kafka).map(|k| &k.version).collect();
        known.sort();
        known.dedup();
        if !known.contains(&version) {
            let at = known.partition_point(|k| *k < version);
            let near = known[at.saturating_sub(1)..(at + 1).min(known.len())].iter();
            let near: Vec<_> = near.map(|k| format!("--kafka {k}")).collect();
            return usage(ids::KAFKA, format!("no Strimzi release in the catalogue runs Kafka {version}"))
                .hint(format!("nearest: {}", near.join(" or ")))
                .hint("kstrim versions lists which Kafka goes with which Strimzi");
        }
    }
    if let Some(version) = &asked.kubernetes {
        let minor = version.minor();
        if !releases().iter().any(|r| r.kubernetes.contains(minor)) {
            let near = newest.map(|r| r.kubernetes.nearest(minor));
            let key = |m: &crate::names::Minor| m.minor.abs_diff(minor.minor);
            let near = near.min_by_key(key).map(|m| m.to_string()).unwrap_or_default();
            return usage(
                ids::KUBERNETES,
                format!("no Strimzi release in the catalogue supports Kubernetes {version}"),
            )
            .hint(format!("nearest: --kubernetes-version {near}"))
            .hint("kstrim versions lists which Kubernetes goes with which Strimzi");
        }
    }
    contradiction(asked)
}

fn contradiction(asked: &Partial) -> Failure {
    let message = format!("these do not go together: {}", asked.flags());
    let mut failure = Failure::new(ids::CONTRADICTION, Kind::Usage, message);
    if let Some(release) = asked.release.as_ref().and_then(find) {
        let name = &release.version;
        if let Some(kafka) = asked.kafka.as_ref().filter(|k| release.kafka_version(k).is_none()) {
            failure =
                failure.because(format!("Strimzi {name} runs Kafka {}, not {kafka}", release.kafka_list()));
        }
        if let Some(k8s) = asked.kubernetes.as_ref().filter(|k| !release.kubernetes.contains(k.minor())) {
            failure = failure
                .because(format!("Strimzi {name} supports Kubernetes {}, not {k8s}", release.kubernetes));
        }
        if asked.mode.is_some_and(|mode| !release.can(mode)) {
            failure = failure.because(format!("Strimzi {name} has no ZooKeeper mode; 0.45.2 was the last"));
        }
    } else if let (Some(kafka), Some(k8s)) = (&asked.kafka, &asked.kubernetes) {
        let with: Vec<_> = releases().iter().filter(|r| r.kafka_version(kafka).is_some()).collect();
        if let (Some(first), Some(last)) = (with.first(), with.last()) {
            failure = failure.because(format!(
                "Kafka {kafka} comes with Strimzi {} to {}, which support Kubernetes {} to {}, not {k8s}",
                first.version, last.version, first.kubernetes.min, last.kubernetes.max
            ));
        }
    }
    // Let go of one wish at a time; what then fits is a set a person can choose.
    let anchor = asked.release.clone().unwrap_or_else(|| Version::new(u32::MAX, 0, 0));
    let relaxed = [
        Partial { release: None, ..asked.clone() },
        Partial { kafka: None, ..asked.clone() },
        Partial { kubernetes: None, ..asked.clone() },
        Partial { mode: None, ..asked.clone() },
        Partial { kafka: None, kubernetes: None, ..asked.clone() },
    ];
    let mut offered = Vec::new();
    for wish in relaxed.iter().filter(|wish| *wish != asked) {
        let Some(release) = nearest(&anchor, |r| wish.fits(r)) else { continue };
        let kafka = wish.kafka.as_ref().unwrap_or(&release.default_kafka).clone();
        let k8s = asked.kubernetes.as_ref().map(|k| {
            let near = release.kubernetes.nearest(k.minor());
            if near == k.minor() { k.clone() } else { KubernetesVersion::Minor(near) }
        });
        let set = Partial {
            release: Some(release.version.clone()),
            kafka: Some(kafka),
            kubernetes: k8s,
            mode: wish.mode,
            minikube: None,
        };
        let flags = set.flags();
        if offered.len() < 3 && !offered.contains(&flags) {
            offered.push(flags);
        }
    }
    offered.into_iter().fold(failure, |failure, flags| failure.hint(format!("these do: {flags}")))
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
