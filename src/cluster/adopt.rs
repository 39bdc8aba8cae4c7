//! Labels objects created by an earlier kstrim, which had no installation ids, with the id of their installation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::change;
use super::installation::{Installation, id_of};
use super::inventory::Inventory;
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, ApiErrorKind};
use crate::manifest::label::ID;

/// Cluster-scoped kinds of which kstrim creates objects, and the paths of their collections.
pub(crate) const CLUSTER_SCOPED: [(&str, &str); 5] = [
    ("Namespace", "/api/v1/namespaces"),
    ("CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
    ("PersistentVolume", "/api/v1/persistentvolumes"),
];

/// Label every object of the installation that has no id with the installation's id.
///
/// # Errors
/// If the API server does not respond, or rejects a label.
pub(crate) async fn label_unmarked(kubectl: &Kubectl, installation: &Installation) -> Result<(), ApiError> {
    let inventory = Inventory::of(kubectl, installation, &BTreeSet::new()).await?;
    let label = |object: &Value| {
        id_of(object).is_none().then(|| json!({"metadata": {"labels": {ID: installation.id()}}}))
    };
    let mut found = Vec::new();
    for item in &inventory.items {
        found.extend(installation.owned(&item.collection, &item.object));
    }
    for (_, path) in CLUSTER_SCOPED {
        for object in kubectl.list(path).await? {
            found.extend(installation.owned(path, &object));
        }
    }
    for owned in found {
        match change::patch(kubectl, installation, &owned, label).await {
            Ok(_) => {}
            // It was deleted or replaced in the meantime: nothing to label.
            Err(error) if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
