//! Reading from exact offsets, without a consumer group.
//!
//! Memory: a response of [`ANSWER_BYTES`], or of one batch if that is larger (brokers accept none above 100 MiB),
//! and one record of it, decompressed ([`MAX_RECORD`](super::records::MAX_RECORD)).

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::{FetchRequest, FetchResponse};
use kafka_protocol::protocol::VersionRange;
use tokio::time::Instant;

use super::admin::spread;
use super::client::{Client, Pause, Topic, millis_until, topic_name};
use super::error::{KafkaError, Result, code};
pub(crate) use super::records::{Entry, Fetched, Records, Step};

/// Maximum size of one response, and of one partition in it, in bytes. A single larger batch is still returned:
/// brokers never leave a reader stuck.
pub(crate) const ANSWER_BYTES: usize = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;
/// How much longer than its share one of several brokers may take.
const SLOW: Duration = Duration::from_secs(5);

/// The part of one partition.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The partition.
    pub partition: i32,
    /// The offset after the last record that all in-sync replicas have; -1 if out of range.
    pub high_watermark: i64,
    /// The oldest record's offset; -1 if out of range, or from a broker older than 1.0.
    pub log_start: i64,
    /// The requested offset is before the log's start or after its end.
    pub out_of_range: bool,
    /// The log was truncated since it was read (an unclean leader election): from this offset on its records differ
    /// from those that were read.
    pub diverged: Option<i64>,
    /// Why it cannot be read now, if other partitions can.
    pub refused: Option<String>,
    /// The records. It also knows where to continue.
    pub records: Records,
}

impl Chunk {
    fn empty(partition: i32, position: i64) -> Self {
        let (high_watermark, log_start) = (-1, -1);
        let records = Records::none(position);
        Self {
            partition,
            high_watermark,
            log_start,
            out_of_range: false,
            diverged: None,
            refused: None,
            records,
        }
    }

    fn refused(partition: i32, position: i64, why: &KafkaError) -> Self {
        Self { refused: Some(why.to_string()), ..Self::empty(partition, position) }
    }
}

impl Client {
    /// Read the available records from the specified offsets on (by partition number), waiting up to `max_wait` for
    /// the first byte. Transaction markers are skipped, and with `Options::committed` what was written in an aborted
    /// transaction.
    ///
    /// A partition that has no leader, or whose broker is unavailable, is [`Chunk::refused`] and does not block the
    /// others. A partition may be missing from the result: it comes first the next time.
    ///
    /// # Errors
    /// The broker's. If no partition can be read now, they are looked up again until `deadline`.
    pub(crate) async fn fetch(
        &mut self,
        topic: &mut Topic,
        from: &BTreeMap<i32, i64>,
        max_wait: Duration,
        deadline: Instant,
    ) -> Result<Vec<Chunk>> {
        let mut pause = Pause::until(deadline);
        loop {
            let (chunks, refusal) = self.fetch_now(topic, from, max_wait, deadline).await?;
            let any = chunks.iter().any(|chunk| chunk.refused.is_none());
            match refusal {
                None => return Ok(chunks),
                Some(_) if any => {
                    if self.turns.may_look() {
                        let soon = deadline.min(Instant::now() + SLOW);
                        // If no broker responds, the next fetch reports it.
                        if let Ok(found) = self.topic_as_is(&topic.name, soon).await {
                            *topic = found;
                        }
                    }
                    return Ok(chunks);
                }
                Some(e) if e.is_retriable() && pause.wait().await => {
                    self.look_up_again(topic, e, deadline).await?;
                }
                Some(e) => return Err(e),
            }
        }
    }

    /// Record how far a partition was read, so that the next fetch can tell whether what was read is still in the
    /// log (KIP-320).
    pub(crate) fn was_read(&mut self, topic: &Topic, partition: i32, offset: i64, epoch: Option<i32>) {
        self.turns.read_to(&topic.name, partition, offset, epoch);
    }

    /// Query each leader once for available records, and if there are none, let each wait for its share of the time.
    /// Also returns a rejection, if there was one.
    async fn fetch_now(
        &mut self,
        topic: &Topic,
        from: &BTreeMap<i32, i64>,
        max_wait: Duration,
        deadline: Instant,
    ) -> Result<(Vec<Chunk>, Option<KafkaError>)> {
        let (groups, leaderless) = spread(topic, from.keys().copied());
        let mut refusal = leaderless;
        let mut chunks: Vec<Chunk> = Vec::with_capacity(from.len());
        for (partition, position) in from {
            if let Err(e) = topic.leader(*partition) {
                chunks.push(Chunk::refused(*partition, *position, &e));
            }
        }
        let in_turn = |(leader, partitions)| (leader, self.turns.in_turn(&topic.name, partitions));
        let mut groups: Vec<(i32, Vec<i32>)> = groups.into_iter().map(in_turn).collect();
        groups.sort_by_key(|(_, partitions)| {
            partitions.iter().map(|p| self.turns.last(&topic.name, *p)).min().unwrap_or(0)
        });
        // A broker that was unavailable is queried again a little later, unless there is no other.
        if groups.iter().any(|(leader, _)| !self.turns.rests(*leader)) {
            groups.retain(|(leader, partitions)| {
                let rests = self.turns.rests(*leader);
                if rests {
                    let away =
                        KafkaError::broker(code::LEADER_NOT_AVAILABLE, format!("broker {leader}"), None);
                    chunks.extend(partitions.iter().map(|p| Chunk::refused(*p, from[p], &away)));
                    refusal.get_or_insert(away);
                }
                !rests
            });
        }
        let count = u32::try_from(groups.len().max(1)).unwrap_or(1);
        // The connections are used one after another: none may delay the others.
        let waits: &[Duration] = if count == 1 { &[max_wait] } else { &[Duration::ZERO, max_wait / count] };
        let mut room = ANSWER_BYTES;
        for wait in waits {
            let mut failed = Vec::new();
            for (leader, partitions) in &groups {
                if room == 0 {
                    break;
                }
                let limit = if count == 1 { deadline } else { deadline.min(Instant::now() + *wait + SLOW) };
                match self.fetch_from(topic, (*leader, partitions), from, (*wait, room), limit).await {
                    Ok(answer) => {
                        self.turns.answered(*leader);
                        for part in answer.responses.into_iter().flat_map(|t| t.partitions) {
                            room = room.saturating_sub(part.records.as_ref().map_or(0, bytes::Bytes::len));
                            let (chunk, refused) = self.chunk(topic, from, part)?;
                            // A response of the second round replaces that of the first.
                            chunks.retain(|c| chunk.as_ref().is_none_or(|new| new.partition != c.partition));
                            chunks.extend(chunk);
                            refusal = refusal.or(refused);
                        }
                    }
                    Err(e) if e.is_retriable() || e.is_append_result_unknown() => {
                        self.turns.rest(*leader);
                        chunks.extend(partitions.iter().map(|p| Chunk::refused(*p, from[p], &e)));
                        refusal.get_or_insert(e);
                        failed.push(*leader);
                    }
                    Err(e) => return Err(e),
                }
            }
            groups.retain(|(leader, _)| !failed.contains(leader));
            let news = |c: &Chunk| c.out_of_range || c.diverged.is_some();
            if room < ANSWER_BYTES || chunks.iter().any(news) {
                break;
            }
        }
        Ok((chunks, refusal))
    }

    async fn fetch_from(
        &mut self,
        topic: &Topic,
        (leader, partitions): (i32, &[i32]),
        from: &BTreeMap<i32, i64>,
        (wait, room): (Duration, usize),
        deadline: Instant,
    ) -> Result<FetchResponse> {
        // From version 13 on a topic is identified only by its id.
        let handled = VersionRange { min: 4, max: if topic.id.is_nil() { 12 } else { 18 } };
        let epochs: Vec<i32> =
            partitions.iter().map(|p| self.turns.epoch(&topic.name, *p, from[p])).collect();
        let committed = self.reads_committed();
        let request = |version| {
            let partition = |(p, epoch): (&i32, &i32)| {
                FetchPartition::default()
                    .with_partition(*p)
                    .with_fetch_offset(from[p])
                    .with_last_fetched_epoch(if version >= 12 { *epoch } else { -1 })
                    .with_partition_max_bytes(PARTITION_BYTES)
            };
            let asked = partitions.iter().zip(&epochs).map(partition).collect();
            let asked = FetchTopic::default().with_partitions(asked);
            let asked = if version >= 13 {
                asked.with_topic_id(topic.id)
            } else {
                asked.with_topic(topic_name(&topic.name))
            };
            FetchRequest::default()
                .with_max_wait_ms(millis_until(deadline, wait))
                .with_min_bytes(1)
                .with_max_bytes(i32::try_from(room).unwrap_or(i32::MAX))
                .with_isolation_level(i8::from(committed))
                .with_topics(vec![asked])
        };
        let (_, answer) = self.call(leader, handled, deadline, request).await?;
        if answer.error_code != 0 {
            return Err(KafkaError::broker(answer.error_code, format!("reading topic {}", topic.name), None));
        }
        Ok(answer)
    }

    /// A partition of a response.
    fn chunk(
        &mut self,
        topic: &Topic,
        from: &BTreeMap<i32, i64>,
        part: PartitionData,
    ) -> Result<(Option<Chunk>, Option<KafkaError>)> {
        let partition = part.partition_index;
        let Some(&position) = from.get(&partition) else { return Ok((None, None)) };
        let mut chunk = Chunk::empty(partition, position);
        (chunk.high_watermark, chunk.log_start) = (part.high_watermark, part.log_start_offset);
        chunk.out_of_range = part.error_code == code::OFFSET_OUT_OF_RANGE;
        if part.error_code != 0 && !chunk.out_of_range {
            let what = format!("reading topic {}, partition {partition}", topic.name);
            let error = KafkaError::broker(part.error_code, what, None);
            if !error.is_retriable() {
                return Err(error);
            }
            chunk.refused = Some(error.to_string());
            return Ok((Some(chunk), Some(error)));
        }
        let end = part.diverging_epoch.end_offset;
        chunk.diverged = (end >= 0 && !chunk.out_of_range).then_some(end.min(position));
        let records =
            part.records.filter(|r| !r.is_empty() && !chunk.out_of_range && chunk.diverged.is_none());
        if let Some(records) = records {
            self.turns.gave(&topic.name, partition);
            let records = Records::new(records, position, self.decompresses());
            chunk.records = if self.reads_committed() {
                let aborted = part.aborted_transactions.unwrap_or_default();
                records.without(aborted.iter().map(|a| (a.first_offset, a.producer_id.0)))
            } else {
                records
            };
        }
        Ok((Some(chunk), None))
    }

    /// Read from the specified offsets until `want` records were passed to `each` or `deadline` passed; `from` is
    /// advanced. Returns how many were read; opaque batches count with all their records.
    #[cfg(test)]
    pub(crate) async fn read(
        &mut self,
        topic: &mut Topic,
        from: &mut BTreeMap<i32, i64>,
        want: u64,
        deadline: Instant,
        mut each: impl FnMut(i32, Entry),
    ) -> Result<u64> {
        let mut got = 0;
        while got < want && Instant::now() < deadline {
            let chunks = match self.fetch(topic, from, Duration::from_millis(500), deadline).await {
                Err(KafkaError::Timeout { .. }) if Instant::now() >= deadline => break,
                result => result?,
            };
            for mut chunk in chunks {
                let what = format!("topic {}, partition {}", topic.name, chunk.partition);
                if chunk.out_of_range {
                    return Err(KafkaError::broker(code::OFFSET_OUT_OF_RANGE, what, None));
                }
                while got < want {
                    let Some(entry) = chunk.records.next() else { break };
                    let entry = entry.map_err(|bad| KafkaError::records(&what, bad))?;
                    got += match &entry {
                        Entry::Record(_) => 1,
                        Entry::Opaque { count, .. } => *count,
                    };
                    each(chunk.partition, entry);
                }
                from.insert(chunk.partition, chunk.diverged.unwrap_or(chunk.records.next_offset()));
            }
        }
        Ok(got)
    }
}
