//! The custom resource definitions of a cluster.

use serde_json::Value;

use super::session::Session;
use crate::failure::Result;

/// Path of all custom resource definitions.
pub(crate) const PATH: &str = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

/// All definitions in the cluster, without their schemas, which are nearly all of their megabytes.
pub(crate) async fn list(cx: &Session) -> Result<Vec<Value>> {
    cx.list(PATH, "list the resource definitions").await
}
