//! A stand-in Kafka broker: implements Kafka's protocol, keeps its logs as files in a directory (so that several
//! processes can be brokers of one cluster), and has configurable faults.

mod groups;
pub mod log;
mod metadata;
mod secure;
mod setup;

use std::io;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_records_response::{
    DeleteRecordsPartitionResult, DeleteRecordsTopicResult,
};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::fetch_response::{EpochEndOffset, FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{
    ListOffsetsPartitionResponse, ListOffsetsTopicResponse,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{
    Decodable, Encodable, StrBytes, VersionRange, decode_request_header_from_buffer,
};

use log::Logs;
#[allow(unused_imports, reason = "each including crate uses a part")]
pub use secure::Secured;
#[allow(unused_imports, reason = "each including crate uses a part")]
pub use setup::{Faults, Node, Setup};

struct Shared {
    setup: Setup,
    logs: Logs,
    dir: PathBuf,
    asked: AtomicU32,
    fenced: AtomicU32,
    refused: AtomicU32,
    cut: AtomicU32,
    idle: AtomicU32,
}

/// The directories of the partitions that the broker `me` of `setup` holds, as in its `kafka-logN`.
pub fn folders(dir: &Path, setup: &Setup) -> io::Result<Vec<String>> {
    let logs = Logs::open(dir)?;
    let mut folders = vec!["__cluster_metadata-0".to_owned(), "meta.properties".to_owned()];
    for name in logs.names()? {
        let Some(meta) = logs.meta(&name)? else { continue };
        let held =
            |p: &i32| setup.brokers[usize::try_from(*p).unwrap_or(0) % setup.brokers.len()].id == setup.me;
        folders.extend((0..meta.partitions).filter(held).map(|p| format!("{name}-{p}")));
    }
    Ok(folders)
}

/// Serve connections, a thread each, until the listener breaks.
pub fn serve(listener: &TcpListener, dir: &Path, setup: Setup) -> io::Result<()> {
    let shared = Arc::new(Shared {
        setup,
        logs: Logs::open(dir)?,
        dir: dir.to_owned(),
        asked: AtomicU32::new(0),
        fenced: AtomicU32::new(0),
        refused: AtomicU32::new(0),
        cut: AtomicU32::new(0),
        idle: AtomicU32::new(0),
    });
    loop {
        let (stream, _) = listener.accept()?;
        let shared = Arc::clone(&shared);
        thread::spawn(move || {
            // A client that goes away is no event.
            let _ = Connection::new(&shared).serve(stream);
        });
    }
}

struct Connection<'a> {
    shared: &'a Shared,
    faults: Faults,
    login: secure::Login,
}

const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

/// `TOPIC_AUTHORIZATION_FAILED`.
const NOT_AUTHORIZED: i16 = 29;

impl<'a> Connection<'a> {
    fn new(shared: &'a Shared) -> Self {
        let told = std::fs::read(shared.dir.join("faults.json")).ok();
        let faults = told.and_then(|json| serde_json::from_slice(&json).ok());
        let faults = faults.unwrap_or_else(|| shared.setup.faults.clone());
        Self { shared, faults, login: secure::Login::default() }
    }

    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut stream = self.shared.setup.secured.wrap(stream)?;
        let mut sent = 0;
        loop {
            let mut length = [0; 4];
            stream.read_exact(&mut length)?;
            let mut body = vec![0; usize::try_from(i32::from_be_bytes(length)).unwrap_or(0)];
            if body.len() > 100 << 20 {
                return Ok(());
            }
            stream.read_exact(&mut body)?;
            if self.faults.not_kafka {
                return stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
            }
            let answer = self.answer(Bytes::from(body)).map_err(io::Error::other)?;
            let mut frame = u32::try_from(answer.len()).unwrap_or(0).to_be_bytes().to_vec();
            frame.extend_from_slice(&answer);
            if let Some(limit) = self.faults.close_after_bytes.filter(|limit| sent + frame.len() > *limit) {
                return stream.write_all(&frame[..limit - sent]);
            }
            sent += frame.len();
            stream.write_all(&frame)?;
        }
    }

    fn answer(&self, mut body: Bytes) -> anyhow::Result<BytesMut> {
        anyhow::ensure!(body.len() > 8, "a request of {} bytes", body.len());
        let key = ApiKey::try_from(i16::from_be_bytes([body[0], body[1]]))
            .map_err(|()| anyhow::anyhow!("unknown request"))?;
        let version = i16::from_be_bytes([body[2], body[3]]);
        let id = i32::from_be_bytes([body[4], body[5], body[6], body[7]]);
        let all = self.faults.stall_apis.is_empty();
        if all || self.faults.stall_apis.contains(&(key as i16)) {
            thread::sleep(Duration::from_millis(self.faults.stall_ms));
        }
        let mut out = BytesMut::new();
        ResponseHeader::default()
            .with_correlation_id(id)
            .encode(&mut out, key.response_header_version(version))?;
        let known = self.versions(key);
        if key == ApiKey::ApiVersions && version > known.max {
            // KIP-511: in version 0, with the range of this request.
            let ours = ApiVersion::default().with_api_key(18).with_max_version(known.max);
            ApiVersionsResponse::default()
                .with_error_code(35)
                .with_api_keys(vec![ours])
                .encode(&mut out, 0)?;
            return Ok(out);
        }
        anyhow::ensure!((known.min..=known.max).contains(&version), "{key:?} v{version} is not spoken");
        decode_request_header_from_buffer(&mut body)?;
        let password = self.shared.setup.secured.password.as_deref();
        let open = [ApiKey::ApiVersions, ApiKey::SaslHandshake, ApiKey::SaslAuthenticate].contains(&key);
        anyhow::ensure!(open || password.is_none() || self.login.is_done(), "{key:?} before the password");
        if [ApiKey::Metadata, ApiKey::ListOffsets, ApiKey::Fetch].contains(&key) {
            self.shared.logs.carry()?;
        }
        let (b, v, out_ref) = (&mut body, version, &mut out);
        match key {
            ApiKey::ApiVersions => self.api_versions().encode(out_ref, v)?,
            ApiKey::SaslHandshake => {
                let asked = SaslHandshakeRequest::decode(b, v)?;
                let code = if password.is_none() {
                    34
                } else {
                    i16::from(&*asked.mechanism != "SCRAM-SHA-512") * 33
                };
                let offered = vec![StrBytes::from_static_str("SCRAM-SHA-512")];
                let answer = SaslHandshakeResponse::default().with_error_code(code);
                answer.with_mechanisms(offered).encode(out_ref, v)?
            }
            ApiKey::SaslAuthenticate => {
                let asked = SaslAuthenticateRequest::decode(b, v)?;
                self.login.answer(&asked, password.unwrap_or_default()).encode(out_ref, v)?
            }
            ApiKey::Metadata => self.metadata(&MetadataRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::CreateTopics => self.create(&CreateTopicsRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::DeleteTopics => {
                self.delete(&DeleteTopicsRequest::decode(b, v)?, v)?.encode(out_ref, v)?
            }
            ApiKey::ListOffsets => self.offsets(&ListOffsetsRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::Produce => self.produce(&ProduceRequest::decode(b, v)?, v)?.encode(out_ref, v)?,
            ApiKey::Fetch => self.fetch(&FetchRequest::decode(b, v)?, v)?.encode(out_ref, v)?,
            ApiKey::InitProducerId => {
                let asked = InitProducerIdRequest::decode(b, v)?;
                // As Kafka: an empty transactional id is an invalid request.
                let code = if asked.transactional_id.is_some_and(|id| id.is_empty()) { 42 } else { 0 };
                let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
                let id = i64::try_from(now.as_nanos() & 0x7fff_ffff_ffff_ffff)?;
                InitProducerIdResponse::default()
                    .with_producer_id(id.into())
                    .with_producer_epoch(0)
                    .with_error_code(code)
                    .encode(out_ref, v)?
            }
            ApiKey::DescribeConfigs => {
                let asked = DescribeConfigsRequest::decode(b, v)?;
                setup::settings(&asked).encode(out_ref, v)?
            }
            ApiKey::DeleteRecords => self.trim(&DeleteRecordsRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::ListGroups => {
                ListGroupsRequest::decode(b, v)?;
                self.groups()?.encode(out_ref, v)?
            }
            ApiKey::FindCoordinator => {
                self.coordinator(&FindCoordinatorRequest::decode(b, v)?).encode(out_ref, v)?
            }
            ApiKey::JoinGroup => self.join(&JoinGroupRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::SyncGroup => self.sync(&SyncGroupRequest::decode(b, v)?).encode(out_ref, v)?,
            ApiKey::Heartbeat => {
                HeartbeatRequest::decode(b, v)?;
                HeartbeatResponse::default().encode(out_ref, v)?
            }
            ApiKey::OffsetCommit => self.commit(&OffsetCommitRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::DeleteGroups => {
                self.delete_groups(&DeleteGroupsRequest::decode(b, v)?)?.encode(out_ref, v)?
            }
            ApiKey::DescribeGroups => {
                self.describe_groups(&DescribeGroupsRequest::decode(b, v)?)?.encode(out_ref, v)?
            }
            ApiKey::LeaveGroup => self.leave_group(&LeaveGroupRequest::decode(b, v)?)?.encode(out_ref, v)?,
            ApiKey::OffsetFetch => self.committed(&OffsetFetchRequest::decode(b, v)?)?.encode(out_ref, v)?,
            other => anyhow::bail!("{other:?} is not spoken"),
        }
        Ok(out)
    }

    fn versions(&self, key: ApiKey) -> VersionRange {
        setup::versions(key, self.faults.max_versions.get(&(key as i16)).copied())
    }

    fn api_versions(&self) -> ApiVersionsResponse {
        let known = ApiKey::iter().map(|key| (key as i16, self.versions(key))).filter(|(_, v)| !v.is_empty());
        let known = known.map(|(key, v)| {
            ApiVersion::default().with_api_key(key).with_min_version(v.min).with_max_version(v.max)
        });
        ApiVersionsResponse::default().with_api_keys(known.collect())
    }

    /// Whether one of the first `times` is still to be spent.
    fn spend(counter: &AtomicU32, times: u32) -> bool {
        counter.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| (n < times).then_some(n + 1)).is_ok()
    }

    fn leader(&self, partition: i32) -> i32 {
        let brokers = &self.shared.setup.brokers;
        brokers[usize::try_from(partition).unwrap_or(0) % brokers.len()].id
    }

    fn leaderless(&self, partition: i32) -> bool {
        self.faults.leaderless.contains(&partition) && !self.shared.dir.join("led").exists()
    }

    /// Why this broker cannot serve a partition: an error code, or 0.
    fn refusal(&self, topic: Option<&log::Meta>, partition: i32, by_id: bool) -> i16 {
        match topic {
            _ if self.shared.setup.secured.hides => NOT_AUTHORIZED,
            None => {
                if by_id {
                    100
                } else {
                    3
                }
            }
            Some(topic) if partition < 0 || partition >= topic.partitions => 3,
            Some(_) if self.leaderless(partition) => 6,
            Some(_) if self.leader(partition) != self.shared.setup.me => 6,
            Some(_) => 0,
        }
    }

    fn create(&self, request: &CreateTopicsRequest) -> io::Result<CreateTopicsResponse> {
        let mut topics = Vec::new();
        for asked in &request.topics {
            let brokers = self.shared.setup.brokers.len();
            let too_many = usize::try_from(asked.replication_factor).is_ok_and(|n| n > brokers);
            // A topic of the name is looked for first, as Kafka's controller does it.
            let exists = self.shared.logs.meta(&asked.name)?.is_some();
            let fenced = !exists && Self::spend(&self.shared.fenced, self.faults.fenced_times);
            let code = if self.shared.setup.secured.hides {
                NOT_AUTHORIZED
            } else if exists {
                36
            } else if too_many || fenced {
                38
            } else if self.shared.logs.create(&asked.name, asked.num_partitions.max(1))? {
                0
            } else {
                36
            };
            let mut answer =
                CreatableTopicResult::default().with_name(asked.name.clone()).with_error_code(code);
            if code == 38 {
                let words = if fenced {
                    "Unable to replicate the partition 1 time(s): All brokers are currently fenced, or have all \
                     their log directories cordoned."
                        .to_owned()
                } else {
                    format!("Replication factor above the {brokers} brokers.")
                };
                answer.error_message = Some(StrBytes::from_string(words));
            }
            topics.push(answer);
        }
        Ok(CreateTopicsResponse::default().with_topics(topics))
    }

    fn delete(&self, request: &DeleteTopicsRequest, version: i16) -> io::Result<DeleteTopicsResponse> {
        let mut responses = Vec::new();
        let mut names = request.topic_names.clone();
        for topic in request.topics.iter().filter(|_| version >= 6) {
            match &topic.name {
                Some(name) => names.push(name.clone()),
                // By id: only the topic that has it.
                None => match self.shared.logs.find(&TopicName::default(), topic.topic_id, true)? {
                    Some(meta) => names.push(TopicName(StrBytes::from_string(meta.name))),
                    None => responses.push(
                        DeletableTopicResult::default()
                            .with_name(None)
                            .with_topic_id(topic.topic_id)
                            .with_error_code(100), // UNKNOWN_TOPIC_ID
                    ),
                },
            }
        }
        for name in names {
            let code = match self.faults.delete_error {
                0 if self.shared.setup.secured.hides => NOT_AUTHORIZED,
                0 => {
                    if self.shared.logs.delete(&name)? {
                        0
                    } else {
                        3
                    }
                }
                code => code,
            };
            responses.push(DeletableTopicResult::default().with_name(Some(name)).with_error_code(code));
        }
        Ok(DeleteTopicsResponse::default().with_responses(responses))
    }

    fn offsets(&self, request: &ListOffsetsRequest) -> io::Result<ListOffsetsResponse> {
        let mut topics = Vec::new();
        for asked in &request.topics {
            let meta = self.shared.logs.meta(&asked.name)?;
            let mut partitions = Vec::new();
            for p in &asked.partitions {
                let mut answer = ListOffsetsPartitionResponse::default()
                    .with_partition_index(p.partition_index)
                    .with_error_code(self.refusal(meta.as_ref(), p.partition_index, false));
                if answer.error_code == 0 {
                    let (start, end) = self.shared.logs.bounds(&asked.name, p.partition_index)?;
                    answer.offset = match p.timestamp {
                        EARLIEST => start,
                        LATEST => end,
                        _ => -1,
                    };
                }
                partitions.push(answer);
            }
            topics.push(
                ListOffsetsTopicResponse::default().with_name(asked.name.clone()).with_partitions(partitions),
            );
        }
        Ok(ListOffsetsResponse::default().with_topics(topics))
    }

    fn produce(&self, request: &ProduceRequest, version: i16) -> anyhow::Result<ProduceResponse> {
        let mut responses = Vec::new();
        for asked in &request.topic_data {
            let meta = self.shared.logs.find(&asked.name, asked.topic_id, version >= 13)?;
            let mut parts = Vec::new();
            for part in &asked.partition_data {
                let mut answer =
                    PartitionProduceResponse::default().with_index(part.index).with_base_offset(-1);
                let records = part.records.clone().unwrap_or_default();
                answer.error_code = match self.refusal(meta.as_ref(), part.index, version >= 13) {
                    0 if Self::spend(&self.shared.refused, self.faults.not_leader_times) => 6,
                    0 if self.faults.max_message_bytes.is_some_and(|most| records.len() > most) => 10,
                    0 => self.faults.produce_error,
                    code => code,
                };
                if let (0, Some(meta)) = (answer.error_code, &meta) {
                    match self.shared.logs.append(&meta.name, part.index, &records, &self.faults)? {
                        Some(offset) => answer.base_offset = offset,
                        None => answer.error_code = 45,
                    }
                    answer.log_start_offset = 0;
                }
                parts.push(answer);
            }
            let response = TopicProduceResponse::default().with_partition_responses(parts);
            responses.push(if version >= 13 {
                response.with_topic_id(asked.topic_id)
            } else {
                response.with_name(asked.name.clone())
            });
        }
        Ok(ProduceResponse::default().with_responses(responses))
    }

    fn fetch(&self, request: &FetchRequest, version: i16) -> anyhow::Result<FetchResponse> {
        let wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));
        let until = Instant::now() + wait;
        loop {
            let (responses, anything) = self.fetch_now(request, version)?;
            self.shared.idle.fetch_max(u32::from(!anything), Ordering::Relaxed);
            if anything || Instant::now() >= until {
                return Ok(FetchResponse::default().with_responses(responses));
            }
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn fetch_now(
        &self,
        request: &FetchRequest,
        version: i16,
    ) -> anyhow::Result<(Vec<FetchableTopicResponse>, bool)> {
        let by_id = version >= 13;
        let mut responses = Vec::new();
        let mut anything = false;
        let mut left = usize::try_from(request.max_bytes)?;
        for asked in &request.topics {
            let meta = self.shared.logs.find(&asked.topic, asked.topic_id, by_id)?;
            let mut parts = Vec::new();
            for part in &asked.partitions {
                let mut answer = PartitionData::default().with_partition_index(part.partition);
                answer.records = Some(Bytes::new());
                answer.error_code = match self.refusal(meta.as_ref(), part.partition, by_id) {
                    0 if Self::spend(&self.shared.refused, self.faults.not_leader_times) => 6,
                    0 => self.faults.fetch_error,
                    code => code,
                };
                if let (0, Some(meta)) = (answer.error_code, &meta) {
                    let (start, end) = self.shared.logs.bounds(&meta.name, part.partition)?;
                    let cut =
                        self.faults.cut.filter(|at| part.last_fetched_epoch == 0 && part.fetch_offset > *at);
                    let due = !self.faults.cut_when_idle || self.shared.idle.load(Ordering::Relaxed) > 0;
                    let cut = cut.filter(|_| due && Self::spend(&self.shared.cut, 1));
                    if let Some(at) = cut {
                        answer.diverging_epoch = EpochEndOffset::default().with_epoch(0).with_end_offset(at);
                        anything = true;
                    } else if part.fetch_offset < start || part.fetch_offset > end {
                        answer.error_code = 1;
                        (answer.high_watermark, answer.log_start_offset) = (-1, -1);
                    } else {
                        let most = usize::try_from(part.partition_max_bytes)?.min(left);
                        let (name, p) = (&meta.name, part.partition);
                        let records = self.shared.logs.read(name, p, part.fetch_offset, most, !anything)?;
                        (answer.high_watermark, answer.log_start_offset) = (end, start);
                        answer.last_stable_offset = end;
                        left = left.saturating_sub(records.len());
                        anything |= !records.is_empty();
                        answer.records = Some(records);
                        answer.aborted_transactions = self.faults.aborted_for(request.isolation_level);
                    }
                }
                anything |= answer.error_code != 0;
                parts.push(answer);
            }
            let response = FetchableTopicResponse::default().with_partitions(parts);
            responses.push(if by_id {
                response.with_topic_id(asked.topic_id)
            } else {
                response.with_topic(asked.topic.clone())
            });
        }
        Ok((responses, anything))
    }

    fn trim(&self, request: &DeleteRecordsRequest) -> io::Result<DeleteRecordsResponse> {
        let mut topics = Vec::new();
        for asked in &request.topics {
            let meta = self.shared.logs.meta(&asked.name)?;
            let mut parts = Vec::new();
            for part in &asked.partitions {
                let mut answer =
                    DeleteRecordsPartitionResult::default().with_partition_index(part.partition_index);
                answer.error_code = match self.refusal(meta.as_ref(), part.partition_index, false) {
                    0 => self.faults.delete_error,
                    code => code,
                };
                if answer.error_code == 0 {
                    match self.shared.logs.trim(&asked.name, part.partition_index, part.offset)? {
                        Some(first) => answer.low_watermark = first,
                        None => answer.error_code = 1,
                    }
                }
                parts.push(answer);
            }
            topics.push(
                DeleteRecordsTopicResult::default().with_name(asked.name.clone()).with_partitions(parts),
            );
        }
        Ok(DeleteRecordsResponse::default().with_topics(topics))
    }
}
