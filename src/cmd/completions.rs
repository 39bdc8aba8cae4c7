//! `kstrim completions`

use std::process::ExitCode;

use clap::{Command as Verb, CommandFactory};

use crate::cli::Cli;

/// Print a completion script.
pub(crate) fn run(shell: clap_complete::Shell) -> ExitCode {
    // The generators also complete hidden commands, so the command is built again without them.
    let full = Cli::command();
    let shown: Vec<_> = full.get_subcommands().filter(|verb| !verb.is_hide_set()).cloned().collect();
    let mut command = Verb::new("kstrim").version(env!("CARGO_PKG_VERSION")).disable_help_subcommand(true);
    command = command.args(full.get_arguments().cloned().collect::<Vec<_>>()).subcommands(shown);
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "kstrim", &mut script);
    super::print(&String::from_utf8_lossy(&script));
    ExitCode::SUCCESS
}
