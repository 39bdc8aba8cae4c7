//! Topics and offsets: create, delete, list, trim.

use std::collections::BTreeMap;
use std::time::Duration;

use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_offsets_response::ListOffsetsPartitionResponse;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeConfigsRequest,
    ListOffsetsRequest, MetadataRequest,
};
use kafka_protocol::protocol::{StrBytes, VersionRange};
use tokio::time::Instant;
use uuid::Uuid;

use super::client::{Client, Pause, Topic, millis_until, topic_name};
use super::error::{KafkaError, Result, code};

/// The broker's own limit for creating, deleting and trimming.
const ADMIN_LIMIT: Duration = Duration::from_secs(30);

/// A topic to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewTopic {
    /// Its name.
    pub name: String,
    /// Partitions; -1 for the broker's `num.partitions`.
    pub partitions: i32,
    /// Replicas of each; -1 for the broker's `default.replication.factor`.
    pub replication_factor: i16,
    /// Its configuration, `retention.ms` and the like.
    pub config: BTreeMap<String, String>,
}

/// The result of [`Client::create_topic`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Created {
    /// It was created.
    New,
    /// It existed already; nothing was changed.
    AlreadyExists,
}

/// Which end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The offset of the oldest record.
    Earliest,
    /// The offset the next record will get.
    Latest,
}

impl End {
    /// The protocol's special timestamps.
    const fn timestamp(self) -> i64 {
        match self {
            End::Latest => -1,
            End::Earliest => -2,
        }
    }
}

impl Client {
    /// Create a topic. Its partitions may not have leaders yet: see [`Client::topic`].
    pub(crate) async fn create_topic(&mut self, new: &NewTopic, deadline: Instant) -> Result<Created> {
        let request = |_| {
            let configs = new.config.iter().map(|(name, value)| {
                CreatableTopicConfig::default()
                    .with_name(StrBytes::from_string(name.clone()))
                    .with_value(Some(StrBytes::from_string(value.clone())))
            });
            let topic = CreatableTopic::default()
                .with_name(topic_name(&new.name))
                .with_num_partitions(new.partitions)
                .with_replication_factor(new.replication_factor)
                .with_configs(configs.collect());
            CreateTopicsRequest::default()
                .with_topics(vec![topic])
                .with_timeout_ms(millis_until(deadline, ADMIN_LIMIT))
        };
        let mut pause = Pause::until(deadline);
        let mut node = self.any_node();
        loop {
            let (_, answer) = self.call(node, VersionRange { min: 2, max: 7 }, deadline, request).await?;
            let Some(result) = answer.topics.first() else {
                return Err(KafkaError::Protocol(format!("CreateTopics left out {}", new.name)));
            };
            match result.error_code {
                0 => return Ok(Created::New),
                code::TOPIC_ALREADY_EXISTS => return Ok(Created::AlreadyExists),
                // With ZooKeeper (Kafka 3) only the controller creates topics; with KRaft any broker forwards the
                // request.
                code::NOT_CONTROLLER if pause.wait().await => {
                    node = if node == self.controller() { self.any_node() } else { self.controller() };
                }
                code::INVALID_REPLICATION_FACTOR if is_fenced(result) && pause.wait().await => {}
                other => {
                    let words = result.error_message.as_ref().map(StrBytes::as_str);
                    return Err(KafkaError::broker(other, format!("creating topic {}", new.name), words));
                }
            }
        }
    }

    /// Whether a topic of this name exists.
    pub(crate) async fn has_topic(&mut self, name: &str, deadline: Instant) -> Result<bool> {
        match self.topic_now(name, deadline).await {
            Ok(_) => Ok(true),
            Err(e) => match e.code() {
                Some(code::UNKNOWN_TOPIC_OR_PARTITION) => Ok(false),
                // It exists, and has a partition without a leader.
                Some(code::LEADER_NOT_AVAILABLE) => Ok(true),
                _ => Err(e),
            },
        }
    }

    /// Delete a topic. `false` if it does not exist. With an `id`, only the topic with that id is deleted, not
    /// another one with its name (Kafka 2.8 and later).
    pub(crate) async fn delete_topic(
        &mut self,
        name: &str,
        id: Option<Uuid>,
        deadline: Instant,
    ) -> Result<bool> {
        let id = id.filter(|id| !id.is_nil());
        let request = |version| {
            let limit = millis_until(deadline, ADMIN_LIMIT);
            let request = DeleteTopicsRequest::default().with_timeout_ms(limit);
            if version >= 6 {
                let topic = match id {
                    Some(id) => DeleteTopicState::default().with_name(None).with_topic_id(id),
                    None => DeleteTopicState::default().with_name(Some(topic_name(name))),
                };
                request.with_topics(vec![topic])
            } else {
                request.with_topic_names(vec![topic_name(name)])
            }
        };
        let mut pause = Pause::until(deadline);
        let mut node = self.any_node();
        loop {
            let (_, answer) = self.call(node, VersionRange { min: 1, max: 6 }, deadline, request).await?;
            let Some(result) = answer.responses.first() else {
                return Err(KafkaError::Protocol(format!("DeleteTopics left out {name}")));
            };
            match result.error_code {
                0 => return Ok(true),
                code::UNKNOWN_TOPIC_OR_PARTITION | code::UNKNOWN_TOPIC_ID => return Ok(false),
                code::NOT_CONTROLLER if pause.wait().await => {
                    node = if node == self.controller() { self.any_node() } else { self.controller() };
                }
                other => {
                    let words = result.error_message.as_ref().map(StrBytes::as_str);
                    return Err(KafkaError::broker(other, format!("deleting topic {name}"), words));
                }
            }
        }
    }

    /// The nodes of each partition's replicas, by topic, including internal topics.
    pub(crate) async fn replicas(&mut self, deadline: Instant) -> Result<BTreeMap<String, Vec<Vec<i32>>>> {
        let request = |_| {
            let mut request = MetadataRequest::default();
            request.allow_auto_topic_creation = false;
            request.topics = None;
            request
        };
        let node = self.any_node();
        let (_, answer) = self.call(node, VersionRange { min: 4, max: 13 }, deadline, request).await?;
        if answer.error_code != 0 {
            return Err(KafkaError::broker(answer.error_code, "Metadata", None));
        }
        let mut topics = BTreeMap::new();
        for topic in answer.topics {
            let Some(name) = topic.name else { continue };
            if topic.error_code != 0 {
                return Err(KafkaError::broker(topic.error_code, format!("topic {}", name.as_str()), None));
            }
            let nodes = topic.partitions.iter().map(|p| p.replica_nodes.iter().map(|n| n.0).collect());
            topics.insert(name.to_string(), nodes.collect());
        }
        Ok(topics)
    }

    /// All settings of a broker, and for each whether the broker reads it only when it starts.
    pub(crate) async fn settings(&mut self, deadline: Instant) -> Result<BTreeMap<String, bool>> {
        const BROKER: i8 = 4;
        let node = self.any_node();
        let id = self.brokers().keys().next().copied().unwrap_or(node);
        let request = |_| {
            let resource = DescribeConfigsResource::default()
                .with_resource_type(BROKER)
                .with_resource_name(StrBytes::from_string(id.to_string()))
                .with_configuration_keys(None);
            DescribeConfigsRequest::default().with_resources(vec![resource])
        };
        // A broker describes only itself.
        let (_, answer) = self.call(id, VersionRange { min: 1, max: 4 }, deadline, request).await?;
        let Some(result) = answer.results.into_iter().next() else {
            return Err(KafkaError::Protocol("DescribeConfigs left out the broker".to_owned()));
        };
        if result.error_code != 0 {
            let words = result.error_message.as_ref().map(StrBytes::as_str);
            return Err(KafkaError::broker(result.error_code, format!("settings of broker {id}"), words));
        }
        Ok(result.configs.iter().map(|c| (c.name.to_string(), c.read_only)).collect())
    }

    /// The offset at one end of every partition, by partition number.
    ///
    /// # Errors
    /// The broker's. After a leader changed, it is looked up again until `deadline`.
    pub(crate) async fn list_offsets(
        &mut self,
        topic: &mut Topic,
        end: End,
        deadline: Instant,
    ) -> Result<BTreeMap<i32, i64>> {
        let mut pause = Pause::until(deadline);
        loop {
            match self.list_offsets_now(topic, end, deadline).await {
                Err(e) if e.is_retriable() && pause.wait().await => {
                    self.look_up_again(topic, e, deadline).await?;
                }
                result => return result,
            }
        }
    }

    async fn list_offsets_now(
        &mut self,
        topic: &Topic,
        end: End,
        deadline: Instant,
    ) -> Result<BTreeMap<i32, i64>> {
        let mut found = BTreeMap::new();
        for (leader, partitions) in
            by_leader(topic, 0..i32::try_from(topic.leaders.len()).unwrap_or(i32::MAX))?
        {
            for (partition, offset) in self.offsets_at(topic, leader, &partitions, end, deadline).await? {
                found.insert(partition, offset?);
            }
        }
        if found.len() != topic.leaders.len() {
            return Err(KafkaError::Protocol(format!("ListOffsets left out partitions of {}", topic.name)));
        }
        Ok(found)
    }

    /// The offset at one end of those of `partitions` whose leader responds now.
    ///
    /// # Errors
    ///
    /// The broker's, except transient ones: a partition without a leader, a broker that is unavailable.
    pub(crate) async fn list_offsets_in_part(
        &mut self,
        topic: &Topic,
        partitions: impl IntoIterator<Item = i32>,
        end: End,
        deadline: Instant,
    ) -> Result<BTreeMap<i32, i64>> {
        let mut found = BTreeMap::new();
        let (groups, _) = spread(topic, partitions);
        for (leader, partitions) in groups {
            let answers = match self.offsets_at(topic, leader, &partitions, end, deadline).await {
                Err(e) if e.is_retriable() || e.is_append_result_unknown() => continue,
                answers => answers?,
            };
            for (partition, offset) in answers {
                match offset {
                    Err(e) if e.is_retriable() => {}
                    offset => drop(found.insert(partition, offset?)),
                }
            }
        }
        Ok(found)
    }

    async fn offsets_at(
        &mut self,
        topic: &Topic,
        leader: i32,
        partitions: &[i32],
        end: End,
        deadline: Instant,
    ) -> Result<Vec<(i32, Result<i64>)>> {
        // The end of committed data is available from version 2 on.
        let committed = self.reads_committed();
        let (_, answer) = self
            .call(leader, VersionRange { min: 1, max: 10 }, deadline, |version| {
                let partition = |p: &i32| {
                    ListOffsetsPartition::default().with_partition_index(*p).with_timestamp(end.timestamp())
                };
                let asked = ListOffsetsTopic::default()
                    .with_name(topic_name(&topic.name))
                    .with_partitions(partitions.iter().map(partition).collect());
                ListOffsetsRequest::default()
                    .with_replica_id((-1).into())
                    .with_isolation_level(i8::from(committed && version >= 2))
                    .with_topics(vec![asked])
            })
            .await?;
        let offset = |answer: &ListOffsetsPartitionResponse| {
            let partition = answer.partition_index;
            let what = format!("offsets of topic {}, partition {partition}", topic.name);
            match answer.error_code {
                0 => (partition, Ok(answer.offset)),
                code => (partition, Err(KafkaError::broker(code, what, None))),
            }
        };
        Ok(answer.topics.iter().flat_map(|t| &t.partitions).map(offset).collect())
    }

    /// Delete every record before the specified offset, by partition number. Returns each partition's new first
    /// offset.
    ///
    /// # Errors
    /// The broker's: `POLICY_VIOLATION` for a topic that is only compacted, `OFFSET_OUT_OF_RANGE` for an offset past
    /// the end.
    pub(crate) async fn delete_records(
        &mut self,
        topic: &Topic,
        before: &BTreeMap<i32, i64>,
        deadline: Instant,
    ) -> Result<BTreeMap<i32, i64>> {
        let mut first = BTreeMap::new();
        for (leader, partitions) in by_leader(topic, before.keys().copied())? {
            let (_, answer) = self
                .call(leader, VersionRange { min: 0, max: 2 }, deadline, |_| {
                    let partition = |p: &i32| {
                        DeleteRecordsPartition::default().with_partition_index(*p).with_offset(before[p])
                    };
                    let asked = DeleteRecordsTopic::default()
                        .with_name(topic_name(&topic.name))
                        .with_partitions(partitions.iter().map(partition).collect());
                    DeleteRecordsRequest::default()
                        .with_topics(vec![asked])
                        .with_timeout_ms(millis_until(deadline, ADMIN_LIMIT))
                })
                .await?;
            for answer in answer.topics.iter().flat_map(|t| &t.partitions) {
                if answer.error_code != 0 {
                    let what = format!(
                        "deleting records of topic {}, partition {}",
                        topic.name, answer.partition_index
                    );
                    return Err(KafkaError::broker(answer.error_code, what, None));
                }
                first.insert(answer.partition_index, answer.low_watermark);
            }
        }
        Ok(first)
    }
}

/// Partitions grouped by their leader.
pub(super) fn by_leader(
    topic: &Topic,
    partitions: impl IntoIterator<Item = i32>,
) -> Result<BTreeMap<i32, Vec<i32>>> {
    let mut groups: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    for partition in partitions {
        groups.entry(topic.leader(partition)?).or_default().push(partition);
    }
    Ok(groups)
}

/// The same for those that have a leader, and the error of the first of the others.
pub(super) fn spread(
    topic: &Topic,
    partitions: impl IntoIterator<Item = i32>,
) -> (BTreeMap<i32, Vec<i32>>, Option<KafkaError>) {
    let (mut groups, mut lacks) = (BTreeMap::<i32, Vec<i32>>::new(), None);
    for partition in partitions {
        match topic.leader(partition) {
            Ok(leader) => groups.entry(leader).or_default().push(partition),
            Err(e) => drop(lacks.get_or_insert(e)),
        }
    }
    (groups, lacks)
}

/// Whether the controller has no registered brokers at the moment, as on a busy machine: they will register again
/// ("All brokers are currently fenced", Kafka's `StripedReplicaPlacer`).
fn is_fenced(result: &CreatableTopicResult) -> bool {
    result.error_message.as_ref().is_some_and(|words| crate::words::FENCED.matches(words))
}
