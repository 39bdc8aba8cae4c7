//! Bundles: created from archives or from a cluster, inspected, verified, and sufficient for `up`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::harness::{Action, Registry, Test};
use crate::support::{KAFKA, PROFILE, events, failure, fresh, kstrim, outcomes, quick, ready, told};

/// The operator of the bundle.
pub const OPERATOR_IMAGE: &str = "quay.io/strimzi/operator:1.2.0";
/// Its Kafka.
pub const KAFKA_IMAGE: &str = "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1";

/// An archive as `docker save` writes it.
pub fn archive(test: &Test, name: &str, image: &str) {
    archive_of(test, name, image, "{}");
}

/// The same with this configuration, which may be as large as a layer.
pub fn archive_of(test: &Test, name: &str, image: &str, config: &str) {
    archive_with(test, name, image, ("config.json", config));
}

/// The same with the path of the configuration, too.
pub fn archive_with(test: &Test, name: &str, image: &str, config: (&str, &str)) {
    let manifest = json!([{"Config": config.0, "RepoTags": [image], "Layers": []}]).to_string();
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in [config, ("manifest.json", &manifest)] {
        let mut header = tar::Header::new_ustar();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        tar.append_data(&mut header, path, text.as_bytes()).expect("a file");
    }
    test.write(name, tar.into_inner().expect("an archive"));
}

/// Archives of the images that the newest release uses.
pub fn archives(test: &Test) {
    archive(test, "operator.tar", OPERATOR_IMAGE);
    archive(test, "kafka.tar", KAFKA_IMAGE);
}

/// Creates `kafka.bundle`.
pub const CREATE: [&str; 8] = [
    "bundle",
    "create",
    "-o",
    "kafka.bundle",
    "--image-archive",
    "operator.tar",
    "--image-archive",
    "kafka.tar",
];

/// A bundle of archives, in a world in which no registry and no publisher responds.
fn bundled() -> Test {
    let mut test = fresh();
    archives(&test);
    kstrim(&mut test, CREATE).expect(0);
    moved(&test)
}

/// Another machine with only the bundle.
fn moved(from: &Test) -> Test {
    let test = Test::new().scenario(|s| {
        quick(s);
        s.registry = Registry::Unreachable;
    });
    test.write("kafka.bundle", fs::read(from.work().join("kafka.bundle")).expect("a bundle"));
    // Requests to the network are refused immediately.
    test.env("HTTPS_PROXY", "http://127.0.0.1:9").env("HTTP_PROXY", "http://127.0.0.1:9")
}

/// The files in the cache of bundles, with their modification times.
fn unpacked(test: &Test) -> Vec<(String, std::time::SystemTime)> {
    let folder = test.home().join(".cache/kstrim/bundles/sha256");
    let list = fs::read_dir(folder).map(|l| l.flatten().collect::<Vec<_>>()).unwrap_or_default();
    let one = |e: fs::DirEntry| {
        (
            e.file_name().to_string_lossy().into_owned(),
            e.metadata().and_then(|m| m.modified()).expect("a time"),
        )
    };
    let mut files: Vec<_> = list.into_iter().map(one).collect();
    files.sort();
    files
}

#[test]
fn up_needs_nothing_but_the_bundle() {
    let mut test = bundled();
    let plan = kstrim(&mut test, ["plan", "--bundle", "kafka.bundle"]).expect(0).stdout;
    assert!(plan.contains("minikube image load") && !plan.contains("image pull"), "{plan}");
    let lines = events(&mut test, ["up", "--bundle", "kafka.bundle"], 0);
    assert_eq!(outcomes(&lines)["images"], "done");
    assert!(test.object(PROFILE, KAFKA)["status"].is_object());
    let calls: Vec<String> = test.calls().iter().map(|c| c.line()).collect();
    assert_eq!(calls.iter().filter(|c| c.contains("image load")).count(), 2, "{calls:#?}");
    assert!(!calls.iter().any(|c| c.contains("image pull")), "{calls:#?}");
    let first = unpacked(&test);
    assert_eq!(first.len(), 3, "a manifest and two images: {first:?}");

    // A second time, and for a new profile: nothing is unpacked.
    let again = events(&mut test, ["up", "--bundle", "kafka.bundle"], 0);
    assert_eq!(outcomes(&again)["images"], "already_done");
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    events(&mut test, ["up", "--bundle", "kafka.bundle"], 0);
    assert_eq!(unpacked(&test), first);
    // A file that was damaged in the meantime is unpacked again.
    let (name, _) = &first[1];
    fs::write(test.home().join(".cache/kstrim/bundles/sha256").join(name), "x").expect("a file");
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    events(&mut test, ["up", "--bundle", "kafka.bundle"], 0);
    let changed: Vec<bool> = unpacked(&test).iter().zip(&first).map(|(a, b)| a != b).collect();
    assert_eq!(changed, [false, true, false]);
}

#[test]
fn inspect_and_verify_show_the_contents() {
    let mut test = bundled();
    for verb in ["inspect", "verify"] {
        let text = kstrim(&mut test, ["bundle", verb, "kafka.bundle"]).expect(0).stdout;
        for words in
            ["Strimzi 1.2.0, Kafka 4.3.1, preset single", "operator.tar", KAFKA_IMAGE, "strimzi-1.2.0.yaml"]
        {
            assert!(text.contains(words), "{verb}: no {words:?} in\n{text}");
        }
        let data = kstrim(&mut test, ["bundle", verb, "kafka.bundle", "-o", "json"]).expect(0).json();
        assert_eq!(data["verified"], if verb == "verify" { json!(true) } else { Value::Null });
        assert_eq!(data["set"]["release"], "1.2.0");
        let kinds: Vec<&str> =
            data["entries"].as_array().expect("entries").iter().filter_map(|e| e["kind"].as_str()).collect();
        assert_eq!(kinds, ["manifest", "image", "image"]);
        assert_eq!(data["id"].as_str().map(str::len), Some(64));
    }
    assert_eq!(test.calls(), []);
    // The script extracts the files with tar alone.
    let script = kstrim(&mut test, ["plan", "--script", "--bundle", "kafka.bundle"]).expect(0).stdout;
    assert!(
        script.contains("tar -xOf kafka.bundle images/kafka.tar | minikube -p kstrim image load -"),
        "{script}"
    );
    assert!(script.contains("tar -xOf kafka.bundle manifests/strimzi-1.2.0.yaml | sed"), "{script}");
}

#[test]
fn an_invalid_bundle_is_rejected_with_the_invalid_entry() {
    let mut test = bundled();
    let whole = fs::read(test.work().join("kafka.bundle")).expect("a bundle");
    let mut edited = whole.clone();
    let at = edited.windows(7).rposition(|w| w == b"strimzi").expect("in the last image");
    edited[at] = b'S';
    test.write("edited.bundle", &edited);
    test.write("cut.bundle", &whole[..whole.len() - 3000]);
    for (verb, file, id) in [
        (&["bundle", "verify"][..], "edited.bundle", "KS-BUNDLE-DIGEST"),
        (&["bundle", "verify"], "cut.bundle", "KS-BUNDLE-TRUNCATED"),
        (&["bundle", "inspect"], "cut.bundle", "KS-BUNDLE-TRUNCATED"),
        (&["up", "--bundle"], "cut.bundle", "KS-BUNDLE-TRUNCATED"),
    ] {
        let run = test.args(verb.iter().copied().chain([file])).run().expect(2);
        for word in [id, "images/kafka.tar"] {
            assert!(run.stderr.contains(word), "{verb:?} {file}: {}", run.stderr);
        }
        assert_eq!(test.calls(), [], "{verb:?} {file}");
    }
    // `up` notices when it unpacks, before anything is loaded.
    let lines = events(&mut test, ["up", "--bundle", "edited.bundle"], 2);
    assert_eq!(failure(&lines), "KS-BUNDLE-DIGEST");
    assert!(told(&lines).contains("images/kafka.tar"), "{}", told(&lines));
    assert!(!test.calls().iter().any(|c| c.line().contains("image load")));
    // A file that is not a bundle.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bundles");
    for name in ["KS-BUNDLE-ENTRY.traversal", "KS-BUNDLE-ENTRY.symlink", "KS-BUNDLE-UNREADABLE.text"] {
        let file = folder.join(format!("{name}.bundle"));
        let run = test.args(["bundle".as_ref(), "verify".as_ref(), file.as_os_str()]).run().expect(2);
        assert!(run.stderr.contains(name.split('.').next().unwrap_or_default()), "{name}: {}", run.stderr);
    }
}

#[test]
fn a_bundle_for_other_versions_is_rejected() {
    let mut test = bundled();
    for (flags, words) in [
        (&["--release", "0.45.2"][..], "is for Strimzi 1.2.0, but Strimzi 0.45.2 was requested"),
        (&["--kafka", "4.3.0"], "is for Kafka 4.3.1, but Kafka 4.3.0"),
        (&["--image-registry", "r.example"], "is for images of quay.io, but images of r.example"),
    ] {
        let run = test.args(["up", "--bundle", "kafka.bundle"].iter().chain(flags)).run().expect(2);
        assert!(run.stderr.contains(words) && run.stderr.contains("KS-BUNDLE-SET"), "{}", run.stderr);
    }
    let run = kstrim(&mut test, ["up", "--bundle", "kafka.bundle", "--manifests", "x.yaml"]).expect(2);
    assert!(run.stderr.contains("--manifests cannot be"), "{}", run.stderr);
    assert_eq!(test.calls(), []);
    // The same versions as the bundle's are accepted, in a settings file, too.
    test.write("kstrim.yaml", "bundle: kafka.bundle\nrelease: 1.2.0\n");
    kstrim(&mut test, ["trust"]).expect(0);
    kstrim(&mut test, ["render", "--only", "kafka"]).expect(0);
}

#[test]
fn images_are_saved_from_the_running_cluster() {
    let mut test = ready();
    let run = kstrim(&mut test, ["bundle", "create", "-o", "kafka.bundle"]).expect(0);
    assert_eq!(run.stdout, "kafka.bundle\n");
    assert!(run.stderr.contains(&format!("saving {KAFKA_IMAGE}")), "{}", run.stderr);
    let left: Vec<_> =
        fs::read_dir(test.work()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|n| n.to_string_lossy().starts_with('.')), "{left:?}");
    let saved = test.calls().iter().filter(|c| c.line().contains("image save")).count();
    assert_eq!(saved, 2);
    let run = kstrim(&mut test, ["bundle", "create", "-o", "kafka.bundle"]).expect(5);
    assert!(run.stderr.contains("KS-BUNDLE-EXISTS"), "{}", run.stderr);
    kstrim(&mut test, ["bundle", "create", "-o", "kafka.bundle", "--force"]).expect(0);
    let mut other = moved(&test);
    events(&mut other, ["up", "--bundle", "kafka.bundle"], 0);
}

#[test]
fn an_incomplete_bundle_is_neither_written_nor_used() {
    let mut test = fresh();
    archives(&test);
    let words = ["bundle", "create", "-o", "kafka.bundle", "--image-archive", "operator.tar"];
    let run = kstrim(&mut test, words).expect(2);
    assert!(
        run.stderr.contains("KS-BUNDLE-INCOMPLETE") && run.stderr.contains(KAFKA_IMAGE),
        "{}",
        run.stderr
    );
    assert!(!test.work().join("kafka.bundle").exists());
    test.write("kafka.tar", "no archive");
    let run = kstrim(&mut test, CREATE).expect(2);
    assert!(run.stderr.contains("KS-BUNDLE-SOURCE") && run.stderr.contains("kafka.tar"), "{}", run.stderr);
    // Without archives a cluster is needed.
    kstrim(&mut test, ["bundle", "create", "-o", "kafka.bundle"]).expect(3);
}

#[test]
fn tools_and_minikubes_downloads_can_be_included() {
    let mut test = fresh();
    archives(&test);
    let cache = test.home().join(".minikube/cache/linux/amd64/v1.34.4");
    fs::create_dir_all(&cache).expect("a folder");
    fs::write(cache.join("kubelet"), "a kubelet").expect("a file");
    fs::create_dir_all(cache.with_file_name("v1.33.1")).expect("a folder");
    fs::write(cache.with_file_name("v1.33.1").join("kubelet"), "another").expect("a file");
    let more = ["--tools", "--minikube-cache", "--kubernetes-version", "1.34.4"];
    test.args(CREATE.iter().chain(&more)).run().expect(0);
    let data = kstrim(&mut test, ["bundle", "inspect", "kafka.bundle", "-o", "json"]).expect(0).json();
    let paths: Vec<&str> =
        data["entries"].as_array().expect("entries").iter().filter_map(|e| e["path"].as_str()).collect();
    let expected = [
        "manifests/strimzi-1.2.0.yaml",
        "images/operator.tar",
        "images/kafka.tar",
        "tools/minikube",
        "tools/kubectl",
        "minikube-cache/linux/amd64/v1.34.4/kubelet",
    ];
    assert_eq!(paths, expected);

    // A machine without minikube and kubectl uses the bundle's. The stand-in depends on its name.
    let mut other = moved(&test).without("minikube").without("kubectl");
    let lines = events(&mut other, ["up", "--bundle", "kafka.bundle"], 0);
    assert_eq!(outcomes(&lines)["smoke"], "done");
    assert!(other.home().join(".local/share/kstrim/tools/minikube/1.38.1").is_dir());
    let kubelet = other.home().join(".minikube/cache/linux/amd64/v1.34.4/kubelet");
    assert_eq!(fs::read_to_string(&kubelet).expect("a kubelet"), "a kubelet");
    // Existing files are kept.
    fs::write(&kubelet, "mine").expect("a file");
    kstrim(&mut other, ["down", "--yes"]).expect(0);
    events(&mut other, ["up", "--bundle", "kafka.bundle"], 0);
    assert_eq!(fs::read_to_string(&kubelet).expect("a kubelet"), "mine");

    let said = |lines: &[Value]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    // The same on a machine whose kubectl is too old for the bundle's Kubernetes; its minikube is suitable and is
    // used.
    let says = r#"{"clientVersion":{"major":"1","minor":"30","gitVersion":"v1.30.0"}}"#;
    let lags = Action::Exit { code: 0, stdout: says.into(), stderr: String::new() };
    let mut third = moved(&test).fault("kubectl", "version --client", Some(1), lags);
    let lines = events(&mut third, ["up", "--bundle", "kafka.bundle"], 0);
    let words = "kubectl 1.30.0 is too old for Kubernetes 1.34.4; kstrim installed its own kubectl 1.34.4 from the bundle";
    assert!(said(&lines).contains(words), "{}", said(&lines));
    assert!(!third.home().join(".local/share/kstrim/tools/minikube").exists());
    // If that is forbidden, it is a warning.
    let lags = Action::Exit { code: 0, stdout: says.into(), stderr: String::new() };
    let mut fourth = moved(&test).fault("kubectl", "version --client", Some(1), lags);
    let lines = events(&mut fourth, ["up", "--bundle", "kafka.bundle", "--system-tools"], 0);
    assert!(said(&lines).contains("more than one minor version older"), "{}", said(&lines));
    assert!(!fourth.home().join(".local/share/kstrim/tools").exists());
}
