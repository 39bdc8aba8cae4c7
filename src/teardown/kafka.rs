//! The Kafka, its node pools and its pods.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::orphans::Orphans;
use super::{few, items, moment, name, query};
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::failure::{Failure, Result};
use crate::quickstart::held;
use crate::quickstart::kafka::CLUSTER_ID;
use crate::quickstart::ownership::{api_failure, is_ours};

/// The task.
pub struct Kafka {
    keep_data: bool,
    orphans: Orphans,
}

impl Kafka {
    /// `keep_data`: leave the cluster id on the claims, for the next `up`.
    pub fn new(keep_data: bool) -> Self {
        Self { keep_data, orphans: Orphans::default() }
    }
}

#[async_trait(?Send)]
impl Task<Cx> for Kafka {
    fn spec(&self) -> Spec {
        let needs: &[_] = if self.keep_data { &["components"] } else { &["topics", "components"] };
        super::spec("kafka", "Kafka", needs, 3)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let resources = resources(cx).await?;
        if !resources.is_empty() {
            super::held::refuse(cx, resources.iter().map(|(kind, object)| (*kind, object)))?;
            let names: Vec<String> =
                resources.iter().map(|(kind, object)| format!("{kind}/{}", name(object))).collect();
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        let pods = items(cx, &pods_path(cx)).await?;
        if !pods.is_empty() {
            if kafka(cx).await?.is_none() {
                self.orphans.sweep(cx, &selector(cx), &pods).await?;
            }
            let names: Vec<String> = pods.iter().map(name).collect();
            return Ok(Doneness::Pending(format!("stopping: {}", few(&names))));
        }
        Ok(Doneness::Done(format!("no Kafka {} is left", cx.cluster())))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let resources = resources(cx).await?;
        if self.keep_data {
            remember(cx, &resources).await?;
        }
        for (kind, object) in &resources {
            let what = [format!("{kind}.kafka.strimzi.io"), name(object)];
            let deleted = cx.kubectl.delete(Some(cx.namespace()), &what).await;
            deleted.map_err(|e| api_failure(cx, "delete the Kafka", &e))?;
        }
        Ok(())
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        let kind = |plural| if plural == "kafkas" { "Kafka" } else { "KafkaNodePool" };
        let left = resources(cx).await.ok()?.into_iter().map(|(plural, object)| (kind(plural), object));
        let pods = items(cx, &pods_path(cx)).await.ok()?.into_iter().map(|pod| ("Pod", pod));
        held::explain(cx, left.chain(pods))
    }

    async fn changed(&self, _: &Cx) {
        moment().await;
    }
}

/// Where the resources of the cluster's namespace are.
fn base(cx: &Cx) -> String {
    format!("/apis/kafka.strimzi.io/{}/namespaces/{}", cx.api_version().as_str(), cx.namespace())
}

/// The Kafka, whoever made it.
async fn kafka(cx: &Cx) -> Result<Option<Value>> {
    let path = format!("{}/kafkas/{}", base(cx), cx.cluster());
    cx.kubectl.find(&path).await.map_err(|e| api_failure(cx, "look at the Kafka", &e))
}

/// The Kafka if it is ours, and the pools that belong to it.
async fn resources(cx: &Cx) -> Result<Vec<(&'static str, Value)>> {
    let mut found = Vec::new();
    if let Some(kafka) = kafka(cx).await? {
        if !is_ours(&kafka) {
            return Ok(found);
        }
        found.push(("kafkas", kafka));
    }
    let pools = format!("{}/kafkanodepools?labelSelector=strimzi.io%2Fcluster%3D{}", base(cx), cx.cluster());
    found.extend(items(cx, &pools).await?.into_iter().map(|pool| ("kafkanodepools", pool)));
    Ok(found)
}

/// The labels of what the operator makes of the Kafka.
fn selector(cx: &Cx) -> String {
    format!("strimzi.io/cluster={},strimzi.io/kind=Kafka", cx.cluster())
}

fn pods_path(cx: &Cx) -> String {
    format!("/api/v1/namespaces/{}/pods?labelSelector={}", cx.namespace(), query(&selector(cx)))
}

/// Write the cluster id onto the claims: brokers refuse a volume whose id is not their cluster's,
/// and a Kafka that is made anew gets a new one.
async fn remember(cx: &Cx, resources: &[(&'static str, Value)]) -> Result<()> {
    let id =
        resources.iter().find_map(|(_, object)| object.pointer("/status/clusterId").and_then(Value::as_str));
    let Some(id) = id else { return Ok(()) };
    for claim in super::volumes::claims(cx).await? {
        let patch = json!({"metadata": {"annotations": {CLUSTER_ID: id}}});
        let patched = cx.kubectl.patch(cx.namespace(), "persistentvolumeclaims", &claim, &patch, None).await;
        patched.map_err(|e| api_failure(cx, "note the cluster id on the volumes", &e))?;
    }
    Ok(())
}
