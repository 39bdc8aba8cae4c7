//! The user's own manifests in a run of `up -f`: read first, checked by the preflight ([`super::check_files`]),
//! applied by the tasks in [`super::user_objects`] and, for the Kafka of the run, by [`super::kafka`].

use std::cell::Cell;

use crate::catalogue::{self, Partial};
use crate::cli::Global;
use crate::config::{Settings, Target};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kubectl::Kubectl;
use crate::kube::object::remove_server_fields;
use crate::manifest::Object;
use crate::manifest::label::FILES;
use crate::manifest::recognise;
use crate::names::{DnsLabel, memory_mb};
use crate::user_manifests::UserManifests;
use crate::user_manifests::choose::{self, Requested};
use crate::user_manifests::fit::{self, Change, Limits};
use crate::user_manifests::order::{self, Phase};
use crate::user_manifests::read::{self, Source};
use crate::user_manifests::references::{self, Cluster};
use crate::user_manifests::{problem, scope};

/// Size of a volume with `--fit`: 1 GiB.
const FIT_STORAGE: u64 = 1 << 30;
/// What Kubernetes itself and Strimzi's operators need: 1.25 GiB, half a CPU.
const RESERVED: (u64, u64) = (1280 << 20, 500);

/// The manifests of a run.
#[derive(Debug, Clone)]
pub(crate) struct UserFiles {
    /// As they are in the files.
    pub(super) given: UserManifests,
    /// As they are applied: with `--fit`, changed.
    pub(super) fitted: UserManifests,
    /// What `--fit` changed.
    pub(crate) changes: Vec<Change>,
    /// Whether `--fit` was specified.
    pub(super) fitting: bool,
    /// Why this release was chosen, if it is not the default, one sentence each.
    pub(crate) reasons: Vec<String>,
    namespace: DnsLabel,
    /// Whether they were compared with the objects in the namespace.
    pub(super) references_checked: Cell<bool>,
    /// Whether the API server was asked whether it would accept them.
    pub(super) accepted: Cell<bool>,
}

impl UserFiles {
    /// Read the manifests of `-f`, and determine what follows from them: the release, Kafka's version and the
    /// cluster's name.
    pub(crate) async fn read(
        sources: &[String],
        fitting: bool,
        kubectl: &Kubectl,
        global: &mut Global,
        settings: &mut Settings,
    ) -> Result<Self> {
        let sources: Vec<Source> = sources.iter().map(|source| Source::from(source.as_str())).collect();
        let documents = read::read(&sources, kubectl, &mut tokio::io::stdin()).await?;
        let namespace = global.namespace.clone();
        if let Some(failure) = problem::failure(&scope::check(&documents, namespace.as_str())) {
            return Err(failure);
        }
        let given = || recognise::given(settings.manifests.as_deref());
        let requested = match &settings.release {
            Some(version) => Some(Requested::Release(version.clone())),
            None => given().map(|release| Requested::Manifests(release.version.clone())),
        };
        let default = catalogue::resolve(&Partial::default())?.release;
        let chosen = choose::choose(&documents, requested.as_ref(), default)?;
        settings.release = Some(chosen.release.version.clone());
        match (&settings.kafka, &chosen.kafka) {
            (Some(asked), Some(written)) if asked != written => {
                let message =
                    format!("--kafka {asked} contradicts spec.kafka.version {written} of the manifests");
                let failure = Failure::new(errors::FILE_RELEASE, Kind::Usage, message);
                return Err(Box::new(failure.hint("leave --kafka out, or change the manifest")));
            }
            (None, Some(_)) => settings.kafka = chosen.kafka.clone(),
            _ => {}
        }
        let given = UserManifests { documents };
        let names: Vec<&str> = given.kafkas().map(|document| document.object.name()).collect();
        if let Some(first) = names.first().filter(|_| !names.contains(&global.cluster.as_str())) {
            if global.given.contains(&"--cluster") {
                let message = format!("the manifests have no Kafka {}", global.cluster);
                let failure = Failure::new(errors::FILE_REFERENCE, Kind::Usage, message);
                let hint = format!("specify one of theirs: --cluster {}", names.join(", --cluster "));
                return Err(Box::new(failure.hint(hint)));
            }
            global.cluster = first.parse().map_err(|why| {
                Box::new(Failure::new(errors::FILE_OBJECT, Kind::Usage, format!("the Kafka {first}: {why}")))
            })?;
            settings.target = Target::from(&*global);
        }
        let (fitted, changes) = match fitting {
            true => fit::fit(&given.documents, &limits(settings))?,
            false => (given.documents.clone(), Vec::new()),
        };
        let fitted = UserManifests { documents: fitted };
        Ok(Self {
            given,
            fitted,
            changes,
            fitting,
            reasons: chosen.sentences(),
            namespace,
            references_checked: Cell::default(),
            accepted: Cell::default(),
        })
    }

    /// Whether a Kafka of this name is among them.
    pub(crate) fn has_kafka(&self, cluster: &str) -> bool {
        self.fitted.kafkas().any(|kafka| kafka.object.name() == cluster)
    }

    /// Whether a KafkaTopic of this cluster describes the topic.
    pub(crate) fn has_topic(&self, cluster: &str, topic: &str) -> bool {
        let of_cluster = |object: &Object| {
            object.kind() == "KafkaTopic" && references::cluster_of(object) == Some(cluster)
        };
        let mut objects = self.fitted.documents.iter().map(|document| &document.object);
        objects.any(|object| of_cluster(object) && references::topic_of(object) == topic)
    }

    /// Whether the brokers of a Kafka cluster need another program to authenticate or authorize clients.
    pub(crate) fn needs_authenticator(&self, cluster: &str) -> bool {
        let kafka = self.fitted.kafkas().find(|kafka| kafka.object.name() == cluster);
        let spec = kafka.and_then(|kafka| kafka.object.get("/spec/kafka"));
        let Some(spec) = spec else { return false };
        let kind = |pointer: &str, value: &serde_json::Value| {
            value.pointer(pointer).and_then(serde_json::Value::as_str).map(str::to_owned)
        };
        let listeners = spec["listeners"].as_array().into_iter().flatten();
        let mut kinds: Vec<String> =
            listeners.filter_map(|listener| kind("/authentication/type", listener)).collect();
        kinds.extend(kind("/authorization/type", spec));
        kinds.iter().any(|kind| matches!(kind.as_str(), "oauth" | "keycloak" | "opa" | "custom"))
    }

    /// How many brokers the Kafka of this name has, if it is among them.
    pub(crate) fn brokers(&self, cluster: &str) -> Option<u64> {
        let kafka = self.fitted.kafkas().find(|kafka| kafka.object.name() == cluster)?;
        let pools: Vec<&Object> = self.fitted.pools(cluster).iter().map(|pool| &pool.object).collect();
        Cluster::of(&kafka.object, &pools).brokers
    }

    /// The Kafka of this name and its node pools, as they are applied, not yet labelled; empty if it is not among them.
    pub(crate) fn kafka(&self, cluster: &str) -> Vec<Object> {
        if !self.has_kafka(cluster) {
            return Vec::new();
        }
        self.objects(|object| is_of_kafka(object, cluster))
    }

    /// Everything else, by phase and kind, each group in the order in which it is applied.
    pub(crate) fn groups(&self, cluster: &str) -> Vec<(Phase, Vec<Object>)> {
        let mut groups: Vec<(Phase, Vec<Object>)> = Vec::new();
        for (phase, documents) in order::phases(&self.fitted.documents) {
            for document in
                documents.iter().filter(|d| !self.has_kafka(cluster) || !is_of_kafka(&d.object, cluster))
            {
                let object = self.placed(&document.object);
                match groups.last_mut() {
                    Some((of, group)) if *of == phase && group[0].kind() == object.kind() => {
                        group.push(object)
                    }
                    _ => groups.push((phase, vec![object])),
                }
            }
        }
        groups
    }

    /// All objects as they are applied, in order and not yet labelled.
    pub(crate) fn all(&self) -> Vec<Object> {
        let documents =
            order::phases(&self.fitted.documents).into_iter().flat_map(|(_, documents)| documents);
        documents.map(|document| self.placed(&document.object)).collect()
    }

    fn objects(&self, which: impl Fn(&Object) -> bool) -> Vec<Object> {
        let all = self.fitted.documents.iter().map(|document| &document.object);
        all.filter(|object| which(object)).map(|object| self.placed(object)).collect()
    }

    /// The object in the namespace of the run, with the label by which a later run finds objects that were removed
    /// from the files.
    pub(super) fn placed(&self, object: &Object) -> Object {
        let mut object = object.clone();
        // Fields that an export (`kubectl get -o yaml`) contains from its cluster.
        if let Some(value) = object.get_mut("") {
            remove_server_fields(value);
        }
        object.remove(&["metadata", "ownerReferences"]);
        object.set(&["metadata", "namespace"], self.namespace.as_str());
        object.set(&["metadata", "labels", FILES], "true");
        object
    }
}

/// Whether it is the Kafka of this name or one of its node pools.
fn is_of_kafka(object: &Object, cluster: &str) -> bool {
    match object.kind() {
        "Kafka" => object.name() == cluster,
        "KafkaNodePool" => references::cluster_of(object) == Some(cluster),
        _ => false,
    }
}

/// The resources that `--fit` may use: the requested machine, without what Kubernetes and Strimzi need.
fn limits(settings: &Settings) -> Limits {
    let memory = settings.memory.as_deref().and_then(memory_mb).unwrap_or(4096) << 20;
    let cpus = settings.cpus.as_deref().and_then(|cpus| cpus.parse::<u64>().ok()).unwrap_or(2) * 1000;
    let nodes = u64::from(settings.nodes.unwrap_or(1));
    let registries =
        settings.image_registry.iter().map(|to| ("quay.io".to_owned(), to.to_string())).collect();
    Limits {
        cpu: (cpus * nodes).saturating_sub(RESERVED.1).max(500),
        memory: (memory * nodes).saturating_sub(RESERVED.0).max(1 << 30),
        // A broker, with its heap and the page cache for its log.
        brokers: ((memory * nodes).saturating_sub(RESERVED.0) / (2 << 30)).clamp(1, 3),
        storage: FIT_STORAGE,
        storage_class: None,
        registries,
    }
}
