//! Which minikube and kubectl belong to a set of versions: from the catalogue, not "latest".

use crate::catalogue::{self, Minikube, Partial, programs, resolve};
use crate::names::{Minor, Tool, Version};

/// Oldest kubectl with stable server-side apply (Kubernetes 1.22 changelog).
pub(crate) const OLDEST_KUBECTL: Version = Version::new(1, 22, 0);

/// The minikube for a set: the newest in the catalogue that supports its Kubernetes without a warning, preferably one
/// whose digests are known; otherwise the newest that supports it at all.
pub(crate) fn minikube(asked: &Partial) -> Option<Version> {
    let can = |known: &&Minikube| {
        let asked = Partial { minikube: Some(known.version.clone()), mode: None, ..asked.clone() };
        resolve(&asked).ok()
    };
    let newest_first = || catalogue::catalogue().minikube.iter().rev();
    let quiet = |known: &&Minikube| can(known).is_some_and(|choice| choice.warnings.is_empty());
    let whole = |known: &&Minikube| programs::is_complete(Tool::Minikube, &known.version);
    newest_first()
        .find(|known| whole(known) && quiet(known))
        .or_else(|| newest_first().find(quiet))
        .or_else(|| newest_first().find(|known| can(known).is_some()))
        .map(|known| known.version.clone())
}

/// The kubectl for a Kubernetes: the same version.
pub(crate) fn kubectl(kubernetes: &Version) -> Version {
    Version { pre: None, ..kubernetes.clone() }
}

/// Whether a kubectl is older than its API server by more than the one minor version that Kubernetes supports (its
/// version skew policy).
pub(crate) fn lags(kubectl: &Version, kubernetes: Minor) -> bool {
    (kubectl.major, kubectl.minor + 1) < (kubernetes.major, kubernetes.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pinned(release: &str, kubernetes: &str) -> String {
        let kubernetes = (!kubernetes.is_empty()).then(|| kubernetes.parse().expect("a version"));
        let asked = Partial { release: release.parse().ok(), kubernetes, ..Partial::default() };
        minikube(&asked).map_or("none".into(), |version| version.to_string())
    }

    #[test]
    fn every_release_has_a_minikube() {
        for release in catalogue::releases() {
            let asked = Partial { release: Some(release.version.clone()), ..Partial::default() };
            let minikube = minikube(&asked).unwrap_or_else(|| panic!("{}", release.version));
            let choice = resolve(&Partial { minikube: Some(minikube), ..asked }).expect("it fits");
            assert!(choice.warnings.is_empty(), "{}", release.version);
        }
    }

    #[test]
    fn the_newest_matching_version_is_used() {
        assert_eq!(pinned("1.2.0", ""), "1.38.1", "1.39.0 is not known on each platform");
        assert_eq!(pinned("0.30.0", ""), "1.36.0", "newer ones make no Kubernetes 1.24");
        assert_eq!(pinned("1.2.0", "1.36"), "1.39.0", "the first that knows it");
        assert_eq!(pinned("1.2.0", "1.20"), "none");
    }

    #[test]
    fn one_minor_behind_is_supported() {
        let lag = |kubectl: &str, kubernetes: &str| {
            lags(&kubectl.parse().expect("a version"), kubernetes.parse().expect("a minor"))
        };
        assert!(!lag("1.34.4", "1.34") && !lag("1.33.0", "1.34") && !lag("1.36.0", "1.34"));
        assert!(lag("1.32.9", "1.34"));
    }
}
