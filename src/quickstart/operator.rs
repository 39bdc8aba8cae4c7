//! Strimzi's cluster operator and its permissions.

use super::context::Prepared;
use crate::errors;
use async_trait::async_trait;
use serde_json::Value;

use super::context::{Context, Loaded};
use super::{class_data, sources};
use crate::cluster::existing_operator::{self, ExistingOperator};
use crate::cluster::wait::Waiter;
use crate::cluster::{operators, ownership, refusals};
use crate::engine::task::{Doneness, Task, Wait};
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kube::cluster::{Deployment, OPERATOR};
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::{self, pull};

const KINDS: [ObservedKind; 3] = [ObservedKind::Deployment, ObservedKind::Pod, ObservedKind::Event];

/// The task.
pub(crate) struct Operator {
    waiter: Waiter,
    /// Whether its image comes from an archive that another task loads.
    loaded: bool,
}

impl Default for Operator {
    fn default() -> Self {
        Self { waiter: Waiter::new(Scope::Operator, "the operator cannot start"), loaded: false }
    }
}

impl Operator {
    /// For a plan in which `images` loads its image from an archive, if `loaded`.
    pub(crate) fn with_image(loaded: bool) -> Self {
        Self { loaded, ..Self::default() }
    }

    /// Wait for an operator that kstrim did not install; it is used unchanged.
    async fn existing(
        &self,
        cx: &Context,
        snapshot: &Snapshot,
        found: &ExistingOperator,
    ) -> Result<Doneness> {
        Ok(match self.waiter.look(cx, snapshot, ready::operator).await? {
            Doneness::Done(_) => {
                let release = found.release().map_or_else(String::new, |release| release.version.to_string());
                Doneness::Done(format!("Strimzi {release} is available: {}, is used", found.described()))
            }
            other => other,
        })
    }
}

/// The operator in the run's namespace, whatever its name.
fn here<'a>(cx: &Context, snapshot: &'a Snapshot) -> Option<Deployment<'a>> {
    let by_label = || snapshot.operators().find(|o| o.0.namespace() == cx.namespace());
    snapshot.deployment(cx.namespace(), OPERATOR).or_else(by_label)
}

#[async_trait(?Send)]
impl Task<Context> for Operator {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = cx.synced(&KINDS).await;
        if let Some(existing) = existing_operator::of(cx).await? {
            return self.existing(cx, &snapshot, &existing).await;
        }
        let install = sources::install(cx).await?;
        let Some(found) = here(cx, &snapshot) else {
            return Ok(Doneness::Pending("the operator is not installed".into()));
        };
        let json = found.0.json();
        let ours = cx.owns(json);
        // It was created after this run checked for other operators.
        if !ours {
            return Ok(Doneness::Foreign(refusals::foreign(
                cx,
                errors::OPERATOR_FOREIGN,
                format!("the operator {} in namespace {}", found.0.name(), cx.namespace()),
                "--namespace",
            )));
        }
        if let Some(secret) = &install.secret {
            let live = read_secret(cx, secret.name()).await?;
            if !live.is_some_and(|live| pull::same(&live, secret)) {
                return Ok(Doneness::Pending(format!("the Secret {} must be applied", secret.name())));
            }
        }
        if ownership::digest(json) != Some(&install.digest) {
            return Ok(Doneness::Pending(format!(
                "it was installed as Strimzi {} with other settings",
                ownership::release(json).unwrap_or("of an unknown release")
            )));
        }
        Ok(match self.waiter.look(cx, &snapshot, ready::operator).await? {
            Doneness::Done(_) => {
                operators::look(cx).await;
                existing_operator::remember(cx, true)?;
                Doneness::Done(format!("Strimzi {} is available", cx.choice.release.version))
            }
            other => other,
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        if existing_operator::of(cx).await?.is_some() {
            return Ok(());
        }
        let install = sources::install(cx).await?;
        class_data::provide(cx, &install.images).await;
        if self.loaded {
            cx.images_are_loaded(Loaded::Operator).await;
        }
        let snapshot = cx.store.snapshot();
        let live = here(cx, &snapshot);
        if live.as_ref().is_none_or(|d| cx.owns(d.0.json())) {
            secrets(cx, &install).await?;
        }
        if live
            .is_some_and(|d| !cx.owns(d.0.json()) || ownership::digest(d.0.json()) == Some(&install.digest))
        {
            // Either somebody else's, which the check refuses, or ours and just not available yet.
            return Ok(());
        }
        let objects = [install.phases.cluster.clone(), install.phases.namespaced.clone()].concat();
        ownership::apply_install(cx, &objects, "apply the operator").await
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        if let Some(found) = cx.existing_operator() {
            return Ok(vec![format!("# {}, is used unchanged", found.described())]);
        }
        let install = sources::install(cx).await?;
        let count = install.phases.cluster.len() + install.phases.namespaced.len();
        let mut lines =
            vec![format!("kubectl apply --server-side -f -   # {count} objects from {}", install.origin)];
        lines.extend(install.from.iter().map(|f| format!("# {f}")));
        lines.extend(class_data::described(cx));
        lines.extend(install.tuned.iter().map(|t| format!("# laptop tuning: {t}")));
        Ok(lines)
    }
}

async fn read_secret(cx: &Context, name: &str) -> Result<Option<Value>> {
    let path = format!("/api/v1/namespaces/{}/secrets/{name}", cx.namespace());
    let found = cx.kubectl.find(&path).await;
    found.map_err(|e| cx.api_failure(&format!("read the Secret {name}"), &e))
}

/// Apply the Secret of a docker login, and check that the user's own pull Secrets exist: a pod that refers to a
/// missing one pulls without credentials and does not report that.
async fn secrets(cx: &Context, install: &Prepared) -> Result<()> {
    for name in &cx.settings.pull_secrets {
        let found = read_secret(cx, name.as_str()).await?;
        if found.as_ref().is_some_and(pull::pulls) {
            continue;
        }
        let namespace = cx.namespace();
        let login = crate::paths::home().join(".docker/config.json");
        let message = format!("images cannot be pulled with the Secret {name} of namespace {namespace}");
        let why = match found {
            Some(_) => "its type is not kubernetes.io/dockerconfigjson",
            None => "the Secret does not exist",
        };
        return Err(Box::new(
            Failure::new(errors::PULL_SECRET, Kind::Prerequisite, message)
                .because(why)
                .hint(format!(
                    "create it from a docker login: {}",
                    cx.settings
                        .target
                        .kubectl("create secret generic")
                        .arg(name)
                        .arg("-n")
                        .arg(namespace)
                        .arg("--type=kubernetes.io/dockerconfigjson")
                        .arg(format!("--from-file=.dockerconfigjson={}", login.display()))
                ))
                .hint(format!(
                    "or let kstrim create one: {}",
                    refusals::up(cx).with("--image-pull-config", login.display())
                )),
        ));
    }
    let Some(secret) = &install.secret else { return Ok(()) };
    if let Some(live) = read_secret(cx, secret.name()).await?
        && !cx.owns(&live)
    {
        return Err(refusals::foreign_secret(cx, secret.name()));
    }
    let mut objects = [secret.clone()];
    manifest::label(&mut objects, &install.digest, &cx.choice.release.version.to_string());
    let applied = cx.apply(&objects, true).await;
    applied.map(drop).map_err(|e| cx.api_failure("apply the Secret of the docker login", &e))
}
