//! `kstrim produce` and `kstrim consume` as a user: with a certificate, with a password, and when the brokers deny
//! access.

use serde_json::json;

use crate::harness::{Run, Test};
use crate::support::{events, kstrim, ready};

const SECRETS: [&str; 2] = ["scram-password", "PRIVATE KEY"];

fn world_with(user: &[&str]) -> Test {
    let mut test = ready();
    let args = [&["user", "create", "app", "--prepare-kafka", "--yes"], user].concat();
    test.args(args).run().expect(0);
    test
}

fn produce(test: &mut Test, more: &[&str]) -> Run {
    test.stdin("hello\n");
    let run = test.args([&["produce", "my-topic", "--user", "app"], more].concat()).run();
    test.stdin("");
    run
}

fn refused(run: &Run, code: i32, id: &str, words: &str) {
    assert_eq!(run.code(), code, "{}", run.stderr);
    assert!(run.stderr.contains(id) && run.stderr.contains(words), "{}", run.stderr);
}

/// Messages are produced and consumed, and nothing secret is printed or passed to a program, with or without `-v`.
fn produces_and_consumes(test: &mut Test) {
    let run = produce(test, &["-v"]);
    assert_eq!(run.code(), 0, "{}", run.stderr);
    let read = ["consume", "my-topic", "--from-beginning", "-m", "1", "--timeout", "20s", "--user", "app"];
    assert_eq!(kstrim(test, read).expect(0).stdout, "hello\n");
    let calls = format!("{:?}", test.calls());
    for secret in SECRETS {
        assert!(!run.stderr.contains(secret) && !calls.contains(secret), "{secret}");
    }
}

/// Put another password into the user's secret, in base64.
fn password(test: &mut Test, encoded: &str) {
    let patch = json!({"data": {"password": encoded}}).to_string();
    let what = ["kubectl", "--", "patch", "secrets", "app", "-n", "kafka", "--type=merge", "-p", &patch];
    kstrim(test, what).expect(0);
}

#[test]
fn a_password_is_enough() {
    produces_and_consumes(&mut world_with(&["--authentication", "scram"]));
}

#[test]
fn a_certificate_is_enough() {
    produces_and_consumes(&mut world_with(&[]));
}

#[test]
fn a_user_without_a_matching_listener_gets_a_hint() {
    let mut test = ready();
    events(&mut test, ["user", "create", "app", "--authentication", "scram"], 0);
    let run = produce(&mut test, &[]);
    refused(&run, 3, "KS-USER-NO-LISTENER", "kstrim user create app --authentication scram --prepare-kafka");
    test.stdin("x\n");
    let run = test.args(["produce", "my-topic", "--user", "ap"]).run();
    refused(&run, 2, "KS-USER-UNKNOWN", "did you mean app?");
}

#[test]
fn a_wrong_password_is_distinguished_from_missing_permissions() {
    let mut test = world_with(&["--authentication", "scram"]);
    password(&mut test, "d3Jvbmc=");
    refused(&produce(&mut test, &[]), 1, "KS-LOGIN-REFUSED", "invalid credentials");
    password(&mut test, "c2NyYW0tcGFzc3dvcmQ=");
    // Kafka's codes for a topic that a user may not see, and may not write to.
    test.change_scenario(|s| s.broker = json!({"topic_error": 29}));
    refused(&produce(&mut test, &[]), 1, "KS-USER-DENIED", "--acl topic:my-topic:write");
    test.change_scenario(|s| s.broker = json!({"produce_error": 29}));
    refused(&produce(&mut test, &[]), 1, "KS-USER-DENIED", "could not be written");
    test.change_scenario(|s| s.broker = json!({"fetch_error": 29}));
    let read = ["consume", "my-topic", "--from-beginning", "--timeout", "5s", "--user", "app"];
    refused(&kstrim(&mut test, read), 1, "KS-USER-DENIED", "--acl topic:my-topic:read");
}

#[test]
fn an_expired_certificate_is_not_used() {
    let mut test = ready();
    test.change_scenario(|s| s.expired = vec!["strimzi".into()]);
    test.args(["user", "create", "app", "--prepare-kafka", "--yes"]).run().expect(0);
    refused(&produce(&mut test, &[]), 1, "KS-USER-CERTIFICATE-EXPIRED", "2021");
}
