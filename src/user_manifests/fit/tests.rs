use proptest::prelude::*;
use serde_json::json;

use super::super::test_support::documents;
use super::*;
use crate::errors;

fn limits() -> Limits {
    Limits {
        cpu: 4000,
        memory: 6 << 30,
        brokers: 1,
        storage: 10 << 30,
        storage_class: None,
        registries: vec![("registry.corp.example/platform".into(), "localhost:5000".into())],
    }
}

fn fitted_to(text: &str, limits: &Limits) -> (Vec<Document>, Vec<Change>) {
    let documents = documents(text);
    let (once, changes) = fit(&documents, limits).unwrap_or_else(|failure| panic!("{failure:?}"));
    let (twice, none) = fit(&once, limits).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(none.is_empty(), "{none:#?}");
    assert_eq!(once, twice);
    (once, changes)
}

fn fitted(text: &str) -> (Vec<Document>, Vec<Change>) {
    fitted_to(text, &limits())
}

/// The paths that a rule changed.
fn by<'c>(changes: &'c [Change], rule: &Rule) -> Vec<&'c str> {
    changes.iter().filter(|change| change.rule == rule.name).map(|change| change.path.as_str()).collect()
}

const PRODUCTION: &str = r#"
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec:
  kafka:
    version: 4.3.1
    config: {default.replication.factor: 3, min.insync.replicas: 2, num.partitions: 12}
    rack: {topologyKey: topology.kubernetes.io/zone}
    jvmOptions: {-Xms: 8g, -Xmx: 8g}
    listeners:
    - {name: plain, port: 9092, type: internal, tls: false}
    - name: external
      port: 9094
      type: loadbalancer
      tls: true
      authentication: {type: scram-sha-512}
      configuration:
        brokerCertChainAndKey: {secretName: c, certificate: a, key: b}
        bootstrap: {loadBalancerIP: 10.0.0.1}
        class: service.k8s.aws/nlb
    - {name: route, port: 9095, type: route, tls: true, configuration: {class: x}}
    template:
      pod:
        affinity: {podAntiAffinity: {}}
        tolerations: [{key: kafka}]
        imagePullSecrets: [{name: corp}, {name: mine}]
  cruiseControl: {}
  entityOperator:
    topicOperator: {resources: {requests: {memory: 1Gi, cpu: "1"}, limits: {cpu: "2", memory: 1Gi}}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: controllers, labels: {strimzi.io/cluster: orders}}
spec:
  replicas: 3
  roles: [controller]
  storage: {type: persistent-claim, size: 100Gi, class: gp3}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: brokers, labels: {strimzi.io/cluster: orders}}
spec:
  replicas: 6
  roles: [broker]
  resources: {requests: {memory: 32Gi, cpu: 8}, limits: {memory: 32Gi, cpu: 8}}
  storage:
    type: jbod
    volumes:
    - {id: 0, type: persistent-claim, size: 2Ti, class: io2, selector: {a: b}}
    - {id: 1, type: persistent-claim, size: 5Gi}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: t, labels: {strimzi.io/cluster: orders}}
spec: {partitions: 12, replicas: 3, config: {min.insync.replicas: "2", retention.ms: 1}}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaConnect
metadata: {name: connect}
spec:
  replicas: 3
  image: registry.corp.example/platform/connect:7
  rack: {topologyKey: zone}
  config: {offset.storage.replication.factor: 3, status.storage.replication.factor: -1}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaRebalance
metadata: {name: r, labels: {strimzi.io/cluster: orders}}
---
apiVersion: v1
kind: Secret
metadata: {name: mine}
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {type: LoadBalancer, loadBalancerIP: 1.2.3.4, ports: [{port: 80, nodePort: 30080}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: app}
spec:
  replicas: 5
  template:
    spec:
      nodeSelector: {disk: ssd}
      priorityClassName: high
      containers:
      - image: nginx:1.27
        resources: {requests: {cpu: 2, memory: 64Mi}, limits: {cpu: 4}}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {name: data}
spec: {storageClassName: gp3, volumeName: v, resources: {requests: {storage: 1Ti}}}
"#;

#[test]
fn an_autoscaler_keeps_its_workload_at_one_replica() {
    let text = "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler\nmetadata: {name: a}\n\
                spec: {minReplicas: 5, maxReplicas: 9, scaleTargetRef: {kind: Deployment, name: app}}\n";
    let (documents, changes) = fitted(text);
    let spec = documents[0].object.get("/spec").expect("a spec");
    assert_eq!((&spec["minReplicas"], &spec["maxReplicas"]), (&json!(1), &json!(1)));
    assert!(changes.len() == 2 && changes.iter().all(|change| change.rule == REPLICAS.name));
}

/// As in Strimzi's examples: brokers 3 and 4 are those that three brokers are extended by.
#[test]
fn a_rebalance_of_brokers_that_are_left_out_is_left_out() {
    let text = |annotation: &str| {
        format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {{name: c}}\nspec: {{kafka: {{}}, cruiseControl: {{}}}}\n---\n\
             apiVersion: kafka.strimzi.io/v1\nkind: KafkaNodePool\nmetadata: {{name: p, labels: {{strimzi.io/cluster: c}}{annotation}}}\n\
             spec: {{replicas: 5, roles: [broker, controller], storage: {{type: ephemeral}}}}\n---\n\
             apiVersion: kafka.strimzi.io/v1\nkind: KafkaRebalance\nmetadata: {{name: absent, labels: {{strimzi.io/cluster: c}}}}\n\
             spec: {{mode: add-brokers, brokers: [3, 4]}}\n---\n\
             apiVersion: kafka.strimzi.io/v1\nkind: KafkaRebalance\nmetadata: {{name: there, labels: {{strimzi.io/cluster: c}}}}\n\
             spec: {{mode: remove-brokers, brokers: [1]}}\n"
        )
    };
    let limits = Limits { brokers: 2, ..limits() };
    let left = |text: &str| {
        let (documents, changes) = fitted_to(text, &limits);
        let rebalances = documents.iter().filter(|d| d.object.kind() == "KafkaRebalance");
        let names: Vec<String> = rebalances.map(|d| d.object.name().to_owned()).collect();
        (names, changes.iter().filter(|change| change.rule == "rebalance").count())
    };
    assert_eq!(left(&text("")), (vec!["there".to_owned()], 1));
    // Its ids are chosen by an annotation.
    let chosen = ", annotations: {strimzi.io/next-node-ids: \"[1, 3]\"}";
    assert_eq!(left(&text(chosen)), (vec!["absent".to_owned(), "there".to_owned()], 0));
}

#[test]
fn production_fits_a_laptop() {
    let (documents, changes) = fitted(PRODUCTION);
    let object = |kind: &str, name: &str| {
        &documents.iter().find(|d| d.object.kind() == kind && d.object.name() == name).expect(kind).object
    };
    let kafka = object("Kafka", "orders").get("/spec").expect("a spec");
    assert_eq!(
        kafka["kafka"]["config"],
        json!({
            "default.replication.factor": 1, "min.insync.replicas": 1, "num.partitions": 12,
            "offsets.topic.replication.factor": 1, "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1, "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
        })
    );
    assert_eq!(kafka["kafka"]["jvmOptions"], json!({"-Xms": "768m", "-Xmx": "768m"}));
    assert_eq!(
        kafka["kafka"]["listeners"][1],
        json!({
            "name": "external", "port": 9094, "type": "internal", "tls": true, "authentication": {"type": "scram-sha-512"},
            "configuration": {"brokerCertChainAndKey": {"secretName": "c", "certificate": "a", "key": "b"}},
        })
    );
    assert_eq!(
        kafka["kafka"]["listeners"][2],
        json!({"name": "route", "port": 9095, "type": "internal", "tls": true})
    );
    assert_eq!(kafka["kafka"]["template"]["pod"], json!({"imagePullSecrets": [{"name": "mine"}]}));
    assert!(kafka.get("cruiseControl").is_none() && kafka["kafka"].get("rack").is_none());
    assert_eq!(
        kafka["entityOperator"]["topicOperator"]["resources"],
        json!({"requests": {"memory": "512Mi", "cpu": "100m"}, "limits": {"memory": "512Mi"}})
    );
    let pool = object("KafkaNodePool", "brokers").get("/spec").expect("a spec");
    assert_eq!(pool["replicas"], 1);
    assert_eq!(
        pool["resources"],
        json!({"requests": {"memory": "1536Mi", "cpu": "250m"}, "limits": {"memory": "1536Mi"}})
    );
    assert_eq!(pool["storage"]["volumes"][0], json!({"id": 0, "type": "persistent-claim", "size": "10Gi"}));
    assert_eq!(pool["storage"]["volumes"][1], json!({"id": 1, "type": "persistent-claim", "size": "5Gi"}));
    assert_eq!(object("KafkaNodePool", "controllers").get("/spec/replicas"), Some(&json!(1)));
    let topic = object("KafkaTopic", "t").get("/spec").expect("a spec");
    assert_eq!(
        topic,
        &json!({"partitions": 12, "replicas": 1, "config": {"min.insync.replicas": "1", "retention.ms": 1}})
    );
    let connect = object("KafkaConnect", "connect").get("/spec").expect("a spec");
    assert_eq!(
        connect,
        &json!({"replicas": 1, "image": "localhost:5000/connect:7", "config": {"offset.storage.replication.factor": 1, "status.storage.replication.factor": -1}})
    );
    assert!(!documents.iter().any(|d| d.object.kind() == "KafkaRebalance"));
    assert_eq!(
        object("Service", "app").get("/spec"),
        Some(&json!({"type": "ClusterIP", "ports": [{"port": 80}]}))
    );
    assert_eq!(
        object("Deployment", "app").get("/spec"),
        Some(
            &json!({"replicas": 1, "template": {"spec": {"containers": [{"image": "nginx:1.27", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]}}})
        )
    );
    assert_eq!(
        object("PersistentVolumeClaim", "data").get("/spec"),
        Some(&json!({"resources": {"requests": {"storage": "10Gi"}}}))
    );
    // Only the cluster knows which kinds it serves: the tasks apply that rule.
    // With one broker, all rebalances are left out.
    for rule in RULES.iter().filter(|rule| ![MONITORING, REBALANCE].contains(rule)) {
        assert!(!by(&changes, rule).is_empty(), "no change by the rule {}", rule.name);
    }
    let change = changes.iter().find(|change| change.path == "spec.kafka.rack").expect("a change");
    assert_eq!((change.object.as_str(), change.origin.line, &change.to), ("Kafka orders", 9, &Value::Null));
}

#[test]
fn manifests_that_fit_are_not_changed() {
    let small = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: c}\nspec:\n  kafka:\n    version: 4.3.1\n    \
                 listeners: [{name: a, port: 9094, type: nodeport, tls: false}]\n---\napiVersion: kafka.strimzi.io/v1\nkind: \
                 KafkaNodePool\nmetadata: {name: p, labels: {strimzi.io/cluster: c}}\nspec: {replicas: 3, roles: [broker, \
                 controller], storage: {type: ephemeral}}\n";
    let three = Limits { brokers: 3, ..limits() };
    assert_eq!(fitted_to(small, &three).1, []);
    // With one broker, Kafka's own defaults are too high.
    let (_, changes) = fitted(small);
    assert_eq!(by(&changes, &BROKERS), ["spec.replicas"]);
    assert_eq!(by(&changes, &REPLICATION).len(), 5);
}

#[test]
fn a_storage_class_of_this_cluster_is_used() {
    let limits = Limits { storage_class: Some("standard".into()), ..limits() };
    let (documents, _) = fitted_to(PRODUCTION, &limits);
    let pool = documents.iter().find(|d| d.object.name() == "brokers").expect("a pool");
    assert_eq!(pool.object.get("/spec/storage/volumes/0/class"), Some(&json!("standard")));
    assert_eq!(pool.object.get("/spec/storage/volumes/1/class"), None);
}

#[test]
fn clusters_with_zookeeper_and_several_pools_fit_too() {
    let old = "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata: {name: c}\nspec:\n  kafka: {version: 3.9.0, \
               replicas: 5, storage: {type: persistent-claim, size: 1Ti}}\n  zookeeper: {replicas: 3}\n";
    let (documents, _) = fitted_to(old, &Limits { brokers: 2, ..limits() });
    let object = &documents[0].object;
    assert_eq!(object.get("/spec/kafka/replicas"), Some(&json!(2)));
    assert_eq!(object.get("/spec/zookeeper/replicas"), Some(&json!(1)));
    assert_eq!(object.get("/spec/kafka/storage/size"), Some(&json!("10Gi")));
    assert_eq!(object.get("/spec/kafka/config/offsets.topic.replication.factor"), Some(&json!(2)));
    let pool = |name: &str| {
        format!(
            "---\napiVersion: kafka.strimzi.io/v1\nkind: KafkaNodePool\nmetadata: {{name: {name}, labels: {{strimzi.io/cluster: c}}}}\nspec: {{replicas: 3, roles: [broker]}}\n"
        )
    };
    let kafka = "apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: c}\nspec: {kafka: {}}\n";
    let (documents, _) =
        fitted_to(&format!("{kafka}{}{}", pool("a"), pool("b")), &Limits { brokers: 4, ..limits() });
    let replicas: Vec<u64> =
        documents[1..].iter().filter_map(|d| d.object.get("/spec/replicas")?.as_u64()).collect();
    assert_eq!(replicas, [3, 1]);
}

#[test]
fn manifests_that_cannot_fit_are_refused() {
    let connect = |spec: &str| {
        format!("apiVersion: kafka.strimzi.io/v1\nkind: KafkaConnect\nmetadata: {{name: x}}\nspec: {spec}\n")
    };
    let pool = |replicas: u32| {
        format!(
            "apiVersion: kafka.strimzi.io/v1\nkind: KafkaNodePool\nmetadata: {{name: x{replicas}, labels: {{strimzi.io/cluster: c}}}}\nspec: {{replicas: {replicas}, roles: [broker]}}\n"
        )
    };
    for (text, words) in [
        (
            connect("{image: registry.other.example/a:1}"),
            "spec.image cannot be made to fit: it is the image registry.other.example/a:1",
        ),
        (connect("{build: {output: {type: docker, image: docker.io/corp/a:1}}}"), "is pushed to docker.io"),
        (connect("{build: {output: {type: imagestream, image: a:1}}}"), "imagestream"),
        (connect("{resources: {limits: {nvidia.com/gpu: 1}}}"), "needs nvidia.com/gpu"),
        ("apiVersion: route.openshift.io/v1\nkind: Route\nmetadata: {name: r}\n".to_owned(), "OpenShift"),
        (pool(20), "all pods together need 10Gi of memory, and there is 6Gi"),
    ] {
        let failure = fit(&documents(&text), &limits()).expect_err(words);
        assert_eq!(failure.id, errors::FILE_FIT, "{words}");
        let all = format!("{failure} {:?}", failure.causes);
        assert!(all.contains(words), "{all}");
    }
    assert!(
        fit(
            &documents(&connect(
                "{build: {output: {type: docker, image: registry.corp.example/platform/a:1}}}"
            )),
            &limits()
        )
        .is_ok()
    );
}

#[test]
fn registries_are_distinguished_from_names() {
    for (image, expected) in [
        ("nginx", "docker.io"),
        ("library/nginx:1", "docker.io"),
        ("quay.io/strimzi/kafka:1", "quay.io"),
        ("localhost/a", "localhost"),
        ("host:5000/a/b", "host:5000"),
    ] {
        assert_eq!(pods::registry(image), expected);
    }
}

/// The tables in `docs/fit.md` are those of the code.
#[test]
fn the_document_has_every_rule() {
    let text = include_str!("../../../docs/fit.md");
    let rows = |name: &str| -> Vec<Vec<String>> {
        let (_, table) = text.split_once(&format!("<!-- {name} -->\n")).expect("the table's beginning");
        let (table, _) = table.split_once(&format!("<!-- /{name} -->")).expect("the table's end");
        let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
        table.lines().skip(2).map(cells).collect()
    };
    let rules: Vec<Vec<String>> = RULES
        .iter()
        .map(|rule| {
            vec![format!("`{}`", rule.name), rule.fields.into(), rule.becomes.into(), rule.reason.into()]
        })
        .collect();
    assert_eq!(rows("rules"), rules);
    let refused: Vec<Vec<String>> =
        REFUSED.iter().map(|(what, why)| vec![(*what).to_owned(), (*why).to_owned()]).collect();
    assert_eq!(rows("refused"), refused);
}

/// Documents of all kinds with the fields that rules change, and with any values.
pub(in crate::user_manifests) fn manifests() -> impl Strategy<Value = Vec<Document>> {
    let leaf = prop_oneof![
        Just(json!(null)),
        Just(json!(0)),
        Just(json!(3)),
        Just(json!(9_999_999_999_u64)),
        Just(json!("2")),
        Just(json!("32Gi")),
        Just(json!("500m")),
        Just(json!("8g")),
        Just(json!("internal")),
        Just(json!("route")),
        Just(json!("LoadBalancer")),
        Just(json!("persistent-claim")),
        Just(json!("broker")),
        Just(json!("registry.corp.example/platform/a")),
        Just(json!("registry.corp.example/platform")),
        "[a-z/.:]{0,12}".prop_map(Value::from),
    ];
    let keys = prop::sample::select(vec![
        "kafka",
        "zookeeper",
        "config",
        "replicas",
        "storage",
        "volumes",
        "type",
        "size",
        "class",
        "selector",
        "resources",
        "requests",
        "limits",
        "memory",
        "cpu",
        "jvmOptions",
        "-Xmx",
        "-Xms",
        "listeners",
        "configuration",
        "image",
        "imagePullSecrets",
        "affinity",
        "template",
        "spec",
        "containers",
        "roles",
        "rack",
        "cruiseControl",
        "nodeSelector",
        "min.insync.replicas",
        "offsets.topic.replication.factor",
        "volumeClaimTemplates",
        "storageClassName",
        "ports",
        "build",
        "output",
        "version",
        "tieredStorage",
        "name",
    ]);
    let spec = leaf.prop_recursive(5, 60, 8, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keys.clone(), inner, 0..8)
                .prop_map(|map| Value::Object(map.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())),
        ]
    });
    let kinds = prop::sample::select(vec![
        ("kafka.strimzi.io/v1", "Kafka"),
        ("kafka.strimzi.io/v1", "KafkaNodePool"),
        ("kafka.strimzi.io/v1", "KafkaTopic"),
        ("kafka.strimzi.io/v1", "KafkaConnect"),
        ("kafka.strimzi.io/v1", "KafkaRebalance"),
        ("apps/v1", "Deployment"),
        ("apps/v1", "StatefulSet"),
        ("v1", "Service"),
        ("v1", "PersistentVolumeClaim"),
    ]);
    prop::collection::vec((kinds, spec), 0..6).prop_map(|all| {
        let document = |(at, ((api, kind), spec)): (usize, ((&str, &str), Value))| {
            let name = if kind == "Kafka" { "c".to_owned() } else { format!("n{at}") };
            let metadata = json!({"name": name, "labels": {"strimzi.io/cluster": "c"}});
            let value = json!({"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec});
            Document {
                object: Object::new(value).expect("an object"),
                origin: Origin { file: "a.yaml".into(), line: at + 1, built: false },
                lines: super::super::document::Lines::default(),
            }
        };
        all.into_iter().enumerate().map(document).collect()
    })
}

proptest! {
    #[test]
    fn fitted_manifests_fit(documents in manifests(), brokers in 1_u64..4) {
        let limits = Limits { brokers, memory: 1 << 60, cpu: 1 << 60, ..limits() };
        if let Ok((once, _)) = fit(&documents, &limits) {
            let (twice, changes) = fit(&once, &limits).expect("what was fitted can be fitted");
            prop_assert_eq!(&changes, &[]);
            prop_assert_eq!(once, twice);
        }
    }
}
