//! Pods that are not created because admission rejects them, as reported by their owners.
//!
//! A Deployment reports it in its condition `ReplicaFailure` (copied from its ReplicaSet), a StatefulSet and a Job in
//! events `FailedCreate`, a StrimziPodSet in its condition `Error`: the operator creates those pods itself.

use std::time::Duration;

use jiff::Timestamp;

use super::finding::Finding;
use super::finding::short;
use super::scene::{Expect, Probe, Scene, Scope};
use super::{Family, Rule};
use crate::errors;
use crate::failure::Id;
use crate::kube::admission::{By, Refusal, refusal};
use crate::kube::cluster::Deployment;
use crate::kube::object::{list, text};
use crate::kube::pod::Event;
use crate::kube::{Kind, Object};

pub(super) const RULES: &[Rule] = &[Rule {
    ids: &[
        errors::ADMISSION_QUOTA,
        errors::ADMISSION_LIMITS,
        errors::ADMISSION_POD_SECURITY,
        errors::ADMISSION_POLICY,
        errors::ADMISSION_WEBHOOK,
        errors::WEBHOOK_FAILED,
        errors::ADMISSION_ACCOUNT,
        errors::ADMISSION_REFUSED,
        errors::POD_NOT_CREATED,
    ],
    family: Family::Pods,
    find: not_created,
}];

/// Ids of rejections by admission.
pub(super) const IDS: [Id; 8] = [
    errors::ADMISSION_QUOTA,
    errors::ADMISSION_LIMITS,
    errors::ADMISSION_POD_SECURITY,
    errors::ADMISSION_POLICY,
    errors::ADMISSION_WEBHOOK,
    errors::WEBHOOK_FAILED,
    errors::ADMISSION_ACCOUNT,
    errors::ADMISSION_REFUSED,
];

/// The webhooks of policy engines, by the prefix of their names, and the command that lists their policies.
const ENGINES: [(&str, &str, &str); 2] = [
    ("validate.kyverno.svc", "Kyverno", "get clusterpolicies,policies -A"),
    ("validation.gatekeeper.sh", "Gatekeeper", "get constraints"),
];

/// The events of controllers that could not create a pod.
const FAILED_CREATE: &str = "FailedCreate";
/// How long such an event describes the present, in seconds: controllers retry after increasing delays of up to 1000
/// s.
const FRESH: i64 = 1200;

/// The meaning of a rejection.
pub(super) struct Meaning {
    pub(super) id: Id,
    /// Why, as a sentence about "it".
    pub(super) sentence: String,
    pub(super) hints: Vec<String>,
    /// How many seconds it must persist before waiting is considered useless.
    seconds: u64,
}

/// The meaning of a rejection. `configuration` contains the webhook: `KIND/NAME`.
pub(super) fn explain_refusal(refusal: &Refusal, configuration: Option<&str>, expect: &Expect) -> Meaning {
    let why = short(&refusal.why);
    let inside = |words| expect.inside(expect.kubectl(words));
    let explained = |id, sentence, hints, seconds| Meaning { id, sentence, hints, seconds };
    match &refusal.by {
        // A rolling update may free some quota.
        By::Quota { name, unspecified: false } => explained(
            errors::ADMISSION_QUOTA,
            match name.as_str() {
                "" => format!("the quotas of the namespace do not permit it: {why}"),
                name => format!("the quota {name} is used up: {why}"),
            },
            vec![
                format!("show what is used: {}", inside("describe quota")),
                "raise the quota, or request less".into(),
            ],
            10,
        ),
        By::Quota { name, unspecified: true } => explained(
            errors::ADMISSION_QUOTA,
            format!("the quota {name} accepts only pods that specify what it counts: {why}"),
            vec![
                format!("show what it counts: {}", inside("describe quota")),
                "a LimitRange in the namespace can set defaults for containers that do not specify it".into(),
            ],
            4,
        ),
        By::LimitRange => explained(
            errors::ADMISSION_LIMITS,
            format!("a LimitRange of the namespace rejects it: {why}"),
            vec![
                format!("show it: {}", inside("describe limitrange")),
                "change the LimitRange, or request what it permits".into(),
            ],
            4,
        ),
        By::PodSecurity { level } => explained(
            errors::ADMISSION_POD_SECURITY,
            format!("the namespace's pod security level {level} rejects it: {why}"),
            vec![
                format!(
                    "configure the operator to create pods that comply: {}",
                    expect
                        .kubectl("set env STRIMZI_POD_SECURITY_PROVIDER_CLASS=restricted")
                        .arg(format!("deployment/{}", expect.operator))
                        .args(["-n", &expect.operator_namespace])
                ),
                format!(
                    "or lower the level: {}",
                    expect
                        .kubectl("label --overwrite namespace")
                        .arg(&expect.namespace)
                        .arg("pod-security.kubernetes.io/enforce=baseline")
                ),
            ],
            4,
        ),
        By::Policy { name } => explained(
            errors::ADMISSION_POLICY,
            format!("the policy {name} rejects it: {why}"),
            vec![
                format!("show it: {}", expect.kubectl("get -o yaml validatingadmissionpolicy").arg(name)),
                "the owner of the policy can exclude this namespace".into(),
            ],
            4,
        ),
        By::Webhook { name } => {
            let engine = ENGINES.iter().find(|(start, ..)| name.starts_with(start));
            let (id, sentence, see) = match engine {
                Some((_, engine, see)) => (
                    errors::ADMISSION_POLICY,
                    format!("a policy of {engine} rejects it (webhook {name}): {why}"),
                    format!("show its policies: {}", expect.kubectl(see)),
                ),
                None => (
                    errors::ADMISSION_WEBHOOK,
                    format!("the webhook {name}{} rejects it: {why}", of(configuration)),
                    see_configuration(configuration, expect),
                ),
            };
            let hints = vec![see, "the owner of the rule can exclude this namespace".into()];
            explained(id, sentence, hints, 4)
        }
        // The webhook's pod may be starting.
        By::BrokenWebhook { name } => {
            let remove = match configuration {
                Some(configuration) => format!(
                    "if it is no longer needed, delete it: {}",
                    expect.kubectl("delete").args(configuration.splitn(2, '/'))
                ),
                None => see_configuration(None, expect),
            };
            let hints = vec!["check that its service is running; the API server itself works".into(), remove];
            let sentence = format!(
                "the API server must call the webhook {name}{}, which does not respond: {why}",
                of(configuration)
            );
            explained(errors::WEBHOOK_FAILED, sentence, hints, 15)
        }
        // If it was applied together with the pods' owner, it may be created a moment later.
        By::ServiceAccount => explained(
            errors::ADMISSION_ACCOUNT,
            format!("its service account does not exist: {why}"),
            vec![format!("list the existing ones: {}", inside("get serviceaccounts"))],
            30,
        ),
        By::Other => explained(
            errors::ADMISSION_REFUSED,
            format!("an admission plugin of the API server rejects it: {why}"),
            vec!["ask the administrator of the cluster what the namespace permits".into()],
            4,
        ),
    }
}

fn of(configuration: Option<&str>) -> String {
    configuration.map_or(String::new(), |c| format!(" of {}", c.replacen('/', " ", 1)))
}

fn see_configuration(configuration: Option<&str>, expect: &Expect) -> String {
    match configuration {
        Some(configuration) => {
            format!("show it: {}", expect.kubectl("get -o yaml").args(configuration.splitn(2, '/')))
        }
        None => format!(
            "find its configuration: {}",
            expect.kubectl("get -o yaml validatingwebhookconfigurations,mutatingwebhookconfigurations")
        ),
    }
}

/// An owner whose pods are not created.
struct Owner<'a> {
    object: &'a str,
    title: String,
    operator: bool,
}

fn not_created(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let before = found.len();
    for deployment in deployments(scene) {
        let name = deployment.0.name();
        let Some(failure) = deployment.replica_failure() else { continue };
        let operator = scene.is_the_operator(deployment);
        let title = if operator { "the operator".to_owned() } else { format!("Deployment {name}") };
        let finding = finding(scene, &Owner { object: "deployment", title, operator }, name, failure.message);
        let mut finding = finding
            .evidence(format!(
                "deployments/{name} ReplicaFailure=True {}: {}",
                failure.reason,
                short(failure.message)
            ))
            .since(failure.last_transition);
        finding = tried(scene, finding, failure.last_transition.max(last_refusal(scene, name)));
        if let Some(hint) = stock(scene, deployment, failure.message) {
            finding.hints.insert(0, hint);
        }
        found.push(finding);
    }
    for set in scene.pod_sets() {
        let Some(error) = set.condition("Error") else { continue };
        let owner = Owner {
            object: "strimzipodset",
            title: format!("StrimziPodSet {}", set.name()),
            operator: false,
        };
        let finding = finding(scene, &owner, set.name(), error.message);
        let evidence =
            format!("strimzipodsets/{} Error {}: {}", set.name(), error.reason, short(error.message));
        let finding = finding.evidence(evidence).since(error.last_transition);
        found.push(tried(scene, finding, error.last_transition));
    }
    for event in events(scene) {
        let (kind, name) = (event.about_kind(), event.about_name());
        let owner = Owner { object: &kind.to_lowercase(), title: format!("{kind} {name}"), operator: false };
        let finding = finding(scene, &owner, name, event.message());
        let evidence = format!("event {FAILED_CREATE} of {kind} {name}: {}", short(event.message()));
        let finding = finding.evidence(evidence).since(event.first());
        found.push(tried(scene, finding, event.last()));
    }
    // A cause that several owners share is reported once, for the owner for which it is certain first.
    let mut ours = found.split_off(before);
    ours.sort_by_key(|f| f.certain_after);
    for finding in ours {
        let same = |f: &Finding| f.id == finding.id && f.depth == finding.depth;
        if !found[before..].iter().any(same) {
            found.push(finding);
        }
    }
}

/// How many seconds an owner has for another attempt, if there was none since this run began to wait. A ReplicaSet
/// doubles its back-off with each rejection; Strimzi's operator reconciles every two minutes.
const RETRIES: i64 = 150;

/// A rejection from before this run may no longer apply; it ends the wait only if the owner does not try again in
/// time.
fn tried(scene: &Scene<'_>, finding: Finding, last: Option<Timestamp>) -> Finding {
    let waits = scene.expect.waits_since;
    if Scene::answers_to(last, waits) || scene.age(waits) > RETRIES {
        return finding;
    }
    Finding { certain_after: Some(Duration::MAX), ..finding }
}

/// When a ReplicaSet of the Deployment last failed to create a pod.
fn last_refusal(scene: &Scene<'_>, deployment: &str) -> Option<Timestamp> {
    let set = format!("{deployment}-");
    let refused = |e: &Event<'_>| {
        e.reason() == FAILED_CREATE && e.about_kind() == "ReplicaSet" && e.about_name().starts_with(&set)
    };
    scene.snapshot.all(Kind::Event).map(Event).filter(refused).filter_map(|e| e.last()).max()
}

/// What prevents the creation of an owner's pods.
fn finding(scene: &Scene<'_>, owner: &Owner<'_>, name: &str, message: &str) -> Finding {
    let subject = format!("{}/{name}", owner.object);
    let depth = if owner.operator { 86 } else { 73 };
    let Some(refusal) = refusal(message) else {
        return Finding::new(
            errors::POD_NOT_CREATED,
            depth - 10,
            subject,
            format!("no pod of {} can be created: {}", owner.title, short(message)),
        )
        .hint(format!(
            "show why: {}",
            scene.expect.inside(scene.expect.kubectl("describe").args([owner.object, name]))
        ))
        .certain_after(30);
    };
    let webhook = refusal.webhook().map(|name| Probe::Webhook { name: name.to_owned() });
    let configuration = webhook.as_ref().and_then(|probe| scene.answers.get(probe));
    let configuration = configuration.map(String::as_str).filter(|c| !c.is_empty());
    let told = explain_refusal(&refusal, configuration, scene.expect);
    let mut finding = Finding::new(
        told.id,
        depth,
        subject,
        format!("no pod of {} can be created: {}", owner.title, told.sentence),
    )
    .certain_after(told.seconds);
    finding.hints = told.hints;
    match webhook {
        Some(probe) => finding.probe(probe),
        None => finding,
    }
}

/// A limit that kstrim's own tuning removes from the operator, and a quota requires.
fn stock(scene: &Scene<'_>, deployment: Deployment<'_>, message: &str) -> Option<String> {
    let refused = refusal(message)?;
    let lacks = |at: &str| deployment.0.json().pointer(at).is_none();
    let tuned = scene.is_the_operator(deployment)
        && matches!(refused.by, By::Quota { unspecified: true, .. })
        && refused.why.contains("limits.cpu")
        && lacks("/spec/template/spec/containers/0/resources/limits/cpu");
    tuned.then(|| {
        format!(
            "kstrim's tuning removes the operator's CPU limit; without tuning: {}",
            scene.expect.kstrim("up --stock")
        )
    })
}

/// The Deployments to check: the operator's, and those of the Kafka cluster and its components.
fn deployments<'a>(scene: &Scene<'a>) -> Vec<Deployment<'a>> {
    let matters = |d: &Deployment<'a>| {
        if let Some(workload) = scene.workload() {
            let is = workload.kind == "Deployment" && d.0.name() == workload.name || scene.counts(d.0);
            return is && d.0.namespace() == scene.expect.namespace;
        }
        scene.is_the_operator(*d)
            || scene.expect.scope != Scope::Operator
                && d.0.namespace() == scene.expect.namespace
                && d.0.label("strimzi.io/cluster") == Some(&scene.expect.cluster)
                && scene.counts(d.0)
    };
    scene.snapshot.all(Kind::Deployment).filter(|d| !d.deleting()).map(Deployment).filter(matters).collect()
}

/// Events of StatefulSets and Jobs that could not create a pod and have none. A ReplicaSet's are in its Deployment's
/// condition, which disappears with the failure.
fn events<'a>(scene: &Scene<'a>) -> Vec<Event<'a>> {
    if scene.expect.scope == Scope::Operator {
        return Vec::new();
    }
    let cluster = format!("{}-", scene.expect.cluster);
    let owned = |uid: &str| {
        let of =
            |o: &Object| list(o.json(), "/metadata/ownerReferences").iter().any(|r| text(r, "/uid") == uid);
        scene.snapshot.pods(&scene.expect.namespace).any(|p| !p.0.deleting() && of(p.0))
    };
    let matters = |e: &Event<'a>| {
        e.reason() == FAILED_CREATE
            && e.0.namespace() == scene.expect.namespace
            && matches!(e.about_kind(), "StatefulSet" | "Job")
            && match scene.workload() {
                Some(workload) => e.about_kind() == workload.kind && e.about_name() == workload.name,
                None => e.about_name().starts_with(&cluster),
            }
            && scene.age(e.last()) < FRESH
            && !owned(e.about_uid())
    };
    scene.snapshot.all(Kind::Event).map(Event).filter(matters).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::command_line::Aim;
    use crate::explain::{Answers, findings};
    use crate::kube::Snapshot;

    const T0: &str = "2026-11-22T20:00:00Z";

    fn look(scope: Scope, objects: &[Value], answers: &Answers) -> Vec<Finding> {
        let snapshot = Snapshot::of(objects.iter().cloned().map(Object::new));
        let mut expect = Expect::kafka("kafka", "my-cluster").scope(scope).located(&snapshot);
        expect.aims = vec![Aim { long: "--profile", value: "hunt".to_owned() }];
        let now = "2026-11-22T20:05:00Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers, now };
        let ours = |f: &Finding| RULES[0].ids.contains(&f.id);
        findings(&scene).into_iter().filter(ours).collect()
    }

    fn found(scope: Scope, objects: &[Value]) -> Vec<Finding> {
        look(scope, objects, &Answers::new())
    }

    fn deployment(name: &str, labels: Value, message: &str) -> Value {
        json!({"kind": "Deployment", "metadata": {"name": name, "namespace": "kafka", "labels": labels},
            "spec": {"template": {"spec": {"containers": [{"name": "c", "resources": {"limits": {"memory": "384Mi"}}}]}}},
            "status": {"conditions": [{"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate",
                "message": message, "lastTransitionTime": T0}]}})
    }

    fn operator(message: &str) -> Value {
        deployment("strimzi-cluster-operator", json!({"app": "strimzi"}), message)
    }

    fn entity(message: &str) -> Value {
        let labels = json!({"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka",
            "strimzi.io/name": "my-cluster-entity-operator", "strimzi.io/component-type": "entity-operator"});
        deployment("my-cluster-entity-operator", labels, message)
    }

    fn pod_set(message: &str) -> Value {
        json!({"kind": "StrimziPodSet", "metadata": {"name": "my-cluster-dual-role", "namespace": "kafka",
                "labels": {"strimzi.io/cluster": "my-cluster", "strimzi.io/kind": "Kafka",
                    "strimzi.io/name": "my-cluster-kafka"}},
            "status": {"observedGeneration": 1, "conditions": [{"type": "Error", "status": "true",
                "reason": "KubernetesClientException", "message": message, "lastTransitionTime": T0}]}})
    }

    fn failed_create(kind: &str, name: &str, message: &str) -> Value {
        json!({"kind": "Event", "metadata": {"name": format!("{name}.1"), "namespace": "kafka"}, "type": "Warning",
            "reason": "FailedCreate", "message": message, "firstTimestamp": T0, "lastTimestamp": T0,
            "involvedObject": {"kind": kind, "name": name, "uid": "u"}})
    }

    const QUOTA_MESSAGE: &str =
        r#"pods "x" is forbidden: failed quota: team: must specify limits.cpu for: strimzi-cluster-operator"#;
    const SECURITY_MESSAGE: &str = r#"pods "x" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false"#;
    const WEBHOOK_MESSAGE: &str = r#"Internal error occurred: failed calling webhook "a.b.c": failed to call webhook: Post "https://p.s.svc:443/?timeout=3s": service "p" not found"#;

    #[test]
    fn each_owner_reports_why_it_has_no_pod() {
        let by_client = |says: &str| {
            format!(
                "Failure executing: POST at: https://10.96.0.1:443/api/v1/namespaces/kafka/pods. Message: {says}. \
                     Received status: Status(apiVersion=v1, code=403)."
            )
        };
        let in_set = |says: &str| {
            format!("create Pod my-cluster-kafka-0 in StatefulSet my-cluster-kafka failed error: {says}")
        };
        let policy = r#"pods "x" is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'all' denied request: no"#;
        let kyverno = r#"admission webhook "validate.kyverno.svc-fail" denied the request: blocked"#;
        for (object, id, subject) in [
            (operator(QUOTA_MESSAGE), errors::ADMISSION_QUOTA, "deployment/strimzi-cluster-operator"),
            (
                entity(SECURITY_MESSAGE),
                errors::ADMISSION_POD_SECURITY,
                "deployment/my-cluster-entity-operator",
            ),
            (entity(policy), errors::ADMISSION_POLICY, "deployment/my-cluster-entity-operator"),
            (entity(kyverno), errors::ADMISSION_POLICY, "deployment/my-cluster-entity-operator"),
            (entity(WEBHOOK_MESSAGE), errors::WEBHOOK_FAILED, "deployment/my-cluster-entity-operator"),
            (
                pod_set(&by_client(SECURITY_MESSAGE)),
                errors::ADMISSION_POD_SECURITY,
                "strimzipodset/my-cluster-dual-role",
            ),
            (
                pod_set(&by_client(WEBHOOK_MESSAGE)),
                errors::WEBHOOK_FAILED,
                "strimzipodset/my-cluster-dual-role",
            ),
            (pod_set("Connection reset"), errors::POD_NOT_CREATED, "strimzipodset/my-cluster-dual-role"),
            (
                failed_create("StatefulSet", "my-cluster-kafka", &in_set(SECURITY_MESSAGE)),
                errors::ADMISSION_POD_SECURITY,
                "statefulset/my-cluster-kafka",
            ),
            (
                failed_create("Job", "my-cluster-proof", &format!("Error creating: {QUOTA_MESSAGE}")),
                errors::ADMISSION_QUOTA,
                "job/my-cluster-proof",
            ),
        ] {
            let found = found(Scope::Everything, std::slice::from_ref(&object));
            let told: Vec<_> = found.iter().map(|f| (f.id, f.subject.as_str())).collect();
            assert_eq!(told, [(id, subject)], "{object}");
            assert!(
                !found[0].hints.is_empty() && found[0].certain_at("2026-11-22T20:05:00Z".parse().unwrap())
            );
        }
    }

    #[test]
    fn a_quota_that_conflicts_with_the_tuning_has_a_hint_with_the_targets_flags() {
        let told = found(Scope::Operator, &[operator(QUOTA_MESSAGE)]);
        assert!(told[0].hints[0].ends_with(": kstrim up --stock --profile hunt"), "{told:?}");
        // If the limit is set, or it is not the operator, tuning is not the reason.
        let mut stock = operator(QUOTA_MESSAGE);
        stock["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"] = json!("1");
        for object in [stock, entity(QUOTA_MESSAGE)] {
            let told = found(Scope::Everything, &[object]);
            assert!(!told[0].hints.iter().any(|h| h.contains("--stock")), "{told:?}");
        }
    }

    /// Found by a run that began to wait a minute after the rejection, or long ago.
    #[test]
    fn a_rejection_from_before_the_run_ends_the_wait_only_if_repeated() {
        let certain = |objects: &[Value], waits: &str, now: &str| {
            let snapshot = Snapshot::of(objects.iter().cloned().map(Object::new));
            let mut expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Everything).located(&snapshot);
            expect.waits_since = Some(waits.parse().unwrap());
            let now = now.parse().unwrap();
            let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
            let told =
                findings(&scene).into_iter().find(|f| f.id == errors::ADMISSION_QUOTA).expect("it is shown");
            told.certain_at(now)
        };
        let waits = "2026-11-22T20:01:00Z";
        let old = operator(QUOTA_MESSAGE);
        let again = |at: &str| {
            json!({"kind": "Event", "metadata": {"name": "e.1", "namespace": "kafka"}, "type": "Warning",
                "reason": "FailedCreate", "message": QUOTA_MESSAGE, "firstTimestamp": T0, "lastTimestamp": at,
                "involvedObject": {"kind": "ReplicaSet", "name": "strimzi-cluster-operator-1", "uid": "u"}})
        };
        assert!(!certain(std::slice::from_ref(&old), waits, "2026-11-22T20:01:20Z"));
        assert!(!certain(&[old.clone(), again(T0)], waits, "2026-11-22T20:01:20Z"));
        assert!(certain(&[old.clone(), again("2026-11-22T20:01:10Z")], waits, "2026-11-22T20:01:20Z"));
        assert!(certain(&[old], waits, "2026-11-22T20:03:40Z"), "it has not tried for long");
    }

    #[test]
    fn a_webhook_is_reported_with_its_configuration() {
        let told = found(Scope::Kafka, &[entity(WEBHOOK_MESSAGE)]);
        let probe = Probe::Webhook { name: "a.b.c".into() };
        assert_eq!(told[0].probes, std::slice::from_ref(&probe));
        let answers = Answers::from([(probe, "validatingwebhookconfiguration/left-over".to_owned())]);
        let told = look(Scope::Kafka, &[entity(WEBHOOK_MESSAGE)], &answers);
        assert!(told[0].sentence.contains("a.b.c of validatingwebhookconfiguration left-over"), "{told:?}");
        let remove = "kstrim kubectl --profile hunt -- delete validatingwebhookconfiguration left-over";
        assert!(told[0].hints.iter().any(|h| h.ends_with(remove)), "{told:?}");
    }

    #[test]
    fn irrelevant_and_resolved_rejections_are_ignored() {
        assert_eq!(
            found(Scope::Operator, &[entity(QUOTA_MESSAGE), pod_set(QUOTA_MESSAGE)]).len(),
            0,
            "not waited for"
        );
        let mut other = entity(QUOTA_MESSAGE);
        other["metadata"]["labels"]["strimzi.io/cluster"] = json!("other");
        assert_eq!(found(Scope::Everything, &[other]).len(), 0, "another Kafka's");
        let mut over = entity(QUOTA_MESSAGE);
        over["status"]["conditions"][0]["status"] = json!("False");
        assert_eq!(found(Scope::Everything, &[over]).len(), 0, "it was made since");
        let set = failed_create("StatefulSet", "my-cluster-kafka", QUOTA_MESSAGE);
        let pod = json!({"kind": "Pod", "metadata": {"name": "my-cluster-kafka-0", "namespace": "kafka",
            "ownerReferences": [{"kind": "StatefulSet", "name": "my-cluster-kafka", "uid": "u"}]}});
        assert_eq!(found(Scope::Everything, &[set.clone(), pod]).len(), 0, "it has one by now");
        let mut old = set;
        old["lastTimestamp"] = json!("2026-11-22T19:00:00Z");
        assert_eq!(found(Scope::Everything, &[old]).len(), 0, "an hour ago");
        assert_eq!(
            found(Scope::Everything, &[entity(QUOTA_MESSAGE), pod_set(QUOTA_MESSAGE)]).len(),
            1,
            "one cause"
        );
    }
}
