//! `kstrim tools`' flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::Format;
use super::duration::duration;
use crate::names::{KubernetesVersion, ToolSpec, Version};

/// The end of the help of `kstrim tools`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim tools list
  kstrim tools install                    the pinned versions for the newest release
  kstrim tools install kubectl@1.34.4
  kstrim tools remove --all";

/// `kstrim tools`
#[derive(Debug, Clone, Args)]
pub struct Tools {
    /// What to do
    #[command(subcommand)]
    pub verb: ToolsVerb,
}

/// The verbs of `kstrim tools`.
#[derive(Debug, Clone, Subcommand)]
pub enum ToolsVerb {
    /// List the installed tools, and whether each file is unchanged
    #[command(after_help = "Examples:\n  kstrim tools list\n  kstrim tools list -o json")]
    List(ToolsList),
    /// Install tools in advance: those for a set of versions, or specific versions
    #[command(
        after_help = "Examples:\n  kstrim tools install\n  kstrim tools install --release 0.45.2\n  kstrim tools install kubectl@1.34.4"
    )]
    Install(ToolsInstall),
    /// Remove installed tools; their digests stay recorded
    #[command(after_help = "Examples:\n  kstrim tools remove minikube@1.36.0\n  kstrim tools remove --all")]
    Remove(ToolsRemove),
}

/// `kstrim tools list`
#[derive(Debug, Clone, Args)]
pub struct ToolsList {
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim tools install`
#[derive(Debug, Clone, Args)]
pub struct ToolsInstall {
    /// minikube, kubectl, or one with a version: kubectl@1.34.4 [default: both]
    #[arg(value_name = "TOOL[@VERSION]")]
    pub tools: Vec<ToolSpec>,
    /// Strimzi release to install the tools for
    #[arg(long, env = "KSTRIM_RELEASE", value_name = "VERSION")]
    pub release: Option<Version>,
    /// Kafka version to install the tools for
    #[arg(long, env = "KSTRIM_KAFKA", value_name = "VERSION")]
    pub kafka: Option<Version>,
    /// Kubernetes version to install the tools for
    #[arg(long, env = "KSTRIM_KUBERNETES_VERSION", value_name = "VERSION")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Download from this mirror instead of the publishers
    #[arg(long, env = "KSTRIM_MIRROR", value_name = "URL|DIR")]
    pub mirror: Option<String>,
    /// Digests of minikube and kubectl that you trust, in the format of sha256sum
    #[arg(long, env = "KSTRIM_TOOL_DIGESTS", value_name = "FILE")]
    pub tool_digests: Option<PathBuf>,
    /// Do not use the network
    #[arg(long, env = "KSTRIM_OFFLINE")]
    pub offline: bool,
    /// Give up a download after receiving less than 1 KiB/s for this long
    #[arg(long, env = "KSTRIM_DOWNLOAD_TIMEOUT", default_value = "30s", value_parser = duration, value_name = "DURATION")]
    pub download_timeout: Duration,
}

/// `kstrim tools remove`
#[derive(Debug, Clone, Args)]
pub struct ToolsRemove {
    /// minikube, kubectl (all versions), or one version: minikube@1.36.0
    #[arg(value_name = "TOOL[@VERSION]", required_unless_present = "all")]
    pub tools: Vec<ToolSpec>,
    /// Remove all tools
    #[arg(long, conflicts_with = "tools")]
    pub all: bool,
    /// Also forget their digests, so that a different file of the same version is accepted
    #[arg(long)]
    pub forget: bool,
}
