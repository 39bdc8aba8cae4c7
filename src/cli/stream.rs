//! `kstrim produce` and `kstrim consume`.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Format, duration};
use crate::names::{TopicName, UserName};

pub(super) const PRODUCE_EXAMPLES: &str = "\
Examples:
  echo hello | kstrim produce orders
  kstrim produce orders --key-separator : < pairs.txt
  seq 1000 | kstrim produce orders --partition 0 -o json
  echo hello | kstrim produce orders --user app";

pub(super) const CONSUME_EXAMPLES: &str = "\
                                           Examples:
  kstrim consume orders
  kstrim consume orders --from-beginning --messages 10 --timeout 30s
  kstrim consume orders --from-beginning --idle 2s -o json | jq .value
  kstrim consume orders --partition 0 --offset 42
  kstrim consume orders --user app

Exit codes: 0 ended as requested, 4 fewer than --messages arrived in time, 130/143 signals";

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Summary {
    /// A sentence on stderr
    #[default]
    Text,
    /// A sentence on stderr and a JSON object on stdout
    Json,
}

/// Kafka's `isolation.level`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
#[value(rename_all = "snake_case")]
pub enum Isolation {
    /// All messages
    #[default]
    ReadUncommitted,
    /// No messages of open or aborted transactions
    ReadCommitted,
}

/// `kstrim produce`
#[derive(Debug, Clone, Args)]
pub struct Produce {
    /// Topic to produce to
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Separator between key and value in each line; without it, messages have no key
    #[arg(long, value_name = "TEXT", value_parser = separator)]
    pub key_separator: Option<String>,
    /// Produce only to this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Header to add to every message; repeatable
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Authenticate as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Summary,
    /// How long to wait until a message is acknowledged
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim consume`
#[derive(Debug, Clone, Args)]
pub struct Consume {
    /// Topic to consume from
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Start with the oldest message instead of new messages
    #[arg(long, conflicts_with = "offset")]
    pub from_beginning: bool,
    /// Start with the message at this offset
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: Option<i64>,
    /// Consume only this partition
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// Exit after this number of messages; it is a failure if fewer arrive in time
    #[arg(long, short = 'm', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// Exit after this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Exit when no message has arrived for this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub idle: Option<Duration>,
    /// Print the key and this separator before each value
    #[arg(long, value_name = "TEXT", value_parser = separator)]
    pub key_separator: Option<String>,
    /// Authenticate as this user
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Whether to include messages of open and aborted transactions; Kafka's own consumer does by default
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub isolation_level: Isolation,
    /// Output format: values as lines, or one document per message
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// A text that is not empty, with escape sequences such as `\t`, because tabs are hard to type on a command line.
fn separator(text: &str) -> Result<String, String> {
    let text = text.replace("\\t", "\t").replace("\\0", "\0");
    if text.is_empty() || text.contains('\n') {
        return Err("it must have at least one character, and no line break".into());
    }
    Ok(text)
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is not a header: use NAME=VALUE")),
    }
}
