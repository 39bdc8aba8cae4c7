//! Consumer groups of one consumer each: their committed offsets are those that a test or a consumer wrote, and the
//! first broker lists all of them.

use std::collections::BTreeMap;
use std::io;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_commit_response::{
    OffsetCommitResponsePartition, OffsetCommitResponseTopic,
};
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    FindCoordinatorRequest, FindCoordinatorResponse, GroupId, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse,
    OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Connection;

/// By group: the ids of its members.
type Members = BTreeMap<String, Vec<String>>;

/// By group, topic and partition.
type Groups = BTreeMap<String, BTreeMap<String, BTreeMap<i32, i64>>>;

impl Connection<'_> {
    /// What a test wrote to `groups.json` beside the topics.
    fn all_groups(&self) -> io::Result<Groups> {
        match std::fs::read(self.shared.dir.join("groups.json")) {
            Ok(json) => serde_json::from_slice(&json).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Groups::default()),
            Err(e) => Err(e),
        }
    }

    /// What a test wrote to `members.json` beside the topics: consumers that ended without leaving their groups.
    fn all_members(&self) -> io::Result<Members> {
        match std::fs::read(self.shared.dir.join("members.json")) {
            Ok(json) => serde_json::from_slice(&json).map_err(io::Error::other),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Members::default()),
            Err(e) => Err(e),
        }
    }

    pub(super) fn delete_groups(&self, asked: &DeleteGroupsRequest) -> io::Result<DeleteGroupsResponse> {
        let (mut groups, members) = (self.all_groups()?, self.all_members()?);
        let mut results = Vec::new();
        for id in &asked.groups_names {
            let occupied = members.get(id.as_str()).is_some_and(|members| !members.is_empty());
            let code = match groups.contains_key(id.as_str()) {
                _ if occupied => 68,
                false => 69,
                true => 0,
            };
            if code == 0 {
                groups.remove(id.as_str());
            }
            results.push(DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code));
        }
        std::fs::write(self.shared.dir.join("groups.json"), serde_json::to_vec(&groups)?)?;
        Ok(DeleteGroupsResponse::default().with_results(results))
    }

    pub(super) fn describe_groups(
        &self,
        asked: &DescribeGroupsRequest,
    ) -> io::Result<DescribeGroupsResponse> {
        let members = self.all_members()?;
        let described = |id: &GroupId| {
            let ids = members.get(id.as_str()).cloned().unwrap_or_default();
            let member =
                |id: String| DescribedGroupMember::default().with_member_id(StrBytes::from_string(id));
            let members = ids.into_iter().map(member).collect();
            DescribedGroup::default().with_group_id(id.clone()).with_members(members)
        };
        Ok(DescribeGroupsResponse::default().with_groups(asked.groups.iter().map(described).collect()))
    }

    pub(super) fn leave_group(&self, asked: &LeaveGroupRequest) -> io::Result<LeaveGroupResponse> {
        let mut members = self.all_members()?;
        let group = members.entry(asked.group_id.to_string()).or_default();
        // Before version 3 a request names one member.
        let leaves = |id: &str| {
            asked.member_id.as_str() == id
                || asked.members.iter().any(|member| member.member_id.as_str() == id)
        };
        group.retain(|id| !leaves(id));
        self.write_members(&members)?;
        let left =
            asked.members.iter().map(|m| MemberResponse::default().with_member_id(m.member_id.clone()));
        Ok(LeaveGroupResponse::default().with_members(left.collect()))
    }

    fn write_members(&self, members: &Members) -> io::Result<()> {
        std::fs::write(self.shared.dir.join("members.json"), serde_json::to_vec(members)?)
    }

    /// This broker coordinates every group.
    pub(super) fn coordinator(&self, asked: &FindCoordinatorRequest) -> FindCoordinatorResponse {
        let setup = &self.shared.setup;
        let Some(me) = setup.brokers.iter().find(|b| b.id == setup.me) else {
            return FindCoordinatorResponse::default().with_error_code(15);
        };
        let (host, port) = (StrBytes::from_string(me.host.clone()), i32::from(me.port));
        let one = |key: &StrBytes| {
            let answer = Coordinator::default().with_key(key.clone()).with_node_id(me.id.into());
            answer.with_host(host.clone()).with_port(port)
        };
        FindCoordinatorResponse::default()
            .with_node_id(me.id.into())
            .with_host(host.clone())
            .with_port(port)
            .with_coordinators(asked.coordinator_keys.iter().map(one).collect())
    }

    /// A consumer joins: it leads a group of its own, since the stand-in's groups have one consumer each.
    pub(super) fn join(&self, asked: &JoinGroupRequest) -> io::Result<JoinGroupResponse> {
        let (mut members, mut groups) = (self.all_members()?, self.all_groups()?);
        let id = if asked.member_id.is_empty() {
            StrBytes::from_string(format!("consumer-{}", uuid::Uuid::new_v4()))
        } else {
            asked.member_id.clone()
        };
        members.insert(asked.group_id.to_string(), vec![id.to_string()]);
        groups.entry(asked.group_id.to_string()).or_default();
        self.write_members(&members)?;
        std::fs::write(self.shared.dir.join("groups.json"), serde_json::to_vec(&groups)?)?;
        let protocol = asked.protocols.first().cloned().unwrap_or_default();
        let member =
            JoinGroupResponseMember::default().with_member_id(id.clone()).with_metadata(protocol.metadata);
        Ok(JoinGroupResponse::default()
            .with_generation_id(1)
            .with_protocol_type(Some(asked.protocol_type.clone()))
            .with_protocol_name(Some(protocol.name))
            .with_leader(id.clone())
            .with_member_id(id)
            .with_members(vec![member]))
    }

    /// What the leader assigned to itself.
    pub(super) fn sync(&self, asked: &SyncGroupRequest) -> SyncGroupResponse {
        let own = asked.assignments.iter().find(|a| a.member_id == asked.member_id);
        SyncGroupResponse::default()
            .with_protocol_type(asked.protocol_type.clone())
            .with_protocol_name(asked.protocol_name.clone())
            .with_assignment(own.map(|a| a.assignment.clone()).unwrap_or_default())
    }

    pub(super) fn commit(&self, asked: &OffsetCommitRequest) -> io::Result<OffsetCommitResponse> {
        let mut groups = self.all_groups()?;
        let group = groups.entry(asked.group_id.to_string()).or_default();
        let mut topics = Vec::new();
        for topic in &asked.topics {
            let committed = group.entry(topic.name.to_string()).or_default();
            let mut partitions = Vec::new();
            for partition in &topic.partitions {
                committed.insert(partition.partition_index, partition.committed_offset);
                let answer = OffsetCommitResponsePartition::default();
                partitions.push(answer.with_partition_index(partition.partition_index));
            }
            let answer = OffsetCommitResponseTopic::default().with_name(topic.name.clone());
            topics.push(answer.with_partitions(partitions));
        }
        std::fs::write(self.shared.dir.join("groups.json"), serde_json::to_vec(&groups)?)?;
        Ok(OffsetCommitResponse::default().with_topics(topics))
    }

    pub(super) fn groups(&self) -> io::Result<ListGroupsResponse> {
        let name = |group: &String| GroupId(StrBytes::from_string(group.clone()));
        let listed = |group| ListedGroup::default().with_group_id(name(group));
        let first = self.shared.setup.brokers.first().is_some_and(|b| b.id == self.shared.setup.me);
        let all = if first { self.all_groups()? } else { Groups::default() };
        Ok(ListGroupsResponse::default().with_groups(all.keys().map(listed).collect()))
    }

    pub(super) fn committed(&self, request: &OffsetFetchRequest) -> io::Result<OffsetFetchResponse> {
        let mut group = self.all_groups()?.remove(request.group_id.as_str()).unwrap_or_default();
        // Partitions that are asked for by name and have nothing are named, too.
        for topic in request.topics.iter().flatten() {
            let partitions = group.entry(topic.name.to_string()).or_default();
            for partition in &topic.partition_indexes {
                partitions.entry(*partition).or_insert(-1);
            }
        }
        let topics = group.into_iter().map(|(topic, partitions)| {
            let partition = |(partition, offset): (i32, i64)| {
                let answer = OffsetFetchResponsePartition::default().with_partition_index(partition);
                answer.with_committed_offset(offset)
            };
            OffsetFetchResponseTopic::default()
                .with_name(TopicName(StrBytes::from_string(topic)))
                .with_partitions(partitions.into_iter().map(partition).collect())
        });
        Ok(OffsetFetchResponse::default().with_topics(topics.collect()))
    }
}
