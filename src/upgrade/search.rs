//! Which releases lead from one to another, and with which Kafka version each is reached. Pure.

use std::collections::{BTreeMap, VecDeque};

use super::model::{Metadata, State};
use crate::catalogue::{Mode, Release, releases};
use crate::names::{Minor, Version};

/// The first release with which kstrim migrates. Strimzi's own migration was introduced with 0.40, and received fixes
/// until 0.45.
pub(super) const MIGRATES: Version = Version::new(0, 45, 0);

/// The state after a release on the path.
pub(super) struct Leg {
    /// The release.
    pub release: &'static Release,
    /// The Kafka version when it is reached.
    pub kafka: Version,
    /// Whether everything is stored as `v1` by then.
    pub converted: bool,
    /// Whether the Kafka cluster is migrated to KRaft there.
    pub migrates: bool,
}

/// The release that migrates: the one that began it, otherwise the newest that can.
fn migrator(state: &State, target: &Release, kubernetes: Option<Minor>) -> Option<&'static Release> {
    if state.metadata.begun() {
        return Some(state.release);
    }
    let fits = |r: &Release| kubernetes.is_none_or(|k| r.kubernetes.contains(k));
    releases().iter().rev().find(|r| {
        r.supports_mode(Mode::Zookeeper)
            && (MIGRATES..=target.version.clone()).contains(&r.version)
            && (r.version == state.release.version || r.version > state.release.version && fits(r))
    })
}

/// The path with the fewest releases; of several the one with newer releases.
pub(super) fn search(state: &State, target: &'static Release, kubernetes: Option<Minor>) -> Option<Vec<Leg>> {
    let mut before: BTreeMap<&Version, &'static Release> = BTreeMap::new();
    let mut kafka: BTreeMap<&Version, Version> = BTreeMap::new();
    kafka.insert(&state.release.version, state.kafka.clone());
    let mut queue = VecDeque::from([state.release]);
    while let Some(at) = queue.pop_front() {
        if at.version == target.version {
            break;
        }
        for next in releases().iter().rev() {
            let ahead = next.version > at.version && next.version <= target.version;
            let fits =
                next.supports_mode(state.mode()) && kubernetes.is_none_or(|k| next.kubernetes.contains(k));
            if !ahead || !fits || kafka.contains_key(&next.version) || !readable(at, next) {
                continue;
            }
            let Some(carried) = carry(at, next, &kafka[&at.version]) else { continue };
            kafka.insert(&next.version, carried);
            before.insert(&next.version, at);
            queue.push_back(next);
        }
    }
    let mut way = vec![target];
    while let Some(at) = way.last().filter(|r| r.version != state.release.version) {
        way.push(before.get(&at.version)?);
    }
    way.reverse();
    let mut converted = state.converted;
    let mut legs = Vec::new();
    for release in way {
        legs.push(Leg { release, kafka: kafka[&release.version].clone(), converted, migrates: false });
        converted |= serves_both(release);
    }
    Some(legs)
}

/// The same from ZooKeeper to KRaft, through the release that migrates.
pub(super) fn migrating(
    state: &State,
    target: &'static Release,
    kubernetes: Option<Minor>,
) -> Option<Vec<Leg>> {
    let via = migrator(state, target, kubernetes)?;
    let mut legs = search(state, via, kubernetes)?;
    let last = legs.last_mut()?;
    last.migrates = true;
    let (kafka, converted) = (last.kafka.clone(), last.converted);
    let migrated = State { release: via, kafka, converted, metadata: Metadata::Kraft, ..state.clone() };
    legs.extend(search(&migrated, target, kubernetes)?.into_iter().skip(1));
    Some(legs)
}

/// Whether a release serves this version of its resources.
pub(super) fn serves(release: &Release, version: &str) -> bool {
    release.api_versions.iter().any(|v| v == version)
}

/// Whether it serves both versions.
pub(super) fn serves_both(release: &Release) -> bool {
    serves(release, "v1") && serves(release, "v1beta2")
}

/// Whether `next` can read what `at` leaves: the stored versions, once converted.
fn readable(at: &Release, next: &Release) -> bool {
    serves(next, "v1beta2") || serves(at, "v1")
}

/// The Kafka version for the next release: the current one, or the newest that both releases support.
fn carry(at: &Release, next: &Release, kafka: &Version) -> Option<Version> {
    if next.kafka_version(kafka).is_some() {
        return Some(kafka.clone());
    }
    let mut both = at.kafka.iter().filter(|k| k.version > *kafka && next.kafka_version(&k.version).is_some());
    both.next_back().map(|k| k.version.clone())
}
