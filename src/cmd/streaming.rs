//! What `produce` and `consume` share: connecting to a topic's brokers, and errors.

use std::time::Duration;

use tokio::time::Instant;

use super::living::{self, Living};
use super::login;
use crate::cli::Global;
use crate::cluster::brokers::{self, Brokers};
use crate::config::Target;
use crate::errors;
use crate::failure::{Failure, Id, Kind, Result};
use crate::kafka::client::Options;
use crate::kafka::error::code;
use crate::kafka::{Client, KafkaError, Topic};
use crate::names::{TopicName, UserName};

/// How long the brokers may take to respond to the first request.
const CONNECT: Duration = Duration::from_secs(30);
/// How long a topic that was just created may be unknown or have no leaders.
const PATIENCE: Duration = Duration::from_secs(3);

/// A client and the topic it works on.
pub(crate) struct Stream {
    /// The client.
    pub client: Client,
    /// The topic as it was last looked up.
    pub topic: Topic,
    /// Keeps the port-forwards open.
    _living: Living,
}

impl Stream {
    /// Connect to the brokers, as the user if one is specified, and find the topic, which must have `partition` if
    /// one is specified.
    pub(crate) async fn open(
        global: &Global,
        rights: Rights<'_>,
        partition: Option<i32>,
        committed: bool,
    ) -> Result<Self> {
        let Rights { topic: name, user, .. } = rights;
        let living = living::quiet(global).await?;
        let cx = &living.cx;
        let (way, _) = tokio::join!(
            async {
                match user {
                    Some(user) => login::inner(&living, user).await.map(Some),
                    None => Ok(None),
                }
            },
            cx.synced(&brokers::KINDS)
        );
        let brokers = match way? {
            Some((port, security)) => Brokers::secured(cx, port, security)?,
            None => Brokers::of(cx)?,
        };
        let options = Options { decompress: true, committed, ..Options::default() };
        let target = &cx.target;
        let unreachable = |e: KafkaError| {
            let what = format!("the Kafka cluster {} cannot be used", cx.cluster());
            if let Some(failure) =
                login::failure(&e, &what, user.map(UserName::as_str), &rights.rule(), target)
            {
                return Box::new(failure);
            }
            Box::new(
                Failure::new(
                    errors::BROKER_UNREACHABLE,
                    Kind::Task,
                    format!("no broker of the Kafka cluster {} responds", cx.cluster()),
                )
                .because(e)
                .hint(format!("check what exists: {}", target.kstrim("status"))),
            )
        };
        let mut client = brokers.client_with(options, Instant::now() + CONNECT).await.map_err(unreachable)?;
        let found = client.topic_in_part(name.as_str(), Instant::now() + PATIENCE).await;
        let topic = found.map_err(|e| match e.code() {
            Some(code::UNKNOWN_TOPIC_OR_PARTITION) => Box::new(
                Failure::new(
                    errors::TOPIC_UNKNOWN,
                    Kind::Usage,
                    format!("the Kafka cluster {} has no topic {name}", cx.cluster()),
                )
                .hint(format!("create it: {}", target.kstrim("topic create").arg(name)))
                .hint(format!("or list the topics: {}", target.kstrim("topic list"))),
            ),
            _ => failed(errors::BROKER_UNREACHABLE, rights, "looked up", e),
        })?;
        if let Some(asked) = partition.filter(|p| u32::try_from(*p).is_ok_and(|p| p >= topic.partitions())) {
            return Err(Box::new(
                Failure::new(
                    errors::PARTITION_UNKNOWN,
                    Kind::Usage,
                    format!("the topic {name} has no partition {asked}"),
                )
                .because(format!("it has {}, numbered from 0", topic.partitions())),
            ));
        }
        Ok(Self { client, topic, _living: living })
    }
}

/// The user, the operation and the topic.
#[derive(Clone, Copy)]
pub(crate) struct Rights<'a> {
    /// The cluster.
    pub target: &'a Target,
    /// The topic.
    pub topic: &'a TopicName,
    /// The user; `None` without authentication.
    pub user: Option<&'a UserName>,
    /// `read` or `write`.
    pub operation: &'static str,
}

impl Rights<'_> {
    /// The rule that allows it.
    fn rule(&self) -> String {
        format!("topic:{}:{}", self.topic, self.operation)
    }
}

/// The failure of an interrupted stream.
pub(crate) fn failed(id: Id, rights: Rights<'_>, done: &str, error: KafkaError) -> Box<Failure> {
    let topic = rights.topic;
    let message = format!("the topic {topic} could not be {done}");
    let user = rights.user.map(UserName::as_str);
    if let Some(failure) = login::failure(&error, &message, user, &rights.rule(), rights.target) {
        return Box::new(failure);
    }
    let kind = match error {
        KafkaError::Timeout { .. } => Kind::Timeout,
        _ => Kind::Task,
    };
    let mut failure = Failure::new(id, kind, message);
    let code = error.code();
    if code == Some(code::LEADER_NOT_AVAILABLE) {
        failure.id = errors::PARTITION_NO_LEADER;
    }
    failure = failure.because(error);
    let status = rights.target.kstrim("status");
    Box::new(match code {
        Some(code::MESSAGE_TOO_LARGE) => {
            failure.hint("messages can be up to 1 MiB by default: see max.message.bytes of the topic")
        }
        Some(code::NOT_ENOUGH_REPLICAS) => {
            failure.because("too few brokers have the partition").hint(format!("check which: {status}"))
        }
        _ => failure.hint(format!("check what exists: {status}")),
    })
}
