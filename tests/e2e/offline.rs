//! A cluster from one file, with every registry and publisher unreachable.

use std::fs;
use std::time::{Duration, SystemTime};

use crate::ground::{Ground, profile, within};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_bundle_is_enough() {
    let ground = Ground::with_kafka("offline::a_bundle_is_enough");
    let file = ground.file("kafka.bundle");
    let name = file.to_str().expect("text");
    let sources = ground.sources();
    let words: Vec<&str> =
        ["bundle", "create", "-o", name].into_iter().chain(sources.iter().map(String::as_str)).collect();
    ground.kstrim(&words).expect(0);
    let shown = ground.kstrim(&["bundle", "verify", name, "-o", "json"]).expect(0).json();
    assert_eq!(shown["verified"], true, "{shown}");
    let entries = shown["entries"].as_array().expect("entries");
    let images: Vec<String> = entries
        .iter()
        .flat_map(|e| e["images"].as_array().into_iter().flatten())
        .filter_map(|image| image.as_str().map(str::to_owned))
        .collect();
    // The stand-in's archive of the operator includes its bridge; the real operator has one archive for each.
    for image in ["strimzi/operator:", "strimzi/kafka:", "strimzi/kafka-bridge:"] {
        assert!(images.iter().any(|i| i.contains(image)), "{image}: {shown}");
    }

    // The same node without these images.
    ground.kstrim(&["down", "--keep-cluster", "--yes"]).expect(0);
    let mut rm = vec!["image", "rm", "-p", profile()];
    rm.extend(images.iter().map(String::as_str));
    ground.run("minikube", &rm).expect(0);
    let left = |told: &str| ["strimzi/operator", "strimzi/kafka"].iter().any(|image| told.contains(image));
    within(Duration::from_secs(120), "the images are gone from the node, and the kubelet says so", || {
        let words = ["get", "node", profile(), "-o", "jsonpath={.status.images[*].names}"];
        let mut told = ground.kubectl(&words);
        if !left(&told) {
            told = ground.in_node("crictl images");
        }
        if left(&told) { Err(told) } else { Ok(()) }
    });

    ground.without_network();
    let _ = fs::remove_dir_all(ground.cache());
    let run = ground.up_of_bundle(&file).expect(0);
    let events = run.events();
    assert_eq!(events.task("images").0, "done", "{run}");
    assert_eq!(events.task("kafka").0, "done", "{run}");
    events.verified(10);
    let node = ground.in_node("crictl images");
    assert!(node.contains("strimzi/operator") && node.contains("strimzi/kafka"), "{node}");
    let status = ground.kstrim(&["status", "-o", "json"]).expect(0).json();
    let digest = status["pods"][0]["images"][0]["digest"].as_str().unwrap_or_default();
    assert!(digest.contains("sha256:"), "{status}");

    // Again: nothing is unpacked, nothing loaded.
    let unpacked = || -> Vec<(std::path::PathBuf, SystemTime)> {
        let folder = ground.cache().join("bundles/sha256");
        let files = fs::read_dir(folder).expect("a cache").flatten();
        let mut all: Vec<_> =
            files.map(|f| (f.path(), f.metadata().and_then(|m| m.modified()).expect("a time"))).collect();
        all.sort();
        all
    };
    let before = unpacked();
    // The manifest and each archive.
    assert_eq!(before.len(), sources.len() / 2, "{before:?}");
    let again = ground.up_of_bundle(&file).expect(0);
    assert_eq!(again.events().task("images").0, "already_done", "{again}");
    assert_eq!(unpacked(), before);

    // Half a gigabyte twice: not kept in the logs.
    let mut edited = fs::OpenOptions::new().write(true).open(&file).expect("the bundle");
    let middle = fs::metadata(&file).expect("the bundle").len() / 2;
    std::io::Seek::seek(&mut edited, std::io::SeekFrom::Start(middle)).expect("a place");
    std::io::Write::write_all(&mut edited, b"edited").expect("an edit");
    drop(edited);
    let refused = ground.kstrim(&["bundle", "verify", name]).expect(2);
    assert!(refused.stderr.contains("images/") && refused.stderr.contains("KS-BUNDLE-DIGEST"), "{refused}");
    fs::remove_file(&file).expect("the bundle");
}
