//! What `up -f` applied from the user's own manifests, but for the run's Kafka with its topics and users: those have
//! tasks of their own. In the reverse order of creation, each step gone before the next begins: clients before the
//! brokers that they use, topics and users while their operator still serves.

use std::collections::BTreeSet;
use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Scope, few, moment, name, strimzis, with_labels};
use crate::cluster::applied_files;
use crate::cluster::finalizers;
use crate::cluster::inventory::Item;
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};
use crate::kube::object::text;

/// The task.
pub(crate) struct Files {
    scope: Rc<Scope>,
    keep_data: bool,
}

impl Files {
    /// What was known about the installation when `down` started. With `keep_data`, claims stay.
    pub(crate) fn new(scope: Rc<Scope>, keep_data: bool) -> Self {
        Self { scope, keep_data }
    }

    /// What is left of it.
    async fn left(&self, cx: &Session) -> Result<Vec<Item>> {
        let mut items = applied_files::list(cx, &self.scope.known).await?;
        items.retain(|item| self.selects(cx, item));
        Ok(items)
    }

    fn selects(&self, cx: &Session, item: &Item) -> bool {
        let is_kept = self.keep_data && item.kind == "PersistentVolumeClaim";
        !is_kept && !has_own_task(cx, item)
    }
}

/// Whether the tasks of the run's own Kafka delete it.
fn has_own_task(cx: &Session, item: &Item) -> bool {
    let of = text(&item.object, "/metadata/labels/strimzi.io~1cluster");
    match item.kind.as_str() {
        "Kafka" => name(&item.object) == cx.cluster(),
        "KafkaNodePool" | "KafkaTopic" | "KafkaUser" | "KafkaRebalance" => of == cx.cluster(),
        _ => false,
    }
}

#[async_trait(?Send)]
impl Task<Session> for Files {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let left = self.left(cx).await?;
        if left.is_empty() {
            return Ok(Doneness::Done("nothing of your manifests is left".into()));
        }
        super::held::refuse(cx, left.iter().map(|item| (item.kind.as_str(), &item.object)))?;
        let names: Vec<String> =
            left.iter().map(|item| format!("{} {}", item.kind, name(&item.object))).collect();
        Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let clusters: BTreeSet<String> = self
            .left(cx)
            .await?
            .iter()
            .filter(|item| item.kind == "Kafka")
            .map(|item| name(&item.object))
            .collect();
        applied_files::delete(cx, &self.scope.known, |item| self.selects(cx, item)).await?;
        for cluster in clusters {
            self.volumes(cx, &cluster).await?;
        }
        Ok(())
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let left = self.left(cx).await.ok()?;
        finalizers::explain(cx, left.iter().map(|item| (item.kind.as_str(), item.object.clone())))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

impl Files {
    /// Delete the claims of another Kafka cluster when its pods are gone. They were labelled before it was deleted.
    async fn volumes(&self, cx: &Session, cluster: &str) -> Result<()> {
        let installation = ownership::installation(cx).await?;
        let collection = super::volumes::collection(cx);
        let selector = format!("strimzi.io/cluster={cluster}");
        let doing = "list what kstrim created";
        let pools = with_labels(&format!("{}/kafkanodepools", strimzis(cx)), &selector);
        if !cx.list(&pools, doing).await?.is_empty() {
            return Ok(());
        }
        let claims: Vec<Value> = cx.list(&with_labels(&collection, &selector), doing).await?;
        let owned = claims.iter().filter_map(|claim| installation.owned_claim(&collection, claim)).collect();
        ownership::delete(cx, "the volumes", owned).await
    }
}
