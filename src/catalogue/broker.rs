//! Settings of Kafka's brokers that need several brokers.
//!
//! The number of replicas of a topic that Kafka creates itself is a setting; most of these settings have the default
//! 3. With fewer brokers the topic is never created, and whatever needs it waits forever, without an error that a
//! client would see: consumer groups, transactions, share groups. Therefore a cluster that kstrim creates sets all of
//! them according to its number of brokers.
//!
//! The list contains every broker setting with a default above 1 that counts brokers or replicas. It was found by
//! printing all defaults of `KafkaConfig` and related configuration classes, for Kafka 3.2.0, 3.5.0, 3.8.1, 4.0.0,
//! 4.1.0, 4.1.1, 4.2.0, 4.3.0 and 4.3.1. Others above 1 count bytes, time, threads, partitions, requests or sessions.
//! `group.streams.max.standby.replicas` (4.1, default 2) is a limit, not a requirement: a streams group has no
//! standby replicas unless it requests them.

use crate::names::Version;

/// What a setting counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Replicas of a topic.
    Replicas,
    /// Replicas that must be in sync for a write to succeed.
    InSync,
}

impl Counts {
    /// The value for this many brokers: replicas on every broker, at most three; all but one of the replicas in sync.
    pub fn with(self, brokers: u32) -> u32 {
        let replicas = brokers.clamp(1, 3);
        match self {
            Self::Replicas => replicas,
            Self::InSync => replicas.saturating_sub(1).max(1),
        }
    }
}

/// A setting that needs several brokers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Its name in `spec.kafka.config`.
    pub name: &'static str,
    /// What it counts.
    pub counts: Counts,
    /// Its default value.
    pub default: u32,
    /// The first Kafka version that has it.
    pub since: Version,
    /// What does not work with fewer brokers.
    pub of: &'static str,
    /// Where Kafka defines it: a class in the source of that version.
    pub source: &'static str,
}

/// Older than every Kafka version of the catalogue.
const ALWAYS: Version = Version::new(0, 11, 0);

/// All of these settings, in the order in which they are written.
pub static NEEDS: [Need; 9] = [
    Need {
        name: "offsets.topic.replication.factor",
        counts: Counts::Replicas,
        default: 3,
        since: ALWAYS,
        of: "consumer groups",
        source: "OffsetConfig, since 3.8 GroupCoordinatorConfig",
    },
    Need {
        name: "transaction.state.log.replication.factor",
        counts: Counts::Replicas,
        default: 3,
        since: ALWAYS,
        of: "transactions",
        source: "TransactionLog, since 3.8 TransactionLogConfigs, since 4.0 TransactionLogConfig",
    },
    Need {
        name: "transaction.state.log.min.isr",
        counts: Counts::InSync,
        default: 2,
        since: ALWAYS,
        of: "transactions",
        source: "TransactionLog, since 3.8 TransactionLogConfigs, since 4.0 TransactionLogConfig",
    },
    Need {
        name: "share.coordinator.state.topic.replication.factor",
        counts: Counts::Replicas,
        default: 3,
        since: Version::new(4, 0, 0),
        of: "share groups",
        source: "ShareCoordinatorConfig",
    },
    Need {
        name: "share.coordinator.state.topic.min.isr",
        counts: Counts::InSync,
        default: 2,
        since: Version::new(4, 0, 0),
        of: "share groups",
        source: "ShareCoordinatorConfig",
    },
    // Strimzi passes settings that begin with `rlmm.config.` to Kafka's own metadata manager of tiered storage.
    Need {
        name: "rlmm.config.remote.log.metadata.topic.replication.factor",
        counts: Counts::Replicas,
        default: 3,
        since: Version::new(3, 6, 0),
        of: "tiered storage",
        source: "TopicBasedRemoteLogMetadataManagerConfig; tiered storage is available since 3.6",
    },
    Need {
        name: "rlmm.config.remote.log.metadata.topic.min.isr",
        counts: Counts::InSync,
        default: 2,
        since: Version::new(4, 3, 0),
        of: "tiered storage",
        source: "TopicBasedRemoteLogMetadataManagerConfig",
    },
    Need {
        name: "default.replication.factor",
        counts: Counts::Replicas,
        default: 1,
        since: ALWAYS,
        of: "topics without an explicit value",
        source: "KafkaConfig, since 3.8 ReplicationConfigs",
    },
    Need {
        name: "min.insync.replicas",
        counts: Counts::InSync,
        default: 1,
        since: ALWAYS,
        of: "topics without an explicit value",
        source: "LogConfig, since 4.0 ServerLogConfigs",
    },
];

/// Those that this version of Kafka has.
pub fn needs(kafka: &Version) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(move |need| need.since <= *kafka)
}

/// The setting with this name.
pub fn need(name: &str) -> Option<&'static Need> {
    NEEDS.iter().find(|need| need.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::releases;

    #[test]
    fn names_are_unique_and_defaults_suit_three_brokers() {
        let mut names: Vec<_> = NEEDS.iter().map(|need| need.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), NEEDS.len());
        for need in &NEEDS {
            assert!(need.default <= need.counts.with(3), "{}", need.name);
            assert_eq!(need.counts.with(1), 1, "{}", need.name);
        }
        assert_eq!((Counts::Replicas.with(2), Counts::InSync.with(2)), (2, 1));
        assert_eq!((Counts::Replicas.with(9), Counts::InSync.with(9)), (3, 2));
    }

    #[test]
    fn a_version_has_only_its_own_settings() {
        let count = |kafka: &str| needs(&kafka.parse().expect("a version")).count();
        assert_eq!((count("3.2.0"), count("3.5.2"), count("3.6.0"), count("3.9.2")), (5, 5, 6, 6));
        assert_eq!((count("4.0.0"), count("4.1.1"), count("4.2.0"), count("4.3.1")), (8, 8, 8, 9));
        // A Kafka newer than the reviewed ones may have more of these settings: review the list (docs/releases.md)
        // before raising this number.
        let newest = releases().iter().flat_map(|r| &r.kafka).map(|k| k.version.minor()).max();
        assert_eq!(newest.map(|minor| minor.to_string()).as_deref(), Some("4.3"));
    }
}
