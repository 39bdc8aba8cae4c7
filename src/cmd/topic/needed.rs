//! Topics that the command of `kstrim run` needs, and their removal.

use std::time::Duration;

use tokio::time::Instant;

use super::{PLURAL, all, create, delete_named, in_kafka};
use crate::cli::{NeededTopic, OutputMode, TopicCreate};
use crate::cmd::living::Living;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::TopicName;

/// How often it is checked whether deleted topics still exist.
const LOOK: Duration = Duration::from_millis(300);

/// Ensure that a topic of this name exists with the requested settings. A topic that exists in Kafka without a
/// KafkaTopic is used as it is. `run` is the run that needs a new topic.
pub(crate) async fn ensure(
    living: &Living,
    needed: &NeededTopic,
    name: &TopicName,
    run: &str,
    timeout: Duration,
) -> Result<()> {
    let known = all(living).await?;
    let found = known.iter().map(|(topic, _)| topic).find(|topic| topic.topic == name.as_str());
    if found.is_none() && in_kafka(&living.before, name).await == Some(true) {
        return Ok(());
    }
    let has = |number: Option<i64>| number.and_then(|n| u32::try_from(n).ok());
    let partitions = needed.partitions.or(found.and_then(|t| has(t.partitions))).unwrap_or(1);
    let replicas = needed.replicas.or(found.and_then(|t| has(t.replicas)));
    let (topic, output) = (name.clone(), OutputMode::Auto);
    let args = TopicCreate { topic, partitions, replicas, configs: Vec::new(), output, timeout };
    create::create(living, &args, Some(run)).await.map(drop)
}

/// Delete the KafkaTopics of all topics whose names begin with the prefix of a run, and wait until they no longer
/// exist. The prefix is random, so they belong to that run, whichever program created them. Returns how many there
/// were.
pub(crate) async fn remove(living: &Living, prefix: &str, deadline: Instant) -> Result<usize> {
    let mine = async || -> Result<Vec<_>> {
        Ok(all(living).await?.into_iter().filter(|(topic, _)| topic.topic.starts_with(prefix)).collect())
    };
    let found = mine().await?;
    for (topic, object) in &found {
        delete_named(living, PLURAL, object, &format!("the topic {}", topic.topic)).await?;
    }
    while !found.is_empty() {
        let left = mine().await?;
        let Some((topic, _)) = left.first() else { break };
        if Instant::now() >= deadline {
            let message = format!(
                "the topic {} is being deleted, but the topic operator has not done it yet",
                topic.topic
            );
            return Err(Box::new(Failure::new(errors::TOPIC_STUCK, Kind::Timeout, message)));
        }
        tokio::time::sleep(LOOK).await;
    }
    Ok(found.len())
}
