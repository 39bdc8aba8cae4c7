//! `kstrim env`

use std::process::ExitCode;

use crate::cli::{Env, Global, ShellName};
use crate::exec::quote;
use crate::failure::Result;
use crate::paths::{ProfilePaths, state_dir};

/// Print the exports that point a shell's own kubectl at the cluster.
///
/// # Errors
/// `KS-NO-CLUSTER` when kstrim has no kubeconfig for the profile.
pub fn run(global: &Global, args: &Env) -> Result<ExitCode> {
    let paths = ProfilePaths::new(state_dir(), global.profile.as_str());
    super::kubectl::known(global, &paths)?;
    let path = paths.kubeconfig().display().to_string();
    for (name, value) in [("KUBECONFIG", path.as_str()), ("MINIKUBE_PROFILE", global.profile.as_str())] {
        let line = match args.shell {
            ShellName::Posix => format!("export {name}={}", quote(value)),
            ShellName::Fish => format!("set -gx {name} {}", quote(value)),
            ShellName::Powershell => format!("$Env:{name} = '{}'", value.replace('\'', "''")),
        };
        super::print(&format!("{line}\n"));
    }
    Ok(ExitCode::SUCCESS)
}
