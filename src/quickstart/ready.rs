//! The end: Kafka Ready at its current generation, the operator Available, the topic Ready, and
//! `minikube start` through.

use async_trait::async_trait;
use jiff::Timestamp;

use super::kafka::Patience;
use crate::context::Cx;
use crate::engine::task::{Doneness, Spec, Task};
use crate::failure::{Failure, Result};
use crate::observe::Kind as ObservedKind;
use crate::ready::{self, Readiness};

/// The task.
#[derive(Default)]
pub struct Ready {
    watch: Patience,
}

#[async_trait(?Send)]
impl Task<Cx> for Ready {
    fn spec(&self) -> Spec {
        super::spec("ready", "Everything ready", &["operator", "smoke"], 10)
    }

    async fn check(&self, cx: &Cx) -> Result<Doneness> {
        cx.start_result()?;
        let snapshot = cx
            .synced(&[ObservedKind::Kafka, ObservedKind::Deployment, ObservedKind::Pod, ObservedKind::KafkaTopic])
            .await;
        let failed = |finding: crate::explain::Finding| Err(finding.failure("the cluster did not become ready"));
        match self.watch.judge(cx, &snapshot, ready::kafka).await {
            Readiness::Ready => {}
            Readiness::Progressing { why } => return Ok(Doneness::Pending(why)),
            Readiness::Failed(finding) => return failed(finding),
        }
        match ready::operator(&snapshot, cx.namespace(), Timestamp::now()) {
            Readiness::Ready => {}
            Readiness::Progressing { why } => return Ok(Doneness::Pending(why)),
            Readiness::Failed(finding) => return failed(finding),
        }
        let topic = cx.settings.topic.resource_name();
        match ready::topic(&snapshot, cx.namespace(), &topic, Timestamp::now()) {
            Readiness::Ready => {}
            Readiness::Progressing { why } => return Ok(Doneness::Pending(why)),
            Readiness::Failed(finding) => return failed(finding),
        }
        if cx.starting() {
            return Ok(Doneness::Pending("minikube start is finishing".into()));
        }
        Ok(Doneness::Done(format!("Kafka {} is Ready", cx.cluster())))
    }

    async fn run(&self, _: &Cx) -> Result<()> {
        Ok(())
    }

    async fn changed(&self, cx: &Cx) {
        super::store_or_second(cx).await;
    }

    async fn explain_timeout(&self, cx: &Cx, _: &str) -> Option<Box<Failure>> {
        self.watch.deepest(cx, "the cluster did not become ready")
    }

    async fn describe(&self, cx: &Cx) -> Result<Vec<String>> {
        Ok(vec![format!(
            "kubectl wait kafka/{} --for=condition=Ready --timeout=300s -n {}",
            cx.cluster(),
            cx.namespace()
        )])
    }
}
