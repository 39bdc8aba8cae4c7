//! Strimzi's custom resource definitions.

use std::cell::Cell;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::Value;

use super::context::Context;
use super::{class_data, sources};
use crate::cluster::definitions::list;
use crate::cluster::existing_operator::{self, ExistingOperator};
use crate::cluster::installation::name;
use crate::cluster::operator_refusals::beside_others;
use crate::cluster::{operators, ownership, refusals};
use crate::engine::task::{Doneness, Task};
use crate::errors;
use crate::failure::{Failure, Result};
use crate::kube::object::{list as list_of, text};
use crate::kube::{Kind as ObservedKind, Object};

/// The task.
#[derive(Debug, Default)]
pub(crate) struct Crds {
    /// Whether this run has applied definitions.
    applied: Cell<bool>,
    /// Whether this run has compared somebody else's definitions with the release.
    fit: Cell<bool>,
}

impl Crds {
    /// Check the definitions of an operator that kstrim did not install: none is added or changed.
    async fn of_others(&self, cx: &Context, existing: &ExistingOperator) -> Result<Doneness> {
        ownership::installation_to_create(cx).await?;
        if !self.fit.replace(true) {
            // The preflight could not check this, because there was no cluster to query.
            existing_operator::usable(cx, existing).await?;
        }
        let live: Vec<Value> = list(cx).await?.into_iter().filter(is_strimzis).collect();
        if let Some(first) = live.iter().find(|crd| is_terminating(crd) || !established(crd)) {
            return Ok(Doneness::Pending(format!("waiting for {} to be established", name(first))));
        }
        cx.observe(&[ObservedKind::Kafka, ObservedKind::KafkaNodePool, ObservedKind::KafkaTopic]);
        Ok(Doneness::Done(format!(
            "{} definitions are established; kstrim did not create them and uses them unchanged",
            live.len()
        )))
    }
}

#[async_trait(?Send)]
impl Task<Context> for Crds {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        if let Some(existing) = existing_operator::of(cx).await? {
            return self.of_others(cx, &existing).await;
        }
        let install = sources::install(cx).await?;
        ownership::installation_to_create(cx).await?;
        let live = list(cx).await?;
        let (mut missing, mut waiting) = (Vec::new(), Vec::new());
        for wanted in &install.phases.crds {
            let Some(found) = live.iter().find(|c| name(c) == wanted.name()) else {
                missing.push(wanted.name());
                continue;
            };
            let ours = cx.owns(found);
            if !ours && !cx.settings.adopt {
                let what = format!("the resource definition {}", wanted.name());
                let failure = *refusals::foreign(cx, errors::CRDS_FOREIGN, what, "--profile");
                let operators = operators::all(cx).await.unwrap_or_default().into_iter();
                let others: Vec<Object> = operators.filter(|o| !cx.owns(o)).map(Object::new).collect();
                return Ok(Doneness::Foreign(Box::new(beside_others(&cx.target, failure, &others))));
            }
            if !ours && !self.fit.replace(true) {
                existing_operator::definitions_fit(cx, cx.choice.release, false).await?;
            }
            if found.pointer("/metadata/deletionTimestamp").is_some() {
                waiting.push(wanted.name());
            } else if ours && ownership::digest(found) != Some(&install.digest) {
                missing.push(wanted.name());
            } else if !established(found) {
                waiting.push(wanted.name());
            }
        }
        let total = install.phases.crds.len();
        if !missing.is_empty() {
            return Ok(Doneness::Pending(format!(
                "{} of {total} definitions must be applied",
                missing.len()
            )));
        }
        if let Some(first) = waiting.first() {
            return Ok(Doneness::Pending(format!("waiting for {first} to be established")));
        }
        cx.observe(&[ObservedKind::Kafka, ObservedKind::KafkaNodePool, ObservedKind::KafkaTopic]);
        if self.applied.take() {
            warm(cx, live.iter().filter(|c| install.phases.crds.iter().any(|w| w.name() == name(c))));
        }
        Ok(Doneness::Done(format!("{total} definitions are established")))
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        if existing_operator::of(cx).await?.is_some() {
            return Ok(());
        }
        let install = sources::install(cx).await?;
        // Applying a definition that is being deleted exits with 0, but the result is deleted, too (recording 02).
        while let Some(going) = list(cx).await?.iter().find(|c| terminating(c, &install.phases.crds)) {
            cx.emit.progress(format!("an earlier {} is still being deleted", name(going)), None);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        // With --adopt, somebody else's definitions are not changed; only missing ones are added.
        let live = list(cx).await?;
        let objects: Vec<_> = install
            .phases
            .crds
            .iter()
            .filter(|w| live.iter().find(|c| name(c) == w.name()).is_none_or(|c| cx.owns(c)))
            .cloned()
            .collect();
        // The operator needs it next.
        let (applied, ()) = tokio::join!(cx.apply(&objects, true), class_data::provide(cx, &install.images));
        self.applied.set(true);
        applied.map(drop).map_err(|e| cx.api_failure("apply Strimzi's resource definitions", &e))
    }

    async fn changed(&self, _: &Context) {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    async fn cause(&self, cx: &Context) -> Option<Box<Failure>> {
        if cx.existing_operator().is_some() {
            let going =
                list(cx).await.ok()?.into_iter().filter(|crd| is_terminating(crd) && is_strimzis(crd));
            return crate::cluster::finalizers::explain(
                cx,
                going.map(|crd| ("CustomResourceDefinition", crd)),
            );
        }
        let install = sources::install(cx).await.ok()?;
        let going = list(cx).await.ok()?.into_iter().filter(|c| terminating(c, &install.phases.crds));
        crate::cluster::finalizers::explain(cx, going.map(|crd| ("CustomResourceDefinition", crd)))
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        if cx.existing_operator().is_some() {
            return Ok(vec!["# the definitions of the operator that is used, unchanged".into()]);
        }
        let install = sources::install(cx).await?;
        Ok(vec![format!(
            "kubectl apply --server-side -f -   # {} definitions from {}",
            install.phases.crds.len(),
            install.origin
        )])
    }
}

/// List each of the definitions' resources once, in parallel with other work. The API server initializes the storage
/// of a new or changed definition on the first request, and rejects a watch that comes first with 429 ("storage is
/// (re)initializing"; seen with 1.34.4). Operators of older releases do not retry: that of 0.30 hangs, and others
/// notice changes only in their periodic reconciliation, every two minutes.
fn warm<'a>(cx: &Context, definitions: impl Iterator<Item = &'a Value>) {
    let mut paths = Vec::new();
    for definition in definitions {
        let of = |field: &str| text(definition, field);
        for version in
            list_of(definition, "/spec/versions").iter().filter(|version| version["served"] == true)
        {
            let (group, version) = (of("/spec/group"), text(version, "/name"));
            paths.push(format!("/apis/{group}/{version}/{}?limit=1", of("/spec/names/plural")));
        }
    }
    let kubectl = cx.kubectl.clone();
    tokio::task::spawn_local(async move {
        join_all(paths.iter().map(|path| kubectl.find(path))).await;
    });
}

fn is_strimzis(crd: &Value) -> bool {
    ["kafka.strimzi.io", "core.strimzi.io"].contains(&text(crd, "/spec/group"))
}

fn is_terminating(crd: &Value) -> bool {
    crd.pointer("/metadata/deletionTimestamp").is_some()
}

fn terminating(crd: &Value, wanted: &[crate::manifest::Object]) -> bool {
    is_terminating(crd) && wanted.iter().any(|w| w.name() == name(crd))
}

fn established(crd: &Value) -> bool {
    crd.pointer("/status/conditions").and_then(Value::as_array).is_some_and(|conditions| {
        conditions.iter().any(|c| c["type"] == "Established" && c["status"] == "True")
    })
}
