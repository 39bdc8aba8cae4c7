//! Labels objects created by an earlier kstrim, which had no installation ids, with the id of their installation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::change;
use super::installation::{Installation, id_of};
use super::inventory::Inventory;
use crate::manifest::label::ID;
use crate::observe::{ApiError, ApiErrorKind};
use crate::tool::kubectl::Kubectl;

/// Cluster-scoped kinds of an install manifest: path and resource.
pub const CLUSTER_SCOPED: [(&str, &str); 4] = [
    ("/api/v1/namespaces", "namespaces"),
    (
        "/apis/apiextensions.k8s.io/v1/customresourcedefinitions",
        "customresourcedefinitions.apiextensions.k8s.io",
    ),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles.rbac.authorization.k8s.io"),
    (
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "clusterrolebindings.rbac.authorization.k8s.io",
    ),
];

/// Label every object of the installation that has no id with the installation's id.
///
/// # Errors
/// When the API server does not answer, or refuses a label.
pub async fn unmarked(kubectl: &Kubectl, installation: &Installation) -> Result<(), ApiError> {
    let inventory = Inventory::of(kubectl, installation, &BTreeSet::new()).await?;
    let label = |object: &Value| {
        id_of(object).is_none().then(|| json!({"metadata": {"labels": {ID: installation.id()}}}))
    };
    let mut found = Vec::new();
    for item in &inventory.items {
        let resource = resource(&item.collection);
        found.extend(installation.owned(&item.collection, &item.object).map(|owned| (owned, resource)));
    }
    for (path, resource) in CLUSTER_SCOPED {
        let list = kubectl.find(path).await?.unwrap_or_default();
        for object in list["items"].as_array().into_iter().flatten() {
            found.extend(installation.owned(path, object).map(|owned| (owned, resource.to_owned())));
        }
    }
    for (owned, resource) in found {
        let namespace = installation.namespace();
        match change::patch(kubectl, installation, &owned, &resource, namespace, label).await {
            Ok(_) => {}
            // It was deleted or replaced in the meantime: nothing to label.
            Err(error) if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// kubectl's name for the resource type of a collection: `deployments.apps` for
/// `/apis/apps/v1/namespaces/kafka/deployments`.
pub fn resource(collection: &str) -> String {
    let parts: Vec<&str> = collection.split('/').collect();
    let plural = parts.last().copied().unwrap_or_default();
    match parts.as_slice() {
        ["", "apis", group, ..] => format!("{plural}.{group}"),
        _ => plural.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collection_names_its_resource() {
        assert_eq!(resource("/apis/apps/v1/namespaces/kafka/deployments"), "deployments.apps");
        assert_eq!(resource("/api/v1/namespaces/kafka/configmaps"), "configmaps");
        assert_eq!(resource("/api/v1/namespaces"), "namespaces");
    }
}
