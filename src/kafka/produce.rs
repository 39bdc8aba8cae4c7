//! Appending: record batches (format v2, uncompressed), acknowledged by all in-sync replicas.

use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{InitProducerIdRequest, ProduceRequest};
use kafka_protocol::protocol::{StrBytes, VersionRange};
use tokio::time::Instant;

use super::admin::spread;
use super::client::{Client, Pause, Topic, millis_until, topic_name};
use super::error::{KafkaError, Result, code};
use super::records;

/// Maximum size of keys, values and headers in one batch, in bytes, unless a single message is larger. With the
/// batch's overhead it stays below Kafka's default `message.max.bytes`, 1,048,588.
pub(crate) const BATCH_BYTES: usize = 1_000_000;

/// The broker's own limit for replicating an append.
const PRODUCE_LIMIT: Duration = Duration::from_secs(30);
/// Maximum overhead of a record in addition to its key, value and headers, in bytes.
const RECORD_OVERHEAD: usize = 40;

/// A message to append.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// Its key, if any.
    pub key: Option<Bytes>,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

impl Message {
    /// Its maximum size in a batch, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let len = |b: &Option<Bytes>| b.as_ref().map_or(0, Bytes::len);
        let headers: usize = self.headers.iter().map(|(name, value)| name.len() + len(value) + 10).sum();
        len(&self.key) + len(&self.value) + headers + RECORD_OVERHEAD
    }
}

/// An acknowledged batch: the offsets of its messages start at `base_offset`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    /// The partition.
    pub partition: i32,
    /// The offset of the batch's first message.
    pub base_offset: i64,
    /// The number of messages.
    pub count: usize,
}

/// Identifies a producer's batches, so that brokers detect duplicates (Kafka's idempotent producer, KIP-98).
#[derive(Debug)]
pub(crate) struct Stamp {
    id: i64,
    epoch: i16,
    /// The number of the next message, by partition.
    numbers: BTreeMap<i32, i32>,
}

impl Stamp {
    fn next(&self, partition: i32) -> i32 {
        self.numbers.get(&partition).copied().unwrap_or(0)
    }

    /// After the largest number they continue at 0.
    fn acknowledged(&mut self, partition: i32, messages: usize) {
        let number = self.numbers.entry(partition).or_default();
        *number = number.wrapping_add(i32::try_from(messages).unwrap_or(0)) & i32::MAX;
    }
}

impl Client {
    /// Request a [`Stamp`].
    ///
    /// # Errors
    ///
    /// The broker's; a coordinator that is not available yet is queried again until `deadline`.
    pub(crate) async fn stamp(&mut self, deadline: Instant) -> Result<Stamp> {
        let mut pause = Pause::until(deadline);
        loop {
            let node = self.any_node();
            let request = |_| {
                // The message's default is an empty id, which Kafka rejects.
                let request = InitProducerIdRequest::default().with_transactional_id(None);
                let request = request.with_producer_id((-1).into()).with_producer_epoch(-1);
                request.with_transaction_timeout_ms(i32::MAX)
            };
            let (_, answer) = self.call(node, VersionRange { min: 0, max: 5 }, deadline, request).await?;
            match answer.error_code {
                0 => {
                    let (id, epoch) = (answer.producer_id.0, answer.producer_epoch);
                    return Ok(Stamp { id, epoch, numbers: BTreeMap::new() });
                }
                code::COORDINATOR_LOAD_IN_PROGRESS | code::COORDINATOR_NOT_AVAILABLE
                    if pause.wait().await => {}
                other => return Err(KafkaError::broker(other, "asking for a producer's id", None)),
            }
        }
    }
}

type Queues = BTreeMap<i32, VecDeque<Vec<Message>>>;

impl Client {
    /// Append messages, each to its specified partition; within a partition they keep their order. `acks` receives an
    /// entry per batch, in offset order within a partition, and is complete even if an error is returned.
    ///
    /// What a broker rejects before writing (the leader changed, too few in-sync replicas) is retried until
    /// `deadline`; what may have been written is not, so this client writes nothing twice.
    pub(crate) async fn produce(
        &mut self,
        topic: &mut Topic,
        messages: Vec<(i32, Message)>,
        acks: &mut Vec<Ack>,
        deadline: Instant,
    ) -> Result<()> {
        self.produce_stamped(topic, messages, acks, None, deadline).await
    }

    /// The same with a [`Stamp`], by which brokers recognize a batch that they already have: then a batch that may
    /// have been written is also sent again until `deadline`, over new connections if the old ones broke, and nothing
    /// is written twice.
    ///
    /// # Errors
    ///
    /// As [`Client::produce`]; the last reason at the deadline. Kafka's `OUT_OF_ORDER_SEQUENCE_NUMBER` means that a
    /// broker has lost what it had acknowledged.
    pub(crate) async fn produce_once(
        &mut self,
        topic: &mut Topic,
        messages: Vec<(i32, Message)>,
        acks: &mut Vec<Ack>,
        stamp: &mut Stamp,
        deadline: Instant,
    ) -> Result<()> {
        self.produce_stamped(topic, messages, acks, Some(stamp), deadline).await
    }

    async fn produce_stamped(
        &mut self,
        topic: &mut Topic,
        messages: Vec<(i32, Message)>,
        acks: &mut Vec<Ack>,
        mut stamp: Option<&mut Stamp>,
        deadline: Instant,
    ) -> Result<()> {
        let mut queues = batches(messages);
        let mut pause = Pause::until(deadline);
        while !queues.is_empty() {
            // A partition without a leader does not delay the others.
            let (groups, leaderless) = spread(topic, queues.keys().copied());
            let stamp = stamp.as_deref_mut();
            let refusal = self.produce_round(topic, &mut queues, groups, acks, stamp, deadline).await?;
            if let Some(refusal) = refusal.or(leaderless) {
                if !pause.wait().await {
                    return Err(refusal);
                }
                self.look_up_again(topic, refusal, deadline).await?;
            }
        }
        Ok(())
    }

    /// Send the first batch of every partition, one request per leader. Returns a transient rejection; its batches
    /// are still queued.
    async fn produce_round(
        &mut self,
        topic: &Topic,
        queues: &mut Queues,
        groups: BTreeMap<i32, Vec<i32>>,
        acks: &mut Vec<Ack>,
        mut stamp: Option<&mut Stamp>,
        deadline: Instant,
    ) -> Result<Option<KafkaError>> {
        let mut refusal = None;
        // Version 13 identifies a topic only by its id.
        let handled = VersionRange { min: 3, max: if topic.id.is_nil() { 12 } else { 13 } };
        for (leader, partitions) in groups {
            let mut data = Vec::with_capacity(partitions.len());
            for partition in &partitions {
                if let Some(batch) = queues.get(partition).and_then(VecDeque::front) {
                    let stamp = stamp.as_deref().map(|s| (s.id, s.epoch, s.next(*partition)));
                    let records = Some(encode_batch(batch, stamp));
                    data.push(PartitionProduceData::default().with_index(*partition).with_records(records));
                }
            }
            let sent = data.len();
            let request = |version| {
                let named = TopicProduceData::default().with_partition_data(data);
                let named = if version >= 13 {
                    named.with_topic_id(topic.id)
                } else {
                    named.with_name(topic_name(&topic.name))
                };
                ProduceRequest::default()
                    .with_acks(-1)
                    .with_timeout_ms(millis_until(deadline, PRODUCE_LIMIT))
                    .with_topic_data(vec![named])
            };
            let answer = match self.call(leader, handled, deadline, request).await {
                Ok((_, answer)) => answer,
                // Reported by this client itself: the leader is not among the known brokers.
                Err(e) if e.is_retriable() || stamp.is_some() && e.is_append_result_unknown() => {
                    refusal = Some(e);
                    continue;
                }
                Err(e) => return Err(e),
            };
            let mut answered = 0;
            let mut failure = None;
            for answer in answer.responses.iter().flat_map(|t| &t.partition_responses) {
                let Some(queue) = queues.get_mut(&answer.index) else { continue };
                let Some(batch) = queue.pop_front() else { continue };
                answered += 1;
                match answer.error_code {
                    0 | code::DUPLICATE_SEQUENCE_NUMBER => {
                        acks.push(Ack {
                            partition: answer.index,
                            base_offset: answer.base_offset,
                            count: batch.len(),
                        });
                        if let Some(stamp) = stamp.as_deref_mut() {
                            stamp.acknowledged(answer.index, batch.len());
                        }
                    }
                    // A topic's limit may be lower than the broker's default: halve the batch, as Kafka's own
                    // producer does.
                    code::MESSAGE_TOO_LARGE if batch.len() > 1 => {
                        let mut batch = batch;
                        let second = batch.split_off(batch.len() / 2);
                        queue.push_front(second);
                        queue.push_front(batch);
                    }
                    other => {
                        let what = format!("appending to topic {}, partition {}", topic.name, answer.index);
                        let words = answer.error_message.as_ref().map(StrBytes::as_str);
                        let error = KafkaError::broker(other, what, words);
                        if error.is_retriable() || stamp.is_some() && error.is_append_result_unknown() {
                            queue.push_front(batch);
                            refusal = Some(error);
                        } else {
                            // Acknowledgements of other partitions may follow in this response.
                            failure.get_or_insert(error);
                        }
                    }
                }
                if queue.is_empty() {
                    queues.remove(&answer.index);
                }
            }
            if let Some(failure) = failure {
                return Err(failure);
            }
            if answered != sent {
                return Err(KafkaError::Protocol(format!(
                    "the broker answered for {answered} of {sent} partitions of topic {} (Produce)",
                    topic.name
                )));
            }
        }
        Ok(refusal)
    }
}

/// Messages as batches of at most [`BATCH_BYTES`], by partition.
fn batches(messages: Vec<(i32, Message)>) -> Queues {
    let mut queues = Queues::new();
    let mut filled: BTreeMap<i32, usize> = BTreeMap::new();
    for (partition, message) in messages {
        let queue = queues.entry(partition).or_default();
        let filled = filled.entry(partition).or_default();
        let bytes = message.bytes();
        match queue.back_mut() {
            Some(batch) if *filled + bytes <= BATCH_BYTES => {
                batch.push(message);
                *filled += bytes;
            }
            _ => {
                queue.push_back(vec![message]);
                *filled = bytes;
            }
        }
    }
    queues
}

/// One record batch with the current time.
fn encode_batch(messages: &[Message], stamp: Option<(i64, i16, i32)>) -> Bytes {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    records::encode(messages, stamp, i64::try_from(now.as_millis()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Message {
        Message { value: Some(Bytes::from(vec![b'x'; bytes])), ..Message::default() }
    }

    #[test]
    fn a_batch_stays_below_the_brokers_limit() {
        let queues = batches((0..50).map(|i| (i % 2, message(100_000))).collect());
        assert_eq!(queues.keys().copied().collect::<Vec<_>>(), [0, 1]);
        for queue in queues.values() {
            assert_eq!(queue.iter().map(Vec::len).sum::<usize>(), 25);
            for batch in queue {
                assert!(encode_batch(batch, None).len() <= 1_048_588);
            }
        }
        let largest = batches(vec![(0, message(1_000_000)), (0, message(1_000_000))]);
        assert_eq!(largest[&0].len(), 2);
        assert!(encode_batch(&largest[&0][0], None).len() <= 1_048_588);
    }

    #[test]
    fn many_messages_are_one_batch() {
        let batch: Vec<Message> = (0..1000).map(|_| message(10)).collect();
        let mut bytes = encode_batch(&batch, None);
        let info = kafka_protocol::records::RecordBatchDecoder::decode_batch_info(&mut bytes).unwrap();
        assert_eq!(info.len(), 1);
        assert_eq!((info[0].record_count, info[0].base_sequence), (1000, -1));
    }
}
