//! `up -f`: the user's own manifests are checked, applied, waited for, pruned and deleted with everything else.

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{
    PROFILE, apply_foreign, events, failure, fresh, kstrim, kubectl, ours, outcomes, quick, told, topics,
    written,
};

const KAFKA: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: nodes, labels: {strimzi.io/cluster: orders}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: ephemeral}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec:
  kafka:
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {offsets.topic.replication.factor: 1, default.replication.factor: 1, min.insync.replicas: 1}
  entityOperator: {topicOperator: {}, userOperator: {}}
";
const TOPIC: &str = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaTopic
metadata: {name: NAME, labels: {strimzi.io/cluster: orders}}
spec: {partitions: 3, replicas: 1}
";
const CONFIG: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\ndata: {greeting: hello}\n";

fn topic(name: &str) -> String {
    TOPIC.replace("NAME", name)
}

/// A world in which the files of a project are in the directory `app`.
fn project(files: &[(&str, String)]) -> Test {
    let test = fresh().scenario(quick);
    std::fs::create_dir_all(test.work().join("app")).expect("a folder");
    for (name, text) in files {
        test.write(&format!("app/{name}"), text);
    }
    test
}

fn whole() -> Test {
    let files = [
        ("kafka.yaml", KAFKA.to_owned()),
        ("topics.yaml", format!("{}---\n{}", topic("orders"), topic("invoices"))),
        ("config.yaml", CONFIG.to_owned()),
    ];
    project(&files)
}

fn warnings(lines: &[Value]) -> String {
    let all =
        lines.iter().filter(|line| line["type"] == "warning").filter_map(|line| line["message"].as_str());
    all.collect::<Vec<_>>().join("\n")
}

/// The failure of the last event.
fn info(lines: &[Value]) -> Value {
    lines.last().map(|line| line["failure"].clone()).unwrap_or_default()
}

fn object(test: &Test, key: &str) -> Value {
    test.object(PROFILE, key)
}

#[test]
fn a_directory_is_applied_changed_pruned_and_deleted() {
    let mut test = whole();
    let lines = events(&mut test, ["up", "-f", "app"], 0);
    let ends = outcomes(&lines);
    for task in ["file-configmap", "kafka", "file-kafkatopic", "topic", "smoke", "files", "ready"] {
        assert!(
            matches!(ends.get(task).map(String::as_str), Some("done" | "already_done")),
            "{task}: {ends:?}"
        );
    }
    assert!(topics(&test).iter().any(|name| name == "invoices"), "{:?}", topics(&test));
    let config = object(&test, "configmaps/kafka/app");
    assert_eq!(config["data"]["greeting"], "hello");
    assert_eq!(config["metadata"]["labels"]["kstrim.io/files"], "true");
    // The Kafka resource of the files replaces the preset's.
    assert!(object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster").is_null());
    let verified = lines.iter().find(|line| line["type"] == "smoke").expect("a smoke test");
    assert_eq!(verified["verified"], 10);

    // Again: nothing is written.
    test.forget_calls();
    events(&mut test, ["up", "-f", "app"], 0);
    assert!(written(&test).is_empty(), "{:#?}", written(&test));

    // What changed in a file, and what was changed in the cluster, becomes as in the file.
    test.write("app/config.yaml", CONFIG.replace("hello", "good morning"));
    events(&mut test, ["up", "-f", "app"], 0);
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "good morning");

    kubectl(&test, "patch configmap app -n kafka --type=merge -p {\"data\":{\"greeting\":\"changed\"}}")
        .expect(0);
    events(&mut test, ["up", "-f", "app"], 0);
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "good morning");

    // A file that cannot be opened is no file that was removed: nothing is deleted.
    std::fs::remove_file(test.work().join("app/topics.yaml")).expect("removed");
    std::os::unix::fs::symlink("../elsewhere/topics.yaml", test.work().join("app/topics.yaml"))
        .expect("a link");
    let run = kstrim(&mut test, ["up", "-f", "app", "--prune"]).expect(2);
    assert!(run.stderr.contains("KS-FILE-UNREADABLE"), "{}", run.stderr);
    assert!(topics(&test).iter().any(|name| name == "invoices"), "{:?}", topics(&test));
    std::fs::remove_file(test.work().join("app/topics.yaml")).expect("removed");

    // What was removed from the files is kept and named, and deleted on request.
    test.write("app/topics.yaml", topic("orders"));
    let lines = events(&mut test, ["up", "-f", "app"], 0);
    let warned = warnings(&lines);
    assert!(warned.contains("KafkaTopic invoices") && warned.contains("--prune"), "{warned}");
    assert!(topics(&test).iter().any(|name| name == "invoices"));
    events(&mut test, ["up", "-f", "app", "--prune"], 0);
    assert!(!topics(&test).iter().any(|name| name == "invoices"), "{:?}", topics(&test));
    assert!(topics(&test).iter().any(|name| name == "orders"));

    // A run without the files keeps the Kafka resource as it is.
    let before = object(&test, "kafkas.kafka.strimzi.io/kafka/orders");
    events(&mut test, ["up", "--cluster", "orders"], 0);
    assert_eq!(object(&test, "kafkas.kafka.strimzi.io/kafka/orders")["spec"], before["spec"]);

    kstrim(&mut test, ["down", "--cluster", "orders", "--keep-cluster", "--yes"]).expect(0);
    // The marker of the profile stays with the profile.
    assert_eq!(ours(&test), ["configmaps/kube-system/kstrim"]);
}

#[test]
fn commands_use_the_kafka_cluster_of_the_last_up() {
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    // Neither of them creates a Kafka cluster of a preset.
    let said = kstrim(&mut test, ["status", "-o", "json"]).expect(0).stdout;
    assert!(said.contains("\"orders\"") && !said.contains("my-cluster"), "{said}");
    kstrim(&mut test, ["topic", "list"]).expect(0);
    events(&mut test, ["up"], 0);
    assert!(object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster").is_null());
    // What is specified counts.
    let other = kstrim(&mut test, ["topic", "list", "--cluster", "my-cluster"]);
    assert!(other.code() != 0 && other.stderr.contains("my-cluster"), "{}", other.stderr);
    // After it was deleted, the next one is the preset's again.
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    events(&mut test, ["up"], 0);
    assert!(!object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster").is_null());
}

#[test]
fn a_profile_that_somebody_created_again_starts_with_the_default_cluster() {
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    test.fake("minikube", ["delete", "-p", PROFILE]).expect(0);
    events(&mut test, ["up"], 0);
    assert!(!object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster").is_null());
    assert!(object(&test, "kafkas.kafka.strimzi.io/kafka/orders").is_null());
}

#[test]
fn what_the_api_server_rejects_is_found_before_anything_is_created() {
    let job = "apiVersion: batch/v1\nkind: Job\nmetadata: {name: seed}\n\
               spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}\n";
    let mut test = whole();
    test.write("app/job.yaml", format!("# A job.\n{job}"));
    let refused = ("jobs".to_owned(), "Invalid".to_owned(), "spec.template: Invalid value".to_owned());
    test.change_scenario(|s| s.refused_writes.push(refused));
    let lines = events(&mut test, ["up", "-f", "app"], 2);
    let failed = info(&lines);
    assert_eq!(failed["id"], "KS-RESOURCE-INVALID", "{failed}");
    assert!(
        failed["message"].as_str().is_some_and(|m| m.starts_with("app/job.yaml:2: Job seed")),
        "{failed}"
    );
    assert!(object(&test, "namespaces/kafka").is_null(), "nothing was created");
}

#[test]
fn invalid_manifests_are_reported_as_events() {
    let mut test = whole();
    test.write("app/kafka.yaml", "kind: [");
    let lines = events(&mut test, ["up", "-f", "app"], 2);
    assert_eq!(info(&lines)["id"], "KS-FILE-YAML");
    let out = test.work().join("run.jsonl");
    test.write("kstrim.yaml", "filename: [app]\n");
    kstrim(&mut test, ["trust"]).expect(0);
    kstrim(&mut test, ["run", "--yes", "--events", "run.jsonl", "--", "/bin/true"]).expect(2);
    let text = std::fs::read_to_string(out).expect("the events");
    assert!(text.contains("KS-FILE-YAML") && text.contains("run_finished"), "{text}");
}

#[test]
fn kinds_that_a_new_cluster_does_not_serve_are_refused() {
    let mut test = whole();
    let text = "apiVersion: policy/v1beta1\nkind: PodDisruptionBudget\nmetadata: {name: b}\nspec: {}\n";
    test.write("app/budget.yaml", text);
    let plan = kstrim(&mut test, ["plan", "-f", "app"]).expect(2);
    assert!(plan.stderr.contains("KS-KIND-MISSING"), "{}", plan.stderr);
    assert!(
        plan.stderr.contains("app/budget.yaml:1") && plan.stderr.contains("policy/v1\n"),
        "{}",
        plan.stderr
    );
}

#[test]
fn a_renamed_kafka_cluster_has_its_node_pool_renamed_too() {
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    test.write("app/kafka.yaml", KAFKA.replace("orders", "orders2"));
    test.write("app/topics.yaml", topic("orders").replace("cluster: orders", "cluster: orders2"));
    let failed = info(&events(&mut test, ["up", "-f", "app"], 5));
    assert_eq!(failed["id"], "KS-POOL-TAKEN");
    let hints = failed["hints"].to_string();
    assert!(hints.contains("another name in the manifests"), "{hints}");
    assert!(hints.contains("kstrim down --keep-cluster --cluster orders"), "{hints}");
    // Nothing was created for it: commands still use the one that exists.
    kstrim(&mut test, ["topic", "list"]).expect(0);
    kstrim(&mut test, ["down", "--keep-cluster", "--cluster", "orders", "--yes"]).expect(0);
    events(&mut test, ["up", "-f", "app"], 0);
}

#[test]
fn all_objects_that_left_the_files_are_counted() {
    let configs = |count: usize| -> String {
        (0..count)
            .map(|n| format!("{}---\n", CONFIG.replace("name: app", &format!("name: app-{n}"))))
            .collect()
    };
    let mut test = whole();
    test.write("app/many.yaml", configs(25));
    events(&mut test, ["up", "-f", "app"], 0);
    test.write("app/many.yaml", configs(1));
    let warned = warnings(&events(&mut test, ["up", "-f", "app"], 0));
    assert!(warned.contains(" and 4 more; to delete them"), "{warned}");
}

#[test]
fn a_rendered_topic_is_the_one_of_the_files() {
    let mut test = whole();
    test.write("app/topics.yaml", format!("{}---\n{}", topic("orders"), topic("my-topic")));
    let text = kstrim(&mut test, ["render", "-f", "app"]).expect(0).stdout;
    assert_eq!(text.matches("name: my-topic").count(), 1, "{text}");
    test.write("app/kafka.yaml", KAFKA.replace("entityOperator:", "entityOperatr:"));
    let run = kstrim(&mut test, ["render", "-f", "app"]).expect(2);
    assert!(run.stdout.is_empty() && run.stderr.contains("KS-FILE-SCHEMA"), "{}", run.stderr);
}

#[test]
fn problems_are_reported_with_their_line_before_anything_is_created() {
    for (file, text, id, place) in [
        ("a.yaml", KAFKA.replace("entityOperator:", "entityOperatr:"), "KS-FILE-SCHEMA", "app/a.yaml:17"),
        (
            "a.yaml",
            topic("a").replace("cluster: orders", "cluster: other"),
            "KS-FILE-REFERENCE",
            "app/a.yaml:3",
        ),
        ("a.yaml", "a: [".to_owned(), "KS-FILE-YAML", "app/a.yaml"),
        ("a.yaml", "x: {{ .Values.x }}\n".to_owned(), "KS-FILE-TEMPLATE", "app/a.yaml"),
        ("a.txt", "x".to_owned(), "KS-FILE-EMPTY", "app"),
        ("a.yaml", format!("{CONFIG}---\n{CONFIG}"), "KS-FILE-DUPLICATE", "app/a.yaml"),
        (
            "a.yaml",
            CONFIG.replace("name: app", "name: app, namespace: other"),
            "KS-FILE-NAMESPACE",
            "app/a.yaml",
        ),
        (
            "a.yaml",
            KAFKA.replace("    listeners", "    version: 1.0.0\n    listeners"),
            "KS-FILE-RELEASE",
            "app/a.yaml",
        ),
    ] {
        let mut test = project(&[(file, text.clone())]);
        let run = kstrim(&mut test, ["up", "-f", "app"]).expect(2);
        assert!(run.stderr.contains(id) && run.stderr.contains(place), "{id} {place}: {}", run.stderr);
        assert!(
            written(&test).is_empty()
                && test.calls().iter().all(|call| !call.line().contains("minikube start"))
        );
    }
    let mut test = fresh();
    kstrim(&mut test, ["up", "-f", "nowhere"]).expect(2);
    kstrim(&mut test, ["up", "--fit"]).expect(2);
    kstrim(&mut test, ["up", "--prune"]).expect(2);
    let mut test = whole();
    kstrim(&mut test, ["plan", "--script", "-f", "app"]).expect(2);
    kstrim(&mut test, ["up", "-f", "app", "--cluster", "other"]).expect(2);
    kstrim(&mut test, ["up", "-f", "app", "--kafka", "4.3.1", "--release", "0.45.2"]).expect(2);
}

#[test]
fn foreign_objects_are_not_changed() {
    let mut test = project(&[("config.yaml", CONFIG.to_owned())]);
    events(&mut test, ["up"], 0);
    let theirs = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "app", "namespace": "kafka"},
        "data": {"greeting": "theirs"}});
    apply_foreign(&test, std::slice::from_ref(&theirs));
    let lines = events(&mut test, ["up", "-f", "app"], 5);
    assert_eq!(failure(&lines), "KS-FILE-FOREIGN");
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "theirs");
    // With consent it is used as it is.
    events(&mut test, ["up", "-f", "app", "--adopt"], 0);
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "theirs");
}

#[test]
fn without_a_kafka_resource_in_the_files_the_preset_is_used() {
    let files = [
        ("t.yaml", topic("orders").replace("cluster: orders", "cluster: my-cluster")),
        ("c.yaml", CONFIG.into()),
    ];
    let mut test = project(&files);
    events(&mut test, ["up", "-f", "app/t.yaml", "-f", "app/c.yaml"], 0);
    assert!(topics(&test).iter().any(|name| name == "orders"));
    assert!(!object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster").is_null());
}

#[test]
fn plan_shows_what_fit_changes_and_render_applies_it() {
    let production = KAFKA.replace("replicas: 1", "replicas: 9").replace("factor: 1", "factor: 3");
    let mut test = project(&[("kafka.yaml", production)]);
    let plan = kstrim(&mut test, ["plan", "-f", "app", "--fit"]).expect(0).stdout;
    assert!(plan.contains("--fit (brokers): KafkaNodePool nodes spec.replicas: 9 becomes"), "{plan}");
    let rendered = kstrim(&mut test, ["render", "--only", "kafka", "-f", "app", "--fit"]).expect(0).stdout;
    assert!(rendered.contains("name: orders") && !rendered.contains("replicas: 9"), "{rendered}");
}

#[test]
fn standard_input_is_read_and_an_untrusted_project_file_is_ignored() {
    let mut test = fresh().scenario(quick);
    test.stdin(format!("{KAFKA}---\n{CONFIG}"));
    events(&mut test, ["up", "-f", "-"], 0);
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "hello");

    let mut test = whole();
    test.write("kstrim.yaml", "filename: [app]\n");
    let run = kstrim(&mut test, ["up"]);
    assert_eq!(run.code(), 2, "{}", run.stderr);
    assert!(run.stderr.contains("KS-CONFIG-UNTRUSTED"), "{}", run.stderr);
    kstrim(&mut test, ["trust"]).expect(0);
    events(&mut test, ["up"], 0);
    assert!(!object(&test, "kafkas.kafka.strimzi.io/kafka/orders").is_null());
}

/// What a project has in addition to its Kafka cluster: a second one, Connect with its own name, an application.
fn several() -> Vec<(&'static str, String)> {
    let second = KAFKA.replace("orders", "audit").replace("name: nodes", "name: audit-nodes");
    let beside = "\
apiVersion: kafka.strimzi.io/v1
kind: KafkaConnect
metadata: {name: pipes, annotations: {strimzi.io/use-connector-resources: 'true'}}
spec:
  replicas: 1
  bootstrapServers: orders-kafka-bootstrap:9092
  groupId: pipes
  configStorageTopic: pipes-configs
  offsetStorageTopic: pipes-offsets
  statusStorageTopic: pipes-status
---
apiVersion: v1
kind: Service
metadata: {name: app}
spec: {selector: {app: app}, ports: [{port: 80}]}
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: '0 3 * * *'
  jobTemplate:
    spec:
      template:
        spec: {restartPolicy: Never, containers: [{name: a, image: example/a}]}
";
    vec![
        ("a-kafka.yaml", KAFKA.to_owned()),
        ("b-audit.yaml", second),
        ("c-beside.yaml", beside.to_owned()),
        ("d-topics.yaml", topic("orders")),
        ("e-config.yaml", CONFIG.to_owned()),
    ]
}

#[test]
fn several_kafka_clusters_are_created_and_deleted_in_a_foreign_namespace() {
    let mut test = project(&several());
    events(&mut test, ["up"], 0);
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    apply_foreign(
        &test,
        &[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "theirs", "namespace": "team"}}),
        ],
    );
    events(&mut test, ["up", "-n", "team", "-f", "app", "--adopt"], 0);
    for key in [
        "kafkas.kafka.strimzi.io/team/orders",
        "kafkas.kafka.strimzi.io/team/audit",
        "kafkaconnects.kafka.strimzi.io/team/pipes",
        "services/team/app",
        "cronjobs.batch/team/nightly",
        "configmaps/team/app",
    ] {
        assert_eq!(object(&test, key)["metadata"]["labels"]["kstrim.io/files"], "true", "{key}");
    }
    let run =
        kstrim(&mut test, ["down", "-n", "team", "--cluster", "orders", "--keep-cluster", "--yes"]).expect(0);
    assert_eq!(ours(&test), ["configmaps/kube-system/kstrim"], "{}", run.stderr);
    assert!(!object(&test, "configmaps/team/theirs").is_null());
}

#[test]
fn topics_that_kstrim_created_for_a_kafka_cluster_of_the_files_are_deleted_with_it() {
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    // It is in no file: the smoke test's own.
    let topic = object(&test, "kafkatopics.kafka.strimzi.io/kafka/my-topic");
    assert_eq!(topic["metadata"]["labels"]["strimzi.io/cluster"], "orders", "{topic}");
    assert!(topic["metadata"]["labels"]["kstrim.io/files"].is_null());

    // Without --cluster: the Kafka cluster of the files is not the one of the run.
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    assert_eq!(ours(&test), ["configmaps/kube-system/kstrim"]);
    assert!(object(&test, "namespaces/kafka").is_null());
}

#[test]
fn a_diff_shows_what_the_next_up_changes_and_nothing_secret() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: keys}\nstringData: {token: hunter2}\n";
    let mut test = whole();
    test.write("app/secret.yaml", secret);
    events(&mut test, ["up", "-f", "app"], 0);
    test.forget_calls();
    test.write("app/config.yaml", CONFIG.replace("hello", "good morning"));
    test.write("app/topics.yaml", topic("orders"));
    test.write("app/secret.yaml", secret.replace("hunter2", "hunter3"));
    let run = kstrim(&mut test, ["diff", "-f", "app", "--cluster", "orders"]).expect(1);
    assert!(
        run.stdout.contains("-  greeting: hello") && run.stdout.contains("+  greeting: good morning"),
        "{}",
        run.stdout
    );
    assert!(run.stdout.contains("# KafkaTopic invoices is no longer in your files"), "{}", run.stdout);
    assert!(!run.stdout.contains("hunter") && run.stdout.contains("*** (changed)"), "{}", run.stdout);
    let changed = written(&test).into_iter().filter(|call| !call.contains("dry-run")).collect::<Vec<_>>();
    assert!(changed.is_empty(), "{changed:?}");
    events(&mut test, ["up", "-f", "app", "--prune"], 0);
    let run = kstrim(&mut test, ["diff", "-f", "app"]);
    assert!(run.code() == 0 && run.stdout.is_empty(), "{}{}", run.stdout, run.stderr);
    kstrim(&mut test, ["diff"]).expect(2);

    // 1 says that there are differences: a failure has another code.
    let denied = "configmaps \"{name}\" is forbidden: User \"app\" cannot patch resource \"configmaps\"";
    test.change_scenario(|s| s.refused_writes.push(("configmaps".into(), "Forbidden".into(), denied.into())));
    let run = kstrim(&mut test, ["diff", "-f", "app"]).expect(8);
    assert!(run.stdout.is_empty() && run.stderr.contains("KS-API-FORBIDDEN"), "{}{}", run.stdout, run.stderr);
}

#[test]
fn a_rendered_kustomization_has_everything_and_overwrites_nothing() {
    let mut test = whole();
    kstrim(&mut test, ["render", "-f", "app", "--kustomize", "out"]).expect(0);
    let text = std::fs::read_to_string(test.work().join("out/kustomization.yaml")).expect("a kustomization");
    let kustomization: Value = serde_yaml::from_str(&text).expect("YAML");
    let files: Vec<&str> =
        kustomization["resources"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    for (file, word) in [
        ("crds.yaml", "kafkas.kafka.strimzi.io"),
        ("kafka.yaml", "name: orders"),
        ("files-before-kafka.yaml", "greeting: hello"),
        ("files-after-kafka.yaml", "name: invoices"),
    ] {
        assert!(files.contains(&file), "{files:?}");
        let text = std::fs::read_to_string(test.work().join("out").join(file)).expect("a file");
        assert!(text.contains(word), "{file}: {word}");
    }
    let run = kstrim(&mut test, ["render", "-f", "app", "--kustomize", "out"]).expect(2);
    assert!(run.stderr.contains("KS-EXPORT-NOT-EMPTY"), "{}", run.stderr);
}

/// The Kafka cluster that a run uses is not pruned, and kstrim's own objects must not be in the files.
#[test]
fn files_without_the_kafka_do_not_prune_it_and_kstrims_own_objects_are_refused() {
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    events(&mut test, ["up", "-f", "app/topics.yaml", "--cluster", "orders", "--prune"], 0);
    assert!(!object(&test, "kafkas.kafka.strimzi.io/kafka/orders").is_null());
    assert!(!object(&test, "kafkanodepools.kafka.strimzi.io/kafka/nodes").is_null());
    // The rest of the earlier files is deleted, as requested.
    assert!(object(&test, "configmaps/kafka/app").is_null());

    test.write("app/own.yaml", CONFIG.replace("name: app", "name: strimzi-cluster-operator"));
    let lines = events(&mut test, ["up", "-f", "app"], 2);
    assert_eq!(failure(&lines), "KS-FILE-SCOPE");
}

/// A topic of the files with the name of the run's topic is created as the files say.
#[test]
fn the_runs_topic_is_created_as_in_the_files() {
    let mut test = project(&[("kafka.yaml", KAFKA.to_owned()), ("topic.yaml", topic("my-topic"))]);
    events(&mut test, ["up", "-f", "app"], 0);
    let found = object(&test, "kafkatopics.kafka.strimzi.io/kafka/my-topic");
    assert_eq!(
        (&found["spec"]["partitions"], &found["metadata"]["labels"]["kstrim.io/files"]),
        (&json!(3), &json!("true"))
    );
}

/// A connector may read from a database in the files: workloads wait for the brokers, and not for connectors.
#[test]
fn workloads_do_not_wait_for_connectors() {
    let mut test = project(&several());
    let plan = kstrim(&mut test, ["plan", "-f", "app", "-o", "json"]).expect(0).json();
    let tasks = plan["tasks"].as_array().expect("tasks");
    let needs = tasks.iter().find(|task| task["id"] == "file-cronjob").expect("a task")["needs"].to_string();
    assert!(needs.contains("kafka") && needs.contains("file-configmap"), "{needs}");
    assert!(!needs.contains("file-kafkaconnect") && !needs.contains("file-kafkatopic"), "{needs}");
}

#[test]
fn kinds_that_nothing_serves_are_refused_before_anything_is_created() {
    let access =
        "apiVersion: access.strimzi.io/v1alpha1\nkind: KafkaAccess\nmetadata: {name: app}\nspec: {}\n";
    let monitor =
        "apiVersion: monitoring.coreos.com/v1\nkind: PodMonitor\nmetadata: {name: brokers}\nspec: {}\n";
    let mut test = project(&[("monitor.yaml", monitor.to_owned())]);
    let refused = |test: &mut Test, path: &str| {
        let lines = events(test, ["up", "-f", path, if path == "app" { "-q" } else { "--fit" }], 2);
        assert_eq!(failure(&lines), "KS-KIND-MISSING", "{lines:?}");
        told(&lines)
    };
    // In a cluster that does not exist yet: a plan says so, too.
    let found = refused(&mut test, "app");
    assert!(found.contains("app/monitor.yaml:1: PodMonitor brokers ") && found.contains("--fit"), "{found}");
    let plan = kstrim(&mut test, ["plan", "-f", "app"]).expect(2);
    assert!(plan.stdout.contains("refused") && plan.stderr.contains("KS-KIND-MISSING"), "{plan:?}");
    assert!(written(&test).is_empty(), "{:#?}", written(&test));

    // Nothing depends on a PodMonitor: it may be left out.
    let lines = events(&mut test, ["up", "-f", "app", "--fit"], 0);
    let row = lines.iter().find(|line| line["type"] == "task_finished" && line["task"] == "file-podmonitor");
    assert_eq!(row.expect("a row")["outcome"], "already_done");
    kstrim(&mut test, ["diff", "-f", "app", "--fit"]).expect(0);

    // In the cluster that now exists.
    test.forget_calls();
    refused(&mut test, "app");
    test.write("access.yaml", access);
    refused(&mut test, "access.yaml");
    assert!(written(&test).is_empty(), "{:#?}", written(&test));
}

#[test]
fn a_cluster_that_was_stopped_is_compared_with_the_files_before_they_are_applied() {
    let user = "apiVersion: kafka.strimzi.io/v1\nkind: KafkaUser\nmetadata: {name: app, labels: {strimzi.io/cluster: CLUSTER}}\n\
                spec: {authorization: {type: simple, acls: []}}\n";
    let mut test = whole();
    events(&mut test, ["up", "-f", "app"], 0);
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    test.write("app/user.yaml", user.replace("CLUSTER", "somebody"));
    test.write("app/config.yaml", CONFIG.replace("hello", "good morning"));
    let lines = events(&mut test, ["up", "-f", "app"], 2);
    assert_eq!(failure(&lines), "KS-FILE-REFERENCE", "{lines:?}");
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "hello");

    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    std::fs::remove_file(test.work().join("app/user.yaml")).expect("removed");
    let ends = outcomes(&events(&mut test, ["up", "-f", "app"], 0));
    assert_eq!(ends["manifests"], "done", "{ends:?}");
    assert_eq!(object(&test, "configmaps/kafka/app")["data"]["greeting"], "good morning");
}

#[test]
fn a_workload_whose_image_does_not_exist_is_explained() {
    let app = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: shop}\nspec:\n  replicas: 1\n  \
               selector: {matchLabels: {app: shop}}\n  template:\n    metadata: {labels: {app: shop}}\n    \
               spec: {containers: [{name: shop, image: 'ghcr.io/example/shop:1'}]}\n";
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.missing_images = vec!["example/shop".into()];
    });
    std::fs::create_dir_all(test.work().join("app")).expect("a folder");
    test.write("app/kafka.yaml", KAFKA);
    test.write("app/app.yaml", app);
    let lines = events(&mut test, ["up", "-f", "app"], 1);
    assert_eq!(failure(&lines), "KS-IMAGE-PULL", "{lines:#?}");
    let told = told(&lines);
    assert!(told.contains("ghcr.io/example/shop:1") && told.contains("Deployment shop"), "{told}");
    assert_eq!(lines.last().unwrap()["failure"]["task"], "file-deployment");

    // It continues when the image exists.
    test.change_scenario(|s| s.missing_images.clear());
    events(&mut test, ["up", "-f", "app"], 0);
}

#[test]
fn the_kafka_of_a_preset_does_not_get_the_node_pools_of_files() {
    let mut test = project(&[("kafka.yaml", KAFKA.replace("orders", "my-cluster"))]);
    events(&mut test, ["up"], 0);
    let before = object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster");
    let lines = events(&mut test, ["up", "-f", "app"], 2);
    assert_eq!(failure(&lines), "KS-FILE-PRESET", "{lines:#?}");
    assert_eq!(object(&test, "kafkas.kafka.strimzi.io/kafka/my-cluster"), before);
    assert!(object(&test, "kafkanodepools.kafka.strimzi.io/kafka/nodes").is_null());

    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    events(&mut test, ["up", "-f", "app"], 0);
    // Files whose node pools are those that exist continue.
    events(&mut test, ["up", "-f", "app"], 0);
}
