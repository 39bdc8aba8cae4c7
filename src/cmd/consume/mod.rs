//! `kstrim consume`: prints a topic's messages to stdout.

mod print;

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::time::Instant;

use self::print::print;
use super::living;
use super::streaming::{self, Rights, Stream};
use crate::cli::{Consume, Global, Isolation};
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::KafkaError;
use crate::kafka::admin::End;
use crate::kafka::error::code;
use crate::kafka::fetch::{Chunk, Entry, Step};
use crate::terminal::output::{self, Output};

/// How long brokers may be unavailable before that is a failure.
const AWAY: Duration = Duration::from_secs(120);
/// The time limit of one request for offsets.
const LOOK_UP: Duration = Duration::from_secs(30);
/// How long one fetch waits for more messages.
const WAIT: Duration = Duration::from_millis(500);
/// How often the metadata of a topic is refreshed: partitions may have been added.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// How long, after the time limit, stdout may take to accept what is already queued.
const LAST_BYTES: Duration = Duration::from_secs(1);
/// Bytes that are passed to stdout at once, and steps through a log between checks for signals and deadlines.
const PORTION: usize = 64 << 10;
const STEPS: usize = 256;
/// The delay before unavailable brokers are tried again.
const PAUSE: Duration = Duration::from_millis(250);

/// How reading ended, if not by a failure.
enum Ended {
    /// As many messages as requested, or as many as arrived in the time.
    Done,
    /// The reader of stdout has closed it.
    Closed,
    /// By this signal.
    Signal(Kind),
    /// The time limit has passed.
    Time(&'static str),
}

/// Print the topic's messages.
pub(crate) async fn run(global: &Global, args: &Consume) -> Result<ExitCode> {
    let mut stop = pin!(super::status::stopped());
    let committed = args.isolation_level == Isolation::ReadCommitted;
    let target = &Target::from(global);
    let opened = async {
        let mut stream = Stream::open(global, rights(args, target), args.partition, committed).await?;
        let from = start(&mut stream, args, target).await?;
        Ok::<_, Box<Failure>>((stream, from))
    };
    let (stream, start) = tokio::select! {
        opened = opened => opened?,
        kind = &mut stop => return Ok(ExitCode::from(kind.exit_code())),
    };
    let mut reading = Reading {
        args,
        target,
        stream,
        from: start.from,
        unplaced: start.unplaced,
        refused: BTreeSet::new(),
        printed: 0,
        last: Instant::now(),
        quiet: global.quiet,
        out: output::stdout(),
    };
    let end = args.timeout.map(|limit| Instant::now() + limit);
    let ended = {
        let work = async { reading.read(end).await };
        tokio::select! {
            biased;
            kind = &mut stop => Ended::Signal(kind),
            // It may be waiting until stdout accepts more, and no deadline is checked there.
            () = late(end) => Ended::Time("the time limit was reached"),
            ended = work => ended?,
            () = super::status::reader_gone() => Ended::Closed,
        }
    };
    // A signal ends this wait, and so does the time limit.
    let last = Instant::now() + LAST_BYTES;
    let patience = match ended {
        Ended::Time(_) => Some(last),
        Ended::Done => end.map(|end| last.max(end)),
        Ended::Closed | Ended::Signal(_) => None,
    };
    if let Some(patience) = patience
        && tokio::time::timeout_at(patience, reading.out.flushed()).await.is_err()
    {
        reading.out.abandon();
        return Err(Box::new(
            Failure::new(
                errors::OUTPUT_STALLED,
                Kind::Timeout,
                "stdout does not accept the output".to_owned(),
            )
            .because("the time limit was reached before the reader had read all of the output")
            .hint("check whether the program that reads the pipe is stuck, or allow more time: --timeout"),
        ));
    }
    match (ended, args.messages) {
        (Ended::Signal(kind), _) => Ok(ExitCode::from(kind.exit_code())),
        (Ended::Time(why), Some(wanted)) => {
            let message = format!("{} of {wanted} messages arrived from {}", reading.printed, args.topic);
            let failure = Failure::new(errors::CONSUME_SHORT, Kind::Timeout, message).because(why);
            let late = !args.from_beginning && args.offset.is_none();
            Err(Box::new(if late {
                failure.hint("to read messages that already exist, use --from-beginning")
            } else {
                failure
            }))
        }
        (Ended::Done | Ended::Closed | Ended::Time(_), _) => Ok(ExitCode::SUCCESS),
    }
}

/// Waits for the time limit, if there is one, and a moment longer, so that the reader itself notices it first.
async fn late(end: Option<Instant>) {
    match end {
        Some(end) => tokio::time::sleep_until(end + PAUSE).await,
        None => std::future::pending().await,
    }
}

fn rights<'a>(args: &'a Consume, target: &'a Target) -> Rights<'a> {
    Rights { target, topic: &args.topic, user: args.user.as_ref(), operation: "read" }
}

/// The start offsets by partition.
struct Start {
    from: BTreeMap<i32, i64>,
    /// Partitions without a leader: their start offset is looked up once they have one.
    unplaced: BTreeSet<i32>,
}

async fn start(stream: &mut Stream, args: &Consume, target: &Target) -> Result<Start> {
    let deadline = Instant::now() + LOOK_UP;
    let failed = |e| streaming::failed(errors::CONSUME_FAILED, rights(args, target), "read", e);
    let (client, topic) = (&mut stream.client, &stream.topic);
    let all = 0..i32::try_from(topic.partitions()).unwrap_or(i32::MAX);
    let wanted: BTreeSet<i32> = all.filter(|p| args.partition.is_none_or(|only| *p == only)).collect();
    if args.offset.is_some() && wanted.len() > 1 {
        return Err(Box::new(
            Failure::new(
                errors::CONSUME_OFFSET,
                Kind::Usage,
                "an offset is valid in one partition only".to_owned(),
            )
            .because(format!("the topic {} has {} partitions", args.topic, wanted.len()))
            .hint(format!("specify one: {}", target.again().with("--partition", 0))),
        ));
    }
    let at = if args.from_beginning { End::Earliest } else { End::Latest };
    let ends =
        client.list_offsets_in_part(topic, wanted.iter().copied(), at, deadline).await.map_err(failed)?;
    let unplaced = wanted.into_iter().filter(|p| !ends.contains_key(p)).collect();
    let Some(offset) = args.offset else { return Ok(Start { from: ends, unplaced }) };
    if let Some(partition) = unplaced.first() {
        let lacks = topic.leader(*partition).err().unwrap_or_else(|| {
            KafkaError::broker(code::LEADER_NOT_AVAILABLE, format!("partition {partition}"), None)
        });
        return Err(failed(lacks));
    }
    let partitions = ends.keys().copied();
    let firsts =
        client.list_offsets_in_part(topic, partitions, End::Earliest, deadline).await.map_err(failed)?;
    for (partition, end) in &ends {
        let first = firsts.get(partition).copied().unwrap_or(0);
        if offset < first || offset > *end {
            return Err(Box::new(
                Failure::new(
                    errors::CONSUME_OFFSET,
                    Kind::Usage,
                    format!("partition {partition} does not contain offset {offset}"),
                )
                .because(format!("its oldest message has offset {first}, its next will have {end}")),
            ));
        }
    }
    Ok(Start { from: ends.into_keys().map(|p| (p, offset)).collect(), unplaced })
}

struct Reading<'a> {
    args: &'a Consume,
    target: &'a Target,
    stream: Stream,
    /// The next offset of each partition.
    from: BTreeMap<i32, i64>,
    /// Partitions without a leader, whose start offset is not known yet.
    unplaced: BTreeSet<i32>,
    /// Partitions that could not be read the last time.
    refused: BTreeSet<i32>,
    printed: u64,
    /// When the last message arrived.
    last: Instant,
    quiet: bool,
    out: &'static Output,
}

impl Reading<'_> {
    async fn read(&mut self, end: Option<Instant>) -> Result<Ended> {
        let mut away: Option<Instant> = None;
        let mut looked = Instant::now();
        loop {
            let missing = !self.unplaced.is_empty();
            if away.is_none() && looked.elapsed() >= if missing { WAIT } else { LOOK_AGAIN } {
                looked = Instant::now();
                self.added().await;
                self.place().await?;
            }
            let idle = self.args.idle.map(|idle| self.last + idle);
            let now = Instant::now();
            if end.is_some_and(|end| now >= end) {
                return Ok(Ended::Time("the time limit was reached"));
            }
            if idle.is_some_and(|idle| now >= idle) {
                return Ok(Ended::Time("no message arrived for the specified time"));
            }
            let next = [end, idle, Some(now + WAIT)].into_iter().flatten().min().unwrap_or(now + WAIT);
            let (wait, limit) = (next.saturating_duration_since(now), now + LOOK_UP);
            if self.from.is_empty() && !self.unplaced.is_empty() {
                // None has a leader.
                self.report_refused(self.unplaced.clone(), "it has no leader");
                if away.get_or_insert(now).elapsed() > AWAY {
                    let partition = self.unplaced.first().copied().unwrap_or(0);
                    let lacks = KafkaError::broker(
                        code::LEADER_NOT_AVAILABLE,
                        format!("partition {partition}"),
                        None,
                    );
                    return Err(streaming::failed(
                        errors::CONSUME_FAILED,
                        rights(self.args, self.target),
                        "read",
                        lacks,
                    ));
                }
                tokio::time::sleep(wait.min(WAIT)).await;
                self.added().await;
                self.place().await?;
                continue;
            }
            let stream = &mut self.stream;
            match stream.client.fetch(&mut stream.topic, &self.from, wait, limit).await {
                Ok(chunks) => {
                    away = None;
                    if let Some(ended) = self.take(chunks).await? {
                        return Ok(ended);
                    }
                }
                Err(error) => {
                    let passes = error.is_append_result_unknown() || error.is_retriable();
                    let since = *away.get_or_insert_with(|| {
                        if passes {
                            self.print_to_stderr("the broker is unavailable; retrying");
                        }
                        now
                    });
                    if !passes || since.elapsed() > AWAY {
                        return Err(streaming::failed(
                            errors::CONSUME_FAILED,
                            rights(self.args, self.target),
                            "read",
                            error,
                        ));
                    }
                    tokio::time::sleep(PAUSE).await;
                    // Leaders may have changed. If no broker responds, the next fetch reports it.
                    let soon = Instant::now() + Duration::from_secs(5);
                    if let Ok(topic) = self.stream.client.topic_as_is(self.args.topic.as_str(), soon).await {
                        self.stream.topic = topic;
                    }
                }
            }
        }
    }

    /// Start reading new partitions from their beginning, because their messages were produced while this was
    /// running. If no broker responds, the next fetch reports it.
    async fn added(&mut self) {
        let soon = Instant::now() + LOOK_UP;
        let found = self.stream.client.topic_as_is(self.args.topic.as_str(), soon).await;
        let Ok(topic) = found else { return };
        if self.args.partition.is_none() && self.args.offset.is_none() {
            for partition in 0..i32::try_from(topic.partitions()).unwrap_or(i32::MAX) {
                if !self.unplaced.contains(&partition) {
                    self.from.entry(partition).or_insert(0);
                }
            }
        }
        self.stream.topic = topic;
    }

    /// Start reading the partitions that have a leader now.
    async fn place(&mut self) -> Result<()> {
        if self.unplaced.is_empty() {
            return Ok(());
        }
        let at = if self.args.from_beginning { End::Earliest } else { End::Latest };
        let (stream, deadline) = (&mut self.stream, Instant::now() + LOOK_UP);
        let wanted = self.unplaced.iter().copied();
        let found = stream.client.list_offsets_in_part(&stream.topic, wanted, at, deadline).await;
        let found = found.map_err(|e| {
            streaming::failed(errors::CONSUME_FAILED, rights(self.args, self.target), "read", e)
        })?;
        self.unplaced.retain(|partition| !found.contains_key(partition));
        self.from.extend(found);
        Ok(())
    }

    /// Print messages. Only printed messages count as read.
    async fn take(&mut self, chunks: Vec<Chunk>) -> Result<Option<Ended>> {
        let readable: BTreeSet<i32> =
            chunks.iter().filter(|c| c.refused.is_none()).map(|c| c.partition).collect();
        for partition in self.refused.intersection(&readable) {
            self.print_to_stderr(&format!("partition {partition} can be read again"));
        }
        self.refused.retain(|partition| !readable.contains(partition));
        for chunk in chunks {
            let partition = chunk.partition;
            if let Some(why) = &chunk.refused {
                self.report_refused([partition], why);
            } else if chunk.out_of_range {
                self.reset_offset(partition).await?;
            } else if let Some(end) = chunk.diverged {
                self.handle_truncation(partition, end);
            } else if let Some(ended) = self.print_all(chunk).await? {
                return Ok(Some(ended));
            }
        }
        Ok(None)
    }

    async fn print_all(&mut self, mut chunk: Chunk) -> Result<Option<Ended>> {
        let partition = chunk.partition;
        let mut out = Vec::new();
        let mut steps = 0;
        loop {
            let full = self.args.messages.is_some_and(|most| self.printed >= most);
            let step = if full { None } else { chunk.records.step() };
            let over = step.is_none();
            match step {
                Some(Ok(Step::Entry(Entry::Record(record)))) => {
                    let begun = out.len();
                    print(&mut out, self.args, partition, &record);
                    if self.out.is_terminal() {
                        let text = self.out.foreign(out.split_off(begun));
                        out.extend(text);
                    }
                    self.printed += 1;
                    self.last = Instant::now();
                }
                Some(Ok(Step::Entry(Entry::Opaque { first, last, count, why }))) => self.print_to_stderr(&format!(
                    "{count} messages of partition {partition} cannot be read (offsets {first} to {last}): {why}"
                )),
                Some(Ok(Step::Passed)) | None => {}
                Some(Err(bad)) => {
                    let _ = self.out.send(out).await;
                    let what = format!("topic {}, partition {partition}", self.args.topic);
                    return Err(self.unreadable(partition, KafkaError::records(what, bad)));
                }
            }
            steps += 1;
            if (over || out.len() >= PORTION) && self.out.send(std::mem::take(&mut out)).await.is_err() {
                return Ok(Some(Ended::Closed));
            }
            if steps % STEPS == 0 {
                // A batch may contain many records that are skipped.
                tokio::task::yield_now().await;
            }
            if over {
                let (next, epoch) = (chunk.records.next_offset(), chunk.records.epoch());
                // If nothing was read, the old position is kept, with the epoch that a broker compares.
                if self.from.insert(partition, next) != Some(next) {
                    self.stream.client.was_read(&self.stream.topic, partition, next, epoch);
                }
                return Ok(full.then_some(Ended::Done));
            }
        }
    }

    fn unreadable(&self, partition: i32, error: KafkaError) -> Box<Failure> {
        let KafkaError::TooLarge { after, .. } = error else {
            return streaming::failed(errors::CONSUME_FAILED, rights(self.args, self.target), "read", error);
        };
        let topic = &self.args.topic;
        let message = format!("a message of the topic {topic} is too large to read");
        let failure = Failure::new(errors::CONSUME_TOO_LARGE, Kind::Task, message).because(error);
        let again = self.target.again().without("--from-beginning");
        let again = again.with("--partition", partition).with("--offset", after);
        Box::new(failure.hint(format!("continue after it: {again}")))
    }

    /// The offset is no longer in the log: retention deleted it, or a broker lost data.
    async fn reset_offset(&mut self, partition: i32) -> Result<()> {
        let deadline = Instant::now() + LOOK_UP;
        let Some(&was) = self.from.get(&partition) else { return Ok(()) };
        let stream = &mut self.stream;
        stream.client.was_read(&stream.topic, partition, was, None);
        let mut bounds = [None; 2];
        for (bound, end) in bounds.iter_mut().zip([End::Earliest, End::Latest]) {
            let found = stream.client.list_offsets_in_part(&stream.topic, [partition], end, deadline).await;
            let found = found.map_err(|e| {
                streaming::failed(errors::CONSUME_FAILED, rights(self.args, self.target), "read", e)
            })?;
            *bound = found.get(&partition).copied();
        }
        // If no broker responds, the next fetch reports it.
        let [Some(first), Some(end)] = bounds else { return Ok(()) };
        if was < first {
            self.from.insert(partition, first);
            self.print_to_stderr(&format!(
                "partition {partition} no longer contains offset {was}; reading continues at {first}"
            ));
        } else if was > end {
            self.handle_truncation(partition, end);
        }
        Ok(())
    }

    /// A broker lost data, and the log continues at `end` with other messages. What was printed from there on is no
    /// longer in the log; what precedes it is not printed twice.
    fn handle_truncation(&mut self, partition: i32, end: i64) {
        let was = self.from.insert(partition, end).unwrap_or(end);
        self.stream.client.was_read(&self.stream.topic, partition, end, None);
        if was > end {
            self.print_to_stderr(&format!(
                "partition {partition} was truncated from offset {was} to {end}: messages that were read are lost in Kafka; reading continues at {end}"
            ));
        }
    }

    /// Report once that partitions cannot be read, while others can.
    fn report_refused(&mut self, partitions: impl IntoIterator<Item = i32>, why: &str) {
        for partition in partitions {
            if self.refused.insert(partition) {
                self.print_to_stderr(&format!("partition {partition} cannot be read now: {why}"));
            }
        }
    }

    fn print_to_stderr(&self, what: &str) {
        if !self.quiet {
            living::print_to_stderr(&format!("warning: {what}"));
        }
    }
}
