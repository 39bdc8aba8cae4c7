use super::super::test_support::{documents, release};
use super::*;
use crate::errors;

fn chosen(text: &str) -> Chosen {
    choose(&documents(text), None, release("1.2.0")).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn refused(text: &str, requested: Option<&str>) -> Box<Failure> {
    let requested = requested.map(|text| Requested::Release(text.parse().expect("a version")));
    let failure =
        choose(&documents(text), requested.as_ref(), release("1.2.0")).expect_err("a contradiction");
    assert_eq!(failure.id, errors::FILE_RELEASE);
    failure
}

fn kafka(version: &str, spec: &str) -> String {
    format!("apiVersion: kafka.strimzi.io/{version}\nkind: Kafka\nmetadata:\n  name: c\nspec:\n{spec}")
}

#[test]
fn the_default_release_is_used_if_it_fits() {
    let chosen = chosen(&kafka("v1", "  kafka: {version: 4.3.1}\n"));
    assert_eq!(chosen.release.version.to_string(), "1.2.0");
    assert_eq!(chosen.kafka, Some("4.3.1".parse().expect("a version")));
    assert!(chosen.reasons.is_empty());
    let other =
        choose(&documents("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"), None, release("0.51.0"));
    assert_eq!(other.expect("anything fits").release.version.to_string(), "0.51.0");
}

#[test]
fn otherwise_the_newest_release_that_fits_is_chosen() {
    for (text, expected, reason) in [
        (kafka("v1", "  kafka: {version: 4.1.0}\n"), "1.0.1", "test.yaml:6: Kafka c: spec.kafka.version: Kafka 4.1.0 needs Strimzi 0.48.0 to 1.0.1"),
        (
            kafka("v1beta2", "  kafka: {}\n"),
            "0.51.0",
            "test.yaml:1: Kafka c: apiVersion: Kafka in kafka.strimzi.io/v1beta2 needs Strimzi 0.30.0 to 0.51.0",
        ),
        (
            kafka("v1beta2", "  kafka: {}\n  zookeeper: {replicas: 1}\n"),
            "0.45.2",
            "test.yaml:7: Kafka c: spec.zookeeper: Kafka with ZooKeeper needs Strimzi 0.30.0 to 0.45.2",
        ),
        (
            "apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaMirrorMaker\nmetadata: {name: m}\n".to_owned(),
            "0.45.2",
            "KafkaMirrorMaker in kafka.strimzi.io/v1beta2 needs Strimzi 0.30.0 to 0.45.2",
        ),
        (
            "apiVersion: kafka.strimzi.io/v1\nkind: KafkaConnect\nmetadata: {name: m}\nspec: {version: 4.0.0}\n".to_owned(),
            "0.50.1",
            "spec.version: Kafka 4.0.0",
        ),
    ] {
        let chosen = chosen(&text);
        assert_eq!(chosen.release.version.to_string(), expected, "{text}");
        let sentences = chosen.sentences();
        assert!(sentences.iter().any(|sentence| sentence.contains(reason)), "{sentences:?}");
    }
}

#[test]
fn annotations_determine_how_metadata_is_stored() {
    let annotated = "apiVersion: kafka.strimzi.io/v1beta2\nkind: Kafka\nmetadata:\n  name: c\n  annotations:\n    \
                     strimzi.io/kraft: enabled\n    strimzi.io/node-pools: enabled\nspec:\n  kafka: {version: 3.9.0}\n";
    assert_eq!(chosen(annotated).release.version.to_string(), "0.47.0");
    // Without the annotations, releases that need them would expect ZooKeeper.
    let failure = refused(&kafka("v1beta2", "  kafka: {version: 3.9.0}\n"), None);
    assert_eq!(failure.causes.len(), 2, "{failure:?}");
    assert!(failure.causes[1].contains("without the annotations"), "{failure:?}");
    // In the first releases with KRaft, spec.zookeeper is required and ignored.
    let ignored = format!("{annotated}  zookeeper: {{replicas: 1}}\n").replace("3.9.0", "3.6.1");
    assert_eq!(chosen(&ignored).release.version.to_string(), "0.42.0");
}

#[test]
fn contradictions_name_both_fields_and_the_nearest_versions() {
    let text = format!(
        "{}---\n{}",
        kafka("v1", "  kafka:\n    version: 4.3.1\n"),
        "apiVersion: kafka.strimzi.io/v1beta2\nkind: KafkaTopic\nmetadata: {name: t}\n"
    );
    let failure = refused(&text, None);
    assert_eq!(
        failure.causes,
        [
            "test.yaml:7: Kafka c: spec.kafka.version: Kafka 4.3.1 needs Strimzi 1.2.0",
            "test.yaml:9: KafkaTopic t: apiVersion: KafkaTopic in kafka.strimzi.io/v1beta2 needs Strimzi 0.30.0 to 0.51.0",
        ]
    );
    assert_eq!(
        failure.hints,
        ["for Kafka 4.3.1: --release 1.2.0", "for KafkaTopic in kafka.strimzi.io/v1beta2: --release 0.51.0"]
    );
}

#[test]
fn a_requirement_that_no_release_meets_is_reported_alone() {
    let failure = refused(&kafka("v1", "  kafka: {version: 9.0.0}\n"), None);
    assert_eq!(
        failure.causes,
        ["test.yaml:6: Kafka c: spec.kafka.version: Kafka 9.0.0 is in no release of the catalogue"]
    );
    assert_eq!(failure.hints, ["nearest: Kafka 4.3.1 (Strimzi 1.2.0)"]);
    let failure = refused("apiVersion: kafka.strimzi.io/v2\nkind: Kafka\nmetadata: {name: c}\n", None);
    assert!(failure.causes[0].contains("is in no release"), "{failure:?}");
}

#[test]
fn a_requested_release_must_fit() {
    let text = kafka("v1", "  kafka: {version: 4.1.1}\n");
    let requested = Requested::Release("0.50.0".parse().expect("a version"));
    let chosen = choose(&documents(&text), Some(&requested), release("1.2.0")).expect("it fits");
    assert_eq!(&chosen.release.version, requested.version());
    let failure = refused(&text, Some("0.45.2"));
    assert_eq!(failure.causes.len(), 3, "{failure:?}");
    assert_eq!(failure.hints, ["the newest release that fits: --release 1.0.1"]);
    refused(&text, Some("0.1.0"));
    // The release of --manifests is not changed with --release.
    let given = Requested::Manifests("0.45.2".parse().expect("a version"));
    let failure = choose(&documents(&text), Some(&given), release("1.2.0")).expect_err("it does not fit");
    assert!(
        failure.message.contains("--manifests") && failure.hints[0].contains("Strimzi 1.0.1"),
        "{failure:?}"
    );
    assert!(!failure.hints[0].contains("--release"), "{failure:?}");
}

/// The schema check, which has these hints, too, needs a release: here, none fits.
#[test]
fn what_no_release_has_is_reported_with_what_to_write_instead() {
    let kind = |kind: &str| format!("apiVersion: kafka.strimzi.io/v1\nkind: {kind}\nmetadata: {{name: t}}\n");
    let zookeeper = kafka("v1", "  kafka: {}\n  zookeeper: {replicas: 1}\n");
    for (text, hint) in [
        (kind("KafkaTopics"), "did you mean KafkaTopic?"),
        (kind("KafkaMirrorMaker"), "MirrorMaker 1 is no longer supported: use KafkaMirrorMaker2"),
        (zookeeper.clone(), "spec.zookeeper: remove it: Kafka keeps its metadata itself since Strimzi 0.46"),
    ] {
        for requested in [None, Some("1.2.0"), Some("0.45.2")] {
            let failure = refused(&text, requested);
            assert!(failure.hints[0].starts_with(hint), "{failure:?}");
            assert!(failure.hints.iter().all(|hint| !hint.contains("leave --release")), "{failure:?}");
        }
    }
    let given = Requested::Manifests("1.2.0".parse().expect("a version"));
    let failure = choose(&documents(&zookeeper), Some(&given), release("1.2.0")).expect_err("none fits");
    assert_eq!(
        failure.hints[1..],
        ["for Kafka in kafka.strimzi.io/v1: Strimzi 1.2.0", "for Kafka with ZooKeeper: Strimzi 0.45.2"]
    );
    // A release that has ZooKeeper does not have v1: both are named.
    assert_eq!(refused(&zookeeper, Some("1.2.0")).causes.len(), 2);
    let old = kafka("v1beta2", "  kafka: {}\n  zookeeper: {replicas: 1}\n");
    let failure = refused(&old, Some("0.51.0"));
    assert!(failure.hints[0].starts_with("spec.zookeeper: remove it"), "{failure:?}");
    // The kind is right, and the version is not.
    let failure = refused(&kind("KafkaTopic").replace("/v1", "/v7"), None);
    assert!(failure.hints[0].contains("kstrim versions"), "{failure:?}");
}

#[test]
fn metadata_is_not_newer_than_kafka() {
    let failure = refused(&kafka("v1", "  kafka:\n    version: 4.1.0\n    metadataVersion: 4.2-IV1\n"), None);
    assert!(failure.message.starts_with("test.yaml:8: "), "{failure:?}");
    assert_eq!(
        chosen(&kafka("v1", "  kafka: {metadataVersion: 4.1-IV1}\n")).release.version.to_string(),
        "1.2.0"
    );
    for wrong in ["  kafka: {version: latest}\n", "  kafka: {metadataVersion: newest}\n"] {
        assert!(refused(&kafka("v1", wrong), None).message.contains("is not a"), "{wrong}");
    }
}
