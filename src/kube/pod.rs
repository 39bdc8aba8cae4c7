//! Pods, claims and events.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::object::{Condition, Object, list, number, text, time};

/// A pod.
#[derive(Debug, Clone, Copy)]
pub struct Pod<'a>(pub &'a Object);

/// The state of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State<'a> {
    /// Not reported yet.
    Unknown,
    /// Waiting: `ContainerCreating`, `ErrImagePull`, `ImagePullBackOff`, `CrashLoopBackOff` ...
    Waiting {
        /// One word.
        reason: &'a str,
        /// A message, or empty.
        message: &'a str,
    },
    /// Running.
    Running {
        /// Since when.
        started: Option<Timestamp>,
    },
    /// Terminated.
    Terminated(Ended<'a>),
}

/// How a container's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended<'a> {
    /// `Completed`, `Error`, `OOMKilled` ...
    pub reason: &'a str,
    /// A message, or empty.
    pub message: &'a str,
    /// Exit code; 137 is SIGKILL.
    pub exit_code: i64,
    /// When that run started.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub finished: Option<Timestamp>,
}

impl<'a> Ended<'a> {
    fn of(value: &'a Value) -> Self {
        Ended {
            reason: text(value, "/reason"),
            message: text(value, "/message"),
            exit_code: number(value, "/exitCode").unwrap_or(0),
            started: time(value, "/startedAt"),
            finished: time(value, "/finishedAt"),
        }
    }

    /// Ended by itself with an exit code other than 0, or killed.
    pub fn failed(&self) -> bool {
        self.exit_code != 0 && !self.with_its_machine()
    }

    /// Whether its machine was stopped with it: the container runtime does not know how it ended
    /// (`unknownExitReason`, `unknownExitCode` in containerd's `pkg/cri`). The time of the end is that of the next start.
    fn with_its_machine(&self) -> bool {
        self.reason == "Unknown" && self.exit_code == 255
    }
}

/// A container's status.
#[derive(Debug, Clone, Copy)]
pub struct Container<'a>(&'a Value);

/// The kubelet's longest back-off between restarts is 5 minutes, and it is reset after 10: two ends further apart are
/// not a crash loop.
const SAME_LOOP: SignedDuration = SignedDuration::from_mins(10);

/// A container that has run for less time than this since a failure may fail again.
const STEADY: SignedDuration = SignedDuration::from_secs(20);
/// A container that ran longer than this before it failed is not in a crash loop.
const LONG_RUN: SignedDuration = SignedDuration::from_mins(2);

impl<'a> Container<'a> {
    /// Its name.
    pub fn name(&self) -> &'a str {
        text(self.0, "/name")
    }

    /// The requested image.
    pub fn image(&self) -> &'a str {
        text(self.0, "/image")
    }

    /// The image that is running: the digest of the image in its registry (`quay.io/x@sha256:...`), or, if it was
    /// loaded from an archive, that of its configuration (`sha256:...`). `None` before.
    pub fn digest(&self) -> Option<&'a str> {
        // Docker's own form has a scheme as prefix.
        let id = text(self.0, "/imageID");
        Some(id.strip_prefix("docker-pullable://").or(id.strip_prefix("docker://")).unwrap_or(id))
            .filter(|id| !id.is_empty())
    }

    /// Whether its readiness probe passes.
    pub fn ready(&self) -> bool {
        self.0.get("ready").and_then(Value::as_bool).unwrap_or(false)
    }

    /// How often it was restarted in the pod's lifetime. Not a problem by itself.
    pub fn restarts(&self) -> i64 {
        number(self.0, "/restartCount").unwrap_or(0)
    }

    /// Its current state.
    pub fn state(&self) -> State<'a> {
        let Some(state) = self.0.get("state") else { return State::Unknown };
        if let Some(w) = state.get("waiting") {
            State::Waiting { reason: text(w, "/reason"), message: text(w, "/message") }
        } else if let Some(r) = state.get("running") {
            State::Running { started: time(r, "/startedAt") }
        } else if let Some(t) = state.get("terminated") {
            State::Terminated(Ended::of(t))
        } else {
            State::Unknown
        }
    }

    /// How the run before this one ended.
    pub fn last(&self) -> Option<Ended<'a>> {
        self.0.pointer("/lastState/terminated").map(Ended::of)
    }

    /// How it last failed, if that is why it is down now: terminated, or waiting to be restarted. A running container
    /// is not down, whatever happened before.
    pub fn down(&self) -> Option<Ended<'a>> {
        match self.state() {
            State::Terminated(end) => Some(end).filter(Ended::failed),
            State::Waiting { reason: "CrashLoopBackOff", .. } => self.last().filter(Ended::failed),
            _ => None,
        }
    }

    /// Since when it has been running, if it has failed repeatedly and has not yet run longer than before its last
    /// end: the readiness probe of a container in a crash loop passes for a while, each time.
    pub fn unsteady(&self, now: Timestamp) -> Option<Timestamp> {
        let last = self.last().filter(Ended::failed).filter(|_| self.restarts() > 1)?;
        let State::Running { started: Some(started) } = self.state() else { return None };
        let ended = last.finished?;
        let before = last.started.map_or(SignedDuration::ZERO, |began| ended.duration_since(began));
        let steady = before.max(STEADY);
        let looping = steady < LONG_RUN && started.duration_since(ended) <= SAME_LOOP;
        (looping && now.duration_since(started) <= steady).then_some(started)
    }

    /// The number of failures in the present crash loop: 0, 1 or 2 as far as the status shows. Old restarts
    /// do not count, nor does what ended before `since`, when somebody restarted the node.
    pub fn crashes(&self, since: Option<Timestamp>) -> u8 {
        let counts = |end: &Ended<'_>| {
            end.failed() && since.is_none_or(|since| end.finished.is_none_or(|finished| finished > since))
        };
        let Some(last) = self.last().filter(counts) else {
            return u8::from(self.down().is_some_and(|end| counts(&end)));
        };
        match self.state() {
            State::Waiting { reason: "CrashLoopBackOff", .. } => 2,
            State::Terminated(end) if end.failed() => match (end.started, last.finished) {
                (Some(started), Some(finished)) if started.duration_since(finished) > SAME_LOOP => 1,
                _ => 2,
            },
            State::Running { started: Some(started) } if !self.ready() => {
                u8::from(last.finished.is_some_and(|f| started.duration_since(f) <= SAME_LOOP))
            }
            _ => 0,
        }
    }
}

impl<'a> Pod<'a> {
    /// `Pending`, `Running`, `Succeeded`, `Failed`, or empty.
    pub fn phase(&self) -> &'a str {
        self.0.phase()
    }

    /// Its node, empty before it is scheduled.
    pub fn node(&self) -> &'a str {
        text(self.0.json(), "/spec/nodeName")
    }

    /// Condition `PodScheduled`.
    pub fn scheduled(&self) -> Option<Condition<'a>> {
        self.0.condition("PodScheduled")
    }

    /// Why the scheduler finds no node for it, if that is so.
    pub fn unschedulable(&self) -> Option<Condition<'a>> {
        self.scheduled().filter(|c| c.is_false() && c.reason == "Unschedulable")
    }

    /// Whether all its containers are ready and it is not being deleted.
    pub fn ready(&self) -> bool {
        !self.0.deleting() && self.0.condition("Ready").is_some_and(|c| c.is_true())
    }

    /// Its first running container that has failed repeatedly just before.
    pub fn unsteady(&self, now: Timestamp) -> Option<Container<'a>> {
        self.containers().find(|container| container.unsteady(now).is_some())
    }

    /// When the kubelet accepted it.
    pub fn started(&self) -> Option<Timestamp> {
        time(self.0.json(), "/status/startTime")
    }

    /// Its containers' statuses, init containers first. Empty before it is on a node.
    pub fn containers(&self) -> impl Iterator<Item = Container<'a>> + use<'a> {
        let json = self.0.json();
        list(json, "/status/initContainerStatuses")
            .iter()
            .chain(list(json, "/status/containerStatuses"))
            .map(Container)
    }

    /// The cluster (Kafka, Connect ...) it belongs to: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }

    /// Whether it is a Kafka node (broker or controller) of `cluster`, not its entity operator.
    pub fn is_kafka_node_of(&self, cluster: &str) -> bool {
        self.cluster() == Some(cluster)
            && self.0.label("strimzi.io/name").and_then(|n| n.strip_suffix("-kafka")) == Some(cluster)
    }

    /// Whether it is a ZooKeeper node of `cluster`.
    pub fn is_zookeeper_of(&self, cluster: &str) -> bool {
        self.cluster() == Some(cluster)
            && self.0.label("strimzi.io/name").and_then(|n| n.strip_suffix("-zookeeper")) == Some(cluster)
    }

    /// Whether it is a Kafka or ZooKeeper node with an ephemeral volume (`type: ephemeral`): the data is lost with
    /// the pod. Strimzi names such volumes `data`, `data-0` ...
    pub fn has_ephemeral_data(&self) -> bool {
        let volumes = self.0.json().pointer("/spec/volumes").and_then(Value::as_array);
        volumes.into_iter().flatten().any(|volume| {
            let name = volume["name"].as_str().unwrap_or_default();
            (name == "data" || name.starts_with("data-")) && volume.get("emptyDir").is_some()
        })
    }

    /// Whether it is a broker of `cluster`, not only a controller. Strimzi sets a label for this; without it (before
    /// node pools), every Kafka node is a broker.
    pub fn is_broker_of(&self, cluster: &str) -> bool {
        self.is_kafka_node_of(cluster)
            && self.0.label("strimzi.io/broker-role").is_none_or(|role| role == "true")
    }

    /// Whether it belongs to a part of the Kafka cluster `cluster` other than its nodes: `entity-operator`,
    /// `cruise-control` ...
    pub fn is_part_of(&self, cluster: &str, part: &str) -> bool {
        self.cluster() == Some(cluster)
            && self.0.label("strimzi.io/name").and_then(|n| n.strip_prefix(cluster)?.strip_prefix('-'))
                == Some(part)
    }

    /// Names of its image pull secrets.
    pub fn pull_secrets(&self) -> Vec<&'a str> {
        list(self.0.json(), "/spec/imagePullSecrets").iter().map(|s| text(s, "/name")).collect()
    }

    /// Whether it is a cluster operator's pod.
    pub fn is_operator(&self) -> bool {
        self.0.label("name") == Some(super::cluster::OPERATOR)
            || self.0.label("strimzi.io/kind") == Some("cluster-operator")
    }
}

/// A persistent volume claim.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a>(pub &'a Object);

impl<'a> Claim<'a> {
    /// Whether it is bound to a volume.
    pub fn bound(&self) -> bool {
        self.0.phase() == "Bound"
    }

    /// Whether it waits for a volume.
    pub fn pending(&self) -> bool {
        self.0.phase() == "Pending" && !self.0.deleting()
    }

    /// The requested storage class, if any.
    pub fn storage_class(&self) -> Option<&'a str> {
        self.0.json().pointer("/spec/storageClassName")?.as_str()
    }

    /// The cluster whose data it contains: label `strimzi.io/cluster`.
    pub fn cluster(&self) -> Option<&'a str> {
        self.0.label("strimzi.io/cluster")
    }
}

/// An event. It may outlive its object, and names are reused: match by [`about_uid`](Event::about_uid).
#[derive(Debug, Clone, Copy)]
pub struct Event<'a>(pub &'a Object);

impl<'a> Event<'a> {
    /// Kind of its object.
    pub fn about_kind(&self) -> &'a str {
        text(self.0.json(), "/involvedObject/kind")
    }

    /// Name of its object.
    pub fn about_name(&self) -> &'a str {
        text(self.0.json(), "/involvedObject/name")
    }

    /// Uid of its object.
    pub fn about_uid(&self) -> &'a str {
        text(self.0.json(), "/involvedObject/uid")
    }

    /// `Normal` or `Warning`. Warnings also occur on success.
    pub fn kind(&self) -> &'a str {
        text(self.0.json(), "/type")
    }

    /// Whether it is a `Warning`.
    pub fn is_warning(&self) -> bool {
        self.kind() == "Warning"
    }

    /// One word: `FailedScheduling`, `ProvisioningFailed` ...
    pub fn reason(&self) -> &'a str {
        text(self.0.json(), "/reason")
    }

    /// The human-readable description.
    pub fn message(&self) -> &'a str {
        text(self.0.json(), "/message")
    }

    /// When it first happened.
    pub fn first(&self) -> Option<Timestamp> {
        let json = self.0.json();
        time(json, "/firstTimestamp").or_else(|| time(json, "/eventTime")).or_else(|| self.0.created())
    }

    /// When it last happened.
    pub fn last(&self) -> Option<Timestamp> {
        let json = self.0.json();
        time(json, "/lastTimestamp")
            .or_else(|| time(json, "/series/lastObservedTime"))
            .or_else(|| self.first())
    }

    /// How often it happened.
    pub fn count(&self) -> i64 {
        let json = self.0.json();
        number(json, "/count").or_else(|| number(json, "/series/count")).unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn crashes(ready: bool, state: Value, last: Value) -> u8 {
        let container =
            json!({"name": "kafka", "ready": ready, "restartCount": 7, "state": state, "lastState": last});
        Container(&container).crashes(None)
    }

    #[test]
    fn an_old_restart_is_not_a_crash_loop() {
        let old = json!({"terminated": {"exitCode": 137, "finishedAt": "2026-11-20T10:00:00Z"}});
        let now = json!({"terminated": {"exitCode": 137, "startedAt": "2026-11-22T10:00:00Z", "finishedAt": "2026-11-22T10:10:00Z"}});
        let soon = json!({"terminated": {"exitCode": 137, "finishedAt": "2026-11-22T09:59:59Z"}});
        let running = json!({"running": {"startedAt": "2026-11-22T10:00:00Z"}});
        assert_eq!(crashes(true, running.clone(), soon.clone()), 0, "ready again");
        assert_eq!(crashes(false, running.clone(), soon.clone()), 1, "coming back");
        assert_eq!(crashes(false, running, old.clone()), 0);
        assert_eq!(crashes(false, now.clone(), old), 1);
        assert_eq!(crashes(false, now.clone(), soon.clone()), 2);
        // The node was restarted in between: only what ended after that is a failure.
        let container = json!({"name": "kafka", "ready": false, "state": now, "lastState": soon});
        let at = |text: &str| Some(text.parse().unwrap());
        assert_eq!(Container(&container).crashes(at("2026-11-22T10:00:00Z")), 1);
        assert_eq!(Container(&container).crashes(at("2026-11-22T11:00:00Z")), 0);
        assert_eq!(crashes(false, json!({"waiting": {"reason": "CrashLoopBackOff"}}), soon), 2);
        let stopped = json!({"terminated": {"reason": "Unknown", "exitCode": 255, "finishedAt": "2026-11-22T09:59:59Z"}});
        let running = json!({"running": {"startedAt": "2026-11-22T10:00:00Z"}});
        assert_eq!(crashes(false, running.clone(), stopped.clone()), 0, "the machine was stopped");
        let container = json!({"name": "kafka", "restartCount": 7, "state": running, "lastState": stopped});
        assert_eq!(Container(&container).unsteady("2026-11-22T10:00:05Z".parse().unwrap()), None);
        assert_eq!(crashes(false, json!({"terminated": {"exitCode": 0}}), json!({})), 0, "ended well");
    }
}
