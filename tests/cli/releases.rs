//! Which Strimzi release applies: the installed one, or that of a specified manifest.

use serde_json::Value;

use crate::doctor::{check, doctor, verdicts};
use crate::harness::{ProfileSeed, Test};
use crate::support::{KAFKA, PROFILE, events, failure, fresh, install_of, quick, text, told};

fn manifest(release: &str) -> String {
    format!("manifests/strimzi-cluster-operator-{release}.yaml")
}

/// A machine with the manifests of these releases, in one directory.
fn with(releases: &[(&str, &[&str])]) -> Test {
    let test = fresh().scenario(quick);
    for (release, kafkas) in releases {
        test.write(&manifest(release), text(&install_of(release, kafkas, &["v1"])));
    }
    test
}

const OLD: (&str, &[&str]) = ("1.0.1", &["4.1.0", "4.1.1", "4.1.2", "4.2.0"]);
const NEW: (&str, &[&str]) = ("1.2.0", &["4.2.0", "4.2.1", "4.3.0", "4.3.1"]);

#[test]
fn the_release_of_a_manifest_is_used() {
    let mut test = with(&[OLD]);
    // A file, and a directory.
    for given in [manifest("1.0.1"), "manifests".to_owned()] {
        let planned = test.args(["plan", "--manifests", &given]).run().expect(0).stdout;
        assert!(planned.contains("1.0.1") && planned.contains("4.2.0"), "{planned}");
    }
    let lines = events(&mut test, ["up", "--manifests", "manifests"], 0);
    assert_eq!(lines[0]["release"], "1.0.1", "{}", told(&lines));
    // Of several, the newest; or the requested one.
    let mut test = with(&[OLD, NEW]);
    let lines = events(&mut test, ["up", "--manifests", "manifests", "--release", "1.0.1"], 0);
    assert_eq!(lines[0]["release"], "1.0.1", "{}", told(&lines));
    let mut test = with(&[OLD, NEW]);
    let lines = events(&mut test, ["up", "--manifests", "manifests"], 0);
    assert_eq!(lines[0]["release"], "1.2.0", "{}", told(&lines));
    let mut test = with(&[OLD, NEW]);
    let lines = events(&mut test, ["up", "--manifests", "manifests", "--release", "1.1.0"], 2);
    assert_eq!(failure(&lines), "KS-MANIFEST-UNREADABLE", "{}", told(&lines));
    assert!(told(&lines).contains("--release 1.0.1, --release 1.2.0"), "{}", told(&lines));
}

#[test]
fn doctor_uses_the_installed_release() {
    let mut test = with(&[OLD]);
    test.args(["up", "--manifests", "manifests"]).run().expect(0);
    let healthy = doctor(&mut test, &[], 0);
    assert_eq!(verdicts(&healthy)["profile.operator"], "ok");
    let found = check(&healthy, "profile.operator")["found"].as_str().unwrap_or_default();
    assert!(found.starts_with("Strimzi 1.0.1 is installed; 1.2.0 is available: kstrim upgrade"), "{found}");
    assert!(check(&healthy, "versions.set")["found"].to_string().contains("Strimzi 1.0.1"), "{healthy}");
    // If another one is requested, it reports that `up` would not install it.
    let asked = doctor(&mut test, &["--release=1.2.0"], 1);
    assert_eq!(verdicts(&asked)["profile.operator"], "failed KS-RELEASE-UPGRADE");
}

#[test]
fn an_unsupported_kubernetes_lists_supported_ones() {
    let of = |kubernetes: &str| {
        let seed = ProfileSeed { kubernetes: kubernetes.into(), ..ProfileSeed::default() };
        fresh().scenario(|s| {
            quick(s);
            s.profiles.push(seed.clone());
        })
    };
    let mut test = of("v1.25.3");
    let lines = events(&mut test, ["up", "--adopt", "--namespace", "mine"], 3);
    assert_eq!(failure(&lines), "KS-KUBERNETES-UNSUPPORTED");
    for words in [
        "kstrim up --adopt --namespace mine -o json --release 0.47.0",
        "kstrim up --adopt --namespace mine -o json --profile another-name --release 1.2.0 --kubernetes-version 1.30",
    ] {
        assert!(told(&lines).contains(words), "{words} in {}", told(&lines));
    }
    // With ZooKeeper another one is the nearest.
    let lines = events(&mut test, ["up", "--adopt", "--preset", "zookeeper", "--release", "0.30.0"], 3);
    assert!(told(&lines).contains("--release 0.31.0"), "{}", told(&lines));
    // The default of minikube 1.39.0: no release supports it.
    let mut test = of("v1.37.0");
    let lines = events(&mut test, ["up", "--adopt", "--system-tools"], 3);
    assert_eq!(failure(&lines), "KS-KUBERNETES-UNSUPPORTED");
    let said = told(&lines);
    assert!(said.contains("no Strimzi release in the catalogue supports Kubernetes 1.37"), "{said}");
    assert!(said.contains("--release 1.2.0 --kubernetes-version 1.36"), "{said}");
}

#[test]
fn a_kafka_version_that_is_too_new_is_rejected_with_the_newest_supported_one() {
    let mut test = Test::new();
    for (more, newest) in [
        (&[][..], "the newest that works: --kafka 4.3.1 (Strimzi 1.2.0)"),
        (&["--release=1.0.1"], "the newest that works: --kafka 4.2.0 (Strimzi 1.0.1)"),
        (&["--preset=zookeeper"], "the newest that works: --kafka 3.9.2 (Strimzi 0.45.2)"),
    ] {
        let run = test.args(["up", "--kafka", "4.4.0"].iter().chain(more)).run().expect(2);
        assert!(
            run.stderr.contains("KS-VERSION-KAFKA-UNKNOWN") && run.stderr.contains(newest),
            "{}",
            run.stderr
        );
    }
    // One that another release supports.
    let run = test.args(["up", "--release", "1.0.1", "--kafka", "4.3.1"]).run().expect(2);
    for words in [
        "Strimzi 1.0.1 supports Kafka 4.1.0",
        "--release 1.0.1 --kafka 4.2.0",
        "--release 1.2.0 --kafka 4.3.1",
    ] {
        assert!(run.stderr.contains(words), "{words} in {}", run.stderr);
    }
    assert_eq!(test.calls(), []);
}

/// The settings of a Kafka that count brokers.
fn config(test: &Test) -> Value {
    test.object(PROFILE, KAFKA)["spec"]["kafka"]["config"].clone()
}

#[test]
fn settings_suit_one_broker_and_scale_lists_those_to_raise() {
    let mut test = crate::support::ready();
    let config = config(&test);
    for need in kstrim::internals::catalogue::broker::needs(&"4.3.1".parse().expect("a version")) {
        assert_eq!(config[need.name], 1, "{}", need.name);
    }
    let lines = events(&mut test, ["scale", "--brokers", "3"], 0);
    let ended = lines.iter().find(|l| l["type"] == "task_finished").expect("an end");
    let said = ended["detail"].as_str().unwrap_or_default();
    for words in [
        "share.coordinator.state.topic.replication.factor=3 share.coordinator.state.topic.min.isr=2",
        "kstrim set offsets.topic.replication.factor=3",
        "default.replication.factor=3 min.insync.replicas=2",
    ] {
        assert!(said.contains(words), "{words} in {said}");
    }
    let command = said.split("kstrim set ").nth(1).expect("a command");
    let settings: Vec<&str> = command.split(' ').filter(|word| word.contains('=')).collect();
    test.args(["set", "--yes"].into_iter().chain(settings)).run().expect(0);
    let lines = events(&mut test, ["scale", "--brokers", "2"], 2);
    assert_eq!(failure(&lines), "KS-SCALE-REPLICATION", "{}", told(&lines));
    assert!(told(&lines).contains("share.coordinator.state.topic.replication.factor=3"), "{}", told(&lines));
}
