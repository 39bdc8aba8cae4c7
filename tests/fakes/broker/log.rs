//! The fake broker's logs: a directory per topic, which contains `meta.json` and a file of record batches per
//! partition, in their wire format. A lock file synchronizes several processes.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use kafka_protocol::records::{
    Compression, Record, RecordBatchDecoder, RecordBatchEncoder, RecordEncodeOptions,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Faults;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Meta {
    pub name: String,
    #[serde(with = "as_text")]
    pub id: Uuid,
    pub partitions: i32,
    /// First offsets that are not 0, by partition.
    #[serde(default)]
    pub starts: BTreeMap<i32, i64>,
}

/// The `uuid` crate is built without its serde support.
mod as_text {
    use serde::{Deserialize, Deserializer, Serializer};
    use uuid::Uuid;

    pub fn serialize<S: Serializer>(id: &Uuid, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&id.to_string())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

pub struct Logs {
    dir: PathBuf,
}

/// Something that transfers records from topic to topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Link {
    from: String,
    to: String,
    /// Whether it creates the topic that it writes to.
    makes: bool,
    /// The index of the record that it loses in each transfer.
    loses: Option<usize>,
}

/// A batch in a file: its position, length, first and last offset.
#[derive(Debug, Clone, Copy)]
struct Place {
    at: u64,
    length: u64,
    last: i64,
}

impl Logs {
    /// The logs in `dir`, which is created if needed.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir.join("topics"))?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Lock the logs against other processes while the file exists.
    pub fn lock(&self) -> io::Result<File> {
        let file = File::options().create(true).truncate(false).write(true).open(self.dir.join("lock"))?;
        file.lock()?;
        Ok(file)
    }

    fn topic(&self, name: &str) -> PathBuf {
        self.dir.join("topics").join(name)
    }

    fn log(&self, name: &str, partition: i32) -> PathBuf {
        self.topic(name).join(format!("{partition}.log"))
    }

    pub fn names(&self) -> io::Result<Vec<String>> {
        fs::read_dir(self.dir.join("topics"))?
            .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
            .collect()
    }

    pub fn meta(&self, name: &str) -> io::Result<Option<Meta>> {
        let _lock = self.lock()?;
        self.meta_unlocked(name)
    }

    fn meta_unlocked(&self, name: &str) -> io::Result<Option<Meta>> {
        match fs::read(self.topic(name).join("meta.json")) {
            Ok(json) => Ok(Some(serde_json::from_slice(&json)?)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn save(&self, meta: &Meta) -> io::Result<()> {
        write_whole(&self.topic(&meta.name).join("meta.json"), &serde_json::to_vec(meta)?)
    }

    pub fn find(&self, name: &str, id: Uuid, by_id: bool) -> io::Result<Option<Meta>> {
        if !by_id {
            return self.meta(name);
        }
        for name in self.names()? {
            if let Some(meta) = self.meta(&name)?.filter(|m| m.id == id) {
                return Ok(Some(meta));
            }
        }
        Ok(None)
    }

    /// Create a topic; `false` if it is there.
    pub fn create(&self, name: &str, partitions: i32) -> io::Result<bool> {
        let _lock = self.lock()?;
        if self.meta_unlocked(name)?.is_some() {
            return Ok(false);
        }
        fs::create_dir_all(self.topic(name))?;
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let id = Uuid::from_u128(now.as_nanos() << 32 | u128::from(std::process::id()));
        self.save(&Meta { name: name.to_owned(), id, partitions, starts: BTreeMap::new() })?;
        Ok(true)
    }

    /// Delete a topic; `false` if it does not exist.
    pub fn delete(&self, name: &str) -> io::Result<bool> {
        let _lock = self.lock()?;
        if self.meta_unlocked(name)?.is_none() {
            return Ok(false);
        }
        fs::remove_dir_all(self.topic(name))?;
        Ok(true)
    }

    /// The first offset of a partition and the one after its last.
    pub fn bounds(&self, name: &str, partition: i32) -> io::Result<(i64, i64)> {
        let _lock = self.lock()?;
        self.bounds_unlocked(name, partition)
    }

    fn bounds_unlocked(&self, name: &str, partition: i32) -> io::Result<(i64, i64)> {
        let start = self.meta_unlocked(name)?.and_then(|m| m.starts.get(&partition).copied()).unwrap_or(0);
        let end = self.places(name, partition)?.last().map_or(0, |p| p.last + 1);
        Ok((start, end.max(start)))
    }

    fn places(&self, name: &str, partition: i32) -> io::Result<Vec<Place>> {
        let mut file = match File::open(self.log(name, partition)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file?,
        };
        let size = file.metadata()?.len();
        let (mut at, mut places) = (0, Vec::new());
        while at + 61 <= size {
            let mut head = [0; 27];
            file.seek(SeekFrom::Start(at))?;
            file.read_exact(&mut head)?;
            let int = |i: usize| i32::from_be_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]);
            let mut first = [0; 8];
            first.copy_from_slice(&head[..8]);
            let length = 12 + u64::try_from(int(8)).unwrap_or(0);
            places.push(Place { at, length, last: i64::from_be_bytes(first) + i64::from(int(23)) });
            at += length;
        }
        Ok(places)
    }

    /// Whole batches from the one with offset `from` on, at most `most` bytes; with `one`, the first batch even if it
    /// is larger.
    pub fn read(&self, name: &str, partition: i32, from: i64, most: usize, one: bool) -> io::Result<Bytes> {
        let _lock = self.lock()?;
        let places = self.places(name, partition)?;
        let wanted: Vec<Place> = places.into_iter().filter(|p| p.last >= from).collect();
        let Some(first) = wanted.first() else { return Ok(Bytes::new()) };
        let mut length = 0;
        for place in &wanted {
            if length + place.length > most as u64 && !(one && length == 0) {
                break;
            }
            length += place.length;
        }
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let mut file = File::open(self.log(name, partition))?;
        file.seek(SeekFrom::Start(first.at))?;
        file.read_exact(&mut bytes)?;
        Ok(Bytes::from(bytes))
    }

    /// Move a partition's first offset up to `before` (-1: to its end). `None` if that is past
    /// the end.
    pub fn trim(&self, name: &str, partition: i32, before: i64) -> io::Result<Option<i64>> {
        let _lock = self.lock()?;
        let (start, end) = self.bounds_unlocked(name, partition)?;
        let to = if before == -1 { end } else { before };
        let Some(mut meta) = self.meta_unlocked(name)?.filter(|_| to <= end) else { return Ok(None) };
        meta.starts.insert(partition, start.max(to));
        self.save(&meta)?;
        Ok(Some(start.max(to)))
    }

    /// Write what a producer sent, with the specified `faults`; returns the offset to acknowledge. A batch that an
    /// idempotent producer sends again is recognized by its sequence number and not written; `None` if numbers are
    /// missing before it.
    pub fn append(
        &self,
        name: &str,
        partition: i32,
        sent_bytes: &Bytes,
        faults: &Faults,
    ) -> anyhow::Result<Option<i64>> {
        let _lock = self.lock()?;
        let mut records = Vec::new();
        for set in RecordBatchDecoder::decode_all(&mut sent_bytes.clone())? {
            records.extend(set.records);
        }
        let (_, end) = self.bounds_unlocked(name, partition)?;
        let stamped = records.first().filter(|r| r.producer_id >= 0).map(|r| (r.producer_id, r.sequence));
        if let Some((id, number)) = stamped {
            match self.numbered(name, partition, id, number, records.len(), end)? {
                Numbered::Next => {}
                Numbered::Again(offset) => return Ok(Some(offset)),
                Numbered::Gap => return Ok(None),
            }
        }
        let mut out = BytesMut::new();
        let mut next = end;
        if faults.foreign {
            next = encode(&mut out, &foreign(1), next, Compression::None)?;
        }
        if faults.foreign_compressed {
            next = encode(&mut out, &foreign(3), next, Compression::Lz4)?;
        }
        let acknowledged = next;
        if faults.corrupt_content
            && let Some(value) = records.first_mut().and_then(|r| r.value.as_mut())
        {
            let mut bytes = value.to_vec();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            *value = Bytes::from(bytes);
        }
        if faults.reorder {
            records.reverse();
        }
        let sent = i64::try_from(records.len())?;
        records.truncate(faults.truncate.unwrap_or(usize::MAX));
        if faults.keeps_bytes() {
            // Duplicate headers and the like would be lost if they were decoded and encoded again.
            renumbered(&mut out, sent_bytes, next)?;
        } else if !faults.drop_all {
            let codec = if faults.recompress { Compression::Gzip } else { Compression::None };
            next = encode(&mut out, &records, next, codec)?;
            if faults.duplicate {
                encode(&mut out, &records, next, codec)?;
            }
        }
        File::options().create(true).append(true).open(self.log(name, partition))?.write_all(&out)?;
        if let (Some(gone), Some(mut meta)) = (faults.expire, self.meta_unlocked(name)?) {
            meta.starts.insert(partition, acknowledged + gone.min(sent));
            self.save(&meta)?;
        }
        Ok(Some(acknowledged))
    }

    /// Transfer records from topic to topic, as Connect and MirrorMaker 2 would. `links.json`, next to the topics,
    /// lists the transfers; only partition 0 is used.
    pub fn carry(&self) -> anyhow::Result<()> {
        let Ok(json) = fs::read(self.dir.join("links.json")) else { return Ok(()) };
        let links: Vec<Link> = serde_json::from_slice(&json)?;
        for link in links {
            let exists = self.meta(&link.to)?.is_some();
            if self.meta(&link.from)?.is_none() || !exists && !link.makes {
                continue;
            }
            if !exists {
                self.create(&link.to, 1)?;
            }
            let _lock = self.lock()?;
            let mark = self.topic(&link.to).join("carried");
            let done: i64 = fs::read_to_string(&mark).ok().and_then(|t| t.parse().ok()).unwrap_or(0);
            let mut bytes = fs::read(self.log(&link.from, 0)).map(Bytes::from).unwrap_or_default();
            let mut records = Vec::new();
            for set in RecordBatchDecoder::decode_all(&mut bytes)? {
                records.extend(set.records.into_iter().filter(|r| r.offset >= done));
            }
            let Some(last) = records.last().map(|r| r.offset) else { continue };
            if let Some(lost) = link.loses.filter(|lost| *lost < records.len()) {
                records.remove(lost);
            }
            for record in &mut records {
                (record.producer_id, record.producer_epoch) = (-1, -1);
            }
            let (_, end) = self.bounds_unlocked(&link.to, 0)?;
            let mut out = BytesMut::new();
            encode(&mut out, &records, end, Compression::None)?;
            File::options().create(true).append(true).open(self.log(&link.to, 0))?.write_all(&out)?;
            fs::write(&mark, (last + 1).to_string())?;
        }
        Ok(())
    }

    /// Write values like a client other than kstrim's.
    pub fn write(&self, name: &str, values: &[String]) -> anyhow::Result<i64> {
        let _lock = self.lock()?;
        let (_, end) = self.bounds_unlocked(name, 0)?;
        let mut records = foreign(i64::try_from(values.len())?);
        for (record, value) in records.iter_mut().zip(values) {
            record.value = Some(Bytes::from(value.clone()));
        }
        let mut out = BytesMut::new();
        encode(&mut out, &records, end, Compression::None)?;
        File::options().create(true).append(true).open(self.log(name, 0))?.write_all(&out)?;
        Ok(end)
    }

    /// Compare a batch's sequence number with those of its producer so far: number, count and offset of the last.
    fn numbered(
        &self,
        name: &str,
        partition: i32,
        id: i64,
        number: i32,
        count: usize,
        end: i64,
    ) -> anyhow::Result<Numbered> {
        let file = self.topic(name).join(format!("{partition}.producers.json"));
        let mut known: BTreeMap<i64, (i32, usize, i64)> = match fs::read(&file) {
            Ok(json) => serde_json::from_slice(&json)?,
            Err(_) => BTreeMap::new(),
        };
        match known.get(&id) {
            Some((last, _, offset)) if *last == number => return Ok(Numbered::Again(*offset)),
            Some((last, had, _)) if i64::from(*last) + i64::try_from(*had)? != i64::from(number) => {
                return Ok(Numbered::Gap);
            }
            None if number != 0 => return Ok(Numbered::Gap),
            _ => {}
        }
        known.insert(id, (number, count, end));
        fs::write(&file, serde_json::to_vec(&known)?)?;
        Ok(Numbered::Next)
    }
}

/// Write a file atomically.
pub fn write_whole(file: &Path, content: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    fs::write(&new, content)?;
    fs::rename(new, file)
}

/// The meaning of the sequence number of an idempotent producer's batch.
enum Numbered {
    /// It is the next one.
    Next,
    /// It was written at this offset.
    Again(i64),
    /// Earlier ones are missing.
    Gap,
}

/// Encode records as one batch from offset `base` on; returns the offset after them. The bytes
/// of a "compressed" batch are not compressed: only its header says so.
fn encode(
    out: &mut BytesMut,
    records: &[Record],
    base: i64,
    compression: Compression,
) -> anyhow::Result<i64> {
    let mut renumbered = records.to_vec();
    for (record, offset) in renumbered.iter_mut().zip(base..) {
        record.offset = offset;
        record.sequence = i32::try_from(offset)? - 1 - i32::try_from(base)?;
        record.partition_leader_epoch = 0;
    }
    let options = RecordEncodeOptions { version: 2, compression };
    let copy = |from: &mut BytesMut, to: &mut BytesMut, _: Compression| {
        to.extend_from_slice(from);
        Ok(())
    };
    RecordBatchEncoder::encode_with_custom_compression(out, &renumbered, &options, Some(copy))?;
    Ok(base + i64::try_from(records.len())?)
}

/// Batches as they were received, from offset `base` on. Their checksum does not cover the fields that are changed.
fn renumbered(out: &mut BytesMut, sent: &Bytes, mut base: i64) -> anyhow::Result<()> {
    let mut rest = BytesMut::from(&sent[..]);
    while rest.len() >= 61 {
        let int = |i: usize| i32::from_be_bytes([rest[i], rest[i + 1], rest[i + 2], rest[i + 3]]);
        let (length, last) = (12 + usize::try_from(int(8))?, i64::from(int(23)));
        let mut batch = rest.split_to(length);
        batch[..8].copy_from_slice(&base.to_be_bytes());
        batch[12..16].copy_from_slice(&0_i32.to_be_bytes());
        out.extend_from_slice(&batch);
        base += last + 1;
    }
    Ok(())
}

/// Records of another client.
fn foreign(count: i64) -> Vec<Record> {
    (0..count).map(|offset| record(offset, "hello from a console producer".into())).collect()
}

/// A record that no idempotent producer wrote.
pub fn record(offset: i64, value: Bytes) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: kafka_protocol::records::TimestampType::Creation,
        offset,
        sequence: -1,
        timestamp: 0,
        key: None,
        value: Some(value),
        headers: Default::default(),
    }
}
