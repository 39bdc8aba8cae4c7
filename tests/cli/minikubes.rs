//! The default versions of a minikube release, and how kstrim handles them.

use crate::harness::{MinikubeRelease, Test};
use crate::support::{PROFILE, fresh, install_of, quick, text};
use crate::trouble::{up_fails, up_succeeds};

/// The stand-in's kubectl is too old for the Kubernetes of this minikube, and there is no other.
const KUBECTL: &str = "--system-tools";

/// A machine with this minikube.
fn with(release: MinikubeRelease) -> Test {
    fresh().scenario(|s| {
        quick(s);
        s.minikube = release.clone();
    })
}

/// The arguments of the last `minikube start`.
fn started(test: &Test) -> String {
    let calls = test.calls();
    let start = calls.iter().rfind(|call| call.args.first().is_some_and(|word| word == "start"));
    start.map(|call| call.line()).expect("minikube was started")
}

fn config(test: &Test, key: &str) -> String {
    let path = test.home().join(".minikube/profiles/kstrim/config.json");
    let config: serde_json::Value = std::fs::read_to_string(path).unwrap().parse().unwrap();
    config["KubernetesConfig"][key].as_str().unwrap_or_default().to_owned()
}

/// By itself, 1.39.0 would create Kubernetes 1.37, which Strimzi 1.2.0 does not support.
#[test]
fn each_minikube_creates_a_supported_kubernetes_with_the_same_runtime() {
    for (release, kubernetes) in
        [(MinikubeRelease::default(), "v1.35.1"), (MinikubeRelease::v1_39(), "v1.36.4")]
    {
        let mut test = with(release);
        up_succeeds(&mut test, &[KUBECTL]);
        assert_eq!(config(&test, "KubernetesVersion"), kubernetes);
        assert_eq!(config(&test, "ContainerRuntime"), "containerd");
    }
    // Its default is another version: the stand-in behaves like the release.
    let test = with(MinikubeRelease::v1_39());
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    assert_eq!(config(&test, "KubernetesVersion"), "v1.37.0");
    let test = with(MinikubeRelease::default());
    test.fake("minikube", ["start", "-p", PROFILE]).expect(0);
    assert_eq!(config(&test, "ContainerRuntime"), "docker");
}

#[test]
fn the_users_own_runtime_is_used() {
    for arguments in [
        &["--minikube-arg=--container-runtime=docker"][..],
        &["--minikube-arg=--container-runtime", "--minikube-arg=docker"],
        &["--minikube-arg=-c=docker"],
    ] {
        let mut test = with(MinikubeRelease::v1_39());
        up_succeeds(&mut test, &[arguments, &[KUBECTL]].concat());
        assert!(!started(&test).contains("containerd"), "{}", started(&test));
        assert_eq!(config(&test, "ContainerRuntime"), "docker", "{arguments:?}");
    }
    let mut test = with(MinikubeRelease::v1_39());
    test.change_scenario(|s| {
        s.minikube_config.insert("container-runtime".into(), "docker".into());
    });
    up_succeeds(&mut test, &[KUBECTL]);
    assert_eq!(config(&test, "ContainerRuntime"), "docker");
}

#[test]
fn a_profile_keeps_the_runtime_that_it_has() {
    let mut test = with(MinikubeRelease::default());
    up_succeeds(&mut test, &["--minikube-arg=--container-runtime=docker"]);
    test.fake("minikube", ["stop", "-p", PROFILE]).expect(0);
    // Another minikube was installed since, with another default.
    test.change_scenario(|s| s.minikube = MinikubeRelease::v1_39());
    up_succeeds(&mut test, &[KUBECTL]);
    assert!(!started(&test).contains("--container-runtime"), "{}", started(&test));
    assert_eq!(
        (config(&test, "ContainerRuntime"), config(&test, "KubernetesVersion")),
        ("docker".into(), "v1.35.1".into())
    );
}

/// The seed's own set, on a Kubernetes of today.
#[test]
fn an_unsupported_kubernetes_is_used_on_request() {
    let release = ["--release", "0.30.0", "--preset", "zookeeper", "--manifests", "old.yaml"];
    let mut test = with(MinikubeRelease::v1_39());
    test.write("old.yaml", text(&install_of("0.30.0", &["3.1.0", "3.2.0"], &["v1beta2"])));
    up_fails(&mut test, &[&release[..], &["--system-tools"]].concat(), "KS-VERSION-MINIKUBE-UNSUPPORTED", 3);
    let run = up_succeeds(&mut test, &[&release[..], &["--allow-unsupported"]].concat());
    assert_eq!(config(&test, "KubernetesVersion"), "v1.28.3");
    for words in ["supports Kubernetes 1.16 to 1.24, not 1.28", "STRIMZI_KUBERNETES_VERSION: 1.24"] {
        assert!(run.stdout.contains(words), "{words} in {}", run.stdout);
    }
    let operator = test.object(PROFILE, "deployments.apps/kafka/strimzi-cluster-operator");
    let variables =
        operator["spec"]["template"]["spec"]["containers"][0]["env"].as_array().expect("variables");
    let told = variables.iter().find(|v| v["name"] == "STRIMZI_KUBERNETES_VERSION").expect("the variable");
    assert_eq!(told["value"], "major=1\nminor=24");
    // Applied once, it is done; without the flag it is rejected as before.
    test.forget_calls();
    up_succeeds(&mut test, &[&release[..], &["--allow-unsupported"]].concat());
    up_fails(&mut test, &release, "KS-KUBERNETES-UNSUPPORTED", 3);
}

/// However the Kubernetes version is passed to minikube, Strimzi has to support it.
#[test]
fn a_kubernetes_version_among_minikubes_arguments_counts_as_requested() {
    let given = "--minikube-arg=--kubernetes-version=v1.29.0";
    let mut test = with(MinikubeRelease::v1_39());
    let run = test.args(["up", "--release=1.2.0", given]).run().expect(2);
    assert!(run.stderr.contains("KS-VERSION-CONTRADICTION"), "{}", run.stderr);
    test.change_scenario(|s| {
        s.minikube_config.insert("kubernetes-version".into(), "v1.29.0".into());
    });
    up_fails(&mut test, &["--release=1.2.0", KUBECTL], "KS-VERSION-CONTRADICTION", 2);
    // What an old operator is told of it.
    let mut test = with(MinikubeRelease::v1_39());
    test.write("old.yaml", text(&install_of("0.30.0", &["3.1.0", "3.2.0"], &["v1beta2"])));
    let release =
        ["--release=0.30.0", "--preset=zookeeper", "--manifests=old.yaml", "--allow-unsupported", given];
    let run = up_succeeds(&mut test, &release);
    assert_eq!(config(&test, "KubernetesVersion"), "v1.29.0");
    assert!(run.stdout.contains("STRIMZI_KUBERNETES_VERSION: 1.24"), "{}", run.stdout);
}
