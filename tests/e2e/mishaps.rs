//! Changes of a running cluster without kstrim.

use std::time::Duration;

use crate::ground::{Ground, profile, within};

const POD: &str = "my-cluster-dual-role-0";

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_broker_that_is_killed_during_a_smoke_test() {
    let ground = Ground::with_kafka("mishaps::a_broker_that_is_killed_during_a_smoke_test");
    // Enough that the test still runs when the broker is deleted; a busy machine sends a thousand a second.
    let words = ["smoke-test", "-o", "json", "--messages", "60000", "--size", "1000", "--timeout", "150s"];
    let mut test = ground.kstrim_beside(&words);
    within(Duration::from_secs(30), "the smoke test sends", || {
        assert!(!test.ended(), "the smoke test ended before the broker was killed");
        let seen = test.stdout_so_far();
        if seen.contains("\"sending\"") { Ok(()) } else { Err(seen) }
    });
    ground.kubectl(&["delete", "pod", POD, "-n", "kafka", "--grace-period=0", "--force"]);
    let run = test.finish(Duration::from_secs(240));
    let events = run.events();
    if run.code() == 0 {
        // It waited until the broker was back; then every message must exist.
        events.verified(60_000);
    } else {
        let (id, failure) = events.failure();
        assert!(matches!(run.code(), 4 | 6) && id.starts_with("KS-SMOKE-"), "{failure}");
    }
    // `up` waits for the broker, and then messages are delivered again.
    ground.up_succeeds(&[]).events().verified(10);
    ground.kstrim(&["smoke-test", "-o", "json"]).expect(0).events().verified(10);
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn an_api_server_that_stops_and_starts() {
    let ground = Ground::with_kafka("mishaps::an_api_server_that_stops_and_starts");
    let manifest = "/etc/kubernetes/manifests/kube-apiserver.yaml";
    let aside = "/etc/kubernetes/kube-apiserver.yaml";
    ground.in_node(&format!("mv {manifest} {aside}"));
    within(Duration::from_secs(90), "the API server is gone", || {
        let ready = ground.kstrim(&["kubectl", "--", "get", "--raw", "/readyz", "--request-timeout=3s"]);
        if ready.code() == 0 { Err("it answers".to_owned()) } else { Ok(()) }
    });

    let run = ground.kstrim(&["smoke-test", "-o", "json"]).expect(3);
    assert!(run.took < Duration::from_secs(60), "{run}");
    assert_eq!(run.events().failure().0, "KS-NO-CLUSTER", "{run}");

    ground.in_node(&format!("mv {aside} {manifest}"));
    ground.up_succeeds(&[]).events().verified(10);
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_node_that_was_removed_is_created_again_with_consent() {
    let ground = Ground::with_kafka("mishaps::a_node_that_was_removed_is_created_again_with_consent");
    ground.run("docker", &["rm", "-f", profile()]).expect(0);
    let run = ground.up(&[]).finish(Duration::from_secs(120)).expect(2);
    assert_eq!(run.events().failure().0, "KS-PROFILE-GONE", "{run}");
    let run = ground.up_succeeds(&["--recreate"]);
    let events = run.events();
    assert_eq!(events.task("cluster").0, "done", "{run}");
    assert_eq!(events.task("kafka").0, "done", "{run}");
    events.verified(10);
    // It is created with the same settings as the first time.
    let listed = ground.run("minikube", &["profile", "list", "--light", "-o", "json"]).expect(0).json();
    let valid = listed["valid"].as_array().expect("profiles");
    let config = &valid.iter().find(|p| p["Name"] == profile()).expect("our profile")["Config"];
    assert_eq!((config["Memory"].as_u64(), config["CPUs"].as_u64()), (Some(4096), Some(2)), "{config}");
    assert!(
        events.of("warning").any(|w| w["message"].as_str().is_some_and(|m| m.contains("is re-created"))),
        "nobody was told that the machine was gone: {run}"
    );
}
