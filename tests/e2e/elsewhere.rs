//! A cluster of one's own (`--context`): the ground's cluster, as a kubeconfig knows it, on a machine
//! without minikube.

use std::fs;

use crate::ground::{Ground, profile};

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_cluster_of_ones_own_from_nothing_and_back() {
    let ground = Ground::with_a_cluster("elsewhere::a_cluster_of_ones_own_from_nothing_and_back");
    let config = fs::read(ground.profile_state().join("kubeconfig")).expect("the profile's kubeconfig");
    let file = ground.file("mine.kubeconfig");
    fs::write(&file, &config).expect("a kubeconfig");
    ground.only_kubectl(&file);
    let sources = ground.sources();
    let manifest = sources.iter().position(|s| s == "--manifests").expect("a manifest") + 1;
    let flags = ["--context", profile()];
    let mut up = vec!["up", "--preset", "single", "-o", "json", "--manifests", &sources[manifest]];
    up.extend(flags);
    let asked = ground.kstrim(&up).expect(2);
    assert_eq!(asked.events().failure().0, "KS-CONSENT", "{asked}");
    let made = ground.kstrim(&[&up[..], &["--yes"]].concat()).expect(0);
    assert_eq!(made.events().finished()["outcome"], "done", "{made}");
    // Agreed to once, and all is there.
    ground.kstrim(&up).expect(0);
    for words in
        [&["smoke-test"][..], &["topic", "create", "work-orders"], &["status"], &["doctor", "--offline"]]
    {
        ground.kstrim(&[words, &flags].concat()).expect(0);
    }
    let marker =
        [&["kubectl"], &flags[..], &["--", "get", "configmap", "kstrim", "-n", "kube-system"]].concat();
    ground.kstrim(&[&["down", "--yes"], &flags[..]].concat()).expect(0);
    let left = [&["kubectl"], &flags[..], &["--", "get", "namespaces,crds", "-o", "name"]].concat();
    let left = ground.kstrim(&left).expect(0).stdout;
    assert!(!left.contains("namespace/kafka") && !left.contains("strimzi"), "{left}");
    // The profile's own marker, of the `up` that made it, is left alone.
    ground.kstrim(&marker).expect(0);
    assert!(fs::read(&file).expect("the kubeconfig") == config, "the kubeconfig was changed");
}
