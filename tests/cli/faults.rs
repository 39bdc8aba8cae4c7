//! Faults of child processes and clusters: a recovery, or a clear error with an id, and never a panic.

use std::time::Duration;

use serde_json::json;

use crate::harness::{Action, Call, Crash, ProfileSeed, Test};
use crate::trouble::{clean, failure_id, finished, ready, surroundings, up_fails, up_succeeds};

fn hang() -> Action {
    Action::Hang { stdout: String::new(), stubborn: false }
}

fn exit(code: u8, stdout: &str, stderr: &str) -> Action {
    Action::Exit { code, stdout: stdout.into(), stderr: stderr.into() }
}

const REFUSED: &str = "E1122 20:27:39.671024   23600 memcache.go:265] \"Unhandled Error\" err=\"couldn't get current server API \
    group list\"\nThe connection to the server 192.168.49.2:8443 was refused - did you specify the right host or port?";

#[test]
fn hanging_programs_are_stopped_at_their_limit() {
    let limits = [
        ("minikube", "version", &["up", "-o", "json"][..]),
        ("kubectl", "version --client", &["up", "-o", "json"]),
        ("kubectl", "get --raw /readyz", &["smoke-test", "-o", "json", "--timeout", "60s"]),
    ];
    // In parallel: each waits for its limit, 15 s or 20 s.
    let tests: Vec<Test> = limits
        .iter()
        .map(|(program, part, args)| {
            let test = if args[0] == "up" { surroundings() } else { ready() };
            let mut test = test.fault(program, part, None, hang());
            test.args(args.iter().copied());
            test
        })
        .collect();
    let runs: Vec<_> = tests.iter().map(Test::spawn).collect();
    for ((run, test), (program, ..)) in runs.into_iter().zip(&tests).zip(limits) {
        let run = run.wait();
        clean(test, &run);
        let failure = finished(&run)["failure"].clone();
        assert!(matches!(run.code(), 3 | 4), "{program}: {}", run.stdout);
        assert!(failure["id"].as_str().is_some_and(|id| id.starts_with("KS-")), "{failure}");
        if program == "minikube" {
            assert_eq!((&failure["id"], run.code()), (&json!("KS-TOOL-HANGS"), 4));
        }
        assert!(failure.to_string().contains(program), "{failure}");
    }
}

#[test]
fn the_runs_own_limit_stops_everything_and_names_the_current_task() {
    let mut test = surroundings().fault("minikube", "start -o json", None, hang());
    let run = up_fails(&mut test, &["--timeout", "2s"], "KS-TIMEOUT", 4);
    assert!(run.took < Duration::from_secs(12), "{:?}", run.took);
    let failure = finished(&run)["failure"].to_string();
    assert!(failure.contains("cluster: ") && failure.contains("--timeout"), "{failure}");
}

#[test]
fn large_output_on_stderr_does_not_block() {
    for (program, part) in [
        ("minikube", "version"),
        ("minikube", "start -o json"),
        ("kubectl", "apply"),
        ("kubectl", "watch=1"),
        ("kubectl", "port-forward"),
    ] {
        let flood = Action::FloodStderr { bytes: 3 << 20 };
        let mut test = surroundings().fault(program, part, Some(1), flood);
        up_succeeds(&mut test, &[]);
    }
}

#[test]
fn truncated_lines_lose_nothing() {
    for (program, part, bytes, end) in [
        ("kubectl", "pods?watch=1", 300, 0),
        ("kubectl", "pods?watch=1", 40, 1),
        ("kubectl", "kafkas?watch=1", 150, 1),
        ("kubectl", "deployments?watch=1", 500, 0),
    ] {
        let cut = Action::Cut { bytes, exit: Some(end) };
        let mut test = surroundings().fault(program, part, Some(1), cut);
        up_succeeds(&mut test, &[]);
    }
}

#[test]
fn a_start_that_reports_success_too_early_is_detected_and_resumed() {
    let cut = Action::Cut { bytes: 700, exit: Some(0) };
    let mut test = surroundings().fault("minikube", "start -o json", Some(1), cut);
    up_fails(&mut test, &[], "KS-API-UNREACHABLE", 1);
    up_succeeds(&mut test, &[]);
}

#[test]
fn a_start_that_is_killed_inside_a_line_is_reported_and_resumed() {
    let cut = Action::Cut { bytes: 700, exit: Some(80) };
    let mut test = surroundings().fault("minikube", "start -o json", Some(1), cut);
    let run = test.args(["up", "-o", "json"]).run().expect(1);
    clean(&test, &run);
    assert!(failure_id(&run).starts_with("KS-"), "{}", run.stdout);
    up_succeeds(&mut test, &[]);
    let mut test = surroundings().fault("minikube", "start -o json", Some(1), Action::KillSelf { ms: 60 });
    let run = test.args(["up", "-o", "json"]).run().expect(1);
    clean(&test, &run);
    assert!(finished(&run)["failure"].to_string().contains("signal 9"), "{}", run.stdout);
    up_succeeds(&mut test, &[]);
}

#[test]
fn watches_that_expire_are_listed_again() {
    let mut test = surroundings();
    for kind in ["pods", "deployments", "events", "kafkas", "kafkanodepools", "kafkatopics", "namespaces"] {
        for nth in 1..=2 {
            test = test.fault("kubectl", &format!("/{kind}?watch=1"), Some(nth), Action::Expire);
        }
    }
    up_succeeds(&mut test, &[]);
}

#[test]
fn an_api_server_that_restarts_is_waited_for() {
    let mut test = surroundings();
    for part in ["apply", "customresourcedefinitions", "/pods", "kafkas", "watch=1", "kube-system/configmaps"]
    {
        for nth in 1..=2 {
            test = test.fault("kubectl", part, Some(nth), exit(1, "", REFUSED));
        }
    }
    up_succeeds(&mut test, &[]);
}

#[test]
fn an_api_server_that_is_not_ready_yet_is_waited_for() {
    let words = r#"Error from server (InternalError): an error on the server ("[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed") has prevented the request from succeeding"#;
    for verb in [&["down", "--keep-cluster", "--yes"][..], &["smoke-test"]] {
        let mut test = ready();
        for nth in 1..=2 {
            test = test.fault("kubectl", "/readyz", Some(nth), exit(1, "", words));
        }
        test.args(verb.iter().copied()).run().expect(0);
    }
}

#[test]
fn an_api_server_that_does_not_come_back_is_reported() {
    let mut test = ready().fault("kubectl", "customresourcedefinitions", None, exit(1, "", REFUSED));
    let run = up_fails(&mut test, &[], "KS-API-UNREACHABLE", 1);
    let causes = finished(&run)["failure"]["causes"].to_string();
    assert!(causes.contains("was refused") && !causes.contains("memcache"), "{causes}");
}

#[test]
fn a_rejected_apply_is_reported_and_the_next_run_continues() {
    let conflict = "error: Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas\nPlease review the fields above";
    let terminating = "Error from server (Forbidden): kafkas.kafka.strimzi.io \"my-cluster\" is forbidden: unable to create new \
        content in namespace kafka because it is being terminated";
    let forbidden = "Error from server (Forbidden): namespaces is forbidden: User \"minikube-user\" cannot patch resource";
    for (stderr, id, code) in [
        (conflict, "KS-API-CONFLICT", 5),
        (terminating, "KS-OBJECT-TERMINATING", 1),
        (forbidden, "KS-API-FORBIDDEN", 1),
        ("error: something never seen before", "KS-KUBECTL", 1),
        ("", "KS-KUBECTL", 1),
    ] {
        for nth in [2, 4] {
            let mut test = surroundings().fault("kubectl", "apply", Some(nth), exit(1, "", stderr));
            up_fails(&mut test, &[], id, code);
            up_succeeds(&mut test, &[]);
        }
    }
}

#[test]
fn an_incomplete_apply_is_completed() {
    for nth in 1..=6 {
        let half = Action::FailAfter { code: 1, stderr: "error: unexpected EOF".into() };
        let mut test = surroundings().fault("kubectl", "apply", Some(nth), half);
        let first = test.args(["up", "-o", "json"]).run();
        clean(&test, &first);
        assert!(first.code() == 1 || first.code() == 0, "{}", first.stdout);
        up_succeeds(&mut test, &[]);
    }
}

#[test]
fn an_empty_status_deletes_nothing() {
    let mut test = ready().fault("kubectl", "/readyz", None, exit(1, "", REFUSED)).fault(
        "minikube",
        "status",
        None,
        exit(7, "null\n", ""),
    );
    let uid = test.object("kstrim", "kafkas.kafka.strimzi.io/kafka/my-cluster")["metadata"]["uid"].clone();
    let run = test.args(["up", "-o", "json"]).run();
    clean(&test, &run);
    assert_eq!((failure_id(&run).as_str(), run.code()), ("KS-TOOL-BROKEN", 3), "{}", run.stdout);
    let calls = test.calls();
    // A run that ends deletes its own Lease.
    let deletes = |c: &&Call| c.line().contains("delete") && !c.line().contains("/leases/kstrim ");
    assert_eq!(calls.iter().filter(deletes).map(Call::line).collect::<Vec<_>>(), Vec::<String>::new());
    test.change_scenario(|s| s.faults.clear());
    up_succeeds(&mut test, &[]);
    let now = test.object("kstrim", "kafkas.kafka.strimzi.io/kafka/my-cluster")["metadata"]["uid"].clone();
    assert_eq!(uid, now);
}

/// Maximum number of seconds from the start of `up` to the end of a wait that is useless: generous, for busy
/// machines; the limits of the tasks are ten minutes and more.
const SOON: Duration = Duration::from_secs(40);

#[track_caller]
fn stops_soon(mut test: Test, id: &str) {
    let run = up_fails(&mut test, &[], id, 1);
    assert!(run.took < SOON, "{:?}", run.took);
    let failure = finished(&run)["failure"].to_string().to_lowercase();
    assert!(!failure.contains("timed out") && !failure.contains("not ready after"), "{failure}");
}

fn refusing(reason: &str, message: &str) -> Test {
    surroundings().scenario(|s| s.refuse = Some((reason.into(), message.into())))
}

#[test]
fn a_kafka_resource_that_the_operator_rejects() {
    let message = "Unsupported Kafka.spec.kafka.version: 4.3.1. Supported versions are: [4.2.0]";
    stops_soon(refusing("UnsupportedKafkaVersionException", message), "KS-KAFKA-VERSION");
    let message = "Kafka configuration option 'default.replication.factor' should be set to 1 or less because this cluster has \
        only 1 Kafka broker(s).";
    stops_soon(refusing("InvalidResourceException", message), "KS-REPLICATION-FACTOR");
    let message = "Kafka configuration contains an unknown option";
    stops_soon(refusing("InvalidConfigurationException", message), "KS-KAFKA-CONFIG");
}

#[test]
fn images_that_cannot_be_pulled() {
    for image in ["strimzi/kafka", "strimzi/operator"] {
        stops_soon(surroundings().scenario(|s| s.missing_images.push(image.into())), "KS-IMAGE-PULL");
    }
}

#[test]
fn pods_without_enough_memory() {
    // A node in docker has all the host's memory; an existing pod uses it.
    let hog = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hog", "namespace": "default"},
        "spec": {"nodeName": "kstrim", "containers": [{"name": "hog", "image": "hog",
            "resources": {"requests": {"memory": "24500000Ki"}}}]}});
    let seed = ProfileSeed { objects: vec![hog], ..ProfileSeed::default() };
    let mut test = surroundings().scenario(|s| s.profiles.push(seed));
    let run = up_fails(&mut test, &["--adopt"], "KS-POD-UNSCHEDULABLE-MEMORY", 1);
    assert!(run.took < SOON, "{:?}", run.took);
}

#[test]
fn crashing_brokers() {
    let crash = |reason: &str, exit: i32, log: &str| {
        let crash = Crash::always("my-cluster-dual-role-0", reason, exit, log);
        surroundings().scenario(|s| s.crashes.push(crash))
    };
    stops_soon(crash("OOMKilled", 137, "Starting Kafka"), "KS-OOM-KILLED");
    let log = "Exception in thread \"main\" java.lang.RuntimeException: Invalid cluster.id in: \
        /var/lib/kafka/data/kafka-log0/meta.properties. Expected abc, but read def";
    stops_soon(crash("Error", 1, log), "KS-CLUSTER-ID");
    stops_soon(crash("Error", 1, "something nobody knows"), "KS-CRASH-LOOP");
}

#[test]
fn a_volume_without_a_provisioner() {
    let mut test = ready();
    test.args(["kubectl", "--", "delete", "storageclass", "standard"]).run().expect(0);
    test.args(["down", "--keep-cluster", "--yes"]).run().expect(0);
    stops_soon(test, "KS-STORAGE-CLASS");
}

#[test]
fn events_of_deleted_objects_are_ignored() {
    let event = |name: &str, reason: &str, message: &str| {
        json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": format!("{name}.{reason}"), "namespace": "kafka"},
            "type": "Warning", "reason": reason, "message": message, "count": 9,
            "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T01:00:00Z",
            "involvedObject": {"kind": "Pod", "namespace": "kafka", "name": name, "uid": "dead"}})
    };
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kafka"}});
    let seed = ProfileSeed {
        objects: vec![
            namespace,
            event(
                "my-cluster-dual-role-0",
                "FailedScheduling",
                "0/1 nodes are available: 1 Insufficient memory.",
            ),
            event("my-cluster-dual-role-0", "Failed", "Failed to pull image \"x\": not found"),
            event("my-cluster-dual-role-0", "BackOff", "Back-off restarting failed container kafka"),
        ],
        ..ProfileSeed::default()
    };
    let mut test = surroundings().scenario(|s| s.profiles.push(seed));
    up_succeeds(&mut test, &["--adopt"]);
}
