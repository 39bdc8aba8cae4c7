use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::fit::tests::manifests;
use super::references::Existing;
use super::test_support::{documents, release};
use super::*;

const TEXT: &str = "
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: orders}
spec: {kafka: {}}
---
apiVersion: example.com/v1
kind: Kafka
metadata: {name: other}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: p, labels: {strimzi.io/cluster: orders}}
";

#[test]
fn documents_of_a_cluster_are_found() {
    let all = UserManifests { documents: documents(TEXT) };
    assert_eq!(all.kafkas().count(), 1);
    assert_eq!(all.pools("orders").len(), 1);
    assert_eq!(all.pools("audit").len(), 0);
}

/// Manifests of real projects: the text of each in `tests/fixtures/projects`, without those that kubectl builds.
/// `tests/supply` validates them with Strimzi's definitions, `tests/e2e` applies them to a cluster.
fn projects() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/projects");
    let text = |path: &Path| match path.is_dir() {
        true => {
            let files = fs::read_dir(path).expect("a project").flatten();
            let files = files.map(|file| fs::read_to_string(file.path()).expect("a manifest"));
            files.collect::<Vec<_>>().join("---\n")
        }
        false => fs::read_to_string(path).expect("a manifest"),
    };
    let paths = fs::read_dir(folder).expect("the projects").flatten().map(|entry| entry.path());
    let paths = paths.filter(|path| !path.join("base").is_dir());
    paths.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), text(&path))).collect()
}

#[test]
fn real_projects_are_consistent_and_fit_a_laptop() {
    let projects = projects();
    assert!(projects.len() >= 11, "{projects:?}");
    for (name, text) in &projects {
        let expected = if name == "zookeeper.yaml" { "0.45.2" } else { "1.2.0" };
        let documents = documents(text);
        let chosen = choose::choose(&documents, None, release("1.2.0")).expect("a release");
        assert_eq!(chosen.release.version.to_string(), expected, "{name}");
        assert_eq!(scope::check(&documents, "kafka"), []);
        let check = |documents: &[Document]| {
            references::check(documents, &Existing::default(), "kafka", chosen.release)
        };
        assert_eq!(check(&documents), [], "{name}");
        let limits = fit::Limits {
            cpu: 4000,
            memory: 6 << 30,
            brokers: 1,
            storage: 10 << 30,
            storage_class: None,
            registries: Vec::new(),
        };
        let (fitted, _) = fit::fit(&documents, &limits).unwrap_or_else(|failure| panic!("{failure:?}"));
        // Changed manifests are as consistent as before.
        assert_eq!(check(&fitted), [], "{name}");
        assert_eq!(fit::fit(&fitted, &limits).expect("it fits").1, [], "{name}");
    }
}

proptest! {
    /// Documents of any kind and content can be checked and ordered, and result in a release or a reason why there is
    /// none.
    #[test]
    fn nothing_panics(documents in manifests(), old in any::<bool>()) {
        let release = release(if old { "0.45.2" } else { "1.2.0" });
        let all = UserManifests { documents };
        let _ = scope::check(&all.documents, "kafka");
        let _ = schema::Definitions::new(release, &[]).check(&all.documents);
        let _ = references::check(&all.documents, &Existing::default(), "kafka", release);
        let _ = choose::choose(&all.documents, None, release);
        let ordered: usize = order::phases(&all.documents).iter().map(|(_, all)| all.len()).sum();
        prop_assert_eq!(ordered, all.documents.len());
    }
}
