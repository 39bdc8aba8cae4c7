//! `kstrim add` and `kstrim remove`.

use std::time::Duration;

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{OutputMode, duration};
use crate::names::{ComponentName, TopicName};

pub(super) const ADD_EXAMPLES: &str = "\
Examples:
  kstrim add connect
  kstrim add bridge exporter metrics --yes
  kstrim add mirror-maker --topic orders";

pub(super) const REMOVE_EXAMPLES: &str = "\
Examples:
  kstrim remove bridge
  kstrim remove connect mirror-maker --yes";

/// The names of components, which a shell can complete.
pub(super) fn names() -> impl TypedValueParser<Value = ComponentName> {
    let all = ComponentName::ALL.map(ComponentName::as_str);
    PossibleValuesParser::new(all).try_map(|name| name.parse::<ComponentName>())
}

/// `kstrim add`
#[derive(Debug, Clone, Args)]
pub struct Add {
    /// What to add
    #[arg(value_name = "NAME", required = true, value_parser = names())]
    pub names: Vec<ComponentName>,
    /// Topic that MirrorMaker 2 mirrors
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Use Strimzi's own settings, without kstrim's laptop tuning
    #[arg(long, env = "KSTRIM_STOCK")]
    pub stock: bool,
    /// Change the Kafka cluster even if kstrim did not create it
    #[arg(long)]
    pub adopt: bool,
    /// Do not ask for confirmation before brokers restart (for cruise-control and metrics)
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim remove`
#[derive(Debug, Clone, Args)]
pub struct Remove {
    /// What to remove
    #[arg(value_name = "NAME", required = true, value_parser = names())]
    pub names: Vec<ComponentName>,
    /// Do not ask for confirmation before topics are deleted or brokers restart
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run
    #[arg(long, default_value = "5m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
