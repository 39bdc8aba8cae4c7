//! `kstrim diagnose`'s flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Format, duration};

/// The name of a file. The archive is written while it grows, and read again: stdout cannot take it.
fn file(given: &str) -> Result<PathBuf, String> {
    if given == "-" {
        return Err("the archive is written to a file: name one".into());
    }
    Ok(given.into())
}

/// `kstrim diagnose`
#[derive(Debug, Clone, Args)]
pub struct Diagnose {
    /// The archive [default: kstrim-diagnose-PROFILE-TIME.tar.gz here]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = file)]
    pub file: Option<PathBuf>,
    /// How to print what was written
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
    /// What is not there by then is left out
    // Its id is not that of the setting `timeout`, which is the limit of `up`.
    #[arg(id = "limit", long = "timeout", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
