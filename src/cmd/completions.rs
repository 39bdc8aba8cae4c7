//! `kstrim completions`

use std::process::ExitCode;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Result;

/// Print a completion script.
///
/// # Errors
/// None today.
pub fn run(shell: clap_complete::Shell) -> Result<ExitCode> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "kstrim", &mut script);
    super::print(&String::from_utf8_lossy(&script));
    Ok(ExitCode::SUCCESS)
}
