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
    /// Make a topic and wait until it is there
    #[command(after_help = "Examples:
  kstrim topic create orders
  kstrim topic create orders --partitions 6 --config retention.ms=86400000
  kstrim topic create Audit_Log --replicas 3 -o json")]
    Create(TopicCreate),
    /// Show the topics and who made them
    ///
    /// Those that have a KafkaTopic resource: a topic that a program made by itself has none.
    #[command(after_help = "Examples:\n  kstrim topic list\n  kstrim topic list -o json | jq -r '.[].topic'")]
    List(TopicList),
    /// Show one topic: its settings, its partitions' leaders and offsets
    #[command(
        after_help = "Examples:\n  kstrim topic describe orders\n  kstrim topic describe orders -o json"
    )]
    Describe(TopicDescribe),
    /// Delete a topic and all its messages, and wait until it is gone
    ///
    /// Asks first; where there is no terminal to ask on, --yes has to say so.
    #[command(after_help = "Examples:\n  kstrim topic delete orders\n  kstrim topic delete orders --yes")]
    Delete(TopicDelete),
}

/// `kstrim topic create`
#[derive(Debug, Clone, Args)]
pub struct TopicCreate {
    /// The topic's name in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Number of partitions
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000), value_name = "N")]
    pub partitions: u32,
    /// Copies of each partition [default: the cluster's default.replication.factor]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=32_767), value_name = "N")]
    pub replicas: Option<u32>,
    /// A topic setting such as retention.ms=86400000; repeatable
    #[arg(long = "config", value_name = "KEY=VALUE")]
    pub configs: Vec<Setting>,
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait for it
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim topic list`
#[derive(Debug, Clone, Args)]
pub struct TopicList {
    /// Show the topics that Kafka and Strimzi keep for themselves, too
    #[arg(long)]
    pub internal_topics: bool,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim topic describe`
#[derive(Debug, Clone, Args)]
pub struct TopicDescribe {
    /// The topic's name in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim topic delete`
#[derive(Debug, Clone, Args)]
pub struct TopicDelete {
    /// The topic's name in Kafka
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Do not ask
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until it is gone
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
