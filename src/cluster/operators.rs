//! Operators that somebody else installed in the cluster and that also watch kstrim's namespace.

use std::rc::Rc;

use serde_json::Value;

use super::existing_operator::{self, ExistingOperator};
use super::session::Session;
use crate::explain;
use crate::failure::Result;
use crate::kube::cluster::Deployment;
use crate::kube::kubectl::Kubectl;
use crate::kube::object::text;
use crate::kube::{ApiError, Kind, Object, Version};

/// Path of every Deployment. Helm, OLM and users choose their own names for the operator's Deployment, so it is
/// identified by its labels.
const DEPLOYMENTS: &str = "/apis/apps/v1/deployments";

/// Path of every Deployment with kstrim's label.
pub(crate) const OWN_OPERATORS: &str =
    "/apis/apps/v1/deployments?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dkstrim";

/// All operators of the cluster.
pub(crate) async fn all(cx: &Session) -> std::result::Result<Vec<Value>, ApiError> {
    listed(&cx.kubectl).await
}

/// The same without a session.
pub(crate) async fn listed(kubectl: &Kubectl) -> std::result::Result<Vec<Value>, ApiError> {
    let deployments = kubectl.list(DEPLOYMENTS).await?;
    Ok(deployments.into_iter().filter(is_operator).collect())
}

/// Whether a Deployment is an operator.
pub(super) fn is_operator(deployment: &Value) -> bool {
    Deployment(&Object::new(deployment.clone())).is_cluster_operator()
}

/// A Kafka resource in the version that the API server serves, by whose labels an operator may select; `None` also if
/// it cannot be read.
pub(crate) async fn kafka_resource(kubectl: &Kubectl, namespace: &str, cluster: &str) -> Option<Object> {
    let version = Version::served(&kubectl.find(Version::GROUP).await.ok()??)?;
    let path = Kind::Kafka.path(version, Some(namespace));
    kubectl.find(&format!("{path}/{cluster}")).await.ok()?.map(Object::new)
}

/// The namespace of a Deployment.
pub(super) fn namespace(deployment: &Value) -> &str {
    text(deployment, "/metadata/namespace")
}

/// The same check if the cluster did not exist at preflight. If the user may not list Deployments, nothing is reported.
pub(crate) async fn look(cx: &Session) {
    if !cx.waiting.operators_reported.get()
        && let Ok(operators) = all(cx).await
    {
        warn_of_rivals(cx, &operators);
    }
}

/// Before anything is changed: refuse an existing operator that cannot be used, and warn of operators that conflict
/// with kstrim's own. Returns the existing operator that is used instead of one of kstrim's.
pub(crate) async fn find_existing(cx: &Session, operators: &[Value]) -> Result<Option<Rc<ExistingOperator>>> {
    let existing = existing_operator::of_listed(cx, operators).await?;
    if let Some(found) = &existing {
        existing_operator::usable(cx, found).await?;
        return Ok(existing);
    }
    existing_operator::refuse_other_namespaces(cx, operators)?;
    if operators.iter().any(|o| namespace(o) == cx.namespace()) {
        warn_of_rivals(cx, operators);
    }
    Ok(None)
}

/// Warn of operators that would conflict with the operator of the namespace, once a run.
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

/// The operator in another namespace that watches this one. An operator in this namespace is reported by the watch:
/// the list is newer than the watch's objects, so the operator that this run has just created would be taken for
/// somebody else's.
pub(crate) fn of_another(operators: Vec<Value>, namespace: &str, kafka: Option<&Object>) -> Option<Object> {
    let operators: Vec<Object> = operators.into_iter().map(|json| typed("Deployment", json)).collect();
    let position = |wanted: &dyn Fn(Deployment<'_>) -> bool| {
        operators.iter().position(|o| o.namespace() != namespace && wanted(Deployment(o)))
    };
    // A Kafka resource that kstrim has not created yet gets the labels that the operator selects by.
    let at = position(&|o| o.serves(namespace, kafka))
        .or_else(|| position(&|o| kafka.is_none() && o.watches(namespace)))?;
    operators.into_iter().nth(at)
}

/// An operator, as named in messages.
pub(crate) fn named(operator: &Object) -> String {
    format!("the operator {} in namespace {}", operator.name(), operator.namespace())
}

/// An item of a list as an object; the API server omits the kind from items.
pub(super) fn typed(kind: &str, mut json: Value) -> Object {
    json["kind"] = kind.into();
    Object::new(json)
}
