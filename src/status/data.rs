//! The published shape of `kstrim status -o json`: see `docs/status.md`.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

/// The version of the document. It grows when a field changes its meaning or goes away; new
/// fields do not raise it, readers skip what they do not know.
pub(crate) const VERSION: u32 = 1;

/// The state of everything.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Status {
    /// The version of this format: 1. Readers ignore fields that they do not know.
    pub v: u32,
    /// When the state was collected (UTC, RFC 3339).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// Whether Kafka is ready at its current generation with all its pods, and the operator is available.
    pub ready: bool,
    /// Why it is not ready, one line; null if it is.
    pub reason: Option<String>,
    /// Commands to run next.
    pub next: Vec<String>,
    /// The minikube profile.
    pub profile: Profile,
    /// The Kubernetes API server.
    pub api_server: ApiServer,
    /// The nodes of the cluster, by name; empty if they could not be read.
    pub nodes: Vec<Node>,
    /// The namespace; null if it does not exist or could not be read.
    pub namespace: Option<Namespace>,
    /// Strimzi's cluster operator; null if it does not exist or could not be read.
    pub operator: Option<Operator>,
    /// The Kafka resource; null if it does not exist or could not be read.
    pub kafka: Option<Kafka>,
    /// Its node pools, by name. Empty for a Kafka cluster without node pools.
    pub pools: Vec<Pool>,
    /// Pods of the operator and of the Kafka cluster, by name.
    pub pods: Vec<Pod>,
    /// KafkaTopic resources of the cluster, and those that belong to no cluster, by name.
    pub topics: Vec<Topic>,
    /// The components, in the order of the help of `kstrim add`.
    pub components: Vec<Component>,
    /// The brokers' volumes.
    pub storage: Storage,
    /// Versions of everything.
    pub versions: Versions,
    /// Addresses for clients.
    pub addresses: Addresses,
    /// What is wrong, root cause first.
    pub findings: Vec<Finding>,
}

/// A minikube profile.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Profile {
    /// Its name, which is also the kubectl context.
    pub name: String,
    /// Its state according to minikube.
    pub state: ProfileState,
    /// Since when it is stopped or paused (UTC, RFC 3339); null if it is neither, or kstrim did not do it.
    #[schemars(with = "Option<String>", extend("format" = "date-time"))]
    pub since: Option<Timestamp>,
    /// Whether kstrim created it.
    pub ours: bool,
    /// minikube's driver, `docker`.
    pub driver: Option<String>,
    /// Memory in MiB.
    pub memory_mb: Option<u64>,
    /// CPUs.
    pub cpus: Option<u64>,
    /// Nodes.
    pub nodes: Option<u64>,
    /// Container runtime, `containerd`.
    pub runtime: Option<String>,
    /// Kubernetes version of the profile, without the leading v.
    pub kubernetes: Option<String>,
}

/// The state of a profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ProfileState {
    /// No such profile.
    Absent,
    /// A directory without a usable configuration, as left by a rejected start.
    Broken,
    /// Machine, kubelet and API server are running.
    Running,
    /// Paused by `minikube pause`.
    Paused,
    /// Stopped by `minikube stop`.
    Stopped,
    /// The machine is running, the control plane is not (yet).
    Partial,
    /// The configuration exists, but the machine does not.
    Gone,
    /// The engine (Docker, a hypervisor) does not respond.
    EngineDown,
    /// The output of minikube could not be understood: see the findings.
    Unknown,
}

/// The API server.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct ApiServer {
    /// Whether it responds.
    pub answers: bool,
    /// Why it does not respond.
    pub error: Option<String>,
}

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Node {
    /// Its name.
    pub name: String,
    /// Whether it is ready and schedulable. Kubernetes detects a lost node after 50 s.
    pub ready: bool,
}

/// The namespace of operator and Kafka.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Namespace {
    /// Its name.
    pub name: String,
    /// Whether it is being deleted.
    pub terminating: bool,
    /// Whether kstrim created it.
    pub ours: bool,
}

/// Strimzi's cluster operator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Operator {
    /// Name of its Deployment.
    pub name: String,
    /// Its namespace, which may differ from that of the Kafka cluster.
    pub namespace: String,
    /// The Strimzi release, `1.2.0`: the one that kstrim installed, otherwise according to its Deployment.
    pub release: Option<String>,
    /// Whether its current revision is available.
    pub available: bool,
    /// Its current state if it is not, such as `pulling image`.
    pub reason: Option<String>,
    /// Its container image.
    pub image: String,
    /// Whether kstrim created it.
    pub ours: bool,
    /// Who installed it, and so upgrades it.
    pub owner: OperatorOwner,
}

/// Who installed an operator.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct OperatorOwner {
    /// `kstrim`, `helm`, `olm`, `argo-cd`, `flux` or `by-hand`.
    pub kind: String,
    /// For people: `by Helm (release strimzi in namespace strimzi)`.
    pub description: String,
}

/// The Kafka resource.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Kafka {
    /// Its name.
    pub name: String,
    /// Whether it is ready at its current generation, with all its pods.
    pub ready: bool,
    /// What it is waiting for, or why it fails; null if it is ready.
    pub reason: Option<String>,
    /// The running Kafka version; null if none is running yet.
    pub version: Option<String>,
    /// The requested Kafka version; null for the operator's default.
    pub wanted_version: Option<String>,
    /// KRaft metadata version, `4.3-IV0`.
    pub metadata_version: Option<String>,
    /// Kafka's cluster id.
    pub cluster_id: Option<String>,
    /// Increases with every change of the spec.
    pub generation: Option<i64>,
    /// The generation that the operator last reconciled: the conditions refer to it.
    pub observed_generation: Option<i64>,
    /// Whether its reconciliation is paused (annotation `strimzi.io/pause-reconciliation`).
    pub paused: bool,
    /// Whether it is being deleted.
    pub deleting: bool,
    /// Its conditions except warnings, as the operator wrote them.
    pub conditions: Vec<Condition>,
    /// Messages of its `Warning` conditions, which may be present even if it is ready.
    pub warnings: Vec<String>,
    /// Whether kstrim created it.
    pub ours: bool,
}

/// A condition of a status.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Condition {
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
pub(crate) struct Pool {
    /// Its name.
    pub name: String,
    /// `broker`, `controller`.
    pub roles: Vec<String>,
    /// Requested number of nodes.
    pub wanted: i64,
    /// Nodes whose pods are ready.
    pub ready: u64,
    /// Ids that the operator assigned to its nodes.
    pub node_ids: Vec<i64>,
    /// Whether the operator has reconciled its current generation.
    pub observed: bool,
}

/// A pod.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Pod {
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
    /// Its current state: `running`, `pulling image`.
    pub state: String,
    /// The node it is on; null before.
    pub node: Option<String>,
    /// The image of each of its containers.
    pub images: Vec<Image>,
}

/// A container's image.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Image {
    /// The container.
    pub container: String,
    /// The requested image, `quay.io/strimzi/operator:1.2.0`.
    pub image: String,
    /// What runs under that name: `quay.io/strimzi/operator@sha256:...`, for an image from an archive the
    /// digest of its configuration, `sha256:...`; null before it is there.
    pub digest: Option<String>,
}

/// What a pod is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Part {
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
pub(crate) struct Topic {
    /// Name of the resource.
    pub name: String,
    /// Name of the topic in Kafka.
    pub topic: String,
    /// Requested number of partitions; null for the broker's default.
    pub partitions: Option<i64>,
    /// Requested number of replicas; null for the broker's default.
    pub replicas: Option<i64>,
    /// Whether it exists as requested.
    pub ready: bool,
    /// Why not.
    pub reason: Option<String>,
}

/// Volumes.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub(crate) struct Storage {
    /// Claims of the cluster's brokers and controllers, by name.
    pub claims: Vec<Claim>,
    /// How many of them contain data of a Kafka cluster that does not exist (any more).
    pub kept: u64,
}

/// A persistent volume claim.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Claim {
    /// Its name.
    pub name: String,
    /// Its actual or requested size: `100Gi`.
    pub size: String,
    /// Its storage class; null for the cluster's default.
    pub class: Option<String>,
    /// `Bound`, `Pending`, `Lost`.
    pub phase: String,
    /// Whether it has its volume.
    pub bound: bool,
    /// Whether it was kept: its Kafka cluster does not exist.
    pub kept: bool,
}

/// Versions, without a leading v; null if unknown or not installed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Versions {
    /// This kstrim.
    pub kstrim: String,
    /// The minikube program.
    pub minikube: Option<String>,
    /// The kubectl program.
    pub kubectl: Option<String>,
    /// The Kubernetes version of the API server.
    pub kubernetes: Option<String>,
    /// The installed Strimzi.
    pub strimzi: Option<String>,
    /// Versions of `kafka.strimzi.io` that status read, `v1`; null without Strimzi's resource definitions.
    pub strimzi_api: Option<String>,
    /// The running Kafka version.
    pub kafka: Option<String>,
}

/// A component.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Component {
    /// Its name in `kstrim add`: `connect`, `mirror-maker`, `bridge`, `cruise-control`, `exporter`, `metrics`.
    pub name: String,
    /// Where it is configured: `KafkaConnect/my-cluster`, or the field of the Kafka resource, `spec.kafkaExporter`.
    pub resource: String,
    /// Whether it is ready at its current generation, with all its pods.
    pub ready: bool,
    /// Its current state if it is not.
    pub reason: Option<String>,
    /// Whether kstrim created it.
    pub ours: bool,
    /// Its HTTP address for programs inside the cluster, if it has one:
    /// `http://my-cluster-bridge-bridge-service.kafka.svc:8080`.
    pub url: Option<String>,
}

/// Addresses for clients.
#[derive(Debug, Clone, PartialEq, Default, Serialize, JsonSchema)]
pub(crate) struct Addresses {
    /// `host:port` for clients inside the cluster: of the first listener without TLS, otherwise of the first.
    pub bootstrap: Option<String>,
    /// Every listener that Kafka has.
    pub listeners: Vec<Listener>,
}

/// A listener.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Listener {
    /// Its name, `plain`.
    pub name: String,
    /// `internal`, `nodeport`, `loadbalancer`, `ingress`, `cluster-ip`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether clients use TLS.
    pub tls: bool,
    /// `host:port` for clients.
    pub bootstrap: String,
}

/// Something wrong, or about to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Finding {
    /// Stable id; see `kstrim explain ID`.
    pub id: String,
    /// What it is about, `pod/my-cluster-dual-role-0`.
    pub subject: String,
    /// The cause, one sentence.
    pub sentence: String,
    /// The evidence; empty if the sentence is sufficient.
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
pub(crate) enum Level {
    /// It has persisted long enough: waiting will not help.
    Cause,
    /// Kafka is not ready because of it, but it may resolve itself.
    Suspicion,
    /// It does not prevent Kafka from being ready.
    Warning,
}
