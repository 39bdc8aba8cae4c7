//! `kstrim topic`.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{Format, OutputMode, duration};
use crate::names::{Setting, TopicName};

/// `kstrim topic`
#[derive(Debug, Clone, Args)]
pub struct Topic {
    /// What to do.
    #[command(subcommand)]
    pub verb: TopicVerb,
}

/// What `kstrim topic` does.
#[derive(Debug, Clone, Subcommand)]
pub enum TopicVerb {
    /// Create a topic and wait until it is ready
    #[command(after_help = "Examples:
  kstrim topic create orders
  kstrim topic create orders --partitions 6 --config retention.ms=86400000
  kstrim topic create Audit_Log --replicas 3 -o json")]
    Create(TopicCreate),
    /// List the topics and who created them
    ///
    /// Lists topics that have a KafkaTopic resource. Topics that programs created in Kafka have none.
    #[command(after_help = "Examples:\n  kstrim topic list\n  kstrim topic list -o json | jq -r '.[].topic'")]
    List(TopicList),
    /// Show a topic: its settings, and the leaders and offsets of its partitions
    #[command(
        after_help = "Examples:\n  kstrim topic describe orders\n  kstrim topic describe orders -o json"
    )]
    Describe(TopicDescribe),
    /// Delete a topic and all its messages, and wait until it is deleted
    ///
    /// Asks for confirmation, or requires --yes if there is no terminal.
    #[command(after_help = "Examples:\n  kstrim topic delete orders\n  kstrim topic delete orders --yes")]
    Delete(TopicDelete),
}

/// `kstrim topic create`
#[derive(Debug, Clone, Args)]
pub struct TopicCreate {
    /// Name of the topic in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Number of partitions
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub partitions: u32,
    /// Number of replicas [default: the cluster's default.replication.factor]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=32_767), value_name = "N")]
    pub replicas: Option<u32>,
    /// Topic setting such as retention.ms=86400000; repeatable
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub configs: Vec<Setting>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until it is ready
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim topic list`
#[derive(Debug, Clone, Args)]
pub struct TopicList {
    /// Include the internal topics of Kafka and Strimzi
    #[arg(long)]
    pub internal_topics: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim topic describe`
#[derive(Debug, Clone, Args)]
pub struct TopicDescribe {
    /// Name of the topic in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim topic delete`
#[derive(Debug, Clone, Args)]
pub struct TopicDelete {
    /// Name of the topic in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Do not ask for confirmation
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until it is deleted
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
