//! What a deleted resource leaves when Kubernetes' garbage collector does not come by. The collector follows
//! owners to their dependents, but stands still for minutes when definitions come and go: it first wants to
//! know all kinds there are.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{Scope, ends, few, name, with_labels};
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::failure::Result;

/// How long the garbage collector gets; in an idle cluster it takes less than a second for each step from owner
/// to dependent.
const COLLECTED_WITHIN: Duration = Duration::from_secs(10);

/// Owners of pods below a Strimzi resource, listed before the pods: their controllers would re-create the pods.
const KINDS: [&str; 4] = [
    "/apis/apps/v1/namespaces/{ns}/deployments",
    "/apis/apps/v1/namespaces/{ns}/replicasets",
    "/apis/core.strimzi.io/{v}/namespaces/{ns}/strimzipodsets",
    "/api/v1/namespaces/{ns}/pods",
];

/// The pods that are left behind, and what would re-create them. The rest does nothing by itself and is deleted with
/// its namespace.
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

    /// Called while `pods`, whose resource is gone, are still there: delete them and their owners, all of which
    /// have the labels `selector`, once the garbage collector had its time.
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
