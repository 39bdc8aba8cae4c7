//! `kstrim consume`: a topic's messages to stdout.

use std::collections::BTreeMap;
use std::io::Write;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::living;
use super::streaming::{self, Rights, Stream};
use crate::cli::{Consume, Format, Global};
use crate::failure::{Failure, Id, Kind, Result};
use crate::kafka::KafkaError;
use crate::kafka::admin::End;
use crate::kafka::fetch::{Chunk, Entry, Fetched};

/// Messages could not be read.
pub const FAILED: Id = Id("KS-CONSUME-FAILED");
/// Fewer messages came than were asked for.
pub const SHORT: Id = Id("KS-CONSUME-SHORT");
/// The log does not hold the offset.
pub const OFFSET: Id = Id("KS-CONSUME-OFFSET");

/// How long brokers may be away before it is a failure.
const AWAY: Duration = Duration::from_secs(120);
/// The limit of one look-up of offsets.
const LOOK_UP: Duration = Duration::from_secs(30);
/// How long one fetch waits for more.
const WAIT: Duration = Duration::from_millis(500);
/// How often a topic is looked up that gives no trouble: partitions may have been added.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The pause before brokers that went away are asked again.
const PAUSE: Duration = Duration::from_millis(250);

/// How reading ended, if not by a failure.
enum Ended {
    /// As many as asked for, or as many as came in the time.
    Done,
    /// Nobody reads stdout any more.
    Closed,
    /// By this signal.
    Signal(Kind),
    /// The time passed.
    Time(&'static str),
}

/// Print the topic's messages.
///
/// # Errors
/// [`FAILED`], [`SHORT`], [`OFFSET`], `KS-TOPIC-UNKNOWN`, `KS-PARTITION-UNKNOWN`, and those of the way to
/// the cluster.
pub async fn run(global: &Global, args: &Consume) -> Result<ExitCode> {
    let mut stop = pin!(super::status::stopped());
    let opened = async {
        let mut stream = Stream::open(global, rights(args), args.partition).await?;
        let from = start(&mut stream, args).await?;
        Ok::<_, Box<Failure>>((stream, from))
    };
    let (stream, from) = tokio::select! {
        opened = opened => opened?,
        kind = &mut stop => return Ok(ExitCode::from(kind.exit_code())),
    };
    let mut reading = Reading { args, stream, from, printed: 0, last: Instant::now(), quiet: global.quiet };
    let end = args.timeout.map(|limit| Instant::now() + limit);
    let ended = {
        let work = async { reading.read(end).await };
        tokio::select! {
            biased;
            ended = work => ended?,
            kind = &mut stop => Ended::Signal(kind),
            () = super::status::reader_gone() => Ended::Closed,
        }
    };
    match ended {
        Ended::Done | Ended::Closed => Ok(ExitCode::SUCCESS),
        Ended::Signal(kind) => Ok(ExitCode::from(kind.exit_code())),
        Ended::Time(why) => match args.messages {
            Some(wanted) => {
                let message = format!("{} of {wanted} messages came from {}", reading.printed, args.topic);
                let failure = Failure::new(SHORT, Kind::Timeout, message).because(why);
                let late = !args.from_beginning && args.offset.is_none();
                Err(Box::new(if late {
                    failure.hint("messages that are there already are read with --from-beginning")
                } else {
                    failure
                }))
            }
            None => Ok(ExitCode::SUCCESS),
        },
    }
}

fn rights(args: &Consume) -> Rights<'_> {
    Rights { topic: &args.topic, user: args.user.as_ref(), operation: "read" }
}

/// Where to begin, by partition.
async fn start(stream: &mut Stream, args: &Consume) -> Result<BTreeMap<i32, i64>> {
    let deadline = Instant::now() + LOOK_UP;
    let failed = |e| streaming::failed(FAILED, rights(args), "read", e);
    let (client, topic) = (&mut stream.client, &mut stream.topic);
    let mut ends = client.list_offsets(topic, End::Latest, deadline).await.map_err(failed)?;
    ends.retain(|p, _| args.partition.is_none_or(|only| *p == only));
    if !args.from_beginning && args.offset.is_none() {
        return Ok(ends);
    }
    let mut firsts = client.list_offsets(topic, End::Earliest, deadline).await.map_err(failed)?;
    firsts.retain(|p, _| ends.contains_key(p));
    let Some(offset) = args.offset else { return Ok(firsts) };
    if ends.len() > 1 {
        return Err(Box::new(
            Failure::new(OFFSET, Kind::Usage, "an offset counts in one partition only".to_owned())
                .because(format!("the topic {} has {} partitions", args.topic, ends.len()))
                .hint(format!("name one: kstrim consume {} --partition 0 --offset {offset}", args.topic)),
        ));
    }
    for (partition, end) in &ends {
        let first = firsts.get(partition).copied().unwrap_or(0);
        if offset < first || offset > *end {
            return Err(Box::new(
                Failure::new(
                    OFFSET,
                    Kind::Usage,
                    format!("partition {partition} does not hold offset {offset}"),
                )
                .because(format!("its oldest message has {first}, its next will have {end}")),
            ));
        }
    }
    Ok(ends.into_keys().map(|p| (p, offset)).collect())
}

struct Reading<'a> {
    args: &'a Consume,
    stream: Stream,
    /// What is read next, by partition.
    from: BTreeMap<i32, i64>,
    printed: u64,
    /// When the last message came.
    last: Instant,
    quiet: bool,
}

impl Reading<'_> {
    async fn read(&mut self, end: Option<Instant>) -> Result<Ended> {
        let mut away: Option<Instant> = None;
        let mut looked = Instant::now();
        loop {
            if away.is_none() && looked.elapsed() >= LOOK_AGAIN {
                looked = Instant::now();
                self.added().await;
            }
            let idle = self.args.idle.map(|idle| self.last + idle);
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Ok(Ended::Time("the time is over"));
            }
            if idle.is_some_and(|idle| now >= idle) {
                return Ok(Ended::Time("no message came for the time given"));
            }
            let next = [end, idle, Some(now + WAIT)].into_iter().flatten().min().unwrap_or(now + WAIT);
            let (wait, limit) = (next.saturating_duration_since(now), now + LOOK_UP);
            let stream = &mut self.stream;
            match stream.client.fetch(&mut stream.topic, &self.from, wait, limit).await {
                Ok(chunks) => {
                    away = None;
                    if let Some(ended) = self.take(chunks).await? {
                        return Ok(ended);
                    }
                }
                Err(error) => {
                    let passes = error.leaves_open() || error.is_refusal_that_passes();
                    let since = *away.get_or_insert_with(|| {
                        if passes {
                            self.say("the broker is away; it is asked again");
                        }
                        now
                    });
                    if !passes || since.elapsed() > AWAY {
                        return Err(streaming::failed(FAILED, rights(self.args), "read", error));
                    }
                    tokio::time::sleep(PAUSE).await;
                    // Leaders may have moved. If nobody answers, the next round finds out.
                    let soon = Instant::now() + Duration::from_secs(5);
                    if let Ok(topic) = self.stream.client.topic(self.args.topic.as_str(), soon).await {
                        self.stream.topic = topic;
                    }
                }
            }
        }
    }

    /// Read new partitions too, from their beginning: what is in them came while this ran. If nobody
    /// answers, the next read finds out.
    async fn added(&mut self) {
        if self.args.partition.is_some() || self.args.offset.is_some() {
            return;
        }
        let soon = Instant::now() + LOOK_UP;
        let Ok(topic) = self.stream.client.topic_now(self.args.topic.as_str(), soon).await else { return };
        for partition in 0..i32::try_from(topic.partitions()).unwrap_or(i32::MAX) {
            self.from.entry(partition).or_insert(0);
        }
        self.stream.topic = topic;
    }

    /// Print what was read. What comes out is counted as read only then.
    async fn take(&mut self, chunks: Vec<Chunk>) -> Result<Option<Ended>> {
        for chunk in chunks {
            if chunk.out_of_range {
                self.skip_to_first(chunk.partition).await?;
                continue;
            }
            let mut out = Vec::new();
            let mut next = chunk.next_offset;
            for entry in chunk.entries {
                let record = match entry {
                    Entry::Record(record) => record,
                    Entry::Opaque { first, last, count, why } => {
                        self.say(&format!(
                            "{count} messages of partition {} cannot be read (offsets {first} to {last}): {why}",
                            chunk.partition
                        ));
                        continue;
                    }
                };
                if self.args.messages.is_some_and(|most| self.printed >= most) {
                    next = record.offset;
                    break;
                }
                print(&mut out, self.args, chunk.partition, &record);
                self.printed += 1;
                self.last = Instant::now();
            }
            let mut stdout = std::io::stdout().lock();
            if stdout.write_all(&out).and_then(|()| stdout.flush()).is_err() {
                return Ok(Some(Ended::Closed));
            }
            self.from.insert(chunk.partition, next);
            if self.args.messages.is_some_and(|most| self.printed >= most) {
                return Ok(Some(Ended::Done));
            }
        }
        Ok(None)
    }

    /// The log was cut under us: by its retention, or by a broker that lost it.
    async fn skip_to_first(&mut self, partition: i32) -> Result<()> {
        let deadline = Instant::now() + LOOK_UP;
        let stream = &mut self.stream;
        let firsts = stream.client.list_offsets(&mut stream.topic, End::Earliest, deadline).await;
        let first = match firsts {
            Ok(firsts) => firsts.get(&partition).copied().unwrap_or(0),
            Err(KafkaError::Connect { .. } | KafkaError::Closed { .. }) => return Ok(()),
            Err(e) => return Err(streaming::failed(FAILED, rights(self.args), "read", e)),
        };
        let was = self.from.insert(partition, first).unwrap_or(0);
        self.say(&format!("partition {partition} no longer holds offset {was}; reading goes on at {first}"));
        Ok(())
    }

    fn say(&self, what: &str) {
        if !self.quiet {
            living::say(&format!("warning: {what}"));
        }
    }
}

/// One message as it was asked for.
fn print(out: &mut Vec<u8>, args: &Consume, partition: i32, record: &Fetched) {
    match args.output {
        Format::Text => {
            if let Some(separator) = &args.key_separator {
                out.extend_from_slice(record.key.as_deref().unwrap_or_default());
                out.extend_from_slice(separator.as_bytes());
            }
            out.extend_from_slice(record.value.as_deref().unwrap_or_default());
            out.push(b'\n');
        }
        Format::Json => {
            out.extend_from_slice(document(partition, record).to_string().as_bytes());
            out.push(b'\n');
        }
        Format::Yaml => {
            out.extend_from_slice(b"---\n");
            out.extend_from_slice(super::yaml(&document(partition, record)).as_bytes());
        }
    }
}

fn document(partition: i32, record: &Fetched) -> Value {
    let mut fields = Map::new();
    fields.insert("partition".into(), partition.into());
    fields.insert("offset".into(), record.offset.into());
    let time = Timestamp::from_millisecond(record.timestamp).ok().filter(|_| record.timestamp >= 0);
    fields.insert("timestamp".into(), time.map_or(Value::Null, |t| t.to_string().into()));
    insert(&mut fields, "key", record.key.as_ref());
    insert(&mut fields, "value", record.value.as_ref());
    let header = |(name, value): &(String, Option<Bytes>)| {
        let mut fields = Map::new();
        fields.insert("name".into(), json!(name));
        insert(&mut fields, "value", value.as_ref());
        Value::Object(fields)
    };
    fields.insert("headers".into(), record.headers.iter().map(header).collect());
    Value::Object(fields)
}

/// Text as text, nothing as null, and other bytes as base64 under another name.
fn insert(fields: &mut Map<String, Value>, name: &str, bytes: Option<&Bytes>) {
    match bytes.map(|b| std::str::from_utf8(b).map_err(|_| b)) {
        None => fields.insert(name.to_owned(), Value::Null),
        Some(Ok(text)) => fields.insert(name.to_owned(), text.into()),
        Some(Err(bytes)) => fields.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_base64() {
        let record = Fetched {
            offset: 7,
            timestamp: 1_760_000_000_123,
            key: None,
            value: Some(Bytes::from_static(&[0xff, 0])),
            headers: vec![("h".into(), Some(Bytes::from_static(b"v"))), ("n".into(), None)],
        };
        assert_eq!(
            document(1, &record),
            json!({"partition": 1, "offset": 7, "timestamp": "2025-10-09T08:53:20.123Z", "key": null,
                "value_base64": "/wA=", "headers": [{"name": "h", "value": "v"}, {"name": "n", "value": null}]})
        );
    }
}
