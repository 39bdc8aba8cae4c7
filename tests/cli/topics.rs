//! `kstrim topic`: topics are created, shown and deleted; invalid requests are rejected before anything is done.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{
    PROFILE, apply_foreign, events, failure, fresh, kstrim, kubectl, ready, told, until, written,
};

fn key(resource: &str) -> String {
    format!("kafkatopics.kafka.strimzi.io/kafka/{resource}")
}

/// Run with `-o json`, and take stdout as one document.
fn json_of<const N: usize>(test: &mut Test, args: [&str; N]) -> Value {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    test.args(all).run().expect(0).json()
}

#[test]
fn a_topic_is_created_shown_and_deleted() {
    let mut test = ready();
    let args = ["topic", "create", "orders", "--partitions", "3", "--config", "retention.ms=86400000"];
    let lines = events(&mut test, args, 0);
    let ended = lines.iter().find(|l| l["type"] == "task_finished").expect("an end");
    assert_eq!(ended["detail"], "topic orders is ready: 3 partitions, 1 replica");
    let object = test.object(PROFILE, &key("orders"));
    assert_eq!(
        object["spec"],
        json!({"partitions": 3, "replicas": 1, "config": {"retention.ms": 86_400_000}})
    );
    assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/managed-by"], "kstrim");
    assert_eq!(object["metadata"]["labels"]["strimzi.io/cluster"], "my-cluster");

    let list = json_of(&mut test, ["topic", "list"]);
    let topics: Vec<&Value> = list.as_array().expect("a list").iter().map(|t| &t["topic"]).collect();
    assert_eq!(topics, ["my-topic", "orders"]);
    assert_eq!((&list[1]["ready"], &list[1]["made_by_kstrim"]), (&json!(true), &json!(true)));
    let text = kstrim(&mut test, ["topic", "list"]).expect(0).stdout;
    assert!(text.contains("orders") && text.lines().count() == 3, "{text}");

    let described = json_of(&mut test, ["topic", "describe", "orders"]);
    assert_eq!(described["live"].as_array().map(Vec::len), Some(3), "{described}");
    assert_eq!(described["live"][0], json!({"partition": 0, "leader": 0, "first": 0, "next": 0}));
    let text = kstrim(&mut test, ["topic", "describe", "orders"]).expect(0).stdout;
    assert!(text.contains("retention.ms") && text.contains("NEXT OFFSET"), "{text}");

    let lines = events(&mut test, ["topic", "delete", "orders", "--yes"], 0);
    assert!(lines.iter().any(|l| l["detail"] == "topic orders was deleted"), "{lines:#?}");
    assert!(test.object(PROFILE, &key("orders")).is_null());
}

#[test]
fn creating_an_existing_topic_succeeds_and_other_settings_are_rejected() {
    let mut test = ready();
    events(&mut test, ["topic", "create", "orders", "--partitions", "2"], 0);
    test.forget_calls();
    events(&mut test, ["topic", "create", "orders", "--partitions", "2"], 0);
    let lines = events(&mut test, ["topic", "create", "orders", "--config", "retention.ms=1"], 2);
    assert_eq!(failure(&lines), "KS-TOPIC-EXISTS");
    let told = told(&lines);
    assert!(told.contains("partitions: it has 2, but 1 was requested"), "{told}");
    assert!(told.contains("retention.ms: it has the default, but 1 was requested"), "{told}");
    assert_eq!(written(&test), Vec::<String>::new(), "nothing was changed");
}

#[test]
fn names_that_kubernetes_does_not_allow_are_kept_in_the_resource() {
    let mut test = ready();
    events(&mut test, ["topic", "create", "Audit_Log.v1"], 0);
    let list = json_of(&mut test, ["topic", "list"]);
    assert_eq!(list[0]["topic"], "Audit_Log.v1");
    let resource = list[0]["resource"].as_str().expect("a name").to_owned();
    assert!(resource.starts_with("audit-log-v1-"), "{resource}");
    assert_eq!(test.object(PROFILE, &key(&resource))["spec"]["topicName"], "Audit_Log.v1");
    let lines = events(&mut test, ["topic", "create", "Audit.Log.v1"], 2);
    assert_eq!(failure(&lines), "KS-TOPIC-COLLIDES");
    events(&mut test, ["topic", "delete", "Audit_Log.v1", "--yes"], 0);
    assert!(test.object(PROFILE, &key(&resource)).is_null());
}

#[test]
fn invalid_topics_are_rejected_before_anything_is_done() {
    let mut test = ready();
    let lines = events(&mut test, ["topic", "create", "orders", "--replicas", "3"], 2);
    assert_eq!(failure(&lines), "KS-TOPIC-REPLICATION");
    assert!(told(&lines).contains("--replicas 1"), "{}", told(&lines));
    let lines = events(&mut test, ["topic", "delete", "my-topc", "--yes"], 2);
    assert_eq!(failure(&lines), "KS-TOPIC-UNKNOWN");
    assert!(told(&lines).contains("did you mean my-topic?"), "{}", told(&lines));
    for bad in ["a b", "..", "töpic"] {
        let run = kstrim(&mut test, ["topic", "create", bad]).expect(2);
        assert!(run.stderr.contains("topic name"), "{}", run.stderr);
    }
    kstrim(&mut test, ["topic", "create", "orders", "--config", "retention.ms"]).expect(2);
    kstrim(&mut test, ["topic", "create", "orders", "--partitions", "0"]).expect(2);
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn kafkas_rejection_is_explained() {
    let mut test = ready();
    let lines = events(&mut test, ["topic", "create", "orders", "--config", "retention=5"], 1);
    assert_eq!(failure(&lines), "KS-TOPIC-CONFIG");
    assert!(told(&lines).contains("does not recognize: retention"), "{}", told(&lines));
    let list = json_of(&mut test, ["topic", "list"]);
    assert_eq!(list[1]["ready"], false);
    assert!(list[1]["reason"].as_str().expect("why").starts_with("KafkaError"), "{list}");
}

#[test]
fn nothing_is_deleted_without_consent() {
    let mut test = ready();
    let lines = events(&mut test, ["topic", "delete", "my-topic"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    assert!(told(&lines).contains("kstrim topic delete my-topic -o json --yes"), "{}", told(&lines));
    assert!(test.object(PROFILE, &key("my-topic")).is_object());
}

#[test]
fn foreign_topics_are_listed_and_deleted_if_named() {
    let mut test = ready();
    apply_foreign(
        &test,
        &[json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "theirs", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
            "spec": {"topicName": "Theirs", "partitions": 1, "replicas": 1}})],
    );
    let list = json_of(&mut test, ["topic", "list"]);
    assert_eq!((&list[0]["topic"], &list[0]["made_by_kstrim"]), (&json!("Theirs"), &json!(false)));
    let lines = events(&mut test, ["topic", "create", "theirs"], 5);
    assert_eq!(failure(&lines), "KS-TOPIC-RESOURCE-TAKEN");
    events(&mut test, ["topic", "delete", "Theirs", "--yes"], 0);
}

#[test]
fn a_topic_operator_that_does_not_respond_is_waited_for_up_to_a_limit() {
    let mut test = ready().scenario(|s| s.timings.topic = 600_000);
    let args = ["topic", "create", "orders", "--timeout", "1s"];
    let lines = events(&mut test, args, 4);
    assert_eq!(failure(&lines), "KS-TOPIC-LATE");
}

#[test]
fn without_a_cluster_there_is_a_hint() {
    let mut test = fresh();
    let run = kstrim(&mut test, ["topic", "list"]).expect(3);
    assert!(run.stderr.contains("KS-NO-CLUSTER") && run.stderr.contains("kstrim up"), "{}", run.stderr);
    assert_eq!(run.stdout, "");
    let mut test = ready();
    let run = kstrim(&mut test, ["topic", "list", "--cluster", "other"]).expect(3);
    assert!(run.stderr.contains("Kafka cluster other does not exist"), "{}", run.stderr);
}

/// The topic operator of early releases creates resources for its own topics and for Kafka's.
#[test]
fn internal_topics_are_shown_only_on_request() {
    let mut test = ready();
    let internal = [
        "__consumer_offsets",
        "__strimzi_store_topic",
        "__strimzi-topic-operator-kstreams-topic-store-changelog",
    ];
    let topics = internal.iter().enumerate().map(|(at, topic)| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": format!("internal-{at}"), "namespace": "kafka",
                "labels": {"strimzi.io/cluster": "my-cluster"}},
            "spec": {"topicName": topic, "partitions": 1, "replicas": 1}})
    });
    apply_foreign(&test, &topics.collect::<Vec<_>>());
    let names = |list: &Value| -> Vec<String> {
        let mut names: Vec<_> = list
            .as_array()
            .expect("topics")
            .iter()
            .map(|t| t["topic"].as_str().unwrap_or("").to_owned())
            .collect();
        names.sort();
        names
    };
    let mut all = internal.map(str::to_owned).to_vec();
    all.push("my-topic".to_owned());
    all.sort();
    assert_eq!(names(&json_of(&mut test, ["topic", "list"])), ["my-topic"]);
    assert_eq!(names(&json_of(&mut test, ["topic", "list", "--internal-topics"])), all);
    assert_eq!(names(&json_of(&mut test, ["status"])["topics"]), ["my-topic"]);
    assert_eq!(names(&json_of(&mut test, ["status", "--internal-topics"])["topics"]), all);
    let text = kstrim(&mut test, ["status"]).expect(0).stdout;
    assert!(text.contains("my-topic") && !text.contains("__"), "{text}");
}

fn theirs(resource: &str, spec: Value) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "spec": spec,
        "metadata": {"name": resource, "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}}})
}

/// Whether the brokers have a topic.
fn in_kafka(test: &Test, topic: &str) -> bool {
    test.world_dir().join("broker/topics").join(topic).exists()
}

/// The topic operator deletes only the resource of an unmanaged topic.
#[test]
fn an_unmanaged_topic_is_not_deleted() {
    let mut test = ready();
    kubectl(&test, "annotate kafkatopic my-topic -n kafka strimzi.io/managed=false").expect(0);
    let lines = events(&mut test, ["topic", "delete", "my-topic", "--yes"], 3);
    assert_eq!(failure(&lines), "KS-RESOURCE-PAUSED");
    let told = told(&lines);
    assert!(told.contains("annotate kafkatopic my-topic strimzi.io/managed- -n kafka"), "{told}");
    assert!(test.object(PROFILE, &key("my-topic")).is_object() && in_kafka(&test, "my-topic"));
    assert_eq!(written(&test), Vec::<String>::new());
    kubectl(&test, "annotate kafkatopic my-topic -n kafka strimzi.io/managed-").expect(0);
    events(&mut test, ["topic", "delete", "my-topic", "--yes"], 0);
    assert!(!in_kafka(&test, "my-topic"));
}

/// Nor one that no topic operator watches.
#[test]
fn a_topic_that_lost_its_label_is_not_deleted() {
    let mut test = ready();
    kubectl(&test, "label kafkatopic my-topic -n kafka strimzi.io/cluster-").expect(0);
    let lines = events(&mut test, ["topic", "delete", "my-topic", "--yes"], 1);
    assert_eq!(failure(&lines), "KS-TOPIC-LABEL");
    let told = told(&lines);
    assert!(told.contains("label kafkatopic my-topic strimzi.io/cluster=my-cluster -n kafka"), "{told}");
    assert!(test.object(PROFILE, &key("my-topic")).is_object() && in_kafka(&test, "my-topic"));
    // One that Kafka does not have is only a resource.
    let mut stray = theirs("stray", json!({"partitions": 1}));
    stray["metadata"]["labels"] = json!({});
    apply_foreign(&test, &[stray]);
    events(&mut test, ["topic", "delete", "stray", "--yes"], 0);
}

/// The resource is deleted as soon as its finalizer is removed; the topic, when the brokers do not have it any more.
#[test]
fn a_topic_is_deleted_when_kafka_no_longer_has_it() {
    let mut test = ready();
    apply_foreign(&test, &[theirs("another", json!({"topicName": "my-topic"}))]);
    kubectl(&test, "wait kafkatopic/another -n kafka --for=condition=Ready=False --timeout=10s").expect(0);
    // As if the topic operator re-created it for the other resource.
    let (done, folder) = (AtomicBool::new(false), test.world_dir().join("broker/topics/my-topic"));
    let meta = fs::read(folder.join("meta.json")).expect("the topic");
    let lines = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                if !folder.join("meta.json").exists() {
                    let _ =
                        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join("meta.json"), &meta));
                }
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let lines = test
            .args(["topic", "delete", "my-topic", "--yes", "--timeout", "2s", "-o", "json"])
            .run()
            .json_lines();
        done.store(true, Ordering::Relaxed);
        lines
    });
    assert_eq!(failure(&lines), "KS-TOPIC-STUCK", "{lines:#?}");
    let told = told(&lines);
    assert!(told.contains("the KafkaTopic my-topic was deleted, but Kafka still has the topic"), "{told}");
    assert!(told.contains("the KafkaTopic another also describes it"), "{told}");
}

/// The resource that describes a topic may have any name.
#[test]
fn waiting_for_a_topic_uses_the_name_of_its_resource() {
    let mut test = ready();
    let refused = theirs("r3", json!({"topicName": "slow3", "config": {"bogus.setting": "1"}}));
    apply_foreign(&test, &[refused, theirs("r4", json!({"topicName": "slow4"}))]);
    let lines = events(&mut test, ["topic", "create", "slow3", "--timeout", "20s"], 1);
    assert_eq!(failure(&lines), "KS-TOPIC-CONFIG");
    let lines = events(&mut test, ["topic", "create", "slow4", "--timeout", "20s"], 0);
    assert!(!lines.iter().any(|l| l["message"] == "topic slow4: does not exist yet"), "{lines:#?}");
}

/// The resource with the name that kstrim would choose describes another topic.
#[test]
fn up_does_not_use_another_topics_resource() {
    let mut test = ready();
    events(&mut test, ["topic", "delete", "my-topic", "--yes"], 0);
    apply_foreign(&test, &[theirs("my-topic", json!({"topicName": "other"}))]);
    let lines = events(&mut test, ["up"], 5);
    assert_eq!(failure(&lines), "KS-TOPIC-RESOURCE-TAKEN");
    let told = told(&lines);
    assert!(told.contains("describes the topic other") && told.contains("--topic another-name"), "{told}");
}

/// Waiting changes nothing about a paused or unmanaged topic.
#[test]
fn a_paused_topic_is_not_reported_as_in_progress() {
    let mut test = ready();
    apply_foreign(&test, &[theirs("stray", json!({"partitions": 1}))]);
    for (annotation, condition, words) in [
        ("strimzi.io/managed=false", "Unmanaged", "not managed"),
        ("strimzi.io/pause-reconciliation=true", "ReconciliationPaused", "paused"),
    ] {
        kubectl(&test, &format!("annotate kafkatopic stray -n kafka {annotation}")).expect(0);
        kubectl(&test, &format!("wait kafkatopic/stray -n kafka --for=condition={condition} --timeout=10s"))
            .expect(0);
        for args in [&["topic", "list"][..], &["topic", "describe", "stray"], &["status"]] {
            let text = test.args(args.iter().copied()).run().expect(0).stdout;
            assert!(text.contains(words) && !text.contains("is reconciling it"), "{args:?}: {text}");
        }
        let name = annotation.split_once('=').expect("a value").0;
        kubectl(&test, &format!("annotate kafkatopic stray -n kafka {name}-")).expect(0);
    }
}

/// The entity operator was scaled to 0: each command that waits for it reports that.
#[test]
fn an_entity_operator_that_is_scaled_to_0_is_named() {
    let mut test = ready();
    let none = r#"{"spec":{"replicas":0}}"#;
    kubectl(&test, &format!("patch deployment my-cluster-entity-operator -n kafka --type=merge -p {none}"))
        .expect(0);
    kubectl(&test, "delete pod -n kafka -l strimzi.io/component-type=entity-operator --wait=false").expect(0);
    until(&test, "its pod is gone", |test| {
        !test.objects(PROFILE).to_string().contains("\"pods/kafka/my-cluster-entity-operator")
    });
    let hint = "scale --replicas=1 deployment/my-cluster-entity-operator -n kafka";
    for (args, id) in [
        (["topic", "create", "orders", "--timeout", "2s", "-o", "json"].as_slice(), "KS-TOPIC-LATE"),
        (&["topic", "delete", "my-topic", "--yes", "--timeout", "2s", "-o", "json"], "KS-TOPIC-STUCK"),
        (&["user", "create", "app", "--timeout", "2s", "-o", "json"], "KS-USER-LATE"),
    ] {
        let lines = test.args(args.iter().copied()).run().expect(4).json_lines();
        assert_eq!(failure(&lines), id);
        let told = told(&lines);
        assert!(told.contains("is scaled to 0") && told.contains(hint), "{told}");
        assert!(!told.contains("logs -c"), "it has no log: {told}");
    }
    let status = kstrim(&mut test, ["status"]).stdout;
    assert!(status.contains("KS-ENTITY-OPERATOR-STOPPED"), "{status}");
}
