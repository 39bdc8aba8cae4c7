//! A broker's metadata of the cluster: brokers, topics, leaders.

use std::io;

use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::{MetadataRequest, MetadataResponse};
use kafka_protocol::protocol::StrBytes;

use super::{Connection, NOT_AUTHORIZED};

impl Connection<'_> {
    pub(super) fn metadata(&self, request: &MetadataRequest) -> io::Result<MetadataResponse> {
        let brokers = self.shared.setup.brokers.iter().map(|b| {
            MetadataResponseBroker::default()
                .with_node_id(b.id.into())
                .with_host(StrBytes::from_string(b.host.clone()))
                .with_port(i32::from(b.port))
        });
        let hides = self.shared.setup.secured.hides;
        let names: Vec<String> = match &request.topics {
            // Kafka silently leaves out topics that the client may not describe.
            None if hides => Vec::new(),
            None => self.shared.logs.names()?,
            Some(asked) => asked.iter().filter_map(|t| Some(t.name.as_ref()?.to_string())).collect(),
        };
        let mut topics = Vec::new();
        for name in names {
            let mut answer =
                MetadataResponseTopic::default().with_name(Some(StrBytes::from_string(name.clone()).into()));
            match self.shared.logs.meta(&name)? {
                _ if hides => answer.error_code = NOT_AUTHORIZED,
                Some(_) if Self::spend(&self.shared.asked, self.faults.unknown_topic_times) => {
                    answer.error_code = 3
                }
                _ if self.faults.topic_error != 0 => answer.error_code = self.faults.topic_error,
                None => answer.error_code = 3,
                Some(meta) => {
                    answer.topic_id = meta.id;
                    let waits = Self::spend(&self.shared.asked, self.faults.no_leader_times);
                    let leaderless = self.faults.no_leader || waits;
                    let partition = |p| {
                        let leader = self.leader(p);
                        let leaderless = leaderless || self.leaderless(p);
                        MetadataResponsePartition::default()
                            .with_partition_index(p)
                            .with_error_code(if leaderless { 5 } else { 0 })
                            .with_leader_id(if leaderless { -1 } else { leader }.into())
                            .with_replica_nodes(vec![leader.into()])
                            .with_isr_nodes(vec![leader.into()])
                    };
                    answer.partitions = (0..meta.partitions).map(partition).collect();
                }
            }
            topics.push(answer);
        }
        Ok(MetadataResponse::default()
            .with_brokers(brokers.collect())
            .with_cluster_id(Some(StrBytes::from_static_str("fake")))
            .with_controller_id(self.shared.setup.brokers[0].id.into())
            .with_topics(topics))
    }
}
