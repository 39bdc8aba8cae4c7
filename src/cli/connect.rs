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

Exit codes: 0 checked, or taken away; 1 a failure; 6 the check failed; 130/143 ended by a signal";

/// How the way to the brokers is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Way {
    /// The address and ready snippets
    #[default]
    Text,
    /// A JSON document, once all is open
    Json,
}

/// `kstrim connect`
#[derive(Debug, Clone, Args)]
pub struct Connect {
    /// Come as this user: a listener with its authentication, over TLS
    #[arg(long, value_name = "NAME")]
    pub user: Option<UserName>,
    /// First local port, of the first broker; the others have the next ones [default: 9094; 9194 for users with
    /// a certificate, 9294 for users with a password]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1024..), value_name = "N")]
    pub port: Option<u16>,
    /// Write the user's ready client configuration into this folder, readable by you alone
    #[arg(long, requires = "user", value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Send messages through it and read them back, then end
    #[arg(long)]
    pub check: bool,
    /// Topic for --check
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Take the listeners for this machine away again
    #[arg(long, conflicts_with_all = ["user", "port", "export", "check"])]
    pub remove: bool,
    /// Do not ask before brokers restart
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Accept a Kafka that kstrim did not make
    #[arg(long)]
    pub adopt: bool,
    /// How to print the way to the brokers
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Way,
    /// How long to wait until every broker has the listener and can be reached
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
