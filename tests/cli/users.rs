//! `kstrim user`: users are created with credentials, shown without secrets, and deleted.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{
    KAFKA, PROFILE, apply_foreign, events, failure, kstrim, kubectl, ready, same, state, told, written,
};

fn key(user: &str) -> String {
    format!("kafkausers.kafka.strimzi.io/kafka/{user}")
}

fn json_of<const N: usize>(test: &mut Test, args: [&str; N]) -> Value {
    let mut all = args.to_vec();
    all.extend(["-o", "json"]);
    test.args(all).run().expect(0).json()
}

#[test]
fn a_user_is_created_shown_without_secrets_and_deleted() {
    let mut test = ready();
    let lines = events(&mut test, ["user", "create", "app", "--quota", "produce=1m"], 0);
    let warning = lines.iter().find(|l| l["type"] == "warning").expect("a warning");
    assert!(warning["message"].as_str().expect("text").contains("--prepare-kafka"), "{warning}");
    let object = test.object(PROFILE, &key("app"));
    assert_eq!(
        object["spec"],
        json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": 1_048_576}})
    );
    let list = json_of(&mut test, ["user", "list"]);
    assert_eq!((&list[0]["user"], &list[0]["ready"]), (&json!("app"), &json!(true)));
    assert_eq!(list[0]["principal"], "CN=app");
    let run = kstrim(&mut test, ["user", "show", "app"]).expect(0);
    assert!(run.stdout.contains("CN=app") && run.stdout.contains("no listener"), "{}", run.stdout);
    assert!(!run.stdout.contains("PRIVATE KEY"), "{}", run.stdout);
    // Nothing secret in any argument, nor in the output of -v.
    let run = kstrim(&mut test, ["user", "show", "app", "--reveal", "-v"]).expect(0);
    assert!(run.stdout.contains("--- user.key\n-----BEGIN PRIVATE KEY-----"), "{}", run.stdout);
    assert!(!run.stderr.contains("PRIVATE KEY") && !run.stderr.contains("p12-password"), "{}", run.stderr);
    let lines = events(&mut test, ["user", "delete", "app"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    events(&mut test, ["user", "delete", "app", "--yes"], 0);
    assert!(test.object(PROFILE, &key("app")).is_null());
    let run = kstrim(&mut test, ["user", "show", "app"]).expect(2);
    assert!(run.stderr.contains("KS-USER-UNKNOWN"), "{}", run.stderr);
}

#[test]
fn what_a_user_needs_is_added_to_the_kafka_resource_on_request() {
    let mut test = ready();
    let before = test.object(PROFILE, KAFKA)["spec"]["kafka"]["listeners"].as_array().map(Vec::len);
    let rule = "topic:orders:read,describe";
    let lines = events(&mut test, ["user", "create", "app", "--acl", rule], 3);
    assert_eq!(failure(&lines), "KS-USER-NO-AUTHORIZATION");
    assert_eq!(written(&test), Vec::<String>::new());
    let args =
        ["user", "create", "app", "--authentication", "scram", "--acl", rule, "--prepare-kafka", "--yes"];
    events(&mut test, args, 0);
    let kafka = test.object(PROFILE, KAFKA);
    let listeners = kafka["spec"]["kafka"]["listeners"].as_array().expect("listeners");
    assert_eq!(Some(listeners.len()), before.map(|n| n + 1), "the others stay");
    assert_eq!(listeners.last().expect("one")["authentication"], json!({"type": "scram-sha-512"}));
    assert_eq!(kafka["spec"]["kafka"]["authorization"]["superUsers"], json!(["ANONYMOUS"]));
    let shown = json_of(&mut test, ["user", "show", "app"]);
    assert_eq!(shown["acls"], json!([rule]));
    assert_eq!(shown["bootstrap"], "my-cluster-kafka-bootstrap.kafka.svc:9096");

    let run = kstrim(&mut test, ["user", "show", "app", "--export", "client"]).expect(0);
    assert!(!run.stdout.contains("scram-password"), "{}", run.stdout);
    let folder = test.work().join("client");
    let mode = |path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(folder.clone()), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).expect("a folder").flatten() {
        assert_eq!(mode(entry.path()), 0o600, "{}", entry.path().display());
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    assert_eq!(names, ["ca.crt", "client.properties"]);
    let text = fs::read_to_string(folder.join("client.properties")).expect("the file");
    assert!(text.contains("bootstrap.servers=my-cluster-kafka-bootstrap.kafka.svc:9096\n"), "{text}");
    assert!(text.contains("security.protocol=SASL_SSL\n") && text.contains("scram-password"), "{text}");
    // Again over its own, but not over foreign files.
    kstrim(&mut test, ["user", "show", "app", "--export", "client"]).expect(0);
    test.write("theirs/letter.txt", "dear");
    let run = kstrim(&mut test, ["user", "show", "app", "--export", "theirs"]).expect(2);
    assert!(run.stderr.contains("KS-EXPORT-NOT-EMPTY"), "{}", run.stderr);
}

#[test]
fn the_files_of_a_tls_user_can_be_read_by_clients() {
    let mut test = ready();
    events(&mut test, ["user", "create", "app", "--prepare-kafka", "--yes"], 0);
    kstrim(&mut test, ["user", "show", "app", "--export", "c"]).expect(0);
    let read = |name: &str| fs::read_to_string(test.work().join("c").join(name)).expect(name);
    let pem = read("user.pem");
    assert!(pem.contains("BEGIN PRIVATE KEY") && pem.contains("BEGIN CERTIFICATE"), "{pem}");
    assert_eq!(read("ca.crt"), include_str!("../fixtures/tls/ca.crt"));
    assert!(read("client.properties").contains("ssl.keystore.type=PEM\n"));
}

#[test]
fn an_existing_user_is_kept_and_other_settings_are_refused() {
    let mut test = ready();
    events(&mut test, ["user", "create", "app"], 0);
    let before = state(&test);
    events(&mut test, ["user", "create", "app"], 0);
    let lines = events(&mut test, ["user", "create", "app", "--authentication", "scram"], 2);
    assert_eq!(failure(&lines), "KS-USER-EXISTS");
    assert!(told(&lines).contains("it has tls, but scram-sha-512 was requested"), "{}", told(&lines));
    same(&before, &state(&test), "something was changed");
}

#[test]
fn invalid_values_are_rejected_with_valid_ones() {
    let mut test = ready();
    for (args, words) in [
        (["user", "create", "My_App", "-q"], "my-app"),
        (["user", "create", "app", "--acl=topic:orders"], "topic:orders:read"),
        (["user", "create", "app", "--acl=group:g:write"], "it supports read, describe"),
        (["user", "create", "app", "--quota=speed=1"], "produce, consume"),
    ] {
        let run = kstrim(&mut test, args).expect(2);
        assert!(run.stderr.contains(words), "{words}: {}", run.stderr);
    }
}

#[test]
fn users_without_credentials_are_reported_immediately() {
    let mut test = ready();
    for (name, spec) in [
        ("outside", json!({"authentication": {"type": "tls-external"}})),
        ("nobody-in-particular", json!({})),
    ] {
        let metadata =
            json!({"name": name, "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}});
        let user = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser", "metadata": metadata, "spec": spec});
        let file = test.write("user.json", user.to_string()).display().to_string();
        test.args(["kubectl", "--", "apply", "-f", &file]).run().expect(0);
        let folder = test.work().join("export").display().to_string();
        for args in [&["--export", folder.as_str()][..], &["--reveal"]] {
            let run =
                test.args(["user", "show", name].into_iter().chain(args.iter().copied())).run().expect(2);
            assert!(run.stderr.contains("KS-USER-CREDENTIALS"), "{name}: {}", run.stderr);
        }
        assert!(!std::path::Path::new(&folder).exists());
        let shown = kstrim(&mut test, ["user", "show", name]).expect(0).stdout;
        let secret = shown.lines().find(|line| line.starts_with("Secret")).expect("a line");
        assert!(secret.contains("none: "), "{shown}");
    }
}

fn theirs(name: &str, labels: Value) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": name, "namespace": "kafka", "labels": labels},
        "spec": {"authentication": {"type": "tls"}}})
}

/// No user operator manages a KafkaUser without the label: waiting would be in vain.
#[test]
fn an_unmanaged_user_is_reported_immediately() {
    let mut test = ready();
    apply_foreign(&test, &[theirs("stray", json!({}))]);
    let hint = "label --overwrite kafkauser stray strimzi.io/cluster=my-cluster -n kafka";
    let lines = events(&mut test, ["user", "create", "stray", "--timeout", "20s"], 1);
    assert_eq!(failure(&lines), "KS-USER-LABEL");
    assert!(told(&lines).contains(hint), "{}", told(&lines));
    for args in [&["user", "show", "stray", "--export", "d"][..], &["user", "show", "stray", "--reveal"]] {
        let run = test.args(args.iter().copied()).run().expect(1);
        assert!(
            run.stderr.contains("KS-USER-LABEL") && run.stderr.contains(hint),
            "{args:?}: {}",
            run.stderr
        );
    }
    for args in ["status", "doctor"] {
        let text = test.args([args]).run().expect(0).stdout;
        assert!(text.contains("KS-USER-LABEL"), "{args}: {text}");
    }
    kubectl(&test, "label --overwrite kafkauser stray strimzi.io/cluster=my-cluster -n kafka").expect(0);
    events(&mut test, ["user", "create", "stray"], 0);
}

/// A paused user gets credentials only after the pause is removed.
#[test]
fn a_paused_user_is_not_reported_as_in_progress() {
    let mut test = ready();
    let mut user = theirs("paused", json!({"strimzi.io/cluster": "my-cluster"}));
    user["metadata"]["annotations"] = json!({"strimzi.io/pause-reconciliation": "true"});
    apply_foreign(&test, &[user]);
    kubectl(&test, "wait kafkauser/paused -n kafka --for=condition=ReconciliationPaused --timeout=10s")
        .expect(0);
    for args in [&["user", "list"][..], &["user", "show", "paused"]] {
        let text = test.args(args.iter().copied()).run().expect(0).stdout;
        assert!(text.contains("paused:") && !text.contains("is reconciling it"), "{args:?}: {text}");
    }
    let run = kstrim(&mut test, ["user", "show", "paused", "--reveal"]).expect(1);
    assert!(run.stderr.contains("KS-RESOURCE-PAUSED"), "{}", run.stderr);
}
