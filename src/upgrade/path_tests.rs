//! Every pair of releases has an upgrade path or a rule that forbids it, and every path is valid.

use super::search::{MIGRATES, serves, serves_both};
use super::*;
use crate::errors;

fn state(release: &str, kafka: Option<&str>, mode: Mode) -> State {
    let release = known(release).unwrap();
    let kafka = kafka.map_or(release.default_kafka.clone(), |k| k.parse().unwrap());
    let level = level(release, &kafka, mode);
    let metadata = if mode == Mode::Kraft { Metadata::Kraft } else { Metadata::Zookeeper };
    State { release, level, kafka, metadata, kubernetes: None, converted: !serves(release, "v1beta2") }
}

fn failure_text(stops: &[Stop]) -> Vec<String> {
    let mut all = Vec::new();
    for stop in stops {
        for step in &stop.steps {
            all.push(match &step.action {
                Action::Versions { gone } => format!("without {}", gone.join(", ")),
                Action::Operator { .. } => format!("operator {}", stop.release.version),
                Action::Kafka { from, .. } => format!("kafka {from} to {}", stop.kafka),
                Action::Level { .. } => format!("level {}", stop.level.as_deref().unwrap_or("none")),
                Action::Resources | Action::WithoutZookeeper => "resources".into(),
                Action::Pools => "pools".into(),
                Action::Migrate => "migrate".into(),
                Action::Kraft => "kraft".into(),
                Action::Convert => "convert".into(),
            });
        }
    }
    all
}

fn way(from: &str, kafka: Option<&str>, mode: Mode, to: &str) -> Vec<String> {
    failure_text(&plan(&state(from, kafka, mode), known(to).unwrap(), None, false).unwrap())
}

#[test]
fn paths_documented_by_strimzi() {
    let kraft = Mode::Kraft;
    assert_eq!(
        way("1.0.1", None, kraft, "1.2.0"),
        ["operator 1.2.0", "kafka 4.2.0 to 4.3.1", "level 4.3-IV0"]
    );
    // The installed release serves both versions: it converts, and no release is needed in between.
    assert_eq!(
        way("0.51.0", Some("4.2.0"), kraft, "1.2.0"),
        ["convert", "without v1beta2", "operator 1.2.0", "kafka 4.2.0 to 4.3.1", "level 4.3-IV0"]
    );
    // Each stop is needed because the next operator does not support the current Kafka version.
    assert_eq!(
        way("0.45.0", Some("3.8.0"), kraft, "1.2.0"),
        [
            "kafka 3.8.0 to 3.9.0",
            "level 3.9",
            "operator 0.47.0",
            "kafka 3.9.0 to 4.0.0",
            "level 4.0",
            "operator 0.50.1",
            "kafka 4.0.0 to 4.1.1",
            "level 4.1",
            "convert",
            "without v1beta2",
            "operator 1.0.1",
            "kafka 4.1.1 to 4.2.0",
            "level 4.2",
            "operator 1.2.0",
            "kafka 4.2.0 to 4.3.1",
            "level 4.3-IV0",
        ]
    );
    assert_eq!(
        way("0.44.0", None, Mode::Zookeeper, "0.45.2"),
        ["operator 0.45.2", "kafka 3.8.0 to 3.9.2", "level 3.9"]
    );
    assert_eq!(way("1.2.0", None, kraft, "1.2.0"), Vec::<String>::new());
    assert_eq!(way("1.2.0", Some("4.2.0"), kraft, "1.2.0"), ["kafka 4.2.0 to 4.3.1", "level 4.3-IV0"]);
}

const MIGRATION: [&str; 4] = ["pools", "migrate", "kraft", "resources"];

#[test]
fn the_migration_happens_at_0_45_and_only_if_required() {
    let zookeeper = Mode::Zookeeper;
    let whole = way("0.44.0", None, zookeeper, "1.2.0");
    let before = ["operator 0.45.2", "kafka 3.8.0 to 3.9.1", "level 3.9"];
    let after = ["operator 0.47.0", "kafka 3.9.1 to 4.0.0", "level 4.0", "operator 0.50.1"];
    assert_eq!(whole[..11], [&before[..], &MIGRATION, &after].concat()[..]);
    // The last patch release migrates, even if an earlier one could.
    let whole = way("0.45.0", Some("3.9.0"), zookeeper, "0.47.0");
    let before = ["operator 0.45.2", "resources"];
    assert_eq!(whole[..7], [&before[..], &MIGRATION, &["operator 0.47.0"]].concat()[..]);
    // From the first recorded versions to the newest.
    let oldest = way("0.30.0", None, zookeeper, "1.2.0");
    let place = |step: &str| oldest.iter().position(|s| s == step).unwrap();
    assert!(place("operator 0.45.2") < place("migrate") && place("kraft") < place("operator 1.2.0"));
    // A release that supports ZooKeeper keeps it, unless the migration is requested.
    let last = known("0.45.2").unwrap();
    let now = state("0.45.2", Some("3.9.1"), zookeeper);
    let kafka = now.kafka.clone();
    assert_eq!(failure_text(&plan(&now, last, Some(&kafka), false).unwrap()), Vec::<String>::new());
    assert_eq!(failure_text(&plan(&now, last, Some(&kafka), true).unwrap()), MIGRATION);
}

/// A migration that has begun continues with the release that began it, before any version is changed.
#[test]
fn an_interrupted_migration_continues() {
    let mut now = state("0.45.1", Some("3.9.0"), Mode::Zookeeper);
    for (metadata, left) in [
        (Metadata::Pooled, &MIGRATION[1..]),
        (Metadata::Migrating, &MIGRATION[1..]),
        (Metadata::Finishing, &MIGRATION[2..]),
        (Metadata::Unfinished, &MIGRATION[3..]),
    ] {
        now.metadata = metadata;
        let whole = failure_text(&plan(&now, known("0.47.0").unwrap(), None, false).unwrap());
        let mut wanted = left.to_vec();
        if metadata == Metadata::Pooled {
            // Not begun: the last patch release.
            wanted.splice(0..0, ["operator 0.45.2", "resources"]);
        }
        assert_eq!(whole[..wanted.len()], wanted, "{metadata:?}");
        assert_eq!(whole[wanted.len()], "operator 0.47.0", "{metadata:?}");
        // If only the running release is requested, it is completed nevertheless.
        if metadata.begun() {
            let kafka = now.kafka.clone();
            let same = failure_text(&plan(&now, now.release, Some(&kafka), false).unwrap());
            assert_eq!(same, left, "{metadata:?}");
        }
    }
}

#[test]
fn an_interrupted_upgrade_continues() {
    // Operator and Kafka are upgraded, the level is not.
    let mut half = state("1.2.0", None, Mode::Kraft);
    half.level = Some("4.2".into());
    assert_eq!(failure_text(&plan(&half, known("1.2.0").unwrap(), None, false).unwrap()), ["level 4.3-IV0"]);
}

fn refused(state: &State, to: &str) -> Failure {
    *plan(state, known(to).unwrap(), None, false).unwrap_err()
}

#[test]
fn a_refusal_names_its_rule_and_the_nearest_reachable_release() {
    let says = |failure: &Failure, rule: Rule| {
        assert_eq!(failure.id, errors::UPGRADE_NO_PATH);
        assert!(failure.causes[0].starts_with(&format!("rule {rule}: ")), "{failure:?}");
    };
    says(&refused(&state("1.2.0", None, Mode::Kraft), "1.0.0"), Rule::NoDowngrade);
    let early = plan(&state("0.40.0", None, Mode::Zookeeper), known("0.44.0").unwrap(), None, true);
    let early = *early.unwrap_err();
    says(&early, Rule::MigratesFrom045);
    assert!(early.hints.iter().any(|h| h.contains("--release 0.45.2")), "{early:?}");
    let mut begun = state("0.44.0", None, Mode::Zookeeper);
    begun.metadata = Metadata::Migrating;
    says(&refused(&begun, "0.45.2"), Rule::MigratesFrom045);
    says(&refused(&state("0.37.0", None, Mode::Kraft), "0.45.0"), Rule::KraftFrom039);
    let mut old = state("0.45.0", None, Mode::Kraft);
    old.kubernetes = Some("1.28".parse().unwrap());
    let kubernetes = refused(&old, "1.2.0");
    says(&kubernetes, Rule::Kubernetes);
    assert_eq!(kubernetes.kind, Kind::Prerequisite);
    assert!(kubernetes.hints.iter().any(|h| h.contains("--release 0.50.1")), "{kubernetes:?}");
    // Both ends are valid, a stop between them is not: 0.43 and 0.44 do not support Kubernetes 1.33.
    let mut between = state("0.42.0", Some("3.6.0"), Mode::Kraft);
    between.kubernetes = Some("1.33".parse().unwrap());
    says(&refused(&between, "0.45.1"), Rule::Kubernetes);
    // Older than the cluster's: upgrading Kubernetes would not help.
    let mut newer = state("0.45.2", Some("3.9.1"), Mode::Zookeeper);
    newer.kubernetes = Some("1.34".parse().unwrap());
    let failure = refused(&newer, "0.51.0");
    says(&failure, Rule::Kubernetes);
    assert!(failure.hints.iter().any(|h| h.contains("cannot be downgraded")), "{failure:?}");
    assert!(kubernetes.hints.iter().any(|h| h.starts_with("first upgrade Kubernetes")), "{kubernetes:?}");
    let mut strange = state("1.0.1", None, Mode::Kraft);
    strange.kafka = "4.3.0".parse().unwrap();
    says(&refused(&strange, "1.2.0"), Rule::KafkaSupported);
    let older = Version::new(4, 2, 1);
    let failure = plan(&state("1.1.0", None, Mode::Kraft), known("1.2.0").unwrap(), Some(&older), false);
    says(&failure.unwrap_err(), Rule::NoDowngrade);
}

/// 0.46 and 0.47 support Kafka 3.9.0, 0.47 also 3.9.1, no later release supports 3.9.2.
#[test]
fn a_kafka_version_without_a_path_is_reported_with_alternatives() {
    let mut last = state("0.45.2", Some("3.9.2"), Mode::Kraft);
    last.kubernetes = Some("1.30".parse().unwrap());
    let failure = refused(&last, "0.51.0");
    assert!(failure.causes[0].starts_with("rule kafka-supported: "), "{failure:?}");
    let wanted = "a new cluster with Strimzi 0.45.2 and Kafka 3.8.0, 3.8.1, 3.9.0 or 3.9.1 instead of 3.9.2 could be upgraded through Strimzi 0.47.0 and 0.50.1, on Kubernetes 1.30 to 1.33";
    assert!(failure.hints.iter().any(|h| h == wanted), "{:#?}", failure.hints);
    // If Kubernetes prevents it too, the hint names versions that do not.
    last.kubernetes = Some("1.34".parse().unwrap());
    assert!(refused(&last, "0.51.0").hints.iter().any(|h| h == wanted));
}

/// Follow a path like the cluster would, and check every step against the rules.
fn assert_valid_path(state: &State, stops: &[Stop], target: &Release) {
    let (mut release, mut kafka) = (state.release, state.kafka.clone());
    let (mut level_now, mut converted) = (state.level.clone(), state.converted);
    let mut metadata = state.metadata;
    for stop in stops {
        for (at, step) in stop.steps.iter().enumerate() {
            match &step.action {
                Action::Versions { gone } => {
                    assert!(at == 0 && converted, "what is stored is converted before");
                    assert!(gone.iter().all(|v| serves(release, v) && !serves(stop.release, v)));
                }
                Action::Operator { from } => {
                    let lost = release.api_versions.iter().any(|v| !serves(stop.release, v));
                    assert_eq!(at, usize::from(lost), "operator first, but for versions that go");
                    assert_eq!(*from, release.version);
                    assert!(stop.release.version > release.version, "no downgrade");
                    assert!(stop.release.kafka_version(&kafka).is_some(), "it knows the running Kafka");
                    assert!(stop.release.supports_mode(metadata.mode()), "ZooKeeper is left in time");
                    assert!(!metadata.begun() && metadata != Metadata::Unfinished, "ended before");
                    assert!(converted || serves(stop.release, "v1beta2"), "converted before 1.0");
                    if let Some(k8s) = state.kubernetes {
                        assert!(stop.release.kubernetes.contains(k8s));
                    }
                    release = stop.release;
                }
                Action::Kafka { from, level } => {
                    assert_eq!((from, level), (&kafka, &level_now), "the level stays");
                    assert!(!metadata.begun(), "no version changes in between");
                    assert!(stop.kafka > kafka && release.kafka_version(&stop.kafka).is_some());
                    kafka = stop.kafka.clone();
                }
                Action::Level { from } => {
                    assert_eq!(from, &level_now);
                    assert_eq!(kafka, stop.kafka, "Kafka before its level");
                    level_now = stop.level.clone();
                }
                Action::Pools => {
                    assert_eq!(metadata, Metadata::Zookeeper);
                    metadata = Metadata::Pooled;
                }
                Action::Migrate => {
                    assert!(metadata == Metadata::Pooled || metadata == Metadata::Migrating);
                    assert!(release.version.minor() == MIGRATES.minor() && stop.kafka == kafka);
                    let protocol = level(release, &kafka, Mode::Zookeeper).unwrap();
                    assert!(
                        level_now.as_ref().is_none_or(|l| same_level(l, &protocol)),
                        "the Kafka's own protocol"
                    );
                    metadata = Metadata::Migrating;
                }
                Action::Kraft => {
                    assert!(metadata.begun(), "copied before");
                    metadata = Metadata::Unfinished;
                }
                Action::Resources => level_now = stop.level.clone(),
                Action::WithoutZookeeper => {
                    level_now = stop.level.clone();
                    assert_eq!(metadata, Metadata::Unfinished);
                    metadata = Metadata::Kraft;
                }
                Action::Convert => {
                    assert!(serves_both(release), "only a release with both versions converts");
                    assert_eq!(at + 1, stop.steps.len(), "converted last");
                    converted = true;
                }
            }
        }
    }
    assert_eq!(release.version, target.version, "it ends where it should");
    assert!(kafka >= state.kafka && kafka >= target.default_kafka);
    assert_eq!(level_now, level(target, &kafka, metadata.mode()));
    assert!(metadata == Metadata::Kraft || metadata == state.metadata && target.zookeeper, "{metadata:?}");
}

#[test]
fn every_pair_has_a_valid_path_or_a_rule() {
    let minors: Vec<Option<Minor>> =
        [None].into_iter().chain((16..=36).map(|minor| Some(Minor { major: 1, minor }))).collect();
    let (mut ways, mut refusals) = (0, 0);
    for from in releases() {
        for to in releases() {
            for kafka in &from.kafka {
                for mode in [Mode::Kraft, Mode::Zookeeper] {
                    if !from.supports_mode(mode) {
                        continue;
                    }
                    let now = state(&from.version.to_string(), Some(&kafka.version.to_string()), mode);
                    for k8s in minors.iter().filter(|k| k.is_none_or(|k| from.kubernetes.contains(k))) {
                        let now = State { kubernetes: *k8s, ..now.clone() };
                        match plan(&now, to, None, false) {
                            Ok(stops) => {
                                ways += 1;
                                assert_valid_path(&now, &stops, to);
                            }
                            Err(failure) => {
                                refusals += 1;
                                assert_eq!(failure.id, errors::UPGRADE_NO_PATH);
                                let named = Rule::ALL
                                    .iter()
                                    .any(|r| failure.causes[0] == format!("rule {r}: {}", r.sentence()));
                                assert!(named, "{failure:?}");
                                // Regardless of Kubernetes, only these two rules forbid upgrades to a later release.
                                if k8s.is_none() && to.version > from.version && to.zookeeper {
                                    assert!(mode == Mode::Kraft, "{from:?} {to:?}");
                                }
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(ways > 5000 && refusals > 5000, "{ways} ways, {refusals} refusals");
}

/// Every state in which a run may have ended has a valid path.
#[test]
fn every_state_of_a_migration_has_a_valid_path() {
    let mut ways = 0;
    for from in releases().iter().filter(|r| r.zookeeper && r.version >= MIGRATES) {
        for to in releases().iter().filter(|to| to.version >= from.version) {
            for kafka in &from.kafka {
                for metadata in
                    [Metadata::Pooled, Metadata::Migrating, Metadata::Finishing, Metadata::Unfinished]
                {
                    for kraft in [false, true] {
                        let version = kafka.version.to_string();
                        let mode = metadata.mode();
                        let now =
                            State { metadata, ..state(&from.version.to_string(), Some(&version), mode) };
                        match plan(&now, to, None, kraft) {
                            Ok(stops) => {
                                ways += 1;
                                assert_valid_path(&now, &stops, to);
                            }
                            // Some Kafka versions have no path.
                            Err(failure) => {
                                assert!(failure.causes[0].starts_with("rule kafka-supported"), "{failure:?}");
                            }
                        }
                    }
                }
            }
        }
    }
    assert!(ways > 500, "{ways} ways");
}
