//! The input of a rule.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::Family;
use crate::command_line::{Aim, CommandLine};
use crate::kube::cluster::Deployment;
use crate::kube::kafka::{Kafka, KafkaNodePool};
use crate::kube::object::text;
use crate::kube::pod::Pod;
use crate::kube::{Kind, Object, Snapshot};

/// What is waited for; it determines which causes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The operator's deployment.
    Operator,
    /// The Kafka cluster.
    Kafka,
    /// A topic of that cluster ([`Expect::topic`] is the name of its resource).
    Topic,
    /// Components of that cluster: the label `strimzi.io/component-type` of their pods.
    Component(&'static str),
    /// One workload of the user's ([`Expect::workload`]).
    Workload,
    /// That everything is deleted.
    Teardown,
    /// Nothing in particular: every family, for `doctor` and `diagnose`.
    Everything,
}

impl Scope {
    /// Whether causes of this family matter.
    pub fn covers(self, family: Family) -> bool {
        match self {
            Scope::Operator => matches!(family, Family::Operator | Family::Pods),
            Scope::Kafka => !matches!(family, Family::Topic | Family::Component),
            Scope::Component(_) => family != Family::Topic,
            Scope::Workload => matches!(family, Family::Pods | Family::Component),
            Scope::Topic => family != Family::Component,
            Scope::Everything => true,
            Scope::Teardown => family == Family::Teardown,
        }
    }
}

/// An object of the user's that has pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workload {
    /// Its kind.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// The labels that its pods have.
    pub(crate) labels: Vec<(String, String)>,
}

impl Workload {
    /// The workload of an object; `None` if it has no pods.
    pub(crate) fn of(object: &Value) -> Option<Self> {
        let (kind, name) = (text(object, "/kind"), text(object, "/metadata/name"));
        let one = |key: &str, value: &str| vec![(key.to_owned(), value.to_owned())];
        let labels = match kind {
            "KafkaConnect" | "KafkaMirrorMaker" | "KafkaMirrorMaker2" | "KafkaBridge" => {
                let mut labels = one("strimzi.io/cluster", name);
                labels.extend(one("strimzi.io/kind", kind));
                labels
            }
            "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" => {
                let selector = object.pointer("/spec/selector/matchLabels").and_then(Value::as_object);
                let pairs = selector.into_iter().flatten();
                pairs.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned()))).collect()
            }
            "Job" => one("batch.kubernetes.io/job-name", name),
            _ => return None,
        };
        (!labels.is_empty()).then(|| Self { kind: kind.to_owned(), name: name.to_owned(), labels })
    }

    fn has(&self, object: &Object) -> bool {
        self.labels.iter().all(|(key, value)| object.label(key) == Some(value))
    }
}

/// The maximum difference between this machine's clock and the node's.
const NODE_SKEW: SignedDuration = SignedDuration::from_secs(5);

/// What is expected, and where.
#[derive(Debug, Clone)]
pub struct Expect {
    /// Namespace of the Kafka resource.
    pub namespace: String,
    /// Namespace of the operator.
    pub operator_namespace: String,
    /// Name of the operator's Deployment.
    pub operator: String,
    /// Name of the Kafka resource.
    pub cluster: String,
    /// Name of the KafkaTopic resource, in scope [`Scope::Topic`].
    pub topic: Option<String>,
    /// The workload, in scope [`Scope::Workload`].
    pub workload: Option<Workload>,
    /// What is waited for.
    pub scope: Scope,
    /// The Kafka resource's generation after our change, if known: the status of an older one is not about it.
    pub generation: Option<i64>,
    /// When we last changed something that the operator reacts to (by the API server's clock if possible). Creations
    /// and kstrim's own writes are found in the objects as well, so `None` is fine; it helps if a change leaves no
    /// trace in them.
    pub changed_at: Option<Timestamp>,
    /// When this run began to wait. A failure that an owner of pods reported before that may no longer apply: owners
    /// retry only after a back-off. `None` if nothing is waited for.
    pub waits_since: Option<Timestamp>,
    /// When kstrim last started what runs in the node: containers that ended before did not crash.
    pub node_started: Option<Timestamp>,
    /// The flags of kstrim that select this cluster, for commands in hints.
    pub aims: Vec<Aim>,
    /// The minikube profile whose kubectl reaches this cluster, if kstrim's own kubeconfig does not.
    pub by_minikube: Option<String>,
}

impl Expect {
    /// Containers that ended before did not crash: kstrim restarted the node.
    pub fn crashes_since(&self) -> Option<Timestamp> {
        self.node_started.map(|started| started + NODE_SKEW)
    }

    /// Expect the Kafka resource `cluster` and its operator in one namespace.
    pub fn kafka(namespace: impl Into<String>, cluster: impl Into<String>) -> Self {
        let namespace = namespace.into();
        Self {
            operator_namespace: namespace.clone(),
            operator: OPERATOR.to_owned(),
            namespace,
            cluster: cluster.into(),
            topic: None,
            workload: None,
            scope: Scope::Kafka,
            generation: None,
            changed_at: None,
            waits_since: None,
            node_started: None,
            aims: Vec::new(),
            by_minikube: None,
        }
    }

    /// A kstrim command for this cluster, for hints: `up`.
    pub fn kstrim(&self, words: &'static str) -> CommandLine {
        CommandLine::aimed("kstrim", self.aims.clone()).args(words.split_whitespace())
    }

    /// A kubectl command for this cluster, for hints: `get storageclass`.
    pub fn kubectl(&self, words: &'static str) -> CommandLine {
        let kubectl = match &self.by_minikube {
            Some(profile) => CommandLine::minikube("kubectl --", profile),
            None => self.kstrim("kubectl --"),
        };
        kubectl.args(words.split_whitespace())
    }

    /// A kubectl command in the Kafka resource's namespace.
    pub fn inside(&self, command: CommandLine) -> CommandLine {
        command.arg("-n").arg(&self.namespace)
    }

    /// The same with the operator that watches the namespace, wherever it is and whatever its name.
    #[must_use]
    pub fn located(mut self, snapshot: &Snapshot) -> Self {
        if let Some(operator) = snapshot.operator_of(&self.namespace, &self.cluster) {
            self.operator_namespace = operator.0.namespace().to_owned();
            self.operator = operator.0.name().to_owned();
        }
        self
    }

    /// The same with another scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }
}

/// A query beyond what is watched. All are read-only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// `kubectl auth can-i VERB RESOURCE --as=system:serviceaccount:NS:NAME -n NAMESPACE`; the result is stdout:
    /// `yes` or `no` (exit code 1 with `no`).
    AuthCanI {
        /// `list`.
        verb: String,
        /// `kafkas.kafka.strimzi.io`.
        resource: String,
        /// `system:serviceaccount:NS:NAME`.
        user: String,
        /// Where.
        namespace: String,
    },
    /// The subjects of the operator's role bindings in a namespace: the result has a line `BINDING NAMESPACE` for
    /// each.
    Bindings {
        /// Where.
        namespace: String,
    },
    /// The end of a container's log, [`LOG_LINES`]; the result is stdout.
    PodLog {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Container.
        container: String,
        /// The log of the previous run. While the container is down, the log without `--previous` is that of the same
        /// run: use it if there is no previous one.
        previous: bool,
        /// Which end of the container it is about, so that it is run again after a later one.
        restarts: i64,
    },
    /// What the operator is doing: the lines at the end of its log that [`reconciliations`](super::reconciliations)
    /// selects.
    Reconciliations {
        /// Namespace.
        namespace: String,
        /// The operator's pod.
        pod: String,
        /// A counter, so that it is repeated after some seconds.
        look: i64,
    },
    /// The storage classes: a line `NAME default` or `NAME -` for each.
    StorageClasses {
        /// A counter, as above.
        look: i64,
    },
    /// The configuration that contains a webhook, as `KIND/NAME`; empty if none is found.
    Webhook {
        /// The webhook's name.
        name: String,
    },
}

/// How many lines of a container's log are read to find why it ended. An operator that fails to start prints its
/// stack traces, then for ten seconds what its shutdown waits for, about 300 lines; a broker prints its whole
/// configuration before the error.
pub(crate) const LOG_LINES: u32 = 500;

/// The command that runs the probe.
impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Probe::AuthCanI { verb, resource, user, namespace } => {
                write!(f, "auth can-i {verb} {resource} --as={user} -n {namespace}")
            }
            Probe::Bindings { namespace } => write!(f, "get rolebindings -n {namespace} -o wide"),
            Probe::PodLog { namespace, pod, container, previous, .. } => {
                let previous = if *previous { " --previous" } else { "" };
                write!(f, "logs {pod} -n {namespace} -c {container}{previous} --tail={LOG_LINES}")
            }
            Probe::Reconciliations { namespace, pod, .. } => {
                write!(f, "logs {pod} -n {namespace} --tail={}", super::working::LINES)
            }
            Probe::StorageClasses { .. } => f.write_str("get storageclasses"),
            Probe::Webhook { .. } => {
                f.write_str("get validatingwebhookconfigurations,mutatingwebhookconfigurations")
            }
        }
    }
}

/// Results so far.
pub type Answers = BTreeMap<Probe, String>;

/// The input of the rules.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What was observed.
    pub snapshot: &'a Snapshot,
    /// What is expected.
    pub expect: &'a Expect,
    /// Results of probes.
    pub answers: &'a Answers,
    /// The current time, by our own clock.
    pub now: Timestamp,
}

/// How long the result of a probe about the present is considered current, in seconds.
const FRESH: i64 = 10;

/// The Deployment's name in the install files of every Strimzi release.
pub(crate) const OPERATOR: &str = crate::kube::cluster::OPERATOR;

/// Resolution of the API server's times (creationTimestamp): whole seconds, truncated.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl<'a> Scene<'a> {
    /// The expected Kafka resource.
    pub fn kafka(&self) -> Option<Kafka<'a>> {
        self.snapshot.kafka(&self.expect.namespace, &self.expect.cluster)
    }

    /// The counter of a repeated probe: it increases every few seconds.
    pub fn look(&self) -> i64 {
        self.now.as_second() / FRESH
    }

    /// The newest result of a repeated probe; while the next one runs, the last one is used. `look_of`: the counter
    /// of a probe, if it is this one.
    pub fn newest(&self, look_of: impl Fn(&Probe) -> Option<i64>) -> Option<&'a str> {
        let recent = |p: &Probe| look_of(p).filter(|look| *look + 2 >= self.look());
        let newest = self.answers.keys().filter(|p| recent(p).is_some()).max_by_key(|p| recent(p))?;
        self.answers.get(newest).map(String::as_str)
    }

    /// The expected Kafka cluster's node pools.
    pub fn pools(&self) -> impl Iterator<Item = KafkaNodePool<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pools(&self.expect.namespace).filter(move |p| p.cluster() == Some(cluster))
    }

    /// The expected Kafka cluster's nodes (brokers and controllers), including those being deleted.
    pub fn nodes(&self) -> impl Iterator<Item = Pod<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pods(&self.expect.namespace).filter(move |p| p.is_kafka_node_of(cluster))
    }

    /// The ZooKeeper pods of the expected Kafka cluster.
    pub fn zookeeper(&self) -> impl Iterator<Item = Pod<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pods(&self.expect.namespace).filter(move |p| p.is_zookeeper_of(cluster))
    }

    /// The pods in scope of the expected Kafka cluster: its nodes, the entity operator and whatever else the operator
    /// creates for it; or the nodes and a component; or those of a
    /// workload; or, if everything is in scope, all of them.
    pub fn cluster_pods(&self) -> impl Iterator<Item = Pod<'a>> {
        let (scene, cluster) = (*self, self.expect.cluster.as_str());
        self.snapshot
            .pods(&self.expect.namespace)
            .filter(move |p| scene.workload().is_some() || p.cluster() == Some(cluster))
            .filter(move |p| scene.counts(p.0))
    }

    /// The workload that is waited for.
    pub(super) fn workload(&self) -> Option<&'a Workload> {
        self.expect.workload.as_ref().filter(|_| self.expect.scope == Scope::Workload)
    }

    /// Whether an object that the operator created for the Kafka cluster or a component of it is in this scope.
    pub(super) fn counts(&self, object: &Object) -> bool {
        match self.expect.scope {
            Scope::Everything => true,
            Scope::Workload => self.workload().is_some_and(|workload| workload.has(object)),
            Scope::Component(part) => {
                let node = format!("{}-kafka", self.expect.cluster);
                object.label("strimzi.io/name") == Some(&node)
                    || object.label("strimzi.io/component-type") == Some(part)
            }
            // Connect, MirrorMaker 2 and the bridge have the Kafka cluster's name, and its label.
            _ => object.label("strimzi.io/kind").is_none_or(|kind| kind == "Kafka"),
        }
    }

    /// The pod sets to check: those of the Kafka nodes and of the components.
    pub(super) fn pod_sets(&self) -> impl Iterator<Item = &'a Object> {
        let (scene, expect) = (*self, self.expect);
        self.snapshot.all(Kind::StrimziPodSet).filter(move |set| {
            expect.scope != Scope::Operator
                && !set.deleting()
                && set.namespace() == expect.namespace
                && set.label("strimzi.io/cluster") == Some(&expect.cluster)
                && scene.counts(set)
        })
    }

    /// The operator that manages the Kafka resource.
    pub fn operator(&self) -> Option<Deployment<'a>> {
        self.snapshot.deployment(&self.expect.operator_namespace, &self.expect.operator)
    }

    /// Whether a Deployment is that operator.
    pub(super) fn is_the_operator(&self, deployment: Deployment<'_>) -> bool {
        deployment.0.namespace() == self.expect.operator_namespace
            && deployment.0.name() == self.expect.operator
    }

    /// The operator's pods of the newest revision. While a broken revision is being replaced its pod stays until the
    /// new one is ready: it is no longer relevant.
    pub fn operator_pods(&self) -> Vec<Pod<'a>> {
        let all = || self.all_operator_pods().filter(|p| !p.0.deleting());
        let revision = |p: &Pod<'a>| p.0.label("pod-template-hash").unwrap_or("");
        let Some(newest) = all().max_by_key(|p| p.0.created()) else { return Vec::new() };
        all().filter(|p| revision(p) == revision(&newest)).collect()
    }

    /// The operator's pods of every revision, including those being deleted.
    pub fn all_operator_pods(&self) -> impl Iterator<Item = Pod<'a>> {
        self.snapshot.pods(&self.expect.operator_namespace).filter(Pod::is_operator)
    }

    /// When the Kafka resource or its pools last changed, as far as is known; an earlier status is about another
    /// state.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let objects = self.kafka().map(|k| k.0).into_iter().chain(self.pools().map(|p| p.0));
        latest_change(objects).max(self.expect.changed_at)
    }

    /// Whether a condition that last changed at `transition` may be the result of a change at `changed`. Both times
    /// are the cluster's, but one of them is in whole seconds.
    pub fn answers_to(transition: Option<Timestamp>, changed: Option<Timestamp>) -> bool {
        match (transition, changed) {
            (Some(transition), Some(changed)) => transition + SECOND > changed,
            _ => true,
        }
    }

    /// Seconds since `time` by our own clock, 0 if unknown or in the future.
    pub fn age(&self, time: Option<Timestamp>) -> i64 {
        time.map_or(0, |t| self.now.duration_since(t).as_secs().max(0))
    }

    /// Whether the operator is available, and since when.
    pub fn operator_available(&self) -> Option<Timestamp> {
        self.operator()?.available()?.last_transition
    }

    /// Whether the absence of this kind's objects is meaningful.
    pub fn synced(&self, kind: Kind) -> bool {
        self.snapshot.synced(kind)
    }

    /// A kubectl command about one object in the user's namespace, for hints.
    pub fn command(&self, words: &'static str, name: impl fmt::Display) -> CommandLine {
        self.expect.inside(self.expect.kubectl(words).arg(name))
    }

    /// The hint that restarts the operator.
    pub fn restart_operator(&self) -> String {
        let restart = self.of_operator("rollout restart");
        match self.operator().is_some_and(|operator| !operator.is_kstrims()) {
            true => format!("if the operator is yours, restart it: {restart}"),
            false => format!("restart the operator: {restart}"),
        }
    }

    /// The command that shows the operator's log.
    pub fn operator_log(&self) -> CommandLine {
        self.of_operator("logs")
    }

    fn of_operator(&self, words: &'static str) -> CommandLine {
        let deployment = format!("deployment/{}", self.expect.operator);
        self.expect.kubectl(words).arg(deployment).arg("-n").arg(&self.expect.operator_namespace)
    }
}

fn latest_change<'a>(objects: impl Iterator<Item = &'a Object>) -> Option<Timestamp> {
    crate::kube::strimzi::last_change(objects, "kstrim")
}
