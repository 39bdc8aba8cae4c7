//! `kstrim doctor`

use clap::Args;

use super::{Format, What};

/// What the help of `kstrim doctor` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim doctor                  this machine, and the cluster if there is one
  kstrim doctor --memory 6g      would `kstrim up --memory 6g` work?
  kstrim doctor --fix            put right what is safe, after asking
  kstrim doctor -o json | jq -r '.checks[] | select(.verdict == \"failed\").id'

Exit codes: 0 all is well or warnings only, 1 something failed, 2 usage, 3 prerequisite missing,
5 something foreign in the way, 130/143 signals";

/// `kstrim doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Put right what is safe to put right, each named first
    #[arg(long)]
    pub fix: bool,
    /// With --fix: do not ask before the cluster is changed
    #[arg(long, short = 'y', requires = "fix")]
    pub yes: bool,
    /// Send messages through Kafka and read them back, too
    #[arg(long)]
    pub smoke: bool,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
