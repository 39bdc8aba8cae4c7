//! Which Strimzi release fits what the documents request.
//!
//! Each fact in a document (an apiVersion, a Kafka version, ZooKeeper, node pools) is a [`Wish`] that some releases
//! fulfil. The release that the user requested must fulfil all of them; without one it is kstrim's default if that
//! does, else the newest that does. The wishes that kept a newer release out are the reason, as data.

use serde_json::Value;

use super::document::{Document, Origin, dotted};
use super::schema::is_strimzi;
use crate::catalogue::{self, Release, releases};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Minor, Version};

/// What a document requests of the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Want {
    /// That it serves a kind in a version.
    Served {
        /// `KafkaTopic`.
        kind: String,
        /// `kafka.strimzi.io/v1beta2`.
        api_version: String,
    },
    /// That it runs this Kafka version.
    Kafka(Version),
    /// That it runs Kafka with ZooKeeper.
    Zookeeper,
    /// That it runs Kafka without ZooKeeper as the Kafka resource is written: with these annotations, and with or
    /// without the fields that early releases require.
    Kraft {
        /// Annotations of the Kafka resource that are `enabled`.
        enabled: Vec<String>,
        /// Whether it has `spec.zookeeper`, which is ignored.
        zookeeper: bool,
    },
    /// That it sets the metadata version, and runs a Kafka that knows this one.
    Metadata(Minor),
}

impl Want {
    /// Whether a release fulfils it.
    pub(crate) fn fits(&self, release: &Release) -> bool {
        match self {
            Want::Served { kind, api_version } => {
                let (_, version) = api_version.split_once('/').unwrap_or(("", api_version));
                release.serves(kind, version)
            }
            Want::Kafka(version) => release.runs(version),
            Want::Zookeeper => release.zookeeper,
            Want::Kraft { enabled, zookeeper } => {
                let annotated = release.kraft.annotations.keys().all(|name| enabled.contains(name));
                annotated && (*zookeeper || !release.schema.zookeeper_required)
            }
            Want::Metadata(minor) => {
                release.schema.metadata_version
                    && release.kafka.iter().any(|kafka| kafka.version.minor() >= *minor)
            }
        }
    }
}

impl std::fmt::Display for Want {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Want::Served { kind, api_version } => write!(f, "{kind} in {api_version}"),
            Want::Kafka(version) => write!(f, "Kafka {version}"),
            Want::Zookeeper => f.write_str("Kafka with ZooKeeper"),
            Want::Kraft { enabled, .. } if enabled.is_empty() => f.write_str(
                "Kafka without ZooKeeper, and without the annotations that earlier releases need for that",
            ),
            Want::Kraft { .. } => f.write_str("Kafka without ZooKeeper"),
            Want::Metadata(minor) => write!(f, "the metadata version {minor}"),
        }
    }
}

/// A wish and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// What is requested.
    pub(crate) want: Want,
    /// Where.
    pub(crate) origin: Origin,
    /// By what: `Kafka my-cluster: spec.kafka.version`.
    pub(crate) by: String,
}

impl Wish {
    /// The releases that fulfil it, oldest first.
    fn releases(&self) -> Vec<&'static Release> {
        releases().iter().filter(|release| self.want.fits(release)).collect()
    }

    /// `kafka.yaml:7: Kafka my-cluster: spec.kafka.version: Kafka 4.3.1 needs Strimzi 1.2.0`.
    fn sentence(&self) -> String {
        let fitting = self.releases();
        let range = match (fitting.first(), fitting.last()) {
            (Some(first), Some(last)) if first == last => format!("needs Strimzi {}", last.version),
            (Some(first), Some(last)) => format!("needs Strimzi {} to {}", first.version, last.version),
            _ => "is in no release of the catalogue".to_owned(),
        };
        format!("{}: {}: {} {range}", self.origin, self.by, self.want)
    }
}

/// The choice.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    /// The release.
    pub(crate) release: &'static Release,
    /// The version of the first Kafka, if its resource specifies one.
    pub(crate) kafka: Option<Version>,
    /// The wishes because of which it is not a newer release; empty if it is the default or was requested.
    pub(crate) reasons: Vec<Wish>,
}

impl Chosen {
    /// The reasons for people, a sentence each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.reasons.iter().map(Wish::sentence).collect()
    }
}

/// Choose the release for the documents. `default` is the one that kstrim installs otherwise.
///
/// # Errors
/// `KS-FILE-RELEASE`, with the places that contradict each other or the requested release.
pub(crate) fn choose(
    documents: &[Document],
    requested: Option<&Version>,
    default: &'static Release,
) -> Result<Chosen> {
    let wishes = wishes(documents)?;
    let kafka = wishes.iter().find_map(|wish| match &wish.want {
        Want::Kafka(version) => Some(version.clone()),
        _ => None,
    });
    let fits = |release: &Release| wishes.iter().all(|wish| wish.want.fits(release));
    let newest = releases().iter().rev().find(|release| fits(release));
    if let Some(version) = requested {
        let Some(release) = catalogue::find(version) else {
            let message = format!("unknown Strimzi release {version}");
            return Err(Box::new(
                Failure::new(errors::FILE_RELEASE, Kind::Usage, message)
                    .hint(format!("list all releases: {}", CommandLine::new("kstrim versions"))),
            ));
        };
        return match fits(release) {
            true => Ok(Chosen { release, kafka, reasons: Vec::new() }),
            false => Err(Box::new(unfit(release, &wishes, newest))),
        };
    }
    if fits(default) {
        return Ok(Chosen { release: default, kafka, reasons: Vec::new() });
    }
    let Some(release) = newest else { return Err(Box::new(contradiction(&wishes))) };
    let reasons = wishes.into_iter().filter(|wish| !wish.want.fits(default)).collect();
    Ok(Chosen { release, kafka, reasons })
}

fn unfit(release: &Release, wishes: &[Wish], newest: Option<&Release>) -> Failure {
    let message = format!("the manifests do not fit the requested Strimzi {}", release.version);
    let failure = Failure::new(errors::FILE_RELEASE, Kind::Usage, message);
    let unmet = wishes.iter().filter(|wish| !wish.want.fits(release)).take(LISTED);
    let failure = unmet.fold(failure, |failure, wish| failure.because(wish.sentence()));
    match newest {
        Some(newest) => failure.hint(format!("the newest release that fits: --release {}", newest.version)),
        None => failure
            .hint("no release fits all manifests: leave --release out to see which contradict each other"),
    }
}

/// Most wishes in one message.
const LISTED: usize = 10;

/// The fewest wishes that no release fulfils together: one, two, or all.
fn contradiction(wishes: &[Wish]) -> Failure {
    let together = |some: &[&Wish]| releases().iter().any(|r| some.iter().all(|wish| wish.want.fits(r)));
    let message = "no Strimzi release fits these manifests";
    let failure = Failure::new(errors::FILE_RELEASE, Kind::Usage, message);
    if let Some(alone) = wishes.iter().find(|wish| !together(&[wish])) {
        let failure = failure.because(alone.sentence());
        return match &alone.want {
            Want::Kafka(version) => nearest_kafka(version).into_iter().fold(failure, |failure, near| {
                failure.hint(format!("nearest: Kafka {} (Strimzi {})", near.1, near.0.version))
            }),
            _ => failure.hint(format!(
                "list which versions each release supports: {}",
                CommandLine::new("kstrim versions")
            )),
        };
    }
    let pair = wishes.iter().enumerate().find_map(|(at, one)| {
        wishes[at + 1..].iter().find(|other| !together(&[one, other])).map(|other| [one, other])
    });
    match pair {
        Some([one, other]) => {
            let failure = failure.because(one.sentence()).because(other.sentence());
            [one, other].iter().fold(failure, |failure, side| {
                let others: Vec<&Wish> =
                    wishes.iter().filter(|w| w.want != one.want && w.want != other.want).collect();
                let fits = |release: &&&Release| {
                    side.want.fits(release) && others.iter().all(|wish| wish.want.fits(release))
                };
                let all = side.releases();
                match all.iter().rev().find(fits).or(all.last()) {
                    Some(near) => failure.hint(format!("for {}: --release {}", side.want, near.version)),
                    None => failure,
                }
            })
        }
        None => wishes.iter().take(LISTED).fold(failure, |failure, wish| failure.because(wish.sentence())),
    }
}

/// The Kafka versions next to one, each with the newest release that runs it.
fn nearest_kafka(version: &Version) -> Vec<(&'static Release, &'static Version)> {
    let mut known: Vec<&Version> = releases().iter().flat_map(|r| &r.kafka).map(|k| &k.version).collect();
    known.sort();
    known.dedup();
    let at = known.partition_point(|kafka| *kafka < version);
    let near = &known[at.saturating_sub(1)..(at + 1).min(known.len())];
    near.iter()
        .filter_map(|kafka| Some((releases().iter().rev().find(|release| release.runs(kafka))?, *kafka)))
        .collect()
}

/// What the documents request, each once.
///
/// # Errors
/// A version that is none, and a metadata version that is newer than its Kafka.
pub(crate) fn wishes(documents: &[Document]) -> Result<Vec<Wish>> {
    let mut wishes: Vec<Wish> = Vec::new();
    for document in documents.iter().filter(|document| is_strimzi(&document.object)) {
        for (pointer, want) in of(document)? {
            let by = match pointer.as_str() {
                "" => document.object.to_string(),
                pointer => format!("{}: {}", document.object, dotted(pointer)),
            };
            let wish = Wish { want, origin: document.at(&pointer), by };
            if !wishes.iter().any(|known| known.want == wish.want) {
                wishes.push(wish);
            }
        }
    }
    Ok(wishes)
}

fn of(document: &Document) -> Result<Vec<(String, Want)>> {
    let object = &document.object;
    let mut wants = Vec::new();
    if object.group() == "kafka.strimzi.io" {
        let (kind, api_version) = (object.kind().to_owned(), object.api_version().to_owned());
        wants.push(("/apiVersion".to_owned(), Want::Served { kind, api_version }));
    }
    let pointer = match object.kind() {
        "Kafka" => "/spec/kafka/version",
        "KafkaConnect" | "KafkaMirrorMaker2" | "KafkaMirrorMaker" => "/spec/version",
        _ => return Ok(wants),
    };
    // A version that is no text is told by the schema.
    let text = |pointer: &str| object.get(pointer).and_then(Value::as_str);
    let kafka = text(pointer).map(|text| version(document, pointer, text)).transpose()?;
    if let Some(kafka) = &kafka {
        wants.push((pointer.to_owned(), Want::Kafka(kafka.clone())));
    }
    if object.kind() != "Kafka" {
        return Ok(wants);
    }
    const METADATA: &str = "/spec/kafka/metadataVersion";
    if let Some(metadata) = text(METADATA) {
        let minor = metadata.split('-').next().and_then(|minor| minor.parse::<Minor>().ok());
        let Some(minor) = minor else {
            return Err(no_version(document, METADATA, metadata, "a metadata version, such as 4.3-IV0"));
        };
        if let Some(kafka) = kafka.filter(|kafka| kafka.minor() < minor) {
            let message = format!(
                "{}: {object}: the metadata version {metadata} is newer than its Kafka version {kafka}",
                document.at(METADATA)
            );
            return Err(Box::new(Failure::new(errors::FILE_RELEASE, Kind::Usage, message)));
        }
        wants.push((METADATA.to_owned(), Want::Metadata(minor)));
    }
    let annotation = |name: &str| {
        text(&super::document::below("/metadata/annotations", name)).is_some_and(|value| value == "enabled")
    };
    let names = ["strimzi.io/kraft", "strimzi.io/node-pools"];
    let enabled: Vec<String> = names.iter().filter(|name| annotation(name)).map(|&n| n.to_owned()).collect();
    let zookeeper = object.get("/spec/zookeeper").is_some_and(|value| !value.is_null());
    // Before 0.38.0 node pools alone chose KRaft, but those releases also run ZooKeeper, which is as good a guess.
    if zookeeper && !enabled.iter().any(|name| name == names[0]) {
        wants.push(("/spec/zookeeper".to_owned(), Want::Zookeeper));
    } else {
        wants.push((String::new(), Want::Kraft { enabled, zookeeper }));
    }
    Ok(wants)
}

fn version(document: &Document, pointer: &str, text: &str) -> Result<Version> {
    text.parse().map_err(|_| no_version(document, pointer, text, "a version, such as 4.3.1"))
}

fn no_version(document: &Document, pointer: &str, text: &str, what: &str) -> Box<Failure> {
    let message =
        format!("{}: {}: {} is not {what}: {text:?}", document.at(pointer), document.object, dotted(pointer));
    Box::new(Failure::new(errors::FILE_RELEASE, Kind::Usage, message))
}

#[cfg(test)]
#[path = "choose_tests.rs"]
mod tests;
