//! Batches that Kafka's own clients wrote (`tests/recordings-kafka`), and malicious batches.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_protocol::records::{Compression, Record, RecordBatchEncoder, RecordEncodeOptions, TimestampType};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::kafka::produce::Message;

const CODECS: [Compression; 4] =
    [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd];

fn recordings() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings-kafka")
}

/// In the format that `tests/recordings-kafka/record/Record.java` prints.
fn printed(bytes: Option<&Bytes>) -> Value {
    match bytes {
        None => Value::Null,
        Some(long) if long.len() > 100 => {
            let hex: String = Sha256::digest(long).iter().map(|b| format!("{b:02x}")).collect();
            format!("sha256:{hex}").into()
        }
        Some(bytes) => STANDARD.encode(bytes).into(),
    }
}

pub(in crate::kafka) fn document(record: &Fetched) -> Value {
    let header =
        |(name, value): &(String, Option<Bytes>)| json!([STANDARD.encode(name), printed(value.as_ref())]);
    json!({"offset": record.offset, "timestamp": record.timestamp, "key": printed(record.key.as_ref()),
        "value": printed(record.value.as_ref()), "headers": record.headers.iter().map(header).collect::<Vec<_>>()})
}

fn documents(records: Records) -> Vec<Value> {
    let document = |entry| match entry {
        Ok(Entry::Record(record)) => document(&record),
        other => panic!("{other:?}"),
    };
    records.map(document).collect()
}

/// The aborted transactions of a segment: version, producer, first offset, last offset, last stable offset.
fn aborted(index: &[u8]) -> Vec<(i64, i64)> {
    index
        .chunks_exact(34)
        .map(|mut entry| (entry.get_i16(), entry.get_i64(), entry.get_i64()))
        .map(|e| (e.2, e.1))
        .collect()
}

#[test]
fn batches_of_kafkas_own_clients_are_read_as_by_its_consumer() {
    let mut seen = 0;
    for file in std::fs::read_dir(recordings()).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        let Some(topic) = name.strip_suffix(".json") else { continue };
        let (topic, committed) = match topic.strip_suffix(".committed") {
            Some(topic) => (topic, true),
            None => (topic, false),
        };
        let log = std::fs::read(recordings().join(format!("{topic}.log"))).unwrap();
        let mut records = Records::new(log.into(), 0, true);
        if committed {
            let index = std::fs::read(recordings().join(format!("{topic}.aborted"))).unwrap();
            assert!(!aborted(&index).is_empty());
            records = records.without(aborted(&index));
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let wanted: Vec<Value> = text.lines().map(|line| line.parse().unwrap()).collect();
        assert!(!wanted.is_empty(), "{name}");
        let found = documents(records);
        for (found, wanted) in found.iter().zip(&wanted) {
            assert_eq!(found, wanted, "{name}");
        }
        assert_eq!(found.len(), wanted.len(), "{name}");
        seen += 1;
    }
    assert!(seen >= 15, "{seen} recordings");
}

/// Reading from any offset returns the same records as from the beginning, and the next offset is right, including
/// gaps.
#[test]
fn reading_may_begin_anywhere() {
    for topic in ["java-compacted", "java-gzip", "java-transactions"] {
        let log: Bytes = std::fs::read(recordings().join(format!("{topic}.log"))).unwrap().into();
        let all = documents(Records::new(log.clone(), 0, true));
        let last = all.last().unwrap()["offset"].as_i64().unwrap();
        let mut whole = Records::new(log.clone(), 0, true);
        whole.by_ref().for_each(drop);
        assert!(whole.next_offset() > last);
        for from in 0..=last {
            let mut records = Records::new(log.clone(), from, true);
            let first = records.next().unwrap().unwrap();
            let Entry::Record(first) = first else { panic!("{first:?}") };
            let wanted = all.iter().find(|r| r["offset"].as_i64().unwrap() >= from).unwrap();
            assert_eq!(&document(&first), wanted, "{topic} from {from}");
            assert_eq!(records.next_offset(), first.offset + 1);
        }
    }
}

fn record(offset: i64, value: impl Into<Bytes>) -> Record {
    Record {
        transactional: false,
        control: false,
        delete_horizon: false,
        partition_leader_epoch: 0,
        producer_id: -1,
        producer_epoch: -1,
        timestamp_type: TimestampType::Creation,
        offset,
        sequence: i32::try_from(offset).unwrap(),
        timestamp: 7,
        key: None,
        value: Some(value.into()),
        headers: Default::default(),
    }
}

fn batch(records: &[Record], compression: Compression) -> Bytes {
    let mut out = bytes::BytesMut::new();
    RecordBatchEncoder::encode(&mut out, records, &RecordEncodeOptions { version: 2, compression }).unwrap();
    out.freeze()
}

/// Set a field of a batch's header, and the checksum.
fn edited(batch: &Bytes, at: usize, field: &[u8]) -> Bytes {
    let mut bytes = batch.to_vec();
    bytes[at..at + field.len()].copy_from_slice(field);
    let checksum = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&checksum.to_be_bytes());
    bytes.into()
}

#[test]
fn another_codec_can_read_what_is_written() {
    let message = |n: usize| Message {
        key: (!n.is_multiple_of(3)).then(|| Bytes::from(vec![b'k'; n])),
        value: (!n.is_multiple_of(4)).then(|| Bytes::from(vec![b'v'; n * n])),
        headers: vec![
            ("a".into(), Some(Bytes::from("1"))),
            ("b".into(), None),
            ("a".into(), Some(Bytes::from("2"))),
        ],
    };
    let messages: Vec<Message> = (0..200).map(message).collect();
    let bytes = encode(&messages, Some((5, 1, 40)), 1_700_000_000_000);
    let found = documents(Records::new(bytes.clone(), 0, true));
    assert_eq!(found.len(), 200);
    assert_eq!(found[7]["headers"].as_array().unwrap().len(), 3, "both of a name given twice");
    let theirs = kafka_protocol::records::RecordBatchDecoder::decode(&mut bytes.clone()).unwrap().records;
    for (theirs, message) in theirs.iter().zip(&messages) {
        assert_eq!((&theirs.key, &theirs.value), (&message.key, &message.value));
        assert_eq!((theirs.timestamp, theirs.producer_id, theirs.producer_epoch), (1_700_000_000_000, 5, 1));
    }
    assert_eq!((theirs[199].offset, theirs[199].sequence), (199, 239));
}

#[test]
fn the_brokers_timestamp_takes_precedence() {
    let one = batch(&[record(0, "a"), record(1, "b")], Compression::None);
    let stamped = edited(&edited(&one, 35, &99_i64.to_be_bytes()), 21, &8_i16.to_be_bytes());
    let times = |bytes| {
        documents(Records::new(bytes, 0, true)).iter().map(|r| r["timestamp"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((times(one), times(stamped)), (vec![json!(7); 2], vec![json!(99); 2]));
}

#[test]
fn a_record_that_is_too_large_is_an_error_with_the_next_offset() {
    for codec in CODECS {
        let small = record(0, "small");
        let bomb = record(1, vec![0; MAX_RECORD + 1]);
        let bytes = batch(&[small, bomb, record(2, "never reached")], codec);
        assert!(bytes.len() < 8 << 20, "{codec:?}: {}", bytes.len());
        let mut records = Records::new(bytes, 0, true);
        assert!(matches!(records.next(), Some(Ok(Entry::Record(_)))), "{codec:?}");
        assert_eq!(records.next(), Some(Err(BadRecords::TooLarge { offset: 1, after: 3 })), "{codec:?}");
        assert_eq!(records.next(), None);
    }
}

/// A block without a frame, as librdkafka writes it, that claims to contain four gigabytes.
#[test]
fn a_claimed_block_size_allocates_no_memory() {
    let plain = batch(&[record(0, "a")], Compression::None);
    let mut bytes = plain[..HEADER].to_vec();
    bytes.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f, 1, 2, 3]);
    let length = i32::try_from(bytes.len() - PREFIX).unwrap();
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    let bytes = edited(&bytes.into(), 21, &2_i16.to_be_bytes());
    assert!(matches!(Records::new(bytes, 0, true).next(), Some(Err(BadRecords::TooLarge { .. }))));
}

#[test]
fn announced_lengths_allocate_no_memory() {
    let one = batch(&[record(0, "a")], Compression::None);
    for count in [i32::MAX, 2, -1] {
        let bytes = edited(&one, 57, &count.to_be_bytes());
        let found: Vec<_> = Records::new(bytes, 0, true).collect();
        assert_eq!(found.iter().filter(|r| r.is_ok()).count(), usize::from(count > 0), "{count}: {found:?}");
    }
    let cut = one.slice(..one.len() - 1);
    assert_eq!(
        Records::new(cut, 0, true).count(),
        0,
        "a batch that was cut short is left for the next answer"
    );
    let mut broken = one.to_vec();
    *broken.last_mut().unwrap() ^= 1;
    let found = Records::new(broken.into(), 0, true).next();
    assert!(
        matches!(&found, Some(Err(BadRecords::Unreadable { why, .. })) if why.contains("checksum")),
        "{found:?}"
    );
}

#[test]
fn earlier_batches_do_not_cause_an_endless_loop() {
    let old = batch(&[record(0, "a"), record(1, "b")], Compression::None);
    let found: Vec<_> = Records::new(old, 5, true).collect();
    assert!(matches!(found.as_slice(), [Err(BadRecords::Unreadable { .. })]), "{found:?}");
}

/// A message of a format before 0.11.
fn legacy(offset: i64, magic: u8, attributes: u8, timestamp: i64, value: Option<&[u8]>) -> Vec<u8> {
    let mut body = vec![magic, attributes];
    if magic == 1 {
        body.extend(timestamp.to_be_bytes());
    }
    body.extend(1_i32.to_be_bytes());
    body.push(b'k');
    match value {
        None => body.extend((-1_i32).to_be_bytes()),
        Some(value) => {
            body.extend(i32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend(value);
        }
    }
    let mut checksum = flate2::Crc::new();
    checksum.update(&body);
    let mut out = offset.to_be_bytes().to_vec();
    out.extend(i32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend(checksum.sum().to_be_bytes());
    out.extend(body);
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

#[test]
fn legacy_messages_are_read_and_skipped() {
    let mut log = legacy(0, 0, 0, 0, Some(b"v0"));
    log.extend(legacy(1, 1, 0, 11, Some(b"v1")));
    // Offsets in a set of v1 are relative, and the wrapper has the last one.
    let inner = [legacy(0, 1, 0, 12, Some(b"in")), legacy(1, 1, 0, 13, None)].concat();
    log.extend(legacy(3, 1, 1, 99, Some(&gzip(&inner))));
    log.extend(legacy(5, 1, 1 | 8, 99, Some(&gzip(&inner))));
    log.extend(legacy(6, 0, 0, 0, Some(b"the last one is shorter than a batch's header")));
    log.extend(legacy(7, 0, 0, 0, None));
    let log = Bytes::from(log);
    let mut records = Records::new(log.clone(), 0, true);
    let found: Vec<(i64, i64)> = records
        .by_ref()
        .map(|entry| match entry {
            Ok(Entry::Record(record)) => (record.offset, record.timestamp),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, [(0, -1), (1, 11), (2, 12), (3, 13), (4, 99), (5, 99), (6, -1), (7, -1)]);
    assert_eq!(records.next_offset(), 8);
    let mut late = Records::new(log, 3, true);
    assert!(matches!(late.next(), Some(Ok(Entry::Record(record))) if record.offset == 3));
}
