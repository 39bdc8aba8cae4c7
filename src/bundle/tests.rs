use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use tempfile::TempDir;

use super::write::{Source, write};
use super::*;
use crate::errors;

const MANIFEST: &[u8] = b"apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

fn set() -> Set {
    Set {
        release: "1.2.0".parse().unwrap(),
        kafka: "4.3.1".parse().unwrap(),
        kubernetes: Some("1.34.4".parse().unwrap()),
        preset: "single".into(),
        image_registry: None,
        platform: "linux-amd64".into(),
    }
}

/// A directory with a bundle that has a manifest and an image of the specified size.
fn bundle(bytes: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        path
    };
    let source = |kind, name: &str, file| Source {
        kind,
        name: name.into(),
        file,
        images: Vec::new(),
        version: None,
        executable: false,
    };
    let sources = [
        source(Kind::Manifest, "strimzi-1.2.0.yaml", file("m", MANIFEST)),
        source(Kind::Image, "kafka.tar", file("i", bytes)),
    ];
    let to = folder.path().join("x.bundle");
    assert!(write(&to, set(), None, &sources, false, &mut |_| true).unwrap().is_some());
    (folder, to)
}

fn verified(path: &Path) -> crate::failure::Result<Bundle> {
    let bundle = Bundle::open(path)?;
    bundle.verify(&mut |_| true)?;
    Ok(bundle)
}

#[test]
fn a_written_bundle_can_be_read() {
    let image = vec![7; 3 * CHUNK + 5];
    let (folder, path) = bundle(&image);
    let read = verified(&path).unwrap();
    assert_eq!(read.index.set, set());
    assert_eq!(read.size(), (MANIFEST.len() + image.len()) as u64);
    // Any tar program can read it.
    let mut tar = tar::Archive::new(fs::File::open(&path).unwrap());
    let names: Vec<String> =
        tar.entries().unwrap().map(|e| e.unwrap().path().unwrap().display().to_string()).collect();
    assert_eq!(names, [INDEX, INDEX_DIGEST, "manifests/strimzi-1.2.0.yaml", "images/kafka.tar"]);
    // The same content produces the same file.
    let (other, again) = bundle(&image);
    assert_eq!(fs::read(&path).unwrap(), fs::read(again).unwrap());
    drop(other);

    let entry = read.index.of(Kind::Image).next().unwrap().clone();
    let cache = folder.path().join("cache");
    let mut steps = 0;
    let mut count = |bytes: u64| {
        steps += bytes;
        true
    };
    let unpacked = read.unpack(&entry, &cache, &mut count).unwrap().unwrap();
    assert_eq!(fs::read(&unpacked).unwrap(), image);
    assert_eq!(steps, entry.size);
    // A second time, nothing is unpacked. A damaged file is unpacked again.
    assert!(read.unpack(&entry, &cache, &mut |_| panic!("it is there")).unwrap().is_some());
    let mut damaged = image.clone();
    damaged[9] = 8;
    fs::write(&unpacked, damaged).unwrap();
    assert!(read.unpack(&entry, &cache, &mut |_| true).unwrap().is_some());
    assert_eq!(fs::read(&unpacked).unwrap(), image);
}

#[test]
fn a_stopped_write_leaves_no_file() {
    let (folder, path) = bundle(&[1; 1000]);
    let read = Bundle::open(&path).unwrap();
    let entry = read.index.of(Kind::Image).next().unwrap();
    let cache = folder.path().join("cache");
    assert_eq!(read.unpack(entry, &cache, &mut |_| false).unwrap(), None);
    let left = fs::read_dir(cache.join("bundles/sha256")).unwrap().count();
    assert_eq!(left, 0);
}

#[test]
fn an_existing_file_is_kept() {
    let (_folder, path) = bundle(b"x");
    let failure = write(&path, set(), None, &[], false, &mut |_| true).unwrap_err();
    assert_eq!((failure.id, failure.kind), (errors::BUNDLE_EXISTS, crate::failure::Kind::Foreign));
}

/// Malformed files; each is named after the error that it must be rejected with.
#[test]
fn each_file_of_the_corpus_is_rejected_with_its_error() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/bundles");
    let mut seen = 0;
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let (id, what) = name.split_once('.').unwrap();
        seen += 1;
        let result = verified(&path);
        if id == "good" {
            assert_eq!(result.unwrap().index.entries.len(), 2);
            continue;
        }
        let failure = result.err().unwrap_or_else(|| panic!("{name} is taken for good"));
        assert_eq!(failure.id.as_str(), id, "{name}: {failure} {:?}", failure.causes);
        // What is wrong with an entry is named in its file name.
        let of_entry = ["ENTRY", "TRUNCATED", "DIGEST"].iter().any(|word| id.ends_with(word));
        let named = failure.message.contains("entry \"");
        assert_eq!(named, of_entry, "{what}: {failure}");
        assert!(!failure.message.chars().any(char::is_control), "{failure:?}");
    }
    assert!(seen > 35, "{seen}");
}

#[test]
fn archives_name_their_images() {
    let folder = tempfile::tempdir().unwrap();
    let archive = |files: &[(&str, &str)]| {
        let path = folder.path().join("a.tar");
        let mut tar = tar::Builder::new(fs::File::create(&path).unwrap());
        for (name, text) in files {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_cksum();
            tar.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        tar.finish().unwrap();
        path
    };
    let names = |files: &[(&str, &str)]| -> Result<Vec<String>, String> {
        let found = super::archive::images(&archive(files)).map_err(|f| format!("{f} {:?}", f.causes))?;
        Ok(found.iter().map(ToString::to_string).collect())
    };
    let docker = r#"[{"RepoTags": ["quay.io/a:1", "quay.io/a:2"]}, {"RepoTags": ["quay.io/a:1"]}]"#;
    let oci = r#"{"manifests": [{"annotations": {"io.containerd.image.name": "quay.io/b:1"}}]}"#;
    assert_eq!(names(&[("x", "y"), ("manifest.json", docker)]).unwrap(), ["quay.io/a:1", "quay.io/a:2"]);
    assert_eq!(names(&[("./index.json", oci)]).unwrap(), ["quay.io/b:1"]);
    assert_eq!(names(&[("index.json", oci), ("manifest.json", docker)]).unwrap().len(), 2);
    for (files, words) in [
        (&[("x", "y")][..], "neither a manifest.json"),
        (&[("manifest.json", "[")], "manifest.json:"),
        (&[("manifest.json", r#"[{"RepoTags": null}]"#)], "contains no image name"),
        (&[("manifest.json", r#"[{"RepoTags": ["--all"]}]"#)], "not a valid image name"),
    ] {
        let told = names(files).unwrap_err();
        assert!(told.contains(words), "{told}");
    }
}

#[test]
fn paths() {
    for good in ["images/a.tar", "minikube-cache/linux/amd64/v1.34.4/kubelet", "x/a+b@c_d"] {
        assert!(super::index::path_ok(good), "{good}");
    }
    for bad in [
        "",
        "/a",
        "a/",
        "a//b",
        "a/../b",
        "..",
        "./a",
        "a/.b",
        "a b",
        "a\\b",
        "a\nb",
        "ü",
        "-a",
        "a:b",
        &"x".repeat(300),
    ] {
        assert!(!super::index::path_ok(bad), "{bad}");
    }
}

/// Each case writes files, so fewer cases run than elsewhere, unless more are requested.
fn cases() -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases()))]

    /// Whichever bit of a bundle is changed: it is rejected, or its contents are unchanged.
    #[test]
    fn a_changed_byte_is_detected(at in 0.0..1.0_f64, bit in 0..8_u8) {
        let image = [42; 700];
        let (folder, path) = bundle(&image);
        let mut bytes = fs::read(&path).unwrap();
        let place = ((bytes.len() - 1) as f64 * at) as usize;
        bytes[place] ^= 1 << bit;
        fs::write(&path, &bytes).unwrap();
        if let Ok(read) = Bundle::open(&path) {
            prop_assert_eq!(&read.index.set, &set());
            for entry in &read.index.entries {
                match read.unpack(entry, &folder.path().join("cache"), &mut |_| true) {
                    Ok(file) => {
                        let content = fs::read(file.unwrap()).unwrap();
                        prop_assert!(content == image || content == MANIFEST);
                    }
                    Err(failure) => prop_assert_eq!(failure.id, errors::BUNDLE_DIGEST),
                }
            }
        }
    }

    /// Wherever a bundle is truncated, it is rejected; once the index is complete, the error names the entry.
    #[test]
    fn a_truncated_bundle_is_rejected(at in 0.0..1.0_f64) {
        let (_folder, path) = bundle(&[42; 700]);
        let bytes = fs::read(&path).unwrap();
        // The two empty blocks at the end contain nothing.
        let length = ((bytes.len() - 1024) as f64 * at) as usize;
        fs::write(&path, &bytes[..length]).unwrap();
        let all = length + 512 > bytes.len() - 1024 && length >= bytes.len() - 1024 - (512 - 700 % 512);
        match verified(&path) {
            Ok(_) => prop_assert!(all, "cut at {}", length),
            Err(failure) => prop_assert!(
                [errors::BUNDLE_UNREADABLE, errors::BUNDLE_TRUNCATED, errors::BUNDLE_INDEX, errors::BUNDLE_ENTRY].contains(&failure.id), "{:?}", failure
            ),
        }
    }

    #[test]
    fn random_input_does_not_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000), text in "\\PC{0,400}") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        fs::write(&path, &bytes).unwrap();
        let _ = (Bundle::open(&path), super::archive::images(&path));
        let _ = (Index::parse("x", &bytes), Index::parse("x", text.as_bytes()));
    }
}

/// A snapshot's index is as untrusted as a bundle's.
#[test]
fn a_snapshot_has_a_state_and_no_manifest() {
    let text = |snapshot: &str, schema: u32, entries: &str| {
        format!(
            r#"{{"format": "kstrim-bundle", "schema": {schema}, "made_by": "kstrim", "set": {{"release": "1.2.0",
            "kafka": "4.3.1", "kubernetes": "1.34.4", "preset": "snapshot", "image_registry": null,
            "platform": "linux-amd64"}}, {snapshot} "entries": [{entries}]}}"#
        )
    };
    let entry = |kind: &str, path: &str| {
        let digest = "0".repeat(64);
        format!(r#"{{"path": "{path}", "kind": "{kind}", "size": 1, "sha256": "{digest}"}}"#)
    };
    let snapshot = |driver: &str, profile: &str| {
        format!(
            r#""snapshot": {{"saved": "2026-11-29T20:00:00Z", "profile": "{profile}", "namespace": "kafka",
            "cluster": "my-cluster", "cluster_uid": "u-1", "driver": "{driver}", "runtime": "containerd",
            "memory_mb": 4096, "cpus": 2}},"#
        )
    };
    let (state, manifest) = (entry("state", "state/state.tar.gz"), entry("manifest", "manifests/a.yaml"));
    let read = |text: String| super::Index::parse("x", text.as_bytes()).map_err(|failure| failure.id);
    let good = snapshot("docker", "kstrim");
    assert!(read(text(&good, 2, &state)).is_ok_and(|index| index.snapshot.is_some()));
    assert!(read(text("", 1, &manifest)).is_ok_and(|index| index.snapshot.is_none()));
    for wrong in [
        text(&good, 2, &manifest),
        text(&good, 2, &format!("{state}, {manifest}")),
        text("", 1, &format!("{manifest}, {state}")),
        text(&snapshot("docker --force", "kstrim"), 2, &state),
        text(&snapshot("docker", "-p other"), 2, &state),
    ] {
        assert_eq!(read(wrong.clone()), Err(errors::BUNDLE_INDEX), "{wrong}");
    }
    assert_eq!(read(text(&good, 4, &state)), Err(errors::BUNDLE_NEWER));
}
