//! Reading from exact offsets, without a consumer group.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::{Buf, Bytes};
use kafka_protocol::messages::FetchRequest;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::protocol::{StrBytes, VersionRange};
use kafka_protocol::records::{Compression, RecordBatchDecoder};
use tokio::time::Instant;

use super::admin::by_leader;
use super::client::{Client, Pause, Topic, millis_until, topic_name};
use super::error::{KafkaError, Result, code};

/// Most bytes of one answer, and of one partition in it. A single larger batch still comes
/// through, brokers never leave a reader stuck.
const ANSWER_BYTES: i32 = 8 << 20;
const PARTITION_BYTES: i32 = 1 << 20;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its offset in its partition.
    pub offset: i64,
    /// Milliseconds since 1970, by the producer's or the broker's clock.
    pub timestamp: i64,
    /// Its key, if any.
    pub key: Option<Bytes>,
    /// Its value; none is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers; of a name given twice the last value.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// What a log holds, in offset order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A record.
    Record(Fetched),
    /// A batch this client cannot look into.
    Opaque {
        /// First offset.
        first: i64,
        /// Last offset.
        last: i64,
        /// Records in it.
        count: u64,
        /// `compressed with lz4`, `message format v1`
        why: String,
    },
}

/// A part of one partition.
#[derive(Debug, Clone, Default)]
pub struct Chunk {
    /// The partition.
    pub partition: i32,
    /// The offset after the last record that all in-sync replicas have; -1 if out of range.
    pub high_watermark: i64,
    /// The oldest record's offset; -1 if out of range, or from a broker older than 1.0.
    pub log_start: i64,
    /// Where to go on.
    pub next_offset: i64,
    /// The offset asked for is before the log's start or after its end.
    pub out_of_range: bool,
    /// What was read.
    pub entries: Vec<Entry>,
}

impl Client {
    /// Read from the given offsets (by partition number) what there is, waiting up to
    /// `max_wait` for the first byte. Control records (transaction markers) are skipped.
    ///
    /// # Errors
    /// The broker's; a leader that moved is looked up again until `deadline`.
    pub async fn fetch(
        &mut self,
        topic: &mut Topic,
        from: &BTreeMap<i32, i64>,
        max_wait: Duration,
        deadline: Instant,
    ) -> Result<Vec<Chunk>> {
        let mut pause = Pause::until(deadline);
        loop {
            match self.fetch_now(topic, from, max_wait, deadline).await {
                Err(e) if e.is_refusal_that_passes() && pause.wait().await => {
                    self.look_up_again(topic, e, deadline).await?;
                }
                result => return result,
            }
        }
    }

    async fn fetch_now(
        &mut self,
        topic: &Topic,
        from: &BTreeMap<i32, i64>,
        max_wait: Duration,
        deadline: Instant,
    ) -> Result<Vec<Chunk>> {
        let groups = by_leader(topic, from.keys().copied())?;
        // One connection after the other: none may hold up the rest for long.
        let share = max_wait / u32::try_from(groups.len().max(1)).unwrap_or(1);
        // From version 13 on a topic is named by its id only.
        let handled = VersionRange { min: 4, max: if topic.id.is_nil() { 12 } else { 18 } };
        let mut chunks = Vec::with_capacity(from.len());
        for (leader, partitions) in groups {
            let request = |version| {
                let partition = |p: &i32| {
                    FetchPartition::default()
                        .with_partition(*p)
                        .with_fetch_offset(from[p])
                        .with_partition_max_bytes(PARTITION_BYTES)
                };
                let asked = FetchTopic::default().with_partitions(partitions.iter().map(partition).collect());
                let asked = if version >= 13 {
                    asked.with_topic_id(topic.id)
                } else {
                    asked.with_topic(topic_name(&topic.name))
                };
                FetchRequest::default()
                    .with_max_wait_ms(millis_until(deadline, share))
                    .with_min_bytes(1)
                    .with_max_bytes(ANSWER_BYTES)
                    .with_topics(vec![asked])
            };
            let (_, answer) = self.call(leader, handled, deadline, request).await?;
            if answer.error_code != 0 {
                return Err(KafkaError::broker(
                    answer.error_code,
                    format!("reading topic {}", topic.name),
                    None,
                ));
            }
            for part in answer.responses.into_iter().flat_map(|t| t.partitions) {
                let Some(&position) = from.get(&part.partition_index) else { continue };
                let what = format!("topic {}, partition {}", topic.name, part.partition_index);
                let mut chunk = Chunk {
                    partition: part.partition_index,
                    high_watermark: part.high_watermark,
                    log_start: part.log_start_offset,
                    next_offset: position,
                    out_of_range: part.error_code == code::OFFSET_OUT_OF_RANGE,
                    entries: Vec::new(),
                };
                if part.error_code != 0 && !chunk.out_of_range {
                    return Err(KafkaError::broker(part.error_code, format!("reading {what}"), None));
                }
                if let Some(records) = part.records.filter(|_| !chunk.out_of_range) {
                    (chunk.entries, chunk.next_offset) = decode(records, position, self.decompresses())
                        .map_err(|e| KafkaError::Protocol(format!("{what}: unreadable records: {e}")))?;
                }
                chunks.push(chunk);
            }
        }
        Ok(chunks)
    }

    /// Read from the given offsets until `want` records were handed to `each` or `deadline`
    /// passed; `from` is moved on. Returns how many were read; opaque batches count with all
    /// their records.
    ///
    /// # Errors
    /// As [`Client::fetch`]; `OFFSET_OUT_OF_RANGE`; whatever happens at the deadline is none.
    pub async fn read(
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
            for chunk in chunks {
                if chunk.out_of_range {
                    let what = format!("topic {}, partition {}", topic.name, chunk.partition);
                    return Err(KafkaError::broker(code::OFFSET_OUT_OF_RANGE, what, None));
                }
                let mut next = chunk.next_offset;
                for entry in chunk.entries {
                    let (first, count) = match &entry {
                        Entry::Record(record) => (record.offset, 1),
                        Entry::Opaque { first, count, .. } => (*first, *count),
                    };
                    if got >= want {
                        next = first;
                        break;
                    }
                    got += count;
                    each(chunk.partition, entry);
                }
                from.insert(chunk.partition, next);
            }
        }
        Ok(got)
    }
}

/// Bytes from a batch's start to its length's end: base offset and length.
const BATCH_PREFIX: usize = 12;
/// Bytes of a v2 batch's header.
const BATCH_HEADER: usize = 61;

/// Most records of a compressed batch that are believed: its bytes are no measure of them, but no
/// producer makes larger ones.
const MOST_RECORDS: u64 = 10_000_000;

/// The entries of a partition's records from offset `from` on, and the offset after them. A
/// broker may send batches from their start, before `from`, and cut the last one short.
fn decode(mut rest: Bytes, from: i64, decompress: bool) -> anyhow::Result<(Vec<Entry>, i64)> {
    let mut entries = Vec::new();
    let mut next = from;
    while rest.len() >= BATCH_HEADER {
        let first = (&rest[..8]).get_i64();
        let length = usize::try_from((&rest[8..BATCH_PREFIX]).get_i32())?;
        if rest.len() < BATCH_PREFIX + length {
            break; // cut short
        }
        let mut batch = rest.split_to(BATCH_PREFIX + length);
        let magic = batch.get(16).copied().unwrap_or_default();
        if magic < 2 {
            // Before Kafka 0.11; here an entry is one message, or a compressed set whose
            // offset is its last message's.
            if first >= from {
                let why = format!("message format v{magic}");
                entries.push(Entry::Opaque { first, last: first, count: 1, why });
                next = next.max(first.saturating_add(1));
            }
            continue;
        }
        anyhow::ensure!(batch.len() >= BATCH_HEADER, "a batch of {length} bytes");
        let last = first.saturating_add(i64::from((&batch[23..27]).get_i32().max(0)));
        let body = batch.len() - BATCH_HEADER;
        let info = RecordBatchDecoder::decode_batch_info(&mut batch.clone())?;
        let Some(info) = info.first() else { continue };
        next = next.max(last.saturating_add(1));
        if info.control || last < from {
            continue;
        }
        let count = u64::try_from(info.record_count)?;
        let codec = codec(info.compression);
        if let Some(codec) = codec.filter(|_| !decompress) {
            entries.push(Entry::Opaque {
                first: first.max(from),
                last,
                count,
                why: format!("compressed with {codec}"),
            });
            continue;
        }
        // The decoder reserves room for as many as are announced; none is below 7 bytes.
        let most = if codec.is_some() { MOST_RECORDS } else { (body / 7) as u64 };
        anyhow::ensure!(count <= most, "{count} records announced in {body} bytes");
        for record in RecordBatchDecoder::decode(&mut batch)?.records {
            if record.offset < from {
                continue;
            }
            entries.push(Entry::Record(Fetched {
                offset: record.offset,
                timestamp: record.timestamp,
                key: record.key,
                value: record.value,
                headers: record.headers.into_iter().map(|(k, v)| (StrBytes::to_string(&k), v)).collect(),
            }));
        }
    }
    Ok((entries, next))
}

fn codec(compression: Compression) -> Option<&'static str> {
    match compression {
        Compression::None => None,
        Compression::Gzip => Some("gzip"),
        Compression::Snappy => Some("snappy"),
        Compression::Lz4 => Some("lz4"),
        Compression::Zstd => Some("zstd"),
    }
}
