//! The last task: the Kafka resource is Ready at its current generation, the operator Available, the topic Ready, and
//! `minikube start` has ended.

use std::cell::Cell;
use std::collections::BTreeMap;

use async_trait::async_trait;

use super::class_data;
use super::context::Context;
use crate::cluster::wait::Waiter;
use crate::component;
use crate::engine::task::{Doneness, Task, Wait};
use crate::errors;
use crate::explain::ready::{self, Readiness};
use crate::explain::{Scene, Scope, Verdict};
use crate::failure::Result;
use crate::kube::pod::Pod;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::names::ComponentName;

type Look = fn(&Scene<'_>, &Verdict) -> Readiness;

/// The task.
pub(crate) struct Ready {
    waiter: Waiter,
    /// Whether kstrim has already warned that nothing manages the topic.
    told: Cell<bool>,
    /// Waits for the components that exist, whether or not this run requested them.
    beside: Vec<(ComponentName, Waiter)>,
}

impl Default for Ready {
    fn default() -> Self {
        let what = "the cluster did not become ready";
        let beside = component::TABLE.iter().map(|c| (c.name, Waiter::new(Scope::Component(c.pods), what)));
        Self { waiter: Waiter::new(Scope::Topic, what), told: Cell::default(), beside: beside.collect() }
    }
}

impl Ready {
    /// Whether something keeps the topic operator from managing the topic, so that waiting does not help. The smoke
    /// test has passed, so the topic exists in Kafka.
    fn topic_is_left_alone(&self, cx: &Context, snapshot: &Snapshot) -> bool {
        let name = cx.topic_resource.borrow();
        let topic = name.as_deref().and_then(|name| snapshot.topic(cx.namespace(), name));
        let Some(topic) = topic.filter(|t| !t.ready() && !t.0.deleting()) else { return false };
        let Some((annotation, value)) = topic.pausing_annotation() else { return false };
        if !self.told.replace(true) {
            let message = format!(
                "the topic {} is used unchanged: because of the annotation {annotation}={value} of its \
                 KafkaTopic, the topic operator does not reconcile it",
                topic.topic()
            );
            cx.emit.warn_of(errors::RESOURCE_PAUSED, message);
        }
        true
    }
}

#[async_trait(?Send)]
impl Task<Context> for Ready {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        cx.start_result()?;
        let snapshot = cx
            .synced(&[
                ObservedKind::Kafka,
                ObservedKind::Deployment,
                ObservedKind::Pod,
                ObservedKind::KafkaTopic,
                ObservedKind::StrimziPodSet,
            ])
            .await;
        self.waiter.set_topic(cx.topic_resource.borrow().as_deref());
        let mut looks: Vec<Look> = vec![ready::kafka, ready::operator];
        if cx.topic_resource.borrow().is_some()
            && super::topic::is_operated(cx, &snapshot)
            && !self.topic_is_left_alone(cx, &snapshot)
        {
            looks.push(ready::topic);
        }
        for look in looks {
            if let Doneness::Pending(why) = self.waiter.look(cx, &snapshot, look).await? {
                return Ok(Doneness::Pending(why));
            }
        }
        for name in crate::cluster::component_test::installed(cx).await {
            let Some((_, waiter)) = self.beside.iter().find(|(of, _)| *of == name) else { continue };
            let snapshot = cx.synced(&[ObservedKind::KafkaConnector]).await;
            let look = |scene: &Scene<'_>, verdict: &Verdict| {
                component::ready::component(component::of(name), scene, verdict)
            };
            if let Doneness::Pending(why) = waiter.look(cx, &snapshot, look).await? {
                return Ok(Doneness::Pending(why));
            }
        }
        if cx.starting() {
            return Ok(Doneness::Pending("minikube start is finishing".into()));
        }
        record_images(cx, &snapshot)?;
        class_data::write_missing(cx, &snapshot).await;
        Ok(Doneness::Done(format!("Kafka {} is Ready", cx.cluster())))
    }

    async fn run(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![kubectl_wait(cx)])
    }
}

/// Waits for the Kafka resource alone: Cruise Control and the entity operator run, too.
pub(super) struct KafkaReady {
    waiter: Waiter,
}

impl Default for KafkaReady {
    fn default() -> Self {
        Self { waiter: Waiter::new(Scope::Kafka, "the Kafka cluster did not become ready") }
    }
}

#[async_trait(?Send)]
impl Task<Context> for KafkaReady {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let kinds =
            [ObservedKind::Kafka, ObservedKind::Deployment, ObservedKind::Pod, ObservedKind::StrimziPodSet];
        let snapshot = cx.synced(&kinds).await;
        Ok(match self.waiter.look(cx, &snapshot, ready::kafka).await? {
            Doneness::Done(_) => Doneness::Done(format!("Kafka {} is Ready", cx.cluster())),
            other => other,
        })
    }

    async fn run(&self, _: &Context) -> Result<()> {
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        Ok(vec![kubectl_wait(cx)])
    }
}

/// The command of kubectl that waits for the Kafka resource.
fn kubectl_wait(cx: &Context) -> String {
    format!("kubectl wait kafka/{} --for=condition=Ready --timeout=300s -n {}", cx.cluster(), cx.namespace())
}

/// Record the digests of the running images: later, a tag may refer to another image.
fn record_images(cx: &Context, snapshot: &Snapshot) -> Result<()> {
    let of_ours = |p: &Pod<'_>| p.is_operator() || p.cluster() == Some(cx.cluster());
    let containers = snapshot.pods(cx.namespace()).filter(of_ours).flat_map(|p| p.containers());
    let images: BTreeMap<String, String> =
        containers.filter_map(|c| Some((c.image().to_owned(), c.digest()?.to_owned()))).collect();
    let mut journal = cx.journal.borrow_mut();
    if cx.ownership.read_only.get() || journal.state.images == images {
        return Ok(());
    }
    journal.state.images = images;
    journal.save()
}
