//! `kstrim diagnose`'s flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Format, duration};

/// A file name. The archive is also read while it is written, so it cannot be written to stdout.
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
    // Another id than that of the setting `timeout`, the time limit of `up`.
    #[arg(id = "limit", long = "timeout", default_value = "60s", value_parser = duration, value_name = "DURATION")]
    pub timeout: Duration,
}
