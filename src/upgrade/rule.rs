//! The rules for upgrade paths. Each has a name, which errors and plans use, and a source.

use crate::errors;
use crate::failure::{Failure, Kind};

/// A rule of Strimzi or Kafka.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rule {
    /// The operator and its CRDs are upgraded first.
    OperatorFirst,
    /// An operator supports only certain Kafka versions.
    KafkaSupported,
    /// Kafka is upgraded after the operator.
    KafkaSecond,
    /// The metadata version is raised after every broker runs the new Kafka version.
    MetadataLast,
    /// The resources are those of the release.
    Resources,
    /// Everything is stored as `v1` before Strimzi 1.0.
    V1Conversion,
    /// No reference to a removed version of the resources is left.
    OldVersions,
    /// ZooKeeper is supported up to Strimzi 0.45.
    ZookeeperEnds,
    /// kstrim migrates with Strimzi 0.45.
    MigratesFrom045,
    /// The migration needs node pools.
    NodePools,
    /// Dedicated controllers, and metadata in ZooKeeper and KRaft for a while.
    DualWrite,
    /// ZooKeeper is removed last.
    KraftLast,
    /// Nothing of ZooKeeper is left in the resource.
    WithoutZookeeper,
    /// Controllers need a volume.
    MigrationStorage,
    /// Controllers start with empty volumes.
    MigrationVolumes,
    /// The migration's annotation must not go back.
    MigrationOrder,
    /// KRaft clusters can be upgraded from Strimzi 0.39 on.
    KraftFrom039,
    /// Each release supports certain Kubernetes versions.
    Kubernetes,
    /// Downgrades are not possible.
    NoDowngrade,
    /// ACLs of users list their operations before 0.49.
    AclOperations,
    /// CRDs are cluster-wide.
    OneStrimzi,
}

impl Rule {
    /// All of them, in the order of the documentation.
    #[cfg(test)]
    pub(crate) const ALL: [Self; 21] = [
        Self::OperatorFirst,
        Self::KafkaSupported,
        Self::KafkaSecond,
        Self::MetadataLast,
        Self::Resources,
        Self::V1Conversion,
        Self::OldVersions,
        Self::ZookeeperEnds,
        Self::MigratesFrom045,
        Self::NodePools,
        Self::DualWrite,
        Self::KraftLast,
        Self::WithoutZookeeper,
        Self::MigrationStorage,
        Self::MigrationVolumes,
        Self::MigrationOrder,
        Self::KraftFrom039,
        Self::Kubernetes,
        Self::NoDowngrade,
        Self::AclOperations,
        Self::OneStrimzi,
    ];

    /// Its name, which never changes.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::OperatorFirst => "operator-first",
            Self::KafkaSupported => "kafka-supported",
            Self::KafkaSecond => "kafka-second",
            Self::MetadataLast => "metadata-last",
            Self::Resources => "resources",
            Self::V1Conversion => "v1-conversion",
            Self::OldVersions => "old-versions",
            Self::ZookeeperEnds => "zookeeper-ends",
            Self::MigratesFrom045 => "migrates-from-0.45",
            Self::NodePools => "node-pools",
            Self::DualWrite => "dual-write",
            Self::KraftLast => "kraft-last",
            Self::WithoutZookeeper => "without-zookeeper",
            Self::MigrationStorage => "migration-storage",
            Self::MigrationVolumes => "migration-volumes",
            Self::MigrationOrder => "migration-order",
            Self::KraftFrom039 => "kraft-from-0.39",
            Self::Kubernetes => "kubernetes",
            Self::NoDowngrade => "no-downgrade",
            Self::AclOperations => "acl-operations",
            Self::OneStrimzi => "one-strimzi",
        }
    }

    /// Its text, one sentence without a final stop.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            // Strimzi's `con-upgrade-sequence.adoc`.
            Self::OperatorFirst => "the operator and its resource definitions are upgraded before Kafka",
            // `con-upgrade-paths.adoc`: "an error indicating that the Kafka version is not supported".
            Self::KafkaSupported => "an operator rejects a Kafka version that it does not support",
            Self::KafkaSecond => "Kafka is upgraded after its operator",
            // `proc-upgrade-kafka-kraft.adoc`, `proc-upgrade-kafka-zookeeper.adoc`.
            Self::MetadataLast => {
                "the metadata version (with ZooKeeper: inter.broker.protocol.version) is raised when every broker runs the new Kafka version"
            }
            Self::Resources => "the resources are those that `kstrim up` creates for that release",
            // `con-api-conversion-v1.adoc`, `proc-upgrade-crds.adoc`; 0.49 to 0.51 serve both.
            Self::V1Conversion => {
                "Strimzi 1.0 supports only kafka.strimzi.io/v1; stored resources are converted by a \
                 release that serves both versions, 0.49 to 0.51"
            }
            // Kubernetes: "request to convert CR to an invalid group/version".
            Self::OldVersions => {
                "a resource cannot be applied if its metadata.managedFields contains a version that its \
                 definition no longer has"
            }
            // CHANGELOG of 0.46.0.
            Self::ZookeeperEnds => {
                "Strimzi 0.46 and later cannot run Kafka with ZooKeeper, nor migrate it to KRaft"
            }
            // CHANGELOG of 0.41 to 0.45.2.
            Self::MigratesFrom045 => {
                "kstrim migrates with Strimzi 0.45, the last release that supports it: earlier ones have \
                 bugs that it fixed"
            }
            // `proc-deploy-migrate-kraft.adoc`, `proc-migrating-clusters-node-pools.adoc`.
            Self::NodePools => {
                "only brokers in a node pool can be migrated; in one named `kafka` they keep their names \
                 and volumes"
            }
            Self::DualWrite => {
                "separate controllers take over the metadata, which is also kept in ZooKeeper, so that it \
                 can be rolled back"
            }
            Self::KraftLast => {
                "ZooKeeper is removed after the smoke test has passed without it; this cannot be undone"
            }
            Self::WithoutZookeeper => {
                "the resources are those for KRaft: no ZooKeeper, no inter.broker.protocol.version"
            }
            Self::MigrationStorage => {
                "controllers and brokers are restarted during the migration, and would lose data that is \
                 not on a persistent volume"
            }
            Self::MigrationVolumes => {
                "new controllers must start with empty volumes; the migration fails with volumes of an \
                 earlier one that was rolled back"
            }
            Self::MigrationOrder => {
                "strimzi.io/kraft is changed from `migration` to `enabled` when the metadata has been \
                 copied; nothing else is changed during a rollback"
            }
            // `con-upgrade-paths.adoc`, CHANGELOG of 0.39.0.
            Self::KraftFrom039 => "Kafka in KRaft mode can be upgraded from Strimzi 0.39 on",
            Self::Kubernetes => "every release on the path must support the cluster's Kubernetes version",
            // `proc-downgrade-kafka-kraft.adoc`: a raised metadata version must not be lowered.
            Self::NoDowngrade => {
                "an older release may not be able to read what a newer one stored, and a metadata version \
                 cannot be downgraded"
            }
            // `ref-kafkauser-v1-changes.adoc`.
            Self::AclOperations => {
                "before Strimzi 0.49, each access rule of a KafkaUser must have `operations` instead of \
                 `operation`"
            }
            // The definitions are cluster-wide.
            Self::OneStrimzi => {
                "resource definitions are cluster-wide: other namespaces would be upgraded, too"
            }
        }
    }

    /// Where it is documented.
    pub(crate) const fn source(self) -> &'static str {
        match self {
            Self::V1Conversion | Self::OldVersions | Self::AclOperations => {
                "https://strimzi.io/docs/operators/1.0.0/deploying.html#assembly-api-conversion-str"
            }
            Self::NodePools => {
                "https://strimzi.io/docs/operators/0.45.0/deploying.html#proc-migrating-clusters-node-pools-str"
            }
            Self::MigratesFrom045
            | Self::DualWrite
            | Self::KraftLast
            | Self::WithoutZookeeper
            | Self::MigrationStorage
            | Self::MigrationVolumes
            | Self::MigrationOrder => {
                "https://strimzi.io/docs/operators/0.45.0/deploying.html#proc-deploy-migrate-kraft-str"
            }
            Self::ZookeeperEnds | Self::KraftFrom039 => {
                "https://strimzi.io/docs/operators/0.45.0/deploying.html#assembly-kraft-mode-str"
            }
            Self::Kubernetes => "https://strimzi.io/downloads/",
            _ => "https://strimzi.io/docs/operators/latest/deploying.html#assembly-upgrade-str",
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.name())
    }
}

pub(super) fn rule(rule: Rule, kind: Kind, message: String) -> Failure {
    Failure::new(errors::UPGRADE_NO_PATH, kind, message)
        .because(format!("rule {rule}: {}", rule.sentence()))
        .hint(format!("see {}", rule.source()))
}
