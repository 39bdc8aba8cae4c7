//! Operators of others in the cluster that also watch kstrim's namespace.

use serde_json::Value;

use super::refusals;
use super::session::Session;
use crate::explain;
use crate::failure::Result;
use crate::kube::cluster::Deployment;
use crate::kube::kubectl::Kubectl;
use crate::kube::object::text;
use crate::kube::{ApiError, Object};

/// Path of every Deployment. Helm, OLM and people choose their own names for the operator's Deployment: its labels
/// identify it.
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

/// Path of every Deployment with kstrim's label.
pub(crate) const OWN_OPERATORS: &str =
    "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dkstrim";

/// All operators of the cluster.
pub(crate) async fn all(cx: &Session) -> std::result::Result<Vec<Value>, ApiError> {
    listed(&cx.kubectl).await
}

/// The same without a run.
pub(crate) async fn listed(kubectl: &Kubectl) -> std::result::Result<Vec<Value>, ApiError> {
    let deployments = kubectl.list(DEPLOYMENTS).await?;
    let is_operator = |d: &Value| Deployment(&Object::new(d.clone())).is_cluster_operator();
    Ok(deployments.into_iter().filter(is_operator).collect())
}

/// The same, where preflight found no cluster to ask. Who may not list them is not told of any.
pub(crate) async fn look(cx: &Session) {
    if !cx.waiting.operators_reported.get()
        && let Ok(operators) = all(cx).await
    {
        warn_of_rivals(cx, &operators);
    }
}

/// Before anything is changed: refuse to install an operator where one of another namespace looks after this one, and
/// warn of those that work against the one that is here.
pub(crate) fn settle(cx: &Session, operators: &[Value], adopt: bool) -> Result<()> {
    if operators.iter().any(|o| text(o, "/metadata/namespace") == cx.namespace()) {
        warn_of_rivals(cx, operators);
        return Ok(());
    }
    match of_another(operators.to_vec(), cx.namespace(), None) {
        Some(found) if !adopt => Err(refusals::looked_after(&cx.target, &named(&found), refusals::up(cx))),
        // It is used: none is installed beside it.
        _ => Ok(()),
    }
}

/// Warn of those that work against the operator of the namespace, once a run.
fn warn_of_rivals(cx: &Session, operators: &[Value]) {
    if cx.waiting.operators_reported.replace(true) {
        return;
    }
    let Some(finding) = explain::rivals(operators, &cx.store.snapshot(), &cx.expect()) else {
        return;
    };
    let hint = finding.hints.first().map(|hint| format!(": {hint}")).unwrap_or_default();
    cx.emit.warn_of(finding.id, format!("{}{hint}", finding.sentence));
}

/// The operator of another namespace that looks after this one. One in this namespace is the watch's to report: the list
/// is newer, and would take the operator that this run has just created for somebody else's.
pub(crate) fn of_another(operators: Vec<Value>, namespace: &str, kafka: Option<&Object>) -> Option<Object> {
    let operators = operators.into_iter().map(|json| typed("Deployment", json));
    operators.into_iter().find(|o| o.namespace() != namespace && Deployment(o).serves(namespace, kafka))
}

/// An operator for people.
pub(crate) fn named(operator: &Object) -> String {
    format!("the operator {} in namespace {}", operator.name(), operator.namespace())
}

/// An item of a list, to which the API server leaves the kind.
pub(super) fn typed(kind: &str, mut json: Value) -> Object {
    json["kind"] = kind.into();
    Object::new(json)
}
