//! The current state, as data.

use crate::catalogue::{Mode, Release};
use crate::names::{Minor, Version};

/// The progress of a migration from ZooKeeper to KRaft.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Metadata {
    /// In ZooKeeper, without node pools.
    Zookeeper,
    /// In ZooKeeper; the brokers are in node pools, which the migration requires.
    Pooled,
    /// ZooKeeper and KRaft: the migration has begun, and can be rolled back.
    Migrating,
    /// ZooKeeper is being removed, which cannot be rolled back.
    Finishing,
    /// In KRaft; the resource still has fields that only ZooKeeper needed.
    Unfinished,
    /// In KRaft.
    Kraft,
}

impl Metadata {
    /// The mode of the Kafka resource.
    pub(crate) const fn mode(self) -> Mode {
        match self {
            Self::Zookeeper | Self::Pooled | Self::Migrating | Self::Finishing => Mode::Zookeeper,
            Self::Unfinished | Self::Kraft => Mode::Kraft,
        }
    }

    /// Whether a migration has begun and is not complete.
    pub(crate) const fn begun(self) -> bool {
        matches!(self, Self::Migrating | Self::Finishing)
    }
}

/// The current versions.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The installed operator release.
    pub release: &'static Release,
    /// `spec.kafka.version`.
    pub kafka: Version,
    /// The metadata version, or with ZooKeeper the inter-broker protocol version, if it is set.
    pub level: Option<String>,
    /// Where Kafka keeps its metadata.
    pub metadata: Metadata,
    /// The Kubernetes version, if it is known.
    pub kubernetes: Option<Minor>,
    /// Whether all resources are stored as `v1`.
    pub converted: bool,
}

impl State {
    /// Where Kafka keeps its metadata.
    pub(crate) const fn mode(&self) -> Mode {
        self.metadata.mode()
    }
}
