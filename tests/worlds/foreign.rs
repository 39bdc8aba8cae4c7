//! Other people's objects: every kind, in every namespace and cluster-scoped, labelled as theirs, as another
//! kstrim's, as an older kstrim's, or as part of our Kafka.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::INERT;

/// The id of another installation of kstrim.
pub const OTHER_ID: &str = "0c6ff2fe-9d3b-4c7e-8f5a-3b1f8a2f4e77";

/// One object.
#[derive(Debug, Clone)]
pub struct Foreign {
    kind: usize,
    namespace: usize,
    name: usize,
    labels: usize,
}

/// The namespaces they are in; the first is the one that kstrim uses.
pub const NAMESPACES: [&str; 4] = ["kafka", "theirs", "default", "kube-system"];

/// Names that look like somebody else's, neutral ones, and ones that look like ours.
const NAMES: [&str; 5] = ["theirs", "app", "my-cluster-theirs", "strimzi-theirs", "kstrim-theirs"];

/// Namespaced kinds in addition to [`INERT`].
const ACTIVE: [(&str, &str); 5] = [
    ("v1", "Pod"),
    ("apps/v1", "Deployment"),
    ("example.com/v1", "Widget"),
    ("kafka.strimzi.io/v1", "KafkaTopic"),
    ("kafka.strimzi.io/v1", "KafkaUser"),
];
const NAMESPACED: usize = INERT.len() + ACTIVE.len();

const CLUSTER_SCOPED: [(&str, &str); 10] = [
    ("v1", "Namespace"),
    ("v1", "PersistentVolume"),
    ("storage.k8s.io/v1", "StorageClass"),
    ("scheduling.k8s.io/v1", "PriorityClass"),
    ("networking.k8s.io/v1", "IngressClass"),
    ("rbac.authorization.k8s.io/v1", "ClusterRole"),
    ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding"),
    ("admissionregistration.k8s.io/v1", "MutatingWebhookConfiguration"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("apiregistration.k8s.io/v1", "APIService"),
];

/// Some objects.
pub fn some() -> impl Strategy<Value = Vec<Foreign>> {
    let kinds = NAMESPACED + CLUSTER_SCOPED.len();
    // Half of them in the namespace that kstrim uses.
    let namespace = prop_oneof![3 => Just(0), 1 => 0..NAMESPACES.len()];
    let one = (0..kinds, namespace, 0..NAMES.len(), 0..LABELS)
        .prop_map(|(kind, namespace, name, labels)| Foreign { kind, namespace, name, labels });
    prop::collection::vec(one, 3..14)
}

const LABELS: usize = 7;

fn labels(style: usize) -> Value {
    let managed = "app.kubernetes.io/managed-by";
    match style {
        0 => json!({"team": "a"}),
        1 => json!({managed: "kstrim", "kstrim.io/installation": OTHER_ID}),
        2 => json!({managed: "kstrim"}),
        3 => json!({"strimzi.io/cluster": "my-cluster"}),
        4 => json!({managed: "Helm", "strimzi.io/cluster": "my-cluster"}),
        5 => json!({"app": "strimzi"}),
        _ => {
            json!({managed: "kstrim", "kstrim.io/installation": OTHER_ID, "strimzi.io/cluster": "my-cluster"})
        }
    }
}

impl Foreign {
    /// The object, as it is applied. Without Strimzi in the cluster, other kinds replace Strimzi's.
    pub fn object(&self, strimzi: bool) -> Value {
        let name = NAMES[self.name];
        let (api, kind) = match INERT.iter().chain(&ACTIVE).chain(&CLUSTER_SCOPED).nth(self.kind) {
            Some((api, _)) if api.contains("strimzi") && !strimzi => ("v1", "ConfigMap"),
            found => *found.expect("a kind"),
        };
        let mut object = json!({"apiVersion": api, "kind": kind,
            "metadata": {"name": name, "labels": labels(self.labels), "annotations": {"note": "do not touch"}}});
        if self.kind < NAMESPACED {
            object["metadata"]["namespace"] = json!(NAMESPACES[self.namespace]);
        } else {
            object["metadata"]["name"] = json!(format!("{name}-wide"));
        }
        let template = json!({"metadata": {"labels": {"run": name}},
            "spec": {"containers": [{"name": "main", "image": "example.com/theirs:1"}]}});
        let more = match kind {
            "ConfigMap" => json!({"data": {"key": "value"}}),
            "Secret" => json!({"type": "Opaque", "data": {"db-password": "aHVudGVyMg=="}}),
            "Service" => json!({"spec": {"selector": {"run": name}, "ports": [{"port": 80}]}}),
            "PersistentVolumeClaim" => json!({"spec": {"accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}}}}),
            "Pod" => json!({"spec": template["spec"]}),
            "Deployment" | "StatefulSet" => json!({"spec": {"replicas": 0, "template": template}}),
            "KafkaTopic" => json!({"spec": {"partitions": 1, "replicas": 1}}),
            "KafkaUser" => json!({"spec": {"authentication": {"type": "scram-sha-512"}}}),
            "ClusterRoleBinding" | "RoleBinding" => json!({"subjects":
                [{"kind": "ServiceAccount", "name": "theirs", "namespace": "theirs"}],
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "theirs"}}),
            "ClusterRole" | "Role" => json!({"rules": []}),
            "StorageClass" => json!({"provisioner": "example.com/theirs", "reclaimPolicy": "Retain"}),
            "PriorityClass" => json!({"value": 5}),
            _ => json!({"spec": {"theirs": true}}),
        };
        for (field, value) in more.as_object().into_iter().flatten() {
            object[field] = value.clone();
        }
        // What our operators reconcile belongs to our cluster, whoever created it.
        if kind.starts_with("Kafka") && self.namespace == 0 {
            object["metadata"]["labels"]["strimzi.io/cluster"] = json!("my-cluster");
        }
        object
    }
}

/// The definition of `Widget`, somebody else's custom resource.
pub fn widgets() -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.example.com"},
        "spec": {"group": "example.com", "scope": "Namespaced",
            "names": {"kind": "Widget", "listKind": "WidgetList", "plural": "widgets", "singular": "widget"},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}]}})
}

/// A situation in a user's cluster that consists of more than one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Situation {
    /// The topic `orders` was created by a program: it has no KafkaTopic.
    AutoTopic,
    /// Somebody's KafkaTopic `their-claim` is the topic `claimed` in Kafka.
    ClaimedTopic,
    /// Somebody's Secret `app`, with the password of a database.
    SecretApp,
    /// Claims with the names and labels of brokers' claims.
    Claims,
    /// Somebody deleted the Kafka and kept everything else.
    KafkaGone,
    /// The Kafka belongs to another installation.
    KafkaTheirs,
}

/// Some situations.
pub fn situations() -> impl Strategy<Value = Vec<Situation>> {
    use Situation::*;
    let all = [AutoTopic, ClaimedTopic, SecretApp, Claims, KafkaGone, KafkaTheirs];
    // The last two are rare: with them, few verbs do anything.
    (prop::sample::subsequence(all[..4].to_vec(), 0..=4), 0..8_usize).prop_map(move |(mut some, rare)| {
        some.extend(match rare {
            0 => Some(all[4]),
            1 => Some(all[5]),
            _ => None,
        });
        some
    })
}

/// The objects that make up a situation.
pub fn applied(situation: Situation) -> Vec<Value> {
    let claim = |name: &str, labels: Value| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim",
            "metadata": {"name": name, "namespace": "kafka", "labels": labels},
            "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}})
    };
    match situation {
        Situation::ClaimedTopic => vec![json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": "their-claim", "namespace": "kafka", "labels": {"strimzi.io/cluster": "my-cluster"}},
            "spec": {"topicName": "claimed", "partitions": 1, "replicas": 1}})],
        Situation::SecretApp => vec![json!({"apiVersion": "v1", "kind": "Secret", "type": "Opaque",
            "metadata": {"name": "app", "namespace": "kafka", "labels": {"team": "a"}},
            "data": {"db-password": "aHVudGVyMg=="}})],
        Situation::Claims => vec![
            claim(
                "data-7-my-cluster-dual-role-7",
                json!({"strimzi.io/cluster": "my-cluster",
                "strimzi.io/name": "my-cluster-kafka", "strimzi.io/pool-name": "dual-role"}),
            ),
            claim(
                "recovery",
                json!({"strimzi.io/cluster": "my-cluster", "app.kubernetes.io/managed-by": "kstrim",
                "kstrim.io/installation": OTHER_ID}),
            ),
        ],
        _ => Vec::new(),
    }
}
