//! The custom resource definitions of a cluster.

use serde_json::Value;

use super::session::Session;
use crate::cluster::ownership;
use crate::failure::Result;
use crate::kube::Api;

/// Path of all resource definitions.
pub(crate) const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// All live definitions, without their schemas, which make up nearly all of their megabytes.
pub(crate) async fn list(cx: &Session) -> Result<Vec<Value>> {
    let mut list = cx
        .kubectl
        .get(PATH)
        .await
        .map_err(|e| ownership::api_failure(cx, "list the resource definitions", &e))?;
    let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
    Ok(items)
}
