//! The namespace, last: only if kstrim created it and it contains no foreign objects.

use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use super::Scope;
use crate::cluster::finalizers;
use crate::cluster::installation::MARKER;
use crate::cluster::inventory::{Class, Inventory, by_kind};
use crate::cluster::ownership::{self};
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::engine::task::{Doneness, Task};
use crate::explain;
use crate::explain::ready::Readiness;
use crate::failure::{Failure, Result};
use crate::kube::Kind as ObservedKind;

/// The task.
pub(crate) struct Namespace {
    scope: Rc<Scope>,
    waiter: Waiter,
}

/// What to do with the namespace.
enum Fate {
    /// It contains only the installation's objects, and kstrim created it.
    Delete,
    /// It is kept. `in_use`: an object of the installation is kept as well, and therefore the ConfigMap.
    Stay { why: String, in_use: bool },
}

impl Namespace {
    /// What was known about the installation when `down` started.
    pub(crate) fn new(scope: Rc<Scope>) -> Self {
        let waiter = Waiter::new(explain::Scope::Teardown, "the namespace is not deleted");
        Self { scope, waiter }
    }

    async fn fate(&self, cx: &Session, namespace: &Value) -> Result<Fate> {
        let installation = ownership::installation(cx).await?;
        let inventory = Inventory::of(&cx.kubectl, &installation, &self.scope.known).await;
        let inventory = inventory.map_err(|e| cx.api_failure("list what is in the namespace", &e))?;
        let foreign = inventory.foreign();
        // The end of the namespace waits for what is being deleted: a claim for its pods.
        let owned = inventory.of_class(Class::Owned).filter(|i| i.name() != MARKER);
        let kept: Vec<_> = owned.filter(|item| !item.deleting()).collect();
        let in_use = !kept.is_empty();
        let why = if !cx.owns(namespace) {
            "kstrim did not create it".to_owned()
        } else if !foreign.is_empty() {
            format!("kstrim did not create what is in it: {}", foreign.join("; "))
        } else if in_use {
            format!("this is still in use: {}", by_kind(kept.into_iter()).join("; "))
        } else {
            return Ok(Fate::Delete);
        };
        Ok(Fate::Stay { why, in_use })
    }

    async fn marker(&self, cx: &Session) -> Result<Option<Value>> {
        let path = format!("/api/v1/namespaces/{}/configmaps/{MARKER}", cx.namespace());
        cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read kstrim's ConfigMap", &e))
    }
}

#[async_trait(?Send)]
impl Task<Session> for Namespace {
    async fn check(&self, cx: &Session) -> Result<Doneness> {
        let snapshot = cx.synced(&[ObservedKind::Namespace, ObservedKind::KafkaTopic]).await;
        let name = cx.namespace();
        let Some(found) = snapshot.namespace(name) else {
            return Ok(Doneness::Done(format!("namespace {name} is deleted")));
        };
        if found.0.deleting() {
            // A finalizer that nobody handles would block it forever: reported as soon as it is certain.
            let look = self.waiter.look(cx, &snapshot, |_, verdict| match &verdict.terminal {
                Some(finding) => Readiness::Failed(Box::new(finding.clone())),
                None => Readiness::Progressing { why: format!("namespace {name} is being deleted") },
            });
            return look.await;
        }
        match self.fate(cx, found.0.json()).await? {
            Fate::Delete => Ok(Doneness::Pending(format!("namespace {name} exists"))),
            Fate::Stay { in_use: false, .. } if self.marker(cx).await?.is_some_and(|m| cx.owns(&m)) => {
                Ok(Doneness::Pending("kstrim's ConfigMap still exists in it".into()))
            }
            Fate::Stay { why, .. } => Ok(Doneness::Done(format!("namespace {name} is kept: {why}"))),
        }
    }

    async fn run(&self, cx: &Session) -> Result<()> {
        let path = format!("/api/v1/namespaces/{}", cx.namespace());
        let found = cx.kubectl.find(&path).await.map_err(|e| cx.api_failure("read the namespace", &e))?;
        let Some(found) = found else { return Ok(()) };
        let (what, collection, object) = match self.fate(cx, &found).await? {
            Fate::Delete => ("the namespace", "/api/v1/namespaces".to_owned(), Some(found)),
            Fate::Stay { in_use: true, .. } => return Ok(()),
            Fate::Stay { .. } => ("kstrim's ConfigMap", format!("{path}/configmaps"), self.marker(cx).await?),
        };
        let object: Vec<Value> = object.into_iter().collect();
        ownership::delete(cx, what, ownership::owned(cx, &collection, &object).await?).await
    }

    async fn cause(&self, cx: &Session) -> Option<Box<Failure>> {
        let left = cx.kubectl.find(&format!("/api/v1/namespaces/{}", cx.namespace())).await.ok()??;
        finalizers::explain(cx, [("Namespace", left)])
    }

    async fn changed(&self, cx: &Session) {
        cx.changed_or_second().await;
    }
}
