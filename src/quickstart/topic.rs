//! The topic: a `KafkaTopic`, and the topic itself as soon as a broker serves.
//!
//! The topic operator starts long after the broker. So that the smoke test need not wait for it,
//! the topic is also made in Kafka, exactly as the resource describes it; the topic operator then
//! finds it as it wants it.

use std::cell::Cell;

use async_trait::async_trait;

use super::ownership;
use super::patience::Patience;
use super::smoke::Brokers;
use crate::context::{Cx, yaml};
use crate::engine::task::{Doneness, Spec, Task};
use crate::explain::Scope;
use crate::failure::Result;
use crate::manifest::{Object, render};
use crate::observe::Kind as ObservedKind;
use crate::ready::Readiness;

/// Partitions of a topic that kstrim makes, as in Strimzi's own example.
const PARTITIONS: u32 = 1;

/// The task.
pub struct Topic {
    exists: Cell<bool>,
    patience: Patience,
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            exists: Cell::default(),
            patience: Patience::new(Scope::Teardown, "the earlier topic does not go away"),
        }
    }
}

#[async_trait(?Send)]
impl Task<Cx> for Topic {
    fn spec(&self) -> Spec {
        super::spec("topic", "Topic", &["kafka"], 3)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let topic = &cx.settings.topic;
        if !operated(cx) {
            return Ok(if self.exists.get() {
                Doneness::Done(format!("topic {topic} is there"))
            } else {
                Doneness::Pending(format!("the topic {topic} may not be there"))
            });
        }
        let snapshot = cx.synced(&[ObservedKind::KafkaTopic, ObservedKind::Kafka]).await;
        let found = snapshot.topic(cx.namespace(), &topic.resource_name());
        let Some(found) = found else {
            return Ok(Doneness::Pending(format!("the topic {topic} does not exist")));
        };
        if found.0.deleting() {
            // A finalizer that nobody serves would keep it for ever: told as soon as it is certain.
            let snapshot = cx.synced(&[ObservedKind::Pod]).await;
            let look = self.patience.look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                Some(finding) if finding.id.0 == "KS-TOPIC-FINALIZER" => {
                    Readiness::Failed(Box::new(finding.clone()))
                }
                _ => Readiness::Progressing { why: format!("an earlier topic {topic} is still going away") },
            });
            return look.await;
        }
        // A topic that a person made or changed is as good as ours: it is only used.
        // Its status may be of an earlier Kafka, which had the topic; this one has it when the topic
        // operator has looked again.
        let kafka = snapshot.kafka(cx.namespace(), cx.cluster()).and_then(|k| k.0.created());
        let of_this_kafka =
            found.0.condition("Ready").and_then(|c| c.last_transition).is_none_or(|at| Some(at) >= kafka);
        if self.exists.get() || found.ready() && of_this_kafka {
            return Ok(Doneness::Done(format!("topic {topic} is there")));
        }
        Ok(Doneness::Pending(format!("the topic {topic} is not there yet")))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let wanted = wanted(cx);
        let snapshot = cx.synced(&super::smoke::KINDS).await;
        if operated(cx) && snapshot.topic(cx.namespace(), &cx.settings.topic.resource_name()).is_none() {
            let labelled = super::kafka::labelled(cx, wanted.clone());
            cx.kubectl
                .apply(&yaml(&labelled), false)
                .await
                .map_err(|e| ownership::api_failure(cx, "apply the topic", &e))?;
        }
        let brokers = Brokers::of(cx)?;
        brokers.create_topic(cx.settings.topic.as_str(), &wanted[0]).await?;
        self.exists.set(true);
        Ok(())
    }

    async fn changed(&self, cx: &Cx) {
        super::store_or_second(cx).await;
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![format!(
            "kubectl apply --server-side -f -   # KafkaTopic/{}",
            cx.settings.topic.resource_name()
        )])
    }
}

/// Whether the release has a topic operator for this kind of cluster: early KRaft has none, and
/// `KafkaTopic` resources are ignored.
pub fn operated(cx: &Cx) -> bool {
    cx.preset().topic_operator(cx.choice.release)
}

/// The KafkaTopic as it should be, not yet labelled.
pub fn wanted(cx: &Cx) -> Vec<Object> {
    // Replicas as the preset's own default.replication.factor, so that both ways agree.
    wanted_with(cx, cx.preset().brokers())
}

/// The same with another number of replicas.
pub fn wanted_with(cx: &Cx, replicas: u32) -> Vec<Object> {
    let target = &cx.settings.target;
    let topic = &cx.settings.topic;
    vec![render::topic(cx.choice.release, &target.namespace, &target.cluster, topic, PARTITIONS, replicas)]
}
