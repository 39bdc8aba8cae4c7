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
    /// Make a user and wait until it has its credentials
    ///
    /// Access rules are TYPE:NAME:OPERATION,...[@HOST]. TYPE is topic, group, transactional-id or cluster (whose
    /// NAME is *); a NAME that ends in * is a prefix; operations are those of Kafka: read, write, create, delete,
    /// alter, describe, describe-configs, alter-configs, cluster-action, idempotent-write, all.
    #[allow(rustdoc::broken_intra_doc_links, reason = "[@HOST] is help text, not a link")]
    #[command(after_help = USER_EXAMPLES)]
    Create(UserCreate),
    /// Show the users and who made them
    #[command(after_help = "Examples:\n  kstrim user list\n  kstrim user list -o json")]
    List(UserList),
    /// Show one user; write a client's configuration, or reveal its secrets
    #[command(
        after_help = "Examples:\n  kstrim user show app\n  kstrim user show app --export ./app-client\n  kstrim user show app --reveal"
    )]
    Show(UserShow),
    /// Delete a user and its credentials
    ///
    /// Asks first; where there is no terminal to ask on, --yes has to say so.
    #[command(after_help = "Examples:\n  kstrim user delete app\n  kstrim user delete app --yes")]
    Delete(UserDelete),
}

const USER_EXAMPLES: &str = "\
Examples:
  kstrim user create app
  kstrim user create app --authentication scram --prepare-kafka --yes
  kstrim user create app --acl topic:orders:read,describe --acl group:app-*:read --prepare-kafka
  kstrim user create app --quota produce=1m --quota consume=2m --quota request=25";

/// How a user proves who it is.
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
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// How the user proves who it is
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub authentication: Authentication,
    /// What it may do: topic:orders:read,describe; repeatable
    #[arg(long = "acl", value_name = "RULE")]
    pub acls: Vec<acl::Rule>,
    /// A limit: produce=BYTES, consume=BYTES (a second; k, m, g), request=PERCENT, mutations=RATE; repeatable
    #[arg(long = "quota", value_name = "NAME=LIMIT")]
    pub quotas: Vec<acl::Quota>,
    /// Add to the Kafka what this user needs: a listener with its authentication, and authorization
    #[arg(long)]
    pub prepare_kafka: bool,
    /// Do not ask before brokers restart, which --prepare-kafka makes them do
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// How to talk
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait for it
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim user list`
#[derive(Debug, Clone, Args)]
pub struct UserList {
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim user show`
#[derive(Debug, Clone, Args)]
pub struct UserShow {
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: UserName,
    /// Write a ready client configuration into this folder, readable by you alone
    #[arg(long, value_name = "DIR")]
    pub export: Option<PathBuf>,
    /// Print the user's secrets too
    #[arg(long)]
    pub reveal: bool,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}

/// `kstrim user delete`
#[derive(Debug, Clone, Args)]
pub struct UserDelete {
    /// The user's name
    #[arg(value_name = "USER")]
    pub user: UserName,
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
