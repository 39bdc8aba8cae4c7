//! `kstrim doctor`

use clap::Args;

use super::{Format, What};

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
    /// Ask no server on the network
    #[arg(long)]
    pub offline: bool,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
