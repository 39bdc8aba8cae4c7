//! The world changes while a prompt is open: when the user answers yes, an object has been replaced, or others added.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::places::{Base, kubectl};
use crate::support;
use crate::terminal::Terminal;

const BASE: Base = Base::Profile;

/// Wait for the prompt, run `meanwhile`, answer yes; returns the terminal's output.
fn answered(test: &mut Test, args: &[&str], meanwhile: impl FnOnce(&Test)) -> (i32, String) {
    let command = test.args(args.iter().copied()).kstrim();
    let mut terminal = Terminal::start(command);
    terminal.shows("Continue?");
    meanwhile(test);
    terminal.types("y\n");
    let code = terminal.ends();
    (code, terminal.text())
}

fn by_hand(test: &Test, args: &[&str]) {
    kubectl(BASE, test, args, &[]).expect(0);
}

fn apply(test: &Test, object: Value) {
    let args = ["apply", "--server-side", "--force-conflicts", "--field-manager=else", "-f", "-"];
    kubectl(BASE, test, &args, &[object]).expect(0);
}

fn strimzi(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": kind,
        "metadata": {"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}}, "spec": spec})
}

fn uid(test: &Test, key: &str) -> String {
    test.object(BASE.profile(), key)["metadata"]["uid"].as_str().unwrap_or("gone").to_owned()
}

/// Somebody deletes an object and creates another with its name.
fn replace(test: &Test, kind: &str, name: &str, object: Value) -> String {
    by_hand(test, &["delete", kind, name, "-n", "kafka", "--timeout=10s"]);
    apply(test, object);
    let resource = format!("{kind}s.kafka.strimzi.io/kafka/{name}");
    uid(test, &resource)
}

#[test]
fn a_replaced_topic_is_not_deleted() {
    let mut test = BASE.fork();
    support::kstrim(&mut test, ["topic", "create", "orders"]).expect(0);
    let mut new = String::new();
    let (code, said) = answered(&mut test, &["topic", "delete", "orders"], |test| {
        let spec = json!({"partitions": 1, "replicas": 1});
        new = replace(test, "kafkatopic", "orders", strimzi("KafkaTopic", "orders", spec));
        by_hand(test, &["wait", "kafkatopic/orders", "-n", "kafka", "--for=condition=Ready", "--timeout=5s"]);
    });
    assert_eq!(uid(&test, "kafkatopics.kafka.strimzi.io/kafka/orders"), new, "exit {code}: {said}");
    assert!(test.world_dir().join("broker/topics/orders").exists());
    assert_ne!(code, 0, "{said}");
}

#[test]
fn a_replaced_user_is_not_deleted() {
    let mut test = BASE.fork();
    support::kstrim(&mut test, ["user", "create", "app"]).expect(0);
    let mut new = String::new();
    let (code, said) = answered(&mut test, &["user", "delete", "app"], |test| {
        let spec = json!({"authentication": {"type": "tls"}});
        new = replace(test, "kafkauser", "app", strimzi("KafkaUser", "app", spec));
    });
    assert_eq!(uid(&test, "kafkausers.kafka.strimzi.io/kafka/app"), new, "exit {code}: {said}");
    assert_ne!(code, 0, "{said}");
}

#[test]
fn a_replaced_component_is_not_removed() {
    let mut test = BASE.fork();
    support::kstrim(&mut test, ["add", "connect"]).expect(0);
    let begin = "kafkaconnects.kafka.strimzi.io/kafka/";
    let objects = test.objects(BASE.profile());
    let mut keys = objects.as_object().expect("objects").keys();
    let name = keys.find_map(|key| key.strip_prefix(begin).map(str::to_owned)).expect("Connect");
    let mut new = String::new();
    let (code, said) = answered(&mut test, &["remove", "connect", "--timeout", "8s"], |test| {
        let spec = test.object(BASE.profile(), &format!("{begin}{name}"))["spec"].clone();
        new = replace(test, "kafkaconnect", &name, strimzi("KafkaConnect", &name, spec));
    });
    assert_eq!(uid(&test, &format!("{begin}{name}")), new, "exit {code}: {said}");
}

#[test]
fn a_newly_added_listener_is_kept() {
    let mut test = BASE.fork();
    let listeners =
        |test: &Test| test.object(BASE.profile(), support::KAFKA)["spec"]["kafka"]["listeners"].clone();
    let (code, said) = answered(&mut test, &["connect", "--check", "--timeout", "20s"], |test| {
        let mut all = listeners(test);
        let theirs = json!({"name": "theirs", "port": 9099, "type": "internal", "tls": false});
        all.as_array_mut().expect("listeners").push(theirs);
        let patch = json!({"spec": {"kafka": {"listeners": all}}}).to_string();
        by_hand(test, &["patch", "kafka", "my-cluster", "-n", "kafka", "--type=merge", "-p", &patch]);
    });
    let names: Vec<Value> =
        listeners(&test).as_array().into_iter().flatten().map(|l| l["name"].clone()).collect();
    assert!(names.contains(&json!("theirs")), "exit {code}: {names:?}\n{said}");
}

#[test]
fn a_namespace_with_newly_added_objects_is_kept() {
    let mut test = BASE.fork();
    // The base's namespace contains nothing but kstrim's own objects.
    let (code, said) = answered(&mut test, &["down", "--keep-cluster", "--timeout", "20s"], |test| {
        apply(
            test,
            json!({"apiVersion": "example.com/v1", "kind": "Widget",
            "metadata": {"name": "new", "namespace": "kafka"}, "spec": {}}),
        );
    });
    assert!(test.object(BASE.profile(), "widgets.example.com/kafka/new").is_object(), "exit {code}: {said}");
    assert!(test.object(BASE.profile(), "namespaces//kafka").is_object());
}

#[test]
fn a_replaced_kafka_cluster_is_not_deleted() {
    let mut test = BASE.fork();
    let mut new = String::new();
    let (code, said) = answered(&mut test, &["down", "--keep-cluster", "--timeout", "20s"], |test| {
        let mut kafka = test.object(BASE.profile(), support::KAFKA);
        let spec = kafka["spec"].take();
        new = replace(test, "kafka", "my-cluster", strimzi("Kafka", "my-cluster", spec));
    });
    assert_eq!(uid(&test, support::KAFKA), new, "exit {code}: {said}");
}

#[test]
fn a_prompt_names_the_cluster_and_the_objects() {
    let mut test = BASE.fork();
    let command = test.args(["down", "--keep-cluster"]).kstrim();
    let mut terminal = Terminal::start(command);
    terminal.shows("Continue?");
    terminal.types("n\n");
    terminal.ends();
    let said = terminal.text();
    for word in ["kstrim", "8443", "my-cluster", "PersistentVolumeClaim", "100Gi", "topic"] {
        assert!(said.contains(word), "no {word:?} in {said}");
    }
    assert!(test.object(BASE.profile(), support::KAFKA).is_object());
}

#[test]
fn a_profile_that_was_completed_during_the_prompt_is_not_deleted() {
    let mut test = support::fresh().scenario(|s| s.root = true);
    // minikube refuses root and leaves a directory behind.
    test.args(["up"]).run().expect(3);
    test.change_scenario(|s| s.root = false);
    let (_, said) = answered(&mut test, &["doctor", "--fix"], |test| {
        test.fake("minikube", ["start", "-p", BASE.profile()]).expect(0);
    });
    assert!(test.profile(BASE.profile()).is_object(), "{said}");
    assert!(said.contains("KS-FIX-IN-VAIN"), "{said}");
}
