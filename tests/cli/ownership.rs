//! Foreign objects in a cluster are not changed: docs/reliability.md describes what each command may delete.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::Test;
use crate::support::{
    CLAIM, ID, KAFKA, KEEP, PROFILE, TOPIC, apply_foreign, events, failure, kstrim, kubectl, ready, same,
    state, told, until,
};

/// Foreign objects in the namespace of the installation.
fn bystanders() -> Vec<Value> {
    let object = |api: &str, kind: &str, name: &str, more: Value| {
        let mut object =
            json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": "kafka"}});
        for (key, value) in more.as_object().into_iter().flatten() {
            object[key] = value.clone();
        }
        object
    };
    vec![
        object("v1", "ConfigMap", "my-apps-settings", json!({"data": {"a": "b"}})),
        object("v1", "Secret", "my-apps-password", json!({"data": {"password": "aHVudGVyMg=="}})),
        object("v1", "ServiceAccount", "my-app", json!({})),
        object("networking.k8s.io/v1", "NetworkPolicy", "my-policy", json!({"spec": {"podSelector": {}}})),
        object("batch/v1", "CronJob", "my-backup", json!({"spec": {"schedule": "0 0 * * *"}})),
        object(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            "my-binding",
            json!({"subjects": [],
            "roleRef": {"kind": "ClusterRole", "name": "view", "apiGroup": "rbac.authorization.k8s.io"}}),
        ),
    ]
}

/// Those of these objects that exist in the world, by key.
fn kept(test: &Test, objects: &[Value]) -> BTreeMap<String, Value> {
    let all = test.objects(PROFILE);
    let named = |object: &Value| {
        let name = object["metadata"]["name"].as_str().expect("a name").to_owned();
        let (kind, suffix) =
            (object["kind"].as_str().expect("a kind").to_lowercase(), format!("/kafka/{name}"));
        let found = all.as_object().into_iter().flatten();
        let stem = kind.trim_end_matches('y').to_owned();
        let found = found.into_iter().find(|(key, _)| key.starts_with(&stem) && key.ends_with(&suffix));
        let mut value = found.map(|(_, value)| value.clone()).unwrap_or_default();
        if let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            metadata.remove("managedFields");
        }
        (format!("{kind}/{name}"), value)
    };
    objects.iter().map(named).collect()
}

#[test]
fn a_namespace_with_foreign_objects_is_kept_and_they_are_named() {
    let mut test = ready();
    let theirs = bystanders();
    apply_foreign(&test, &theirs);
    let before = kept(&test, &theirs);
    assert!(before.values().all(Value::is_object), "{before:#?}");
    let lines = events(&mut test, KEEP, 0);
    assert_eq!(failure(&lines), "none");
    same(&before, &kept(&test, &theirs), "down --keep-cluster");
    let planned = lines.iter().find(|l| l["type"] == "deletion_planned").expect("a plan");
    let ended = lines.iter().find(|l| l["type"] == "task_finished" && l["task"] == "namespace");
    let detail = ended.expect("an end")["detail"].as_str().expect("words").to_owned();
    for object in &theirs {
        let line =
            format!("{} {}", object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        assert!(planned["kept"].to_string().contains(&line), "{line}: {planned:#}");
        assert!(detail.contains(&line), "{line}: {detail}");
    }
    assert!(test.object(PROFILE, KAFKA).is_null() && test.object(PROFILE, CLAIM).is_null());
    assert!(test.object(PROFILE, "configmaps/kafka/kstrim-installation").is_null());
    // Everything in the plan is deleted, and nothing else.
    let listed = planned["objects"].to_string();
    for what in ["my-cluster", "data-0-my-cluster-dual-role-0", "strimzi-cluster-operator", "my-topic"] {
        assert!(listed.contains(what), "{what}: {listed}");
    }
    // The namespace can be used again, and is still not deleted.
    kstrim(&mut test, ["up", "--adopt"]).expect(0);
    kstrim(&mut test, KEEP).expect(0);
    same(&before, &kept(&test, &theirs), "down --keep-cluster again");
}

#[test]
fn a_namespace_without_an_installation_is_not_changed() {
    let mut test = ready();
    kubectl(&test, "create namespace typo").expect(0);
    let before = state(&test);
    for namespace in ["typo", "not-there"] {
        for verb in [&["down", "--keep-cluster", "--yes"][..], &["down", "--keep-data", "--yes"]] {
            test.args([verb, &["-n", namespace]].concat()).run().expect(0);
            same(&before, &state(&test), "down elsewhere");
        }
    }
    kstrim(&mut test, ["smoke-test"]).expect(0);
}

#[test]
fn objects_kept_for_recovery_are_not_deleted() {
    let mut test = ready();
    // The Kafka resource is deleted and the rest is kept, as Strimzi's documentation describes.
    let claim = test.object(PROFILE, CLAIM)["metadata"]["uid"].clone();
    kubectl(&test, "delete kafkas.kafka.strimzi.io my-cluster -n kafka").expect(0);
    let theirs = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": "orders", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
        "spec": {"partitions": 1, "replicas": 1}});
    apply_foreign(&test, &[theirs]);
    let lines = events(&mut test, KEEP, 0);
    assert_eq!(test.object(PROFILE, CLAIM)["metadata"]["uid"], claim, "{lines:#?}");
    assert!(test.object(PROFILE, "kafkatopics.kafka.strimzi.io/kafka/orders").is_object());
    assert!(lines.iter().any(|l| l["detail"].as_str().is_some_and(|d| d.contains("data-0-my-cluster"))));
}

#[test]
fn a_smoke_test_deletes_only_a_topic_that_it_created() {
    let mut test = ready();
    // It exists in Kafka, and no resource describes it: the usual case of a topic that a program created.
    kstrim(&mut test, ["smoke-test", "--topic", "orders", "--keep"]).expect(0);
    kstrim(&mut test, ["smoke-test", "--topic", "orders"]).expect(0);
    kstrim(&mut test, ["up", "--topic", "orders"]).expect(0);
    kstrim(&mut test, ["consume", "orders", "--from-beginning", "-m", "10"]).expect(0);
    assert!(test.object(PROFILE, "kafkatopics.kafka.strimzi.io/kafka/orders").is_null());
    let lines = events(&mut test, ["topic", "create", "orders"], 2);
    assert_eq!(failure(&lines), "KS-TOPIC-EXISTS");
    // A topic of its own is deleted.
    kstrim(&mut test, ["smoke-test", "--topic", "passing"]).expect(0);
    let run = kstrim(&mut test, ["consume", "passing", "--from-beginning", "-m", "1"]);
    assert_ne!(run.code(), 0, "{}", run.stdout);
}

#[test]
fn every_object_has_the_id_of_its_installation() {
    let test = ready();
    let id = test.object(PROFILE, "configmaps/kafka/kstrim-installation")["data"]["id"].clone();
    assert!(id.as_str().is_some_and(|id| id.len() == 36), "{id}");
    let objects = test.objects(PROFILE);
    for (key, object) in objects.as_object().into_iter().flatten() {
        let labels = &object["metadata"]["labels"];
        if labels["app.kubernetes.io/managed-by"] == "kstrim" && key != "configmaps/kube-system/kstrim" {
            assert_eq!(labels[ID], id, "{key}");
        }
    }
    assert_eq!(test.object(PROFILE, TOPIC)["metadata"]["labels"][ID], id);
    // A Lease lasts as long as its command.
    assert!(test.object(PROFILE, "leases.coordination.k8s.io/kafka/kstrim").is_null());
}

#[test]
fn objects_of_an_earlier_kstrim_get_the_id_and_are_deleted_with_the_namespace() {
    for verb in [&["up"][..], &KEEP] {
        let mut test = ready();
        forget_ids(&test);
        let run = test.args(verb.to_vec()).run().expect(0);
        if verb == ["up"] {
            let id = test.object(PROFILE, "configmaps/kafka/kstrim-installation")["data"]["id"].clone();
            assert!(id.is_string());
            for key in [KAFKA, TOPIC, "namespaces//kafka"] {
                assert_eq!(test.object(PROFILE, key)["metadata"]["labels"][ID], id, "{key}");
            }
            kstrim(&mut test, KEEP).expect(0);
        }
        assert!(test.object(PROFILE, "namespaces//kafka").is_null(), "{}{}", run.stdout, run.stderr);
        let objects = test.objects(PROFILE);
        let left: Vec<&String> = objects
            .as_object()
            .into_iter()
            .flatten()
            .map(|(k, _)| k)
            .filter(|k| k.contains("strimzi"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
}

/// The world as an earlier kstrim left it: labelled, without ids.
fn forget_ids(test: &Test) {
    let objects = test.objects(PROFILE);
    for (key, object) in objects.as_object().into_iter().flatten() {
        if object["metadata"]["labels"][ID].is_null() || key.ends_with("/kstrim-installation") {
            continue;
        }
        let parts: Vec<&str> = key.splitn(3, '/').collect();
        let patch = json!({"metadata": {"labels": {ID: null}}});
        let namespace = if parts[1].is_empty() { String::new() } else { format!("-n {} ", parts[1]) };
        kubectl(test, &format!("patch {} {} {namespace}--type=merge -p {patch}", parts[0], parts[2]))
            .expect(0);
    }
    kubectl(test, "delete configmap kstrim-installation -n kafka").expect(0);
    let journal = test.home().join(".local/state/kstrim/profiles/kstrim/journal.json");
    let mut old: Value = std::fs::read_to_string(&journal).expect("a journal").parse().expect("JSON");
    old.as_object_mut().expect("an object").remove("installations");
    std::fs::write(&journal, old.to_string()).expect("written");
}

#[test]
fn another_commands_lease_is_respected() {
    let mut test = ready();
    let now = now();
    let lease = |renewed: &str| {
        json!({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "kstrim", "namespace": "kafka",
                "labels": {"app.kubernetes.io/managed-by": "kstrim"},
                "annotations": {"kstrim.io/holder-state": "another machine"}},
            "spec": {"holderIdentity": "ann@laptop, pid 17: kstrim upgrade", "leaseDurationSeconds": 45,
                "acquireTime": renewed, "renewTime": renewed}})
    };
    apply_foreign(&test, &[lease(&now)]);
    let before = state(&test);
    for verb in [&["up"][..], &KEEP] {
        let mut args = verb.to_vec();
        args.extend(["-o", "json"]);
        let lines = test.args(args).run().expect(7).json_lines();
        assert_eq!(failure(&lines), "KS-NAMESPACE-LOCKED");
        assert!(told(&lines).contains("ann@laptop"), "{}", told(&lines));
        same(&before, &state(&test), "under another's Lease");
    }
    // Read-only commands need none.
    kstrim(&mut test, ["status"]).expect(0);
    kubectl(&test, "delete lease kstrim -n kafka").expect(0);
    kstrim(&mut test, KEEP).expect(0);
}

fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000000Z").to_string()
}

#[test]
fn names_of_other_kafka_clusters_and_of_secrets_are_not_used() {
    let mut test = ready();
    kstrim(&mut test, ["topic", "create", "lat"]).expect(0);
    kstrim(&mut test, ["user", "create", "app"]).expect(0);
    let second = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": "second", "namespace": "kafka"},
        "spec": {"kafka": {"version": "4.3.1", "listeners": [{"name": "plain", "port": 9092, "type": "internal", "tls": false}]},
            "entityOperator": {"topicOperator": {}, "userOperator": {}}}});
    let pool = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": "second", "namespace": "kafka", "labels": {"strimzi.io/cluster": "second"}},
        "spec": {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "ephemeral"}}});
    apply_foreign(
        &test,
        &[
            second,
            pool,
            json!({"apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "db", "namespace": "kafka"}, "data": {"db-password": "aHVudGVyMg=="}}),
        ],
    );
    // The world changes by itself: the second Kafka cluster must be complete before it is compared.
    until(&test, "the second Kafka cluster serves", |t| {
        let ready = |key: &str| {
            let conditions = t.object(PROFILE, key)["status"]["conditions"].clone();
            conditions
                .as_array()
                .is_some_and(|all| all.iter().any(|c| c["type"] == "Ready" && c["status"] == "True"))
        };
        ready("kafkas.kafka.strimzi.io/kafka/second")
            && t.object(PROFILE, "deployments.apps/kafka/second-entity-operator").is_object()
    });
    let before = state(&test);
    let lines = events(&mut test, ["topic", "create", "lat", "-c", "second"], 5);
    assert_eq!(failure(&lines), "KS-TOPIC-RESOURCE-TAKEN", "{}", told(&lines));
    let lines = events(&mut test, ["user", "create", "app", "-c", "second"], 5);
    assert_eq!(failure(&lines), "KS-USER-TAKEN", "{}", told(&lines));
    let lines = events(&mut test, ["user", "create", "db"], 5);
    assert_eq!(failure(&lines), "KS-SECRET-FOREIGN", "{}", told(&lines));
    same(&before, &state(&test), "names that are taken");
    let secret = test.object(PROFILE, "secrets/kafka/db");
    assert_eq!(secret["data"], json!({"db-password": "aHVudGVyMg=="}));
}

#[test]
fn keeping_the_data_needs_consent_too() {
    let mut test = ready();
    let before = state(&test);
    let lines = events(&mut test, ["down", "--keep-data"], 2);
    assert_eq!(failure(&lines), "KS-CONSENT");
    assert!(
        told(&lines).contains("The volumes are kept")
            && ["--keep-data", "--yes"].iter().all(|flag| told(&lines).contains(flag))
    );
    same(&before, &state(&test), "without consent");
    let run = kstrim(&mut test, ["down", "--keep-cluster"]).expect(2);
    for what in ["minikube profile kstrim", "https://", "Kafka my-cluster", "PersistentVolumeClaim data-0"] {
        assert!(run.stderr.contains(what), "{what}: {}", run.stderr);
    }
}

#[test]
fn a_profile_with_foreign_objects_is_deleted_only_with_consent() {
    let mut test = ready();
    let theirs = bystanders();
    apply_foreign(&test, &theirs);
    let before = kept(&test, &theirs);
    assert!(before.values().all(Value::is_object), "{before:#?}");
    let lines = events(&mut test, ["down", "--yes"], 5);
    assert_eq!(failure(&lines), "KS-PROFILE-OTHERS");
    for what in ["ConfigMap my-apps-settings", "CronJob my-backup", "Secret my-apps-password"] {
        assert!(told(&lines).contains(what), "{what}: {}", told(&lines));
    }
    assert!(test.profile(PROFILE).is_object() && kept(&test, &theirs).values().all(Value::is_object));
    same(&before, &kept(&test, &theirs), "down without --delete-others");
    kstrim(&mut test, ["down", "--yes", "--delete-others"]).expect(0);
    assert!(test.profile(PROFILE).is_null());
}

#[test]
fn a_foreign_config_map_with_the_markers_name_is_rejected() {
    let mut test = ready();
    kubectl(&test, "label configmap kstrim-installation -n kafka app.kubernetes.io/managed-by-").expect(0);
    assert_eq!(failure(&events(&mut test, ["up"], 5)), "KS-INSTALLATION-TAKEN");
}
