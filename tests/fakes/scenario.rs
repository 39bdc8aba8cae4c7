//! The configuration of the stand-ins by a test: the initial world, its timings, its faults. Shared with the harness
//! of the `cli` tests, which writes it as `$FAKE_WORLD/scenario.json`.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that a test can configure. The default is a machine on which everything works and nothing has been
/// started.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Scenario {
    /// Tells one file of choices from another.
    #[serde(skip)]
    pub id: u64,
    pub timings: Timings,
    pub engine: Engine,
    /// The image registry as the node sees it.
    pub registry: Registry,
    /// Whether the fake minikube assumes that it runs as root (`DRV_AS_ROOT` without `--force`).
    pub root: bool,
    /// The result of a start after one that was killed while Kubernetes was being prepared, unless it completes that.
    pub kubeadm_cut_off: Option<CutOff>,
    /// Whether the node's kernel has no freezer, so that nothing can be paused.
    pub no_freezer: bool,
    /// Free space in the node, MiB; plenty if it is not set.
    pub free_for_images: Option<u64>,
    /// Pods whose containers do not end when they are asked to, by a part of the name.
    pub stubborn: Vec<String>,
    pub minikube: MinikubeRelease,
    /// What `minikube config view` holds, e.g. `memory` = `6144`.
    pub minikube_config: BTreeMap<String, String>,
    /// Profiles that exist before the first command.
    pub profiles: Vec<ProfileSeed>,
    /// Images that no registry has; a part of the name is enough.
    pub missing_images: Vec<String>,
    /// Containers that die: by a part of the pod's name.
    pub crashes: Vec<Crash>,
    /// A rejection of every Kafka resource by the operator: `(reason, message)` of `NotReady`.
    pub refuse: Option<(String, String)>,
    /// The same for components: `(kind, reason, message)`.
    pub refuse_beside: Vec<(String, String, String)>,
    /// The trace with which every connector's task fails.
    pub connector_trace: Option<String>,
    /// Which of the records that Connect and MirrorMaker 2 transfer they lose.
    pub loses: Option<usize>,
    /// The HTTP response of pods of a component type to every request.
    pub http_status: Vec<(String, u16)>,
    /// CRDs that hang in deletion until the end of the scenario (recording 13).
    pub stuck_crds: Vec<String>,
    /// CRDs whose deletion the API server puts off until somebody changes them.
    pub put_off_crds: Vec<String>,
    /// Whose certificates ran out: `minikube`, `strimzi`.
    pub expired: Vec<String>,
    /// Free space of a node's disk, MiB; `None`: plenty.
    pub node_free_mb: Option<u64>,
    /// The cluster's certificates have run out, until the next `minikube start` renews them.
    pub api_expired: bool,
    /// Why the scheduler places no pod of Kafka, in its own words.
    pub obstacle: Option<String>,
    /// A taint that the node has besides its own.
    pub taint: Option<String>,
    /// Containers that wait forever instead of starting.
    pub waiting: Vec<Waiting>,
    /// Pods that admission rejects: a part of their names, and the API server's message, in which `{pod}` is the
    /// name.
    pub refused_pods: Vec<(String, String)>,
    /// Objects that admission rejects: plural of their kind, reason of the API's Status, the API server's message, in
    /// which `{name}` is the name.
    pub refused_writes: Vec<(String, String, String)>,
    /// The running operator hangs; one that is started later works.
    pub operator_hangs: bool,
    /// Like the real one, the operator reconciles again after it has written a status.
    pub operator_looks_again: bool,
    /// The aggregated API of the metrics server; `None` if there is none.
    pub metrics: Option<Metrics>,
    /// What the user of the kubeconfig may not do, as `VERB RESOURCE` of `auth can-i`.
    pub forbidden: Vec<String>,
    /// Injected faults, tried in this order; the first that matches is taken.
    pub faults: Vec<Fault>,
    /// Faults of the fake Kafka broker behind `port-forward`; null: none.
    pub broker: Value,
}

impl Scenario {
    /// Read from the bytes of its file.
    ///
    /// # Errors
    /// serde's, where they are no scenario.
    pub fn read(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        let mut hasher = DefaultHasher::new();
        bytes.hash(&mut hasher);
        Ok(Self { id: hasher.finish(), ..serde_json::from_slice(bytes)? })
    }
}

/// A release of minikube, and what it makes where nothing is asked for.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MinikubeRelease {
    pub version: String,
    /// The Kubernetes it makes by default, which is also the newest that it knows.
    pub kubernetes: String,
    pub runtime: String,
    pub base_image: String,
}

impl MinikubeRelease {
    /// 1.39.0, as its release notes and its users' terminals show it.
    pub fn v1_39() -> Self {
        Self {
            version: "1.39.0".into(),
            kubernetes: "1.37.0".into(),
            runtime: "containerd".into(),
            base_image: "v0.0.51".into(),
        }
    }
}

impl Default for MinikubeRelease {
    /// 1.38.1, the recorded one.
    fn default() -> Self {
        Self {
            version: "1.38.1".into(),
            kubernetes: "1.35.1".into(),
            runtime: "docker".into(),
            base_image: "v0.0.50".into(),
        }
    }
}

/// The server behind an aggregated API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metrics {
    Up,
    /// Its group is listed, and everything below it returns 503.
    Down,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Waiting {
    pub pod: String,
    /// `InvalidImageName`, `CreateContainerConfigError`.
    pub reason: String,
    pub message: String,
}

/// The permanent result of a kill that some first starts have (seen on a real cluster).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutOff {
    /// Later starts end "Done!", without kube-proxy and CoreDNS.
    NoAddOns,
    /// Later starts fail in `kubeadm init`.
    Fails,
    /// Killed after it: later starts end "Done!" on a node that nobody gives a network.
    NoNetwork,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Engine {
    #[default]
    Up,
    /// "Cannot connect to the Docker daemon".
    Down,
    /// "permission denied while trying to connect to the Docker daemon socket".
    Denied,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Registry {
    /// Pulls succeed after `timings.pull`.
    #[default]
    Up,
    /// Every pull fails with a DNS error, as in recording 07.
    Unreachable,
    /// Nobody answers at its address.
    Silent,
    /// Somebody intercepts TLS.
    Intercepted,
    /// It wants a login.
    Denied,
    /// It has had too many requests.
    Limited,
}

/// A profile that is there from the beginning.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct ProfileSeed {
    pub name: String,
    pub host: Host,
    /// MB.
    pub memory: u64,
    pub cpus: u64,
    pub driver: String,
    /// `v1.34.4`.
    pub kubernetes: String,
    /// Objects applied to it as with kubectl, long ago; status and labels are kept as given.
    pub objects: Vec<Value>,
}

impl Default for ProfileSeed {
    fn default() -> Self {
        Self {
            name: "kstrim".into(),
            host: Host::Running,
            memory: 4096,
            cpus: 2,
            driver: "docker".into(),
            kubernetes: "v1.34.4".into(),
            objects: Vec::new(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Host {
    /// Directory and config.json only: a `start` was refused (recordings 24, 25).
    Invalid,
    /// A `start` died before there was a container (26, 5 s).
    Made,
    /// A `start` died while Kubernetes was being prepared (26, 15 s).
    Starting,
    /// All runs.
    #[default]
    Running,
    Stopped,
    Paused,
    /// `docker rm -f` behind its back (27).
    Gone,
    /// What a `start` leaves of [`Host::Gone`]: container, no API server (27).
    Dead,
    /// The node runs, and the file is gone by which its kubelet starts the API server.
    Headless,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Crash {
    pub pod: String,
    pub exit: i32,
    /// `Error`, `OOMKilled`.
    pub reason: String,
    /// Last lines of its log.
    pub log: String,
    /// How often it dies before it lives; `u32::MAX`: always.
    pub times: u32,
}

impl Crash {
    pub fn always(pod: &str, reason: &str, exit: i32, log: &str) -> Self {
        Self { pod: pod.into(), exit, reason: reason.into(), log: log.into(), ..Self::default() }
    }
}

impl Default for Crash {
    fn default() -> Self {
        Self { pod: String::new(), exit: 1, reason: "Error".into(), log: String::new(), times: u32::MAX }
    }
}

/// A fault: which command, and what happens to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fault {
    /// `minikube`, `kubectl`, `docker`; empty: any.
    #[serde(default)]
    pub program: String,
    /// A part of the arguments joined by blanks; empty: any.
    #[serde(default)]
    pub args: String,
    /// The n-th matching call, from 1; `None`: every one.
    #[serde(default)]
    pub nth: Option<u32>,
    pub action: Action,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Nothing is done, this is printed, and the exit code follows.
    Exit {
        code: u8,
        #[serde(default)]
        stdout: String,
        #[serde(default)]
        stderr: String,
    },
    /// The work is done, then another exit code and a last line on stderr follow.
    FailAfter {
        code: u8,
        #[serde(default)]
        stderr: String,
    },
    /// Nothing is done; it never ends.
    Hang {
        /// Printed first.
        #[serde(default)]
        stdout: String,
        /// SIGTERM and SIGINT do not end it.
        #[serde(default)]
        stubborn: bool,
    },
    /// The work is done, but stdout ends after so many bytes (a JSON line cut in half).
    Cut {
        /// Bytes of stdout that come out.
        bytes: usize,
        /// Then the exit code; `None`: it hangs.
        #[serde(default)]
        exit: Option<u8>,
    },
    /// So many bytes on stderr first, then the work.
    FloodStderr { bytes: usize },
    /// So many milliseconds first, then the work.
    Delay { ms: u64 },
    /// SIGKILL to the parent (kstrim) before anything is done; nothing is done.
    KillParentBefore,
    /// The work is done, then SIGKILL to the parent (kstrim), before the output reaches it.
    KillParentAfter,
    /// SIGKILL to the parent and to itself after so many milliseconds of work.
    KillBoth { ms: u64 },
    /// SIGKILL to itself after so many milliseconds of work.
    KillSelf { ms: u64 },
    /// A watch starts with `410 Expired` and ends.
    Expire,
}

macro_rules! timings {
    ($($(#[$doc:meta])* $name:ident = $default:expr,)*) => {
        /// How long things take, in milliseconds.
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[serde(default)]
        pub struct Timings { $($(#[$doc])* pub $name: u64,)* }
        impl Default for Timings {
            fn default() -> Self { Self { $($name: $default,)* } }
        }
    };
}

/// A timing of so many milliseconds or more never comes to its end, until the scenario has another.
pub const NEVER: u64 = 200_000;

// About a hundredth of what the recordings show on a quiet machine.
timings! {
    /// `minikube start` of nothing.
    start = 160,
    /// `minikube start` of a running, paused or stopped profile.
    restart = 50,
    /// `minikube start` with the container gone, which fails.
    start_gone = 300,
    delete = 30,
    /// `minikube stop`, `pause`, `unpause`.
    stop = 20,
    /// `minikube image load` and `image pull`, each image.
    image = 40,
    /// After `start`: the node's NotReady taint stays.
    node_ready = 25,
    /// A new namespace's service account `default` appears.
    default_account = 25,
    /// A new CRD's names are accepted.
    crd_names = 5,
    /// Then it is Established.
    crd_established = 10,
    /// After that a watch of it still ends with 410.
    crd_watch_cache = 10,
    /// A pod is bound to the node.
    schedule = 3,
    /// Its sandbox is made.
    sandbox = 5,
    /// Its containers run.
    container = 5,
    pull = 60,
    pull_fail = 30,
    /// From one crash to the next start, from one failed pull to its back-off.
    back_off = 30,
    /// A container that crashes does it after so long.
    crash = 20,
    /// The cluster operator's container begins to reconcile.
    operator_boot = 40,
    /// ... and passes its readiness probe (in the recordings 18 s later).
    operator_ready = 220,
    broker_ready = 120,
    entity_ready = 120,
    /// Any other pod is ready.
    pod_ready = 20,
    /// The operator takes up a changed resource.
    pick = 5,
    /// ... has validated it.
    validate = 15,
    /// ... makes its pods.
    pods = 15,
    /// A PersistentVolumeClaim is bound.
    bind = 5,
    /// The operator gives up waiting for a pod (in the recordings 300 s). Longer than its share, so
    /// that a busy machine does not reach it.
    operation_timeout = 10_000,
    /// The metadata is copied from ZooKeeper to the controllers.
    metadata_copied = 15,
    /// The topic operator deals with a topic.
    topic = 10,
    /// Garbage collection follows a deletion.
    gc = 15,
    pod_stop = 15,
    /// A namespace's content is deleted.
    namespace = 30,
    /// A CRD's instances are deleted.
    crd_delete = 10,
}
