//! The Kafka resource, its node pools and its pods.

use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use super::orphans::Orphans;
use super::{Scope, few, moment, name, of_cluster, strimzis, with_labels};
use crate::cluster::claims;
use crate::cluster::finalizers;
use crate::cluster::ownership::{self};
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};
use crate::kube::Object;
use crate::kube::kafka as live;

/// The task.
pub(crate) struct Kafka {
    scope: Rc<Scope>,
    keep_data: bool,
    orphans: Orphans,
}

impl Kafka {
    /// `keep_data`: leave the cluster id on the claims, for the next `up`.
    pub(crate) fn new(scope: Rc<Scope>, keep_data: bool) -> Self {
        Self { orphans: Orphans::new(scope.clone()), scope, keep_data }
    }
}

#[async_trait(?Send)]
impl Task<Session> for Kafka {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let Found { resources, foreign } = look(cx).await?;
        if !resources.is_empty() {
            super::held::refuse(cx, resources.iter().map(|(kind, object)| (*kind, object)))?;
            let names: Vec<String> =
                resources.iter().map(|(kind, object)| format!("{kind}/{}", name(object))).collect();
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        if foreign {
            return Ok(Doneness::Done(format!(
                "the Kafka cluster {} is kept: kstrim did not create it",
                cx.cluster()
            )));
        }
        let pods = self.orphans.dependents(cx, cx.list(&pods_path(cx), "list what kstrim created").await?);
        if !pods.is_empty() {
            self.orphans.sweep(cx, &selector(cx), &pods).await?;
            let names: Vec<String> = pods.iter().map(name).collect();
            return Ok(Doneness::Pending(format!("stopping: {}", few(&names))));
        }
        Ok(Doneness::Done(format!("no Kafka cluster {} is left", cx.cluster())))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let resources = look(cx).await?.resources;
        // If the data is kept, the cluster id is kept, too.
        let cluster_id = resources
            .iter()
            .map(|(_, object)| live::Kafka(&Object::new(object.clone())).cluster_id().to_owned())
            .find(|id| !id.is_empty() && self.keep_data);
        claims::label(cx, &self.scope.known, cx.cluster(), cluster_id.as_deref()).await?;
        for (kind, object) in &resources {
            let collection = format!("{}/{kind}", strimzis(cx));
            let owned = ownership::owned(cx, &collection, std::slice::from_ref(object)).await?;
            ownership::delete(cx, "the Kafka", owned).await?;
        }
        Ok(())
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let kind = |plural| if plural == "kafkas" { "Kafka" } else { "KafkaNodePool" };
        let left = look(cx).await.ok()?.resources.into_iter();
        let left = left.map(|(plural, object)| (kind(plural), object));
        let pods = cx
            .list(&pods_path(cx), "list what kstrim created")
            .await
            .ok()?
            .into_iter()
            .map(|pod| ("Pod", pod));
        finalizers::explain(cx, left.chain(pods))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

/// What exists of the Kafka cluster.
struct Found {
    /// The Kafka resource, if it is ours, and its node pools, with their kinds.
    resources: Vec<(&'static str, Value)>,
    /// The Kafka resource is foreign; then nothing else is checked.
    foreign: bool,
}

async fn look(cx: &Session) -> Result<Found> {
    let path = format!("{}/kafkas/{}", strimzis(cx), cx.cluster());
    let kafka = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the Kafka resource", &e))?;
    ownership::installation(cx).await?;
    if kafka.as_ref().is_some_and(|kafka| !cx.owns(kafka)) {
        return Ok(Found { resources: Vec::new(), foreign: true });
    }
    let mut resources: Vec<_> = kafka.into_iter().map(|kafka| ("kafkas", kafka)).collect();
    let pools = with_labels(&format!("{}/kafkanodepools", strimzis(cx)), &of_cluster(cx));
    let pools = cx.list(&pools, "list what kstrim created").await?.into_iter().filter(|pool| cx.owns(pool));
    resources.extend(pools.map(|pool| ("kafkanodepools", pool)));
    Ok(Found { resources, foreign: false })
}

/// The label selector for what the operator creates for the Kafka cluster.
fn selector(cx: &Session) -> String {
    format!("{},strimzi.io/kind=Kafka", of_cluster(cx))
}

fn pods_path(cx: &Session) -> String {
    with_labels(&format!("/api/v1/namespaces/{}/pods", cx.namespace()), &selector(cx))
}
