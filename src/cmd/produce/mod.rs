//! `kstrim produce`: produces lines of stdin to a topic.
//!
//! Memory: [`lines::AHEAD`] bytes of lines that are read ahead, and three copies of a portion of [`PORTION_BYTES`],
//! or of one line if that is larger: as lines, as batches, as requests.

mod lines;

use std::collections::BTreeMap;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use self::lines::Lines;
use super::living;
use super::streaming::{self, Rights, Stream};
use crate::cli::{Global, Produce, Summary};
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::Topic;
use crate::kafka::partition;
use crate::kafka::produce::{Ack, Message};

/// The maximum number of messages, and of bytes, that are sent at once.
const PORTION: usize = 10_000;
const PORTION_BYTES: usize = 4_000_000;
/// How long to wait, after a signal, for acknowledgements of messages that were sent.
const GRACE: Duration = Duration::from_millis(1200);

/// What was produced.
#[derive(Debug, Default, Serialize)]
struct Written {
    topic: String,
    messages: u64,
    partitions: BTreeMap<i32, Part>,
}

/// What was produced to a partition.
#[derive(Debug, Default, Serialize)]
struct Part {
    messages: u64,
    /// The first and the last of their offsets; messages of others may be in between. -1 if a broker only responded
    /// that it already has them.
    first: i64,
    last: i64,
}

impl Written {
    fn add(&mut self, ack: &Ack) {
        let count = ack.count as u64;
        self.messages += count;
        let fresh = !self.partitions.contains_key(&ack.partition);
        let part = self.partitions.entry(ack.partition).or_default();
        if fresh {
            part.first = ack.base_offset;
        }
        part.messages += count;
        part.last =
            if ack.base_offset < 0 { -1 } else { ack.base_offset + i64::try_from(count).unwrap_or(1) - 1 };
    }

    fn summary(&self) -> String {
        let s = if self.messages == 1 { "" } else { "s" };
        format!("{} message{s} written to {}", self.messages, self.topic)
    }
}

/// Produce stdin's lines to the topic.
pub(crate) async fn run(global: &Global, args: &Produce) -> Result<ExitCode> {
    let mut stop = pin!(super::status::stopped());
    let target = &Target::from(global);
    let mut stream = tokio::select! {
        stream = Stream::open(global, rights(args, target), args.partition, false) => stream?,
        kind = &mut stop => return Ok(ExitCode::from(kind.exit_code())),
    };
    let stamped = stream.client.stamp(Instant::now() + args.timeout);
    let mut stamp = tokio::select! {
        stamp = stamped => stamp.map_err(|e| streaming::failed(errors::PRODUCE_FAILED, rights(args, target), "written", e))?,
        kind = &mut stop => return Ok(ExitCode::from(kind.exit_code())),
    };
    let mut written = Written { topic: args.topic.to_string(), ..Written::default() };
    let mut lines = Lines::read_ahead(|| std::io::stdin().lock());
    let mut framer = Framer { args, number: 0, turn: 0 };
    let ended = loop {
        let first = tokio::select! {
            biased;
            kind = &mut stop => break Ok(Some(kind)),
            line = lines.recv() => line,
        };
        let Some(first) = first else { break Ok(None) };
        let (portion, broken) = framer.portion(first, || lines.try_recv(), &stream.topic);
        let mut acks = Vec::new();
        let deadline = Instant::now() + args.timeout;
        let mut stopped = None;
        let sent = {
            let mut sending =
                pin!(stream.client.produce_once(&mut stream.topic, portion, &mut acks, &mut stamp, deadline));
            tokio::select! {
                sent = &mut sending => Some(sent),
                kind = &mut stop => {
                    stopped = Some(kind);
                    tokio::time::timeout(GRACE, sending).await.ok()
                }
            }
        };
        acks.iter().for_each(|ack| written.add(ack));
        match (sent, broken, stopped) {
            (Some(Err(error)), ..) => {
                break Err(streaming::failed(errors::PRODUCE_FAILED, rights(args, target), "written", error));
            }
            (_, Some(failure), _) => break Err(failure),
            (_, None, Some(kind)) => break Ok(Some(kind)),
            (_, None, None) => {}
        }
    };
    print_summary(global, args, &written);
    match ended {
        Ok(None) => Ok(ExitCode::SUCCESS),
        Ok(Some(kind)) => Ok(ExitCode::from(kind.exit_code())),
        Err(failure) if written.messages > 0 => {
            Err(Box::new(failure.because(format!(
                "{}; it is not known whether later messages were written",
                written.summary()
            ))))
        }
        Err(failure) => Err(failure),
    }
}

fn rights<'a>(args: &'a Produce, target: &'a Target) -> Rights<'a> {
    Rights { target, topic: &args.topic, user: args.user.as_ref(), operation: "write" }
}

fn print_summary(global: &Global, args: &Produce, written: &Written) {
    if args.output == Summary::Json {
        super::print(&(serde_json::to_string(written).unwrap_or_default() + "\n"));
    }
    if !global.quiet {
        living::print_to_stderr(&written.summary());
    }
}

/// Converts lines to messages.
struct Framer<'a> {
    args: &'a Produce,
    /// The number of lines so far.
    number: u64,
    /// The partition for messages without a key, which changes with each portion.
    turn: u32,
}

impl Framer<'_> {
    /// The messages that can be sent at once: the first line, and those that have already been read. An invalid line
    /// ends the portion after the messages before it.
    fn portion(
        &mut self,
        first: std::io::Result<Vec<u8>>,
        mut more: impl FnMut() -> Option<std::io::Result<Vec<u8>>>,
        topic: &Topic,
    ) -> (Vec<(i32, Message)>, Option<Box<Failure>>) {
        let mut portion = Vec::new();
        let mut bytes = 0;
        let mut line = first;
        // Messages without a key are sent to the same partition as the others of their portion, one that has a
        // leader, as Kafka's own producer does it. The partition of a key is fixed, whether it has a leader or not.
        let partitions = topic.partitions();
        let led: Vec<i32> = topic.led().collect();
        let keyless = led.get(self.turn as usize % led.len().max(1)).copied().unwrap_or(0);
        self.turn = self.turn.wrapping_add(1);
        loop {
            self.number += 1;
            let made = line.map_err(|e| e.to_string()).and_then(|line| {
                bytes += line.len();
                self.message(line)
            });
            match made {
                Ok(message) => {
                    let by_key = message.key.as_ref().map(|key| partition::for_key(key, partitions));
                    portion.push((self.args.partition.or(by_key).unwrap_or(keyless), message));
                }
                Err(why) => {
                    let message = format!("line {} of stdin is not a valid message", self.number);
                    let failure = Failure::new(errors::PRODUCE_LINE, Kind::Usage, message).because(why);
                    return (portion, Some(Box::new(failure)));
                }
            }
            if portion.len() >= PORTION || bytes >= PORTION_BYTES {
                return (portion, None);
            }
            match more() {
                Some(next) => line = next,
                None => return (portion, None),
            }
        }
    }

    fn message(&self, line: Vec<u8>) -> std::result::Result<Message, String> {
        let headers = self.args.headers.iter();
        let headers = headers.map(|(name, value)| (name.clone(), Some(Bytes::from(value.clone())))).collect();
        let Some(separator) = &self.args.key_separator else {
            return Ok(Message { key: None, value: Some(line.into()), headers });
        };
        let at = line.windows(separator.len()).position(|w| w == separator.as_bytes());
        let at = at.ok_or_else(|| format!("it has no key separator {separator:?}"))?;
        let line = Bytes::from(line);
        let (key, value) = (line.slice(..at), line.slice(at + separator.len()..));
        Ok(Message { key: Some(key), value: Some(value), headers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(separator: Option<&str>, partition: Option<i32>) -> Produce {
        Produce {
            topic: "t".parse().unwrap(),
            key_separator: separator.map(str::to_owned),
            partition,
            user: None,
            headers: vec![("h".into(), "v".into())],
            output: Summary::Text,
            timeout: Duration::from_secs(1),
        }
    }

    fn frame(args: &Produce, lines: &[&str], partitions: u32) -> (Vec<(i32, Message)>, Option<Box<Failure>>) {
        let mut framer = Framer { args, number: 0, turn: 0 };
        let mut lines = lines.iter().map(|line| Ok(line.as_bytes().to_vec()));
        let first = lines.next().unwrap();
        let leaders = vec![0; usize::try_from(partitions).unwrap()];
        let topic = Topic { name: "t".into(), id: uuid::Uuid::nil(), leaders };
        framer.portion(first, || lines.next(), &topic)
    }

    #[test]
    fn keys_choose_partitions_as_kafkas_own_producer_does() {
        let args = args(Some("::"), None);
        let (portion, broken) = frame(&args, &["21::a::b", "::", "foobar::"], 10);
        assert!(broken.is_none());
        let text = |b: &Option<Bytes>| String::from_utf8(b.clone().unwrap().to_vec()).unwrap();
        assert_eq!(portion[0].0, partition::for_key(b"21", 10));
        assert_eq!((text(&portion[0].1.key), text(&portion[0].1.value)), ("21".into(), "a::b".into()));
        assert_eq!((text(&portion[1].1.key), text(&portion[1].1.value)), (String::new(), String::new()));
        assert_eq!(portion[0].1.headers[0].0, "h");
    }

    #[test]
    fn a_line_without_a_key_ends_the_portion() {
        let args = args(Some(":"), None);
        let (portion, broken) = frame(&args, &["a:1", "b", "c:3"], 1);
        assert_eq!(portion.len(), 1);
        let failure = broken.unwrap();
        assert_eq!((failure.id, failure.kind), (errors::PRODUCE_LINE, Kind::Usage));
        assert!(failure.message.contains("line 2"), "{}", failure.message);
    }

    #[test]
    fn a_requested_partition_is_used() {
        let args = args(None, Some(2));
        let (portion, _) = frame(&args, &["a", "b"], 3);
        assert!(portion.iter().all(|(p, m)| *p == 2 && m.key.is_none()));
    }
}
