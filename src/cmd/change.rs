//! What `scale` and `set` share: a change of the Kafka or a pool, followed until every broker has it.

use std::time::Duration;

use serde_json::Value;

use super::living::{self, Living};
use crate::engine::task::Doneness;
use crate::explain::Scope;
use crate::failure::{Failure, Id, Kind, Result};
use crate::observe::{Kind as ObservedKind, Snapshot};
use crate::quickstart::patience::Patience;
use crate::quickstart::{ownership, refused};
use crate::ready;

/// The brokers have not all taken up a change in the time it was given.
const LATE: Id = Id("KS-KAFKA-CHANGE-LATE");

/// What is looked at while brokers are rolled.
const KINDS: [ObservedKind; 6] = [
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::Pod,
    ObservedKind::Claim,
    ObservedKind::Deployment,
    ObservedKind::Event,
];

/// Refuse a Kafka of somebody else, unless that was agreed to.
pub fn ours(living: &Living, adopt: bool, again: &str) -> Result<()> {
    if adopt || ownership::is_ours(&living.kafka) {
        return Ok(());
    }
    let cx = &living.cx;
    Err(Box::new(
        Failure::new(
            refused::KAFKA,
            Kind::Foreign,
            format!("the Kafka {} in namespace {} was not made by kstrim", cx.cluster(), cx.namespace()),
        )
        .because("kstrim changes only what it made, unless it is told to")
        .hint(format!("change it all the same: {again} --adopt")),
    ))
}

/// The judge of a change, asked for before it is made: an operator may answer within a second, and what
/// it said earlier is not about this change.
pub fn begin() -> Patience {
    let patience = Patience::new(Scope::Kafka, "the Kafka cannot take up the change");
    patience.changed_now();
    patience
}

/// Follow a change that was just made until the operator has carried it out on every broker.
pub async fn follow(living: &Living, patience: &Patience, task: &str, limit: Duration) -> Result<()> {
    let cx = &living.cx;
    // Listed after the change: nothing older than it is looked at.
    cx.synced(&KINDS).await;
    let look = async |snapshot: &Snapshot| match patience.look(cx, snapshot, ready::kafka).await? {
        Doneness::Done(_) => Ok(match rolling(living).await {
            Some(why) => Doneness::Pending(why),
            None => Doneness::Done(String::new()),
        }),
        other => Ok(other),
    };
    living::wait(cx, task, limit, look, || {
        let cause = patience.timed_out(cx, limit);
        let message = format!("not every broker of the Kafka {} has the change yet", cx.cluster());
        let mut failure = Failure::new(LATE, Kind::Timeout, message).because(&cause.message);
        for deeper in &cause.causes {
            failure = failure.because(deeper);
        }
        failure.hints.clone_from(&cause.hints);
        Box::new(failure)
    })
    .await
    .map(drop)
}

/// How far a rolling update is: the pod sets count the pods of their current revision. `None` if all
/// are, or if nobody tells.
async fn rolling(living: &Living) -> Option<String> {
    let cx = &living.cx;
    let label = format!("labelSelector=strimzi.io%2Fcluster%3D{}", cx.cluster());
    let found = ["v1", "v1beta2"].map(|version| {
        format!("/apis/core.strimzi.io/{version}/namespaces/{}/strimzipodsets?{label}", cx.namespace())
    });
    let mut sets = None;
    for path in found {
        if let Ok(Some(list)) = cx.kubectl.find(&path).await {
            sets = Some(list);
            break;
        }
    }
    let sets = sets?;
    let (mut all, mut current, mut behind) = (0, 0, false);
    for set in sets.get("items")?.as_array()? {
        let number = |at: &str| set.pointer(at).and_then(Value::as_u64);
        let Some(pods) = number("/status/pods") else { continue };
        all += pods;
        current +=
            number("/status/currentPods").unwrap_or(pods).min(number("/status/readyPods").unwrap_or(pods));
        behind |= number("/status/observedGeneration") < number("/metadata/generation");
    }
    (behind || current < all).then(|| format!("rolling update: {current} of {all} nodes are as wanted"))
}
