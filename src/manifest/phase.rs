//! The order in which an install manifest is applied.

use super::Object;
use super::retarget::{Scope, scope};

/// The objects of an install manifest by phase.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Phases {
    /// Custom resource definitions: first, because everything else waits until they are Established.
    pub crds: Vec<Object>,
    /// Cluster roles, their bindings and other cluster-scoped objects.
    pub cluster: Vec<Object>,
    /// Objects in the namespace: first those that others need, Deployments last.
    pub namespaced: Vec<Object>,
}

/// Split a manifest into phases. Objects keep their order within a phase, except that in the namespace, accounts and
/// configuration come before bindings, and bindings before workloads.
pub fn split(objects: Vec<Object>) -> Phases {
    let mut phases = Phases::default();
    for object in objects {
        match (object.kind(), scope(&object)) {
            ("CustomResourceDefinition", _) => phases.crds.push(object),
            (_, Some(Scope::Cluster)) => phases.cluster.push(object),
            _ => phases.namespaced.push(object),
        }
    }
    phases.cluster.sort_by_key(|object| rank(object.kind()));
    phases.namespaced.sort_by_key(|object| rank(object.kind()));
    phases
}

fn rank(kind: &str) -> u8 {
    match kind {
        "Namespace" => 0,
        "ServiceAccount" | "ConfigMap" | "Secret" | "ClusterRole" | "Role" => 1,
        "ClusterRoleBinding" | "RoleBinding" => 2,
        "Deployment" | "StatefulSet" | "DaemonSet" | "Job" | "CronJob" | "Pod" => 4,
        _ => 3,
    }
}

impl Phases {
    /// All objects in the order in which they are applied.
    pub fn in_order(self) -> Vec<Object> {
        [self.crds, self.cluster, self.namespaced].concat()
    }
}
