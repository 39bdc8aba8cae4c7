//! Messages through Connect and MirrorMaker 2.

use crate::cluster::component_test::component_input;
use crate::errors;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::{Outcome, Trial};
use crate::cluster::brokers::Brokers;
use crate::cluster::change;
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::component as table;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::KafkaError;
use crate::kafka::admin::{End, NewTopic};
use crate::kafka::client::{Client, Topic};
use crate::kafka::error::code;
use crate::kafka::fetch::Entry;
use crate::kafka::produce::Message;
use crate::kube::Kind as ObservedKind;
use crate::manifest::component::{PROOF_TOPICS, proof_connectors};

/// How many messages each component has to pass on.
pub(super) const COUNT: usize = 10;
/// How long one fetch waits, and the time between two attempts.
const PAUSE: Duration = Duration::from_millis(400);
/// The time limit for cleaning up, which is separate from that of the test.
const CLEANUP: Duration = Duration::from_secs(10);

type Offsets = BTreeMap<i32, i64>;

/// This run's messages.
pub(super) fn values(run: &str) -> Vec<String> {
    (1..=COUNT).map(|n| format!("kstrim {run} {n} of {COUNT}")).collect()
}

/// A client of the brokers, for a trial.
pub(super) struct BrokerClient<'a> {
    trial: &'a Trial<'a>,
    pub(super) client: Client,
}

impl<'a> BrokerClient<'a> {
    pub(super) async fn open(trial: &'a Trial<'a>) -> Result<Self> {
        let brokers = Brokers::of(trial.cx)?;
        let options = crate::kafka::client::Options { decompress: true, ..Default::default() };
        let client = brokers.client_with(options, trial.deadline).await;
        client.map(|client| Self { trial, client }).map_err(|e| broker(trial, &e))
    }

    /// Create a topic with one partition, if it does not exist.
    pub(super) async fn topic(&mut self, name: &str) -> Result<()> {
        let new = NewTopic {
            name: name.to_owned(),
            partitions: 1,
            // The default of the brokers, which suits their number.
            replication_factor: -1,
            config: BTreeMap::new(),
        };
        let made = self.client.create_topic(&new, self.trial.deadline).await;
        made.map(drop).map_err(|e| broker(self.trial, &e))
    }

    /// The first and last offsets of a topic's partitions; empty if it does not exist.
    async fn offset_ranges(&mut self, name: &str) -> Result<BTreeMap<i32, (i64, i64)>> {
        loop {
            match self.try_offset_ranges(name).await {
                Err(e) if is_temporary(&e) && Instant::now() < self.trial.deadline => {
                    tokio::time::sleep(PAUSE).await;
                }
                found => return found.map_err(|e| broker(self.trial, &e)),
            }
        }
    }

    async fn try_offset_ranges(
        &mut self,
        name: &str,
    ) -> std::result::Result<BTreeMap<i32, (i64, i64)>, KafkaError> {
        let deadline = self.trial.deadline;
        let mut topic = match self.client.topic_now(name, deadline).await {
            Err(e) if e.code() == Some(code::UNKNOWN_TOPIC_OR_PARTITION) => return Ok(BTreeMap::new()),
            other => other?,
        };
        let first = self.client.list_offsets(&mut topic, End::Earliest, deadline).await?;
        let last = self.client.list_offsets(&mut topic, End::Latest, deadline).await?;
        Ok(last.into_iter().map(|(p, end)| (p, (first.get(&p).copied().unwrap_or(end), end))).collect())
    }

    /// The end offsets of a topic, to read only messages that are produced afterwards.
    pub(super) async fn end_offsets(&mut self, name: &str) -> Result<Offsets> {
        Ok(self.offset_ranges(name).await?.into_iter().map(|(p, (_, end))| (p, end)).collect())
    }

    async fn send(&mut self, name: &str, values: &[String]) -> Result<()> {
        let deadline = self.trial.deadline;
        let work = async {
            let mut topic = self.client.topic(name, deadline).await?;
            let message =
                |v: &String| Message { key: None, value: Some(Bytes::from(v.clone())), headers: vec![] };
            let messages = values.iter().map(|v| (0, message(v))).collect();
            self.client.produce(&mut topic, messages, &mut Vec::new(), deadline).await
        };
        work.await.map_err(|e| broker(self.trial, &e))
    }

    /// Read a topic until each of these values has arrived, once and in order; other values are ignored. `from` has
    /// the offsets to start at; a partition without an entry is read from the beginning.
    pub(super) async fn wait_for_values(
        &mut self,
        name: &str,
        mut from: Offsets,
        values: &[String],
    ) -> Result<()> {
        let mut seen: Vec<String> = Vec::new();
        loop {
            match self.read_new(name, &mut from, values, &mut seen).await {
                Ok(()) => {}
                // The component creates the topic if it does not exist yet.
                Err(e) if is_temporary(&e) => tokio::time::sleep(PAUSE).await,
                Err(e) => return Err(broker(self.trial, &e)),
            }
            if seen == values {
                return Ok(());
            }
            let wrong = seen.iter().zip(values).any(|(a, b)| a != b) || seen.len() > values.len();
            if wrong || Instant::now() >= self.trial.deadline {
                return Err(self.missing_messages(name, values, &seen));
            }
            self.trial.fail_if_hopeless().await?;
        }
    }

    async fn read_new(
        &mut self,
        name: &str,
        from: &mut Offsets,
        values: &[String],
        seen: &mut Vec<String>,
    ) -> std::result::Result<(), KafkaError> {
        let deadline = self.trial.deadline.max(Instant::now() + PAUSE);
        let mut topic: Topic = self.client.topic_now(name, deadline).await?;
        for partition in 0..i32::try_from(topic.partitions()).unwrap_or(0) {
            from.entry(partition).or_insert(0);
        }
        for mut chunk in self.client.fetch(&mut topic, from, PAUSE, deadline).await? {
            let partition = chunk.partition;
            for entry in chunk.records.by_ref() {
                let what = format!("topic {name}, partition {partition}");
                let entry = entry.map_err(|bad| KafkaError::records(what, bad))?;
                let Entry::Record(record) = entry else { continue };
                let text = record.value.as_deref().map(text_of).unwrap_or_default();
                if values.contains(&text) {
                    seen.push(text);
                }
            }
            let next = if chunk.out_of_range { chunk.log_start.max(0) } else { chunk.records.next_offset() };
            from.insert(partition, next);
        }
        Ok(())
    }

    fn missing_messages(&self, name: &str, values: &[String], seen: &[String]) -> Box<Failure> {
        let missing: Vec<&str> =
            values.iter().filter(|v| !seen.contains(v)).map(String::as_str).take(3).collect();
        let words = match missing.as_slice() {
            [] => "they arrived more than once, or in another order".to_owned(),
            some => format!("missing: {}", some.join(", ")),
        };
        let message = format!("{} of {} messages arrived in topic {name}", seen.len(), values.len());
        self.trial.failure(
            errors::COMPONENT_SMOKE,
            Some(Failure::new(errors::COMPONENT_SMOKE, Kind::Smoke, message).because(words)),
        )
    }

    /// Delete the messages of this run from partitions that contained nothing else.
    async fn delete_messages(&mut self, name: &str, before: &BTreeMap<i32, (i64, i64)>) {
        let deadline = Instant::now() + CLEANUP;
        let Ok(mut topic) = self.client.topic_now(name, deadline).await else { return };
        let Ok(last) = self.client.list_offsets(&mut topic, End::Latest, deadline).await else { return };
        let count = i64::try_from(COUNT).unwrap_or(i64::MAX);
        // This run produced only to partition 0, all messages or none: any other message was produced by somebody
        // else.
        let ours = last.into_iter().filter(|(p, end)| {
            let (first, was) = before.get(p).copied().unwrap_or((0, 0));
            *p == 0 && first == was && end - was == count
        });
        let ours: Offsets = ours.collect();
        if !ours.is_empty() {
            let _ = self.client.delete_records(&topic, &ours, deadline).await;
        }
    }

    pub(super) async fn delete(&mut self, topics: &[&str]) {
        let deadline = Instant::now() + CLEANUP;
        for topic in topics {
            if let Err(error) = self.client.delete_topic(topic, None, deadline).await {
                let message = format!("the topic {topic} of the smoke test was not deleted: {error}");
                self.trial.cx.emit.warn(message);
            }
        }
    }
}

/// Whether a failed request can succeed when it is repeated: during a leader election, or after a broker or a
/// port-forward has failed.
fn is_temporary(error: &KafkaError) -> bool {
    error.is_retriable() || error.is_connection()
}

/// A message's value as text; the bridge writes JSON.
fn text_of(value: &[u8]) -> String {
    serde_json::from_slice::<String>(value).unwrap_or_else(|_| String::from_utf8_lossy(value).into_owned())
}

/// The failure of a request to a broker.
pub(super) fn broker(trial: &Trial<'_>, error: &KafkaError) -> Box<Failure> {
    let cause = Failure::new(errors::COMPONENT_SMOKE, Kind::Smoke, "a broker did not respond as expected")
        .because(error);
    trial.failure(errors::COMPONENT_SMOKE, Some(cause))
}

/// Delete the connectors of the test, unless somebody else has replaced them.
async fn delete_connectors(cx: &Session, names: &[String]) -> Result<()> {
    let installation = ownership::installation(cx).await?;
    let collection = ObservedKind::KafkaConnector.path(cx.api_version(), Some(cx.namespace()));
    let failed = |e| cx.api_failure("delete the connectors", &e);
    for name in names {
        let found = cx.kubectl.find(&format!("{collection}/{name}")).await.map_err(failed)?;
        if let Some(owned) = found.and_then(|object| installation.owned(&collection, &object)) {
            change::delete(&cx.kubectl, &installation, &owned).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Connect: numbered messages are produced to a topic; one connector writes them to a file of the worker, another one
/// reads the file and writes to a second topic.
pub(super) async fn connect(trial: &Trial<'_>) -> Result<Outcome> {
    let cx = trial.cx;
    let [into, out] = PROOF_TOPICS;
    let mut wire = BrokerClient::open(trial).await?;
    let connectors = proof_connectors(&component_input(cx, trial.topic, false), &trial.run);
    let names: Vec<String> = connectors.iter().map(|c| c.name().to_owned()).collect();
    let tried = async {
        wire.topic(into).await?;
        wire.topic(out).await?;
        let from = wire.end_offsets(out).await?;
        let applied = cx.apply(&cx.labelled(connectors), false).await;
        applied.map_err(|e| cx.api_failure("apply the connectors", &e))?;
        cx.synced(&[ObservedKind::KafkaConnector]).await;
        let values = values(&trial.run);
        wire.send(into, &values).await?;
        wire.wait_for_values(out, from, &values).await
    };
    let tried = tried.await;
    if let Err(failure) = delete_connectors(cx, &names).await {
        cx.emit.warn(format!("the connectors of the smoke test were not deleted: {}", failure.message));
    }
    wire.delete(&PROOF_TOPICS).await;
    tried?;
    Ok((COUNT as u64, format!("{COUNT} messages passed through two connectors")))
}

/// MirrorMaker 2: messages are produced to the mirrored topic, and read from the mirror.
pub(super) async fn mirror(trial: &Trial<'_>) -> Result<Outcome> {
    let of = |read: fn(&serde_json::Value) -> Option<String>| trial.resource.as_ref().and_then(read);
    let (Some(from), Some(to)) = (of(table::mirrored_topic), of(table::mirror_of)) else {
        let message = "its resource does not specify which topic it mirrors";
        return Err(trial.failure(
            errors::COMPONENT_SMOKE,
            Some(Failure::new(errors::COMPONENT_SMOKE, Kind::Smoke, message)),
        ));
    };
    let mut wire = BrokerClient::open(trial).await?;
    let (before, mirrored) = (wire.offset_ranges(&from).await?, wire.offset_ranges(&to).await?);
    let position = mirrored.iter().map(|(p, (_, end))| (*p, *end)).collect();
    let values = values(&trial.run);
    wire.send(&from, &values).await?;
    let tried = wire.wait_for_values(&to, position, &values).await;
    wire.delete_messages(&from, &before).await;
    wire.delete_messages(&to, &mirrored).await;
    tried?;
    Ok((COUNT as u64, format!("{COUNT} messages were mirrored from {from} to {to}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_the_bridge_are_json() {
        let values = values("r-1");
        assert_eq!((values.len(), values[0].as_str()), (COUNT, "kstrim r-1 1 of 10"));
        assert_eq!(text_of(b"\"kstrim r-1 1 of 10\""), values[0]);
        assert_eq!(text_of(b"kstrim r-1 1 of 10"), values[0]);
    }
}
