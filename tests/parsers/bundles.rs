//! Random bundles in which every digest is right: the errors are in names, kinds, sizes and order, so that the checks
//! after the digests are reached. The test checks which results were reached.

use std::collections::BTreeSet;
use std::path::Path;

use kstrim::internals::bundle::Bundle;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What an entry in the tar is, compared with what the index says about it.
#[derive(Debug, Clone)]
struct Part {
    path: String,
    /// The name in the tar, if it differs.
    named: Option<String>,
    kind: &'static str,
    entry_type: u8,
    bytes: Vec<u8>,
    /// Added to the size in the index.
    more: u64,
    listed: bool,
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn block(name: &str, entry_type: u8, bytes: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    let slot = &mut header.as_old_mut().name;
    let length = name.len().min(slot.len());
    slot[..length].copy_from_slice(&name.as_bytes()[..length]);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    header.set_entry_type(tar::EntryType::new(entry_type));
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend(bytes);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn bundle(parts: &[Part], edit: Option<(&str, Value)>) -> Vec<u8> {
    let entries: Vec<Value> = parts
        .iter()
        .filter(|part| part.listed)
        .map(|part| {
            let mut entry = json!({"path": part.path, "kind": part.kind,
                "size": part.bytes.len() as u64 + part.more, "sha256": hex(&part.bytes)});
            if part.kind == "tool" {
                entry["version"] = "1.34.4".into();
            }
            entry
        })
        .collect();
    let mut index = json!({"format": "kstrim-bundle", "schema": 1, "made_by": "chance",
        "set": {"release": "1.2.0", "kafka": "4.3.1", "kubernetes": null, "preset": "single",
            "image_registry": null, "platform": "linux-amd64"},
        "entries": entries});
    if let Some((place, value)) = edit
        && let Some(slot) = index.pointer_mut(place)
    {
        *slot = value;
    }
    let text = index.to_string().into_bytes();
    let mut out = block("index.json", b'0', &text);
    out.extend(block("index.json.sha256", b'0', hex(&text).as_bytes()));
    for part in parts {
        out.extend(block(part.named.as_deref().unwrap_or(&part.path), part.entry_type, &part.bytes));
    }
    out.extend([0; 1024]);
    out
}

fn part() -> impl Strategy<Value = Part> {
    let path = prop::sample::select(vec![
        "manifests/install.yaml",
        "images/operator.tar",
        "tools/kubectl",
        "tools/minikube",
        "tools/sh",
        "minikube-cache/preload/x.tar",
        "images/../../escape",
        "/etc/passwd",
        "images/.hidden",
        "images//x",
        "images/a\u{1b}[31m",
        "manifests/",
        "",
    ]);
    let kind = prop::sample::select(vec!["manifest", "image", "tool", "minikube-cache", "program"]);
    let types = prop::sample::select(vec![
        b'0', b'0', b'0', b'0', b'0', b'0', b'1', b'2', b'3', b'5', b'6', b'L', b'x',
    ]);
    let bytes = prop::collection::vec(any::<u8>(), 0..40);
    let named =
        prop::option::weighted(0.1, prop::sample::select(vec!["images/other.tar", "../x", "index.json"]));
    (path, kind, types, bytes, prop::bool::weighted(0.05), named, prop::bool::weighted(0.95)).prop_map(
        |(path, kind, entry_type, bytes, more, named, listed)| Part {
            path: path.to_owned(),
            named: named.map(str::to_owned),
            // Mostly the kind that belongs in its directory, so that more than the first check is reached.
            kind: match path.split('/').next() {
                Some("manifests") => "manifest",
                Some("images") if kind != "program" => "image",
                Some("tools") if kind != "image" => "tool",
                Some("minikube-cache") => "minikube-cache",
                _ => kind,
            },
            entry_type,
            bytes,
            more: if more { 1 << 40 } else { 0 },
            listed,
        },
    )
}

fn manifest() -> Part {
    Part {
        path: "manifests/install.yaml".into(),
        named: None,
        kind: "manifest",
        entry_type: b'0',
        bytes: b"kind: List\n".to_vec(),
        more: 0,
        listed: true,
    }
}

/// The manifest that every bundle must have, and perhaps others.
fn parts() -> impl Strategy<Value = Vec<Part>> {
    let manifest = manifest();
    (prop::collection::vec(part(), 0..4), prop::bool::weighted(0.9)).prop_map(move |(mut parts, whole)| {
        parts.retain(|part| !whole || part.path != manifest.path);
        if whole {
            parts.insert(0, manifest.clone());
        }
        parts
    })
}

/// What can be wrong with an index.
fn edits() -> Vec<(&'static str, Value)> {
    vec![
        ("/schema", json!(9)),
        ("/schema", json!("1")),
        ("/format", json!("tar")),
        ("/set/release", json!("../../x")),
        ("/set/preset", json!("a b")),
        ("/set/platform", json!("/")),
        ("/set/image_registry", json!("--flag")),
        ("/entries", json!([])),
        ("/entries/0/sha256", json!("A".repeat(64))),
        ("/entries/0/size", json!(-1)),
        ("/entries/0/images", json!(["--flag"])),
    ]
}

fn edit() -> impl Strategy<Value = Option<(&'static str, Value)>> {
    prop::option::weighted(0.15, prop::sample::select(edits()))
}

/// Open it, read all of it and unpack it; returns the result. Nothing is written outside the directory.
fn end(bytes: &[u8]) -> String {
    let root = tempfile::tempdir().expect("a folder");
    let file = root.path().join("bundle");
    let cache = root.path().join("in/cache");
    std::fs::write(&file, bytes).expect("written");
    let done = Bundle::open(&file).and_then(|bundle| {
        bundle.verify(&mut |_| true)?;
        for entry in &bundle.index.entries {
            let path = bundle.unpack(entry, &cache, &mut |_| true)?.expect("it was not stopped");
            assert!(
                path.canonicalize()
                    .expect("it is there")
                    .starts_with(cache.canonicalize().expect("a folder"))
            );
            let meta = path.symlink_metadata().expect("it is there");
            assert!(meta.is_file() && meta.len() == entry.size);
            let plain =
                Path::new(&entry.path).components().all(|c| matches!(c, std::path::Component::Normal(_)));
            assert!(plain && !entry.path.contains(char::is_control), "{:?}", entry.path);
        }
        Ok(())
    });
    let mut left: Vec<_> =
        std::fs::read_dir(root.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    left.retain(|name| name != "bundle" && name != "in");
    assert!(left.is_empty(), "{left:?}");
    done.map_or_else(|failure| failure.id.to_string(), |()| "ok".to_owned())
}

#[test]
fn every_bundle_is_unpacked_in_its_directory_or_rejected() {
    let mut reached = BTreeSet::new();
    let mut runner = TestRunner::new(Config { source_file: Some(file!()), ..Config::default() });
    let cases = std::cell::RefCell::new(&mut reached);
    let ran = runner.run(&(parts(), edit()), |(parts, edit)| {
        let found = end(&bundle(&parts, edit));
        cases.borrow_mut().insert(found);
        Ok(())
    });
    ran.unwrap_or_else(|e| panic!("{e}"));
    // Each of these on its own too: random input does not reach all of them.
    for edit in edits() {
        reached.insert(end(&bundle(&[manifest()], Some(edit))));
    }
    for id in ["ok", "KS-BUNDLE-ENTRY", "KS-BUNDLE-INDEX", "KS-BUNDLE-NEWER"] {
        assert!(reached.contains(id), "{id} was not reached: {reached:?}");
    }
}
