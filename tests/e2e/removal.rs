//! `kstrim down`, as far as it is asked to go.

use crate::ground::{Ground, of_tests, profile};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn keep_data_keeps_messages_for_the_next_up() {
    let ground = Ground::with_kafka("removal::keep_data_keeps_messages_for_the_next_up");
    let written = ["smoke-test", "-o", "json", "--topic", "kept", "--keep", "--messages", "25"];
    let run = ground.kstrim(&written).expect(0);
    assert_eq!(run.events().of("smoke").next().expect("a smoke event")["verified"], 25, "{run}");
    let claims = || ground.kubectl(&["get", "pvc", "-n", "kafka", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let (before, volumes) = (messages(&ground), claims());
    assert_eq!(before.len(), 25, "the test would prove nothing: {before:?}");

    let run = ground.kstrim(&["down", "--keep-data", "--yes", "-o", "json"]).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    assert_eq!(claims(), volumes);
    let kafkas = ground.kstrim(&["kubectl", "--", "get", "kafka", "-n", "kafka"]);
    assert!(kafkas.code() != 0 || kafkas.stdout.is_empty(), "{kafkas}");

    ground.up_succeeds(&[]).events().verified(10);
    assert_eq!(claims(), volumes, "the new Kafka has other volumes");
    assert_eq!(messages(&ground), before);
}

/// What is in the topic `kept`, read by Kafka's own consumer.
fn messages(ground: &Ground) -> Vec<String> {
    let script = "bin/kafka-console-consumer.sh --bootstrap-server my-cluster-kafka-bootstrap:9092 --topic kept \
        --from-beginning --max-messages 25 --timeout-ms 15000 2>/dev/null || true";
    let words = ["exec", "-n", "kafka", "my-cluster-dual-role-0", "-c", "kafka", "--", "bash", "-c", script];
    let mut lines: Vec<String> = ground.kubectl(&words).lines().map(str::to_owned).collect();
    lines.sort();
    lines
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn whole_profile_goes_and_nothing_else() {
    let ground = Ground::with_kafka("removal::whole_profile_goes_and_nothing_else");
    // Without a terminal and without --yes nothing is deleted.
    let refused = ground.kstrim(&["down", "-o", "json"]).expect(2);
    assert_eq!(refused.events().failure().0, "KS-CONSENT", "{refused}");
    ground.kubectl(&["get", "kafka", "my-cluster", "-n", "kafka"]);
    let others = |ground: &Ground| {
        let all = ground.run("docker", &["ps", "-a", "--format", "{{.Names}}"]).expect(0).stdout;
        let mut names: Vec<String> = all.lines().filter(|n| !of_tests(n)).map(str::to_owned).collect();
        names.sort();
        names
    };
    let before = others(&ground);

    let run = ground.kstrim(&["down", "--yes", "-o", "json"]).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    let listed = ground.run("minikube", &["profile", "list", "--light", "-o", "json"]);
    assert!(!listed.stdout.contains(&format!("\"{}\"", profile())), "{listed}");
    for (what, words) in [
        ("container", &["ps", "-a", "--format", "{{.Names}}"][..]),
        ("volume", &["volume", "ls", "--format", "{{.Name}}"]),
        ("network", &["network", "ls", "--format", "{{.Name}}"]),
    ] {
        let names = ground.run("docker", words).expect(0).stdout;
        assert!(!names.lines().any(|n| n == profile()), "the {what} {} is left: {names}", profile());
    }
    assert_eq!(others(&ground), before, "containers of others changed");
    assert_eq!(ground.processes(), Vec::<String>::new());
    assert!(!ground.profile_state().join("kubeconfig").exists());

    // Again: already gone is success; and verbs that need a cluster say so.
    let again = ground.kstrim(&["down", "--yes", "-o", "json"]).expect(0);
    assert_eq!(again.events().task("profile").0, "already_done", "{again}");
    let run = ground.kstrim(&["smoke-test", "-o", "json"]).expect(3);
    assert_eq!(run.events().failure().0, "KS-NO-CLUSTER", "{run}");
}
