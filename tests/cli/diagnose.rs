//! `kstrim diagnose`: all useful evidence in one archive, without secrets, whatever is missing.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Action, Crash, Engine, Fault, Host, ProfileSeed, Run, Test};
use crate::support::{apply_foreign, fresh, kubectl, ready, until, written};

/// An archive's files in their order, by their name below its directory.
pub struct Archive {
    pub order: Vec<String>,
    files: BTreeMap<String, String>,
}

impl Archive {
    #[track_caller]
    fn open(path: &Path) -> Self {
        let file = std::fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let mode = file.metadata().expect("a file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{} is for its owner alone", path.display());
        let mut tar = tar::Archive::new(flate2::read::GzDecoder::new(file));
        let mut archive = Self { order: Vec::new(), files: BTreeMap::new() };
        for entry in tar.entries().expect("entries") {
            let mut entry = entry.expect("an entry");
            let name = entry.path().expect("a path").display().to_string();
            let name = name.split_once('/').expect("below a folder").1.to_owned();
            let mut text = String::new();
            entry.read_to_string(&mut text).expect("text");
            archive.order.push(name.clone());
            archive.files.insert(name, text);
        }
        assert_eq!(archive.order[0], "summary.md");
        archive
    }

    #[track_caller]
    pub fn get(&self, name: &str) -> &str {
        self.files.get(name).unwrap_or_else(|| panic!("no {name} in {:#?}", self.order))
    }

    fn summary(&self) -> &str {
        self.get("summary.md")
    }

    #[track_caller]
    fn has(&self, names: &[&str]) {
        for name in names {
            self.get(name);
        }
    }
}

/// Run it, and open what it wrote.
#[track_caller]
pub fn diagnose(test: &mut Test, args: &[&str]) -> (Run, Archive) {
    let run = test.args(["diagnose"].iter().chain(args)).run().expect(0);
    assert_eq!(run.stdout.lines().count(), 1, "the path alone: {}", run.stdout);
    let path = test.work().join(run.stdout.trim());
    assert!(test.leftovers().is_empty(), "{:?}", test.leftovers());
    (run, Archive::open(&path))
}

#[test]
fn a_healthy_cluster() {
    let mut test = ready();
    test.forget_calls();
    let (run, archive) = diagnose(&mut test, &[]);
    assert!(run.stdout.starts_with("kstrim-diagnose-kstrim-2") && run.stdout.ends_with("Z.tar.gz\n"));
    assert!(run.stderr.contains("read it: tar -xzOf kstrim-diagnose-kstrim-2"), "{}", run.stderr);
    archive.has(&[
        "status.json",
        "kstrim/journal.json",
        "kstrim/up.events.jsonl",
        "kstrim/plan.txt",
        "kstrim/environment.txt",
        "namespace/kafkas.yaml",
        "namespace/kafkanodepools.yaml",
        "namespace/kafkatopics.yaml",
        "namespace/strimzipodsets.yaml",
        "namespace/pods.yaml",
        "namespace/deployments.yaml",
        "namespace/persistentvolumeclaims.yaml",
        "namespace/services.yaml",
        "namespace/configmaps.yaml",
        "namespace/events.txt",
        "cluster/nodes.yaml",
        "cluster/storageclasses.yaml",
        "cluster/crds.yaml",
        "cluster/pods.txt",
        "cluster/readyz.txt",
        "logs/my-cluster-dual-role-0/kafka.log",
        "minikube/profile.yaml",
        "minikube/status.txt",
        "minikube/node.log",
        "minikube/last-start.log",
        "minikube/engine.txt",
    ]);
    let summary = archive.summary();
    for part in [
        "Kafka is ready.",
        "| kstrim | ",
        "| minikube | 1.38.1 |",
        "| kubectl | 1.34",
        "| Kubernetes | 1.3",
        "| Strimzi | 1.2.0 |",
        "| Kafka | 4.3.1 |",
        "| system | ",
        "| engine | docker",
        "## The last `kstrim up`",
        "## Files",
    ] {
        assert!(summary.contains(part), "{part} in {summary}");
    }
    assert!(!summary.contains("## What is missing here"), "{summary}");
    assert!(archive.get("namespace/pods.yaml").contains("name: my-cluster-dual-role-0"));
    assert!(!archive.get("namespace/pods.yaml").contains("managedFields"));
    assert!(!archive.get("cluster/crds.yaml").contains("openAPIV3Schema"));
    assert_eq!(written(&test), Vec::<String>::new(), "it only looks");
}

/// Planted secrets, which must not occur anywhere.
const PLANTED: &str = "hunter2plantedXYZ";
/// The same in base64, and in the base64 form of a password with its user.
const ENCODED: [&str; 2] = ["aHVudGVyMnBsYW50ZWRYWVo=", "YWRhOmh1bnRlcjJwbGFudGVkWFla"];
/// A private key's content.
const KEY: &str = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQplanted";
/// A value that is known to be secret only because a Secret of the cluster contains it.
const ONLY_KNOWN: &str = "correct-horse-battery-staple";

#[test]
fn the_archive_contains_no_secrets() {
    let mut test = ready().env("HTTPS_PROXY", format!("http://ada:{PLANTED}@proxy:3128"));
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{KEY}\n-----END PRIVATE KEY-----");
    let jaas = format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"a\" password=\"{PLANTED}\";"
    );
    let b64 = |text: &str| {
        use base64::Engine;
        base64::engine::general_purpose::STANDARD.encode(text)
    };
    let docker = format!("{{\"auths\":{{\"https://index.docker.io/v1/\":{{\"auth\":\"{}\"}}}}}}", ENCODED[1]);
    let meta = |name: &str| {
        json!({"name": name, "namespace": "kafka", "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration":
                format!("{{\"stringData\":{{\"x\":\"{PLANTED}\"}},\"pem\":\"{}\"}}", pem.replace('\n', "\\n")),
            "example.com/note": format!("token={PLANTED}"),
        }})
    };
    apply_foreign(
        &test,
        &[
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("planted"), "type": "Opaque",
                "data": {"plain": ENCODED[0], "phrase": b64(ONLY_KNOWN), "tls.key": b64(&pem)}}),
            json!({"apiVersion": "v1", "kind": "Secret", "metadata": meta("pull"),
                "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": b64(&docker)}}),
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta("planted"), "data": {
                "client.properties": format!("sasl.jaas.config={jaas}\nssl.key.password = {PLANTED}\n"),
                "key.pem": pem, "url": format!("amqp://ada:{PLANTED}@broker:5672/x"),
                "config.json": docker, "phrase": format!("say {ONLY_KNOWN} twice"),
            }}),
            json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic", "metadata": meta("planted"),
                "spec": {"partitions": 1, "replicas": 1, "config": {"password": PLANTED}}}),
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta("planted"), "spec": {
                "replicas": 0, "selector": {"matchLabels": {"a": "b"}},
                "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "x", "image": "x",
                    "args": ["--api-key", PLANTED, format!("--password={PLANTED}")],
                    "env": [{"name": "DB_PASSWORD", "value": PLANTED}, {"name": "A", "value": "seen"}]}]}}}}),
        ],
    );
    let logs = test.world_dir().join("logs");
    std::fs::create_dir_all(&logs).expect("a folder");
    let lines = [
        format!("starting with {jaas}"),
        format!("GET /x Authorization: Bearer {PLANTED}"),
        format!("connecting to https://ada:{PLANTED}@registry/v2/"),
        format!("got {{\"user\":\"ada\",\"password\":\"{PLANTED}\",\"n\":1}}"),
        format!("got {{\\\"token\\\":\\\"{PLANTED}\\\"}}"),
        format!("env DB_PASSWORD={PLANTED}"),
        pem.replace('\n', "\\n"),
        "-----BEGIN RSA PRIVATE KEY-----".to_owned(),
        KEY.to_owned(),
        "-----END RSA PRIVATE KEY-----".to_owned(),
        format!("docker {docker} and {}", ENCODED[0]),
        format!("a user typed {ONLY_KNOWN} here"),
        "this line is not changed".to_owned(),
    ];
    let text: String = lines.iter().map(|line| format!("2099-01-01T00:00:00Z {line}\n")).collect();
    std::fs::write(logs.join("my-cluster-dual-role-0_kafka.log"), text).expect("a log");
    let start = format!(
        "I1122 exec: minikube start --docker-env HTTP_PROXY=http://ada:{PLANTED}@p:1\ntoken: {PLANTED}\n"
    );
    std::fs::write(test.world_dir().join("lastStart.txt"), start).expect("a log");
    // Also in kstrim's own files: a message of a task may quote a program.
    let own = test.home().join(".local/state/kstrim/profiles/kstrim/up.events.jsonl");
    let event = json!({"v": 1, "time": "2026-11-22T21:09:11Z", "elapsed_ms": 1, "type": "warning",
        "message": format!("kubectl said password={PLANTED}")});
    let mut events = std::fs::read_to_string(&own).expect("a log");
    events.push_str(&format!("{event}\n"));
    std::fs::write(own, events).expect("a log");

    plant_more(&mut test);
    let (_, archive) = diagnose(&mut test, &[]);
    for (name, text) in &archive.files {
        for secret in [PLANTED, ENCODED[0], ENCODED[1], KEY, ONLY_KNOWN, &b64(ONLY_KNOWN), &b64(&pem)[..40]] {
            let at = text.lines().find(|line| line.contains(secret));
            assert!(at.is_none(), "{secret} in {name}: {}", at.unwrap_or(""));
        }
    }
    // It was collected, not omitted.
    let secrets = archive.get("namespace/secrets.txt");
    assert!(secrets.contains("planted (Opaque)\n") && secrets.contains("  plain: 17 bytes\n"), "{secrets}");
    let log = archive.get("logs/my-cluster-dual-role-0/kafka.log");
    assert!(
        log.contains("this line is not changed") && log.contains("username=\"a\" password=\"REDACTED\""),
        "{log}"
    );
    assert!(log.contains("\"user\":\"ada\",\"password\":\"REDACTED\",\"n\":1"), "{log}");
    assert!(archive.get("namespace/deployments.yaml").contains("value: seen"));
    assert!(archive.get("namespace/configmaps.yaml").contains("amqp://REDACTED@broker:5672/x"));
    assert!(archive.get("minikube/last-start.log").contains("--docker-env HTTP_PROXY=http://REDACTED@p:1"));
    assert!(archive.get("kstrim/environment.txt").contains("HTTPS_PROXY=http://REDACTED@proxy:3128"));
    assert!(archive.get("kstrim/up.events.jsonl").contains("password=REDACTED"));
    assert!(archive.get("namespace/kafkatopics.yaml").contains("name: planted"));
    for (name, told) in [
        ("namespace/pods.yaml", "value: seen in a pod"),
        ("namespace/events.txt", "cannot pull with password=REDACTED"),
        ("minikube/profile.yaml", "http://REDACTED@p:1"),
        ("kstrim/journal.json", "token=REDACTED"),
    ] {
        assert!(archive.get(name).contains(told), "{name}: {}", archive.get(name));
    }
}

/// The environment of a pod, an event, minikube's configuration, the kubeconfig, the journal.
fn plant_more(test: &mut Test) {
    apply_foreign(
        test,
        &[
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "planted", "namespace": "kafka"},
                "spec": {"nodeName": "kstrim", "containers": [{"name": "x", "image": "x", "env": [
                    {"name": "ACCESS_TOKEN", "value": PLANTED}, {"name": "B", "value": "seen in a pod"},
                    {"name": "URL", "value": format!("http://ada:{PLANTED}@x")}]}]}}),
            json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": "planted.1", "namespace": "kafka"},
                "type": "Warning", "reason": "Failed", "message": format!("cannot pull with password={PLANTED}"),
                "involvedObject": {"kind": "Pod", "name": "planted", "namespace": "kafka"}}),
        ],
    );
    let listed = test.fake("minikube", ["profile", "list", "--light", "-o", "json"]).expect(0);
    let mut list = listed.json();
    list["valid"][0]["Config"]["DockerEnv"] = json!([format!("HTTPS_PROXY=http://ada:{PLANTED}@p:1")]);
    let stdout = list.to_string();
    let action = Action::Exit { code: 0, stdout, stderr: String::new() };
    let fault = Fault { program: "minikube".into(), args: "profile list".into(), nth: None, action };
    test.change_scenario(|s| s.faults.push(fault));
    let state = test.home().join(".local/state/kstrim/profiles/kstrim");
    let kubeconfig = std::fs::read_to_string(state.join("kubeconfig")).expect("a kubeconfig");
    let user = format!("users:\n- name: planted\n  user:\n    token: {PLANTED}\n    password: {PLANTED}");
    assert!(kubeconfig.contains("users:"), "{kubeconfig}");
    std::fs::write(state.join("kubeconfig"), kubeconfig.replacen("users:", &user, 1)).expect("a kubeconfig");
    let journal = std::fs::read_to_string(state.join("journal.json")).expect("a journal");
    let mut journal: Value = journal.parse().expect("JSON");
    journal["run_id"] = json!(format!("token={PLANTED}"));
    std::fs::write(state.join("journal.json"), journal.to_string()).expect("a journal");
}

#[test]
fn the_cause_comes_first_in_the_summary() {
    let mut test = ready().scenario(|s| {
        s.crashes = vec![Crash {
            pod: "dual-role".into(),
            log: "java.io.IOException: No space left on device".into(),
            ..Crash::default()
        }];
    });
    kubectl(&test, "delete pods my-cluster-dual-role-0 -n kafka --wait=false").expect(0);
    until(&test, "the broker crashes", |t| {
        let pod = t.object("kstrim", "pods/kafka/my-cluster-dual-role-0");
        pod["status"]["containerStatuses"][0]["restartCount"].as_i64() > Some(1)
    });
    // Collected between two starts: not during a wait that began before this and ends soon.
    test.change_scenario(|s| s.timings.back_off = 60_000);
    until(&test, "the broker waits long for its next start", |t| {
        let pod = t.object("kstrim", "pods/kafka/my-cluster-dual-role-0");
        let uid = pod["metadata"]["uid"].as_str().expect("a uid");
        t.back_off("kstrim", uid).is_some_and(|ms| ms > 30_000)
    });
    let (run, archive) = diagnose(&mut test, &[]);
    assert!(run.stderr.contains("[KS-VOLUME-FULL]"), "{}", run.stderr);
    let wrong = archive.summary().find("### KS-VOLUME-FULL").expect("the finding");
    assert!(wrong < archive.summary().find("## Versions").expect("versions"), "{}", archive.summary());
    archive.has(&["logs/my-cluster-dual-role-0/kafka.previous.log"]);
    let run = test.args(["diagnose", "-o", "json", "--file", "x.tar.gz"]).run().expect(0);
    let told = run.json();
    assert_eq!((&told["path"], &told["findings"][0]["id"]), (&json!("x.tar.gz"), &json!("KS-VOLUME-FULL")));
    assert!(told["bytes"].as_u64() > Some(1000) && told["files"].as_u64() > Some(20), "{told}");
}

#[test]
fn with_nothing_at_all() {
    let mut test = Test::new();
    let (_, archive) = diagnose(&mut test, &[]);
    assert!(
        archive.summary().contains("the minikube profile kstrim does not exist"),
        "{}",
        archive.summary()
    );
    assert!(!test.home().join(".local/state/kstrim/profiles").exists(), "a mere look makes no directory");
}

#[test]
fn with_programs_missing() {
    for (missing, gap) in [("minikube", "minikube was not found"), ("kubectl", "kubectl was not found")] {
        let mut test = ready().without(missing);
        let (_, archive) = diagnose(&mut test, &[]);
        let summary = archive.summary();
        assert!(summary.contains(gap), "{summary}");
        archive.has(&["kstrim/journal.json", "kstrim/up.events.jsonl"]);
        if missing == "minikube" {
            archive.has(&["namespace/kafkas.yaml", "logs/my-cluster-dual-role-0/kafka.log"]);
            assert!(summary.contains("Kafka is ready"), "{summary}");
        } else {
            archive.has(&["minikube/status.txt", "minikube/node.log"]);
        }
    }
    let mut test = Test::new().without("minikube").without("kubectl").without("docker");
    let (_, archive) = diagnose(&mut test, &[]);
    assert!(archive.summary().contains("KS-TOOL-MISSING"), "{}", archive.summary());
}

#[test]
fn with_half_a_cluster() {
    let hosts =
        [Host::Stopped, Host::Paused, Host::Gone, Host::Dead, Host::Invalid, Host::Made, Host::Starting];
    for host in hosts {
        let mut test =
            fresh().scenario(|s| s.profiles = vec![ProfileSeed { host, ..ProfileSeed::default() }]);
        let (run, archive) = diagnose(&mut test, &["--timeout", "10s"]);
        assert!(run.took < Duration::from_secs(15), "{host:?}: {:?}", run.took);
        archive.has(&["minikube/status.txt", "minikube/last-start.log", "minikube/profile.yaml"]);
        assert!(archive.summary().contains("Kafka is not ready: the"), "{host:?}: {}", archive.summary());
    }
    let mut test = ready();
    test.change_scenario(|s| s.engine = Engine::Down);
    let (_, archive) = diagnose(&mut test, &["--timeout", "10s"]);
    assert!(archive.summary().contains("KS-ENGINE-DOWN"), "{}", archive.summary());
}

#[test]
fn programs_that_hang_become_gaps() {
    let hang = || Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = ready().fault("kubectl", "", None, hang()).fault("minikube", "", None, hang());
    let (run, archive) = diagnose(&mut test, &["--timeout", "2s"]);
    assert!(run.took < Duration::from_secs(9), "{:?}", run.took);
    archive.has(&["kstrim/journal.json", "kstrim/up.events.jsonl"]);
    assert!(
        archive.summary().contains("it was not available within the time limit of 2 s"),
        "{}",
        archive.summary()
    );

    let mut test = ready().fault("kubectl", "logs", None, hang()).fault("minikube", "logs", None, hang());
    let (_, archive) = diagnose(&mut test, &["--timeout", "3s"]);
    archive.has(&["namespace/kafkas.yaml", "status.json", "minikube/status.txt"]);
    assert!(archive.summary().contains("- logs/my-cluster-dual-role-0/kafka.log: "), "{}", archive.summary());
}

#[test]
fn large_output_does_not_fill_the_disk() {
    let mut test = ready().fault("kubectl", "", None, Action::FloodStderr { bytes: 300_000 });
    let logs = test.world_dir().join("logs");
    std::fs::create_dir_all(&logs).expect("a folder");
    let line = format!("2099-01-01T00:00:00Z {}\n", "x".repeat(2000));
    std::fs::write(logs.join("my-cluster-dual-role-0_kafka.log"), line.repeat(3000)).expect("a log");
    let (_, archive) = diagnose(&mut test, &[]);
    let all: usize = archive.files.values().map(String::len).sum();
    assert!(all < kstrim::internals::diagnose::WHOLE_LIMIT + 100_000, "{all}");
    assert!(
        archive.get("logs/my-cluster-dual-role-0/kafka.log").len() <= kstrim::internals::diagnose::FILE_LIMIT
    );
}

#[test]
fn an_unwritable_destination() {
    let mut test = Test::new();
    for place in ["/no/such/folder/x.tar.gz", ".", "/dev/null"] {
        let run = test.args(["diagnose", "--file", place]).run().expect(3);
        assert!(run.stderr.contains("KS-DIAGNOSE-UNWRITABLE"), "{}", run.stderr);
        assert_eq!(run.stdout, "");
    }
    let left: Vec<PathBuf> =
        std::fs::read_dir(test.work()).expect("a folder").flatten().map(|e| e.path()).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// A test with evidence collection enabled.
fn told(test: Test) -> Test {
    test.env("KSTRIM_NO_DIAGNOSE", "false")
}

/// The archives that failed runs left.
fn left(test: &Test) -> Vec<PathBuf> {
    let folder = test.home().join(".local/state/kstrim/profiles/kstrim/evidence");
    let mut all: Vec<PathBuf> =
        std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    all.sort();
    all
}

/// A world whose operator rejects every Kafka resource: `up` fails immediately.
fn refusing(test: Test) -> Test {
    let refusal = ("UnsupportedKafkaVersionException", "Unsupported Kafka.spec.kafka.version: 9.9.9.");
    test.scenario(|s| s.refuse = Some((refusal.0.into(), refusal.1.into())))
}

#[test]
fn a_failed_up_leaves_evidence_and_prints_its_path() {
    let mut test = told(refusing(fresh()));
    let run = test.args(["up", "-o", "json"]).run().expect(1);
    let last = run.json_lines().pop().expect("a last line");
    let path = PathBuf::from(last["evidence"].as_str().expect("a path"));
    assert_eq!(left(&test), std::slice::from_ref(&path));
    let archive = Archive::open(&path);
    let summary = archive.summary();
    assert!(summary.contains("`kstrim up` failed in its task `kafka`: "), "{summary}");
    assert!(
        summary.contains("### KS-KAFKA-VERSION") && summary.contains("| Kafka brokers | failed |"),
        "{summary}"
    );
    archive.has(&["namespace/kafkas.yaml", "kstrim/up.events.jsonl", "minikube/node.log"]);
    assert!(!summary.contains("it is still running"), "{summary}");
    assert!(test.leftovers().is_empty(), "{:?}", test.leftovers());

    let run = test.args(["up"]).run().expect(1);
    let (_, said) =
        run.stderr.split_once("evidence: ").unwrap_or_else(|| panic!("no path in {}", run.stderr));
    assert!(Path::new(said.trim()).is_file(), "{said}");
    let before = left(&test).len();
    let run = test.args(["up", "--no-diagnose"]).run().expect(1);
    assert!(!run.stderr.contains("evidence:"), "{}", run.stderr);
    assert_eq!(left(&test).len(), before);
}

#[test]
fn a_failed_smoke_test_leaves_evidence_of_a_known_profile() {
    let mut test = told(ready());
    kubectl(&test, "delete kafkas.kafka.strimzi.io my-cluster -n kafka --wait=false").expect(0);
    let run = test.args(["smoke-test"]).run().expect(3);
    assert!(run.stderr.contains("evidence: "), "{}", run.stderr);
    assert_eq!(left(&test).len(), 1);
    let mut test = told(Test::new());
    let run = test.args(["smoke-test"]).run().expect(3);
    assert!(!run.stderr.contains("evidence:"), "{}", run.stderr);
    assert!(!test.home().join(".local/state/kstrim/profiles").exists());
}

#[test]
fn no_evidence_for_other_failures() {
    // Foreign.
    let mut test = told(fresh().scenario(|s| s.profiles = vec![ProfileSeed::default()]));
    test.args(["up"]).run().expect(5);
    // Usage.
    test.args(["up", "--memory", "lots"]).run().expect(2);
    assert_eq!(left(&test), Vec::<PathBuf>::new());
    // A signal.
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let mut test = told(fresh()).fault("minikube", "start -o json", Some(1), hang);
    let running = test.args(["up"]).spawn();
    let begun = |t: &Test| t.calls().iter().any(|c| c.line().contains("start -o json"));
    crate::trouble::eventually("minikube start runs", || begun(&test));
    running.signal(rustix::process::Signal::INT);
    running.wait().expect(130);
    assert_eq!(left(&test), Vec::<PathBuf>::new());
}

#[test]
fn collecting_evidence_does_not_delay_a_failure() {
    // Many of the queries after the failure hang.
    let mut test = told(refusing(fresh()));
    test.args(["up", "--no-diagnose"]).run().expect(1);
    let hang = Action::Hang { stdout: String::new(), stubborn: false };
    let without = test.args(["up", "--no-diagnose"]).run().expect(1).took;
    for (program, args) in [("minikube", "logs"), ("kubectl", "readyz?verbose"), ("kubectl", "kafka/secrets")]
    {
        test = test.fault(program, args, None, hang.clone());
    }
    let run = test.args(["up"]).run().expect(1);
    assert!(run.took < without + Duration::from_secs(14), "{:?} after {without:?}", run.took);
    assert!(run.stderr.contains("evidence: "), "{}", run.stderr);
    // A Ctrl-C ends the collection.
    let running = test.args(["up"]).spawn();
    let logs = |t: &Test| t.calls().iter().filter(|c| c.line().starts_with("minikube logs")).count();
    let before = logs(&test);
    crate::trouble::eventually("evidence is being collected", || logs(&test) > before);
    let asked = std::time::Instant::now();
    running.signal(rustix::process::Signal::INT);
    let run = running.wait().expect(1);
    assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    assert!(!run.stderr.contains("evidence: ") && run.stderr.contains("KS-"), "{}", run.stderr);
}
