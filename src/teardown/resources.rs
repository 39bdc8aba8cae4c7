//! Topics, users, connectors and rebalances of the cluster, for which Strimzi's operators set finalizers.

use std::cell::{Cell, RefCell};
use std::time::Instant;

use async_trait::async_trait;
use serde_json::Value;

use super::{ends, few, moment, name, of_cluster, strimzis, with_labels};
use crate::cluster::change;
use crate::cluster::finalizers;
use crate::cluster::ownership::{self};
use crate::cluster::remediation::without_strimzi_finalizers;
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};

/// Kinds with the label `strimzi.io/cluster`, by plural.
const KINDS: [&str; 4] = ["kafkatopics", "kafkausers", "kafkaconnectors", "kafkarebalances"];

/// How long to wait for a running topic operator to handle its finalizers.
const SERVED_WITHIN: std::time::Duration = std::time::Duration::from_secs(20);

/// The task.
pub(crate) struct Resources {
    keep_data: bool,
    deleted_at: Cell<Option<Instant>>,
    healed: RefCell<Vec<String>>,
}

impl Resources {
    /// `keep_data`: only the resources are deleted, after the Kafka, and not the topics in it.
    pub(crate) fn new(keep_data: bool) -> Self {
        Self { keep_data, deleted_at: Cell::default(), healed: RefCell::default() }
    }
}

#[async_trait(?Send)]
impl Task<Session> for Resources {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let found = live(cx).await?;
        if found.is_empty() {
            let others = others(cx).await?;
            let healed = self.healed.borrow();
            return Ok(Doneness::Done(if !others.is_empty() {
                format!("kept, because kstrim did not create them: {}", few(&others))
            } else if healed.is_empty() {
                "no topics or users are left".into()
            } else {
                format!(
                    "no topics or users are left; removed finalizers that no controller handled: {}",
                    few(&healed)
                )
            }));
        }
        // If the operator no longer exists, or has not responded for a while, nobody handles its finalizers.
        if let Some(at) = self.deleted_at.get()
            && (at.elapsed() > SERVED_WITHIN || !operator_serves(cx).await?)
        {
            self.heal(cx, &found).await?;
        }
        super::held::refuse(cx, found.iter().map(|(kind, object)| (*kind, object)))?;
        let names: Vec<String> = found.iter().map(|(_, object)| name(object)).collect();
        Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let live = live(cx).await?;
        for kind in KINDS {
            let objects: Vec<Value> =
                live.iter().filter(|(k, _)| *k == kind).map(|(_, o)| o.clone()).collect();
            let owned = ownership::owned(cx, &format!("{}/{kind}", strimzis(cx)), &objects).await?;
            ownership::delete(cx, kind, owned).await?;
        }
        self.deleted_at.set(Some(Instant::now()));
        Ok(())
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let kind = |plural| match plural {
            "kafkatopics" => "KafkaTopic",
            "kafkausers" => "KafkaUser",
            "kafkaconnectors" => "KafkaConnector",
            _ => "KafkaRebalance",
        };
        let left = live(cx).await.ok()?;
        finalizers::explain(cx, left.into_iter().map(|(plural, object)| (kind(plural), object)))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

impl Resources {
    /// Remove Strimzi's finalizers from what is being deleted: nobody else will. Foreign finalizers are kept.
    async fn heal(&self, cx: &Session, found: &[(&'static str, Value)]) -> Result<()> {
        let installation = ownership::installation(cx).await?;
        for (kind, object) in found {
            let finalizers: Vec<String> = object
                .pointer("/metadata/finalizers")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|f| f.as_str().map(str::to_owned))
                .collect();
            let kept = finalizers.iter().filter(|f| !f.starts_with("strimzi.io/")).count();
            if !ends(object) || kept == finalizers.len() {
                continue;
            }
            let name = name(object);
            let collection = format!("{}/{kind}", strimzis(cx));
            let Some(owned) = installation.owned(&collection, object) else { continue };
            let patched = change::patch(&cx.kubectl, &installation, &owned, without_strimzi_finalizers);
            match patched.await.map(drop) {
                // No operator is left to handle it, which is expected here.
                Ok(()) if self.keep_data => {}
                Ok(()) => {
                    cx.emit.warn(format!("no controller handled the finalizer of {name}, so it was removed"));
                    self.healed.borrow_mut().push(name);
                }
                Err(error) if error.transient() => {}
                Err(error) => {
                    return Err(cx.api_failure(&format!("remove the finalizer of {name}"), &error));
                }
            }
        }
        Ok(())
    }
}

/// The installation's resources of the cluster, with their kinds.
async fn live(cx: &Session) -> Result<Vec<(&'static str, Value)>> {
    ownership::installation(cx).await?;
    Ok(all(cx).await?.into_iter().filter(|(_, object)| cx.owns(object)).collect())
}

/// The names of foreign resources of the cluster.
async fn others(cx: &Session) -> Result<Vec<String>> {
    let theirs = all(cx).await?.into_iter().filter(|(_, object)| !cx.owns(object));
    Ok(theirs.map(|(kind, object)| format!("{kind}/{}", name(&object))).collect())
}

async fn all(cx: &Session) -> Result<Vec<(&'static str, Value)>> {
    let one = |kind: &'static str| {
        let path = format!("{}/{kind}", strimzis(cx));
        let path = with_labels(&path, &of_cluster(cx));
        async move {
            cx.list(&path, "list what kstrim created")
                .await
                .map(|found| found.into_iter().map(move |object| (kind, object)))
        }
    };
    let found = futures_util::future::try_join_all(KINDS.map(one)).await?;
    Ok(found.into_iter().flatten().collect())
}

/// Whether the cluster's entity operator, which handles the finalizers, is running.
async fn operator_serves(cx: &Session) -> Result<bool> {
    let path =
        format!("/apis/apps/v1/namespaces/{}/deployments/{}-entity-operator", cx.namespace(), cx.cluster());
    let found = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the entity operator", &e))?;
    let available =
        |d: &Value| d.pointer("/status/availableReplicas").and_then(Value::as_u64).unwrap_or(0) > 0;
    Ok(found.is_some_and(|d| available(&d) && !ends(&d)))
}
