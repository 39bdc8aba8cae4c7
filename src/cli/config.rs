//! `kstrim config`'s flags.

use clap::{Args, Subcommand};

use super::{Format, What};

/// What the help of `kstrim config` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim config init                 begin a kstrim.yaml here, every setting commented out
  kstrim config show --origins       what holds, and from which flag, variable or file and line
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
    /// Print every setting as it holds now
    #[command(after_help = "Examples:\n  kstrim config show --origins")]
    Show(Box<ConfigShow>),
    /// Write kstrim.yaml with every setting in it, commented out; prints its path
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
    /// Say where each value comes from
    #[arg(long)]
    pub origins: bool,
    /// How to print
    // Its id is not that of the setting `output`, which is shown too.
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t)]
    pub format: Format,
}

/// `kstrim config init`
#[derive(Debug, Clone, Args)]
pub struct ConfigInit {
    /// The user's own file instead of the project's
    #[arg(long)]
    pub user: bool,
    /// Replace the file that is there
    #[arg(long)]
    pub force: bool,
}
