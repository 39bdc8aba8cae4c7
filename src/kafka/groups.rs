//! Consumer groups and their committed offsets.

use std::collections::BTreeMap;

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, GroupId, LeaveGroupRequest, ListGroupsRequest,
    OffsetFetchRequest,
};
use kafka_protocol::protocol::VersionRange;
use tokio::time::Instant;

use super::client::{Client, Pause};
use super::error::{KafkaError, Result, code};

/// Committed offsets of one group, by topic and partition.
pub(crate) type Committed = BTreeMap<(String, i32), i64>;

impl Client {
    /// The committed offsets of every group that this client may see. A coordinator that is still loading is queried
    /// again until `deadline`.
    pub(crate) async fn committed(&mut self, deadline: Instant) -> Result<BTreeMap<String, Committed>> {
        let mut pause = Pause::until(deadline);
        loop {
            match self.committed_now(deadline).await {
                Err(e) if (moves(&e) || e.is_connection()) && pause.wait().await => {}
                result => return result,
            }
        }
    }

    async fn committed_now(&mut self, deadline: Instant) -> Result<BTreeMap<String, Committed>> {
        let nodes: Vec<i32> = self.brokers().keys().copied().collect();
        let mut all = BTreeMap::new();
        for node in nodes {
            // A broker lists the groups that it coordinates.
            for group in self.coordinated(node, deadline).await? {
                match self.committed_of(node, &group, deadline).await {
                    Err(e) if e.is_denied() => {}
                    committed => drop(all.insert(group.0.to_string(), committed?)),
                }
            }
        }
        Ok(all)
    }

    /// The names of all groups that this client may see.
    pub(crate) async fn groups(&mut self, deadline: Instant) -> Result<Vec<String>> {
        let nodes: Vec<i32> = self.brokers().keys().copied().collect();
        let mut all = Vec::new();
        for node in nodes {
            all.extend(self.coordinated(node, deadline).await?.into_iter().map(|group| group.0.to_string()));
        }
        Ok(all)
    }

    /// Delete a group with its committed offsets. A consumer that ended without leaving remains a member until its
    /// session times out: such members are removed first. A group that does not exist counts as deleted.
    ///
    /// # Errors
    ///
    /// The broker's, such as `NON_EMPTY_GROUP` while a consumer is active; those of the connection.
    pub(crate) async fn delete_group(&mut self, name: &str, deadline: Instant) -> Result<()> {
        let mut pause = Pause::until(deadline);
        loop {
            match self.delete_group_now(name, deadline).await {
                Err(e) if (moves(&e) || is_occupied(&e) || e.is_connection()) && pause.wait().await => {
                    if is_occupied(&e) {
                        self.remove_members(name, deadline).await?;
                    }
                }
                result => return result,
            }
        }
    }

    async fn delete_group_now(&mut self, name: &str, deadline: Instant) -> Result<()> {
        let Some((node, group)) = self.coordinator(name, deadline).await? else { return Ok(()) };
        let request = |_| DeleteGroupsRequest::default().with_groups_names(vec![group.clone()]);
        let (_, answer) = self.call(node, VersionRange { min: 0, max: 2 }, deadline, request).await?;
        match answer.results.first().map_or(0, |result| result.error_code) {
            0 | code::GROUP_ID_NOT_FOUND => Ok(()),
            other => Err(KafkaError::broker(other, format!("deleting group {name}"), None)),
        }
    }

    /// The broker that lists a group.
    async fn coordinator(&mut self, name: &str, deadline: Instant) -> Result<Option<(i32, GroupId)>> {
        let nodes: Vec<i32> = self.brokers().keys().copied().collect();
        for node in nodes {
            let groups = self.coordinated(node, deadline).await?;
            if let Some(group) = groups.into_iter().find(|group| group.0.as_str() == name) {
                return Ok(Some((node, group)));
            }
        }
        Ok(None)
    }

    /// Remove the members of a group with the classic protocol. Those with the newer protocol leave when their
    /// session times out.
    async fn remove_members(&mut self, name: &str, deadline: Instant) -> Result<()> {
        let Some((node, group)) = self.coordinator(name, deadline).await? else { return Ok(()) };
        let request = |_| DescribeGroupsRequest::default().with_groups(vec![group.clone()]);
        let (_, answer) = self.call(node, VersionRange { min: 0, max: 5 }, deadline, request).await?;
        let members: Vec<MemberIdentity> = answer
            .groups
            .into_iter()
            .flat_map(|group| group.members)
            .map(|member| MemberIdentity::default().with_member_id(member.member_id))
            .collect();
        if members.is_empty() {
            return Ok(());
        }
        let request =
            |_| LeaveGroupRequest::default().with_group_id(group.clone()).with_members(members.clone());
        // Deleting the group shows whether each has left.
        self.call(node, VersionRange { min: 3, max: 4 }, deadline, request).await.map(drop)
    }

    async fn coordinated(&mut self, node: i32, deadline: Instant) -> Result<Vec<GroupId>> {
        let request = |_| ListGroupsRequest::default();
        let (_, answer) = self.call(node, VersionRange { min: 0, max: 4 }, deadline, request).await?;
        match KafkaError::broker(answer.error_code, format!("groups of broker {node}"), None) {
            e if answer.error_code != 0 && !e.is_denied() => Err(e),
            _ => Ok(answer.groups.into_iter().map(|group| group.group_id).collect()),
        }
    }

    async fn committed_of(&mut self, node: i32, group: &GroupId, deadline: Instant) -> Result<Committed> {
        let request = |_| OffsetFetchRequest::default().with_group_id(group.clone()).with_topics(None);
        // From version 8 on a request is for several groups.
        let (_, answer) = self.call(node, VersionRange { min: 2, max: 7 }, deadline, request).await?;
        let what = || format!("offsets of group {}", group.0);
        if answer.error_code != 0 {
            return Err(KafkaError::broker(answer.error_code, what(), None));
        }
        let mut all = Committed::new();
        for topic in answer.topics {
            for partition in topic.partitions {
                if partition.error_code != 0 {
                    return Err(KafkaError::broker(partition.error_code, what(), None));
                }
                all.insert((topic.name.to_string(), partition.partition_index), partition.committed_offset);
            }
        }
        Ok(all)
    }
}

/// Whether a group's coordinator is loading or has moved.
fn moves(error: &KafkaError) -> bool {
    let passing =
        [code::COORDINATOR_LOAD_IN_PROGRESS, code::COORDINATOR_NOT_AVAILABLE, code::NOT_COORDINATOR];
    error.code().is_some_and(|code| passing.contains(&code))
}

/// Whether a group has members.
fn is_occupied(error: &KafkaError) -> bool {
    error.code() == Some(code::NON_EMPTY_GROUP)
}
