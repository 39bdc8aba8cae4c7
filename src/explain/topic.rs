//! Topics and users.

use jiff::Timestamp;

use super::finding::Finding;
use super::finding::short;
use super::scene::Scene;
use super::{Family, Rule};
use crate::command_line::CommandLine;
use crate::errors;
use crate::failure::Id;
use crate::kube::kafka::Entity;
use crate::kube::pod::{Pod, State};
use crate::kube::strimzi::{KafkaTopic, KafkaUser, last_change};
use crate::kube::{Kind, Object};
use crate::words;

pub(super) const RULES: &[Rule] = &[
    Rule {
        ids: &[
            errors::TOPIC_REPLICATION,
            errors::TOPIC_CHANGE,
            errors::TOPIC_CONFIG,
            errors::TOPIC_REFUSED,
            errors::TOPIC_UNSERVED,
        ],
        family: Family::Topic,
        find: refused,
    },
    Rule {
        ids: &[errors::TOPIC_LABEL, errors::TOPIC_UNSERVED, errors::USER_LABEL, errors::USER_UNSERVED],
        family: Family::Topic,
        find: without_status,
    },
    Rule { ids: &[errors::RESOURCE_PAUSED], family: Family::Topic, find: left_alone },
    Rule { ids: &[errors::USER_REFUSED], family: Family::Topic, find: user },
];

/// The topics in scope: the expected one, or all of the namespace if none is.
fn topics<'a>(scene: &Scene<'a>) -> impl Iterator<Item = KafkaTopic<'a>> {
    let (namespace, wanted) = (scene.expect.namespace.as_str(), scene.expect.topic.as_deref());
    let mine = move |o: &&Object| {
        o.namespace() == namespace && wanted.is_none_or(|w| w == o.name()) && !o.deleting()
    };
    scene.snapshot.all(Kind::KafkaTopic).filter(mine).map(KafkaTopic)
}

/// Whether a topic is waited for. The problems of others are reported but end no wait.
fn expected(scene: &Scene<'_>) -> bool {
    scene.expect.topic.is_some()
}

fn refused(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    for topic in topics(scene) {
        let Some(refusal) = topic.rejection() else { continue };
        if !Scene::answers_to(refusal.last_transition, last_change([topic.0], "kstrim")) {
            continue;
        }
        let name = topic.0.name();
        let message = short(refusal.message);
        let status = format!("check whether the brokers are running: {}", scene.expect.kstrim("status"));
        let (id, sentence, hint) = match refusal.reason {
            // Not a rejection: the topic operator timed out, as it does while brokers are down, or while none was
            // registered for a moment ("All brokers are currently fenced").
            "KafkaError" if words::any(&words::TOPIC_UNANSWERED, &message) => (
                errors::TOPIC_UNSERVED,
                format!("topic {name} is not managed: the brokers do not respond to the topic operator"),
                status.as_str(),
            ),
            "KafkaError" if words::TOPIC_REPLICATION.matches(&message) => (
                errors::TOPIC_REPLICATION,
                format!("topic {name} requests more replicas than there are brokers"),
                "lower the topic's replicas, or add brokers",
            ),
            "NotSupported" => (
                errors::TOPIC_CHANGE,
                format!("topic {name} cannot be changed in this way: {message}"),
                "revert the change; for fewer partitions, create a new topic",
            ),
            "KafkaError" if words::TOPIC_CONFIG.matches(&message) => (
                errors::TOPIC_CONFIG,
                format!(
                    "topic {name} has a setting that Kafka does not recognize: {}",
                    message.rsplit(": ").next().unwrap_or(&message)
                ),
                "correct it; for a list of topic settings, see \
                 https://kafka.apache.org/documentation/#topicconfigs",
            ),
            _ => (
                errors::TOPIC_REFUSED,
                format!("topic {name} was rejected: {message}"),
                "correct the KafkaTopic and apply it again",
            ),
        };
        let unserved = id == errors::TOPIC_UNSERVED;
        let finding = Finding::new(id, if unserved { 40 } else { 48 }, format!("topic/{name}"), sentence)
            .evidence(format!(
                "kafkatopics/{name} {}={} {}: {message}",
                refusal.kind, refusal.status, refusal.reason
            ))
            .hint(hint)
            .since(refusal.last_transition);
        // The status of a topic operator that no longer exists, or of a Kafka cluster that was re-created: the new
        // one reconciles every topic when it starts.
        let later = ready_since(scene).filter(|since| refusal.last_transition < Some(*since));
        let finding = match later {
            Some(since) => finding.since(Some(since)),
            None => finding,
        };
        let certain = if unserved || later.is_some() { 30 } else { 1 };
        let served = operator_serves(scene);
        found.push(if expected(scene) && served { finding.certain_after(certain) } else { finding });
    }
}

/// Whether the topic operator could have reconciled: its pod is ready, or the operator has nothing left to start. It
/// starts after the brokers, and after Cruise Control if that is requested, which takes minutes; other rules cover
/// what prevents it from starting.
fn operator_serves(scene: &Scene<'_>) -> bool {
    let mut pods = entity_operators(scene).peekable();
    match pods.peek() {
        Some(_) => pods.any(|p| p.ready()),
        None => scene.kafka().is_none_or(|k| k.ready().is_some()),
    }
}

/// When the newest ready container of the entity operator started.
fn ready_since(scene: &Scene<'_>) -> Option<Timestamp> {
    let containers = entity_operators(scene).filter(Pod::ready).flat_map(|pod| pod.containers());
    containers.filter_map(|c| if let State::Running { started } = c.state() { started } else { None }).max()
}

/// The entity operator's pods that are not being deleted.
fn entity_operators<'a>(scene: &Scene<'a>) -> impl Iterator<Item = Pod<'a>> {
    let entity = |p: &Pod<'_>| p.0.label("strimzi.io/component-type") == Some("entity-operator");
    scene.cluster_pods().filter(move |p| entity(p) && !p.0.deleting())
}

/// The differences between topics and users.
struct Resource {
    what: &'static str,
    /// kubectl's name of the resource.
    kind: &'static str,
    entity: Entity,
    operator: &'static str,
    container: &'static str,
    unlabelled: Id,
    unserved: Id,
}

const A_TOPIC: Resource = Resource {
    what: "topic",
    kind: "kafkatopic",
    entity: Entity::Topic,
    operator: "topic operator",
    container: "topic-operator",
    unlabelled: errors::TOPIC_LABEL,
    unserved: errors::TOPIC_UNSERVED,
};

const A_USER: Resource = Resource {
    what: "user",
    kind: "kafkauser",
    entity: Entity::User,
    operator: "user operator",
    container: "user-operator",
    unlabelled: errors::USER_LABEL,
    unserved: errors::USER_UNSERVED,
};

/// The topics in scope, and the users if no topic is waited for.
fn both<'a>(scene: &Scene<'a>) -> impl Iterator<Item = (&'static Resource, &'a Object)> {
    let namespace = scene.expect.namespace.as_str();
    let users =
        scene.snapshot.all(Kind::KafkaUser).filter(move |o| o.namespace() == namespace && !o.deleting());
    let users = users.filter(|_| !expected(scene)).map(|user| (&A_USER, user)).collect::<Vec<_>>();
    topics(scene).map(|topic| (&A_TOPIC, topic.0)).chain(users)
}

/// A topic or user that no operator watches never gets a status.
fn without_status(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = scene.expect.cluster.as_str();
    for (of, object) in both(scene).filter(|(_, o)| !o.has_status()) {
        let Resource { what, kind, operator, .. } = *of;
        let name = object.name();
        let subject = format!("{what}/{name}");
        let finding = match object.label("strimzi.io/cluster") {
            Some(label) if label == cluster => {
                let operated = scene.kafka().map(|k| k.managed_namespace(of.entity));
                let here = scene.expect.namespace.as_str();
                let wants = operated.is_none_or(|namespace| namespace == Some(here));
                // A user operator that is only slow has no id of its own.
                if wants && (of.entity == Entity::User || !operator_serves(scene)) {
                    continue;
                }
                let why = match operated {
                    Some(None) => format!("the Kafka cluster has no {operator}"),
                    Some(Some(other)) if other != here => {
                        format!("the {operator} of the Kafka cluster watches namespace {other}")
                    }
                    _ => format!("the {operator} has not reconciled it"),
                };
                Finding::new(of.unserved, 40, subject, format!("{what} {name} does not exist: {why}"))
                    .evidence(format!("{kind}s/{name} has no status"))
                    .hint(format!(
                        "show its log: {}",
                        scene.expect.inside(
                            scene
                                .expect
                                .kubectl("logs -c")
                                .arg(of.container)
                                .arg(format!("deployment/{cluster}-entity-operator"))
                        )
                    ))
                    .since(object.created())
                    .certain_after(if wants { 30 } else { 3 })
            }
            // It belongs to another Kafka cluster, which manages it.
            Some(other) if scene.snapshot.kafka(&scene.expect.namespace, other).is_some() => continue,
            label => {
                let has = label.map_or("no label".to_owned(), |l| format!("the value {l}"));
                Finding::new(
                    of.unlabelled,
                    47,
                    subject,
                    format!("{what} {name} has {has} of strimzi.io/cluster: no {operator} manages it"),
                )
                .evidence(format!("{kind}s/{name} has no status and {has} of strimzi.io/cluster"))
                .hint(format!("assign it to this Kafka cluster: {}", label_as(scene, kind, name)))
                .since(object.created())
                .certain_after(2)
            }
        };
        found.push(if expected(scene) { finding } else { Finding { certain_after: None, ..finding } });
    }
}

/// The command that assigns a resource to the Kafka cluster.
pub(super) fn label_as(scene: &Scene<'_>, kind: &str, name: &str) -> CommandLine {
    let label = format!("strimzi.io/cluster={}", scene.expect.cluster);
    scene.expect.inside(scene.expect.kubectl("label --overwrite").arg(kind).arg(name).arg(label))
}

/// The command that removes an annotation.
pub(super) fn annotate(scene: &Scene<'_>, kind: &str, name: &str, annotation: &str) -> CommandLine {
    let command = scene.expect.kubectl("annotate").arg(kind).arg(name).arg(format!("{annotation}-"));
    scene.expect.inside(command)
}

/// Topics and users that are paused or unmanaged. Only those that are not ready: existing ones stay.
fn left_alone(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = Some(scene.expect.cluster.as_str());
    let ready = |o: &Object| o.observed() && o.condition("Ready").is_some_and(|c| c.is_true());
    for (Resource { what, kind, entity, .. }, object) in both(scene) {
        if object.label("strimzi.io/cluster") != cluster {
            continue;
        }
        let left_alone = match entity {
            Entity::Topic => KafkaTopic(object).pausing_annotation(),
            Entity::User => KafkaUser(object).pausing_annotation(),
        };
        let Some((annotation, value)) = left_alone else { continue };
        if ready(object) {
            continue;
        }
        let name = object.name();
        let sentence =
            format!("{what} {name} is not reconciled until the annotation {annotation} is removed");
        let finding = Finding::new(errors::RESOURCE_PAUSED, 49, format!("{what}/{name}"), sentence)
            .evidence(format!("{kind}s/{name} annotation {annotation}={value}"))
            .hint(format!("remove it: {}", annotate(scene, kind, name, annotation)));
        found.push(if expected(scene) { finding.certain_after(2) } else { finding });
    }
}

fn user(scene: &Scene<'_>, found: &mut Vec<Finding>) {
    let cluster = Some(scene.expect.cluster.as_str());
    let mine = |o: &&Object| o.label("strimzi.io/cluster") == cluster && o.observed() && !o.deleting();
    for user in scene.snapshot.all(Kind::KafkaUser).filter(mine) {
        let Some(status) = user.condition("NotReady").filter(|c| c.is_true() && c.reason != "Creating")
        else {
            continue;
        };
        let name = user.name();
        let message = short(status.message);
        let mut finding = Finding::new(
            errors::USER_REFUSED,
            38,
            format!("user/{name}"),
            format!("user {name} was rejected: {message}"),
        )
        .evidence(format!("kafkausers/{name} NotReady=True {}: {message}", status.reason))
        .since(status.last_transition);
        if words::AUTHORIZATION.matches(&message) {
            finding = finding.hint(
                "set spec.kafka.authorization.type: simple in the Kafka resource, or \
                 omit the user's authorization",
            );
        }
        found.push(finding);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::explain::{Answers, Expect, Scope, findings};
    use crate::kube::Snapshot;
    use crate::kube::strimzi::{MANAGED, PAUSE};

    fn told(kafka: &Value, topic: &Value) -> Vec<(&'static str, bool)> {
        let snapshot = Snapshot::of([kafka, topic].map(|json| Object::new(json.clone())));
        let mut expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Topic);
        expect.topic = Some("t".to_owned());
        let now = "2026-11-22T20:00:10Z".parse().unwrap();
        let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
        let ours = |f: &Finding| f.subject == "topic/t";
        findings(&scene).into_iter().filter(ours).map(|f| (f.id.as_str(), f.certain_at(now))).collect()
    }

    /// As if a Kafka cluster was re-created while the topic operator of the previous one was still stopping.
    #[test]
    fn the_status_of_a_deleted_topic_operator_does_not_count() {
        let told = |message: &str, started: Option<&str>| {
            let topic = json!({"kind": "KafkaTopic", "metadata": {"name": "t", "namespace": "kafka", "uid": "t",
                    "creationTimestamp": "2026-11-22T19:59:00Z", "labels": {"strimzi.io/cluster": "my-cluster"}},
                "spec": {}, "status": {"conditions": [{"type": "Ready", "status": "False", "reason": "KafkaError",
                    "message": message, "lastTransitionTime": "2026-11-22T20:00:00Z"}]}});
            let kafka = json!({"kind": "Kafka", "metadata": {"name": "my-cluster", "namespace": "kafka"},
                "spec": {"entityOperator": {"topicOperator": {}}}, "status": {"conditions": []}});
            let pod = |started: &str| {
                json!({"kind": "Pod", "metadata": {"name": "entity", "namespace": "kafka", "labels": {
                        "strimzi.io/cluster": "my-cluster", "strimzi.io/component-type": "entity-operator"}},
                    "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}],
                        "containerStatuses": [{"name": "topic-operator", "ready": true,
                            "state": {"running": {"startedAt": started}}}]}})
            };
            let objects = [Some(kafka), Some(topic), started.map(pod)];
            let snapshot = Snapshot::of(objects.into_iter().flatten().map(Object::new));
            let mut expect = Expect::kafka("kafka", "my-cluster").scope(Scope::Topic);
            expect.topic = Some("t".to_owned());
            let now = "2026-11-22T20:00:10Z".parse().unwrap();
            let scene = Scene { snapshot: &snapshot, expect: &expect, answers: &Answers::new(), now };
            let found = findings(&scene).into_iter().find(|f| f.subject == "topic/t").expect("a finding");
            (found.id.as_str(), found.certain_at(now))
        };
        let (policy, tls) =
            ("org.x.PolicyViolationException: no", "org.x.SslAuthenticationException: SSL handshake failed");
        assert_eq!(told(policy, Some("2026-11-22T19:58:00Z")), ("KS-TOPIC-REFUSED", true));
        assert_eq!(told(policy, Some("2026-11-22T20:00:05Z")), ("KS-TOPIC-REFUSED", false), "it looks again");
        assert_eq!(told(policy, None), ("KS-TOPIC-REFUSED", false), "nobody serves it yet");
        assert_eq!(told(tls, Some("2026-11-22T19:58:00Z")), ("KS-TOPIC-UNSERVED", false));
    }

    #[test]
    fn an_unwatched_topic_is_reported() {
        let kafka = |operators: Value| {
            json!({"kind": "Kafka", "metadata": {"name": "my-cluster", "namespace": "kafka"},
                "spec": {"entityOperator": operators},
                "status": {"conditions": [{"type": "Ready", "status": "True"}]}})
        };
        let topic = |annotations: Value| {
            json!({"kind": "KafkaTopic", "metadata": {"name": "t", "namespace": "kafka", "uid": "t",
                "creationTimestamp": "2026-11-22T20:00:00Z", "annotations": annotations,
                "labels": {"strimzi.io/cluster": "my-cluster"}}, "spec": {}})
        };
        let (plain, served) = (topic(json!({})), kafka(json!({"topicOperator": {}})));
        assert_eq!(told(&served, &plain), [("KS-TOPIC-UNSERVED", false)], "it may be slow");
        for operators in
            [json!({"userOperator": {}}), json!({"topicOperator": {"watchedNamespace": "other"}})]
        {
            assert_eq!(told(&kafka(operators), &plain), [("KS-TOPIC-UNSERVED", true)]);
        }
        for annotations in [json!({PAUSE: "true"}), json!({MANAGED: "false"})] {
            let found = told(&served, &topic(annotations));
            assert_eq!(found[0].0, "KS-RESOURCE-PAUSED");
        }
        let mut ready = topic(json!({PAUSE: "true"}));
        ready["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        assert_eq!(told(&served, &ready), [], "what is there stays there");
    }
}
