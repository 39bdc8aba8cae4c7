//! Why no set of versions matches the request, and the nearest sets that do.

use super::{Mode, Partial, Release, find, releases};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind};
use crate::names::{KubernetesVersion, Minor, Version};

/// Maximum number of sets that a refusal suggests.
const OFFERS: usize = 3;

/// A range as text: `1.0.0 to 1.2.0`, or just the one version.
pub(super) fn span<T: PartialEq + std::fmt::Display>(first: &T, last: &T) -> String {
    if first == last { first.to_string() } else { format!("{first} to {last}") }
}

/// The release nearest to a version among those that fit; the newer one if two are equally near.
pub(super) fn nearest(
    version: &Version,
    fits: impl Fn(&&'static Release) -> bool,
) -> Option<&'static Release> {
    let all = releases();
    let at = all.partition_point(|release| release.version < *version);
    let distance = |(index, _): &(usize, &Release)| (index.abs_diff(at), std::cmp::Reverse(*index));
    all.iter()
        .enumerate()
        .filter(|(_, release)| fits(release))
        .min_by_key(distance)
        .map(|(_, release)| release)
}

/// The releases that satisfy all of these requests, oldest first.
fn having(asked: &Partial) -> Vec<&'static Release> {
    releases().iter().filter(|release| asked.fits(release)).collect()
}

/// Why nothing fits, and which sets are nearest.
pub(super) fn explain(asked: &Partial) -> Failure {
    let usage = |id, message| Failure::new(id, Kind::Usage, message);
    // Search among the sets that satisfy the other requests, if there are any.
    let among = |others: Partial| {
        let fitting = having(&others);
        if fitting.is_empty() { releases().iter().collect() } else { fitting }
    };
    if let Some(version) = asked.release.as_ref().filter(|version| find(version).is_none()) {
        let mut near: Vec<_> = releases()
            .iter()
            .filter(|r| r.version.minor() == version.minor())
            .chain(nearest(version, |_| true))
            .map(|r| r.version.to_string())
            .collect();
        near.dedup();
        return usage(errors::VERSION_RELEASE_UNKNOWN, format!("unknown Strimzi release {version}"))
            .hint(format!("nearest: --release {}", near.join(" or --release ")))
            .hint(format!("list all releases: {}", CommandLine::new("kstrim versions")));
    }
    if let Some(version) = asked.kafka.as_ref().filter(|v| releases().iter().all(|r| !r.runs(v))) {
        let releases = among(Partial { kafka: None, ..asked.clone() });
        let mut known: Vec<_> = releases.iter().flat_map(|r| &r.kafka).map(|k| &k.version).collect();
        known.sort();
        known.dedup();
        let at = known.partition_point(|k| *k < version);
        if let (true, Some(newest)) = (at == known.len(), known.last()) {
            let with = releases.iter().rev().find(|release| release.runs(newest));
            let with = with.map_or_else(String::new, |release| format!(" (Strimzi {})", release.version));
            return usage(
                errors::VERSION_KAFKA_UNKNOWN,
                format!("no Strimzi release in the catalogue runs Kafka {version}"),
            )
            .because("it is newer than the Kafka versions that they support")
            .hint(format!("the newest that works: --kafka {newest}{with}"))
            .hint(format!(
                "list which Kafka versions each Strimzi release supports, and how old the list is: {}",
                CommandLine::new("kstrim versions")
            ));
        }
        let near = known[at.saturating_sub(1)..(at + 1).min(known.len())].iter();
        let near: Vec<_> = near.map(|k| format!("--kafka {k}")).collect();
        return usage(
            errors::VERSION_KAFKA_UNKNOWN,
            format!("no Strimzi release in the catalogue runs Kafka {version}"),
        )
        .hint(format!("nearest: {}", near.join(" or ")))
        .hint(format!(
            "list which Kafka versions each Strimzi release supports: {}",
            CommandLine::new("kstrim versions")
        ));
    }
    let unsupported = |k: &&KubernetesVersion| {
        !asked.unsupported && releases().iter().all(|r| !r.kubernetes.contains(k.minor()))
    };
    if let Some(version) = asked.kubernetes.as_ref().filter(unsupported) {
        let minor = version.minor();
        let releases = among(Partial { kubernetes: None, ..asked.clone() });
        let near = releases.iter().map(|r| r.kubernetes.nearest(minor));
        let near = near.min_by_key(|m: &Minor| m.minor.abs_diff(minor.minor));
        return usage(
            errors::VERSION_KUBERNETES_UNKNOWN,
            format!("no Strimzi release in the catalogue supports Kubernetes {version}"),
        )
        .hint(format!("nearest: --kubernetes-version {}", near.map(|m| m.to_string()).unwrap_or_default()))
        .hint(format!(
            "list which Kubernetes versions each Strimzi release supports: {}",
            CommandLine::new("kstrim versions")
        ));
    }
    contradiction(asked)
}

fn contradiction(asked: &Partial) -> Failure {
    let message = format!("these versions do not work together: {}", flags(asked));
    let failure = Failure::new(errors::VERSION_CONTRADICTION, Kind::Usage, message);
    let failure = causes(asked).into_iter().fold(failure, Failure::because);
    let offer = |set: &Partial| {
        // Another preset was requested, so this one must be specified.
        let other = if set.mode == asked.mode { "" } else { " --preset single" };
        format!("these do: {}{other}", flags(set))
    };
    offers(asked).iter().map(offer).fold(failure, Failure::hint)
}

/// Which requests exclude each other, one sentence each.
fn causes(asked: &Partial) -> Vec<String> {
    let mut causes = Vec::new();
    let release = asked.release.as_ref().and_then(find);
    if let Some(release) = release {
        let name = &release.version;
        if let Some(kafka) = asked.kafka.as_ref().filter(|kafka| !release.runs(kafka)) {
            causes.push(format!("Strimzi {name} supports Kafka {}, not {kafka}", release.kafka_list()));
        }
        if let Some(k8s) = asked.kubernetes.as_ref().filter(|k| !release.kubernetes.contains(k.minor())) {
            causes.push(format!("Strimzi {name} supports Kubernetes {}, not {k8s}", release.kubernetes));
        }
        if asked.mode.is_some_and(|mode| !release.supports_mode(mode)) {
            let last = releases().iter().rfind(|r| r.zookeeper);
            let last = last.map_or_else(String::new, |r| format!("; {} was the last with it", r.version));
            causes.push(format!("Strimzi {name} has no ZooKeeper mode{last}"));
        }
    }
    let only_kafka = Partial { kafka: asked.kafka.clone(), ..Partial::default() };
    let only_mode = Partial { mode: asked.mode, ..Partial::default() };
    let both = Partial { mode: asked.mode, ..only_kafka.clone() };
    if let (Some(kafka), Some(Mode::Zookeeper), true) = (&asked.kafka, asked.mode, having(&both).is_empty()) {
        causes.push(no_zookeeper(kafka, &having(&only_mode)));
    } else if let (Some(k8s), None) = (&asked.kubernetes, release) {
        // The fewest requests that exclude this Kubernetes are the most informative.
        let misses = |wish: &&Partial| {
            let with = having(wish);
            !with.is_empty() && with.iter().all(|r| !r.kubernetes.contains(k8s.minor()))
        };
        causes.extend([only_kafka, only_mode, both].iter().find(misses).map(|wish| out_of_range(wish, k8s)));
    }
    causes
}

fn no_zookeeper(kafka: &Version, with: &[&Release]) -> String {
    let last = with.iter().flat_map(|r| &r.kafka).map(|k| &k.version).max();
    let last = last.map_or_else(String::new, ToString::to_string);
    // Kafka 4.0 removed ZooKeeper (KIP-500).
    if kafka.major >= 4 {
        format!("Kafka {} no longer supports ZooKeeper; the last version that does is {last}", kafka.major)
    } else {
        format!(
            "no Strimzi release with a ZooKeeper mode supports Kafka {kafka}; the newest supported \
             version is {last}"
        )
    }
}

/// What the releases that satisfy a request support instead of this Kubernetes.
fn out_of_range(wish: &Partial, k8s: &KubernetesVersion) -> String {
    let with = having(wish);
    let what = match (&wish.kafka, wish.mode) {
        (Some(kafka), Some(Mode::Zookeeper)) => format!("Kafka {kafka} with ZooKeeper"),
        (Some(kafka), _) => format!("Kafka {kafka}"),
        (None, _) => "ZooKeeper".to_owned(),
    };
    let strimzi = match with[..] {
        [one] => format!("Strimzi {}, which supports", one.version),
        [first, .., last] => format!("Strimzi {}, which support", span(&first.version, &last.version)),
        [] => String::new(),
    };
    let oldest = with.iter().map(|r| r.kubernetes.min).min().unwrap_or(k8s.minor());
    let newest = with.iter().map(|r| r.kubernetes.max).max().unwrap_or(k8s.minor());
    format!("{what} needs {strimzi} Kubernetes {}, not {k8s}", span(&oldest, &newest))
}

/// The sets nearest to the request: as few requests as possible are dropped, and the replacements are as near to them
/// as possible.
fn offers(asked: &Partial) -> Vec<Partial> {
    // A set bit drops a request.
    let without = |bits: u32| Partial {
        release: asked.release.clone().filter(|_| bits & 1 == 0),
        kafka: asked.kafka.clone().filter(|_| bits & 2 == 0),
        kubernetes: asked.kubernetes.clone().filter(|_| bits & 4 == 0),
        mode: asked.mode.filter(|_| bits & 8 == 0),
        ..Partial::default()
    };
    let anchor = asked.release.clone().unwrap_or_else(|| Version::new(u32::MAX, 0, 0));
    let mut ways: Vec<u32> = (1..16).collect();
    ways.sort_by_key(|bits| bits.count_ones());
    let (mut taken, mut offers) = (Vec::<u32>::new(), Vec::new());
    for bits in ways {
        let wish = without(bits);
        if taken.iter().any(|fewer| bits & fewer == *fewer) {
            continue;
        }
        let Some(release) = nearest(&anchor, |release| wish.fits(release)) else { continue };
        taken.push(bits);
        let kafka = asked.kafka.as_ref().map_or(&release.default_kafka, |kafka| near_kafka(release, kafka));
        let kubernetes = asked.kubernetes.as_ref().map(|k| match release.kubernetes.nearest(k.minor()) {
            near if near == k.minor() => k.clone(),
            near => KubernetesVersion::Minor(near),
        });
        let set = Partial {
            release: Some(release.version.clone()),
            kafka: Some(kafka.clone()),
            kubernetes,
            mode: if bits & 8 == 0 { asked.mode } else { Some(Mode::Kraft) },
            ..Partial::default()
        };
        if !offers.contains(&set) {
            offers.push(set);
        }
    }
    offers.truncate(OFFERS);
    offers
}

/// The Kafka version of a release that is nearest to another: the newest of the same minor version, otherwise the
/// last before it, otherwise the first.
fn near_kafka<'a>(release: &'a Release, kafka: &Version) -> &'a Version {
    let all = || release.kafka.iter().map(|k| &k.version);
    let exact = all().find(|k| *k == kafka);
    let same = || all().rfind(|k| k.minor() == kafka.minor());
    let before = || all().rfind(|k| *k < kafka);
    exact.or_else(same).or_else(before).or_else(|| all().next()).unwrap_or(&release.default_kafka)
}

/// As flags of the command line.
fn flags(asked: &Partial) -> String {
    let flag = |name: &str, value: Option<String>| value.map(|v| format!("--{name} {v}"));
    // The other presets are available in every release.
    let preset = asked.mode.filter(|mode| *mode == Mode::Zookeeper).map(|_| "zookeeper".to_owned());
    [
        flag("release", asked.release.as_ref().map(Version::to_string)),
        flag("kafka", asked.kafka.as_ref().map(Version::to_string)),
        flag("kubernetes-version", asked.kubernetes.as_ref().map(KubernetesVersion::to_string)),
        flag("preset", preset),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join(" ")
}
