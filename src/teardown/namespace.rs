//! The namespace, last of all.

use async_trait::async_trait;

use crate::config::PULL_SECRET;
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::explain::Scope;
use crate::failure::{Failure, Result};
use crate::observe::Kind as ObservedKind;
use crate::quickstart::held;
use crate::quickstart::ownership::{api_failure, is_ours};
use crate::quickstart::patience::Patience;
use crate::ready::Readiness;

/// The task.
pub struct Namespace {
    patience: Patience,
}

impl Default for Namespace {
    fn default() -> Self {
        Self { patience: Patience::new(Scope::Teardown, "the namespace does not go away") }
    }
}

/// What may be in a namespace, by path and kind.
const KINDS: [(&str, &str); 9] = [
    ("api/v1", "pods"),
    ("api/v1", "services"),
    ("api/v1", "configmaps"),
    ("api/v1", "secrets"),
    ("api/v1", "persistentvolumeclaims"),
    ("apis/apps/v1", "deployments"),
    ("apis/apps/v1", "statefulsets"),
    ("apis/batch/v1", "jobs"),
    ("apis/kafka.strimzi.io/v1", "kafkas"),
];

/// Something in the namespace that is neither kstrim's nor of its Kafka nor Kubernetes' own.
async fn others(cx: &Cx) -> Result<Option<String>> {
    for (group, kind) in KINDS {
        let path = format!("/{group}/namespaces/{}/{kind}", cx.namespace());
        let label = |o: &serde_json::Value, at: &str| {
            o.pointer("/metadata/labels").and_then(|l| l.get(at)).and_then(|v| v.as_str()).map(str::to_owned)
        };
        let found = super::items(cx, &path).await?.into_iter().find(|o| {
            let its = label(o, "strimzi.io/cluster").as_deref() == Some(cx.cluster())
                || label(o, "name").as_deref() == Some(crate::quickstart::operator::DEPLOYMENT);
            !(its || is_ours(o) || super::name(o) == "kube-root-ca.crt" || super::name(o) == PULL_SECRET)
        });
        if let Some(object) = found {
            return Ok(Some(format!("{kind}/{}", super::name(&object))));
        }
    }
    Ok(None)
}

#[async_trait(?Send)]
impl Task<Cx> for Namespace {
    fn spec(&self) -> Spec {
        super::spec("namespace", "Namespace", &["crds"], 3)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let snapshot = cx.synced(&[ObservedKind::Namespace, ObservedKind::KafkaTopic]).await;
        let name = cx.namespace();
        let Some(found) = snapshot.namespace(name) else {
            return Ok(Doneness::Done(format!("namespace {name} is gone")));
        };
        if !is_ours(found.0.json()) {
            return Ok(Doneness::Done(format!("namespace {name} stays: kstrim did not make it")));
        }
        if !found.0.deleting()
            && cx.settings.target.context.is_some()
            && let Some(other) = others(cx).await?
        {
            return Ok(Doneness::Done(format!("namespace {name} stays: {other} in it is not kstrim's")));
        }
        if !found.0.deleting() {
            return Ok(Doneness::Pending(format!("namespace {name} is there")));
        }
        // A finalizer that nobody serves would keep it for ever: told as soon as it is certain.
        let look = self.patience.look(cx, &snapshot, |_, verdict| match &verdict.terminal {
            Some(finding) => Readiness::Failed(Box::new(finding.clone())),
            None => Readiness::Progressing { why: format!("namespace {name} is going away") },
        });
        look.await
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let what = ["namespace".to_owned(), cx.namespace().to_owned()];
        cx.kubectl.delete(None, &what).await.map_err(|e| api_failure(cx, "delete the namespace", &e))
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        let left = cx.kubectl.find(&format!("/api/v1/namespaces/{}", cx.namespace())).await.ok()??;
        held::explain(cx, [("Namespace", left)])
    }

    async fn changed(&self, cx: &Cx) {
        crate::quickstart::store_or_second(cx).await;
    }
}
