//! What a deleted resource leaves when Kubernetes' garbage collector does not come by. The collector follows
//! owners to their dependents, but stands still for minutes when definitions come and go: it first wants to
//! know all kinds there are.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::{ends, few, name};
use crate::context::Cx;
use crate::failure::Result;
use crate::quickstart::ownership::api_failure;

/// How long the garbage collector gets; in an idle cluster it takes less than a second for each step from owner
/// to dependent.
const COLLECTED_WITHIN: Duration = Duration::from_secs(10);

/// What owns pods below a resource of Strimzi, before the pods: their controllers would make them again.
const KINDS: &str = "deployments.apps,replicasets.apps,strimzipodsets.core.strimzi.io,pods";

/// The pods that stay behind, and what would make them again. The rest has no life of its own and goes with its
/// namespace.
#[derive(Default)]
pub struct Orphans {
    since: Cell<Option<Instant>>,
}

impl Orphans {
    /// Called while `pods`, whose resource is gone, are still there: delete them and their owners, all of which
    /// have the labels `selector`, once the garbage collector had its time.
    ///
    /// # Errors
    /// `KS-API-*` when the cluster cannot be asked.
    pub async fn sweep(&self, cx: &Cx, selector: &str, pods: &[Value]) -> Result<()> {
        let since = self.since.get().unwrap_or_else(Instant::now);
        self.since.set(Some(since));
        let pods: Vec<String> = pods.iter().filter(|pod| !ends(pod)).map(name).collect();
        if pods.is_empty() || since.elapsed() < COLLECTED_WITHIN {
            return Ok(());
        }
        let collector = "Kubernetes' garbage collector stands still";
        cx.emit.warn(None, format!("{collector}; kstrim deletes what is left: {}", few(&pods)));
        let what = [KINDS, "-l", selector].map(str::to_owned);
        let deleted = cx.kubectl.delete(Some(cx.namespace()), &what).await;
        deleted.map_err(|e| api_failure(cx, "delete the pods", &e))
    }
}
