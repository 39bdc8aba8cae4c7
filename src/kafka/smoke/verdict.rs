//! Compares what was read with what was acknowledged. Pure, and one record at a time, so that memory does not depend
//! on the size of the test.

use std::collections::BTreeMap;

use super::plan::{Messages, Recognised};
use crate::errors;
use crate::failure::Id;
use crate::kafka::fetch::Entry;
use crate::kafka::produce::Ack;

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its error id.
    pub id: Id,
    /// Details, one sentence without a final stop.
    pub message: String,
    /// Whether the test fails because of it.
    pub fails: bool,
}

/// The result of the comparison.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Messages that were read once or more, with the same key and bytes.
    pub verified: u64,
    /// Messages of others in between.
    pub foreign: u64,
    /// Findings, the most severe first; empty if there is no problem.
    pub findings: Vec<Finding>,
}

/// A counter, with the first place.
#[derive(Debug, Clone, Default)]
struct Tally {
    count: u64,
    first: Option<String>,
}

impl Tally {
    fn add(&mut self, count: u64, place: impl FnOnce() -> String) {
        if count > 0 {
            self.count += count;
            self.first.get_or_insert_with(place);
        }
    }

    fn finding(&self, id: Id, what: &str, fails: bool) -> Option<Finding> {
        let place = self.first.as_ref()?;
        Some(Finding { id, message: format!("{what}: {} (first: {place})", self.count), fails })
    }
}

/// An acknowledged batch, and which of its partition's messages is its first.
#[derive(Debug, Clone, Copy)]
struct Range {
    base: i64,
    end: i64,
    index: u64,
}

const SEEN: u8 = 1;
const INTACT: u8 = 2;

/// Collects what is read and compares it.
pub(crate) struct Checker<'a> {
    messages: &'a Messages,
    /// Per partition the acknowledged ranges, ascending.
    acked: BTreeMap<i32, Vec<Range>>,
    /// Per message [`SEEN`] and [`INTACT`].
    state: Vec<u8>,
    /// Per key the highest number seen.
    last: Vec<Option<u64>>,
    foreign_in: BTreeMap<i32, u64>,
    /// Per partition the latest known start and end of the log.
    bounds: BTreeMap<i32, (i64, i64)>,
    foreign: Tally,
    damaged: Tally,
    compressed: Tally,
    duplicates: Tally,
    disorder: Tally,
}

impl<'a> Checker<'a> {
    /// A checker that has read nothing yet. `acks` are those of [`Client::produce`](crate::kafka::Client::produce).
    pub(crate) fn new(messages: &'a Messages, acks: &[Ack]) -> Self {
        let mut acked: BTreeMap<i32, Vec<Range>> = BTreeMap::new();
        for ack in acks {
            let ranges = acked.entry(ack.partition).or_default();
            let index = ranges.last().map_or(0, |r| r.index + (r.end - r.base).unsigned_abs());
            let end = ack.base_offset + i64::try_from(ack.count).unwrap_or(i64::MAX);
            ranges.push(Range { base: ack.base_offset, end, index });
        }
        for ranges in acked.values_mut() {
            ranges.sort_by_key(|r| r.base);
        }
        Self {
            messages,
            acked,
            state: vec![0; usize::try_from(messages.count()).unwrap_or(0)],
            last: vec![None; messages.keys()],
            foreign_in: BTreeMap::new(),
            bounds: BTreeMap::new(),
            foreign: Tally::default(),
            damaged: Tally::default(),
            compressed: Tally::default(),
            duplicates: Tally::default(),
            disorder: Tally::default(),
        }
    }

    /// The message that was acknowledged at this place.
    fn expected(&self, partition: i32, offset: i64) -> Option<u64> {
        let ranges = self.acked.get(&partition)?;
        let at = ranges.partition_point(|r| r.base <= offset).checked_sub(1)?;
        let range = ranges.get(at).filter(|r| offset < r.end)?;
        self.messages.nth(partition, range.index + (offset - range.base).unsigned_abs())
    }

    /// Messages of others seen in `partition`.
    pub(crate) fn foreign_in(&self, partition: i32) -> u64 {
        self.foreign_in.get(&partition).copied().unwrap_or(0)
    }

    /// Set the log's bounds, from a partition's leader; -1 for unknown.
    pub(crate) fn bounds(&mut self, partition: i32, first: i64, end: i64) {
        if first >= 0 || end >= 0 {
            self.bounds.insert(partition, (first, end));
        }
    }

    /// Process what was read, in offset order within a partition.
    pub(crate) fn observe(&mut self, partition: i32, entry: &Entry) {
        let record = match entry {
            Entry::Record(record) => record,
            Entry::Opaque { first, last, count, why } => {
                let mut ours = 0;
                // A batch's span may be huge (compaction): look only where we have written.
                let ranges = self.acked.get(&partition).cloned().unwrap_or_default();
                for range in ranges {
                    for offset in range.base.max(*first)..range.end.min(last.saturating_add(1)) {
                        if let Some(n) = self.expected(partition, offset) {
                            self.state[n as usize] |= SEEN;
                            ours += 1;
                        }
                    }
                }
                let place = || format!("partition {partition}, offsets {first} to {last}, {why}");
                self.compressed.add(ours, place);
                self.add_foreign(partition, count.saturating_sub(ours), place);
                return;
            }
        };
        let place = || format!("partition {partition}, offset {}", record.offset);
        match self.messages.recognise(record.key.as_deref(), record.value.as_deref()) {
            Recognised::Foreign => self.add_foreign(partition, 1, place),
            Recognised::Damaged(n) => {
                self.damaged.add(1, place);
                if let Some(n) = n.or_else(|| self.expected(partition, record.offset)) {
                    self.state[n as usize] |= SEEN;
                }
            }
            Recognised::Intact(n) => {
                let state = &mut self.state[n as usize];
                if *state & INTACT != 0 {
                    self.duplicates.add(1, place);
                    return; // a duplicate does not affect the order
                }
                *state |= SEEN | INTACT;
                let last = &mut self.last[self.messages.key_of(n)];
                if last.is_some_and(|last| last > n) {
                    self.disorder.add(1, place);
                } else {
                    *last = Some(n);
                }
            }
        }
    }

    fn add_foreign(&mut self, partition: i32, count: u64, place: impl FnOnce() -> String) {
        self.foreign.add(count, place);
        *self.foreign_in.entry(partition).or_default() += count;
    }

    /// Compare. `allow_foreign` reports foreign messages without failing.
    pub(crate) fn finish(&self, allow_foreign: bool) -> Verdict {
        let mut findings = Vec::new();
        findings.extend(self.missing());
        findings.extend(self.damaged.finding(errors::SMOKE_CONTENT, "messages were changed", true));
        let what = "messages were returned compressed and cannot be compared";
        findings.extend(self.compressed.finding(errors::SMOKE_COMPRESSED, what, true));
        findings.extend(self.duplicates.finding(
            errors::SMOKE_DUPLICATE,
            "messages were returned more than once",
            true,
        ));
        findings.extend(self.disorder.finding(
            errors::SMOKE_ORDER,
            "messages were returned before an earlier message with the same key",
            true,
        ));
        findings.extend(self.foreign.finding(
            errors::SMOKE_FOREIGN,
            "messages of others were found in between",
            !allow_foreign,
        ));
        let verified = self.state.iter().filter(|s| **s & INTACT != 0).count() as u64;
        Verdict { verified, foreign: self.foreign.count, findings }
    }

    /// Acknowledged, and missing.
    fn missing(&self) -> Option<Finding> {
        let mut missing = Tally::default();
        let mut acked = 0;
        let mut cut = None;
        for (partition, ranges) in &self.acked {
            for range in ranges {
                for offset in range.base..range.end {
                    let Some(n) = self.expected(*partition, offset) else { continue };
                    acked += 1;
                    if self.state[n as usize] == 0 {
                        missing.add(1, || format!("partition {partition}, offset {offset}"));
                        cut = cut.or_else(|| self.cut(*partition, offset));
                    }
                }
            }
        }
        let place = missing.first?;
        let (count, cut) = (missing.count, cut.map(|c| format!("; {c}")).unwrap_or_default());
        let (id, message) = if count == acked && cut.is_empty() {
            (
                errors::SMOKE_EMPTY,
                format!("none of {acked} acknowledged messages was returned (first: {place})"),
            )
        } else {
            let what = "acknowledged messages are missing from the log";
            (errors::SMOKE_TRUNCATED, format!("{count} of {acked} {what} (first: {place}{cut})"))
        };
        Some(Finding { id, message, fails: true })
    }

    /// Which end of the log an acknowledged offset was removed from. A log that ends exactly where we started is no
    /// evidence of truncation: then nothing was ever written.
    fn cut(&self, partition: i32, offset: i64) -> Option<String> {
        let (first, end) = *self.bounds.get(&partition)?;
        let base = self.acked.get(&partition)?.first()?.base;
        if first > offset {
            Some(format!("the log now begins at offset {first}"))
        } else if (0..=offset).contains(&end) && end != base {
            Some(format!("the log now ends at offset {end}"))
        } else {
            None
        }
    }
}
