//! Which objects may be applied: only namespaced ones, in the namespace of the installation, and none that kstrim or
//! the cluster operator creates.
//!
//! Cluster-scoped objects are not accepted: they would change the Kubernetes cluster for all of its users, and `down`
//! could not delete them without affecting others. If a kind is not in the table, only the API server knows whether
//! it is cluster-scoped.

use std::collections::HashMap;

use super::built_in;
use super::document::Document;
use super::object_names;
use super::problem::Problem;
use super::string_maps;
use crate::errors;

/// Cluster-scoped kinds by API group, and why each is refused.
const CLUSTER_SCOPED: [(&str, &str, &str); 33] = [
    ("", "Namespace", "kstrim creates the namespace itself"),
    ("", "Node", "nodes belong to the Kubernetes cluster"),
    ("", "PersistentVolume", "volumes belong to the Kubernetes cluster; a PersistentVolumeClaim is accepted"),
    ("rbac.authorization.k8s.io", "ClusterRole", "it grants rights in all namespaces; a Role is accepted"),
    (
        "rbac.authorization.k8s.io",
        "ClusterRoleBinding",
        "it grants rights in all namespaces; a RoleBinding is accepted",
    ),
    (
        "apiextensions.k8s.io",
        "CustomResourceDefinition",
        "it defines a kind for the whole Kubernetes cluster",
    ),
    ("apiregistration.k8s.io", "APIService", "it extends the API of the whole Kubernetes cluster"),
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration", "it can reject objects of others"),
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration", "it can change objects of others"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy", "it can reject objects of others"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding", "it can reject objects of others"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy", "it can change objects of others"),
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding", "it can change objects of others"),
    (
        "storage.k8s.io",
        "StorageClass",
        "storage classes belong to the Kubernetes cluster; --fit uses its default",
    ),
    ("storage.k8s.io", "CSIDriver", "drivers belong to the Kubernetes cluster"),
    ("storage.k8s.io", "CSINode", "drivers belong to the Kubernetes cluster"),
    ("storage.k8s.io", "VolumeAttachment", "volumes belong to the Kubernetes cluster"),
    ("storage.k8s.io", "VolumeAttributesClass", "storage classes belong to the Kubernetes cluster"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotClass", "storage classes belong to the Kubernetes cluster"),
    ("snapshot.storage.k8s.io", "VolumeSnapshotContent", "volumes belong to the Kubernetes cluster"),
    ("networking.k8s.io", "ServiceCIDR", "addresses belong to the Kubernetes cluster"),
    ("networking.k8s.io", "IPAddress", "addresses belong to the Kubernetes cluster"),
    ("gateway.networking.k8s.io", "GatewayClass", "gateways' controllers belong to the Kubernetes cluster"),
    ("resource.k8s.io", "DeviceClass", "devices belong to the Kubernetes cluster"),
    ("certificates.k8s.io", "ClusterTrustBundle", "certificates in it are trusted in all namespaces"),
    ("scheduling.k8s.io", "PriorityClass", "it decides which pods of others are evicted"),
    ("node.k8s.io", "RuntimeClass", "runtimes belong to the Kubernetes cluster"),
    ("networking.k8s.io", "IngressClass", "ingress controllers belong to the Kubernetes cluster"),
    ("certificates.k8s.io", "CertificateSigningRequest", "the Kubernetes cluster would sign it"),
    ("flowcontrol.apiserver.k8s.io", "FlowSchema", "it limits requests of others"),
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", "it limits requests of others"),
    ("cert-manager.io", "ClusterIssuer", "it issues certificates in all namespaces; an Issuer is accepted"),
    ("external-secrets.io", "ClusterSecretStore", "it serves all namespaces; a SecretStore is accepted"),
];

/// The ConfigMap with an installation's id.
const INSTALLATION: &str = "kstrim-installation";

/// The cluster operator's Deployment.
const OPERATOR: &str = crate::manifest::tune::OPERATOR;

/// The documents that cannot be applied to this namespace.
pub(crate) fn check(documents: &[Document], namespace: &str) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        documents.iter().filter_map(|document| check_document(document, namespace)).collect();
    problems.extend(duplicates(documents, namespace));
    problems.extend(object_names::colliding_topics(documents));
    problems.extend(documents.iter().flat_map(string_maps::check));
    problems
}

/// Whether nothing else in a cluster depends on the objects of a group: if the cluster does not serve it, `--fit`
/// leaves them out.
pub(crate) fn is_optional(group: &str) -> bool {
    group == "monitoring.coreos.com"
}

/// The problem of an object whose kind the cluster does not serve.
pub(crate) fn unserved(document: &Document) -> Problem {
    let object = &document.object;
    let what = format!("is of a kind that the cluster does not serve: {}", object.api_version());
    let hint = match (built_in::current(object), is_optional(object.group())) {
        (Some(current), _) => format!("use apiVersion: {current}"),
        (None, true) => "install its definition first, or leave it out: --fit".to_owned(),
        (None, false) => {
            format!("install its definition and its controller first, or remove {object} from the files")
        }
    };
    Problem::field(errors::KIND_MISSING, document, "", what).hint(hint)
}

/// The problem of an object that the API server rejects, with its reasons.
pub(crate) fn rejected(document: &Document, causes: &[String]) -> Problem {
    let what = format!("is rejected by the API server: {}", causes.join(": "));
    Problem::field(errors::RESOURCE_INVALID, document, "", what)
}

/// Duplicates in this namespace: one object specifies it, the other does not.
fn duplicates(documents: &[Document], namespace: &str) -> Vec<Problem> {
    let mut seen = HashMap::new();
    let mut problems = Vec::new();
    for document in documents {
        let (group, kind, of, name) = document.object.key();
        let of = if of.is_empty() { namespace.to_owned() } else { of };
        if let Some(first) = seen.insert((group, kind, of, name), &document.origin) {
            let what = format!("is described twice in the namespace {namespace}, also at {first}");
            problems.push(
                Problem::field(errors::FILE_DUPLICATE, document, "", what).hint("remove one of the two"),
            );
        }
    }
    problems
}

/// Why a cluster-scoped kind is refused.
fn refusal(group: &str, kind: &str) -> Option<&'static str> {
    CLUSTER_SCOPED.iter().find(|(of, known, _)| *of == group && *known == kind).map(|(_, _, why)| *why)
}

fn check_document(document: &Document, namespace: &str) -> Option<Problem> {
    let object = &document.object;
    let (group, kind, name) = (object.group(), object.kind(), object.name());
    if kind == "CustomResourceDefinition" && name.ends_with(".strimzi.io") {
        let problem = Problem::field(errors::FILE_SCOPE, document, "", "is one of Strimzi's own definitions");
        return Some(
            problem.hint("remove it from the files: kstrim installs those of the release that it chooses"),
        );
    }
    if let Some(why) = refusal(group, kind) {
        let problem = Problem::field(errors::FILE_SCOPE, document, "", format!("is cluster-scoped: {why}"));
        return Some(problem.hint(format!(
            "remove {object} from the files; if something needs it, apply it yourself before"
        )));
    }
    let reserved = match (group, kind, name) {
        ("apps", "Deployment", OPERATOR) => Some("is the cluster operator, which kstrim installs"),
        ("", "ConfigMap", INSTALLATION) => Some("is kstrim's own record of the installation"),
        ("core.strimzi.io", "StrimziPodSet", _) => Some("is created by the cluster operator"),
        _ => None,
    };
    if let Some(what) = reserved {
        return Some(
            Problem::field(errors::FILE_SCOPE, document, "", what)
                .hint(format!("remove {object} from the files")),
        );
    }
    if let Some(problem) = object_names::check(document) {
        return Some(problem);
    }
    let other = object.namespace().filter(|given| !given.is_empty() && *given != namespace)?;
    let what = format!("is {other}, but everything is installed into {namespace}");
    let hint = format!(
        "remove metadata.namespace from the manifests, or use --namespace {}",
        crate::exec::quote(other)
    );
    Some(Problem::field(errors::FILE_NAMESPACE, document, "/metadata/namespace", what).hint(hint))
}

#[cfg(test)]
mod tests {
    use super::super::test_support::documents;
    use super::*;

    fn problem(text: &str) -> Option<Problem> {
        check(&documents(text), "kafka").pop()
    }

    #[test]
    fn cluster_scoped_kinds_are_refused() {
        for (group, kind, _) in CLUSTER_SCOPED {
            let api = if group.is_empty() { "v1".to_owned() } else { format!("{group}/v1") };
            let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: x}}\n");
            let problem = problem(&text).unwrap_or_else(|| panic!("{kind}"));
            assert_eq!(problem.id, errors::FILE_SCOPE);
            assert!(problem.message.starts_with(&format!("{kind} x is cluster-scoped: ")), "{problem}");
            // Another group may have a namespaced kind of that name.
            let other = format!("apiVersion: example.com/v1\nkind: {kind}\nmetadata: {{name: x}}\n");
            assert_eq!(check(&documents(&other), "kafka"), []);
        }
    }

    #[test]
    fn objects_of_kstrim_and_the_operator_are_refused() {
        for (api, kind, name, words) in [
            (
                "apiextensions.k8s.io/v1",
                "CustomResourceDefinition",
                "kafkas.kafka.strimzi.io",
                "own definitions",
            ),
            ("apps/v1", "Deployment", "strimzi-cluster-operator", "cluster operator"),
            ("v1", "ConfigMap", "kstrim-installation", "record"),
            ("core.strimzi.io/v1", "StrimziPodSet", "c-kafka", "created by"),
        ] {
            let text = format!("apiVersion: {api}\nkind: {kind}\nmetadata: {{name: {name}}}\n");
            let problem = problem(&text).expect(kind);
            assert!(problem.id == errors::FILE_SCOPE && problem.message.contains(words), "{problem}");
        }
        assert_eq!(problem("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: app}\n"), None);
        assert_eq!(
            problem("apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r}\n"),
            None
        );
    }

    #[test]
    fn other_namespaces_are_refused() {
        let with = |namespace: &str| {
            problem(&format!(
                "apiVersion: v1\nkind: Secret\nmetadata:\n  name: s\n  namespace: {namespace}\n"
            ))
        };
        assert_eq!(with("kafka"), None);
        assert_eq!(with("\"\""), None);
        let problem = with("prod").expect("another namespace");
        assert_eq!((problem.id, problem.origin.line), (errors::FILE_NAMESPACE, 5));
    }

    #[test]
    fn the_namespace_may_be_left_out() {
        let secret = |namespace: &str| {
            format!("apiVersion: v1\nkind: Secret\nmetadata: {{name: s{namespace}}}\n---\n")
        };
        let problem =
            problem(&format!("{}{}", secret(""), secret(", namespace: kafka"))).expect("the same object");
        assert_eq!(problem.id, errors::FILE_DUPLICATE);
        assert!(problem.message.ends_with("also at test.yaml:1"), "{problem}");
    }
}
