//! `kstrim topic delete`

use std::process::ExitCode;

use serde_json::Value;
use tokio::time::Instant;

use super::{PLURAL, Topic, all, delete_named, find_topic, in_kafka, wait_until_deleted};
use crate::cli::{Global, TopicDelete};
use crate::cmd::living::{self, Living};
use crate::engine::task::Doneness;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::kafka::Entity;
use crate::kube::strimzi::{KafkaTopic, MANAGED};
use crate::kube::{Kind as ObservedKind, Object};
use crate::names::TopicName;

pub(super) async fn run(global: &Global, args: &TopicDelete) -> Result<ExitCode> {
    let title = format!("Topic {}", args.topic);
    living::task(global, "topic", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        let done = delete(&living, args).await;
        living.cx.stop_observing();
        done
    })
    .await
}

async fn delete(living: &Living, args: &TopicDelete) -> Result<String> {
    living.served(Entity::Topic, &format!("the topic {}", args.topic))?;
    let known = all(living).await?;
    let (topic, object) = find_topic(&args.topic, &known, living)?;
    managed(living, &args.topic, topic, object).await?;
    if !args.yes {
        let whose = if topic.made_by_kstrim { "" } else { ", which kstrim did not create," };
        let question = format!("This deletes the topic {}{whose} and all its messages.", topic.topic);
        crate::cmd::consent::to(living, &question, "nothing was deleted").await?;
    }
    delete_named(living, PLURAL, object, "the topic").await?;
    let end = Instant::now() + args.timeout;
    wait_until_deleted(living, ObservedKind::KafkaTopic, &topic.resource, args.timeout, |why| {
        let message =
            format!("the topic {} is being deleted, but the topic operator has not done it yet", args.topic);
        Box::new(Failure::new(errors::TOPIC_STUCK, Kind::Timeout, message).because(why))
    })
    .await?;
    // The resource no longer exists. An older topic operator deletes the topic in Kafka only now, and no topic
    // operator does so while there is another resource for it.
    let asked = async |_: &_| {
        Ok(match in_kafka(&living.cx, &args.topic).await {
            Some(true) => Doneness::Pending(format!("Kafka still has the topic {}", args.topic)),
            _ => Doneness::Done(String::new()),
        })
    };
    let left = end.saturating_duration_since(Instant::now());
    living::wait(&living.cx, left, asked, || kept(topic, &known)).await?;
    Ok(format!("topic {} was deleted", args.topic))
}

/// Refuse a topic that would not be deleted in Kafka, because the topic operator does not manage or watch it.
async fn managed(living: &Living, name: &TopicName, topic: &Topic, object: &Value) -> Result<()> {
    let (cx, resource, json) = (&living.cx, &topic.resource, Object::new(object.clone()));
    let view = KafkaTopic(&json);
    let of_resource = |verb: &'static str| cx.target.kubectl(verb).arg("kafkatopic").arg(resource);
    let failure = if view.unmanaged() {
        let again = of_resource("annotate").arg(format!("{MANAGED}-")).arg("-n").arg(cx.namespace());
        let message =
            format!("the topic operator does not manage the topic {}: Kafka would keep it", topic.topic);
        Failure::new(errors::RESOURCE_PAUSED, Kind::Prerequisite, message)
            .because(format!("kafkatopics/{resource} annotation {MANAGED}=false"))
            .hint(format!("make it managed again, then delete it: {again}"))
    } else if view.cluster().is_none() && in_kafka(&living.before, name).await == Some(true) {
        let label = of_resource("label").arg(format!("strimzi.io/cluster={}", cx.cluster()));
        let message = format!("no topic operator manages the topic {}: Kafka would keep it", topic.topic);
        Failure::new(errors::TOPIC_LABEL, Kind::Task, message)
            .because(format!("kafkatopics/{resource} has no label strimzi.io/cluster"))
            .hint(format!(
                "assign it to this Kafka cluster, then delete it: {}",
                label.arg("-n").arg(cx.namespace())
            ))
    } else {
        return Ok(());
    };
    let delete = of_resource("delete").arg("-n").arg(cx.namespace());
    Err(Box::new(failure.hint(format!("or delete only the KafkaTopic: {delete}"))))
}

/// The failure for a topic that remains in Kafka.
fn kept(topic: &Topic, known: &[(Topic, Value)]) -> Box<Failure> {
    let message = format!(
        "the KafkaTopic {} was deleted, but Kafka still has the topic {}",
        topic.resource, topic.topic
    );
    let others =
        known.iter().map(|(t, _)| t).filter(|t| t.topic == topic.topic && t.resource != topic.resource);
    let failure = Failure::new(errors::TOPIC_STUCK, Kind::Timeout, message);
    Box::new(others.fold(failure, |failure, other| {
        failure.because(format!("the KafkaTopic {} also describes it", other.resource))
    }))
}
