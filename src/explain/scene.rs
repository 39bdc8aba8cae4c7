//! The input of a rule.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::Family;
use crate::command_line::{Aim, CommandLine};
use crate::kube::cluster::Deployment;
use crate::kube::kafka::{Kafka, KafkaNodePool};
use crate::kube::pod::Pod;
use crate::kube::{Kind, Object, Snapshot};

/// What is waited for; which causes matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The operator's deployment.
    Operator,
    /// The Kafka cluster.
    Kafka,
    /// A topic (the name of its resource is [`Expect::topic`]) of that cluster.
    Topic,
    /// What stands beside that cluster: the label `strimzi.io/component-type` of its pods.
    Component(&'static str),
    /// Everything gone.
    Teardown,
    /// Nothing in particular: every family, as `doctor` and `diagnose` want it.
    Everything,
}

impl Scope {
    /// Whether causes of this family matter.
    pub fn covers(self, family: Family) -> bool {
        match self {
            Scope::Operator => matches!(family, Family::Operator | Family::Pods),
            Scope::Kafka => !matches!(family, Family::Topic | Family::Component),
            Scope::Component(_) => family != Family::Topic,
            Scope::Topic => family != Family::Component,
            Scope::Everything => true,
            Scope::Teardown => family == Family::Teardown,
        }
    }
}

/// What is expected, and where.
#[derive(Debug, Clone)]
pub struct Expect {
    /// Namespace of the Kafka.
    pub namespace: String,
    /// Namespace of the operator.
    pub operator_namespace: String,
    /// Name of the operator's Deployment.
    pub operator: String,
    /// Name of the Kafka.
    pub cluster: String,
    /// Name of the KafkaTopic's resource, in scope [`Scope::Topic`].
    pub topic: Option<String>,
    /// What is waited for.
    pub scope: Scope,
    /// The Kafka's generation our change led to, if known: an older one is not our answer.
    pub generation: Option<i64>,
    /// When we last changed something that the operator answers to (by the API server's clock
    /// where possible). Creations and kstrim's own writes are found in the objects as well, so
    /// `None` is fine; it helps where a change leaves no trace in them.
    pub changed_at: Option<Timestamp>,
    /// When this run began to wait. A failure that an owner of pods reported before that may no longer apply: owners
    /// try again only after a back-off. `None` if nothing is waited for.
    pub waits_since: Option<Timestamp>,
    /// The flags of kstrim that name this cluster, for commands in hints.
    pub aims: Vec<Aim>,
    /// The minikube profile through which kubectl reaches this cluster where kstrim's own kubeconfig does not.
    pub by_minikube: Option<String>,
}

impl Expect {
    /// Expect the Kafka `cluster` and its operator in one namespace.
    pub fn kafka(namespace: impl Into<String>, cluster: impl Into<String>) -> Self {
        let namespace = namespace.into();
        Self {
            operator_namespace: namespace.clone(),
            operator: OPERATOR.to_owned(),
            namespace,
            cluster: cluster.into(),
            topic: None,
            scope: Scope::Kafka,
            generation: None,
            changed_at: None,
            waits_since: None,
            aims: Vec::new(),
            by_minikube: None,
        }
    }

    /// A command of kstrim on this cluster, for hints: `up`.
    pub fn kstrim(&self, words: &'static str) -> CommandLine {
        CommandLine::aimed("kstrim", self.aims.clone()).args(words.split_whitespace())
    }

    /// A command of kubectl on this cluster, for hints: `get storageclass`.
    pub fn kubectl(&self, words: &'static str) -> CommandLine {
        let kubectl = match &self.by_minikube {
            Some(profile) => CommandLine::minikube("kubectl --", profile),
            None => self.kstrim("kubectl --"),
        };
        kubectl.args(words.split_whitespace())
    }

    /// A command of kubectl in the Kafka's namespace.
    pub fn inside(&self, command: CommandLine) -> CommandLine {
        command.arg("-n").arg(&self.namespace)
    }

    /// The same with the operator that looks after the namespace, wherever it is and whatever its name.
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

/// A question beyond what is watched. All are read-only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// `kubectl auth can-i VERB RESOURCE --as=system:serviceaccount:NS:NAME -n NAMESPACE`; the
    /// answer is stdout: `yes` or `no` (exit code 1 on `no`).
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
    /// Whom the operator's role bindings in a namespace let do its work: the answer has a line
    /// `BINDING NAMESPACE` for each subject.
    Bindings {
        /// Where.
        namespace: String,
    },
    /// The end of a container's log, [`LOG_LINES`]; the answer is stdout.
    PodLog {
        /// Namespace.
        namespace: String,
        /// Pod.
        pod: String,
        /// Container.
        container: String,
        /// Of the run before this one. While the container is down, the log without
        /// `--previous` is of the same run: ask it if there is no previous one.
        previous: bool,
        /// Which end of the container it is about, so that a later one is asked again.
        restarts: i64,
    },
    /// What the operator is at: of the end of its log the lines that
    /// [`reconciliations`](super::reconciliations) picks.
    Reconciliations {
        /// Namespace.
        namespace: String,
        /// The operator's pod.
        pod: String,
        /// Which look it is, so that it is asked again after some seconds.
        look: i64,
    },
    /// The storage classes: a line `NAME default` or `NAME -` for each.
    StorageClasses {
        /// Which look it is, as above.
        look: i64,
    },
    /// The configuration that has a webhook, as `KIND/NAME`; empty if none is found.
    Webhook {
        /// The webhook's name.
        name: String,
    },
}

/// How much of a container's log is read for what ended it. An operator whose start fails prints its stack traces, then for
/// ten seconds what its shutdown waits for, about 300 lines; a broker prints its whole configuration before the error.
pub(crate) const LOG_LINES: u32 = 500;

/// The question as the command that answers it.
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

/// Answers so far.
pub type Answers = BTreeMap<Probe, String>;

/// What the rules look at.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// What was observed.
    pub snapshot: &'a Snapshot,
    /// What is expected.
    pub expect: &'a Expect,
    /// Answers to probes.
    pub answers: &'a Answers,
    /// The present, by our own clock.
    pub now: Timestamp,
}

/// How long an answer to a question about the present is taken for it, seconds.
const FRESH: i64 = 10;

/// The deployment's name in every Strimzi release's install files.
pub(crate) const OPERATOR: &str = crate::kube::cluster::OPERATOR;

/// Coarsest time the API server writes (creationTimestamp): whole seconds, cut off.
const SECOND: SignedDuration = SignedDuration::from_secs(1);

impl<'a> Scene<'a> {
    /// The expected Kafka.
    pub fn kafka(&self) -> Option<Kafka<'a>> {
        self.snapshot.kafka(&self.expect.namespace, &self.expect.cluster)
    }

    /// The number of a look at something that changes: another one every few seconds.
    pub fn look(&self) -> i64 {
        self.now.as_second() / FRESH
    }

    /// The newest answer to a question about the present; while the next is asked for, the last one still
    /// tells. `look_of`: the look of a probe that is this question.
    pub fn newest(&self, look_of: impl Fn(&Probe) -> Option<i64>) -> Option<&'a str> {
        let recent = |p: &Probe| look_of(p).filter(|look| *look + 2 >= self.look());
        let newest = self.answers.keys().filter(|p| recent(p).is_some()).max_by_key(|p| recent(p))?;
        self.answers.get(newest).map(String::as_str)
    }

    /// The expected Kafka's node pools.
    pub fn pools(&self) -> impl Iterator<Item = KafkaNodePool<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pools(&self.expect.namespace).filter(move |p| p.cluster() == Some(cluster))
    }

    /// The expected Kafka's nodes (brokers and controllers), those being deleted too.
    pub fn nodes(&self) -> impl Iterator<Item = Pod<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pods(&self.expect.namespace).filter(move |p| p.is_kafka_node_of(cluster))
    }

    /// The pods of the expected Kafka's ZooKeeper.
    pub fn zookeeper(&self) -> impl Iterator<Item = Pod<'a>> {
        let cluster = self.expect.cluster.as_str();
        self.snapshot.pods(&self.expect.namespace).filter(move |p| p.is_zookeeper_of(cluster))
    }

    /// The pods that matter of the expected Kafka: its nodes, the entity operator and what else the operator
    /// makes of the Kafka; or the nodes and a component; or, where everything matters, all of them.
    pub fn cluster_pods(&self) -> impl Iterator<Item = Pod<'a>> {
        let (scene, cluster) = (*self, self.expect.cluster.as_str());
        self.snapshot
            .pods(&self.expect.namespace)
            .filter(move |p| p.cluster() == Some(cluster))
            .filter(move |p| scene.counts(p.0))
    }

    /// Whether an object that the operator created for the Kafka cluster or a component of it is in this scope.
    pub(super) fn counts(&self, object: &Object) -> bool {
        match self.expect.scope {
            Scope::Everything => true,
            Scope::Component(part) => {
                let node = format!("{}-kafka", self.expect.cluster);
                object.label("strimzi.io/name") == Some(&node)
                    || object.label("strimzi.io/component-type") == Some(part)
            }
            // Connect, MirrorMaker 2 and the bridge have the Kafka's name, and its label.
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

    /// The operator that looks after the Kafka.
    pub fn operator(&self) -> Option<Deployment<'a>> {
        self.snapshot.deployment(&self.expect.operator_namespace, &self.expect.operator)
    }

    /// Whether a Deployment is that operator.
    pub(super) fn is_the_operator(&self, deployment: Deployment<'_>) -> bool {
        deployment.0.namespace() == self.expect.operator_namespace
            && deployment.0.name() == self.expect.operator
    }

    /// The operator's pods of the newest revision. While a broken revision is being replaced
    /// its pod stays until the new one is ready: it says nothing of the present.
    pub fn operator_pods(&self) -> Vec<Pod<'a>> {
        let all = || self.all_operator_pods().filter(|p| !p.0.deleting());
        let revision = |p: &Pod<'a>| p.0.label("pod-template-hash").unwrap_or("");
        let Some(newest) = all().max_by_key(|p| p.0.created()) else { return Vec::new() };
        all().filter(|p| revision(p) == revision(&newest)).collect()
    }

    /// The operator's pods of every revision, those being deleted too.
    pub fn all_operator_pods(&self) -> impl Iterator<Item = Pod<'a>> {
        self.snapshot.pods(&self.expect.operator_namespace).filter(Pod::is_operator)
    }

    /// When the Kafka or its pools last changed, as far as can be told; a verdict from before
    /// is about another state.
    pub fn changed_at(&self) -> Option<Timestamp> {
        let objects = self.kafka().map(|k| k.0).into_iter().chain(self.pools().map(|p| p.0));
        latest_change(objects).max(self.expect.changed_at)
    }

    /// Whether a condition that last changed at `transition` may be an answer to a change at
    /// `changed`. The clocks agree (both are the cluster's), but one of them counts whole seconds.
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

    /// Whether the operator is up, and since when.
    pub fn operator_available(&self) -> Option<Timestamp> {
        self.operator()?.available()?.last_transition
    }

    /// Whether absence of this kind's objects means something.
    pub fn synced(&self, kind: Kind) -> bool {
        self.snapshot.synced(kind)
    }

    /// A kubectl command about one thing in the user's namespace, for hints.
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
