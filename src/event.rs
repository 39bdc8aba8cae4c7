//! What happens during a run, as data: the one enum that reporters draw and that
//! `--output json` prints, a line each. Versioned: see [`VERSION`] and
//! `docs/schema/events.schema.json`.

use std::collections::BTreeMap;
use std::rc::Rc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::failure::{Failure, Id, Kind};

/// The version of the event format. It grows when a field changes its meaning or goes away;
/// new fields and new event types do not raise it, readers skip what they do not know.
pub(crate) const VERSION: u32 = 1;

/// Most names of a kind in one line for people.
const SHOWN: usize = 5;

/// One line of `--output json`: an event with its time.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Line {
    /// The version of this format: 1. Readers ignore fields and types that they do not know.
    pub v: u32,
    /// When it occurred (UTC, RFC 3339).
    #[schemars(with = "String", extend("format" = "date-time"))]
    pub time: Timestamp,
    /// Milliseconds since the run started.
    pub elapsed_ms: u64,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// What happened.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Event {
    /// First event of a run.
    RunStarted {
        /// Unique id of the run, also in the journal.
        run_id: String,
        /// The command: `up`, `down`, `smoke-test` ...
        command: String,
        /// The minikube profile.
        profile: String,
        /// The Strimzi release, `1.2.0`, if the command has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        release: Option<String>,
        /// The tasks in display order.
        tasks: Vec<TaskInfo>,
    },
    /// A task started because there is something to do.
    TaskStarted {
        /// Task id.
        task: String,
        /// Why it is needed: what was found.
        reason: String,
    },
    /// The progress of a task changed.
    TaskProgress {
        /// Task id.
        task: String,
        /// For people: `broker my-cluster-dual-role-0: pulling image`.
        message: String,
        /// Progress, in `unit`s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        done: Option<u64>,
        /// Total, in `unit`s.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        total: Option<u64>,
        /// What `done` and `total` count.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unit: Option<Unit>,
    },
    /// A task finished.
    TaskFinished {
        /// Task id.
        task: String,
        /// How it finished.
        outcome: Outcome,
        /// Seconds the task took, from its first check.
        seconds: f64,
        /// The result: `Strimzi 1.2.0 operator is available`.
        detail: String,
    },
    /// A child program is about to be run; only with `-v`.
    Command {
        /// The task that runs it, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Quoted so that it can be pasted into a POSIX shell.
        line: String,
    },
    /// Something that the user should know, but that does not stop the run.
    Warning {
        /// The task, if any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        task: Option<String>,
        /// Stable id, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
        /// One sentence.
        message: String,
    },
    /// What `down` will delete from a cluster that is kept, before it asks.
    DeletionPlanned(Deletion),
    /// What `down` is about to delete with a profile.
    ProfileDeletion(ProfileDeletion),
    /// The smoke test's measurements.
    Smoke(SmokeReport),
    /// The smoke test of a component.
    ComponentSmoke(ComponentReport),
    /// The command of `kstrim run` started. Without this event, the exit code is one of kstrim's own.
    CommandStarted {
        /// The program, without its arguments.
        program: String,
        /// Its process id.
        pid: u32,
    },
    /// The command of `kstrim run` exited. From then on, `run_finished` has its exit code.
    CommandExited {
        /// Its exit code, if it exited by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<i32>,
        /// The number of the signal that ended it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signal: Option<i32>,
        /// Seconds that it ran.
        seconds: f64,
    },
    /// Last event of a run.
    RunFinished {
        /// How it ended.
        outcome: Outcome,
        /// The exit code of the process.
        exit_code: u8,
        /// Seconds of the whole run.
        seconds: f64,
        /// Seconds each task took.
        tasks: BTreeMap<String, f64>,
        /// What failed, if kstrim itself failed or was stopped. Absent if only the command of `kstrim run` failed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<FailureInfo>,
        /// The archive with evidence of the failure, as `kstrim diagnose` collects it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        evidence: Option<String>,
        /// Useful next commands; empty on failure.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Next>,
    },
}

/// What `down` deletes from a cluster that is kept, and what it keeps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Deletion {
    /// The namespace.
    pub namespace: String,
    /// The context of the user's kubeconfig, with `--context`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The API server, `https://192.168.49.2:8443`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// What is deleted, by kind. Dependents such as pods and services are deleted with their owners.
    pub objects: Vec<DeletedObject>,
    /// How many topics Kafka has, without internal ones; lost with the brokers. Absent if they could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics: Option<usize>,
    /// Objects in the namespace that kstrim did not create, one line per kind. They are kept, and so is the
    /// namespace.
    pub kept: Vec<String>,
    /// Kinds that could not be listed, and why; the namespace is kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// An object that `down` deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DeletedObject {
    /// `PersistentVolumeClaim`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// The requested size of a volume, `10Gi`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
}

/// A minikube profile that is about to be deleted, and what is deleted with it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ProfileDeletion {
    /// The profile.
    pub profile: String,
    /// minikube's driver.
    pub driver: String,
    /// The container engine under it: its id, the name of its context and its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// State of its machine: `running`, `stopped`, `paused`, `half started`, `gone`, `never created`.
    pub machine: String,
    /// Number of its nodes.
    pub nodes: u64,
    /// Whether the engine has a volume with the profile's name; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_volume: Option<bool>,
    /// Whether the cluster responded, so that `namespaces` and `volumes` are complete.
    pub looked_inside: bool,
    /// Its namespaces, without Kubernetes' own in which nobody created anything.
    pub namespaces: Vec<DeletedNamespace>,
    /// Volume claims in it.
    pub volumes: Vec<DeletedVolume>,
    /// Cluster-scoped objects that kstrim did not create: persistent volumes without a claim, custom resource
    /// definitions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others_cluster_wide: Vec<String>,
    /// Kinds that could not be listed, with their namespace and why: others may have objects of these kinds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// A namespace that is deleted with a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DeletedNamespace {
    /// Its name.
    pub name: String,
    /// Number of its pods.
    pub pods: u64,
    /// Whether kstrim did not create it.
    pub others: bool,
    /// Pods and volume claims that kstrim did not create, unless it did not create the namespace itself.
    pub others_objects: Vec<String>,
}

/// A volume claim that is deleted with a profile.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct DeletedVolume {
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub claim: String,
    /// Its requested size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<String>,
    /// Whether kstrim did not create what uses it.
    pub others: bool,
}

impl ProfileDeletion {
    /// What is not kstrim's, one line each.
    pub(crate) fn others(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if !self.others_cluster_wide.is_empty() {
            lines.push(few(&self.others_cluster_wide, SHOWN));
        }
        for namespace in &self.namespaces {
            if namespace.others {
                lines.push(format!("namespace {} ({})", namespace.name, self.inside(namespace)));
            } else if !namespace.others_objects.is_empty() {
                lines.push(format!(
                    "{} in namespace {}",
                    few(&namespace.others_objects, SHOWN),
                    namespace.name
                ));
            }
        }
        lines
    }

    fn inside(&self, namespace: &DeletedNamespace) -> String {
        let volumes = self.volumes.iter().filter(|v| v.namespace == namespace.name).count() as u64;
        format!("{}, {}", counted(namespace.pods, "pod"), counted(volumes, "volume claim"))
    }

    /// All of it for people, one line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        let engine = self.engine.as_deref().unwrap_or(&self.driver);
        let mut lines = vec![format!(
            "profile {}: {} on {engine}, machine {}",
            self.profile,
            counted(self.nodes, "node"),
            self.machine
        )];
        if self.engine_volume == Some(true) {
            lines.push(format!("volume {} of the engine, with all its data", self.profile));
        }
        if !self.looked_inside {
            lines.push("everything in it: its cluster does not respond, so it cannot be listed".to_owned());
        }
        for namespace in self.namespaces.iter().filter(|n| !n.others) {
            lines.push(format!("namespace {} ({})", namespace.name, self.inside(namespace)));
        }
        let volume = |v: &DeletedVolume| {
            let size = v.size.as_deref().map(|size| format!(" {size}")).unwrap_or_default();
            format!("{}/{}{size}", v.namespace, v.claim)
        };
        let volumes: Vec<String> = self.volumes.iter().filter(|v| !v.others).map(volume).collect();
        if !volumes.is_empty() {
            lines.push(format!("volume claims {}", few(&volumes, SHOWN)));
        }
        lines.extend(self.others().into_iter().map(|other| format!("{other}, not created by kstrim")));
        let unlisted = |why| format!("everything of a kind that cannot be listed: {why}");
        lines.extend(self.unknown.iter().map(unlisted));
        lines
    }
}

/// A number with its unit for a person: `1 pod`, `2 pods`.
pub(crate) fn counted(count: u64, unit: &str) -> String {
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Names for a person: the first `most`, then how many more.
pub(crate) fn few<S: AsRef<str>>(names: &[S], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A task of the plan.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct TaskInfo {
    /// Stable id: `kafka`.
    pub id: String,
    /// For people: `Kafka brokers`.
    pub title: String,
    /// Ids of the tasks it needs.
    pub needs: Vec<String>,
}

/// The unit of a progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Bytes.
    Bytes,
    /// Steps, objects, messages: plain numbers.
    Items,
}

/// How a task or a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Outcome {
    /// It succeeded.
    Done,
    /// There was nothing to do.
    AlreadyDone,
    /// It failed.
    Failed,
    /// Another task failed or the run was interrupted first.
    Cancelled,
    /// It never started.
    Skipped,
}

/// A failure as data.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub(crate) struct FailureInfo {
    /// Stable id; see `kstrim explain ID`.
    pub id: String,
    /// Class; determines the exit code.
    pub kind: Kind,
    /// The task that failed, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// What failed.
    pub message: String,
    /// Causes, outermost first.
    pub causes: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

impl FailureInfo {
    /// The failure of `task` as data.
    pub(crate) fn new(failure: &Failure, task: Option<&str>) -> Self {
        Self {
            id: failure.id.to_string(),
            kind: failure.kind,
            task: task.map(str::to_owned),
            message: failure.message.clone(),
            causes: failure.causes.clone(),
            hints: failure.hints.clone(),
        }
    }
}

/// Useful commands after a successful `up`: a title and a command line each.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct Next {
    /// Bootstrap address inside the cluster: `my-cluster-kafka-bootstrap.kafka.svc:9092`.
    pub bootstrap: String,
    /// `(what, command)` in the order to show them.
    pub commands: Vec<(String, String)>,
}

/// What the smoke test measured. Times are milliseconds.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SmokeReport {
    /// The topic.
    pub topic: String,
    /// Messages sent and acknowledged by all in-sync replicas.
    pub sent: u64,
    /// Messages consumed with the same key and content.
    pub verified: u64,
    /// Messages of others in between.
    #[serde(default)]
    pub foreign: u64,
    /// Bytes of one message's value.
    pub size: u64,
    /// Number of partitions.
    pub partitions: u32,
    /// From connecting to the last acknowledgement.
    pub produce_ms: u64,
    /// From the first fetch to the last message.
    pub consume_ms: u64,
    /// What the test left on the cluster, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_behind: Option<String>,
}

/// The result of the smoke test of a component.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ComponentReport {
    /// Its name in `kstrim add`: `connect`.
    pub component: String,
    /// Whether the test passed.
    pub passed: bool,
    /// What was observed, or why it failed: `10 messages went through it in 812 ms`.
    pub said: String,
    /// Number of verified messages; 0 for a component that transports none.
    pub verified: u64,
    /// Milliseconds that the test took.
    pub took_ms: u64,
    /// The failure's id, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Where events go; cheap to clone.
#[derive(Clone)]
pub(crate) struct Emit(Rc<dyn Fn(Event)>);

impl Emit {
    /// Send every event to `sink`.
    pub(crate) fn new(sink: impl Fn(Event) + 'static) -> Self {
        Self(Rc::new(sink))
    }

    /// Send one event. It cannot fail: a broken reporter never stops a run.
    pub(crate) fn send(&self, event: Event) {
        (self.0)(event);
    }

    /// Send a warning, attributed to the current task.
    pub(crate) fn warn(&self, message: impl Into<String>) {
        self.send(Event::Warning { task: current_task(), id: None, message: message.into() });
    }

    /// Send a warning that has an id.
    pub(crate) fn warn_of(&self, id: Id, message: impl Into<String>) {
        let id = Some(id.to_string());
        self.send(Event::Warning { task: current_task(), id, message: message.into() });
    }

    /// Send the progress of the current task: what it does, and how much of it is done, `(done, total, unit)`.
    /// Outside of a task there is nothing to attribute it to, and nothing is sent.
    pub(crate) fn progress(&self, message: impl Into<String>, of: Option<(u64, u64, Unit)>) {
        let Some(task) = current_task() else { return };
        self.send(Event::TaskProgress {
            task,
            message: message.into(),
            done: of.map(|(done, ..)| done),
            total: of.map(|(_, total, _)| total),
            unit: of.map(|(.., unit)| unit),
        });
    }
}

tokio::task_local! {
    static TASK: String;
}

/// Attribute to `task` all progress, warnings and commands of `work`. A future that is spawned by `work` is not part
/// of it: use this function again.
pub(crate) fn in_task<T>(task: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
    TASK.scope(task.to_owned(), work)
}

/// The id of the task that the calling code is part of.
pub(crate) fn current_task() -> Option<String> {
    TASK.try_with(String::clone).ok()
}
