//! `kstrim scale` and `kstrim set`: changes of a running Kafka cluster, and what is rejected.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{KAFKA, PROFILE, apply_as, events, failure, kubectl, ready, told, written};

const POOL: &str = "kafkanodepools.kafka.strimzi.io/kafka/broker";

fn pods(test: &Test) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let keys = objects.as_object().into_iter().flat_map(|o| o.keys());
    let brokers = |key: &&String| key.starts_with("pods/kafka/my-cluster-") && !key.contains("entity");
    keys.filter(brokers).map(|key| key.trim_start_matches("pods/kafka/my-cluster-").to_owned()).collect()
}

fn config(test: &Test) -> Value {
    test.object(PROFILE, KAFKA)["spec"]["kafka"]["config"].clone()
}

#[test]
fn brokers_are_added_in_a_new_pool_and_removed_again() {
    let mut test = ready();
    // Slow enough to observe the intermediate states.
    test.change_scenario(|s| s.timings.broker_ready = 1500);
    let lines = events(&mut test, ["scale", "--brokers", "3"], 0);
    assert!(lines.iter().any(|l| l["type"] == "task_progress"), "{lines:#?}");
    assert_eq!(test.object(PROFILE, POOL)["spec"]["roles"], json!(["broker"]));
    assert_eq!(pods(&test), ["broker-1", "broker-2", "dual-role-0"]);
    // They exist already: nothing is written.
    test.forget_calls();
    events(&mut test, ["scale", "--brokers", "3"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    // A topic on the brokers that would be removed.
    events(&mut test, ["topic", "create", "orders", "--partitions", "3"], 0);
    let lines = events(&mut test, ["scale", "--brokers", "1"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-DATA");
    assert!(told(&lines).contains("orders (2)"), "{}", told(&lines));
    events(&mut test, ["topic", "delete", "orders", "--yes"], 0);
    events(&mut test, ["scale", "--brokers", "1", "--yes"], 0);
    assert_eq!(pods(&test), ["dual-role-0"]);
}

/// With authorization a client without a user sees no topics: the topics on a broker are read from its directories.
#[test]
fn scale_finds_topics_that_authorization_hides() {
    let mut test = ready();
    events(&mut test, ["scale", "--brokers", "3"], 0);
    events(&mut test, ["topic", "create", "orders", "--partitions", "3"], 0);
    let rules = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "my-cluster", "namespace": "kafka"},
        "spec": {"kafka": {"authorization": {"type": "simple"}}}});
    apply_as(&test, "else", &rules.to_string()).expect(0);
    let lines = events(&mut test, ["scale", "--brokers", "1"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-DATA");
    assert!(told(&lines).contains("orders (2)"), "{}", told(&lines));
    assert_eq!(pods(&test), ["broker-1", "broker-2", "dual-role-0"]);
}

/// Exactly the brokers that were checked are removed, or none.
#[test]
fn no_broker_is_removed_while_it_is_not_certain_which() {
    let mut test = ready();
    events(&mut test, ["scale", "--brokers", "3"], 0);
    let pool = |test: &Test, words: &str| drop(kubectl(test, &format!("{words} -n kafka")).expect(0));
    pool(&test, "annotate kafkanodepool broker strimzi.io/remove-node-ids=[1]");
    let lines = events(&mut test, ["scale", "--brokers", "2"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-POOL");
    assert!(told(&lines).contains("remove-node-ids-"), "{}", told(&lines));
    pool(&test, "annotate kafkanodepool broker strimzi.io/remove-node-ids-");
}

#[test]
fn controllers_are_not_removed() {
    let mut test = ready();
    let patch = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": "dual-role", "namespace": "kafka"}, "spec": {"replicas": 3}});
    apply_as(&test, "else", &patch.to_string()).expect(0);
    let lines = events(&mut test, ["scale", "--brokers", "2"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-CONTROLLERS");
    let lines = events(&mut test, ["scale", "--brokers", "2", "--pool", "nobody"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-POOL");
}

#[test]
fn a_setting_is_set_and_reset() {
    let mut test = ready();
    events(&mut test, ["set", "log.retention.hours=24", "num.partitions=3", "--yes"], 0);
    let now = config(&test);
    assert_eq!((&now["log.retention.hours"], &now["num.partitions"]), (&json!(24), &json!(3)));
    assert_eq!(now["min.insync.replicas"], 1, "the others stay");
    test.forget_calls();
    events(&mut test, ["set", "log.retention.hours=24"], 0);
    assert_eq!(written(&test), Vec::<String>::new());
    events(&mut test, ["set", "--unset", "log.retention.hours", "--yes"], 0);
    assert!(config(&test).get("log.retention.hours").is_none());
    // `up` with the same flags keeps it.
    events(&mut test, ["up"], 0);
    assert_eq!(config(&test)["num.partitions"], 3);
}

#[test]
fn invalid_settings_are_rejected() {
    let mut test = ready();
    let lines = events(&mut test, ["set", "log.retention.hour=24"], 2);
    assert_eq!(failure(&lines), "KS-SET-UNKNOWN");
    assert!(told(&lines).contains("did you mean log.retention.hours?"), "{}", told(&lines));
    let lines = events(&mut test, ["set", "log.dirs=/tmp"], 2);
    assert_eq!(failure(&lines), "KS-SET-FORBIDDEN");
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_change_that_the_operator_rejects_is_reverted() {
    let mut test = ready();
    let lines = events(&mut test, ["set", "default.replication.factor=3", "--yes"], 1);
    assert!(told(&lines).contains("were restored"), "{}", told(&lines));
    assert_eq!(config(&test)["default.replication.factor"], 1);
}
