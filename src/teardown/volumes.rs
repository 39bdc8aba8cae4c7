//! The brokers' claims. Strimzi does not delete them, and a remaining claim breaks the next cluster. Those of the
//! installation were labelled with its id before their Kafka resource was deleted; any other is foreign and kept.

use async_trait::async_trait;
use serde_json::Value;

use super::{few, moment, name, of_cluster, with_labels};
use crate::cluster::session::Session;
use crate::cluster::{finalizers, ownership};
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};

/// The task.
pub(crate) struct Volumes;

#[async_trait(?Send)]
impl Task<Session> for Volumes {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let (owned, others) = claims(cx).await?;
        super::held::refuse(cx, owned.iter().map(|claim| ("persistentvolumeclaim", claim)))?;
        let names: Vec<String> = owned.iter().map(name).collect();
        Ok(if !names.is_empty() {
            Doneness::Pending(format!("to be deleted: {}", few(&names)))
        } else if others.is_empty() {
            Doneness::Done("no volume claims are left".into())
        } else {
            let names: Vec<String> = others.iter().map(name).collect();
            Doneness::Done(format!("kept, because kstrim's Kafka did not create them: {}", few(&names)))
        })
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let installation = ownership::installation(cx).await?;
        let (owned, _) = claims(cx).await?;
        let collection = collection(cx);
        let owned = owned.iter().filter_map(|claim| installation.owned_claim(&collection, claim)).collect();
        ownership::delete(cx, "the volumes", owned).await
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let (left, _) = claims(cx).await.ok()?;
        finalizers::explain(cx, left.into_iter().map(|claim| ("PersistentVolumeClaim", claim)))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

/// The cluster's claims: the installation's, and foreign ones.
async fn claims(cx: &Session) -> Result<(Vec<Value>, Vec<Value>)> {
    let installation = ownership::installation(cx).await?;
    let collection = collection(cx);
    let found = cx.list(&with_labels(&collection, &of_cluster(cx)), "list what kstrim created").await?;
    Ok(found.into_iter().partition(|claim| installation.owned_claim(&collection, claim).is_some()))
}

/// The path of the namespace's claims.
pub(super) fn collection(cx: &Session) -> String {
    format!("/api/v1/namespaces/{}/persistentvolumeclaims", cx.namespace())
}
