//! The namespace.

use std::time::Duration;

use async_trait::async_trait;

use super::patience::Patience;
use super::{ownership, refused};
use crate::context::{Cx, yaml};
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
        let Some(found) = snapshot.namespace(name) else {
            return Ok(Doneness::Pending(format!("the namespace {name} does not exist")));
        };
        if found.0.deleting() {
            // A finalizer that nobody serves would keep it for ever: told as soon as it is certain.
            self.patience
                .look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                    Some(finding) => Readiness::Failed(Box::new(finding.clone())),
                    None => Readiness::Progressing { why: String::new() },
                })
                .await?;
            return Ok(Doneness::Pending(format!("an earlier namespace {name} is still going away")));
        }
        if !ownership::is_ours(found.0.json()) && !cx.settings.adopt {
            return Ok(Doneness::Foreign(refused::foreign(
                cx,
                refused::NAMESPACE,
                format!("the namespace {name}"),
                "--namespace ANOTHER-NAME",
            )));
        }
        Ok(Doneness::Done(format!("namespace {name} is there")))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        // A terminating namespace takes no apply; wait for its end by looking again.
        let gone = || cx.store.snapshot().namespace(cx.namespace()).is_none();
        while !gone() {
            let before = cx.store.version();
            tokio::select! {
                _ = cx.store.newer_than(before) => {}
                () = tokio::time::sleep(Duration::from_secs(1)) => { self.check(cx).await?; }
            }
            if cx.store.snapshot().namespace(cx.namespace()).is_some_and(|n| !n.0.deleting()) {
                return Ok(());
            }
        }
        let objects = super::kafka::labelled(cx, vec![render::namespace(&cx.settings.target.namespace)]);
        cx.kubectl
            .apply(&yaml(&objects), false)
            .await
            .map_err(|e| ownership::api_failure(cx, "make the namespace", &e))?;
        Ok(())
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
