//! What `kstrim down --keep-data` keeps.

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn messages_are_there_for_the_next_up() {
    let ground = Ground::with_kafka("keep_data::messages_are_there_for_the_next_up");
    let written = ["smoke-test", "-o", "json", "--topic", "kept", "--keep", "--messages", "25"];
    let run = ground.kstrim(&written).expect(0);
    assert_eq!(run.events().of("smoke").next().expect("a smoke event")["verified"], 25, "{run}");
    let claims = || {
        let labelled = ["get", "pvc", "-n", "kafka", "-l", "strimzi.io/cluster=my-cluster"];
        ground.kubectl(&[&labelled[..], &["-o", "jsonpath={.items[*].metadata.uid}"]].concat())
    };
    let (before, volumes) = (messages(&ground), claims());
    assert_eq!(before.len(), 25, "the test would prove nothing: {before:?}");

    let run = ground.kstrim(&["down", "--keep-data", "--yes", "-o", "json"]).expect(0);
    assert_eq!(run.events().finished()["outcome"], "done", "{run}");
    assert_eq!(claims(), volumes);
    let kafkas = ground.kstrim(&["kubectl", "--", "get", "kafka", "-n", "kafka"]);
    assert!(kafkas.code() != 0 || kafkas.stdout.is_empty(), "{kafkas}");

    // The namespace is kept, with nothing in it but the data: no keys, no Services.
    let left =
        ["get", "secrets,services,configmaps,serviceaccounts,leases,pods", "-n", "kafka", "-o", "name"];
    let left = ground.kubectl(&left);
    let expected = ["configmap/kube-root-ca.crt", "configmap/kstrim-installation", "serviceaccount/default"];
    let others: Vec<&str> = left.lines().filter(|line| !expected.contains(line)).collect();
    assert!(others.is_empty(), "{others:?}");

    ground.up_succeeds(&[]).events().verified(10);
    assert_eq!(claims(), volumes, "the new Kafka cluster has other volumes");
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
