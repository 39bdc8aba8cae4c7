//! What the next releases of the tools change, found in what their publishers publish: see `docs/releases.md`.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kstrim::internals::catalogue::{self, Catalogue, Kafka, Minikube, Range, Release, broker};
use kstrim::internals::component;
use kstrim::internals::manifest::render::{self, Preset, RenderInput};
use kstrim::internals::manifest::{self, Object, images, load, tune};
use kstrim::internals::names::{ComponentName, Minor, Version};
use serde_json::Value;

use super::derive;
use super::schema::Schemas;

/// A tool of which there is a new release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tool {
    Strimzi,
    Kafka,
    Minikube,
    Kubernetes,
    Kubectl,
}

/// Something that it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The release is not in the catalogue.
    New,
    /// Kafka versions came or went.
    KafkaVersions,
    /// Versions of Strimzi's API came or went.
    ApiVersions,
    /// A field that the catalogue keeps of the definitions is there now, or no more.
    Schema,
    /// What kstrim renders is not what the definitions take.
    Rendering,
    /// The install manifest is not one that kstrim can prepare.
    Manifest,
    /// The Kubernetes that minikube makes by default.
    DefaultKubernetes,
    /// The oldest Kubernetes that minikube makes is newer than what a release supports.
    OldestKubernetes,
    /// The container runtime that minikube takes by default.
    DefaultRuntime,
    /// A flag that kstrim gives is not there.
    Flag,
    /// Digests are to be added, or are missing.
    Digests,
    /// An API that kstrim or an install manifest uses is not served.
    ApiGone,
    /// No Strimzi release supports it.
    Unsupported,
    /// A setting that counts brokers came, went or has another default.
    BrokerDefault,
}

/// One change, and what a maintainer does about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub tool: Tool,
    pub version: String,
    pub what: What,
    pub text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {:?}: {}", self.tool, self.version, self.what, self.text)
    }
}

/// Collects what is found of one release of a tool.
struct Findings<'a> {
    tool: Tool,
    version: String,
    all: &'a mut Vec<Finding>,
}

impl Findings<'_> {
    fn add(&mut self, what: What, text: impl Into<String>) {
        self.all.push(Finding { tool: self.tool, version: self.version.clone(), what, text: text.into() });
    }
}

/// Look through a folder of what publishers publish, and say what changes against the catalogue and kstrim's
/// `sources`, the folder `src`.
pub fn changes(folder: &Path, sources: &Path, known: &Catalogue) -> Result<Vec<Finding>> {
    let mut all = Vec::new();
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let part = |path: &Path, before: &str, after: &str| -> Option<String> {
        let name = path.file_name()?.to_str()?;
        Some(name.strip_prefix(before)?.strip_suffix(after)?.trim_start_matches('v').to_owned())
    };
    let mut manifests = Vec::new();
    for path in &paths {
        if let Some(version) = part(path, "strimzi-cluster-operator-", ".yaml") {
            let objects = load::from_path(path).map_err(|failure| anyhow::anyhow!("{failure}"))?;
            manifests.push((version.parse::<Version>()?, objects));
        }
    }
    for (version, objects) in &manifests {
        let mut found = Findings { tool: Tool::Strimzi, version: version.to_string(), all: &mut all };
        strimzi(version, objects, known, &mut found).with_context(|| format!("Strimzi {version}"))?;
    }
    for path in &paths {
        if let Some(version) = part(path, "minikube-", "").filter(|_| path.is_dir()) {
            let mut found = Findings { tool: Tool::Minikube, version: version.clone(), all: &mut all };
            minikube(&version.parse()?, path, known, &mut found)
                .with_context(|| format!("minikube {version}"))?;
        } else if let Some(version) = part(path, "kubernetes-", ".json") {
            let mut found = Findings { tool: Tool::Kubernetes, version: version.clone(), all: &mut all };
            kubernetes(version.parse()?, &read(path)?, &manifests, sources, known, &mut found)
                .with_context(|| format!("Kubernetes {version}"))?;
        } else if let Some(version) = part(path, "kubectl-", ".sha256") {
            let mut found = Findings { tool: Tool::Kubectl, version: version.clone(), all: &mut all };
            let digests = read(path)?;
            let digests = digests.lines().filter_map(|line| line.split_once(char::is_whitespace));
            let digests = digests.map(|(digest, platform)| (platform.trim().to_owned(), digest.to_owned()));
            digest_changes(
                kstrim::internals::names::Tool::Kubectl,
                &version.parse()?,
                digests.collect(),
                &mut found,
            );
        } else if let Some(version) = part(path, "kafka-", ".tsv") {
            let mut found = Findings { tool: Tool::Kafka, version: version.clone(), all: &mut all };
            kafka(&version.parse()?, &read(path)?, known, &mut found);
        }
    }
    all.sort();
    all.dedup();
    Ok(all)
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Compared with the last release before it.
fn strimzi(version: &Version, objects: &[Object], known: &Catalogue, found: &mut Findings<'_>) -> Result<()> {
    if let Some(entry) = known.releases.iter().find(|release| release.version == *version) {
        let digest = manifest::digest(objects);
        if entry.digest != digest {
            found.add(What::Manifest, format!("its content is {digest}, the catalogue has {}", entry.digest));
        }
    } else {
        found.add(What::New, "not in the catalogue: write its facts, and add it");
    }
    let before = known.releases.iter().rfind(|release| release.version < *version);
    let before = before.context("it is older than every release of the catalogue")?;
    let operator = objects.iter().find(|o| o.kind() == "Deployment").context("no operator Deployment")?;
    let container = operator.get("/spec/template/spec/containers/0").context("no container")?;
    let kafka: Vec<Kafka> = derive::kafka_images(container)?
        .into_iter()
        .map(|(version, image)| Kafka { version, metadata: None, image })
        .collect();
    let names = |kafka: &[Kafka]| kafka.iter().map(|k| k.version.to_string()).collect::<BTreeSet<_>>();
    changed(&names(&before.kafka), &names(&kafka), What::KafkaVersions, "Kafka", found);
    let definition = derive::definition(objects, "Kafka").context("no Kafka definition")?;
    let served = derive::served(definition)?;
    let set = |list: &[String]| list.iter().cloned().collect::<BTreeSet<_>>();
    changed(&set(&before.api_versions), &set(&served), What::ApiVersions, "kafka.strimzi.io/", found);
    if served.first() != before.api_versions.first() {
        let text =
            format!("resources would be written as {}", served.first().map_or("nothing", String::as_str));
        found.add(What::ApiVersions, text);
    }
    let schema = derive::schema(objects)?;
    if schema != before.schema {
        found.add(What::Schema, format!("{:?}, before it {:?}", schema, before.schema));
    }
    let release = Release {
        version: version.clone(),
        default_kafka: kafka.last().context("no Kafka")?.version.clone(),
        kafka,
        api_versions: served,
        schema,
        ..before.clone()
    };
    rendering(&release, objects, found);
    preparing(&release, objects, found);
    Ok(())
}

/// What came and what went.
fn changed(
    before: &BTreeSet<String>,
    now: &BTreeSet<String>,
    what: What,
    name: &str,
    found: &mut Findings<'_>,
) {
    let list = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).cloned().collect::<Vec<_>>().join(", ")
    };
    for (list, word) in [(list(now, before), "new"), (list(before, now), "gone")] {
        if !list.is_empty() {
            found.add(what, format!("{word}: {name} {list}"));
        }
    }
}

/// Everything that kstrim renders, against the definitions; unknown fields are errors.
fn rendering(release: &Release, objects: &[Object], found: &mut Findings<'_>) {
    let schemas = Schemas::new(objects);
    let parsed = |text: &str| text.parse().unwrap_or_else(|e| unreachable!("{text} is valid: {e}"));
    let (namespace, storage) =
        (parsed("kafka"), "20Gi".parse().unwrap_or_else(|_| unreachable!("it is valid")));
    let cluster = "my-cluster".parse().unwrap_or_else(|_| unreachable!("it is valid"));
    let mut wrong = BTreeSet::new();
    let presets = Preset::ALL.into_iter().filter(|preset| preset.check(release).is_ok());
    for (preset, tuning) in presets.flat_map(|preset| [(preset, true), (preset, false)]) {
        let kafka = &release.default_kafka;
        let (namespace, cluster, storage) = (&namespace, &cluster, &storage);
        let tuning = tuning.then(Default::default);
        let input = RenderInput {
            release,
            kafka,
            preset,
            namespace,
            cluster,
            tuning,
            storage,
            storage_class: None,
            class_data: true,
        };
        for object in render::kafka(&input).unwrap_or_default() {
            wrong.extend(schemas.check(&object).err().map(|why| format!("{}: {why}", object.kind())));
        }
    }
    let topic = "my-topic".parse().unwrap_or_else(|_| unreachable!("it is valid"));
    let topic = render::topic(release, &namespace, &cluster, &topic, 1, 1);
    wrong.extend(schemas.check(&topic).err().map(|why| format!("{}: {why}", topic.kind())));
    wrong.into_iter().for_each(|why| found.add(What::Rendering, why));
}

/// What `kstrim up` does to the install manifest.
fn preparing(release: &Release, objects: &[Object], found: &mut Findings<'_>) {
    let mut objects = objects.to_vec();
    let prepared = (|| {
        manifest::retarget(&mut objects, "kafka")?;
        let operator = tune::operator(&mut objects)?;
        let tuned = tune::tune_operator(operator)?;
        let run = images::of(operator, &release.default_kafka, &release.default_kafka, false)?;
        let wanted: Vec<images::Image> =
            ComponentName::ALL.into_iter().map(|name| component::of(name).image).collect();
        images::beside(operator, &release.default_kafka, &wanted, &run)?;
        Ok::<_, Box<kstrim::internals::failure::Failure>>(tuned.len())
    })();
    match prepared {
        // Probe, processor limit and JVM options.
        Ok(3) => {}
        Ok(tuned) => {
            found.add(What::Manifest, format!("the tuning of the operator changes {tuned} things, not 3"))
        }
        Err(failure) => {
            let causes: String = failure.causes.iter().map(|cause| format!(": {cause}")).collect();
            found.add(What::Manifest, format!("{failure}{causes}"));
        }
    }
}

/// The flags that kstrim gives to `minikube start`.
const FLAGS: [&str; 8] =
    ["driver", "memory", "cpus", "nodes", "kubernetes-version", "container-runtime", "uuid", "wait-timeout"];

/// `folder` has files of its source at the tag: `constants.go` and `constants_kubernetes_versions.go` of
/// `pkg/minikube/constants`, `start.go` and `start_flags.go` of `cmd/minikube/cmd`, and `releases-v2.json`.
fn minikube(version: &Version, folder: &Path, known: &Catalogue, found: &mut Findings<'_>) -> Result<()> {
    let constants = read(&folder.join("constants.go"))?;
    let constant = |name: &str| -> Result<Version> {
        let rest = constants.split(&format!("{name} = \"")).nth(1);
        let text = rest.and_then(|rest| rest.split('"').next());
        Ok(text.with_context(|| format!("no {name} in constants.go"))?.parse()?)
    };
    let listed = read(&folder.join("constants_kubernetes_versions.go"))?;
    let listed: Vec<Version> =
        listed.split('"').skip(1).step_by(2).filter_map(|text| text.parse().ok()).collect();
    let default = constant("DefaultKubernetesVersion")?;
    let patch = |minor: Minor| listed.iter().filter(|v| v.minor() == minor && v.pre.is_none()).max().cloned();
    let newest_supported = known.releases.iter().map(|release| release.kubernetes.max).max();
    let entry = Minikube {
        version: version.clone(),
        oldest: constant("OldestKubernetesVersion")?,
        newest: constant("NewestKubernetesVersion")?,
        patches: newest_supported.filter(|max| *max < default.minor()).and_then(patch).into_iter().collect(),
        default,
    };
    match known.minikube.iter().find(|minikube| minikube.version == *version) {
        Some(has) if *has == entry => {}
        _ => found.add(What::New, format!("to be added: {}", serde_json::to_string(&entry)?)),
    }
    let before = known.minikube.iter().rfind(|minikube| minikube.version < *version);
    let before = before.context("it is older than every minikube of the catalogue")?;
    let newest = known.releases.last().context("no release")?;
    if !newest.kubernetes.contains(entry.default.minor()) {
        let chosen = match entry.can_run(newest.kubernetes) {
            true => {
                format!("kstrim asks for {}", entry.patch_of(newest.kubernetes.max.min(entry.newest.minor())))
            }
            false => "and it can make none that does".to_owned(),
        };
        let text = format!(
            "makes Kubernetes {} by default, which Strimzi {} does not support ({}); {chosen}",
            entry.default, newest.version, newest.kubernetes
        );
        found.add(What::DefaultKubernetes, text);
    } else if entry.default.minor() != before.default.minor() {
        found.add(What::DefaultKubernetes, format!("makes Kubernetes {} by default", entry.default));
    }
    let lost = |range: Range| before.can_run(range) && !entry.can_run(range);
    let lost: Vec<String> =
        known.releases.iter().filter(|r| lost(r.kubernetes)).map(|r| r.version.to_string()).collect();
    if !lost.is_empty() {
        let text = format!("makes nothing older than {}: not for Strimzi {}", entry.oldest, lost.join(", "));
        found.add(What::OldestKubernetes, text);
    }
    let start = read(&folder.join("start.go"))?;
    let runtime =
        start.split("func defaultRuntime() string {").nth(1).and_then(|rest| rest.split("return ").nth(1));
    let runtime = runtime.map(|rest| rest.lines().next().unwrap_or_default().trim());
    match runtime {
        Some("constants.Containerd") => {}
        Some(other) => {
            found.add(What::DefaultRuntime, format!("takes {other} by default, kstrim asks for containerd"))
        }
        None => found.add(What::DefaultRuntime, "start.go has no defaultRuntime: look how it is chosen now"),
    }
    let flags = read(&folder.join("start_flags.go"))?;
    for flag in FLAGS.iter().filter(|flag| !flags.contains(&format!("\"{flag}\""))) {
        found.add(What::Flag, format!("start_flags.go has no --{flag}"));
    }
    let published = fs::read_to_string(folder.join("releases-v2.json")).unwrap_or_default();
    let published: Value = serde_json::from_str(&published).unwrap_or_default();
    let all = published.as_array().into_iter().flatten();
    let mut digests = Vec::new();
    for release in all.filter(|release| release["name"] == format!("v{version}").as_str()) {
        for (architecture, systems) in release["checksums"].as_object().into_iter().flatten() {
            // Beside `amd64: {linux: ...}` it has `linux: ...` for old readers.
            for (system, digest) in systems.as_object().into_iter().flatten() {
                let digest = digest.as_str().unwrap_or_default().to_owned();
                digests.push((format!("{system}-{architecture}"), digest));
            }
        }
    }
    digest_changes(kstrim::internals::names::Tool::Minikube, version, digests, found);
    Ok(())
}

fn digest_changes(
    tool: kstrim::internals::names::Tool,
    version: &Version,
    published: Vec<(String, String)>,
    found: &mut Findings<'_>,
) {
    let unix = published.iter().filter(|(platform, _)| !platform.starts_with("windows"));
    for (platform, digest) in unix {
        match catalogue::programs::digest(tool, version, platform) {
            Some(known) if known == digest => {}
            Some(known) => {
                found.add(What::Digests, format!("{platform} is {digest}, programs.json has {known}"))
            }
            None => found.add(What::Digests, format!("to be added: \"{platform}\": \"{digest}\"")),
        }
    }
    for platform in catalogue::programs::MOST {
        if !published.iter().any(|(has, _)| has == platform) {
            found.add(What::Digests, format!("{platform} was not published with the others"));
        }
    }
}

/// `discovery` is the API server's own list, an `APIGroupDiscoveryList`: `api/discovery/aggregated_v2.json` of the
/// Kubernetes sources.
fn kubernetes(
    minor: Minor,
    discovery: &str,
    manifests: &[(Version, Vec<Object>)],
    sources: &Path,
    known: &Catalogue,
    found: &mut Findings<'_>,
) -> Result<()> {
    let discovery: Value = serde_json::from_str(discovery)?;
    let mut served = BTreeSet::new();
    for group in discovery["items"].as_array().context("no items")? {
        let name = group["metadata"]["name"].as_str().unwrap_or_default();
        for version in group["versions"].as_array().into_iter().flatten() {
            let version = version["version"].as_str().unwrap_or_default();
            served.insert(if name.is_empty() { version.to_owned() } else { format!("{name}/{version}") });
        }
    }
    let theirs = |api: &str| api.ends_with("strimzi.io") || api.contains("strimzi.io/");
    let mut gone = |used: &str, by: String| {
        if !theirs(used) && used != "v1" && !served.contains(used) {
            found.add(What::ApiGone, format!("{used} is not served; {by} uses it"));
        }
    };
    for (version, objects) in manifests {
        for object in objects {
            gone(object.api_version(), format!("{} of Strimzi {version}", object.kind()));
        }
    }
    for (api, file) in own_apis(sources)? {
        gone(&api, file);
    }
    if known.releases.iter().all(|release| !release.kubernetes.contains(minor)) {
        found.add(What::Unsupported, "no Strimzi release of the catalogue supports it");
    }
    Ok(())
}

/// The API versions that kstrim's own sources name, and where: `/apis/apps/v1/...`.
fn own_apis(root: &Path) -> Result<BTreeSet<(String, String)>> {
    let mut folders = vec![root.to_owned()];
    let mut apis = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path)?;
            for rest in text.split("\"/apis/").skip(1) {
                let mut parts =
                    rest.split(|c: char| !(c.is_ascii_alphanumeric() || ".-".contains(c))).take(2);
                let (Some(group), Some(version)) = (parts.next(), parts.next()) else { continue };
                let numbered =
                    version.strip_prefix('v').is_some_and(|v| v.starts_with(|c: char| c.is_ascii_digit()));
                if numbered && !group.is_empty() {
                    let file = path.strip_prefix(root).unwrap_or(&path).display().to_string();
                    apis.insert((format!("{group}/{version}"), format!("src/{file}")));
                }
            }
        }
    }
    Ok(apis)
}

/// `defaults` has a line `NAME<tab>TYPE<tab>DEFAULT` for each setting of a broker.
fn kafka(version: &Version, defaults: &str, known: &Catalogue, found: &mut Findings<'_>) {
    if !known.releases.iter().any(|release| release.runs(version)) {
        found.add(What::New, "no Strimzi release of the catalogue runs it");
    }
    let examined: BTreeSet<&str> = include_str!("examined.txt").lines().collect();
    let mut names = BTreeSet::new();
    for line in defaults.lines() {
        let mut fields = line.split('\t');
        let (Some(name), Some(_), Some(default)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        names.insert(name);
        let default: f64 = default.parse().unwrap_or_default();
        // What tiered storage's metadata manager gets has this prefix in a Kafka of Strimzi's.
        let need = broker::need(name).or_else(|| broker::need(&format!("rlmm.config.{name}")));
        match need {
            Some(need) if f64::from(need.default) != default => {
                let text = format!("{name} is {default} by default, broker.rs has {}", need.default);
                found.add(What::BrokerDefault, text);
            }
            Some(need) if need.since > *version => {
                found.add(
                    What::BrokerDefault,
                    format!("{name} is there, broker.rs says since {}", need.since),
                );
            }
            Some(_) => {}
            None if default > 1.0 && !examined.contains(name) => {
                let text = format!("{name} is new and {default} by default: does it count brokers?");
                found.add(What::BrokerDefault, text);
            }
            None => {}
        }
    }
    for need in broker::needs(version) {
        let name = need.name.trim_start_matches("rlmm.config.");
        // Only those above 1 are printed by everybody's means.
        if need.default > 1 && !names.contains(name) {
            found.add(What::BrokerDefault, format!("{} is gone", need.name));
        }
    }
}
