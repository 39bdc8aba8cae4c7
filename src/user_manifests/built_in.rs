//! The kinds of Kubernetes itself, to find out before a cluster exists whether it will serve an object.

use super::schema;
use crate::manifest::Object;

/// Namespaced kinds that can be stored, by group and version, in Kubernetes 1.26 and later (`kubectl api-resources`).
const KINDS: [(&str, &str, &[&str]); 13] = [
    (
        "",
        "v1",
        &[
            "ConfigMap",
            "Endpoints",
            "Event",
            "LimitRange",
            "PersistentVolumeClaim",
            "Pod",
            "PodTemplate",
            "ReplicationController",
            "ResourceQuota",
            "Secret",
            "Service",
            "ServiceAccount",
        ],
    ),
    ("apps", "v1", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("autoscaling", "v1", &["HorizontalPodAutoscaler"]),
    ("autoscaling", "v2", &["HorizontalPodAutoscaler"]),
    ("batch", "v1", &["CronJob", "Job"]),
    ("coordination.k8s.io", "v1", &["Lease"]),
    ("discovery.k8s.io", "v1", &["EndpointSlice"]),
    ("events.k8s.io", "v1", &["Event"]),
    ("networking.k8s.io", "v1", &["Ingress", "NetworkPolicy"]),
    ("policy", "v1", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", "v1", &["Role", "RoleBinding"]),
    ("resource.k8s.io", "v1", &["ResourceClaim", "ResourceClaimTemplate"]),
    ("storage.k8s.io", "v1", &["CSIStorageCapacity"]),
];

/// Groups of Kubernetes itself with namespaced kinds in other versions only, or with none: requests for an answer.
const OTHERS: [&str; 3] = ["authentication.k8s.io", "authorization.k8s.io", "extensions"];

/// Whether a new cluster serves the kind of an object, as far as is known: Strimzi's kinds and those of Kubernetes.
/// Kubernetes' projects have groups that end in `.k8s.io` as well, and minikube's addons install some of them.
pub(crate) fn is_served(object: &Object) -> bool {
    let (group, version, kind) = parts(object);
    if schema::is_strimzi_group(group) {
        return true;
    }
    if is_kubernetes(group) {
        // A version between two of Kubernetes may serve it.
        return KINDS
            .iter()
            .any(|(of, known, kinds)| *of == group && *known == version && kinds.contains(&kind))
            || group == "resource.k8s.io";
    }
    group.ends_with(".k8s.io")
}

/// The version that serves this kind, if the one of the object does not.
pub(crate) fn current(object: &Object) -> Option<String> {
    let (group, version, kind) = parts(object);
    let same = |of: &str| of == group || is_kubernetes(group);
    let (group, version, _) = KINDS.iter().rev().find(|(of, known, kinds)| {
        kinds.contains(&kind) && same(of) && (*of, *known) != (group, version) && *of != "events.k8s.io"
    })?;
    Some(if group.is_empty() { (*version).to_owned() } else { format!("{group}/{version}") })
}

fn is_kubernetes(group: &str) -> bool {
    KINDS.iter().any(|(of, _, _)| *of == group) || OTHERS.contains(&group)
}

fn parts(object: &Object) -> (&str, &str, &str) {
    let version = object.api_version().rsplit('/').next().unwrap_or_default();
    (object.group(), version, object.kind())
}

#[cfg(test)]
mod tests {
    use super::super::test_support::documents;
    use super::*;

    #[test]
    fn kinds_and_versions_of_a_new_cluster() {
        for (api, kind, served, instead) in [
            ("v1", "ConfigMap", true, None),
            ("apps/v1", "Deployment", true, None),
            ("autoscaling/v2", "HorizontalPodAutoscaler", true, None),
            ("policy/v1beta1", "PodDisruptionBudget", false, Some("policy/v1")),
            ("extensions/v1beta1", "Ingress", false, Some("networking.k8s.io/v1")),
            ("autoscaling/v2beta2", "HorizontalPodAutoscaler", false, Some("autoscaling/v2")),
            ("v1", "Deployment", false, Some("apps/v1")),
            ("v1", "Namespaces", false, None),
            ("authentication.k8s.io/v1", "TokenReview", false, None),
            ("kafka.strimzi.io/v1", "Kafka", true, None),
            ("snapshot.storage.k8s.io/v1", "VolumeSnapshot", true, None),
            ("monitoring.coreos.com/v1", "PodMonitor", false, None),
        ] {
            let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\n");
            let document = &documents(&text)[0];
            assert_eq!(is_served(&document.object), served, "{api} {kind}");
            if !served {
                assert_eq!(current(&document.object).as_deref(), instead, "{api} {kind}");
            }
        }
    }
}
