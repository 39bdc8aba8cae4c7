//! Determines the Strimzi release that fits what the documents request.
//!
//! Each fact in a document (an apiVersion, a Kafka version, ZooKeeper, node pools) is a [`LocatedRequirement`] that
//! some releases meet. A release that the user requested must meet all of them; otherwise it is kstrim's default if
//! that does, or else the newest that does. The requirements that exclude a newer release are the reasons, as data.

use serde_json::Value;

use super::document::{Document, Origin, dotted};
use super::replaced;
use super::schema::{is_strimzi, nearest};
use crate::catalogue::served::KINDS;
use crate::catalogue::{self, Release, releases};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Minor, Version};

/// A requirement of the documents for the release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requirement {
    /// Serves a kind in an API version.
    Served {
        /// `KafkaTopic`.
        kind: String,
        /// `kafka.strimzi.io/v1beta2`.
        api_version: String,
    },
    /// Runs this Kafka version.
    Kafka(Version),
    /// Runs Kafka with ZooKeeper.
    Zookeeper,
    /// Runs Kafka without ZooKeeper as the Kafka resource is written: with these annotations, and with or
    /// without the fields that early releases require.
    Kraft {
        /// Annotations of the Kafka resource that are `enabled`.
        enabled: Vec<String>,
        /// Whether it has `spec.zookeeper`, which is ignored.
        zookeeper: bool,
    },
    /// Sets the metadata version, and runs a Kafka version that supports it.
    Metadata(Minor),
}

impl Requirement {
    /// Whether a release meets it.
    pub(crate) fn fits(&self, release: &Release) -> bool {
        match self {
            Requirement::Served { kind, api_version } => {
                let (_, version) = api_version.split_once('/').unwrap_or(("", api_version));
                release.serves(kind, version)
            }
            Requirement::Kafka(version) => release.runs(version),
            Requirement::Zookeeper => release.zookeeper,
            Requirement::Kraft { enabled, zookeeper } => {
                let annotated = release.kraft.annotations.keys().all(|name| enabled.contains(name));
                annotated && (*zookeeper || !release.schema.zookeeper_required)
            }
            Requirement::Metadata(minor) => {
                release.schema.metadata_version
                    && release.kafka.iter().any(|kafka| kafka.version.minor() >= *minor)
            }
        }
    }

    /// What to write instead, if it is misspelt, or if later releases have something else.
    fn instead(&self) -> Option<String> {
        const ZOOKEEPER: &str = "/spec/zookeeper";
        match self {
            Requirement::Served { kind, .. } => {
                let instead = replaced::kind_instead(kind).map(str::to_owned);
                instead.or_else(|| match KINDS.contains(&kind.as_str()) {
                    true => None,
                    false => nearest(kind, KINDS.into_iter()).map(|near| format!("did you mean {near}?")),
                })
            }
            Requirement::Zookeeper => {
                let instead = replaced::instead("Kafka", ZOOKEEPER)?;
                Some(format!("{}: {instead}", dotted(ZOOKEEPER)))
            }
            Requirement::Kafka(_) | Requirement::Kraft { .. } | Requirement::Metadata(_) => None,
        }
    }
}

impl std::fmt::Display for Requirement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Requirement::Served { kind, api_version } => write!(f, "{kind} in {api_version}"),
            Requirement::Kafka(version) => write!(f, "Kafka {version}"),
            Requirement::Zookeeper => f.write_str("Kafka with ZooKeeper"),
            Requirement::Kraft { enabled, .. } if enabled.is_empty() => f.write_str(
                "Kafka without ZooKeeper, and without the annotations that earlier releases need for that",
            ),
            Requirement::Kraft { .. } => f.write_str("Kafka without ZooKeeper"),
            Requirement::Metadata(minor) => write!(f, "the metadata version {minor}"),
        }
    }
}

/// A requirement and where it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LocatedRequirement {
    /// What is requested.
    pub(crate) requirement: Requirement,
    /// Where.
    pub(crate) origin: Origin,
    /// The field: `Kafka my-cluster: spec.kafka.version`.
    pub(crate) by: String,
}

impl LocatedRequirement {
    /// The releases that meet it, oldest first.
    fn releases(&self) -> Vec<&'static Release> {
        releases().iter().filter(|release| self.requirement.fits(release)).collect()
    }

    /// `kafka.yaml:7: Kafka my-cluster: spec.kafka.version: Kafka 4.3.1 needs Strimzi 1.2.0`.
    fn sentence(&self) -> String {
        let fitting = self.releases();
        let range = match (fitting.first(), fitting.last()) {
            (Some(first), Some(last)) if first == last => format!("needs Strimzi {}", last.version),
            (Some(first), Some(last)) => format!("needs Strimzi {} to {}", first.version, last.version),
            _ => "is in no release of the catalogue".to_owned(),
        };
        format!("{}: {}: {} {range}", self.origin, self.by, self.requirement)
    }
}

/// The chosen release.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen {
    /// The release.
    pub(crate) release: &'static Release,
    /// The version of the first Kafka, if its resource specifies one.
    pub(crate) kafka: Option<Version>,
    /// The requirements that exclude newer releases; empty if it is the default or was requested.
    pub(crate) reasons: Vec<LocatedRequirement>,
}

impl Chosen {
    /// The reasons, a sentence each.
    pub(crate) fn sentences(&self) -> Vec<String> {
        self.reasons.iter().map(LocatedRequirement::sentence).collect()
    }
}

/// The release that the user requested.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requested {
    /// With `--release`.
    Release(Version),
    /// With `--manifests`: its install manifest.
    Manifests(Version),
}

impl Requested {
    fn version(&self) -> &Version {
        match self {
            Requested::Release(version) | Requested::Manifests(version) => version,
        }
    }
}

/// Choose the release for the documents. `default` is the one that kstrim installs otherwise.
///
/// # Errors
/// `KS-FILE-RELEASE`, with the places that contradict each other or the requested release.
pub(crate) fn choose(
    documents: &[Document],
    requested: Option<&Requested>,
    default: &'static Release,
) -> Result<Chosen> {
    let requirements = requirements(documents)?;
    let kafka = requirements.iter().find_map(|requirement| match &requirement.requirement {
        Requirement::Kafka(version) => Some(version.clone()),
        _ => None,
    });
    let fits =
        |release: &Release| requirements.iter().all(|requirement| requirement.requirement.fits(release));
    let newest = releases().iter().rev().find(|release| fits(release));
    if let Some(requested) = requested {
        let version = requested.version();
        let Some(release) = catalogue::find(version) else {
            let message = format!("unknown Strimzi release {version}");
            return Err(Box::new(
                Failure::new(errors::FILE_RELEASE, Kind::Usage, message)
                    .hint(format!("list all releases: {}", CommandLine::new("kstrim versions"))),
            ));
        };
        return match (fits(release), newest) {
            (true, _) => Ok(Chosen { release, kafka, reasons: Vec::new() }),
            (false, Some(newest)) => Err(Box::new(unfit(requested, release, &requirements, newest))),
            // Another release would not fit either.
            (false, None) => Err(Box::new(contradiction(&requirements, Some(requested)))),
        };
    }
    if fits(default) {
        return Ok(Chosen { release: default, kafka, reasons: Vec::new() });
    }
    let Some(release) = newest else { return Err(Box::new(contradiction(&requirements, None))) };
    let reasons =
        requirements.into_iter().filter(|requirement| !requirement.requirement.fits(default)).collect();
    Ok(Chosen { release, kafka, reasons })
}

fn unfit(
    requested: &Requested,
    release: &Release,
    requirements: &[LocatedRequirement],
    newest: &Release,
) -> Failure {
    let (version, newest) = (&release.version, &newest.version);
    let (what, hint) = match requested {
        Requested::Release(_) => (
            format!("the requested Strimzi {version}"),
            format!("the newest release that fits: --release {newest}"),
        ),
        Requested::Manifests(_) => (
            format!("Strimzi {version}, whose install manifest is specified with --manifests"),
            format!(
                "the newest release that fits is Strimzi {newest}: specify its install manifest, or omit --manifests"
            ),
        ),
    };
    let message = format!("the manifests do not fit {what}");
    let failure = Failure::new(errors::FILE_RELEASE, Kind::Usage, message);
    let unmet: Vec<&LocatedRequirement> = requirements
        .iter()
        .filter(|requirement| !requirement.requirement.fits(release))
        .take(LISTED)
        .collect();
    explained(failure, &unmet).hint(hint)
}

/// Add requirements that are not met: a sentence each, and what to write instead.
fn explained(failure: Failure, unmet: &[&LocatedRequirement]) -> Failure {
    let failure = unmet.iter().fold(failure, |failure, requirement| failure.because(requirement.sentence()));
    unmet.iter().filter_map(|requirement| requirement.requirement.instead()).fold(failure, |failure, hint| {
        match failure.hints.contains(&hint) {
            true => failure,
            false => failure.hint(hint),
        }
    })
}

/// Maximum number of requirements in one message.
const LISTED: usize = 10;

/// The smallest set of requirements that no release meets: one, two, or all.
fn contradiction(requirements: &[LocatedRequirement], requested: Option<&Requested>) -> Failure {
    let flag = match requested {
        Some(Requested::Manifests(_)) => "Strimzi",
        Some(Requested::Release(_)) | None => "--release",
    };
    let together = |some: &[&LocatedRequirement]| {
        releases().iter().any(|r| some.iter().all(|requirement| requirement.requirement.fits(r)))
    };
    let message = "no Strimzi release fits these manifests";
    let failure = Failure::new(errors::FILE_RELEASE, Kind::Usage, message);
    if let Some(alone) = requirements.iter().find(|requirement| !together(&[requirement])) {
        let failure = explained(failure, &[alone]);
        return match &alone.requirement {
            // The hint says what to write instead.
            _ if !failure.hints.is_empty() => failure,
            Requirement::Kafka(version) => {
                nearest_kafka(version).into_iter().fold(failure, |failure, near| {
                    failure.hint(format!("nearest: Kafka {} (Strimzi {})", near.1, near.0.version))
                })
            }
            _ => failure.hint(format!(
                "list which versions each release supports: {}",
                CommandLine::new("kstrim versions")
            )),
        };
    }
    let pair = requirements.iter().enumerate().find_map(|(at, one)| {
        requirements[at + 1..].iter().find(|other| !together(&[one, other])).map(|other| [one, other])
    });
    match pair {
        Some([one, other]) => {
            let failure = explained(failure, &[one, other]);
            [one, other].iter().fold(failure, |failure, side| {
                let others: Vec<&LocatedRequirement> = requirements
                    .iter()
                    .filter(|w| w.requirement != one.requirement && w.requirement != other.requirement)
                    .collect();
                let fits = |release: &&&Release| {
                    side.requirement.fits(release)
                        && others.iter().all(|requirement| requirement.requirement.fits(release))
                };
                let all = side.releases();
                match all.iter().rev().find(fits).or(all.last()) {
                    Some(near) => failure.hint(format!("for {}: {flag} {}", side.requirement, near.version)),
                    None => failure,
                }
            })
        }
        None => explained(failure, &requirements.iter().take(LISTED).collect::<Vec<_>>()),
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

/// The requirements of the documents, each once.
///
/// # Errors
/// An invalid version, or a metadata version that is newer than its Kafka version.
pub(crate) fn requirements(documents: &[Document]) -> Result<Vec<LocatedRequirement>> {
    let mut requirements: Vec<LocatedRequirement> = Vec::new();
    for document in documents.iter().filter(|document| is_strimzi(&document.object)) {
        for (pointer, requirement) in of(document)? {
            let by = match pointer.as_str() {
                "" => document.object.to_string(),
                pointer => format!("{}: {}", document.object, dotted(pointer)),
            };
            let requirement = LocatedRequirement { requirement, origin: document.at(&pointer), by };
            if !requirements.iter().any(|known| known.requirement == requirement.requirement) {
                requirements.push(requirement);
            }
        }
    }
    Ok(requirements)
}

fn of(document: &Document) -> Result<Vec<(String, Requirement)>> {
    let object = &document.object;
    let mut found = Vec::new();
    if object.group() == "kafka.strimzi.io" {
        let (kind, api_version) = (object.kind().to_owned(), object.api_version().to_owned());
        found.push(("/apiVersion".to_owned(), Requirement::Served { kind, api_version }));
    }
    let pointer = match object.kind() {
        "Kafka" => "/spec/kafka/version",
        "KafkaConnect" | "KafkaMirrorMaker2" | "KafkaMirrorMaker" => "/spec/version",
        _ => return Ok(found),
    };
    // The schema check reports a version that is not a string.
    let text = |pointer: &str| object.get(pointer).and_then(Value::as_str);
    let kafka = text(pointer).map(|text| version(document, pointer, text)).transpose()?;
    if let Some(kafka) = &kafka {
        found.push((pointer.to_owned(), Requirement::Kafka(kafka.clone())));
    }
    if object.kind() != "Kafka" {
        return Ok(found);
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
        found.push((METADATA.to_owned(), Requirement::Metadata(minor)));
    }
    let annotation = |name: &str| {
        text(&super::document::below("/metadata/annotations", name)).is_some_and(|value| value == "enabled")
    };
    let names = ["strimzi.io/kraft", "strimzi.io/node-pools"];
    let enabled: Vec<String> = names.iter().filter(|name| annotation(name)).map(|&n| n.to_owned()).collect();
    let zookeeper = object.get("/spec/zookeeper").is_some_and(|value| !value.is_null());
    // Before 0.38.0 node pools alone chose KRaft, but those releases also run ZooKeeper.
    if zookeeper && !enabled.iter().any(|name| name == names[0]) {
        found.push(("/spec/zookeeper".to_owned(), Requirement::Zookeeper));
    } else {
        found.push((String::new(), Requirement::Kraft { enabled, zookeeper }));
    }
    Ok(found)
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
