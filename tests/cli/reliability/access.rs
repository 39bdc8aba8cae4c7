//! What the API server refuses.

use super::{
    End::{Healed, Named},
    Fault, Left, World, fault, kubectl_says,
};

pub fn faults() -> Vec<Fault> {
    use Left::Namespace;
    use World::Empty;
    vec![
        fault(
            "forbidden",
            "the credentials do not allow changes",
            Empty,
            |t| {
                let words = "Error from server (Forbidden): customresourcedefinitions.apiextensions.k8s.io is forbidden: User \"minikube-user\" cannot patch resource";
                kubectl_says(t, "apply", None, words);
            },
            Named("KS-API-FORBIDDEN", 1),
            Namespace,
        ),
        fault(
            "conflict",
            "another manager owns a field",
            Empty,
            |t| {
                let words = "error: Apply failed with 1 conflict: conflict with \"helm\": .spec.replicas\nPlease review the fields above";
                kubectl_says(t, "apply", None, words);
            },
            Named("KS-API-CONFLICT", 5),
            Namespace,
        ),
        fault(
            "stored-versions",
            "stored versions of newer CRDs conflict with older CRDs",
            Empty,
            |t| {
                let words = "Error from server (Invalid): CustomResourceDefinition.apiextensions.k8s.io \"kafkas.kafka.strimzi.io\" is invalid: status.storedVersions[0]: Invalid value: \"v1\": missing from spec.versions; v1 was previously a storage version, and must remain in spec.versions until a storage migration ensures no data remains persisted in v1 and removes v1 from status.storedVersions";
                kubectl_says(t, "apply", None, words);
            },
            Named("KS-CRD-STORED-VERSION", 5),
            Namespace,
        ),
        fault(
            "kubectl-unknown",
            "kubectl prints an unknown error",
            Empty,
            |t| kubectl_says(t, "apply", None, "error: something never seen before"),
            Named("KS-KUBECTL", 1),
            Namespace,
        ),
        fault(
            "certificates-expired",
            "the cluster's certificates have expired",
            World::Ready,
            |t| {
                t.change_scenario(|s| s.api_expired = true);
                std::fs::remove_file(t.world_dir().join("renewed-kstrim")).expect("a start renewed them");
            },
            Healed("certificate has expired"),
            Left::All,
        ),
        fault(
            "context-wrong",
            "the kubeconfig contains the certificates of another cluster",
            World::Ready,
            |t| {
                let words = "Unable to connect to the server: tls: failed to verify certificate: x509: certificate signed by unknown authority";
                kubectl_says(t, "--context", None, words);
            },
            Named("KS-CONTEXT-WRONG", 1),
            Left::All,
        ),
        fault(
            "zookeeper-fields",
            "the resource has fields for ZooKeeper",
            Empty,
            |t| {
                let words = "Error from server: failed to create typed patch object (kafka/my-cluster; kafka.strimzi.io/v1, Kind=Kafka): .spec.zookeeper: field not declared in schema";
                kubectl_says(t, "apply", None, words);
            },
            Named("KS-KAFKA-ZOOKEEPER", 2),
            Namespace,
        ),
    ]
}
