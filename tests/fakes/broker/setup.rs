//! The configuration of the fake broker: its identity and its faults.

use std::collections::BTreeMap;

use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult,
};
use kafka_protocol::messages::fetch_response::AbortedTransaction;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Message, StrBytes, VersionRange};
use serde::{Deserialize, Serialize};

use super::secure::Secured;

/// The broker's faults. All off by default; a missing field is off.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Faults {
    pub no_leader: bool,
    /// These partitions have no leader until a file `led` exists next to the topics.
    pub leaderless: Vec<i32>,
    /// The first client that reads beyond this offset is told that the log was truncated to it, and that other
    /// messages have been written since.
    pub cut: Option<i64>,
    /// [`Faults::cut`] applies only after a fetch that found nothing new.
    pub cut_when_idle: bool,
    /// Aborted transactions that are reported to clients that read committed messages: producer and first offset.
    pub aborted: Vec<(i64, i64)>,
    /// The first so many requests about a topic find it unknown.
    pub unknown_topic_times: u32,
    /// The first so many requests about a topic find it without a leader.
    pub no_leader_times: u32,
    /// The first so many topics are rejected, because no broker is registered for a moment.
    pub fenced_times: u32,
    /// The first so many appends and reads are rejected with NOT_LEADER_OR_FOLLOWER.
    pub not_leader_times: u32,
    /// Appends are acknowledged and not written.
    pub drop_all: bool,
    pub duplicate: bool,
    /// A foreign record comes before every batch.
    pub foreign: bool,
    /// A foreign compressed batch of three records comes before every batch.
    pub foreign_compressed: bool,
    pub recompress: bool,
    /// A byte of the first record's value is changed.
    pub corrupt_content: bool,
    /// Only so many records of every batch are written.
    pub truncate: Option<usize>,
    /// So many records at the start of the log are deleted after every batch.
    pub expire: Option<i64>,
    /// The records of every batch are written in reverse order.
    pub reorder: bool,
    /// Every request about a topic is rejected with this code.
    pub topic_error: i16,
    pub produce_error: i16,
    pub fetch_error: i16,
    /// Trimming and deleting topics is rejected with this code.
    pub delete_error: i16,
    /// A topic's maximum batch size, bytes.
    pub max_message_bytes: Option<usize>,
    /// Every response is delayed by this time...
    pub stall_ms: u64,
    /// ... or, if not empty, those to these API keys.
    pub stall_apis: Vec<i16>,
    /// A connection is closed after so many bytes of responses.
    pub close_after_bytes: Option<usize>,
    /// Responses are not in Kafka's protocol: `HTTP/1.1 400`.
    pub not_kafka: bool,
    /// Highest supported version, by API key; including ApiVersions (18).
    pub max_versions: BTreeMap<i16, i16>,
}

impl Faults {
    /// The aborted transactions that are reported to a reader with this isolation level.
    pub fn aborted_for(&self, level: i8) -> Option<Vec<AbortedTransaction>> {
        let told = |(producer, first): &(i64, i64)| {
            AbortedTransaction::default().with_producer_id((*producer).into()).with_first_offset(*first)
        };
        (level == 1).then(|| self.aborted.iter().map(told).collect())
    }

    /// Whether batches are written as they were received.
    pub fn keeps_bytes(&self) -> bool {
        let other =
            self.drop_all || self.duplicate || self.recompress || self.corrupt_content || self.reorder;
        !other && self.truncate.is_none()
    }
}

/// One broker of the cluster, as it is advertised.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Node {
    pub id: i32,
    pub host: String,
    pub port: u16,
}

/// The identity of this broker, all brokers, and its faults. `faults.json` in the directory of the logs, if it
/// exists, replaces the faults for new connections.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default)]
pub struct Setup {
    /// This broker's node id.
    pub me: i32,
    /// All brokers; the leader of partition `p` is number `p % brokers`.
    pub brokers: Vec<Node>,
    pub secured: Secured,
    pub faults: Faults,
}

/// The single node of the quickstart.
impl Default for Setup {
    fn default() -> Self {
        let host = "my-cluster-dual-role-0.my-cluster-kafka-brokers.kafka.svc".to_owned();
        Self {
            me: 0,
            brokers: vec![Node { id: 0, host, port: 9092 }],
            secured: Secured::default(),
            faults: Faults::default(),
        }
    }
}

/// A broker's settings: the names and whether they are read only when it starts (`read-only` in Kafka's
/// documentation), a few of the real one's.
pub fn settings(asked: &DescribeConfigsRequest) -> DescribeConfigsResponse {
    const KNOWN: [(&str, bool); 13] = [
        ("auto.create.topics.enable", true),
        ("default.replication.factor", true),
        ("log.retention.bytes", false),
        ("log.retention.hours", true),
        ("log.retention.ms", false),
        ("message.max.bytes", false),
        ("min.insync.replicas", false),
        ("num.partitions", true),
        ("offsets.topic.replication.factor", true),
        ("share.coordinator.state.topic.min.isr", true),
        ("share.coordinator.state.topic.replication.factor", true),
        ("transaction.state.log.min.isr", true),
        ("transaction.state.log.replication.factor", true),
    ];
    let config = |(name, read_only): &(&'static str, bool)| {
        DescribeConfigsResourceResult::default()
            .with_name(StrBytes::from_static_str(name))
            .with_read_only(*read_only)
            .with_value(None)
    };
    let result = |resource: &kafka_protocol::messages::describe_configs_request::DescribeConfigsResource| {
        DescribeConfigsResult::default()
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
            .with_configs(KNOWN.iter().map(config).collect())
    };
    DescribeConfigsResponse::default().with_results(asked.resources.iter().map(result).collect())
}

/// The versions of Kafka 4, limited to `told`.
pub fn versions(key: ApiKey, told: Option<i16>) -> VersionRange {
    let VersionRange { min, max } = match key {
        ApiKey::ApiVersions => ApiVersionsRequest::VERSIONS,
        ApiKey::Metadata => MetadataRequest::VERSIONS,
        ApiKey::CreateTopics => CreateTopicsRequest::VERSIONS,
        ApiKey::DeleteTopics => DeleteTopicsRequest::VERSIONS,
        ApiKey::ListOffsets => ListOffsetsRequest::VERSIONS,
        ApiKey::Produce => ProduceRequest::VERSIONS,
        ApiKey::Fetch => FetchRequest::VERSIONS,
        ApiKey::DescribeConfigs => DescribeConfigsRequest::VERSIONS,
        ApiKey::InitProducerId => InitProducerIdRequest::VERSIONS,
        ApiKey::SaslHandshake => SaslHandshakeRequest::VERSIONS,
        ApiKey::SaslAuthenticate => SaslAuthenticateRequest::VERSIONS,
        ApiKey::DeleteRecords => DeleteRecordsRequest::VERSIONS,
        ApiKey::ListGroups => ListGroupsRequest::VERSIONS,
        ApiKey::OffsetFetch => OffsetFetchRequest::VERSIONS,
        ApiKey::FindCoordinator => FindCoordinatorRequest::VERSIONS,
        ApiKey::JoinGroup => JoinGroupRequest::VERSIONS,
        ApiKey::SyncGroup => SyncGroupRequest::VERSIONS,
        ApiKey::Heartbeat => HeartbeatRequest::VERSIONS,
        // Later versions name topics by id.
        ApiKey::OffsetCommit => VersionRange { min: OffsetCommitRequest::VERSIONS.min, max: 9 },
        ApiKey::DeleteGroups => DeleteGroupsRequest::VERSIONS,
        ApiKey::DescribeGroups => DescribeGroupsRequest::VERSIONS,
        ApiKey::LeaveGroup => LeaveGroupRequest::VERSIONS,
        _ => VersionRange { min: 0, max: -1 },
    };
    VersionRange { min, max: max.min(told.unwrap_or(max)) }
}
