//! Writing once and reading all, over connections that break, and what others compressed.

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
async fn what_is_sent_again_is_there_once() {
    // Every connection ends in the middle of an answer: acknowledgements are lost.
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
async fn without_a_stamp_a_lost_acknowledgement_is_told() {
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
async fn a_gap_in_the_numbers_is_told() {
    let cluster = Cluster::with_topic(&Faults::default());
    let mut client = cluster.client().await;
    let mut topic = client.topic("my-topic", soon()).await.unwrap();
    let mut stamp = client.stamp(soon()).await.unwrap();
    let mut acks = Vec::new();
    client.produce_once(&mut topic, values(0..3), &mut acks, &mut stamp, soon()).await.unwrap();
    // As a broker without a volume forgets it all.
    std::fs::remove_file(cluster.dir.path().join("topics/my-topic/0.producers.json")).unwrap();
    let again = client.produce_once(&mut topic, values(3..4), &mut acks, &mut stamp, soon()).await;
    assert_eq!(again.unwrap_err().code(), Some(45));
}

#[tokio::test]
async fn what_others_compressed_is_read_when_asked_for() {
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
