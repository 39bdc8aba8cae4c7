//! The topic: created in Kafka as soon as a broker is available, and its `KafkaTopic`.
//!
//! The topic operator starts long after the broker. So that the smoke test does not have to wait for it, the topic is
//! created in Kafka first, and then gets a resource that describes it as it is. A topic that already existed in Kafka
//! is used as it is and gets no resource: with one, kstrim would manage it, that is, change and delete it.

use std::cell::Cell;

use async_trait::async_trait;

use super::context::Context;
use crate::cluster::access;
use crate::cluster::brokers::Brokers;
use crate::cluster::change;
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready::Readiness;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::admin::Created;
use crate::kube::kafka::Entity;
use crate::kube::strimzi::KafkaTopic;
use crate::kube::{Kind as ObservedKind, Object, Snapshot};
use crate::manifest::{Object as Rendered, render};
use crate::names::TopicName;

/// Partitions of a topic that kstrim creates, as in Strimzi's own example.
const PARTITIONS: u32 = 1;

/// The task.
pub(crate) struct Topic {
    exists: Cell<bool>,
    waiter: Waiter,
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            exists: Cell::default(),
            waiter: Waiter::new(Scope::Teardown, "the earlier topic is not deleted"),
        }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Topic {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let topic = &cx.settings.topic;
        let snapshot = cx.synced(&[ObservedKind::KafkaTopic, ObservedKind::Kafka]).await;
        if !is_operated(cx, &snapshot) || cx.topic_resource.borrow().is_none() {
            return Ok(if self.exists.get() {
                Doneness::Done(format!("topic {topic} exists"))
            } else {
                Doneness::Pending(format!("the topic {topic} may not exist"))
            });
        }
        let Some(found) = resource(cx, &snapshot)? else {
            return Ok(Doneness::Pending(format!("the topic {topic} does not exist")));
        };
        cx.topic_resource.replace(Some(found.0.name().to_owned()));
        if found.0.deleting() {
            // If no operator handles a finalizer, the topic would exist indefinitely: reported as soon as it is
            // certain.
            let snapshot = cx.synced(&[ObservedKind::Pod]).await;
            let look = self.waiter.look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                Some(finding) if finding.id == errors::TOPIC_FINALIZER => {
                    Readiness::Failed(Box::new(finding.clone()))
                }
                _ => {
                    Readiness::Progressing { why: format!("an earlier topic {topic} is still being deleted") }
                }
            });
            return look.await;
        }
        // A topic that somebody else created or changed can be used as well: it is not changed. Its status may be
        // that of an earlier Kafka cluster that had the topic; in this one it exists when the topic operator has
        // reconciled it.
        let kafka = snapshot.kafka(cx.namespace(), cx.cluster()).and_then(|k| k.0.created());
        let of_this_kafka =
            found.0.condition("Ready").and_then(|c| c.last_transition).is_none_or(|at| Some(at) >= kafka);
        if self.exists.get() || found.ready() && of_this_kafka {
            return Ok(Doneness::Done(format!("topic {topic} exists")));
        }
        Ok(Doneness::Pending(format!("the topic {topic} does not exist yet")))
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let name = cx.settings.topic.as_str();
        let mut kinds = crate::cluster::brokers::KINDS.to_vec();
        kinds.push(ObservedKind::KafkaTopic);
        let snapshot = cx.synced(&kinds).await;
        if let Some(why) = access::determine(cx, name).await? {
            // The smoke test reports the problem; the topic operator can create the topic without kstrim's client.
            if is_operated(cx, &snapshot) && resource(cx, &snapshot)?.is_none() {
                let labelled = cx.labelled(wanted(cx));
                cx.apply(&labelled, false).await.map_err(|e| cx.api_failure("create the KafkaTopic", &e))?;
                return Ok(());
            }
            cx.emit.warn(format!("the topic {name} is not created: {why}"));
            self.exists.set(true);
            cx.topic_resource.replace(None);
            return Ok(());
        }
        let brokers = Brokers::of(cx)?;
        let described = resource(cx, &snapshot)?.and_then(|t| Rendered::new(t.0.json().clone()).ok());
        if described.is_some() || !is_operated(cx, &snapshot) {
            let wanted = described.unwrap_or_else(|| wanted(cx).swap_remove(0));
            brokers.create_topic(name, &wanted).await?;
            self.exists.set(true);
            return Ok(());
        }
        // A run that was killed after it created the topic and before it created the resource is continued, because
        // it had found no such topic. If somebody else created or used the topic in the meantime, it is theirs: the
        // record contains only a name.
        let uid = snapshot.kafka(cx.namespace(), cx.cluster()).map(|k| k.0.uid().to_owned());
        let creating = format!("{}/{name}", uid.unwrap_or_default());
        let begun = cx.journal.borrow().state.creating_topic.as_deref() == Some(&creating);
        let wanted = wanted(cx).swap_remove(0);
        let there = brokers.has_topic(name).await? || {
            record_topic(cx, Some(creating))?;
            brokers.create_topic(name, &wanted).await? == Created::AlreadyExists
        };
        if there && !(begun && brokers.is_unused(name, PARTITIONS).await?) {
            record_topic(cx, None)?;
            self.is_unmanaged(cx);
            return Ok(());
        }
        let collection = ObservedKind::KafkaTopic.path(cx.api_version(), Some(cx.namespace()));
        let labelled = cx.labelled(vec![wanted]);
        let created = change::create(&cx.kubectl, &collection, labelled[0].value()).await;
        created.map_err(|e| cx.api_failure("create the KafkaTopic", &e))?;
        record_topic(cx, None)?;
        self.exists.set(true);
        Ok(())
    }

    async fn changed(&self, cx: &Context) {
        cx.changed_or_second().await;
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![format!(
            "kubectl apply --server-side -f -   # KafkaTopic/{}",
            cx.settings.topic.resource_name()
        )])
    }
}

impl Topic {
    fn is_unmanaged(&self, cx: &Context) {
        let topic = &cx.settings.topic;
        let message =
            format!("the topic {topic} already exists in Kafka, without a KafkaTopic: it is used unchanged");
        cx.emit.warn(message);
        self.exists.set(true);
        cx.topic_resource.replace(None);
    }
}

/// Record which topic is being created.
fn record_topic(cx: &Context, creating: Option<String>) -> Result<()> {
    let mut journal = cx.journal.borrow_mut();
    journal.state.creating_topic = creating;
    journal.save()
}

/// The KafkaTopic of the run's topic: one of this Kafka cluster, found by the topic's name in Kafka.
///
/// # Errors
/// [`errors::TOPIC_RESOURCE_TAKEN`]: the resource name is used for another topic, of this Kafka cluster or another.
fn resource<'a>(cx: &Context, snapshot: &'a Snapshot) -> Result<Option<KafkaTopic<'a>>> {
    let name = cx.settings.topic.as_str();
    let inside = |o: &&Object| o.namespace() == cx.namespace();
    let topics = snapshot.all(ObservedKind::KafkaTopic).filter(inside).map(KafkaTopic);
    let mut mine = topics.filter(|t| t.cluster() == Some(cx.cluster()) && t.topic() == name);
    if let Some(found) = mine.next() {
        return Ok(Some(found));
    }
    let Some(named) = snapshot.topic(cx.namespace(), &cx.settings.topic.resource_name()) else {
        return Ok(None);
    };
    let owner = named.cluster().filter(|owner| *owner != cx.cluster());
    let owner = owner.filter(|owner| snapshot.kafka(cx.namespace(), owner).is_some());
    let resource = named.0.name();
    let message = match owner {
        Some(owner) => format!("the KafkaTopic {resource} belongs to the Kafka cluster {owner}"),
        // A resource that is being deleted frees its name.
        None if named.topic() != name && !named.0.deleting() => {
            format!("the KafkaTopic {resource} describes the topic {}", named.topic())
        }
        None => return Ok(Some(named)),
    };
    Err(Box::new(
        Failure::new(errors::TOPIC_RESOURCE_TAKEN, Kind::Foreign, message)
            .because(format!("the namespace {} can have only one KafkaTopic of a given name", cx.namespace()))
            .hint(format!(
                "use another topic: {}",
                crate::cluster::refusals::up(cx).with("--topic", "another-name")
            )),
    ))
}

/// Whether the run's Kafka cluster has a topic operator: according to the Kafka resource, or else to the preset.
pub(crate) fn is_operated(cx: &Context, snapshot: &Snapshot) -> bool {
    match snapshot.kafka(cx.namespace(), cx.cluster()) {
        Some(kafka) => {
            kafka.manages_own_namespace(Entity::Topic) && (!cx.owns(kafka.0.json()) || has_topic_operator(cx))
        }
        None => has_topic_operator(cx),
    }
}

/// Whether the release has a topic operator for this kind of cluster: in early releases with KRaft there is none, and
/// `KafkaTopic` resources are ignored.
pub(crate) fn has_topic_operator(cx: &Context) -> bool {
    cx.preset().topic_operator(cx.choice.release)
}

/// The KafkaTopic as requested, not yet labelled.
pub(crate) fn wanted(cx: &Context) -> Vec<Rendered> {
    // The same number of replicas as the preset's default.replication.factor, so that it does not matter who creates
    // the topic.
    let own = cx.files.as_ref().and_then(|files| files.brokers(cx.cluster()));
    let brokers =
        own.map_or(cx.preset().brokers(), |brokers| u32::try_from(brokers.clamp(1, 3)).unwrap_or(1));
    vec![described(cx, &cx.settings.topic, brokers)]
}

/// The resource of a topic that kstrim creates.
pub(crate) fn described(cx: &Session, topic: &TopicName, replicas: u32) -> Rendered {
    let target = &cx.target;
    render::topic(cx.choice.release, &target.namespace, &target.cluster, topic, PARTITIONS, replicas)
}
