//! `kstrim topic`: manages topics as `KafkaTopic` resources.

mod create;
mod delete;
pub(super) mod needed;
mod show;

use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value};

use super::living::{self, Living};
use crate::cli::{self, Global, TopicVerb};
use crate::cluster::brokers;
use crate::cluster::change::{self, Deleted};
use crate::cluster::installation::{self, Consent, Owned};
use crate::cluster::ownership;
use crate::cluster::session::Session;
use crate::cluster::wait::Waiter;
use crate::engine::task::Doneness;
use crate::errors;
use crate::explain::Scope;
use crate::failure::{Failure, Kind, Result};
use crate::kube::strimzi::KafkaTopic;
use crate::kube::{Kind as ObservedKind, Object};
use crate::names::TopicName;

/// Plural name of the resource in the API.
const PLURAL: &str = "kafkatopics";

/// How long the brokers may take to respond whether they have a topic.
const ASK: Duration = Duration::from_secs(5);

/// Create, list, describe or delete topics.
pub(crate) async fn run(global: &Global, args: &cli::Topic) -> Result<ExitCode> {
    match &args.verb {
        TopicVerb::Create(args) => create::run(global, args).await,
        TopicVerb::List(args) => show::list(global, args).await,
        TopicVerb::Describe(args) => show::describe(global, args).await,
        TopicVerb::Delete(args) => delete::run(global, args).await,
    }
}

/// A topic according to its resource.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Topic {
    /// Its name in Kafka.
    pub topic: String,
    /// The resource's name.
    pub resource: String,
    /// Requested partitions; `null` for the cluster's default.
    pub partitions: Option<i64>,
    /// Requested replicas; `null` for the cluster's default.
    pub replicas: Option<i64>,
    /// Its settings.
    pub config: Map<String, Value>,
    /// Whether it exists as requested.
    pub ready: bool,
    /// Why it is not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Whether kstrim created it.
    pub made_by_kstrim: bool,
}

impl Topic {
    fn of(object: &Value, mine: bool) -> Self {
        let text = |at: &str| object.pointer(at).and_then(Value::as_str).filter(|t| !t.is_empty());
        let number = |at: &str| object.pointer(at).and_then(Value::as_i64);
        let resource = text("/metadata/name").unwrap_or_default().to_owned();
        let seen = Object::new(object.clone());
        let reason = KafkaTopic(&seen).not_ready_reason();
        Self {
            topic: text("/spec/topicName").unwrap_or(&resource).to_owned(),
            partitions: number("/spec/partitions"),
            replicas: number("/spec/replicas"),
            config: object.pointer("/spec/config").and_then(Value::as_object).cloned().unwrap_or_default(),
            ready: reason.is_none(),
            reason,
            made_by_kstrim: mine,
            resource,
        }
    }
}

/// The topics of the Kafka cluster and those that no Kafka cluster has, with their resources, by name.
async fn all(living: &Living) -> Result<Vec<(Topic, Value)>> {
    let cluster = living.cx.cluster();
    let mine = |object: &Value| installation::cluster_of(object).is_none_or(|of| of == cluster);
    let found = living.list(PLURAL).await?.into_iter().filter(mine);
    let of = |object: Value| (Topic::of(&object, living.cx.owns(&object)), object);
    let mut topics: Vec<_> = found.map(of).collect();
    topics.sort_by(|(a, _), (b, _)| a.topic.cmp(&b.topic));
    Ok(topics)
}

/// A topic's resource: if there are several, the one that the topic operator uses.
fn find_topic<'a>(
    topic: &TopicName,
    known: &'a [(Topic, Value)],
    living: &Living,
) -> Result<&'a (Topic, Value)> {
    let named = known.iter().rev().filter(|(t, _)| t.topic == topic.as_str());
    let managing = |(topic, json): &&(Topic, Value)| (topic.ready, json.pointer("/status/topicId").is_some());
    named.max_by_key(managing).ok_or_else(|| unknown(topic, known, living))
}

/// The failure for a topic that does not exist, with a similar name.
fn unknown(topic: &TopicName, known: &[(Topic, Value)], living: &Living) -> Box<Failure> {
    let cx = &living.cx;
    let failure = Failure::new(
        errors::TOPIC_UNKNOWN,
        Kind::Usage,
        format!("the Kafka cluster {} has no KafkaTopic for {topic}", cx.cluster()),
    );
    let near = known
        .iter()
        .map(|(t, _)| (strsim::damerau_levenshtein(&t.topic, topic.as_str()), t.topic.as_str()))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    let target = &cx.target;
    Box::new(match near {
        Some((_, near)) => failure.hint(format!("did you mean {near}?")),
        None => failure.hint(format!("list them: {}", target.kstrim("topic list"))),
    })
}

/// Delete a Strimzi resource that the user named: only the one that was read before the prompt.
pub(super) async fn delete_named(living: &Living, plural: &str, object: &Value, what: &str) -> Result<()> {
    let cx = &living.cx;
    let installation = ownership::installation(cx).await?;
    let owned = Owned::requested(&living::path(cx, plural, None), object, Consent::by_name());
    let deleted = change::delete(&cx.kubectl, &installation, &owned).await;
    match deleted.map_err(|e| cx.api_failure(&format!("delete {what}"), &e))? {
        Deleted::Yes => Ok(()),
        Deleted::NoLongerOwned => {
            let message = format!("{what} was deleted and re-created by somebody else in the meantime");
            Err(Box::new(
                Failure::new(errors::OBJECT_REPLACED, Kind::Task, message)
                    .hint("nothing was deleted: check it again"),
            ))
        }
    }
}

/// Whether Kafka has a topic; `None` if its brokers cannot be reached, or do not respond within [`ASK`].
async fn in_kafka(cx: &Session, topic: &TopicName) -> Option<bool> {
    let asked = async {
        cx.synced(&brokers::KINDS).await;
        let deadline = tokio::time::Instant::now() + ASK;
        let mut client = brokers::Brokers::of(cx).ok()?.client(deadline).await.ok()?;
        client.has_topic(topic.as_str(), deadline).await.ok()
    };
    tokio::time::timeout(ASK, asked).await.ok().flatten()
}

/// The failure, with the deepest known cause why the topic or user operator does not work.
pub(super) async fn with_cause(cx: &Session, failure: Box<Failure>) -> Box<Failure> {
    if failure.kind != Kind::Timeout {
        return failure;
    }
    cx.synced(&create::KINDS).await;
    // The operators and their pods; the failure itself says that the topic's deletion is blocked.
    let Some(cause) = Waiter::new(Scope::Operator, "").cause(cx) else { return failure };
    let mut failure = cause.causes.iter().fold(*failure, Failure::because);
    failure.hints.extend(cause.hints);
    Box::new(failure)
}

/// Wait until a deleted resource no longer exists.
pub(super) async fn wait_until_deleted(
    living: &Living,
    kind: ObservedKind,
    name: &str,
    limit: Duration,
    late: impl FnOnce(String) -> Box<Failure>,
) -> Result<String> {
    let cx = &living.cx;
    // Listed after the deletion: what is not in the list no longer exists.
    cx.synced(&[kind]).await;
    let held = std::cell::RefCell::new(String::new());
    let wait_until_deleted = living::wait(
        cx,
        limit,
        async |snapshot| {
            let Some(object) = snapshot.get(kind, cx.namespace(), name) else {
                return Ok(Doneness::Done(String::new()));
            };
            let finalizers = object.finalizers().join(", ");
            let why = match finalizers.as_str() {
                "" => "its operator is reconciling it".to_owned(),
                held => format!("waiting for the operator to remove {held}"),
            };
            held.replace(why.clone());
            Ok(Doneness::Pending(why))
        },
        || late(held.borrow().clone()),
    );
    match wait_until_deleted.await {
        Err(failure) => Err(with_cause(cx, failure).await),
        wait_until_deleted => wait_until_deleted,
    }
}
