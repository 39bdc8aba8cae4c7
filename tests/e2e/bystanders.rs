//! Runs all commands in a cluster with foreign objects, on a real API server and with Strimzi's own CRDs: afterwards
//! these objects are unchanged. `tests/worlds` does the same with random inputs, on stand-ins.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::Ground;

/// The name of the foreign objects.
const NAME: &str = "bystander";

/// Foreign objects: in kstrim's namespace, in a namespace of their own, and cluster-scoped.
fn objects() -> Vec<Value> {
    let mut all = vec![
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAME}}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": NAME,
            "labels": {"app.kubernetes.io/managed-by": "kstrim", "kstrim.io/installation": "another"}}, "rules": []}),
        json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": NAME,
            "labels": {"app.kubernetes.io/managed-by": "kstrim"}},
            "subjects": [{"kind": "ServiceAccount", "name": NAME, "namespace": NAME}],
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": NAME}}),
        json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": "widgets.example.com"}, "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}}),
    ];
    for namespace in ["kafka", NAME] {
        let object = |api: &str, kind: &str, more: Value| {
            let mut object =
                json!({"apiVersion": api, "kind": kind, "metadata": {"name": NAME, "namespace": namespace}});
            for (field, value) in more.as_object().into_iter().flatten() {
                object[field] = value.clone();
            }
            object
        };
        all.extend([
            object("v1", "ConfigMap", json!({"data": {"a": "b"}})),
            object("v1", "Secret", json!({"stringData": {"password": "theirs"}})),
            object("v1", "ServiceAccount", json!({})),
            object("v1", "Service", json!({"spec": {"ports": [{"port": 80}], "selector": {"app": NAME}}})),
            object(
                "v1",
                "PersistentVolumeClaim",
                json!({"spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Mi"}}}}),
            ),
            object(
                "apps/v1",
                "Deployment",
                json!({"spec": {"replicas": 0, "selector": {"matchLabels": {"app": NAME}},
                "template": {"metadata": {"labels": {"app": NAME}},
                    "spec": {"containers": [{"name": "app", "image": "example.com/app:1"}]}}}}),
            ),
            object(
                "batch/v1",
                "CronJob",
                json!({"spec": {"schedule": "0 0 1 1 *", "suspend": true,
                "jobTemplate": {"spec": {"template": {"spec": {"restartPolicy": "Never",
                    "containers": [{"name": "app", "image": "example.com/app:1"}]}}}}}}),
            ),
            object(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                json!({"spec": {"podSelector": {"matchLabels": {"app": NAME}}}}),
            ),
            object("rbac.authorization.k8s.io/v1", "Role", json!({"rules": []})),
            object(
                "rbac.authorization.k8s.io/v1",
                "RoleBinding",
                json!({"subjects": [],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": NAME}}),
            ),
            object(
                "policy/v1",
                "PodDisruptionBudget",
                json!({"spec": {"minAvailable": 1,
                "selector": {"matchLabels": {"app": NAME}}}}),
            ),
            object("example.com/v1", "Widget", json!({"spec": {"color": "blue"}})),
        ]);
    }
    all
}

/// The foreign objects as the API server returns them, without what controllers write.
fn content(ground: &Ground) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    for object in objects() {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned();
        let (api, kind) = (text("/apiVersion"), text("/kind").to_lowercase());
        let group =
            api.split_once('/').map(|(group, version)| format!(".{version}.{group}")).unwrap_or_default();
        let (name, namespace) = (text("/metadata/name"), text("/metadata/namespace"));
        let mut args = vec!["get".to_owned(), format!("{kind}{group}"), name.clone()];
        if !namespace.is_empty() {
            args.extend(["-n".to_owned(), namespace.clone()]);
        }
        let mut found = ground.kubectl_json(&args.iter().map(String::as_str).collect::<Vec<_>>());
        let fields = found.as_object_mut().expect("an object");
        fields.remove("status");
        let metadata = fields["metadata"].as_object_mut().expect("metadata");
        metadata.remove("managedFields");
        // The volume controller annotates and binds a claim that waits for its first pod.
        if kind == "persistentvolumeclaim" {
            metadata.remove("annotations");
            metadata.remove("resourceVersion");
            fields["spec"].as_object_mut().expect("a spec").remove("volumeName");
        }
        if ["deployment", "cronjob", "customresourcedefinition", "poddisruptionbudget"]
            .contains(&kind.as_str())
        {
            fields["metadata"].as_object_mut().expect("metadata").remove("resourceVersion");
        }
        all.insert(format!("{kind} {namespace}/{name}"), found);
    }
    all
}

#[test]
#[ignore = "needs the ground: tests/ground/ground test"]
fn they_stay_as_they_were_whatever_is_done() {
    let ground = Ground::with_kafka("bystanders::they_stay_as_they_were_whatever_is_done");
    let (definition, rest): (Vec<Value>, Vec<Value>) = objects()
        .into_iter()
        .partition(|o| o["kind"] == "CustomResourceDefinition" || o["kind"] == "Namespace");
    for some in [definition, rest] {
        let text: String = some.iter().map(|object| format!("---\n{object}\n")).collect();
        let file = std::env::temp_dir().join(format!("kstrim-bystanders-{}.yaml", std::process::id()));
        std::fs::write(&file, text).expect("written");
        ground.kubectl(&["apply", "--server-side", "-f", &file.display().to_string()]);
        ground.kubectl(&["wait", "--for=condition=Established", "crd/widgets.example.com", "--timeout=60s"]);
        std::fs::remove_file(&file).expect("removed");
    }
    // A topic that a foreign program created: it exists in Kafka, and no KafkaTopic describes it.
    ground.kstrim(&["smoke-test", "--topic", "orders", "--keep"]).expect(0);
    let before = content(&ground);
    let walk: [(&[&str], i32); 12] = [
        (&["up"], 0),
        (&["smoke-test", "--topic", "orders"], 0),
        (&["up", "--topic", "orders"], 0),
        (&["topic", "create", "orders"], 2),
        (&["topic", "create", "mine"], 0),
        (&["user", "create", NAME], 5),
        (&["user", "create", "mine"], 0),
        (&["set", "log.retention.hours=24", "--yes"], 0),
        (&["topic", "delete", "mine", "--yes"], 0),
        (&["user", "delete", "mine", "--yes"], 0),
        (&["doctor", "--offline", "--fix", "--yes"], 0),
        (&["down", "--keep-cluster", "--yes", "-n", NAME], 0),
    ];
    for (verb, code) in walk {
        match verb {
            // With the ground's own images and manifest.
            ["up", more @ ..] => ground.up(more).finish(Duration::from_secs(300)).expect(code),
            verb => ground.kstrim(verb).expect(code),
        };
        assert_eq!(content(&ground), before, "{verb:?}");
    }
    ground.kstrim(&["consume", "orders", "--from-beginning", "-m", "10"]).expect(0);
    // The profile contains foreign objects: `down` refuses and names them; only kstrim's own are deleted.
    let run = ground.kstrim(&["down", "--yes", "-o", "json"]).expect(5);
    assert_eq!(run.events().failure().0, "KS-PROFILE-OTHERS", "{run}");
    assert!(run.to_string().contains("CronJob bystander"), "{run}");
    let run = ground.kstrim(&["down", "--keep-cluster", "--yes"]).expect(0);
    for what in ["ConfigMap bystander", "Secret bystander", "Widget bystander", "CronJob bystander"] {
        assert!(run.to_string().contains(what), "{what}: {run}");
    }
    assert_eq!(content(&ground), before, "down --keep-cluster");
    let kafkas = ground.kubectl(&["get", "deployments", "-n", "kafka", "-o", "name"]);
    assert_eq!(kafkas.trim(), format!("deployment.apps/{NAME}"), "what is kstrim's is gone");
    ground.kubectl(&["delete", "namespace", NAME, "kafka"]);
    ground.kubectl(&["delete", "clusterrole,clusterrolebinding", NAME]);
    ground.kubectl(&["delete", "crd", "widgets.example.com"]);
}
