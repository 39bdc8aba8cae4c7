//! `kstrim run`: a test suite in another language, with its own client, on a real cluster.

use std::path::Path;

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_test_suite_has_a_kafka_of_its_own() {
    let ground = Ground::with_kafka("commands::a_test_suite_has_a_kafka_of_its_own");
    let suite = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/go").display().to_string();
    let isolated = ["run", "--yes", "--topic", "orders:3", "--isolate", "--"];
    let go = ["sh", "-c", "cd \"$0\" && go test ./...", &suite];
    let run = ground.kstrim(&[&isolated[..], &go].concat()).expect(0);
    assert!(run.stdout.contains("ok") && run.stdout.contains("example/orders"), "{run}");
    // The command's own exit code and output, and nothing else on stdout.
    let run = ground.kstrim(&["run", "--", "sh", "-c", "echo $KAFKA_BOOTSTRAP_SERVERS; exit 42"]).expect(42);
    assert!(run.stdout.starts_with("127.0.0.1:") && run.stdout.lines().count() == 1, "{run}");
    // What it created was deleted.
    let topics = ground.kstrim(&["topic", "list", "-o", "json"]).expect(0).stdout;
    assert!(!topics.contains("orders"), "{topics}");
    ground.kstrim(&["connect", "--remove", "--yes"]).expect(0);
}
