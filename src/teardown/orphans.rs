//! What remains of a deleted resource when Kubernetes' garbage collector is late. The collector follows owners to
//! their dependents, but it stops for minutes while CRDs are created and deleted, because it first has to discover
//! all kinds.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Scope, ends, few, name, with_labels};
use crate::cluster::installation::{owners, uid};
use crate::cluster::inventory::{Class, Inventory, Item};
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::failure::Result;

/// How long to wait for the garbage collector; in an idle cluster it needs less than a second for each step from
/// owner to dependent.
const COLLECTED_WITHIN: Duration = Duration::from_secs(10);

/// Owners of pods below a Strimzi resource, listed before the pods: their controllers would re-create the pods.
const KINDS: [&str; 4] = [
    "/apis/apps/v1/namespaces/{ns}/deployments",
    "/apis/apps/v1/namespaces/{ns}/replicasets",
    "/apis/core.strimzi.io/{v}/namespaces/{ns}/strimzipodsets",
    "/api/v1/namespaces/{ns}/pods",
];

/// The remaining pods, and what would re-create them. Other remaining objects do nothing; they are deleted with their
/// namespace, or swept last if it is kept.
pub(crate) struct Orphans {
    scope: Rc<Scope>,
    since: Cell<Option<Instant>>,
}

impl Orphans {
    /// What was known about the installation when `down` started.
    pub(crate) fn new(scope: Rc<Scope>) -> Self {
        Self { scope, since: Cell::default() }
    }

    /// The objects that exist because of the installation's objects.
    pub(crate) fn dependents(&self, cx: &Session, objects: Vec<Value>) -> Vec<Value> {
        let installation = cx.ownership.installation.borrow();
        let Some(installation) = installation.as_ref() else { return Vec::new() };
        let mine = |object: &Value| installation.dependent("", object, &self.scope.known).is_some();
        objects.into_iter().filter(mine).collect()
    }

    /// Delete what remains in a namespace that is kept, when neither the operator nor pods exist any more: Secrets with
    /// keys, Services, permissions. Without the definitions, which are deleted next, the garbage collector no longer
    /// recognizes that their owners are gone. Claims are left to whoever decides about the data. Returns what remains.
    pub(crate) async fn sweep_namespace(&self, cx: &Session) -> Result<Vec<String>> {
        if !self.scope.namespace_stays {
            return Ok(Vec::new());
        }
        let installation = ownership::installation(cx).await?;
        let inventory = Inventory::of(&cx.kubectl, &installation, &self.scope.known).await;
        let inventory = inventory.map_err(|e| cx.api_failure("list what is in the namespace", &e))?;
        let living: BTreeSet<&str> = inventory.items.iter().map(|i| uid(&i.object)).collect();
        // The operator's leader election has no owner.
        let orphan = |i: &&Item| {
            let mut owners = owners(&i.object).peekable();
            let owned = i.kind == "Lease" || owners.peek().is_some();
            owned && i.kind != "PersistentVolumeClaim" && !owners.any(|owner| living.contains(owner))
        };
        let left: Vec<&Item> = inventory.of_class(Class::Dependent).filter(orphan).collect();
        let going = left.iter().filter(|i| !i.deleting());
        let going = going.filter_map(|i| installation.dependent(&i.collection, &i.object, &self.scope.known));
        ownership::delete(cx, "what is left in the namespace", going.collect()).await?;
        Ok(left.iter().map(|i| format!("{} {}", i.kind, i.name())).collect())
    }

    /// Called while `pods` exist although their resource no longer does: deletes them and their owners, all of which
    /// have the labels `selector`, after the garbage collector had time to do it.
    pub(crate) async fn sweep(&self, cx: &Session, selector: &str, pods: &[Value]) -> Result<()> {
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let pods: Vec<String> = pods.iter().filter(|pod| !ends(pod)).map(name).collect();
        if pods.is_empty() || since.elapsed() < COLLECTED_WITHIN {
            return Ok(());
        }
        let collector = "Kubernetes' garbage collector does not delete the pods";
        cx.emit.warn(format!("{collector}; kstrim deletes what is left: {}", few(&pods)));
        let installation = ownership::installation(cx).await?;
        for path in KINDS {
            let path = path.replace("{ns}", cx.namespace()).replace("{v}", cx.api_version().as_str());
            let found = cx.list(&with_labels(&path, selector), "list what kstrim created").await?;
            let mine =
                found.iter().filter_map(|object| installation.dependent(&path, object, &self.scope.known));
            ownership::delete(cx, "the pods", mine.collect()).await?;
        }
        Ok(())
    }
}
