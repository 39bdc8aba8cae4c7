//! An existing cluster (`--context`): the ground's cluster, through a kubeconfig, on a machine without minikube; and
//! one that minikube did not create.

use std::fs;
use std::path::Path;
use std::process::Command;

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
    // After consent was given once, everything is done.
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
    // The profile's own marker, from the `up` that created it, is not changed.
    ground.kstrim(&marker).expect(0);
    assert!(fs::read(&file).expect("the kubeconfig") == config, "the kubeconfig was changed");
}

/// A node created by kubeadm (`tests/ground/kubeadm`): no add-ons, no provisioner, no storage class. Deleted when
/// dropped.
struct Kubeadm(String);

impl Kubeadm {
    fn create(kubeconfig: &Path, archives: &[String]) -> Self {
        let cluster = Self(format!("{}-kubeadm", profile()));
        // One that an earlier run left.
        let _ = script(&["delete", &cluster.0]);
        let kubeconfig = kubeconfig.to_str().expect("text");
        let archives = archives.iter().map(String::as_str);
        let (ended, said) =
            script(&["create", &cluster.0, kubeconfig].into_iter().chain(archives).collect::<Vec<_>>());
        assert!(ended, "{said}");
        cluster
    }
}

impl Drop for Kubeadm {
    fn drop(&mut self) {
        let _ = script(&["delete", &self.0]);
    }
}

fn script(args: &[&str]) -> (bool, String) {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ground/kubeadm");
    let output = Command::new(path).args(args).output().unwrap_or_else(|e| panic!("{path}: {e}"));
    (output.status.success(), format!("{output:?}"))
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn a_cluster_of_kubeadm_from_nothing_and_back() {
    let ground = Ground::take("elsewhere::a_cluster_of_kubeadm_from_nothing_and_back");
    let sources = ground.sources();
    let given = |flag: &str| -> Vec<String> {
        sources.windows(2).filter(|pair| pair[0] == flag).map(|pair| pair[1].clone()).collect()
    };
    let file = ground.file("kubeadm.kubeconfig");
    let cluster = Kubeadm::create(&file, &given("--image-archive"));
    let config = fs::read(&file).expect("a kubeconfig");
    ground.only_kubectl(&file);
    let flags = ["--context", &cluster.0];
    let manifest = given("--manifests");
    let up = [&["up", "--yes", "-o", "json", "--manifests", &manifest[0]][..], &flags].concat();
    // Nothing would provision the volumes: reported before anything is created.
    let refused = ground.kstrim(&up).expect(3);
    assert_eq!(refused.events().failure().0, "KS-STORAGE-CLASS", "{refused}");
    let kubectl = |words: &[&str]| {
        let run = ground.kstrim(&[&["kubectl"], &flags[..], &["--"], words].concat());
        run.expect(0).stdout
    };
    let nothing = |said: &str| !said.contains("namespace/kafka") && !said.contains("strimzi");
    let objects = ["get", "namespaces,crds,clusterroles", "-o", "name"];
    assert!(nothing(&kubectl(&objects)));
    let up = [&up[..], &["--preset", "ephemeral"]].concat();
    let made = ground.kstrim(&up).expect(0);
    made.events().verified(10);
    let again = ground.kstrim(&up).expect(0);
    assert_eq!(again.events().task("kafka").0, "already_done", "{again}");
    for words in
        [&["smoke-test"][..], &["topic", "create", "work-orders"], &["status"], &["doctor", "--offline"]]
    {
        ground.kstrim(&[words, &flags].concat()).expect(0);
    }
    ground.kstrim(&[&["down", "--yes"], &flags[..]].concat()).expect(0);
    assert!(nothing(&kubectl(&objects)), "{}", kubectl(&objects));
    assert!(fs::read(&file).expect("the kubeconfig") == config, "the kubeconfig was changed");
}
