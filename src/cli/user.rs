//! `kstrim user`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, OutputMode, duration};
use crate::names::{UserName, acl};

/// `kstrim user`
#[derive(Debug, Clone, Args)]
pub struct User {
    /// What to do.
    #[command(subcommand)]
    pub verb: UserVerb,
}

/// What `kstrim user` does.
#[derive(Debug, Clone, Subcommand)]
pub enum UserVerb {
    /// Create a user and wait until it has its credentials
    ///
    /// Access rules have the form TYPE:NAME:OPERATION,...[@HOST]. TYPE is topic, group, transactional-id or cluster (whose
    /// NAME is *). A NAME that ends in * is a prefix. Operations are those of Kafka: read, write, create, delete,
    /// alter, describe, describe-configs, alter-configs, cluster-action, idempotent-write, all.
    #[allow(rustdoc::broken_intra_doc_links, reason = "[@HOST] is help text, not a link")]
    #[command(after_help = USER_EXAMPLES)]
    Create(UserCreate),
    /// List the users and who created them
    #[command(after_help = "Examples:\n  kstrim user list\n  kstrim user list -o json")]
    List(UserList),
    /// Show a user, export a client configuration, or reveal its secrets
    #[command(
        after_help = "Examples:\n  kstrim user show app\n  kstrim user show app --export ./app-client\n  kstrim user show app --reveal"
    )]
    Show(UserShow),
    /// Delete a user and its credentials
    ///
    /// Asks for confirmation, or requires --yes if there is no terminal.
    #[command(after_help = "Examples:\n  kstrim user delete app\n  kstrim user delete app --yes")]
    Delete(UserDelete),
}

const USER_EXAMPLES: &str = "\
Examples:
  kstrim user create app
  kstrim user create app --authentication scram --prepare-kafka --yes
  kstrim user create app --acl topic:orders:read,describe --acl group:app-*:read --prepare-kafka
  kstrim user create app --quota produce=1m --quota consume=2m --quota request=25";

/// How a user authenticates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Default)]
pub enum Authentication {
    /// A client certificate (mutual TLS)
    #[default]
    Tls,
    /// A password (SCRAM-SHA-512)
    Scram,
}

/// `kstrim user create`
#[derive(Debug, Clone, Args)]
pub struct UserCreate {
    /// Name of the user
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// How the user authenticates
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub authentication: Authentication,
    /// Access rule, such as topic:orders:read,describe; repeatable
    #[arg(long = "acl", value_name = "RULE")]
    pub acls: Vec<acl::Rule>,
    /// Quota: produce=BYTES, consume=BYTES (per second; k, m, g), request=PERCENT, mutations=RATE; repeatable
    #[arg(long = "quota", value_name = "NAME=LIMIT")]
    pub quotas: Vec<acl::Quota>,
    /// Add what this user needs to the Kafka cluster: a listener with its authentication, and authorization
    #[arg(long)]
    pub prepare_kafka: bool,
    /// Do not ask for confirmation before brokers restart (for --prepare-kafka)
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until it is ready
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim user list`
#[derive(Debug, Clone, Args)]
pub struct UserList {
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim user show`
#[derive(Debug, Clone, Args)]
pub struct UserShow {
    /// Name of the user
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// Write a client configuration to this directory, readable only by you
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Also print the user's secrets
    #[arg(long)]
    pub reveal: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim user delete`
#[derive(Debug, Clone, Args)]
pub struct UserDelete {
    /// Name of the user
    #[arg(value_name = "USER")]
    pub user: UserName,
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
