//! `kstrim smoke-test` on a running cluster, and the errors that it distinguishes.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{
    PROFILE, TOPIC, empty_cluster, events, failure, fresh, kstrim, ready, same, state, topics,
};

/// The measurements.
#[track_caller]
fn report(lines: &[Value]) -> Value {
    lines.iter().find(|l| l["type"] == "smoke").cloned().unwrap_or_else(|| panic!("no report: {lines:#?}"))
}

#[test]
fn messages_are_consumed() {
    let mut test = ready();
    let before = state(&test);
    let lines = events(&mut test, ["smoke-test"], 0);
    let report = report(&lines);
    assert_eq!((&report["sent"], &report["verified"]), (&json!(10), &json!(10)));
    assert_eq!((&report["topic"], &report["size"]), (&json!("my-topic"), &json!(100)));
    same(&before, &state(&test), "a smoke test left something");
    let run = kstrim(&mut test, ["smoke-test"]).expect(0);
    assert!(run.stderr.contains("10 of 10 messages"), "{}", run.stderr);
}

#[test]
fn an_older_release_is_read_in_its_own_version() {
    let mut test = fresh().scenario(crate::support::quick);
    let manifest = crate::support::install_of("0.48.0", &["4.0.0", "4.1.0"], &["v1beta2"]);
    test.write("old.yaml", crate::support::text(&manifest));
    test.args(["up", "--release", "0.48.0", "--manifests", "old.yaml"]).run().expect(0);
    let lines = events(&mut test, ["smoke-test"], 0);
    assert_eq!(report(&lines)["verified"], 10);
}

#[test]
fn number_and_size_of_messages_are_as_requested() {
    let mut test = ready();
    let args = ["smoke-test", "--messages", "250", "--size", "2000", "--junit", "out.xml"];
    let report = report(&events(&mut test, args, 0));
    assert_eq!((&report["verified"], &report["size"]), (&json!(250), &json!(2000)));
    let xml = std::fs::read_to_string(test.work().join("out.xml")).expect("the JUnit file");
    assert!(xml.contains("<testsuites") && xml.contains("failures=\"0\""), "{xml}");
}

#[test]
fn its_own_topic_is_created_and_deleted() {
    let mut test = ready();
    let before = state(&test);
    let known = topics(&test);
    let report = report(&events(&mut test, ["smoke-test", "--topic", "probe"], 0));
    assert_eq!(report["topic"], "probe");
    assert!(report["left_behind"].is_null(), "{report}");
    same(&before, &state(&test), "the topic stayed");
    assert_eq!(topics(&test), known);
}

#[test]
fn messages_are_kept_on_request() {
    let mut test = ready();
    let report = report(&events(&mut test, ["smoke-test", "--topic", "probe", "--keep"], 0));
    assert!(report["left_behind"].is_string(), "{report}");
    // It is a topic that exists only in Kafka, without a KafkaTopic, and its messages are still in it.
    assert!(test.object(PROFILE, "kafkatopics.kafka.strimzi.io/kafka/probe").is_null());
    assert!(topics(&test).contains(&"probe".to_owned()));
    assert!(test.object(PROFILE, TOPIC).is_object());
    let args = ["consume", "probe", "--from-beginning", "-m", "10", "--timeout", "20s"];
    let kept = kstrim(&mut test, args).expect(0).stdout;
    assert_eq!(kept.lines().count(), 10, "{kept}");
}

#[test]
fn each_fault_has_its_own_error() {
    let cases = [
        (json!({"drop_all": true}), "KS-SMOKE-EMPTY", 6),
        (json!({"duplicate": true}), "KS-SMOKE-DUPLICATE", 6),
        (json!({"foreign": true}), "KS-SMOKE-FOREIGN", 6),
        (json!({"truncate": 4}), "KS-SMOKE-TRUNCATED", 6),
        (json!({"corrupt_content": true}), "KS-SMOKE-CONTENT", 6),
        (json!({"reorder": true}), "KS-SMOKE-ORDER", 6),
        (json!({"recompress": true}), "KS-SMOKE-COMPRESSED", 6),
        (json!({"no_leader": true}), "KS-SMOKE-NO-LEADER", 6),
        (json!({"produce_error": 19}), "KS-SMOKE-PRODUCE", 6),
        (json!({"fetch_error": 56}), "KS-SMOKE-CONSUME", 6),
        (json!({"stall_ms": 30_000}), "KS-SMOKE-TIMEOUT", 4),
    ];
    let base = &ready();
    // In parallel: each mostly waits for its limit.
    std::thread::scope(|scope| {
        for (broker, id, code) in cases {
            scope.spawn(move || fails(base.fork(), broker, id, code));
        }
    });
}

fn fails(mut test: Test, broker: Value, id: &str, code: i32) {
    test.change_scenario(|s| s.broker = broker);
    let lines = events(&mut test, ["smoke-test", "--timeout", "6s", "--junit", "out.xml"], code);
    assert_eq!(failure(&lines), id);
    let xml = std::fs::read_to_string(test.work().join("out.xml")).expect("the JUnit file");
    assert!(xml.contains(id), "{id}: {xml}");
    // After the cause is removed, it passes.
    test.change_scenario(|s| s.broker = Value::Null);
    events(&mut test, ["smoke-test"], 0);
}

#[test]
fn up_fails_if_its_smoke_test_fails() {
    let mut test = ready();
    test.change_scenario(|s| s.broker = json!({"drop_all": true}));
    let lines = events(&mut test, ["up"], 6);
    assert_eq!(failure(&lines), "KS-SMOKE-EMPTY");
    assert_eq!(lines.last().expect("a line")["failure"]["task"], "smoke");
}

#[test]
fn without_a_kafka_cluster() {
    for mut test in [fresh(), empty_cluster()] {
        let lines = events(&mut test, ["smoke-test"], 3);
        assert_eq!(failure(&lines), "KS-NO-CLUSTER");
        assert!(lines.last().expect("a line")["failure"]["hints"].to_string().contains("kstrim up"));
    }
}
