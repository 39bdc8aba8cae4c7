//! Strimzi's and minikube's releases as reviewed data, and the choice among them.
//!
//! The data is `releases.json` in this directory; `docs/releases.md` describes how it is produced and how to add a
//! release.

pub(crate) mod broker;
pub(crate) mod minikube;
pub(crate) mod programs;
mod refusal;
pub(crate) mod release;
pub mod resolve;
pub(crate) mod served;

use std::sync::LazyLock;

use jiff::civil::Date;
pub use minikube::Minikube;
pub use release::{Kafka, Kraft, Mode, Range, Release, Schema, Stage};
pub use resolve::{Choice, Partial, resolve};
use serde::{Deserialize, Serialize};

use crate::names::Version;

/// The version of `releases.json`'s format.
pub const SCHEMA: u32 = 1;

/// All known releases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The day until which it is complete: when new releases were last looked up.
    pub as_of: Date,
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

/// Days after which the catalogue is considered old: Strimzi and minikube publish three to six releases in that time.
const OLD_AFTER: i32 = 183;

/// How old the catalogue is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Age {
    /// The day until which it is complete.
    pub as_of: Date,
    /// Days since then.
    pub age_days: i32,
    /// Whether there are probably newer releases that it does not contain.
    pub old: bool,
}

/// How old the catalogue is on this day. A clock that is behind results in an age of zero.
pub(crate) fn age(today: Date) -> Age {
    let as_of = catalogue().as_of;
    let age_days = as_of.until(today).map_or(0, |span| span.get_days()).max(0);
    Age { as_of, age_days, old: age_days > OLD_AFTER }
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { as_of, age_days, old } = self;
        match old {
            false => write!(f, "This list is as of {as_of}, {age_days} days ago."),
            true => write!(
                f,
                "note: this list is as of {as_of}, {} months ago: there are probably newer releases of Strimzi, \
                 Kafka, Kubernetes and minikube, and a newer kstrim that knows them",
                age_days / 30
            ),
        }
    }
}

/// Every Strimzi release, oldest first.
pub fn releases() -> &'static [Release] {
    &catalogue().releases
}

/// The release with exactly this version.
pub fn find(version: &Version) -> Option<&'static Release> {
    releases().iter().find(|release| release.version == *version)
}

/// The release nearest to `version` that satisfies all requests, regardless of minikube.
pub(crate) fn nearest(version: &Version, asked: &Partial) -> Option<&'static Release> {
    refusal::nearest(version, |release| asked.fits(release))
}

/// A row of `kstrim versions`: compatible versions of Strimzi, Kafka, Kubernetes and minikube.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
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
    /// Its support for KRaft.
    pub kraft: Stage,
    /// The mode of its default preset.
    pub default_mode: Mode,
    /// Oldest and newest known minikube releases that can run it, if any.
    pub minikube: Option<(Version, Version)>,
    /// Oldest and newest of those that need no `--kubernetes-version`, if any.
    pub minikube_default: Option<(Version, Version)>,
}

/// The oldest and the newest matching minikube, if any.
pub(crate) fn minikube_span(fits: impl Fn(&Minikube) -> bool) -> Option<(Version, Version)> {
    let mut fitting = catalogue().minikube.iter().filter(|m| fits(m)).map(|m| m.version.clone());
    let oldest = fitting.next()?;
    Some((oldest.clone(), fitting.last().unwrap_or(oldest)))
}

/// The table of `kstrim versions`, newest release first.
pub(crate) fn rows() -> Vec<Row> {
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
    fn the_data_is_valid() {
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
    fn an_old_catalogue_is_reported() {
        let as_of = catalogue().as_of;
        let newest = releases().iter().map(|release| release.date.parse::<Date>().expect("a day")).max();
        assert!(Some(as_of) >= newest, "it is at least as of its newest release");
        let after = |days: i64| age(as_of.checked_add(jiff::Span::new().days(days)).expect("a day"));
        assert_eq!((after(0).age_days, after(0).old), (0, false));
        assert_eq!(after(-9).age_days, 0, "a clock that is behind");
        assert!(!after(183).old && after(184).old && after(4000).old);
        assert!(after(52).to_string().contains("52 days ago"), "{}", after(52));
        assert!(
            after(400).to_string().starts_with("note: ") && after(400).to_string().contains("13 months ago")
        );
    }

    #[test]
    fn rows_list_compatible_versions() {
        let rows = rows();
        assert_eq!(rows[0].release.to_string(), "1.2.0");
        let old = rows.last().unwrap();
        let span = old.minikube.as_ref().map(|(a, b)| format!("{a} to {b}"));
        assert_eq!(span.as_deref(), Some("1.23.0 to 1.36.0"));
    }
}
