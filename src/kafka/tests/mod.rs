//! The client and the smoke test against the stand-in broker.

mod real;
mod secure;
mod stream;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::TcpListener;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tempfile::TempDir;
use tokio::time::Instant;

use super::admin::{Created, End, NewTopic};
use super::client::{BrokerAddr, Client, Dial, Options, Topic};
use super::error::{KafkaError, code};
use super::fetch::Entry;
use super::produce::Message;
use super::smoke::{self, Phase, Plan, Progress, Run};
use super::{junit, partition};
use crate::config::Target;
use crate::exec::BoxFuture;
use crate::failure::Kind;
use stand_ins::broker::log::Logs;
use stand_ins::broker::{Faults, Node, Secured, Setup, serve};

/// Brokers on local ports with the addresses that Strimzi advertises.
struct Cluster {
    dir: TempDir,
    ports: BTreeMap<String, u16>,
}

struct Forwarded(BTreeMap<String, u16>);

impl Dial for Forwarded {
    fn dial<'a>(&'a self, broker: &'a BrokerAddr) -> BoxFuture<'a, io::Result<(String, u16)>> {
        let port = self.0.get(broker.pod()).copied();
        let port = port.ok_or_else(|| io::Error::other(format!("no pod {}", broker.pod())));
        Box::pin(async move { Ok(("127.0.0.1".to_owned(), port?)) })
    }
}

impl Cluster {
    fn new(brokers: i32, faults: &Faults) -> Self {
        Self::secured(brokers, &Secured::default(), faults)
    }

    fn secured(brokers: i32, secured: &Secured, faults: &Faults) -> Self {
        let dir = TempDir::new().unwrap();
        let pod = |id| format!("my-cluster-dual-role-{id}");
        let node =
            |id| Node { id, host: format!("{}.my-cluster-kafka-brokers.kafka.svc", pod(id)), port: 9092 };
        let nodes: Vec<Node> = (0..brokers).map(node).collect();
        let mut ports = BTreeMap::new();
        for me in 0..brokers {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            ports.insert(pod(me), listener.local_addr().unwrap().port());
            let setup =
                Setup { me, brokers: nodes.clone(), secured: secured.clone(), faults: faults.clone() };
            let dir = dir.path().to_owned();
            std::thread::spawn(move || serve(&listener, &dir, setup));
        }
        Self { dir, ports }
    }

    fn with_topic(faults: &Faults) -> Self {
        let cluster = Self::new(1, faults);
        cluster.logs().create("my-topic", 1).unwrap();
        cluster
    }

    fn logs(&self) -> Logs {
        Logs::open(self.dir.path()).unwrap()
    }

    fn bootstrap(&self) -> BrokerAddr {
        BrokerAddr { id: -1, host: "my-cluster-dual-role-0".to_owned(), port: 9092 }
    }

    fn dial(&self) -> Rc<dyn Dial> {
        Rc::new(Forwarded(self.ports.clone()))
    }

    async fn client(&self) -> Client {
        Client::connect(self.bootstrap(), self.dial(), Options::default(), soon()).await.unwrap()
    }

    async fn smoke(&self, plan: &Plan) -> Run {
        smoke::run(plan, self.bootstrap(), self.dial(), Options::default(), &|_| {}).await
    }
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(5)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn plan() -> Plan {
    Plan { timeout: Duration::from_secs(20), ..Plan::new("run-1", "my-topic", &Target::default()) }
}

/// A smoke test of the default plan against a broker with faults.
fn smoke_with(faults: &Faults) -> Run {
    runtime().block_on(Cluster::with_topic(faults).smoke(&plan()))
}

fn assert_passed(run: &Run, messages: u64) {
    assert!(run.failure.is_none(), "{:?}", run.failure);
    assert_eq!((run.report.sent, run.report.verified), (messages, messages));
}

fn ids(run: &Run) -> Vec<&'static str> {
    run.findings.iter().map(|f| f.id.as_str()).collect()
}

#[test]
fn a_healthy_broker_passes_and_nothing_remains() {
    let cluster = Cluster::with_topic(&Faults::default());
    let seen = RefCell::new(Vec::new());
    let progress = |p| seen.borrow_mut().push(p);
    let run = runtime().block_on(smoke::run(
        &plan(),
        cluster.bootstrap(),
        cluster.dial(),
        Options::default(),
        &progress,
    ));
    assert_passed(&run, 10);
    assert_eq!((run.report.partitions, run.report.size, run.report.foreign), (1, 100, 0));
    assert!(run.findings.is_empty() && run.report.left_behind.is_none());
    assert_eq!(cluster.logs().bounds("my-topic", 0).unwrap(), (10, 10));
    let seen = seen.into_inner();
    assert_eq!(seen.first(), Some(&Progress::Connecting));
    assert!(seen.contains(&Progress::Producing(10, 10)) && seen.contains(&Progress::Consuming(10, 10)));
    assert_eq!(seen.last(), Some(&Progress::CleaningUp));
}

#[test]
fn messages_between_records_of_others_remain_and_are_reported() {
    let cluster = Cluster::with_topic(&Faults::default());
    runtime().block_on(async {
        let mut client = cluster.client().await;
        let mut topic = client.topic("my-topic", soon()).await.unwrap();
        let theirs = vec![(0, Message { value: Some(Bytes::from("hello")), ..Message::default() })];
        client.produce(&mut topic, theirs, &mut Vec::new(), soon()).await.unwrap();
    });
    let run = runtime().block_on(cluster.smoke(&plan()));
    assert_passed(&run, 10);
    let left = run.report.left_behind.unwrap();
    assert!(left.contains("partition 0 offsets 1 to 10"), "{left}");
    let kept = Plan { keep: true, ..plan() };
    let run = runtime().block_on(Cluster::with_topic(&Faults::default()).smoke(&kept));
    assert!(run.report.left_behind.unwrap().contains("partition 0 offsets 0 to 9 (kept as requested)"));
}

#[test]
fn every_partition_on_every_broker_is_tested() {
    let cluster = Cluster::new(3, &Faults::default());
    let create =
        NewTopic { name: "new".to_owned(), partitions: 7, replication_factor: 3, config: BTreeMap::new() };
    let plan = Plan { topic: "new".to_owned(), messages: 500, create: Some(create), ..plan() };
    let run = runtime().block_on(cluster.smoke(&plan));
    assert_passed(&run, 500);
    assert_eq!(run.report.partitions, 7);
    assert!(run.report.left_behind.is_none());
    assert!(cluster.logs().names().unwrap().is_empty(), "the topic was the test's own");
}

#[test]
fn requests_to_old_brokers_use_topic_names() {
    // ApiVersions, Metadata, Produce, Fetch, ListOffsets, CreateTopics, DeleteTopics, DeleteRecords
    for versions in [
        [(18, 0), (3, 7), (0, 3), (1, 4), (2, 1), (19, 2), (20, 1), (21, 0)],
        [(18, 2), (3, 9), (0, 8), (1, 11), (2, 5), (19, 4), (20, 5), (21, 1)],
        [(18, 3), (3, 12), (0, 9), (1, 13), (2, 7), (19, 7), (20, 6), (21, 2)],
    ] {
        let faults = Faults { max_versions: BTreeMap::from(versions), ..Faults::default() };
        let cluster = Cluster::new(1, &faults);
        let create = NewTopic {
            name: "my-topic".to_owned(),
            partitions: 2,
            replication_factor: 1,
            config: BTreeMap::new(),
        };
        let run = runtime().block_on(cluster.smoke(&Plan { create: Some(create), ..plan() }));
        assert_passed(&run, 10);
        cluster.logs().create("my-topic", 1).unwrap();
        assert_passed(&runtime().block_on(cluster.smoke(&plan())), 10);
        assert_eq!(cluster.logs().bounds("my-topic", 0).unwrap(), (10, 10));
    }
}

#[test]
fn a_broker_without_a_common_version_is_reported() {
    let faults = Faults { max_versions: BTreeMap::from([(3, 2)]), ..Faults::default() };
    let run = smoke_with(&faults);
    let failure = run.failure.unwrap();
    assert_eq!(failure.id.as_str(), "KS-SMOKE-CONNECT");
    assert!(
        failure.causes[0].contains("supports Metadata in versions 0..2, this client in 4..13"),
        "{failure:?}"
    );
}

/// Most cases wait for something: run them in parallel.
fn each<T: Send>(cases: impl IntoIterator<Item = T>, check: impl Fn(T) + Sync) {
    std::thread::scope(|scope| {
        for case in cases {
            scope.spawn(|| check(case));
        }
    });
}

#[test]
fn each_fault_has_its_own_finding() {
    let cases = [
        ("KS-SMOKE-EMPTY", Faults { drop_all: true, ..Faults::default() }),
        ("KS-SMOKE-DUPLICATE", Faults { duplicate: true, ..Faults::default() }),
        ("KS-SMOKE-FOREIGN", Faults { foreign: true, ..Faults::default() }),
        ("KS-SMOKE-FOREIGN", Faults { foreign_compressed: true, ..Faults::default() }),
        ("KS-SMOKE-TRUNCATED", Faults { truncate: Some(4), ..Faults::default() }),
        ("KS-SMOKE-TRUNCATED", Faults { expire: Some(3), ..Faults::default() }),
        ("KS-SMOKE-TRUNCATED", Faults { expire: Some(10), ..Faults::default() }),
        ("KS-SMOKE-CONTENT", Faults { corrupt_content: true, ..Faults::default() }),
        ("KS-SMOKE-COMPRESSED", Faults { recompress: true, ..Faults::default() }),
        ("KS-SMOKE-ORDER", Faults { reorder: true, ..Faults::default() }),
    ];
    each(cases, |(id, faults)| {
        let run = smoke_with(&faults);
        assert_eq!(ids(&run), [id], "{:?}", run.findings);
        let failure = run.failure.as_ref().unwrap();
        assert_eq!((failure.id.as_str(), failure.kind), (id, Kind::Smoke));
        assert!(!failure.hints.is_empty() && run.stopped.is_none());
        assert_eq!(run.report.sent, 10);
        let xml = junit::to_xml(&run, &[], 0.5);
        assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
        assert!(xml.contains(&format!("type=\"{id}\"")), "{xml}");
    });
}

#[test]
fn a_finding_has_a_count_and_a_place() {
    let message = |faults| smoke_with(&faults).findings[0].message.clone();
    let truncated = message(Faults { truncate: Some(4), ..Faults::default() });
    assert_eq!(
        truncated,
        "6 of 10 acknowledged messages are missing from the log (first: partition 0, offset 4; the log now ends at offset 4)"
    );
    let expired = message(Faults { expire: Some(3), ..Faults::default() });
    assert!(
        expired.starts_with("3 of 10") && expired.contains("the log now begins at offset 3"),
        "{expired}"
    );
    let foreign = message(Faults { foreign_compressed: true, ..Faults::default() });
    assert!(foreign.contains("3 (first: partition 0, offsets 0 to 2, compressed with lz4)"), "{foreign}");
}

#[test]
fn foreign_messages_can_be_allowed() {
    let cluster = Cluster::with_topic(&Faults { foreign: true, ..Faults::default() });
    let run = runtime().block_on(cluster.smoke(&Plan { allow_foreign: true, ..plan() }));
    assert_passed(&run, 10);
    assert_eq!((ids(&run), run.report.foreign), (vec!["KS-SMOKE-FOREIGN"], 1));
    // Deleting our records would delete the foreign ones.
    assert!(run.report.left_behind.is_some());
    assert_eq!(cluster.logs().bounds("my-topic", 0).unwrap(), (0, 11));
}

#[test]
fn all_findings_are_reported_most_severe_first() {
    let run =
        smoke_with(&Faults { foreign: true, corrupt_content: true, truncate: Some(8), ..Faults::default() });
    assert_eq!(ids(&run), ["KS-SMOKE-TRUNCATED", "KS-SMOKE-CONTENT", "KS-SMOKE-FOREIGN"]);
    let failure = run.failure.unwrap();
    assert_eq!(failure.causes.len(), 2);
    assert!(failure.causes[0].starts_with("KS-SMOKE-CONTENT: "));
}

#[test]
fn a_failure_that_stops_a_test_has_an_id_and_a_phase() {
    let quick = Duration::from_millis(1500);
    let by_fault = |faults: Faults| {
        let cluster = Cluster::with_topic(&faults);
        runtime().block_on(cluster.smoke(&Plan { timeout: quick, ..plan() }))
    };
    let cases = [
        ("KS-SMOKE-NO-LEADER", Kind::Smoke, Phase::Topic, Faults { no_leader: true, ..Faults::default() }),
        ("KS-SMOKE-PRODUCE", Kind::Smoke, Phase::Produce, Faults { produce_error: 29, ..Faults::default() }),
        ("KS-SMOKE-PRODUCE", Kind::Smoke, Phase::Produce, Faults { produce_error: 19, ..Faults::default() }),
        (
            "KS-SMOKE-PRODUCE",
            Kind::Smoke,
            Phase::Produce,
            Faults { max_message_bytes: Some(100), ..Faults::default() },
        ),
        ("KS-SMOKE-CONSUME", Kind::Smoke, Phase::Consume, Faults { fetch_error: 56, ..Faults::default() }),
        ("KS-SMOKE-CONNECT", Kind::Smoke, Phase::Connect, Faults { not_kafka: true, ..Faults::default() }),
        (
            "KS-SMOKE-CONNECT",
            Kind::Smoke,
            Phase::Connect,
            Faults { close_after_bytes: Some(20), ..Faults::default() },
        ),
        ("KS-SMOKE-TIMEOUT", Kind::Timeout, Phase::Connect, Faults { stall_ms: 5000, ..Faults::default() }),
        (
            "KS-SMOKE-TIMEOUT",
            Kind::Timeout,
            Phase::Produce,
            Faults { stall_ms: 5000, stall_apis: vec![0], ..Faults::default() },
        ),
        (
            "KS-SMOKE-TIMEOUT",
            Kind::Timeout,
            Phase::Consume,
            Faults { stall_ms: 5000, stall_apis: vec![1], ..Faults::default() },
        ),
    ];
    each(cases, |(id, kind, phase, faults)| {
        let run = by_fault(faults.clone());
        let failure = run.failure.as_ref().unwrap_or_else(|| panic!("{faults:?} passed"));
        assert_eq!(
            (failure.id.as_str(), failure.kind, run.stopped),
            (id, kind, Some(phase)),
            "{faults:?}: {failure:?}"
        );
        assert!(!failure.causes.is_empty() && !failure.hints.is_empty(), "{failure:?}");
        let xml = junit::to_xml(&run, &[], 1.0);
        assert_eq!(xml.matches("<failure ").count(), 1, "{xml}");
        assert_eq!(xml.matches("<skipped").count(), if phase == Phase::Consume { 3 } else { 4 }, "{xml}");
    });
}

#[test]
fn a_missing_topic_and_a_missing_broker_are_reported() {
    let cluster = Cluster::new(1, &Faults::default());
    // The brokers have to respond within this time, even on a busy machine.
    let plan = Plan { timeout: Duration::from_secs(3), ..plan() };
    let run = runtime().block_on(cluster.smoke(&plan));
    assert_eq!(run.failure.unwrap().id.as_str(), "KS-SMOKE-NO-TOPIC");
    let nobody = BrokerAddr { id: -1, host: "gone".to_owned(), port: 9092 };
    let run = runtime().block_on(smoke::run(&plan, nobody, cluster.dial(), Options::default(), &|_| {}));
    let failure = run.failure.unwrap();
    assert_eq!(failure.id.as_str(), "KS-SMOKE-CONNECT");
    assert_eq!(failure.causes, ["cannot connect to broker gone:9092: no pod gone"]);
}

#[test]
fn transient_errors_are_waited_for() {
    let faults =
        Faults { unknown_topic_times: 2, no_leader_times: 4, not_leader_times: 3, ..Faults::default() };
    assert_passed(&smoke_with(&faults), 10);
}

#[test]
fn fenced_brokers_are_waited_for() {
    let create = |times| {
        let cluster = Cluster::new(1, &Faults { fenced_times: times, ..Faults::default() });
        let new =
            NewTopic { name: "t".into(), partitions: 1, replication_factor: 1, config: BTreeMap::new() };
        runtime().block_on(async {
            let deadline = Instant::now() + Duration::from_millis(1500);
            cluster.client().await.create_topic(&new, deadline).await
        })
    };
    assert_eq!(create(3).unwrap(), Created::New);
    let refused = create(u32::MAX).unwrap_err().to_string();
    assert!(refused.contains("(code 38)") && refused.contains("currently fenced"), "{refused}");
}

#[test]
fn a_rejected_clean_up_is_reported_without_failing() {
    let cluster = Cluster::with_topic(&Faults { delete_error: 44, ..Faults::default() });
    let run = runtime().block_on(cluster.smoke(&plan()));
    assert_passed(&run, 10);
    assert!(run.report.left_behind.unwrap().contains("could not be deleted"));
}

#[test]
fn large_messages_and_many_messages_go_through() {
    let cluster = Cluster::with_topic(&Faults { max_message_bytes: Some(1_048_588), ..Faults::default() });
    let large = Plan { messages: 5, size: smoke::plan::MAX_SIZE, ..plan() };
    assert_passed(&runtime().block_on(cluster.smoke(&large)), 5);
    let many = Plan { messages: 20_000, ..plan() };
    let run = runtime().block_on(cluster.smoke(&many));
    assert_passed(&run, 20_000);
    assert!(run.report.left_behind.is_none());
}

#[test]
fn a_topic_with_a_small_limit_gets_small_batches() {
    let cluster = Cluster::with_topic(&Faults { max_message_bytes: Some(500), ..Faults::default() });
    assert_passed(&runtime().block_on(cluster.smoke(&Plan { messages: 100, ..plan() })), 100);
}

#[test]
fn topics_are_created_found_and_deleted() {
    let cluster = Cluster::new(2, &Faults::default());
    runtime().block_on(async {
        let mut client = cluster.client().await;
        let new = |replication_factor| NewTopic {
            name: "t".to_owned(),
            partitions: 3,
            replication_factor,
            config: BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]),
        };
        let refused = client.create_topic(&new(3), soon()).await.unwrap_err();
        assert_eq!(
            refused.to_string(),
            "INVALID_REPLICATION_FACTOR (code 38): creating topic t: Replication factor above the 2 brokers."
        );
        assert_eq!(client.create_topic(&new(2), soon()).await.unwrap(), Created::New);
        assert_eq!(client.create_topic(&new(2), soon()).await.unwrap(), Created::AlreadyExists);
        let topic = client.topic("t", soon()).await.unwrap();
        assert_eq!((topic.leaders.clone(), topic.id.is_nil()), (vec![0, 1, 0], false));
        assert_eq!(client.brokers().len(), 2);
        assert!(client.delete_topic("t", None, soon()).await.unwrap());
        assert!(!client.delete_topic("t", None, soon()).await.unwrap());
        let gone = client.topic_now("t", soon()).await.unwrap_err();
        assert_eq!(gone.code(), Some(code::UNKNOWN_TOPIC_OR_PARTITION));
    });
}

#[test]
fn records_are_read_from_an_exact_offset() {
    let cluster = Cluster::with_topic(&Faults::default());
    runtime().block_on(async {
        let mut client = cluster.client().await;
        let mut topic = client.topic("my-topic", soon()).await.unwrap();
        let message = |n: i32| Message {
            key: (n % 2 == 0).then(|| Bytes::from(format!("k{n}"))),
            value: Some(Bytes::from(format!("v{n}"))),
            headers: vec![("h".to_owned(), Some(Bytes::from("x"))), ("none".to_owned(), None)],
        };
        let mut acks = Vec::new();
        for part in [0..6, 6..10] {
            let batch = part.map(|n| (partition::for_key(b"", 1), message(n))).collect();
            client.produce(&mut topic, batch, &mut acks, soon()).await.unwrap();
        }
        assert_eq!(acks.iter().map(|a| (a.base_offset, a.count)).collect::<Vec<_>>(), [(0, 6), (6, 4)]);
        let mut from = BTreeMap::from([(0, 4)]);
        let mut got = Vec::new();
        let each = |_, entry| match entry {
            Entry::Record(r) => got.push(r),
            Entry::Opaque { .. } => panic!("nothing is compressed"),
        };
        assert_eq!(client.read(&mut topic, &mut from, 3, soon(), each).await.unwrap(), 3);
        assert_eq!(got.iter().map(|r| r.offset).collect::<Vec<_>>(), [4, 5, 6]);
        assert_eq!((got[0].key.clone(), got[1].key.clone()), (Some(Bytes::from("k4")), None));
        assert_eq!((&got[2].value, got[2].headers.clone()), (&Some(Bytes::from("v6")), message(6).headers));
        assert_eq!(from[&0], 7);
        // Reaching the end of the log is not an error; only the deadline ends the call.
        let short = Instant::now() + Duration::from_millis(50);
        assert_eq!(client.read(&mut topic, &mut from, 100, short, |_, _| {}).await.unwrap(), 3);
        let first = client.delete_records(&topic, &BTreeMap::from([(0, 5)]), soon()).await.unwrap();
        assert_eq!(first, BTreeMap::from([(0, 5)]));
        assert_eq!(client.list_offsets(&mut topic, End::Earliest, soon()).await.unwrap()[&0], 5);
        assert_eq!(client.list_offsets(&mut topic, End::Latest, soon()).await.unwrap()[&0], 10);
        let mut gone = BTreeMap::from([(0, 2)]);
        let error = client.read(&mut topic, &mut gone, 1, soon(), |_, _| {}).await.unwrap_err();
        assert_eq!(error.code(), Some(code::OFFSET_OUT_OF_RANGE));
        let past = client.delete_records(&topic, &BTreeMap::from([(0, 99)]), soon()).await.unwrap_err();
        assert_eq!(past.code(), Some(code::OFFSET_OUT_OF_RANGE));
    });
}

#[test]
fn dropping_a_call_drops_its_connection() {
    let cluster = Cluster::with_topic(&Faults { stall_ms: 150, stall_apis: vec![2], ..Faults::default() });
    runtime().block_on(async {
        let mut client = cluster.client().await;
        let mut topic: Topic = client.topic("my-topic", soon()).await.unwrap();
        let short = Instant::now() + Duration::from_millis(30);
        let late = client.list_offsets(&mut topic, End::Latest, short).await.unwrap_err();
        assert!(matches!(late, KafkaError::Timeout { .. }), "{late}");
        let dropped = client.list_offsets(&mut topic, End::Latest, soon());
        assert!(tokio::time::timeout(Duration::from_millis(30), dropped).await.is_err());
        // A later call must not read the response to the earlier one.
        assert_eq!(client.list_offsets(&mut topic, End::Latest, soon()).await.unwrap()[&0], 0);
    });
}
