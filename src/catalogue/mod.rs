//! Strimzi's releases and minikube's, as reviewed data, and the choice among them.
//!
//! The data is `releases.json` beside this file; `docs/releases.md` says how it is made and
//! how a release is added.

pub mod ids;
pub mod minikube;
pub mod programs;
mod refusal;
pub mod release;
pub mod resolve;

use std::sync::LazyLock;

pub use minikube::Minikube;
pub use release::{Kafka, Kraft, Mode, Range, Release, Schema, Stage};
pub use resolve::{Choice, Partial, resolve};
use serde::{Deserialize, Serialize};

use crate::names::Version;

/// The version of `releases.json`'s format.
pub const SCHEMA: u32 = 1;

/// All that is known.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// [`SCHEMA`].
    pub schema: u32,
    /// minikube's releases, oldest first.
    pub minikube: Vec<Minikube>,
    /// Strimzi's releases, oldest first.
    pub releases: Vec<Release>,
}

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
    serde_json::from_str(include_str!("releases.json"))
        .unwrap_or_else(|e| unreachable!("releases.json is compiled in and tested: {e}"))
});

/// The catalogue of this build.
pub fn catalogue() -> &'static Catalogue {
    &CATALOGUE
}

/// Every Strimzi release, oldest first.
pub fn releases() -> &'static [Release] {
    &catalogue().releases
}

/// The release of exactly this version.
pub fn find(version: &Version) -> Option<&'static Release> {
    releases().iter().find(|release| release.version == *version)
}

/// A row of `kstrim versions`: which Kafka with which Strimzi on which Kubernetes and minikube.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Row {
    /// The Strimzi release.
    pub release: Version,
    /// The day it was announced, `2026-08-20`.
    pub date: String,
    /// Its Kafka versions, oldest first.
    pub kafka: Vec<Version>,
    /// The Kafka version it uses by default.
    pub default_kafka: Version,
    /// The Kubernetes versions it supports.
    pub kubernetes: Range,
    /// Whether it can run Kafka with ZooKeeper.
    pub zookeeper: bool,
    /// How far its KRaft is.
    pub kraft: Stage,
    /// The mode of its default preset.
    pub default_mode: Mode,
    /// minikube releases that can run it, oldest and newest known, if any.
    pub minikube: Option<(Version, Version)>,
    /// Of them, those that need no `--kubernetes-version`, oldest and newest known, if any.
    pub minikube_default: Option<(Version, Version)>,
}

/// The oldest and the newest of the minikubes that fit, if any does.
pub fn minikube_span(fits: impl Fn(&Minikube) -> bool) -> Option<(Version, Version)> {
    let mut fitting = catalogue().minikube.iter().filter(|m| fits(m)).map(|m| m.version.clone());
    let oldest = fitting.next()?;
    Some((oldest.clone(), fitting.last().unwrap_or(oldest)))
}

/// The table of `kstrim versions`, newest release first.
pub fn rows() -> Vec<Row> {
    let row = |release: &Release| Row {
        release: release.version.clone(),
        date: release.date.clone(),
        kafka: release.kafka.iter().map(|kafka| kafka.version.clone()).collect(),
        default_kafka: release.default_kafka.clone(),
        kubernetes: release.kubernetes,
        zookeeper: release.zookeeper,
        kraft: release.kraft.stage,
        default_mode: release.quickstart,
        minikube: minikube_span(|m| m.can_run(release.kubernetes)),
        minikube_default: minikube_span(|m| release.kubernetes.contains(m.default.minor())),
    };
    releases().iter().rev().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_is_whole() {
        assert_eq!(catalogue().schema, SCHEMA);
        assert!(releases().is_sorted_by_key(|r| &r.version) && releases().len() >= 36);
        assert!(catalogue().minikube.is_sorted_by_key(|m| &m.version));
        for release in releases() {
            let name = &release.version;
            assert!(release.kafka_version(&release.default_kafka).is_some(), "{name}");
            assert!(release.kubernetes.min <= release.kubernetes.max, "{name}");
            assert!(release.digest.len() == 64 && release.url.starts_with("https://"), "{name}");
            assert!(release.url.contains(&name.to_string()), "{name}");
            assert!(!release.api_versions.is_empty(), "{name}");
        }
        let mut digests: Vec<_> = releases().iter().map(|r| &r.digest).collect();
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), releases().len(), "two releases with one digest");
    }

    #[test]
    fn rows_answer_which_with_which() {
        let rows = rows();
        assert_eq!(rows[0].release.to_string(), "1.2.0");
        let old = rows.last().unwrap();
        let span = old.minikube.as_ref().map(|(a, b)| format!("{a} to {b}"));
        assert_eq!(span.as_deref(), Some("1.23.0 to 1.36.0"));
    }
}
