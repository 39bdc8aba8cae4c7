//! The images of a node are kept in a volume of the container engine, for the node of the next new profile.

use crate::ground::{Ground, profile};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn the_next_profile_is_created_with_them() {
    let ground = Ground::with_nothing("image_cache::the_next_profile_is_created_with_them");
    ground.with_image_cache();
    let file = ground.cache().join("image-cache.json");
    let _ = std::fs::remove_file(&file);
    ground.up_succeeds(&[]);
    // An image of somebody else: another digest, as it has another configuration.
    let alias =
        "ctr -n k8s.io images tag quay.io/strimzi/kafka-bridge:1.1.0 docker.io/library/theirs:1 || true";
    ground.in_node(alias);
    ground.kstrim(&["down", "--yes", "-v"]).expect(0);
    let cached: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&file).expect("images were kept")).expect("JSON");
    let volume = cached["volume"].as_str().expect("a volume");
    assert!(!cached.to_string().contains("theirs"), "{cached}");

    let run = ground.up_succeeds(&[]);
    let events = run.events();
    let (outcome, detail) = events.task("images");
    // Archives of images that the node has not: the bridge.
    assert!(outcome == "done" && !detail.starts_with('3') && !detail.starts_with('2'), "{detail}");
    let runtime = ground.in_node("crictl images");
    assert!(runtime.contains("strimzi/kafka") && !runtime.contains("theirs"), "{runtime}");
    let pods = ground.in_node("crictl pods --state notready -q");
    assert_eq!(pods.trim(), "", "pods of the earlier node");
    // They are whole: a snapshot needs all layers.
    let kafka = runtime.lines().find(|line| line.contains("strimzi/kafka ")).expect("Kafka's image");
    let kafka: Vec<&str> = kafka.split_whitespace().collect();
    let export = format!("ctr -n k8s.io images export - {}:{} > /dev/null", kafka[0], kafka[1]);
    ground.in_node(&export);

    // They fit: the volume stays as it is. Then everything goes, the volume only by hand.
    let down = ground.kstrim(&["down", "--yes"]).expect(0);
    let again = std::fs::read(&file).expect("still there");
    assert_eq!(serde_json::from_slice::<serde_json::Value>(&again).expect("JSON"), cached, "{down}");
    let volumes = ground.run("docker", &["volume", "ls", "--format", "{{.Name}}"]).expect(0).stdout;
    let names: Vec<&str> = volumes.lines().collect();
    assert!(names.contains(&volume) && !names.contains(&profile()), "{volumes}");
    ground.run("docker", &["volume", "rm", volume]).expect(0);
    std::fs::remove_file(&file).expect("removed");
}
