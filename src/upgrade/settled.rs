//! Waits until a Kafka cluster is ready and every node has the current revision of this release.

use async_trait::async_trait;
use serde_json::Value;

use crate::cluster::rollout;
use crate::cluster::wait::Waiter;
use crate::engine::task::{Doneness, Task, Wait};
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::Result;
use crate::kube::Kind;
use crate::quickstart::context::Context;

/// Kinds that are watched while brokers are rolled.
pub(crate) const KINDS: [Kind; 6] =
    [Kind::Kafka, Kind::KafkaNodePool, Kind::Pod, Kind::Claim, Kind::Deployment, Kind::Event];

/// The task, which only waits.
pub(crate) struct Settled {
    waiter: Waiter,
    by_release: bool,
}

impl Default for Settled {
    /// Wait until the Kafka resource is ready and no pod is being rolled.
    fn default() -> Self {
        let waiter = Waiter::new(Scope::Kafka, "the upgrade of the Kafka cluster does not complete");
        Self { waiter, by_release: false }
    }
}

impl Settled {
    /// Also wait until the operator of the context's release has reconciled.
    #[must_use]
    pub(crate) fn by_release(mut self) -> Self {
        self.by_release = true;
        self
    }
}

#[async_trait(?Send)]
impl Task<Context> for Settled {
    async fn check(&self, cx: &Context) -> Result<Doneness> {
        look(cx, &self.waiter, self.by_release).await
    }

    async fn run(&self, _: &Context) -> Result<()> {
        self.waiter.changed_now();
        Ok(())
    }

    fn wait(&self) -> Option<&dyn Wait<Context>> {
        Some(&self.waiter)
    }
}

/// Whether the Kafka cluster is as requested.
pub(crate) async fn look(cx: &Context, waiter: &Waiter, by_release: bool) -> Result<Doneness> {
    let snapshot = cx.synced(&KINDS).await;
    let done = waiter.look(cx, &snapshot, ready::kafka).await?;
    if !matches!(done, Doneness::Done(_)) {
        return Ok(done);
    }
    if let Doneness::Pending(why) = waiter.look(cx, &snapshot, ready::operator).await? {
        return Ok(Doneness::Pending(why));
    }
    if by_release
        && let Some(kafka) = snapshot.kafka(cx.namespace(), cx.cluster())
        && let Some(why) = behind(cx, kafka.0.json(), &images(cx, &snapshot))
    {
        return Ok(Doneness::Pending(why));
    }
    Ok(match rollout::progress(cx).await {
        Some(why) => Doneness::Pending(why),
        None => Doneness::Done(format!(
            "Strimzi {} is running Kafka {}",
            cx.choice.release.version, cx.choice.kafka
        )),
    })
}

/// The requested images of the brokers' pods. Their status may name another tag of the same image.
fn images(cx: &Context, snapshot: &crate::kube::Snapshot) -> Vec<String> {
    let nodes = snapshot.pods(cx.namespace()).filter(|p| p.is_kafka_node_of(cx.cluster()));
    let containers =
        nodes.filter_map(|p| p.0.json().pointer("/spec/containers")?.as_array().cloned()).flatten();
    containers.filter_map(|c| c.get("image")?.as_str().map(str::to_owned)).collect()
}

/// What shows that the operator of this release has not reconciled yet.
fn behind(cx: &Context, kafka: &Value, images: &[String]) -> Option<String> {
    let status = |name: &str| kafka.pointer(&format!("/status/{name}")).and_then(Value::as_str);
    let (release, version) = (cx.choice.release.version.to_string(), cx.choice.kafka.to_string());
    // Both fields were added after 0.30, and are used if they exist.
    if let Some(said) = status("operatorLastSuccessfulVersion").filter(|said| *said != release) {
        return Some(format!("Kafka: still reconciled by Strimzi {said}"));
    }
    if let Some(said) = status("kafkaVersion").filter(|said| *said != version) {
        return Some(format!("Kafka: the brokers are running {said}"));
    }
    if kafka.pointer("/spec/kafka/image").is_some() {
        return None;
    }
    // `quay.io/strimzi/kafka:1.2.0-kafka-4.3.1`, from any registry.
    let tail = |image: &str| image.rsplit('/').next().unwrap_or(image).to_owned();
    let wanted = tail(&cx.choice.kafka_image);
    let strimzis = |image: &&String| tail(image).starts_with("kafka:");
    let old = images.iter().filter(strimzis).find(|image| tail(image) != wanted)?;
    Some(format!("brokers: one is still running {}", tail(old)))
}
