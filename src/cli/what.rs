//! What to install and where it comes from: the flags that `up`, `plan` and `render` share.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration::duration;
use crate::names::{
    ComponentName, ImageRegistry, KubernetesVersion, SecretName, StorageSize, TopicName, Version, machine,
};

/// What kind of Kafka cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum PresetName {
    /// One broker with a volume, as in the Strimzi quickstart
    #[default]
    Single,
    /// One broker that keeps nothing
    Ephemeral,
    /// Three brokers and three controllers
    Ha,
    /// One broker and one ZooKeeper, Strimzi 0.30 to 0.45
    Zookeeper,
    /// `zookeeper` after `upgrade` has migrated it; not selectable
    #[value(skip)]
    Migrated,
}

/// What to install: shared by `up`, `plan` and `render`.
#[derive(Debug, Clone, Args)]
pub struct What {
    /// Strimzi release
    #[arg(long, env = "KSTRIM_RELEASE", value_name = "VERSION", help_heading = "What to install")]
    pub release: Option<Version>,
    /// Kafka version
    #[arg(long, env = "KSTRIM_KAFKA", value_name = "VERSION", help_heading = "What to install")]
    pub kafka: Option<Version>,
    /// Kind of Kafka cluster [default: single, before Strimzi 0.41 zookeeper]
    #[arg(long, env = "KSTRIM_PRESET", value_enum, help_heading = "What to install")]
    pub preset: Option<PresetName>,
    /// Install also on a Kubernetes that the Strimzi release does not support
    #[arg(long, env = "KSTRIM_ALLOW_UNSUPPORTED", help_heading = "What to install")]
    pub allow_unsupported: bool,
    /// Topic that is made and tested
    #[arg(
        long,
        env = "KSTRIM_TOPIC",
        default_value = "my-topic",
        value_name = "NAME",
        help_heading = "What to install"
    )]
    pub topic: TopicName,
    /// What stands beside Kafka; repeatable
    #[arg(
        long,
        env = "KSTRIM_WITH",
        value_delimiter = ',',
        value_parser = super::component::names(),
        hide_possible_values = true,
        value_name = "connect,mirror-maker,bridge,cruise-control,exporter,metrics",
        help_heading = "What to install"
    )]
    pub with: Vec<ComponentName>,
    /// Size of each broker's volume
    #[arg(
        long,
        env = "KSTRIM_STORAGE",
        default_value = "100Gi",
        value_name = "SIZE",
        help_heading = "What to install"
    )]
    pub storage: StorageSize,
    /// Strimzi's own settings as they are, without kstrim's laptop tuning
    #[arg(long, env = "KSTRIM_STOCK", help_heading = "What to install")]
    pub stock: bool,
    /// Strimzi's install manifest: a file, a folder or a URL
    #[arg(long, env = "KSTRIM_MANIFESTS", value_name = "FILE|DIR|URL", help_heading = "Where it comes from")]
    pub manifests: Option<String>,
    /// Take downloads from here instead of their publisher
    #[arg(long, env = "KSTRIM_MIRROR", value_name = "URL|DIR", help_heading = "Where it comes from")]
    pub mirror: Option<String>,
    /// Use no network: what is not in the cache, a mirror folder or given by hand is an error
    #[arg(long, env = "KSTRIM_OFFLINE", help_heading = "Where it comes from")]
    pub offline: bool,
    /// Give up a download that brings nothing, or less than 1 KiB/s, for this long
    #[arg(long, env = "KSTRIM_DOWNLOAD_TIMEOUT", default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Where it comes from")]
    pub download_timeout: Duration,
    /// Never obtain minikube or kubectl: use those of this machine
    #[arg(long, env = "KSTRIM_SYSTEM_TOOLS", help_heading = "Where it comes from")]
    pub system_tools: bool,
    /// Take everything from this file (kstrim bundle create): no network is needed
    #[arg(long, env = "KSTRIM_BUNDLE", value_name = "FILE", help_heading = "Where it comes from")]
    pub bundle: Option<PathBuf>,
    /// Load this image archive (docker save) instead of pulling; repeatable
    #[arg(
        long,
        env = "KSTRIM_IMAGE_ARCHIVE",
        value_delimiter = ',',
        value_name = "FILE",
        help_heading = "Where it comes from"
    )]
    pub image_archive: Vec<PathBuf>,
    /// Take every image from here instead of quay.io: a registry that mirrors it
    #[arg(
        long,
        env = "KSTRIM_IMAGE_REGISTRY",
        value_name = "HOST[/PREFIX]",
        help_heading = "Where it comes from"
    )]
    pub image_registry: Option<ImageRegistry>,
    /// Pull images with this Secret of the namespace; repeatable
    #[arg(
        long,
        env = "KSTRIM_IMAGE_PULL_SECRET",
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "Where it comes from"
    )]
    pub image_pull_secret: Vec<SecretName>,
    /// Pull images with the login that docker keeps in this file (config.json)
    #[arg(long, env = "KSTRIM_IMAGE_PULL_CONFIG", value_name = "FILE", help_heading = "Where it comes from")]
    pub image_pull_config: Option<PathBuf>,
    /// Digests of minikube and kubectl builds that you trust, as sha256sum writes them
    #[arg(long, env = "KSTRIM_TOOL_DIGESTS", value_name = "FILE", help_heading = "Where it comes from")]
    pub tool_digests: Option<PathBuf>,
    /// minikube driver
    #[arg(long, env = "KSTRIM_DRIVER", value_parser = machine::driver, value_name = "NAME", help_heading = "minikube")]
    pub driver: Option<String>,
    /// Memory of the minikube machine [default: your minikube config, else 4096]
    #[arg(long, env = "KSTRIM_MEMORY", value_parser = machine::memory, value_name = "SIZE", help_heading = "minikube")]
    pub memory: Option<String>,
    /// Processors of the minikube machine [default: your minikube config, else 2]
    #[arg(long, env = "KSTRIM_CPUS", value_parser = machine::cpus, value_name = "N", help_heading = "minikube")]
    pub cpus: Option<String>,
    /// Number of nodes
    #[arg(long, env = "KSTRIM_NODES", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "minikube")]
    pub nodes: Option<u32>,
    /// Kubernetes version
    #[arg(long, env = "KSTRIM_KUBERNETES_VERSION", value_name = "VERSION", help_heading = "minikube")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Pass this on to `minikube start` as it is; repeatable
    #[arg(long, allow_hyphen_values = true, value_parser = machine::minikube_arg, value_name = "ARG", help_heading = "minikube")]
    pub minikube_arg: Vec<String>,
    /// Accept a profile, namespace, operator or Kafka that kstrim did not make
    #[arg(long)]
    pub adopt: bool,
}
