//! `kstrim kubectl`

use std::process::ExitCode;

use crate::cli::{Global, Kubectl};
use crate::config::Target;
use crate::errors;
use crate::exec::system::replace_process;
use crate::failure::{Failure, Kind, Result};
use crate::names::Tool;
use crate::paths::{ProfilePaths, state_dir};
use crate::terminal::output;
use crate::toolbox::Toolbox;

/// Replace this process by kubectl, configured for the cluster.
pub(crate) fn run(global: &Global, args: Kubectl) -> Result<ExitCode> {
    let paths = ProfilePaths::new(state_dir(), global.profile.as_str());
    known(global, &paths)?;
    let program = Toolbox::open().program(Tool::Kubectl, &paths)?;
    let mut argv = vec![
        "--kubeconfig".into(),
        paths.kubeconfig().into_os_string(),
        "--context".into(),
        global.profile.as_str().into(),
    ];
    argv.extend(args.args);
    // Queued output would be lost with this process.
    output::finish();
    let error = replace_process(&program, &argv);
    Err(Box::new(
        Failure::new(errors::TOOL_BROKEN, Kind::Prerequisite, format!("{} cannot be run", program.display()))
            .because(error),
    ))
}

/// Ensure that kstrim has a kubeconfig for the profile.
pub(super) fn known(global: &Global, paths: &ProfilePaths) -> Result<()> {
    if paths.kubeconfig().is_file() {
        return Ok(());
    }
    Err(Box::new(
        Failure::new(
            errors::NO_CLUSTER,
            Kind::Prerequisite,
            format!("kstrim has no cluster for the profile {}", global.profile),
        )
        .hint(format!("create one: {}", Target::from(global).kstrim("up"))),
    ))
}
