//! `kstrim connect`: a listener for programs on this machine, and its port-forwards.

use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::harness::{Run, Test};
use crate::support::{KAFKA, PROFILE, events, kstrim, ready, written};

/// A port that is free now.
fn port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("its address").port().to_string()
}

fn listeners(test: &Test) -> Vec<Value> {
    let kafka = test.object(PROFILE, KAFKA);
    kafka["spec"]["kafka"]["listeners"].as_array().cloned().unwrap_or_default()
}

fn refused(run: &Run, code: i32, id: &str, words: &str) {
    assert_eq!(run.code(), code, "{}", run.stderr);
    assert!(run.stderr.contains(id) && run.stderr.contains(words), "{}", run.stderr);
}

#[test]
fn the_listener_is_added_once_tested_and_removed() {
    let mut test = ready();
    let before = listeners(&test);
    let port = port();
    let check = ["connect", "--check", "--yes", "--port", &port, "-o", "json"];
    let run = kstrim(&mut test, check).expect(0);
    assert!(run.stderr.contains("this restarts broker 0"), "{}", run.stderr);
    let way = run.json();
    assert_eq!(way["bootstrap"], format!("127.0.0.1:{port}"));
    assert_eq!((&way["security_protocol"], &way["listener"]), (&json!("PLAINTEXT"), &json!("host")));
    assert_eq!((&way["checked"]["messages"], &way["brokers"][0]["id"]), (&json!(10), &json!(0)));
    let added = listeners(&test)[before.len()].clone();
    let number: u16 = port.parse().expect("a number");
    let own = json!([{"broker": 0, "advertisedHost": "127.0.0.1", "advertisedPort": number}]);
    assert_eq!((&added["type"], &added["configuration"]["brokers"]), (&json!("internal"), &own));
    // Again, with its ports: nothing to change, no prompt.
    let earlier = written(&test).len();
    let again = kstrim(&mut test, ["connect", "--check", "-o", "json"]).expect(0).json();
    assert_eq!((again["bootstrap"].clone(), written(&test).len()), (way["bootstrap"].clone(), earlier));
    // The other commands keep using the internal listener.
    test.stdin("x\n");
    kstrim(&mut test, ["produce", "my-topic"]).expect(0);
    test.stdin("");
    refused(&kstrim(&mut test, ["connect", "--remove"]), 2, "KS-CONSENT", "connect --remove --yes");
    kstrim(&mut test, ["connect", "--remove", "--yes"]).expect(0);
    assert_eq!(listeners(&test), before);
    let run = kstrim(&mut test, ["connect", "--remove"]).expect(0);
    assert!(run.stderr.contains("has no listener for this machine"), "{}", run.stderr);
}

#[test]
fn nothing_is_changed_without_consent_a_free_port_or_a_free_name() {
    let mut test = ready();
    let before = listeners(&test);
    let free = port();
    let run = kstrim(&mut test, ["connect", "--port", &free]);
    refused(&run, 2, "KS-CONSENT", &format!("kstrim connect --port {free} --yes"));
    let held = TcpListener::bind("127.0.0.1:0").expect("a port");
    let taken = held.local_addr().expect("its address").port().to_string();
    let run = kstrim(&mut test, ["connect", "--yes", "--port", &taken]);
    refused(&run, 3, "KS-CONNECT-PORT", &format!("127.0.0.1:{taken}"));
    let run = kstrim(&mut test, ["connect", "--yes", "--user", "nobody"]);
    refused(&run, 2, "KS-USER-UNKNOWN", "nobody");
    assert_eq!(listeners(&test), before);
    let theirs = json!({"name": "host", "port": 9094, "type": "nodeport", "tls": false});
    let mut all = before.clone();
    all.push(theirs);
    let patch = json!({"spec": {"kafka": {"listeners": all}}}).to_string();
    let what =
        ["kubectl", "--", "patch", "kafkas.kafka.strimzi.io", "my-cluster", "-n", "kafka", "--type=merge"];
    test.args([&what[..], &["-p", &patch]].concat()).run().expect(0);
    let run = kstrim(&mut test, ["connect", "--yes", "--port", &free]);
    refused(&run, 5, "KS-CONNECT-LISTENER", "kstrim did not create");
}

#[test]
fn users_connect_with_certificates_and_passwords() {
    let mut test = ready();
    events(&mut test, ["user", "create", "app"], 0);
    events(&mut test, ["user", "create", "pass", "--authentication", "scram"], 0);
    for (user, protocol, folder) in [("app", "SSL", "a"), ("pass", "SASL_SSL", "p")] {
        let port = port();
        let args = [
            "connect", "--check", "--yes", "--user", user, "--export", folder, "--port", &port, "-o", "json",
        ];
        let run = kstrim(&mut test, args).expect(0);
        let way = run.json();
        assert_eq!((&way["security_protocol"], &way["checked"]["messages"]), (&json!(protocol), &json!(10)));
        for secret in ["scram-password", "PRIVATE KEY"] {
            assert!(!run.stdout.contains(secret) && !run.stderr.contains(secret), "{}", run.stdout);
        }
        let file = test.work().join(folder).join("client.properties");
        let text = std::fs::read_to_string(file).expect("the file");
        assert!(
            text.contains(&format!("bootstrap.servers=127.0.0.1:{port}\nsecurity.protocol={protocol}\n")),
            "{text}"
        );
        let ca = test.work().join(folder).join("ca.crt").canonicalize().expect("the file");
        assert!(way["snippets"]["python"].as_str().expect("text").contains(&ca.display().to_string()));
    }
    let last = listeners(&test).pop().expect("one");
    assert_eq!(last["authentication"]["type"], "scram-sha-512");
    // Missing permissions are reported.
    test.change_scenario(|s| s.broker = json!({"topic_error": 29}));
    let run = kstrim(&mut test, ["connect", "--check", "--user", "pass"]);
    refused(&run, 1, "KS-USER-DENIED", "--acl topic:my-topic:read,write");
    // It sees the topic, but may not write to it.
    test.change_scenario(|s| s.broker = json!({"produce_error": 29}));
    let run = kstrim(&mut test, ["connect", "--check", "--user", "pass"]);
    refused(&run, 1, "KS-USER-DENIED", "--acl topic:my-topic:read,write");
}

#[test]
fn new_brokers_have_an_address_before_they_start() {
    let mut test = ready();
    let port = port();
    kstrim(&mut test, ["connect", "--check", "--yes", "--port", &port]).expect(0);
    events(&mut test, ["scale", "--brokers", "3"], 0);
    let host = listeners(&test).into_iter().find(|l| l["name"] == "host").expect("the listener");
    let ids: Vec<&Value> =
        host["configuration"]["brokers"].as_array().expect("brokers").iter().map(|b| &b["broker"]).collect();
    assert_eq!(ids, [0, 1, 2]);
}

/// The lines of a child process until one contains these words.
fn until(lines: &mut impl Iterator<Item = std::io::Result<String>>, words: &str) {
    let mut seen = String::new();
    for line in lines.by_ref() {
        let line = line.expect("text");
        if line.contains(words) {
            return;
        }
        seen += &line;
        seen += "\n";
    }
    panic!("no line with {words:?}: {seen}");
}

#[test]
fn it_stays_open_while_a_broker_restarts_and_ends_cleanly() {
    let mut test = ready();
    let mut command = test.args(["connect", "--yes", "--port", &port(), "-o", "json"]).kstrim();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child: Child = command.spawn().expect("it starts");
    let mut said = BufReader::new(child.stderr.take().expect("stderr")).lines();
    until(&mut said, "open until Ctrl-C");
    kstrim(&mut test, ["kubectl", "--", "delete", "pod", "my-cluster-dual-role-0", "-n", "kafka"]).expect(0);
    until(&mut said, "broker 0 is unavailable");
    until(&mut said, "broker 0 is available again");
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("an id")).expect("an id");
    kill_process(pid, Signal::INT).expect("it runs");
    until(&mut said, "kstrim connect --remove");
    assert_eq!(child.wait().expect("it ends").code(), Some(130));
    let mut text = String::new();
    child.stdout.take().expect("stdout").read_to_string(&mut text).expect("text");
    let way: Value = serde_json::from_str(&text).expect("one document");
    assert!(way["checked"].is_null() && way["brokers"][0]["pod"] == "my-cluster-dual-role-0", "{way}");
    assert_eq!(test.leftovers(), []);
}
