//! The error ids of this module.

/// The versions asked for do not go together.
pub(crate) use crate::errors::VERSION_CONTRADICTION as CONTRADICTION;
/// No release in the catalogue has this Kafka version.
pub(crate) use crate::errors::VERSION_KAFKA_UNKNOWN as KAFKA;
/// No release in the catalogue supports this Kubernetes version.
pub(crate) use crate::errors::VERSION_KUBERNETES_UNKNOWN as KUBERNETES;
/// The installed minikube cannot make a Kubernetes the release supports.
pub(crate) use crate::errors::VERSION_MINIKUBE_UNSUPPORTED as MINIKUBE;
/// No such Strimzi release in the catalogue.
pub(crate) use crate::errors::VERSION_RELEASE_UNKNOWN as RELEASE;
