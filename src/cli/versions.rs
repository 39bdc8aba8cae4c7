//! `kstrim versions`' flags.

use clap::{Args, Subcommand};

use super::{Format, PresetName};
use crate::names::{KubernetesVersion, Version};

/// The end of the help of `kstrim versions`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim versions
  kstrim versions -o json
  kstrim versions resolve --kafka 4.0.0     versions that work with it";

/// `kstrim versions`
#[derive(Debug, Clone, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Versions {
    /// What to do; lists all if omitted
    #[command(subcommand)]
    pub verb: Option<VersionsVerb>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// The verbs of `kstrim versions`.
#[derive(Debug, Clone, Subcommand)]
pub enum VersionsVerb {
    /// Show the versions that `kstrim up` would use, or why the requested versions do not work together
    ///
    /// All flags are optional. If the versions do not work together, kstrim shows the reason and the nearest versions
    /// that do. It does not check this machine or its minikube.
    #[command(
        after_help = "Examples:\n  kstrim versions resolve --kafka 4.0.0\n  kstrim versions resolve --preset zookeeper --kubernetes-version 1.30 -o json"
    )]
    Resolve(Resolve),
}

/// `kstrim versions resolve`
#[derive(Debug, Clone, Args)]
pub struct Resolve {
    /// Strimzi release
    #[arg(long, env = "KSTRIM_RELEASE", value_name = "VERSION")]
    pub release: Option<Version>,
    /// Kafka version
    #[arg(long, env = "KSTRIM_KAFKA", value_name = "VERSION")]
    pub kafka: Option<Version>,
    /// Kubernetes version
    #[arg(long, env = "KSTRIM_KUBERNETES_VERSION", value_name = "VERSION")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Kind of Kafka cluster [default: single; zookeeper before Strimzi 0.41]
    #[arg(long, env = "KSTRIM_PRESET", value_enum)]
    pub preset: Option<PresetName>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
