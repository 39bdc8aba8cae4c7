//! What `up -f` applied from the user's own manifests, but for the run's Kafka with its topics and users: those have
//! tasks of their own. In the reverse order of creation, each step gone before the next begins: clients before the
//! brokers that they use, topics and users while their operator still serves.

use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value;
use tokio::time::Instant;

use super::{Scope, ends, few, moment, name, strimzis, with_labels};
use crate::cluster::claims;
use crate::cluster::finalizers;
use crate::cluster::inventory::{Inventory, Item};
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};
use crate::kube::object::text;
use crate::manifest::label::is_of_files;
use crate::user_manifests::order::{self, Phase};

/// How long a step may take before the next one begins all the same.
const STEP: Duration = Duration::from_secs(60);
/// In which order the phases go.
const STEPS: [&[Phase]; 5] = [
    &[Phase::Workloads, Phase::Connectors],
    &[Phase::Clients],
    &[Phase::UsersAndTopics],
    &[Phase::Clusters],
    &[Phase::Foundations],
];

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

    /// What is left of it, and not being deleted yet or still held.
    async fn left(&self, cx: &Session) -> Result<Vec<Item>> {
        let installation = ownership::installation(cx).await?;
        let inventory = Inventory::of(&cx.kubectl, &installation, &self.scope.known).await;
        let inventory = inventory.map_err(|e| cx.api_failure("list what is in the namespace", &e))?;
        let of_files = |item: &Item| {
            is_of_files(&item.kind, &item.object)
                && cx.owns(&item.object)
                && !has_own_task(cx, item)
                && !(self.keep_data && item.kind == "PersistentVolumeClaim")
        };
        Ok(inventory.items.into_iter().filter(of_files).collect())
    }

    async fn claims(&self, cx: &Session, cluster: &str) -> Result<()> {
        claims::label(cx, &self.scope.known, cluster, None).await
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

fn phase(item: &Item) -> Phase {
    let group =
        item.collection.strip_prefix("/apis/").and_then(|path| path.split('/').next()).unwrap_or_default();
    order::phase(group, &item.kind)
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
        for phases in STEPS {
            let end = Instant::now() + STEP;
            let mut asked: BTreeSet<String> = BTreeSet::new();
            loop {
                let mut step = self.left(cx).await?;
                step.retain(|item| phases.contains(&phase(item)));
                if step.is_empty() || Instant::now() >= end {
                    break;
                }
                for item in step.iter().filter(|item| !ends(&item.object)) {
                    if !asked.insert(format!("{}/{}", item.collection, name(&item.object))) {
                        continue;
                    }
                    if item.kind == "Kafka" {
                        self.claims(cx, &name(&item.object)).await?;
                    }
                    let owned =
                        super::owned(cx, &item.collection, std::slice::from_ref(&item.object)).await?;
                    super::delete(cx, &format!("the {} {}", item.kind, name(&item.object)), owned).await?;
                }
                moment().await;
            }
        }
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
    /// Delete the claims of another Kafka when its pods are gone: they were labelled while it proved whose they are.
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
        super::delete(cx, "the volumes", owned).await
    }
}
