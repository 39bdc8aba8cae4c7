//! What kstrim puts right by itself while it waits: its own things only, each once a run, and aloud.
//!
//! A finding that would end the wait comes here first. What is mended gets some time before the same
//! finding counts again.

use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::{ownership, sources};
use crate::context::{Cx, yaml};
use crate::event::Event;
use crate::explain::{Cure, Finding};
use crate::failure::Result;
use crate::observe::{ApiErrorKind, Kind, Snapshot};
use crate::quickstart::operator::DEPLOYMENT;

/// How long a cure may take to show: a restarted operator begins after about 15 s on a quiet machine
/// (recording 06b), and works for some more.
const SHOWS_WITHIN: Duration = Duration::from_secs(90);

/// How long until the operator looks at every resource again by itself (STRIMZI_FULL_RECONCILIATION_INTERVAL_MS,
/// 120 s), and is through.
const NEXT_ROUND: Duration = Duration::from_secs(180);

/// The annotation by which a Kafka is touched; its value is when.
const TOUCHED: &str = "kstrim/looked-at";

/// Try to put `finding` right. `None`: kstrim cannot, or has done so in vain; it stands.
///
/// # Errors
/// What the API server refuses.
pub async fn heal(cx: &Cx, snapshot: &Snapshot, finding: &Finding) -> Result<Option<String>> {
    let Some(cure) = finding.cure.clone() else { return Ok(None) };
    let may = permitted(cx, snapshot, &cure);
    if !may && cure != Cure::LookAgain {
        return Ok(None);
    }
    let key = match &cure {
        // Whatever is wrong with it, a pod gets one new start a run.
        Cure::RestartPod(pod) => format!("pod/{pod}"),
        Cure::ReleaseTopic(topic) => format!("topic/{topic}"),
        Cure::RestartOperator | Cure::ApplyOperator | Cure::LookAgain => finding.id.0.to_owned(),
    };
    let within = if may { SHOWS_WITHIN } else { NEXT_ROUND };
    if let Some(at) = cx.healed.borrow().get(&key) {
        return Ok(
            (at.elapsed() < within).then(|| format!("{} (kstrim has just dealt with it)", finding.sentence))
        );
    }
    cx.healed.borrow_mut().insert(key, Instant::now());
    if !may {
        return Ok(Some(finding.sentence.clone()));
    }
    let tell = |task: Option<&str>, what: &str| {
        let message = format!("{}: {what} ({})", finding.sentence, finding.id);
        cx.emit.send(Event::Warning {
            task: task.map(str::to_owned),
            id: Some(finding.id.to_string()),
            message,
        });
    };
    let pods = |names: Vec<String>| [vec!["pods".to_owned()], names].concat();
    match cure {
        Cure::RestartOperator => {
            tell(Some("operator"), "the operator is restarted");
            let all = snapshot.pods(cx.namespace()).filter(|p| p.is_operator() && !p.0.deleting());
            let names: Vec<String> = all.map(|p| p.0.name().to_owned()).collect();
            let deleted = cx.kubectl.delete(Some(cx.namespace()), &pods(names)).await;
            deleted.map_err(|e| ownership::api_failure(cx, "restart the operator", &e))?;
        }
        Cure::ApplyOperator => {
            tell(Some("operator"), "its permissions are applied anew");
            let install = sources::install(cx).await?;
            let objects = [install.phases.cluster.clone(), install.phases.namespaced.clone()].concat();
            let applied = cx.kubectl.apply(&yaml(&objects), true).await;
            applied.map_err(|e| ownership::api_failure(cx, "apply the operator", &e))?;
        }
        Cure::LookAgain => {
            tell(Some("operator"), "it is asked to look now");
            let now = jiff::Timestamp::now().to_string();
            let touch = json!({"metadata": {"annotations": {TOUCHED: now}}});
            let (namespace, cluster) = (cx.namespace(), cx.cluster());
            let patched = cx.kubectl.patch(namespace, "kafkas.kafka.strimzi.io", cluster, &touch, None).await;
            patched.map_err(|e| ownership::api_failure(cx, "touch the Kafka", &e))?;
        }
        Cure::ReleaseTopic(topic) => {
            tell(None, "the namespace is going, and the finalizer is taken off");
            let found = snapshot.get(Kind::KafkaTopic, cx.namespace(), &topic);
            let kept: Vec<&str> =
                found.iter().flat_map(|t| t.finalizers()).filter(|f| !f.starts_with("strimzi.io/")).collect();
            let patch = json!({"metadata": {"finalizers": kept}});
            let kind = "kafkatopics.kafka.strimzi.io";
            match cx.kubectl.patch(cx.namespace(), kind, &topic, &patch, None).await {
                Err(error) if error.kind == ApiErrorKind::NotFound => {}
                done => done.map_err(|e| ownership::api_failure(cx, "take off the topic's finalizer", &e))?,
            }
        }
        Cure::RestartPod(pod) => {
            tell(None, "an earlier run left it so, and the pod gets a new start");
            let deleted = cx.kubectl.delete(Some(cx.namespace()), &pods(vec![pod])).await;
            deleted.map_err(|e| ownership::api_failure(cx, "restart the pod", &e))?;
        }
    }
    Ok(Some(format!("{} (kstrim deals with it)", finding.sentence)))
}

/// Only what kstrim made is touched.
fn permitted(cx: &Cx, snapshot: &Snapshot, cure: &Cure) -> bool {
    let operator =
        snapshot.deployment(cx.namespace(), DEPLOYMENT).is_some_and(|d| ownership::is_ours(d.0.json()));
    let kafka =
        || snapshot.kafka(cx.namespace(), cx.cluster()).is_some_and(|k| ownership::is_ours(k.0.json()));
    match cure {
        Cure::RestartOperator | Cure::ApplyOperator => operator,
        Cure::LookAgain => kafka(),
        Cure::ReleaseTopic(topic) => {
            let found = snapshot.get(Kind::KafkaTopic, cx.namespace(), topic);
            found.is_some_and(|t| ownership::is_ours(t.json()))
        }
        Cure::RestartPod(name) => {
            let pod = snapshot.pods(cx.namespace()).find(|p| p.0.name() == name);
            // One that this run made has had its new start. Kubernetes knows whole seconds.
            let began = cx.began.as_second();
            let older =
                |p: &crate::observe::pod::Pod<'_>| p.0.created().is_some_and(|c| c.as_second() < began);
            pod.filter(older).is_some_and(|p| if p.is_operator() { operator } else { kafka() })
        }
    }
}
