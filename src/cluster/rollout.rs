//! The progress of a rolling update.

use serde_json::Value;

use super::session::Session;

/// According to the pod sets, which count the pods of their current revision. `None` if all are current, or if it is
/// unknown.
pub(crate) async fn progress(cx: &Session) -> Option<String> {
    let label = format!("labelSelector=strimzi.io%2Fcluster%3D{}", cx.cluster());
    let found = ["v1", "v1beta2"].map(|version| {
        format!("/apis/core.strimzi.io/{version}/namespaces/{}/strimzipodsets?{label}", cx.namespace())
    });
    let mut sets = None;
    for path in found {
        if let Ok(Some(list)) = cx.kubectl.find(&path).await {
            sets = Some(list);
            break;
        }
    }
    let sets = sets?;
    let (mut all, mut current, mut behind) = (0, 0, false);
    for set in sets.get("items")?.as_array()? {
        let number = |at: &str| set.pointer(at).and_then(Value::as_u64);
        let Some(pods) = number("/status/pods") else { continue };
        all += pods;
        current +=
            number("/status/currentPods").unwrap_or(pods).min(number("/status/readyPods").unwrap_or(pods));
        behind |= number("/status/observedGeneration") < number("/metadata/generation");
    }
    (behind || current < all).then(|| format!("rolling update: {current} of {all} nodes are up to date"))
}
