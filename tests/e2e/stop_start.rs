//! `kstrim stop` and `kstrim start` on a real machine: brokers shut down cleanly, everything is there again.

use std::time::Duration;

use crate::ground::{Ground, profile, within};

const POD: &str = "my-cluster-dual-role-0";

/// The broker's log of its present run.
fn broker_log(ground: &Ground) -> String {
    ground.kubectl(&["logs", "-n", "kafka", POD, "-c", "kafka"])
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn messages_topics_users_and_port_forwards_survive() {
    let ground = Ground::with_kafka("stop_start::messages_topics_users_and_port_forwards_survive");
    ground.kstrim(&["topic", "create", "rest-orders", "--partitions", "2"]).expect(0);
    ground.kstrim(&["user", "create", "rest-app", "--prepare-kafka", "--yes"]).expect(0);
    let lines = (0..1000).map(|n| format!("message {n}\n")).collect::<String>();
    let script = format!("'{}' produce rest-orders < \"$0\"", env!("CARGO_BIN_EXE_kstrim"));
    let file = ground.write("rest-messages.txt", &lines);
    ground.run("sh", &["-c", &script, &file]).expect(0);
    // A port-forward that somebody keeps open meanwhile.
    ground.kstrim(&["connect", "--check", "--yes"]).expect(0);
    let mut connect = ground.kstrim_beside(&["connect", "-o", "json"]);
    within(Duration::from_secs(60), "the port-forward is open", || {
        let seen = connect.stdout_so_far();
        if seen.contains("\"bootstrap\"") { Ok(()) } else { Err(seen) }
    });
    let users = |ground: &Ground| ground.kstrim(&["user", "list", "-o", "json"]).expect(0).json().to_string();
    let before = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);

    let run = ground.kstrim(&["stop", "-o", "json"]).expect(0);
    let events = run.events();
    assert!(events.of("warning").next().is_none(), "{run}");
    assert_eq!((events.task("brokers").0, events.task("machine").0), ("done", "done"), "{run}");
    let status = ground.kstrim(&["status", "-o", "json"]).expect(0).json();
    assert_eq!(status["profile"]["state"], "stopped", "{status}");
    assert!(status["profile"]["since"].is_string(), "{status}");
    ground.kstrim(&["stop"]).expect(0);

    let run = ground.kstrim(&["start", "-o", "json", "--minikube-arg=--force"]).expect(0);
    println!("start took {:?}", run.took);
    run.events().verified(10);
    let log = broker_log(&ground);
    // `Skipping recovery of N logs from DIR since clean shutdown file was found`.
    assert!(
        log.contains("clean shutdown file was found"),
        "no clean shutdown in the log of {}: {log}",
        profile()
    );
    let after = ground.kubectl_json(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    assert_eq!(after["metadata"]["generation"], before["metadata"]["generation"]);
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
    let words = ["consume", "rest-orders", "--from-beginning", "-m", "1000", "--timeout", "60s"];
    let consumed = ground.kstrim(&words).expect(0);
    assert_eq!(consumed.stdout.lines().count(), 1000);
    assert!(users(&ground).contains("rest-app"));
    // The same port-forward, on the same port.
    within(Duration::from_secs(60), "the port-forward is open again", || {
        assert!(!connect.ended(), "connect ended");
        match std::net::TcpStream::connect("127.0.0.1:9094") {
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        }
    });
    connect.kill();

    ground.kstrim(&["topic", "delete", "rest-orders", "--yes"]).expect(0);
    ground.kstrim(&["user", "delete", "rest-app", "--yes"]).expect(0);
    ground.kstrim(&["connect", "--remove", "--yes"]).expect(0);
}

/// Where the machine has a freezer, it is paused; where it has none, that is told, and everything runs on.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_pause_is_whole_or_not_at_all() {
    let ground = Ground::with_kafka("stop_start::a_pause_is_whole_or_not_at_all");
    let run = ground.kstrim(&["pause", "-o", "json"]);
    let state = ground.kstrim(&["status", "-o", "json"]).expect(0).json()["profile"]["state"].clone();
    if run.code() == 0 {
        assert_eq!(state, "paused", "{run}");
        ground.kstrim(&["unpause", "-o", "json"]).expect(0).events().verified(10);
    } else {
        assert_eq!(run.events().failure().0, "KS-PROFILE-PAUSE", "{run}");
        assert_eq!(state, "running", "{run}");
        ground.kstrim(&["smoke-test", "-o", "json"]).expect(0).events().verified(10);
    }
}
