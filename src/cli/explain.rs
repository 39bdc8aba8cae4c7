//! `kstrim explain`'s flags.

use clap::Args;

use super::Format;

/// What the help of `kstrim explain` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  kstrim explain KS-IMAGE-PULL
  kstrim explain image-pull                 the same
  kstrim explain                            list all errors
  kstrim explain -o json                    all of them as data";

/// `kstrim explain`
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// The id that a failure printed in brackets; without one, all errors are listed
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// How to print
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
