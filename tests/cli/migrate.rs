//! `kstrim upgrade` from ZooKeeper to KRaft.

use serde_json::{Value, json};

use crate::harness::{Action, Crash, Fault, Test};
use crate::support::{
    KAFKA, PROFILE, apply_foreign, events, failure, fresh, install_of, kubectl, outcomes, quick, same, state,
    text, told, until, writes, written,
};

/// Kafka and served versions as in the catalogue: the releases on the path from 0.45.2 to the newest.
const RELEASES: [(&str, &[&str], &[&str]); 6] = [
    ("0.44.0", &["3.7.0", "3.7.1", "3.8.0"], &["v1beta2"]),
    ("0.45.2", &["3.8.0", "3.8.1", "3.9.0", "3.9.1", "3.9.2"], &["v1beta2"]),
    ("0.47.0", &["3.9.0", "3.9.1", "4.0.0"], &["v1beta2"]),
    ("0.50.1", &["4.0.0", "4.0.1", "4.1.0", "4.1.1"], &["v1", "v1beta2"]),
    ("1.0.1", &["4.1.0", "4.1.1", "4.1.2", "4.2.0"], &["v1"]),
    ("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"], &["v1"]),
];
/// Only migrated.
const MIGRATE: [&str; 6] =
    ["upgrade", "--release=0.45.2", "--kafka=3.9.1", "--kraft", "--manifests=manifests", "--yes"];
const POOL: &str = "kafkanodepools.kafka.strimzi.io/kafka";

/// A world in which `up` created a Kafka cluster with ZooKeeper.
fn zookeeper(release: &str, kafka: &str) -> Test {
    let mut test = fresh().scenario(quick);
    for (release, kafkas, served) in RELEASES {
        let path = format!("manifests/strimzi-cluster-operator-{release}.yaml");
        test.write(&path, text(&install_of(release, kafkas, served)));
    }
    let args = ["up", "--preset=zookeeper", "--release", release, "--kafka", kafka, "--manifests=manifests"];
    test.args(args.into_iter().chain(["--kubernetes-version=1.31"])).run().expect(0);
    test.forget_calls();
    test
}

fn run(test: &mut Test, args: &[&str], code: i32) -> Vec<Value> {
    test.args(args.iter().copied().chain(["-o", "json"])).run().expect(code).json_lines()
}

/// The steps of a dry run except the smoke tests.
fn steps(test: &mut Test, args: &[&str]) -> Vec<String> {
    let args = ["upgrade", "--dry-run", "-o", "json"].into_iter().chain(args.iter().copied());
    let told: Value = serde_json::from_str(&test.args(args).run().expect(0).stdout).expect("JSON");
    let schema = std::fs::read_to_string("docs/schema/upgrade.schema.json").expect("the schema");
    let schema = serde_json::from_str(&schema).expect("JSON");
    jsonschema::validator_for(&schema).expect("a schema").validate(&told).expect("by the schema");
    let word = |s: &Value| format!("{} {}", s["step"].as_str().unwrap(), s["release"].as_str().unwrap());
    told["steps"].as_array().expect("steps").iter().filter(|s| s["step"] != "smoke").map(word).collect()
}

#[test]
fn the_path_leads_through_0_45_only_if_required() {
    let mut test = zookeeper("0.44.0", "3.8.0");
    assert_eq!(
        steps(&mut test, &["--release=0.47.0"]),
        [
            "operator 0.45.2",
            "kafka 0.45.2",
            "metadata 0.45.2",
            "pools 0.45.2",
            "migrate 0.45.2",
            "kraft 0.45.2",
            "resources 0.45.2",
            "operator 0.47.0",
            "kafka 0.47.0",
            "metadata 0.47.0",
        ]
    );
    assert_eq!(
        steps(&mut test, &["--release=0.45.2"]),
        ["operator 0.45.2", "kafka 0.45.2", "metadata 0.45.2"]
    );
    let shown = test.args(["upgrade", "--release=0.45.2", "--kraft", "--dry-run"]).run().expect(0).stdout;
    for words in ["rule kraft-last: ", "strimzi.io/kraft=migration", "rolled back", "cannot be undone"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
    let early = test.args(["upgrade", "--release=0.44.0", "--kraft", "--dry-run"]).run().expect(2).stderr;
    assert!(early.contains("rule migrates-from-0.45") && early.contains("--release 0.45.2"), "{early}");
    // Without consent nothing is done, and the prompt describes what would be done.
    let asked = test.args(["upgrade", "--release=0.47.0", "--manifests=manifests"]).run().expect(2).stderr;
    assert!(asked.contains("KS-CONSENT") && asked.contains("ZooKeeper is deleted"), "{asked}");
    assert_eq!(written(&test), Vec::<String>::new());
}

/// A Kafka cluster after its migration.
fn migrated(test: &Test, release: &str) {
    let kafka = test.object(PROFILE, KAFKA);
    for gone in [
        "/spec/zookeeper",
        "/spec/kafka/replicas",
        "/spec/kafka/storage",
        "/spec/kafka/config/inter.broker.protocol.version",
    ] {
        assert_eq!(kafka.pointer(gone), None, "{gone}");
    }
    assert!(kafka["spec"]["kafka"]["metadataVersion"].is_string());
    assert_eq!(kafka["metadata"]["annotations"]["kstrim/release"], release);
    assert!(kafka["metadata"]["annotations"]["strimzi.io/pause-reconciliation"].is_null());
    for (pool, role) in [("kafka", "broker"), ("controller", "controller")] {
        let pool = test.object(PROFILE, &format!("{POOL}/{pool}"));
        assert_eq!(pool["spec"]["roles"], json!([role]));
        assert_eq!(pool["metadata"]["annotations"]["kstrim/release"], release);
    }
    let objects = test.objects(PROFILE);
    let keys: Vec<&String> = objects.as_object().into_iter().flatten().map(|(key, _)| key).collect();
    let has = |key: &str| keys.iter().any(|k| *k == key);
    assert!(has("pods/kafka/my-cluster-kafka-0") && has("pods/kafka/my-cluster-controller-1"), "{keys:?}");
    assert!(!has("pods/kafka/my-cluster-zookeeper-0"), "ZooKeeper goes");
    assert!(has("persistentvolumeclaims/kafka/data-my-cluster-zookeeper-0"), "its volume stays");
}

#[test]
fn from_zookeeper_to_the_newest() {
    let mut test = zookeeper("0.45.2", "3.9.1");
    let claim = test.object(PROFILE, "persistentvolumeclaims/kafka/data-0-my-cluster-kafka-0");
    events(&mut test, ["set", "log.retention.hours=24", "--yes"], 0);
    events(&mut test, ["topic", "create", "orders"], 0);
    let groups = test.world_dir().join("broker/groups.json");
    std::fs::write(groups, json!({"app": {"my-topic": {"0": 1}}}).to_string()).expect("written");
    let upgrade = ["upgrade", "--release=1.2.0", "--manifests=manifests", "--yes"];
    let lines = run(&mut test, &upgrade, 0);
    let ends: Vec<&str> = lines
        .iter()
        .filter(|l| l["type"] == "task_finished")
        .filter_map(|l| l["task"].as_str())
        .filter(|t| !t.starts_with("smoke"))
        .collect();
    let parts = ["ready", "topic", "node-pools", "migrate", "kraft", "without-zookeeper", "crds-0.47.0"];
    assert_eq!(ends[..7], parts, "{ends:?}");
    // Messages and offsets are verified after each part.
    let proofs = lines.iter().filter(|l| {
        l["type"] == "task_finished"
            && l["detail"].as_str().is_some_and(|m| m.contains("1 consumer group, nothing lost"))
    });
    assert!(proofs.count() >= 10, "{lines:#?}");
    migrated(&test, "1.2.0");
    let kafka = test.object(PROFILE, KAFKA);
    assert_eq!(kafka["spec"]["kafka"]["version"], "4.3.1");
    let config = &kafka["spec"]["kafka"]["config"];
    assert_eq!(config["log.retention.hours"], 24);
    assert_eq!(config["share.coordinator.state.topic.replication.factor"], 1);
    let same_claim = test.object(PROFILE, "persistentvolumeclaims/kafka/data-0-my-cluster-kafka-0");
    assert_eq!(same_claim["metadata"]["uid"], claim["metadata"]["uid"], "the broker keeps its volume");
    let kept = lines.iter().filter(|l| l["type"] == "warning").find_map(|l| l["message"].as_str());
    assert!(kept.is_some_and(|m| m.contains("delete pvc") && m.contains("my-cluster-zookeeper")), "{kept:?}");
    let next = lines.last().expect("a line")["next"].to_string();
    assert!(next.contains("exec -it -n kafka my-cluster-kafka-0 "), "{next}");
    // Nothing is left to do, not even for `up`.
    test.forget_calls();
    run(&mut test, &upgrade, 0);
    let lines = events(&mut test, ["up", "--release=1.2.0", "--manifests=manifests"], 0);
    assert_eq!(outcomes(&lines)["kafka"], "already_done");
    assert_eq!(written(&test), Vec::<String>::new());
    // Every other command works.
    events(&mut test, ["scale", "--brokers=3"], 0);
    assert_eq!(test.object(PROFILE, &format!("{POOL}/kafka"))["spec"]["replicas"], 3);
    test.args(["down", "--yes"]).run().expect(0);
}

#[test]
fn leftovers_of_older_releases_and_users_are_handled_before() {
    let mut test = zookeeper("0.44.0", "3.8.0");
    let more = json!({"spec": {"kafka": {"resources": {"limits": {"memory": "2Gi"}},
        "config": {"log.message.format.version": "3.7"}}}});
    kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {more}")).expect(0);
    run(&mut test, &MIGRATE, 0);
    migrated(&test, "0.45.2");
    let kafka = test.object(PROFILE, KAFKA);
    assert_eq!(kafka["spec"]["kafka"]["config"]["log.message.format.version"], Value::Null);
    assert_eq!(kafka["spec"]["kafka"]["resources"], Value::Null);
    for pool in ["kafka", "controller"] {
        let pool = test.object(PROFILE, &format!("{POOL}/{pool}"));
        assert_eq!(pool["spec"]["resources"], json!({"limits": {"memory": "2Gi"}}));
    }
}

#[test]
fn a_killed_migration_continues() {
    let mut whole = zookeeper("0.45.2", "3.9.1");
    let base = whole.fork();
    run(&mut whole, &MIGRATE, 0);
    let (expected, calls) = (state(&whole), whole.calls());
    let writing = (1..).zip(&calls).filter(|(_, call)| !call.by_hand && writes(call));
    let places: Vec<u32> = writing.map(|(k, _)| k).collect();
    assert!(places.len() >= 6, "{places:?}");
    let mut killed = 0;
    for &k in &places {
        for action in [Action::KillParentBefore, Action::KillParentAfter] {
            let mut test = base.fork();
            test.change_scenario(|s| {
                s.faults = vec![Fault { program: String::new(), args: String::new(), nth: Some(k), action }]
            });
            match test.args(MIGRATE).run().code() {
                137 => killed += 1,
                code => assert_eq!(code, 0, "killed at command {k}"),
            }
            test.change_scenario(|s| s.faults.clear());
            run(&mut test, &MIGRATE, 0);
            same(&state(&test), &expected, &format!("killed at command {k}"));
        }
    }
    assert!(killed > places.len(), "killed {killed} times at {places:?}");
}

/// The operator takes minutes between two states; a run that ends there can be continued in each of them.
#[test]
fn a_migration_that_was_stopped_in_any_state_continues() {
    let mut whole = zookeeper("0.45.2", "3.9.1");
    let base = whole.fork();
    run(&mut whole, &MIGRATE, 0);
    let expected = state(&whole);
    for reached in ["KRaftMigration", "KRaftDualWriting", "KRaftPostMigration", "PreKRaft"] {
        let mut test = base.fork();
        test.change_scenario(|s| (s.timings.broker_ready, s.timings.validate) = (400, 400));
        let running = test.args(MIGRATE).spawn();
        until(&test, reached, |test| test.object(PROFILE, KAFKA)["status"]["kafkaMetadataState"] == reached);
        running.signal(rustix::process::Signal::KILL);
        running.wait().expect(137);
        test.change_scenario(quick);
        // Whatever release is requested, a migration that has begun is completed first, with the release that began
        // it.
        let next = steps(&mut test, &["--release=0.47.0"]);
        let first = next.iter().position(|s| s.starts_with("operator")).expect("the next operator");
        // From `PreKRaft` on the operator completes it by itself, and only the fields for ZooKeeper must be removed.
        assert!(first >= 1 && next[..first].iter().all(|s| s.ends_with("0.45.2")), "{reached}: {next:?}");
        run(&mut test, &MIGRATE, 0);
        same(&state(&test), &expected, reached);
    }
}

#[test]
fn an_impossible_migration_is_rejected_before_anything_is_changed() {
    let base = zookeeper("0.45.2", "3.9.1");
    let pool = |cluster: &str, name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaNodePool",
            "metadata": {"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": cluster}},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}}})
    };
    let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data-0-my-cluster-controller-1", "namespace": "kafka",
            "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/pool-name": "controller"}},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}});
    for (object, code, id, said) in [
        (pool("my-cluster", "controller"), 5, "KS-POOL-FOREIGN", "was not created by kstrim"),
        (pool("other", "kafka"), 5, "KS-POOL-TAKEN", "belongs to the Kafka cluster other"),
        (claim, 3, "KS-UPGRADE-NO-PATH", "rule migration-volumes"),
    ] {
        let mut test = base.fork();
        apply_foreign(&test, std::slice::from_ref(&object));
        test.forget_calls();
        let lines = run(&mut test, &MIGRATE, code);
        assert_eq!(failure(&lines), id, "{}", told(&lines));
        assert!(told(&lines).contains(said), "{}", told(&lines));
        assert_eq!(written(&test), Vec::<String>::new());
    }
    let ephemeral = r#"{"spec":{"zookeeper":{"storage":{"type":"ephemeral"}}}}"#;
    for (verb, said) in [
        (format!("patch kafka my-cluster -n kafka --type=merge -p {ephemeral}"), "rule migration-storage"),
        ("annotate kafka my-cluster -n kafka strimzi.io/kraft=rollback".into(), "rule migration-order"),
        ("annotate kafka my-cluster -n kafka strimzi.io/kraft=enabled".into(), "rule migration-order"),
    ] {
        let mut test = base.fork();
        kubectl(&test, &verb).expect(0);
        test.forget_calls();
        let lines = run(&mut test, &MIGRATE, 3);
        assert_eq!(failure(&lines), "KS-UPGRADE-NO-PATH", "{}", told(&lines));
        assert!(told(&lines).contains(said), "{}", told(&lines));
        assert_eq!(written(&test), Vec::<String>::new());
    }
    // No later release supports Kafka 3.9.2: that is reported first, with the alternatives.
    let mut test = zookeeper("0.45.2", "3.9.2");
    let lines = run(&mut test, &["upgrade", "--release=0.50.1", "--manifests=manifests", "--yes"], 2);
    assert!(told(&lines).contains("rule kafka-supported"), "{}", told(&lines));
    assert!(
        told(&lines).contains("and Kafka 3.8.0, 3.8.1, 3.9.0 or 3.9.1 instead of 3.9.2"),
        "{}",
        told(&lines)
    );
    assert_eq!(written(&test), Vec::<String>::new());
}

/// Like the real operator: when the brokers are in their pool, it reconciles again because of its own status update.
/// It must not see the controllers before the migration is requested (seen with Strimzi 0.45.2).
#[test]
fn a_reconciling_operator_does_not_see_an_incomplete_change() {
    let mut test = zookeeper("0.45.2", "3.9.1");
    test.change_scenario(|s| {
        s.operator_looks_again = true;
        (s.timings.validate, s.timings.broker_ready) = (800, 3_000);
    });
    let lines = run(&mut test, &MIGRATE, 0);
    assert_eq!(outcomes(&lines)["migrate"], "done", "{}", told(&lines));
    migrated(&test, "0.45.2");
}

/// Until ZooKeeper is removed, a migration that makes no progress can be rolled back; ZooKeeper is not removed
/// automatically.
#[test]
fn controllers_that_do_not_start_stop_the_migration_before_zookeeper_is_removed() {
    let mut test = zookeeper("0.45.2", "3.9.1");
    test.change_scenario(|s| {
        s.crashes = vec![Crash {
            pod: "controller-1".into(),
            exit: 1,
            reason: "Error".into(),
            log: "Exception in thread \"main\" java.lang.RuntimeException".into(),
            times: 1000,
        }];
    });
    let lines = run(&mut test, &MIGRATE, 1);
    assert_eq!(failure(&lines), "KS-CRASH-LOOP");
    assert_eq!(outcomes(&lines)["migrate"], "failed", "{}", told(&lines));
    let kafka = test.object(PROFILE, KAFKA);
    assert!(!kafka["status"]["kafkaMetadataState"].to_string().contains("KRaft"), "{kafka}");
    assert!(kafka["spec"]["zookeeper"].is_object());
    // When that is fixed, the same command continues.
    test.change_scenario(|s| s.crashes.clear());
    run(&mut test, &MIGRATE, 0);
    migrated(&test, "0.45.2");
}

/// The stand-in of the operator rejects what the real one rejects.
#[test]
fn the_operator_accepts_the_migration_only_in_order() {
    let base = zookeeper("0.45.2", "3.9.1");
    let said = |test: &Test| test.object(PROFILE, KAFKA)["status"].to_string();
    let annotate = |test: &Test, what: &str| {
        kubectl(test, &format!("annotate kafka my-cluster -n kafka --overwrite {what}")).expect(0);
    };
    let pool = json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaNodePool",
        "metadata": {"name": "controller", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"replicas": 1, "roles": ["controller"], "storage": {"type": "ephemeral"}}});
    let test = base.fork();
    annotate(&test, "strimzi.io/kraft=migration");
    until(&test, "no node pools", |t| {
        said(t).contains("KRaft can only be used with a Kafka cluster that uses")
    });
    annotate(&test, "strimzi.io/kraft=disabled strimzi.io/node-pools=enabled");
    apply_foreign(&test, &[pool]);
    until(&test, "a controller too early", |t| said(t).contains("always set only to the 'broker' role"));
    let test = base.fork();
    annotate(&test, "strimzi.io/kraft=enabled");
    until(&test, "not in this state", |t| {
        said(t).contains("KafkaMetadataStateWarning")
            && said(t).contains("\"kafkaMetadataState\":\"ZooKeeper\"")
    });
    let test = base.fork();
    let patch = r#"{"spec":{"zookeeper":null,"kafka":{"replicas":2}}}"#;
    kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
    until(&test, "no ZooKeeper", |t| said(t).contains("The .spec.zookeeper section of the Kafka"));
}
