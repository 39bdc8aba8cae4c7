//! The digests of minikube's and kubectl's releases, so that no checksum has to be trusted at run time: whether a
//! publisher or a mirror delivers a file, it is used only if it has this digest.
//!
//! The data is `programs.json` in this directory; `docs/releases.md` describes where the digests come from and how to
//! add a release.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::names::{Tool, Version};

/// By version, then by platform (`linux-amd64`): SHA-256 as lower-case hexadecimal digits.
type Digests = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Programs {
    minikube: Digests,
    kubectl: Digests,
}

static PROGRAMS: LazyLock<Programs> = LazyLock::new(|| {
    serde_json::from_str(include_str!("programs.json"))
        .unwrap_or_else(|e| unreachable!("programs.json is compiled in and tested: {e}"))
});

/// The most common platforms.
pub const MOST: [&str; 4] = ["linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"];

/// Whether the digests of a release are known for the most common platforms, so that kstrim installs the same release
/// on all of them.
pub(crate) fn is_complete(tool: Tool, version: &Version) -> bool {
    MOST.iter().all(|platform| digest(tool, version, platform).is_some())
}

/// The published SHA-256 of a program; `None` if it is not known.
pub fn digest(tool: Tool, version: &Version, platform: &str) -> Option<&'static str> {
    let digests = match tool {
        Tool::Minikube => &PROGRAMS.minikube,
        Tool::Kubectl => &PROGRAMS.kubectl,
    };
    digests.get(&version.to_string())?.get(platform).map(String::as_str)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::catalogue::catalogue;

    #[test]
    fn digests_are_valid_and_unique() {
        let mut seen = BTreeSet::new();
        for (version, platforms) in PROGRAMS.minikube.iter().chain(&PROGRAMS.kubectl) {
            assert_eq!(version.parse::<Version>().map(|v| v.to_string()).as_ref(), Ok(version));
            for (platform, digest) in platforms {
                let hex = digest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
                assert!(digest.len() == 64 && hex, "{version} {platform}");
                assert!(seen.insert(digest), "{version} {platform} is another's");
                assert!(platform.starts_with("linux-") || platform.starts_with("darwin-"), "{platform}");
            }
        }
        assert!(seen.len() > 1000, "{}", seen.len());
    }

    /// The newest minikube releases, and kubectl for their default Kubernetes versions.
    #[test]
    fn the_newest_versions_have_digests() {
        // Only the linux-amd64 digest of 1.39.0 is known.
        let partly = Version::new(1, 39, 0);
        assert!(
            digest(Tool::Minikube, &partly, "linux-amd64").is_some() && !is_complete(Tool::Minikube, &partly)
        );
        let whole = catalogue().minikube.iter().rev().filter(|known| known.version != partly);
        for known in whole.take(6) {
            let kubectl = crate::names::Version { pre: None, ..known.default.clone() };
            assert!(is_complete(Tool::Minikube, &known.version), "{}", known.version);
            assert!(is_complete(Tool::Kubectl, &kubectl), "kubectl {kubectl}");
        }
        assert_eq!(digest(Tool::Kubectl, &Version::new(9, 9, 9), "linux-amd64"), None);
        assert_eq!(digest(Tool::Minikube, &Version::new(1, 38, 1), "plan9-amd64"), None);
    }
}
