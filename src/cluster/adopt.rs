//! Objects of an earlier kstrim, which knew no installation ids, get the id of their installation.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::change;
use super::installation::{Installation, id_of};
use super::inventory::Inventory;
use crate::manifest::label::ID;
use crate::observe::{ApiError, ApiErrorKind};
use crate::tool::kubectl::Kubectl;

/// Kinds of an install manifest that are in no namespace, with the path of their list.
pub const CLUSTER_SCOPED: [(&str, &str); 4] = [
    ("Namespace", "/api/v1/namespaces"),
    ("CustomResourceDefinition", "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"),
    ("ClusterRole", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("ClusterRoleBinding", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"),
];

/// Give every object of an installation that has no id its id.
///
/// # Errors
/// When the API server cannot be asked, or refuses a label.
pub async fn unmarked(kubectl: &Kubectl, installation: &Installation) -> Result<(), ApiError> {
    let inventory = Inventory::of(kubectl, installation, &BTreeSet::new()).await?;
    let label = |object: &Value| {
        id_of(object).is_none().then(|| json!({"metadata": {"labels": {ID: installation.id()}}}))
    };
    let mut found = Vec::new();
    for item in &inventory.items {
        found.extend(installation.owned(&item.collection, &item.object));
    }
    for (_, path) in CLUSTER_SCOPED {
        let list = kubectl.find(path).await?.unwrap_or_default();
        for object in list["items"].as_array().into_iter().flatten() {
            found.extend(installation.owned(path, object));
        }
    }
    for owned in found {
        match change::patch(kubectl, installation, &owned, label).await {
            Ok(_) => {}
            // It went, or was replaced, meanwhile: nothing to label.
            Err(error) if matches!(error.kind, ApiErrorKind::NotFound | ApiErrorKind::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
