//! What `start` and `unpause` do: those tasks of `up` that start an existing profile and wait until Kafka is ready.
//! Nothing is applied, so neither install manifests nor a network are needed.
//!
//! ```text
//! cluster ─ kafka ─ smoke ─ ready
//! ```

use std::cell::OnceCell;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::cluster::{ownership, refusals};
use crate::engine::task::{Doneness, Plan, Spec, Task, Wait};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready as judge;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kind::Version;
use crate::kube::pod::{Pod, State};
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::quickstart::context::Context;
use crate::quickstart::kafka::KINDS;
use crate::quickstart::{cluster, ready, smoke};

/// How long the API server may still show pods as they were before the machine was stopped.
const STALE: SignedDuration = SignedDuration::from_secs(120);
/// The maximum difference between this machine's clock and the node's.
const SKEW: SignedDuration = SignedDuration::from_secs(5);

/// Their tasks, in display order.
pub(crate) fn plan() -> Plan<Context> {
    let mut plan = Plan::default();
    plan.add(Spec::new("cluster", "minikube cluster", &[], 40), cluster::Cluster::default());
    add_after(&mut plan, "cluster");
    plan
}

/// Add the tasks that wait for an existing Kafka cluster and verify it, once the task `needs` is done.
pub(super) fn add_after(plan: &mut Plan<Context>, needs: &str) {
    plan.add(Spec::new("kafka", "Kafka brokers", &[needs], 15), Brokers::default());
    plan.add(Spec::new("smoke", "Smoke test", &["kafka"], 3), smoke::Smoke::of_existing());
    plan.add(Spec::new("ready", "Everything ready", &["smoke"], 10), ready::Ready::default());
}

/// The brokers of an existing Kafka cluster.
struct Brokers {
    waiter: Waiter,
    looked_up: OnceCell<()>,
}

impl Default for Brokers {
    fn default() -> Self {
        Self { waiter: Waiter::new(Scope::Kafka, "Kafka cannot start"), looked_up: OnceCell::new() }
    }
}

impl Brokers {
    /// Look up the served version and the installation, and acquire the namespace's Lease, once.
    async fn look_up(&self, cx: &Context) -> Result<()> {
        if self.looked_up.get().is_some() {
            return Ok(());
        }
        let group = cx.kubectl.find(Version::GROUP).await;
        let group = group.map_err(|e| cx.api_failure("query Strimzi's resources", &e))?;
        let served = group.as_ref().and_then(Version::served);
        cx.store.serves(served);
        if served.is_none() {
            return Err(no_kafka(cx));
        }
        ownership::installation(cx).await?;
        // The smoke test may create a user, and a wait may recover kstrim's own objects.
        ownership::acquire_lease(cx, cx.target.again().verb().unwrap_or("start")).await?;
        let _ = self.looked_up.set(());
        Ok(())
    }
}

#[async_trait(?Send)]
impl Task<Context> for Brokers {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        self.look_up(cx).await?;
        let snapshot = cx.synced(&KINDS).await;
        if snapshot.kafka(cx.namespace(), cx.cluster()).is_none() {
            return Err(no_kafka(cx));
        }
        if let Some(pod) = stale(cx, &snapshot) {
            return Ok(Doneness::Pending(format!("{pod}: waiting until it is started again")));
        }
        Ok(match self.waiter.look(cx, &snapshot, judge::brokers).await? {
            Doneness::Done(_) => {
                let kafka = snapshot.kafka(cx.namespace(), cx.cluster());
                let version =
                    kafka.and_then(|kafka| kafka.target_version()).map(|version| format!(" {version}"));
                topic(cx).await;
                Doneness::Done(format!("Kafka{} is running", version.unwrap_or_default()))
            }
            other => other,
        })
    }

    async fn run(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }
}

/// A pod of the Kafka cluster whose status is older than the start of the machine: the kubelet updates it some time
/// after the API server responds again.
fn stale(cx: &Context, snapshot: &Snapshot) -> Option<String> {
    let began = cx.waiting.began;
    let restarted = cx.journal.borrow().state.node_started.is_some_and(|at| at >= began);
    if !restarted || Timestamp::now().duration_since(began) > STALE {
        return None;
    }
    let since = began - SKEW;
    let before = |pod: &Pod<'_>| {
        pod.containers().any(|container| match container.state() {
            State::Running { started: Some(started) } => started < since,
            _ => false,
        })
    };
    let ours = |pod: &Pod<'_>| pod.is_operator() || pod.cluster() == Some(cx.cluster());
    snapshot.pods(cx.namespace()).find(|pod| ours(pod) && before(pod)).map(|pod| pod.0.name().to_owned())
}

/// Which KafkaTopic describes the topic of the test, for the task that waits for everything.
async fn topic(cx: &Context) {
    let snapshot = cx.synced(&[ObservedKind::KafkaTopic]).await;
    let name = cx.settings.topic.as_str();
    let mut topics = snapshot.topics(cx.namespace());
    let found = topics.find(|t| t.cluster() == Some(cx.cluster()) && t.topic() == name);
    cx.topic_resource.replace(found.map(|t| t.0.name().to_owned()));
}

pub(super) fn no_kafka(cx: &Session) -> Box<Failure> {
    let message =
        format!("the Kafka cluster {} does not exist in namespace {}", cx.cluster(), cx.namespace());
    Box::new(
        Failure::new(errors::NO_CLUSTER, Kind::Prerequisite, message)
            .because(format!("the profile {} runs without it", cx.profile()))
            .hint(format!("create it: {}", refusals::up(cx)))
            .hint("or specify another one: --cluster NAME, --namespace NAME"),
    )
}
