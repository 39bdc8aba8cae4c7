//! `kstrim env`

use std::path::PathBuf;
use std::process::ExitCode;

use crate::cli::{Env, Global, ShellName};
use crate::exec::quote;
use crate::failure::Result;
use crate::paths::{ProfilePaths, state_dir};
use crate::toolbox::Toolbox;

/// Print the exports that point a shell's own kubectl at the cluster.
pub(crate) fn run(global: &Global, args: &Env) -> Result<ExitCode> {
    let paths = ProfilePaths::new(state_dir(), global.profile.as_str());
    super::kubectl::known(global, &paths)?;
    let path = paths.kubeconfig().display().to_string();
    // If the cluster was created with kstrim's own programs, they come first on PATH.
    let own = Toolbox::open().used(&paths)?;
    if !own.is_empty() {
        super::print(&prepended(args.shell, &own));
    }
    let minikube = ("MINIKUBE_PROFILE", global.profile.as_str());
    let exports = [Some(("KUBECONFIG", path.as_str())), Some(minikube).filter(|_| global.context.is_none())];
    for (name, value) in exports.into_iter().flatten() {
        let line = match args.shell {
            ShellName::Posix => format!("export {name}={}", quote(value)),
            ShellName::Fish => format!("set -gx {name} {}", quote(value)),
            ShellName::Powershell => format!("$Env:{name} = '{}'", value.replace('\'', "''")),
        };
        super::print(&format!("{line}\n"));
    }
    Ok(ExitCode::SUCCESS)
}

/// The line that puts directories before those on PATH.
fn prepended(shell: ShellName, folders: &[PathBuf]) -> String {
    let folders: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    match shell {
        ShellName::Posix => format!("export PATH={}:\"$PATH\"\n", quote(&folders.join(":"))),
        ShellName::Fish => {
            let all: Vec<_> = folders.iter().map(|folder| quote(folder)).collect();
            format!("set -gx PATH {} $PATH\n", all.join(" "))
        }
        ShellName::Powershell => {
            format!("$Env:PATH = '{}:' + $Env:PATH\n", folders.join(":").replace('\'', "''"))
        }
    }
}
