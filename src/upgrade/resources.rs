//! Updates the Kafka resource and its node pools to those of a release; changes by users are kept.

use async_trait::async_trait;
use serde_json::Value;

use super::migrate;
use super::settled::{self, KINDS};
use super::shape;
use crate::catalogue::{self, Mode, broker};
use crate::cluster::ownership;
use crate::cluster::wait::Waiter;
use crate::component;
use crate::engine::task::{Doneness, Task, Wait};
use crate::explain::Scope;
use crate::failure::Result;
use crate::kube::kafka::Kafka;
use crate::kube::{Kind, Snapshot};
use crate::manifest::label::DIGEST;
use crate::manifest::render::{self, RenderInput};
use crate::manifest::{self, Object};
use crate::names::{Version, plain};
use crate::quickstart::context::Context;
use crate::quickstart::{components as beside, kafka};

/// The task.
pub(crate) struct Resources {
    waiter: Waiter,
    /// The level that the Kafka resource will have.
    level: Option<String>,
    /// Whether to update all resources of the release, or only the Kafka version.
    whole: bool,
    /// Whether fields that only ZooKeeper needed are removed, whoever wrote them.
    without_zookeeper: bool,
}

impl Resources {
    /// The context's release and Kafka version, with this level.
    pub(crate) fn new(level: Option<String>, whole: bool) -> Self {
        let waiter = Waiter::new(Scope::Kafka, "the upgrade of the Kafka cluster does not complete");
        Self { waiter, level, whole, without_zookeeper: false }
    }

    /// Also remove what only ZooKeeper needed.
    #[must_use]
    pub(crate) fn without_zookeeper(mut self) -> Self {
        self.without_zookeeper = true;
        self
    }

    fn applied(&self, cx: &Context, kafka: &Value, wanted: &[Object]) -> bool {
        let version = kafka.pointer("/spec/kafka/version").map(plain) == Some(cx.choice.kafka.to_string());
        if !self.whole {
            return version;
        }
        version
            && !(self.without_zookeeper && migrate::left(kafka))
            && level_of(kafka, cx.preset().mode()) == self.level
            && ownership::digest(kafka) == Some(&manifest::digest(wanted))
            && ownership::release(kafka) == Some(&cx.choice.release.version.to_string())
    }

    /// What is applied: the release's resources merged over the live ones.
    fn merged_over_live(&self, cx: &Context, snapshot: &Snapshot, wanted: &[Object]) -> Vec<Object> {
        let mode = cx.preset().mode();
        let kafka = snapshot.kafka(cx.namespace(), cx.cluster()).map(|k| k.0.json().clone());
        let old = kafka.as_ref().and_then(|kafka| before(cx, kafka)).unwrap_or_default();
        let digest = manifest::digest(wanted);
        let mut all = Vec::new();
        for new in wanted {
            let kind = if new.kind() == "Kafka" { Kind::Kafka } else { Kind::KafkaNodePool };
            // A pool that was deleted is not created again.
            let Some(live) = snapshot.get(kind, cx.namespace(), new.name()) else { continue };
            // A foreign pool with that name is left unchanged.
            if !cx.owns(live.json()) {
                continue;
            }
            let old = old.iter().find(|o| o.kind() == new.kind() && o.name() == new.name());
            let mut merged = shape::merge_over_live(old, new, live.json());
            // Only over the object that was read, or not at all.
            merged.set(&["metadata", "uid"], live.uid());
            if kind == Kind::Kafka {
                merged.set(&["spec", "kafka", "version"], cx.choice.kafka.to_string());
                let field: &[&str] = match mode {
                    Mode::Kraft => &["spec", "kafka", "metadataVersion"],
                    Mode::Zookeeper => &["spec", "kafka", "config", "inter.broker.protocol.version"],
                };
                match &self.level {
                    Some(level) => merged.set(field, level.as_str()),
                    None => merged.remove(field),
                }
                let nodes = Kafka(live).nodes(snapshot.pools(cx.namespace()));
                settle(&mut merged, live.json(), &cx.choice.kafka, nodes.brokers_wanted.max(1));
            }
            // What kstrim added to it is not part of the rendered manifests.
            component::into_kafka(
                std::slice::from_mut(&mut merged),
                Some(live.json()),
                &[],
                &beside::input(cx),
            );
            all.push(merged);
        }
        manifest::label(&mut all, &digest, &cx.choice.release.version.to_string());
        if !self.whole {
            // Not yet what `up` of the release would create.
            for object in &mut all {
                object.set(&["metadata", "annotations", DIGEST], format!("{digest}-level"));
            }
        }
        all
    }
}

/// Settings that need more brokers than exist, if nobody set them: set them to the number of brokers. Only those that
/// are new in this Kafka version, or that an earlier kstrim did not set.
fn settle(merged: &mut Object, live: &Value, kafka: &Version, brokers: u32) {
    for need in broker::needs(kafka) {
        let set = live.pointer("/spec/kafka/config").and_then(|config| config.get(need.name)).is_some();
        if !set && need.default > brokers {
            merged.set(&["spec", "kafka", "config", need.name], need.counts.with(brokers));
        }
    }
}

/// The level in a Kafka resource.
pub(crate) fn level_of(kafka: &Value, mode: Mode) -> Option<String> {
    let at = match mode {
        Mode::Kraft => "/spec/kafka/metadataVersion",
        Mode::Zookeeper => "/spec/kafka/config/inter.broker.protocol.version",
    };
    kafka.pointer(at).map(plain)
}

/// What kstrim rendered for the live resources, as far as they show it: the manifests of their release.
fn before(cx: &Context, kafka: &Value) -> Option<Vec<Object>> {
    let release = catalogue::find(&ownership::release(kafka)?.parse().ok()?)?;
    let version = plain(kafka.pointer("/spec/kafka/version")?).parse().ok()?;
    let target = &cx.target;
    render::kafka(&RenderInput {
        release,
        kafka: &version,
        preset: cx.preset(),
        namespace: &target.namespace,
        cluster: &target.cluster,
        storage: &cx.settings.storage,
        // Storage does not change (`shape::merge_over_live`).
        storage_class: None,
        tuning: cx.settings.tuning(),
        class_data: cx.class_data.get(),
    })
    .ok()
}

#[async_trait(?Send)]
impl Task<Context> for Resources {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        let snapshot = cx.synced(&KINDS).await;
        let wanted = kafka::wanted(cx)?;
        let live = snapshot.kafka(cx.namespace(), cx.cluster());
        if !live.is_some_and(|kafka| self.applied(cx, kafka.0.json(), &wanted)) {
            return Ok(Doneness::Pending(format!(
                "the Kafka resource differs from that of Strimzi {}",
                cx.choice.release.version
            )));
        }
        settled::look(cx, &self.waiter, true).await
    }

    async fn run(&self, cx: &Context) -> Result<()> {
        let snapshot = cx.store.snapshot();
        let wanted = kafka::wanted(cx)?;
        let live = snapshot.kafka(cx.namespace(), cx.cluster());
        self.waiter.changed_now();
        if live.is_some_and(|kafka| self.applied(cx, kafka.0.json(), &wanted)) {
            return Ok(());
        }
        // Everything that differs from what kstrim created is applied unchanged, so that no field of another manager
        // is taken over.
        let applied = cx.apply(&self.merged_over_live(cx, &snapshot, &wanted), true).await;
        applied.map_err(|e| cx.api_failure("apply the Kafka cluster", &e))?;
        if self.without_zookeeper {
            migrate::leave(cx).await?;
        }
        self.waiter.changed_now();
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }
}
