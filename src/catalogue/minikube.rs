//! minikube's releases, and the Kubernetes versions that each supports.

use serde::{Deserialize, Serialize};

use super::{Range, catalogue};
use crate::names::{Minor, Version};

/// A minikube release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Minikube {
    /// `1.38.1`.
    pub version: Version,
    /// Its default Kubernetes version.
    pub default: Version,
    /// The oldest Kubernetes version that it supports.
    pub oldest: Version,
    /// The newest Kubernetes version that it supports.
    pub newest: Version,
    /// The newest patch it lists of other minor versions, where no release of minikube has that as its default.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub patches: Vec<Version>,
}

impl Minikube {
    /// Whether it supports a Kubernetes version in this range.
    pub fn can_run(&self, range: Range) -> bool {
        self.oldest.minor() <= range.max && range.min <= self.newest.minor()
    }

    /// What an installed minikube supports. A release between two known ones, or newer than all, is treated like the
    /// last known one before it; `None` for a release older than all.
    pub fn installed(version: &Version) -> Option<&'static Self> {
        catalogue().minikube.iter().rev().find(|known| known.version <= *version)
    }

    /// The newest known patch of a minor version that this minikube supports: from its own list, and from the default
    /// versions of minikube releases; otherwise `.0`, which always exists.
    pub fn patch_of(&self, minor: Minor) -> Version {
        let first = Version::new(minor.major, minor.minor, 0).max(self.floor(minor));
        let defaults = catalogue().minikube.iter().flat_map(|m| [&m.default, &m.newest]);
        let known = defaults.chain(&self.patches);
        let usable = |v: &&Version| v.minor() == minor && v.pre.is_none() && **v <= self.newest;
        known.filter(usable).max().cloned().filter(|v| *v >= first).unwrap_or(first)
    }

    fn floor(&self, minor: Minor) -> Version {
        if self.oldest.minor() == minor { self.oldest.clone() } else { Version::new(0, 0, 0) }
    }
}
