//! The programs kstrim wraps: argv builders, and pure parsers of what they print.

pub mod arguments;
pub mod engine;
pub mod machine;
pub mod minikube;
pub mod minikube_output;

use std::path::PathBuf;

use crate::exec::{self, Cmd, ExecError};
use crate::failure::{Failure, Kind, Result};

/// The run was stopped while the program was at work.
pub(crate) use crate::errors::INTERRUPTED as CANCELLED;
/// A program could not be run, or printed what it never should.
pub(crate) use crate::errors::TOOL_BROKEN as BROKEN;
/// A program gave no answer in time.
pub(crate) use crate::errors::TOOL_HANGS as HANGS;
/// A program that kstrim needs is not on PATH.
pub(crate) use crate::errors::TOOL_MISSING as MISSING;

/// Find a program on PATH, or take the path that `variable` names.
///
/// # Errors
/// [`MISSING`] with where to get it.
pub fn find(program: &str, variable: &str, page: &str) -> Result<PathBuf> {
    let wanted = std::env::var_os(variable).filter(|v| !v.is_empty()).unwrap_or_else(|| program.into());
    exec::find(&wanted).ok_or_else(|| {
        Box::new(
            Failure::new(
                MISSING,
                Kind::Prerequisite,
                format!("{program} was not found: there is no program {} on PATH", wanted.to_string_lossy()),
            )
            .hint(format!("install {program}: {page}"))
            .hint(format!("or set its path: {variable}=/path/to/{program}")),
        )
    })
}

/// The failure of a child that could not be run to its end.
pub fn exec_failure(cmd: &Cmd, error: &ExecError) -> Failure {
    let program = cmd.program.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let verb = cmd.args.iter().find(|a| !a.starts_with('-')).cloned().unwrap_or_default();
    let what = format!("{program} {verb}");
    match error {
        ExecError::TimedOut(_) => Failure::new(HANGS, Kind::Timeout, format!("{what} {error}"))
            .because(format!("the command was: {cmd}"))
            .hint("run the command yourself to see where it hangs"),
        ExecError::Cancelled => Failure::new(CANCELLED, Kind::Task, format!("{what} {error}")),
        ExecError::Start(_) | ExecError::Flooded | ExecError::Io(_) => {
            Failure::new(BROKEN, Kind::Prerequisite, format!("{what} {error}"))
                .because(format!("the command was: {cmd}"))
                .hint(format!("check that {} is the real {program} and can be run", cmd.program.display()))
        }
    }
}
