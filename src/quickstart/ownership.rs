//! Who made what. On the cluster the label `app.kubernetes.io/managed-by: kstrim` tells; for the
//! profile the journal does, held against the cluster's identity, and a marker in the cluster
//! that survives a lost journal.

use serde_json::{Value, json};

use crate::context::Cx;
use crate::engine::journal::Journal;
use crate::failure::{Failure, Result};
use crate::manifest::label::{DIGEST, KSTRIM, MANAGED_BY, RELEASE};
use crate::observe::ApiError;

/// Path of the marker that kstrim leaves in a cluster it made.
pub const MARKER: &str = "/api/v1/namespaces/kube-system/configmaps/kstrim";

/// Whether an object carries kstrim's label.
pub fn is_ours(object: &Value) -> bool {
    object.pointer("/metadata/labels").and_then(|l| l.get(MANAGED_BY)).and_then(Value::as_str) == Some(KSTRIM)
}

/// An annotation that kstrim wrote.
fn annotation<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.pointer("/metadata/annotations")?.get(name)?.as_str()
}

/// The digest of what kstrim applied.
pub fn digest(object: &Value) -> Option<&str> {
    annotation(object, DIGEST)
}

/// The release kstrim applied it from.
pub fn release(object: &Value) -> Option<&str> {
    annotation(object, RELEASE)
}

/// Whether the marker says that kstrim made `profile`.
pub fn marks(marker: &Value, profile: &str) -> bool {
    marker.pointer("/data/profile").and_then(Value::as_str) == Some(profile)
}

/// Whether the journal says that kstrim made the cluster with this identity (the uid of its
/// namespace `kube-system`).
pub fn claims(journal: &Journal, uid: Option<&str>) -> bool {
    let known = journal.cluster_uid.as_deref();
    journal.profile_is_ours && (known.is_none() || known == uid)
}

/// Settle whose profile a running cluster is, and leave the marker in one of ours.
///
/// # Errors
/// `KS-KUBECTL-*` when the cluster cannot be asked.
pub async fn settle(cx: &Cx) -> Result<()> {
    let (system, marker) =
        tokio::join!(cx.kubectl.find("/api/v1/namespaces/kube-system"), cx.kubectl.find(MARKER));
    let uid = system
        .map_err(|e| api_failure(cx, "read the cluster's identity", &e))?
        .and_then(|ns| ns.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned));
    let marked = marker.map_err(|e| api_failure(cx, "read kstrim's marker", &e))?;
    // Somebody's own cluster is never kstrim's, and gets no marker.
    let theirs = cx.settings.target.context.is_some();
    let marked = !theirs && marked.is_some_and(|m| marks(&m, cx.profile()));
    let ours = marked || !theirs && claims(&cx.journal.borrow().journal, uid.as_deref());
    cx.profile_is_ours.set(ours);
    if cx.read_only.get() {
        return Ok(());
    }
    if ours && !marked {
        let marker = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kstrim", "namespace": "kube-system", "labels": {MANAGED_BY: KSTRIM}},
            "data": {"profile": cx.profile(), "made-by": format!("kstrim {}", env!("CARGO_PKG_VERSION"))},
        });
        cx.kubectl
            .apply(&marker.to_string(), true)
            .await
            .map_err(|e| api_failure(cx, "write kstrim's marker", &e))?;
    }
    let mut journal = cx.journal.borrow_mut();
    if journal.journal.profile_is_ours != ours || journal.journal.cluster_uid != uid {
        journal.journal.profile_is_ours = ours;
        journal.journal.cluster_uid = uid;
        journal.save()?;
    }
    Ok(())
}

/// The failure of a request; `doing` completes "cannot ...".
pub fn api_failure(cx: &Cx, doing: &str, error: &ApiError) -> Box<Failure> {
    Box::new(crate::explain::kubectl::explain(error, doing, cx.profile()))
}
