//! What a Kafka cluster needs for users: a listener with authentication, and authorization.

use std::time::Duration;

use crate::cluster::listener;
use crate::cluster::ownership;
use crate::cluster::wait::Waiter;
use crate::cmd::consent;
use crate::cmd::living::{self, Living};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::user::Authentication;

/// The kinds that are watched while brokers are restarted.
const KINDS: [ObservedKind; 5] = [
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::Pod,
    ObservedKind::Deployment,
    ObservedKind::Event,
];

/// Configure the Kafka for users with this authentication, and wait until all brokers have the change.
pub(super) async fn kafka(
    living: &Living,
    authentication: Authentication,
    acls: bool,
    said: &[String],
    yes: bool,
    limit: Duration,
) -> Result<()> {
    let cx = &living.cx;
    if !cx.owns(living.resource.json()) {
        return Err(Box::new(
            Failure::new(
                errors::KAFKA_FOREIGN,
                Kind::Foreign,
                format!(
                    "the Kafka cluster {} was not created by kstrim, so nothing is added to it",
                    cx.cluster()
                ),
            )
            .because(format!("it would need {}", said.join(", and ")))
            .hint("add it yourself, then run the same command without --prepare-kafka"),
        ));
    }
    consent::to_restart(living, "user", &format!("gets {}", said.join(", and ")), yes).await?;
    // Before the change, because the operator may respond at once.
    let waiter = Waiter::new(Scope::Kafka, "the change of the Kafka cluster cannot take effect");
    waiter.changed_now();
    let changed =
        ownership::change_kafka(cx, false, Some(&living.resource), "change the Kafka cluster", |now| {
            listener::preparation(now, authentication, acls).map(|(patch, _)| patch)
        });
    changed.await?;
    cx.synced(&KINDS).await;
    let look = async |snapshot: &Snapshot| waiter.look(&**cx, snapshot, ready::kafka).await;
    living::wait(cx, limit, look, || {
        let cause = waiter.timed_out(cx, limit);
        let message = format!("the Kafka cluster {} has not applied the change yet", cx.cluster());
        let mut failure =
            Failure::new(errors::KAFKA_CHANGE_LATE, Kind::Timeout, message).because(&cause.message);
        failure.hints.clone_from(&cause.hints);
        Box::new(failure)
    })
    .await
    .map(drop)
}
