//! Working with a running cluster: topics, users. Each test takes away what it made.

use serde_json::Value;

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_topic_lives_its_life() {
    let ground = Ground::with_kafka("work::a_topic_lives_its_life");
    let create = ["topic", "create", "Work_Orders", "--partitions", "3", "--config", "retention.ms=86400000"];
    ground.kstrim(&create).expect(0);
    let list = ground.kstrim(&["topic", "list", "-o", "json"]).expect(0).json();
    let of = |name: &str| list.as_array().into_iter().flatten().find(|t| t["topic"] == name).cloned();
    let made = of("Work_Orders").unwrap_or_else(|| panic!("{list}"));
    assert_eq!((&made["ready"], &made["made_by_kstrim"]), (&Value::from(true), &Value::from(true)));
    let described = ground.kstrim(&["topic", "describe", "Work_Orders", "-o", "json"]).expect(0).json();
    assert_eq!(described["live"].as_array().map(Vec::len), Some(3), "{described}");
    // Again: nothing to do. Another wish: refused.
    ground.kstrim(&create).expect(0);
    let run = ground.kstrim(&["topic", "create", "Work_Orders", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-TOPIC-EXISTS", "{run}");
    // Kafka's own refusal, explained.
    let run =
        ground.kstrim(&["topic", "create", "work-odd", "--config", "retention=1", "-o", "json"]).expect(1);
    assert_eq!(run.events().failure().0, "KS-TOPIC-CONFIG", "{run}");
    let run = ground.kstrim(&["topic", "create", "work-wide", "--replicas", "3", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-TOPIC-REPLICATION", "{run}");
    for topic in ["Work_Orders", "work-odd"] {
        ground.kstrim(&["topic", "delete", topic, "--yes"]).expect(0);
    }
    let left = ground.kubectl(&["get", "kafkatopic", "-n", "kafka", "-o", "name"]);
    assert!(!left.contains("work-"), "{left}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_user_gets_its_credentials() {
    let ground = Ground::with_kafka("work::a_user_gets_its_credentials");
    ground.kstrim(&["user", "create", "work-app", "--authentication", "scram"]).expect(0);
    let shown = ground.kstrim(&["user", "show", "work-app", "-o", "json"]).expect(0).json();
    assert_eq!((&shown["ready"], &shown["authentication"]), (&Value::from(true), &"scram-sha-512".into()));
    assert!(shown["secrets"].is_null(), "nothing secret unless asked for");
    let shown = ground.kstrim(&["user", "show", "work-app", "--reveal", "-o", "json"]).expect(0).json();
    let password = shown["secrets"]["password"].as_str().unwrap_or_default();
    assert!(password.len() >= 12, "a password of {} characters", password.len());
    let run =
        ground.kstrim(&["user", "create", "work-ruled", "--acl", "topic:a:read", "-o", "json"]).expect(3);
    assert_eq!(run.events().failure().0, "KS-USER-NO-AUTHORIZATION", "{run}");
    ground.kstrim(&["user", "delete", "work-app", "--yes"]).expect(0);
    let left = ground.kubectl(&["get", "kafkauser", "-n", "kafka", "-o", "name"]);
    assert!(!left.contains("work-"), "{left}");
}
