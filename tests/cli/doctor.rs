//! `kstrim doctor`: every group with and without problems, exit codes, the document, and `--fix`.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::harness::{Crash, Engine, Host, ProfileSeed, Run, Test};
use crate::support;

/// The tests may run as root; the network is not used.
pub const ARGS: [&str; 5] = ["doctor", "--offline", "--minikube-arg=--force", "-o", "json"];

/// Run doctor; its document.
#[track_caller]
pub fn doctor(test: &mut Test, more: &[&str], code: i32) -> Value {
    let run = test.args(ARGS.iter().chain(more)).run().expect(code);
    assert!(!run.stderr.contains("panicked"), "{}", run.stderr);
    assert!(test.leftovers().is_empty(), "children are left");
    let document = run.json();
    let schema: Value = include_str!("../../docs/schema/doctor.schema.json").parse().expect("JSON");
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    if let Err(error) = validator.validate(&document) {
        panic!("{error}");
    }
    assert_eq!(document["exit_code"], code);
    document
}

/// `verdict ID` of each check: `failed KS-ENGINE-DOWN`, `ok`.
pub fn verdicts(document: &Value) -> BTreeMap<String, String> {
    let word = |v: &Value| v.as_str().unwrap_or("").to_owned();
    let checks = document["checks"].as_array().into_iter().flatten();
    let told = |c: &Value| format!("{} {}", word(&c["verdict"]), word(&c["problem"]["id"])).trim().to_owned();
    checks.map(|c| (word(&c["id"]), told(c))).collect()
}

/// What is neither ok nor skipped, a line each.
pub fn wrong(document: &Value) -> Vec<String> {
    let all = verdicts(document).into_iter();
    all.filter(|(_, v)| v != "ok" && v != "skipped").map(|(id, v)| format!("{id} {v}")).collect()
}

pub fn check<'a>(document: &'a Value, id: &str) -> &'a Value {
    let checks = document["checks"].as_array().expect("checks");
    checks.iter().find(|c| c["id"] == id).unwrap_or_else(|| panic!("no check {id}"))
}

fn seeded(host: Host) -> Test {
    let seed = ProfileSeed { host, ..ProfileSeed::default() };
    support::fresh().scenario(|s| {
        support::quick(s);
        s.profiles.push(seed);
    })
}

/// A profile that kstrim created, in another state.
fn ours(change: &[&str]) -> Test {
    let test = support::ready();
    test.fake("minikube", change.iter().copied()).expect(0);
    test
}

#[test]
fn an_empty_machine_lacks_everything() {
    let mut test = Test::new().without("minikube").without("kubectl").without("docker");
    let document = doctor(&mut test, &[], 3);
    let told = verdicts(&document);
    for (id, want) in [
        ("engine.driver", "failed KS-ENGINE-MISSING"),
        ("engine.answers", "skipped"),
        ("tools.minikube", "failed KS-TOOL-MISSING"),
        ("tools.kubectl", "failed KS-TOOL-MISSING"),
        ("versions.set", "ok"),
        ("network.manifest", "skipped"),
        ("disk.state", "ok"),
        ("profile.state", "skipped"),
        ("cluster.api", "skipped"),
        ("kafka.ready", "skipped"),
    ] {
        assert_eq!(told[id], want, "{id}");
    }
    assert!(
        check(&document, "tools.minikube")["problem"]["hints"][0]
            .as_str()
            .is_some_and(|h| h.contains("install"))
    );
}

#[test]
fn a_suitable_machine_passes_and_nothing_is_written() {
    let mut test = support::fresh();
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), [""; 0]);
    let told = verdicts(&document);
    for id in [
        "engine.answers",
        "engine.size",
        "tools.minikube",
        "network.manifest",
        "names.container",
        "profile.state",
    ] {
        assert_eq!(told[id], "ok", "{id}");
    }
    assert_eq!(support::written(&test), [""; 0]);
    assert!(!test.home().join(".local/state/kstrim").exists(), "a look leaves nothing");
}

#[test]
fn an_engine_that_is_down_denied_or_too_small_is_distinguished() {
    for (engine, id) in [(Engine::Down, "KS-ENGINE-DOWN"), (Engine::Denied, "KS-ENGINE-PERMISSION")] {
        let mut test = support::fresh().scenario(|s| s.engine = engine);
        let document = doctor(&mut test, &[], 3);
        assert_eq!(wrong(&document), [format!("engine.answers failed {id}")]);
    }
    let mut test = support::fresh();
    let document = doctor(&mut test, &["--memory", "900g", "--cpus", "64"], 1);
    assert_eq!(verdicts(&document)["engine.size"], "failed KS-MEMORY-TOO-MUCH");
}

#[test]
fn root_needs_consent() {
    let mut test = support::fresh();
    let run = test.args(["doctor", "--offline", "-o", "json"]).run();
    let root = rustix::process::geteuid().is_root();
    let want = if root { "failed KS-ROOT" } else { "ok" };
    assert_eq!(verdicts(&run.json())["engine.root"], want);
    assert_eq!(run.code(), if root { 3 } else { 0 });
}

#[test]
fn incompatible_versions_fail_like_in_up() {
    let mut test = support::fresh();
    let document = doctor(&mut test, &["--release", "1.2.0", "--kafka", "3.0.0"], 1);
    let mine = check(&document, "versions.set")["problem"]["id"].clone();
    let up = test.args(["up", "--release", "1.2.0", "--kafka", "3.0.0"]).run();
    assert!(up.code() == 2 && up.stderr.contains(mine.as_str().expect("an id")), "{mine} {}", up.stderr);
}

#[test]
fn unreachable_servers_are_reported() {
    // A proxy that refuses connections: no outside server is contacted.
    let mut test = Test::new().env("HTTPS_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "10.0.0.0/8");
    let run = test.args(["doctor", "--minikube-arg=--force", "-o", "json"]).run().expect(3);
    let told = verdicts(&run.json());
    assert_eq!(told["network.manifest"], "failed KS-NETWORK");
    assert_eq!(told["network.registry"], "warning KS-NETWORK-REGISTRY");
    assert_eq!(told["network.minikube"], "warning KS-NETWORK");
    assert_eq!(told["network.proxy"], "warning KS-PROXY-RANGES");
}

#[test]
fn up_warns_about_a_proxy_like_doctor() {
    let mut test =
        support::fresh().scenario(support::quick).env("HTTPS_PROXY", "http://user:secret@127.0.0.1:1");
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), ["network.proxy warning KS-PROXY-RANGES"]);
    let message = check(&document, "network.proxy")["found"].as_str().expect("words").to_owned();
    let up = test.args(["up", "-o", "plain"]).run().expect(0);
    let said = format!("{}{}", up.stdout, up.stderr);
    assert!(said.contains(&message) && !said.contains("secret"), "{said}");
    assert!(!document.to_string().contains("secret"));
}

#[test]
fn a_running_cluster_passes() {
    let mut test = support::ready();
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), [""; 0], "{document:#}");
    let told = verdicts(&document);
    for (id, verdict) in &told {
        if ["cluster", "strimzi", "kafka"].iter().any(|g| id.starts_with(g)) {
            assert_eq!(verdict, "ok", "{id}: {}", check(&document, id)["found"]);
        }
    }
    assert_eq!(told["profile.owner"], "ok");
    assert_eq!(support::written(&test), [""; 0]);
    assert!(!document.to_string().contains("planted"), "a Secret's password has no way here");
    // The same with messages.
    let document = doctor(&mut test, &["--smoke"], 0);
    let found = check(&document, "kafka.smoke")["found"].as_str().unwrap_or("").to_owned();
    assert!(found.starts_with("10 messages verified"), "{found}");
}

#[test]
fn the_text_output_uses_words() {
    let mut test = support::fresh().scenario(|s| s.engine = Engine::Down);
    let run = test.args(["doctor", "--offline", "--minikube-arg=--force"]).run().expect(3);
    assert!(run.stdout.contains("× failed   engine.answers"), "{}", run.stdout);
    assert!(run.stdout.contains("[KS-ENGINE-DOWN]") && run.stdout.contains("hint: "), "{}", run.stdout);
    assert!(!run.stdout.contains('\u{1b}') && run.stderr.is_empty(), "{}", run.stderr);
    let mut test = test.env("LANG", "C");
    let run = test.args(["doctor", "--offline", "--minikube-arg=--force"]).run().expect(3);
    assert!(run.stdout.is_ascii() && run.stdout.contains("x failed   engine.answers"), "{}", run.stdout);
}

#[test]
fn foreign_objects_are_reported() {
    let mut test = seeded(Host::Running);
    let document = doctor(&mut test, &[], 5);
    assert_eq!(
        wrong(&document),
        ["cluster.context warning KS-CONTEXT-MISSING", "profile.owner failed KS-PROFILE-FOREIGN"]
    );
    let up = test.args(["up"]).run().expect(5);
    assert!(up.stderr.contains("KS-PROFILE-FOREIGN"), "{}", up.stderr);
    doctor(&mut test, &["--adopt"], 0);
}

#[test]
fn a_profile_with_other_settings_fails_like_in_up() {
    let mut test = support::ready();
    let document = doctor(&mut test, &["--memory", "6g"], 1);
    assert_eq!(wrong(&document), ["profile.settings failed KS-PROFILE-SETTINGS"]);
    let up = test.args(["up", "--memory", "6g"]).run().expect(2);
    assert!(up.stderr.contains("KS-PROFILE-SETTINGS"), "{}", up.stderr);
}

#[test]
fn each_state_of_a_profile_is_named() {
    for (host, want, code) in [
        (Host::Invalid, "warning KS-PROFILE-HALF-MADE", 0),
        (Host::Stopped, "warning KS-PROFILE-STOPPED", 5),
        (Host::Paused, "warning KS-PROFILE-PAUSED", 5),
        (Host::Gone, "failed KS-PROFILE-GONE", 5),
        (Host::Dead, "failed KS-PROFILE-PARTIAL", 5),
    ] {
        let mut test = seeded(host);
        let document = doctor(&mut test, &[], code);
        assert_eq!(verdicts(&document)["profile.state"], want, "{host:?}");
        assert_eq!(check(&document, "profile.state")["fix"], Value::Null, "not ours to mend");
    }
}

#[test]
fn a_leftover_container_is_named() {
    let mut test = seeded(Host::Running);
    test.change_scenario(|s| s.engine = Engine::Down);
    test.fake("minikube", ["delete", "-p", "kstrim"]).expect(0);
    test.change_scenario(|s| s.engine = Engine::Up);
    let document = doctor(&mut test, &[], 5);
    assert_eq!(wrong(&document), ["names.container failed KS-CONTAINER-TAKEN"]);
}

#[test]
fn an_operator_without_permissions_is_found() {
    let mut test = support::ready();
    support::kubectl(
        &test,
        "delete rolebinding -n kafka strimzi-cluster-operator strimzi-cluster-operator-watched",
    )
    .expect(0);
    let document = doctor(&mut test, &[], 1);
    assert_eq!(wrong(&document), ["strimzi.rbac failed KS-OPERATOR-FORBIDDEN"]);
}

#[test]
fn resource_definitions_that_are_missing_are_found() {
    let mut test = support::ready();
    support::kubectl(&test, "delete crd kafkausers.kafka.strimzi.io").expect(0);
    let document = doctor(&mut test, &[], 1);
    assert_eq!(wrong(&document), ["strimzi.crds failed KS-CRDS-INCOMPLETE"]);
}

#[test]
fn a_storage_class_that_is_missing_is_found() {
    let mut test = support::ready();
    support::kubectl(&test, "delete storageclass standard").expect(0);
    let document = doctor(&mut test, &[], 1);
    assert_eq!(wrong(&document), ["cluster.storage failed KS-STORAGE-CLASS"]);
}

#[test]
fn expired_certificates_and_a_full_disk_are_found() {
    let mut test = support::fresh().scenario(|s| {
        support::quick(s);
        s.expired = vec!["minikube".into(), "strimzi".into()];
        s.node_free_mb = Some(100);
    });
    test.args(["up"]).run().expect(0);
    let document = doctor(&mut test, &[], 1);
    assert_eq!(
        wrong(&document),
        [
            "kafka.certificates failed KS-KAFKA-CERTIFICATES",
            "kafka.volumes failed KS-VOLUME-FULL",
            "profile.certificates failed KS-CERTIFICATES-EXPIRED"
        ]
    );
}

#[test]
fn a_broker_that_cannot_start_is_reported_with_its_cause() {
    let mut test = support::ready();
    test.change_scenario(|s| s.crashes = vec![Crash { pod: "dual-role".into(), ..Crash::default() }]);
    support::kubectl(&test, "delete pod -n kafka my-cluster-dual-role-0").expect(0);
    crate::trouble::eventually("the crash is told", || {
        let run = test.args(ARGS).run();
        verdicts(&run.json())["kafka.ready"].ends_with("KS-CRASH-LOOP")
    });
}

/// The fixes of a document: `check outcome`.
pub fn fixes(document: &Value) -> Vec<String> {
    let all = document["fixes"].as_array().into_iter().flatten();
    all.map(|f| format!("{} {}", f["check"], f["outcome"]).replace('"', "")).collect()
}

#[test]
fn a_stopped_profile_is_started_only_with_consent() {
    let mut test = ours(&["stop", "-p", "kstrim"]);
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), ["profile.state warning KS-PROFILE-STOPPED"]);
    assert_eq!(check(&document, "profile.state")["fix"], "start the profile kstrim");
    // There is no terminal to ask on.
    test.forget_calls();
    let document = doctor(&mut test, &["--fix"], 0);
    assert_eq!(fixes(&document), ["profile.state not_agreed"]);
    assert_eq!(support::written(&test), [""; 0]);
    let run: Run = test.args(ARGS.iter().chain(&["--fix", "--yes"])).run().expect(0);
    let named = run.stderr.find("fix profile.state: start the profile kstrim").expect("it is named");
    assert!(run.stderr.find("done: ").is_some_and(|done| named < done), "{}", run.stderr);
    let document = run.json();
    assert_eq!(fixes(&document), ["profile.state done"]);
    assert_eq!(verdicts(&document)["profile.state"], "ok");
    assert_eq!(test.profile("kstrim")["host"], "running");
}

/// Nothing in the node would start it, and `minikube start` would wait for it in vain.
#[test]
fn an_api_server_with_a_missing_manifest_is_restored() {
    let file = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    let lost = |document: &Value| {
        let state = check(document, "profile.state").clone();
        assert_eq!(state["problem"]["id"], "KS-PROFILE-PARTIAL", "{state}");
        state["problem"]["causes"].to_string().contains("nothing starts its API server")
    };
    let mut test = support::ready();
    test.fake("docker", ["exec", "kstrim", "mv", file, "/tmp/"]).expect(0);
    let document = doctor(&mut test, &[], 1);
    assert!(lost(&document), "{document}");
    let fix = check(&document, "profile.state")["fix"].clone();
    assert_eq!(fix, "restore the file that starts its API server, and start the profile kstrim");
    let document = doctor(&mut test, &["--fix", "--yes"], 0);
    assert_eq!((fixes(&document), wrong(&document)), (vec!["profile.state done".to_owned()], vec![]));
    // A node without any of the files is just being created, or has another problem.
    let dead = ProfileSeed { host: Host::Dead, ..ProfileSeed::default() };
    let mut test = support::fresh().scenario(|s| s.profiles = vec![dead]);
    let run = test.args(ARGS).run();
    assert!(!lost(&run.json()), "{}", run.stdout);
}

#[test]
fn an_incomplete_profile_of_kstrims_is_deleted() {
    let mut test = support::fresh().scenario(|s| s.root = true);
    // minikube refuses root and leaves a directory behind.
    test.args(["up"]).run().expect(3);
    test.change_scenario(|s| s.root = false);
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), ["profile.state warning KS-PROFILE-HALF-MADE"]);
    let document = doctor(&mut test, &["--fix", "--yes"], 0);
    assert_eq!(fixes(&document), ["profile.state done"]);
    assert_eq!((wrong(&document), test.profile("kstrim")), (vec![], Value::Null));
}

#[test]
fn a_profile_without_its_machine_is_kept_with_a_hint() {
    let mut test = ours(&["stop", "-p", "kstrim"]);
    test.fake("docker", ["rm", "-f", "kstrim"]).expect(0);
    // Its volume may still exist.
    let document = doctor(&mut test, &["--fix", "--yes"], 1);
    assert_eq!(fixes(&document), Vec::<String>::new());
    let hints = &check(&document, "profile.state")["problem"]["hints"];
    assert!(hints.to_string().contains("kstrim up --recreate"), "{hints}");
    assert!(test.profile("kstrim").is_object());
}

#[test]
fn a_fix_without_effect_is_reported() {
    let mut test = ours(&["stop", "-p", "kstrim"]);
    let exit = crate::harness::Action::Exit { code: 80, stdout: String::new(), stderr: "no".into() };
    test = test.fault("minikube", "start", None, exit);
    let document = doctor(&mut test, &["--fix", "--yes"], 0);
    assert_eq!(fixes(&document), ["profile.state failed"]);
    assert_eq!(document["fixes"][0]["problem"]["id"], "KS-MINIKUBE");
}

#[test]
fn kstrims_own_files_are_fixed_without_a_prompt() {
    let mut test = support::ready();
    let folder = test.home().join(".local/state/kstrim/profiles/kstrim");
    fs::write(folder.join("journal.json"), "{").expect("a journal");
    let document = doctor(&mut test, &[], 1);
    assert_eq!(verdicts(&document)["profile.journal"], "failed KS-JOURNAL-CORRUPT");
    let document = doctor(&mut test, &["--fix"], 0);
    assert_eq!(fixes(&document), ["profile.journal done"]);
    assert!(folder.join("journal.json.bad").exists());
    assert_eq!(verdicts(&document)["profile.owner"], "ok", "a marker in the cluster shows");

    fs::remove_file(folder.join("kubeconfig")).expect("a kubeconfig");
    let document = doctor(&mut test, &[], 0);
    assert_eq!(wrong(&document), ["cluster.context warning KS-CONTEXT-MISSING"]);
    let document = doctor(&mut test, &["--fix"], 0);
    assert_eq!((fixes(&document), wrong(&document)), (vec!["cluster.context done".to_owned()], vec![]));
}

#[test]
fn a_concurrent_run_is_not_disturbed() {
    let mut test = ours(&["stop", "-p", "kstrim"]);
    let lock = test.home().join(".local/state/kstrim/profiles/kstrim/lock");
    let held = fs::File::create(lock).expect("a lock");
    held.try_lock().expect("free");
    let run = test.args(ARGS.iter().chain(&["--fix", "--yes"])).run().expect(7);
    assert!(run.stderr.contains("KS-LOCKED"), "{}", run.stderr);
    // Checking needs no lock.
    doctor(&mut test, &[], 0);
}

#[test]
fn a_kafka_resource_paused_by_others_is_reported_and_not_changed() {
    let mut test = support::ready();
    let paused =
        json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}}).to_string();
    let mut words: Vec<String> =
        ["patch", "kafka", "my-cluster", "-n", "kafka", "--type=merge", "-p"].map(str::to_owned).into();
    words.push(paused);
    support::kubectl_words(&test, words).expect(0);
    // Waiting changes nothing about it, so it is certain even in its first second.
    let document = doctor(&mut test, &["--fix", "--yes"], 1);
    assert_eq!(verdicts(&document)["kafka.ready"], "failed KS-KAFKA-PAUSED");
    assert_eq!(fixes(&document), [""; 0]);
    let status = test.args(["status"]).run().stdout;
    let (before, after) = status.split_once("KS-KAFKA-PAUSED").expect("the finding");
    assert!(!before.contains("MAY RESOLVE ITSELF") && !after.contains("KS-KAFKA-PAUSED"), "{status}");
}

/// What up would reject with the same flags.
#[test]
fn settings_that_up_rejects_fail_in_doctor() {
    for (flag, value, check, id) in [
        ("--driver", "nonsense", "engine.driver", "KS-DRIVER"),
        ("--mirror", "nope", "network.mirror", "KS-DOWNLOAD-MIRROR"),
    ] {
        let mut test = support::fresh();
        let document = doctor(&mut test, &[flag, value], 1);
        assert_eq!(verdicts(&document)[check], format!("failed {id}"));
        let run = test.args(["up", flag, value, "-o", "json"]).run().expect(2);
        assert_eq!(support::failure(&run.json_lines()), id);
    }
    // Before the machine is created for it.
    let mut test = support::fresh();
    test.args(["up", "--mirror", "nope"]).run().expect(2);
    assert_eq!(support::written(&test), [""; 0]);
}

/// The smoke test at the end of up needs such a listener; an explicitly requested one fails because of it.
#[test]
fn a_kafka_cluster_for_users_only_cannot_be_tested() {
    let mut test = support::ready();
    let listeners = json!([{"name": "mtls", "port": 9093, "type": "internal", "tls": true,
        "authentication": {"type": "tls"}}]);
    let patch = json!({"spec": {"kafka": {"listeners": listeners}}}).to_string();
    support::kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
    support::until(&test, "the Kafka cluster is ready", |test| {
        let kafka = test.object(support::PROFILE, support::KAFKA);
        kafka["status"]["observedGeneration"] == kafka["metadata"]["generation"]
            && kafka["status"]["conditions"].to_string().contains(r#""type":"Ready""#)
    });
    let document = doctor(&mut test, &[], 0);
    assert_eq!(verdicts(&document)["kafka.smoke"], "warning KS-NO-PLAIN-LISTENER");
    let document = doctor(&mut test, &["--smoke"], 1);
    assert_eq!(verdicts(&document)["kafka.smoke"], "failed KS-NO-PLAIN-LISTENER");
    // `up` and the smoke test create a user for it, and delete it again.
    let lines = support::events(&mut test, ["up"], 0);
    assert!(lines.iter().any(|line| line["type"] == "smoke" && line["verified"] == 10), "{lines:#?}");
    support::kstrim(&mut test, ["smoke-test"]).expect(0);
    let user = "kafkausers.kafka.strimzi.io/kafka/kstrim-smoke-test";
    assert!(test.object(support::PROFILE, user).is_null());

    // Only an OAuth server can grant access to kstrim: reported, and everything else is done.
    let listeners = json!([{"name": "oauth", "port": 9093, "type": "internal", "tls": true,
        "authentication": {"type": "oauth"}}]);
    let patch = json!({"spec": {"kafka": {"listeners": listeners}}}).to_string();
    support::kubectl(&test, &format!("patch kafka my-cluster -n kafka --type=merge -p {patch}")).expect(0);
    let lines = support::events(&mut test, ["up"], 0);
    let warned = |line: &Value| {
        line["type"] == "warning" && line["message"].to_string().contains("no message was sent")
    };
    assert!(lines.iter().any(warned), "{lines:#?}");
    assert_eq!(support::failure(&support::events(&mut test, ["smoke-test"], 6)), "KS-NO-PLAIN-LISTENER");
}

/// A topic that was deliberately made unmanaged, and exists in the brokers: a warning, for both commands.
#[test]
fn an_unmanaged_topic_is_only_a_warning() {
    for annotation in ["strimzi.io/managed=false", "strimzi.io/pause-reconciliation=true"] {
        let mut test = support::ready();
        support::kubectl(&test, &format!("annotate kafkatopic my-topic -n kafka {annotation}")).expect(0);
        support::until(&test, "the topic operator has seen it", |test| {
            let topic = test.object(support::PROFILE, support::TOPIC);
            topic["status"]["conditions"][0]["type"] != "Ready"
        });
        let document = doctor(&mut test, &[], 0);
        assert_eq!(verdicts(&document)["kafka.topics"], "warning KS-RESOURCE-PAUSED");
        let lines = support::events(&mut test, ["up"], 0);
        let warning = lines.iter().find(|l| l["id"] == "KS-RESOURCE-PAUSED").expect("a warning");
        assert!(warning["message"].as_str().is_some_and(|m| m.contains(annotation)), "{warning}");
    }
}
