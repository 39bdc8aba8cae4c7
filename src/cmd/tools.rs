//! `kstrim tools`: kstrim's own minikube and kubectl.

use std::path::PathBuf;
use std::process::ExitCode;

use indicatif::{ProgressBar, ProgressStyle};

use crate::catalogue::{self, Minikube, Partial};
use crate::cli::{Format, Tools, ToolsInstall, ToolsRemove, ToolsVerb};
use crate::command_line::CommandLine;
use crate::download::{self, Progress, Source, Store};
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::names::{Tool, ToolSpec, Version};
use crate::paths::cache_dir;
use crate::terminal::output;
use crate::terminal::table::Table;
use crate::toolbox::{Digests, Kept, State, Toolbox, pins};

/// List, install, remove.
pub(crate) fn run(args: &Tools) -> Result<ExitCode> {
    let toolbox = Toolbox::open();
    match &args.verb {
        ToolsVerb::List(list) => {
            let kept = toolbox.list()?;
            let text = match list.output {
                Format::Json => super::json(&kept),
                Format::Yaml => super::yaml(&kept),
                Format::Text => table(&kept),
            };
            super::print(&text);
        }
        ToolsVerb::Install(install) => {
            for path in installed(&toolbox, install)? {
                super::print(&format!("{}\n", path.display()));
            }
        }
        ToolsVerb::Remove(remove) => {
            for path in removed(&toolbox, remove)? {
                super::print(&format!("{}\n", path.display()));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn table(kept: &[Kept]) -> String {
    let mut table = Table::new(["TOOL", "VERSION", "STATE", "SHA256", "PATH"]);
    for one in kept {
        let state = match one.state {
            State::Good => "good",
            State::Changed => "CHANGED",
            State::Removed => "removed",
        };
        let path = one.path.display().to_string();
        table.row([one.tool.name(), &one.version.to_string(), state, &one.sha256, &path]);
    }
    super::drawn(&table)
}

/// The requested tools, with the versions that the set pins.
fn pinned(args: &ToolsInstall) -> Result<Vec<(Tool, Version)>> {
    let both = || Tool::ALL.into_iter().map(|tool| ToolSpec { tool, version: None }).collect();
    let wanted: Vec<ToolSpec> = if args.tools.is_empty() { both() } else { args.tools.clone() };
    let asked = Partial {
        release: args.release.clone(),
        kafka: args.kafka.clone(),
        kubernetes: args.kubernetes_version.clone(),
        ..Partial::default()
    };
    // Fails if the versions are incompatible.
    let choice = catalogue::resolve(&asked)?;
    let asked = Partial { release: Some(choice.release.version.clone()), ..asked };
    let minikube = pins::minikube(&asked);
    let choice = catalogue::resolve(&Partial { minikube: minikube.clone(), ..asked })?;
    let default = minikube.as_ref().and_then(Minikube::installed).map(|m| m.default.clone());
    let kubernetes = choice.kubernetes.or(default);
    let version = |tool| match tool {
        Tool::Minikube => minikube.clone(),
        Tool::Kubectl => kubernetes.as_ref().map(pins::kubectl),
    };
    let pairs = wanted.into_iter().filter_map(|spec| {
        let version = spec.version.or_else(|| version(spec.tool))?;
        Some((spec.tool, version))
    });
    Ok(pairs.collect())
}

fn installed(toolbox: &Toolbox, args: &ToolsInstall) -> Result<Vec<PathBuf>> {
    let wanted = pinned(args)?;
    let source = args.mirror.as_deref().map_or(Ok(Source::Origin), Source::parse)?;
    let settings = download::Settings {
        offline: args.offline,
        read_timeout: args.download_timeout,
        ..download::Settings::default()
    };
    let store = Store { folder: cache_dir(), source, settings };
    let digests = args.tool_digests.as_deref().map_or(Ok(Digests::default()), Digests::read)?;
    let mut paths = Vec::new();
    for (tool, version) in wanted {
        let bar = bar(&format!("{tool} {version}"));
        let mut tell = |progress: Progress| {
            if let Some(total) = progress.total {
                bar.set_length(total);
            }
            bar.set_position(progress.done);
            std::ops::ControlFlow::Continue(())
        };
        let path = toolbox.obtain(tool, &version, &store, &digests, &mut tell);
        bar.finish_and_clear();
        paths.push(path?);
    }
    Ok(paths)
}

/// A progress bar on stderr, only if that is a terminal.
fn bar(what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, output::stderr().draw_target());
    let style = ProgressStyle::with_template("{msg}  {bytes} of {total_bytes}  {wide_bar}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what.to_owned())
}

fn removed(toolbox: &Toolbox, args: &ToolsRemove) -> Result<Vec<PathBuf>> {
    let kept = toolbox.list()?;
    let mut paths = Vec::new();
    let everything = Tool::ALL.into_iter().map(|tool| ToolSpec { tool, version: None });
    let wanted: Vec<ToolSpec> = if args.all { everything.collect() } else { args.tools.clone() };
    for spec in wanted {
        let known = kept.iter().filter(|one| one.tool == spec.tool).map(|one| one.version.clone());
        let versions: Vec<Version> = match &spec.version {
            Some(version) => vec![version.clone()],
            None => known.collect(),
        };
        let mut found = false;
        for version in versions {
            let path = toolbox.path_of(spec.tool, &version);
            let there = path.is_file();
            if toolbox.remove(spec.tool, &version, args.forget)? {
                found = true;
                paths.extend(there.then_some(path));
            }
        }
        if !found && !args.all {
            let message = format!("kstrim has no {spec} of its own");
            return Err(Box::new(
                Failure::new(errors::TOOL_UNKNOWN, Kind::Usage, message)
                    .hint(format!("list the installed tools: {}", CommandLine::new("kstrim tools list"))),
            ));
        }
    }
    Ok(paths)
}
