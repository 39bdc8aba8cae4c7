//! Consumer groups: what they have committed is what a test says, and the first broker coordinates all.

use std::collections::BTreeMap;
use std::io;

use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponsePartition, OffsetFetchResponseTopic,
};
use kafka_protocol::messages::{
    GroupId, ListGroupsResponse, OffsetFetchRequest, OffsetFetchResponse, TopicName,
};
use kafka_protocol::protocol::StrBytes;

use super::Connection;

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
