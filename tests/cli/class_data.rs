//! Class-data archives: written after the first `up`, kept on this machine, used by the next cluster.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::harness::{Action, Host, ProfileSeed, Test};
use crate::support::{PROFILE, apply_foreign, events, fresh, journal, kstrim, kubectl, written};

const JVMS: [&str; 4] = ["broker", "cluster-operator", "topic-operator", "user-operator"];

/// The names of the objects of a kind that belong to the archives.
fn named(test: &Test, kind: &str) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let keys = objects.as_object().expect("objects").keys();
    let of = keys.filter(|key| key.starts_with(kind) && key.contains("kstrim-class-data"));
    of.map(|key| key.rsplit('/').next().unwrap_or_default().to_owned()).collect()
}

/// The archives in the node or in the cache.
fn archives(folder: &std::path::Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(archives(&path));
        } else if path.extension().is_some_and(|extension| extension == "jsa") {
            found.insert(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        }
    }
    found
}

fn in_node(test: &Test) -> BTreeSet<String> {
    archives(&test.world_dir().join(format!("node-{PROFILE}.class-data")))
}

fn in_cache(test: &Test) -> BTreeSet<String> {
    archives(&test.home().join(".cache/kstrim/class-data"))
}

/// The calls of minikube that concern the archives.
fn transfers(test: &Test) -> Vec<String> {
    let calls = test.calls().into_iter().filter(|call| call.program == "minikube");
    let lines = calls.map(|call| call.args.join(" "));
    lines.filter(|line| line.contains("kstrim-class-data")).collect()
}

fn uses_archives(test: &Test) -> (bool, bool) {
    let operator = test.object(PROFILE, "deployments.apps/kafka/strimzi-cluster-operator").to_string();
    let kafka = test.object(PROFILE, "kafkas.kafka.strimzi.io/kafka/my-cluster").to_string();
    (operator.contains("SharedArchiveFile"), kafka.contains("SharedArchiveFile"))
}

fn all() -> BTreeSet<String> {
    JVMS.map(str::to_owned).into()
}

/// The JVMs whose archives kstrim has seen in the node.
fn confirmed(test: &Test) -> BTreeSet<String> {
    let known = journal(test)["class_data"]["kafka"].clone();
    known.as_object().map(|known| known.keys().cloned().collect()).unwrap_or_default()
}

#[test]
fn the_next_cluster_uses_the_archives_of_the_first() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    assert_eq!(uses_archives(&test), (true, true));
    assert_eq!(named(&test, "persistentvolumeclaims"), ["kstrim-class-data"]);
    assert_eq!(named(&test, "persistentvolumes"), ["kstrim-class-data-kafka"]);
    assert_eq!(named(&test, "jobs.batch").len(), 1);
    assert_eq!((in_node(&test), in_cache(&test)), (all(), BTreeSet::new()));

    // The next run sees what the Job has written, and no later one has to look.
    events(&mut test, ["up"], 0);
    assert_eq!(confirmed(&test), all());
    test.forget_calls();
    events(&mut test, ["up"], 0);
    assert_eq!(transfers(&test), [""; 0]);
    assert_eq!(named(&test, "jobs.batch").len(), 1);

    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(in_cache(&test), all());

    test.forget_calls();
    events(&mut test, ["up"], 0);
    let copies = transfers(&test).iter().filter(|line| line.starts_with("cp ")).count();
    assert_eq!(copies, 4, "{:#?}", transfers(&test));
    assert_eq!((in_node(&test), confirmed(&test)), (all(), all()));
    // There is nothing to write.
    assert_eq!(named(&test, "jobs.batch"), [""; 0]);
}

#[test]
fn a_stop_keeps_them_once() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    kstrim(&mut test, ["stop", "--yes"]).expect(0);
    assert_eq!(in_cache(&test), all());
    kstrim(&mut test, ["start"]).expect(0);
    test.forget_calls();
    kstrim(&mut test, ["stop", "--yes"]).expect(0);
    assert!(!transfers(&test).iter().any(|line| line.starts_with("cp ")), "{:#?}", transfers(&test));
    // `up` starts the machine, and keeps what the installation has.
    test.forget_calls();
    let before = test.object(PROFILE, "deployments.apps/kafka/strimzi-cluster-operator")["spec"].clone();
    events(&mut test, ["up"], 0);
    assert_eq!(test.object(PROFILE, "deployments.apps/kafka/strimzi-cluster-operator")["spec"], before);
}

#[test]
fn an_archive_of_another_image_is_not_kept() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    let file = test.world_dir().join(format!("node-{PROFILE}.class-data/kafka/archives/broker.image"));
    std::fs::write(file, "quay.io/strimzi/kafka:9.9.9 sha256:0a").expect("written");
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(!in_cache(&test).contains("broker"), "{:?}", in_cache(&test));
}

#[test]
fn keeping_the_cluster_leaves_only_the_files() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    for kind in ["persistentvolumeclaims", "persistentvolumes", "jobs.batch"] {
        assert_eq!(named(&test, kind), [""; 0], "{kind}");
    }
    events(&mut test, ["up"], 0);
    // The node has the archives already.
    assert_eq!(named(&test, "jobs.batch"), [""; 0]);
    assert_eq!(named(&test, "persistentvolumeclaims"), ["kstrim-class-data"]);
}

/// The pod of the Job, which uses the claim until it has ended.
fn pod_of_the_job(test: &Test) -> Value {
    let jobs = test.objects(PROFILE);
    let job = jobs.as_object().expect("objects").iter().find(|(key, _)| key.starts_with("jobs.batch/kafka/"));
    let job = &job.expect("the Job").1["metadata"];
    json!({"apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "kstrim-class-data-x", "namespace": "kafka", "ownerReferences": [{
            "apiVersion": "batch/v1", "kind": "Job", "name": job["name"], "uid": job["uid"], "controller": true}]},
        "spec": {"containers": [{"name": "broker", "image": "quay.io/strimzi/kafka:1.2.0-kafka-4.3.1"}],
            "volumes": [{"name": "class-data", "persistentVolumeClaim": {"claimName": "kstrim-class-data"}}]}})
}

#[test]
fn a_job_that_is_still_running_does_not_keep_the_namespace() {
    let mut test = fresh();
    test.change_scenario(|s| s.timings.pod_stop = 400);
    events(&mut test, ["up"], 0);
    apply_foreign(&test, &[pod_of_the_job(&test)]);
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    assert_eq!(named(&test, ""), [""; 0]);
    assert!(!test.objects(PROFILE).as_object().expect("objects").contains_key("namespaces//kafka"));
}

#[test]
fn a_volume_of_others_is_not_touched() {
    let mut test = fresh();
    events(&mut test, ["up"], 0);
    kstrim(&mut test, ["down", "--keep-cluster", "--yes"]).expect(0);
    let theirs = json!({"apiVersion": "v1", "kind": "PersistentVolume",
        "metadata": {"name": "kstrim-class-data-kafka"},
        "spec": {"claimRef": {"namespace": "kafka", "name": "kstrim-class-data", "uid": "of-another"},
            "hostPath": {"path": "/var/lib/minikube/kstrim-class-data/kafka"},
            "persistentVolumeReclaimPolicy": "Retain"},
        "status": {"phase": "Released"}});
    apply_foreign(&test, &[theirs]);
    let before = test.object(PROFILE, "persistentvolumes//kstrim-class-data-kafka");
    let lines = events(&mut test, ["up"], 0);
    let warns = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("without class-data archives"));
    assert!(lines.iter().any(|l| l["type"] == "warning" && warns(l)), "{lines:#?}");
    assert_eq!(named(&test, "persistentvolumeclaims"), [""; 0]);
    assert_eq!(uses_archives(&test), (false, false));
    assert_eq!(test.object(PROFILE, "persistentvolumes//kstrim-class-data-kafka"), before);
    // It stays without them.
    kubectl(&test, "delete pv kstrim-class-data-kafka").expect(0);
    test.forget_calls();
    events(&mut test, ["up"], 0);
    assert_eq!(uses_archives(&test), (false, false));
    assert_eq!(written(&test), [""; 0]);
}

#[test]
fn an_installation_without_them_keeps_none_after_a_stop() {
    let mut test = fresh();
    events(&mut test, ["up", "--stock"], 0);
    kstrim(&mut test, ["stop", "--yes"]).expect(0);
    events(&mut test, ["up"], 0);
    assert_eq!(uses_archives(&test), (false, false));
    assert_eq!(named(&test, "persistentvolume"), [""; 0]);
}

#[test]
fn without_archives_everything_works() {
    for args in ["sudo install -d -m 0777", "jsa.part", "echo", "create --raw /api/v1/persistentvolumes"] {
        let mut test = fresh();
        events(&mut test, ["up"], 0);
        kstrim(&mut test, ["down", "--yes"]).expect(0);
        let broken = Action::Exit { code: 1, stdout: String::new(), stderr: "broken".into() };
        let mut test = test.fault("", args, None, broken);
        events(&mut test, ["up"], 0);
    }
}

#[test]
fn only_clusters_of_kstrim_in_profiles_of_kstrim_have_them() {
    let mut stock = fresh();
    events(&mut stock, ["up", "--stock"], 0);
    assert_eq!(uses_archives(&stock), (false, false));
    let seed = ProfileSeed { host: Host::Running, ..ProfileSeed::default() };
    let mut theirs = fresh().scenario(|s| s.profiles = vec![seed]);
    events(&mut theirs, ["up", "--adopt"], 0);
    assert_eq!(uses_archives(&theirs), (false, false));
    let mut nodes = fresh();
    events(&mut nodes, ["up", "--minikube-arg=--nodes=2"], 0);
    assert_eq!(uses_archives(&nodes), (false, false));
    for test in [&stock, &theirs, &nodes] {
        assert_eq!(named(test, "persistentvolumes"), [""; 0]);
        assert_eq!(transfers(test), [""; 0]);
    }
}

#[test]
fn several_brokers_write_no_list() {
    let mut test = fresh();
    events(&mut test, ["up", "--preset", "ha"], 0);
    assert_eq!(uses_archives(&test), (true, true));
    let kafka = test.object(PROFILE, "kafkas.kafka.strimzi.io/kafka/my-cluster");
    assert!(!kafka["spec"]["kafka"].to_string().contains("SharedArchiveFile"), "{kafka:#}");
}

#[test]
fn manifests_for_elsewhere_have_none() {
    let mut test = fresh();
    let rendered = kstrim(&mut test, ["render"]).expect(0).stdout;
    assert!(!rendered.contains("class-data"), "{rendered}");
    let plan = kstrim(&mut test, ["plan"]).expect(0).stdout;
    assert!(plan.contains("PersistentVolumeClaim/kstrim-class-data"), "{plan}");
}
