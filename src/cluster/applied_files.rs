//! The objects that `up -f` applied from the user's own manifests: lists them, and deletes them in the reverse order
//! of creation. `up --prune` deletes some of them, `down` all.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

use super::inventory::{Inventory, Item};
use super::session::Session;
use super::{claims, ownership};
use crate::failure::Result;
use crate::manifest::label::is_of_files;
use crate::user_manifests::order::{self, Phase};

/// How long a step may take before the next one starts anyway.
const STEP: Duration = Duration::from_secs(60);
/// The order of deletion: clients before what they use, topics and users while their operator is still running.
const STEPS: [&[Phase]; 5] = [
    &[Phase::Workloads, Phase::Rebalances, Phase::Connectors],
    &[Phase::Clients],
    &[Phase::UsersAndTopics],
    &[Phase::Clusters],
    &[Phase::Foundations],
];

/// Objects in the namespace that belong to the installation. `known` as for [`Inventory::of`].
pub(crate) async fn list(cx: &Session, known: &BTreeSet<String>) -> Result<Vec<Item>> {
    list_with(cx, known, &|_| false).await
}

/// Also lists the installation's objects that `dependent` selects.
pub(crate) async fn list_with(
    cx: &Session,
    known: &BTreeSet<String>,
    dependent: &dyn Fn(&Item) -> bool,
) -> Result<Vec<Item>> {
    let mut items = inventory(cx, known).await?.items;
    items.retain(|item| cx.owns(&item.object) && (is_of_files(&item.kind, &item.object) || dependent(item)));
    Ok(items)
}

/// The uids of the installation's objects in the namespace, and of their dependents.
pub(crate) async fn known(cx: &Session) -> Result<BTreeSet<String>> {
    Ok(inventory(cx, &BTreeSet::new()).await?.uids())
}

/// Delete those of [`list_with`] that `selected` chooses. A step starts when all objects of the previous one no
/// longer exist. A Kafka cluster's claims are labelled with the installation's id before the Kafka resource is
/// deleted, so that they can be recognized afterwards.
pub(crate) async fn delete(
    cx: &Session,
    known: &BTreeSet<String>,
    dependent: &dyn Fn(&Item) -> bool,
    selected: impl Fn(&Item) -> bool,
) -> Result<()> {
    for phases in STEPS {
        let end = Instant::now() + STEP;
        let mut requested = BTreeSet::new();
        loop {
            let mut step = list_with(cx, known, dependent).await?;
            step.retain(|item| phases.contains(&phase(item)) && selected(item));
            if step.is_empty() || Instant::now() >= end {
                break;
            }
            for item in step.iter().filter(|item| !item.deleting()) {
                if !requested.insert((item.collection.clone(), item.name().to_owned())) {
                    continue;
                }
                if item.kind == "Kafka" {
                    claims::label(cx, known, item.name(), None).await?;
                }
                let what = format!("the {} {}", item.kind, item.name());
                let owned =
                    ownership::owned(cx, &item.collection, std::slice::from_ref(&item.object)).await?;
                ownership::delete(cx, &what, owned).await?;
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }
    Ok(())
}

async fn inventory(cx: &Session, known: &BTreeSet<String>) -> Result<Inventory> {
    let installation = ownership::installation(cx).await?;
    let inventory = Inventory::of(&cx.kubectl, &installation, known).await;
    inventory.map_err(|e| cx.api_failure("list what is in the namespace", &e))
}

fn phase(item: &Item) -> Phase {
    let group = item.collection.strip_prefix("/apis/").and_then(|path| path.split('/').next());
    order::phase(group.unwrap_or_default(), &item.kind)
}
