//! `kstrim connect`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::duration;
use crate::names::{TopicName, UserName};

pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim connect
  kstrim connect --check --yes
  kstrim connect --user app --export ./app-client
  kstrim connect --remove

Exit codes: 0 verified or removed, 1 failed, 6 the check failed, 130/143 ended by a signal";

/// How the way to the brokers is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Way {
    /// The addresses, and configuration to copy
    #[default]
    Text,
    /// A JSON document, when all ports are open
    Json,
}

/// `kstrim connect`
#[derive(Debug, Clone, Args)]
pub struct Connect {
    /// Authenticate as this user, through a listener with TLS
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// Local port of the first broker; the others use the following ports [default: 9094; 9194 for users with
    /// a certificate, 9294 for users with a password]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..), value_name = "N")]
    pub port: Option<u16>,
    /// Write the user's client configuration to this directory, readable only by you
    #[arg(long, requires = "user", value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Produce and consume messages to verify the connection, then exit
    #[arg(long)]
    pub check: bool,
    /// Topic for --check
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Remove the listeners for this machine
    #[arg(long, conflicts_with_all = ["user", "port", "export", "check"])]
    pub remove: bool,
    /// Do not ask for confirmation before brokers restart
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Change the Kafka cluster even if kstrim did not create it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Way,
    /// How long to wait until every broker is reachable through the listener
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
