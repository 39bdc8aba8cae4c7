//! What `scale` and `set` share: changing the Kafka resource or a node pool, and waiting until every broker has the
//! change.

use std::time::Duration;

use super::listeners;
use super::living::{self, Living};
use crate::cluster::rollout;
use crate::cluster::wait::Waiter;
use crate::engine::task::Doneness;
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kube::{Kind as ObservedKind, Snapshot};

/// The kinds that are watched while brokers are restarted.
pub(super) const KINDS: [ObservedKind; 6] = [
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::Pod,
    ObservedKind::Claim,
    ObservedKind::Deployment,
    ObservedKind::Event,
];

/// Refuse to change a foreign Kafka cluster without consent.
pub(crate) fn ours(living: &Living, adopt: bool) -> Result<()> {
    if adopt || living.cx.owns(living.resource.json()) {
        return Ok(());
    }
    let cx = &living.cx;
    Err(Box::new(
        Failure::new(
            errors::KAFKA_FOREIGN,
            Kind::Foreign,
            format!(
                "the Kafka cluster {} in namespace {} was not created by kstrim",
                cx.cluster(),
                cx.namespace()
            ),
        )
        .because("kstrim changes only what it created, unless you tell it to")
        .hint(format!("change it anyway: {}", cx.target.again().flag("--adopt"))),
    ))
}

/// The waiter of a change, created before the change: the operator may respond within a second, and its earlier
/// reports do not concern this change.
pub(crate) fn begin() -> Waiter {
    let waiter = Waiter::new(Scope::Kafka, "the change of the Kafka cluster cannot take effect");
    waiter.changed_now();
    waiter
}

/// Wait until the operator has applied a change to every broker.
pub(crate) async fn follow(living: &Living, waiter: &Waiter, limit: Duration) -> Result<()> {
    let cx = &living.cx;
    // An existing watch may still have the Kafka resource from before the change.
    let written = listeners::kafka(living).await?.generation();
    cx.synced(&KINDS).await;
    let is_older = |snapshot: &Snapshot| {
        let seen = snapshot.kafka(cx.namespace(), cx.cluster()).map(|kafka| kafka.0.generation());
        seen.is_some_and(|seen| seen < written)
    };
    let look = async |snapshot: &Snapshot| match waiter.look(&**cx, snapshot, ready::kafka).await? {
        Doneness::Done(_) if is_older(snapshot) => {
            Ok(Doneness::Pending("the change is not observed yet".into()))
        }
        Doneness::Done(_) => Ok(match rollout::progress(cx).await {
            Some(why) => Doneness::Pending(why),
            None => Doneness::Done(String::new()),
        }),
        other => Ok(other),
    };
    living::wait(cx, limit, look, || {
        let cause = waiter.timed_out(cx, limit);
        let message = format!("not every broker of the Kafka cluster {} has the change yet", cx.cluster());
        let mut failure =
            Failure::new(errors::KAFKA_CHANGE_LATE, Kind::Timeout, message).because(&cause.message);
        for deeper in &cause.causes {
            failure = failure.because(deeper);
        }
        failure.hints.clone_from(&cause.hints);
        Box::new(failure)
    })
    .await
    .map(drop)
}
