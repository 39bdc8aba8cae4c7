//! The document and its text, for recorded clusters (`tests/recordings`).

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::data::{Level, Part, ProfileState, Status};
use super::draw;
use super::model::{self, Facts, Memory, Place};
use crate::cluster::journal::{Suspension, SuspensionState};
use crate::command_line::Aim;
use crate::kube::{Kind, Snapshot, Store};
use crate::terminal::Look;
use crate::tool::minikube_output::{self, Listed, State};

const UTF8: Look = Look { color: false, unicode: true };

fn read(path: &str) -> String {
    let path = format!("{}/tests/recordings/{path}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The cluster `seconds` after the start of a recording, and that moment by the cluster's own clock: the latest time
/// in any object (a pod's deletion lies in the future).
fn at(recording: &str, seconds: f64) -> (Snapshot, Timestamp) {
    let kinds = [
        Kind::Pod,
        Kind::Event,
        Kind::Namespace,
        Kind::Deployment,
        Kind::Kafka,
        Kind::KafkaNodePool,
        Kind::KafkaTopic,
        Kind::KafkaUser,
    ];
    let mut sources = BTreeMap::from(kinds.map(|kind| (kind.plural(), kind)));
    sources.insert("pvc", Kind::Claim);
    let store = Store::new();
    sources.values().for_each(|kind| store.replace(*kind, Vec::new()));
    let mut now = Timestamp::MIN;
    for line in read(&format!("{recording}/watch.jsonl")).lines() {
        let mut line: Value = serde_json::from_str(line).expect("a recorded event");
        if line["t"].as_f64().expect("a time") > seconds {
            continue;
        }
        let Some(kind) = sources.get(line["source"].as_str().expect("a source")) else { continue };
        if line["event"]["type"] != "DELETED" {
            now = now.max(latest(&line["event"]["object"]).unwrap_or(Timestamp::MIN));
        }
        store.apply(*kind, line["event"].take());
    }
    (store.snapshot(), now)
}

fn latest(value: &Value) -> Option<Timestamp> {
    match value {
        Value::String(text) => text.parse().ok(),
        Value::Array(items) => items.iter().filter_map(latest).max(),
        Value::Object(fields) => fields
            .iter()
            .filter(|(name, _)| *name != "deletionTimestamp")
            .filter_map(|(_, v)| latest(v))
            .max(),
        _ => None,
    }
}

/// Facts about a profile that is running and responds.
fn running() -> Facts {
    let listed = minikube_output::profile(&read("21-mk-start-fresh/snapshots/profile-list.json"), "kstrim2");
    Facts {
        place: Place {
            profile: "kstrim2".into(),
            namespace: "kafka".into(),
            cluster: "my-cluster".into(),
            aims: vec![Aim { long: "--profile", value: "kstrim2".into() }],
        },
        listed,
        state: Some(State::Running),
        ours: true,
        suspended: None,
        our_kubeconfig: true,
        minikube: Some("1.38.1".into()),
        kubectl: Some("1.34.4".into()),
        api: Some(Ok("1.34.4".into())),
        strimzi_api: Some("v1"),
        troubles: Vec::new(),
    }
}

fn status(facts: &Facts, (snapshot, now): &(Snapshot, Timestamp)) -> Status {
    model::status(facts, snapshot, &mut Memory::default(), *now)
}

fn nothing() -> (Snapshot, Timestamp) {
    (Snapshot::default(), Timestamp::UNIX_EPOCH)
}

/// The text at 80 columns, without kstrim's version, which changes.
fn drawn(status: &Status) -> String {
    let json = serde_json::to_value(status).expect("JSON");
    if let Err(error) = super::schema_tests::validator().validate(&json) {
        panic!("{error}\nin {json}");
    }
    for columns in [40, 60, 80, 132] {
        for line in draw::lines(status, UTF8, Some(columns)) {
            assert!(line.width() <= columns, "{columns}: {}", line.render(UTF8));
        }
    }
    draw::text(status, UTF8, Some(80)).replace(env!("CARGO_PKG_VERSION"), "0.0.0")
}

/// A cluster without problems.
pub(super) fn ready_cluster() -> Status {
    status(&running(), &at("01-happy-persistent", 73.7))
}

#[test]
fn ready() {
    let status = ready_cluster();
    assert!(status.ready && status.reason.is_none() && status.findings.is_empty(), "{status:#?}");
    assert_eq!(status.addresses.bootstrap.as_deref(), Some("my-cluster-kafka-bootstrap.kafka.svc:9092"));
    assert_eq!(
        status.pods.iter().map(|p| p.part).collect::<Vec<_>>(),
        [Part::Kafka, Part::EntityOperator, Part::Operator]
    );
    insta::assert_snapshot!(drawn(&status));
}

#[test]
fn starting() {
    let status = status(&running(), &at("01-happy-persistent", 26.0));
    assert!(!status.ready);
    insta::assert_snapshot!(drawn(&status));
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let status = status(&running(), &at("07-image-pull-failure", 40.0));
    assert!(!status.ready && status.findings[0].level == Level::Cause, "{:#?}", status.findings);
    assert_eq!(status.next, [""; 0], "the finding has the hints");
    insta::assert_snapshot!(drawn(&status));
}

/// Without times in the objects a finding is certain after it has been seen for long enough.
#[test]
fn a_finding_becomes_certain_only_in_a_watch() {
    let (snapshot, _) = at("01-happy-persistent", 73.7);
    let store = Store::new();
    for kind in [Kind::Namespace, Kind::Kafka, Kind::KafkaNodePool] {
        store.replace(kind, snapshot.all(kind).map(|o| o.json().clone()).collect());
    }
    store.replace(Kind::Deployment, Vec::new());
    let snapshot = store.snapshot();
    let mut memory = Memory::default();
    let mut level = |second: i64| {
        let now = Timestamp::from_second(1_800_000_000 + second).expect("a time");
        let found = model::status(&running(), &snapshot, &mut memory, now).findings;
        found.iter().find(|f| f.id == "KS-OPERATOR-MISSING").map(|f| f.level)
    };
    assert_eq!(level(0), Some(Level::Suspicion));
    assert_eq!(level(60), Some(Level::Cause));
}

#[test]
fn paused_with_a_change_that_is_not_reconciled() {
    let recorded: Value =
        serde_json::from_str(&read("20-pause-reconciliation/snapshots/paused-and-patched.json"))
            .expect("JSON");
    let (_, now) = at("20-pause-reconciliation", 30.0);
    let mut everything = Vec::from([recorded]);
    everything.extend([
        json!({"kind": "Namespace", "metadata": {"name": "kafka"}, "status": {"phase": "Active"}}),
        serde_json::from_str(&read("01-happy-persistent/snapshots/deployment-operator.json")).expect("JSON"),
    ]);
    let snapshot = Snapshot::of(everything.into_iter().map(crate::kube::Object::new));
    let status = status(&running(), &(snapshot.clone(), now));
    let kafka = status.kafka.as_ref().expect("a Kafka");
    assert!(kafka.paused && !kafka.ready && kafka.generation > kafka.observed_generation, "{kafka:#?}");
    insta::assert_snapshot!(drawn(&status));

    // The annotation was removed, and the operator has not reconciled yet: it is about to continue.
    let mut resumed = snapshot.all(Kind::Kafka).next().expect("a Kafka").json().clone();
    resumed["metadata"]["annotations"] = json!({});
    let snapshot = Snapshot::of([crate::kube::Object::new(resumed)]);
    let resumed = model::status(&running(), &snapshot, &mut Memory::default(), now).kafka;
    assert!(resumed.is_some_and(|k| !k.paused && !k.ready));
}

#[test]
fn no_profile() {
    let facts = Facts {
        listed: Some(Listed::Absent),
        state: minikube_output::status(85, "", ""),
        ours: false,
        api: None,
        strimzi_api: None,
        ..running()
    };
    let status = status(&facts, &nothing());
    assert_eq!((status.profile.state, status.ready), (ProfileState::Absent, false));
    insta::assert_snapshot!(drawn(&status));
}

#[test]
fn stopped() {
    let recorded = read("23-mk-status/commands.jsonl");
    let stopped = recorded
        .lines()
        .map(|l| serde_json::from_str::<Value>(l).expect("JSON"))
        .find(|c| c["exit"] == 7 && c["stdout"].as_str().is_some_and(|s| s.starts_with('{')))
        .expect("a stopped profile");
    let said = stopped["stdout"].as_str().unwrap_or_default();
    let state = minikube_output::status(7, said, "");
    let at = |state| Some(Suspension { state, since: nothing().1 - SignedDuration::from_mins(125) });
    let facts =
        Facts { state, api: None, strimzi_api: None, suspended: at(SuspensionState::Stopped), ..running() };
    let stopped = status(&facts, &nothing());
    assert_eq!(stopped.profile.state, ProfileState::Stopped);
    insta::assert_snapshot!(drawn(&stopped));
    // The time of another state does not apply; and `start` is not for somebody else's profile.
    let facts = Facts { suspended: at(SuspensionState::Paused), ours: false, ..facts };
    let theirs = status(&facts, &nothing());
    assert_eq!((theirs.profile.since, theirs.next.join("; ")), (None, "kstrim up --profile kstrim2".into()));
}

/// From the machine up: the first thing that is missing is named, with what to do.
#[test]
fn an_incomplete_cluster_reports_what_is_missing() {
    let say = |facts: &Facts, snapshot: Snapshot| {
        let status = status(facts, &(snapshot, Timestamp::UNIX_EPOCH));
        assert!(!status.ready);
        assert!(status.findings.iter().all(|f| !f.sentence.is_empty()), "{:#?}", status.findings);
        (status.reason.unwrap_or_default(), status.next.join("; "))
    };
    let of = |objects: &[Value]| Snapshot::of(objects.iter().cloned().map(crate::kube::Object::new));
    let down = |state, api: Option<&str>| Facts {
        state,
        api: api.map(|e| Err(e.to_owned())),
        strimzi_api: None,
        ..running()
    };
    let up = "kstrim up --profile kstrim2";
    for (state, verb, reason) in [
        (State::Paused, "unpause", "the minikube profile kstrim2 is paused"),
        (State::Stopped, "start", "the minikube profile kstrim2 is stopped"),
    ] {
        let next = format!("kstrim {verb} --profile kstrim2");
        assert_eq!(say(&down(Some(state), None), Snapshot::default()), (reason.to_owned(), next));
    }
    for (state, api, reason) in [
        (Some(State::Gone), None, "the machine of the minikube profile kstrim2 does not exist"),
        (
            Some(State::Partial),
            Some("refused"),
            "the minikube profile kstrim2 is only partly started: its API server is not running",
        ),
        (
            Some(State::Running),
            Some("refused"),
            "the API server of the minikube profile kstrim2 does not respond",
        ),
        (None, Some("refused"), "the API server of the minikube profile kstrim2 does not respond"),
    ] {
        assert_eq!(say(&down(state, api), Snapshot::default()), (reason.to_owned(), up.to_owned()));
    }
    let engine = say(&down(Some(State::EngineDown("Cannot connect".into())), None), Snapshot::default());
    assert!(engine.0.contains("does not respond") && engine.1.is_empty(), "{engine:?}");

    let namespace =
        json!({"kind": "Namespace", "metadata": {"name": "kafka"}, "status": {"phase": "Active"}});
    let mut leaving = namespace.clone();
    leaving["status"]["phase"] = "Terminating".into();
    let operator: Value =
        serde_json::from_str(&read("01-happy-persistent/snapshots/deployment-operator.json")).expect("JSON");
    let bare = Facts { strimzi_api: None, ..running() };
    let none = say(&bare, of(&[json!({"kind": "Namespace", "metadata": {"name": "default"}})]));
    assert_eq!(none, ("the namespace kafka does not exist".into(), up.into()));
    let gone = say(&bare, of(&[leaving]));
    assert_eq!(
        gone,
        ("the namespace kafka is being deleted".into(), "kstrim status --watch --profile kstrim2".into())
    );
    let crds = say(&bare, of(std::slice::from_ref(&namespace)));
    assert!(crds.0.starts_with("Strimzi is not installed"), "{crds:?}");
    let no_operator = say(&running(), of(std::slice::from_ref(&namespace)));
    assert_eq!(no_operator.0, "no Strimzi operator watches the namespace kafka");
    let no_kafka = say(&running(), of(&[namespace, operator]));
    assert_eq!(
        no_kafka,
        ("the Kafka cluster my-cluster does not exist in the namespace kafka".into(), up.into())
    );
}

#[test]
fn volumes_without_a_kafka_cluster_are_kept() {
    let (snapshot, now) = at("01-happy-persistent", 73.7);
    let kept = |snapshot: &Snapshot| {
        let storage = model::status(&running(), snapshot, &mut Memory::default(), now).storage;
        (storage.kept, storage.claims.iter().map(|c| (c.bound, c.size.clone())).collect::<Vec<_>>())
    };
    assert_eq!(kept(&snapshot), (0, vec![(true, "100Gi".to_owned())]));
    let store = Store::new();
    let claims = snapshot.all(Kind::Claim).map(|o| o.json().clone()).collect();
    store.replace(Kind::Claim, claims);
    assert_eq!(kept(&store.snapshot()).0, 0, "an absence that was not looked at is no absence");
    store.replace(Kind::Kafka, Vec::new());
    assert_eq!(kept(&store.snapshot()).0, 1);
}

#[test]
fn topics_report_why_they_are_not_ready() {
    let list: Value =
        serde_json::from_str(&read("12-topic-failure/snapshots/all-topics.json")).expect("JSON");
    let items = list["items"].as_array().expect("topics").iter().cloned();
    let snapshot = Snapshot::of(items.map(crate::kube::Object::new));
    let topics = status(&running(), &(snapshot, Timestamp::UNIX_EPOCH)).topics;
    let reasons: Vec<String> = topics
        .iter()
        .map(|t| format!("{} {}", t.name, t.reason.as_deref().unwrap_or("ready")))
        .map(|r| r.chars().take(70).collect())
        .collect();
    insta::assert_snapshot!(reasons.join("\n"));
    assert!(topics.iter().all(|t| t.ready == t.reason.is_none()));
}
