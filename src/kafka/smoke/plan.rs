//! What the smoke test sends: every message is derived from the run's id and its number, so that nothing has to be
//! stored to know what must be read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::admin::NewTopic;
use crate::kafka::partition;
use crate::kafka::produce::Message;

/// Default number of messages.
pub(crate) const DEFAULT_MESSAGES: u64 = 10;
/// Default size of a value, in bytes.
pub(crate) const DEFAULT_SIZE: usize = 100;
/// Minimum size of a value: run id, number and checksum must fit.
pub(crate) const MIN_SIZE: usize = 64;
/// Maximum size of a value: with key and headers it stays below Kafka's default `message.max.bytes` of 1,048,588.
pub(crate) const MAX_SIZE: usize = 1_000_000;
/// Maximum number of messages of a test; a byte of memory is needed for each.
pub(crate) const MAX_MESSAGES: u64 = 10_000_000;

/// Maximum length of a run id that is not truncated, in characters.
const TAG: usize = 32;
/// Minimum number of keys, if there are as many messages.
const KEYS: u64 = 4;
/// Maximum number of keys: in a topic with more partitions, only this many of them are tested.
const MOST_KEYS: u64 = 1024;

/// A smoke test to run.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Distinguishes this run's messages from any other's.
    pub run_id: String,
    /// The topic to use.
    pub topic: String,
    /// Messages, 1 to [`MAX_MESSAGES`].
    pub messages: u64,
    /// Bytes of each value, [`MIN_SIZE`] to [`MAX_SIZE`].
    pub size: usize,
    /// Keep the messages, and a topic that was created.
    pub keep: bool,
    /// Count and report messages of others in between, but do not fail.
    pub allow_foreign: bool,
    /// Create the topic like this if it does not exist; its name is `topic`'s. A topic that was created is deleted
    /// after the test, unless `keep`.
    pub create: Option<NewTopic>,
    /// The limit of the whole test; cleaning up may take 3 s more.
    pub timeout: Duration,
    /// The cluster, for commands in hints.
    pub target: Target,
}

impl Plan {
    /// Ten small messages through `topic`, which must exist.
    pub(crate) fn new(run_id: impl Into<String>, topic: impl Into<String>, target: &Target) -> Self {
        Self {
            run_id: run_id.into(),
            topic: topic.into(),
            messages: DEFAULT_MESSAGES,
            size: DEFAULT_SIZE,
            keep: false,
            allow_foreign: false,
            create: None,
            timeout: Duration::from_secs(60),
            target: target.clone(),
        }
    }

    /// Whether the numbers are within their bounds.
    pub(crate) fn check(&self) -> Result<()> {
        let usage = |id, message| Failure::new(id, Kind::Usage, message);
        if !(1..=MAX_MESSAGES).contains(&self.messages) {
            let message = format!("the smoke test cannot produce {} messages", self.messages);
            let hint = format!("--messages must be 1 to {MAX_MESSAGES}");
            return Err(Box::new(usage(errors::SMOKE_MESSAGES, message).hint(hint)));
        }
        if !(MIN_SIZE..=MAX_SIZE).contains(&self.size) {
            let message = format!("the smoke test cannot produce messages of {} bytes", self.size);
            let why = "a message contains the run's id, a number and a checksum, and must be smaller than \
                       the broker's message.max.bytes (default 1048588)";
            let hint = format!("--size must be {MIN_SIZE} to {MAX_SIZE}");
            return Err(Box::new(usage(errors::SMOKE_SIZE, message).because(why).hint(hint)));
        }
        Ok(())
    }
}

/// The messages of a run, created when needed. Numbered from 0.
#[derive(Debug, Clone)]
pub(crate) struct Messages {
    tag: String,
    count: u64,
    size: usize,
    /// Message `n` has key `n % keys.len()`; each key with its partition.
    keys: Vec<(Bytes, i32)>,
    /// The keys of a partition, ascending.
    by_partition: BTreeMap<i32, Vec<u64>>,
}

/// The origin of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recognised {
    /// This message, unchanged.
    Intact(u64),
    /// One of this run, but not as sent; its number if that can still be read.
    Damaged(Option<u64>),
    /// Not of this run.
    Foreign,
}

impl Messages {
    /// The messages of `plan` in a topic with `partitions`. Keys are chosen so that every partition gets some, if
    /// there are enough messages.
    pub(crate) fn new(plan: &Plan, partitions: u32) -> Self {
        let tag = tag(&plan.run_id);
        let partitions = partitions.max(1);
        let wanted = u64::from(partitions).clamp(KEYS, MOST_KEYS).min(plan.messages.max(1));
        let mut keys: Vec<(Bytes, i32)> = Vec::new();
        let mut by_partition: BTreeMap<i32, Vec<u64>> = BTreeMap::new();
        let mut candidate = 0u64;
        while (keys.len() as u64) < wanted {
            let key = format!("{tag}-k{candidate}");
            candidate += 1;
            let partition = partition::for_key(key.as_bytes(), partitions);
            let keys_there = by_partition.entry(partition).or_default();
            // No partition gets a second key before every one has a first.
            let round = keys.len() as u64 / u64::from(partitions);
            if keys_there.len() as u64 <= round {
                keys_there.push(keys.len() as u64);
                keys.push((Bytes::from(key), partition));
            }
        }
        by_partition.retain(|_, keys| !keys.is_empty());
        Self { tag, count: plan.messages, size: plan.size, keys, by_partition }
    }

    /// The number of messages.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// The number of different keys.
    pub(crate) fn keys(&self) -> usize {
        self.keys.len()
    }

    /// The index of message `n`'s key.
    pub(crate) fn key_of(&self, n: u64) -> usize {
        (n % self.keys.len() as u64) as usize
    }

    /// The partition of message `n`.
    pub(crate) fn partition(&self, n: u64) -> i32 {
        self.keys[self.key_of(n)].1
    }

    /// The number of the `index`th message (from 0) of `partition`.
    pub(crate) fn nth(&self, partition: i32, index: u64) -> Option<u64> {
        let keys = self.by_partition.get(&partition)?;
        let per_round = keys.len() as u64;
        let n = (index / per_round) * self.keys.len() as u64 + keys[(index % per_round) as usize];
        (n < self.count).then_some(n)
    }

    /// Message `n`.
    pub(crate) fn message(&self, n: u64) -> Message {
        let key = Some(self.keys[self.key_of(n)].0.clone());
        Message { key, value: Some(self.value(n)), headers: Vec::new() }
    }

    /// `kstrim RUN NUMBER PADDING CHECKSUM`, `size` bytes of ASCII. The number is hexadecimal;
    /// the checksum the first 8 digits of the SHA-256 of what is before it.
    fn value(&self, n: u64) -> Bytes {
        const PADDING: &[u8; 64] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
        let mut text = format!("kstrim {} {n:08x} ", self.tag).into_bytes();
        text.reserve(self.size.saturating_sub(text.len()));
        let start = (n % 64) as usize;
        let padding = PADDING.iter().cycle().skip(start);
        text.extend(padding.take(self.size.saturating_sub(text.len() + 9)));
        text.push(b' ');
        let mut sum = String::with_capacity(8);
        for byte in &Sha256::digest(&text)[..4] {
            let _ = write!(sum, "{byte:02x}");
        }
        text.extend_from_slice(sum.as_bytes());
        Bytes::from(text)
    }

    /// The origin of this record.
    pub(crate) fn recognise(&self, key: Option<&[u8]>, value: Option<&[u8]>) -> Recognised {
        let number = value.and_then(|v| self.number(v));
        if let Some(n) = number {
            let same_key = key == Some(&self.keys[self.key_of(n)].0);
            let same_value = value == Some(&self.value(n));
            return if same_key && same_value { Recognised::Intact(n) } else { Recognised::Damaged(Some(n)) };
        }
        match key {
            Some(key) if self.keys.iter().any(|(ours, _)| ours == key) => Recognised::Damaged(None),
            _ => Recognised::Foreign,
        }
    }

    fn number(&self, value: &[u8]) -> Option<u64> {
        let rest = value.strip_prefix(b"kstrim ")?.strip_prefix(self.tag.as_bytes())?.strip_prefix(b" ")?;
        let digits = std::str::from_utf8(rest.get(..8)?).ok()?;
        u64::from_str_radix(digits, 16).ok().filter(|n| *n < self.count)
    }
}

/// A run's id as part of keys and values: no blanks, at most [`TAG`] characters.
fn tag(run_id: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || *c == '-' || *c == '_';
    let mut tag: String = run_id.chars().filter(plain).collect();
    if tag.len() > TAG {
        tag.retain(|c| c != '-'); // a UUID fits without its hyphens
        tag.truncate(TAG);
    }
    if tag.is_empty() { "run".to_owned() } else { tag }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(count: u64, size: usize, partitions: u32) -> Messages {
        let plan = Plan {
            messages: count,
            size,
            ..Plan::new("0199c1d2-7b1e-7cc4-8f00-5d1e2f3a4b5c", "t", &Target::default())
        };
        Messages::new(&plan, partitions)
    }

    #[test]
    fn a_value_has_the_requested_size_and_is_recognized() {
        for size in [MIN_SIZE, DEFAULT_SIZE, 5000] {
            let all = messages(20, size, 3);
            for n in 0..20 {
                let m = all.message(n);
                let (key, value) = (m.key.unwrap(), m.value.unwrap());
                assert_eq!(value.len(), size);
                assert_eq!(all.recognise(Some(&key), Some(&value)), Recognised::Intact(n));
                assert_eq!(all.recognise(Some(b"other"), Some(&value)), Recognised::Damaged(Some(n)));
                let mut broken = value.to_vec();
                broken[size - 12] ^= 1;
                assert_eq!(all.recognise(Some(&key), Some(&broken)), Recognised::Damaged(Some(n)));
                assert_eq!(all.recognise(Some(&key), None), Recognised::Damaged(None));
            }
        }
    }

    #[test]
    fn another_runs_message_is_foreign() {
        let ours = messages(10, 100, 1);
        let plan = Plan::new("another", "t", &Target::default());
        let theirs = Messages::new(&plan, 1).message(3);
        assert_eq!(ours.recognise(theirs.key.as_deref(), theirs.value.as_deref()), Recognised::Foreign);
        assert_eq!(ours.recognise(None, None), Recognised::Foreign);
        assert_eq!(ours.recognise(None, Some(b"kstrim ")), Recognised::Foreign);
    }

    #[test]
    fn every_partition_is_tested_and_the_order_in_it_is_known() {
        for (count, partitions) in [(10, 1), (10, 3), (100, 12), (5, 40), (1, 1), (3, 2)] {
            let all = messages(count, 100, partitions);
            let mut seen: BTreeMap<i32, u64> = BTreeMap::new();
            for n in 0..count {
                let index = seen.entry(all.partition(n)).or_default();
                assert_eq!(all.nth(all.partition(n), *index), Some(n), "{count} in {partitions}");
                *index += 1;
            }
            for (partition, sent) in &seen {
                assert_eq!(all.nth(*partition, *sent), None);
            }
            assert_eq!(seen.len() as u64, u64::from(partitions).min(count), "{count} in {partitions}");
        }
    }

    #[test]
    fn values_out_of_bounds_are_rejected_with_the_allowed_range() {
        let size = |size| Plan { size, ..Plan::new("r", "t", &Target::default()) };
        assert!(size(MIN_SIZE).check().is_ok() && size(MAX_SIZE).check().is_ok());
        for bad in [size(0), size(MIN_SIZE - 1), size(MAX_SIZE + 1)] {
            let failure = bad.check().unwrap_err();
            assert_eq!((failure.id.as_str(), failure.kind), ("KS-SMOKE-SIZE", Kind::Usage));
            assert!(failure.hints[0].contains("64 to 1000000"));
        }
        for bad in [0, MAX_MESSAGES + 1] {
            let plan = Plan { messages: bad, ..Plan::new("r", "t", &Target::default()) };
            assert_eq!(plan.check().unwrap_err().id.as_str(), "KS-SMOKE-MESSAGES");
        }
    }
}
