//! `kstrim stop`, `start`, `pause` and `unpause`.

use std::time::Duration;

use clap::Args;

use super::{OutputMode, duration};
use crate::names::{TopicName, machine};

pub(super) const STOP_EXAMPLES: &str = "\
Examples:
  kstrim stop
  kstrim stop --yes -o json

Exit codes: 0 stopped, or it was stopped already, 1 failed, 5 kstrim did not create the profile, 130/143 signals";

pub(super) const START_EXAMPLES: &str = "\
Examples:
  kstrim start
  kstrim start --topic orders -o json
  kstrim start --minikube-arg=--force

Exit codes: as `kstrim up`";

pub(super) const PAUSE_EXAMPLES: &str = "\
Examples:
  kstrim pause
  kstrim pause --yes -o json

Exit codes: 0 paused, or it was paused already, 1 failed, 3 this machine cannot freeze containers,
5 kstrim did not create the profile, 130/143 signals";

pub(super) const UNPAUSE_EXAMPLES: &str = "\
Examples:
  kstrim unpause
  kstrim unpause --topic orders -o json

Exit codes: as `kstrim up`";

/// `kstrim stop` and `kstrim pause`
#[derive(Debug, Clone, Args)]
pub struct Halt {
    /// Do not ask for confirmation if it affects what others created in the profile
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Use the profile even if nothing proves that kstrim created it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run
    #[arg(long, default_value = "10m", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}

/// `kstrim start` and `kstrim unpause`
#[derive(Debug, Clone, Args)]
pub struct Restart {
    /// Argument to pass to `minikube start`; repeatable
    #[arg(long, allow_hyphen_values = true, value_parser = machine::minikube_arg, value_name = "ARG")]
    pub minikube_arg: Vec<String>,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub run: VerifiedRun,
}

/// The flags of a run on an existing profile that ends with a verified Kafka.
#[derive(Debug, Clone, Args)]
pub struct VerifiedRun {
    /// Topic for the smoke test
    #[arg(long, env = "KSTRIM_TOPIC", default_value = "my-topic", value_name = "NAME")]
    pub topic: TopicName,
    /// Use the profile even if nothing proves that kstrim created it
    #[arg(long)]
    pub adopt: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t, env = "KSTRIM_OUTPUT")]
    pub output: OutputMode,
    /// Time limit for the whole run: 10m, 90s
    #[arg(long, env = "KSTRIM_TIMEOUT", value_parser = duration, value_name = "DURATION")]
    pub timeout: Option<Duration>,
    /// Do not collect evidence after a failure (kstrim diagnose)
    #[arg(long, env = "KSTRIM_NO_DIAGNOSE")]
    pub no_diagnose: bool,
}
