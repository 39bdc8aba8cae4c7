//! What kstrim recovers by itself while it waits: only its own objects, each once per run, and with a warning.
//!
//! Before a finding ends a wait, kstrim tries to recover from it. After a recovery, the same finding is ignored for
//! some time.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::ownership;
use super::session::Session;
use crate::cluster::change;
use crate::cluster::inventory::{Class, Inventory};
use crate::errors;
use crate::explain::{Finding, Recovery};
use crate::failure::Result;
use crate::kube::cluster::OPERATOR;
use crate::kube::kafka::Kafka;
use crate::kube::{ApiErrorKind, Kind, Snapshot};
use crate::manifest::Object;

/// How long a recovery may take to have an effect: a restarted operator starts reconciling after about 15 s on a
/// quiet machine (recording 06b), and needs some more time for it.
const EFFECT_WITHIN: Duration = Duration::from_secs(90);

/// How long a restarted operator needs until it has reconciled everything, on a busy machine.
const RECONCILES_WITHIN: Duration = Duration::from_secs(60);

/// How long until the operator has reconciled every resource again by itself (STRIMZI_FULL_RECONCILIATION_INTERVAL_MS
/// is 120 s).
const NEXT_FULL_RECONCILIATION: Duration = Duration::from_secs(180);

/// The annotation that kstrim sets on a Kafka resource to trigger a reconciliation; its value is the time.
const TRIGGER: &str = "kstrim/looked-at";

/// A session, and what remediation may need in addition.
#[async_trait(?Send)]
pub(crate) trait Remedies {
    /// The session.
    fn session(&self) -> &Session;

    /// The objects of the operator as this run installs them; `None` if this run installs none.
    async fn operator(&self) -> Result<Option<Vec<Object>>>;
}

#[async_trait(?Send)]
impl Remedies for Session {
    fn session(&self) -> &Session {
        self
    }

    async fn operator(&self) -> Result<Option<Vec<Object>>> {
        Ok(None)
    }
}

/// Try to recover from `finding`. `None`: kstrim cannot, or has already tried without success; the finding ends the
/// wait.
pub(crate) async fn remediate(
    remedies: &impl Remedies,
    snapshot: &Snapshot,
    finding: &Finding,
) -> Result<Option<String>> {
    let cx = remedies.session();
    if just_restarted(cx, snapshot, finding) {
        return Ok(Some(format!("{} (the operator was just restarted)", finding.sentence)));
    }
    let Some(recovery) = finding.recovery.clone() else { return Ok(None) };
    // Nothing is changed without the namespace's Lease; a namespace that is being deleted accepts none.
    if cx.ownership.lease.borrow().is_none() && !matches!(recovery, Recovery::ReleaseTopic(_)) {
        return Ok(None);
    }
    let may = permitted(cx, snapshot, &recovery);
    if !may && recovery != Recovery::Reconcile {
        return Ok(None);
    }
    let key = match &recovery {
        // A pod is restarted once per run, whatever the cause.
        Recovery::RestartPod(pod) => format!("pod/{pod}"),
        Recovery::ReleaseTopic(topic) => format!("topic/{topic}"),
        Recovery::RestartOperator | Recovery::ApplyOperator | Recovery::Reconcile => {
            finding.id.as_str().to_owned()
        }
    };
    let within = if may { EFFECT_WITHIN } else { NEXT_FULL_RECONCILIATION };
    if let Some(at) = cx.waiting.remedied.borrow().get(&key) {
        return Ok(
            (at.elapsed() < within).then(|| format!("{} (kstrim has just handled this)", finding.sentence))
        );
    }
    cx.waiting.remedied.borrow_mut().insert(key, Instant::now());
    if !may {
        return Ok(Some(finding.sentence.clone()));
    }
    let warn = |what: &str| {
        cx.emit.warn_of(finding.id, format!("{}: {what} ({})", finding.sentence, finding.id));
    };
    match recovery {
        Recovery::RestartOperator => {
            warn("the operator is restarted");
            let all = snapshot.pods(cx.namespace()).filter(|p| p.is_operator() && !p.0.deleting());
            let names: Vec<String> = all.map(|p| p.0.name().to_owned()).collect();
            restart(cx, "the operator", &names).await?;
        }
        Recovery::ApplyOperator => {
            warn("its permissions are applied again");
            let Some(objects) = remedies.operator().await? else { return Ok(None) };
            ownership::apply_install(cx, &objects, "apply the operator").await?;
        }
        Recovery::Reconcile => {
            warn("its reconciliation is triggered now");
            let now = jiff::Timestamp::now().to_string();
            let trigger = |_: &Kafka<'_>| Some(json!({"metadata": {"annotations": {TRIGGER: now}}}));
            ownership::change_kafka(cx, false, None, "annotate the Kafka resource", trigger).await?;
        }
        Recovery::ReleaseTopic(topic) => {
            warn("the namespace is being deleted, so the finalizer is removed");
            let found = snapshot.get(Kind::KafkaTopic, cx.namespace(), &topic);
            let installation = ownership::installation(cx).await?;
            let collection = Kind::KafkaTopic.path(cx.api_version(), Some(cx.namespace()));
            let owned = found.and_then(|t| installation.owned(&collection, t.json()));
            let Some(owned) = owned else { return Ok(None) };
            let patched = change::patch(&cx.kubectl, &installation, &owned, without_strimzi_finalizers).await;
            match patched.map(drop) {
                Err(error) if error.kind == ApiErrorKind::NotFound => {}
                done => done.map_err(|e| cx.api_failure("remove the topic's finalizer", &e))?,
            }
        }
        Recovery::RestartPod(pod) => {
            warn("left by an earlier run; the pod is restarted");
            restart(cx, "the pod", &[pod]).await?;
        }
    }
    Ok(Some(format!("{} (kstrim is handling this)", finding.sentence)))
}

/// Whether a finding concerns a pod that is older than kstrim's restart of the operator: the operator replaces the
/// pod when it reconciles the change for which it was restarted.
fn just_restarted(cx: &Session, snapshot: &Snapshot, finding: &Finding) -> bool {
    let healed = cx.waiting.remedied.borrow();
    let Some(ago) = healed.get(errors::OPERATOR_LOCK.as_str()).map(Instant::elapsed) else { return false };
    let pod =
        finding.subject.strip_prefix("pod/").and_then(|name| snapshot.get(Kind::Pod, cx.namespace(), name));
    let restarted = jiff::Timestamp::now().checked_sub(ago).ok();
    ago < RECONCILES_WITHIN && pod.is_some_and(|pod| pod.created() < restarted)
}

/// Delete pods of the installation, so that their controllers create new ones.
async fn restart(cx: &Session, what: &str, names: &[String]) -> Result<()> {
    let installation = ownership::installation(cx).await?;
    let failed = |e| cx.api_failure(&format!("restart {what}"), &e);
    let inventory = Inventory::of(&cx.kubectl, &installation, &BTreeSet::new()).await.map_err(failed)?;
    let pods = inventory.of_class(Class::Dependent).filter(|i| i.kind == "Pod");
    for pod in pods.filter(|pod| names.iter().any(|name| name == pod.name())) {
        let known = inventory.uids();
        if let Some(owned) = installation.dependent(&pod.collection, &pod.object, &known) {
            change::delete(&cx.kubectl, &installation, &owned).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// A patch that removes Strimzi's finalizers from an object.
pub(crate) fn without_strimzi_finalizers(object: &Value) -> Option<Value> {
    let finalizers = object.pointer("/metadata/finalizers").and_then(Value::as_array)?;
    let kept: Vec<&Value> =
        finalizers.iter().filter(|f| !f.as_str().is_some_and(|f| f.starts_with("strimzi.io/"))).collect();
    (kept.len() < finalizers.len()).then(|| json!({"metadata": {"finalizers": kept}}))
}

/// Whether kstrim created what the recovery changes.
fn permitted(cx: &Session, snapshot: &Snapshot, recovery: &Recovery) -> bool {
    let operator = snapshot.deployment(cx.namespace(), OPERATOR).is_some_and(|d| cx.owns(d.0.json()));
    let kafka = || snapshot.kafka(cx.namespace(), cx.cluster()).is_some_and(|k| cx.owns(k.0.json()));
    match recovery {
        Recovery::RestartOperator | Recovery::ApplyOperator => operator,
        Recovery::Reconcile => kafka(),
        Recovery::ReleaseTopic(topic) => {
            let found = snapshot.get(Kind::KafkaTopic, cx.namespace(), topic);
            found.is_some_and(|t| cx.owns(t.json()))
        }
        Recovery::RestartPod(name) => {
            let pod = snapshot.pods(cx.namespace()).find(|p| p.0.name() == name);
            // A pod that this run created has already been restarted. Kubernetes' timestamps are whole seconds.
            let began = cx.waiting.began.as_second();
            let older = |p: &crate::kube::pod::Pod<'_>| p.0.created().is_some_and(|c| c.as_second() < began);
            // Containers restart by themselves and keep the pod's volumes; deleting the pod would delete the only
            // copy.
            let keeps = |p: &crate::kube::pod::Pod<'_>| !p.has_ephemeral_data();
            pod.filter(older).filter(keeps).is_some_and(|p| if p.is_operator() { operator } else { kafka() })
        }
    }
}
