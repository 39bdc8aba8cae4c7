//! Volume claims of a Kafka cluster: Strimzi sets no owner on them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::session::Session;
use super::{change, ownership};
use crate::failure::Result;
use crate::kube::ApiErrorKind;
use crate::manifest::label::{CLUSTER_ID, ID};

/// Label the claims of a Kafka cluster with the installation's id as long as the Kafka resource proves who owns them:
/// claims have no owner reference. `cluster_id` is added as well: brokers reject a volume with another cluster's id,
/// and a re-created Kafka cluster gets a new id.
pub(crate) async fn label(
    cx: &Session,
    known: &BTreeSet<String>,
    cluster: &str,
    cluster_id: Option<&str>,
) -> Result<()> {
    let installation = ownership::installation(cx).await?;
    let collection = collection(cx);
    for claim in cx
        .list(
            &format!("{collection}?labelSelector=strimzi.io%2Fcluster%3D{cluster}"),
            "list what kstrim created",
        )
        .await?
    {
        let Some(owned) = installation.dependent(&collection, &claim, known) else {
            continue;
        };
        let patch = |_: &Value| {
            let mut patch = json!({"metadata": {"labels": {ID: installation.id()}}});
            if let Some(id) = cluster_id {
                patch["metadata"]["annotations"] = json!({CLUSTER_ID: id});
            }
            Some(patch)
        };
        match change::patch(&cx.kubectl, &installation, &owned, patch).await {
            Err(error) if error.kind == ApiErrorKind::NotFound => {}
            patched => drop(patched.map_err(|e| cx.api_failure("label the volumes", &e))?),
        }
    }
    Ok(())
}

/// The path of the namespace's claims.
pub(crate) fn collection(cx: &Session) -> String {
    format!("/api/v1/namespaces/{}/persistentvolumeclaims", cx.namespace())
}
