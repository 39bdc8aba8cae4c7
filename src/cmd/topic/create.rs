//! `kstrim topic create`

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::{PLURAL, Topic, all, find_topic, in_kafka};
use crate::cli::{Global, TopicCreate};
use crate::cluster::change;
use crate::cluster::installation;
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::cmd::living::{self, Living};
use crate::errors;
use crate::explain::Scope;
use crate::explain::ready;
use crate::failure::{Failure, Kind, Result};
use crate::kube::Kind as ObservedKind;
use crate::kube::kafka::Entity;
use crate::manifest::{Object, label, render};
use crate::names;

/// The kinds that are watched while the topic is created.
pub(super) const KINDS: [ObservedKind; 6] = [
    ObservedKind::KafkaTopic,
    ObservedKind::Kafka,
    ObservedKind::KafkaNodePool,
    ObservedKind::Pod,
    ObservedKind::Deployment,
    ObservedKind::Event,
];

pub(super) async fn run(global: &Global, args: &TopicCreate) -> Result<ExitCode> {
    let title = format!("Topic {}", args.topic);
    living::task(global, "topic", title, args.output, async |invocation| {
        let living = living::open_to_change(invocation, global).await?;
        let done = create(&living, args, None).await;
        living.cx.stop_observing();
        done
    })
    .await
}

/// Create a topic and wait until it is ready; `run` is the `kstrim run` that needs it.
pub(super) async fn create(living: &Living, args: &TopicCreate, run: Option<&str>) -> Result<String> {
    let cx = &living.cx;
    living.served(Entity::Topic, &format!("the topic {}", args.topic))?;
    let (brokers, known) = tokio::join!(living.nodes(), all(living));
    let (brokers, known) = (brokers?.brokers_wanted, known?);
    let replicas = replicas(living, args, brokers)?;
    let mut wanted = wanted(cx, args, replicas);
    if let Some(run) = run {
        wanted.set(&["metadata", "labels", label::RUN], run);
    }
    let as_wanted = Topic::of(wanted.value(), true);
    let waiter = Waiter::new(Scope::Topic, "the topic cannot be created");
    waiter.set_topic(Some(&as_wanted.resource));
    if let Ok((there, _)) = find_topic(&args.topic, &known, living) {
        // Somebody may have created it with another resource name.
        waiter.set_topic(Some(&there.resource));
        differs(there, &as_wanted, cx)?;
        if there.ready {
            return Ok(format!("topic {} already exists", args.topic));
        }
    } else {
        let known: Vec<Topic> = known.into_iter().map(|(topic, _)| topic).collect();
        free(&as_wanted, &known)?;
        let path = living::path(cx, PLURAL, Some(&as_wanted.resource));
        let taken = cx.kubectl.find(&path).await;
        if taken.map_err(|e| cx.api_failure("read the topic", &e))?.is_some() {
            return Err(foreign_resource(living, &as_wanted.resource).await?);
        }
        not_in_kafka(living, args).await?;
        let collection = living::path(cx, PLURAL, None);
        let object = &cx.labelled(vec![wanted])[0];
        let created = change::create(&cx.kubectl, &collection, object.value()).await;
        if created.map_err(|e| cx.api_failure("create the topic", &e))?.is_none() {
            return Err(foreign_resource(living, &as_wanted.resource).await?);
        }
    }
    // Listed after the apply, so that no older state is judged.
    cx.synced(&KINDS).await;
    let look = async |snapshot: &crate::kube::Snapshot| waiter.look(&**cx, snapshot, ready::topic).await;
    living::wait(cx, args.timeout, look, || {
        let cause = waiter.timed_out(cx, args.timeout);
        let mut failure = Failure::new(
            errors::TOPIC_LATE,
            Kind::Timeout,
            format!("topic {} does not exist yet", args.topic),
        );
        failure = failure.because(&cause.message);
        for deeper in &cause.causes {
            failure = failure.because(deeper);
        }
        failure.hints.clone_from(&cause.hints);
        Box::new(failure)
    })
    .await?;
    let copies = if replicas == 1 { "replica" } else { "replicas" };
    let parts = if args.partitions == 1 { "partition" } else { "partitions" };
    Ok(format!("topic {} is ready: {} {parts}, {replicas} {copies}", args.topic, args.partitions))
}

/// The refusal to create a topic whose resource name is in use, usually by another Kafka cluster's topic.
async fn foreign_resource(living: &Living, resource: &str) -> Result<Box<Failure>> {
    let cx = &living.cx;
    let found = cx.kubectl.find(&living::path(cx, PLURAL, Some(resource))).await;
    let found = found.map_err(|e| cx.api_failure("read the topic", &e))?.unwrap_or_default();
    let owner = installation::cluster_of(&found);
    let message = match owner {
        Some(owner) => format!("the KafkaTopic {resource} belongs to the Kafka cluster {owner}"),
        None => format!("the KafkaTopic {resource} already exists"),
    };
    Ok(Box::new(
        Failure::new(errors::TOPIC_RESOURCE_TAKEN, Kind::Foreign, message)
            .because(format!("the namespace {} can have only one KafkaTopic of a given name", cx.namespace()))
            .hint("create the topic under another name"),
    ))
}

/// Refuse a topic that exists in Kafka without a KafkaTopic: with one, the topic operator would change its settings,
/// and delete it with its messages when the resource is deleted. If the brokers do not respond, it is not refused.
async fn not_in_kafka(living: &Living, args: &TopicCreate) -> Result<()> {
    let cx = &living.before;
    if in_kafka(cx, &args.topic).await != Some(true) {
        return Ok(());
    }
    let target = &cx.target;
    let message = format!("the topic {} already exists in Kafka, without a KafkaTopic", args.topic);
    Err(Box::new(
        Failure::new(errors::TOPIC_EXISTS, Kind::Usage, message)
            .because("a KafkaTopic would take it over: it would change its settings, and delete it with the resource")
            .hint("use the existing topic, or create a topic under another name")
            .hint(format!("produce to it: {}", target.kstrim("produce").arg(&args.topic))),
    ))
}

/// The requested number of replicas, or the cluster's default.
fn replicas(living: &Living, args: &TopicCreate, brokers: u32) -> Result<u32> {
    let default = || living.kafka().option("default.replication.factor").and_then(|text| text.parse().ok());
    let replicas = args.replicas.unwrap_or_else(|| default().unwrap_or(1).min(brokers.max(1)));
    if replicas <= brokers {
        return Ok(replicas);
    }
    let cx = &living.cx;
    let target = &cx.target;
    let failure = Failure::new(
        errors::TOPIC_REPLICATION,
        Kind::Usage,
        format!(
            "{replicas} replicas need as many brokers, but the Kafka cluster {} has {brokers}",
            cx.cluster()
        ),
    )
    .because("each replica of a partition is on a different broker");
    let failure = match brokers {
        0 => failure,
        _ => failure.hint(format!(
            "use fewer: {}",
            target.kstrim("topic create").arg(&args.topic).arg("--replicas").arg(brokers)
        )),
    };
    Err(Box::new(
        failure.hint(format!("or add brokers first: {}", target.kstrim("scale --brokers").arg(replicas))),
    ))
}

fn wanted(cx: &Session, args: &TopicCreate, replicas: u32) -> Object {
    let target = &cx.target;
    let release = cx.choice.release;
    let (namespace, cluster) = (&target.namespace, &target.cluster);
    let mut object = render::topic(release, namespace, cluster, &args.topic, args.partitions, replicas);
    for setting in &args.configs {
        object.set(&["spec", "config", &setting.key], setting.json());
    }
    object
}

/// Refuse a topic that exists with other settings than requested.
fn differs(there: &Topic, wanted: &Topic, cx: &Session) -> Result<()> {
    let mut lines = Vec::new();
    let mut numbers = |what: &str, has: Option<i64>, asked: Option<i64>| {
        if has.is_some() && has != asked {
            let shown = |n: Option<i64>| n.map_or("the default".into(), |n| n.to_string());
            lines.push(format!("{what}: it has {}, but {} was requested", shown(has), shown(asked)));
        }
    };
    numbers("partitions", there.partitions, wanted.partitions);
    numbers("replicas", there.replicas, wanted.replicas);
    let text = |config: &Map<String, Value>, key: &str| config.get(key).map(names::plain);
    for key in wanted.config.keys() {
        let (has, asked) = (text(&there.config, key), text(&wanted.config, key));
        if has != asked {
            let has = has.unwrap_or_else(|| "the default".into());
            lines.push(format!("{key}: it has {has}, but {} was requested", asked.unwrap_or_default()));
        }
    }
    let target = &cx.target;
    let see = target.kstrim("topic describe").arg(&there.topic).to_string();
    living::as_asked(
        cx,
        errors::TOPIC_EXISTS,
        &format!("the topic {}", there.topic),
        lines,
        &see,
        (PLURAL, &there.resource),
    )
}

/// Refuse a name that Kafka rejects because of an existing topic, or whose resource name is in use.
fn free(wanted: &Topic, known: &[Topic]) -> Result<()> {
    // Kafka's metrics replace dots in topic names by underscores, so it rejects names that differ only in these
    // (`org.apache.kafka.common.internals.Topic.hasCollision`).
    let plain = |name: &str| name.replace('.', "_");
    if let Some(other) = known.iter().find(|t| plain(&t.topic) == plain(&wanted.topic)) {
        return Err(Box::new(
            Failure::new(
                errors::TOPIC_COLLIDES,
                Kind::Usage,
                format!("the topic {} would collide with the topic {}", wanted.topic, other.topic),
            )
            .because("Kafka refuses topics whose names differ only in '.' and '_'")
            .hint("choose another name"),
        ));
    }
    if let Some(other) = known.iter().find(|t| t.resource == wanted.resource) {
        return Err(Box::new(
            Failure::new(
                errors::TOPIC_RESOURCE_TAKEN,
                Kind::Foreign,
                format!("the KafkaTopic {} describes the topic {}", other.resource, other.topic),
            )
            .because(format!("the topic {} would have a resource of the same name", wanted.topic))
            .hint("choose another name for the topic"),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn topic(name: &str, resource: &str) -> Topic {
        Topic::of(&json!({"metadata": {"name": resource}, "spec": {"topicName": name}}), true)
    }

    #[test]
    fn names_that_kafka_rejects_are_refused() {
        let known = [topic("a.b", "a.b"), topic("other", "mine")];
        let id = |name, resource| free(&topic(name, resource), &known).map_err(|f| f.id);
        assert_eq!(id("a_b", "a-b-1234"), Err(errors::TOPIC_COLLIDES));
        assert_eq!(id("mine", "mine"), Err(errors::TOPIC_RESOURCE_TAKEN));
        assert_eq!(id("c", "c"), Ok(()));
    }
}
