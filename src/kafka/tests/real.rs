//! The same tests with a real broker, if there is one: `KSTRIM_TEST_KAFKA=127.0.0.1:9092 cargo test --lib
//! kafka::tests::real -- --ignored --nocapture`. They create and delete their topics.

use super::*;
use crate::kafka::client::Direct;

fn bootstrap() -> BrokerAddr {
    let address = std::env::var("KSTRIM_TEST_KAFKA").expect("KSTRIM_TEST_KAFKA=HOST:PORT");
    let (host, port) = address.rsplit_once(':').expect("HOST:PORT");
    BrokerAddr { id: -1, host: host.to_owned(), port: port.parse().expect("a port") }
}

fn new_topic(name: &str, partitions: i32, config: &[(&str, &str)]) -> NewTopic {
    let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    NewTopic { name: name.to_owned(), partitions, replication_factor: -1, config }
}

async fn client() -> Client {
    Client::connect(bootstrap(), Rc::new(Direct), Options::default(), soon()).await.unwrap()
}

async fn run(plan: &Plan, options: Options) -> Run {
    let started = Instant::now();
    let run = smoke::run(plan, bootstrap(), Rc::new(Direct), options, &|_| {}).await;
    let (report, all) = (&run.report, started.elapsed());
    println!(
        "{} messages of {} bytes in {} partitions of {}: produce {} ms, consume {} ms, all {all:?}; {:?}",
        report.verified,
        report.size,
        report.partitions,
        report.topic,
        report.produce_ms,
        report.consume_ms,
        run.failure.as_ref().map(|f| (f.id, &f.message, &f.causes)),
    );
    run
}

/// Several runs with one topic that is kept: first and later connections, by name, by id.
#[test]
#[ignore = "needs a real broker"]
fn a_real_broker_passes_and_nothing_remains() {
    runtime().block_on(async {
        let name = "kstrim-real";
        let mut setup = client().await;
        setup.delete_topic(name, None, soon()).await.unwrap();
        setup.create_topic(&new_topic(name, 1, &[]), soon()).await.unwrap();
        let plan = Plan { topic: name.to_owned(), ..plan() };
        for _ in 0..4 {
            let run = run(&plan, Options::default()).await;
            assert_passed(&run, 10);
            assert_eq!(run.report.left_behind, None);
        }
        let highest = BTreeMap::from([(0, 12), (1, 12), (3, 9)]);
        assert_passed(&run(&plan, Options { highest, ..Options::default() }).await, 10);
        let large = Plan { messages: 20, size: smoke::plan::MAX_SIZE, ..plan.clone() };
        assert_passed(&run(&large, Options::default()).await, 20);
        let many = Plan { messages: 100_000, ..plan.clone() };
        assert_passed(&run(&many, Options::default()).await, 100_000);
        let mut topic = setup.topic(name, soon()).await.unwrap();
        let first = setup.list_offsets(&mut topic, End::Earliest, soon()).await.unwrap();
        assert_eq!(first, setup.list_offsets(&mut topic, End::Latest, soon()).await.unwrap());
        assert!(setup.delete_topic(name, None, soon()).await.unwrap());
    });
}

/// The test's own topic, from its creation to its deletion.
#[test]
#[ignore = "needs a real broker"]
fn a_topic_is_created_for_the_test_and_deleted() {
    runtime().block_on(async {
        let name = "kstrim-real-own";
        let create = Some(new_topic(name, 5, &[("retention.ms", "600000")]));
        let plan = Plan { topic: name.to_owned(), create, ..plan() };
        let run = run(&plan, Options::default()).await;
        assert_passed(&run, 10);
        assert_eq!((run.report.partitions, run.report.left_behind), (5, None));
        let error =
            client().await.topic(name, Instant::now() + Duration::from_millis(300)).await.unwrap_err();
        assert_eq!(error.code(), Some(code::UNKNOWN_TOPIC_OR_PARTITION));
    });
}

/// The effect of topics' settings on a smoke test.
#[test]
#[ignore = "needs a real broker"]
fn settings_that_prevent_the_test_are_reported() {
    runtime().block_on(async {
        for (config, id) in [
            (("compression.type", "gzip"), Some("KS-SMOKE-COMPRESSED")),
            (("max.message.bytes", "300"), None),
            (("max.message.bytes", "100"), Some("KS-SMOKE-PRODUCE")),
            (("min.insync.replicas", "2"), Some("KS-SMOKE-PRODUCE")),
            (("cleanup.policy", "compact"), None),
        ] {
            let name = format!("kstrim-real-{}-{}", config.0, config.1);
            let create = Some(new_topic(&name, 1, &[config]));
            let plan = Plan { topic: name, create, timeout: Duration::from_secs(3), ..plan() };
            let run = run(&plan, Options::default()).await;
            assert_eq!(run.failure.as_ref().map(|f| f.id.as_str()), id, "{config:?}: {:?}", run.failure);
            assert_eq!(run.report.left_behind, None);
        }
    });
}

/// Kafka's own consumer reads the records written here in the same way: `tests/recordings-kafka/record/compare`
/// compares the output of this test with its output.
#[test]
#[ignore = "needs a real broker; run by tests/recordings-kafka/record/compare"]
fn records_for_kafkas_own_consumer() {
    let out = std::env::var("KSTRIM_TEST_OUT").expect("KSTRIM_TEST_OUT=FILE");
    runtime().block_on(async {
        let name = "kstrim-written";
        let mut client = client().await;
        client.delete_topic(name, None, soon()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let large = [("max.message.bytes", "10000000")];
        client.create_topic(&new_topic(name, 1, &large), soon()).await.unwrap();
        let mut topic = client.topic(name, soon()).await.unwrap();
        let mut stamp = client.stamp(soon()).await.unwrap();
        let bytes = |text: &str| Some(Bytes::from(text.to_owned()));
        let header = |name: &str, value: Option<&str>| (name.to_owned(), value.and_then(bytes));
        let mut messages = vec![
            Message { key: bytes("k"), value: bytes("plain"), headers: vec![] },
            Message { key: None, value: None, headers: vec![] },
            Message { key: bytes(""), value: bytes(""), headers: vec![] },
            Message {
                key: bytes("headers"),
                value: bytes("twice"),
                headers: vec![
                    header("a", Some("1")),
                    header("b", None),
                    header("a", Some("2")),
                    header("", Some("é")),
                ],
            },
            Message { value: Some(Bytes::from(vec![0xff; 5_000_000])), ..Message::default() },
        ];
        messages.extend((0..3000).map(|n| Message { value: bytes(&"x".repeat(n)), ..Message::default() }));
        let count = messages.len() as u64;
        let messages = messages.into_iter().map(|m| (0, m)).collect();
        client.produce_once(&mut topic, messages, &mut Vec::new(), &mut stamp, soon()).await.unwrap();
        let mut lines = String::new();
        let each = |_, entry| match entry {
            Entry::Record(r) => lines.push_str(&format!("{}\n", crate::kafka::records::tests::document(&r))),
            Entry::Opaque { why, .. } => panic!("{why}"),
        };
        let read = client.read(&mut topic, &mut BTreeMap::from([(0, 0)]), count, soon(), each).await.unwrap();
        assert_eq!(read, count);
        std::fs::write(out, lines).unwrap();
    });
}

/// A real broker accepts the epoch that a reader sends (KIP-320), and later records can be read.
#[test]
#[ignore = "needs a real broker"]
fn a_reader_that_sends_its_epoch_can_continue() {
    runtime().block_on(async {
        let name = "kstrim-epoch";
        let mut client = client().await;
        client.delete_topic(name, None, soon()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        client.create_topic(&new_topic(name, 1, &[]), soon()).await.unwrap();
        let mut topic = client.topic(name, soon()).await.unwrap();
        let mut from = 0;
        for round in 0..3_i64 {
            let message =
                |n| (0, Message { value: Some(Bytes::from(format!("{round} {n}"))), ..Message::default() });
            client.produce(&mut topic, (0..5).map(message).collect(), &mut Vec::new(), soon()).await.unwrap();
            let position = BTreeMap::from([(0, from)]);
            let mut chunks =
                client.fetch(&mut topic, &position, Duration::from_secs(2), soon()).await.unwrap();
            let chunk = &mut chunks[0];
            assert_eq!(
                (chunk.diverged, chunk.out_of_range, chunk.records.by_ref().count()),
                (None, false, 5)
            );
            assert!(chunk.records.epoch().is_some());
            from = chunk.records.next_offset();
            assert_eq!(from, (round + 1) * 5);
            client.was_read(&topic, 0, from, chunk.records.epoch());
        }
        client.delete_topic(name, None, soon()).await.unwrap();
    });
}
