//! Operators that somebody else runs in the cluster, and that look at kstrim's namespace as well.

use serde_json::Value;

use super::operator::DEPLOYMENT;
use super::patience;
use crate::context::Cx;
use crate::event::Event;
use crate::explain;
use crate::observe::ApiError;

/// Path of every Deployment. Helm, OLM and people choose their own names for the operator's Deployment: its labels
/// identify it.
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

/// All operators of the cluster.
///
/// # Errors
/// What the API server refuses.
pub async fn all(cx: &Cx) -> Result<Vec<Value>, ApiError> {
    let mut found = cx.kubectl.find(DEPLOYMENTS).await?.unwrap_or_default();
    let items = found.get_mut("items").and_then(Value::as_array_mut);
    Ok(items.map(std::mem::take).unwrap_or_default().into_iter().filter(is_operator).collect())
}

/// Whether a Deployment runs Strimzi's cluster operator.
fn is_operator(deployment: &Value) -> bool {
    let label = |name: &str| crate::cluster::installation::label(deployment, name);
    let containers = deployment.pointer("/spec/template/spec/containers").and_then(Value::as_array);
    let mut env = containers.into_iter().flatten().filter_map(|c| c["env"].as_array()).flatten();
    crate::cluster::installation::name(deployment) == DEPLOYMENT
        || label("strimzi.io/kind") == Some("cluster-operator")
        || label("app") == Some("strimzi") && env.any(|e| e["name"] == "STRIMZI_NAMESPACE")
}

/// Warn of those that will work against kstrim's, once a run.
pub fn tell(cx: &Cx, operators: &[Value]) {
    if cx.rivals_told.replace(true) {
        return;
    }
    let Some(finding) = explain::rivals(operators, &patience::expect(cx)) else { return };
    let hint = finding.hints.first().map(|hint| format!(": {hint}")).unwrap_or_default();
    cx.emit.send(Event::Warning {
        task: Some("operator".to_owned()),
        id: Some(finding.id.to_string()),
        message: format!("{}{hint}", finding.sentence),
    });
}

/// The same, where preflight found no cluster to ask. Who may not list them is not told of any.
pub async fn look(cx: &Cx) {
    if !cx.rivals_told.get()
        && let Ok(operators) = all(cx).await
    {
        tell(cx, &operators);
    }
}
