//! `kstrim topic delete`

use std::process::ExitCode;

use serde_json::Value;
use tokio::time::Instant;

use super::{PLURAL, Topic, all, delete_named, gone, in_kafka, one};
use crate::cli::{Global, TopicDelete};
use crate::cmd::living::{self, Living};
use crate::engine::task::Doneness;
use crate::failure::{Failure, Kind, Result};
use crate::observe::kafka::Entity;
use crate::observe::strimzi::{KafkaTopic, MANAGED};
use crate::observe::{Kind as ObservedKind, Object};

/// Nobody would delete the topic in Kafka.
use crate::errors::RESOURCE_PAUSED as LEFT_ALONE;
/// The topic is marked as deleted, and is still there.
use crate::errors::TOPIC_STUCK as STUCK;

pub(super) async fn run(global: &Global, args: &TopicDelete) -> Result<ExitCode> {
    let title = format!("Topic {}", args.topic);
    living::task(global, "topic", title, args.output, async |session| {
        let living = living::open_to_change(session, global, &args.topic).await?;
        let done = delete(&living, args).await;
        living.cx.stop_observing();
        done
    })
    .await
}

async fn delete(living: &Living, args: &TopicDelete) -> Result<String> {
    living.served(Entity::Topic, &format!("the topic {}", args.topic))?;
    let known = all(living).await?;
    let (topic, object) = one(&args.topic, &known, living)?;
    managed(living, topic, object)?;
    if !args.yes {
        let whose = if topic.made_by_kstrim { "" } else { ", which kstrim did not make," };
        let question = format!("This deletes the topic {}{whose} and all its messages.", topic.topic);
        crate::cmd::consent::to(living, &question, "nothing was deleted").await?;
    }
    delete_named(living, PLURAL, object, "the topic").await?;
    let end = Instant::now() + args.timeout;
    gone(living, ObservedKind::KafkaTopic, &topic.resource, args.timeout, |why| {
        let message =
            format!("the topic {} is being deleted, but the topic operator has not done it yet", args.topic);
        Box::new(Failure::new(STUCK, Kind::Timeout, message).because(why))
    })
    .await?;
    // The resource is gone. An older topic operator takes the topic out of Kafka only now, and none does so while
    // another resource describes it.
    let asked = async |_: &_| {
        Ok(match in_kafka(&living.cx, &args.topic).await {
            Some(true) => Doneness::Pending(format!("Kafka still has the topic {}", args.topic)),
            _ => Doneness::Done(String::new()),
        })
    };
    let left = end.saturating_duration_since(Instant::now());
    living::wait(&living.cx, "topic", left, asked, || kept(topic, &known)).await?;
    Ok(format!("topic {} is gone", args.topic))
}

/// Refuse a topic that the topic operator does not manage: it would delete the resource, and nothing in Kafka.
fn managed(living: &Living, topic: &Topic, object: &Value) -> Result<()> {
    if !KafkaTopic(&Object::new(object.clone())).unmanaged() {
        return Ok(());
    }
    let (target, namespace) = (&living.cx.settings.target, living.cx.namespace());
    let inside = |verb: &'static str| target.kubectl(verb).arg("kafkatopic").arg(&topic.resource);
    let message =
        format!("the topic operator does not manage the topic {}: Kafka would keep it", topic.topic);
    Err(Box::new(
        Failure::new(LEFT_ALONE, Kind::Prerequisite, message)
            .because(format!("kafkatopics/{} annotation {MANAGED}=false", topic.resource))
            .hint(format!(
                "let it be managed again, then delete it: {}",
                inside("annotate").arg(format!("{MANAGED}-")).arg("-n").arg(namespace)
            ))
            .hint(format!("or delete only the KafkaTopic: {}", inside("delete").arg("-n").arg(namespace))),
    ))
}

/// The failure for a topic that stays in Kafka.
fn kept(topic: &Topic, known: &[(Topic, Value)]) -> Box<Failure> {
    let message =
        format!("the KafkaTopic {} is gone, but Kafka still has the topic {}", topic.resource, topic.topic);
    let others =
        known.iter().map(|(t, _)| t).filter(|t| t.topic == topic.topic && t.resource != topic.resource);
    let failure = Failure::new(STUCK, Kind::Timeout, message);
    Box::new(others.fold(failure, |failure, other| {
        failure.because(format!("the KafkaTopic {} describes it, too", other.resource))
    }))
}
