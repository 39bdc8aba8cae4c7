//! The namespace.

use std::time::Duration;

use async_trait::async_trait;

use super::patience::Patience;
use super::{ownership, refused};
use crate::cluster::change;
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::explain::Scope;
use crate::failure::{Failure, Result};
use crate::manifest::render;
use crate::observe::Kind as ObservedKind;
use crate::ready::Readiness;

/// The task.
pub struct Namespace {
    patience: Patience,
}

impl Default for Namespace {
    fn default() -> Self {
        Self { patience: Patience::new(Scope::Teardown, "the earlier namespace does not go away") }
    }
}

#[async_trait(?Send)]
impl Task<Cx> for Namespace {
    fn spec(&self) -> Spec {
        super::spec("namespace", "Namespace", &["cluster"], 3)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let snapshot = cx.synced(&[ObservedKind::Namespace]).await;
        let name = cx.namespace();
        let installation = ownership::installation_to_create(cx).await?;
        let Some(found) = snapshot.namespace(name) else {
            return Ok(Doneness::Pending(format!("the namespace {name} does not exist")));
        };
        if found.0.deleting() {
            // What may block its deletion.
            let snapshot = cx.synced(&[ObservedKind::KafkaTopic, ObservedKind::Pod]).await;
            // A finalizer that nobody serves would keep it for ever: told as soon as it is certain.
            self.patience
                .look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                    Some(finding) => Readiness::Failed(Box::new(finding.clone())),
                    None => Readiness::Progressing { why: String::new() },
                })
                .await?;
            return Ok(Doneness::Pending(format!("an earlier namespace {name} is still going away")));
        }
        if !cx.owns(found.0.json()) && !cx.settings.adopt {
            return Ok(Doneness::Foreign(refused::foreign(
                cx,
                refused::NAMESPACE,
                format!("the namespace {name}"),
                "--namespace ANOTHER-NAME",
            )));
        }
        if !installation.is_marked() {
            return Ok(Doneness::Pending(format!(
                "namespace {name} has no ConfigMap of the installation yet"
            )));
        }
        ownership::exclude(cx, "up").await?;
        Ok(Doneness::Done(format!("namespace {name} is there")))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        // A namespace that is being deleted accepts no apply; check again until it is gone.
        let there = || {
            let snapshot = cx.store.snapshot();
            snapshot.namespace(cx.namespace()).map(|n| n.0.deleting())
        };
        if there() == Some(false) {
            let snapshot = cx.store.snapshot();
            let created = snapshot.namespace(cx.namespace()).is_some_and(|n| cx.owns(n.0.json()));
            ownership::exclude(cx, "up").await?;
            return ownership::establish(cx, created).await.map(drop);
        }
        while there().is_some() {
            let before = cx.store.version();
            tokio::select! {
                _ = cx.store.newer_than(before) => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => { self.check(cx).await?; }
            }
            if there() == Some(false) {
                // Somebody created it in the meantime: the next check determines who owns it.
                ownership::installation_again(cx).await?;
                return Ok(());
            }
        }
        // Anything that was found was in the earlier namespace, if there was one, and was deleted with it.
        let installation = ownership::installation_to_create(cx).await?;
        cx.installation.replace(Some(installation.in_new_namespace()));
        let objects = super::kafka::labelled(cx, vec![render::namespace(&cx.settings.target.namespace)]);
        let failed = |e| ownership::api_failure(cx, "create the namespace", &e);
        // Created, not applied: a namespace of this name that somebody else created in the meantime remains theirs.
        let created = change::create(&cx.kubectl, "/api/v1/namespaces", objects[0].value()).await;
        let created = created.map_err(failed)?.is_some();
        if !created {
            return Ok(());
        }
        ownership::exclude(cx, "up").await?;
        ownership::establish(cx, true).await.map(drop)
    }

    async fn changed(&self, cx: &Cx) {
        cx.store.newer_than(cx.store.version()).await;
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        let left = cx.kubectl.find(&format!("/api/v1/namespaces/{}", cx.namespace())).await.ok()??;
        super::held::explain(cx, [("Namespace", left)])
    }

    async fn cause(&self, cx: &Cx) -> Option<Box<Failure>> {
        self.patience.cause(cx)
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![format!("kubectl create namespace {}", cx.namespace())])
    }
}
