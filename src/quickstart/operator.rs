//! Strimzi's cluster operator and its permissions.

use async_trait::async_trait;

use super::patience::Patience;
use super::{ownership, refused, sources};
use crate::context::{Cx, yaml};
use crate::engine::task::{Doneness, Spec, Task};
use crate::explain::Scope;
use crate::failure::{Failure, Result};
use crate::observe::Kind as ObservedKind;
use crate::ready;

/// Name of the operator's Deployment, in every release.
pub const DEPLOYMENT: &str = "strimzi-cluster-operator";

const KINDS: [ObservedKind; 3] = [ObservedKind::Deployment, ObservedKind::Pod, ObservedKind::Event];

/// The task.
pub struct Operator {
    needs: Vec<&'static str>,
    patience: Patience,
}

impl Operator {
    /// `archives`: images come from archives and have to be in the cluster first.
    pub fn new(archives: bool) -> Self {
        let needs = if archives { vec!["namespace", "crds", "images"] } else { vec!["namespace", "crds"] };
        Self { needs, patience: Patience::new(Scope::Operator, "the operator cannot start") }
    }
}

#[async_trait(?Send)]
impl Task<Cx> for Operator {
    fn spec(&self) -> Spec {
        super::spec("operator", "Strimzi operator", &self.needs, 10)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        let install = sources::install(cx).await?;
        let snapshot = cx.synced(&KINDS).await;
        let Some(found) = snapshot.deployment(cx.namespace(), DEPLOYMENT) else {
            return Ok(Doneness::Pending("the operator is not installed".into()));
        };
        let json = found.0.json();
        let ours = ownership::is_ours(json);
        if !ours && !cx.settings.adopt {
            return Ok(Doneness::Foreign(refused::foreign(
                cx,
                refused::OPERATOR,
                format!("the operator {DEPLOYMENT} in namespace {}", cx.namespace()),
                "--namespace ANOTHER-NAME",
            )));
        }
        if ours && ownership::digest(json) != Some(&install.digest) {
            return Ok(Doneness::Pending(format!(
                "it was installed as Strimzi {} with other settings",
                ownership::release(json).unwrap_or("of an unknown release")
            )));
        }
        Ok(match self.patience.look(cx, &snapshot, ready::operator).await? {
            Doneness::Done(_) => {
                Doneness::Done(format!("Strimzi {} is available", cx.choice.release.version))
            }
            other => other,
        })
    }

    async fn run(&self, cx: &Cx) -> Result<()> {
        let install = sources::install(cx).await?;
        let snapshot = cx.store.snapshot();
        let live = snapshot.deployment(cx.namespace(), DEPLOYMENT);
        if live.is_some_and(|d| {
            !ownership::is_ours(d.0.json()) || ownership::digest(d.0.json()) == Some(&install.digest)
        }) {
            // Adopted, or ours and only not available yet.
            return Ok(());
        }
        let objects = [install.phases.cluster.clone(), install.phases.namespaced.clone()].concat();
        cx.kubectl
            .apply(&yaml(&objects), true)
            .await
            .map(drop)
            .map_err(|e| ownership::api_failure(cx, "apply the operator", &e))
    }

    async fn changed(&self, cx: &Cx) {
        super::store_or_second(cx).await;
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        Some(self.patience.timed_out(cx, self.spec().timeout))
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        let install = sources::install(cx).await?;
        let count = install.phases.cluster.len() + install.phases.namespaced.len();
        let mut lines =
            vec![format!("kubectl apply --server-side -f -   # {count} objects from {}", install.origin)];
        lines.extend(install.tuned.iter().map(|t| format!("# laptop tuning: {t}")));
        Ok(lines)
    }
}
