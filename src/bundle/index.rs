//! The index of a bundle. It is untrusted input, so everything in it has a limit.

use std::collections::HashSet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::{Failure, Kind as Class, Result};
use crate::names::{ClusterName, DnsLabel, ImageName, ImageRegistry, ProfileName, Version};

/// The newest version of the index's format. The second one has snapshots, the third class-data archives.
pub(crate) const SCHEMA: u32 = 3;
/// The oldest version that has all of these entries: an older kstrim can read it.
pub(super) fn schema_for(entries: &[Entry]) -> u32 {
    let has = |kind: Kind| entries.iter().any(|entry| entry.kind == kind);
    match (has(Kind::ClassData), has(Kind::State)) {
        (true, _) => SCHEMA,
        (false, true) => 2,
        (false, false) => 1,
    }
}
/// The name of the format.
pub(crate) const FORMAT: &str = "kstrim-bundle";
/// Maximum size of the index, in bytes. A hundred entries take about 30 KiB.
pub(crate) const SIZE_LIMIT: u64 = 1 << 20;
/// Maximum number of entries. A bundle of all kinds has about fifty.
const MOST: usize = 1000;
/// Maximum length of a path: what the name field of a tar header can hold.
const LONGEST_PATH: usize = 200;

/// What a bundle is for, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    /// [`FORMAT`].
    pub format: String,
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of kstrim that wrote it.
    pub made_by: String,
    /// What the bundle is for.
    pub set: Set,
    /// For a snapshot: the profile that it was saved from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Snapshot>,
    /// Its entries, in their order in the file.
    pub entries: Vec<Entry>,
}

/// The profile that a snapshot was saved from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Snapshot {
    /// When it was saved.
    pub saved: Timestamp,
    /// The minikube profile. Its name is also the node's, so that it is restored under the same name only.
    pub profile: ProfileName,
    /// The namespace of the Kafka cluster.
    pub namespace: DnsLabel,
    /// The Kafka cluster.
    pub cluster: ClusterName,
    /// The uid of the namespace `kube-system`: the identity of the Kubernetes cluster.
    pub cluster_uid: String,
    /// minikube's driver.
    pub driver: String,
    /// The container runtime.
    pub runtime: String,
    /// The memory of the machine, in MiB.
    pub memory_mb: u64,
    /// Its CPUs.
    pub cpus: u64,
}

/// What a bundle is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// Strimzi.
    pub release: Version,
    /// Kafka.
    pub kafka: Version,
    /// Kubernetes, if it was chosen.
    pub kubernetes: Option<Version>,
    /// The preset, `single`.
    pub preset: String,
    /// The registry that replaces the images' own registries.
    pub image_registry: Option<ImageRegistry>,
    /// The machine that its images and tools are for, `linux-amd64`.
    pub platform: String,
}

/// A file in a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name in the bundle, `images/operator.tar`.
    pub path: String,
    /// What it is.
    pub kind: Kind,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its content, lower-case hex.
    pub sha256: String,
    /// For an image archive: the images in it. For a class-data archive: the image that it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<ImageName>,
    /// For a tool: its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Whether it is executable.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Strimzi's install manifest.
    Manifest,
    /// An image archive.
    Image,
    /// minikube or kubectl.
    Tool,
    /// A file of minikube's own cache.
    MinikubeCache,
    /// The state of a cluster: etcd's data and the volumes.
    State,
    /// A class-data archive of a JVM in one of the images.
    ClassData,
}

impl Kind {
    /// The directory that its entries are in.
    pub fn folder(self) -> &'static str {
        match self {
            Kind::Manifest => "manifests",
            Kind::Image => "images",
            Kind::Tool => "tools",
            Kind::MinikubeCache => "minikube-cache",
            Kind::State => "state",
            Kind::ClassData => "class-data",
        }
    }

    /// Maximum size in bytes: far above real files, and far below what fills a disk.
    pub fn limit(self) -> u64 {
        match self {
            // The maximum that the manifest reader accepts.
            Kind::Manifest => 16 << 20,
            Kind::Image => 16 << 30,
            Kind::State => 64 << 30,
            Kind::Tool | Kind::ClassData => 512 << 20,
            Kind::MinikubeCache => 4 << 30,
        }
    }

    /// The name in messages.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Manifest => "manifest",
            Kind::Image => "image",
            Kind::Tool => "tool",
            Kind::MinikubeCache => "minikube cache",
            Kind::State => "state",
            Kind::ClassData => "class-data archive",
        }
    }
}

impl Snapshot {
    /// When it was saved, for messages.
    pub(crate) fn saved_at(&self) -> String {
        self.saved.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// The limits of what is passed to minikube later.
    fn check(&self) -> std::result::Result<(), String> {
        let word = |text: &str| !text.is_empty() && text.len() <= 64 && path_ok(text) && !text.contains('/');
        match [&self.cluster_uid, &self.driver, &self.runtime].into_iter().all(|text| word(text)) {
            true => Ok(()),
            false => Err("its cluster, driver or runtime is not a plain word".to_owned()),
        }
    }
}

impl Entry {
    /// The name without the directory of its kind.
    pub fn name(&self) -> &str {
        self.path.split_once('/').map_or(self.path.as_str(), |(_, name)| name)
    }

    fn check(&self) -> std::result::Result<(), String> {
        if !path_ok(&self.path) {
            return Err("its path leads outside the bundle".into());
        }
        if !self.path.starts_with(&format!("{}/", self.kind.folder())) {
            return Err(format!("it is not in {}/, where entries of its kind are", self.kind.folder()));
        }
        if self.size > self.kind.limit() {
            let limit = self.kind.limit() >> 20;
            return Err(format!(
                "it has {} bytes, but a {} has at most {limit} MiB",
                self.size,
                self.kind.title()
            ));
        }
        let digit = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
        if self.sha256.len() != 64 || !self.sha256.chars().all(digit) {
            return Err("its sha256 is not 64 lower-case hex digits".into());
        }
        if self.kind == Kind::Tool
            && (self.version.is_none() || !matches!(self.name(), "minikube" | "kubectl"))
        {
            return Err("it is not a minikube or kubectl with a version".into());
        }
        Ok(())
    }
}

/// Whether this is a relative path of plain components: no hidden files, no `..`, and nothing that a shell or a
/// terminal would interpret.
pub(crate) fn path_ok(path: &str) -> bool {
    let part = |p: &str| {
        p.starts_with(|c: char| c.is_ascii_alphanumeric())
            && p.chars().all(|c| c.is_ascii_alphanumeric() || "._-@+".contains(c))
    };
    path.len() <= LONGEST_PATH && path.split('/').all(part)
}

impl Index {
    /// Read an index and validate it.
    pub fn parse(origin: &str, text: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            format: String,
            schema: u32,
        }
        let bad = |why: String| {
            let message = format!("the index of the bundle {origin} is invalid");
            Box::new(Failure::new(errors::BUNDLE_INDEX, Class::Usage, message).because(why))
        };
        let versioned: Versioned = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
        if versioned.format != FORMAT {
            return Err(bad(format!("its format is not {FORMAT}")));
        }
        if versioned.schema > SCHEMA {
            let message = format!("the bundle {origin} was created by a newer kstrim");
            return Err(Box::new(
                Failure::new(errors::BUNDLE_NEWER, Class::Usage, message)
                    .because(format!("its schema is {}, but this kstrim supports {SCHEMA}", versioned.schema))
                    .hint("use the newer kstrim, or create the bundle with this one"),
            ));
        }
        let index: Self = serde_json::from_slice(text).map_err(|e| bad(e.to_string()))?;
        if index.entries.is_empty() || index.entries.len() > MOST {
            return Err(bad(format!(
                "it has {} entries, but at most {MOST} are allowed",
                index.entries.len()
            )));
        }
        let word = |text: &str| text.len() <= 64 && path_ok(text) && !text.contains('/');
        if !word(&index.set.preset) || !word(&index.set.platform) {
            return Err(bad("its preset or platform is not a plain word".into()));
        }
        let mut seen = HashSet::new();
        for entry in &index.entries {
            let checked = entry.check().and_then(|()| {
                if seen.insert(entry.path.as_str()) { Ok(()) } else { Err("it occurs twice".into()) }
            });
            checked.map_err(|why| refused(origin, &entry.path, &why))?;
        }
        let (manifests, states) = (index.of(Kind::Manifest).count(), index.of(Kind::State).count());
        match (&index.snapshot, manifests, states) {
            (Some(snapshot), 0, 1) => snapshot.check().map(|()| index).map_err(bad),
            (Some(_), 0, n) => Err(bad(format!("it has {n} states instead of one"))),
            (Some(_), ..) => Err(bad("a snapshot has no install manifest".to_owned())),
            (None, 1, 0) => Ok(index),
            (None, 1, _) => Err(bad("only a snapshot has the state of a cluster".to_owned())),
            (None, n, _) => Err(bad(format!("it has {n} install manifests instead of one"))),
        }
    }

    /// The entries of a kind.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(move |entry| entry.kind == kind)
    }

    /// The index as JSON text.
    pub fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default();
        text.push(b'\n');
        text
    }
}

/// The failure of an invalid entry.
pub(super) fn refused(origin: &str, path: &str, why: &str) -> Box<Failure> {
    let shown: String = path.chars().take(200).collect();
    let message = format!("the entry {shown:?} of the bundle {origin} is not allowed");
    Box::new(Failure::new(errors::BUNDLE_ENTRY, Class::Usage, message).because(why).hint(format!(
        "obtain the bundle again from its source, or create it: {}",
        CommandLine::new("kstrim bundle create -o FILE")
    )))
}
