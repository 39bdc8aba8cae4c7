//! From a release's facts and its install manifest to the catalogue's entry.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use jiff::civil::Date;
use kstrim::internals::catalogue::{
    Catalogue, Kafka, Kraft, Minikube, Mode, Range, Release, SCHEMA, Schema, Stage,
};
use kstrim::internals::manifest::{Object, digest};
use kstrim::internals::names::{Minor, Version};
use serde::Deserialize;
use serde_json::Value;

/// What the facts file holds; fields not named here are not needed.
#[derive(Debug, Deserialize)]
pub struct Facts {
    /// The day up to which they were looked for; else the last day that one of them names.
    pub as_of: Option<Date>,
    #[serde(default)]
    pub minikube_releases: Vec<MinikubeFacts>,
    pub releases: Vec<ReleaseFacts>,
}

#[derive(Debug, Deserialize)]
pub struct MinikubeFacts {
    pub version: Version,
    pub default_kubernetes: Version,
    pub newest_kubernetes: Version,
    pub oldest_kubernetes: Version,
    #[serde(default)]
    pub patches: Vec<Version>,
}

/// The facts that an install manifest does not show, and some it does, to compare.
#[derive(Debug, Deserialize)]
pub struct ReleaseFacts {
    pub version: Version,
    pub release_date: String,
    pub kafka_versions: Vec<Version>,
    pub default_kafka_version: Version,
    pub kafka_metadata_versions: BTreeMap<String, Option<String>>,
    pub kubernetes_min: Minor,
    pub kubernetes_max: Minor,
    pub modes: Modes,
    pub feature_gates_default: BTreeMap<String, bool>,
    pub quickstart_example: Quickstart,
    pub urls: Urls,
}

#[derive(Debug, Deserialize)]
pub struct Modes {
    pub zookeeper: bool,
    pub kraft: KraftFacts,
}

#[derive(Debug, Deserialize)]
pub struct KraftFacts {
    pub stage: String,
    pub annotations: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub struct Quickstart {
    pub path: String,
}

#[derive(Debug, Deserialize)]
pub struct Urls {
    pub cluster_operator: String,
}

/// The whole catalogue. `manifest` gives a release's install manifest.
pub fn catalogue(facts: &Facts, manifest: impl Fn(&Version) -> Result<Vec<Object>>) -> Result<Catalogue> {
    let minikube = facts.minikube_releases.iter().map(|m| Minikube {
        version: m.version.clone(),
        default: m.default_kubernetes.clone(),
        oldest: m.oldest_kubernetes.clone(),
        newest: m.newest_kubernetes.clone(),
        patches: m.patches.clone(),
    });
    let mut releases = Vec::new();
    for one in &facts.releases {
        let objects = manifest(&one.version)?;
        releases.push(release(one, &objects).with_context(|| format!("Strimzi {}", one.version))?);
    }
    releases.sort_by(|a, b| a.version.cmp(&b.version));
    let dates = facts.releases.iter().map(|one| one.release_date.parse::<Date>());
    let last = dates.collect::<Result<Vec<_>, _>>().context("a release_date is no date")?.into_iter().max();
    let as_of = facts.as_of.or(last).unwrap_or(Date::MIN);
    Ok(Catalogue { schema: SCHEMA, as_of, minikube: minikube.collect(), releases })
}

/// One release.
pub fn release(facts: &ReleaseFacts, objects: &[Object]) -> Result<Release> {
    let operator = objects
        .iter()
        .find(|o| o.kind() == "Deployment")
        .and_then(|o| o.get("/spec/template/spec/containers/0"))
        .context("no operator Deployment")?;
    let operator_image = operator["image"].as_str().context("no operator image")?.to_owned();
    let images = kafka_images(operator)?;

    let mut kafka = Vec::new();
    for (version, image) in images {
        let metadata = facts.kafka_metadata_versions.get(&version.to_string()).cloned().flatten();
        kafka.push(Kafka { version, metadata, image });
    }
    let found: Vec<_> = kafka.iter().map(|k| &k.version).collect();
    ensure!(found == facts.kafka_versions.iter().collect::<Vec<_>>(), "manifest and facts differ: {found:?}");
    ensure!(found.contains(&&facts.default_kafka_version), "the default Kafka has no image");

    let crd = definition(objects, "Kafka").context("no Kafka definition")?;
    let pool = definition(objects, "KafkaNodePool");
    Ok(Release {
        version: facts.version.clone(),
        date: facts.release_date.clone(),
        kafka,
        default_kafka: facts.default_kafka_version.clone(),
        kubernetes: Range { min: facts.kubernetes_min, max: facts.kubernetes_max },
        api_versions: served(crd)?,
        zookeeper: facts.modes.zookeeper,
        kraft: kraft(facts, pool.is_some())?,
        quickstart: if facts.modes.zookeeper && !facts.quickstart_example.path.contains("single-node") {
            Mode::Zookeeper
        } else {
            Mode::Kraft
        },
        schema: schema(objects)?,
        operator_image,
        url: facts.urls.cluster_operator.clone(),
        digest: digest(objects),
    })
}

/// What the definitions ask for.
pub fn schema(objects: &[Object]) -> Result<Schema> {
    let newest_of = |kind: &str| definition(objects, kind).map(newest).transpose();
    let kafka = newest_of("Kafka")?.context("no Kafka definition")?;
    let spec = &kafka["schema"]["openAPIV3Schema"]["properties"]["spec"];
    let requires = |name: &str| spec["required"].as_array().is_some_and(|r| r.iter().any(|v| v == name));
    let pods = &spec["properties"]["kafka"]["properties"]["template"]["properties"]["pod"];
    let volume = newest_of("KafkaNodePool")?.map(|version| {
        let spec = &version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"];
        &spec["storage"]["properties"]["volumes"]["items"]["properties"]
    });
    Ok(Schema {
        metadata_version: !spec["properties"]["kafka"]["properties"]["metadataVersion"].is_null(),
        zookeeper_required: requires("zookeeper"),
        kraft_metadata: volume.is_some_and(|v| !v["kraftMetadata"].is_null()),
        additional_volumes: !pods["properties"]["volumes"].is_null(),
    })
}

/// `STRIMZI_KAFKA_IMAGES`: a line `4.3.1=quay.io/strimzi/kafka:1.2.0-kafka-4.3.1` a version.
pub fn kafka_images(operator: &Value) -> Result<Vec<(Version, String)>> {
    let env = operator["env"].as_array().context("no environment")?;
    let images = env.iter().find(|e| e["name"] == "STRIMZI_KAFKA_IMAGES").context("no Kafka images")?;
    let lines = images["value"].as_str().context("no Kafka images")?.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let (version, image) = line.split_once('=').context("a Kafka image without a version")?;
            Ok((version.parse()?, image.to_owned()))
        })
        .collect()
}

fn kraft(facts: &ReleaseFacts, node_pools: bool) -> Result<Kraft> {
    let stage = match facts.modes.kraft.stage.split(' ').next() {
        Some("alpha") => Stage::Alpha,
        Some("beta") => Stage::Beta,
        Some("GA") => Stage::Ga,
        Some("only") => Stage::Only,
        other => anyhow::bail!("unknown KRaft stage {other:?}"),
    };
    // A gate not listed is on for good, or not yet there.
    let gate = |name: &str| facts.feature_gates_default.get(name).copied();
    // KRaft works with the unidirectional topic operator only (KRaftUtils.java at the tag).
    let unidirectional = "UnidirectionalTopicOperator";
    let gates = ["UseKRaft", "KafkaNodePools", unidirectional];
    Ok(Kraft {
        stage,
        gates: gates.into_iter().filter(|name| gate(name) == Some(false)).map(str::to_owned).collect(),
        annotations: facts.modes.kraft.annotations.clone(),
        node_pools,
        topic_operator: !(gate("UseKRaft") == Some(false) && gate(unidirectional).is_none()),
    })
}

pub fn definition<'a>(objects: &'a [Object], kind: &str) -> Option<&'a Object> {
    let names = |o: &&Object| o.get("/spec/names/kind").is_some_and(|k| k == kind);
    objects.iter().find(names)
}

fn versions(definition: &Object) -> Result<&Vec<Value>> {
    definition.get("/spec/versions").and_then(Value::as_array).context("a definition without versions")
}

/// The newest served version: Strimzi lists it first.
fn newest(definition: &Object) -> Result<&Value> {
    versions(definition)?.iter().find(|v| v["served"] == true).context("no served version")
}

pub fn served(definition: &Object) -> Result<Vec<String>> {
    let served = versions(definition)?.iter().filter(|v| v["served"] == true);
    Ok(served.filter_map(|v| v["name"].as_str()).map(str::to_owned).collect())
}
