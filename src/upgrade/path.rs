//! The upgrade path from the current to the target versions through the releases of the catalogue, or the rule that
//! forbids one. Pure.

use super::model::{Metadata, State};
use super::rule::Rule;
use super::search::{self, Leg, serves, serves_both};
use crate::catalogue::{Mode, Release, find, releases};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Minor, Version};

/// The first release that upgrades Kafka in KRaft mode.
const KRAFT: Version = Version::new(0, 39, 0);

/// A step at a stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Action {
    /// Remove references to versions of the resources that the release's CRDs no longer have.
    Versions {
        /// Those versions.
        gone: Vec<String>,
    },
    /// CRDs and operator of the release.
    Operator {
        /// The previous release.
        from: Version,
    },
    /// Another Kafka version, with the level unchanged.
    Kafka {
        /// The previous version.
        from: Version,
        /// The level that is kept.
        level: Option<String>,
    },
    /// The level of the Kafka version, and the resources of the release.
    Level {
        /// The previous level.
        from: Option<String>,
    },
    /// The resources of the release.
    Resources,
    /// A node pool for the brokers, which do not change.
    Pools,
    /// Controllers, to which the metadata is copied; it is still written to ZooKeeper as well.
    Migrate,
    /// KRaft alone, without ZooKeeper.
    Kraft,
    /// The resources of the release, without the fields that only ZooKeeper needed.
    WithoutZookeeper,
    /// Store everything as `v1`.
    Convert,
}

/// A step with the rule that requires it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The action.
    pub action: Action,
    /// The rule.
    pub rule: Rule,
}

/// A release on the path, with its steps.
#[derive(Debug, Clone)]
pub(crate) struct Stop {
    /// The release.
    pub release: &'static Release,
    /// The Kafka version after its steps.
    pub kafka: Version,
    /// The level after its steps.
    pub level: Option<String>,
    /// The mode after its steps.
    pub mode: Mode,
    /// The steps in order.
    pub steps: Vec<Step>,
}

/// The level that belongs to a Kafka version: its metadata version in KRaft mode, otherwise the protocol version.
pub(crate) fn level(release: &Release, kafka: &Version, mode: Mode) -> Option<String> {
    match mode {
        Mode::Zookeeper => Some(kafka.minor().to_string()),
        Mode::Kraft => {
            let known = release.kafka_version(kafka).and_then(|k| k.metadata.clone());
            known.filter(|_| release.schema.metadata_version)
        }
    }
}

/// Whether two levels are equal: `4.2` is `4.2-IV1`.
pub(crate) fn same_level(a: &str, b: &str) -> bool {
    let bare = |level: &str| level.split('-').next().unwrap_or(level).to_owned();
    bare(a) == bare(b) && (!a.contains('-') || !b.contains('-') || a == b)
}

/// The path to `target`, with `kafka` there, or with the release's default. Empty if nothing has to be done. `kraft`:
/// migrate even if the release still supports ZooKeeper.
pub(crate) fn plan(
    state: &State,
    target: &'static Release,
    kafka: Option<&Version>,
    kraft: bool,
) -> Result<Vec<Stop>> {
    let refuse = Refuse { state, target, kraft };
    if target.version < state.release.version {
        return Err(refuse.by(
            Rule::NoDowngrade,
            format!("Strimzi {} is installed, which is newer", state.release.version),
        ));
    }
    let wanted = match kafka {
        Some(kafka) => kafka.clone(),
        // The current version may be newer than the default, and is kept.
        None if state.kafka > target.default_kafka && target.kafka_version(&state.kafka).is_some() => {
            state.kafka.clone()
        }
        None => target.default_kafka.clone(),
    };
    if wanted < state.kafka {
        return Err(
            refuse.by(Rule::NoDowngrade, format!("Kafka {} is running, and {wanted} is older", state.kafka))
        );
    }
    if target.kafka_version(&wanted).is_none() {
        let because = format!("Strimzi {} supports Kafka {}", target.version, target.kafka_list());
        return Err(refuse.by(Rule::KafkaSupported, because));
    }
    if state.release.kafka_version(&state.kafka).is_none() {
        let because = format!(
            "Kafka {} is requested, but the installed Strimzi {} supports {}",
            state.kafka,
            state.release.version,
            state.release.kafka_list()
        );
        return Err(refuse.by(Rule::KafkaSupported, because));
    }
    let moves = target.version != state.release.version || wanted != state.kafka;
    if state.mode() == Mode::Kraft && state.release.version < KRAFT && moves {
        return Err(refuse.by(Rule::KraftFrom039, format!("Strimzi {} is installed", state.release.version)));
    }
    let at = if state.metadata.begun() { &state.release.version } else { &target.version };
    if refuse.migrates(target) && *at < search::MIGRATES {
        let because = format!("the Kafka cluster would be migrated with Strimzi {at}");
        return Err(refuse.by(Rule::MigratesFrom045, because));
    }
    if let Some(k8s) = state.kubernetes.filter(|k| moves && !target.kubernetes.contains(*k)) {
        let because = format!(
            "Strimzi {} supports Kubernetes {}, but the cluster has {k8s}",
            target.version, target.kubernetes
        );
        return Err(refuse.by(Rule::Kubernetes, because));
    }
    let Some(way) = refuse.find_path(state, target, state.kubernetes) else {
        return Err(refuse.blocked());
    };
    Ok(stops(state, &way, &wanted))
}

fn stops(state: &State, way: &[Leg], wanted: &Version) -> Vec<Stop> {
    let mut all = Vec::new();
    let (mut level_now, mut mode) = (state.level.clone(), state.mode());
    for (index, leg) in way.iter().enumerate() {
        let (release, next) = (leg.release, way.get(index + 1));
        let leaves_with = next.map_or(wanted, |n| &n.kafka).clone();
        // A migration that has begun is completed before anything else is changed.
        let first = index == 0 && (state.metadata.begun() || state.metadata == Metadata::Unfinished);
        if first {
            let stop = migration(state, leg, leg.kafka.clone());
            (level_now, mode) = (stop.level.clone(), stop.mode);
            all.push(stop);
        }
        let mut steps = Vec::new();
        if index > 0 {
            let before = way[index - 1].release.api_versions.iter();
            let gone: Vec<String> = before.filter(|v| !serves(release, v)).cloned().collect();
            if !gone.is_empty() {
                steps.push(Step { action: Action::Versions { gone }, rule: Rule::OldVersions });
            }
            let rule = match next {
                None => Rule::OperatorFirst,
                _ if leg.migrates => Rule::ZookeeperEnds,
                Some(next) if !serves(next.release, "v1beta2") && !leg.converted => Rule::V1Conversion,
                Some(_) => Rule::KafkaSupported,
            };
            steps.push(Step {
                action: Action::Operator { from: way[index - 1].release.version.clone() },
                rule,
            });
        }
        let moved = leaves_with != leg.kafka;
        if moved {
            let rule = if next.is_some() { Rule::KafkaSupported } else { Rule::KafkaSecond };
            let action = Action::Kafka { from: leg.kafka.clone(), level: level_now.clone() };
            steps.push(Step { action, rule });
        }
        let goal = level(release, &leaves_with, mode);
        let raised = match (&level_now, &goal) {
            (Some(now), Some(goal)) => !same_level(now, goal),
            (None, Some(_)) => moved,
            _ => false,
        };
        if raised {
            let action = Action::Level { from: level_now.clone() };
            steps.push(Step { action, rule: Rule::MetadataLast });
        } else if index > 0 || moved {
            steps.push(Step { action: Action::Resources, rule: Rule::Resources });
        }
        level_now = goal;
        if next.is_some_and(|n| !serves(n.release, "v1beta2")) && serves_both(release) && !leg.converted {
            steps.push(Step { action: Action::Convert, rule: Rule::V1Conversion });
        }
        if !steps.is_empty() {
            all.push(Stop { release, kafka: leaves_with.clone(), level: level_now.clone(), mode, steps });
        }
        if leg.migrates && !first {
            let stop = migration(state, leg, leaves_with);
            (level_now, mode) = (stop.level.clone(), stop.mode);
            all.push(stop);
        }
    }
    all
}

/// The migration from ZooKeeper to KRaft, as far as it is not done: a separate stop, since no version changes in it.
fn migration(state: &State, leg: &Leg, kafka: Version) -> Stop {
    // Each with the state from which on it is done: one that has begun is checked again.
    let steps = [
        (Metadata::Pooled, Action::Pools, Rule::NodePools),
        (Metadata::Finishing, Action::Migrate, Rule::DualWrite),
        (Metadata::Unfinished, Action::Kraft, Rule::KraftLast),
        (Metadata::Kraft, Action::WithoutZookeeper, Rule::WithoutZookeeper),
    ];
    let steps = steps.into_iter().filter(|(done, ..)| state.metadata < *done);
    Stop {
        release: leg.release,
        level: level(leg.release, &kafka, Mode::Kraft),
        kafka,
        mode: Mode::Kraft,
        steps: steps.map(|(_, action, rule)| Step { action, rule }).collect(),
    }
}

/// The subject of a refusal.
struct Refuse<'a> {
    state: &'a State,
    target: &'static Release,
    kraft: bool,
}

impl Refuse<'_> {
    /// Whether the path to `target` includes the migration.
    fn migrates(&self, target: &Release) -> bool {
        let state = self.state;
        state.mode() == Mode::Zookeeper
            && (self.kraft || state.metadata.begun() || !target.supports_mode(Mode::Zookeeper))
    }

    /// The releases from a state to a target.
    fn find_path(
        &self,
        state: &State,
        target: &'static Release,
        kubernetes: Option<Minor>,
    ) -> Option<Vec<Leg>> {
        if self.migrates(target) {
            search::migrating(state, target, kubernetes)
        } else {
            search::search(state, target, kubernetes)
        }
    }

    fn by(&self, rule: Rule, because: String) -> Box<Failure> {
        let kind = if rule == Rule::Kubernetes { Kind::Prerequisite } else { Kind::Usage };
        let (from, to) = (&self.state.release.version, &self.target.version);
        let message = if from == to {
            format!("Kafka cannot be upgraded in this way with Strimzi {from}")
        } else {
            format!("there is no upgrade path from Strimzi {from} to {to}")
        };
        let mut failure = Failure::new(errors::UPGRADE_NO_PATH, kind, message)
            .because(format!("rule {rule}: {}", rule.sentence()))
            .because(because);
        failure = match rule {
            Rule::NoDowngrade => failure.hint(
                "an older Strimzi needs a new cluster: delete this one, then create it with that --release",
            ),
            Rule::KafkaSupported => {
                failure.hint("list which Kafka versions each Strimzi release supports: kstrim versions")
            }
            Rule::KraftFrom039 => failure
                .hint("create a new cluster with a newer release, and copy the data with MirrorMaker 2"),
            Rule::MigratesFrom045 if self.state.metadata.begun() => failure.hint(
                "complete the migration as Strimzi's documentation describes, then run the same \
                 command again",
            ),
            Rule::MigratesFrom045 => match releases().iter().rev().find(|r| r.supports_mode(Mode::Zookeeper))
            {
                Some(last) => failure.hint(format!("migrate with a later one: --release {}", last.version)),
                None => failure,
            },
            Rule::Kubernetes if self.too_new() => failure.hint(
                "Kubernetes cannot be downgraded: create a new cluster with the newer Strimzi, and copy \
                 the data with MirrorMaker 2",
            ),
            Rule::Kubernetes => {
                failure.hint("first upgrade Kubernetes to a version that the installed Strimzi also supports")
            }
            _ => failure,
        };
        if rule != Rule::NoDowngrade {
            if let Some(near) = self.nearest() {
                failure = failure.hint(format!("the latest release that can be reached: --release {near}"));
            }
            if from != to
                && let Some(possible) = self.possible()
            {
                failure = failure.hint(possible);
            }
        }
        failure.hint(format!("see {}", rule.source())).into()
    }

    /// Whether the cluster's Kubernetes is newer than a release on the path supports.
    fn too_new(&self) -> bool {
        let Some(kubernetes) = self.state.kubernetes else { return false };
        let way = self.find_path(self.state, self.target, None);
        way.is_some_and(|way| way.iter().skip(1).any(|leg| kubernetes > leg.release.kubernetes.max))
    }

    /// Which rule forbids a path although both ends are valid.
    fn blocked(&self) -> Box<Failure> {
        if let Some(k8s) = self.state.kubernetes
            && let Some(way) = self.find_path(self.state, self.target, None)
        {
            let out = way.iter().skip(1).map(|l| l.release).find(|r| !r.kubernetes.contains(k8s));
            let because = out.map_or_else(String::new, |r| {
                format!(
                    "the path goes through Strimzi {}, which supports Kubernetes {}, but the cluster has \
                     {k8s}",
                    r.version, r.kubernetes
                )
            });
            return self.by(Rule::Kubernetes, because);
        }
        self.by(
            Rule::KafkaSupported,
            format!(
                "no release on the path supports Kafka {}, or a later version that Strimzi {} also supports",
                self.state.kafka, self.state.release.version
            ),
        )
    }

    /// With which other Kafka version of the installed release a path would exist, through which releases and on
    /// which Kubernetes. For two different releases.
    fn possible(&self) -> Option<String> {
        let state = self.state;
        let with = |kafka: &Version| State { kafka: kafka.clone(), ..state.clone() };
        let others = state.release.kafka.iter().map(|k| &k.version).filter(|k| **k != state.kafka);
        let mut legs = None;
        let mut kafkas: Vec<&Version> = Vec::new();
        // On this Kubernetes if there is a path with any, otherwise on another.
        for kubernetes in [state.kubernetes, None] {
            let ways =
                others.clone().filter_map(|k| Some((k, self.find_path(&with(k), self.target, kubernetes)?)));
            let fewest = ways.clone().map(|(_, way)| way.len()).min();
            let best = ways.filter(|(_, way)| Some(way.len()) == fewest).collect::<Vec<_>>();
            if let Some((_, way)) = best.last() {
                legs = Some(way.iter().map(|l| l.release).collect::<Vec<_>>());
                kafkas = best.iter().map(|(k, _)| *k).collect();
                break;
            }
        }
        let legs = legs?;
        let words = |all: Vec<String>, last: &str| match all.as_slice() {
            [init @ .., end] if !init.is_empty() => format!("{} {last} {end}", init.join(", ")),
            _ => all.concat(),
        };
        let kafkas = words(kafkas.iter().map(ToString::to_string).collect(), "or");
        let between: Vec<String> = legs[1..legs.len() - 1].iter().map(|r| r.version.to_string()).collect();
        let over = if between.is_empty() {
            String::new()
        } else {
            format!(" through Strimzi {}", words(between, "and"))
        };
        let min = legs.iter().map(|r| r.kubernetes.min).max()?;
        let max = legs.iter().map(|r| r.kubernetes.max).min()?;
        if min > max {
            return None;
        }
        let (release, running) = (&state.release.version, &state.kafka);
        Some(format!(
            "a new cluster with Strimzi {release} and Kafka {kafkas} instead of {running} could be \
             upgraded{over}, on Kubernetes {min} to {max}"
        ))
    }

    /// The newest release below the target that can be reached.
    fn nearest(&self) -> Option<Version> {
        let state = self.state;
        if state.mode() == Mode::Kraft && state.release.version < KRAFT {
            return None;
        }
        let below = |r: &&Release| {
            r.version > state.release.version
                && r.version < self.target.version
                && state.kubernetes.is_none_or(|k| r.kubernetes.contains(k))
        };
        let mut candidates = releases().iter().rev().filter(below);
        candidates.find(|r| self.find_path(state, r, state.kubernetes).is_some()).map(|r| r.version.clone())
    }
}

/// The release with a version that the catalogue must contain.
pub(crate) fn known(version: &str) -> Result<&'static Release> {
    version.parse().ok().and_then(|v| find(&v)).ok_or_else(|| {
        Box::new(
            Failure::new(
                errors::UPGRADE_NO_PATH,
                Kind::Usage,
                format!("this kstrim does not know the installed Strimzi {version}"),
            )
            .hint("a newer kstrim may know it; to list the releases that this one knows: kstrim versions"),
        )
    })
}

#[cfg(test)]
#[path = "path_tests.rs"]
mod tests;
