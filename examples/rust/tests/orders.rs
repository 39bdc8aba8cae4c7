//! Produces orders and consumes them again. `kstrim run` sets the environment.

use std::collections::BTreeMap;
use std::env;

use chrono::Utc;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;

#[tokio::test]
async fn orders_come_back() {
    let servers = env::var("KAFKA_BOOTSTRAP_SERVERS").expect("run by `kstrim run`");
    let topic = env::var("KSTRIM_TOPIC_ORDERS").expect("run by `kstrim run --topic orders`");
    let servers = servers.split(',').map(str::to_owned).collect();
    let client = ClientBuilder::new(servers).build().await.expect("brokers");
    let partition = client.partition_client(topic, 0, UnknownTopicHandling::Retry).await.expect("the topic");

    let order = |n: u32| Record {
        key: None,
        value: Some(format!("order {n}").into_bytes()),
        headers: BTreeMap::new(),
        timestamp: Utc::now(),
    };
    let offsets =
        partition.produce((0..10).map(order).collect(), Compression::NoCompression).await.expect("produced");
    assert_eq!(offsets.len(), 10);

    let (records, _) = partition.fetch_records(offsets[0], 1..1_000_000, 5_000).await.expect("consumed");
    let values: Vec<String> = records
        .into_iter()
        .map(|found| String::from_utf8(found.record.value.unwrap_or_default()).expect("text"))
        .collect();
    assert_eq!(values, (0..10).map(|n| format!("order {n}")).collect::<Vec<_>>());
}
