//! Realistic runs as events, for the tests of the reporters.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::event::{
    ComponentReport, DeletedNamespace, DeletedObject, DeletedVolume, Deletion, Event, FailureInfo, Line,
    Next, Outcome, ProfileDeletion, SmokeReport, TaskInfo, Unit, VERSION,
};
use crate::failure::{Failure, Kind};

/// An event and its time in milliseconds since the run started.
pub type Step = (u64, Event);

/// The lines of a run that started at a fixed time.
pub fn lines(steps: &[Step]) -> Vec<Line> {
    let began: Timestamp = "2026-11-22T21:09:10Z".parse().expect("a time");
    let time = |ms: &u64| began + SignedDuration::from_millis(i64::try_from(*ms).expect("ms"));
    let line =
        |(ms, event): &Step| Line { v: VERSION, time: time(ms), elapsed_ms: *ms, event: event.clone() };
    steps.iter().map(line).collect()
}

const TASKS: [(&str, &str, &[&str]); 10] = [
    ("preflight", "Preflight checks", &[]),
    ("cluster", "minikube cluster", &["preflight"]),
    ("images", "Container images", &["cluster"]),
    ("namespace", "Namespace kafka", &["cluster"]),
    ("crds", "Strimzi CRDs", &["cluster"]),
    ("operator", "Strimzi operator", &["namespace", "crds"]),
    ("kafka", "Kafka my-cluster", &["namespace", "crds"]),
    ("topic", "Topic my-topic", &["kafka"]),
    ("smoke", "Smoke test", &["topic"]),
    ("ready", "Kafka Ready", &["operator", "kafka", "topic", "smoke"]),
];

fn start(command: &str, tasks: &[(&str, &str, &[&str])]) -> Step {
    let info = |(id, title, needs): &(&str, &str, &[&str])| TaskInfo {
        id: (*id).to_owned(),
        title: (*title).to_owned(),
        needs: needs.iter().map(|n| (*n).to_owned()).collect(),
    };
    let event = Event::RunStarted {
        run_id: "01k9q3v7".to_owned(),
        command: command.to_owned(),
        profile: "kstrim".to_owned(),
        release: (command == "up").then(|| "1.2.0".to_owned()),
        tasks: tasks.iter().map(info).collect(),
    };
    (0, event)
}

fn begin(ms: u64, task: &str, reason: &str) -> Step {
    (ms, Event::TaskStarted { task: task.to_owned(), reason: reason.to_owned() })
}

fn progress(ms: u64, task: &str, message: &str) -> Step {
    let (task, message) = (task.to_owned(), message.to_owned());
    (ms, Event::TaskProgress { task, message, done: None, total: None, unit: None })
}

fn count(ms: u64, task: &str, message: &str, done: u64, total: u64, unit: Unit) -> Step {
    let (task, message) = (task.to_owned(), message.to_owned());
    let total = (total > 0).then_some(total);
    (ms, Event::TaskProgress { task, message, done: Some(done), total, unit: Some(unit) })
}

fn end(ms: u64, task: &str, outcome: Outcome, seconds: f64, detail: &str) -> Step {
    (ms, Event::TaskFinished { task: task.to_owned(), outcome, seconds, detail: detail.to_owned() })
}

/// Where `up` and `smoke-test` write evidence of a failure.
const EVIDENCE: &str =
    "/home/ada/.local/state/kstrim/profiles/kstrim/evidence/kstrim-diagnose-kstrim-20261122T211012Z.tar.gz";

/// The last event, with times from the steps before it.
fn finish(
    mut steps: Vec<Step>,
    ms: u64,
    outcome: Outcome,
    failure: Option<FailureInfo>,
    next: Option<Next>,
) -> Vec<Step> {
    let time = |(_, event): &Step| match event {
        Event::TaskFinished { task, seconds, .. } => Some((task.clone(), *seconds)),
        _ => None,
    };
    let tasks: BTreeMap<String, f64> = steps.iter().filter_map(time).collect();
    let exit_code = failure.as_ref().map_or(0, |f| f.kind.exit_code());
    let seconds = ms as f64 / 1000.0;
    let evidence = failure.as_ref().filter(|f| f.kind == Kind::Task).map(|_| EVIDENCE.to_owned());
    steps.push((ms, Event::RunFinished { outcome, exit_code, seconds, tasks, failure, evidence, next }));
    steps
}

fn next() -> Next {
    let commands = [
        (
            "produce",
            "kstrim kubectl -- -n kafka exec -it my-cluster-dual-role-0 -- bin/kafka-console-producer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic my-topic",
        ),
        (
            "consume",
            "kstrim kubectl -- -n kafka exec -it my-cluster-dual-role-0 -- bin/kafka-console-consumer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic my-topic --from-beginning",
        ),
        ("look inside", "kstrim status"),
        ("use kubectl", "eval \"$(kstrim env)\""),
        ("take it down", "kstrim down"),
    ];
    Next {
        bootstrap: "my-cluster-kafka-bootstrap.kafka.svc:9092".to_owned(),
        commands: commands.map(|(what, line)| (what.to_owned(), line.to_owned())).into(),
    }
}

fn smoke() -> SmokeReport {
    SmokeReport {
        topic: "my-topic".to_owned(),
        sent: 10,
        verified: 10,
        foreign: 0,
        size: 100,
        partitions: 1,
        produce_ms: 84,
        consume_ms: 1312,
        left_behind: None,
    }
}

/// From nothing to the pull of the broker's image.
fn up_to_the_broker() -> Vec<Step> {
    use Outcome::Done;
    let command = "kubectl --kubeconfig /home/ada/.local/state/kstrim/kubeconfig --context kstrim apply --server-side --field-manager=kstrim -f -";
    vec![
        start("up", &TASKS),
        begin(12, "preflight", "checks what this machine has"),
        end(412, "preflight", Done, 0.4, "docker 29.1, 8 CPUs, 24 GB memory, minikube 1.38.1"),
        begin(420, "cluster", "profile kstrim does not exist"),
        progress(600, "cluster", "creating docker container (CPUs=2, memory=4096 MB)"),
        count(2_000, "cluster", "downloading the base image", 20_000_000, 503_000_000, Unit::Bytes),
        count(5_000, "cluster", "downloading the base image", 201_400_000, 503_000_000, Unit::Bytes),
        count(7_900, "cluster", "downloading the base image", 321_000_000, 503_000_000, Unit::Bytes),
        (15_000, Event::Warning {
            task: Some("cluster".to_owned()),
            id: Some("KS-IMAGE-MIRROR".to_owned()),
            message: "the container engine cannot reach registry.k8s.io; images come through docker.io, which is slower".to_owned(),
        }),
        progress(19_000, "cluster", "preparing Kubernetes v1.34.4 on containerd"),
        end(28_400, "cluster", Done, 28.0, "Kubernetes v1.34.4, 1 node, driver docker"),
        begin(28_410, "images", "2 images are not on the node"),
        begin(28_420, "namespace", "namespace kafka does not exist"),
        begin(28_430, "crds", "10 of 10 CRDs are missing"),
        (28_500, Event::Command { task: Some("crds".to_owned()), line: command.to_owned() }),
        count(28_900, "images", "pulling quay.io/strimzi/operator:1.2.0", 0, 2, Unit::Items),
        end(29_100, "namespace", Done, 0.7, "namespace kafka"),
        count(29_500, "crds", "waiting until they are Established", 4, 10, Unit::Items),
        end(30_200, "crds", Done, 1.8, "10 CRDs are Established"),
        begin(30_300, "operator", "Deployment strimzi-cluster-operator does not exist"),
        begin(30_310, "kafka", "Kafka my-cluster does not exist"),
        progress(31_000, "operator", "pod strimzi-cluster-operator-7f9c: pulling image"),
        progress(31_200, "kafka", "waiting for the operator to take it up"),
        count(44_000, "images", "pulling quay.io/strimzi/kafka:1.2.0-kafka-4.3.1", 1, 2, Unit::Items),
        progress(45_000, "operator", "0 of 1 replicas available"),
        progress(46_000, "kafka", "broker my-cluster-dual-role-0: pulling image"),
    ]
}

/// From nothing to a verified cluster.
pub fn up() -> Vec<Step> {
    use Outcome::Done;
    let mut steps = up_to_the_broker();
    steps.extend([
        end(63_000, "operator", Done, 32.7, "Strimzi 1.2.0 operator is available"),
        end(74_000, "images", Done, 45.6, "2 images on the node"),
        progress(74_500, "kafka", "broker my-cluster-dual-role-0: starting"),
        end(88_000, "kafka", Done, 57.7, "Kafka 4.3.1, 1 broker serves"),
        begin(88_100, "topic", "KafkaTopic my-topic does not exist"),
        end(89_300, "topic", Done, 1.2, "1 partition, 1 replica"),
        begin(89_310, "smoke", "not tested since the broker started"),
        count(89_500, "smoke", "writing messages", 4, 10, Unit::Items),
        (91_000, Event::Smoke(smoke())),
        end(91_100, "smoke", Done, 1.8, "10 of 10 messages came back"),
        begin(91_200, "ready", "entity operator is starting"),
        end(103_300, "ready", Done, 12.1, "Ready at generation 1"),
    ]);
    finish(steps, 103_400, Done, None, Some(next()))
}

/// The same command again.
pub fn up_again() -> Vec<Step> {
    let mut steps = vec![start("up", &TASKS)];
    for (i, (id, ..)) in TASKS.iter().enumerate() {
        let ms = 90 * (i as u64 + 1);
        let detail = match *id {
            "cluster" => "Kubernetes v1.34.4, 1 node, driver docker",
            "smoke" => "passed 3m 12s ago, nothing changed since",
            _ => "",
        };
        steps.push(end(ms, id, Outcome::AlreadyDone, 0.09, detail));
    }
    finish(steps, 960, Outcome::AlreadyDone, None, Some(next()))
}

/// The broker's image cannot be pulled.
pub fn image_failure() -> Vec<Step> {
    use Outcome::{Cancelled, Done, Failed, Skipped};
    let failure = Failure::new(
        crate::errors::IMAGE_PULL,
        Kind::Task,
        "the image quay.io/strimzi/kafka:1.2.0-kafka-4.3.1 cannot be pulled",
    )
    .because("pod my-cluster-dual-role-0 waits: ErrImagePull")
    .because("failed to resolve reference:\ndial tcp: lookup quay.io on 192.168.49.1:53: no such host")
    .hint("without network, load the images: kstrim up --image-archive FILE")
    .hint("run `kstrim up` again: it continues");
    let mut steps = up_to_the_broker();
    steps.extend([
        end(63_000, "operator", Done, 32.7, "Strimzi 1.2.0 operator is available"),
        end(
            66_000,
            "kafka",
            Failed,
            35.7,
            "the image quay.io/strimzi/kafka:1.2.0-kafka-4.3.1 cannot be pulled",
        ),
        end(66_010, "images", Cancelled, 37.6, "kafka failed"),
        end(66_011, "topic", Skipped, 0.0, "kafka failed"),
        end(66_012, "smoke", Skipped, 0.0, "kafka failed"),
        end(66_013, "ready", Skipped, 0.0, "kafka failed"),
    ]);
    finish(steps, 66_020, Failed, Some(FailureInfo::new(&failure, Some("kafka"))), None)
}

/// Ctrl-C while minikube starts.
pub fn interrupted() -> Vec<Step> {
    let failure = Failure::new(crate::errors::INTERRUPTED, Kind::Interrupted, "interrupted by Ctrl-C")
        .hint("run `kstrim up` again: it continues");
    let mut steps: Vec<Step> = up_to_the_broker().into_iter().filter(|(ms, _)| *ms < 15_000).collect();
    steps.push(end(15_100, "cluster", Outcome::Cancelled, 14.7, "minikube was stopped"));
    finish(steps, 15_200, Outcome::Cancelled, Some(FailureInfo::new(&failure, None)), None)
}

fn bridge() -> ComponentReport {
    ComponentReport {
        component: "bridge".to_owned(),
        passed: true,
        said: "10 messages sent over HTTP came back in 240 ms".to_owned(),
        verified: 10,
        took_ms: 240,
        id: None,
    }
}

/// `kstrim smoke-test` on a running cluster.
pub fn smoke_test() -> Vec<Step> {
    use Outcome::{AlreadyDone, Done};
    let tasks: [(&str, &str, &[&str]); 2] =
        [("topic", "Topic kstrim-smoke", &[]), ("smoke", "Smoke test", &["topic"])];
    let report = SmokeReport {
        topic: "kstrim-smoke".to_owned(),
        partitions: 3,
        sent: 1000,
        verified: 1000,
        left_behind: Some("KafkaTopic kstrim-smoke (--keep)".to_owned()),
        ..smoke()
    };
    let steps = vec![
        start("smoke-test", &tasks),
        end(120, "topic", AlreadyDone, 0.1, "3 partitions, 1 replica"),
        begin(130, "smoke", "asked for"),
        count(200, "smoke", "writing messages", 400, 1000, Unit::Items),
        count(900, "smoke", "reading messages", 700, 1000, Unit::Items),
        (1_500, Event::Smoke(report)),
        (1_505, Event::ComponentSmoke(bridge())),
        end(1_510, "smoke", Done, 1.4, "1000 of 1000 messages came back"),
    ];
    finish(steps, 1_520, Done, None, None)
}

/// A profile with objects of all kinds.
fn profile() -> ProfileDeletion {
    let namespace = |name: &str, others, objects: &[&str]| DeletedNamespace {
        name: name.into(),
        pods: 3,
        others,
        others_objects: objects.iter().map(|o| (*o).to_owned()).collect(),
    };
    let volume = |namespace: &str, claim: &str, size: Option<&str>, others| DeletedVolume {
        namespace: namespace.into(),
        claim: claim.into(),
        size: size.map(Into::into),
        others,
    };
    ProfileDeletion {
        profile: "kstrim".into(),
        driver: "docker".into(),
        engine: Some("docker 7TRN:IPZB (context default, unix:///var/run/docker.sock)".into()),
        machine: "running".into(),
        nodes: 1,
        engine_volume: Some(true),
        looked_inside: true,
        namespaces: vec![
            namespace("default", false, &["pod web"]),
            namespace("kafka", false, &[]),
            namespace("shop", true, &[]),
        ],
        volumes: vec![
            volume("kafka", "data-0-my-cluster-dual-role-0", Some("1Gi"), false),
            volume("shop", "orders", None, true),
        ],
        others_cluster_wide: vec!["PersistentVolume archive".into()],
        unknown: Vec::new(),
    }
}

/// The objects that are deleted from a namespace.
fn planned() -> Deletion {
    let object = |kind: &str, name: &str, size: Option<&str>| DeletedObject {
        kind: kind.into(),
        name: name.into(),
        size: size.map(Into::into),
    };
    Deletion {
        namespace: "kafka".into(),
        context: Some("prod".into()),
        server: Some("https://10.0.0.1:6443".into()),
        objects: vec![
            object("Kafka", "my-cluster", None),
            object("PersistentVolumeClaim", "data-0-my-cluster-dual-role-0", Some("1Gi")),
        ],
        topics: Some(3),
        kept: vec!["ConfigMap app".into()],
        unknown: vec!["pods.metrics.k8s.io: the server is currently unable to handle the request".into()],
    }
}

/// `kstrim down`.
pub fn down() -> Vec<Step> {
    let tasks: [(&str, &str, &[&str]); 1] = [("cluster", "minikube cluster", &[])];
    let steps = vec![
        start("down", &tasks),
        (90, Event::DeletionPlanned(planned())),
        (100, Event::ProfileDeletion(profile())),
        begin(150, "cluster", "profile kstrim exists and kstrim made it"),
        progress(2_000, "cluster", "removing the container kstrim"),
        end(5_400, "cluster", Outcome::Done, 5.3, "profile kstrim is gone"),
    ];
    finish(steps, 5_410, Outcome::Done, None, None)
}

/// `kstrim run` whose command failed, and one whose command was killed.
pub fn command() -> Vec<Step> {
    let tasks: [(&str, &str, &[&str]); 1] = [("connect", "Connection from this machine", &[])];
    let steps = vec![
        start("run", &tasks),
        begin(10, "connect", "requested"),
        end(900, "connect", Outcome::Done, 0.9, "the brokers are available on 127.0.0.1:9094"),
        (910, Event::CommandStarted { program: "pytest".into(), pid: 41_873 }),
        (42_000, Event::CommandExited { code: Some(1), signal: None, seconds: 41.1 }),
        (43_000, Event::CommandExited { code: None, signal: Some(9), seconds: 42.1 }),
    ];
    finish(steps, 43_100, Outcome::Failed, None, None)
}

/// One task with these texts.
pub fn one_task(text: &str) -> Vec<Step> {
    let tasks: [(&str, &str, &[&str]); 1] = [("kafka", "Kafka", &[])];
    let steps = vec![
        start("up", &tasks),
        begin(100, "kafka", text),
        (200, Event::Warning { task: None, id: None, message: text.to_owned() }),
        progress(2_000, "kafka", "almost"),
        end(3_000, "kafka", Outcome::Done, 2.9, text),
    ];
    finish(steps, 3_100, Outcome::Done, None, None)
}

/// Two tasks are running, one of them with a moving bar; then there is no event for this long.
pub fn silence(time: std::time::Duration) -> Vec<Step> {
    let mut steps =
        vec![start("up", &TASKS), begin(1_000, "kafka", "broker my-cluster-dual-role-0: pulling image")];
    let end_ms = u64::try_from(time.as_millis()).expect("a short time");
    let half = end_ms / 2;
    steps.push(begin(half, "cluster", "downloading the base image"));
    for ms in (half..end_ms).step_by(500) {
        steps.push(count(ms, "cluster", "downloading the base image", ms * 1000, 503_000_000, Unit::Bytes));
    }
    steps.push(end(end_ms, "kafka", Outcome::Done, 60.0, ""));
    steps
}

/// Lines in which every event type and every optional field occurs, with and without.
pub fn every_event() -> Vec<Line> {
    let all =
        [up(), up_again(), image_failure(), interrupted(), smoke_test(), down(), command(), one_task("x")];
    all.iter().flat_map(|steps| lines(steps)).collect()
}
