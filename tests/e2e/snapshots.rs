//! `kstrim snapshot` on a real machine: the cluster is the one that was saved, here and from nothing.

use serde_json::Value;

use crate::ground::{Ground, profile};

fn produce(ground: &Ground, from: u32, to: u32) {
    let lines = (from..to).map(|n| format!("message {n}\n")).collect::<String>();
    let script = format!("'{}' produce snap-orders < \"$0\"", env!("CARGO_BIN_EXE_kstrim"));
    let file = ground.write("snap-messages.txt", &lines);
    ground.run("sh", &["-c", &script, &file]).expect(0);
}

fn messages(ground: &Ground) -> usize {
    let words = ["consume", "snap-orders", "--from-beginning", "--idle", "5s", "--timeout", "60s"];
    ground.kstrim(&words).stdout.lines().count()
}

/// What a restored cluster has as it was: identities, and the committed offset of a group.
fn identities(ground: &Ground) -> Vec<Value> {
    let of = |words: &[&str], pointers: &[&str]| {
        let object = ground.kubectl_json(words);
        pointers.iter().map(|p| object.pointer(p).cloned().unwrap_or_default()).collect::<Vec<_>>()
    };
    let mut all = of(
        &["get", "kafka", "my-cluster", "-n", "kafka"],
        &["/metadata/uid", "/metadata/generation", "/status/clusterId"],
    );
    for secret in ["my-cluster-cluster-ca-cert", "my-cluster-clients-ca-cert"] {
        all.extend(of(&["get", "secret", secret, "-n", "kafka"], &["/metadata/uid", "/data/ca.crt"]));
    }
    all.extend(of(
        &["get", "kafkatopic", "snap-orders", "-n", "kafka"],
        &["/metadata/uid", "/status/topicId"],
    ));
    all.extend(of(&["get", "namespace", "kube-system"], &["/metadata/uid"]));
    all.extend(of(&["get", "configmap", "snap-theirs", "-n", "default"], &["/metadata/uid", "/data"]));
    all
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_cluster_comes_back_as_it_was_saved() {
    let ground = Ground::with_kafka("snapshots::a_cluster_comes_back_as_it_was_saved");
    ground.kstrim(&["topic", "create", "snap-orders", "--partitions", "2"]).expect(0);
    produce(&ground, 0, 500);
    ground.kubectl(&["create", "configmap", "snap-theirs", "-n", "default", "--from-literal=a=b"]);
    let file = ground.home_file("kafka.snapshot");
    let _ = std::fs::remove_file(&file);
    let saved = ground.kstrim(&["snapshot", "save", "--file", &file, "--yes", "-o", "json"]).expect(0);
    println!("save took {:?}", saved.took);
    saved.events().verified(10);
    assert!(saved.events().task("images").1.contains("images are saved"), "{saved}");
    ground.kstrim(&["snapshot", "save", "base", "--without-images", "--force", "--yes"]).expect(0);
    let before = identities(&ground);
    assert!(before.iter().all(|value| !value.is_null()), "{before:?}");

    // In place: what came later is gone, what was deleted is there.
    produce(&ground, 500, 600);
    ground.kstrim(&["topic", "create", "snap-later"]).expect(0);
    ground.kubectl(&["delete", "configmap", "snap-theirs", "-n", "default"]);
    let restored = ground.kstrim(&["snapshot", "restore", "base", "--yes", "-o", "json"]).expect(0);
    println!("restore in place took {:?}", restored.took);
    restored.events().verified(10);
    assert_eq!(identities(&ground), before);
    assert_eq!(messages(&ground), 500);
    let topics = ground.kstrim(&["topic", "list"]).expect(0).stdout;
    assert!(topics.contains("snap-orders") && !topics.contains("snap-later"), "{topics}");
    // The operators reconcile as before.
    ground.kstrim(&["topic", "create", "snap-later"]).expect(0);

    // From nothing: neither the profile nor kstrim's journal of it.
    ground.kstrim(&["down", "--yes", "--delete-others"]).expect(0);
    std::fs::remove_dir_all(ground.profile_state()).expect("the state of the profile");
    let mut words = vec!["snapshot", "restore", "--file", &file, "-o", "json"];
    let args = ground.machine_flags();
    words.extend(args.iter().map(String::as_str));
    let restored = ground.kstrim(&words).expect(0);
    println!("restore from nothing took {:?}", restored.took);
    restored.events().verified(10);
    assert_eq!(identities(&ground), before);
    assert_eq!(messages(&ground), 500);
    let owner = ground.kstrim(&["status", "-o", "json"]).expect(0).json();
    assert_eq!(owner["profile"]["ours"], true, "{}: {owner}", profile());

    ground.kubectl(&["delete", "configmap", "snap-theirs", "-n", "default"]);
    ground.kstrim(&["topic", "delete", "snap-orders", "--yes"]).expect(0);
    ground.kstrim(&["snapshot", "delete", "base"]).expect(0);
    std::fs::remove_file(&file).expect("the snapshot");
}
