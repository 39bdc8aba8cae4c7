//! Working with a running cluster: topics, users. Each test deletes what it created.

use serde_json::Value;

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_topic_lives_its_life() {
    let ground = Ground::with_kafka("living::a_topic_lives_its_life");
    let create = ["topic", "create", "Work_Orders", "--partitions", "3", "--config", "retention.ms=86400000"];
    ground.kstrim(&create).expect(0);
    let list = ground.kstrim(&["topic", "list", "-o", "json"]).expect(0).json();
    let of = |name: &str| list.as_array().into_iter().flatten().find(|t| t["topic"] == name).cloned();
    let made = of("Work_Orders").unwrap_or_else(|| panic!("{list}"));
    assert_eq!((&made["ready"], &made["made_by_kstrim"]), (&Value::from(true), &Value::from(true)));
    let described = ground.kstrim(&["topic", "describe", "Work_Orders", "-o", "json"]).expect(0).json();
    assert_eq!(described["live"].as_array().map(Vec::len), Some(3), "{described}");
    // Again: nothing to do. Other settings: rejected.
    ground.kstrim(&create).expect(0);
    let run = ground.kstrim(&["topic", "create", "Work_Orders", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-TOPIC-EXISTS", "{run}");
    // Kafka's own rejection, explained.
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
    let ground = Ground::with_kafka("living::a_user_gets_its_credentials");
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

/// A shell pipeline in which `kstrim` is the binary under test.
fn pipeline(ground: &Ground, script: &str) -> crate::run::Run {
    let script = format!("kstrim() {{ '{}' \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_kstrim"));
    ground.run("sh", &["-c", &script])
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn messages_go_in_and_come_out_over_a_broker_that_restarts() {
    let ground = Ground::with_kafka("living::messages_go_in_and_come_out_over_a_broker_that_restarts");
    ground.kstrim(&["topic", "create", "work-stream", "--partitions", "2"]).expect(0);
    pipeline(&ground, "printf 'a:1\\nb:2\\na:3\\n' | kstrim produce work-stream --key-separator :").expect(0);
    let read = ["consume", "work-stream", "--from-beginning", "--timeout", "30s", "-o", "json", "-m"];
    let run = ground.kstrim(&[&read[..], &["3"]].concat()).expect(0);
    let messages: Vec<Value> = run.stdout.lines().map(|l| l.parse().expect("JSON")).collect();
    let of_a: Vec<&Value> = messages.iter().filter(|m| m["key"] == "a").map(|m| &m["value"]).collect();
    assert_eq!(of_a, ["1", "3"], "{run}");
    // Compressed by Kafka's own producer.
    let tool = "bin/kafka-console-producer.sh --bootstrap-server localhost:9092 --topic work-stream \
                --compression-codec zstd";
    let pod = "exec -i -n kafka my-cluster-dual-role-0 -c kafka";
    pipeline(&ground, &format!("echo pressed | kstrim kubectl -- {pod} -- {tool}")).expect(0);
    let run = ground.kstrim(&[&read[..], &["4"]].concat()).expect(0);
    assert!(run.stdout.contains("pressed"), "{run}");
    // The broker's pod is deleted midway.
    let delete = "kstrim kubectl -- delete pod -n kafka my-cluster-dual-role-0 --wait=false >&2";
    let lines = format!("for i in $(seq 40); do echo $i; [ $i = 10 ] && {delete}; sleep 0.2; done");
    let run = pipeline(&ground, &format!("({lines}) | kstrim produce work-stream --partition 1")).expect(0);
    assert!(run.stderr.contains("40 messages written"), "{run}");
    let read = ["consume", "work-stream", "--from-beginning", "--idle", "2s", "--partition", "1"];
    let run = ground.kstrim(&read).expect(0);
    let got: Vec<u32> = run.stdout.lines().filter_map(|l| l.parse().ok()).filter(|n| *n > 3).collect();
    assert_eq!(got, (4..=40).collect::<Vec<u32>>(), "each once, in order: {run}");
    ground.kstrim(&["topic", "delete", "work-stream", "--yes"]).expect(0);
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_setting_reaches_the_broker() {
    let ground = Ground::with_kafka("living::a_setting_reaches_the_broker");
    ground.kstrim(&["set", "log.retention.hours=24", "--yes"]).expect(0);
    let run = ground.kstrim(&["set", "log.retention.hour=24", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-SET-UNKNOWN", "{run}");
    let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    assert_eq!(kafka["spec"]["kafka"]["config"]["log.retention.hours"], 24);
    let run = ground.kstrim(&["set", "default.replication.factor=3", "--yes", "-o", "json"]).expect(1);
    assert!(run.events().failure().1.to_string().contains("were restored"), "{run}");
    ground.kstrim(&["set", "--unset", "log.retention.hours", "--yes"]).expect(0);
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn brokers_come_and_go() {
    let ground = Ground::with_kafka("living::brokers_come_and_go");
    ground.kstrim(&["scale", "--brokers", "2"]).expect(0);
    ground.kstrim(&["topic", "create", "work-spread", "--partitions", "2"]).expect(0);
    let run = ground.kstrim(&["scale", "--brokers", "1", "-o", "json"]).expect(2);
    assert_eq!(run.events().failure().0, "KS-SCALE-DATA", "{run}");
    ground.kstrim(&["topic", "delete", "work-spread", "--yes"]).expect(0);
    ground.kstrim(&["scale", "--brokers", "1", "--yes"]).expect(0);
    ground.kubectl(&["delete", "kafkanodepool", "broker", "-n", "kafka"]);
}
