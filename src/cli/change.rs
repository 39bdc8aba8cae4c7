//! `kstrim scale` and `kstrim set`.

use std::time::Duration;

use clap::Args;

use super::{OutputMode, duration};
use crate::names::{DnsLabel, Setting};

pub(super) const SCALE_EXAMPLES: &str = "\
Examples:
  kstrim scale --brokers 3
  kstrim scale --brokers 1 --pool dual-role --yes -o json";

pub(super) const SET_EXAMPLES: &str = "\
Examples:
  kstrim set log.retention.hours=24
  kstrim set num.partitions=3 auto.create.topics.enable=false --yes
  kstrim set --unset log.retention.hours";

/// `kstrim scale`
#[derive(Debug, Clone, Args)]
pub struct Scale {
    /// Number of brokers
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1000), value_name = "N")]
    pub brokers: u32,
    /// Node pool to change, if several have brokers
    #[arg(long, value_name = "NAME")]
    pub pool: Option<DnsLabel>,
    /// Do not ask for confirmation before brokers are removed
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Change the Kafka cluster even if kstrim did not create it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until all brokers are ready
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim set`
#[derive(Debug, Clone, Args)]
pub struct Set {
    /// Broker settings
    #[arg(value_name = "KEY=VALUE", required_unless_present = "unset")]
    pub settings: Vec<Setting>,
    /// Reset this setting to its default; repeatable
    #[arg(long, value_name = "KEY")]
    pub unset: Vec<String>,
    /// Do not ask for confirmation before brokers restart
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Change the Kafka cluster even if kstrim did not create it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// How long to wait until all brokers use it
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
