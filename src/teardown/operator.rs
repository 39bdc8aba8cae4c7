//! The operator and its permissions: everything that carries kstrim's label.

use async_trait::async_trait;
use serde_json::Value;

use super::orphans::Orphans;
use super::{few, items, moment, name, with_labels};
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::failure::{Failure, Result};
use crate::manifest::label::{KSTRIM, MANAGED_BY};
use crate::quickstart::held;
use crate::quickstart::operator::DEPLOYMENT;
use crate::quickstart::ownership::api_failure;

/// Kinds of an install manifest: path of the list (`{ns}` is the namespace) and kubectl's word.
const KINDS: [(&str, &str); 7] = [
    ("/apis/apps/v1/namespaces/{ns}/deployments", "deployments.apps"),
    (
        "/apis/rbac.authorization.k8s.io/v1/namespaces/{ns}/rolebindings",
        "rolebindings.rbac.authorization.k8s.io",
    ),
    ("/api/v1/namespaces/{ns}/configmaps", "configmaps"),
    // The docker login of --image-pull-config.
    ("/api/v1/namespaces/{ns}/secrets", "secrets"),
    ("/api/v1/namespaces/{ns}/serviceaccounts", "serviceaccounts"),
    (
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
        "clusterrolebindings.rbac.authorization.k8s.io",
    ),
    ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "clusterroles.rbac.authorization.k8s.io"),
];

/// The label of the operator's pods and of what makes them.
const SELECTOR: &str = "name=strimzi-cluster-operator";

/// The task.
pub struct Operator {
    needs: Vec<&'static str>,
    orphans: Orphans,
}

impl Operator {
    /// `keep_data`: there is no task for the volumes to wait for.
    pub fn new(keep_data: bool) -> Self {
        let needs = vec![if keep_data { "topics" } else { "volumes" }];
        Self { needs, orphans: Orphans::default() }
    }
}

#[async_trait(?Send)]
impl Task<Cx> for Operator {
    fn spec(&self) -> Spec {
        super::spec("operator", "Strimzi operator", &self.needs, 2)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        // Their names are much alike: the kind tells them apart.
        let word = |kind: &str| kind.split('.').next().unwrap_or(kind).to_owned();
        let live = live(cx).await?;
        let names: Vec<String> = live
            .iter()
            .flat_map(|(kind, names)| names.iter().map(move |name| format!("{}/{name}", word(kind))))
            .collect();
        if !names.is_empty() {
            return Ok(Doneness::Pending(format!("to be deleted: {}", few(&names))));
        }
        // Pods of somebody else's operator are not ours to wait for.
        let pods = if others(cx).await? { Vec::new() } else { items(cx, &pods_path(cx)).await? };
        let Some(pod) = pods.first() else {
            return Ok(Doneness::Done("no operator of kstrim's is left".into()));
        };
        self.orphans.sweep(cx, SELECTOR, &pods).await?;
        Ok(Doneness::Pending(format!("stopping: {}", name(pod))))
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let live = live(cx).await?;
        let deletions = live.into_iter().map(|(kind, names)| async move {
            let namespace = (!kind.starts_with("cluster")).then(|| cx.namespace());
            let mut what = vec![kind.to_owned()];
            what.extend(names);
            let deleted = cx.kubectl.delete(namespace, &what).await;
            deleted.map_err(|e| api_failure(cx, &format!("delete {kind}"), &e))
        });
        futures_util::future::try_join_all(deletions).await.map(drop)
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        let left = items(cx, &pods_path(cx)).await.ok()?;
        held::explain(cx, left.into_iter().map(|pod| ("Pod", pod)))
    }

    async fn changed(&self, _: &Cx) {
        moment().await;
    }
}

async fn live(cx: &Cx) -> Result<Vec<(&'static str, Vec<String>)>> {
    let selector = format!("{MANAGED_BY}={KSTRIM}");
    let one = |(path, kind): (&str, &'static str)| {
        let path = with_labels(&path.replace("{ns}", cx.namespace()), &selector);
        async move { items(cx, &path).await.map(|found| (kind, found.iter().map(name).collect::<Vec<_>>())) }
    };
    let found = futures_util::future::try_join_all(KINDS.map(one)).await?;
    Ok(found.into_iter().filter(|(_, names)| !names.is_empty()).collect())
}

/// Whether somebody else's Deployment makes such pods.
async fn others(cx: &Cx) -> Result<bool> {
    let deployments = items(cx, &format!("/apis/apps/v1/namespaces/{}/deployments", cx.namespace())).await?;
    let name = |d: &Value| d.pointer("/spec/selector/matchLabels/name").cloned();
    Ok(deployments.iter().filter_map(name).any(|name| name == DEPLOYMENT))
}

fn pods_path(cx: &Cx) -> String {
    with_labels(&format!("/api/v1/namespaces/{}/pods", cx.namespace()), SELECTOR)
}
