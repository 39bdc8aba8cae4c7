//! The labels and annotations of everything that kstrim applies.

use super::Object;

/// The label that names the program that created an object.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of [`MANAGED_BY`].
pub const KSTRIM: &str = "kstrim";
/// The label with the id of the installation that an object belongs to (`cluster/installation.rs`).
pub const ID: &str = "kstrim.io/installation";
/// The label with the id of the `kstrim run` that created a topic for its command.
pub const RUN: &str = "kstrim.io/run";
/// The label of what `up -f` applied from the user's own manifests.
pub const FILES: &str = "kstrim.io/files";
/// The annotation with the content digest of the manifest the object came from.
pub const DIGEST: &str = "kstrim/digest";
/// The annotation with the Strimzi release.
pub const RELEASE: &str = "kstrim/release";
/// The annotation in which `down --keep-data` stores the Kafka cluster id on each claim.
pub const CLUSTER_ID: &str = "kstrim/cluster-id";

/// Whether an object was applied from the user's own manifests. Kubernetes copies the labels of a Service to its
/// Endpoints and EndpointSlices, which it creates and deletes with the Service.
pub(crate) fn is_of_files(kind: &str, object: &serde_json::Value) -> bool {
    let labelled = object.pointer("/metadata/labels").is_some_and(|labels| labels[FILES] == "true");
    let owners = object.pointer("/metadata/ownerReferences").and_then(serde_json::Value::as_array);
    labelled && kind != "Endpoints" && owners.is_none_or(Vec::is_empty)
}

/// Set the label and both annotations in each object's own metadata. Pod templates, selectors and everything else are
/// unchanged: a new label there would restart pods.
pub fn label(objects: &mut [Object], digest: &str, release: &str) {
    for object in objects {
        object.set(&["metadata", "labels", MANAGED_BY], KSTRIM);
        object.set(&["metadata", "annotations", DIGEST], digest);
        object.set(&["metadata", "annotations", RELEASE], release);
    }
}

/// Set the label with the installation's id in each object's own metadata.
pub fn stamp(objects: &mut [Object], id: &str) {
    for object in objects {
        object.set(&["metadata", "labels", ID], id);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_the_objects_own_metadata_changes() {
        let template = json!({"metadata": {"labels": {"a": "b"}}});
        let mut objects = [Object::new(json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "d", "labels": {"app": "strimzi"}, "annotations": null},
            "spec": {"template": template},
        }))
        .unwrap()];
        label(&mut objects, "abc", "1.2.0");
        assert_eq!(
            objects[0].get("/metadata").unwrap(),
            &json!({
                "name": "d",
                "labels": {"app": "strimzi", "app.kubernetes.io/managed-by": "kstrim"},
                "annotations": {"kstrim/digest": "abc", "kstrim/release": "1.2.0"},
            })
        );
        assert_eq!(objects[0].get("/spec/template").unwrap(), &template);
    }
}
