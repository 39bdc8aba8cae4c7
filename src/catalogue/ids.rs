//! The error ids of this module.

use crate::failure::Id;

/// No such Strimzi release in the catalogue.
pub const RELEASE: Id = Id("KS-VERSION-RELEASE-UNKNOWN");
/// No release in the catalogue has this Kafka version.
pub const KAFKA: Id = Id("KS-VERSION-KAFKA-UNKNOWN");
/// No release in the catalogue supports this Kubernetes version.
pub const KUBERNETES: Id = Id("KS-VERSION-KUBERNETES-UNKNOWN");
/// The versions asked for do not go together.
pub const CONTRADICTION: Id = Id("KS-VERSION-CONTRADICTION");
/// The installed minikube cannot make a Kubernetes the release supports.
pub const MINIKUBE: Id = Id("KS-VERSION-MINIKUBE-UNSUPPORTED");
