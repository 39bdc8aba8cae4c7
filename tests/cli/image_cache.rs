//! The images of a node are kept for the node of the next new profile.

use serde_json::{Value, json};

use crate::bundle::{KAFKA_IMAGE, OPERATOR_IMAGE, archive_with};
use crate::harness::{Action, Test};
use crate::support::{PROFILE, events, fresh, journal, kstrim, told};

/// What kstrim's file says about the volume; `Null` without one.
fn cached(test: &Test) -> Value {
    let file = std::fs::read(test.home().join(".cache/kstrim/image-cache.json"));
    file.map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).expect("JSON"))
}

/// The engine's volumes that minikube did not create.
fn volumes(test: &Test) -> Vec<String> {
    let world = std::fs::read(test.world_dir().join("minikube.json")).expect("a world");
    let world: Value = serde_json::from_slice(&world).expect("JSON");
    world["volumes"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// The calls of a program that contain these words.
fn calls(test: &Test, program: &str, words: &str) -> Vec<String> {
    let calls = test.calls().into_iter().filter(|call| call.program == program);
    calls.map(|call| call.args.join(" ")).filter(|line| line.contains(words)).collect()
}

/// A world whose profile came up once and was deleted.
fn used_once() -> Test {
    let mut test = fresh();
    events(&mut test, ["up", "--image-cache"], 0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    test.forget_calls();
    test
}

#[test]
fn the_next_profile_has_the_images_of_the_first() {
    let mut test = used_once();
    let volume = cached(&test)["volume"].as_str().expect("a volume").to_owned();
    assert_eq!(volumes(&test), [volume.as_str()]);
    for image in [OPERATOR_IMAGE, KAFKA_IMAGE] {
        assert!(cached(&test)["images"][image].is_string(), "{image}: {}", cached(&test));
    }

    events(&mut test, ["up", "--image-cache"], 0);
    assert_eq!(calls(&test, "minikube", "image pull"), [""; 0]);
    let start = calls(&test, "minikube", "start");
    assert!(start[0].contains("--preload=false") && start[0].contains("--cache-images=false"), "{start:?}");
    assert_eq!(calls(&test, "minikube", "cp "), [""; 0], "the class-data archives came with them");
    assert_eq!(journal(&test)["filling_volume"], Value::Null);
    assert_eq!(volumes(&test), [PROFILE, volume.as_str()].map(str::to_owned));
    // Small files are copied, and the layers are linked.
    let runs = calls(&test, "docker", "run");
    let of = |paths: &str| runs.iter().find(|line| line.contains(paths)).expect("a call").as_str();
    let (copies, links) = (of("io.containerd.metadata.v1.bolt"), of("/blobs"));
    assert!(
        copies.contains(&format!("--volume={volume}:/from:ro")) && !copies.contains("--link"),
        "{copies}"
    );
    assert!(links.contains("--link") && !links.contains("bolt"), "{links}");
    // Nothing is new: it is kept as it is.
    test.forget_calls();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(calls(&test, "docker", "run"), [""; 0]);
    assert_eq!(volumes(&test), [volume]);
}

#[test]
fn another_image_of_the_same_name_is_loaded() {
    let mut test = used_once();
    let digest = |image: &str| cached(&test)["images"][image].as_str().expect("a digest").to_owned();
    let (operator, kafka) = (digest(OPERATOR_IMAGE), digest(KAFKA_IMAGE));
    let other = kafka.chars().rev().collect::<String>();
    let of = |digest: &str| format!("blobs/sha256/{digest}");
    archive_with(&test, "operator.tar", OPERATOR_IMAGE, (&of(&operator), "{}"));
    archive_with(&test, "kafka.tar", KAFKA_IMAGE, (&format!("{kafka}.json"), "{}"));
    archive_with(&test, "mine.tar", KAFKA_IMAGE, (&of(&other), "{}"));
    let up = |archive| ["up", "--image-cache", "--image-archive", "operator.tar", "--image-archive", archive];
    // Images that were pulled are not those of archives.
    events(&mut test, up("kafka.tar"), 0);
    assert_eq!(calls(&test, "docker", "run"), [""; 0]);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    test.forget_calls();
    events(&mut test, up("kafka.tar"), 0);
    assert_eq!(calls(&test, "minikube", "image load"), [""; 0]);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    test.forget_calls();
    events(&mut test, up("mine.tar"), 0);
    assert_eq!(calls(&test, "docker", "run"), [""; 0]);
    assert_eq!(calls(&test, "minikube", "image load").len(), 2);
}

#[test]
fn other_options_do_not_fit() {
    let mut test = used_once();
    events(&mut test, ["up", "--image-cache", "--minikube-arg=--base-image=mine"], 0);
    assert_eq!(calls(&test, "docker", "run"), [""; 0]);
    assert!(!calls(&test, "minikube", "start")[0].contains("preload"));
    let before = cached(&test);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    // One volume is kept: that of the last profile.
    assert_ne!(cached(&test)["volume"], before["volume"]);
    assert_eq!(volumes(&test), [cached(&test)["volume"].as_str().expect("a volume")]);
}

#[test]
fn without_it_nothing_is_kept_or_used() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(cached(&test), Value::Null);
    let mut test = used_once();
    events(&mut test, ["up"], 0);
    assert_eq!(calls(&test, "docker", "run"), [""; 0]);
}

/// Change the world's volumes.
fn with_volume(test: &Test, name: &str, labels: Value) {
    let file = test.world_dir().join("minikube.json");
    let mut world: Value = serde_json::from_slice(&std::fs::read(&file).expect("a world")).expect("JSON");
    world["volumes"][name] = json!({"labels": labels, "images": []});
    std::fs::write(&file, world.to_string()).expect("written");
}

#[test]
fn a_volume_of_others_is_not_used_or_removed() {
    let volume = |test: &Test| cached(test)["volume"].as_str().expect("a volume").to_owned();
    // Somebody's volume has the name of kstrim's, or that of the profile.
    for of_profile in [false, true] {
        let mut test = used_once();
        let name = if of_profile { PROFILE.to_owned() } else { volume(&test) };
        with_volume(&test, &name, json!({}));
        events(&mut test, ["up", "--image-cache"], 0);
        kstrim(&mut test, ["down", "--yes"]).expect(0);
        let touching: Vec<_> = calls(&test, "docker", &name)
            .into_iter()
            .filter(|line| ["volume create", "volume rm"].iter().any(|verb| line.starts_with(verb)))
            .collect();
        assert_eq!(touching, [""; 0], "{name}");
        assert!(
            !calls(&test, "docker", "run").iter().any(|line| line.contains(&format!("{name}:/from")))
                || of_profile
        );
    }
}

/// What a run leaves that is killed while it copies.
fn interrupted() -> Test {
    let test = used_once();
    with_volume(&test, PROFILE, json!({"io.github.kstrim.filled": "0f0f"}));
    let path = test.home().join(".local/state/kstrim/profiles/kstrim/journal.json");
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let state = json!({"schema": 1, "profile": PROFILE, "filling_volume": "0f0f"});
    std::fs::write(&path, state.to_string()).expect("written");
    test
}

#[test]
fn an_interrupted_copy_is_removed() {
    let mut test = interrupted();
    events(&mut test, ["up", "--image-cache"], 0);
    let docker = calls(&test, "docker", "");
    let at = |words: &str| docker.iter().position(|line| line.starts_with(words));
    assert!(at("volume rm").is_some() && at("volume rm") < at("run"), "{docker:#?}");
}

#[test]
fn after_an_interrupted_copy_down_removes_the_volume_as_well() {
    let mut test = interrupted();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(!volumes(&test).contains(&PROFILE.to_owned()), "{:?}", volumes(&test));
}

#[test]
fn where_files_cannot_be_linked_they_are_copied() {
    let other =
        "Error response from daemon: invalid mount config for type bind: bind source path does not exist";
    let exit = Action::Exit { code: 125, stdout: String::new(), stderr: other.into() };
    let mut test = fresh().fault("docker", "--mount=type=bind", None, exit);
    events(&mut test, ["up", "--image-cache"], 0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    events(&mut test, ["up", "--image-cache"], 0);
    assert_eq!(calls(&test, "minikube", "image pull").len(), 2, "those of the first profile");
}

#[test]
fn what_cannot_be_copied_is_pulled() {
    let exit =
        |code| Action::Exit { code, stdout: String::new(), stderr: "cp: No space left on device".into() };
    let mut test = used_once().fault("docker", "run", None, exit(1));
    let lines = events(&mut test, ["up", "--image-cache"], 0);
    assert_eq!(calls(&test, "minikube", "image pull").len(), 2, "{}", told(&lines));
    assert!(!calls(&test, "minikube", "start")[0].contains("preload"));
    // It is not tried again.
    assert_eq!(cached(&test)["volume"], "");
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(volumes(&test), [""; 0]);
}

#[test]
fn a_node_with_containers_of_others_is_not_kept() {
    for (namespaces, snapshots) in [
        ("k8s.io", "KEY PARENT KIND\na  Committed\nbuilding a Active\n"),
        ("default\nk8s.io", "KEY PARENT KIND\nof-nerdctl  Committed\n"),
        // Another snapshotter has the layers.
        ("k8s.io", "KEY PARENT KIND\n"),
    ] {
        let answer = |stdout: &str| Action::Exit { code: 0, stdout: stdout.into(), stderr: String::new() };
        let mut test = fresh().fault("minikube", "ctr namespaces ls", None, answer(namespaces)).fault(
            "minikube",
            "snapshots --snapshotter=overlayfs ls",
            None,
            answer(snapshots),
        );
        events(&mut test, ["up", "--image-cache"], 0);
        kstrim(&mut test, ["down", "--yes"]).expect(0);
        assert_eq!((calls(&test, "docker", "run"), volumes(&test)), (vec![], vec![]), "{snapshots}");
    }
}

#[test]
fn a_pod_that_is_just_being_removed_is_tried_again() {
    let exit = Action::Exit { code: 1, stdout: String::new(), stderr: "removal in progress".into() };
    let mut test = fresh().fault("minikube", "crictl rmp", Some(1), exit);
    events(&mut test, ["up", "--image-cache"], 0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(calls(&test, "minikube", "crictl rmp").len(), 2);
    assert_eq!(volumes(&test), [cached(&test)["volume"].as_str().expect("a volume")]);
}

#[test]
fn without_space_nothing_is_kept() {
    let mut test = fresh().scenario(|s| s.free_for_images = Some(4000));
    events(&mut test, ["up", "--image-cache"], 0);
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(cached(&test), Value::Null);
    assert_eq!(calls(&test, "minikube", "rmp"), [""; 0]);
}
