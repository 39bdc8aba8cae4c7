//! Idempotent producing over connections that break, complete consuming, and batches that other clients compressed.

use kafka_protocol::records::{Compression, RecordBatchEncoder, RecordEncodeOptions};

use super::*;
use crate::kafka::produce::Ack;

fn values(range: std::ops::Range<u32>) -> Vec<(i32, Message)> {
    let message = |n| Message { value: Some(Bytes::from(format!("value {n}"))), ..Message::default() };
    range.map(|n| (0, message(n))).collect()
}

async fn read_all(client: &mut Client, topic: &mut Topic, want: u64) -> Vec<String> {
    let mut from = BTreeMap::from([(0, 0)]);
    let mut found = Vec::new();
    let limit = Instant::now() + Duration::from_secs(1);
    let each = |_, entry| match entry {
        Entry::Record(r) => found.push(String::from_utf8(r.value.unwrap().to_vec()).unwrap()),
        Entry::Opaque { why, .. } => found.push(why),
    };
    client.read(topic, &mut from, want, limit, each).await.unwrap();
    found
}

#[tokio::test]
async fn a_batch_that_is_sent_again_is_stored_once() {
    // Every connection ends in the middle of a response: acknowledgements are lost.
    let faults = Faults { close_after_bytes: Some(1200), ..Faults::default() };
    let cluster = Cluster::with_topic(&faults);
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let mut stamp = client.stamp(soon()).await.unwrap();
    let mut acks: Vec<Ack> = Vec::new();
    for n in 0..40 {
        let portion = values(n * 5..n * 5 + 5);
        client.produce_once(&mut topic, portion, &mut acks, &mut stamp, soon()).await.unwrap();
    }
    assert_eq!(acks.iter().map(|a| a.count).sum::<usize>(), 200);
    let (_, end) = cluster.logs().bounds("my-topic", 0).unwrap();
    assert_eq!(end, 200, "each once");
    std::fs::write(cluster.dir.path().join("faults.json"), "{}").unwrap();
    let mut client = cluster.client().await;
    let wanted: Vec<String> = (0..200).map(|n| format!("value {n}")).collect();
    assert_eq!(read_all(&mut client, &mut topic, 200).await, wanted);
}

#[tokio::test]
async fn without_a_stamp_a_lost_acknowledgement_is_an_error() {
    let faults = Faults { close_after_bytes: Some(1200), ..Faults::default() };
    let cluster = Cluster::with_topic(&faults);
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let mut acks = Vec::new();
    let mut result = Ok(());
    for n in 0..40 {
        result = client.produce(&mut topic, values(n..n + 1), &mut acks, soon()).await;
        if result.is_err() {
            break;
        }
    }
    assert!(result.unwrap_err().is_connection());
}

#[tokio::test]
async fn a_gap_in_the_sequence_numbers_is_an_error() {
    let cluster = Cluster::with_topic(&Faults::default());
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let mut stamp = client.stamp(soon()).await.unwrap();
    let mut acks = Vec::new();
    client.produce_once(&mut topic, values(0..3), &mut acks, &mut stamp, soon()).await.unwrap();
    // A broker without a volume loses its data when it restarts.
    std::fs::remove_file(cluster.dir.path().join("topics/my-topic/0.producers.json")).unwrap();
    let again = client.produce_once(&mut topic, values(3..4), &mut acks, &mut stamp, soon()).await;
    assert_eq!(again.unwrap_err().code(), Some(45));
}

/// A topic of three partitions on two brokers.
fn three(faults: &Faults) -> Cluster {
    let cluster = Cluster::new(2, faults);
    cluster.logs().create("my-topic", 3).unwrap();
    cluster
}

#[tokio::test]
async fn a_partition_without_a_leader_does_not_block_the_others() {
    let cluster = three(&Faults { leaderless: vec![1], ..Faults::default() });
    let mut client = cluster.client().await;
    let late = client.topic("my-topic", Instant::now() + Duration::from_millis(400)).await.unwrap_err();
    assert_eq!(late.code(), Some(code::LEADER_NOT_AVAILABLE));
    let mut topic = client.topic_in_part("my-topic", soon()).await.unwrap();
    assert_eq!(topic.led().collect::<Vec<_>>(), [0, 2]);
    let mut stamp = client.stamp(soon()).await.unwrap();
    let mut acks = Vec::new();
    let to = |p: i32| (p, Message { value: Some(Bytes::from(format!("to {p}"))), ..Message::default() });
    let soon_over = Instant::now() + Duration::from_millis(900);
    let portion = vec![to(0), to(1), to(2)];
    let failed =
        client.produce_once(&mut topic, portion, &mut acks, &mut stamp, soon_over).await.unwrap_err();
    assert_eq!(failed.code(), Some(code::LEADER_NOT_AVAILABLE));
    let mut written: Vec<i32> = acks.iter().map(|a| a.partition).collect();
    written.sort_unstable();
    assert_eq!(written, [0, 2], "the others' messages went out");
    let from = BTreeMap::from([(0, 0), (1, 0), (2, 0)]);
    let chunks = client.fetch(&mut topic, &from, Duration::from_millis(100), soon()).await.unwrap();
    let refused: Vec<i32> = chunks.iter().filter(|c| c.refused.is_some()).map(|c| c.partition).collect();
    assert_eq!(refused, [1]);
    let read: usize = chunks.into_iter().map(|c| c.records.count()).sum();
    assert_eq!(read, 2);
    let ends = client.list_offsets_in_part(&topic, 0..3, End::Latest, soon()).await.unwrap();
    assert_eq!(ends, BTreeMap::from([(0, 1), (2, 1)]));
}

#[tokio::test]
async fn the_last_of_many_partitions_is_read() {
    let cluster = Cluster::new(1, &Faults::default());
    cluster.logs().create("my-topic", 12).unwrap();
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let mut acks = Vec::new();
    // Two megabytes each: a response has room for eight partitions.
    for p in 0..12 {
        let large = || Message { value: Some(Bytes::from(vec![b'x'; 900_000])), ..Message::default() };
        client.produce(&mut topic, vec![(p, large()), (p, large())], &mut acks, soon()).await.unwrap();
    }
    let mut from: BTreeMap<i32, i64> = (0..12).map(|p| (p, 0)).collect();
    let mut had = std::collections::BTreeSet::new();
    for _ in 0..2 {
        for mut chunk in client.fetch(&mut topic, &from, Duration::from_millis(100), soon()).await.unwrap() {
            if chunk.records.by_ref().count() > 0 {
                had.insert(chunk.partition);
            }
            from.insert(chunk.partition, chunk.records.next_offset());
        }
    }
    assert_eq!(had.len(), 12, "{had:?}");
}

#[tokio::test]
async fn a_truncated_log_is_reported() {
    let cluster = Cluster::with_topic(&Faults::default());
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    client.produce(&mut topic, values(0..5), &mut Vec::new(), soon()).await.unwrap();
    let cut = Faults { cut: Some(3), ..Faults::default() };
    std::fs::write(cluster.dir.path().join("faults.json"), serde_json::to_vec(&cut).unwrap()).unwrap();
    let mut client = cluster.client().await;
    let wait = Duration::from_millis(50);
    let mut chunks = client.fetch(&mut topic, &BTreeMap::from([(0, 0)]), wait, soon()).await.unwrap();
    let chunk = &mut chunks[0];
    assert_eq!((chunk.records.by_ref().count(), chunk.records.epoch(), chunk.diverged), (5, Some(0), None));
    client.was_read(&topic, 0, 5, chunk.records.epoch());
    let chunks = client.fetch(&mut topic, &BTreeMap::from([(0, 5)]), wait, soon()).await.unwrap();
    assert_eq!((chunks[0].diverged, chunks[0].out_of_range), (Some(3), false));
}

#[tokio::test]
async fn only_committed_records_are_read_on_request() {
    let log =
        std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recordings-kafka/java-transactions.log"));
    let index = std::fs::read(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/recordings-kafka/java-transactions.aborted"
    ));
    let number = |bytes: &[u8]| i64::from_be_bytes(bytes.try_into().unwrap());
    let index = index.unwrap();
    let aborted = index.chunks_exact(34).map(|e| (number(&e[2..10]), number(&e[10..18]))).collect();
    let cluster = Cluster::with_topic(&Faults { aborted, ..Faults::default() });
    std::fs::write(cluster.dir.path().join("topics/my-topic/0.log"), log.unwrap()).unwrap();
    for (committed, suffix) in [(false, ""), (true, ".committed")] {
        let file =
            format!("{}/tests/recordings-kafka/java-transactions{suffix}.json", env!("CARGO_MANIFEST_DIR"));
        let wanted = std::fs::read_to_string(file).unwrap().lines().count();
        let options = Options { decompress: true, committed, ..Options::default() };
        let mut client = Client::connect(cluster.bootstrap(), cluster.dial(), options, soon()).await.unwrap();
        let mut topic = client.topic("my-topic", soon()).await.unwrap();
        let limit = Instant::now() + Duration::from_millis(1500);
        let mut from = BTreeMap::from([(0, 0)]);
        let read = client.read(&mut topic, &mut from, 1000, limit, |_, _| {}).await.unwrap();
        assert_eq!(read, wanted as u64, "committed: {committed}");
    }
}

#[tokio::test]
async fn batches_of_other_clients_are_decompressed_on_request() {
    let cluster = Cluster::with_topic(&Faults::default());
    let mut log = Vec::new();
    for (at, compression) in
        [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd].into_iter().enumerate()
    {
        let record = kafka_protocol::records::Record {
            transactional: false,
            control: false,
            delete_horizon: false,
            partition_leader_epoch: 0,
            producer_id: -1,
            producer_epoch: -1,
            timestamp_type: kafka_protocol::records::TimestampType::Creation,
            offset: i64::try_from(at).unwrap(),
            sequence: -1,
            timestamp: 0,
            key: None,
            value: Some(Bytes::from(format!("{compression:?} ").repeat(200))),
            headers: Default::default(),
        };
        let mut batch = bytes::BytesMut::new();
        let options = RecordEncodeOptions { version: 2, compression };
        RecordBatchEncoder::encode(&mut batch, [&record], &options).unwrap();
        assert!(batch.len() < 500, "{compression:?} is compressed");
        log.extend_from_slice(&batch);
    }
    std::fs::write(cluster.dir.path().join("topics/my-topic/0.log"), log).unwrap();
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let closed = read_all(&mut client, &mut topic, 4).await;
    assert_eq!(closed[3], "compressed with zstd");
    let options = Options { decompress: true, ..Options::default() };
    let mut client = Client::connect(cluster.bootstrap(), cluster.dial(), options, soon()).await.unwrap();
    let read = read_all(&mut client, &mut topic, 4).await;
    for (text, codec) in read.iter().zip(["Gzip", "Snappy", "Lz4", "Zstd"]) {
        assert_eq!(*text, format!("{codec} ").repeat(200));
    }
}
