//! What kstrim did not make stays as it is.

use std::fs;

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_foreign_namespace_is_left_untouched() {
    // Beside an operator of ours it would be refused before anybody looks at it.
    let ground = Ground::with_a_cluster("foreign::a_foreign_namespace_is_left_untouched");
    ground.kubectl(&["delete", "namespace", "thatone", "--ignore-not-found"]);
    ground.kubectl(&["create", "namespace", "thatone"]);
    ground.kubectl(&["create", "configmap", "mine", "-n", "thatone", "--from-literal=a=b"]);
    let content = || {
        let namespace =
            ground.kubectl(&["get", "namespace", "thatone", "-o", "yaml", "--show-managed-fields"]);
        let kinds = "all,configmap,serviceaccount,rolebinding,secret";
        namespace + &ground.kubectl(&["get", kinds, "-n", "thatone", "-o", "yaml", "--show-managed-fields"])
    };
    let before = settled(&content);
    let run = ground.up(&["--namespace", "thatone"]).finish(std::time::Duration::from_secs(120)).expect(5);
    assert_eq!(run.events().failure().0, "KS-NAMESPACE-FOREIGN", "{run}");
    assert_eq!(content(), before);
    ground.kubectl(&["delete", "namespace", "thatone"]);
    // And what is kstrim's own comes back, to the cluster that a `down --keep-cluster` left.
    let events = ground.up_succeeds(&[]).events();
    assert_eq!((events.task("cluster").0, events.task("kafka").0), ("already_done", "done"));
    events.verified(10);
}

/// A new namespace gets a service account and a certificate by and by.
fn settled(content: &dyn Fn() -> String) -> String {
    crate::ground::within(std::time::Duration::from_secs(60), "the new namespace at rest", || {
        let first = content();
        std::thread::sleep(std::time::Duration::from_secs(1));
        let second = content();
        if first == second && second.contains("kube-root-ca.crt") && second.contains("kind: ServiceAccount") {
            Ok(second)
        } else {
            Err(second)
        }
    })
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_foreign_profile_needs_consent_and_stays_foreign() {
    let ground = Ground::with_kafka("foreign::a_foreign_profile_needs_consent_and_stays_foreign");
    let marker = ["configmap", "kstrim", "-n", "kube-system"];
    let journal = ground.profile_state().join("journal.json");
    let kept = fs::read(&journal).expect("a journal");
    ground.kubectl(&[&["delete"][..], &marker].concat());
    fs::remove_file(&journal).expect("a journal");
    let restore = || fs::write(&journal, &kept).expect("the journal");

    let objects = || {
        let path = "jsonpath={range .items[*]}{.metadata.uid} {.metadata.generation}{\"\\n\"}{end}";
        ground.kubectl(&["get", "kafka,kafkanodepool,kafkatopic,deployment,namespace,crd", "-A", "-o", path])
    };
    let before = objects();
    let run = ground.up(&[]).finish(std::time::Duration::from_secs(120)).expect(5);
    assert_eq!(run.events().failure().0, "KS-PROFILE-FOREIGN", "{run}");
    assert_eq!(objects(), before);
    let marked = ground.kstrim(&[&["kubectl", "--", "get"][..], &marker].concat());
    assert_ne!(marked.code(), 0, "a refused run marked the cluster as kstrim's: {marked}");

    // With consent it is used; it does not become kstrim's by that, so `down` would not delete it.
    let run = ground.up_succeeds(&["--adopt"]);
    run.events().verified(10);
    assert_eq!(objects(), before);
    let adopted: serde_json::Value = fs::read_to_string(&journal).expect("a journal").parse().expect("JSON");
    assert_eq!(adopted["profile_is_ours"], false, "{adopted}");
    // Ours again, for the tests after this.
    restore();
    ground.up_succeeds(&[]);
    ground.kubectl(&[&["get"][..], &marker].concat());
}
