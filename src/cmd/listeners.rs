//! The listeners of the Kafka resource, and which brokers need an address on them.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::living::{self, Living};
use crate::cluster::listener;
use crate::cluster::ownership;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Object;
use crate::kube::kafka::Kafka;

/// The current Kafka resource.
pub(crate) async fn kafka(living: &Living) -> Result<Object> {
    let cx = &living.cx;
    let found = cx.kubectl.find(&living::path(cx, "kafkas", Some(cx.cluster()))).await;
    found
        .map(|found| found.map(Object::new))
        .map_err(|e| cx.api_failure("read the Kafka resource", &e))?
        .ok_or_else(|| {
            Box::new(Failure::new(
                errors::BROKERS_UNKNOWN,
                Kind::Task,
                format!("the Kafka cluster {} no longer exists", cx.cluster()),
            ))
        })
}

/// Set the Kafka resource's listeners to those that `wanted` computes from its current state, even if it was changed
/// in the meantime. Returns whether something was changed.
pub(crate) async fn write(
    living: &Living,
    adopt: bool,
    mut wanted: impl FnMut(&Kafka<'_>) -> Option<Value>,
) -> Result<bool> {
    let patch = |now: &Kafka<'_>| Some(json!({"spec": {"kafka": {"listeners": wanted(now)?}}}));
    let doing = "change the Kafka cluster's listeners";
    ownership::change_kafka(&living.cx, adopt, Some(&living.resource), doing, patch).await
}

/// The ids of the Kafka cluster's brokers.
pub(crate) async fn broker_ids(living: &Living) -> Result<BTreeSet<i32>> {
    let nodes = living.nodes().await?;
    if !nodes.brokers.is_empty() {
        return Ok(nodes.brokers);
    }
    let message = format!("the brokers of the Kafka {} have no ids yet", living.cx.cluster());
    let target = &living.cx.target;
    let hint = format!("check what exists: {}", target.kstrim("status"));
    Err(Box::new(Failure::new(errors::BROKERS_UNKNOWN, Kind::Task, message).hint(hint)))
}

/// Give brokers an address on the listeners for programs on this machine, if there are such listeners: existing
/// brokers, and `coming` new ones, which get the lowest free ids. If this is done before the new ones are created, no
/// broker restarts. Returns whether something was changed.
pub(crate) async fn advertise(living: &Living, adopt: bool, coming: u32) -> Result<bool> {
    let nodes = living.nodes().await?;
    let mut brokers = nodes.brokers;
    brokers.extend((0..).filter(|id| !nodes.all.contains(id)).take(coming as usize));
    write(living, adopt, |now| listener::for_brokers(now, &brokers)).await
}
