//! `kstrim versions`

use std::process::ExitCode;

use serde::Serialize;

use crate::catalogue::{self, Age, Minikube, Mode, Partial, Range, Row, Stage};
use crate::cli::{Format, Resolve, Versions, VersionsVerb};
use crate::command_line::CommandLine;
use crate::failure::Result;
use crate::manifest::render::Preset;
use crate::names::Version;
use crate::terminal::table::Table;
use crate::toolbox::pins;

/// Maximum number of other releases in the text; the data contains all.
const SHOWN: usize = 5;

/// Print which versions of Kafka, Strimzi, Kubernetes and minikube are compatible, or one set of them.
pub(crate) fn run(args: &Versions) -> Result<ExitCode> {
    let text = match &args.verb {
        Some(VersionsVerb::Resolve(asked)) => {
            let set = set(asked)?;
            match asked.output {
                Format::Json => super::json(&set),
                Format::Yaml => super::yaml(&set),
                Format::Text => set_text(&set),
            }
        }
        None => {
            let list = List { catalogue: age(), releases: catalogue::rows() };
            match args.output {
                Format::Json => super::json(&list),
                Format::Yaml => super::yaml(&list),
                Format::Text => format!("{}\n{}\n", table(&list.releases), list.catalogue),
            }
        }
    };
    super::print(&text);
    Ok(ExitCode::SUCCESS)
}

/// All releases as data.
#[derive(Serialize)]
struct List {
    catalogue: Age,
    /// Newest first.
    releases: Vec<Row>,
}

fn age() -> Age {
    catalogue::age(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date())
}

fn table(rows: &[Row]) -> String {
    let head = ["STRIMZI", "DATE", "KAFKA (default last)", "KUBERNETES", "MINIKUBE", "MODE (default first)"];
    let mut table = Table::new(head);
    for row in rows {
        let mut kafka: Vec<String> =
            row.kafka.iter().filter(|k| **k != row.default_kafka).map(ToString::to_string).collect();
        kafka.push(row.default_kafka.to_string());
        let minikube = row.minikube.as_ref().map_or_else(String::new, |(a, b)| format!("{a} - {b}"));
        table.row([
            row.release.to_string(),
            row.date.clone(),
            kafka.join(", "),
            row.kubernetes.to_string(),
            minikube,
            modes(row),
        ]);
    }
    super::drawn(&table)
}

fn modes(row: &Row) -> String {
    let kraft = match row.kraft {
        Stage::Alpha => "KRaft (alpha)",
        Stage::Beta => "KRaft (beta)",
        Stage::Ga | Stage::Only => "KRaft",
    };
    match (row.zookeeper, row.default_mode) {
        (false, _) => kraft.to_owned(),
        (true, Mode::Zookeeper) => format!("ZooKeeper, {kraft}"),
        (true, Mode::Kraft) => format!("{kraft}, ZooKeeper"),
    }
}

/// A consistent set as data.
#[derive(Serialize)]
struct Set {
    catalogue: Age,
    release: Version,
    kafka: Version,
    /// Its metadata version, if the catalogue has one for the release.
    kafka_metadata: Option<String>,
    preset: &'static str,
    mode: Mode,
    /// The Kubernetes version of a new minikube profile.
    kubernetes: Version,
    /// Those that the release supports.
    kubernetes_supported: Range,
    /// The minikube version that kstrim would install if this machine has no suitable one.
    minikube: Version,
    /// The oldest and the newest known minikube that support this Kubernetes version.
    minikube_fitting: Option<(Version, Version)>,
    /// The kubectl version that kstrim would install.
    kubectl: Version,
    operator_image: String,
    kafka_image: String,
    /// The install manifest.
    manifest: String,
    /// Its content digest.
    manifest_digest: String,
    /// The other releases that fit the request, newest first.
    other_releases: Vec<Version>,
    /// What users should know, one sentence each.
    warnings: Vec<String>,
}

/// The set for a request: chosen as `up` does, with the minikube that kstrim would install.
fn set(args: &Resolve) -> Result<Set> {
    let preset = args.preset.map(Preset::from);
    let asked = Partial {
        release: args.release.clone(),
        kafka: args.kafka.clone(),
        kubernetes: args.kubernetes_version.clone(),
        mode: preset.map(Preset::mode),
        ..Partial::default()
    };
    let release = catalogue::resolve(&asked)?.release;
    let fitting = Partial { release: Some(release.version.clone()), ..asked.clone() };
    // None is suitable: what the newest one does not support is reported as the reason.
    let newest = || catalogue::catalogue().minikube.last().map(|known| known.version.clone());
    let minikube = pins::minikube(&fitting).or_else(newest);
    let choice = catalogue::resolve(&Partial { minikube: minikube.clone(), ..fitting })?;
    let minikube = minikube.unwrap_or_else(|| unreachable!("the catalogue has minikubes"));
    let default = || Minikube::installed(&minikube).map(|known| known.default.clone());
    let kubernetes = choice.kubernetes.or_else(default).unwrap_or_else(|| unreachable!("it is known"));
    let minor = kubernetes.minor();
    let preset = preset.unwrap_or_else(|| Preset::default_for(release));
    let others = catalogue::releases().iter().rev().filter(|r| asked.fits(r) && r.version != release.version);
    Ok(Set {
        catalogue: age(),
        release: release.version.clone(),
        kafka: choice.kafka,
        kafka_metadata: choice.metadata,
        preset: preset.name(),
        mode: preset.mode(),
        kubectl: pins::kubectl(&kubernetes),
        kubernetes,
        kubernetes_supported: release.kubernetes,
        minikube,
        minikube_fitting: catalogue::minikube_span(|m| m.can_run(Range { min: minor, max: minor })),
        operator_image: choice.operator_image,
        kafka_image: choice.kafka_image,
        manifest: choice.url,
        manifest_digest: format!("sha256:{}", choice.digest),
        other_releases: others.map(|release| release.version.clone()).collect(),
        warnings: choice.warnings,
    })
}

fn set_text(set: &Set) -> String {
    let mut table = Table::new(Vec::<String>::new());
    let metadata = set.kafka_metadata.as_ref().map_or_else(String::new, |m| format!(", metadata {m}"));
    let minikube = set.minikube_fitting.as_ref().map_or_else(String::new, |(oldest, newest)| {
        format!(" ({oldest} to {newest} can create this Kubernetes version)")
    });
    table.row(["Strimzi", &set.release.to_string()]);
    table.row(["Kafka", &format!("{}{metadata}", set.kafka)]);
    table.row(["preset", &format!("{} (mode {})", set.preset, set.mode)]);
    table.row(["Kubernetes", &format!("{} ({} supported)", set.kubernetes, set.kubernetes_supported)]);
    table.row(["minikube", &format!("{}{minikube}", set.minikube)]);
    table.row(["kubectl", &set.kubectl.to_string()]);
    table.row(["operator", &set.operator_image]);
    table.row(["brokers", &set.kafka_image]);
    table.row(["manifest", &set.manifest]);
    table.row(["content", &set.manifest_digest]);
    let mut text = super::drawn(&table);
    for warning in &set.warnings {
        text += &format!("\nnote: {warning}\n");
    }
    if set.catalogue.old {
        text += &format!("\n{}\n", set.catalogue);
    }
    let others: Vec<String> = set.other_releases.iter().take(SHOWN).map(ToString::to_string).collect();
    text += &match (others.is_empty(), set.other_releases.len().saturating_sub(SHOWN)) {
        (true, _) => "\nNo other Strimzi release supports these versions.\n".to_owned(),
        (false, 0) => format!("\nAlso supported by Strimzi {}.\n", others.join(", ")),
        (false, more) => {
            format!("\nAlso supported by Strimzi {} and {more} older releases.\n", others.join(", "))
        }
    };
    let up = CommandLine::new("kstrim up")
        .with("--release", &set.release)
        .with("--kafka", &set.kafka)
        .with("--preset", set.preset)
        .with("--kubernetes-version", &set.kubernetes);
    text + &format!("To use exactly these versions: {up}\n")
}
