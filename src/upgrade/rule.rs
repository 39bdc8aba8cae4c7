//! The rules by which a path is laid. Each has a name that refusals and plans use, and a source.

/// A rule of Strimzi's or Kafka's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// The operator and its resource definitions come first.
    OperatorFirst,
    /// An operator takes only Kafka versions that it knows.
    KafkaSupported,
    /// Kafka comes after the operator.
    KafkaSecond,
    /// The metadata version comes when every broker runs the new Kafka.
    MetadataLast,
    /// The resources as the release has them.
    Resources,
    /// Everything is stored as `v1` before Strimzi 1.0.
    V1Conversion,
    /// Nothing names a version of the resources that goes.
    OldVersions,
    /// ZooKeeper ends with Strimzi 0.45.
    ZookeeperEnds,
    /// kstrim migrates with Strimzi 0.45.
    MigratesFrom045,
    /// The migration needs node pools.
    NodePools,
    /// Controllers of their own, and metadata in ZooKeeper and KRaft for a while.
    DualWrite,
    /// ZooKeeper is given up last.
    KraftLast,
    /// Nothing of ZooKeeper's is left in the resource.
    WithoutZookeeper,
    /// Controllers need a volume.
    MigrationStorage,
    /// Controllers begin with empty volumes.
    MigrationVolumes,
    /// The migration's annotation goes one way.
    MigrationOrder,
    /// KRaft clusters can be upgraded from Strimzi 0.39 on.
    KraftFrom039,
    /// Each release has its Kubernetes versions.
    Kubernetes,
    /// Nothing goes back.
    NoDowngrade,
    /// Access rules of users list their operations before 0.49.
    AclOperations,
    /// Resource definitions belong to the whole cluster.
    OneStrimzi,
}

impl Rule {
    /// All of them, as the documentation lists them.
    pub const ALL: [Self; 21] = [
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
    pub const fn name(self) -> &'static str {
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

    /// What it says, one sentence without a final stop.
    pub const fn sentence(self) -> &'static str {
        match self {
            // Strimzi's `con-upgrade-sequence.adoc`.
            Self::OperatorFirst => "the operator and its resource definitions are upgraded before Kafka",
            // `con-upgrade-paths.adoc`: "an error indicating that the Kafka version is not supported".
            Self::KafkaSupported => "an operator refuses a Kafka version that it does not know",
            Self::KafkaSecond => "Kafka is upgraded when its operator is",
            // `proc-upgrade-kafka-kraft.adoc`, `proc-upgrade-kafka-zookeeper.adoc`.
            Self::MetadataLast => {
                "the metadata version (with ZooKeeper: inter.broker.protocol.version) is raised when every broker runs the new Kafka"
            }
            Self::Resources => "the resources are as `kstrim up` of that release makes them",
            // `con-api-conversion-v1.adoc`, `proc-upgrade-crds.adoc`; 0.49 to 0.51 serve both.
            Self::V1Conversion => {
                "Strimzi 1.0 knows only kafka.strimzi.io/v1; what is stored is converted by a release that serves both, 0.49 to 0.51"
            }
            // Kubernetes: "request to convert CR to an invalid group/version".
            Self::OldVersions => {
                "nobody can apply a resource whose metadata.managedFields names a version that its definition lost"
            }
            // CHANGELOG of 0.46.0.
            Self::ZookeeperEnds => {
                "Strimzi 0.46 and later cannot run Kafka with ZooKeeper, nor migrate it to KRaft"
            }
            // CHANGELOG of 0.41 to 0.45.2.
            Self::MigratesFrom045 => {
                "kstrim migrates with Strimzi 0.45, the last release that does it: earlier ones have faults that it mended"
            }
            // `proc-deploy-migrate-kraft.adoc`, `proc-migrating-clusters-node-pools.adoc`.
            Self::NodePools => {
                "only brokers in a node pool can be migrated; in one called `kafka` they keep their names and volumes"
            }
            Self::DualWrite => {
                "controllers of their own take over the metadata, which stays in ZooKeeper too, so that it can be rolled back"
            }
            Self::KraftLast => {
                "ZooKeeper is given up when messages went through without it; from then on there is no way back"
            }
            Self::WithoutZookeeper => {
                "the resources as KRaft has them: no ZooKeeper, no inter.broker.protocol.version"
            }
            Self::MigrationStorage => {
                "controllers and brokers are restarted during the migration, and would lose what is on no persistent volume"
            }
            Self::MigrationVolumes => {
                "new controllers must begin with empty volumes; those of an earlier migration that was rolled back make it fail"
            }
            Self::MigrationOrder => {
                "strimzi.io/kraft goes from `migration` to `enabled` when the metadata is copied; while a migration is rolled back nothing else is changed"
            }
            // `con-upgrade-paths.adoc`, CHANGELOG of 0.39.0.
            Self::KraftFrom039 => "Kafka in KRaft mode can be upgraded from Strimzi 0.39 on",
            Self::Kubernetes => "every release on the way has to support the cluster's Kubernetes",
            // `proc-downgrade-kafka-kraft.adoc`: a raised metadata version may not go back.
            Self::NoDowngrade => {
                "an older release may not be able to read what a newer one stored, and a metadata version does not go back"
            }
            // `ref-kafkauser-v1-changes.adoc`.
            Self::AclOperations => {
                "before Strimzi 0.49 each access rule of a KafkaUser has to have `operations` in place of `operation`"
            }
            // The definitions are cluster-wide.
            Self::OneStrimzi => {
                "resource definitions belong to the whole cluster: other namespaces would be upgraded, too"
            }
        }
    }

    /// Where it is said.
    pub const fn source(self) -> &'static str {
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
