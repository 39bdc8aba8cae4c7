//! Compares the stand-in of kubectl and its cluster with the recordings of the real programs: same fields, same
//! messages, same exit codes.

use std::collections::BTreeSet;
use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::harness::{Action, ProfileSeed, Registry, Run, Test};

const KAFKA: &str = include_str!("../fixtures/kafka-single.yaml");
const INSTALL: &str = include_str!("../fixtures/install.yaml");
const TOPIC: &str = include_str!("../fixtures/topic.yaml");

/// A file in the recordings.
pub fn recording(path: &str) -> String {
    let path = format!("{}/tests/recordings/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"))
}

/// The stand-in of kubectl on the profile `kstrim`.
pub fn kubectl(test: &Test, args: &str) -> Run {
    let args = ["--context", "kstrim"].into_iter().chain(args.split_whitespace());
    test.fake("kubectl", args.collect::<Vec<_>>())
}

fn apply(test: &Test, text: &str) -> Run {
    let args =
        ["--context", "kstrim", "apply", "--server-side", "--field-manager=kstrim", "-n", "kafka", "-f", "-"];
    test.fake_with("kubectl", args, text)
}

fn get(test: &Test, path: &str) -> Value {
    kubectl(test, &format!("get --raw {path}")).expect(0).json()
}

/// A profile `kstrim` that is running.
pub fn running() -> Test {
    Test::new().scenario(|s| s.profiles.push(ProfileSeed::default()))
}

/// An install manifest with its permissions in this namespace, and with the Kafka versions of the recorded one.
fn manifest(bound: &str) -> String {
    let known = "kafka:1.2.0-kafka-4.2.0";
    let more = ["4.2.1", "4.3.0"].map(|v| format!("\n{:16}{v}=quay.io/strimzi/kafka:1.2.0-kafka-{v}", ""));
    let bound = format!("namespace: {bound}");
    INSTALL.replace(known, &(known.to_owned() + &more.concat())).replace("namespace: myproject", &bound)
}

/// Namespace and operator.
fn install(test: &Test) {
    kubectl(test, "create namespace kafka").expect(0);
    apply(test, &manifest("kafka")).expect(0);
    kubectl(test, "wait crd --all --for=condition=Established --timeout=5s").expect(0);
}

/// A cluster that is Ready, with a topic.
fn ready() -> Test {
    let test = running();
    install(&test);
    apply(&test, KAFKA).expect(0);
    apply(&test, TOPIC).expect(0);
    kubectl(&test, "wait kafka/my-cluster -n kafka --for=condition=Ready --timeout=5s").expect(0);
    kubectl(&test, "wait kafkatopic/my-topic -n kafka --for=condition=Ready --timeout=5s").expect(0);
    test
}

/// The paths of a value's leaves, list indices left out.
fn paths(value: &Value, at: &str, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                paths(value, &format!("{at}/{name}"), into);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| paths(value, &format!("{at}/*"), into)),
        _ => {
            into.insert(at.to_owned());
        }
    }
}

/// The fields that only one of them has, except those that either may omit.
#[track_caller]
fn same_fields(fake: &Value, real: &Value, optional: &[&str]) {
    let of = |value: &Value| {
        let mut all = BTreeSet::new();
        paths(value, "", &mut all);
        all.retain(|path| !optional.iter().any(|skip| path.contains(skip)));
        all
    };
    let (fake, real) = (of(fake), of(real));
    let more: Vec<_> = fake.difference(&real).collect();
    let fewer: Vec<_> = real.difference(&fake).collect();
    assert!(
        more.is_empty() && fewer.is_empty(),
        "only in the fake: {more:?}\nonly in the recording: {fewer:?}"
    );
}

#[test]
fn objects_have_the_recorded_fields() {
    let test = ready();
    let snapshot = |name: &str| -> Value {
        let text = recording(&format!("01-happy-persistent/snapshots/{name}"));
        let value: Value = text.parse().expect("JSON");
        if value["items"].is_array() { value["items"][0].clone() } else { value }
    };
    // kubectl prints no field managers unless requested.
    let client_side = &["/metadata/annotations/kubectl", "/metadata/managedFields"];
    let kafkas = "/apis/kafka.strimzi.io/v1/namespaces/kafka";
    same_fields(
        &get(&test, &format!("{kafkas}/kafkas/my-cluster")),
        &snapshot("kafka-ready.json"),
        client_side,
    );
    same_fields(
        &get(&test, &format!("{kafkas}/kafkanodepools/dual-role")),
        &snapshot("nodepool-ready.json"),
        client_side,
    );
    same_fields(
        &get(&test, &format!("{kafkas}/kafkatopics/my-topic")),
        &snapshot("topic-ready.json"),
        client_side,
    );
    let claim = get(&test, "/api/v1/namespaces/kafka/persistentvolumeclaims/data-0-my-cluster-dual-role-0");
    same_fields(&claim, &snapshot("pvc.json"), &[]);
    let node = get(&test, "/api/v1/nodes/kstrim");
    same_fields(&node, &snapshot("node.json"), &[]);
    let operator = get(&test, "/apis/apps/v1/namespaces/kafka/deployments/strimzi-cluster-operator");
    same_fields(&operator["status"], &snapshot("deployment-operator.json")["status"], &[]);
    let sets = get(&test, "/apis/core.strimzi.io/v1/namespaces/kafka/strimzipodsets");
    same_fields(&sets["items"][0], &snapshot("podset.json"), &["/spec/pods", "/metadata/managedFields"]);
    let pods: Value = recording("01-happy-persistent/snapshots/pods.json").parse().expect("JSON");
    for real in pods["items"].as_array().expect("pods") {
        let of = |pod: &Value| pod["metadata"]["name"].as_str().unwrap_or("")[..14].to_owned();
        let all = get(&test, "/api/v1/namespaces/kafka/pods");
        let fake =
            all["items"].as_array().into_iter().flatten().find(|pod| of(pod) == of(real)).expect("a pod");
        let made_up = &["volumeMounts", "allocatedResources", "/status/containerStatuses/*/resources"];
        same_fields(&fake["status"], &real["status"], made_up);
        same_fields(&fake["metadata"]["labels"], &real["metadata"]["labels"], &[]);
        same_fields(&fake["metadata"]["ownerReferences"], &real["metadata"]["ownerReferences"], &[]);
    }
}

#[test]
fn kubectl_errors_have_the_recorded_words() {
    let log = recording("29-kubectl-errors/commands.jsonl");
    let test = ready();
    let mut compared = 0;
    for line in log.lines() {
        let record: Value = line.parse().expect("JSON");
        let argv: Vec<&str> =
            record["argv"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let line = argv.join(" ");
        // What the stand-ins do not support: other commands, files by the recorder's path, slow addresses.
        let covered = ![
            "config view",
            "cluster-info",
            "set env",
            "exec",
            "logs deployment",
            "shared/",
            "250:8443",
            "version",
            "use-context",
        ]
        .iter()
        .any(|skip| line.contains(skip));
        if argv[0] != "kubectl" || !covered {
            continue;
        }
        let stdin = record["stdin"].as_str().unwrap_or("");
        // What timed out after seconds may time out sooner here.
        let argv =
            argv.iter().map(|word| if word.starts_with("--timeout=") { "--timeout=100ms" } else { word });
        let run = test.fake_with("kubectl", argv.skip(1), stdin);
        // Line and column of a YAML error are the parser's own, timestamps of the log the recording's.
        let words = |text: &str| {
            let lines = text.lines().filter(|l| !l.contains("memcache.go"));
            let lines = lines.map(|l| l.split(" yaml: ").next().unwrap_or("").to_owned());
            lines.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(i64::from(run.code()), record["exit"].as_i64().unwrap_or(0), "{line}: {}", run.stderr);
        assert_eq!(words(&run.stderr), words(record["stderr"].as_str().unwrap_or("")), "{line}");
        assert_eq!(run.stdout.trim(), record["stdout"].as_str().unwrap_or("").trim(), "{line}");
        compared += 1;
    }
    assert!(compared >= 20, "only {compared} commands compared");
}

/// The conditions of the Kafka, as (type, reason, message).
fn verdict(test: &Test) -> (String, String, String) {
    let kafka = get(test, "/apis/kafka.strimzi.io/v1/namespaces/kafka/kafkas/my-cluster");
    let last = kafka["status"]["conditions"].as_array().and_then(|c| c.last().cloned()).unwrap_or_default();
    let field = |name: &str| last[name].as_str().unwrap_or("").to_owned();
    (field("type"), field("reason"), field("message"))
}

fn recorded_verdict(path: &str) -> (String, String, String) {
    let kafka: Value = recording(path).parse().expect("JSON");
    let last = &kafka["status"]["conditions"][0];
    let field = |name: &str| last[name].as_str().unwrap_or("").to_owned();
    (field("type"), field("reason"), field("message"))
}

fn settle() {
    std::thread::sleep(Duration::from_millis(300));
}

#[test]
fn the_operator_rejects_the_same_as_in_the_recordings() {
    let test = running();
    install(&test);
    let pool_only = KAFKA.split("---").next().unwrap_or("");
    let kafka_only = KAFKA.split("---").nth(1).unwrap_or("");
    apply(&test, kafka_only).expect(0);
    settle();
    assert_eq!(verdict(&test), recorded_verdict("05-no-node-pool/snapshots/no-pool.json"));
    apply(&test, pool_only).expect(0);
    apply(&test, &kafka_only.replace("4.3.1", "3.9.0").replace("4.3-IV0", "3.9-IV0")).expect(0);
    settle();
    assert_eq!(verdict(&test), recorded_verdict("03-unsupported-kafka-version/snapshots/kafka.json"));
    apply(&test, &kafka_only.replace("default.replication.factor: 1", "default.replication.factor: 3"))
        .expect(0);
    settle();
    assert_eq!(verdict(&test), recorded_verdict("04-replication-factor-too-high/snapshots/a.json"));
    // A rejection holds no lock: the correct resource is reconciled immediately.
    apply(&test, KAFKA).expect(0);
    kubectl(&test, "wait kafka/my-cluster -n kafka --for=condition=Ready --timeout=5s").expect(0);
}

/// State and messages of the broker's pod.
fn broker(test: &Test) -> Value {
    get(test, "/api/v1/namespaces/kafka/pods/my-cluster-dual-role-0")["status"].clone()
}

#[test]
fn pods_fail_as_in_the_recordings() {
    let with = |change: &dyn Fn(&str) -> String, choose: fn(&mut crate::harness::Scenario)| {
        let test = running().scenario(choose);
        install(&test);
        apply(&test, &change(KAFKA)).expect(0);
        settle();
        test
    };
    let memory =
        |y: &str| y.replace("  replicas: 1\n", "  replicas: 1\n  resources: {requests: {memory: 64Gi}}\n");
    let test = with(&memory, |_| {});
    let message = broker(&test)["conditions"][0]["message"].clone();
    assert!(
        message.as_str().is_some_and(|m| m.starts_with("0/1 nodes are available: 1 Insufficient memory.")),
        "{message}"
    );
    assert_eq!(verdict(&test).1, "Creating");

    let class = |y: &str| y.replace("size: 100Gi", "size: 100Gi\n        class: nope");
    let test = with(&class, |_| {});
    let message = broker(&test)["conditions"][0]["message"].clone();
    assert_eq!(
        message,
        "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. not found"
    );
    let events = get(&test, "/api/v1/namespaces/kafka/events?fieldSelector=reason=ProvisioningFailed");
    assert_eq!(events["items"][0]["message"], "storageclass.storage.k8s.io \"nope\" not found");

    let image = |y: &str| {
        y.replace("    version: 4.3.1", "    version: 4.3.1\n    image: quay.io/strimzi/kafka:does-not-exist")
    };
    let test = with(&image, |s| s.missing_images.push("does-not-exist".into()));
    let reason = broker(&test)["containerStatuses"][0]["state"]["waiting"]["reason"].clone();
    assert!(reason == "ErrImagePull" || reason == "ImagePullBackOff", "{reason}");
    let run = kubectl(&test, "logs my-cluster-dual-role-0 -n kafka").expect(1);
    assert_eq!(
        run.stderr.trim(),
        "Error from server (BadRequest): container \"kafka\" in pod \"my-cluster-dual-role-0\" is waiting to start: \
         trying and failing to pull image"
    );

    let heap = |y: &str| {
        let more = "  replicas: 1\n  resources: {limits: {memory: 256Mi}}\n  jvmOptions: {-Xms: 1024m}\n";
        y.replace("  replicas: 1\n", more)
    };
    let test = with(&heap, |_| {});
    let status = &broker(&test)["containerStatuses"][0];
    let last =
        if status["lastState"]["terminated"].is_object() { &status["lastState"] } else { &status["state"] };
    assert_eq!(
        (&last["terminated"]["reason"], &last["terminated"]["exitCode"]),
        (&"OOMKilled".into(), &137.into())
    );

    let test = with(&|y| y.to_owned(), |s| s.registry = Registry::Unreachable);
    let pods = get(&test, "/api/v1/namespaces/kafka/pods?labelSelector=name%3Dstrimzi-cluster-operator");
    let message = pods["items"][0]["status"]["containerStatuses"][0]["state"]["waiting"]["message"].clone();
    assert!(message.as_str().is_some_and(|m| m.contains("lookup quay.io on")), "{message}");
}

#[test]
fn an_old_volume_prevents_the_next_cluster_from_starting() {
    let test = ready();
    let first =
        get(&test, "/apis/kafka.strimzi.io/v1/namespaces/kafka/kafkas/my-cluster")["status"]["clusterId"]
            .clone();
    kubectl(&test, "delete kafka/my-cluster kafkanodepool/dual-role -n kafka").expect(0);
    settle();
    apply(&test, KAFKA).expect(0);
    settle();
    assert!(broker(&test)["containerStatuses"][0]["restartCount"].as_u64() >= Some(1));
    let log = kubectl(&test, "logs my-cluster-dual-role-0 -n kafka --previous --tail=40").expect(0).stdout;
    assert!(
        log.contains("Invalid cluster.id in: /var/lib/kafka/data-0/kafka-log0/meta.properties. Expected"),
        "{log}"
    );
    assert!(log.trim().ends_with(first.as_str().unwrap_or("?")), "{log} {first}");
    assert_eq!(verdict(&test).1, "Creating");
}

#[test]
fn a_cluster_deleted_while_it_starts_locks_its_name_until_the_operator_restarts() {
    let test = running().scenario(|s| s.timings.operation_timeout = 60_000);
    install(&test);
    let stuck = KAFKA.replace("size: 100Gi", "size: 100Gi\n        class: nope");
    apply(&test, &stuck).expect(0);
    settle();
    kubectl(&test, "delete kafka/my-cluster kafkanodepool/dual-role -n kafka").expect(0);
    kubectl(&test, "delete pvc -l strimzi.io/cluster=my-cluster -n kafka").expect(0);
    apply(&test, KAFKA).expect(0);
    settle();
    let kafka = get(&test, "/apis/kafka.strimzi.io/v1/namespaces/kafka/kafkas/my-cluster");
    assert_eq!(kafka["status"], Value::Null);
    kubectl(&test, "delete pod -l name=strimzi-cluster-operator -n kafka").expect(0);
    kubectl(&test, "wait kafka/my-cluster -n kafka --for=condition=Ready --timeout=5s").expect(0);
}

#[test]
fn an_operator_bound_elsewhere_is_available_and_does_nothing() {
    let test = running();
    kubectl(&test, "create namespace kafka").expect(0);
    apply(&test, &manifest("myproject")).expect(0);
    apply(&test, KAFKA);
    kubectl(
        &test,
        "wait deployment/strimzi-cluster-operator -n kafka --for=condition=Available --timeout=5s",
    )
    .expect(0);
    apply(&test, KAFKA).expect(0);
    settle();
    let who = "auth can-i list kafkas.kafka.strimzi.io --as=system:serviceaccount:kafka:strimzi-cluster-operator -n kafka";
    assert_eq!(kubectl(&test, who).expect(1).stdout, "no\n");
    assert_eq!(verdict(&test).0, "");
    apply(&test, &manifest("kafka")).expect(0);
    assert_eq!(kubectl(&test, who).expect(0).stdout, "yes\n");
    kubectl(&test, "wait kafka/my-cluster -n kafka --for=condition=Ready --timeout=5s").expect(0);
}

#[test]
fn a_topic_without_an_operator_blocks_the_deletion_of_its_namespace() {
    let test = ready();
    kubectl(&test, "delete deployment strimzi-cluster-operator my-cluster-entity-operator -n kafka")
        .expect(0);
    settle();
    let run = kubectl(&test, "delete namespace kafka --timeout=500ms").expect(1);
    assert_eq!(run.stderr.trim(), "error: timed out waiting for the condition on namespaces/kafka");
    let fake = get(&test, "/api/v1/namespaces/kafka");
    let real: Value = recording("11-namespace-stuck/snapshots/namespace-stuck.json").parse().expect("JSON");
    let words = |ns: &Value| -> Vec<(Value, Value, Value)> {
        let list = ns["status"]["conditions"].as_array().into_iter().flatten();
        list.map(|c| (c["type"].clone(), c["reason"].clone(), c["message"].clone())).collect()
    };
    assert_eq!(words(&fake), words(&real));
    let patch = [
        "--context",
        "kstrim",
        "patch",
        "kafkatopic",
        "my-topic",
        "-n",
        "kafka",
        "--type=merge",
        "-p",
        r#"{"metadata":{"finalizers":null}}"#,
    ];
    test.fake("kubectl", patch).expect(0);
    kubectl(&test, "wait namespace/kafka --for=delete --timeout=2s").expect(0);
}

#[test]
fn a_watch_reports_every_change_once_and_ends_on_request() {
    let test = running();
    install(&test);
    settle();
    let path = "/apis/kafka.strimzi.io/v1/namespaces/kafka/kafkas";
    let from = get(&test, path)["metadata"]["resourceVersion"].as_str().unwrap_or("").to_owned();
    apply(&test, KAFKA).expect(0);
    let run = kubectl(&test, &format!("get --raw {path}?watch=1&resourceVersion={from}&timeoutSeconds=1"))
        .expect(0);
    let events = run.json_lines();
    assert_eq!(events[0]["type"], "ADDED");
    let reasons: Vec<&Value> =
        events[1..].iter().map(|e| &e["object"]["status"]["conditions"][0]["reason"]).collect();
    assert_eq!(reasons, [&Value::from("Creating"), &Value::Null], "{}", run.stdout);
}

#[test]
fn faults_apply_to_the_matching_call() {
    let test = running()
        .fault(
            "kubectl",
            "/readyz",
            Some(2),
            Action::Exit { code: 3, stdout: String::new(), stderr: "no".into() },
        )
        .fault("kubectl", "/version", None, Action::Cut { bytes: 5, exit: Some(9) })
        .fault("minikube", "version", None, Action::FloodStderr { bytes: 2_000_000 });
    kubectl(&test, "get --raw /readyz").expect(0);
    assert_eq!(kubectl(&test, "get --raw /readyz").expect(3).stderr, "no\n");
    kubectl(&test, "get --raw /readyz").expect(0);
    assert_eq!(kubectl(&test, "get --raw /version").expect(9).stdout.len(), 5);
    let flood = test.fake("minikube", ["version", "-o", "json"]).expect(0);
    assert!(flood.stderr.len() > 1_900_000 && flood.stdout.starts_with('{'));
    let calls = test.calls();
    assert_eq!(
        calls.iter().map(|c| c.exit).collect::<Vec<_>>(),
        [Some(0), Some(3), Some(0), Some(9), Some(0)]
    );
    assert!(test.leftovers().is_empty());
}

#[test]
fn only_a_parent_called_kstrim_is_killed() {
    let test = running().fault("kubectl", "", None, Action::KillParentAfter);
    let run = kubectl(&test, "create namespace kafka").expect(1);
    assert!(run.stderr.contains("not kstrim"), "{}", run.stderr);
    // The work was done nevertheless: the kill comes after it.
    assert!(test.object("kstrim", "namespaces//kafka").is_object());
}

#[test]
fn a_parent_called_kstrim_is_killed_before_or_after_the_work() {
    for (action, done) in [(Action::KillParentBefore, false), (Action::KillParentAfter, true)] {
        let test = running().fault("kubectl", "create", Some(1), action);
        std::os::unix::fs::symlink("/bin/sh", test.bin().join("kstrim-sh")).expect("a link");
        let script = "kubectl --context kstrim create namespace kafka; echo still here";
        let run = test.fake("kstrim-sh", ["-c", script]);
        assert_eq!((run.code(), run.stdout.contains("still here")), (137, false), "{}", run.stderr);
        // A child that was not killed runs to completion.
        let over = || test.calls().iter().all(|call| call.exit.is_some());
        for _ in 0..200 {
            if over() {
                break;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(over());
        assert_eq!(test.object("kstrim", "namespaces//kafka").is_object(), done);
    }
}

#[test]
fn a_port_forward_serves_until_it_is_killed() {
    let test = ready();
    let mut child = std::process::Command::new(test.bin().join("kubectl"))
        .args(["--context", "kstrim", "port-forward", "-n", "kafka", "pod/my-cluster-dual-role-0", ":9092"])
        .env("FAKE_WORLD", test.world_dir())
        .env("HOME", test.home())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("stdout"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let port =
        line.trim().strip_prefix("Forwarding from 127.0.0.1:").and_then(|l| l.strip_suffix(" -> 9092"));
    let port: u16 = port.and_then(|p| p.parse().ok()).unwrap_or_else(|| panic!("{line}"));
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    assert_eq!(test.leftovers().len(), 1);
    child.kill().expect("it runs");
    child.wait().expect("it ends");
    assert!(test.leftovers().is_empty());
}
