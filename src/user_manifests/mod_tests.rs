use super::test_support::{documents, release};
use super::*;

const TEXT: &str = "
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec: {kafka: {}}
---
apiVersion: example.com/v1
kind: Kafka
metadata: {name: other}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: p, labels: {strimzi.io/cluster: orders}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: a, labels: {strimzi.io/cluster: orders}}
spec: {topicName: A_B}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: b, labels: {strimzi.io/cluster: audit}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: u, labels: {strimzi.io/cluster: orders}}
";

#[test]
fn it_tells_what_belongs_to_a_cluster() {
    let all = UserManifests { documents: documents(TEXT) };
    assert_eq!(all.primary(), Some("orders"));
    assert_eq!(all.kafkas().count(), 1);
    assert_eq!((all.topics("orders"), all.topics("audit")), (vec!["A_B"], vec!["b"]));
    assert_eq!(all.users("orders"), ["u"]);
    assert_eq!(all.pools("orders").len(), 1);
    assert_eq!(all.other_clusters(), BTreeSet::from(["audit"]));
    assert_eq!(UserManifests::default().primary(), None);
}

#[test]
fn references_are_checked_only_where_the_fields_fit() {
    let all = UserManifests { documents: documents(TEXT) };
    let check = |install: &[Object]| all.check(release("1.2.0"), install, &Existing::default(), "kafka");
    // Without definitions no kind is known.
    assert_eq!(check(&[]).expect_err("unknown kinds").id, ids::SCHEMA);
    let kinds = ["Kafka", "KafkaNodePool", "KafkaTopic", "KafkaUser"];
    let definition = |kind: &&str| {
        let versions = serde_json::json!([{"name": "v1", "served": true, "schema": {"openAPIV3Schema": {"properties": {
            "spec": {"x-kubernetes-preserve-unknown-fields": true}}}}}]);
        Object::new(serde_json::json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": {"name": kind},
            "spec": {"group": "kafka.strimzi.io", "names": {"kind": kind}, "versions": versions},
        }))
        .expect("an object")
    };
    let install: Vec<Object> = kinds.iter().map(definition).collect();
    assert_eq!(check(&install).expect_err("the cluster audit does not exist").id, ids::REFERENCE);
}
