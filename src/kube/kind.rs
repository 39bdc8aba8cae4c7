//! The kinds of objects that kstrim reads, and their API paths.

use std::fmt;

/// A served version of the `kafka.strimzi.io` group. Releases before 0.49 serve `v1beta2`,
/// 1.0 and later only `v1` (`crd_api_versions` of the release data).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Version {
    /// `kafka.strimzi.io/v1`.
    #[default]
    V1,
    /// `kafka.strimzi.io/v1beta2`.
    V1Beta2,
}

impl Version {
    /// As in an apiVersion, without the group.
    pub const fn as_str(self) -> &'static str {
        match self {
            Version::V1 => "v1",
            Version::V1Beta2 => "v1beta2",
        }
    }

    /// The path with the served versions (Kubernetes' APIGroup).
    pub const GROUP: &str = "/apis/kafka.strimzi.io";

    /// The version to use, of those in an APIGroup; `None` if it serves neither.
    pub fn served(group: &serde_json::Value) -> Option<Self> {
        let versions = group.get("versions")?.as_array()?;
        let serves = |version: &Version| versions.iter().any(|v| v["version"] == version.as_str());
        [Version::V1, Version::V1Beta2].into_iter().find(serves)
    }
}

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// core/v1 Pod.
    Pod,
    /// core/v1 PersistentVolumeClaim.
    Claim,
    /// core/v1 Event.
    Event,
    /// core/v1 Namespace; not namespaced.
    Namespace,
    /// core/v1 Node; not namespaced.
    Node,
    /// apps/v1 Deployment.
    Deployment,
    /// apiextensions.k8s.io/v1 CustomResourceDefinition; not namespaced.
    Crd,
    /// kafka.strimzi.io Kafka.
    Kafka,
    /// kafka.strimzi.io KafkaNodePool.
    KafkaNodePool,
    /// kafka.strimzi.io KafkaTopic.
    KafkaTopic,
    /// kafka.strimzi.io KafkaUser.
    KafkaUser,
    /// kafka.strimzi.io KafkaConnect.
    KafkaConnect,
    /// kafka.strimzi.io KafkaMirrorMaker2.
    KafkaMirrorMaker2,
    /// kafka.strimzi.io KafkaBridge.
    KafkaBridge,
    /// kafka.strimzi.io KafkaConnector.
    KafkaConnector,
    /// core.strimzi.io StrimziPodSet: the operator's own controller for pods.
    StrimziPodSet,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 16] = [
        Kind::Pod,
        Kind::Claim,
        Kind::Event,
        Kind::Namespace,
        Kind::Node,
        Kind::Deployment,
        Kind::Crd,
        Kind::Kafka,
        Kind::KafkaNodePool,
        Kind::KafkaTopic,
        Kind::KafkaUser,
        Kind::KafkaConnect,
        Kind::KafkaMirrorMaker2,
        Kind::KafkaBridge,
        Kind::KafkaConnector,
        Kind::StrimziPodSet,
    ];

    /// The object's `kind` field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Pod => "Pod",
            Kind::Claim => "PersistentVolumeClaim",
            Kind::Event => "Event",
            Kind::Namespace => "Namespace",
            Kind::Node => "Node",
            Kind::Deployment => "Deployment",
            Kind::Crd => "CustomResourceDefinition",
            Kind::Kafka => "Kafka",
            Kind::KafkaNodePool => "KafkaNodePool",
            Kind::KafkaTopic => "KafkaTopic",
            Kind::KafkaUser => "KafkaUser",
            Kind::KafkaConnect => "KafkaConnect",
            Kind::KafkaMirrorMaker2 => "KafkaMirrorMaker2",
            Kind::KafkaBridge => "KafkaBridge",
            Kind::KafkaConnector => "KafkaConnector",
            Kind::StrimziPodSet => "StrimziPodSet",
        }
    }

    /// The kind with this `kind` field.
    pub fn parse(text: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.as_str() == text)
    }

    /// The plural in the API's path.
    pub const fn plural(self) -> &'static str {
        match self {
            Kind::Pod => "pods",
            Kind::Claim => "persistentvolumeclaims",
            Kind::Event => "events",
            Kind::Namespace => "namespaces",
            Kind::Node => "nodes",
            Kind::Deployment => "deployments",
            Kind::Crd => "customresourcedefinitions",
            Kind::Kafka => "kafkas",
            Kind::KafkaNodePool => "kafkanodepools",
            Kind::KafkaTopic => "kafkatopics",
            Kind::KafkaUser => "kafkausers",
            Kind::KafkaConnect => "kafkaconnects",
            Kind::KafkaMirrorMaker2 => "kafkamirrormaker2s",
            Kind::KafkaBridge => "kafkabridges",
            Kind::KafkaConnector => "kafkaconnectors",
            Kind::StrimziPodSet => "strimzipodsets",
        }
    }

    /// Whether its objects live in a namespace.
    pub const fn namespaced(self) -> bool {
        !matches!(self, Kind::Namespace | Kind::Node | Kind::Crd)
    }

    /// Whether it is defined by one of Strimzi's CRDs, so that it may not be served yet.
    pub const fn custom(self) -> bool {
        matches!(
            self,
            Kind::Kafka
                | Kind::KafkaNodePool
                | Kind::KafkaTopic
                | Kind::KafkaUser
                | Kind::KafkaConnect
                | Kind::KafkaMirrorMaker2
                | Kind::KafkaBridge
                | Kind::KafkaConnector
                | Kind::StrimziPodSet
        )
    }

    /// The path that lists its objects: all of them, or those in `namespace`.
    pub fn path(self, version: Version, namespace: Option<&str>) -> String {
        let base = match self {
            Kind::Deployment => "/apis/apps/v1".to_owned(),
            Kind::Crd => "/apis/apiextensions.k8s.io/v1".to_owned(),
            // Strimzi serves both of its groups in the same versions.
            Kind::StrimziPodSet => format!("/apis/core.strimzi.io/{}", version.as_str()),
            kind if kind.custom() => format!("{}/{}", Version::GROUP, version.as_str()),
            _ => "/api/v1".to_owned(),
        };
        match namespace {
            Some(namespace) if self.namespaced() => {
                format!("{base}/namespaces/{namespace}/{}", self.plural())
            }
            _ => format!("{base}/{}", self.plural()),
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_those_of_the_api() {
        let path = |kind: Kind, ns| kind.path(Version::V1Beta2, ns);
        assert_eq!(path(Kind::Pod, Some("kafka")), "/api/v1/namespaces/kafka/pods");
        assert_eq!(path(Kind::Node, Some("kafka")), "/api/v1/nodes");
        assert_eq!(path(Kind::Deployment, None), "/apis/apps/v1/deployments");
        assert_eq!(
            path(Kind::Kafka, Some("kafka")),
            "/apis/kafka.strimzi.io/v1beta2/namespaces/kafka/kafkas"
        );
        assert_eq!(
            path(Kind::StrimziPodSet, Some("kafka")),
            "/apis/core.strimzi.io/v1beta2/namespaces/kafka/strimzipodsets"
        );
        assert_eq!(path(Kind::Crd, Some("kafka")), "/apis/apiextensions.k8s.io/v1/customresourcedefinitions");
    }
}
