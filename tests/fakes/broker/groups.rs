//! Consumer groups: what they have committed is what a test says, and the first broker coordinates all.

use std::collections::BTreeMap;
use std::io;

use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::leave_group_response::MemberResponse;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsResponse, OffsetFetchRequest, OffsetFetchResponse,
    TopicName,
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
        group.retain(|id| !asked.members.iter().any(|member| member.member_id.as_str() == id));
        std::fs::write(self.shared.dir.join("members.json"), serde_json::to_vec(&members)?)?;
        let left =
            asked.members.iter().map(|m| MemberResponse::default().with_member_id(m.member_id.clone()));
        Ok(LeaveGroupResponse::default().with_members(left.collect()))
    }

    pub(super) fn groups(&self) -> io::Result<ListGroupsResponse> {
        let name = |group: &String| GroupId(StrBytes::from_string(group.clone()));
        let listed = |group| ListedGroup::default().with_group_id(name(group));
        let first = self.shared.setup.brokers.first().is_some_and(|b| b.id == self.shared.setup.me);
        let all = if first { self.all_groups()? } else { Groups::default() };
        Ok(ListGroupsResponse::default().with_groups(all.keys().map(listed).collect()))
    }

    pub(super) fn committed(&self, request: &OffsetFetchRequest) -> io::Result<OffsetFetchResponse> {
        let group = self.all_groups()?.remove(request.group_id.as_str()).unwrap_or_default();
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
