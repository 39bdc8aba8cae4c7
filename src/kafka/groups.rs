//! Consumer groups and what they have committed.

use std::collections::BTreeMap;

use kafka_protocol::messages::{GroupId, ListGroupsRequest, OffsetFetchRequest};
use kafka_protocol::protocol::VersionRange;
use tokio::time::Instant;

use super::client::{Client, Pause};
use super::error::{KafkaError, Result, code};

/// Committed offsets of one group, by topic and partition.
pub(crate) type Committed = BTreeMap<(String, i32), i64>;

impl Client {
    /// What every group that this client may see has committed. A coordinator that has just come is asked again until
    /// `deadline`.
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

/// Whether a group's coordinator is coming or has moved.
fn moves(error: &KafkaError) -> bool {
    let passing =
        [code::COORDINATOR_LOAD_IN_PROGRESS, code::COORDINATOR_NOT_AVAILABLE, code::NOT_COORDINATOR];
    error.code().is_some_and(|code| passing.contains(&code))
}
