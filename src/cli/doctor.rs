//! `kstrim doctor`

use clap::Args;

use super::{Format, What};

/// The end of the help of `kstrim doctor`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim doctor                  check this machine, and the cluster if there is one
  kstrim doctor --memory 6g      check whether `kstrim up --memory 6g` would work
  kstrim doctor --fix            repair what can be repaired safely, after asking
  kstrim doctor -o json | jq -r '.checks[] | select(.verdict == \"failed\").id'

Exit codes: 0 no problems or only warnings, 1 something failed, 2 usage, 3 prerequisite missing,
5 blocked by something that kstrim did not create, 130/143 signals";

/// `kstrim doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Repair what can be repaired safely; each fix is printed first
    #[arg(long)]
    pub fix: bool,
    /// With --fix: do not ask for confirmation before the cluster is changed
    #[arg(long, short = 'y', requires = "fix")]
    pub yes: bool,
    /// Also produce and consume messages
    #[arg(long)]
    pub smoke: bool,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
