//! Class-data archives on a real machine: the JVMs of the next cluster map them.

use crate::ground::Ground;

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn the_jvms_of_the_next_cluster_use_them() {
    let ground = Ground::with_nothing("class_data::the_jvms_of_the_next_cluster_use_them");
    if !ground.runs("all of it") {
        return;
    }
    // Of an earlier run of this test.
    let _ = std::fs::remove_dir_all(ground.cache().join("class-data"));
    ground.up_succeeds(&[]);
    ground.kubectl(&["wait", "job", "--all", "-n", "kafka", "--for=condition=Complete", "--timeout=180s"]);
    ground.kstrim(&["down", "--yes"]).expect(0);
    ground.up_succeeds(&[]);
    let mapped = |ground: &Ground| {
        let maps = ground.in_node("cat /proc/[0-9]*/maps 2> /dev/null | grep kstrim-class-data");
        for jvm in ["cluster-operator", "topic-operator", "user-operator", "broker"] {
            assert!(maps.contains(&format!("/{jvm}.jsa")), "the {jvm} does not use its archive: {maps}");
        }
    };
    mapped(&ground);
    // The node keeps them.
    ground.kstrim(&["stop"]).expect(0);
    ground.kstrim(&["start", "--minikube-arg=--force"]).expect(0);
    mapped(&ground);
    // They fit, so that no Job writes others.
    assert_eq!(ground.kubectl(&["get", "job", "-n", "kafka", "-o", "name"]), "");
}
