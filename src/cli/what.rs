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
    /// One broker without a persistent volume
    Ephemeral,
    /// Three brokers and three controllers
    Ha,
    /// One broker and one ZooKeeper node, Strimzi 0.30 to 0.45
    Zookeeper,
    /// `zookeeper` after `upgrade` has migrated it; not selectable
    #[value(skip)]
    Migrated,
}

/// How the JVMs of the brokers run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum BrokerJvm {
    /// Less CPU time to start: the C1 compiler and the serial garbage collector
    #[default]
    QuickStart,
    /// Kafka's own options, for a cluster under load
    Throughput,
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
    /// Kind of Kafka cluster [default: single; zookeeper before Strimzi 0.41]
    #[arg(long, env = "KSTRIM_PRESET", value_enum, help_heading = "What to install")]
    pub preset: Option<PresetName>,
    /// Install even if the Strimzi release does not support the Kubernetes version
    #[arg(long, env = "KSTRIM_ALLOW_UNSUPPORTED", help_heading = "What to install")]
    pub allow_unsupported: bool,
    /// Topic to create and test
    #[arg(
        long,
        env = "KSTRIM_TOPIC",
        default_value = "my-topic",
        value_name = "NAME",
        help_heading = "What to install"
    )]
    pub topic: TopicName,
    /// Components to install; repeatable
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
    /// Your own manifests: a file, a directory, a kustomization, or - for standard input; repeatable
    #[arg(
        long,
        short = 'f',
        env = "KSTRIM_FILENAME",
        value_delimiter = ',',
        value_name = "PATH",
        help_heading = "What to install"
    )]
    pub filename: Vec<String>,
    /// Change the manifests of --filename so that they work on this machine (shown by `kstrim plan`)
    #[arg(long, env = "KSTRIM_FIT", help_heading = "What to install")]
    pub fit: bool,
    /// How the JVMs of the brokers run; --stock implies throughput
    #[arg(
        long,
        env = "KSTRIM_BROKER_JVM",
        value_enum,
        default_value = "quick-start",
        value_name = "OPTIONS",
        help_heading = "What to install"
    )]
    pub broker_jvm: BrokerJvm,
    /// Use Strimzi's own settings, without kstrim's laptop tuning
    #[arg(long, env = "KSTRIM_STOCK", help_heading = "What to install")]
    pub stock: bool,
    /// Strimzi's install manifest: a file, a directory or a URL
    #[arg(long, env = "KSTRIM_MANIFESTS", value_name = "FILE|DIR|URL", help_heading = "Where it comes from")]
    pub manifests: Option<String>,
    /// Download from this mirror instead of the publishers
    #[arg(long, env = "KSTRIM_MIRROR", value_name = "URL|DIR", help_heading = "Where it comes from")]
    pub mirror: Option<String>,
    /// Do not use the network: fail if a file is not in the cache, a mirror directory or specified by a flag
    #[arg(long, env = "KSTRIM_OFFLINE", help_heading = "Where it comes from")]
    pub offline: bool,
    /// Give up a download after receiving less than 1 KiB/s for this long
    #[arg(long, env = "KSTRIM_DOWNLOAD_TIMEOUT", default_value = "30s", value_parser = duration, value_name = "DURATION", help_heading = "Where it comes from")]
    pub download_timeout: Duration,
    /// Use only the minikube and kubectl of this machine: never install them
    #[arg(long, env = "KSTRIM_SYSTEM_TOOLS", help_heading = "Where it comes from")]
    pub system_tools: bool,
    /// Use everything from this bundle (kstrim bundle create): no network is needed
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
    /// Keep the images of the node in a Docker volume at `kstrim down`, and create new profiles from there
    #[arg(long, env = "KSTRIM_IMAGE_CACHE", help_heading = "Where it comes from")]
    pub image_cache: bool,
    /// Registry that mirrors quay.io: pull all images from there
    #[arg(
        long,
        env = "KSTRIM_IMAGE_REGISTRY",
        value_name = "HOST[/PREFIX]",
        help_heading = "Where it comes from"
    )]
    pub image_registry: Option<ImageRegistry>,
    /// Secret in the namespace to pull images with; repeatable
    #[arg(
        long,
        env = "KSTRIM_IMAGE_PULL_SECRET",
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "Where it comes from"
    )]
    pub image_pull_secret: Vec<SecretName>,
    /// Docker configuration file (config.json) with the login to pull images with
    #[arg(long, env = "KSTRIM_IMAGE_PULL_CONFIG", value_name = "FILE", help_heading = "Where it comes from")]
    pub image_pull_config: Option<PathBuf>,
    /// Digests of minikube and kubectl that you trust, in the format of sha256sum
    #[arg(long, env = "KSTRIM_TOOL_DIGESTS", value_name = "FILE", help_heading = "Where it comes from")]
    pub tool_digests: Option<PathBuf>,
    /// minikube driver
    #[arg(long, env = "KSTRIM_DRIVER", value_parser = machine::driver, value_name = "NAME", help_heading = "minikube")]
    pub driver: Option<String>,
    /// Memory of the minikube machine [default: your minikube config, or 4096]
    #[arg(long, env = "KSTRIM_MEMORY", value_parser = machine::memory, value_name = "SIZE", help_heading = "minikube")]
    pub memory: Option<String>,
    /// CPUs of the minikube machine [default: your minikube config, or 2]
    #[arg(long, env = "KSTRIM_CPUS", value_parser = machine::cpus, value_name = "N", help_heading = "minikube")]
    pub cpus: Option<String>,
    /// Number of nodes
    #[arg(long, env = "KSTRIM_NODES", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=20), help_heading = "minikube")]
    pub nodes: Option<u32>,
    /// Kubernetes version
    #[arg(long, env = "KSTRIM_KUBERNETES_VERSION", value_name = "VERSION", help_heading = "minikube")]
    pub kubernetes_version: Option<KubernetesVersion>,
    /// Argument to pass to `minikube start`; repeatable
    #[arg(long, allow_hyphen_values = true, value_parser = machine::minikube_arg, value_name = "ARG", help_heading = "minikube")]
    pub minikube_arg: Vec<String>,
    /// Use an existing profile, namespace or Kafka cluster that kstrim did not create
    #[arg(long)]
    pub adopt: bool,
}
