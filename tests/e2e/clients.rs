//! Comparison with Kafka's own clients: `consume` and the console consumer read the same records, written by the
//! console producer in the broker's pod or by `produce`.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::Value;

use crate::ground::{Ground, within};

/// A message in the format of both: time, partition, offset, headers, key, value.
type Message = (String, i64, i64, String, String, String);

/// A shell pipeline, in which `kstrim` is the binary under test and `kafka TOOL ...` runs in the broker's pod.
fn shell(ground: &Ground, script: &str) -> String {
    let script = format!(
        "set -e; kstrim() {{ '{}' \"$@\"; }}; kafka() {{ kstrim kubectl -- exec -i -n kafka my-cluster-dual-role-0 -c \
         kafka -- \"$@\"; }}; {script}",
        env!("CARGO_BIN_EXE_kstrim")
    );
    ground.run("sh", &["-c", &script]).expect(0).stdout
}

/// What Kafka's own consumer reads from a topic.
fn theirs(ground: &Ground, topic: &str, level: &str, count: usize) -> Vec<Message> {
    let properties = "--property print.timestamp=true --property print.partition=true --property print.offset=true \
                      --property print.headers=true --property print.key=true --property null.literal=NULL \
                      --property headers.separator=, --property key.separator='\t'";
    let out = shell(
        ground,
        &format!(
            "kafka bin/kafka-console-consumer.sh --bootstrap-server localhost:9092 --topic {topic} --from-beginning \
             --isolation-level {level} --max-messages {count} --timeout-ms 30000 {properties}"
        ),
    );
    // The tool's own messages, about deprecated flags, are on stdout too.
    let messages =
        out.lines().filter(|line| line.starts_with("CreateTime:") || line.starts_with("LogAppendTime:"));
    let mut all: Vec<Message> = messages
        .map(|line| {
            let f: Vec<&str> = line.splitn(6, '\t').collect();
            assert_eq!(f.len(), 6, "{line:?}");
            let after = |text: &str| {
                text.split_once(':').map(|(_, n)| n.parse().expect("a number")).expect("a field")
            };
            (
                f[0].split(':').next_back().expect("a time").to_owned(),
                after(f[1]),
                after(f[2]),
                f[3].into(),
                f[4].into(),
                f[5].into(),
            )
        })
        .collect();
    all.sort_by_key(|m| (m.1, m.2));
    all
}

/// What `consume` reads from it.
fn ours(ground: &Ground, topic: &str, level: &str, count: usize) -> Vec<Message> {
    read(ground, topic, level, &["-m", &count.to_string(), "--timeout", "30s"])
}

/// The same; these arguments determine when it ends.
fn read(ground: &Ground, topic: &str, level: &str, until: &[&str]) -> Vec<Message> {
    let args = ["consume", topic, "--from-beginning", "-o", "json", "--isolation-level", level];
    let run = ground.kstrim(&[&args[..], until].concat()).expect(0);
    let text = |v: &Value| v.as_str().unwrap_or("NULL").to_owned();
    let mut all: Vec<Message> = run
        .stdout
        .lines()
        .map(|line| {
            let m: Value = line.parse().expect("JSON");
            let time: jiff::Timestamp = text(&m["timestamp"]).parse().expect("a time");
            let headers: Vec<String> = m["headers"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|h| format!("{}:{}", text(&h["name"]), text(&h["value"])))
                .collect();
            let headers = if headers.is_empty() { "NO_HEADERS".to_owned() } else { headers.join(",") };
            let number = |name: &str| m[name].as_i64().expect("a number");
            let time = time.as_millisecond().to_string();
            (time, number("partition"), number("offset"), headers, text(&m["key"]), text(&m["value"]))
        })
        .collect();
    all.sort_by_key(|m| (m.1, m.2));
    all
}

fn with_topic(ground: &Ground, topic: &str, more: &[&str], work: impl FnOnce()) {
    ground.kstrim(&[&["topic", "create", topic][..], more].concat()).expect(0);
    work();
    ground.kstrim(&["topic", "delete", topic, "--yes"]).expect(0);
}

const PRODUCER: &str = "kafka bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --property \
     parse.headers=true --property parse.key=true --property null.marker=NULL";

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn what_kafkas_producer_writes_is_read_as_its_consumer_reads_it() {
    let ground = Ground::with_kafka("clients::what_kafkas_producer_writes_is_read_as_its_consumer_reads_it");
    with_topic(&ground, "work-theirs", &["--partitions", "2"], || {
        for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
            let lines = format!(
                "trace:1,trace:2\\tk\\t{codec} headers twice\\nNULL\\tk\\tno headers\\nNULL\\tNULL\\tno key\\n\
                 NULL\\ttombstone\\tNULL\\nother:\\t\\t\\n"
            );
            shell(
                &ground,
                &format!("printf '{lines}' | {PRODUCER} --topic work-theirs --compression-codec {codec}"),
            );
        }
        let theirs = theirs(&ground, "work-theirs", "read_uncommitted", 25);
        assert_eq!(theirs.len(), 25);
        assert_eq!(ours(&ground, "work-theirs", "read_uncommitted", 25), theirs);
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_topic_whose_broker_stamps_has_the_brokers_time() {
    let ground = Ground::with_kafka("clients::a_topic_whose_broker_stamps_has_the_brokers_time");
    with_topic(&ground, "work-stamped", &["--config", "message.timestamp.type=LogAppendTime"], || {
        let lines = "NULL\\ta\\tone\\nNULL\\tb\\ttwo\\nNULL\\tc\\tthree\\n";
        shell(
            &ground,
            &format!("printf '{lines}' | {PRODUCER} --topic work-stamped --producer-property linger.ms=1500"),
        );
        let theirs = theirs(&ground, "work-stamped", "read_uncommitted", 3);
        assert_eq!(ours(&ground, "work-stamped", "read_uncommitted", 3), theirs);
        assert!(theirs.iter().all(|m| m.0 == theirs[0].0), "one batch, one time: {theirs:?}");
    });
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn what_produce_writes_kafkas_consumer_reads() {
    let ground = Ground::with_kafka("clients::what_produce_writes_kafkas_consumer_reads");
    with_topic(&ground, "work-ours", &["--partitions", "3"], || {
        shell(
            &ground,
            "for i in $(seq 300); do echo \"k$i:value $i\"; done | \
             kstrim produce work-ours --key-separator : --header a=1 --header b=2 --header a=3",
        );
        let theirs = theirs(&ground, "work-ours", "read_committed", 300);
        assert_eq!(ours(&ground, "work-ours", "read_committed", 300), theirs);
        assert!(theirs.iter().all(|m| m.3 == "a:1,b:2,a:3"), "{:?}", theirs[0]);
        // Keys go to the same partitions as with Kafka's own producer.
        let lines: String = (1..=300).map(|i| format!("NULL\\tk{i}\\tvalue {i}\\n")).collect();
        shell(&ground, &format!("printf '{lines}' | {PRODUCER} --topic work-ours"));
        let mut places: BTreeMap<String, Vec<i64>> = BTreeMap::new();
        for message in ours(&ground, "work-ours", "read_uncommitted", 600) {
            places.entry(message.4).or_default().push(message.1);
        }
        assert_eq!(places.len(), 300);
        assert!(places.values().all(|p| p.len() == 2 && p[0] == p[1]), "{places:?}");
    });
}

/// Transactions, some of them aborted, produced by Kafka's own tool.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn gaps_of_transactions_and_compaction_are_passed_over() {
    let ground = Ground::with_kafka("clients::gaps_of_transactions_and_compaction_are_passed_over");
    with_topic(&ground, "work-transactions", &[], || {
        shell(
            &ground,
            "kafka bin/kafka-producer-perf-test.sh --topic work-transactions --num-records 200 --record-size 20 \
             --throughput 400 --transactional-id work --transaction-duration-ms 50 --producer-props \
             bootstrap.servers=localhost:9092 >&2",
        );
        let theirs = theirs(&ground, "work-transactions", "read_committed", 200);
        assert_eq!(ours(&ground, "work-transactions", "read_committed", 200), theirs);
        assert!(theirs.last().expect("one").2 >= 200, "markers took offsets");
    });
    let config = [
        "--config",
        "cleanup.policy=compact",
        "--config",
        "segment.ms=1000",
        "--config",
        "min.cleanable.dirty.ratio=0.01",
    ];
    with_topic(&ground, "work-compacted", &config, || {
        for round in 0..5 {
            shell(
                &ground,
                &format!(
                    "for i in $(seq 50); do echo \"k$((i % 5)):{round} $i\"; done | \
                          kstrim produce work-compacted --key-separator :; sleep 2"
                ),
            );
        }
        // The log cleaner may run between two reads.
        within(Duration::from_secs(180), "both read the same", || {
            let all = || read(&ground, "work-compacted", "read_uncommitted", &["--idle", "3s"]);
            let first = all();
            assert!((5..=250).contains(&first.len()), "{first:?}");
            let theirs = theirs(&ground, "work-compacted", "read_uncommitted", first.len());
            let again = all();
            if first != again {
                return Err(format!("the cleaner left {} of {}", again.len(), first.len()));
            }
            assert_eq!(first, theirs);
            Ok(())
        });
    });
}

/// Share groups keep their state in a topic that needs three brokers by default: on one broker a share consumer
/// received nothing, without an error.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn kafkas_share_consumer_gets_each_message() {
    let ground = Ground::with_kafka("clients::kafkas_share_consumer_gets_each_message");
    with_topic(&ground, "work-shared", &["--partitions", "2"], || {
        shell(&ground, "for i in $(seq 20); do echo \"job $i\"; done | kstrim produce work-shared");
        // A share group starts at the end of a topic.
        shell(
            &ground,
            "kafka bin/kafka-configs.sh --bootstrap-server localhost:9092 --alter --entity-type groups --entity-name \
             work-shares --add-config share.auto.offset.reset=earliest",
        );
        let consumer = "kafka bin/kafka-console-share-consumer.sh --bootstrap-server localhost:9092 --topic work-shared \
                        --group work-shares --timeout-ms 60000";
        let out = shell(&ground, &format!("{consumer} --max-messages 20"));
        let mut jobs: Vec<&str> = out.lines().filter(|line| line.starts_with("job ")).collect();
        jobs.sort_unstable();
        jobs.dedup();
        assert_eq!(jobs.len(), 20, "{out}");
        // What the first consumer acknowledged is not delivered again.
        shell(&ground, "echo 'job last' | kstrim produce work-shared");
        let out = shell(&ground, &format!("{consumer} --max-messages 1"));
        assert!(out.lines().any(|line| line == "job last"), "{out}");
        shell(
            &ground,
            "kafka bin/kafka-share-groups.sh --bootstrap-server localhost:9092 --delete --group work-shares >&2",
        );
    });
}
