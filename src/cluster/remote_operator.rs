//! An operator in another namespace that watches this one: Helm's `watchAnyNamespace`, OLM's global mode.
//!
//! kstrim's watches are limited to one namespace. If no operator in it watches it, the operators of other namespaces
//! are read from time to time, with their pods.

use std::time::Duration;

use tokio::time::Instant;

use super::operators::{self, kafka_resource, of_another, typed};
use super::session::Session;
use crate::kube::kubectl::Kubectl;
use crate::kube::{Kind, Snapshot};

/// How long the objects that were read are considered current.
const FRESH: Duration = Duration::from_secs(3);

/// Read the operator of another namespace, if there is none in this one and the last result is too old. If the user
/// may not list Deployments in all namespaces, there is none.
pub(crate) async fn look(cx: &Session, snapshot: &Snapshot) {
    let kafka = snapshot.kafka(cx.namespace(), cx.cluster()).map(|kafka| kafka.0);
    let here = snapshot.operators().any(|o| o.serves(cx.namespace(), kafka));
    if here || !snapshot.synced(Kind::Deployment) {
        cx.waiting.remote_operator.replace(None);
        return;
    }
    if cx.waiting.remote_operator.borrow().as_ref().is_some_and(|(at, _)| at.elapsed() < FRESH) {
        return;
    }
    let operators = operators::all(cx).await.unwrap_or_default();
    let found = of_another(operators, cx.namespace(), kafka);
    let mut objects = Vec::new();
    if let Some(operator) = found {
        let path = Kind::Pod.path(cx.api_version(), Some(operator.namespace()));
        let items = cx.kubectl.list(&path).await.unwrap_or_default();
        objects.extend(items.into_iter().map(|json| typed("Pod", json)));
        objects.push(operator);
    }
    cx.waiting.remote_operator.replace(Some((Instant::now(), objects)));
}

/// The namespace of the operator that watches a Kafka resource from another namespace; `None` if there is none, or
/// the user may not list operators.
pub(crate) async fn namespace_of_operator(
    kubectl: &Kubectl,
    namespace: &str,
    cluster: &str,
) -> Option<String> {
    let (operators, kafka) =
        tokio::join!(operators::listed(kubectl), kafka_resource(kubectl, namespace, cluster));
    let found = of_another(operators.ok()?, namespace, kafka.as_ref())?;
    Some(found.namespace().to_owned())
}

/// The snapshot, with the operator's objects that [`look`] read.
pub(crate) fn seen(cx: &Session, snapshot: Snapshot) -> Snapshot {
    let operator_objects = cx.waiting.remote_operator.borrow();
    snapshot.with(operator_objects.iter().flat_map(|(_, objects)| objects.iter().cloned()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_operator_in_the_same_namespace_is_not_a_remote_one() {
        let operator = |namespace: &str| {
            json!({"metadata": {"name": "strimzi-cluster-operator", "namespace": namespace},
                "spec": {"template": {"spec": {"containers": [
                    {"name": "o", "env": [{"name": "STRIMZI_NAMESPACE", "value": "kafka"}]}]}}}})
        };
        let found = |all: &[&str]| {
            let all = all.iter().map(|namespace| operator(namespace)).collect();
            of_another(all, "kafka", None).map(|o| o.namespace().to_owned())
        };
        assert_eq!(found(&["kafka"]), None);
        assert_eq!(found(&["kafka", "strimzi"]).as_deref(), Some("strimzi"));
    }
}
