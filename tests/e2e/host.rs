//! Users with ACLs on a real broker, and programs on this machine. One cluster for both, restored afterwards.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::ground::{Ground, within};

/// A shell command in which `kstrim` is the binary under test.
fn shell(ground: &Ground, script: &str) -> crate::run::Run {
    ground.run("sh", &["-c", &format!("kstrim() {{ '{}' \"$@\"; }}; {script}", env!("CARGO_BIN_EXE_kstrim"))])
}

/// Two users: one may write to the topic and read it, the other may read it and write to its own topic.
fn users(ground: &Ground) {
    for topic in ["host-orders", "host-own"] {
        ground.kstrim(&["topic", "create", topic, "--partitions", "2"]).expect(0);
    }
    let scram = ["user", "create", "host-scram", "--authentication", "scram", "--prepare-kafka", "--yes"];
    let rules = ["--acl", "topic:host-orders:read,write,delete", "--acl", "group:host-group:read"];
    ground.kstrim(&[&scram[..], &rules, &["--quota", "produce=4m"]].concat()).expect(0);
    let tls = ["user", "create", "host-tls", "--prepare-kafka", "--yes"];
    let rules = ["--acl", "topic:host-orders:read", "--acl", "topic:host-own:read,write,delete"];
    ground.kstrim(&[&tls[..], &rules].concat()).expect(0);
}

/// Remove everything, so that the next test finds the preset's Kafka resource: what kstrim prepared for users by
/// hand, the listeners for this machine by kstrim, which waits for the broker that restarts for both.
fn clean(ground: &Ground) {
    for user in ["host-scram", "host-tls"] {
        ground.kstrim(&["user", "delete", user, "--yes"]).expect(0);
    }
    for topic in ["host-orders", "host-own"] {
        ground.kstrim(&["topic", "delete", topic, "--yes"]).expect(0);
    }
    let listeners = || -> Vec<Value> {
        let kafka = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
        kafka["spec"]["kafka"]["listeners"].as_array().cloned().unwrap_or_default()
    };
    let prepared = |l: &Value| l["type"] == "internal" && !l["authentication"].is_null();
    let stay: Vec<Value> = listeners().into_iter().filter(|l| !prepared(l)).collect();
    let patch =
        serde_json::json!({"spec": {"kafka": {"listeners": stay, "authorization": null}}}).to_string();
    ground.kubectl(&["patch", "kafka", "my-cluster", "-n", "kafka", "--type=merge", "-p", &patch]);
    ground.kstrim(&["connect", "--remove", "--yes"]).expect(0);
    let (after, left) = (listeners(), |l: &Value| l["type"] != "internal" || !l["authentication"].is_null());
    assert!(!after.iter().any(left), "{after:?}");
}

/// Another program that uses a snippet unchanged: librdkafka in Python, from the operator's image, on this machine's
/// network.
fn python(ground: &Ground, snippet: &str, topic: &str, secret: &str) -> crate::run::Run {
    let script = format!(
        "import os, sys\nsys.path.insert(0, '/opt/strimzi/lib')\nfrom confluent_kafka import Consumer, Producer\n\
         {snippet}\nproducer = Producer(conf)\n\
         for n in range(20): producer.produce({topic:?}, str(n), key=str(n))\n\
         assert producer.flush(60) == 0, 'not all was acknowledged'\n\
         consumer = Consumer(conf | {{'group.id': 'host-group', 'auto.offset.reset': 'earliest'}})\n\
         consumer.subscribe([{topic:?}])\nseen = set()\n\
         while len(seen) < 20:\n    message = consumer.poll(60)\n    assert message is not None, seen\n    \
         assert not message.error(), message.error()\n    seen.add(message.key())\nconsumer.close()\nprint('all')\n"
    );
    let file = ground.file("client.py");
    std::fs::write(&file, script).expect("a script");
    let folder = file.parent().expect("a folder").display().to_string();
    // As root: only its owner can read the export.
    let run = format!("docker run --rm --network host --user 0 -e KAFKA_PASSWORD -v {folder}:{folder}:ro");
    let image = "quay.io/strimzi/operator:1.2.0";
    shell(ground, &format!("export {secret}; {run} {image} python3 {}", file.display()))
}

/// Wait until a running command has printed its document.
fn document(running: &crate::run::Running) -> Value {
    let end = Instant::now() + Duration::from_secs(240);
    loop {
        if let Ok(document) = running.stdout_so_far().parse() {
            return document;
        }
        assert!(Instant::now() < end, "no document: {}", running.stdout_so_far());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn users_and_programs_come_as_far_as_they_may() {
    let ground = Ground::with_kafka("host::users_and_programs_come_as_far_as_they_may");
    users(&ground);
    // By their own names, through the cluster.
    shell(&ground, "seq 5 | kstrim produce host-orders --user host-scram").expect(0);
    let read =
        ["consume", "host-orders", "--from-beginning", "-m", "5", "--timeout", "30s", "--user", "host-tls"];
    let run = ground.kstrim(&read).expect(0);
    assert_eq!(run.stdout.lines().count(), 5, "{run}");
    let run = shell(&ground, "echo no | kstrim produce host-orders --user host-tls").expect(1);
    assert!(run.stderr.contains("KS-USER-DENIED"), "{run}");
    let run = ground.kstrim(&["consume", "my-topic", "--timeout", "30s", "--user", "host-tls"]).expect(1);
    assert!(run.stderr.contains("KS-USER-DENIED"), "{run}");
    // By the advertised addresses: anonymous, with a certificate, with a password.
    let plain = ground.kstrim(&["connect", "--check", "--yes", "-o", "json"]).expect(0).json();
    assert_eq!((&plain["bootstrap"], &plain["checked"]["messages"]), (&"127.0.0.1:9094".into(), &10.into()));
    ground.kstrim(&["connect", "--check", "--yes", "--user", "host-tls", "--topic", "host-own"]).expect(0);
    let scram = ["connect", "--yes", "--user", "host-scram"];
    ground.kstrim(&[&scram[..], &["--check", "--topic", "host-orders"]].concat()).expect(0);
    // Another program, while a broker restarts.
    let folder = ground.file("client").display().to_string();
    let way = ground.kstrim_beside(&[&scram[..], &["-o", "json", "--export", &folder]].concat());
    let snippet = document(&way)["snippets"]["python"].as_str().expect("text").to_owned();
    let secret = "KAFKA_PASSWORD=\"$(kstrim user show host-scram --reveal -o json | \
                  python3 -c 'import json,sys; print(json.load(sys.stdin)[\"secrets\"][\"password\"])')\"";
    ground.kubectl(&["delete", "pod", "my-cluster-dual-role-0", "-n", "kafka", "--wait=false"]);
    let run = python(&ground, &snippet, "host-orders", secret).expect(0);
    assert!(run.stdout.contains("all"), "{run}");
    let run = way.kill();
    assert!(run.stderr.contains("broker 0 is available again"), "{run}");
    // Last, since it breaks the user. Its operator would restore the password in Kafka.
    let pause = "strimzi.io/pause-reconciliation=true";
    ground.kubectl(&["annotate", "kafkauser", "host-scram", "-n", "kafka", pause]);
    within(Duration::from_secs(60), "the user's operator pauses", || {
        let user = ground.kubectl_json(&["get", "kafkauser", "host-scram", "-n", "kafka"]);
        let conditions = user["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let paused = conditions.iter().any(|c| c["type"] == "ReconciliationPaused");
        if paused { Ok(()) } else { Err(user["status"].to_string()) }
    });
    let wrong = r#"{"data":{"password":"d3Jvbmc="}}"#;
    ground.kubectl(&["patch", "secret", "host-scram", "-n", "kafka", "--type=merge", "-p", wrong]);
    let run = shell(&ground, "echo no | kstrim produce host-orders --user host-scram").expect(1);
    assert!(run.stderr.contains("KS-LOGIN-REFUSED") && run.stderr.contains("invalid credentials"), "{run}");
    clean(&ground);
}
