//! The brokers' claims. Strimzi leaves them, and a left one breaks the next cluster.

use async_trait::async_trait;

use super::{few, items, moment, name, of_cluster, with_labels};
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::failure::{Failure, Result};
use crate::quickstart::held;
use crate::quickstart::ownership::api_failure;

/// The task.
pub struct Volumes;

#[async_trait(?Send)]
impl Task<Cx> for Volumes {
    fn spec(&self) -> Spec {
        super::spec("volumes", "Volumes", &["kafka"], 2)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let objects = items(cx, &path(cx)).await?;
        super::held::refuse(cx, objects.iter().map(|claim| ("persistentvolumeclaim", claim)))?;
        let claims: Vec<String> = objects.iter().map(name).collect();
        Ok(if claims.is_empty() {
            Doneness::Done("no volume claims are left".into())
        } else {
            Doneness::Pending(format!("to be deleted: {}", few(&claims)))
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let mut what = vec!["persistentvolumeclaims".to_owned()];
        what.extend(claims(cx).await?);
        let deleted = cx.kubectl.delete(Some(cx.namespace()), &what).await;
        deleted.map_err(|e| api_failure(cx, "delete the volumes", &e))
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        let left = items(cx, &path(cx)).await.ok()?;
        held::explain(cx, left.into_iter().map(|claim| ("PersistentVolumeClaim", claim)))
    }

    async fn changed(&self, _: &Cx) {
        moment().await;
    }
}

/// Names of the cluster's claims.
pub(super) async fn claims(cx: &Cx) -> Result<Vec<String>> {
    Ok(items(cx, &path(cx)).await?.iter().map(name).collect())
}

fn path(cx: &Cx) -> String {
    with_labels(&format!("/api/v1/namespaces/{}/persistentvolumeclaims", cx.namespace()), &of_cluster(cx))
}
