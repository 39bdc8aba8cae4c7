//! Names of contexts in a kubeconfig.

use std::fmt;
use std::str::FromStr;

use crate::sha256;
use serde::{Deserialize, Serialize};

use super::{NameError, ProfileName};

/// Prefix of the name that is used for a context instead of a profile. No minikube profile's name can contain an `@`.
const MARK: &str = "context@";
/// Characters of a context's name that its derived name keeps.
const KEPT: usize = 40;

/// A context of a kubeconfig. kubectl itself accepts any text; this is what can be printed and used in a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContextName(String);

impl ContextName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ContextName {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let fits = (1..=253).contains(&given.len())
            && !given.starts_with('-')
            && given.chars().all(|c| !c.is_control() && !c.is_whitespace());
        if fits {
            return Ok(Self(given.to_owned()));
        }
        Err(NameError {
            what: "context",
            given: given.to_owned(),
            rule: "1 to 253 characters without blanks, not beginning with '-'",
            suggestion: None,
        })
    }
}

impl TryFrom<String> for ContextName {
    type Error = NameError;

    fn try_from(given: String) -> Result<Self, NameError> {
        given.parse()
    }
}

impl From<ContextName> for String {
    fn from(name: ContextName) -> String {
        name.0
    }
}

impl fmt::Display for ContextName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl ProfileName {
    /// The name derived from a context in state, events and kstrim's own kubeconfig. It is a safe file name, and
    /// unique for every context.
    pub fn of_context(context: &ContextName) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let kept: String = context.0.chars().map(|c| if plain(c) { c } else { '-' }).take(KEPT).collect();
        if kept == context.0 {
            return Self(format!("{MARK}{kept}"));
        }
        let digest = sha256::of(context.0.as_bytes());
        Self(format!("{MARK}{kept}-{}", &digest[..8]))
    }
}

/// Whether a profile's name is derived from a context: then there is no minikube.
pub(crate) fn is_context(profile: &str) -> bool {
    profile.starts_with(MARK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_name_is_a_safe_file_name_and_unique() {
        let of = |name: &str| ProfileName::of_context(&name.parse().unwrap()).to_string();
        assert_eq!(of("prod"), "context@prod");
        let (a, b) = (of("arn:aws:eks:eu-1:1:cluster/prod"), of("arn:aws:eks:eu-1:1:cluster-prod"));
        assert_ne!(a, b);
        assert!(!a.contains(['/', ':']) && a.len() < 64, "{a}");
        assert!(is_context(&a) && !is_context("kstrim"));
        // This is not a valid name of a minikube profile.
        assert!("context@prod".parse::<ProfileName>().is_err());
    }

    #[test]
    fn names_that_cannot_be_printed_or_typed_are_rejected() {
        for bad in ["", "-x", "a b", "a\nb", "a\u{1b}[0m"] {
            assert!(bad.parse::<ContextName>().is_err(), "{bad:?}");
        }
        assert!("system:admin@https://a:6443/x".parse::<ContextName>().is_ok());
    }
}
