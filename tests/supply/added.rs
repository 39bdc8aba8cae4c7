//! Adds a release that does not exist to the catalogue with the maintainers' command, as described in
//! `docs/releases.md`.

use std::fs;
use std::path::Path;

use kstrim::internals::catalogue::{self, Catalogue};
use kstrim::internals::manifest::{digest, load};

use crate::releases::fits_its_definitions;
use crate::strimzi::Data;
use crate::xtask;

const NEW: &str = "9.9.0";

/// The document's example of facts, changed to another release.
fn facts() -> String {
    let document = include_str!("../../docs/releases.md");
    let example = document.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let example = example.expect("an example of facts in docs/releases.md");
    assert!(example.contains("\"version\": \"1.2.0\""), "{example}");
    example.replace("1.2.0", NEW)
}

/// The catalogue derived from these facts alone.
fn derived(folder: &Path, facts: &str) -> anyhow::Result<Catalogue> {
    let file = folder.join("FACTS.json");
    fs::write(&file, facts).expect("written");
    xtask::from_files(&file, folder)
}

/// The program's catalogue with these facts added.
fn added_to_ours(folder: &Path, facts: &str) -> anyhow::Result<Catalogue> {
    Ok(xtask::merge(catalogue::catalogue().clone(), derived(folder, facts)?))
}

fn manifest(folder: &Path, text: &str) {
    fs::write(folder.join(format!("strimzi-cluster-operator-{NEW}.yaml")), text).expect("written");
}

/// Uses a small manifest of the project's own, so that it needs no other data.
pub fn a_new_release_is_added_and_nothing_else_changes() {
    let folder = tempfile::tempdir().unwrap();
    let text = include_str!("../fixtures/install.yaml").replace("1.2.0", NEW);
    manifest(folder.path(), &text);
    // A fact that is not in the manifest is rejected.
    let refused = added_to_ours(folder.path(), &facts()).unwrap_err();
    assert!(format!("{refused:#}").contains("Strimzi 9.9.0: manifest and facts differ"), "{refused:#}");
    let facts = facts().replace("\"4.2.0\", \"4.2.1\", \"4.3.0\", \"4.3.1\"", "\"4.2.0\", \"4.3.1\"");
    let added = added_to_ours(folder.path(), &facts).unwrap();
    let (new, rest) = added.releases.split_last().unwrap();
    assert_eq!(rest, catalogue::releases());
    assert_eq!(added.minikube, catalogue::catalogue().minikube);
    assert_eq!(new.version.to_string(), NEW);
    assert_eq!(new.operator_image, "quay.io/strimzi/operator:9.9.0");
    assert_eq!(new.kafka_list(), "4.2.0, 4.3.1");
    assert_eq!(new.digest, digest(&load::from_bytes("x", text.as_bytes()).unwrap()));
    // The program can read what is written, and the repository's file has the same form.
    let written = xtask::text(&added).unwrap();
    assert_eq!(serde_json::from_str::<Catalogue>(&written).unwrap(), added);
    let ours = include_str!("../../src/catalogue/releases.json");
    assert!(xtask::text(catalogue::catalogue()).unwrap() == ours, "write it with `cargo xtask catalogue`");

    // The same release is replaced; without adding it, the catalogue has no other release.
    let dated = facts.replace("2026-08-20", "2026-08-21");
    let again = xtask::merge(added.clone(), derived(folder.path(), &dated).unwrap());
    assert_eq!(again.releases.len(), added.releases.len());
    assert_eq!(again.releases.last().unwrap().date, "2026-08-21");
    assert_eq!(derived(folder.path(), &facts).unwrap().releases, std::slice::from_ref(new));

    // A minikube release alone needs no manifest.
    let minikube = r#"{"releases": [], "minikube_releases": [{"version": "v9.0.0", "default_kubernetes": "v1.40.0",
        "newest_kubernetes": "v1.40.0", "oldest_kubernetes": "v1.33.0"}]}"#;
    let more = added_to_ours(folder.path(), minikube).unwrap();
    assert_eq!(more.minikube.last().unwrap().default.to_string(), "1.40.0");
    assert_eq!(more.releases, catalogue::releases());

    // Errors: no manifest, no facts.
    fs::remove_file(folder.path().join(format!("strimzi-cluster-operator-{NEW}.yaml"))).unwrap();
    let refused = format!("{:#}", added_to_ours(folder.path(), &facts).unwrap_err());
    assert!(refused.contains("strimzi-cluster-operator-9.9.0.yaml"), "{refused}");
    let refused = format!("{:#}", added_to_ours(folder.path(), "{}").unwrap_err());
    assert!(refused.contains("expected shape"), "{refused}");
}

/// With the newest real manifest: a new release passes the same checks as existing ones.
pub fn a_new_release_is_checked_as_the_others_are(data: &Data) {
    let folder = tempfile::tempdir().unwrap();
    let newest = "1.2.0".parse().unwrap();
    let text = fs::read_to_string(data.file(&newest)).unwrap().replace("1.2.0", NEW);
    manifest(folder.path(), &text);
    let added = added_to_ours(folder.path(), &facts()).unwrap();
    let new = added.releases.last().unwrap();
    let objects = load::from_bytes("x", text.as_bytes()).unwrap();
    assert_eq!(
        fits_its_definitions(new, &objects),
        fits_its_definitions(catalogue::find(&newest).unwrap(), &data.objects(&newest))
    );
    let like = catalogue::find(&newest).unwrap();
    assert_eq!((&new.kraft, &new.schema, &new.api_versions), (&like.kraft, &like.schema, &like.api_versions));
}
