//! `kstrim diagnose`'s flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Format, duration};

/// The name of a file. The archive is written while it grows, and read again: stdout cannot take it.
fn file(given: &str) -> Result<PathBuf, String> {
    if given == "-" {
        return Err("the archive cannot be written to stdout: specify a file".into());
    }
    Ok(given.into())
}

/// `kstrim diagnose`
#[derive(Debug, Clone, Args)]
pub struct Diagnose {
    /// File to write [default: kstrim-diagnose-PROFILE-TIME.tar.gz in the working directory]
    #[arg(long, short = 'f', value_name = "FILE", value_parser = file)]
    pub file: Option<PathBuf>,
    /// Output format
    #[arg(long, short = 'o', value_enum, default_value_t)]
    pub output: Format,
    /// Time limit; what has not been collected by then is omitted
    // Its id is not that of the setting `timeout`, which is the limit of `up`.
    #[arg(id = "limit", long = "timeout", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
