//! The programs that kstrim runs and can install.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{NameError, Version};

/// A program that kstrim runs and can install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tool {
    /// minikube.
    Minikube,
    /// kubectl.
    Kubectl,
}

impl Tool {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minikube, Self::Kubectl];

    /// The program's file name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minikube => "minikube",
            Self::Kubectl => "kubectl",
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A tool, optionally with a version: `kubectl`, `minikube@1.38.1`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolSpec {
    /// The tool.
    pub tool: Tool,
    /// The version, if one was named.
    pub version: Option<Version>,
}

impl FromStr for ToolSpec {
    type Err = NameError;

    fn from_str(given: &str) -> Result<Self, NameError> {
        let refuse = || NameError {
            what: "tool",
            given: given.to_owned(),
            rule: "minikube or kubectl, optionally with a version: kubectl@1.34.4",
            suggestion: None,
        };
        let (name, version) = match given.split_once('@') {
            Some((name, version)) => (name, Some(version.parse().map_err(|_| refuse())?)),
            None => (given, None),
        };
        let tool = Tool::ALL.into_iter().find(|tool| tool.name() == name).ok_or_else(refuse)?;
        Ok(Self { tool, version })
    }
}

impl fmt::Display for ToolSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.version {
            Some(version) => write!(f, "{}@{version}", self.tool),
            None => write!(f, "{}", self.tool),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn specs() {
        for text in ["kubectl", "minikube@1.38.1", "kubectl@1.22.2-rc.0"] {
            assert_eq!(text.parse::<ToolSpec>().map(|spec| spec.to_string()).as_deref(), Ok(text));
        }
        for text in ["", "helm", "minikube@", "minikube@latest", "@1.0.0", "kubectl@1.34", "kubectl@../x"] {
            assert!(text.parse::<ToolSpec>().is_err(), "{text}");
        }
    }
}
