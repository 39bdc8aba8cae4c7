//! Deletes what `up -f` applied from the user's own manifests, and the topics and users that kstrim created for their
//! Kafka clusters. The run's Kafka cluster with its topics and users is deleted by separate tasks. The order is the
//! reverse of creation, and each step waits until the objects of the previous one no longer exist: clients before the
//! brokers that they use, topics and users while their operator is still running.

use std::collections::BTreeSet;
use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Scope, few, moment, name, strimzis, with_labels};
use crate::cluster::applied_files;
use crate::cluster::finalizers;
use crate::cluster::installation;
use crate::cluster::inventory::Item;
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};

/// The task.
pub(crate) struct Files {
    scope: Rc<Scope>,
    keep_data: bool,
}

impl Files {
    /// `scope` is what was known about the installation when `down` started. With `keep_data`, claims are kept.
    pub(crate) fn new(scope: Rc<Scope>, keep_data: bool) -> Self {
        Self { scope, keep_data }
    }

    /// What is left of it.
    async fn left(&self, cx: &Session) -> Result<Vec<Item>> {
        let dependent = |item: &Item| self.is_dependent(item);
        let mut items = applied_files::list_with(cx, &self.scope.known, &dependent).await?;
        items.retain(|item| self.selects(cx, item));
        Ok(items)
    }

    /// Whether it is a topic or user that kstrim created for a Kafka cluster from files: the topic of a smoke test, or
    /// what `kstrim topic create` created. `down` is refused if any other Kafka cluster of the namespace would stay.
    fn is_dependent(&self, item: &Item) -> bool {
        let kind = matches!(item.kind.as_str(), "KafkaTopic" | "KafkaUser");
        kind && !self.keep_data && installation::cluster_of(&item.object).is_some_and(|of| !of.is_empty())
    }

    fn selects(&self, cx: &Session, item: &Item) -> bool {
        let is_kept = self.keep_data && item.kind == "PersistentVolumeClaim";
        !is_kept && !has_own_task(cx, item)
    }
}

/// Whether the tasks of the run's own Kafka delete it.
fn has_own_task(cx: &Session, item: &Item) -> bool {
    let of = || installation::cluster_of(&item.object);
    match item.kind.as_str() {
        "Kafka" => name(&item.object) == cx.cluster(),
        "KafkaNodePool" | "KafkaTopic" | "KafkaUser" | "KafkaRebalance" => of() == Some(cx.cluster()),
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
        let dependent = |item: &Item| self.is_dependent(item);
        applied_files::delete(cx, &self.scope.known, &dependent, |item| self.selects(cx, item)).await?;
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
    /// Delete the claims of another Kafka cluster when its pods no longer exist. They were labelled before the
    /// cluster was deleted.
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
