//! The published shape of `kstrim status -o json`: see `docs/status.md`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The version of the document. It grows when a field changes its meaning or goes away; new
/// fields do not raise it, readers skip what they do not know.
pub const VERSION: u32 = 1;

/// What is there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Status {
    /// The version of this format: 1. Readers skip fields that they do not know.
    pub v: u32,
    /// When it was looked at (UTC, RFC 3339).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// Whether Kafka is ready at its current generation with all its pods, and the operator is available.
    pub ready: bool,
    /// Why it is not ready, one line; null if it is.
    pub reason: Option<String>,
    /// What to do next, each a command to paste.
    pub next: Vec<String>,
    /// The minikube profile.
    pub profile: Profile,
    /// The Kubernetes API server.
    pub api_server: ApiServer,
    /// The nodes of the cluster, by name; empty if they could not be looked at.
    pub nodes: Vec<Node>,
    /// The namespace; null if there is none or it could not be looked at.
    pub namespace: Option<Namespace>,
    /// Strimzi's cluster operator; null if there is none or it could not be looked at.
    pub operator: Option<Operator>,
    /// The Kafka resource; null if there is none or it could not be looked at.
    pub kafka: Option<Kafka>,
    /// Its node pools, by name. Empty for a Kafka without node pools.
    pub pools: Vec<Pool>,
    /// Pods of the operator and of the Kafka cluster, by name.
    pub pods: Vec<Pod>,
    /// KafkaTopic resources of the cluster, and those that no cluster will take, by name.
    pub topics: Vec<Topic>,
    /// What stands beside Kafka, in the order of `kstrim add`'s help.
    pub components: Vec<Component>,
    /// The brokers' volumes.
    pub storage: Storage,
    /// Versions of everything.
    pub versions: Versions,
    /// Where clients find Kafka.
    pub addresses: Addresses,
    /// What is wrong, the deepest cause first.
    pub findings: Vec<Finding>,
}

/// A minikube profile.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Profile {
    /// Its name, also the kubectl context.
    pub name: String,
    /// What minikube says of it.
    pub state: ProfileState,
    /// Whether kstrim made it.
    pub ours: bool,
    /// minikube's driver, `docker`.
    pub driver: Option<String>,
    /// Memory in MiB.
    pub memory_mb: Option<u64>,
    /// Processors.
    pub cpus: Option<u64>,
    /// Nodes.
    pub nodes: Option<u64>,
    /// Container runtime, `containerd`.
    pub runtime: Option<String>,
    /// Kubernetes as the profile is configured, without the leading v.
    pub kubernetes: Option<String>,
}

/// The state of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ProfileState {
    /// No such profile.
    Absent,
    /// A folder without a usable configuration: a refused start leaves one.
    Broken,
    /// Machine, kubelet and API server run.
    Running,
    /// `minikube pause`.
    Paused,
    /// Stopped in order.
    Stopped,
    /// The machine runs, the control plane does not (yet).
    Partial,
    /// There is a configuration, but the machine is gone.
    Gone,
    /// The engine (Docker, a hypervisor) does not answer.
    EngineDown,
    /// minikube gave no answer that could be understood: see the findings.
    Unknown,
}

/// The API server.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ApiServer {
    /// Whether it answers.
    pub answers: bool,
    /// Why not, if it was asked.
    pub error: Option<String>,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// Whether its kubelet is well and pods may be put there. Kubernetes notices after 50 s that a node has gone.
    pub ready: bool,
}

/// The namespace of operator and Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Namespace {
    /// Its name.
    pub name: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether kstrim made it.
    pub ours: bool,
}

/// Strimzi's cluster operator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Operator {
    /// Name of its Deployment.
    pub name: String,
    /// Its namespace, which may be another than the Kafka's.
    pub namespace: String,
    /// The Strimzi release, `1.2.0`: what kstrim installed, else the image's tag.
    pub release: Option<String>,
    /// Whether its current revision is available.
    pub available: bool,
    /// What it is at if it is not, `pulling image`.
    pub reason: Option<String>,
    /// Its container image.
    pub image: String,
    /// Whether kstrim made it.
    pub ours: bool,
}

/// The Kafka resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Kafka {
    /// Its name.
    pub name: String,
    /// Whether it is ready at its current generation, with all its pods.
    pub ready: bool,
    /// What it waits for or fails at; null if it is ready.
    pub reason: Option<String>,
    /// The Kafka version that runs; null before there is one.
    pub version: Option<String>,
    /// The Kafka version asked for; null for the operator's default.
    pub wanted_version: Option<String>,
    /// KRaft metadata version, `4.3-IV0`.
    pub metadata_version: Option<String>,
    /// Kafka's cluster id.
    pub cluster_id: Option<String>,
    /// Grows with every change of the spec.
    pub generation: Option<i64>,
    /// The generation the operator last looked at: conditions speak of this one.
    pub observed_generation: Option<i64>,
    /// Whether the operator leaves it alone (annotation `strimzi.io/pause-reconciliation`).
    pub paused: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its conditions except warnings, as the operator wrote them.
    pub conditions: Vec<Condition>,
    /// Messages of its `Warning` conditions; they come with success too.
    pub warnings: Vec<String>,
    /// Whether kstrim made it.
    pub ours: bool,
}

/// A condition of a status.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Condition {
    /// `Ready`, `NotReady`, `ReconciliationPaused`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// One word.
    pub reason: Option<String>,
    /// For people.
    pub message: Option<String>,
    /// Since when (RFC 3339).
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
}

/// A node pool.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pool {
    /// Its name.
    pub name: String,
    /// `broker`, `controller`.
    pub roles: Vec<String>,
    /// Nodes asked for.
    pub wanted: i64,
    /// Nodes whose pods are ready.
    pub ready: u64,
    /// Ids the operator gave its nodes.
    pub node_ids: Vec<i64>,
    /// Whether the operator has looked at its current generation.
    pub observed: bool,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Pod {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub part: Part,
    /// `Pending`, `Running`, `Succeeded`, `Failed`.
    pub phase: String,
    /// Whether all its containers are ready.
    pub ready: bool,
    /// How often its containers were restarted, in all.
    pub restarts: i64,
    /// What it is at, in a few words: `running`, `pulling image`.
    pub state: String,
    /// The node it is on; null before.
    pub node: Option<String>,
    /// The image of each of its containers.
    pub images: Vec<Image>,
}

/// A container's image.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Image {
    /// The container.
    pub container: String,
    /// The image as it was asked for, `quay.io/strimzi/operator:1.2.0`.
    pub image: String,
    /// What runs under that name: `quay.io/strimzi/operator@sha256:...`, for an image from an archive the
    /// digest of its configuration, `sha256:...`; null before it is there.
    pub digest: Option<String>,
}

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The cluster operator.
    Operator,
    /// A broker or controller.
    Kafka,
    /// Topic and user operator.
    EntityOperator,
    /// Anything else of the cluster: exporter, Cruise Control.
    Other,
}

/// A KafkaTopic resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Topic {
    /// Name of the resource.
    pub name: String,
    /// Name of the topic in Kafka.
    pub topic: String,
    /// Partitions asked for; null for the broker's default.
    pub partitions: Option<i64>,
    /// Replicas of each partition asked for; null for the broker's default.
    pub replicas: Option<i64>,
    /// Whether it is there as asked for.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Volumes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Storage {
    /// Claims of the cluster's brokers and controllers, by name.
    pub claims: Vec<Claim>,
    /// How many of them hold data of a Kafka that is not there (any more).
    pub kept: u64,
}

/// A persistent volume claim.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// What it has, or asks for: `100Gi`.
    pub size: String,
    /// Its storage class; null for the cluster's default.
    pub class: Option<String>,
    /// `Bound`, `Pending`, `Lost`.
    pub phase: String,
    /// Whether it has its volume.
    pub bound: bool,
    /// Whether it was kept: there is no Kafka it belongs to.
    pub kept: bool,
}

/// Versions, without a leading v; null where unknown or not there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Versions {
    /// This kstrim.
    pub kstrim: String,
    /// The minikube program.
    pub minikube: Option<String>,
    /// The kubectl program.
    pub kubectl: Option<String>,
    /// The API server's Kubernetes.
    pub kubernetes: Option<String>,
    /// The installed Strimzi.
    pub strimzi: Option<String>,
    /// Versions of `kafka.strimzi.io` that status read, `v1`; null without Strimzi's resource definitions.
    pub strimzi_api: Option<String>,
    /// The Kafka that runs.
    pub kafka: Option<String>,
}

/// Something that stands beside Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Component {
    /// Its name in `kstrim add`: `connect`, `mirror-maker`, `bridge`, `cruise-control`, `exporter`, `metrics`.
    pub name: String,
    /// What describes it: `KafkaConnect/my-cluster`, or the field of the Kafka, `spec.kafkaExporter`.
    pub resource: String,
    /// Whether it is ready at its current generation, with all its pods.
    pub ready: bool,
    /// What it is at if it is not.
    pub reason: Option<String>,
    /// Whether kstrim made it.
    pub ours: bool,
    /// Where programs inside the cluster find it over HTTP, if they do: `http://my-cluster-bridge-bridge-service.kafka.svc:8080`.
    pub url: Option<String>,
}

/// Where clients find Kafka.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub struct Addresses {
    /// `host:port` for clients inside the cluster: of the first listener without TLS, else of the first.
    pub bootstrap: Option<String>,
    /// Every listener that Kafka has.
    pub listeners: Vec<Listener>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Listener {
    /// Its name, `plain`.
    pub name: String,
    /// `internal`, `nodeport`, `loadbalancer`, `ingress`, `cluster-ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether clients speak TLS to it.
    pub tls: bool,
    /// `host:port` to give to clients.
    pub bootstrap: String,
}

/// Something wrong, or about to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Finding {
    /// Stable id; `kstrim explain ID` tells more.
    pub id: String,
    /// What it is about, `pod/my-cluster-dual-role-0`.
    pub subject: String,
    /// The cause, one sentence.
    pub sentence: String,
    /// What proved it; empty if the sentence says it all.
    pub evidence: String,
    /// What to do next.
    pub hints: Vec<String>,
    /// How sure it is, and how bad.
    pub level: Level,
    /// Since when (RFC 3339), if known.
    #[schemars(with = "Option<String>")]
    pub since: Option<Timestamp>,
}

/// How sure a finding is, and how bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// It has held long enough: waiting will not help.
    Cause,
    /// It keeps Kafka from being ready now and may pass by itself.
    Suspicion,
    /// It does not keep Kafka from being ready.
    Warning,
}
