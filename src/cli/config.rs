//! `kstrim config`'s flags.

use clap::{Args, Subcommand};

use super::{Format, What};

/// The end of the help of `kstrim config`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim config init                 create a kstrim.yaml with every setting commented out
  kstrim config show --origins       show values and the flag, variable, or file and line they come from
  kstrim config show --memory 6g -o json
  kstrim config schema > kstrim.schema.json";

/// `kstrim config`
#[derive(Debug, Clone, Args)]
pub struct Config {
    /// What to do
    #[command(subcommand)]
    pub verb: ConfigVerb,
}

/// The verbs of `kstrim config`.
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigVerb {
    /// Print the value of every setting
    #[command(after_help = "Examples:\n  kstrim config show --origins")]
    Show(Box<ConfigShow>),
    /// Create kstrim.yaml with every setting commented out; prints its path
    #[command(after_help = "Examples:\n  kstrim config init\n  kstrim config init --user")]
    Init(ConfigInit),
    /// Print the JSON Schema of the file, for editors
    #[command(after_help = "Examples:\n  kstrim config schema > kstrim.schema.json")]
    Schema,
}

/// `kstrim config show`
#[derive(Debug, Clone, Args)]
pub struct ConfigShow {
    #[command(flatten)]
    #[allow(missing_docs)]
    pub what: What,
    /// Show where each value comes from
    #[arg(long)]
    pub origins: bool,
    /// Output format
    // Another id than that of the setting `output`, which this command displays.
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t)]
    pub format: Format,
}

/// `kstrim config init`
#[derive(Debug, Clone, Args)]
pub struct ConfigInit {
    /// Create the user's file instead of the project's
    #[arg(long)]
    pub user: bool,
    /// Replace an existing file
    #[arg(long)]
    pub force: bool,
}
