//! `kstrim upgrade`.

use std::time::Duration;

use clap::Args;

use super::{OutputMode, duration};
use crate::names::{TopicName, Version};

pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim upgrade --release 1.2.0 --dry-run
  kstrim upgrade --release 1.2.0
  kstrim upgrade --release 1.2.0 --kafka 4.2.1 --yes -o json
  kstrim upgrade --release 0.45.2 --kafka 3.9.1 --kraft
  kstrim upgrade --release 1.2.0 --manifests manifests --image-archive operator.tar --image-archive kafka.tar";

/// `kstrim upgrade`
#[derive(Debug, Clone, Args)]
pub struct Upgrade {
    /// Strimzi release to upgrade to
    #[arg(long, value_name = "VERSION")]
    pub release: Version,
    /// Kafka version to upgrade to [default: the release's default, or the running version if that is newer]
    #[arg(long, value_name = "VERSION")]
    pub kafka: Option<Version>,
    /// Migrate from ZooKeeper to KRaft even if the release still supports ZooKeeper (0.45)
    #[arg(long)]
    pub kraft: bool,
    /// Show the upgrade path with its rules and commands, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Directory with install manifests: strimzi-cluster-operator-VERSION.yaml for each release on the path
    #[arg(long, value_name = "DIR")]
    pub manifests: Option<std::path::PathBuf>,
    /// Load this image archive (docker save) before the first step, for a cluster without a registry; repeatable
    #[arg(long, env = "KSTRIM_IMAGE_ARCHIVE", value_delimiter = ',', value_name = "FILE")]
    pub image_archive: Vec<std::path::PathBuf>,
    /// Bundle with the manifest and images of a release on the path (kstrim bundle create); repeatable
    #[arg(long, value_delimiter = ',', value_name = "FILE")]
    pub bundle: Vec<std::path::PathBuf>,
    /// Download from this mirror instead of the publishers
    #[arg(long, env = "KSTRIM_MIRROR", value_name = "URL|DIR")]
    pub mirror: Option<String>,
    /// Do not use the network: fail if a file is not in the cache, a mirror directory or specified by a flag
    #[arg(long, env = "KSTRIM_OFFLINE")]
    pub offline: bool,
    /// Topic for the smoke tests
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Output format; with --dry-run, json prints the upgrade path as a document
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole upgrade: 30m, 2h
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
}
