use super::super::test_support::{documents, release};
use super::*;
use crate::errors;

/// A production cluster: separate controllers, several listeners, authorization, metrics from a ConfigMap.
const CLUSTER: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec:
  kafka:
    version: 4.3.1
    authorization: {type: simple}
    config: {default.replication.factor: 3, min.insync.replicas: 2, offsets.topic.replication.factor: 3}
    listeners:
    - {name: plain, port: 9092, type: internal, tls: false}
    - {name: tls, port: 9093, type: internal, tls: true, authentication: {type: tls}}
    - name: external
      port: 9094
      type: loadbalancer
      tls: true
      authentication: {type: scram-sha-512}
      configuration: {brokerCertChainAndKey: {secretName: external-cert, certificate: tls.crt, key: tls.key}}
    metricsConfig:
      type: jmxPrometheusExporter
      valueFrom: {configMapKeyRef: {name: metrics, key: kafka.yml}}
  entityOperator: {topicOperator: {}, userOperator: {}}
  cruiseControl: {}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: controllers, labels: {strimzi.io/cluster: orders}}
spec: {replicas: 3, roles: [controller]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: brokers, labels: {strimzi.io/cluster: orders}}
spec: {replicas: 3, roles: [broker], storage: {type: jbod, volumes: [{id: 0, type: ephemeral}]}}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: metrics}
data: {kafka.yml: ""}
---
apiVersion: v1
kind: Secret
metadata: {name: external-cert}
stringData: {tls.crt: a, tls.key: b}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaConnect
metadata: {name: connect, annotations: {strimzi.io/use-connector-resources: "true"}}
spec:
  bootstrapServers: orders-kafka-bootstrap:9093
  tls: {trustedCertificates: [{secretName: orders-cluster-ca-cert, pattern: "*.crt"}]}
  authentication: {type: tls, certificateAndKey: {secretName: app, certificate: user.crt, key: user.key}}
  config: {config.storage.replication.factor: -1}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaUser
metadata: {name: app, labels: {strimzi.io/cluster: orders}}
spec:
  authentication: {type: tls}
  authorization: {type: simple, acls: [{resource: {type: topic, name: orders}, operations: [Read]}]}
---
"#;

fn problems_with(text: &str, existing: &Existing) -> Vec<Problem> {
    check(&documents(&format!("{CLUSTER}{text}")), existing, "kafka", release("1.2.0"))
}

fn problems(text: &str) -> Vec<Problem> {
    problems_with(text, &Existing::default())
}

fn resource(kind: &str, cluster: &str, spec: &str) -> String {
    format!(
        "apiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata: {{name: x, labels: {{strimzi.io/cluster: {cluster}}}}}\n\
         spec: {spec}\n"
    )
}

#[test]
fn a_consistent_set_has_no_problems() {
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\nspec:\n  template:\n    spec:\n      \
                      containers:\n      - envFrom: [{configMapRef: {name: metrics}}]\n        env:\n        - valueFrom: \
                      {secretKeyRef: {name: app, key: user.p12}}\n        - valueFrom: {secretKeyRef: {name: none, key: a, \
                      optional: true}}\n      volumes:\n      - secret: {secretName: orders-cluster-ca-cert}\n      - configMap: \
                      {name: kube-root-ca.crt}\n";
    let text = [
        resource("KafkaTopic", "orders", "{partitions: 6, replicas: 3, config: {min.insync.replicas: 2}}"),
        resource("KafkaUser", "orders", "{authentication: {type: scram-sha-512}}")
            .replace("name: x", "name: second"),
        resource("KafkaConnector", "connect", "{config: {secretName: none}}"),
        resource("KafkaRebalance", "orders", "{}"),
        // Strimzi's own examples of templates have no label.
        "apiVersion: kafka.strimzi.io/v1\nkind: KafkaRebalance\nmetadata:\n  name: template\n  annotations: \
         {strimzi.io/rebalance-template: 'true'}\nspec: {}\n"
            .to_owned(),
        deployment.to_owned(),
    ]
    .join("---\n");
    assert_eq!(problems(&text), []);
}

#[test]
fn each_contradiction_is_found() {
    let topic = |spec: &str| resource("KafkaTopic", "orders", spec);
    let connect = |spec: &str| resource("KafkaConnect", "none", spec);
    let second = |kafka: &str| {
        format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {{name: second}}\nspec:\n  kafka: {kafka}\n"
        )
    };
    let job = |spec: &str| {
        format!(
            "apiVersion: batch/v1\nkind: Job\nmetadata: {{name: j}}\nspec: {{template: {{spec: {spec}}}}}\n"
        )
    };
    let cases = [
        (topic("{replicas: 4}"), "KafkaTopic x: spec.replicas is 4, but the Kafka orders has 3 brokers"),
        (topic("{replicas: 2, config: {min.insync.replicas: 3}}"), "is 3, but the topic has 2 replicas"),
        (topic("{replicas: 1, config: {min.insync.replicas: \"2\"}}"), "is 2, but the topic has 1 replica"),
        (resource("KafkaTopic", "order", "{}"), "names the Kafka order, which does not exist"),
        (
            "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata: {name: x}\n".to_owned(),
            "has no label strimzi.io/cluster",
        ),
        (resource("KafkaNodePool", "none", "{}"), "names the Kafka none"),
        (resource("KafkaConnector", "connct", "{}"), "names the KafkaConnect connct"),
        (resource("KafkaConnector", "orders", "{}"), "names the KafkaConnect orders"),
        (
            resource("KafkaUser", "second", "{authentication: {type: tls}}")
                + "---\n"
                + &second("{replicas: 1, listeners: [{name: a, authentication: {type: scram-sha-512}}]}"),
            "is tls, but no listener of the Kafka second has the authentication tls (they have: scram-sha-512)",
        ),
        (
            resource("KafkaUser", "second", "{authorization: {type: simple}}") + "---\n" + &second("{}"),
            "spec.authorization has no effect: the Kafka second has no authorization",
        ),
        (resource("KafkaUser", "second", "{}") + "---\n" + &second("{}"), "needs a user operator"),
        (resource("KafkaTopic", "second", "{}") + "---\n" + &second("{}"), "needs a topic operator"),
        (resource("KafkaRebalance", "second", "{}") + "---\n" + &second("{}"), "needs Cruise Control"),
        (second("{}"), "has no KafkaNodePool with the role broker and none with the role controller"),
        (
            second("{}") + "---\n" + &resource("KafkaNodePool", "second", "{replicas: 1, roles: [broker]}"),
            "Kafka second has no KafkaNodePool with the role controller",
        ),
        (
            second("{config: {default.replication.factor: 2}}")
                + "---\n"
                + &resource("KafkaNodePool", "second", "{replicas: 1, roles: [broker, controller]}"),
            "spec.kafka.config[\"default.replication.factor\"] is 2, but the Kafka second has 1 broker",
        ),
        (
            second("{}").replace("spec:", "spec:\n  cruiseControl: {}")
                + "---\n"
                + &resource("KafkaNodePool", "second", "{replicas: 1, roles: [broker, controller]}"),
            "spec.cruiseControl needs at least two brokers",
        ),
        (
            second("{listeners: [{name: a, port: 9092}, {name: a, port: 9093}]}"),
            "spec.kafka.listeners[1].name is a, as that of the listener at test.yaml:",
        ),
        (
            second("{listeners: [{name: a, port: 9092}, {name: b, port: 9092}]}"),
            "spec.kafka.listeners[1].port is 9092, as that",
        ),
        (
            second("{metricsConfig: {valueFrom: {configMapKeyRef: {name: metric, key: a}}}}"),
            "names the ConfigMap metric, which does not exist",
        ),
        (
            second("{logging: {type: external, valueFrom: {configMapKeyRef: {name: metrics, key: log}}}}"),
            "names the key \"log\", which the ConfigMap metrics at test.yaml:",
        ),
        (
            connect("{tls: {trustedCertificates: [{secretName: second-cluster-ca-cert}]}}"),
            "names the Secret second-cluster-ca-cert",
        ),
        (
            connect("{template: {pod: {volumes: [{persistentVolumeClaim: {claimName: data}}]}}}"),
            "names the PersistentVolumeClaim data",
        ),
        (
            connect("{bootstrapServers: \"other-kafka-bootstrap:9092\"}"),
            "names the Kafka other, which does not exist",
        ),
        (
            connect(
                "{bootstrapServers: \"orders-kafka-bootstrap.kafka.svc:9092\", config: {offset.storage.replication.factor: 5}}",
            ),
            "is 5, but the Kafka orders has 3 brokers",
        ),
        (job("{imagePullSecrets: [{name: registry}]}"), "names the Secret registry"),
        (job("{volumes: [{projected: {sources: [{secret: {name: a}}]}}]}"), "names the Secret a"),
        (
            resource("KafkaConnect", "none", "{}") + "---\n" + &resource("KafkaConnector", "x", "{}"),
            "is ignored: the KafkaConnect x at test.yaml:",
        ),
    ];
    for (text, words) in cases {
        let problems = problems(&text);
        let found = problems.iter().find(|problem| problem.to_string().contains(words));
        let found = found.unwrap_or_else(|| panic!("{words}: {problems:#?}"));
        assert_eq!(found.id, errors::FILE_REFERENCE);
    }
}

#[test]
fn a_rebalance_names_brokers_and_volumes_of_a_new_cluster() {
    let rebalance = |spec: &str| resource("KafkaRebalance", "orders", spec);
    let told = |spec: &str| problems(&rebalance(spec)).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert!(told("{mode: remove-brokers, brokers: [2]}").is_empty());
    let found = told("{mode: add-brokers, brokers: [2, 3]}");
    assert!(
        found.len() == 1 && found[0].ends_with("spec.brokers[1] is 3, but the brokers of orders are 0, 1, 2"),
        "{found:?}"
    );
    let disks = |spec: &str| told(&format!("{{mode: remove-disks, moveReplicasOffVolumes: [{spec}]}}"));
    assert!(disks("{brokerId: 0, volumeIds: [0]}").is_empty());
    let found = disks("{brokerId: 7, volumeIds: [5]}");
    assert!(
        found.len() == 2 && found[1].ends_with("is 5, but the brokers of orders have no such volume"),
        "{found:?}"
    );
    // A cluster that exists may have nodes with other ids.
    let existing = Existing { deployed: ["orders".to_owned()].into(), ..Existing::default() };
    assert_eq!(problems_with(&rebalance("{brokers: [9]}"), &existing), []);
}

#[test]
fn positions_are_exact() {
    let text = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaTopic\nmetadata:\n  name: x\n  labels:\n    \
                strimzi.io/cluster: order\n";
    let problems = problems(text);
    let lines = CLUSTER.lines().count();
    assert_eq!(problems[0].origin.line, lines + 6);
    assert_eq!(problems[0].hint.as_deref(), Some("did you mean orders instead of order?"));
}

#[test]
fn existing_objects_are_considered() {
    let existing = Existing {
        deployed: BTreeSet::new(),
        kafkas: vec![Cluster {
            name: "my-cluster".into(),
            brokers: Some(1),
            topic_operator: true,
            ..Cluster::default()
        }],
        objects: [("Secret", "token"), ("KafkaConnect", "old")].map(|(k, n)| (k.into(), n.into())).into(),
    };
    let topic = |replicas: u32| resource("KafkaTopic", "my-cluster", &format!("{{replicas: {replicas}}}"));
    assert_eq!(problems_with(&topic(1), &existing), []);
    assert_eq!(problems_with(&topic(2), &existing).len(), 1);
    let connect = resource(
        "KafkaConnect",
        "none",
        "{bootstrapServers: my-cluster-kafka-bootstrap, tls: {secretName: token}}",
    );
    assert_eq!(problems_with(&connect, &existing), []);
    assert_eq!(problems_with(&resource("KafkaConnector", "old", "{}"), &existing), []);
    assert_eq!(problems_with(&resource("KafkaUser", "my-cluster", "{}"), &existing).len(), 1);
}

#[test]
fn a_node_pool_is_in_the_namespace_of_its_kafka() {
    let pool = resource("KafkaNodePool", "orders", "{replicas: 1}")
        .replace("name: x,", "name: x, namespace: other,");
    let problems = problems(&pool);
    assert_eq!(problems[0].id, errors::FILE_NAMESPACE);
    assert!(problems[0].message.contains("is other, but its Kafka orders is in kafka"), "{problems:?}");
}

#[test]
fn secrets_of_other_controllers_will_exist() {
    let sealed = "apiVersion: bitnami.com/v1alpha1\nkind: SealedSecret\nmetadata: {name: a}\n---\n\
                  apiVersion: cert-manager.io/v1\nkind: Certificate\nmetadata: {name: c}\nspec: {secretName: b}\n---\n\
                  apiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: {name: e}\nspec: {target: {name: d}}\n---\n";
    let connect =
        resource("KafkaConnect", "none", "{x: [{secretName: a}, {secretName: b}, {secretName: d}]}");
    assert_eq!(problems(&format!("{sealed}{connect}")), []);
    assert_eq!(problems(&connect).len(), 3);
}

#[test]
fn bootstrap_servers_name_a_kafka() {
    for (servers, name) in [
        ("orders-kafka-bootstrap:9092", Some("orders")),
        ("orders-kafka-bootstrap", Some("orders")),
        ("orders-kafka-bootstrap.kafka.svc.cluster.local:9093", Some("orders")),
        ("orders-kafka-bootstrap.other.svc:9093", None),
        ("broker.example.com:9092,b:9092", None),
        ("-kafka-bootstrap", None),
    ] {
        assert_eq!(bootstrap(servers, "kafka"), name, "{servers}");
    }
}
