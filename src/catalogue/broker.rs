//! Settings of Kafka's brokers that need several brokers.
//!
//! A topic that Kafka makes for itself gets as many replicas as a setting says; most of these settings are 3 where
//! nobody sets them. With fewer brokers the topic is never made, and what needs it waits for ever, without an error
//! that a client would see: consumer groups, transactions, share groups. So a cluster that kstrim makes sets all of
//! them, by the number of its brokers.
//!
//! The list is every setting of a broker with a default above 1 that counts brokers or replicas: found by printing
//! all defaults of `KafkaConfig` and of the configurations beside it, for Kafka 3.2.0, 3.5.0, 3.8.1, 4.0.0, 4.1.0,
//! 4.1.1, 4.2.0, 4.3.0 and 4.3.1. Others above 1 count bytes, time, threads, partitions, requests or sessions.
//! `group.streams.max.standby.replicas` (4.1, default 2) is a limit, not a need: a streams group has no standby
//! replicas unless it asks for them.

use crate::names::Version;

/// What a setting counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counts {
    /// Replicas of a topic.
    Replicas,
    /// Replicas that must be in sync for a write to be taken.
    InSync,
}

impl Counts {
    /// The value for this many brokers: each partition everywhere up to three, all but one of the replicas in sync.
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
    /// Its value where nobody sets it.
    pub default: u32,
    /// The first Kafka that has it.
    pub since: Version,
    /// What does not work without as many brokers.
    pub of: &'static str,
    /// Where Kafka defines it: its class at the tag of the version.
    pub source: &'static str,
}

/// Older than every Kafka of the catalogue.
const ALWAYS: Version = Version::new(0, 11, 0);

/// All of them, in the order in which they are written.
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
    // Strimzi hands what begins with `rlmm.config.` to Kafka's own metadata manager of tiered storage.
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

/// Those that a Kafka of this version has.
pub fn needs(kafka: &Version) -> impl Iterator<Item = &'static Need> {
    NEEDS.iter().filter(move |need| need.since <= *kafka)
}

/// The setting of this name.
pub fn need(name: &str) -> Option<&'static Need> {
    NEEDS.iter().find(|need| need.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::releases;

    #[test]
    fn each_is_named_once_and_defaults_to_what_three_brokers_carry() {
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
    fn a_version_has_what_it_has() {
        let count = |kafka: &str| needs(&kafka.parse().expect("a version")).count();
        assert_eq!((count("3.2.0"), count("3.5.2"), count("3.6.0"), count("3.9.2")), (5, 5, 6, 6));
        assert_eq!((count("4.0.0"), count("4.1.1"), count("4.2.0"), count("4.3.1")), (8, 8, 8, 9));
        // A Kafka that is newer than those that were looked at may have more of them: then this list is to be read
        // again (docs/releases.md), and only then this number raised.
        let newest = releases().iter().flat_map(|r| &r.kafka).map(|k| k.version.minor()).max();
        assert_eq!(newest.map(|minor| minor.to_string()).as_deref(), Some("4.3"));
    }
}
