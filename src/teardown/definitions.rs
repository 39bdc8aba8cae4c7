//! Strimzi's CRDs. Deleting one deletes all objects of its kind in the whole Kubernetes cluster, so they are kept
//! while there are any.

use std::cell::Cell;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{ends, few, moment, name};
use crate::cluster::change;
use crate::cluster::definitions;
use crate::cluster::session::Session;
use crate::cluster::{finalizers, ownership};
use crate::engine::task::{Doneness, Task};
use crate::failure::{Failure, Result};
use crate::kube::object::text;

/// How long the deletion of CRDs without objects may take; usually a second.
const GOES_WITHIN: Duration = Duration::from_secs(30);

/// How often the API server is made to retry a deletion that it postponed.
const NUDGE_EVERY: Duration = Duration::from_secs(2);
/// An annotation that is changed only to trigger a retry.
const RETRY: &str = "kstrim/look-again";

/// The task.
#[derive(Default)]
pub(crate) struct Definitions {
    deleted_at: Cell<Option<Instant>>,
    nudged_at: Cell<Option<Instant>>,
}

#[async_trait(?Send)]
impl Task<Session> for Definitions {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let ours = ours(cx).await?;
        if ours.is_empty() {
            return Ok(Doneness::Done("no definitions of kstrim's are left".into()));
        }
        let mut used = used(cx, &ours).await?;
        used.extend(super::operator::elsewhere(cx).await?);
        if !used.is_empty() {
            return Ok(Doneness::Done(format!("kept, because they are in use: {}", few(&used))));
        }
        // A deletion that is stuck may be completed after minutes (recording 13), or never: this task does not wait
        // for it.
        if self.deleted_at.get().is_some_and(|at| at.elapsed() > GOES_WITHIN)
            && let Some(failure) = self.cause(cx).await
        {
            return Err(failure);
        }
        self.retry_deletion(cx, &ours).await;
        let names: Vec<String> = ours.iter().map(name).collect();
        Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))))
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let ours = ours(cx).await?;
        let owned = ownership::owned(cx, definitions::PATH, &ours).await?;
        let deleted = ownership::delete(cx, "Strimzi's resource definitions", owned).await;
        self.deleted_at.set(Some(Instant::now()));
        deleted
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let left = ours(cx).await.ok()?;
        finalizers::explain(cx, left.into_iter().map(|crd| ("CustomResourceDefinition", crd)))
    }

    async fn changed(&self, _: &Session) {
        moment().await;
    }
}

impl Definitions {
    /// The API server fails to delete a CRD that was created shortly before ("storage is (re)initializing"), and
    /// retries with delays that grow to minutes. Any change of the object makes it retry at once, and then it
    /// succeeds (observed with Kubernetes 1.34.4).
    async fn retry_deletion(&self, cx: &Session, ours: &[Value]) {
        let Some(deleted_at) = self.deleted_at.get() else { return };
        if self.nudged_at.get().is_some_and(|at| at.elapsed() < NUDGE_EVERY) {
            return;
        }
        for crd in ours.iter().filter(|crd| is_postponed(crd)) {
            self.nudged_at.set(Some(Instant::now()));
            let message =
                format!("the API server has postponed the deletion of {}; requesting it again", name(crd));
            cx.emit.progress(message, None);
            // A different value each time. If it no longer exists, that is the goal.
            let seconds = deleted_at.elapsed().as_secs().to_string();
            let patch = |_: &Value| Some(json!({"metadata": {"annotations": {RETRY: seconds}}}));
            let Ok(installation) = ownership::installation(cx).await else { return };
            let Some(owned) = installation.owned(definitions::PATH, crd) else { continue };
            let _ = change::patch(&cx.kubectl, &installation, &owned, patch).await;
        }
    }
}

/// Whether the API server postponed the deletion of a CRD.
fn is_postponed(crd: &Value) -> bool {
    let conditions = crd.pointer("/status/conditions").and_then(Value::as_array);
    let failed = |c: &Value| c["type"] == "Terminating" && c["reason"] == "InstanceDeletionFailed";
    ends(crd) && conditions.into_iter().flatten().any(failed)
}

async fn ours(cx: &Session) -> Result<Vec<Value>> {
    ownership::installation(cx).await?;
    Ok(definitions::list(cx).await?.into_iter().filter(|crd| cx.owns(crd)).collect())
}

/// What exists of these kinds anywhere: `Kafka other/theirs`.
async fn used(cx: &Session, definitions: &[Value]) -> Result<Vec<String>> {
    let one = |definition: &Value| {
        let served = definition.pointer("/spec/versions").and_then(Value::as_array).into_iter().flatten();
        let version = served.filter(|v| v["served"] == true).find_map(|v| v["name"].as_str());
        let (group, plural) = (text(definition, "/spec/group"), text(definition, "/spec/names/plural"));
        let kind = text(definition, "/spec/names/kind").to_owned();
        let path = version.map(|version| format!("/apis/{group}/{version}/{plural}"));
        async move {
            let Some(path) = path else { return Ok(Vec::new()) };
            let found = cx.list(&path, "list what kstrim created").await?;
            let named = |o: &Value| format!("{kind} {}/{}", text(o, "/metadata/namespace"), name(o));
            Ok::<_, Box<crate::failure::Failure>>(found.iter().map(named).collect::<Vec<_>>())
        }
    };
    let standing = definitions.iter().filter(|d| !ends(d));
    Ok(futures_util::future::try_join_all(standing.map(one)).await?.concat())
}
