//! `kstrim trust`'s flags.

use std::path::PathBuf;

use clap::Args;

use super::Format;

/// The end of the help of `kstrim trust`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim trust                    trust the current content of the project's kstrim.yaml
  kstrim trust ./ci/kstrim.yaml
  kstrim trust --list
  kstrim trust --revoke";

/// `kstrim trust`
#[derive(Debug, Clone, Args)]
pub struct Trust {
    /// Settings file [default: kstrim.yaml in this directory or the nearest parent]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// List the trusted files
    #[arg(long, conflicts_with_all = ["file", "revoke"])]
    pub list: bool,
    /// Stop trusting it
    #[arg(long)]
    pub revoke: bool,
    /// Output format of the list
    // Another id than that of the setting `output`.
    #[arg(id = "format", long = "output", short = 'o', value_enum, default_value_t, requires = "list")]
    pub format: Format,
}
