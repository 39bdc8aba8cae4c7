//! Components: `up --with`, `add`, `remove`, and what is rejected.

use serde_json::{Value, json};
use stand_ins::scenario::Waiting;

use crate::harness::{Action, Test};
use crate::support::{
    KAFKA, PROFILE, apply_as, events, failure, fresh, journal, kstrim, kubectl, ours, outcomes, place, quick,
    ready, same, state, told, topics, written,
};

const CONNECT: &str = "kafkaconnects.kafka.strimzi.io/kafka/my-cluster";

fn names(test: &Test, what: &str) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let keys = objects.as_object().into_iter().flat_map(|o| o.keys());
    keys.filter(|key| key.contains(what)).cloned().collect()
}

fn status(test: &mut Test) -> Value {
    kstrim(test, ["status", "-o", "json"]).expect(0).json()
}

fn component(status: &Value, name: &str) -> Value {
    let all = status["components"].as_array().expect("components");
    all.iter().find(|c| c["name"] == name).cloned().unwrap_or_default()
}

#[test]
fn up_starts_all_components_in_parallel() {
    // Long enough to start all of them before the first is ready, even on a busy machine.
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.timings.pod_ready = 2_000;
    });
    let with = "connect,mirror-maker,bridge,cruise-control,exporter,metrics";
    let lines = events(&mut test, ["up", "--preset", "ha", "--with", with], 0);
    let outcomes = outcomes(&lines);
    for name in with.split(',') {
        assert!(matches!(outcomes[name].as_str(), "done" | "already_done"), "{name}: {outcomes:?}");
    }
    // They start together when the brokers are ready, and the last task waits for them.
    let brokers = place(&lines, "task_finished", "kafka");
    let first = ["connect", "mirror-maker", "bridge"].map(|name| place(&lines, "task_finished", name));
    for name in ["connect", "mirror-maker", "bridge"] {
        let start = place(&lines, "task_started", name);
        assert!(start > brokers && first.iter().all(|end| start < *end), "{name}");
    }
    for name in with.split(',') {
        assert!(place(&lines, "task_finished", name) < place(&lines, "task_finished", "ready"), "{name}");
    }
    let kafka = test.object(PROFILE, KAFKA);
    assert!(
        kafka["spec"]["cruiseControl"].is_object() && kafka["spec"]["kafkaExporter"].is_object(),
        "{kafka}"
    );
    assert_eq!(kafka["spec"]["kafka"]["metricsConfig"]["type"], "strimziMetricsReporter");
    // A single apply: no broker is created twice.
    assert_eq!(kafka["metadata"]["generation"], 1);
    let connect = test.object(PROFILE, CONNECT);
    assert_eq!(connect["spec"]["bootstrapServers"], "my-cluster-kafka-bootstrap:9092");
    assert_eq!(names(&test, "pods/kafka/my-cluster-connect"), ["pods/kafka/my-cluster-connect-0"]);

    // Each component was tested with messages.
    let proven: Vec<&Value> = lines.iter().filter(|l| l["type"] == "component_smoke").collect();
    assert_eq!(proven.len(), 5, "{proven:#?}");
    assert!(proven.iter().all(|p| p["passed"] == true), "{proven:#?}");
    let status = status(&mut test);
    for name in with.split(',') {
        let shown = component(&status, name);
        assert!(shown["ready"] == true && shown["ours"] == true, "{shown}");
    }
    assert_eq!(component(&status, "bridge")["url"], "http://my-cluster-bridge-service.kafka.svc:8080");
    let text = kstrim(&mut test, ["status"]).expect(0).stdout;
    assert!(text.contains("KafkaMirrorMaker2/my-cluster") && text.contains("spec.kafkaExporter"), "{text}");

    // Again, with and without: nothing is written or deleted.
    let before = test.object(PROFILE, KAFKA);
    for args in [vec!["up", "--preset", "ha"], vec!["up", "--preset", "ha", "--with", with]] {
        test.forget_calls();
        test.args(args.clone()).run().expect(0);
        // The test of Connect creates two connectors in one apply and deletes each by its path.
        let mut calls = written(&test).into_iter();
        if args.contains(&"--with") {
            let created = calls.next().expect("the check's connectors are created");
            assert!(created.contains(" apply "), "{created}");
            let mut deleted: Vec<String> = calls.by_ref().take(2).collect();
            deleted.sort();
            for (call, name) in deleted.iter().zip(["kstrim-proof-sink", "kstrim-proof-source"]) {
                let path = format!(
                    "delete --raw /apis/kafka.strimzi.io/v1/namespaces/kafka/kafkaconnectors/{name} "
                );
                assert!(call.contains(&path), "{call}");
            }
            assert_eq!(deleted.len(), 2, "{deleted:#?}");
        }
        assert_eq!(calls.collect::<Vec<_>>(), Vec::<String>::new(), "{args:?} writes more");
    }
    assert_eq!(test.object(PROFILE, KAFKA), before);

    // All of them are deleted with the rest.
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    assert_eq!(names(&test, "/kafka/"), Vec::<String>::new());
    assert_eq!(ours(&test), ["configmaps/kube-system/kstrim"]);
}

#[test]
fn another_up_removes_nothing() {
    let mut test = ready();
    events(&mut test, ["add", "exporter", "metrics", "--yes"], 0);
    // Other settings: the whole Kafka resource is applied again.
    events(&mut test, ["up", "--stock"], 0);
    let kafka = test.object(PROFILE, KAFKA);
    assert!(kafka["spec"]["kafka"]["readinessProbe"].is_null(), "applied anew: {kafka}");
    assert!(kafka["spec"]["kafkaExporter"].is_object(), "{kafka}");
    assert!(kafka["spec"]["kafka"]["metricsConfig"].is_object(), "{kafka}");
}

#[test]
fn each_is_added_once_and_removed_without_a_trace() {
    let mut test = ready();
    let before = state(&test);
    let all: Vec<String> = names(&test, "/kafka/");
    let lines =
        events(&mut test, ["add", "connect", "mirror-maker", "bridge", "exporter", "metrics", "--yes"], 0);
    assert_eq!(outcomes(&lines)["connect"], "done");
    assert!(names(&test, "services/kafka/my-cluster-connect-api").len() == 1);
    test.forget_calls();
    let lines = events(&mut test, ["add", "connect", "bridge", "exporter"], 0);
    assert!(outcomes(&lines).values().all(|o| o == "already_done"), "{:?}", outcomes(&lines));
    assert_eq!(written(&test), Vec::<String>::new());

    // Two of them have topics, whose deletion needs consent.
    let lines = events(&mut test, ["remove", "connect", "mirror-maker"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    events(&mut test, ["remove", "bridge", "exporter", "metrics", "--yes"], 0);
    events(&mut test, ["remove", "connect", "mirror-maker", "--yes"], 0);
    same(&before, &state(&test), "something stayed");
    let events_gone = |names: Vec<String>| -> Vec<String> {
        names.into_iter().filter(|n| !n.starts_with("events/") && !n.starts_with("replicasets")).collect()
    };
    assert_eq!(events_gone(names(&test, "/kafka/")), events_gone(all));
    // Removing what does not exist succeeds.
    let lines = events(&mut test, ["remove", "bridge"], 0);
    assert_eq!(outcomes(&lines)["bridge"], "already_done");
    events(&mut test, ["smoke-test"], 0);
}

/// The names of Connect's topics prove nothing: they are deleted with a KafkaConnect, or after an interrupted
/// removal.
#[test]
fn topics_are_deleted_only_with_their_component() {
    const THEIRS: &str = "my-cluster-connect-offsets";
    let mut test = ready();
    events(&mut test, ["topic", "create", THEIRS], 0);
    events(&mut test, ["remove", "connect", "--yes"], 0);
    assert!(topics(&test).contains(&THEIRS.to_owned()), "{:?}", topics(&test));

    const MIRROR: &str = "source.my-topic";
    let mut test = beside(&["mirror-maker"]);
    events(&mut test, ["smoke-test"], 0);
    let delete = "kafkamirrormaker2s/my-cluster -f";
    test = test.fault("kubectl", delete, Some(1), Action::KillParentAfter);
    assert_eq!(kstrim(&mut test, ["remove", "mirror-maker", "--yes"]).code(), 137);
    test.change_scenario(|s| s.faults.clear());
    assert!(topics(&test).contains(&MIRROR.to_owned()), "{:?}", topics(&test));
    events(&mut test, ["remove", "mirror-maker", "--yes"], 0);
    assert!(!topics(&test).contains(&MIRROR.to_owned()), "{:?}", topics(&test));
    assert_eq!(journal(&test)["removing"], json!({}));
}

#[test]
fn cruise_control_needs_several_brokers() {
    let mut test = fresh();
    let lines = test.args(["up", "--with", "cruise-control"]).run().expect(2);
    assert!(
        lines.stderr.contains("KS-COMPONENT-BROKERS") && lines.stderr.contains("--preset ha"),
        "{}",
        lines.stderr
    );
    assert_eq!(written(&test), Vec::<String>::new());
    let mut test = ready();
    let lines = events(&mut test, ["add", "cruise-control", "connect"], 2);
    assert_eq!(failure(&lines), "KS-COMPONENT-BROKERS");
    assert!(told(&lines).contains("kstrim scale --brokers 3"), "{}", told(&lines));
    assert_eq!(written(&test), Vec::<String>::new());
    let wrong = kstrim(&mut test, ["add", "conect"]).expect(2);
    assert!(wrong.stderr.contains("connect"), "{}", wrong.stderr);
}

#[test]
fn foreign_components_are_not_changed() {
    let mut test = ready();
    let theirs = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaBridge",
        "metadata": {"name": "my-cluster", "namespace": "kafka"},
        "spec": {"replicas": 1, "bootstrapServers": "elsewhere:9092", "http": {"port": 8080}}});
    apply_as(&test, "else", &theirs.to_string()).expect(0);
    let patch = json!({"spec": {"kafkaExporter": {"topicRegex": "mine"}}});
    kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
    test.forget_calls();
    for args in [["add", "bridge"], ["remove", "bridge"], ["add", "exporter"], ["remove", "exporter"]] {
        let lines = events(&mut test, args, 5);
        assert_eq!(failure(&lines), "KS-COMPONENT-FOREIGN", "{args:?}");
    }
    let lines = events(&mut test, ["up", "--with", "bridge"], 5);
    assert_eq!(failure(&lines), "KS-COMPONENT-FOREIGN");
    assert_eq!(written(&test), Vec::<String>::new());
    let shown = component(&status(&mut test), "bridge");
    assert_eq!(shown["ours"], false, "{shown}");
}

#[test]
fn causes_are_named() {
    let mut test = ready();
    test.change_scenario(|s| s.missing_images.push("kafka-bridge".into()));
    let lines = events(&mut test, ["add", "bridge"], 1);
    assert_eq!(failure(&lines), "KS-IMAGE-PULL");
    assert!(told(&lines).contains("the HTTP bridge cannot start"), "{}", told(&lines));
    // The same command continues when the cause is removed.
    test.change_scenario(|s| s.missing_images.clear());
    events(&mut test, ["add", "bridge"], 0);
    events(&mut test, ["remove", "bridge"], 0);

    let words = "KafkaConnect.spec.version is not known";
    test.change_scenario(|s| {
        s.refuse_beside.push(("KafkaConnect".into(), "InvalidResourceException".into(), words.into()));
    });
    let lines = events(&mut test, ["add", "connect"], 1);
    assert_eq!(failure(&lines), "KS-COMPONENT-REFUSED");
    assert!(told(&lines).contains(words), "{}", told(&lines));
    let shown = kstrim(&mut test, ["status"]).stdout;
    assert!(shown.contains("KS-COMPONENT-REFUSED"), "{shown}");
    assert_eq!(component(&status(&mut test), "connect")["ready"], false);
}

/// Strimzi creates the entity operator once Cruise Control is ready. What prevents that is reported, not what is
/// missing.
#[test]
fn cruise_control_that_cannot_start_delays_the_entity_operator() {
    let mut test = fresh().scenario(quick);
    let pod = "my-cluster-cruise-control".to_owned();
    let message = "configmap \"metrics\" not found".to_owned();
    test.change_scenario(|s| {
        s.waiting.push(Waiting { pod, reason: "CreateContainerConfigError".into(), message });
    });
    let up = ["up", "--preset", "ha", "--with", "cruise-control"];
    let lines = events(&mut test, up, 1);
    assert!(told(&lines).contains("Cruise Control cannot start"), "{}", told(&lines));
    assert!(told(&lines).contains("configmap"), "{}", told(&lines));
    assert_eq!(names(&test, "deployments.apps/kafka/my-cluster-entity-operator"), [""; 0]);
    test.change_scenario(|s| s.waiting.clear());
    events(&mut test, up, 0);
    let secrets = names(&test, "secrets/kafka/my-cluster-");
    for end in ["trustbundle", "entity-topic-operator-cc-api"] {
        assert!(secrets.iter().any(|s| s.ends_with(end)), "{secrets:?}");
    }
    // Nothing of it remains.
    test.args(["down", "--keep-cluster", "--yes"]).run().expect(0);
    let left: Vec<String> =
        ["secrets/kafka/", "networkpolicies"].iter().flat_map(|k| names(&test, k)).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn connect_with_foreign_connectors_is_kept() {
    let mut test = ready();
    events(&mut test, ["add", "connect"], 0);
    let theirs = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
        "metadata": {"name": "orders", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"class": "org.example.Sink", "config": {}}});
    apply_as(&test, "else", &theirs.to_string()).expect(0);
    let lines = events(&mut test, ["remove", "connect", "--yes"], 5);
    assert_eq!(failure(&lines), "KS-COMPONENT-IN-USE");
    assert!(told(&lines).contains("orders"), "{}", told(&lines));
}

#[test]
fn plan_shows_the_components() {
    let mut test = fresh().scenario(quick);
    let rendered = kstrim(
        &mut test,
        ["render", "--only", "components", "--with", "connect,metrics", "--release", "0.45.2"],
    );
    let rendered = rendered.expect(0).stdout;
    assert!(
        rendered.contains("kind: KafkaConnect") && rendered.contains("group.id: my-cluster-connect"),
        "{rendered}"
    );
    assert!(rendered.contains("kind: ConfigMap"), "before Strimzi 0.47 the rules are kstrim's: {rendered}");
    let kafka = kstrim(&mut test, ["render", "--only", "kafka", "--with", "exporter"]).expect(0).stdout;
    assert!(kafka.contains("kafkaExporter:") && kafka.contains("kstrim/with-exporter"), "{kafka}");
    let plan = kstrim(&mut test, ["plan", "--with", "connect,exporter"]).expect(0).stdout;
    assert!(plan.contains("KafkaConnect/my-cluster") && plan.contains("spec.kafkaExporter"), "{plan}");
    assert!(plan.contains("laptop tuning: JVM options"), "{plan}");
    // As a setting.
    test.write("kstrim.yaml", "with: [bridge]\n");
    let plan = kstrim(&mut test, ["plan"]).expect(0).stdout;
    assert!(plan.contains("KafkaBridge/my-cluster"), "{plan}");
}

fn reports(lines: &[Value]) -> Vec<(String, bool)> {
    let all = lines.iter().filter(|l| l["type"] == "component_smoke");
    all.map(|l| (l["component"].as_str().unwrap_or("").to_owned(), l["passed"] == true)).collect()
}

/// A world with these components.
fn beside(names: &[&str]) -> Test {
    let mut test = ready();
    let mut args = vec!["add", "--yes"];
    args.extend(names);
    test.args(args).run().expect(0);
    test
}

#[test]
fn the_smoke_test_tests_all_components() {
    let mut test = beside(&["connect", "mirror-maker", "bridge", "exporter", "metrics"]);
    let before = state(&test);
    let known = topics(&test);
    let lines = events(&mut test, ["smoke-test", "--junit", "out.xml"], 0);
    let names = ["connect", "mirror-maker", "bridge", "exporter", "metrics"];
    assert_eq!(reports(&lines), names.map(|n| (n.to_owned(), true)), "{lines:#?}");
    let xml = std::fs::read_to_string(test.work().join("out.xml")).expect("the JUnit file");
    assert!(xml.contains("classname=\"kstrim.components\"") && xml.contains("failures=\"0\""), "{xml}");
    // Nothing of it remains; the mirrored topic belongs to MirrorMaker 2.
    same(&before, &state(&test), "the test left something");
    assert_eq!(names_of_connectors(&test), Vec::<String>::new());
    let mut wanted = known;
    wanted.push("source.my-topic".to_owned());
    wanted.sort();
    wanted.dedup();
    assert_eq!(topics(&test), wanted);
    let run = kstrim(&mut test, ["smoke-test"]).expect(0);
    assert!(run.stderr.contains("bridge: 10 messages"), "{}", run.stderr);
    let lines = events(&mut test, ["smoke-test", "--no-components"], 0);
    assert_eq!(reports(&lines), []);
    // Removing what does not exist deletes no topics; removing MirrorMaker 2 deletes the mirrored topic.
    let theirs = "strimzi.cruisecontrol.metrics";
    events(&mut test, ["topic", "create", theirs], 0);
    events(&mut test, ["remove", "cruise-control", "--yes"], 0);
    assert!(topics(&test).contains(&theirs.to_owned()));
    events(&mut test, ["remove", "mirror-maker", "--yes"], 0);
    assert!(!topics(&test).contains(&"source.my-topic".to_owned()));
}

fn names_of_connectors(test: &Test) -> Vec<String> {
    names(test, "kafkaconnectors.kafka.strimzi.io/")
}

#[test]
fn a_failed_connector_is_reported_with_its_trace() {
    let mut test = beside(&["connect"]);
    let trace =
        "org.apache.kafka.connect.errors.ConnectException: Couldn't find or create file\n\tat a.B(C.java:1)";
    test.change_scenario(|s| s.connector_trace = Some(trace.into()));
    let lines = events(&mut test, ["smoke-test", "--no-diagnose"], 6);
    assert_eq!(failure(&lines), "KS-CONNECTOR-FAILED");
    assert!(
        told(&lines).contains("find or create file") && !told(&lines).contains("C.java"),
        "{}",
        told(&lines)
    );
    assert_eq!(reports(&lines), [("connect".to_owned(), false)]);
    assert_eq!(names_of_connectors(&test), Vec::<String>::new());
}

#[test]
fn lost_and_rejected_messages_are_reported() {
    let mut test = beside(&["mirror-maker", "bridge"]);
    test.change_scenario(|s| {
        s.loses = Some(3);
        s.http_status.push(("kafka-bridge".into(), 500));
    });
    let lines = events(&mut test, ["smoke-test", "--no-diagnose", "--timeout", "3s"], 6);
    assert_eq!(failure(&lines), "KS-COMPONENT-SMOKE");
    assert!(told(&lines).contains("4 of 10"), "{}", told(&lines));
    let both = [("mirror-maker".to_owned(), false), ("bridge".to_owned(), false)];
    assert_eq!(reports(&lines), both);
    let bridge = lines.iter().find(|l| l["component"] == "bridge").expect("a report");
    assert_eq!(bridge["id"], "KS-COMPONENT-HTTP");
    assert!(bridge["said"].as_str().unwrap_or("").contains("responds with 500"), "{bridge}");
}
