//! Record batches as brokers store and send them (message formats v0, v1 and v2), read one record at a time.
//!
//! Why not kafka-protocol's own codec: it keeps headers in a map (repeated names are lost), drops a batch's
//! timestamp type and largest timestamp, and decompresses a batch as a whole. Nothing here holds more than one
//! record, however large a batch is once decompressed: [`MAX_RECORD`].

mod encode;
mod legacy;
mod unpack;

use std::collections::{BTreeSet, VecDeque};

use bytes::{Buf, Bytes};

pub(crate) use encode::encode;
use unpack::Body;

/// The largest record or message, in bytes once decompressed: as much as a broker accepts in one request by default
/// (`socket.request.max.bytes`).
pub const MAX_RECORD: usize = 100 << 20;

/// Bytes from a batch's start to the end of its length: base offset and length.
const PREFIX: usize = 12;
/// Bytes of a v2 batch's header.
const HEADER: usize = 61;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Its offset in its partition.
    pub offset: i64,
    /// Milliseconds since 1970: the producer's clock, or the broker's if the topic has
    /// `message.timestamp.type=LogAppendTime`; -1 for none.
    pub timestamp: i64,
    /// Its key, if any.
    pub key: Option<Bytes>,
    /// Its value; `None` is a tombstone.
    pub value: Option<Bytes>,
    /// Its headers, in order; a name may occur more than once.
    pub headers: Vec<(String, Option<Bytes>)>,
}

/// The content of a log, in offset order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A record.
    Record(Fetched),
    /// A compressed batch, if the client does not decompress them.
    Opaque {
        /// First offset.
        first: i64,
        /// Last offset.
        last: i64,
        /// Records in it.
        count: u64,
        /// `compressed with lz4`
        why: String,
    },
}

/// One step through a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Something to return.
    Entry(Entry),
    /// Something was skipped: a record before the requested offset, a batch's end, a transaction marker.
    Passed,
}

/// Why records cannot be read any further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadRecords {
    /// Larger than [`MAX_RECORD`] once decompressed.
    TooLarge {
        /// The offset at which reading stops.
        offset: i64,
        /// The offset after the batch it is in: where reading can continue.
        after: i64,
    },
    /// It does not match the format.
    Unreadable {
        /// The offset at which reading stops.
        offset: i64,
        /// What is wrong.
        why: String,
    },
}

/// What is wrong with some bytes; [`Records`] knows their offset.
#[derive(Debug)]
enum Wrong {
    TooLarge,
    Unreadable(String),
}

impl From<std::io::Error> for Wrong {
    fn from(e: std::io::Error) -> Self {
        match e.kind() {
            std::io::ErrorKind::FileTooLarge => Wrong::TooLarge,
            std::io::ErrorKind::UnexpectedEof => {
                Wrong::Unreadable("it ends in the middle of a record".into())
            }
            _ => Wrong::Unreadable(e.to_string()),
        }
    }
}

fn wrong<T>(why: impl Into<String>) -> Result<T, Wrong> {
    Err(Wrong::Unreadable(why.into()))
}

/// Transactions that a broker reports as aborted, as far as they affect a response (KIP-98).
#[derive(Debug, Clone, Default)]
struct Aborted {
    /// First offset and producer, by first offset.
    to_come: VecDeque<(i64, i64)>,
    producers: BTreeSet<i64>,
}

impl Aborted {
    /// A batch begins; returns whether its records belong to an aborted transaction.
    fn holds(&mut self, head: &Head) -> bool {
        while self.to_come.front().is_some_and(|(first, _)| *first <= head.last) {
            self.producers.extend(self.to_come.pop_front().map(|(_, producer)| producer));
        }
        head.transactional() && self.producers.contains(&head.producer)
    }
}

/// The header of a v2 batch.
#[derive(Debug, Clone, Copy)]
struct Head {
    first: i64,
    last: i64,
    epoch: i32,
    attributes: i16,
    base_timestamp: i64,
    max_timestamp: i64,
    producer: i64,
    count: i32,
}

impl Head {
    fn read(mut bytes: &[u8]) -> Self {
        let first = bytes.get_i64();
        let _length = bytes.get_i32();
        let epoch = bytes.get_i32();
        let (_magic, _crc) = (bytes.get_i8(), bytes.get_u32());
        let attributes = bytes.get_i16();
        let last = first.saturating_add(i64::from(bytes.get_i32().max(0)));
        let (base_timestamp, max_timestamp) = (bytes.get_i64(), bytes.get_i64());
        let producer = bytes.get_i64();
        let (_epoch, _sequence) = (bytes.get_i16(), bytes.get_i32());
        Self {
            first,
            last,
            epoch,
            attributes,
            base_timestamp,
            max_timestamp,
            producer,
            count: bytes.get_i32(),
        }
    }

    fn append_time(&self) -> bool {
        self.attributes & 8 != 0
    }

    fn transactional(&self) -> bool {
        self.attributes & 16 != 0
    }

    fn control(&self) -> bool {
        self.attributes & 32 != 0
    }
}

/// A batch that is being read.
enum Open {
    Batch { head: Head, left: i32, body: Body },
    Legacy(legacy::Set),
}

impl Open {
    fn next(&mut self) -> Result<Option<Fetched>, Wrong> {
        match self {
            Open::Batch { left: ..=0, .. } => Ok(None),
            Open::Batch { head, left, body } => {
                *left -= 1;
                record(head, body).map(Some)
            }
            Open::Legacy(set) => set.next(),
        }
    }
}

/// A partition's part of a response: whole batches, the last of which may be truncated.
pub struct Records {
    rest: Bytes,
    from: i64,
    next: i64,
    epoch: Option<i32>,
    decompress: bool,
    aborted: Option<Aborted>,
    open: Option<Open>,
    batches: u64,
    /// The offset after the batch that was started last.
    after: i64,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} bytes from offset {} on", self.rest.len(), self.next)
    }
}

impl Records {
    /// The records of a response from offset `from` on: a broker sends whole batches, so earlier records may come
    /// too. Without `decompress` compressed batches are [`Entry::Opaque`].
    pub fn new(bytes: Bytes, from: i64, decompress: bool) -> Self {
        Self {
            rest: bytes,
            from,
            next: from,
            epoch: None,
            decompress,
            aborted: None,
            open: None,
            batches: 0,
            after: from,
        }
    }

    /// No records.
    pub fn none(from: i64) -> Self {
        Self::new(Bytes::new(), from, false)
    }

    /// Skip what was written in these transactions: first offset and producer id of each.
    #[must_use]
    pub fn without(mut self, aborted: impl IntoIterator<Item = (i64, i64)>) -> Self {
        let mut to_come: Vec<(i64, i64)> = aborted.into_iter().collect();
        to_come.sort_unstable();
        self.aborted = Some(Aborted { to_come: to_come.into(), producers: BTreeSet::new() });
        self
    }

    /// Where to continue after what was returned so far.
    pub fn next_offset(&self) -> i64 {
        self.next
    }

    /// The leader epoch of the last batch that was started, if it has one.
    pub fn epoch(&self) -> Option<i32> {
        self.epoch
    }

    /// Advance by one record, or by something that is skipped. Takes no longer than one record does; `None` at the
    /// end. After an error nothing more follows.
    pub fn step(&mut self) -> Option<Result<Step, BadRecords>> {
        match self.step_in() {
            Ok(step) => step.map(Ok),
            Err(wrong) => {
                self.open = None;
                (self.rest, self.batches) = (Bytes::new(), 0);
                let offset = self.next;
                Some(Err(match wrong {
                    Wrong::TooLarge => {
                        BadRecords::TooLarge { offset, after: self.after.max(offset.saturating_add(1)) }
                    }
                    Wrong::Unreadable(why) => BadRecords::Unreadable { offset, why },
                }))
            }
        }
    }

    fn step_in(&mut self) -> Result<Option<Step>, Wrong> {
        let Some(open) = &mut self.open else { return self.begin() };
        match open.next()? {
            Some(record) if record.offset < self.from => Ok(Some(Step::Passed)),
            Some(record) => {
                self.next = self.next.max(record.offset.saturating_add(1));
                Ok(Some(Step::Entry(Entry::Record(record))))
            }
            None => {
                self.next = self.next.max(self.after);
                self.open = None;
                Ok(Some(Step::Passed))
            }
        }
    }

    /// Start the next batch.
    fn begin(&mut self) -> Result<Option<Step>, Wrong> {
        if self.rest.len() < PREFIX {
            return self.end();
        }
        let length = usize::try_from((&self.rest[8..PREFIX]).get_i32());
        let Ok(length) = length else { return wrong("a batch of negative length") };
        if length < legacy::LEAST {
            return wrong(format!("a batch of {length} bytes"));
        }
        if self.rest.len() - PREFIX < length {
            return self.end();
        }
        let batch = self.rest.split_to(PREFIX + length);
        self.batches += 1;
        match batch[16] {
            0 | 1 => self.begin_legacy(batch),
            2 if batch.len() >= HEADER => self.begin_batch(batch),
            2 => wrong(format!("a batch of {length} bytes")),
            other => wrong(format!("message format v{other}, which this client does not support")),
        }
    }

    /// The response's end. Skips ahead; otherwise a broker that only sends batches before the offset would be queried
    /// forever.
    fn end(&mut self) -> Result<Option<Step>, Wrong> {
        self.rest = Bytes::new();
        if std::mem::take(&mut self.batches) > 0 && self.next == self.from {
            return wrong("the broker sent only records before the requested offset");
        }
        Ok(None)
    }

    fn begin_batch(&mut self, batch: Bytes) -> Result<Option<Step>, Wrong> {
        let head = Head::read(&batch);
        if crc32c::crc32c(&batch[21..]) != (&batch[17..21]).get_u32() {
            return wrong("a batch whose checksum is wrong");
        }
        self.after = head.last.saturating_add(1);
        self.epoch = Some(head.epoch).filter(|epoch| *epoch >= 0);
        let taken_back = self.aborted.as_mut().is_some_and(|aborted| aborted.holds(&head));
        if head.control() {
            self.mark(&head, &batch)?;
        }
        if head.control() || taken_back || head.last < self.from {
            self.next = self.next.max(head.last.saturating_add(1));
            return Ok(Some(Step::Passed));
        }
        let codec = unpack::codec(head.attributes)?;
        if let Some(codec) = codec.filter(|_| !self.decompress) {
            let first = head.first.max(self.from);
            self.next = self.next.max(head.last.saturating_add(1));
            return Ok(Some(Step::Entry(opaque(first, head.last, head.count, codec))));
        }
        let body = Body::new(batch.slice(HEADER..), codec)?;
        self.open = Some(Open::Batch { head, left: head.count, body });
        Ok(Some(Step::Passed))
    }

    /// The end of a transaction: its producer's next one may be committed.
    fn mark(&mut self, head: &Head, batch: &Bytes) -> Result<(), Wrong> {
        const ABORT: i16 = 0;
        let Some(aborted) = &mut self.aborted else { return Ok(()) };
        if head.count < 1 {
            return Ok(());
        }
        let codec = unpack::codec(head.attributes)?;
        let marker = record(head, &mut Body::new(batch.slice(HEADER..), codec)?)?;
        // Two numbers: version and type.
        if marker.key.is_some_and(|key| key.len() >= 4 && (&key[2..4]).get_i16() == ABORT) {
            aborted.producers.remove(&head.producer);
        }
        Ok(())
    }

    fn begin_legacy(&mut self, message: Bytes) -> Result<Option<Step>, Wrong> {
        let wrapper = legacy::message(&message)?;
        let offset = wrapper.record.offset;
        (self.epoch, self.after) = (None, offset.saturating_add(1));
        let past = offset < self.from;
        match unpack::codec(wrapper.attributes)? {
            _ if past => Ok(Some(Step::Passed)),
            None => {
                self.next = self.next.max(offset.saturating_add(1));
                Ok(Some(Step::Entry(Entry::Record(wrapper.record))))
            }
            Some(codec) if !self.decompress => {
                let (first, why) = (self.next, codec);
                self.next = self.next.max(offset.saturating_add(1));
                Ok(Some(Step::Entry(opaque(first, offset, 1, why))))
            }
            Some(codec) => {
                let set = legacy::Set::new(wrapper, codec)?;
                self.open = Some(Open::Legacy(set));
                Ok(Some(Step::Passed))
            }
        }
    }
}

/// The entries only.
impl Iterator for Records {
    type Item = Result<Entry, BadRecords>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.step()? {
                Ok(Step::Passed) => {}
                Ok(Step::Entry(entry)) => return Some(Ok(entry)),
                Err(e) => return Some(Err(e)),
            }
        }
    }
}

fn opaque(first: i64, last: i64, count: i32, codec: unpack::Codec) -> Entry {
    let count = u64::try_from(count).unwrap_or(0);
    Entry::Opaque { first, last, count, why: format!("compressed with {codec}") }
}

/// The next record of a v2 batch.
fn record(head: &Head, body: &mut Body) -> Result<Fetched, Wrong> {
    let length = body.varint()?;
    let Ok(length) = usize::try_from(length) else { return wrong("a record of negative length") };
    if length > MAX_RECORD {
        return Err(Wrong::TooLarge);
    }
    let mut fields = Body::plain(body.bytes(length)?);
    let _attributes = fields.byte()?;
    let timestamp = head.base_timestamp.saturating_add(fields.varlong()?);
    let delta = fields.varint()?;
    if delta < 0 || i64::from(delta) > head.last.saturating_sub(head.first) {
        return wrong("a record outside of its batch");
    }
    let key = fields.nullable()?;
    let value = fields.nullable()?;
    let Ok(count) = usize::try_from(fields.varint()?) else { return wrong("a negative number of headers") };
    // No header is shorter than 2 bytes; the announced count must not decide how much memory is allocated.
    if count > fields.left() / 2 {
        return wrong(format!("{count} headers announced in {} bytes", fields.left()));
    }
    let mut headers = Vec::with_capacity(count.min(1024));
    for _ in 0..count {
        let Some(name) = fields.nullable()? else { return wrong("a header without a name") };
        headers.push((String::from_utf8_lossy(&name).into_owned(), fields.nullable()?));
    }
    let timestamp = if head.append_time() { head.max_timestamp } else { timestamp };
    Ok(Fetched { offset: head.first.saturating_add(i64::from(delta)), timestamp, key, value, headers })
}

#[cfg(test)]
pub(super) mod tests;
