//! An operator that is running but does nothing: it has no permission, or is waiting.
//!
//! While it waits up to 300 s for a pod that will never be ready, it holds the lock for that cluster's name: a
//! corrected or re-created resource is not reconciled. No field shows this; it follows from generations, a stuck pod
//! and the reconciliation that is open in its log.

use jiff::{SignedDuration, Timestamp};

use super::finding::{Finding, Recovery};
use super::scene::{OPERATOR, Probe, Scene};
use super::working::{self, Open};
use super::{Family, Rule};
use crate::errors;
use crate::kube::Object;
use crate::kube::cluster::Deployment;
use crate::kube::kafka::Kafka;
use crate::kube::pod::{Pod, State};

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[
            errors::OPERATOR_LOCK,
            errors::OPERATOR_SILENT,
            errors::OPERATOR_FORBIDDEN,
            errors::OPERATOR_BINDING,
        ],
        family: Family::Kafka,
        find: silent,
    },
    Rule {
        ids: &[errors::KAFKA_UNOBSERVED, errors::OPERATOR_FORBIDDEN, errors::OPERATOR_BINDING],
        family: Family::Kafka,
        find: unobserved,
    },
    Rule {
        ids: &[errors::OPERATOR_LOCK, errors::KAFKA_UNOBSERVED],
        family: Family::Kafka,
        find: ignored_fix,
    },
    Rule {
        ids: &[errors::OPERATOR_LOCK, errors::KAFKA_UNOBSERVED],
        family: Family::Kafka,
        find: ignored_pool,
    },
    Rule { ids: &[errors::KAFKA_UNOBSERVED], family: Family::Kafka, find: pool_change },
];

/// Probes whether the operator has its permissions.
fn permission_probe(scene: &Scene<'_>, operator: Deployment<'_>) -> Probe {
    let account = Some(operator.service_account()).filter(|a| !a.is_empty()).unwrap_or("default");
    Probe::AuthCanI {
        verb: "list".to_owned(),
        resource: "kafkas.kafka.strimzi.io".to_owned(),
        user: format!("system:serviceaccount:{}:{account}", scene.expect.operator_namespace),
        namespace: scene.expect.namespace.clone(),
    }
}

/// A Kafka resource without any status, while an operator is running. A working one reports `Creating` within a
/// second, even 18 s before it is `Available`.
fn silent(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let expect = scene.expect;
    let Some(kafka) = scene.kafka().filter(|k| !k.0.has_status() && !k.0.deleting()) else { return };
    let Some(operator) = scene.operator().filter(|o| o.available().is_some()) else { return };
    let probe = permission_probe(scene, operator);
    let subject = format!("kafka/{}", expect.cluster);
    let evidence =
        format!("kafkas/{} has no status, deployments/{} Available=True", expect.cluster, expect.operator);
    let answer = scene.answers.get(&probe).map(|a| a.trim());
    let finding = match answer {
        Some("no") => forbidden(scene, subject, &probe),
        Some("yes") => {
            let earlier = at_work(scene).filter(|o| o.since <= kafka.0.created());
            let finding = Finding::new(
                errors::OPERATOR_LOCK,
                80,
                subject,
                format!("the operator waits up to 300 s for an earlier Kafka {}", expect.cluster),
            )
            .recovery(Recovery::RestartOperator)
            .hint(scene.restart_operator());
            let evidence = match earlier {
                Some(open) => format!("{evidence}; {}", log_lines(open)),
                None => evidence,
            };
            // The operator of a busy machine may need half a minute to start; one that hangs logs nothing.
            let after = if earlier.is_some() { 10 } else { 30 };
            asking(scene, finding.evidence(evidence)).certain_after(after)
        }
        _ => Finding::new(
            errors::OPERATOR_SILENT,
            20,
            subject,
            format!("the operator is running but has not reconciled Kafka {} yet", expect.cluster),
        )
        .evidence(evidence)
        .hint(format!("show its log: {}", scene.operator_log()))
        .probe(probe)
        .certain_after(60),
    };
    found.push(finding.since(kafka.0.created()));
}

/// Probes what the newest running operator pod is doing.
fn log_probe(scene: &Scene<'_>) -> Option<Probe> {
    let pods = scene.operator_pods();
    let pod = pods.iter().filter(|p| p.phase() == "Running").max_by_key(|p| p.0.created())?;
    Some(Probe::Reconciliations {
        namespace: pod.0.namespace().to_owned(),
        pod: pod.0.name().to_owned(),
        look: scene.look(),
    })
}

/// The newest result of it.
fn answered<'a>(scene: &Scene<'a>) -> Option<&'a str> {
    let Some(Probe::Reconciliations { pod, .. }) = log_probe(scene) else { return None };
    scene.newest(|p| match p {
        Probe::Reconciliations { pod: of, look, .. } if *of == pod => Some(*look),
        _ => None,
    })
}

fn at_work(scene: &Scene<'_>) -> Option<Open> {
    working::open(answered(scene)?, &scene.expect.namespace, &scene.expect.cluster)
}

/// Probe what it is doing, again if the result is too old.
fn asking(scene: &Scene<'_>, finding: Finding) -> Finding {
    match log_probe(scene) {
        Some(probe) => finding.probe(probe),
        None => finding,
    }
}

/// The operator's log lines about an open reconciliation.
fn log_lines(open: Open) -> String {
    let since = open.since.map_or(String::new(), |at| format!(" began at {at} and"));
    format!("the operator's log: reconciliation #{}{since} is not finished", open.number)
}

/// The operator lacks permissions: its bindings show why.
fn forbidden(scene: &Scene<'_>, subject: String, probe: &Probe) -> Finding {
    let (namespace, home) = (&scene.expect.namespace, &scene.expect.operator_namespace);
    let bindings = Probe::Bindings { namespace: namespace.clone() };
    let up = scene.expect.kstrim("up");
    // `BINDING NAMESPACE`, for the operator's own bindings.
    let of_it = |line: &&str| line.starts_with(OPERATOR);
    let elsewhere = scene.answers.get(&bindings).and_then(|answer| {
        let mut others = answer.lines().filter(of_it).filter_map(|l| l.split_once(' '));
        others.find(|(_, of)| of != home).map(|(name, of)| (name.to_owned(), of.to_owned()))
    });
    let finding = match elsewhere {
        Some((name, of)) => Finding::new(
            errors::OPERATOR_BINDING,
            87,
            subject,
            format!("the operator is bound to the wrong namespace: it runs in {home}, but its permissions are for {of}"),
        )
        .evidence(format!("rolebindings/{name} subjects[].namespace={of}; {probe}: no"))
        .hint(format!("the install files contain the placeholder myproject; to apply them correctly: {up}")),
        None => Finding::new(
            errors::OPERATOR_FORBIDDEN,
            86,
            subject,
            format!("the operator is running but cannot read Kafka resources in namespace {namespace}"),
        )
        .evidence(format!("{probe}: no"))
        .probe(bindings)
        .hint(match scene.operator().is_some_and(|operator| !operator.is_kstrims()) {
            true => "its role or its RoleBindings were changed or removed: kstrim did not install it, so \
                     its owner applies them again"
                .to_owned(),
            false => format!(
                "its role or its RoleBindings were changed or removed; to apply them correctly: {up}"
            ),
        }),
    };
    // kstrim grants permissions only to its own operator, which is in the Kafka cluster's namespace.
    match home == namespace {
        true => finding.recovery(Recovery::ApplyOperator).certain_after(1),
        false => finding.certain_after(1),
    }
}

/// The result of [`Probe::Bindings`] from the API server's list.
pub fn subjects(list: &serde_json::Value) -> String {
    let mut lines = String::new();
    for binding in list["items"].as_array().into_iter().flatten() {
        let name = binding.pointer("/metadata/name").and_then(|n| n.as_str()).unwrap_or_default();
        for subject in binding["subjects"].as_array().into_iter().flatten() {
            if let Some(namespace) = subject["namespace"].as_str() {
                lines.push_str(&format!("{name} {namespace}\n"));
            }
        }
    }
    lines
}

/// A change that an operator does not reconcile, while no broker is being rolled for it: it may have lost its
/// permissions, or hang.
fn unobserved(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting() && k.0.has_status()) else { return };
    let changed = |object: &Object| object.has_status() && !object.deleting() && !object.observed();
    let Some(object) = objects(scene).find(|object| changed(object)) else { return };
    // The Kafka resource comes first.
    let of_kafka = !kafka.0.observed();
    // The first reconciliation reports generation 0 until it has finished; its problems are those of its pods.
    if kafka.0.observed_generation().unwrap_or(0) == 0 || kafka.paused().is_some() {
        return;
    }
    let Some(operator) = scene.operator().filter(|o| o.available().is_some()) else { return };
    if scene.nodes().any(|p| p.0.deleting() || !p.ready()) {
        return;
    }
    let probe = permission_probe(scene, operator);
    let cluster = &scene.expect.cluster;
    let subject = format!("kafka/{cluster}");
    if scene.answers.get(&probe).is_some_and(|a| a.trim() == "no") {
        found.push(forbidden(scene, subject, &probe).since(scene.changed_at()));
        return;
    }
    let finding = Finding::new(
        errors::KAFKA_UNOBSERVED,
        22,
        subject,
        format!("the operator has not reconciled the last change of Kafka {cluster}"),
    )
    .evidence(format!(
        "{}s/{} generation {}, observedGeneration {}",
        if of_kafka { "kafka" } else { "kafkanodepool" },
        object.name(),
        object.generation().unwrap_or(0),
        object.observed_generation().unwrap_or(0)
    ))
    .recovery(Recovery::RestartOperator)
    .hint(scene.restart_operator())
    .since(scene.changed_at().max(object.spec_written().filter(|_| !of_kafka)))
    .certain_after(60);
    // Normally it takes seconds.
    let late = scene.age(scene.changed_at()) > 10;
    found.push(if late { finding.probe(probe) } else { finding });
}

/// A correction after a pod got stuck, while it is still stuck. Only the operator's log shows that it has been
/// reconciling since before the correction: an operator that is merely slow has no open reconciliation, and is not
/// restarted.
fn ignored_fix(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting() && k.0.has_status()) else { return };
    if kafka.paused().is_some() || scene.operator_available().is_none() {
        return;
    }
    let open = at_work(scene);
    let mut stuck = scene.nodes().filter(|p| !p.0.deleting() && is_stuck(scene, *p));
    let Some((pod, change)) = stuck.find_map(|p| Some((p, changed_since(scene, kafka, p)?))) else {
        return;
    };
    let before = |open: &Open| match change {
        Change::At(changed) => open.since.is_none_or(|since| since <= changed),
        Change::Unseen => true,
        Change::TakenBack => {
            let Some(since) = open.since else { return false };
            let made_by_it = pod.0.created().is_some_and(|created| created >= since);
            let last = objects(scene).filter_map(Object::spec_written).max();
            // The change that triggered it was written after the previous one began, and no longer exists.
            let seen = open.before.unwrap_or(since - NO_TRACE);
            made_by_it && last.is_none_or(|last| last < seen)
        }
    };
    let cluster = &scene.expect.cluster;
    let observed = |o: &Object| {
        let (wanted, seen) = (o.generation().unwrap_or(0), o.observed_generation().unwrap_or(0));
        format!("{} generation {wanted}, observedGeneration {seen}", o.name())
    };
    let behind: Vec<String> = objects(scene).filter(|o| !o.observed()).map(observed).collect();
    let evidence = format!("{}; pods/{} is of an earlier specification", behind.join(", "), pod.0.name());
    let (subject, pod_name) = (format!("kafka/{cluster}"), pod.0.name());
    let open = open.filter(before);
    // Its log cannot be read, but the status shows that it saw the correction.
    let unread = answered(scene).is_none() && matches!(change, Change::At(_));
    if open.is_none() && !unread {
        let says = format!("the operator has not reconciled the last change of Kafka {cluster} yet");
        found.push(asking(
            scene,
            Finding::new(errors::KAFKA_UNOBSERVED, 22, subject, says).evidence(evidence),
        ));
        return;
    }
    let says = format!(
        "the operator is still waiting for {pod_name} as it was before the correction, for up to 300 s"
    );
    let evidence = open.map_or(evidence.clone(), |open| format!("{evidence}; {}", log_lines(open)));
    let finding = Finding::new(errors::OPERATOR_LOCK, 80, subject, says)
        .recovery(Recovery::RestartOperator)
        .evidence(evidence)
        .hint(scene.restart_operator())
        .since(match change {
            Change::At(changed) => Some(changed),
            _ => pod.0.created(),
        })
        .certain_after(if unread { 30 } else { 10 });
    found.push(asking(scene, finding));
}

/// A node pool that was re-created while the operator waits for pods of the deleted one, which no longer exist (seen
/// with 1.2.0: five minutes).
fn ignored_pool(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let Some(kafka) = scene.kafka().filter(|k| !k.0.deleting() && k.0.has_status()) else { return };
    if kafka.paused().is_some()
        || scene.operator_available().is_none()
        || scene.nodes().any(|p| !p.0.deleting())
    {
        return;
    }
    // With a new Kafka cluster, a pool without a status is normal.
    let later = |pool: &Object| {
        pool.created().zip(kafka.0.created()).is_some_and(|(p, k)| p.duration_since(k) > CREATED_LATER)
    };
    let mut pools = scene.pools().map(|pool| pool.0);
    let Some(pool) = pools.find(|pool| !pool.has_status() && !pool.deleting() && later(pool)) else { return };
    let (cluster, name) = (&scene.expect.cluster, pool.name());
    let (subject, evidence) = (format!("kafka/{cluster}"), format!("kafkanodepools/{name} has no status"));
    let finding = match at_work(scene).filter(|open| open.since.is_some() && open.since <= pool.created()) {
        Some(open) => Finding::new(
            errors::OPERATOR_LOCK,
            80,
            subject,
            format!(
                "the operator is still waiting for brokers as they were before the node pool {name}, and \
                 does not reconcile it for up to 300 s"
            ),
        )
        .recovery(Recovery::RestartOperator)
        .evidence(format!("{evidence}; {}", log_lines(open)))
        .hint(scene.restart_operator())
        .certain_after(10),
        None => {
            let says = format!("the operator has not reconciled the node pool {name} yet");
            Finding::new(errors::KAFKA_UNOBSERVED, 22, subject, says).evidence(evidence)
        }
    };
    found.push(asking(scene, finding).since(pool.created()));
}

/// Whether the operator is reconciling a node pool that was changed after the Kafka resource became ready. The pool's
/// own status only shows that it has started, and a change of a pool does not change the Kafka resource's generation.
pub(crate) fn is_reconciling_pool(scene: &Scene<'_>) -> bool {
    let Some(written) = changed_pool(scene) else { return false };
    match answered(scene) {
        Some(_) => at_work(scene).is_some(),
        // The result takes a moment; a log that cannot be read shows nothing.
        None => log_probe(scene).is_some() && scene.age(Some(written)) < LOG_READ_WITHIN,
    }
}

/// When the spec of a node pool was last written, if that was after the Kafka resource became ready and not long ago.
fn changed_pool(scene: &Scene<'_>) -> Option<Timestamp> {
    let ready = scene.kafka()?.ready()?.last_transition?;
    let written = scene.pools().filter_map(|pool| pool.0.spec_written()).max()?;
    (written > ready && scene.age(Some(written)) < RECONCILED_WITHIN).then_some(written)
}

/// Probe what the operator is doing, if [`is_reconciling_pool`] needs it.
fn pool_change(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    if !is_reconciling_pool(scene) {
        return;
    }
    let says = "the operator is reconciling the last change of a node pool".to_owned();
    let finding = Finding::new(errors::KAFKA_UNOBSERVED, 5, format!("kafka/{}", scene.expect.cluster), says);
    found.push(asking(scene, finding).since(changed_pool(scene)));
}

/// Seconds within which the operator's log is read.
const LOG_READ_WITHIN: i64 = 15;
/// Seconds after which every change has been reconciled: the operator reconciles everything every 120 s.
const RECONCILED_WITHIN: i64 = 600;

/// How much later than its Kafka resource a node pool that was not created with it is created.
const CREATED_LATER: SignedDuration = SignedDuration::from_secs(15);

/// The Kafka resource and its pools.
fn objects<'a>(scene: &Scene<'a>) -> impl Iterator<Item = &'a Object> {
    scene.kafka().map(|k| k.0).into_iter().chain(scene.pools().map(|p| p.0))
}

/// A change that a stuck pod does not reflect.
#[derive(Clone, Copy)]
enum Change {
    /// Written at this time, after the pod was created.
    At(Timestamp),
    /// In the pod's node pool, whose status the operator writes as soon as it starts (0.7 s, recording 16).
    Unseen,
    /// Two changes since the operator last finished, the first of which may have been reverted.
    TakenBack,
}

/// How much older than a reconciliation the last visible change must be to conclude that the change that triggered it
/// was reverted without a trace; for a log that does not show the previous reconciliation.
const NO_TRACE: SignedDuration = SignedDuration::from_secs(60);

fn changed_since(scene: &Scene<'_>, kafka: Kafka<'_>, pod: Pod<'_>) -> Option<Change> {
    let begun = |o: &Object| o.observed_generation().is_some_and(|seen| seen > 0);
    let pool = scene.pools().find(|p| pod.0.label("strimzi.io/pool-name") == Some(p.0.name()));
    if pool.is_some_and(|p| begun(p.0) && !p.0.observed()) {
        return Some(Change::Unseen);
    }
    if kafka.0.observed() && scene.pools().all(|p| p.0.observed()) {
        return None;
    }
    // Only a write after the last status update is a correction that was not handled.
    let verdict = kafka.not_ready().or(kafka.ready()).and_then(|c| c.last_transition);
    let written = scene.changed_at().max(objects(scene).filter_map(Object::spec_written).max());
    if let Some(changed) = written
        && pod.0.created() < Some(changed)
        && !(verdict.is_some() && Scene::answers_to(verdict, Some(changed)))
    {
        return Some(Change::At(changed));
    }
    let missed = kafka.0.generation().unwrap_or(0) - kafka.0.observed_generation().unwrap_or(0);
    (begun(kafka.0) && missed >= 2).then_some(Change::TakenBack)
}

/// Whether a pod will not start without help: it ended twice, or once with a cause that its log shows.
fn is_stuck(scene: &Scene<'_>, pod: Pod<'_>) -> bool {
    pod.unschedulable().is_some()
        || pod.containers().any(|c| {
            let pull = |r: &str| matches!(r, "ErrImagePull" | "ImagePullBackOff" | "InvalidImageName");
            let told = || super::pods::asked(pod, &c, scene).and_then(super::logs::broker).is_some();
            c.crashes(scene.expect.crashes_since()) >= 2
                || c.down().is_some() && told()
                || matches!(c.state(), State::Waiting { reason, .. } if pull(reason))
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::explain::{Answers, Expect};
    use crate::kube::Snapshot;

    /// What `look` finds at 20:30, if the Kafka resource has been ready since 20:01, the pool was created and written
    /// then, and the operator's log is this; `None`: it cannot be read.
    fn scene<T>(pool: (&str, &str), status: bool, log: Option<&str>, look: fn(&Scene<'_>) -> T) -> T {
        let operator = json!({"kind": "Deployment", "metadata": {"name": OPERATOR, "namespace": "kafka", "generation": 1},
            "spec": {"template": {"spec": {"containers": [{"name": "o"}]}}},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Available", "status": "True",
                "lastTransitionTime": "2026-11-22T19:59:00Z"}]}});
        let pod = json!({"kind": "Pod", "metadata": {"name": "operator-1", "namespace": "kafka",
                "labels": {"name": OPERATOR, "strimzi.io/kind": "cluster-operator"}},
            "status": {"phase": "Running"}});
        let kafka = json!({"kind": "Kafka", "spec": {"kafka": {}},
            "metadata": {"name": "my-cluster", "namespace": "kafka", "generation": 1,
                "creationTimestamp": "2026-11-22T20:00:00Z"},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True",
                "lastTransitionTime": "2026-11-22T20:01:00Z"}]}});
        let mut of_pool = json!({"kind": "KafkaNodePool", "spec": {"replicas": 1, "roles": ["broker"]},
            "metadata": {"name": "dual-role", "namespace": "kafka", "generation": 1, "creationTimestamp": pool.0,
                "managedFields": [{"time": pool.1, "fieldsV1": {"f:spec": {}}}],
                "labels": {"strimzi.io/cluster": "my-cluster"}}});
        if status {
            of_pool["status"] = json!({"observedGeneration": 1});
        }
        let snapshot = Snapshot::of([operator, pod, kafka, of_pool].map(Object::new));
        let expect = Expect::kafka("kafka", "my-cluster").located(&snapshot);
        let now = "2026-11-22T20:30:00Z".parse().unwrap();
        let mut answers = Answers::new();
        if let Some(log) = log {
            let at = Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now }.look();
            let probe =
                Probe::Reconciliations { namespace: "kafka".into(), pod: "operator-1".into(), look: at };
            answers.insert(probe, log.to_owned());
        }
        look(&Scene { snapshot: &snapshot, expect: &expect, answers: &answers, now })
    }

    fn began(at: &str) -> String {
        format!(
            "2026-11-22 {at} INFO  AbstractOperator:242 - Reconciliation #1(watch) Kafka(kafka/my-cluster): Kafka \
             my-cluster will be checked for creation or modification\n"
        )
    }

    #[test]
    fn a_recreated_pool_waits_for_an_operator_that_waits_for_the_deleted_one() {
        let found = |created: &str, log: &str| {
            scene((created, created), false, Some(log), |scene| {
                let mut found = Vec::new();
                ignored_pool(scene, &mut found);
                found.iter().map(|f| (f.id.as_str(), f.recovery.is_some())).collect::<Vec<_>>()
            })
        };
        let again = "2026-11-22T20:29:00Z";
        assert_eq!(found(again, &began("20:28:56")), [("KS-OPERATOR-LOCK", true)]);
        assert_eq!(found(again, &began("20:29:02")), [("KS-KAFKA-UNOBSERVED", false)], "it is at it");
        assert_eq!(found(again, ""), [("KS-KAFKA-UNOBSERVED", false)]);
        assert_eq!(found("2026-11-22T20:00:02Z", &began("20:00:00")), [], "created with its Kafka");
    }

    /// Seen with 1.2.0: the pool's status is written before any pod is restarted, and the Kafka resource stays ready.
    #[test]
    fn a_change_of_a_pool_is_done_when_the_reconciliation_is() {
        let works = |written: &str, log: Option<&str>| {
            scene(("2026-11-22T20:00:00Z", written), true, log, is_reconciling_pool)
        };
        let (just, ended) = (
            "2026-11-22T20:29:55Z",
            began("20:29:55")
                + &began("20:29:55")
                    .replace("Kafka my-cluster will be checked for creation or modification", "reconciled"),
        );
        assert!(works(just, Some(&began("20:29:55"))));
        assert!(!works(just, Some(&ended)));
        assert!(works(just, None), "the log was not read yet");
        assert!(!works("2026-11-22T20:29:30Z", None), "it cannot be read");
        assert!(!works("2026-11-22T20:00:30Z", Some(&began("20:29:55"))), "before Kafka was ready");
    }
}
