//! A Kafka resource that somebody else wrote or changed: every command uses its actual content, not kstrim's presets.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{KAFKA, PROFILE, apply_as, events, failure, ready, told, written};

/// The cluster of `ready`, with a Kafka resource that was changed.
fn changed(spec: Value) -> Test {
    let test = ready();
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my-cluster", "namespace": "kafka"}, "spec": spec});
    apply_as(&test, "else", &kafka.to_string()).expect(0);
    test.forget_calls();
    test
}

/// No operator would manage a KafkaTopic or KafkaUser in this namespace.
#[test]
fn resources_that_no_operator_watches_are_not_created() {
    let elsewhere = json!({"watchedNamespace": "apps"});
    let spec = json!({"entityOperator": {"topicOperator": elsewhere, "userOperator": elsewhere}});
    let mut test = changed(spec);
    let refused = |test: &mut Test, args: [&str; 3], id: &str| {
        let lines = events(test, args, 3);
        assert_eq!(failure(&lines), id, "{args:?}");
        let told = told(&lines);
        assert!(told.contains("watchedNamespace") && told.contains("apps"), "{told}");
        assert_eq!(written(test), Vec::<String>::new());
    };
    refused(&mut test, ["topic", "create", "orders"], "KS-TOPIC-UNSERVED");
    refused(&mut test, ["topic", "delete", "my-topic"], "KS-TOPIC-UNSERVED");
    refused(&mut test, ["user", "create", "app"], "KS-USER-UNSERVED");
    // `up` creates its topic through the brokers instead.
    events(&mut test, ["up", "--topic", "orders"], 0);
    assert!(test.object(PROFILE, "kafkatopics.kafka.strimzi.io/kafka/orders").is_null());
}

#[test]
fn acls_are_rejected_if_they_have_no_effect() {
    let authorization = json!({"type": "custom", "authorizerClass": "com.example.Authorizer"});
    let mut test = changed(json!({"kafka": {"authorization": authorization}}));
    let args = ["user", "create", "app", "--acl", "topic:orders:read", "--prepare-kafka", "--yes"];
    let lines = events(&mut test, args, 3);
    assert_eq!(failure(&lines), "KS-USER-NO-AUTHORIZATION");
    assert!(told(&lines).contains("its authorization is custom"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
    events(&mut test, ["user", "create", "app"], 0);
    assert_eq!(test.object(PROFILE, KAFKA)["spec"]["kafka"]["authorization"], authorization);
}

#[test]
fn components_use_the_existing_listener() {
    let listener = |more: Value| {
        let mut listener = json!({"name": "clients", "port": 19092, "type": "internal", "tls": false});
        listener.as_object_mut().expect("an object").extend(more.as_object().cloned().expect("an object"));
        json!({"kafka": {"listeners": [listener]}})
    };
    let mut test = changed(listener(json!({})));
    events(&mut test, ["add", "bridge"], 0);
    let bridge = test.object(PROFILE, "kafkabridges.kafka.strimzi.io/kafka/my-cluster");
    assert_eq!(bridge["spec"]["bootstrapServers"], "my-cluster-kafka-bootstrap:19092");
    let mut test = changed(listener(json!({"authentication": {"type": "scram-sha-512"}})));
    let lines = events(&mut test, ["add", "bridge"], 3);
    assert_eq!(failure(&lines), "KS-NO-PLAIN-LISTENER");
    assert_eq!(written(&test), Vec::<String>::new());
}

/// What restarts or removes brokers needs consent or `--yes`; nothing else does.
#[test]
fn what_restarts_brokers_needs_consent() {
    let mut test = ready();
    events(&mut test, ["scale", "--brokers", "2"], 0);
    for (args, says) in [
        (&["set", "num.partitions=3"][..], "reads num.partitions only when a broker starts"),
        (&["user", "create", "app", "--prepare-kafka"], "gets a listener mtls"),
        (&["add", "metrics"], "gets Broker metrics"),
        (&["scale", "--brokers", "1"], "This removes broker 1"),
        (&["connect"], "gets a listener host"),
    ] {
        test.forget_calls();
        let run = test.args(args.iter().copied()).run().expect(2);
        assert!(run.stderr.contains("KS-CONSENT") && run.stderr.contains("--yes"), "{}", run.stderr);
        let told = run.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(says), "{says}: {told}");
        if args[0] != "scale" {
            assert!(told.contains("restarts brokers 0, 1"), "{told}");
        }
        assert_eq!(written(&test), Vec::<String>::new(), "{args:?}");
    }
    events(&mut test, ["set", "log.retention.ms=60000", "message.max.bytes=2000000"], 0);
    events(&mut test, ["add", "exporter"], 0);
    events(&mut test, ["user", "create", "plain"], 0);
    events(&mut test, ["set", "num.partitions=3", "--yes"], 0);
    events(&mut test, ["add", "metrics", "--yes"], 0);
    let lines = events(&mut test, ["remove", "metrics"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    assert!(told(&lines).contains("loses Broker metrics"), "{}", told(&lines));
    events(&mut test, ["remove", "metrics", "--yes"], 0);
    events(&mut test, ["scale", "--brokers", "1", "--yes"], 0);
}

/// A repeated `up` needs no consent, and reports what it changes.
#[test]
fn up_reports_what_it_changes_in_a_running_kafka_cluster() {
    let mut test = ready();
    let warned = |lines: &[Value]| -> Vec<String> {
        let warnings = lines.iter().filter(|l| l["type"] == "warning" && l["task"] == "kafka");
        warnings.map(|l| l["message"].as_str().unwrap_or_default().to_owned()).collect()
    };
    assert_eq!(warned(&events(&mut test, ["up"], 0)), Vec::<String>::new());
    let lines = events(&mut test, ["up", "--stock"], 0);
    let warned = warned(&lines).join("\n");
    assert!(warned.contains("spec.") && warned.contains("restarts broker 0"), "{warned}\n{lines:#?}");
}
