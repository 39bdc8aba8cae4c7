//! The Kafka, its node pools and its pods.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::orphans::Orphans;
use super::{few, items, moment, name, of_cluster, strimzis, with_labels};
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
        let Found { resources, foreign } = look(cx).await?;
        if !resources.is_empty() {
            super::held::refuse(cx, resources.iter().map(|(kind, object)| (*kind, object)))?;
            let names: Vec<String> =
                resources.iter().map(|(kind, object)| format!("{kind}/{}", name(object))).collect();
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        let pods = items(cx, &pods_path(cx)).await?;
        if !pods.is_empty() {
            if !foreign {
                self.orphans.sweep(cx, &selector(cx), &pods).await?;
            }
            let names: Vec<String> = pods.iter().map(name).collect();
            return Ok(Doneness::Pending(format!("stopping: {}", few(&names))));
        }
        Ok(Doneness::Done(format!("no Kafka {} is left", cx.cluster())))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let resources = look(cx).await?.resources;
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
        let left = look(cx).await.ok()?.resources.into_iter();
        let left = left.map(|(plural, object)| (kind(plural), object));
        let pods = items(cx, &pods_path(cx)).await.ok()?.into_iter().map(|pod| ("Pod", pod));
        held::explain(cx, left.chain(pods))
    }

    async fn changed(&self, _: &Cx) {
        moment().await;
    }
}

/// What is there of the Kafka.
struct Found {
    /// The Kafka if it is ours, and the pools that belong to it, with their kinds.
    resources: Vec<(&'static str, Value)>,
    /// The Kafka is somebody else's; then nothing else is looked at.
    foreign: bool,
}

async fn look(cx: &Cx) -> Result<Found> {
    let path = format!("{}/kafkas/{}", strimzis(cx), cx.cluster());
    let kafka = cx.kubectl.find(&path).await.map_err(|e| api_failure(cx, "look at the Kafka", &e))?;
    if kafka.as_ref().is_some_and(|kafka| !is_ours(kafka)) {
        return Ok(Found { resources: Vec::new(), foreign: true });
    }
    let mut resources: Vec<_> = kafka.into_iter().map(|kafka| ("kafkas", kafka)).collect();
    let pools = with_labels(&format!("{}/kafkanodepools", strimzis(cx)), &of_cluster(cx));
    resources.extend(items(cx, &pools).await?.into_iter().map(|pool| ("kafkanodepools", pool)));
    Ok(Found { resources, foreign: false })
}

/// The labels of what the operator makes of the Kafka.
fn selector(cx: &Cx) -> String {
    format!("{},strimzi.io/kind=Kafka", of_cluster(cx))
}

fn pods_path(cx: &Cx) -> String {
    with_labels(&format!("/api/v1/namespaces/{}/pods", cx.namespace()), &selector(cx))
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
