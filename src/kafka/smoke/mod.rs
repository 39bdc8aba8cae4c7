//! The smoke test: produce unique keyed messages, wait until all in-sync replicas have them, read exactly that part
//! of the log, compare, clean up.

pub(crate) mod failures;
pub(crate) mod plan;
pub(crate) mod verdict;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

pub(crate) use self::failures::Phase;
pub(crate) use self::plan::{Messages, Plan};
pub(crate) use self::verdict::{Checker, Finding};
use super::admin::{Created, End};
use super::client::{BrokerAddr, Client, Dial, Options, Topic};
use super::error::{KafkaError, Result};
use super::produce::Ack;
use crate::event::SmokeReport;
use crate::failure::Failure;

/// How long a broker may refuse connections, or a topic that was not created here be unknown or without a leader.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How long the log may end before what was acknowledged: a new leader learns the high watermark a moment after its
/// election.
const GRACE: Duration = Duration::from_secs(2);
/// How long one fetch waits for more.
const FETCH_WAIT: Duration = Duration::from_millis(250);
/// The limit of cleaning up, which also happens after the test's own limit has expired.
const CLEANUP_LIMIT: Duration = Duration::from_secs(3);
/// Maximum size and number of messages that are created at once.
const PORTION_BYTES: usize = 2_000_000;
const PORTION_MESSAGES: u64 = 5_000;

/// The progress of a smoke test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    /// Connecting to the broker, looking up or creating the topic.
    Connecting,
    /// Acknowledged messages, and the total.
    Producing(u64, u64),
    /// Messages read, and the total.
    Consuming(u64, u64),
    /// Deleting what the test created.
    CleaningUp,
}

/// The result of a smoke test.
#[derive(Debug)]
pub(crate) struct Run {
    /// Measurements, as far as the test got.
    pub report: SmokeReport,
    /// All findings, including those that are not failures; empty if there is no problem.
    pub findings: Vec<Finding>,
    /// Set unless the test passed.
    pub failure: Option<Box<Failure>>,
    /// Where it stopped before anything could be compared.
    pub stopped: Option<Phase>,
    /// What stopped it there.
    pub error: Option<KafkaError>,
}

impl Run {
    /// A test that could not start because of `failure`.
    pub(crate) fn not_started(plan: &Plan, failure: Box<Failure>) -> Self {
        let report =
            SmokeReport { topic: plan.topic.clone(), size: plan.size as u64, ..SmokeReport::default() };
        Self {
            report,
            findings: Vec::new(),
            failure: Some(failure),
            stopped: Some(Phase::Connect),
            error: None,
        }
    }
}

/// Run `plan` in the cluster of `bootstrap`. Never fails itself: see [`Run::failure`].
pub(crate) async fn run(
    plan: &Plan,
    bootstrap: BrokerAddr,
    dial: Rc<dyn Dial>,
    options: Options,
    progress: &dyn Fn(Progress),
) -> Run {
    if let Err(failure) = plan.check() {
        return Run::not_started(plan, failure);
    }
    let deadline = Instant::now() + plan.timeout;
    let report = SmokeReport { topic: plan.topic.clone(), size: plan.size as u64, ..SmokeReport::default() };
    let mut test =
        Test { plan, progress, deadline, phase: Phase::Connect, created: false, report, acks: Vec::new() };
    progress(Progress::Connecting);
    let started = Instant::now();
    let patience = deadline.min(started + CONNECT_LIMIT);
    let mut client = match Client::connect(bootstrap, dial, options, patience).await {
        Ok(client) => client,
        Err(error) => return test.failed(error),
    };
    let mut ground = match test.prepare(&mut client).await {
        Ok(ground) => ground,
        Err(error) => {
            let mut run = test.failed(error);
            run.report.left_behind = test.delete_created(&mut client, None).await;
            return run;
        }
    };
    let messages = Messages::new(plan, ground.topic.partitions());
    let produced = test.produce(&mut client, &mut ground, &messages, started).await;
    let mut checker = Checker::new(&messages, &test.acks);
    let outcome = match produced {
        Ok(()) => test.consume(&mut client, &mut ground, &mut checker).await,
        Err(error) => Err(error),
    };
    let mut run = match outcome {
        Ok(()) => test.judge(&checker, &test.pod(&client, &ground)),
        Err(error) => test.failed(error),
    };
    progress(Progress::CleaningUp);
    run.report.left_behind = test.clean_up(&mut client, &ground, &checker).await;
    run
}

/// The topic before the test, and how far it was read.
struct TopicState {
    topic: Topic,
    /// Log start and end of every partition before the test.
    before: BTreeMap<i32, (i64, i64)>,
    /// The read position, by partition.
    position: BTreeMap<i32, i64>,
}

struct Test<'a> {
    plan: &'a Plan,
    progress: &'a dyn Fn(Progress),
    deadline: Instant,
    phase: Phase,
    /// The topic was created by the test.
    created: bool,
    report: SmokeReport,
    acks: Vec<Ack>,
}

impl Test<'_> {
    async fn prepare(&mut self, client: &mut Client) -> Result<TopicState> {
        self.phase = Phase::Topic;
        if let Some(new) = &self.plan.create {
            self.created = client.create_topic(new, self.deadline).await? == Created::New;
        }
        let patience = self.deadline.min(Instant::now() + CONNECT_LIMIT);
        let mut topic = client.topic(&self.plan.topic, patience).await?;
        let first = client.list_offsets(&mut topic, End::Earliest, self.deadline).await?;
        let end = client.list_offsets(&mut topic, End::Latest, self.deadline).await?;
        let before = end.iter().map(|(p, end)| (*p, (first.get(p).copied().unwrap_or(-1), *end))).collect();
        Ok(TopicState { topic, before, position: BTreeMap::new() })
    }

    async fn produce(
        &mut self,
        client: &mut Client,
        ground: &mut TopicState,
        messages: &Messages,
        started: Instant,
    ) -> Result<()> {
        self.phase = Phase::Produce;
        let total = messages.count();
        let portion = ((PORTION_BYTES / self.plan.size.max(1)) as u64).clamp(1, PORTION_MESSAGES);
        let mut next = 0;
        let mut result = Ok(());
        while next < total && result.is_ok() {
            (self.progress)(Progress::Producing(next, total));
            let end = (next + portion).min(total);
            let batch = (next..end).map(|n| (messages.partition(n), messages.message(n))).collect();
            result = client.produce(&mut ground.topic, batch, &mut self.acks, self.deadline).await;
            next = end;
        }
        self.report.produce_ms = millis(started);
        self.report.sent = self.acks.iter().map(|a| a.count as u64).sum();
        let mut partitions: Vec<i32> = self.acks.iter().map(|a| a.partition).collect();
        partitions.sort_unstable();
        partitions.dedup();
        self.report.partitions = u32::try_from(partitions.len()).unwrap_or(u32::MAX);
        (self.progress)(Progress::Producing(self.report.sent, total));
        result
    }

    /// Read every partition that was written to, from its end before the test until all acknowledged messages were
    /// read.
    async fn consume(
        &mut self,
        client: &mut Client,
        ground: &mut TopicState,
        checker: &mut Checker<'_>,
    ) -> Result<()> {
        self.phase = Phase::Consume;
        let started = Instant::now();
        let mut target: BTreeMap<i32, i64> = BTreeMap::new();
        for ack in &self.acks {
            let start = ground.before.get(&ack.partition).map_or(ack.base_offset, |(_, end)| *end);
            let position = ground.position.entry(ack.partition).or_insert(start);
            *position = (*position).min(ack.base_offset);
            let end = ack.base_offset + i64::try_from(ack.count).unwrap_or(i64::MAX);
            let target = target.entry(ack.partition).or_insert(end);
            *target = (*target).max(end);
        }
        let mut open = ground.position.clone();
        // Records of others after that are not part of the test.
        let mut stop: BTreeMap<i32, i64> = BTreeMap::new();
        let mut short_since: Option<Instant> = None;
        let mut read = 0;
        while !open.is_empty() {
            (self.progress)(Progress::Consuming(read.min(self.report.sent), self.report.sent));
            let chunks = client.fetch(&mut ground.topic, &open, FETCH_WAIT, self.deadline).await?;
            let mut moved = false;
            let mut all_short = true;
            for mut chunk in chunks {
                if chunk.refused.is_some() {
                    all_short = false;
                    continue;
                }
                let partition = chunk.partition;
                let (from, goal) = (open[&partition], target[&partition]);
                let mut end = chunk.high_watermark;
                for entry in chunk.records.by_ref() {
                    let what = format!("topic {}, partition {partition}", ground.topic.name);
                    checker.observe(partition, &entry.map_err(|bad| KafkaError::records(what, bad))?);
                    read += 1;
                }
                let mut next = chunk.records.next_offset();
                checker.bounds(partition, chunk.log_start, end);
                if chunk.out_of_range {
                    let first = client.list_offsets(&mut ground.topic, End::Earliest, self.deadline).await?;
                    let last = client.list_offsets(&mut ground.topic, End::Latest, self.deadline).await?;
                    let first = first.get(&partition).copied().unwrap_or(from);
                    end = last.get(&partition).copied().unwrap_or(from);
                    checker.bounds(partition, first, end);
                    // Continue at the log's new start; if it ends before our position, it may still grow.
                    next = from.max(first);
                }
                moved |= next > from;
                all_short &= end < goal && next >= end;
                ground.position.insert(partition, next);
                if end >= goal && next >= *stop.entry(partition).or_insert(end) {
                    open.remove(&partition);
                } else {
                    open.insert(partition, next);
                }
            }
            if moved || !all_short {
                short_since = None;
            } else if short_since.get_or_insert_with(Instant::now).elapsed() >= GRACE {
                break;
            }
            if Instant::now() >= self.deadline {
                let peer = self.pod(client, ground);
                return Err(KafkaError::Timeout { peer, during: format!("{read} records read") });
            }
        }
        self.report.consume_ms = millis(started);
        (self.progress)(Progress::Consuming(read.min(self.report.sent), self.report.sent));
        Ok(())
    }

    /// The pod of a broker that acknowledged messages, for hints.
    fn pod(&self, client: &Client, ground: &TopicState) -> String {
        let partition = self.acks.first().map_or(0, |a| a.partition);
        let leader = ground.topic.leader(partition).ok().and_then(|id| client.brokers().get(&id));
        leader.map_or_else(|| "POD".to_owned(), |broker| broker.pod().to_owned())
    }

    fn judge(&self, checker: &Checker<'_>, pod: &str) -> Run {
        let verdict = checker.finish(self.plan.allow_foreign);
        let report =
            SmokeReport { verified: verdict.verified, foreign: verdict.foreign, ..self.report.clone() };
        let failure = failures::of_verdict(self.plan, &verdict, pod);
        Run { report, findings: verdict.findings, failure, stopped: None, error: None }
    }

    fn failed(&self, error: KafkaError) -> Run {
        let failure = failures::of_error(self.plan, self.phase, &error, self.report.sent);
        let report = self.report.clone();
        let stopped = Some(self.phase);
        Run { report, findings: Vec::new(), failure: Some(failure), stopped, error: Some(error) }
    }

    /// Delete the topic if the test created it. Returns what remains.
    async fn delete_created(&self, client: &mut Client, id: Option<Uuid>) -> Option<String> {
        let topic = &self.plan.topic;
        if !self.created {
            return None;
        }
        if self.plan.keep {
            return Some(format!("topic {topic} with the test's messages (kept as requested)"));
        }
        let deadline = Instant::now() + CLEANUP_LIMIT;
        let error = client.delete_topic(topic, id, deadline).await.err()?;
        Some(format!("topic {topic}, which the test created: {error}"))
    }

    /// Delete what the test wrote, unless records of others would be deleted, too. Returns what remains.
    async fn clean_up(
        &self,
        client: &mut Client,
        ground: &TopicState,
        checker: &Checker<'_>,
    ) -> Option<String> {
        let topic = &self.plan.topic;
        let deadline = Instant::now() + CLEANUP_LIMIT;
        if self.created {
            return self.delete_created(client, Some(ground.topic.id)).await;
        }
        let mut spans: BTreeMap<i32, (i64, i64, i64)> = BTreeMap::new();
        for ack in &self.acks {
            let count = i64::try_from(ack.count).unwrap_or(i64::MAX);
            let end = ack.base_offset + count;
            let span = spans.entry(ack.partition).or_insert((ack.base_offset, end, 0));
            *span = (span.0.min(ack.base_offset), span.1.max(end), span.2 + count);
        }
        let mut removable = BTreeMap::new();
        for (partition, (_, end, count)) in &spans {
            let (first, empty_to) = ground.before.get(partition).copied().unwrap_or((-1, 0));
            let read_to = ground.position.get(partition).copied().unwrap_or(-1);
            // If the partition was empty, contiguous offsets from there on are all ours; so is what was read and
            // recognized.
            let only_ours = end - empty_to == *count || read_to >= *end;
            if first == empty_to && only_ours && checker.foreign_in(*partition) == 0 {
                removable.insert(*partition, (*end).max(read_to));
            }
        }
        let mut why = "kept as requested";
        if self.plan.keep {
            removable.clear();
        } else {
            why = "among records of others";
            if !removable.is_empty()
                && client.delete_records(&ground.topic, &removable, deadline).await.is_err()
            {
                removable.clear();
                why = "they could not be deleted";
            }
        }
        let stay = spans.iter().filter(|(partition, _)| !removable.contains_key(partition));
        let places: Vec<String> = stay
            .map(|(p, (first, end, _))| format!("partition {p} offsets {first} to {}", end - 1))
            .collect();
        (!places.is_empty()).then(|| format!("messages in topic {topic}: {} ({why})", places.join(", ")))
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
