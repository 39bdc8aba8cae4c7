//! Deletes and changes, each only of the object that was read: its uid and resource version are preconditions.

use serde_json::{Value, json};

use super::installation::{Basis, Installation, Owned};
use crate::kube::kubectl::Kubectl;
use crate::kube::{ApiError, ApiErrorKind};

/// How often a change is retried because a controller updated the object's status in the meantime.
const TRIES: u32 = 40;

/// The result of a deletion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deleted {
    /// It was deleted, now or earlier.
    Yes,
    /// Another object has its name now, or it no longer belongs to the installation; it is kept.
    NoLongerOwned,
}

/// Delete an object without waiting until it no longer exists. Its dependents are left to the garbage collector.
pub(crate) async fn delete(
    kubectl: &Kubectl,
    installation: &Installation,
    owned: &Owned,
) -> Result<Deleted, ApiError> {
    let mut owned = owned.clone();
    for _ in 0..TRIES {
        let options = json!({
            "kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background",
            "preconditions": {"uid": owned.uid(), "resourceVersion": owned.resource_version()},
        });
        match kubectl.delete_at(owned.path(), &options).await {
            Ok(()) => return Ok(Deleted::Yes),
            Err(error) if error.kind == ApiErrorKind::Conflict => {}
            Err(error) => return Err(error),
        }
        match reread(kubectl, installation, &owned).await? {
            Reread::Gone => return Ok(Deleted::Yes),
            Reread::Other => return Ok(Deleted::NoLongerOwned),
            Reread::Same(now, _) => owned = now,
        }
    }
    Err(ApiError::new(ApiErrorKind::Conflict, format!("{} keeps changing", owned.path())))
}

/// Replace the field managers of the object at `path` and nothing else. This needs no `Owned`, because the object
/// itself does not change. `false` if it has changed since it was read, or no longer exists.
pub(crate) async fn replace_field_managers(
    kubectl: &Kubectl,
    path: &str,
    read: &Value,
    entries: Value,
) -> Result<bool, ApiError> {
    let mut object = read.clone();
    object["metadata"]["managedFields"] = entries;
    match kubectl.replace_at(path, &object).await {
        Ok(_) => Ok(true),
        Err(error) if matches!(error.kind, ApiErrorKind::Conflict | ApiErrorKind::NotFound) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Merge into the object the patch that `patch` computes from its current state. `None`: there is nothing to change.
/// The patch is recomputed for each new state of the object, so concurrent changes by others are not lost.
///
/// # Errors
/// What the API server rejected; [`ApiErrorKind::Conflict`] if another object has the name now.
pub(crate) async fn patch(
    kubectl: &Kubectl,
    installation: &Installation,
    owned: &Owned,
    mut patch: impl FnMut(&Value) -> Option<Value>,
) -> Result<bool, ApiError> {
    let mut owned = owned.clone();
    let (collection, name) = owned.path().rsplit_once('/').unwrap_or_default();
    let (resource, name) = (resource(collection), name.to_owned());
    for _ in 0..TRIES {
        let (now, object) = match reread(kubectl, installation, &owned).await? {
            Reread::Same(now, object) => (now, object),
            Reread::Gone => {
                return Err(ApiError::new(ApiErrorKind::NotFound, format!("{resource} no longer exists")));
            }
            Reread::Other => {
                let message = format!("{} is a different object now", owned.path());
                return Err(ApiError::new(ApiErrorKind::Conflict, message));
            }
        };
        let Some(mut change) = patch(&object) else { return Ok(false) };
        change["metadata"]["uid"] = now.uid().into();
        change["metadata"]["resourceVersion"] = now.resource_version().into();
        match kubectl.patch(installation.namespace(), &resource, &name, &change, None).await {
            Ok(()) => return Ok(true),
            Err(error) if error.kind == ApiErrorKind::Conflict => owned = now,
            // Another object has taken the name since the last read: the API server reports that the uid is
            // immutable.
            Err(error) if error.kind == ApiErrorKind::Invalid && error.field() == Some("metadata.uid") => {
                owned = now;
            }
            Err(error) => return Err(error),
        }
    }
    Err(ApiError::new(ApiErrorKind::Conflict, format!("{} keeps changing", owned.path())))
}

/// Create an object that must not exist yet. `None`: an object of that name exists.
pub(crate) async fn create(
    kubectl: &Kubectl,
    collection: &str,
    object: &Value,
) -> Result<Option<Value>, ApiError> {
    match kubectl.create_at(collection, object).await {
        Ok(created) => Ok(Some(created)),
        Err(error) if error.kind == ApiErrorKind::AlreadyExists => Ok(None),
        Err(error) => Err(error),
    }
}

/// The result of re-reading an object.
enum Reread {
    Gone,
    /// Another object has the name, or it no longer belongs to the installation.
    Other,
    Same(Owned, Value),
}

async fn reread(kubectl: &Kubectl, installation: &Installation, owned: &Owned) -> Result<Reread, ApiError> {
    let Some(object) = kubectl.find(owned.path()).await? else { return Ok(Reread::Gone) };
    let now = Owned::new(owned.path(), &object, owned.basis());
    let still = match owned.basis() {
        Basis::Installation => installation.owns(&object),
        // The reason cannot change while the uid is the same: its owners, or the user's request.
        Basis::Dependent | Basis::Requested => true,
    };
    Ok(if now.uid() == owned.uid() && still { Reread::Same(now, object) } else { Reread::Other })
}

/// The resource name of a collection, as kubectl writes it: `deployments.apps` for
/// `/apis/apps/v1/namespaces/kafka/deployments`.
fn resource(collection: &str) -> String {
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
    fn the_resource_of_a_collection() {
        assert_eq!(resource("/apis/apps/v1/namespaces/kafka/deployments"), "deployments.apps");
        assert_eq!(resource("/api/v1/namespaces/kafka/configmaps"), "configmaps");
        assert_eq!(resource("/api/v1/namespaces"), "namespaces");
    }
}
