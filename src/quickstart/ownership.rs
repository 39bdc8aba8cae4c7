//! Who made what. On the cluster the label `app.kubernetes.io/managed-by: kstrim` tells; for the
//! profile the journal does, held against the cluster's identity, and a marker in the cluster
//! that survives a lost journal.

use serde_json::{Value, json};

use super::first_start;
use super::identity::{self, Online};
use crate::context::Cx;
use crate::failure::{Failure, Result};
use crate::manifest::label::{DIGEST, KSTRIM, MANAGED_BY, RELEASE};
use crate::observe::ApiError;
use crate::tool::machine::OnDisk;

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

/// Key of the marker: the id that kstrim handed to the start that made the profile.
const START: &str = "start";

/// Whether the marker says that kstrim made `profile`, whose files are as given.
pub fn marks(marker: &Value, profile: &str, disk: &OnDisk) -> bool {
    let data = |key: &str| marker.pointer("/data").and_then(|d| d.get(key)).and_then(Value::as_str);
    // A marker of an older kstrim names no start; nor has every profile an id.
    let another = matches!((data(START), &disk.token), (Some(start), Some(token)) if start != token);
    data("profile") == Some(profile) && !another
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
    let disk = cx.minikube.on_disk();
    let marked = !theirs && marked.is_some_and(|m| marks(&m, cx.profile(), &disk));
    let ours = !theirs && {
        let seen = |inhabited| Online { uid: uid.as_deref(), marked, inhabited };
        let judge = |inhabited| identity::online(&cx.journal.borrow().journal, &disk, seen(inhabited));
        // Asked only where it decides.
        judge(true).is_ours() || judge(false).is_ours() && !first_start::is_inhabited(cx).await?
    };
    cx.profile_is_ours.set(ours);
    if cx.read_only.get() {
        return Ok(());
    }
    if ours && !marked {
        let marker = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "kstrim", "namespace": "kube-system", "labels": {MANAGED_BY: KSTRIM}},
            "data": {"profile": cx.profile(), "made-by": format!("kstrim {}", env!("CARGO_PKG_VERSION")),
                START: disk.token},
        });
        cx.kubectl
            .apply(&marker.to_string(), true)
            .await
            .map_err(|e| api_failure(cx, "write kstrim's marker", &e))?;
    }
    {
        let mut journal = cx.journal.borrow_mut();
        let made = journal.journal.made.clone();
        if ours {
            identity::recognised(&mut journal.journal, &disk);
        } else if journal.journal.made.take().is_some() {
            // What is known of kstrim's own start is not about this profile.
            journal.journal.never_whole = false;
            journal.journal.start_unfinished = cx.starting();
        }
        let known = journal.journal.profile_is_ours == ours && journal.journal.cluster_uid == uid;
        if !known || journal.journal.made != made {
            journal.journal.profile_is_ours = ours;
            journal.journal.cluster_uid = uid;
            journal.save()?;
        }
    }
    identity::complete(&cx.minikube, &cx.journal).await
}

/// The failure of a request; `doing` completes "cannot ...".
pub fn api_failure(cx: &Cx, doing: &str, error: &ApiError) -> Box<Failure> {
    Box::new(crate::explain::kubectl::explain(error, doing, cx.profile()))
}
