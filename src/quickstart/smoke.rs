//! The smoke test: produces messages and consumes them.

use std::cell::OnceCell;
use std::time::Duration;

use async_trait::async_trait;

use super::context::Context;
use crate::cluster::access;
use crate::cluster::brokers::{self, run_smoke_test, summary};
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::event::{Event, SmokeReport};
use crate::failure::Result;
use crate::kafka::admin::NewTopic;
use crate::kafka::smoke::Plan;
use crate::kube::strimzi::KafkaTopic;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::names::TopicName;

/// The task.
#[derive(Default)]
pub(crate) struct Smoke {
    /// Whether a topic that does not exist is created for the test.
    creates: bool,
    passed: OnceCell<String>,
    report: OnceCell<SmokeReport>,
}

impl Smoke {
    /// The test of an existing Kafka cluster: if it does not have the topic, the test creates it, and deletes
    /// it afterwards.
    pub(crate) fn of_existing() -> Self {
        Self { creates: true, ..Self::default() }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Smoke {
    async fn check(&self, _: &Context) -> Result<Doneness> {
        // An earlier result is never reused: each run tests it again.
        Ok(match self.passed.get() {
            Some(what) => Doneness::Done(what.clone()),
            None => Doneness::Pending("producing and consuming messages".into()),
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let run_id = cx.journal.borrow().state.run_id.clone();
        // The topic may already be in use: messages of others are not a failure here.
        let plan = Plan {
            allow_foreign: true,
            timeout: Duration::from_secs(120),
            create: if self.creates { topic_to_create(cx, &cx.settings.topic).await? } else { None },
            ..Plan::new(run_id, cx.settings.topic.as_str(), &cx.target)
        };
        if let Some(why) = access::determine(cx, cx.settings.topic.as_str()).await? {
            cx.emit.warn(format!("no message was sent and read: {why}"));
            let _ = self.passed.set("not possible with these listeners".into());
            return Ok(());
        }
        let run = run_smoke_test(cx, &plan).await;
        // Whatever the result: the user exists only for the test.
        access::delete_test_user(cx, &cx.kubectl).await?;
        let run = run?;
        cx.emit.send(Event::Smoke(run.report.clone()));
        if let Some(failure) = run.failure {
            return Err(failure);
        }
        let _ = self.passed.set(summary(&run.report));
        let _ = self.report.set(run.report);
        Ok(())
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![
            format!("kubectl port-forward -n {} pod/BROKER :{}", cx.namespace(), "9092"),
            format!(
                "# then produce and consume 10 messages on {}, with kstrim's own Kafka client",
                cx.settings.topic
            ),
        ])
    }
}

/// The topic that a test may create, in Kafka only: the test deletes it only if Kafka confirms that this request
/// created it. `None` if a `KafkaTopic` describes it: then the topic operator creates it.
pub(crate) async fn topic_to_create(cx: &Session, topic: &TopicName) -> Result<Option<NewTopic>> {
    let mut kinds = brokers::KINDS.to_vec();
    kinds.push(ObservedKind::KafkaTopic);
    let snapshot = cx.synced(&kinds).await;
    let name = topic.as_str();
    let of_this_kafka = |t: &KafkaTopic<'_>| t.cluster() == Some(cx.cluster());
    if snapshot.topics(cx.namespace()).any(|t| of_this_kafka(&t) && t.topic() == name) {
        return Ok(None);
    }
    let wanted = super::topic::described(cx, topic, brokers_of(&snapshot, cx));
    Ok(Some(brokers::new_topic(name, &wanted)))
}

/// The number of ready brokers, at most three: the replicas of a topic that is created for the test.
fn brokers_of(snapshot: &Snapshot, cx: &Session) -> u32 {
    let ready = snapshot.pods(cx.namespace()).filter(|p| p.is_broker_of(cx.cluster()) && p.ready()).count();
    u32::try_from(ready.clamp(1, 3)).unwrap_or(1)
}
