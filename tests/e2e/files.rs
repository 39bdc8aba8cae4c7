//! `up -f` with production manifests: a project is created, verified like one of its users would, changed, pruned,
//! and deleted.

use std::fs;

use serde_json::Value;

use crate::ground::Ground;

const KAFKA: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: controllers, labels: {strimzi.io/cluster: orders}}
spec:
  replicas: 3
  roles: [controller]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 20Gi, kraftMetadata: shared, class: gp3}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: brokers, labels: {strimzi.io/cluster: orders}}
spec:
  replicas: 6
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 2Ti, class: io2}]}
  resources: {requests: {memory: 32Gi, cpu: '8'}}
  template: {pod: {tolerations: [{key: dedicated, operator: Equal, value: kafka, effect: NoSchedule}]}}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec:
  kafka:
    listeners:
      - {name: tls, port: 9093, type: internal, tls: true, authentication: {type: tls}}
      - {name: scram, port: 9094, type: loadbalancer, tls: true, authentication: {type: scram-sha-512}}
    authorization: {type: simple, superUsers: ['CN=admin']}
    config: {default.replication.factor: 3, min.insync.replicas: 2, offsets.topic.replication.factor: 3}
    rack: {topologyKey: topology.kubernetes.io/zone}
  entityOperator: {topicOperator: {}, userOperator: {}}
";
const TOPICS: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: orders-created, labels: {strimzi.io/cluster: orders}}
spec: {topicName: orders.created, partitions: 6, replicas: 3}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: billing, labels: {strimzi.io/cluster: orders}}
spec:
  authentication: {type: tls}
  authorization:
    type: simple
    acls: [{resource: {type: topic, name: orders.created}, operations: [Read, Describe]}]
";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {greeting: hello}\n";

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_production_project_comes_up_changes_and_goes() {
    let ground = Ground::with_a_cluster("files::a_production_project_comes_up_changes_and_goes");
    let folder = ground.file("project");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.join(name), text).expect("a file");
    write("kafka.yaml", KAFKA);
    write("topics.yaml", TOPICS);
    write("config.yaml", CONFIG);
    let path = folder.display().to_string();
    let files = ["-f", &path, "--fit"];
    let sources = ground.sources();
    let mut diff = vec!["diff", "-f", &path, "--fit"];
    diff.extend(sources.iter().map(String::as_str));

    // Only a user with a certificate can send a message, and the test's own user was deleted.
    let run = ground.up_succeeds(&files);
    run.events().verified(10);
    let users = ground.kubectl(&["get", "kafkauser", "-n", "kafka", "-o", "name"]);
    assert!(users.contains("billing") && !users.contains("kstrim-smoke-test"), "{users}");
    let topics = ground.kstrim(&["topic", "list", "-c", "orders", "-o", "json"]).expect(0).json();
    let created =
        topics.as_array().into_iter().flatten().find(|topic| topic["topic"] == "orders.created").cloned();
    assert_eq!(created.expect("the topic")["partitions"], 6, "{topics}");

    // Nothing to do, then a change and an object that was removed from the files.
    ground.kstrim(&diff).expect(0);
    write("topics.yaml", &TOPICS.replace("partitions: 6", "partitions: 9"));
    fs::remove_file(folder.join("config.yaml")).expect("removed");
    let shown = ground.kstrim(&diff).expect(1).stdout;
    assert!(shown.contains("+  partitions: 9") && shown.contains("# ConfigMap app is no longer"), "{shown}");
    ground.up_succeeds(&[&files[..], &["--prune"]].concat());
    let topics = ground.kstrim(&["topic", "list", "-c", "orders", "-o", "json"]).expect(0).json();
    let created =
        topics.as_array().into_iter().flatten().find(|topic| topic["topic"] == "orders.created").cloned();
    assert_eq!(created.expect("the topic")["partitions"], 9, "{topics}");
    let maps = ground.kubectl(&["get", "configmap", "-n", "kafka", "-o", "name"]);
    assert!(!maps.lines().any(|name| name == "configmap/app"), "{maps}");

    ground.kstrim(&["down", "-c", "orders", "--keep-cluster", "--yes"]).expect(0);
    let left = ground.kubectl_json(&["get", "namespaces"]);
    let names = left["items"].as_array().into_iter().flatten().filter_map(|n| n.pointer("/metadata/name"));
    assert!(!names.map(Value::to_string).any(|name| name.contains("kafka")), "{left}");
}
