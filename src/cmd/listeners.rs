//! The Kafka's listeners, and which brokers need an address on them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::living::{self, Living};
use crate::failure::{Failure, Kind, Result};
use crate::manifest::listener;
use crate::quickstart::ownership;

/// The node pools do not tell their brokers yet.
use crate::errors::BROKERS_UNKNOWN as IDS;

/// The Kafka as it is now.
///
/// # Errors
/// `KS-KUBECTL-*`; [`IDS`] if it is gone.
pub async fn kafka(living: &Living) -> Result<Value> {
    let cx = &living.cx;
    let found = cx.kubectl.find(&living::path(cx, "kafkas", Some(cx.cluster()))).await;
    found
        .map_err(|e| ownership::api_failure(cx, "read the Kafka", &e))?
        .ok_or_else(|| Box::new(Failure::new(IDS, Kind::Task, format!("the Kafka {} is gone", cx.cluster()))))
}

/// Set the Kafka's listeners to those that `wanted` computes from its current state, even if somebody changed it in
/// the meantime. Returns whether something was changed.
///
/// # Errors
/// `KS-KAFKA-FOREIGN`, `KS-KAFKA-REPLACED`, what the API server refuses.
pub async fn write(
    living: &Living,
    adopt: bool,
    mut wanted: impl FnMut(&Value) -> Option<Value>,
) -> Result<bool> {
    let patch = |now: &Value| Some(json!({"spec": {"kafka": {"listeners": wanted(now)?}}}));
    let doing = "change the Kafka's listeners";
    ownership::change_kafka(&living.cx, adopt, Some(&living.kafka), doing, patch).await
}

/// Ids of nodes: those that are brokers, and all.
struct Ids {
    brokers: BTreeSet<i32>,
    all: BTreeSet<i32>,
}

async fn ids(living: &Living) -> Result<Ids> {
    let pools = living.list("kafkanodepools").await?;
    let mut ids = Ids { brokers: BTreeSet::new(), all: BTreeSet::new() };
    for pool in &pools {
        if pool.pointer("/metadata/labels/strimzi.io~1cluster").is_none_or(|l| l != living.cx.cluster()) {
            continue;
        }
        let listed = |at: &str| pool.pointer(at).and_then(Value::as_array).into_iter().flatten();
        let of_pool = listed("/status/nodeIds").filter_map(|id| i32::try_from(id.as_i64()?).ok());
        let broker = listed("/spec/roles").any(|role| role == "broker");
        for id in of_pool {
            ids.all.insert(id);
            if broker {
                ids.brokers.insert(id);
            }
        }
    }
    if ids.all.is_empty()
        && let Some(replicas) = living.kafka.pointer("/spec/kafka/replicas").and_then(Value::as_u64)
    {
        // A Kafka without node pools numbers its brokers from 0.
        ids.brokers = (0..i32::try_from(replicas).unwrap_or(0)).collect();
        ids.all = ids.brokers.clone();
    }
    Ok(ids)
}

/// The ids of the Kafka's brokers.
///
/// # Errors
/// [`IDS`] while nobody has numbered them.
pub async fn broker_ids(living: &Living) -> Result<BTreeSet<i32>> {
    let ids = ids(living).await?;
    if !ids.brokers.is_empty() {
        return Ok(ids.brokers);
    }
    let message = format!("the brokers of the Kafka {} have no ids yet", living.cx.cluster());
    let target = &living.cx.settings.target;
    let hint = format!("see what exists: {}", target.kstrim("status"));
    Err(Box::new(Failure::new(IDS, Kind::Task, message).hint(hint)))
}

/// Give brokers an address on the listeners for programs on this machine, where there are such listeners:
/// those that are there, and `coming` ones, which get the lowest ids that are free. Said before they come, it
/// restarts nobody. Whether something was changed.
///
/// # Errors
/// What the API server refuses.
pub async fn advertise(living: &Living, adopt: bool, coming: u32) -> Result<bool> {
    let ids = ids(living).await?;
    let mut brokers = ids.brokers;
    brokers.extend((0..).filter(|id| !ids.all.contains(id)).take(coming as usize));
    write(living, adopt, |now| listener::for_brokers(now, &brokers)).await
}
