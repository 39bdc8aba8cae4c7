//! `kstrim plan`

use std::process::ExitCode;
use std::rc::Rc;

use serde::Serialize;

use super::invocation::Invocation;
use super::up::Wanted;
use crate::cli::{Format, Global, OutputMode, Plan};
use crate::config::Target;
use crate::engine::task::Doneness;
use crate::errors;
use crate::failure::{Failure, Kind, Result};
use crate::quickstart;
use crate::quickstart::context::Context;

/// The plan as data.
#[derive(Debug, Serialize)]
struct Planned {
    profile: String,
    release: String,
    kafka: String,
    tasks: Vec<PlannedTask>,
}

/// A task of the plan.
#[derive(Debug, Serialize)]
struct PlannedTask {
    id: String,
    title: String,
    needs: Vec<String>,
    /// `done`, `needed`, `always` (every run repeats it), `later` (it depends on a task that is needed first) or
    /// `refused`.
    state: &'static str,
    why: String,
    commands: Vec<String>,
}

/// Show the plan; reads only.
///
/// # Errors
/// Invalid settings, or missing programs.
pub(crate) async fn run(global: &Global, args: &Plan) -> Result<ExitCode> {
    let Wanted { global, settings, choice, files } = super::up::wanted(global, &args.what).await?;
    let global = &global;
    let invocation = Invocation::begin(global, "plan", OutputMode::Plain);
    if args.script && settings.target.context.is_some() {
        let failure =
            Failure::new(errors::SETTING_INVALID, Kind::Usage, "--script cannot be used with --context");
        return Err(Box::new(
            failure
                .because("the script creates a cluster with minikube")
                .hint(format!("print the resources: {}", settings.target.kstrim("render"))),
        ));
    }
    if args.script && files.is_some() {
        let message = "--script cannot be used with --filename";
        return Err(Box::new(
            Failure::new(errors::SETTING_INVALID, Kind::Usage, message)
                .because("the script describes a Kafka cluster of a preset")
                .hint(format!(
                    "write a kustomization: {}",
                    settings.target.kstrim("render --kustomize").arg("DIR")
                )),
        ));
    }
    if args.script {
        let cx = super::up::context_without_programs(&invocation, settings, choice)?.with_files(files);
        super::print(&quickstart::script::script(&cx).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let cx = Rc::new(super::up::context_to_create(&invocation, settings, choice)?.with_files(files));
    cx.ownership.read_only.set(true);
    let (planned, refusal) = look(&cx).await?;
    cx.stop_observing();
    let text = match args.output {
        Format::Json => super::json(&planned),
        Format::Yaml => super::yaml(&planned),
        Format::Text => text(&planned, &cx.target),
    };
    super::print(&text);
    // `up` would fail with it. A script that checks manifests needs the exit code, and users the details.
    refusal.map_or(Ok(ExitCode::SUCCESS), Err)
}

/// The plan as text, for `diagnose`.
pub(super) async fn described(cx: &Rc<Context>) -> Result<String> {
    let planned = look(cx).await;
    cx.stop_observing();
    planned.map(|(planned, _)| text(&planned, &cx.target))
}

/// The plan, and the first reason why `up` would refuse it.
async fn look(cx: &Rc<Context>) -> Result<(Planned, Option<Box<Failure>>)> {
    let mut tasks: Vec<PlannedTask> = Vec::new();
    let mut refusal: Option<Box<Failure>> = None;
    let mut refuse = |failure: Box<Failure>| {
        let why = failure.message.clone();
        refusal.get_or_insert(failure);
        ("refused", why)
    };
    // Whether a program is missing that `up` would install: it cannot be run yet.
    let mut missing = false;
    for job in quickstart::plan(&cx.settings, cx.files.as_deref(), false).jobs(cx) {
        let spec = job.spec.clone();
        let blocked = spec
            .needs
            .iter()
            .find(|n| tasks.iter().any(|t| t.id == **n && !matches!(t.state, "done" | "always")));
        let (state, why) = if spec.id == "preflight" {
            // This task only reads, and its failures are what a plan is for.
            match job.run().await {
                Ok(()) => match job.check().await? {
                    Doneness::Pending(why) => {
                        missing = true;
                        ("needed", why)
                    }
                    done => ("done", reason_of(Ok(done))),
                },
                Err(failure) => {
                    // It may have failed before it found the programs.
                    missing = true;
                    refuse(failure)
                }
            }
        } else if let Some(need) = blocked {
            ("later", format!("after {need}"))
        } else {
            match job.check().await {
                Ok(Doneness::Done(what)) => ("done", what),
                // An earlier smoke test does not count.
                Ok(Doneness::Pending(why)) if matches!(spec.id.as_str(), "smoke" | "proof") => {
                    ("always", why)
                }
                Ok(Doneness::Pending(why)) => ("needed", why),
                Ok(Doneness::Foreign(failure)) | Err(failure) => refuse(failure),
            }
        };
        let commands = match state {
            "done" => Vec::new(),
            _ if missing => job.describe().await.unwrap_or_default(),
            _ => job.describe().await?,
        };
        tasks.push(PlannedTask { id: spec.id, title: spec.title, needs: spec.needs, state, why, commands });
    }
    let planned = Planned {
        profile: cx.profile().to_owned(),
        release: cx.choice.release.version.to_string(),
        kafka: cx.choice.kafka.to_string(),
        tasks,
    };
    Ok((planned, refusal))
}

fn reason_of(doneness: Result<Doneness>) -> String {
    match doneness {
        Ok(Doneness::Done(what) | Doneness::Pending(what)) => what,
        Ok(Doneness::Foreign(failure)) | Err(failure) => failure.message,
    }
}

fn text(planned: &Planned, target: &Target) -> String {
    let mut out =
        format!("Strimzi {}, Kafka {}, profile {}\n\n", planned.release, planned.kafka, planned.profile);
    let width = planned.tasks.iter().map(|t| t.title.len()).max().unwrap_or(0);
    for task in &planned.tasks {
        let needs = if task.needs.is_empty() {
            String::new()
        } else {
            format!("   (after {})", task.needs.join(", "))
        };
        out.push_str(&format!(
            "{:7}  {:width$}  {}{}\n",
            task.state,
            task.title,
            task.why,
            if task.state == "later" { String::new() } else { needs }
        ));
        for command in &task.commands {
            out.push_str(&format!("{:7}    {command}\n", ""));
        }
    }
    let needed = planned.tasks.iter().filter(|t| !matches!(t.state, "done" | "always")).count();
    out.push_str(&match needed {
        0 => format!("\nNothing to do: everything exists. To test it again: {}\n", target.kstrim("up")),
        _ if planned.tasks.iter().any(|t| t.state == "refused") => {
            "\nkstrim up would not do this, for the reason below. Nothing was changed.\n".to_owned()
        }
        _ => format!(
            "\n{needed} of {} tasks have something to do. Nothing was changed.\n",
            planned.tasks.len()
        ),
    });
    out
}
