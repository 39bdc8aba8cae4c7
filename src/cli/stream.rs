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

Exit codes: 0 ended as asked, 4 fewer than --messages came in the time, 130/143 signals";

/// How a result is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Summary {
    /// A sentence on stderr
    #[default]
    Text,
    /// And a JSON object on stdout
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
    /// The topic to write to
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// What stands between key and value in a line; without it lines have no keys
    #[arg(long, value_name = "TEXT", value_parser = separator)]
    pub key_separator: Option<String>,
    /// Write to this partition only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// A header of every message; repeatable
    #[arg(long = "header", value_name = "NAME=VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,
    /// Come as this user, with its credentials
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// How to print the result
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Summary,
    /// How long a message may wait for its acknowledgement
    #[arg(long, default_value = "2m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim consume`
#[derive(Debug, Clone, Args)]
pub struct Consume {
    /// The topic to read
    #[arg(value_name = "TOPIC")]
    pub topic: TopicName,
    /// Begin with the oldest messages instead of those to come
    #[arg(long, conflicts_with = "offset")]
    pub from_beginning: bool,
    /// Begin with the message of this offset
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i64).range(0..))]
    pub offset: Option<i64>,
    /// Read this partition only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(0..))]
    pub partition: Option<i32>,
    /// End after so many messages; fewer in the time given are a failure
    #[arg(long, short = 'm', value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub messages: Option<u64>,
    /// End after this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// End when no message came for this time
    #[arg(long, value_parser = duration, value_name = "DURATION")]
    pub idle: Option<Duration>,
    /// Print the key and this before each value
    #[arg(long, value_name = "TEXT", value_parser = separator)]
    pub key_separator: Option<String>,
    /// Come as this user, with its credentials
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Whether to read messages of open or aborted transactions too, as Kafka's own consumer does by default
    #[arg(long, value_enum, default_value_t, value_name = "LEVEL")]
    pub isolation_level: Isolation,
    /// How to print: values as lines, or a document for each message
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// A text that is not empty; `\t` and the like as on a command line they cannot be typed.
fn separator(text: &str) -> Result<String, String> {
    let text = text.replace("\\t", "\t").replace("\\0", "\0");
    if text.is_empty() || text.contains('\n') {
        return Err("it must be at least one character, and no line end".into());
    }
    Ok(text)
}

fn header(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("{text:?} is no header: write NAME=VALUE")),
    }
}
