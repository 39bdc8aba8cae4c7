//! `kstrim explain`'s flags.

use clap::Args;

use super::Format;

/// The end of the help of `kstrim explain`.
pub(super) const EXAMPLES: &str = "\
                                   Examples:
  kstrim explain KS-IMAGE-PULL
  kstrim explain image-pull                 the same
  kstrim explain                            list all errors
  kstrim explain -o json                    list all errors as JSON";

/// `kstrim explain`
#[derive(Debug, Clone, Args)]
pub struct Explain {
    /// Error id, as printed in brackets after a failure; lists all errors if omitted
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
}
