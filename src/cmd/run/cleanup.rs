//! Deletes all topics and consumer groups with the prefix of a run, whichever program created them.

use std::path::Path;
use std::time::Duration;

use tokio::time::Instant;

use super::record;
use crate::cluster::brokers::{self, Brokers};
use crate::cmd::living::Living;
use crate::cmd::topic::needed;
use crate::errors;
use crate::event::counted;
use crate::failure::{Failure, Kind, Result};
use crate::kafka::KafkaError;
use crate::kafka::client::Client;

/// The time limit. A consumer that was killed remains a member of its group until its session times out, after 45 s
/// by default.
pub(crate) const LIMIT: Duration = Duration::from_secs(70);

/// Delete everything with the prefix; returns a description of what was deleted.
pub(crate) async fn remove(living: &Living, prefix: &str) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let resources =
        needed::remove(living, prefix, deadline).await.map_err(|failure| incomplete(prefix, *failure))?;
    let in_kafka = async {
        let cx = &living.cx;
        cx.synced(&brokers::KINDS).await;
        let mut client = Brokers::of(cx)?.client(deadline).await.map_err(|e| kafka(prefix, &e))?;
        in_kafka(&mut client, prefix, deadline).await.map_err(|e| kafka(prefix, &e))
    };
    let (topics, groups) = in_kafka.await.map_err(|failure| incomplete(prefix, *failure))?;
    let topics = counted((resources + topics) as u64, "topic");
    Ok(format!("{topics} and {} with the prefix {prefix} removed", counted(groups as u64, "consumer group")))
}

/// Topics without a resource, and groups.
async fn in_kafka(
    client: &mut Client,
    prefix: &str,
    deadline: Instant,
) -> std::result::Result<(usize, usize), KafkaError> {
    let mut topics = 0;
    for name in client.replicas(deadline).await?.into_keys().filter(|name| name.starts_with(prefix)) {
        topics += usize::from(client.delete_topic(&name, None, deadline).await?);
    }
    let mut groups = 0;
    for name in client.groups(deadline).await?.into_iter().filter(|name| name.starts_with(prefix)) {
        client.delete_group(&name, deadline).await?;
        groups += 1;
    }
    Ok((topics, groups))
}

fn kafka(prefix: &str, error: &KafkaError) -> Box<Failure> {
    Box::new(Failure::new(errors::RUN_CLEANUP, Kind::Task, not_removed(prefix)).because(error))
}

fn not_removed(prefix: &str) -> String {
    format!("not everything with the prefix {prefix} could be removed")
}

fn incomplete(prefix: &str, failure: Failure) -> Box<Failure> {
    if failure.id == errors::RUN_CLEANUP {
        return Box::new(failure);
    }
    let kind = if failure.kind == Kind::Timeout { Kind::Timeout } else { Kind::Task };
    let whole = Failure::new(errors::RUN_CLEANUP, kind, not_removed(prefix)).because(&failure.message);
    Box::new(failure.causes.iter().fold(whole, Failure::because))
}

/// Delete what runs whose processes have ended left behind. What cannot be deleted now is left to a later run.
pub(crate) async fn after_others(living: &Living, runs: &Path) {
    let cx = &living.cx;
    for held in record::ended_runs(runs, cx.namespace(), cx.cluster()) {
        let Some(prefix) = held.record.prefix.clone() else {
            held.forget();
            continue;
        };
        match remove(living, &prefix).await {
            Ok(removed) => {
                cx.emit.progress(format!("an earlier run was killed: {removed}"), None);
                held.forget();
            }
            Err(failure) => warn(living, &failure),
        }
    }
}

/// Report that something could not be deleted.
pub(crate) fn warn(living: &Living, failure: &Failure) {
    let causes: String = failure.causes.iter().map(|cause| format!(": {cause}")).collect();
    living.cx.emit.warn_of(failure.id, format!("{}{causes}", failure.message));
}
