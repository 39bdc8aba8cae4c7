//! A profile that kstrim did not create is used with consent, and remains foreign.

use std::fs;
use std::time::Duration;

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn it_needs_consent_and_stays_foreign() {
    let ground = Ground::with_kafka("foreign_profile::it_needs_consent_and_stays_foreign");
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
    let run = ground.up(&[]).finish(Duration::from_secs(120)).expect(5);
    assert_eq!(run.events().failure().0, "KS-PROFILE-FOREIGN", "{run}");
    assert_eq!(objects(), before);
    let marked = ground.kstrim(&[&["kubectl", "--", "get"][..], &marker].concat());
    assert_ne!(marked.code(), 0, "a refused run marked the cluster as kstrim's: {marked}");

    // With consent it is used; that does not make it kstrim's, so `down` would not delete it.
    let run = ground.up_succeeds(&["--adopt"]);
    run.events().verified(10);
    assert_eq!(objects(), before);
    let adopted: serde_json::Value = fs::read_to_string(&journal).expect("a journal").parse().expect("JSON");
    assert_eq!(adopted["profile_is_ours"], false, "{adopted}");
    // kstrim's own again, for the following tests.
    restore();
    ground.up_succeeds(&[]);
    ground.kubectl(&[&["get"][..], &marker].concat());
}
