//! Which partitions and brokers are queried first, and how far each was read.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// How long to skip a broker that did not respond while others do.
const REST: Duration = Duration::from_secs(2);
/// The minimum interval between look-ups of a topic because some of its partitions are rejected.
const LOOK: Duration = Duration::from_secs(1);

/// The state of a client between two fetches.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// When each partition last returned records, as a counter.
    served: BTreeMap<(String, i32), u64>,
    count: u64,
    /// How far each was read, and the leader epoch of the last batch before that offset.
    epochs: BTreeMap<(String, i32), (i64, i32)>,
    resting: BTreeMap<i32, Instant>,
    looked: Option<Instant>,
}

impl Turns {
    /// Partitions, those that have waited longest first: brokers fill a response in the order of the request, so the
    /// last of many would starve (Kafka's consumer also moves a partition to the end after it returned records).
    pub(crate) fn in_turn(&self, topic: &str, mut partitions: Vec<i32>) -> Vec<i32> {
        partitions.sort_by_key(|p| (self.last(topic, *p), *p));
        partitions
    }

    /// When a partition last returned records.
    pub(crate) fn last(&self, topic: &str, partition: i32) -> u64 {
        self.served.get(&(topic.to_owned(), partition)).copied().unwrap_or(0)
    }

    /// Record that a partition returned records.
    pub(crate) fn gave(&mut self, topic: &str, partition: i32) {
        self.count += 1;
        self.served.insert((topic.to_owned(), partition), self.count);
    }

    /// Record that it was read up to `offset`.
    pub(crate) fn read_to(&mut self, topic: &str, partition: i32, offset: i64, epoch: Option<i32>) {
        let key = (topic.to_owned(), partition);
        match epoch {
            Some(epoch) => drop(self.epochs.insert(key, (offset, epoch))),
            None => drop(self.epochs.remove(&key)),
        }
    }

    /// The epoch of the records before `offset`; -1 if unknown.
    pub(crate) fn epoch(&self, topic: &str, partition: i32, offset: i64) -> i32 {
        let known = self.epochs.get(&(topic.to_owned(), partition));
        known.filter(|(at, _)| *at == offset).map_or(-1, |(_, epoch)| *epoch)
    }

    /// Record that a broker did not respond.
    pub(crate) fn rest(&mut self, broker: i32) {
        self.resting.insert(broker, Instant::now() + REST);
    }

    /// Whether it is skipped for now.
    pub(crate) fn rests(&self, broker: i32) -> bool {
        self.resting.get(&broker).is_some_and(|until| Instant::now() < *until)
    }

    /// Record that a broker responded.
    pub(crate) fn answered(&mut self, broker: i32) {
        self.resting.remove(&broker);
    }

    /// Whether it is time to look a topic up again.
    pub(crate) fn may_look(&mut self) -> bool {
        let due = self.looked.is_none_or(|at| at.elapsed() >= LOOK);
        if due {
            self.looked = Some(Instant::now());
        }
        due
    }
}
