//! What is known about a Strimzi release.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::names::{Minor, Version};

/// A Strimzi operator release.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// `1.2.0`.
    pub version: Version,
    /// The day it was announced, `2026-08-20`.
    pub date: String,
    /// The Kafka versions that it supports, oldest first.
    pub kafka: Vec<Kafka>,
    /// Its default Kafka version.
    pub default_kafka: Version,
    /// The Kubernetes versions it supports.
    pub kubernetes: Range,
    /// Served versions of its `Kafka` definition, newest first: `v1`, `v1beta2`.
    pub api_versions: Vec<String>,
    /// Whether it can run Kafka with ZooKeeper.
    pub zookeeper: bool,
    /// What it needs to run Kafka without ZooKeeper.
    pub kraft: Kraft,
    /// Which of the two modes its quickstart uses.
    pub quickstart: Mode,
    /// What its definitions require.
    pub schema: Schema,
    /// The operator's image.
    pub operator_image: String,
    /// The install manifest among the release's assets.
    pub url: String,
    /// The content digest of the install manifest ([`crate::manifest::digest()`]).
    pub digest: String,
}

/// A Kafka version of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kafka {
    /// `4.3.1`.
    pub version: Version,
    /// Its metadata version, if the release has one: `4.3-IV0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// The broker's image.
    pub image: String,
}

/// Where Kafka keeps its metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// In ZooKeeper.
    Zookeeper,
    /// In Kafka itself.
    Kraft,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Mode::Zookeeper => "ZooKeeper",
            Mode::Kraft => "KRaft",
        })
    }
}

/// A release's support for KRaft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Behind a feature gate, experimental.
    Alpha,
    /// On by default, not yet for production.
    Beta,
    /// Generally available, in addition to ZooKeeper.
    Ga,
    /// The only mode.
    Only,
}

/// What a release needs to run Kafka without ZooKeeper.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kraft {
    /// How well it is supported.
    pub stage: Stage,
    /// Gates to enable in the operator's `STRIMZI_FEATURE_GATES`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub gates: Vec<String>,
    /// Annotations the Kafka resource needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Whether brokers are described by `KafkaNodePool` resources.
    pub node_pools: bool,
    /// Whether the topic operator works in this mode; if not, a Kafka resource with one is rejected, and `KafkaTopic`
    /// resources are ignored.
    pub topic_operator: bool,
}

/// What a release's definitions require, besides their version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schema {
    /// `Kafka` has `spec.kafka.metadataVersion`.
    pub metadata_version: bool,
    /// `Kafka` requires `spec.zookeeper`, `spec.kafka.replicas` and `spec.kafka.storage` even where they are ignored
    /// (KRaft, node pools).
    pub zookeeper_required: bool,
    /// A node pool's volume has `kraftMetadata`.
    pub kraft_metadata: bool,
    /// The pods of a `Kafka` can have additional volumes, mounted below `/mnt`.
    pub additional_volumes: bool,
}

/// Kubernetes minor versions, inclusive. In JSON `["1.30", "1.36"]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "(Minor, Minor)", into = "(Minor, Minor)")]
pub struct Range {
    /// Oldest.
    pub min: Minor,
    /// Newest.
    pub max: Minor,
}

impl Range {
    /// Whether this version is in the range.
    pub fn contains(&self, minor: Minor) -> bool {
        (self.min..=self.max).contains(&minor)
    }

    /// The nearest version in the range.
    pub fn nearest(&self, minor: Minor) -> Minor {
        minor.clamp(self.min, self.max)
    }
}

impl From<(Minor, Minor)> for Range {
    fn from((min, max): (Minor, Minor)) -> Self {
        Self { min, max }
    }
}

impl From<Range> for (Minor, Minor) {
    fn from(range: Range) -> Self {
        (range.min, range.max)
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.min, self.max)
    }
}

impl Release {
    /// The release's entry for this Kafka version.
    pub fn kafka_version(&self, version: &Version) -> Option<&Kafka> {
        self.kafka.iter().find(|kafka| kafka.version == *version)
    }

    /// Whether it supports this Kafka version.
    pub fn runs(&self, version: &Version) -> bool {
        self.kafka_version(version).is_some()
    }

    /// The Kafka versions as text: `4.2.0, 4.2.1, 4.3.0, 4.3.1`.
    pub fn kafka_list(&self) -> String {
        self.kafka.iter().map(|kafka| kafka.version.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Whether it supports this mode.
    pub fn supports_mode(&self, mode: Mode) -> bool {
        mode == Mode::Kraft || self.zookeeper
    }

    /// The `apiVersion` of its resources: `kafka.strimzi.io/v1`.
    pub fn api_version(&self) -> String {
        format!("kafka.strimzi.io/{}", self.api_versions.first().map_or("v1", String::as_str))
    }
}
