//! The namespace.

use std::time::Duration;

use async_trait::async_trait;

use super::class_data;
use super::context::Context;
use crate::cluster::change;
use crate::cluster::wait::Waiter;
use crate::cluster::{existing_operator, ownership, refusals};
use crate::engine::task::{Doneness, Task, Timeout};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready::Readiness;
use crate::failure::{Failure, Result};
use crate::kube::Kind as ObservedKind;
use crate::manifest::render;

/// The task.
pub(crate) struct Namespace {
    waiter: Waiter,
}

impl Default for Namespace {
    fn default() -> Self {
        Self { waiter: Waiter::new(Scope::Teardown, "the earlier namespace is not deleted") }
    }
}

#[async_trait(?Send)]
impl Task<Context> for Namespace {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = cx.synced(&[ObservedKind::Namespace]).await;
        let name = cx.namespace();
        let installation = ownership::installation_to_create(cx).await?;
        let Some(found) = snapshot.namespace(name) else {
            return Ok(Doneness::Pending(format!("the namespace {name} does not exist")));
        };
        if found.0.deleting() {
            // These may block its deletion.
            let snapshot = cx.synced(&[ObservedKind::KafkaTopic, ObservedKind::Pod]).await;
            // A finalizer that no controller handles would block it forever: reported as soon as that is certain.
            self.waiter
                .look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                    Some(finding) => Readiness::Failed(Box::new(finding.clone())),
                    None => Readiness::Progressing { why: String::new() },
                })
                .await?;
            return Ok(Doneness::Pending(format!("an earlier namespace {name} is still being deleted")));
        }
        // An operator that runs in this namespace, or has it in its list, is meant to manage Kafka resources in it.
        let prepared = existing_operator::of(cx).await?.is_some_and(|operator| operator.names(name));
        if !cx.owns(found.0.json()) && !cx.settings.adopt && !prepared {
            return Ok(Doneness::Foreign(refusals::foreign(
                cx,
                errors::NAMESPACE_FOREIGN,
                format!("the namespace {name}"),
                "--namespace",
            )));
        }
        if !installation.is_marked() {
            return Ok(Doneness::Pending(format!(
                "namespace {name} has no ConfigMap of the installation yet"
            )));
        }
        ownership::acquire_lease(cx, "up").await?;
        // Before the install manifest is applied: the operator's Deployment depends on it.
        class_data::settle(cx).await?;
        Ok(Doneness::Done(format!("namespace {name} exists")))
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        // The first iteration uses what the check found; after each wait, the namespace is read again.
        let mut fresh = true;
        loop {
            let version = cx.store.version();
            let snapshot = cx.store.snapshot();
            match snapshot.namespace(cx.namespace()) {
                // A namespace that is being deleted accepts no new objects: wait until it no longer exists.
                Some(found) if found.0.deleting() => {}
                Some(found) => {
                    // Somebody created it in the meantime.
                    if !fresh {
                        ownership::installation_again(cx).await?;
                        if let Doneness::Foreign(failure) = self.check(cx).await? {
                            return Err(failure);
                        }
                    }
                    let created = cx.owns(found.0.json());
                    ownership::acquire_lease(cx, "up").await?;
                    return ownership::establish(cx, created).await.map(drop);
                }
                None if create(cx).await? => {
                    ownership::acquire_lease(cx, "up").await?;
                    return ownership::establish(cx, true).await.map(drop);
                }
                // Somebody created it in the meantime, and the watch is about to report it.
                None => {}
            }
            fresh = false;
            tokio::select! {
                _ = cx.store.newer_than(version) => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => { self.check(cx).await?; }
            }
        }
    }

    async fn changed(&self, cx: &Context) {
        cx.store.newer_than(cx.store.version()).await;
    }

    async fn explain_timeout(&self, cx: &Context, _: Timeout<'_>) -> Option<Box<Failure>> {
        let left = cx.kubectl.find(&format!("/api/v1/namespaces/{}", cx.namespace())).await.ok()??;
        crate::cluster::finalizers::explain(cx, [("Namespace", left)])
    }

    async fn cause(&self, cx: &Context) -> Option<Box<Failure>> {
        self.waiter.cause(cx)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![format!("kubectl create namespace {}", cx.namespace())])
    }
}

/// Create the namespace, with the id of an installation that it does not contain yet: a marker that was found
/// belonged to an earlier namespace and was deleted with it. Returns whether it was created; it is not if one with
/// that name exists.
async fn create(cx: &Context) -> Result<bool> {
    let installation = ownership::installation_to_create(cx).await?;
    cx.ownership.installation.replace(Some(installation.in_new_namespace()));
    let objects = cx.labelled(vec![render::namespace(&cx.target.namespace)]);
    // Create instead of apply: a namespace that somebody else has created in the meantime is not changed.
    let created = change::create(&cx.kubectl, "/api/v1/namespaces", objects[0].value()).await;
    let created = created.map_err(|e| cx.api_failure("create the namespace", &e))?;
    Ok(created.is_some())
}
