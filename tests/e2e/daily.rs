//! Commands that examine or use a running cluster.

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn smoke_test_sends_and_reads_what_it_was_asked_to() {
    let ground = Ground::with_kafka("daily::smoke_test_sends_and_reads_what_it_was_asked_to");
    let run = ground.kstrim(&["smoke-test", "-o", "json", "--messages", "500", "--size", "1000"]).expect(0);
    run.events().verified(500);
    assert_eq!(run.events().finished()["outcome"], "done");
    // It left nothing, or names what it left: records between foreign ones cannot be deleted.
    let left = run.events().of("smoke").next().expect("a smoke event")["left_behind"].clone();
    assert!(left.is_null() || left.to_string().contains("among records of others"), "{left}");
    // A missing topic is created for the test, and deleted after it.
    let run = ground.kstrim(&["smoke-test", "-o", "json", "--topic", "passing"]).expect(0);
    run.events().verified(10);
    let topics = ground.kubectl(&["get", "kafkatopic", "-n", "kafka", "-o", "name"]);
    assert!(!topics.contains("passing"), "{topics}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn smoke_test_without_its_kafka_says_so() {
    let ground = Ground::with_kafka("daily::smoke_test_without_its_kafka_says_so");
    let run = ground.kstrim(&["smoke-test", "-o", "json", "--cluster", "nobody"]).expect(3);
    assert_eq!(run.events().failure().0, "KS-NO-CLUSTER", "{run}");
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn plan_finds_nothing_to_do() {
    let ground = Ground::with_kafka("daily::plan_finds_nothing_to_do");
    assert_eq!(ground.to_do(), Some(vec![]));
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn status_shows_what_is_there() {
    let ground = Ground::with_kafka("daily::status_shows_what_is_there");
    let status = ground.kstrim(&["status", "-o", "json"]).expect(0).json().to_string();
    for word in ["my-cluster-dual-role-0", "my-topic", "my-cluster-kafka-bootstrap.kafka.svc:9092"] {
        assert!(status.contains(word), "{word} is not in {status}");
    }
}

/// The API server itself, with Strimzi's CRDs, accepts every rendered object.
#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn rendered_manifests_are_accepted_by_the_api_server() {
    let ground = Ground::with_kafka("daily::rendered_manifests_are_accepted_by_the_api_server");
    let sources = ground.sources();
    for preset in ["single", "ephemeral", "ha"] {
        let words = ["render", "--preset", preset].into_iter().chain(sources.iter().map(String::as_str));
        let run = ground.kstrim(&words.collect::<Vec<_>>()).expect(0);
        assert!(run.stdout.contains("kind: Kafka\n"), "{run}");
        let file = run.log.with_extension("out");
        let file = file.to_str().expect("text");
        ground.kubectl(&["apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", file]);
    }
}
