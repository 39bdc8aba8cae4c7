//! `kstrim versions`: compatible versions, and the result of a partial choice.

use std::fs;

use serde_json::json;

use crate::harness::Test;

#[test]
fn the_table_lists_compatible_versions() {
    let mut test = Test::new();
    let all = kstrim::internals::catalogue::releases().len();
    let run = test.args(["versions"]).run().expect(0);
    // A heading, an empty line, and the age of the catalogue.
    assert_eq!(run.stdout.lines().count(), 1 + all + 2, "{}", run.stdout);
    let as_of = kstrim::internals::catalogue::catalogue().as_of.to_string();
    assert!(run.stdout.lines().last().is_some_and(|last| last.contains(&as_of)), "{}", run.stdout);
    let line = |release: &str| {
        let line = run.stdout.lines().find(|line| line.starts_with(&format!("{release} ")));
        line.unwrap_or_else(|| panic!("{release} in {}", run.stdout))
    };
    for (release, words) in [
        ("1.2.0", &["4.2.0", "4.3.1", "1.30 to 1.36", "1.33.0 - 1.39.0", " KRaft"][..]),
        ("0.45.2", &["3.9.2", "1.25 to 1.35", "KRaft, ZooKeeper"]),
        ("0.30.0", &["3.1.0", "3.2.0", "1.16 to 1.24", "1.23.0 - 1.36.0", "ZooKeeper, KRaft (alpha)"]),
    ] {
        words.iter().for_each(|word| assert!(line(release).contains(word), "{word}: {}", line(release)));
    }
    assert!(!line("1.2.0").contains("ZooKeeper"));

    let list = test.args(["versions", "-o", "json"]).run().expect(0).json();
    assert_eq!(list["catalogue"]["as_of"], as_of.as_str());
    assert!(list["catalogue"]["age_days"].is_u64() && list["catalogue"]["old"].is_boolean(), "{list}");
    let rows = &list["releases"];
    assert_eq!(rows.as_array().map(Vec::len), Some(all));
    let oldest = &rows[all - 1];
    assert_eq!(oldest["release"], "0.30.0");
    assert_eq!((&oldest["zookeeper"], &oldest["kraft"]), (&json!(true), &json!("alpha")));
    assert_eq!((&oldest["default_mode"], &rows[0]["default_mode"]), (&json!("zookeeper"), &json!("kraft")));
    assert_eq!(test.calls(), [], "no program is asked");
}

#[test]
fn a_partial_choice_is_completed_to_a_set_which_is_stable() {
    let mut test = Test::new();
    for (asked, release, kafka, kubernetes, preset) in [
        (&[][..], "1.2.0", "4.3.1", "1.35.1", "single"),
        (&["--kafka=4.0.0"], "0.50.1", "4.0.0", "1.35.1", "single"),
        (&["--release=0.30.0"], "0.30.0", "3.2.0", "1.24.3", "zookeeper"),
        (&["--kubernetes-version=1.25"], "0.47.0", "4.0.0", "1.25.3", "single"),
        (&["--preset=zookeeper", "--kubernetes-version=v1.29.3"], "0.45.2", "3.9.2", "1.29.3", "zookeeper"),
        (&["--preset=ha", "--kafka=3.9.0"], "0.47.0", "3.9.0", "1.33.1", "ha"),
    ] {
        let all = ["versions", "resolve", "-o", "json"].iter().chain(asked).copied();
        let set = test.args(all).run().expect(0).json();
        let found =
            ["release", "kafka", "kubernetes", "preset"].map(|key| set[key].as_str().unwrap_or_default());
        assert_eq!(found, [release, kafka, kubernetes, preset], "{asked:?}");
        for key in ["minikube", "kubectl", "operator_image", "kafka_image", "manifest", "manifest_digest"] {
            assert!(set[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {set}");
        }
        let text = test.args(["versions", "resolve"].iter().chain(asked).copied()).run().expect(0).stdout;
        let pinned = text.lines().last().and_then(|line| line.split_once("kstrim up ")).expect("the flags").1;
        let flags = ["versions", "resolve", "-o", "json"].into_iter().chain(pinned.split(' '));
        let again = test.args(flags).run().expect(0).json();
        for key in ["release", "kafka", "kubernetes", "preset", "minikube", "kubectl"] {
            assert_eq!(set[key], again[key], "{pinned}");
        }
    }
    assert_eq!(test.calls(), [], "no program is asked");
}

#[test]
fn settings_apply_as_in_up() {
    let mut test = Test::new();
    fs::write(test.work().join("kstrim.yaml"), "release: 0.45.0\n").expect("written");
    let set = test.args(["versions", "resolve", "-o", "json"]).run().expect(0).json();
    assert_eq!((&set["release"], &set["kafka"]), (&json!("0.45.0"), &json!("3.9.0")));
    let set = test.args(["versions", "resolve", "--release=1.1.0", "-o", "json"]).run().expect(0).json();
    assert_eq!(set["release"], "1.1.0");
}

/// Each command that chooses versions reports the same: the id, the cause, the nearest sets.
#[test]
fn a_conflict_names_its_cause_and_the_nearest_sets() {
    let mut test = Test::new();
    for (asked, words) in [
        (
            &["--kafka=4.0.0", "--preset=zookeeper"][..],
            &[
                "Kafka 4 no longer supports ZooKeeper; the last version that does is 3.9.2",
                "these do: --release 0.45.2 --kafka 3.9.2 --preset zookeeper",
                "these do: --release 0.50.1 --kafka 4.0.0 --preset single",
            ][..],
        ),
        (
            &["--kafka=4.3.1", "--kubernetes-version=1.27"],
            &["Kafka 4.3.1 needs Strimzi 1.2.0, which supports Kubernetes 1.30 to 1.36, not 1.27"],
        ),
        (
            &["--preset=zookeeper", "--kubernetes-version=1.36"],
            &["ZooKeeper needs Strimzi 0.30.0 to 0.45.2", "not 1.36"],
        ),
        (
            &["--release=1.2.0", "--kafka=3.9.0", "--kubernetes-version=1.20", "--preset=zookeeper"],
            &["supports Kafka 4.2.0", "supports Kubernetes 1.30 to 1.36", "no ZooKeeper mode", "these do: "],
        ),
    ] {
        for verb in [&["versions", "resolve"][..], &["plan"], &["render"], &["up", "--output=plain"]] {
            let run = test.args(verb.iter().chain(asked).copied()).run().expect(2);
            assert_eq!(run.stdout, "", "{verb:?}");
            for word in ["KS-VERSION-CONTRADICTION"].iter().chain(words) {
                assert!(run.stderr.contains(word), "{verb:?}: {word} in {}", run.stderr);
            }
        }
    }
    assert_eq!(test.calls(), [], "no program is asked");
}
