//! Which of kstrim's own tools the last `up` of a profile used, so that the other commands use them, too.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::names::{Tool, Version};
use crate::paths::write_private;

/// The versions of kstrim's own tools.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Used {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    minikube: Option<Version>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kubectl: Option<Version>,
}

impl Used {
    /// Read it; an unreadable file counts as empty, and PATH is used.
    pub(crate) fn read(file: &Path) -> Self {
        fs::read(file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    /// The version of a tool.
    pub(crate) fn version(&self, tool: Tool) -> Option<&Version> {
        match tool {
            Tool::Minikube => self.minikube.as_ref(),
            Tool::Kubectl => self.kubectl.as_ref(),
        }
    }

    /// Set the version of a tool.
    pub(crate) fn set(&mut self, tool: Tool, version: Option<Version>) {
        match tool {
            Tool::Minikube => self.minikube = version,
            Tool::Kubectl => self.kubectl = version,
        }
    }

    /// Write it; an empty record removes the file.
    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        if *self != Self::default() {
            return write_private(file, &serde_json::to_vec_pretty(self)?);
        }
        match fs::remove_file(file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}
