//! Components: one task for each component of the table.
//!
//! A component starts when the brokers are ready, concurrently with the topic, the smoke test and the entity
//! operator. Starting it earlier would not help: Connect and MirrorMaker 2 exit when they find no broker, and the
//! kubelet restarts them with increasing delays; their images are pulled in advance anyway. Components that are a
//! field of the Kafka resource are applied with it, so that no broker has to be restarted for them.

use crate::cluster::component_test::component_input;
use crate::cluster::refusals::foreign_component;
use crate::cluster::session::Session;
use async_trait::async_trait;
use serde_json::Value;

use super::context::Context;
use crate::cluster::ownership;
use crate::cluster::wait::Waiter;
use crate::component::{self, Component, Home, of};
use crate::engine::task::{Doneness, Task, Wait};
use crate::explain::Scope;
use crate::failure::Result;
use crate::kube::kafka::Kafka;
use crate::kube::{Kind as ObservedKind, Snapshot};
use crate::manifest::component::ComponentInput;
use crate::manifest::{self, Object};
use crate::names::{ComponentName, TopicName};

const KINDS: [ObservedKind; 7] = [
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::StrimziPodSet,
    ObservedKind::Pod,
    ObservedKind::Event,
    ObservedKind::Deployment,
    ObservedKind::Node,
];

/// The task.
pub(crate) struct ComponentTask {
    component: &'static Component,
    waiter: Waiter,
}

impl ComponentTask {
    /// The component with this name.
    pub(crate) fn new(name: ComponentName) -> Self {
        let component = of(name);
        let what = match name {
            ComponentName::Connect => "Kafka Connect cannot start",
            ComponentName::MirrorMaker => "MirrorMaker 2 cannot start",
            ComponentName::Bridge => "the HTTP bridge cannot start",
            ComponentName::CruiseControl => "Cruise Control cannot start",
            ComponentName::Exporter => "the Kafka Exporter cannot start",
            ComponentName::Metrics => "the brokers cannot export their metrics",
        };
        let waiter = Waiter::new(Scope::Component(component.pods), what).subject(component.title);
        Self { component, waiter }
    }

    async fn observed(&self, cx: &Context) -> Snapshot {
        let mut kinds = KINDS.to_vec();
        kinds.extend(self.component.kind());
        if self.component.name == ComponentName::Connect {
            kinds.push(ObservedKind::KafkaConnector);
        }
        cx.synced(&kinds).await
    }

    /// Whether it exists as requested; it may not be ready yet.
    fn applied(&self, cx: &Context, snapshot: &Snapshot) -> Option<Doneness> {
        let title = self.component.title;
        match &self.component.home {
            Home::Resource(kind, _) => {
                let Some(found) = snapshot.get(*kind, cx.namespace(), cx.cluster()) else {
                    return Some(Doneness::Pending(format!("{title} does not exist")));
                };
                if !cx.owns(found.json()) {
                    return Some(Doneness::Foreign(foreign_component(cx, self.component)));
                }
                if found.deleting() {
                    return Some(Doneness::Pending(format!("an earlier {title} is still being deleted")));
                }
                let wanted = objects(cx, self.component);
                if ownership::digest(found.json()) != Some(&manifest::digest(&wanted)) {
                    return Some(Doneness::Pending("its settings must be applied".into()));
                }
            }
            Home::Field(_) => {
                let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster()) else {
                    return Some(Doneness::Pending(format!(
                        "the Kafka cluster {} does not exist",
                        cx.cluster()
                    )));
                };
                let kafka = kafka.0.json();
                match (self.component.is_field_of(kafka), self.component.is_marked(kafka)) {
                    (true, true) => {}
                    (true, false) => return Some(Doneness::Foreign(foreign_component(cx, self.component))),
                    _ => return Some(Doneness::Pending(format!("{title} does not exist"))),
                }
            }
        }
        None
    }
}

#[async_trait(?Send)]
impl Task<Context> for ComponentTask {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = self.observed(cx).await;
        if let Some(open) = self.applied(cx, &snapshot) {
            return Ok(open);
        }
        let look = |scene: &crate::explain::Scene<'_>, verdict: &crate::explain::Verdict| {
            component::ready::component(self.component, scene, verdict)
        };
        Ok(match self.waiter.look(cx, &snapshot, look).await? {
            Doneness::Done(_) => Doneness::Done(format!("{} is ready", self.component.title)),
            other => other,
        })
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        self.waiter.changed_now();
        let snapshot = self.observed(cx).await;
        if let Some(Doneness::Pending(_)) = self.applied(cx, &snapshot) {
            let refused = |e| cx.api_failure(&format!("apply {}", self.component.title), &e);
            let objects = cx.labelled(objects(cx, self.component));
            if !objects.is_empty() {
                cx.apply(&objects, false).await.map_err(refused)?;
            }
            // All fields at once, because the brokers may have to be restarted for them.
            let live = snapshot.kafka(cx.namespace(), cx.cluster());
            let names = &cx.settings.with;
            if self.component.field().is_some() && live.is_some() {
                patch_kafka(cx, |kafka| component::patch_to_add(kafka, names, &input(cx))).await?;
            }
        }
        self.waiter.changed_now();
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }

    async fn describe(&self, cx: &Context) -> Result<Vec<String>> {
        let mut lines = Vec::new();
        let objects: Vec<String> = objects(cx, self.component)
            .iter()
            .map(|o| format!("kubectl apply --server-side -f -   # {}/{}", o.kind(), o.name()))
            .collect();
        lines.extend(objects);
        if let Some(field) = self.component.field() {
            lines.push(format!("# applied with Kafka/{}: {}", cx.cluster(), field.path.join(".")));
        }
        if !cx.settings.stock && self.component.name != ComponentName::Metrics {
            let workers = matches!(self.component.name, ComponentName::Connect | ComponentName::MirrorMaker);
            lines.extend(manifest::component::tuned(workers).map(|t| format!("# laptop tuning: {t}")));
        }
        Ok(lines)
    }
}

/// The input for rendering components.
pub(crate) fn input(cx: &Context) -> ComponentInput<'_> {
    let topic = cx.settings.mirrored.as_ref().unwrap_or(&cx.settings.topic);
    component_input(cx, topic, !cx.settings.stock)
}

/// The components that kstrim created as resources, and the topic that MirrorMaker 2 mirrors.
pub(crate) async fn resources(cx: &Session) -> (Vec<ComponentName>, Option<TopicName>) {
    let installed = crate::cluster::component_test::installed(cx).await;
    let own = installed.into_iter().filter(|name| of(*name).kind().is_some()).collect();
    let snapshot = cx.store.snapshot();
    let mirror = snapshot.get(ObservedKind::KafkaMirrorMaker2, cx.namespace(), cx.cluster());
    (own, mirror.and_then(|m| component::mirrored_topic(m.json())?.parse().ok()))
}

/// The objects of a component other than the Kafka resource, not yet labelled.
pub(crate) fn objects(cx: &Context, component: &Component) -> Vec<Object> {
    component.objects(&input(cx))
}

/// The objects of all components of `--with` other than the Kafka resource, labelled, for `render`.
pub(crate) fn all(cx: &Context) -> Vec<Object> {
    let each = cx.settings.with.iter().map(|name| objects(cx, of(*name)));
    each.flat_map(|objects| cx.labelled(objects)).collect()
}

/// Apply what fields of the Kafka resource refer to, before the Kafka resource itself.
pub(crate) async fn rules(cx: &Context) -> Result<()> {
    let fields = cx.settings.with.iter().map(|name| of(*name)).filter(|c| c.field().is_some());
    let objects: Vec<Object> = fields.flat_map(|c| objects(cx, c)).collect();
    if objects.is_empty() {
        return Ok(());
    }
    let applied = cx.apply(&cx.labelled(objects), false).await;
    applied.map(drop).map_err(|e| cx.api_failure("apply the rules of the metrics", &e))
}

/// Merge the patch that `patch` computes from its current state into the Kafka resource.
pub(crate) async fn patch_kafka(cx: &Context, mut patch: impl FnMut(&Value) -> Option<Value>) -> Result<()> {
    let patch = |now: &Kafka<'_>| patch(now.0.json());
    ownership::change_kafka(cx, cx.settings.adopt, None, "change the Kafka resource", patch).await.map(drop)
}
