//! Changes Strimzi's placeholder namespace to the chosen one.

use super::Object;
use crate::errors;
use crate::failure::{Failure, Kind, Result};

/// The namespace in Strimzi's install files, a placeholder that everybody replaces.
pub const PLACEHOLDER: &str = "myproject";

/// Cluster-scoped kinds, by API group.
const CLUSTER_WIDE: &[(&str, &[&str])] = &[
    ("", &["Namespace", "PersistentVolume"]),
    ("apiextensions.k8s.io", &["CustomResourceDefinition"]),
    ("rbac.authorization.k8s.io", &["ClusterRole", "ClusterRoleBinding"]),
    ("scheduling.k8s.io", &["PriorityClass"]),
    ("storage.k8s.io", &["StorageClass"]),
];

/// Namespaced kinds, by API group: all that the install manifests of Strimzi's releases contain, Strimzi's own, and
/// core kinds that a modified manifest may add.
const NAMESPACED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "ConfigMap",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps", &["DaemonSet", "Deployment", "StatefulSet"]),
    ("batch", &["CronJob", "Job"]),
    ("coordination.k8s.io", &["Lease"]),
    ("networking.k8s.io", &["Ingress", "NetworkPolicy"]),
    ("policy", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", &["Role", "RoleBinding"]),
    ("core.strimzi.io", &["StrimziPodSet"]),
    (
        "kafka.strimzi.io",
        &[
            "Kafka",
            "KafkaBridge",
            "KafkaConnect",
            "KafkaConnector",
            "KafkaMirrorMaker",
            "KafkaMirrorMaker2",
            "KafkaNodePool",
            "KafkaRebalance",
            "KafkaTopic",
            "KafkaUser",
        ],
    ),
];

/// The scope of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Cluster-scoped.
    Cluster,
    /// Namespaced.
    Namespaced,
}

/// The scope of the object's kind, or `None` for a kind that is not in the table.
pub fn scope(object: &Object) -> Option<Scope> {
    let listed = |table: &[(&str, &[&str])]| {
        table.iter().any(|(group, kinds)| *group == object.group() && kinds.contains(&object.kind()))
    };
    match () {
        () if listed(NAMESPACED) => Some(Scope::Namespaced),
        () if listed(CLUSTER_WIDE) => Some(Scope::Cluster),
        () => None,
    }
}

/// Change the namespace of the objects to `namespace`: `metadata.namespace` of namespaced kinds, and the subjects of
/// bindings, if they are not set or [`PLACEHOLDER`].
///
/// # Errors
/// `KS-MANIFEST-KIND-UNKNOWN` for a kind that is not in the tables, `KS-MANIFEST-NAMESPACE` for an object or a
/// subject of another namespace. Then nothing is changed.
pub fn retarget(objects: &mut [Object], namespace: &str) -> Result<()> {
    objects.iter().try_for_each(|object| check(object, namespace))?;
    for object in objects {
        if scope(object) == Some(Scope::Namespaced) {
            object.set(&["metadata", "namespace"], namespace);
        } else {
            object.remove(&["metadata", "namespace"]);
        }
        let subjects = object.get_mut("/subjects").and_then(|s| s.as_array_mut());
        for subject in subjects.into_iter().flatten() {
            if subject["kind"] == "ServiceAccount" {
                subject["namespace"] = namespace.into();
            }
        }
    }
    Ok(())
}

fn check(object: &Object, namespace: &str) -> Result<()> {
    let ours = |found: &str| found == namespace || found == PLACEHOLDER;
    if scope(object).is_none() {
        let message = format!(
            "{object} is of a kind that kstrim does not expect in an install manifest ({} {})",
            object.api_version(),
            object.kind()
        );
        return Err(Box::new(
            Failure::new(errors::MANIFEST_KIND_UNKNOWN, Kind::Usage, message)
                .hint("remove it from the manifest, and apply it yourself after kstrim has finished"),
        ));
    }
    if let Some(found) = object.namespace().filter(|found| !ours(found)) {
        return Err(foreign(&format!("{object} belongs to namespace {found}"), found, namespace));
    }
    let subjects = object.get("/subjects").and_then(|s| s.as_array());
    for subject in subjects.into_iter().flatten() {
        if !subject.is_object() {
            let message = format!("{object} has a subject that is not a mapping");
            return Err(Box::new(Failure::new(errors::MANIFEST_OBJECT, Kind::Usage, message)));
        }
        if let Some(found) = subject["namespace"].as_str().filter(|found| !ours(found)) {
            let what = format!("{object} grants permissions to a service account in namespace {found}");
            return Err(foreign(&what, found, namespace));
        }
    }
    Ok(())
}

fn foreign(what: &str, found: &str, namespace: &str) -> Box<Failure> {
    Box::new(
        Failure::new(errors::MANIFEST_NAMESPACE, Kind::Usage, format!("{what}, not {namespace}")).hint(
            format!("use --namespace {found}, or a manifest written for the placeholder {PLACEHOLDER}"),
        ),
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(api: &str, kind: &str, extra: serde_json::Value) -> Object {
        let mut value = json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}});
        for (key, field) in extra.as_object().unwrap() {
            if key == "namespace" {
                value["metadata"]["namespace"] = field.clone();
            } else {
                value[key] = field.clone();
            }
        }
        Object::new(value).unwrap()
    }

    const RBAC: &str = "rbac.authorization.k8s.io/v1";

    #[test]
    fn namespaced_kinds_and_subjects_move() {
        let subjects = json!([{"kind": "ServiceAccount", "name": "s", "namespace": "myproject"}]);
        let mut objects = [
            object("v1", "ServiceAccount", json!({})),
            object(RBAC, "ClusterRoleBinding", json!({"subjects": subjects})),
            object(RBAC, "RoleBinding", json!({"subjects": subjects, "namespace": "myproject"})),
        ];
        retarget(&mut objects, "kafka").unwrap();
        let namespaces: Vec<_> = objects.iter().map(Object::namespace).collect();
        assert_eq!(namespaces, [Some("kafka"), None, Some("kafka")]);
        assert_eq!(objects[1].get("/subjects/0/namespace").unwrap(), "kafka");
        assert_eq!(objects[2].get("/subjects/0/namespace").unwrap(), "kafka");
    }

    #[test]
    fn foreign_namespaces_are_refused() {
        let elsewhere = json!([{"kind": "ServiceAccount", "name": "s", "namespace": "prod"}]);
        for (bad, id) in [
            (object("v1", "ConfigMap", json!({"namespace": "prod"})), errors::MANIFEST_NAMESPACE),
            (object(RBAC, "RoleBinding", json!({"subjects": elsewhere})), errors::MANIFEST_NAMESPACE),
            (object("example.org/v1", "Thing", json!({})), errors::MANIFEST_KIND_UNKNOWN),
            (object("example.org/v1", "Deployment", json!({})), errors::MANIFEST_KIND_UNKNOWN),
            (object(RBAC, "RoleBinding", json!({"subjects": ["x"]})), errors::MANIFEST_OBJECT),
        ] {
            let mut objects = [object("v1", "Secret", json!({})), bad];
            let before = objects.clone();
            assert_eq!(retarget(&mut objects, "kafka").unwrap_err().id, id);
            assert_eq!(objects, before);
        }
    }
}
