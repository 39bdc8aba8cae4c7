//! Versions of Strimzi, Kafka, minikube and Kubernetes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{NameError, alnum};

/// A released version: `1.2.0`, `v1.38.1`, `1.22.2-rc.0`. Ordered as semantic versions are,
/// except that two pre-releases of the same version compare as text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Version {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
    /// Patch.
    pub patch: u32,
    /// What follows the first dash, if anything.
    pub pre: Option<String>,
}

impl Version {
    /// A version without a pre-release.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, pre: None }
    }

    /// `(major, minor)`, used in Kubernetes ranges.
    pub const fn minor(&self) -> Minor {
        Minor { major: self.major, minor: self.minor }
    }
}

impl FromStr for Version {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let refuse = || NameError {
            what: "version",
            given: given.to_owned(),
            rule: "three numbers with dots, such as 1.2.0",
            suggestion: None,
        };
        let text = given.strip_prefix('v').unwrap_or(given);
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (text, None),
        };
        let numbers = parse_numbers(numbers).ok_or_else(refuse)?;
        let &[major, minor, patch] = numbers.as_slice() else { return Err(refuse()) };
        let pre_ok = |pre: &str| !pre.is_empty() && pre.chars().all(|c| alnum(c) || ".-+".contains(c));
        if !pre.is_none_or(pre_ok) {
            return Err(refuse());
        }
        Ok(Self { major, minor, patch, pre: pre.map(str::to_owned) })
    }
}

/// Dotted decimal numbers without signs or leading zeros.
fn parse_numbers(text: &str) -> Option<Vec<u32>> {
    let number = |part: &str| {
        let plain = !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (plain && (part == "0" || !part.starts_with('0'))).then(|| part.parse().ok()).flatten()
    };
    text.split('.').map(number).collect()
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let numbers = |v: &Self| (v.major, v.minor, v.patch);
        // No pre-release is newer than any pre-release.
        let pre = |v: &Self| (v.pre.is_none(), v.pre.clone());
        numbers(self).cmp(&numbers(other)).then_with(|| pre(self).cmp(&pre(other)))
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = format!("{}.{}.{}", self.major, self.minor, self.patch);
        if let Some(pre) = &self.pre {
            text.push('-');
            text.push_str(pre);
        }
        f.pad(&text)
    }
}

impl TryFrom<String> for Version {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<Version> for String {
    fn from(version: Version) -> String {
        version.to_string()
    }
}

/// A Kubernetes minor version: `1.34`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Minor {
    /// Major.
    pub major: u32,
    /// Minor.
    pub minor: u32,
}

impl FromStr for Minor {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let text = given.strip_prefix('v').unwrap_or(given);
        match parse_numbers(text).as_deref() {
            Some(&[major, minor]) => Ok(Self { major, minor }),
            _ => Err(NameError {
                what: "minor version",
                given: given.to_owned(),
                rule: "two numbers with a dot, such as 1.34",
                suggestion: None,
            }),
        }
    }
}

impl fmt::Display for Minor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&format!("{}.{}", self.major, self.minor))
    }
}

impl TryFrom<String> for Minor {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<Minor> for String {
    fn from(minor: Minor) -> String {
        minor.to_string()
    }
}

/// A Kubernetes version as specified by the user: `1.34`, `1.34.2` or `v1.34.2`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KubernetesVersion {
    /// Any patch of this minor version.
    Minor(Minor),
    /// Exactly this version.
    Exact(Version),
}

impl KubernetesVersion {
    /// Its minor version.
    pub fn minor(&self) -> Minor {
        match self {
            Self::Minor(minor) => *minor,
            Self::Exact(version) => version.minor(),
        }
    }

    /// Whether it is lower than `live`; a minor version is not lower than its own patches.
    pub fn is_lower_than(&self, live: &Version) -> bool {
        match self {
            Self::Minor(minor) => *minor < live.minor(),
            Self::Exact(version) => version < live,
        }
    }
}

impl FromStr for KubernetesVersion {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        if let Ok(minor) = given.parse() {
            return Ok(Self::Minor(minor));
        }
        given.parse().map(Self::Exact).map_err(|_| NameError {
            what: "Kubernetes version",
            given: given.to_owned(),
            rule: "two or three numbers with dots, such as 1.34 or v1.34.2",
            suggestion: None,
        })
    }
}

impl fmt::Display for KubernetesVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minor(minor) => write!(f, "{minor}"),
            Self::Exact(version) => write!(f, "{version}"),
        }
    }
}

impl TryFrom<String> for KubernetesVersion {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<KubernetesVersion> for String {
    fn from(version: KubernetesVersion) -> String {
        version.to_string()
    }
}
