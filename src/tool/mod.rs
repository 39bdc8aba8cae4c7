//! The programs that kstrim runs: argv builders, and pure parsers of their output.

pub(crate) mod arguments;
pub(crate) mod class_data;
pub(crate) mod engine;
pub(crate) mod machine;
pub(crate) mod minikube;
pub(crate) mod minikube_output;
pub(crate) mod node;
pub(crate) mod node_state;

use std::path::PathBuf;

use crate::errors;
use crate::exec::{self, Cmd, ExecError};
use crate::failure::{Failure, Kind, Result};

/// Find a program on PATH, or use the path in the environment variable `variable`.
pub(crate) fn find(program: &str, variable: &str, page: &str) -> Result<PathBuf> {
    let wanted = std::env::var_os(variable).filter(|v| !v.is_empty()).unwrap_or_else(|| program.into());
    exec::find(&wanted).ok_or_else(|| {
        Box::new(
            Failure::new(
                errors::TOOL_MISSING,
                Kind::Prerequisite,
                format!("{program} was not found: there is no program {} on PATH", wanted.to_string_lossy()),
            )
            .hint(format!("install {program}: {page}"))
            .hint(format!("or set its path: {variable}=/path/to/{program}")),
        )
    })
}

/// The failure of a child process that did not run to completion.
pub(crate) fn exec_failure(cmd: &Cmd, error: &ExecError) -> Failure {
    let program = cmd.program.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let verb = cmd.args.iter().find(|a| !a.starts_with('-')).cloned().unwrap_or_default();
    let what = format!("{program} {verb}");
    match error {
        ExecError::TimedOut(_) => Failure::new(errors::TOOL_HANGS, Kind::Timeout, format!("{what} {error}"))
            .because(format!("the command was: {cmd}"))
            .hint("run the command yourself to see where it hangs"),
        ExecError::Cancelled => Failure::new(errors::INTERRUPTED, Kind::Task, format!("{what} {error}")),
        ExecError::Start(_) | ExecError::Flooded | ExecError::Io(_) => {
            Failure::new(errors::TOOL_BROKEN, Kind::Prerequisite, format!("{what} {error}"))
                .because(format!("the command was: {cmd}"))
                .hint(format!("check that {} is the real {program} and can be run", cmd.program.display()))
        }
    }
}
