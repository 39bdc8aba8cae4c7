//! `kstrim down`: only what kstrim created, in an order that does not hang.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Engine, NEVER, ProfileSeed, Test, Timings};
use crate::support::{
    CLAIM, KAFKA, KEEP, MARKER, PROFILE, TOPIC, apply_foreign, disown, empty_cluster, events, failure, fresh,
    install_of, kstrim, kubectl, ours, quick, ready, same, state, text, told, until, written,
};

/// Keys of anything of Strimzi's or in the namespace.
fn remains(test: &Test) -> Vec<String> {
    let objects = test.objects(PROFILE);
    let of_kafka = |key: &&String| {
        key.contains("strimzi") || key.split('/').nth(1) == Some("kafka") || *key == "namespaces//kafka"
    };
    objects.as_object().into_iter().flatten().map(|(key, _)| key).filter(of_kafka).cloned().collect()
}

#[test]
fn the_profile_is_deleted_if_kstrim_created_it() {
    let mut test = ready();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
    let folder = test.home().join(".local/state/kstrim/profiles/kstrim");
    assert!(!folder.join("journal.json").exists() && !folder.join("kubeconfig").exists());
    // Deleting what does not exist succeeds.
    test.forget_calls();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn down_without_anything() {
    let mut test = fresh();
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    kstrim(&mut test, ["down"]).expect(0);
    kstrim(&mut test, KEEP).expect(0);
    assert_eq!(written(&test), Vec::<String>::new());
}

#[test]
fn a_foreign_profile_is_kept() {
    let mut test = fresh().scenario(|s| {
        quick(s);
        s.profiles = vec![ProfileSeed::default()];
    });
    kstrim(&mut test, ["up", "--adopt"]).expect(0);
    let lines = events(&mut test, ["down", "--yes"], 0);
    assert!(test.profile(PROFILE).is_object());
    let said = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("kstrim did not create it"));
    assert!(lines.iter().any(said), "{lines:#?}");
    assert_eq!(remains(&test), Vec::<String>::new());
    assert!(!written(&test).iter().any(|line| line.starts_with("minikube delete")));
}

#[test]
fn keep_cluster_deletes_in_order_and_leaves_nothing() {
    let mut test = ready();
    let lines = events(&mut test, KEEP, 0);
    assert_eq!(failure(&lines), "none");
    assert!(test.profile(PROFILE).is_object());
    assert_eq!(remains(&test), Vec::<String>::new());
    assert_eq!(ours(&test), [MARKER], "the profile stays ours");
    let deleted = written(&test);
    let at = |kind: &str| {
        let place = deleted.iter().position(|line| line.contains(" delete --raw ") && line.contains(kind));
        place.unwrap_or_else(|| panic!("no deletion of {kind} in {deleted:#?}"))
    };
    let order = [
        "/kafkatopics/",
        "/kafkas/",
        "/kafkanodepools/",
        "/persistentvolumeclaims/",
        "/deployments/",
        "/customresourcedefinitions/",
        "/api/v1/namespaces/kafka -f",
    ];
    assert!(order.map(at).is_sorted(), "{deleted:#?}");
    kstrim(&mut test, KEEP).expect(0);
    kstrim(&mut test, ["up"]).expect(0);
    same(&state(&ready()), &state(&test), "up after down");
}

#[test]
fn topics_without_an_operator_are_released_with_a_warning() {
    let mut test = ready();
    assert_eq!(test.object(PROFILE, TOPIC)["metadata"]["finalizers"], json!(["strimzi.io/topic-operator"]));
    kubectl(&test, "delete kafkas.kafka.strimzi.io my-cluster -n kafka --wait=false").expect(0);
    until(&test, "the entity operator is gone", |t| {
        t.object(PROFILE, "deployments.apps/kafka/my-cluster-entity-operator").is_null()
    });
    let lines = events(&mut test, KEEP, 0);
    let said = |l: &Value| {
        l["type"] == "warning" && l["message"].as_str().is_some_and(|m| m.contains("finalizer of my-topic"))
    };
    assert!(lines.iter().any(said), "{lines:#?}");
    // Nothing proves any more that the volume belongs to kstrim's Kafka cluster: it is kept, and so is the namespace.
    assert!(test.object(PROFILE, TOPIC).is_null() && test.object(PROFILE, CLAIM).is_object());
    assert!(lines.iter().any(|l| l["detail"].as_str().is_some_and(|d| d.contains("data-0-my-cluster"))));
}

#[test]
fn a_foreign_finalizer_is_named_and_not_waited_for() {
    for (kind, object) in
        [("kafkatopics", "my-topic"), ("persistentvolumeclaims", "data-0-my-cluster-dual-role-0")]
    {
        let mut test = ready();
        let patch = json!({"metadata": {"finalizers": ["example.com/guard"]}});
        kubectl(&test, &format!("patch {kind} {object} -n kafka --type=merge -p {patch}")).expect(0);
        let since = std::time::Instant::now();
        let lines = events(&mut test, KEEP, 1);
        assert!(since.elapsed() < Duration::from_secs(30), "{:?}", since.elapsed());
        assert_eq!(failure(&lines), "KS-OBJECT-HELD", "{}", told(&lines));
        assert!(
            told(&lines).contains("example.com/guard") && told(&lines).contains(object),
            "{}",
            told(&lines)
        );
        // The command of the hint, then again.
        let free = json!({"metadata": {"finalizers": null}});
        kubectl(&test, &format!("patch {kind} {object} -n kafka --type=merge -p {free}")).expect(0);
        events(&mut test, KEEP, 0);
        assert_eq!(remains(&test), Vec::<String>::new());
    }
}

/// This happens while CRDs are created and deleted.
#[test]
fn a_stalled_garbage_collector_is_not_waited_for() {
    for down in [KEEP, ["down", "--keep-data", "--yes"]] {
        let mut test = ready();
        test.change_scenario(|s| s.timings.gc = NEVER);
        let lines = events(&mut test, down, 0);
        let said = |l: &Value| {
            l["message"]
                .as_str()
                .is_some_and(|m| m.contains("garbage") && m.contains("my-cluster-dual-role-0"))
        };
        assert!(lines.iter().any(said), "{lines:#?}");
        let objects = test.objects(PROFILE);
        let pods: Vec<&String> = objects
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, _)| k)
            .filter(|k| k.starts_with("pods/kafka/"))
            .collect();
        assert!(pods.is_empty(), "{pods:?}");
        // What has no owner any more would stay forever in a namespace that is kept: keys, permissions, Services.
        let left = |key: &&String| {
            let others = ["kube-root-ca.crt", "kstrim-installation", "/default"];
            let claims = key.starts_with("persistentvolumeclaims/") || key.starts_with("events");
            key.contains("/kafka/") && !claims && !others.iter().any(|other| key.ends_with(other))
        };
        let left: Vec<&String> =
            objects.as_object().into_iter().flatten().map(|(k, _)| k).filter(left).collect();
        assert!(left.is_empty(), "{left:?}");
        let claim = test.object(PROFILE, CLAIM);
        assert_eq!(claim.is_object(), down.contains(&"--keep-data"), "{claim}");
        // Nothing of it blocks the next run.
        test.change_scenario(|s| s.timings.gc = Timings::default().gc);
        kstrim(&mut test, ["up"]).expect(0);
    }
}

#[test]
fn a_foreign_kafka_cluster_keeps_the_crds() {
    let mut test = ready();
    let theirs = "kafkas.kafka.strimzi.io/other/theirs";
    apply_foreign(
        &test,
        &[
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "other"}}),
            json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
                "metadata": {"name": "theirs", "namespace": "other"}, "spec": {"kafka": {}}}),
        ],
    );
    let lines = events(&mut test, KEEP, 0);
    let kept = |l: &Value| l["detail"].as_str().is_some_and(|d| d.contains("in use: Kafka other/theirs"));
    assert!(lines.iter().any(kept), "{lines:#?}");
    assert!(test.object(PROFILE, theirs).is_object());
    assert!(test.object(PROFILE, theirs)["metadata"]["deletionTimestamp"].is_null());
    let crd = "customresourcedefinitions.apiextensions.k8s.io//kafkas.kafka.strimzi.io";
    assert!(test.object(PROFILE, crd).is_object());
    assert!(test.object(PROFILE, "namespaces//kafka").is_null());
}

#[test]
fn a_foreign_namespace_is_kept() {
    let mut test = ready();
    disown(&test, "namespace", "kafka");
    apply_foreign(
        &test,
        &[
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "kafka"},
            "data": {"a": "b"}}),
        ],
    );
    kstrim(&mut test, KEEP).expect(0);
    let namespace = test.object(PROFILE, "namespaces//kafka");
    assert!(namespace.is_object() && namespace["metadata"]["deletionTimestamp"].is_null());
    assert_eq!(test.object(PROFILE, "configmaps/kafka/mine")["data"]["a"], "b");
    assert!(test.object(PROFILE, KAFKA).is_null());
}

#[test]
fn an_older_release_is_deleted_without_foreign_kafka_clusters() {
    let mut test = fresh().scenario(quick);
    let manifest = install_of("0.48.0", &["4.0.0", "4.1.0"], &["v1beta2"]);
    test.write("old.yaml", text(&manifest));
    test.args(["up", "--release", "0.48.0", "--manifests", "old.yaml"]).run().expect(0);
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "Kafka",
        "metadata": {"name": "theirs", "namespace": "kafka"}, "spec": {"kafka": {}}});
    apply_foreign(&test, &[kafka]);
    assert_eq!(failure(&events(&mut test, KEEP, 5)), "KS-KAFKA-FOREIGN");
    test.args(["kubectl", "--", "delete", "kafka", "theirs", "-n", "kafka"]).run().expect(0);
    let lines = events(&mut test, KEEP, 0);
    let kafka = lines.iter().find(|l| l["type"] == "task_finished" && l["task"] == "kafka");
    assert_eq!(kafka.map(|l| &l["outcome"]), Some(&json!("done")), "it was seen: {lines:#?}");
    assert_eq!(remains(&test), Vec::<String>::new());
}

/// Objects of minikube's networks and add-ons, and a volume whose claim no longer exists, are not foreign.
#[test]
fn objects_of_minikube_do_not_keep_the_profile() {
    let mut test = ready();
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "ippools.crd.projectcalico.org"},
        "spec": {"group": "crd.projectcalico.org", "scope": "Cluster",
            "names": {"kind": "IPPool", "plural": "ippools", "singular": "ippool"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}}}]}});
    let volume = json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "pvc-1",
            "annotations": {"pv.kubernetes.io/provisioned-by": "k8s.io/minikube-hostpath"}},
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"},
            "claimRef": {"namespace": "kafka", "name": "data-0-gone"}}});
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "kubernetes-dashboard",
        "labels": {"kubernetes.io/minikube-addons": "dashboard"}}});
    apply_foreign(&test, &[definition, volume, namespace]);
    events(&mut test, ["down", "--yes"], 0);
}

/// Foreign objects outside of foreign namespaces are deleted with the profile, so they are named.
#[test]
fn foreign_objects_in_system_namespaces_and_cluster_wide_are_named() {
    let workload = json!({"replicas": 0, "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "a", "image": "x"}]}}});
    for (object, said) in [
        (
            json!({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "archive"},
                "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/x"}}}),
            "PersistentVolume archive",
        ),
        (
            json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
                "metadata": {"name": "data", "namespace": "kube-public"},
                "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}),
            "PersistentVolumeClaim data in namespace kube-public",
        ),
        (
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": "agent", "namespace": "kube-system"}, "spec": workload}),
            "Deployment agent in namespace kube-system",
        ),
        (
            json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
                "metadata": {"name": "widgets.example.org"},
                "spec": {"group": "example.org", "scope": "Cluster",
                    "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
                    "versions": [{"name": "v1", "served": true, "storage": true,
                        "schema": {"openAPIV3Schema": {"type": "object"}}}]}}),
            "CustomResourceDefinition widgets.example.org",
        ),
    ] {
        let mut test = ready();
        apply_foreign(&test, &[object]);
        let lines = events(&mut test, ["down", "--yes"], 5);
        assert_eq!(failure(&lines), "KS-PROFILE-OTHERS");
        assert!(told(&lines).contains(said), "{said}: {}", told(&lines));
        events(&mut test, ["down", "--yes", "--delete-others"], 0);
    }
}

#[test]
fn with_a_foreign_kafka_cluster_in_the_namespace_nothing_is_deleted() {
    for name in ["my-cluster", "theirs"] {
        let mut test = ready();
        if name == "my-cluster" {
            disown(&test, "kafka", name);
        } else {
            let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
                "metadata": {"name": name, "namespace": "kafka"}, "spec": {"kafka": {}}});
            apply_foreign(&test, &[kafka]);
        }
        let before = state(&test);
        let lines = events(&mut test, KEEP, 5);
        assert_eq!(failure(&lines), "KS-KAFKA-FOREIGN");
        assert!(told(&lines).contains(name), "{}", told(&lines));
        assert_eq!(written(&test), Vec::<String>::new());
        events(&mut test, ["down", "--keep-data", "--yes"], 5);
        same(&before, &state(&test), name);
        // The whole profile belongs to kstrim, and may be deleted if the user agrees to the deletion of that Kafka
        // cluster.
        assert_eq!(failure(&events(&mut test, ["down", "--yes"], 5)), "KS-PROFILE-OTHERS");
        kstrim(&mut test, ["down", "--yes", "--delete-others"]).expect(0);
    }
}

#[test]
fn kept_data_is_reused() {
    let mut test = ready();
    let id = test.object(PROFILE, KAFKA)["status"]["clusterId"].clone();
    let claim = test.object(PROFILE, CLAIM)["metadata"]["uid"].clone();
    assert!(id.is_string() && claim.is_string());
    kstrim(&mut test, ["down", "--keep-data", "--yes"]).expect(0);
    assert!(test.object(PROFILE, KAFKA).is_null());
    assert_eq!(test.object(PROFILE, CLAIM)["metadata"]["annotations"]["kstrim/cluster-id"], id);
    test.forget_calls();
    let lines = events(&mut test, ["up"], 0);
    let said = |l: &Value| l["message"].as_str().is_some_and(|m| m.contains("cluster id"));
    assert!(lines.iter().any(said), "{lines:#?}");
    let kafka = test.object(PROFILE, KAFKA);
    assert_eq!(kafka["status"]["clusterId"], id);
    assert!(kafka["metadata"]["annotations"]["strimzi.io/pause-reconciliation"].is_null());
    assert_eq!(test.object(PROFILE, CLAIM)["metadata"]["uid"], claim);
    let patch =
        |line: &String| line.contains("--subresource=status") || line.contains("--subresource status");
    assert!(written(&test).iter().any(patch), "{:#?}", written(&test));
    kstrim(&mut test, ["smoke-test"]).expect(0);
}

#[test]
fn a_script_needs_yes() {
    let before = state(&ready());
    for args in [&["down"][..], &["down", "--keep-cluster"]] {
        let mut test = ready();
        let run = test.args([args, &["-o", "json"]].concat()).run().expect(2);
        let lines = run.json_lines();
        assert_eq!(failure(&lines), "KS-CONSENT");
        assert!(run.stdout.contains("--yes"));
        assert_eq!(written(&test), Vec::<String>::new());
        same(&before, &state(&test), "without consent");
    }
}

#[test]
fn without_an_engine_nothing_is_reported_as_deleted() {
    for args in [["down", "--yes"].as_slice(), &KEEP] {
        let mut test = ready();
        test.change_scenario(|s| s.engine = Engine::Down);
        test.limit(Duration::from_secs(100));
        let run = test.args([args, &["-o", "json"]].concat()).run().expect(3);
        let lines = run.json_lines();
        assert!(
            failure(&lines).contains("ENGINE") || failure(&lines).contains("DOCKER"),
            "{}",
            failure(&lines)
        );
        assert_eq!(written(&test), Vec::<String>::new());
        assert!(test.profile(PROFILE).is_object());
        test.change_scenario(|s| s.engine = Engine::Up);
        kstrim(&mut test, ["down", "--yes"]).expect(0);
    }
}

#[test]
fn a_cluster_without_an_installation() {
    let mut test = empty_cluster();
    kstrim(&mut test, KEEP).expect(0);
    assert_eq!(written(&test), Vec::<String>::new());
    kstrim(&mut test, ["down", "--yes"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
}
