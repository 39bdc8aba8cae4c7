//! `kstrim diagnose`

use std::cell::RefCell;
use std::process::ExitCode;
use std::rc::Rc;

use clap::{CommandFactory, FromArgMatches};
use jiff::Timestamp;

use crate::cli::{Cli, Command, Diagnose, Format, Global};
use crate::cluster::journal::JournalFile;
use crate::cluster::session::Session;
use crate::config::files::Layers;
use crate::config::{Settings, Target};
use crate::diagnose::{self, Limits, Request, Written};
use crate::errors;
use crate::event::Emit;
use crate::exec::cancel::Cancel;
use crate::exec::quote;
use crate::exec::system::System;
use crate::failure::{Failure, Result};
use crate::kube::kubectl::Kubectl;
use crate::names::Tool;
use crate::paths::{ProfilePaths, state_dir};
use crate::quickstart::context::Context;
use crate::quickstart::programs;
use crate::tool::minikube::Minikube;

/// Write the archive and print its path.
pub(crate) async fn run(global: &Global, args: &Diagnose, layers: &Layers) -> Result<ExitCode> {
    let target = Target::from(global);
    let paths = ProfilePaths::new(state_dir(), target.profile.as_str());
    let runner = super::status::runner(Cancel::default(), global.verbose);
    let time = Timestamp::now();
    let name = diagnose::name(target.profile.as_str(), time);
    let file = args.file.clone().unwrap_or_else(|| format!("{name}.tar.gz").into());
    let request = Request {
        target: &target,
        paths: &paths,
        runner: Rc::new(runner.clone()),
        limits: Limits::asked(args.timeout),
        failure: None,
        plan: Some(Box::pin(plan(global, layers, &paths, runner))),
    };
    let written = tokio::select! {
        written = diagnose::write(request, &file, time) => written?,
        kind = super::status::stopped() => return Ok(ExitCode::from(kind.exit_code())),
    };
    super::print(&match args.output {
        Format::Json => super::json(&written),
        Format::Yaml => super::yaml(&written),
        Format::Text => format!("{}\n", written.path.display()),
    });
    if args.output == Format::Text && !global.quiet {
        print_to_stderr(&summary(&written, &name));
    }
    Ok(ExitCode::SUCCESS)
}

/// The text about the archive, without its path.
fn summary(written: &Written, name: &str) -> String {
    let Written { files, bytes, seconds, .. } = written;
    let mut text = format!("{files} files, {} kB, in {seconds} s\n", bytes.div_ceil(1000));
    if !written.gaps.is_empty() {
        text.push_str(&format!(
            "{} things could not be collected; the summary has the reasons\n",
            written.gaps.len()
        ));
    }
    match (written.findings.first(), &written.reason) {
        (Some(found), _) => text.push_str(&format!("found: {} [{}]\n", found.sentence, found.id)),
        (None, Some(reason)) => text.push_str(&format!("found: {reason}\n")),
        (None, None) => {}
    }
    let path = written.path.display().to_string();
    text.push_str(&format!("read it: tar -xzOf {} {name}/summary.md\n", quote(&path)));
    text.push_str("secrets are redacted; check it anyway before you share it\n");
    text
}

fn print_to_stderr(text: &str) {
    super::complain(text);
}

/// The tasks that `up` would run now, with the settings from the environment and files.
async fn plan(global: &Global, layers: &Layers, paths: &ProfilePaths, runner: System) -> Result<String> {
    let settings = settings(global, layers)?;
    let choice = super::up::choose(&settings)?;
    let profile = settings.target.profile.to_string();
    let journal = Rc::new(RefCell::new(JournalFile::open(&paths.journal(), &profile)?));
    let (runner, kubeconfig): (Rc<System>, _) = (Rc::new(runner), paths.kubeconfig());
    let program = |tool| programs::locate(tool, paths, settings.system_tools);
    let (minikube, kubectl) = (program(Tool::Minikube)?, program(Tool::Kubectl)?);
    let minikube = Minikube::new(minikube, &profile, &kubeconfig, runner.clone());
    let kubectl = Kubectl::new(kubectl, &kubeconfig, &profile, runner).without_retries();
    let (target, emit) = (settings.target.clone(), Emit::new(|_| {}));
    let session = Session::new(target, choice, minikube, kubectl, emit, Cancel::default(), journal);
    let cx = Rc::new(Context::new(session, settings));
    cx.ownership.read_only.set(true);
    super::plan::described(&cx).await
}

/// The settings of `up` with no flags but those of the target.
fn settings(global: &Global, layers: &Layers) -> Result<Settings> {
    let wrong = |error: clap::Error| {
        Box::new(
            Failure::new(errors::USAGE, crate::failure::Kind::Usage, "the settings are wrong").because(error),
        )
    };
    let matches =
        layers.as_defaults_of(Cli::command()).try_get_matches_from(["kstrim", "up"]).map_err(wrong)?;
    match Cli::from_arg_matches(&matches).map_err(wrong)?.command {
        Command::Up(up) => Settings::new(global, &up.what),
        _ => unreachable!("it was reported as running"),
    }
}
