//! Pods and objects that admission rejects, and how that is reported: the messages are those of the real API server.

use serde_json::{Value, json};

use crate::harness::{Scenario, Test};
use crate::support::{
    KAFKA, PROFILE, apply_foreign, empty_cluster, events, failure, fresh, install, kstrim, kubectl, quick,
    ready, told, until,
};
use crate::{diagnose, doctor};

const QUOTA: &str =
    r#"pods "{pod}" is forbidden: failed quota: team: must specify limits.cpu for: strimzi-cluster-operator"#;
const EXCEEDED: &str =
    r#"pods "{pod}" is forbidden: exceeded quota: team, requested: pods=1, used: pods=2, limited: pods=2"#;
const LIMITS: &str =
    r#"pods "{pod}" is forbidden: maximum memory usage per Container is 256Mi, but limit is 1Gi"#;
const SECURITY: &str = r#"pods "{pod}" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "kafka" must set securityContext.allowPrivilegeEscalation=false)"#;
const POLICY: &str = r#"pods "{pod}" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'all' denied request: no new pods on Fridays"#;
const GATEKEEPER: &str = r#"admission webhook "validation.gatekeeper.sh" denied the request: [owner] you must provide labels: {"owner"}"#;
const NO_SERVICE: &str = r#"Internal error occurred: failed calling webhook "check.policy.example.com": failed to call webhook: Post "https://policy-webhook.policy-system.svc:443/validate?timeout=3s": service "policy-webhook" not found"#;
const REFUSES: &str = r#"Internal error occurred: failed calling webhook "check.policy.example.com": failed to call webhook: Post "https://policy-webhook.policy-system.svc:443/validate?timeout=3s": dial tcp 10.96.4.9:443: connect: connection refused"#;
const SLOW: &str = r#"Internal error occurred: failed calling webhook "check.policy.example.com": failed to call webhook: Post "https://policy-webhook.policy-system.svc:443/validate?timeout=3s": context deadline exceeded"#;
const DENIED: &str =
    r#"admission webhook "check.policy.example.com" denied the request: topics need an owner"#;

fn refused(part: &str, words: &str) -> Test {
    fresh().scenario(|s| {
        quick(s);
        refuse(s, part, words);
    })
}

fn refuse(s: &mut Scenario, part: &str, words: &str) {
    s.refused_pods = vec![(part.to_owned(), words.to_owned())];
}

/// A configuration with the webhook of [`NO_SERVICE`].
fn left_over(test: &Test) {
    apply_foreign(
        test,
        &[json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
            "metadata": {"name": "left-over-policy"}, "webhooks": [{"name": "check.policy.example.com"}]})],
    );
}

/// Run to a failure with this id; returns the whole output. The harness ends a run that does not end by itself.
#[track_caller]
fn fails<const N: usize>(test: &mut Test, args: [&str; N], id: &str, code: i32) -> String {
    let lines = events(test, args, code);
    let told = told(&lines);
    assert_eq!(failure(&lines), id, "{told}");
    told
}

#[test]
fn every_wait_of_up_ends_with_the_cause_if_a_pod_is_rejected() {
    for (part, words, args, id) in [
        ("cluster-operator", QUOTA, &["up"][..], "KS-ADMISSION-QUOTA"),
        ("cluster-operator", LIMITS, &["up"], "KS-ADMISSION-LIMITS"),
        ("dual-role", SECURITY, &["up"], "KS-ADMISSION-POD-SECURITY"),
        ("dual-role", EXCEEDED, &["up"], "KS-ADMISSION-QUOTA"),
        ("entity-operator", POLICY, &["up"], "KS-ADMISSION-POLICY"),
        ("entity-operator", GATEKEEPER, &["up"], "KS-ADMISSION-POLICY"),
        ("-bridge-", SECURITY, &["up", "--with", "bridge"], "KS-ADMISSION-POD-SECURITY"),
        ("-connect-", SECURITY, &["up", "--with", "connect"], "KS-ADMISSION-POD-SECURITY"),
        ("kafka-exporter", EXCEEDED, &["up", "--with", "exporter"], "KS-ADMISSION-QUOTA"),
    ] {
        let mut test = refused(part, words);
        let run = test.args(args.iter().chain(&["-o", "json", "--profile", PROFILE])).run().expect(1);
        let lines = run.json_lines();
        assert_eq!(failure(&lines), id, "{part}: {}", told(&lines));
        // When admission accepts it, the next run continues.
        test.change_scenario(|s| s.refused_pods.clear());
        test.args(args.iter().chain(&["--profile", PROFILE])).run().expect(0);
    }
}

#[test]
fn a_quota_that_conflicts_with_the_tuning_hints_at_stock() {
    let mut test = refused("cluster-operator", QUOTA);
    let told = fails(&mut test, ["up", "--cluster", "events"], "KS-ADMISSION-QUOTA", 1);
    assert!(told.contains("kstrim up --stock --cluster events"), "{told}");
}

#[test]
fn a_kafka_cluster_without_its_entity_operator_is_a_problem() {
    let mut test = ready();
    test.change_scenario(|s| refuse(s, "entity-operator", SECURITY));
    let pods = test.objects(PROFILE);
    let mut pods = pods.as_object().into_iter().flat_map(|o| o.keys());
    let pod = pods.find(|k| k.starts_with("pods/") && k.contains("entity-operator")).expect("a pod");
    kubectl(&test, &format!("delete pod {} -n kafka", pod.rsplit('/').next().expect("a name"))).expect(0);
    until(&test, "the Deployment tells of it", |test| {
        let deployment = test.object(PROFILE, "deployments.apps/kafka/my-cluster-entity-operator");
        deployment["status"].to_string().contains("ReplicaFailure")
    });
    assert_eq!(test.object(PROFILE, KAFKA)["status"]["conditions"][0]["type"], "Ready", "it says so still");
    let status = test.args(["status", "-o", "json"]).run().json();
    assert_eq!(status["ready"], false, "{status}");
    assert!(status["findings"].to_string().contains("KS-ADMISSION-POD-SECURITY"), "{}", status["findings"]);
    // It is certain after some seconds.
    std::thread::sleep(std::time::Duration::from_secs(5));
    let document = test.args(doctor::ARGS).run().json();
    let wrong = doctor::wrong(&document);
    assert!(wrong.contains(&"kafka.ready failed KS-ADMISSION-POD-SECURITY".to_owned()), "{wrong:?}");
    let told = fails(&mut test, ["up"], "KS-ADMISSION-POD-SECURITY", 1);
    assert!(told.contains("restricted:latest"), "{told}");
}

#[test]
fn a_failing_webhook_is_named_with_its_configuration_and_distinguished_from_the_api_server() {
    for words in [NO_SERVICE, REFUSES, SLOW] {
        let mut test = ready();
        left_over(&test);
        let refused = ("kafkatopics".to_owned(), "InternalError".to_owned(), words.to_owned());
        test.change_scenario(|s| s.refused_writes.push(refused));
        let told = fails(&mut test, ["topic", "create", "hooked"], "KS-WEBHOOK-FAILED", 1);
        assert!(
            told.contains("check.policy.example.com of validatingwebhookconfiguration left-over-policy"),
            "{told}"
        );
        assert!(told.contains("delete validatingwebhookconfiguration left-over-policy"), "{told}");
        assert!(!told.contains("minikube start"), "{told}");
    }
}

#[test]
fn a_rejected_write_names_what_rejected_it() {
    let quota = r#"kafkatopics.kafka.strimzi.io "{name}" is forbidden: exceeded quota: team, requested: count/kafkatopics.kafka.strimzi.io=1, used: count/kafkatopics.kafka.strimzi.io=1, limited: count/kafkatopics.kafka.strimzi.io=1"#;
    let policy = "ValidatingAdmissionPolicy 'freeze' with binding 'all' denied request: no";
    for (reason, words, id) in [
        ("Forbidden", quota, "KS-ADMISSION-QUOTA"),
        ("BadRequest", DENIED, "KS-ADMISSION-WEBHOOK"),
        ("NotFound", DENIED, "KS-ADMISSION-WEBHOOK"),
        ("Invalid", policy, "KS-ADMISSION-POLICY"),
        (
            "Forbidden",
            r#"kafkatopics.kafka.strimzi.io is forbidden: User "x not found" cannot create"#,
            "KS-API-FORBIDDEN",
        ),
        ("InternalError", "Internal error occurred: etcdserver: connection refused not found", "KS-KUBECTL"),
    ] {
        let mut test = ready();
        left_over(&test);
        let refused = ("kafkatopics".to_owned(), reason.to_owned(), words.to_owned());
        test.change_scenario(|s| s.refused_writes.push(refused));
        let told = fails(&mut test, ["topic", "create", "hooked"], id, 1);
        assert!(id != "KS-ADMISSION-WEBHOOK" || told.contains("left-over-policy"), "{told}");
    }
}

#[test]
fn an_operator_that_is_scaled_to_0_is_reported() {
    let mut test = ready();
    let none =
        r#"patch deployment strimzi-cluster-operator -n kafka --type=merge -p {"spec":{"replicas":0}}"#;
    kubectl(&test, none).expect(0);
    let status = test.args(["status", "-o", "json"]).run().json();
    assert_eq!(status["ready"], false, "{status}");
    let document = test.args(doctor::ARGS).run().json();
    let wrong = doctor::wrong(&document);
    assert!(
        wrong.iter().any(|w| w.starts_with("strimzi.operator") && w.ends_with("KS-OPERATOR-STOPPED")),
        "{wrong:?}"
    );
    let told = fails(&mut test, ["up"], "KS-OPERATOR-STOPPED", 1);
    assert!(told.contains("scale --replicas=1 deployment/strimzi-cluster-operator -n kafka"), "{told}");
}

#[test]
fn a_paused_component_or_a_failed_connector_is_a_problem() {
    let mut test = ready();
    kstrim(&mut test, ["add", "connect"]).expect(0);
    let connector = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
        "metadata": {"name": "mine", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "tasksMax": 1,
            "config": {"topics": "my-topic", "file": "/tmp/x"}}});
    test.change_scenario(|s| {
        s.connector_trace = Some("org.apache.kafka.connect.errors.ConnectException: no such file".into())
    });
    apply_foreign(&test, &[connector]);
    until(&test, "its task has failed", |test| {
        let connector = test.object(PROFILE, "kafkaconnectors.kafka.strimzi.io/kafka/mine");
        connector["status"].to_string().contains("FAILED")
    });
    let status = test.args(["status", "-o", "json"]).run().json();
    assert_eq!(status["ready"], false, "{status}");
    fails(&mut test, ["up"], "KS-CONNECTOR-FAILED", 1);
    kubectl(&test, "delete kafkaconnector mine -n kafka").expect(0);
    kubectl(&test, "annotate kafkaconnect my-cluster strimzi.io/pause-reconciliation=true -n kafka")
        .expect(0);
    let findings = test.args(["status", "-o", "json"]).run().json()["findings"].to_string();
    assert!(findings.contains("KS-COMPONENT-PAUSED"), "{findings}");
}

/// An operator in the namespace strimzi, with this name, that watches all namespaces; and a Kafka cluster in team-a.
fn elsewhere(name: &str) -> Test {
    let test = empty_cluster();
    let namespaces = ["strimzi", "team-a"]
        .map(|n| json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": n}}));
    apply_foreign(&test, &namespaces);
    let mut objects = install();
    for object in &mut objects {
        if !matches!(
            object["kind"].as_str(),
            Some("ClusterRole" | "ClusterRoleBinding" | "CustomResourceDefinition")
        ) {
            object["metadata"]["namespace"] = json!("strimzi");
        }
        for subject in object["subjects"].as_array_mut().into_iter().flatten() {
            subject["namespace"] = json!("strimzi");
        }
        if object["kind"] == "Deployment" {
            object["metadata"]["name"] = json!(name);
            object["spec"]["template"]["metadata"]["labels"]["name"] = json!(name);
            object["spec"]["selector"]["matchLabels"]["name"] = json!(name);
            object["spec"]["template"]["spec"]["containers"][0]["env"][0] =
                json!({"name": "STRIMZI_NAMESPACE", "value": "*"});
        }
    }
    // What Strimzi documents for an operator of all namespaces.
    let bindings: Vec<Value> = objects.iter().filter(|o| o["kind"] == "RoleBinding").cloned().collect();
    for mut binding in bindings {
        binding["kind"] = json!("ClusterRoleBinding");
        let name = format!("{}-all", binding["metadata"]["name"].as_str().expect("a name"));
        binding["metadata"] = json!({"name": name, "labels": {"app": "strimzi"}});
        objects.push(binding);
    }
    apply_foreign(&test, &objects);
    until(&test, "the definitions are there", |test| {
        let crd =
            test.object(PROFILE, "customresourcedefinitions.apiextensions.k8s.io//kafkas.kafka.strimzi.io");
        crd["status"].to_string().contains("Established")
    });
    let kafka = [
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
            "metadata": {"name": "nodes", "namespace": "team-a", "labels": {"strimzi.io/cluster": "events"}},
            "spec": {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "ephemeral"}}}),
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
            "metadata": {"name": "events", "namespace": "team-a"},
            "spec": {"kafka": {"listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}],
                    "config": {"offsets.topic.replication.factor": 1}},
                "entityOperator": {"topicOperator": {}, "userOperator": {}}}}),
    ];
    apply_foreign(&test, &kafka);
    until(&test, "the Kafka cluster is ready", |test| {
        let kafka = test.object(PROFILE, "kafkas.kafka.strimzi.io/team-a/events");
        kafka["status"]["conditions"].to_string().contains(r#""type":"Ready""#)
    });
    test
}

#[test]
fn an_operator_with_another_name_and_namespace_is_found() {
    let target = ["-n", "team-a", "-c", "events"];
    for name in ["strimzi-cluster-operator", "strimzi-cluster-operator-v1.2.0"] {
        let mut test = elsewhere(name);
        let status = test.args(["status", "-o", "json"].iter().chain(&target)).run().expect(0).json();
        assert_eq!(status["ready"], true, "{status}");
        assert_eq!(status["operator"]["namespace"], "strimzi");
        assert_eq!(status["operator"]["name"], name);
        let document = test.args(doctor::ARGS.iter().chain(&target)).run().json();
        let text = document.to_string();
        assert!(!text.contains("KS-OPERATOR-MISSING"), "{:?}", doctor::wrong(&document));
        let set = ["set", "log.retention.hours=24", "--adopt", "--yes", "-o", "json"];
        test.args(set.iter().chain(&target)).run().expect(0);
        let kafka = test.object(PROFILE, "kafkas.kafka.strimzi.io/team-a/events");
        assert_eq!(kafka["spec"]["kafka"]["config"]["log.retention.hours"], 24, "{}", kafka["spec"]);
        let operator = &doctor::check(&document, "strimzi.operator")["problem"];
        assert!(operator.is_null(), "it is used: {operator}");
        // Its log and its pod are in its own namespace.
        let logs = test.args(["logs", "--component", "operator", "--tail", "1"].iter().chain(&target)).run();
        assert!(logs.expect(0).stdout.contains("operator"), "{name}");
        let logs = test.args(["logs", "--tail", "1"].iter().chain(&target)).run().expect(0);
        assert!(logs.stdout.lines().any(|line| line.starts_with("operator")), "{}", logs.stdout);
        let (_, archive) = diagnose::diagnose(&mut test, &target);
        assert!(archive.order.iter().any(|f| f.starts_with(&format!("logs/{name}-"))), "{:?}", archive.order);
        assert!(archive.get("operator/pods.yaml").contains(name));
        assert!(archive.get("operator/deployments.yaml").contains(name));
        // Nothing is installed in addition to it; a namespace and a Kafka cluster of others need consent.
        let operators = |test: &Test| -> Vec<String> {
            let objects = test.objects(PROFILE);
            let keys = objects.as_object().into_iter().flat_map(|o| o.keys().cloned().collect::<Vec<_>>());
            keys.filter(|k| k.starts_with("deployments.apps/") && k.contains("cluster-operator")).collect()
        };
        let before = operators(&test);
        let run = test.args(["up", "-o", "json"].iter().chain(&target)).run().expect(5);
        assert!(run.stdout.contains("KS-NAMESPACE-FOREIGN"), "{}", run.stdout);
        assert_eq!(operators(&test), before);
        let run = test.args(["up", "--adopt", "-o", "json"].iter().chain(&target)).run().expect(0);
        assert_eq!(operators(&test), before, "{}", run.stdout);
        assert!(!run.stdout.contains("KS-OPERATOR-SECOND"), "{}", run.stdout);
    }
}

#[test]
fn users_with_external_credentials_are_not_waited_for() {
    let mut test = ready();
    let user = |name: &str, spec: Value| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
            "spec": spec})
    };
    let external = json!({"authentication": {"type": "tls-external"}});
    apply_foreign(&test, &[user("outside", external), user("nobody", json!({}))]);
    for name in ["outside", "nobody"] {
        let run = test.args(["user", "show", name, "--export", "there"]).run().expect(2);
        assert!(run.stderr.contains("KS-USER-CREDENTIALS"), "{}", run.stderr);
        let run = test.args(["user", "show", name]).run().expect(0);
        assert!(!run.stdout.contains("not yet\n") || run.stdout.contains("none: "), "{}", run.stdout);
    }
}
