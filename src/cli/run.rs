//! `kstrim run`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{OutputMode, duration};
use crate::names::{TopicName, UserName};

pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim run -- cargo test
  kstrim run --topic orders:6 --isolate -- pytest
  kstrim run --user app --topic orders -- ./gradlew test
  kstrim run --down --evidence ./evidence --events run.jsonl -- npm test

Exit codes: that of the command; 128 + N if signal N ended it; 127 if it cannot be found; otherwise those of
kstrim up, with an error on stderr";

/// How kstrim's own messages are printed. They never go to stdout, which belongs to the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Messages {
    /// tty on a terminal, otherwise plain
    #[default]
    Auto,
    /// A live task list until the command starts
    Tty,
    /// One line per change
    Plain,
}

impl From<Messages> for OutputMode {
    fn from(messages: Messages) -> Self {
        match messages {
            Messages::Auto => Self::Auto,
            Messages::Tty => Self::Tty,
            Messages::Plain => Self::Plain,
        }
    }
}

/// A topic that the command needs: `NAME[:PARTITIONS[:REPLICATION]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeededTopic {
    /// Its name.
    pub name: TopicName,
    /// How many partitions, if that matters.
    pub partitions: Option<u32>,
    /// How many replicas, if that matters.
    pub replicas: Option<u32>,
}

impl FromStr for NeededTopic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split(':');
        let name = parts.next().unwrap_or_default().parse::<TopicName>().map_err(|e| e.to_string())?;
        let mut number = |what: &str, most: u32| match parts.next() {
            None => Ok(None),
            Some(part) => match part.parse::<u32>() {
                Ok(n) if (1..=most).contains(&n) => Ok(Some(n)),
                _ => Err(format!("the number of {what} must be 1 to {most}, not `{part}`")),
            },
        };
        let (partitions, replicas) = (number("partitions", 100_000)?, number("replicas", 32_767)?);
        match parts.next() {
            None => Ok(Self { name, partitions, replicas }),
            Some(_) => Err("expected NAME[:PARTITIONS[:REPLICATION]]".to_owned()),
        }
    }
}

/// `kstrim run`
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Topic that the command needs; created if it does not exist; repeatable
    #[arg(long = "topic", value_name = "NAME[:PARTITIONS[:REPLICATION]]")]
    pub topics: Vec<NeededTopic>,
    /// Give the topics a random prefix, KSTRIM_PREFIX, and delete all topics and consumer groups with it afterwards
    #[arg(long)]
    pub isolate: bool,
    /// Connect as this user, through a listener with TLS
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Delete the cluster afterwards if this run created it
    #[arg(long)]
    pub down: bool,
    /// If the command or kstrim fails, collect evidence in this directory (kstrim diagnose)
    #[arg(long, value_name = "DIR")]
    pub evidence: Option<PathBuf>,
    /// Write kstrim's events to this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
    /// Do not ask for confirmation before brokers restart
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Change the Kafka cluster even if kstrim did not create it
    #[arg(long)]
    pub adopt: bool,
    /// Format of kstrim's messages on stderr
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Messages,
    /// How long it may take until the command starts
    #[arg(long, default_value = "30m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
    /// Command to run, and its arguments
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_has_up_to_two_numbers() {
        let topic =
            |text: &str| text.parse::<NeededTopic>().map(|t| (t.name.to_string(), t.partitions, t.replicas));
        assert_eq!(topic("orders"), Ok(("orders".into(), None, None)));
        assert_eq!(topic("orders:6"), Ok(("orders".into(), Some(6), None)));
        assert_eq!(topic("a.b_c:6:3"), Ok(("a.b_c".into(), Some(6), Some(3))));
        for wrong in
            ["", "orders:", "orders:0", "orders:1:0", "orders:x", "orders:1:1:1", "or ders", "orders:-1"]
        {
            assert!(topic(wrong).is_err(), "{wrong}");
        }
    }
}
