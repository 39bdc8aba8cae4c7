//! Verifies after each step that everything that was in Kafka before the first one still exists: the end of every
//! partition, and the committed offsets of every consumer group.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::cluster::brokers;
use crate::cluster::session::Session;
use crate::errors;
use crate::event::counted;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::admin::End;
use crate::kafka::error::code;
use crate::kafka::groups::Committed;
use crate::kafka::{Client, KafkaError};

/// Time limit of one check.
const LOOK: Duration = Duration::from_secs(120);

/// How long partitions may be without a leader: the brokers have been rolled, and are ready.
const LEADERS: Duration = Duration::from_secs(30);

/// The content of Kafka at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The end of each partition, by topic; the topic's id distinguishes it from another with its name.
    topics: BTreeMap<String, (Uuid, BTreeMap<i32, i64>)>,
    groups: BTreeMap<String, Committed>,
}

/// The content of Kafka before the upgrade; shared by its steps.
pub(crate) type Before = Rc<RefCell<Option<Contents>>>;

/// Compare with the content before, or record the current one. Returns a sentence for messages.
pub(crate) async fn verify(cx: &Session, before: &Before) -> Result<String> {
    cx.synced(&brokers::KINDS).await;
    let now = look(cx).await?;
    let told = now.summary();
    let lost = before.borrow().as_ref().map(|earlier| earlier.losses(&now));
    let Some(lost) = lost.filter(|lost| !lost.is_empty()) else {
        // A topic or a group that was created since is compared from now on.
        let compared = before.replace(Some(now)).is_some();
        return Ok(if compared { format!("{told}, nothing lost") } else { told });
    };
    let failure =
        Failure::new(errors::UPGRADE_LOST, Kind::Smoke, "Kafka has lost data since before this step");
    let failure = lost.into_iter().fold(failure, Failure::because);
    Err(Box::new(
        failure.hint(format!("check what the brokers report: {}", cx.target.kstrim("diagnose"))).hint(
            "if somebody deleted it in the meantime, run the same command again: it continues from here",
        ),
    ))
}

async fn look(cx: &Session) -> Result<Contents> {
    let brokers = brokers::Brokers::of(cx)?;
    let deadline = Instant::now() + LOOK;
    let look = async { contents(&mut brokers.client(deadline).await?, deadline).await };
    look.await.map_err(|e: KafkaError| {
        let message = "the brokers do not report what is in Kafka";
        Box::new(
            Failure::new(crate::errors::SMOKE_CONNECT, Kind::Smoke, message)
                .because(e)
                .hint(format!("check what the broker reports: {}", cx.target.kstrim("status"))),
        )
    })
}

async fn contents(client: &mut Client, deadline: Instant) -> std::result::Result<Contents, KafkaError> {
    let mut all = Contents::default();
    let names: Vec<String> = client.replicas(deadline).await?.into_keys().collect();
    // Kafka and Strimzi may trim and re-create their own topics.
    for name in names.into_iter().filter(|name| !name.starts_with("__")) {
        let topic = match client.topic(&name, deadline.min(Instant::now() + LEADERS)).await {
            Err(e) if e.is_retriable() => client.topic_as_is(&name, deadline).await,
            found => found,
        };
        let topic = match topic {
            // Deleted after it was listed.
            Err(e) if e.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION) => continue,
            found => found?,
        };
        let ends = client.list_offsets_in_part(&topic, topic.led(), End::Latest, deadline).await?;
        all.topics.insert(name, (topic.id, ends));
    }
    all.groups = client.committed(deadline).await?;
    Ok(all)
}

impl Contents {
    fn summary(&self) -> String {
        let (topics, groups) = (self.topics.len() as u64, self.groups.len() as u64);
        format!("{} and {}", counted(topics, "topic"), counted(groups, "consumer group"))
    }

    /// What `now` lacks, one line each. A topic or a group that was deleted or re-created is not a loss.
    fn losses(&self, now: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        for (name, (id, ends)) in &self.topics {
            let Some((_, later)) = now.topics.get(name).filter(|(now, _)| now == id) else { continue };
            for (partition, end) in ends {
                match later.get(partition) {
                    Some(later) if later >= end => {}
                    later => {
                        let later = later.map_or("nothing".to_owned(), |offset| format!("offset {offset}"));
                        let what = format!("topic {name}, partition {partition}");
                        lost.push(format!("{what} ended at offset {end}, and now ends at {later}"));
                    }
                }
            }
        }
        for (group, committed) in &self.groups {
            let Some(later) = now.groups.get(group) else { continue };
            for ((topic, partition), offset) in committed {
                let Some(later) = later.get(&(topic.clone(), *partition)).filter(|later| *later < offset)
                else {
                    continue;
                };
                let what = format!("group {group} in topic {topic}, partition {partition}");
                lost.push(format!("{what} had committed offset {offset}, and now has {later}"));
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(topics: &[(&str, u128, &[i64])], groups: &[(&str, i64)]) -> Contents {
        let ends = |ends: &[i64]| (0..).zip(ends.iter().copied()).collect();
        let group = |offset: i64| Committed::from([(("orders".to_owned(), 0), offset)]);
        Contents {
            topics: topics
                .iter()
                .map(|(n, id, e)| ((*n).to_owned(), (Uuid::from_u128(*id), ends(e))))
                .collect(),
            groups: groups.iter().map(|(name, offset)| ((*name).to_owned(), group(*offset))).collect(),
        }
    }

    #[test]
    fn growing_and_recreated_topics_are_no_loss() {
        let before = contents(&[("orders", 1, &[10, 7]), ("old", 2, &[5])], &[("app", 7), ("gone", 3)]);
        let now = contents(&[("orders", 1, &[12, 7]), ("old", 3, &[0]), ("new", 4, &[0])], &[("app", 9)]);
        assert_eq!(before.losses(&now), Vec::<String>::new());
        assert_eq!(now.summary(), "3 topics and 1 consumer group");
    }

    #[test]
    fn an_end_or_an_offset_that_decreases_is_a_loss() {
        let before = contents(&[("orders", 1, &[10, 7])], &[("app", 7)]);
        let now = contents(&[("orders", 1, &[9])], &[("app", 6)]);
        assert_eq!(
            before.losses(&now),
            [
                "topic orders, partition 0 ended at offset 10, and now ends at offset 9",
                "topic orders, partition 1 ended at offset 7, and now ends at nothing",
                "group app in topic orders, partition 0 had committed offset 7, and now has 6",
            ]
        );
    }
}
